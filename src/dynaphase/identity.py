"""Which campaign a directory holds: its material system, and what must not change once there are records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dynaphase.config import make_config, with_defaults
from dynaphase.errors import CampaignError, ConfigError
from dynaphase.materials import get_system
from dynaphase.materials.base import MaterialSystem

__all__ = ["check_identity", "find_system", "is_table", "options_of_then"]


def is_table(system: str) -> bool:
    """Whether a configuration names a table's file rather than a system that is built."""
    return system.lower().endswith(".toml")


def find_system(name: str, directory: Path) -> MaterialSystem:
    """Material system of a name, or of a table's file relative to the campaign directory.

    Raises
    ------
    CampaignError
        If the table is missing.
    ConfigError
        If there is no such system, or the table is wrong.
    """
    if not is_table(name):
        return get_system(name)
    file = directory / name
    if not file.is_file():
        raise CampaignError(
            f"{file}, the table of this campaign's material system, is missing; put it back, or give another place "
            f"relative to {directory} as 'system' in the configuration"
        )
    return get_system(file)


def options_of_then(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Options that a campaign was begun with before they had a name, where today's default is another.

    Parameters
    ----------
    kept : mapping
        Identity that the records were made for; empty where there are none.
    """
    if kept and "seeds" not in kept.get("design", {}):
        return {"design": {"seeds": "common"}}
    return {}


def check_identity(kept: Mapping[str, Any], now: Mapping[str, Any], file: Path, system: str) -> None:
    """Refuse a campaign whose configuration `file` or table has changed.

    Parameters
    ----------
    kept, now : mapping
        Identity that the records were made for, and the present one.
    file : Path
        The configuration.
    system : str
        Material system as the configuration names it.

    Raises
    ------
    CampaignError
        If they differ; the message says in what.
    """
    with suppress(ConfigError):  # options that are newer than the campaign stand at their defaults
        kept = make_config(with_defaults(kept, options_of_then(kept))).identity
    if kept == now:
        return
    if is_table(system) and kept.get("system") != now["system"]:
        raise CampaignError(
            f"the table {file.parent / system} was changed after the campaign began: it describes {now['system']} now, "
            f"and the records belong to {kept.get('system')}. Undo the change, or start a new campaign with "
            f"'dynaphase new DIR --system {file.parent / system}'."
        )
    before, after = _flat(kept), _flat(now)
    changed = [
        f"{name}: {json.dumps(before.get(name))} → {json.dumps(after.get(name))}"
        for name in sorted(before | after)
        if before.get(name) != after.get(name)
    ]
    raise CampaignError(
        f"{file} was changed after the campaign began ({'; '.join(changed)}). Only [stop] and [conclude] may "
        "change: undo the change, or start a new campaign with 'dynaphase new DIR'."
    )


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in content.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat
