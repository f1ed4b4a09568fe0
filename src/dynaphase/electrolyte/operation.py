r"""Operation of a solid electrolyte under a potential that rises until lithium has crossed: the sweep.

At 100 nm the drop of the potential over the electrolyte is microvolts against millivolts of overpotential (Wagner
number of several hundred), so φ is uniform in it and :math:`\varphi(t) = \varphi_{max}\,t/t_{end}`.  Lithium enters
where φ exceeds the local threshold, the interphase grows around it and weakens the ceramic ahead.  The potential at
which lithium has gone half of the way gives the critical current density,

.. math:: \mathrm{CCD} = 2\,i_0 \sinh(b\,\eta_{50}),

a value *of this protocol*: the front needs time, so η₅₀ falls with a slower sweep.  The rate-free lower bound, without
chemistry, is `percolation_overpotential`.  `sweep` follows the diffuse front of `LithiumFront`; `sharp_sweep` the same
physics in the sharp limit by shortest paths, a hundred times cheaper.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.electrolyte.ceramic import Ceramic
from dynaphase.electrolyte.eikonal import arrival_times, percolation_thresholds
from dynaphase.electrolyte.interphase import Interphase, InterphaseParameters
from dynaphase.electrolyte.leakage import ElectronicLeakage, LeakageParameters
from dynaphase.electrolyte.penetration import FrontParameters, LithiumFront, connected_lithium, lithium_slab
from dynaphase.errors import ConfigError
from dynaphase.phasefield.operators import FloatArray

__all__ = [
    "Sweep",
    "SweepResult",
    "connected_depth",
    "critical_current_density",
    "full_depth_nm",
    "n_metal_rows",
    "percolation_overpotential",
    "rest",
    "sharp_sweep",
    "start_chemistry",
    "start_metal",
    "sweep",
]

BoolArray = npt.NDArray[np.bool_]
OnState = Callable[[float, FloatArray, FloatArray], None]

ONSET_NM: Final = 5.0
"""Depth of connected lithium that counts as onset."""

N_STATES: Final = 31
"""States of a sharp sweep that are shown to an observer."""

_STEPS_PER_LEAK: Final = 4
"""Steps of the coupling between two solves of the potential of electrons."""

_COUPLING_S: Final = 2.5
"""Longest time between two updates of the potential, the metal and the weakening (s)."""

_COUPLING_V: Final = 5e-4
"""Largest rise of the potential between them (V): what counts in a sweep that is over in seconds."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """The protocol: φ rises by `potential_V` in `duration_s` and goes on at that rate to `limit_V`.

    Parameters
    ----------
    potential_V, duration_s, limit_V : float
    lithium_nm : float
        Thickness of lithium at the start.
    """

    potential_V: float = 0.050
    duration_s: float = 1000.0
    limit_V: float = 0.150
    lithium_nm: float = 5.0

    def __post_init__(self) -> None:
        if not (self.potential_V > 0 and self.duration_s > 0 and self.limit_V >= self.potential_V):
            raise ConfigError(
                "a sweep needs potential_V > 0, duration_s > 0 and limit_V ≥ potential_V, not "
                f"{self.potential_V}, {self.duration_s}, {self.limit_V}"
            )
        if not self.lithium_nm >= 0:
            raise ConfigError(f"lithium_nm must not be negative, not {self.lithium_nm}")

    @property
    def rate_V_per_s(self) -> float:
        """dφ/dt."""
        return self.potential_V / self.duration_s


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What a sweep found; overpotentials in V, None where the limit came first."""

    onset_V: float | None
    """Connected lithium 5 nm inside."""
    half_V: float | None
    """η₅₀: connected lithium half of the way through."""
    short_V: float | None
    """Lithium at the cathode."""
    potentials_V: FloatArray
    depths_nm: FloatArray
    """Depth of connected lithium below its first surface, at `potentials_V`."""
    lithium: FloatArray
    """ξ at the end; of a sharp sweep 1 where the front has arrived at half-way time, else 0."""
    extent: FloatArray
    """χ at the end."""
    leakage_A_per_m2: float = 0.0
    """Electrons that leave the anode through the electrolyte at η₅₀, or at the end where that was not reached."""
    internal_nm: float = 0.0
    """Lithium that they have laid inside by then, as a layer."""

    @property
    def is_censored(self) -> bool:
        """The sweep ended before lithium was half of the way through."""
        return self.half_V is None


def critical_current_density(half_V: float, front: FrontParameters) -> float:
    """CCD = 2 i₀ sinh(bη₅₀) (A/m²)."""
    return 2.0 * front.exchange_current_A_per_m2 * math.sinh(front.b_per_V * half_V)


def percolation_overpotential(ceramic: Ceramic, protocol: Sweep | None = None) -> float:
    """η_perc: least potential that, held for ever on the fresh ceramic, brings lithium half of the way (V).

    The least over all paths of the largest η_c + η_cap on the path; free of any rate.
    """
    protocol = protocol or Sweep()
    levels = percolation_thresholds(
        ceramic.threshold_V() + ceramic.tip_overpotential_V, start_metal(ceramic, protocol.lithium_nm)
    )
    return float(levels[_row_at(ceramic, protocol, _half_nm(ceramic, protocol))].min())


def rest(
    ceramic: Ceramic, interphase: InterphaseParameters, times_s: npt.ArrayLike, protocol: Sweep | None = None
) -> list[FloatArray]:
    """χ at the increasing `times_s` (s) where lithium stays where it is: chemical degradation alone."""
    model = start_chemistry(ceramic, interphase, (protocol or Sweep()).lithium_nm)
    extents = []
    for time in np.asarray(times_s, dtype=np.float64).tolist():
        model.advance(time)
        extents.append(model.extent)
    return extents


def sweep(
    ceramic: Ceramic,
    front: FrontParameters,
    interphase: InterphaseParameters | None = None,
    protocol: Sweep | None = None,
    *,
    leakage: LeakageParameters | None = None,
    until_short: bool = False,
    on_progress: Callable[[float], None] | None = None,
    on_state: OnState | None = None,
) -> SweepResult:
    """Raise the potential and follow the diffuse front.

    Parameters
    ----------
    ceramic : Ceramic
    front : FrontParameters
    interphase : InterphaseParameters, optional
        None: no chemistry.
    protocol : Sweep, optional
    leakage : LeakageParameters, optional
        None: no electrons in the electrolyte.
    until_short : bool
        Go on to the short circuit, rather than end 10 % of the potential after lithium is half of the way through.
    on_progress : callable, optional
        Called with the share of the way to half of the electrolyte or of the potential, whichever is larger.
    on_state : callable, optional
        Called at the start and after every step with φ (V), ξ and χ; the arrays are the receiver's to keep.
    """
    protocol = protocol or Sweep()
    start = lithium_slab(ceramic.shape, ceramic.spacing_nm, protocol.lithium_nm, front.width_nm)
    metal = LithiumFront(front, start, ceramic.spacing_nm, ceramic.effective_surface_energy)
    chemistry = None if interphase is None else start_chemistry(ceramic, interphase, protocol.lithium_nm)
    leak = None if leakage is None else ElectronicLeakage(leakage, front, ceramic)
    leaked = [(0.0, 0.0)]
    fresh_V = threshold = ceramic.threshold_V()
    potentials, depths, lithium = [0.0], [0.0], start
    span = min(_COUPLING_S, _COUPLING_V / protocol.rate_V_per_s)
    stop_V, time = protocol.limit_V, 0.0
    fresh = np.zeros(ceramic.shape)
    if on_state is not None:
        on_state(0.0, start, fresh)
    while potentials[-1] < stop_V and depths[-1] < full_depth_nm(ceramic, protocol.lithium_nm):
        phi = protocol.rate_V_per_s * (time + 0.5 * span)
        metal.advance(span, phi, threshold)
        time += span
        lithium = metal.lithium
        if chemistry is not None:
            chemistry.set_lithium(lithium >= 0.5)
            chemistry.advance(time)
            fresh_V = ceramic.threshold_V(chemistry.extent)
        threshold = fresh_V
        if leak is not None:
            if len(potentials) % _STEPS_PER_LEAK == 0:
                leak.advance(_STEPS_PER_LEAK * span, phi, lithium, fresh_V)
            threshold = fresh_V * (1.0 - leak.deposit) ** 2
            leaked.append((leak.current_A_per_m2, leak.deposit_nm))
        potentials.append(protocol.rate_V_per_s * time)
        depths.append(connected_depth(lithium, ceramic.spacing_nm) - protocol.lithium_nm)
        if on_state is not None:
            on_state(potentials[-1], lithium, fresh if chemistry is None else chemistry.extent)
        if on_progress is not None:
            done = max(depths[-1] / _half_nm(ceramic, protocol), potentials[-1] / protocol.limit_V)
            on_progress(min(done, 1.0))
        if not until_short and depths[-1] >= _half_nm(ceramic, protocol):
            stop_V = min(stop_V, 1.1 * potentials[-1])  # lithium does not retreat: the first time counts
    extent = fresh if chemistry is None else chemistry.extent
    result = _result(ceramic, protocol, np.array(potentials), np.array(depths), lithium, extent)
    if leak is None:
        return result
    at = potentials[-1] if result.half_V is None else result.half_V
    current, laid_nm = (float(np.interp(at, potentials, values)) for values in np.array(leaked).T)
    return replace(result, leakage_A_per_m2=current, internal_nm=laid_nm)


def sharp_sweep(
    ceramic: Ceramic,
    front: FrontParameters,
    interphase: InterphaseParameters | None = None,
    protocol: Sweep | None = None,
    *,
    n_passes: int = 4,
    n_snapshots: int = 20,
    on_state: OnState | None = None,
) -> SweepResult:
    """The same in the sharp limit: arrival times of the front, with the chemistry of lithium at rest.

    The weakening that the front meets depends on when it comes: `n_passes` fixed-point passes over `n_snapshots` of
    χ of a run at rest.  The sheath that grows around a filament on its way is left out.  `on_state` is called with φ
    (V), ξ and χ at `N_STATES` equally spaced potentials from 0 to that at which lithium is half of the way through.
    """
    protocol = protocol or Sweep()
    source = start_metal(ceramic, protocol.lithium_nm)
    tip = ceramic.tip_overpotential_V

    def arrive(extent: FloatArray) -> FloatArray:
        return arrival_times(
            ceramic.threshold_V(extent) + tip,
            ceramic.spacing_nm,
            source,
            rate_V_per_s=protocol.rate_V_per_s,
            velocity_nm_per_s=front.velocity_nm_per_s,
            b_per_V=front.b_per_V,
        )

    extent = np.zeros(ceramic.shape)
    snapshots, latest = np.stack([extent, extent]), 1.0
    times = arrive(extent)
    if interphase is not None and ceramic.weakening > 0:
        row = _row_at(ceramic, protocol, _half_nm(ceramic, protocol))
        latest = float(times[row].min())
        moments = np.linspace(0.0, latest, n_snapshots + 1)
        snapshots = np.stack([np.zeros(ceramic.shape), *rest(ceramic, interphase, moments[1:], protocol)])
        for _ in range(n_passes):
            extent = _interpolated(snapshots, times / latest * n_snapshots)
            times = arrive(extent)
    flat = times.reshape(ceramic.shape[0], -1).min(axis=1)
    rows = np.arange(ceramic.shape[0])
    depths = (rows + 1.0) * ceramic.spacing_nm - protocol.lithium_nm
    reached = protocol.rate_V_per_s * np.maximum.accumulate(flat)
    ahead = depths > 0
    half_V = float(np.interp(_half_nm(ceramic, protocol), depths, reached))
    if on_state is not None:
        for phi in np.linspace(0.0, half_V, N_STATES).tolist():
            time = np.full(ceramic.shape, phi / protocol.rate_V_per_s)
            metal = source | (protocol.rate_V_per_s * times <= phi)
            grown = _interpolated(snapshots, time / latest * (len(snapshots) - 1))
            on_state(phi, metal.astype(np.float64), np.where(metal, 0.0, grown))
    half = protocol.rate_V_per_s * times <= half_V
    return _result(
        ceramic,
        protocol,
        np.concatenate([[0.0], reached[ahead]]),
        np.concatenate([[0.0], depths[ahead]]),
        half.astype(np.float64),
        extent,
    )


def _interpolated(snapshots: FloatArray, at: FloatArray) -> FloatArray:
    """Values of the stack at fractional indices, cell by cell; the last one beyond its end."""
    index = np.clip(at, 0.0, len(snapshots) - 1.0)
    low = np.minimum(index.astype(np.intp), len(snapshots) - 2)
    share = index - low
    before = np.take_along_axis(snapshots, low[None], axis=0)[0]
    after = np.take_along_axis(snapshots, low[None] + 1, axis=0)[0]
    return np.asarray((1.0 - share) * before + share * after)


def n_metal_rows(n_rows: int, spacing_nm: float, lithium_nm: float) -> int:
    """Rows that are lithium at the start: those whose centre lies within it, one at least."""
    x = (np.arange(n_rows) + 0.5) * spacing_nm
    return int(np.count_nonzero(x < max(lithium_nm, spacing_nm)))


def start_metal(ceramic: Ceramic, lithium_nm: float) -> BoolArray:
    """Cells that are lithium at the start, `n_metal_rows` of them in every column."""
    is_metal = np.arange(ceramic.shape[0]) < n_metal_rows(ceramic.shape[0], ceramic.spacing_nm, lithium_nm)
    return np.broadcast_to(is_metal.reshape(-1, *(1,) * (len(ceramic.shape) - 1)), ceramic.shape).copy()


def start_chemistry(ceramic: Ceramic, interphase: InterphaseParameters, lithium_nm: float) -> Interphase:
    """The interphase of the fresh ceramic, with lithium on its low face."""
    metal = start_metal(ceramic, lithium_nm)
    return Interphase(interphase, ceramic.density, ceramic.boundary, ceramic.spacing_nm, metal)


def full_depth_nm(ceramic: Ceramic, lithium_nm: float) -> float:
    """Depth at which connected lithium touches the last row."""
    return ceramic.thickness_nm - lithium_nm - 0.5 * ceramic.spacing_nm


def _half_nm(ceramic: Ceramic, protocol: Sweep) -> float:
    return 0.5 * (ceramic.thickness_nm - protocol.lithium_nm)


def _row_at(ceramic: Ceramic, protocol: Sweep, depth_nm: float) -> int:
    return min(int((protocol.lithium_nm + depth_nm) / ceramic.spacing_nm), ceramic.shape[0] - 1)


def connected_depth(lithium: FloatArray, spacing_nm: float) -> float:
    """Deepest point of ξ ≥ ½ that hangs together with the anode, from x = 0 (nm); between cells by interpolation."""
    connected = connected_lithium(lithium)
    rows = np.flatnonzero(connected.reshape(len(lithium), -1).any(axis=1))
    if rows.size == 0:
        return 0.0
    last = int(rows[-1])
    if last == len(lithium) - 1:
        return len(lithium) * spacing_nm
    columns = connected[last]
    here = lithium[last][columns]
    beyond = np.minimum(lithium[last + 1][columns], 0.4999)
    return float((last + 0.5 + np.max((here - 0.5) / (here - beyond))) * spacing_nm)


def _result(
    ceramic: Ceramic,
    protocol: Sweep,
    potentials: FloatArray,
    depths: FloatArray,
    lithium: FloatArray,
    extent: FloatArray,
) -> SweepResult:
    deepest = np.maximum.accumulate(depths)

    def crossing(depth: float) -> float | None:
        if deepest[-1] < depth:
            return None
        after = int(np.argmax(deepest >= depth))
        if after == 0:
            return float(potentials[0])
        share = (depth - deepest[after - 1]) / (deepest[after] - deepest[after - 1])
        found = float(potentials[after - 1] + share * (potentials[after] - potentials[after - 1]))
        return found if found <= protocol.limit_V else None

    marks = (ONSET_NM, _half_nm(ceramic, protocol), full_depth_nm(ceramic, protocol.lithium_nm))
    onset, half, short = (crossing(depth) for depth in marks)
    return SweepResult(onset, half, short, potentials, depths, lithium, extent)
