"""Tables as text: those that ship, those of a user, and the template to start one from."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from dynaphase.errors import ConfigError
from dynaphase.materials.table_errors import explain_table
from dynaphase.materials.table_schema import MaterialTable

__all__ = ["SHIPPED", "parse_table", "read_table", "template"]

SHIPPED: Final = ("latp", "llzo")
"""Names of the systems that ship as tables."""


def template() -> str:
    """A complete table with every key explained, to start a system of one's own from."""
    return _text_beside("template.toml")


def read_table(source: str | Path) -> str:
    """Text of a shipped table, by its name, or of a file.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    if source in SHIPPED:
        return _text_beside(f"{source}.toml")
    try:
        return Path(source).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"there is no file {source}; start one from the template of a material system") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{source} is not text in UTF-8; save it in that encoding") from None
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror or error}") from None


def parse_table(text: str, name: str) -> MaterialTable:
    """Check the text of a table; `name` is what errors call it.

    Raises
    ------
    ConfigError
        If the content is wrong: one line for every mistake, with its key and what to do.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{name} is not valid TOML: {error}; texts need quotes, and a table in braces stays on one line"
        ) from None
    try:
        return MaterialTable.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n  ".join([f"{name}:", *explain_table(error)])) from None


def _text_beside(name: str) -> str:
    return resources.files("dynaphase.materials").joinpath(name).read_text("utf-8")
