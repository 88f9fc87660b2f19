"""Predicted survival of many candidates at one posterior draw: the arithmetic alone, candidate by candidate."""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]

MOST = 300.0  # an exponent beyond this is certain death or none


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def add_survival(
    level: Floats, speed: Floats, log_hazard: Floats, own: Floats, order: npt.NDArray[np.int64], scores: Floats, times: Floats,
    covariance: Floats, sd: float, alpha: Floats, node: Floats, log_mass: Floats, z: Floats, weight: Floats, out: Floats,
) -> None:  # fmt: skip
    r"""Add the probability of no event by the end of the nodes to `out`.

    A candidate's number is made of the own values alone, in one order of operations: it does not depend on who else is there.

    Parameters
    ----------
    level, speed : array, shape (N,)
        Mean at month 0 and mean slope.
    log_hazard : array, shape (N,)
        Beside the baseline hazard.
    own : array, shape (N,)
        Factor of the own deviation of the slope.
    order : int array, shape (N,)
        Candidates with the same `own` together.
    scores : array, shape (V, N)
        Known scores; NaN where there is none.
    times : array, shape (V,)
        Their months.
    covariance : array, shape (2, 2)
        Of the deviations of level and slope.
    sd : float
        Residual SD.
    alpha : array, shape (2,)
        Association with value and slope.
    node, log_mass : array, shape (T,)
        Months, and log of weight times baseline hazard.
    z, weight : array, shape (K, 2) and (K,)
        Nodes and weights of two independent standard normal variables.
    out : array, shape (N,)
    """
    nodes, points = node.size, weight.size
    mass = np.empty((nodes, points))
    total = np.empty(points)
    det = covariance[0, 0] * covariance[1, 1] - covariance[0, 1] * covariance[0, 1]
    p00, p01, p11 = covariance[1, 1] / det, -covariance[0, 1] / det, covariance[0, 0] / det
    inverse = 1.0 / (sd * sd)
    held_own, held_seen = math.nan, -1
    m00 = m01 = m11 = 0.0
    for place in range(order.size):
        i = order[place]
        f = own[i]
        a00, a01, a11, r0, r1 = p00, p01, p11, 0.0, 0.0
        seen = 0
        for v in range(times.size):
            if math.isnan(scores[v, i]):
                continue
            seen |= 1 << v
            t = f * times[v]
            residual = scores[v, i] - level[i] - speed[i] * times[v]
            a00 += inverse
            a01 += inverse * t
            a11 += inverse * t * t
            r0 += inverse * residual
            r1 += inverse * residual * t
        if f != held_own or seen != held_seen:
            held_own, held_seen = f, seen
            d = a00 * a11 - a01 * a01
            m00, m01, m11 = a11 / d, -a01 / d, a00 / d
            c00 = math.sqrt(m00)
            c10 = m01 / c00
            c11 = math.sqrt(max(m11 - c10 * c10, 0.0))
            for k in range(points):
                b0, b1 = c00 * z[k, 0], f * (c10 * z[k, 0] + c11 * z[k, 1])
                for j in range(nodes):
                    mass[j, k] = math.exp(min(log_mass[j] + alpha[0] * (b0 + b1 * node[j]) + alpha[1] * b1, MOST))
        mean0, slope = level[i] + m00 * r0 + m01 * r1, speed[i] + f * (m01 * r0 + m11 * r1)
        base, growth = log_hazard[i] + alpha[0] * mean0 + alpha[1] * slope, alpha[0] * slope
        for k in range(points):
            total[k] = 0.0
        for j in range(nodes):
            here = math.exp(min(base + growth * node[j], MOST))
            for k in range(points):
                total[k] += here * mass[j, k]
        alive = 0.0
        for k in range(points):
            alive += weight[k] * math.exp(-total[k])
        out[i] += alive
