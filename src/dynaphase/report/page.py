"""Evidence, figures and the template become one HTML file."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dynaphase.citations import bibtex
from dynaphase.errors import CampaignError
from dynaphase.report import formats
from dynaphase.report.accuracy import accuracy_curves, accuracy_of, parity_plots, units_of
from dynaphase.report.answer import find_answer
from dynaphase.report.atlas import line_cuts, maps_in_coordinates, ternary_maps, trade_offs
from dynaphase.report.conclusion import (
    STRATA,
    coverage_by_strata,
    failing_sentences,
    saving_rows,
    stopped_sentence,
    strata_that_are_too_small,
)
from dynaphase.report.evidence import BOX, CERAMIC, CURRENT, SCORE, Evidence, gather
from dynaphase.report.foundation import find_foundation
from dynaphase.report.illustration import name_of
from dynaphase.report.influence import element_tables, influences
from dynaphase.report.plates import plates

if TYPE_CHECKING:
    import jinja2

    from dynaphase.campaign import Campaign

__all__ = ["render", "write_report"]

TEMPLATE: Final = "report.html.jinja"


def write_report(campaign: Campaign, path: str | Path | None = None) -> Path:
    """Write the report of a campaign as one self-contained HTML file.

    A report can be written at any time; what cannot be shown yet is named.  The file appears whole or not at all.

    Parameters
    ----------
    campaign : Campaign
    path : path, optional
        By default ``report.html`` in the campaign directory.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    CampaignError
        If nothing was simulated yet, or the file cannot be written.
    """
    target = campaign.directory / "report.html" if path is None else Path(path)
    if not target.name or target.is_dir() or not target.parent.is_dir():
        raise CampaignError(
            f"the report {path} cannot be written there; name a file in an existing folder: "
            f"'dynaphase report {campaign.directory} -o FILE.html'"
        )
    page = render(gather(campaign), datetime.now(UTC))
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        unfinished.write_text(page, encoding="utf-8")
        os.replace(unfinished, target)
    except OSError as error:
        raise CampaignError(
            f"the report {target} cannot be written ({error.strerror or error}); choose another file in an existing, "
            f"writable folder: 'dynaphase report {campaign.directory} -o FILE.html'"
        ) from None
    finally:
        # After a successful rename there is none; on a full or read-only disk there may be nothing to remove either.
        _discard(unfinished)
    return target


def render(evidence: Evidence, now: datetime) -> str:
    """The page; apart from `now` the same evidence gives the same text."""
    foundation = find_foundation(evidence)
    tables = element_tables(evidence)
    coverage = coverage_by_strata(evidence)
    shown, n_missing = plates(evidence)
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            evidence=evidence,
            answer=find_answer(evidence),
            accuracy=accuracy_of(evidence) if evidence.learned else {},
            stopped=stopped_sentence(evidence.status),
            coverage=coverage,
            strata=STRATA,
            small_strata=strata_that_are_too_small(coverage),
            savings=saving_rows(evidence),
            fallbacks=_fallbacks(evidence),
            ternary_maps=ternary_maps(evidence),
            maps_in_coordinates=maps_in_coordinates(evidence),
            line_cuts=line_cuts(evidence),
            trade_offs=trade_offs(evidence),
            accuracy_curves=accuracy_curves(evidence),
            parity_plots=parity_plots(evidence),
            tables=tables,
            influences=influences(tables),
            plates=shown,
            n_plates_missing=n_missing,
            foundation=foundation,
            bibliography=bibtex(foundation.citations),
            name_of=name_of,
            units=units_of(evidence),
            failing=failing_sentences(evidence.status),
            now=now,
            SCORE=SCORE,
            BOX=BOX,
            CERAMIC=CERAMIC,
            CURRENT=CURRENT,
        )
    )


def _fallbacks(evidence: Evidence) -> list[tuple[str, str, str]]:
    """Targets that were not fitted in the first way: name, how, and why."""
    if evidence.learned is None:
        return []
    fits: dict[str, dict[str, Any]] = evidence.learned.assessment["fit"]
    return [(name, fit["rung"], fit["message"]) for name, fit in fits.items() if fit["is_fallback"]]


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(formats, name) for name in formats.__all__ if callable(getattr(formats, name))
    }
    return environment


def _discard(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError:
        return
