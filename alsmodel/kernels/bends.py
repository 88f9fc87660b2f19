r"""What bends a path away from its line: the square of time, or the non-linear part of a natural cubic spline.

A natural cubic spline with knots :math:`\xi_0 < \dots < \xi_{K+1}` is a line plus :math:`\sum_k \kappa_k B_k(t)`, where the second
derivative of :math:`B_k` is twice the hat that is one at :math:`\xi_k` and zero at the other knots, and :math:`B_k(0) = B_k'(0) = 0`.
So :math:`\kappa_k` is half the second derivative of the path at :math:`\xi_k`: what the coefficient of :math:`t^2` is to a parabola. With
:math:`a, m, c` the knots before, at and after :math:`\xi_k`, the hat integrated twice from the left is

.. math::
    G(t) = \frac{(t - a)^3}{3 (m - a)} \;\; (a < t \le m), \qquad
    (c - a) \left(t - \tfrac{a + m + c}{3}\right) + \frac{(c - t)_+^3}{3 (c - m)} \;\; (t > m),

zero before :math:`a` and a line beyond :math:`c`, so that nothing cancels in the tails; and :math:`B_k(t) = G(t) - G(0) - G'(0) t`.
Values and second derivatives as coordinates of a natural spline: Green & Silverman 1994, Nonparametric Regression, section 2.1.
"""

import math

import numpy as np
from numba import njit


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _grown(t, a, m, c):
    """Twice the hat over (a, m, c), integrated twice and once from the left."""
    if t <= a:
        return 0.0, 0.0
    if t <= m:
        return (t - a) ** 3 / (3.0 * (m - a)), (t - a) ** 2 / (m - a)
    left = max(c - t, 0.0)
    return (c - a) * (t - (a + m + c) / 3.0) + left**3 / (3.0 * (c - m)), (c - a) - left**2 / (c - m)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def bends_at(t, knots, value, speed):
    """Values and derivatives of the bending terms at time t.

    Parameters
    ----------
    t : float
    knots : array, shape (K + 2,)
        Of a natural spline, boundaries included; empty: the one term is the square of time.
    value, speed : array, shape (K,)
        Filled.
    """
    if knots.size == 0:
        value[0], speed[0] = t * t, 2.0 * t
        return
    for k in range(knots.size - 2):
        a, m, c = knots[k], knots[k + 1], knots[k + 2]
        grown, rising = _grown(t, a, m, c)
        start, first = _grown(0.0, a, m, c)
        value[k] = grown - start - first * t
        speed[k] = rising - first


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _filled(t, a, m, c):
    """Twice the hat over (a, m, c), integrated three times from the left."""
    if t <= a:
        return 0.0
    if t <= m:
        return (t - a) ** 4 / (12.0 * (m - a))
    left, through = max(c - t, 0.0), (c - a) * (0.5 * (t + m) - (a + m + c) / 3.0) * (t - m)
    return (m - a) ** 3 / 12.0 + through + ((c - m) ** 4 - left**4) / (12.0 * (c - m))


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def bend_areas(t, knots, area):
    """Integrals of the bending terms of `bends_at` from time zero to t, into `area`, shape (K,)."""
    if knots.size == 0:
        area[0] = t * t * t / 3.0
        return
    for k in range(knots.size - 2):
        a, m, c = knots[k], knots[k + 1], knots[k + 2]
        start, first = _grown(0.0, a, m, c)
        area[k] = _filled(t, a, m, c) - _filled(0.0, a, m, c) - (start + 0.5 * first * t) * t


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def bends_over(times, knots):
    """`bends_at` at many times: values and derivatives, both of shape (times, K)."""
    terms = max(knots.size - 2, 1)
    value, speed = np.empty((times.size, terms)), np.empty((times.size, terms))
    for n in range(times.size):
        bends_at(times[n], knots, value[n], speed[n])
    return value, speed


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def unpack(cross, e, level, rate, bend, gram, residual):
    """Cross-products of a segment's visits: with each other, and of each column with what the mean path leaves.

    Parameters
    ----------
    cross : array
        As in `alsmodel.kernels.records.Cuts`.
    e : int
        The segment.
    level, rate : float
        Mean path at the segment's reference time, and its slope.
    bend : array, shape (K,)
        Coefficients of the bending terms of the mean path.
    gram, residual : array, shapes (2 + K, 2 + K) and (2 + K,)
        Filled; the columns are 1, time since the reference time, and the bending terms.

    Returns
    -------
    float
        Sum of squared residuals.
    """
    size = residual.size
    place = size * (size + 1) // 2
    squares = cross[e, place + size]
    for j in range(size):
        residual[j] = cross[e, place + j]
        squares -= (level if j == 0 else (rate if j == 1 else bend[j - 2])) * residual[j]
    at = 0
    for j in range(size):
        for m in range(j, size):
            gram[j, m] = cross[e, at]
            gram[m, j] = cross[e, at]
            at += 1
    for j in range(size):
        for m in range(size):
            residual[j] -= (level if m == 0 else (rate if m == 1 else bend[m - 2])) * gram[j, m]
    for j in range(size):
        squares -= (level if j == 0 else (rate if j == 1 else bend[j - 2])) * residual[j]
    return squares


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def association(t, d, a1, a2, own_level, own_rate, knots, value, speed, zeta):
    """What a unit of each random effect adds to the log hazard at time t, d after the segment's reference time."""
    bends_at(t, knots, value, speed)
    zeta[0] = a1
    zeta[1] = a1 * (own_level + own_rate * d) + a2 * own_rate
    for k in range(2, zeta.size):
        zeta[k] = a1 * value[k - 2] + a2 * speed[k - 2]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def log_hazard_at(e, t, d, path, shared, which, weibull, piece, value, speed):
    """Log hazard at time t with random effects of zero; `value` and `speed` are those of the bending terms there."""
    level, rate = path.level[e] + path.rate[e] * d, path.rate[e]
    for k in range(value.size):
        level += shared.bend[k] * value[k]
        rate += shared.bend[k] * speed[k]
    eta = path.offset[e] + shared.alpha[which, 0] * level + shared.alpha[which, 1] * rate
    if weibull:
        clock = path.clock_level[e] + path.clock_rate[e] * d
        return eta + shared.base[0] + shared.base[1] + (math.exp(shared.base[1]) - 1.0) * math.log(clock)
    return eta + shared.base[piece]
