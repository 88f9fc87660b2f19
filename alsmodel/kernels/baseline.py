"""From a baseline's coefficients to its log hazard wherever the likelihood reads it, and back to gradients.

Five kinds: PIECES (a coefficient is the log hazard of a piece), WEIBULL, SPLINE and ROYSTON_PARMAR (one log hazard for each node and
end of follow-up, so that the likelihood need not know the form), and WEIBULL_CLOCK (log scale and log shape, since on a disease clock the
times move with the parameters).

.. math::
    \\log h_0(u) = \\eta + (e^{s} - 1) \\log(u / u_0), \\qquad
    \\log h_0(u) = \\eta + \\log\\sum_k B_k(u) e^{a_k} - \\log\\sum_k w_k e^{a_k}

.. math::
    \\log h_0(u) = \\eta - \\log(u / u_0) + \\sum_k I_k(\\log u) e^{a_k} + \\log\\sum_k N_k(\\log u) e^{a_k}, \\qquad I_k' = N_k
"""

import math

import numpy as np
from numba import njit

PIECES, WEIBULL, SPLINE, WEIBULL_CLOCK, ROYSTON_PARMAR = 0, 1, 2, 3, 4


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def baseline(value, index, kind, reference, basis, stratum):
    """Log hazards that the likelihood reads.

    Parameters
    ----------
    value : array
        Parameters and derived values.
    index : int array, shape (strata, C)
        Place of each coefficient in `value`; -1 is zero.
    kind : int
    reference : array
        Weights of a constant hazard (SPLINE); log of the time of the level (WEIBULL, WEIBULL_CLOCK).
    basis : array, shape (R, C - 1)
        ROYSTON_PARMAR: (R, 2 C - 1), minus log(u / u0), then each I and each N.
    stratum : int array, shape (R,)
    """
    strata, size = index.shape
    if kind == PIECES:
        out = np.empty(strata * size)
        for g in range(strata):
            for k in range(size):
                out[g * size + k] = value[index[g, k]]
        return out
    if kind == WEIBULL_CLOCK:
        level, shape = value[index[0, 0]], value[index[0, 1]]
        out = np.empty(2)
        out[0], out[1] = level - shape - (math.exp(shape) - 1.0) * reference[0], shape
        return out
    rows = stratum.size
    out = np.empty(rows)
    if kind == WEIBULL:
        for r in range(rows):
            g = stratum[r]
            out[r] = value[index[g, 0]] + (math.exp(value[index[g, 1]]) - 1.0) * basis[r, 0]
        return out
    if kind == ROYSTON_PARMAR:
        steep = _slopes(value, index)
        for r in range(rows):
            g = stratum[r]
            risen, rise = 0.0, 0.0
            for k in range(size - 1):
                risen += basis[r, 1 + k] * steep[g, k]
                rise += basis[r, size + k] * steep[g, k]
            out[r] = value[index[g, 0]] + basis[r, 0] + risen + math.log(rise)
        return out
    weight, total = _spline_weights(value, index, reference)
    for r in range(rows):
        g = stratum[r]
        s = 0.0
        for k in range(size - 1):
            s += basis[r, k] * weight[g, k]
        out[r] = value[index[g, 0]] + math.log(s / total[g])
    return out


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _spline_weights(value, index, reference):
    """exp of each log weight, and their sum over the weights of a constant hazard, for each stratum."""
    strata, size = index.shape
    weight, total = np.ones((strata, size - 1)), np.zeros(strata)
    for g in range(strata):
        for k in range(size - 1):
            if index[g, k + 1] >= 0:
                weight[g, k] = math.exp(value[index[g, k + 1]])
            total[g] += reference[k] * weight[g, k]
    return weight, total


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _slopes(value, index):
    """exp of each coefficient but the first, for each stratum."""
    strata, size = index.shape
    out = np.empty((strata, size - 1))
    for g in range(strata):
        for k in range(size - 1):
            out[g, k] = math.exp(value[index[g, k + 1]])
    return out


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _royston_parmar_gradient(d_base, value, index, basis, stratum, out):
    """`baseline_gradient` of a spline on the scale of log time and log cumulative hazard."""
    strata, size = index.shape
    steep = _slopes(value, index)
    pull, whole = np.zeros((strata, size - 1)), np.zeros(strata)
    for r in range(stratum.size):
        if d_base[r] == 0.0:
            continue
        g = stratum[r]
        rise = 0.0
        for k in range(size - 1):
            rise += basis[r, size + k] * steep[g, k]
        whole[g] += d_base[r]
        for k in range(size - 1):
            pull[g, k] += d_base[r] * (basis[r, 1 + k] + basis[r, size + k] / rise)
    for g in range(strata):
        out[index[g, 0]] += whole[g]
        for k in range(size - 1):
            out[index[g, k + 1]] += steep[g, k] * pull[g, k]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def baseline_gradient(d_base, value, index, kind, reference, basis, stratum, out):
    """Add to `out` the gradient in `value`, from that in the log hazards."""
    strata, size = index.shape
    if kind == PIECES:
        for g in range(strata):
            for k in range(size):
                out[index[g, k]] += d_base[g * size + k]
        return
    if kind == WEIBULL_CLOCK:
        shape = value[index[0, 1]]
        out[index[0, 0]] += d_base[0]
        out[index[0, 1]] += d_base[1] - d_base[0] * (1.0 + math.exp(shape) * reference[0])
        return
    rows = stratum.size
    if kind == WEIBULL:
        for r in range(rows):
            g = stratum[r]
            out[index[g, 0]] += d_base[r]
            out[index[g, 1]] += d_base[r] * math.exp(value[index[g, 1]]) * basis[r, 0]
        return
    if kind == ROYSTON_PARMAR:
        _royston_parmar_gradient(d_base, value, index, basis, stratum, out)
        return
    weight, total = _spline_weights(value, index, reference)
    pull, whole = np.zeros((strata, size - 1)), np.zeros(strata)
    for r in range(rows):
        g = stratum[r]
        if d_base[r] != 0.0:
            s = 0.0
            for k in range(size - 1):
                s += basis[r, k] * weight[g, k]
            whole[g] += d_base[r]
            for k in range(size - 1):
                pull[g, k] += d_base[r] * basis[r, k] / s
    for g in range(strata):
        out[index[g, 0]] += whole[g]
        for k in range(size - 1):
            if index[g, k + 1] >= 0:
                out[index[g, k + 1]] += weight[g, k] * (pull[g, k] - whole[g] * reference[k] / total[g])


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def extend(value, derived):
    """Parameters followed by derived values: common + scale * deviation, by place (-1: zero, one)."""
    size, more = value.size, derived.shape[0]
    out = np.empty(size + more)
    out[:size] = value
    for j in range(more):
        a, s, z = derived[j, 0], derived[j, 1], derived[j, 2]
        out[size + j] = (out[a] if a >= 0 else 0.0) + (out[s] if s >= 0 else 1.0) * out[z]
    return out


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def extend_gradient(d, value, derived):
    """Carry the gradient in derived values back to parameters; last first, since one may be made of another. Changes `d`."""
    more = derived.shape[0]
    size = d.size - more
    for j in range(more - 1, -1, -1):
        a, s, z, g = derived[j, 0], derived[j, 1], derived[j, 2], d[size + j]
        if a >= 0:
            d[a] += g
        if s >= 0:
            d[s] += g * value[z]
            d[z] += g * value[s]
        else:
            d[z] += g
