"""The restricted likelihood of the random-slope model and its derivatives in ``theta = (d00, d01, d11, sigma2)``.

The sums over visit patterns and the names used here are those of `alsmodel.estimators._pattern_sums`. Two tuples of
work arrays travel together: ``fit`` = (forms, phi, beta, score, expected, observed) is what `evaluate` leaves for the
others, ``work`` is scratch. Loops are written out and arrays are passed in: that halves the time to compile.
"""

import numpy as np
from numba import njit

from alsmodel.estimators._pattern_sums import add_forms, add_quadratics, invert, sum_towards


@njit(cache=True, nogil=True, error_model="numpy")
def _coefficients(count, forms, xvy, unit, factor, phi, beta):  # type: ignore[no-untyped-def]
    """Mirror the first `count` forms; fill `phi`, the inverse of the first, and `beta`. Log determinant, NaN when singular."""
    p = beta.shape[0]
    for j in range(count):
        for a in range(p):
            for b in range(a):
                forms[j, b, a] = forms[j, a, b]
    if not invert(forms[0], unit, factor, phi):
        return np.nan
    log_det = 0.0
    for a in range(p):
        log_det += 2.0 * np.log(factor[a, a])
        beta[a] = 0.0
        for b in range(p):
            beta[a] += phi[a, b] * xvy[b]
    return log_det


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate(theta, patterns, row, stats, fit, work):  # type: ignore[no-untyped-def]
    """Restricted log likelihood without its 2 pi constant; fills `fit`. NaN when theta or X'V^-1X is singular."""
    forms, phi, beta, score, expected, observed = fit
    factor, rs, xvy, c, phis, middle, traces, quad, curve, unit = work
    p = row.shape[0]
    for a in range(p):
        xvy[a] = 0.0
        for k in range(4):
            c[k, a] = 0.0
        for b in range(p):
            for j in range(15):
                forms[j, a, b] = 0.0
    for j in range(15):
        traces[j] = 0.0
    for j in range(10):
        curve[j] = 0.0
    for j in range(4):
        quad[j] = 0.0
    for g in range(patterns):
        add_forms(g, theta, row, stats, forms, xvy, traces, middle)
    log_det = _coefficients(15, forms, xvy, unit, factor, phi, beta)
    if np.isnan(log_det):
        return np.nan
    rvr = 0.0
    for g in range(patterns):
        rvr += add_quadratics(g, theta, beta, row, stats, rs, quad, curve, c)
    for k in range(4):
        trace = 0.0
        for a in range(p):
            for b in range(p):
                total = 0.0
                for m in range(p):
                    total += phi[a, m] * forms[1 + k, m, b]
                phis[k, a, b] = total
            trace += phis[k, a, a]
        score[k] = -0.5 * (traces[1 + k] - trace - quad[k])
    j = 0
    for k in range(4):
        for m in range(k, 4):
            both, lost, cross = 0.0, 0.0, 0.0
            for a in range(p):
                for b in range(p):
                    both += phis[k, a, b] * phis[m, b, a]
                    lost += phi[a, b] * forms[5 + j, a, b]
                    cross += c[k, a] * phi[a, b] * c[m, b]
            expected[k, m] = 0.5 * (traces[5 + j] - 2.0 * lost + both)
            observed[k, m] = curve[j] - cross - expected[k, m]
            expected[m, k] = expected[k, m]
            observed[m, k] = observed[k, m]
            j += 1
    return -0.5 * (traces[0] + log_det + rvr)


@njit(cache=True, nogil=True, error_model="numpy")
def approach(theta, patterns, row, stats, fit, work):  # type: ignore[no-untyped-def]
    """`evaluate` for the way to the maximum: same value and score, information without its smallest term, nothing else."""
    forms, phi, beta, score, expected, _ = fit
    factor, _, xvy, c, phis, _, traces, quad, _, unit = work
    p = row.shape[0]
    rvr = sum_towards(theta, patterns, row, stats, forms, xvy, c, traces, quad)
    log_det = _coefficients(5, forms, xvy, unit, factor, phi, beta)
    if np.isnan(log_det):
        return np.nan
    for a in range(p):
        rvr -= beta[a] * xvy[a]
    for k in range(4):
        trace, square = 0.0, quad[k]
        for a in range(p):
            square -= 2.0 * beta[a] * c[k, a]
            for b in range(p):
                square += beta[a] * forms[1 + k, a, b] * beta[b]
                total = 0.0
                for m in range(p):
                    total += phi[a, m] * forms[1 + k, m, b]
                phis[k, a, b] = total
            trace += phis[k, a, a]
        score[k] = -0.5 * (traces[1 + k] - trace - square)
    j = 0
    for k in range(4):
        for m in range(k, 4):
            both = 0.0
            for a in range(p):
                for b in range(p):
                    both += phis[k, a, b] * phis[m, b, a]
            # tr Phi Q is close to tr Phi S Phi S and far smaller than the first term: it changes the way, not the end.
            expected[k, m] = 0.5 * (traces[5 + j] - both)
            expected[m, k] = expected[k, m]
            j += 1
    return -0.5 * (traces[0] + log_det + rvr)
