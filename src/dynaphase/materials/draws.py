"""Common random numbers: what is unknown is drawn once and then held for every composition that is compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from dynaphase.errors import InputError

__all__ = ["draws"]


def draws(names: Iterable[str], n: int, seed: int) -> list[dict[str, float]]:
    """`n` draws of the uncertain parameters, independent standard normals by name.

    Every name has a stream of its own, made of the seed and the name alone.  So a parameter has the same numbers
    whatever else is drawn: in another system that has it too, after a parameter was added, and in the first of more
    draws.  Use the same list for all compositions: then their difference is not the difference of two draws.

    Parameters
    ----------
    names : iterable of str
        What to draw: `draw_names` of a material system, or a part of it.
    n : int
        Number of draws.
    seed : int

    Returns
    -------
    list of dict of str to float
        One mapping per draw, as ``material(..., draw=...)`` takes it.

    Raises
    ------
    InputError
        If `n` or the seed is negative.

    Examples
    --------
    >>> few, more = draws(["porosity"], 2, seed=0), draws(["flaw_size_m", "porosity"], 3, seed=0)
    >>> few[1]["porosity"] == more[1]["porosity"]
    True
    """
    if n < 0 or seed < 0:
        raise InputError(f"the number of draws and the seed must not be negative, not {n} and {seed}")
    columns = {name: _stream(name, seed).standard_normal(n) for name in names}
    return [{name: float(column[i]) for name, column in columns.items()} for i in range(n)]


def _stream(name: str, seed: int) -> np.random.Generator:
    digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
    return np.random.default_rng(np.random.SeedSequence([seed, int.from_bytes(digest)]))
