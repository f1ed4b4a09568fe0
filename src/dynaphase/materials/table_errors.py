"""Mistakes in a table of a material system, told with their key and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from dynaphase.materials.priors import Prior
from dynaphase.materials.table_schema import PROBLEM, MaterialTable

__all__ = ["explain_table"]


def explain_table(error: ValidationError) -> list[str]:
    """One line per mistake: the key, what is wrong, what to do."""
    return [_explain(problem) for problem in error.errors(include_url=False)]


def _explain(problem: Mapping[str, Any]) -> str:
    place = [str(part) for part in problem["loc"]]
    key = ".".join(place)
    match problem["type"]:
        case kind if kind == PROBLEM:
            return str(problem["msg"])
        case "missing":
            return (
                f"'{key}' is missing: add {place[-1]} = …"
                if len(place) > 1
                else f"the section [{key}] is missing: add it"
            )
        case "extra_forbidden":
            known = sorted({name for model in _models(MaterialTable, place[:-1]) for name in model.model_fields})
            close = get_close_matches(place[-1], known, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            return f"unknown key '{key}'.{hint} Known here: {', '.join(known)}"
        case "model_type" | "dict_type":
            wanted = (
                "a table: { value = …, status = …, source = … }" if _is_prior(place) else f"a section: write [{key}]"
            )
            return f"'{key}' = {problem['input']!r} must be {wanted}"
        case _:
            given = problem.get("input")
            shown = "" if isinstance(given, dict | list | BaseModel) else f" = {given!r}"
            return f"'{key}'{shown}: {_plain(problem)}"


def _plain(problem: Mapping[str, Any]) -> str:
    """The few messages of the checker that would not help, in words that do."""
    if problem["type"] == "string_pattern_mismatch":
        return {
            "doi": "a DOI is 10.NNNN/…, without doi: or https://",
            "name": "lower-case letters, digits, - and _, starting with a letter",
        }.get(str(problem["loc"][-1]), "the symbol of an element is needed, such as Li")
    return str(problem["msg"])


def _is_prior(place: list[str]) -> bool:
    return Prior in set(_models(MaterialTable, place))


def _models(model: type[BaseModel], place: list[str]) -> Iterator[type[BaseModel]]:
    """Sections that may stand at `place`, through lists, tables and options."""
    if not place:
        yield model
        return
    field = model.model_fields.get(place[0])
    if field is not None:
        yield from _below(field.annotation, place[1:])


def _below(annotation: Any, place: list[str]) -> Iterator[type[BaseModel]]:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        for option in get_args(annotation):
            yield from _below(option, place)
    elif origin in (list, dict) and place:
        yield from _below(get_args(annotation)[-1], place[1:])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _models(annotation, place)
