"""Landscapes from tables: the simulated ones in ``landscapes/``, and any CSV of compositions and outcomes.

A CSV has one column a component (element symbols, or whatever `components` names) and one a target; rows of one
composition are its seeds (a column ``seed`` may number them); an empty outcome is a failure.  A column ``role`` may say
``pool`` (may be chosen), ``fresh`` and ``line`` (judge only); without it a fifth of the compositions, the same in
every run, is kept back as ``fresh``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from decisions.landscape import BoolArray, FloatArray, Judge, Landscape, Objective
from dynaphase.composition import Composition
from dynaphase.errors import InputError
from dynaphase.materials import get_system
from dynaphase.materials.base import MaterialSystem
from dynaphase.samplers import make_sampler
from dynaphase.space import CompositionSpace
from dynaphase.surrogate import Identity, Log10, LogitPercent, Target, Transform

if TYPE_CHECKING:
    import pandas as pd

HERE: Final = Path(__file__).parent
TABLES: Final = HERE / "landscapes"

SIMULATED: Final = {
    "neighbourhood": ("lagp", "neighbourhood"),
    "simplex": ("lagp", "simplex"),
    "quaternary": (str(HERE / "lagtp.toml"), "simplex"),
}
"""Name → material system and sampler, as in `make_landscapes`."""

OBJECTIVES: Final = (
    Objective(Target("stability_score", LogitPercent(), "%", prior_std=2.0)),
    Objective(Target("ionic_conductivity_S_per_cm", Log10(), "S/cm")),
    Objective(Target("critical_current_density_mA_per_cm2", Log10(), "mA/cm²", prior_std=0.3)),
)
"""Of the simulated landscapes; the first two make the trade-off and are what accuracy is quoted for."""

ROLES: Final = ("pool", "fresh", "line")
NOT_COMPONENTS: Final = ("seed", "role", "reason", "cpu_seconds")
EDGE: Final = 0.05
"""How near a face of the unit cube still counts as the edge."""
NOISY_SHARE: Final = 0.1
"""Share of the fresh compositions, those whose log10 σ scatters most between seeds, that is the noisy zone."""
NEAR_LINE: Final = 0.03
"""|δ| from which a composition is off the stoichiometric line."""
HELD_BACK: Final = 0.2


@lru_cache
def simulated(name: str, folder: Path = TABLES) -> Landscape:
    """One of the committed landscapes of the physical model, noise-free: the mean over a composition's seeds counts.

    Raises
    ------
    InputError
        If there is no such landscape, its table has not been made yet or is damaged.
    """
    if name not in SIMULATED:
        raise InputError(f"no simulated landscape {name}; there are {', '.join(SIMULATED)}")
    system = get_system(SIMULATED[name][0])
    space = CompositionSpace(system, make_sampler(SIMULATED[name][1], system))
    table = read_table(folder / f"{name}.csv.xz", system.elements, [o.name for o in OBJECTIVES])
    if name == "simplex" and (folder / "neighbourhood.csv.xz").exists():
        # The line lies in the simplex too, and its compositions need not be simulated twice.
        other = read_table(folder / "neighbourhood.csv.xz", system.elements, [o.name for o in OBJECTIVES])
        line = other[(other["role"] == "line") & (other[list(system.elements)] >= 0.02).all(axis=1)]
        table = _concat([table, line])
    return from_table(table, name, system.elements, OBJECTIVES, space)


def from_csv(
    path: Path, objectives: Mapping[str, str], components: Sequence[str] = (), system: str | None = None
) -> Landscape:
    """A landscape from a CSV of one's own.

    Parameters
    ----------
    path : Path
        The table, compressed or not.
    objectives : mapping
        Column → ``max`` or ``min``.
    components : sequence of str
        Columns of the composition; by default those named as chemical elements, else all that no objective uses.
    system : str, optional
        Material system behind the fractions, by name or table; its phases then serve as features.

    Raises
    ------
    InputError
        If the table cannot be read as a landscape; the message says where and what to do.
    """
    for name, direction in objectives.items():
        if direction not in ("max", "min"):
            raise InputError(f"the objective {name} is to be 'max' or 'min', not '{direction}'")
    material = None if system is None else get_system(system)
    elements = tuple(components) or _guess_components(path, list(objectives), material)
    table = read_table(path, elements, list(objectives))
    chosen = [
        Objective(Target(n, transform_of(table[n].to_numpy(float)), ""), d == "max") for n, d in objectives.items()
    ]
    space = None if material is None else CompositionSpace(material, make_sampler("simplex", material))
    return from_table(table, path.name.split(".")[0], elements, chosen, space)


def transform_of(values: FloatArray) -> Transform:
    """Log10 for positive values that span more than two decades, else none."""
    there = values[np.isfinite(values)]
    return Log10() if len(there) and there.min() > 0 and there.max() / there.min() > 100 else Identity()


def read_table(path: Path, components: Sequence[str], objectives: Sequence[str]) -> pd.DataFrame:
    """A table that can be played on: checked, its compositions as fractions.

    Raises
    ------
    InputError
        Missing file, columns or pool; compositions that are not finite, negative or empty; outcomes that are
        no numbers or infinite; an unknown role; a seed twice.
    """
    import pandas as pd

    if not path.exists():
        raise InputError(f"there is no table {path}; make it with benchmarks/decisions/make_landscapes.py {path.stem}")
    try:
        table = pd.read_csv(path)
    except Exception as error:  # lzma, unicode and parser errors of many types
        raise InputError(f"{path} cannot be read as a table ({type(error).__name__}: {error})") from None
    missing = [column for column in (*components, *objectives) if column not in table]
    if missing:
        raise InputError(f"{path} has no column {', '.join(missing)}; it has {', '.join(map(str, table.columns))}")
    for column in (*components, *objectives):
        numbers = pd.to_numeric(table[column], errors="coerce")
        wrong = (numbers.isna() & table[column].notna()) | np.isinf(numbers)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise InputError(f"{path}, row {row + 2}: {column} is '{table[column].iloc[row]}', not a finite number")
        table[column] = numbers.astype(float)
    amounts = table[list(components)].to_numpy()
    bad = ~(np.isfinite(amounts).all(axis=1) & (amounts >= 0).all(axis=1) & (amounts.sum(axis=1) > 0))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"{path}, row {row + 2}: {amounts[row]} is no composition; amounts are ≥ 0 and not all 0")
    sums = amounts.sum(axis=1)
    if np.ptp(sums) > 0.02 * sums.mean():
        raise InputError(
            f"{path}: the columns {', '.join(components)} sum to between {sums.min():g} and {sums.max():g}; amounts of "
            "one whole have one sum. Name the columns of the composition with --components"
        )
    table[list(components)] = amounts / sums[:, None]
    if "role" not in table:
        table["role"] = _roles(table, components)
    unknown = set(table["role"]) - set(ROLES)
    if unknown:
        raise InputError(f"{path}: unknown role {', '.join(map(str, unknown))}; roles are {', '.join(ROLES)}")
    for role in ("pool", "fresh"):
        if not (table["role"] == role).any():
            raise InputError(f"{path} has no row with the role {role}: too few compositions, or the table is cut off")
    if "seed" in table and table.duplicated(["role", "seed", *components]).any():
        row = int(np.flatnonzero(table.duplicated(["role", "seed", *components]))[0])
        raise InputError(f"{path}, row {row + 2}: this composition and seed are there twice")
    return table


def from_table(
    table: pd.DataFrame,
    name: str,
    components: Sequence[str],
    objectives: Sequence[Objective],
    space: CompositionSpace | None = None,
) -> Landscape:
    """Landscape of a table that `read_table` has checked."""
    pool_fractions, pool_z = _grouped(table[table["role"] == "pool"], components, objectives)
    judges = {}
    for role in ROLES[1:]:
        rows = table[table["role"] == role]
        if len(rows):
            fractions, z = _grouped(rows, components, objectives, repeats=False)
            compositions = _compositions(fractions, components) if space else ()
            judges[role] = _judge(fractions, z, objectives, compositions, space if role == "fresh" else None)
    return Landscape(
        name=name,
        components=tuple(components),
        objectives=tuple(objectives),
        fractions=pool_fractions,
        z=pool_z,
        judges=judges,
        space=space,
        compositions=_compositions(pool_fractions, components) if space else (),
    )


def _concat(tables: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(tables, ignore_index=True)


def _roles(table: pd.DataFrame, components: Sequence[str]) -> list[str]:
    """A fifth of the compositions is kept back, whichever order the rows have."""
    keys = [tuple(row) for row in table[list(components)].round(9).to_numpy()]
    distinct = sorted(set(keys))
    kept = np.random.default_rng(2026).permutation(len(distinct))[: round(HELD_BACK * len(distinct))]
    held_back = {distinct[k] for k in kept}
    return ["fresh" if key in held_back else "pool" for key in keys]


def _guess_components(path: Path, objectives: list[str], system: MaterialSystem | None) -> tuple[str, ...]:
    import pandas as pd
    from pymatgen.core.periodic_table import Element

    if system is not None:
        return system.elements
    if not path.exists():
        raise InputError(f"there is no table {path}")
    head = pd.read_csv(path, nrows=100)
    columns = [str(c) for c in head.columns if c not in objectives and c not in NOT_COMPONENTS]
    elements = [c for c in columns if Element.is_valid_symbol(c)]
    found = elements if len(elements) > 1 else [c for c in columns if pd.api.types.is_numeric_dtype(head[c])]
    if len(found) < 2:
        raise InputError(f"{path} has no two columns that could be a composition; name them with --components")
    return tuple(found)


def _grouped(
    rows: pd.DataFrame, components: Sequence[str], objectives: Sequence[Objective], repeats: bool = True
) -> tuple[FloatArray, FloatArray]:
    """Distinct compositions (n, k) in order of appearance, and z (n, r, t).

    A composition with fewer seeds than others `repeats` them in turn, so that each stays equally likely, or is filled
    with NaN, so that each counts once.
    """
    values = np.stack([o.target.transform.forward(rows[o.name].to_numpy(float)) for o in objectives], axis=-1)
    values[~np.isfinite(values).all(axis=1)] = np.nan  # a simulation succeeds with all its outcomes or fails
    keys = [tuple(row) for row in rows[list(components)].round(9).to_numpy()]
    groups: dict[tuple[float, ...], list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    fractions = rows[list(components)].to_numpy()[[members[0] for members in groups.values()]]
    # The least common multiple would be exact; six seeds at most differ little from it and keep arrays small.
    n_seeds = max(map(len, groups.values()))
    if repeats:
        return fractions, np.stack([values[np.resize(members, n_seeds)] for members in groups.values()])
    z = np.full((len(groups), n_seeds, len(objectives)), np.nan)
    for row, members in zip(z, groups.values(), strict=True):
        row[: len(members)] = values[members]
    return fractions, z


def _compositions(fractions: FloatArray, components: Sequence[str]) -> tuple[Composition, ...]:
    return tuple(
        Composition.from_amounts({e: round(float(x), 12) for e, x in zip(components, row, strict=True)})
        for row in fractions
    )


def _judge(
    fractions: FloatArray,
    z: FloatArray,
    objectives: Sequence[Objective],
    compositions: tuple[Composition, ...],
    space: CompositionSpace | None,
) -> Judge:
    counts = np.isfinite(z).sum(axis=1)
    mean = np.where(counts > 0, np.nansum(z, axis=1) / np.maximum(counts, 1), np.nan)
    squares = np.nansum((z - mean[:, None, :]) ** 2, axis=1)
    scatter = squares / np.maximum(counts - 1, 1)
    variance = scatter / np.maximum(counts, 1)
    strata: dict[str, BoolArray] = {}
    if space is not None:
        strata = _strata(space, compositions, np.sqrt(scatter), objectives)
    return Judge(fractions, mean, variance, strata, compositions, is_one_run=z.shape[1] == 1)


def _strata(
    space: CompositionSpace, compositions: tuple[Composition, ...], spread: FloatArray, objectives: Sequence[Objective]
) -> dict[str, BoolArray]:
    unit = space.to_unit(compositions)
    delta = np.array([space.system.coordinates(composition)[1] for composition in compositions])
    in_decades = [t for t, objective in enumerate(objectives) if objective.target.transform.in_decades][:1]
    is_edge: Callable[[FloatArray], BoolArray] = lambda u: ((u < EDGE) | (u > 1 - EDGE)).any(axis=1)  # noqa: E731
    strata = {
        "edge": is_edge(unit),
        "noisy": _largest_share(spread[:, in_decades].sum(axis=1)),
        "off line": np.abs(delta) > NEAR_LINE,
    }
    return {name: mask for name, mask in strata.items() if mask.any()}


def _largest_share(scatter: FloatArray) -> BoolArray:
    """Mask of the tenth with the largest scatter; nothing where nothing scatters."""
    known = scatter[scatter > 0]  # not where every seed failed
    if len(known) < 10:
        return np.zeros(len(scatter), dtype=bool)
    return np.asarray(np.nan_to_num(scatter, nan=-1.0) >= np.quantile(known, 1 - NOISY_SHARE))
