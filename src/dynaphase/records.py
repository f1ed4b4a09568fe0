"""The schema of one evaluation: what was asked for, and what came out, failures included."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

import numpy.typing as npt

from dynaphase.composition import Composition
from dynaphase.history import History

__all__ = ["MODEL_VERSION", "Candidate", "Fields", "Record", "RecordStatus"]

MODEL_VERSION: Final = "2026.4"
"""Changes whenever the same candidate would give another record; part of every key."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One evaluation that is asked for.

    Two candidates with equal keys give equal records (but for the clock).
    """

    composition: Composition
    seed: int
    system: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Options of the model, JSON-serialisable and complete: defaults written out."""

    @property
    def key(self) -> str:
        """Content key: 128 bits over composition, system, model, settings, seed and model version."""
        content = {
            "composition": self.composition.key,
            "seed": self.seed,
            "system": self.system,
            "model": self.model,
            "settings": dict(self.settings),
            "model_version": MODEL_VERSION,
        }
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


class RecordStatus(StrEnum):
    """How an evaluation ended."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    """Ended early because it could no longer matter to the campaign that asked for it; `reason` says why."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Final fields of one run, for looking at: arrays on one grid with their description."""

    spacing_nm: float
    arrays: Mapping[str, npt.NDArray[Any]]
    """Name → array; all of the same shape, axis 0 from anode to cathode."""
    descriptions: Mapping[str, str]
    """Name → what it is, with its unit in parentheses at the end."""


@dataclass(frozen=True, slots=True)
class Record:
    """One evaluated candidate.

    `values` holds the scalar results under the names of the command line's JSON: ``stability_score`` (0–100),
    ``ionic_conductivity_S_per_cm`` (the simulated box), ``ceramic_conductivity_S_per_cm`` (1 µm grains), …
    A failed record has a `reason` and no values, a stopped one a `reason` and the values known by then.
    """

    candidate: Candidate
    status: RecordStatus
    formula: str
    values: Mapping[str, float] = field(default_factory=dict)
    descriptors: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None
    notes: tuple[str, ...] = ()
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    fields: Fields | None = field(default=None, repr=False, compare=False)
    history: History | None = field(default=None, repr=False, compare=False)
    """Fields on the way, where they were asked for; no store of a campaign keeps them."""

    @property
    def key(self) -> str:
        """Content key of the candidate."""
        return self.candidate.key

    @property
    def is_done(self) -> bool:
        """Whether the evaluation went to its end and succeeded."""
        return self.status is RecordStatus.DONE

    @property
    def is_failed(self) -> bool:
        """Whether the evaluation failed: neither done nor stopped."""
        return self.status is RecordStatus.FAILED

    def to_json(self) -> dict[str, Any]:
        """Everything but fields and history, as JSON types; `from_json` reads it back."""
        content = asdict(replace(self, fields=None, history=None, candidate=self.candidate))
        del content["fields"], content["history"]
        content["candidate"] = {
            "composition": self.candidate.composition.parts,
            "seed": self.candidate.seed,
            "system": self.candidate.system,
            "model": self.candidate.model,
            "settings": dict(self.candidate.settings),
        }
        content["status"] = self.status.value
        content["notes"] = list(self.notes)
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Record:
        """Inverse of `to_json`."""
        data = dict(content)
        asked = dict(data.pop("candidate"))
        asked["composition"] = Composition(tuple((str(e), int(c)) for e, c in asked["composition"]))
        data["status"] = RecordStatus(data["status"])
        data["notes"] = tuple(data["notes"])
        return cls(candidate=Candidate(**asked), **data)
