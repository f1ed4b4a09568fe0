"""Arguments that several commands share, and options of a model from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from dynaphase.errors import ConfigError

__all__ = ["Directory", "Fidelity", "Formula", "Json", "NWorkers", "Options", "System", "settings_of"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Formula = Annotated[str, typer.Argument(metavar="FORMULA", help="e.g. 'Li1.5Al0.5Ge1.5(PO4)3'")]
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A campaign directory.")]
System = Annotated[str, typer.Option(help="Material system: lagp, latp, llzo or a table (TABLE.toml).")]
Fidelity = Annotated[str | None, typer.Option(help="Of physical: eikonal, 96, 128, 256 or 3d.")]
NWorkers = Annotated[int | None, typer.Option("--workers", min=1, help="Simulations at a time [one per core].")]
Options = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any option of the model; repeatable.")
]


def settings_of(model: str, pairs: Sequence[str] | None, **named: str | None) -> dict[str, Any]:
    """Options of a model from ``--set`` and from options of their own."""
    settings = _options(pairs or [])
    for name, value in named.items():
        if value is None:
            continue
        owner = _OWNERS[name]
        if model != owner:
            raise ConfigError(f"--{name} belongs to the {owner} model; leave it out, or add --model {owner}")
        if name in settings:
            raise ConfigError(f"--set {name}=… says twice what --{name} says; use --{name} alone")
        settings[name] = value
    return settings


_OWNERS: Final = {"stepping": "paper", "fidelity": "physical"}
"""Option → the model that has it."""


def _options(pairs: Sequence[str]) -> dict[str, Any]:
    """``name=value`` pairs; values are read as TOML where that works, as text otherwise."""
    import tomllib

    options = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise ConfigError(f"--set {pair}: write NAME=VALUE, for example --set reaction=bistable")
        try:
            content = tomllib.loads(f"value = {value}")
            if len(content) > 1:
                raise ConfigError(f"--set {pair!r} holds more than one line; write one --set for each option")
            options[name.strip()] = content["value"]
        except tomllib.TOMLDecodeError:
            options[name.strip()] = value.strip()
    return options
