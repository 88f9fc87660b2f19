"""Probability that all of up to four correlated standard normals lie within (-z, z), by quadrature.

With the pivoted Cholesky factor C = L L' (k x r, r the rank) the normals are L e with e independent. Given all but the
last of e, the constraints leave an interval of the last: an exact difference of normal probabilities. The second last is
integrated by Gauss-Legendre between the points where the ends of that interval change constraint, where the integrand is
smooth; the first ones by Gauss-Legendre panels. Singular correlations, as between the weights 1, S and 1 - S, are no
special case.
"""

import math

import numpy as np
from numba import njit

NODES, WEIGHTS = np.polynomial.legendre.leggauss(10)
FAR = 8.5  # normal probability beyond it: 2e-17
PIECE = 1.5  # longest piece for 10 nodes


@njit(cache=True, nogil=True, error_model="numpy")
def _factor(correlation, lower, pivots):  # type: ignore[no-untyped-def]
    """Pivoted Cholesky factor into `lower` (k, k), rows in the order given; returns the rank."""
    k = correlation.shape[0]
    rest = np.empty(k)
    for i in range(k):
        rest[i] = correlation[i, i]
        for j in range(k):
            lower[i, j] = 0.0
    for c in range(k):
        pivot = 0
        for i in range(1, k):
            if rest[i] > rest[pivot]:
                pivot = i
        if rest[pivot] < 1e-9:
            return c
        root, pivots[c] = np.sqrt(rest[pivot]), pivot
        for i in range(k):
            total = correlation[i, pivot]
            for j in range(c):
                total -= lower[i, j] * lower[pivot, j]
            lower[i, c] = total / root
        for i in range(k):
            rest[i] -= lower[i, c] ** 2
        rest[pivot] = 0.0
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def _interval(z, at, slope):  # type: ignore[no-untyped-def]
    """Normal probability of the e with |at_i + slope_i e| < z for all i."""
    low, high = -np.inf, np.inf
    for i in range(at.shape[0]):
        if abs(slope[i]) < 1e-12:
            if abs(at[i]) > z:
                return 0.0
        else:
            one, other = (z - at[i]) / slope[i], (-z - at[i]) / slope[i]
            low, high = max(low, min(one, other)), min(high, max(one, other))
    if not high > low:
        return 0.0
    return 0.5 * (math.erfc(-high / math.sqrt(2.0)) - math.erfc(-low / math.sqrt(2.0)))


@njit(cache=True, nogil=True, error_model="numpy")
def _line(z, at, along, slope, cuts, here):  # type: ignore[no-untyped-def]
    """Integral over e of density(e) x `_interval` at at + along e."""
    k, number = at.shape[0], 0
    for i in range(k):
        for one in (-z, z):
            if abs(slope[i]) < 1e-12:
                if abs(along[i]) > 1e-12:
                    cuts[number] = (one - at[i]) / along[i]
                    number += 1
                continue
            for j in range(i):
                if abs(slope[j]) < 1e-12:
                    continue
                for other in (-z, z):
                    # (one - at_i - along_i e) / slope_i = (other - at_j - along_j e) / slope_j
                    steep = along[i] / slope[i] - along[j] / slope[j]
                    if abs(steep) > 1e-12:
                        cuts[number] = ((one - at[i]) / slope[i] - (other - at[j]) / slope[j]) / steep
                        number += 1
    found = np.sort(cuts[:number])
    total, left = 0.0, -FAR
    for c in range(number + 1):
        right = FAR if c == number else min(max(found[c], -FAR), FAR)
        if right - left > 1e-13:
            pieces = int(np.ceil((right - left) / PIECE))
            half = 0.5 * (right - left) / pieces
            for m in range(pieces):
                middle = left + (2 * m + 1) * half
                for q in range(NODES.shape[0]):
                    e = middle + half * NODES[q]
                    for i in range(k):
                        here[i] = at[i] + along[i] * e
                    chance = _interval(z, here, slope)
                    if chance == 0.0:
                        break  # between two cuts the interval is empty everywhere or nowhere
                    total += half * WEIGHTS[q] * chance * math.exp(-0.5 * e * e)
        left = max(left, right)
    return total / math.sqrt(2.0 * math.pi)


@njit(cache=True, nogil=True, error_model="numpy")
def within(correlation, z):  # type: ignore[no-untyped-def]
    """Probability that all |Z_i| < z; the correlation matrix may be singular."""
    k = correlation.shape[0]
    lower, pivots = np.empty((k, k)), np.zeros(k, dtype=np.int64)
    rank = _factor(correlation, lower, pivots)
    limit = min(z, FAR)
    if rank == 1:
        return math.erf(z / math.sqrt(2.0))
    slope, along, at, here = lower[:, rank - 1].copy(), lower[:, rank - 2].copy(), np.zeros(k), np.empty(k)
    cuts = np.empty(4 * k * k)
    if rank == 2:
        return _line(z, at, along, slope, cuts, here)
    total, scale = 0.0, 1.0 / math.sqrt(2.0 * math.pi)
    panels = 4
    half = 0.5 * limit / panels
    for m in range(panels):  # e_1 from 0 to z, twice: the box is symmetric
        for q in range(NODES.shape[0]):
            e = (2 * m + 1) * half + half * NODES[q]
            first = 2.0 * half * WEIGHTS[q] * math.exp(-0.5 * e * e) * scale
            if rank == 3:
                for i in range(k):
                    at[i] = lower[i, 0] * e
                total += first * _line(z, at, along, slope, cuts, here)
                continue
            # The second pivot depends on e_1 and e_2 alone, so its limits are those of e_2.
            shift, steep = lower[pivots[1], 0] * e, lower[pivots[1], 1]
            left, right = max((-z - shift) / steep, -FAR), min((z - shift) / steep, FAR)
            step = 0.5 * (right - left) / panels
            for n in range(panels):
                for s in range(NODES.shape[0]):
                    f = left + (2 * n + 1) * step + step * NODES[s]
                    second = step * WEIGHTS[s] * math.exp(-0.5 * f * f) * scale
                    if second < 1e-13:
                        continue
                    for i in range(k):
                        at[i] = lower[i, 0] * e + lower[i, 1] * f
                    total += first * second * _line(z, at, along, slope, cuts, here)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def largest_of(score, covariance, correlation, statistics, chosen, p_value):  # type: ignore[no-untyped-def]
    """Per replicate: Z of every weight, the one largest in size (-1: none), and its joint two-sided p value."""
    k = score.shape[1]
    for r in range(score.shape[0]):
        usable, best = True, 0
        for a in range(k):
            usable = usable and covariance[r, a, a] > 0.0
        chosen[r] = -1
        if not usable:
            continue
        for a in range(k):
            statistics[r, a] = score[r, a] / np.sqrt(covariance[r, a, a])
            if abs(statistics[r, a]) > abs(statistics[r, best]):
                best = a
            for b in range(a + 1):
                correlation[r, a, b] = covariance[r, a, b] / np.sqrt(covariance[r, a, a] * covariance[r, b, b])
                correlation[r, b, a] = correlation[r, a, b]
        chosen[r] = best
        p_value[r] = max(0.0, 1.0 - within(correlation[r], abs(statistics[r, best])))
