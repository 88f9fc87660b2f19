"""Degrees of freedom and covariance of one random-slope fit, and the batch over replicates."""

import numpy as np
from numba import njit

from alsmodel.estimators._pattern_sums import invert, solve, summarise
from alsmodel.estimators._random_slope_search import AT_BOUNDARY, NOT_ESTIMABLE, OK, maximise

__all__ = ["AT_BOUNDARY", "fit_batch"]


@njit(cache=True, nogil=True, error_model="numpy")
def satterthwaite(contrast, phi, forms, information, reach, small):  # type: ignore[no-untyped-def]
    """Variance v of contrast'beta and df = 2 v^2 / (g' information^-1 g), g = dv/dtheta; df is NaN if that fails."""
    gradient, out, factor = small[0], small[1], small[9]
    p = contrast.shape[0]
    variance = 0.0
    for a in range(p):
        reach[a] = 0.0
        for b in range(p):
            reach[a] += phi[a, b] * contrast[b]
        variance += reach[a] * contrast[a]
    for k in range(4):
        gradient[k] = 0.0
        for a in range(p):
            for b in range(p):
                gradient[k] += reach[a] * forms[1 + k, a, b] * reach[b]
    if not solve(information, gradient, factor, out):
        return variance, np.nan
    spread = gradient[0] * out[0] + gradient[1] * out[1] + gradient[2] * out[2] + gradient[3] * out[3]
    return variance, 2.0 * variance * variance / spread


@njit(cache=True, nogil=True, error_model="numpy")
def kenward_roger(phi, forms, phis, inverse, lost, out):  # type: ignore[no-untyped-def]
    """Adjusted covariance Phi + 2 Phi {sum W_kl (Q_kl - S_k Phi S_l)} Phi into `out`, W the inverse of the information.

    `phis` holds Phi S_k as `evaluate` leaves it. V is linear in theta, so the term in its second derivatives is zero.
    """
    p = phi.shape[0]
    for a in range(p):
        for b in range(p):
            lost[a, b] = 0.0
    j = 0
    for k in range(4):
        for m in range(k, 4):
            weight = inverse[k, m] if k == m else 2.0 * inverse[k, m]
            for a in range(p):
                for b in range(p):
                    total = forms[5 + j, a, b]
                    for i in range(p):
                        # S_k (Phi S_l), made symmetric: both orders occur in the sum.
                        total -= 0.5 * (forms[1 + k, a, i] * phis[m, i, b] + forms[1 + m, a, i] * phis[k, i, b])
                    lost[a, b] += weight * total
            j += 1
    for a in range(p):
        for b in range(p):
            total = 0.0
            for i in range(p):
                for k in range(p):
                    total += phi[a, i] * lost[i, k] * phi[k, b]
            out[a, b] = phi[a, b] + 2.0 * total


@njit(cache=True, nogil=True, error_model="numpy")
def fit_batch(y, times, z, keep, row, contrast, shared, use_observed, adjust, climb_first, coefficients, covariance, numbers, counts):  # type: ignore[no-untyped-def]
    """Fit every replicate of `y` (R, n, V); fills coefficients (R, p), covariance (R, p, p), numbers (R, 8), counts (R, 4).

    `keep` (1 or R, n) leaves participants out; `adjust` asks for the Kenward-Roger covariance.

    numbers, NaN on entry: estimate, standard error, df, d00, d01, d11, sigma2, log likelihood. counts: status,
    evaluations, participants, observations.
    """
    people, p = y.shape[1], row.shape[0]
    stats = (
        np.empty((people, 2)), np.empty((people, 3)), np.empty((people, p, p)),
        np.empty((people, p, 2)), np.empty((people, 3)), np.empty(people),
    )  # fmt: skip
    fit = (np.zeros((15, p, p)), np.zeros((p, p)), np.zeros(p), np.zeros(4), np.zeros((4, 4)), np.zeros((4, 4)))
    work = (
        np.zeros((p, p)), np.zeros((p, 2)), np.zeros(p), np.zeros((4, p)), np.zeros((4, p, p)),
        np.zeros((15, 3)), np.zeros(15), np.zeros(4), np.zeros(10), np.zeros(p),
    )  # fmt: skip
    small = (
        np.zeros(4), np.zeros(4), np.zeros(4), np.zeros(4), np.zeros(4), np.zeros(4),
        np.zeros((4, 4)), np.zeros((4, 4)), np.zeros((4, 4)), np.zeros((4, 4)),
    )  # fmt: skip
    theta, inverse, lost, adjusted = np.zeros(4), np.zeros((4, 4)), np.zeros((p, p)), np.zeros((p, p))
    slots = 4
    while slots < 2 * people:
        slots *= 2
    table, masks = np.empty(slots, np.int64), np.empty(people, np.uint64)
    for r in range(y.shape[0]):
        patterns, used, observations, centre = summarise(
            y[r], times[r if times.shape[0] > 1 else 0], z[r if z.shape[0] > 1 else 0], keep[r if keep.shape[0] > 1 else 0],
            row, shared, stats, table, masks,
        )  # fmt: skip
        counts[r, 0], counts[r, 1], counts[r, 2], counts[r, 3] = NOT_ESTIMABLE, 0, used, observations
        if observations <= p + 4:
            continue
        value, evaluations, status = maximise(patterns, row, stats, fit, work, small, theta, climb_first)
        counts[r, 0], counts[r, 1] = status, evaluations
        if status == NOT_ESTIMABLE:
            continue
        forms, phi, beta = fit[0], fit[1], fit[2]
        information = fit[5] if use_observed and status == OK else fit[4]
        variance, freedom = satterthwaite(contrast, phi, forms, information, work[9], small)
        if adjust and invert(information, small[0], small[9], inverse):
            kenward_roger(phi, forms, work[4], inverse, lost, adjusted)
            variance = 0.0
            for a in range(p):
                for b in range(p):
                    phi[a, b] = adjusted[a, b]
                    variance += contrast[a] * adjusted[a, b] * contrast[b]
        elif adjust:
            variance = np.nan
        beta[0] += centre
        numbers[r, 0] = 0.0
        for a in range(p):
            coefficients[r, a] = beta[a]
            numbers[r, 0] += contrast[a] * beta[a]
            for b in range(p):
                covariance[r, a, b] = phi[a, b]
        numbers[r, 1], numbers[r, 2] = np.sqrt(variance), freedom
        for k in range(4):
            numbers[r, 3 + k] = theta[k]
        numbers[r, 7] = value - 0.5 * (observations - p) * np.log(2.0 * np.pi)
