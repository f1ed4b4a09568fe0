"""Compiled loops of the multigrid solver: Galerkin set-up, V-cycle, conjugate gradients.

Importing this module imports numba: do it inside the function that needs it.

Every level is a padded box stored flat, with one ghost cell at each end of its axes; a problem of two dimensions has
one layer along axis 0 and no ghosts there.  Ghosts matter on periodic axes only: they are copies.  Elsewhere the
coefficients that reach them are zero.  A matrix is held as its diagonal and the *conductances* (minus the
off-diagonal entries) towards the forward half of the neighbours: the star of 2 or 3 faces on the finest level, the
box of 4 or 13 neighbours on the others.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from dynaphase.phasefield.compiled import jit

__all__ = ["CELLS", "COEFFICIENTS", "N_HALO", "WEIGHTS", "Levels", "conjugate_gradients", "fill_halo", "galerkin"]
__all__ += ["precondition", "star_diagonal", "weigh"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Columns of `Levels.table`.
CELLS: Final = 0  # first entry of the level in arrays over padded cells
SIZE: Final = 1  # padded cells
COEFFICIENTS: Final = 2  # first entry in `conductance`
WEIGHTS: Final = 3  # first entry in `weights`
ROWS: Final = 4  # first entry in `rows`, `row_colour` and `parents`
N_ROWS: Final = 5
LENGTH: Final = 6  # cells in a row
HALO: Final = 7  # first entry in `halo_to` and `halo_from`
N_HALO: Final = 8
PLANE: Final = 9  # stride of axis 0
ROW: Final = 10  # stride of axis 1
WRAPS: Final = 11  # 1 where rows are periodic
N_COLUMNS: Final = 12

ROUNDING: Final = 1e-12
"""Row sums below this part of the diagonal are taken for zero."""


class Levels(NamedTuple):
    """All levels, finest first, packed one behind the other."""

    star: IntArray
    """(2 or 3, 3) the forward neighbours of the finest level; in both stencils the neighbour in the row comes first."""
    box: IntArray
    """(4 or 13, 3) those of the other levels."""
    all_offsets: IntArray
    """The 9 or 27 offsets of a fine cell from the coarse cell that reaches it, in the order of `weights`."""
    table: IntArray
    rows: IntArray
    """First cell of every row."""
    row_colour: IntArray
    """2·(parity along axis 0) + (parity along axis 1) of every row."""
    parents: IntArray
    """First cell of the row of the next finer level that coincides with this row."""
    halo_to: IntArray
    halo_from: IntArray
    conductance: FloatArray
    diagonal: FloatArray
    inverse: FloatArray
    """Reciprocal diagonal."""
    weights: FloatArray
    """Interpolation from a level to the next finer one."""
    x: FloatArray
    b: FloatArray
    r: FloatArray
    coarse_cells: IntArray
    """The cells of the coarsest level, flat."""
    coarse_inverse: FloatArray
    """(n, n) inverse of the coarsest matrix."""
    line: FloatArray
    """Room for two rows of the finest level."""


# --- set-up -------------------------------------------------------------------------------------------------------


@jit
def fill_halo(x: FloatArray, to: IntArray, source: IntArray) -> None:
    """Copy the cells at one end of periodic axes into the ghosts at the other."""
    for h in range(to.size):
        x[to[h]] = x[source[h]]


@jit
def star_diagonal(
    star: IntArray, plane: int, row: int, rows: IntArray, length: int, a: FloatArray, extra: FloatArray
) -> FloatArray:
    """Sum of the conductances around every cell, plus `extra` (padded)."""
    ones, diagonal = np.ones(extra.size), np.zeros(extra.size)
    for start in rows:
        mine, more = diagonal[start : start + length], extra[start : start + length]
        for k in range(length):
            mine[k] = more[k]
        _neighbours_of_row(0, start, length, star, plane, row, a, ones, mine)
    return diagonal


@jit
def weigh(  # noqa: PLR0912 - compiled as one loop
    neighbours: IntArray,
    a: FloatArray,
    diagonal: FloatArray,
    fine: IntArray,
    coarse: IntArray,
    strides: IntArray,
    coarse_strides: IntArray,
    periodic: IntArray,
    weights: FloatArray,
) -> None:
    """Fill the interpolation `weights[m, coarse cell]`, zero on entry.

    A fine cell that is odd along some axes takes its value from the equation of its own row, in which neighbours
    along the even axes are given the value of the cell's own line (the stencil is summed along these axes).
    Neighbours that are no coarse cells have been interpolated before.
    """
    size = diagonal.size
    first_axis = 0 if strides[3] == 1 else 1
    base = 0 if first_axis == 0 else 9
    even = np.zeros(3, np.int64)
    total_of = np.zeros(8)
    for i in range(coarse[0]):
        for j in range(coarse[1]):
            for k in range(coarse[2]):
                c = _flat(i, j, k, coarse_strides)
                weights[13 - base, c] = 1.0
    for n_odd in range(1, 4):
        for kind in range(1, 8):
            even[0], even[1], even[2] = kind >> 2, (kind >> 1) & 1, kind & 1
            if even[0] + even[1] + even[2] != n_odd:
                continue
            for i in range(even[0], fine[0], 2):
                for j in range(even[1], fine[1], 2):
                    for k in range(even[2], fine[2], 2):
                        p = _flat(i, j, k, strides)
                        total_of[:] = 0.0
                        total = around = 0.0
                        for side in range(2 * neighbours.shape[0]):
                            t, sign = side >> 1, 1 - 2 * (side & 1)
                            o0, o1, o2 = neighbours[t, 0], neighbours[t, 1], neighbours[t, 2]
                            o = o0 * strides[0] + o1 * strides[1] + o2
                            value = a[t * size + (p if sign > 0 else p - o)]
                            around += value
                            o0, o1, o2 = sign * o0 * even[0], sign * o1 * even[1], sign * o2 * even[2]
                            if value == 0.0 or (o0 == 0 and o1 == 0 and o2 == 0):
                                continue
                            total += value
                            for corner in range(8):
                                if corner & ~kind:
                                    continue
                                q0, q1, q2 = _corner(corner, kind)
                                if o0 * (o0 - q0) != 0 or o1 * (o1 - q1) != 0 or o2 * (o2 - q2) != 0:
                                    continue
                                m0, m1, m2 = o0 - q0, o1 - q1, o2 - q2
                                if m0 == 0 and m1 == 0 and m2 == 0:
                                    total_of[corner] += value
                                    continue
                                c = _coarse_cell(i + q0, j + q1, k + q2, coarse, periodic, coarse_strides)
                                total_of[corner] += value * weights[9 * m0 + 3 * m1 + m2 + 13 - base, c]
                        surplus = diagonal[p] - around
                        if surplus > ROUNDING * diagonal[p]:
                            total += surplus
                        if total <= 0.0:
                            continue
                        for corner in range(8):
                            if corner & ~kind:
                                continue
                            q0, q1, q2 = _corner(corner, kind)
                            c = _coarse_cell(i + q0, j + q1, k + q2, coarse, periodic, coarse_strides)
                            weights[13 - base - 9 * q0 - 3 * q1 - q2, c] = total_of[corner] / total


@jit
def _flat(i: int, j: int, k: int, strides: IntArray) -> int:
    cell: int = (i + strides[3]) * strides[0] + (j + 1) * strides[1] + k + 1
    return cell


@jit
def _corner(corner: int, kind: int) -> tuple[int, int, int]:
    q0 = (2 * (corner >> 2) - 1) * (kind >> 2)
    q1 = (2 * ((corner >> 1) & 1) - 1) * ((kind >> 1) & 1)
    q2 = (2 * (corner & 1) - 1) * (kind & 1)
    return q0, q1, q2


@jit
def _coarse_cell(i: int, j: int, k: int, coarse: IntArray, periodic: IntArray, strides: IntArray) -> int:
    i, j, k = i >> 1, j >> 1, k >> 1
    if periodic[0] and i == coarse[0]:
        i = 0
    if periodic[1] and j == coarse[1]:
        j = 0
    if periodic[2] and k == coarse[2]:
        k = 0
    return _flat(i, j, k, strides)


@jit
def galerkin(
    neighbours: IntArray,
    a: FloatArray,
    diagonal: FloatArray,
    fine: IntArray,
    coarse: IntArray,
    strides: IntArray,
    coarse_strides: IntArray,
    periodic: IntArray,
    weights: FloatArray,
    box: IntArray,
    a_coarse: FloatArray,
    diagonal_coarse: FloatArray,
) -> None:
    """The coarse matrix PᵀAP; all arguments padded, ghosts filled, `weights` of `weigh`."""
    size_coarse, length = diagonal_coarse.size, coarse[2]
    entry, product = np.zeros((27, length)), np.zeros(length)
    # Where a periodic axis has an odd number of cells, its two end cells are neighbours and both coarse.
    seam = periodic * (fine & 1)
    for i in range(coarse[0]):
        for j in range(coarse[1]):
            entry[:] = 0.0
            # The two ends of a row look across its seam; what lies between them is done as vectors.
            geometry = (fine, coarse, strides, coarse_strides, seam, weights)
            for part in range(3):
                first, end = (0, 1) if part == 0 else ((1, length - 1) if part == 1 else (max(length - 1, 1), length))
                if first < end:
                    _galerkin_cells(neighbours, a, diagonal, geometry, i, j, first, end, product, entry)
            start = _flat(i, j, 0, coarse_strides)
            for k in range(length):
                diagonal_coarse[start + k] = entry[13, k]
            for t in range(box.shape[0]):
                at, towards = t * size_coarse + start, 9 * box[t, 0] + 3 * box[t, 1] + box[t, 2] + 13
                for k in range(length):
                    a_coarse[at + k] = -entry[towards, k]


@jit
def _galerkin_cells(
    neighbours: IntArray,
    a: FloatArray,
    diagonal: FloatArray,
    geometry: tuple[IntArray, IntArray, IntArray, IntArray, IntArray, FloatArray],
    i: int,
    j: int,
    first: int,
    end: int,
    product: FloatArray,
    entry: FloatArray,
) -> None:
    """Entries of PᵀAP towards the forward half of the neighbours for the coarse cells first … end − 1 of a row."""
    fine, coarse, strides, coarse_strides, seam, weights = geometry
    m_first, m_last, base = (0, 27, 0) if strides[3] == 1 else (9, 18, 9)
    n, mine = end - first, product[: end - first]
    c = _flat(i, j, first, coarse_strides)
    for m in range(m_first, m_last):
        m0, m1, m2 = m // 9 - 1, (m // 3) % 3 - 1, m % 3 - 1
        place = _wrapped(2 * first + m2, fine[2]) if n == 1 else 2 * first + m2
        p = _flat(_wrapped(2 * i + m0, fine[0]), _wrapped(2 * j + m1, fine[1]), place, strides)
        weight = weights[m - base, c : c + n]
        for side in range(-1, 2 * neighbours.shape[0]):
            o0 = o1 = o2 = 0
            if side < 0:
                value = diagonal[p : p + 2 * n - 1]
                for k in range(n):
                    mine[k] = weight[k] * value[2 * k]
            else:
                t = side >> 1
                o0, o1, o2 = neighbours[t, 0], neighbours[t, 1], neighbours[t, 2]
                at = t * diagonal.size + p
                if side & 1:
                    at -= o0 * strides[0] + o1 * strides[1] + o2
                    o0, o1, o2 = -o0, -o1, -o2
                value = a[at : at + 2 * n - 1]
                for k in range(n):
                    mine[k] = -weight[k] * value[2 * k]
            low0, high0, is_seam0 = _parents(m0 + o0, seam[0], i, coarse[0])
            low1, high1, is_seam1 = _parents(m1 + o1, seam[1], j, coarse[1])
            low2, high2, is_seam2 = _parents(m2 + o2, seam[2] * (n == 1), first, coarse[2])
            for d0 in range(low0, high0 + 1):
                n0 = 0 if is_seam0 else m0 + o0 - 2 * d0
                for d1 in range(low1, high1 + 1):
                    n1 = 0 if is_seam1 else m1 + o1 - 2 * d1
                    for d2 in range(low2, high2 + 1):
                        n2 = 0 if is_seam2 else m2 + o2 - 2 * d2
                        towards = 9 * d0 + 3 * d1 + d2 + 13
                        if towards < 13:
                            continue
                        other = c + d0 * coarse_strides[0] + d1 * coarse_strides[1] + d2
                        arrives = weights[9 * n0 + 3 * n1 + n2 + 13 - base, other : other + n]
                        total = entry[towards, first:end]
                        for k in range(n):
                            total[k] += mine[k] * arrives[k]


@jit
def _wrapped(i: int, n: int) -> int:
    if i < 0:
        return i + n
    return i - n if i >= n else i


@jit
def _parents(position: int, seam: int, i: int, n: int) -> tuple[int, int, bool]:
    """Coarse neighbours, relative to i, of the fine cell at `position` relative to the fine cell 2i."""
    if seam and ((position == 1 and i == n - 1) or (position == -1 and i == 0)):
        return position, position, True
    return position >> 1, (position + 1) >> 1, False


# --- cycle --------------------------------------------------------------------------------------------------------
# Rows are taken as slices: an index counted from 0 needs no test for a negative one, and the loops become vector code.


@jit
def _neighbours_of_row(
    first: int, start: int, length: int, neighbours: IntArray, plane: int, row: int, a: FloatArray, x: FloatArray,
    line: FloatArray,
) -> None:  # fmt: skip
    """Add Σ conductance · x of the neighbours `first`, `first` + 1, … on both sides to `line`."""
    for t in range(first, neighbours.shape[0]):
        o = neighbours[t, 0] * plane + neighbours[t, 1] * row + neighbours[t, 2]
        at = t * x.size + start
        ahead, behind = a[at : at + length], a[at - o : at - o + length]
        x_ahead, x_behind = x[start + o : start + o + length], x[start - o : start - o + length]
        for k in range(length):
            line[k] += ahead[k] * x_ahead[k] + behind[k] * x_behind[k]


@jit
def _smooth(
    neighbours: IntArray, plane: int, row: int, rows: IntArray, row_colour: IntArray, length: int,
    halo_to: IntArray, halo_from: IntArray, a: FloatArray, inverse: FloatArray, b: FloatArray, x: FloatArray,
    line: FloatArray, is_periodic: bool, is_backward: bool,
) -> None:  # fmt: skip
    """One Gauss–Seidel sweep, rows by the parity of their place, within a row even cells before odd ones."""
    n_colours = 4 if plane * neighbours[-1, 0] != 0 else 2
    for step in range(n_colours):
        colour = n_colours - 1 - step if is_backward else step
        fill_halo(x, halo_to, halo_from)
        for i in range(rows.size):
            if row_colour[i] != colour:
                continue
            start = rows[i]
            known, mine, update = b[start : start + length], line[:length], line[length : 2 * length]
            for k in range(length):
                mine[k] = known[k]
            _neighbours_of_row(1, start, length, neighbours, plane, row, a, x, mine)
            along, scale = a[start - 1 : start + length], inverse[start : start + length]
            value = x[start - 1 : start + length + 1]
            for half in range(2):
                parity = 1 - half if is_backward else half
                if is_periodic and half:
                    value[0], value[length + 1] = value[length], value[1]
                # All cells as a vector, of which every other one is kept, is faster than every other one alone.
                for k in range(length):
                    update[k] = (mine[k] + along[k] * value[k] + along[k + 1] * value[k + 2]) * scale[k]
                for k in range(parity, length, 2):
                    value[k + 1] = update[k]


@jit
def residual(
    neighbours: IntArray, plane: int, row: int, rows: IntArray, length: int,
    a: FloatArray, diagonal: FloatArray, b: FloatArray, x: FloatArray, out: FloatArray,
) -> None:  # fmt: skip
    for start in rows:
        mine, known = out[start : start + length], b[start : start + length]
        value, d = x[start : start + length], diagonal[start : start + length]
        for k in range(length):
            mine[k] = known[k] - d[k] * value[k]
        _neighbours_of_row(0, start, length, neighbours, plane, row, a, x, mine)


@jit
def _restrict(
    offsets: IntArray, plane: int, row: int, rows: IntArray, parents: IntArray, length: int,
    weights: FloatArray, r: FloatArray, b: FloatArray,
) -> None:  # fmt: skip
    for i in range(rows.size):
        mine = b[rows[i] : rows[i] + length]
        mine[:] = 0.0
        for m in range(offsets.shape[0]):
            at = m * b.size + rows[i]
            p = parents[i] + offsets[m, 0] * plane + offsets[m, 1] * row + offsets[m, 2]
            weight, fine = weights[at : at + length], r[p : p + 2 * length - 1]
            for k in range(length):
                mine[k] += weight[k] * fine[2 * k]


@jit
def _prolong(
    offsets: IntArray, plane: int, row: int, rows: IntArray, parents: IntArray, length: int,
    halo_to: IntArray, halo_from: IntArray, weights: FloatArray, x_coarse: FloatArray, x: FloatArray,
) -> None:  # fmt: skip
    """Add the interpolated coarse correction to x."""
    for h in range(halo_to.size):
        x[halo_to[h]] = 0.0
    for i in range(rows.size):
        value = x_coarse[rows[i] : rows[i] + length]
        for m in range(offsets.shape[0]):
            at = m * x_coarse.size + rows[i]
            p = parents[i] + offsets[m, 0] * plane + offsets[m, 1] * row + offsets[m, 2]
            weight, fine = weights[at : at + length], x[p : p + 2 * length - 1]
            for k in range(length):
                fine[2 * k] += weight[k] * value[k]
    for h in range(halo_to.size):
        x[halo_from[h]] += x[halo_to[h]]


@jit
def precondition(levels: Levels) -> None:
    """One V(1,1)-cycle for the finest ``levels.b``, from zero, into the finest ``levels.x``; b is kept."""
    table, line = levels.table, levels.line
    last = table.shape[0] - 1
    for step in range(2 * last):
        is_up = step >= last
        level = 2 * last - 1 - step if is_up else step
        down = level + 1
        first, size, length = table[level, CELLS], table[level, SIZE], table[level, LENGTH]
        plane, row, wraps = table[level, PLANE], table[level, ROW], table[level, WRAPS] == 1
        rows = levels.rows[table[level, ROWS] : table[level, ROWS] + table[level, N_ROWS]]
        colours = levels.row_colour[table[level, ROWS] : table[level, ROWS] + table[level, N_ROWS]]
        to = levels.halo_to[table[level, HALO] : table[level, HALO] + table[level, N_HALO]]
        source = levels.halo_from[table[level, HALO] : table[level, HALO] + table[level, N_HALO]]
        near = levels.box if level else levels.star
        a = levels.conductance[table[level, COEFFICIENTS] :]
        diagonal, inverse = levels.diagonal[first : first + size], levels.inverse[first : first + size]
        x, b, r = levels.x[first : first + size], levels.b[first : first + size], levels.r[first : first + size]
        rows_down = levels.rows[table[down, ROWS] : table[down, ROWS] + table[down, N_ROWS]]
        parents = levels.parents[table[down, ROWS] : table[down, ROWS] + table[down, N_ROWS]]
        weights = levels.weights[table[down, WEIGHTS] :]
        n_down, below = table[down, LENGTH], slice(table[down, CELLS], table[down, CELLS] + table[down, SIZE])
        if is_up:
            x_down = levels.x[below]
            _prolong(levels.all_offsets, plane, row, rows_down, parents, n_down, to, source, weights, x_down, x)
        else:
            x[:] = 0.0
        _smooth(near, plane, row, rows, colours, length, to, source, a, inverse, b, x, line, wraps, is_up)
        if is_up:
            continue
        fill_halo(x, to, source)
        residual(near, plane, row, rows, length, a, diagonal, b, x, r)
        fill_halo(r, to, source)
        _restrict(levels.all_offsets, plane, row, rows_down, parents, n_down, weights, r, levels.b[below])
        if down == last:
            _solve_coarsest(levels, table[last, CELLS])


@jit
def _solve_coarsest(levels: Levels, base: int) -> None:
    cells, dense = levels.coarse_cells, levels.coarse_inverse
    for i in range(cells.size):
        total = 0.0
        for j in range(cells.size):
            total += dense[i, j] * levels.b[base + cells[j]]
        levels.x[base + cells[i]] = total


# --- conjugate gradients ------------------------------------------------------------------------------------------


@jit
def _centre(vector: FloatArray, rows: IntArray, length: int) -> None:
    """Subtract the mean."""
    mean = 0.0
    for start in rows:
        for p in range(start, start + length):
            mean += vector[p]
    mean /= rows.size * length
    for start in rows:
        for p in range(start, start + length):
            vector[p] -= mean


@jit
def _scaled_norm(defect: FloatArray, diagonal: FloatArray, rows: IntArray, line: FloatArray) -> float:
    length = line.size
    line[:] = 0.0
    for start in rows:
        r, d = defect[start : start + length], diagonal[start : start + length]
        for k in range(length):
            line[k] += r[k] * r[k] / d[k]
    norm: float = line.sum() ** 0.5
    return norm


@jit
def conjugate_gradients(  # noqa: PLR0912 - compiled as one loop
    levels: Levels,
    a: FloatArray,
    diagonal: FloatArray,
    rhs: FloatArray,
    x: FloatArray,
    direction: FloatArray,
    image: FloatArray,
    goal: float,
    max_iterations: int,
    is_singular: bool,
) -> tuple[int, float]:
    """Improve x until the scaled norm of the residual, (Σ r²/diagonal)^½, is `goal` or less.

    If the matrix `is_singular`, constants, which rounding brings in and the matrix cannot remove, are kept out.

    Returns the number of iterations and the norm reached; all vectors padded.
    """
    table = levels.table
    size, length, plane, row = table[0, SIZE], table[0, LENGTH], table[0, PLANE], table[0, ROW]
    rows = levels.rows[: table[0, N_ROWS]]
    to, source = levels.halo_to[: table[0, N_HALO]], levels.halo_from[: table[0, N_HALO]]
    defect, z = levels.b[:size], levels.x[:size]
    line = levels.line[:length]  # sums are kept per column: the order of the additions is then free of chains
    fill_halo(x, to, source)
    residual(levels.star, plane, row, rows, length, a, diagonal, rhs, x, defect)
    if is_singular:
        _centre(defect, rows, length)
    norm = _scaled_norm(defect, diagonal, rows, line)
    previous = 1.0
    for iteration in range(max_iterations):
        if not norm > goal:
            return iteration, norm
        if table.shape[0] > 1:
            precondition(levels)
        else:
            _solve_coarsest(levels, 0)
        if is_singular:
            _centre(z, rows, length)
        line[:] = 0.0
        for start in rows:
            r, g = defect[start : start + length], z[start : start + length]
            for k in range(length):
                line[k] += r[k] * g[k]
        product = line.sum()
        ratio = product / previous if iteration else 0.0
        previous = product
        for start in rows:
            p, g = direction[start : start + length], z[start : start + length]
            for k in range(length):
                p[k] = g[k] + ratio * p[k]
        fill_halo(direction, to, source)
        line[:] = 0.0
        for start in rows:  # the image with the opposite sign
            p, q, d = direction[start : start + length], image[start : start + length], diagonal[start : start + length]
            for k in range(length):
                q[k] = -d[k] * p[k]
            _neighbours_of_row(0, start, length, levels.star, plane, row, a, direction, q)
            for k in range(length):
                line[k] += p[k] * q[k]
        step = -product / line.sum()
        if not np.isfinite(step):
            return iteration, norm
        for start in rows:
            p, q = direction[start : start + length], image[start : start + length]
            value, r = x[start : start + length], defect[start : start + length]
            for k in range(length):
                value[k] += step * p[k]
                r[k] += step * q[k]
        if is_singular:
            _centre(defect, rows, length)
        norm = _scaled_norm(defect, diagonal, rows, line)
    return max_iterations, norm
