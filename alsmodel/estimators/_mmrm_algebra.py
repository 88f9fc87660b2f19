"""Small dense algebra of the MMRM, written along rows so that the compiler can use vector instructions.

Sums that run along a row are added element by element and never reduced to one number inside the loop: without
`fastmath` a reduction is sequential. Symmetric matrices of the visits are also kept packed: entry (i, j), i <= j, of a
T x T matrix has the place ``place[i, j]`` in a row of K = T (T + 1) / 2 numbers.
"""

from functools import partial

import numpy as np
from numba import njit

# Compiled for other compiled code alone: without an entry from Python and without counting references, both of which are
# most of the time to compile where dozens of arrays travel together. Such a function must not allocate.
inner = partial(njit, cache=True, nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)()


@inner
def factorise(matrix, size, room):  # type: ignore[no-untyped-def]
    """Upper Cholesky factor in place (only the upper triangle is read); log determinant, NaN when not positive.

    A pivot below `room` times its diagonal element counts as zero.
    """
    log_det = 0.0
    # The place below the diagonal is free: it keeps the smallest pivot allowed.
    for k in range(1, size):
        matrix[k, k - 1] = room * matrix[k, k]
    for k in range(size):
        target = matrix[k]
        i = 0
        while i + 4 <= k:
            r0, r1, r2, r3 = matrix[i], matrix[i + 1], matrix[i + 2], matrix[i + 3]
            f0, f1, f2, f3 = r0[k], r1[k], r2[k], r3[k]
            for j in range(k, size):
                target[j] -= f0 * r0[j] + f1 * r1[j] + f2 * r2[j] + f3 * r3[j]
            i += 4
        while i < k:
            r0 = matrix[i]
            f0 = r0[k]
            for j in range(k, size):
                target[j] -= f0 * r0[j]
            i += 1
        pivot = target[k]
        if not pivot > (matrix[k, k - 1] if k > 0 else 0.0) or not np.isfinite(pivot):
            return np.nan
        log_det += np.log(pivot)
        scale = 1.0 / np.sqrt(pivot)
        for j in range(k, size):
            target[j] *= scale
    return log_det


@inner
def invert_factor(upper, size, out):  # type: ignore[no-untyped-def]
    """Inverse of the lower factor L = U', into the lower triangle of `out` (zero above)."""
    for i in range(size):
        row = out[i]
        for j in range(size):
            row[j] = 0.0
        for k in range(i):
            factor, other = upper[k, i], out[k]
            for j in range(k + 1):
                row[j] -= factor * other[j]
        scale = 1.0 / upper[i, i]
        for j in range(i):
            row[j] *= scale
        row[i] = scale


@inner
def gram(lower, size, out):  # type: ignore[no-untyped-def]
    """out = L'L for a lower triangle: the inverse matrix when L is the inverse factor."""
    for i in range(size):
        for j in range(size):
            out[i, j] = 0.0
    for k in range(size):
        row = lower[k]
        for i in range(k + 1):
            factor, target = row[i], out[i]
            for j in range(k + 1):
                target[j] += factor * row[j]


@inner
def solve_factor(upper, size, vector):  # type: ignore[no-untyped-def]
    """Solve U'U x = vector in place."""
    for i in range(size):
        value = vector[i] / upper[i, i]
        vector[i] = value
        row = upper[i]
        for j in range(i + 1, size):
            vector[j] -= value * row[j]
    for i in range(size - 1, -1, -1):
        total = vector[i]
        for j in range(i + 1, size):
            total -= upper[i, j] * vector[j]
        vector[i] = total / upper[i, i]


@inner
def product(left, right, rows, inner, columns, out):  # type: ignore[no-untyped-def]
    """out = left right, for the leading rows x inner and inner x columns blocks."""
    for i in range(rows):
        target = out[i]
        for j in range(columns):
            target[j] = 0.0
        for k in range(inner):
            factor, row = left[i, k], right[k]
            for j in range(columns):
                target[j] += factor * row[j]


@inner
def cross_sum(left, right, weight, rows, width, columns, symmetric, out):  # type: ignore[no-untyped-def]
    """out (width, columns) = sum over g of weight[g] left[g]' right[g]; only j >= i when `symmetric`.

    Four rows at a time, so that each element of `out` is loaded and stored once for four products. `symmetric` leaves
    numbers without meaning just below the diagonal.
    """
    for i in range(width):
        for j in range(columns):
            out[i, j] = 0.0
    g = 0
    while g + 4 <= rows:
        r0, r1, r2, r3 = right[g], right[g + 1], right[g + 2], right[g + 3]
        w0, w1, w2, w3 = weight[g], weight[g + 1], weight[g + 2], weight[g + 3]
        i = 0
        # Two rows of `out` at once: half the loads of `right`.
        while i + 2 <= width:
            f0, f1, f2, f3 = w0 * left[g, i], w1 * left[g + 1, i], w2 * left[g + 2, i], w3 * left[g + 3, i]
            h0, h1, h2, h3 = w0 * left[g, i + 1], w1 * left[g + 1, i + 1], w2 * left[g + 2, i + 1], w3 * left[g + 3, i + 1]
            target, below = out[i], out[i + 1]
            for j in range(i if symmetric else 0, columns):
                a, b, c, d = r0[j], r1[j], r2[j], r3[j]
                target[j] += f0 * a + f1 * b + f2 * c + f3 * d
                below[j] += h0 * a + h1 * b + h2 * c + h3 * d
            i += 2
        if i < width:
            f0, f1, f2, f3 = w0 * left[g, i], w1 * left[g + 1, i], w2 * left[g + 2, i], w3 * left[g + 3, i]
            target = out[i]
            for j in range(i if symmetric else 0, columns):
                target[j] += f0 * r0[j] + f1 * r1[j] + f2 * r2[j] + f3 * r3[j]
        g += 4
    while g < rows:
        r0 = right[g]
        for i in range(width):
            f0, target = weight[g] * left[g, i], out[i]
            for j in range(i if symmetric else 0, columns):
                target[j] += f0 * r0[j]
        g += 1


@inner
def fill(rows, value):  # type: ignore[no-untyped-def]
    """Set every element of a matrix."""
    for i in range(rows.shape[0]):
        row = rows[i]
        for j in range(rows.shape[1]):
            row[j] = value


@inner
def copy(source, target):  # type: ignore[no-untyped-def]
    """Copy a matrix."""
    for i in range(source.shape[0]):
        row, out = source[i], target[i]
        for j in range(source.shape[1]):
            out[j] = row[j]


@inner
def pack(matrix, size, out):  # type: ignore[no-untyped-def]
    """Upper triangle by rows."""
    k = 0
    for i in range(size):
        row = matrix[i]
        for j in range(i, size):
            out[k] = row[j]
            k += 1


@inner
def add_trace(cross, symmetric, place, size, scale, out):  # type: ignore[no-untyped-def]
    """Add scale * sum of tr(E_k P E_l M) to the upper triangle of `out`, for cross = sum of vech(P) vech(M)'
    (of which only the upper triangle is read when it is `symmetric`).

    E_k is the derivative of a symmetric matrix by its k-th packed entry. `cross` is made symmetric on the way, which
    leaves the trace as it is.
    """
    packed = size * (size + 1) // 2
    for x in range(packed):
        for y in range(x + 1, packed):
            both = 2.0 * cross[x, y] if symmetric else cross[x, y] + cross[y, x]
            cross[x, y] = both
            cross[y, x] = both
        cross[x, x] *= 2.0
    k = 0
    for i in range(size):
        for j in range(i, size):
            outer = scale * (0.5 if i == j else 1.0)
            target = out[k]
            for a in range(i, size):
                first, second = cross[place[i, a]], cross[place[j, a]]
                for b in range(j if a == i else a, size):
                    value = first[place[j, b]] + second[place[i, b]]
                    target[place[a, b]] += (0.5 * outer if a == b else outer) * value
            k += 1
