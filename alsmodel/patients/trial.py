"""The generator of one virtual trial: straight lines, events along them, dropout, visits.

Score of person i at month t: ``intercept_i + b0_i + (slope_i + b1_i) t + N(0, residual_sd^2)``.
Hazard per month: ``exp(log_baseline[k(t)] + log_hazard_i + a_v value_i(t) + a_s (slope_i + b1_i))`` where value is
the score without its residual. Because the value is a straight line, the hazard is exponential in time between two
knots and the event time is found exactly: over a width w from hazard h0 with rate of change r per month the
cumulative hazard is ``h0 expm1(r w) / r``, and its inverse at mass e is ``log1p(e r / h0) / r``.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from alsmodel.patients.streams import normal, uniform

PURPOSE_INTERCEPT = 0
PURPOSE_SLOPE = 1
PURPOSE_RESIDUAL = 2
PURPOSE_EVENT = 3
PURPOSE_DROPOUT = 4
PURPOSE_MISSING = 5


@njit(cache=True, fastmath=False)
def segment_mass(log_rate: float, growth: float, width: float) -> float:
    """Cumulative hazard over `width` months from a hazard exp(log_rate) that grows as exp(growth t).

    .. math:: \\int_0^w e^{\\ell + r s} ds = e^{\\ell} (e^{r w} - 1) / r

    Parameters
    ----------
    log_rate : float
        Log hazard per month where the segment starts.
    growth : float
        Change of the log hazard per month.
    width : float
        Length of the segment in months.
    """
    x = growth * width
    if x == 0.0:
        return float(np.exp(log_rate) * width)
    return float(np.exp(log_rate) * (np.expm1(x) / growth))


@njit(cache=True, fastmath=False)
def segment_inverse(log_rate: float, growth: float, mass: float) -> float:
    """Months until `mass` of cumulative hazard is used up; the inverse of `segment_mass`, infinite if it never is."""
    months_flat = mass * np.exp(-log_rate)
    x = months_flat * growth
    if x == 0.0:
        return float(months_flat)
    if x <= -1.0:
        return np.inf
    return float(np.log1p(x) / growth)


@njit(cache=True, fastmath=False)
def event_month(
    mass: float,
    knots: NDArray[np.float64],
    log_baseline_hazard: NDArray[np.float64],
    log_hazard: float,
    growth: float,
    horizon: float,
) -> float:
    """Find the month at which a person has used up `mass` of cumulative hazard.

    Parameters
    ----------
    mass : float
        An exponential draw with mean 1.
    knots : array, shape (K + 1,)
        Months where the baseline hazard changes, from 0; the last level holds beyond the last knot.
    log_baseline_hazard : array, shape (K,)
        Log hazard per month in each interval.
    log_hazard : float
        The person's log hazard beside the baseline, at month 0.
    growth : float
        Change of the person's log hazard per month.
    horizon : float
        Months after which nothing is looked for.

    Returns
    -------
    float
        The event month, or infinity if it lies beyond `horizon`.
    """
    last = log_baseline_hazard.size - 1
    for k in range(last + 1):
        start = knots[k]
        if start >= horizon:
            return np.inf
        stop = horizon if k == last else min(knots[k + 1], horizon)
        log_rate = log_baseline_hazard[k] + log_hazard + growth * start
        wait = segment_inverse(log_rate, growth, mass)
        if start + wait <= stop:
            return float(start + wait)
        mass -= segment_mass(log_rate, growth, stop - start)
        if mass <= 0.0:
            # Only rounding at the segment's end leads here: the event is at the boundary itself.
            return float(stop)
    return np.inf


@njit(cache=True, fastmath=False)
def skewed(z: float, skew: float) -> float:
    """Turn a standard normal z into a deviate of mean 0, variance 1 with its long tail to the negative side.

    The deviate is a reversed, shifted log-normal: ``-(exp(s z - s^2/2) - 1) / sqrt(exp(s^2) - 1)``, and z itself
    when s = 0. A sign change of z keeps fast decline at low z for every s.

    Parameters
    ----------
    z : float
        Standard normal deviate.
    skew : float
        The log-normal's log SD s >= 0; its skewness is ``-(exp(s^2) + 2) sqrt(exp(s^2) - 1)``.
    """
    if skew == 0.0:
        return z
    return float(-(np.expm1(-skew * z - 0.5 * skew * skew)) / np.sqrt(np.expm1(skew * skew)))


@njit(cache=True, fastmath=False)
def simulate_trial(
    intercept: NDArray[np.float64],
    slope: NDArray[np.float64],
    log_hazard: NDArray[np.float64],
    random_cholesky: NDArray[np.float64],
    residual_sd: float,
    knots: NDArray[np.float64],
    log_baseline_hazard: NDArray[np.float64],
    association_value: float,
    association_slope: float,
    visit_times: NDArray[np.float64],
    duration: float,
    dropout_rate: float,
    key: np.uint64,
    skew: float = 0.0,
    missing_probability: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Simulate the scores and the events of one trial.

    Parameters
    ----------
    intercept : array, shape (n,)
        Mean score at month 0 of each person, points.
    slope : array, shape (n,)
        Mean slope of each person, points per month, covariates and arm effect included.
    log_hazard : array, shape (n,)
        Log hazard beside the baseline and the associations (covariates and direct arm effect).
    random_cholesky : array, shape (2, 2)
        Lower Cholesky factor L of the covariance of (b0, b1); (b0, b1) = L z.
    residual_sd : float
        Residual SD of a score, points.
    knots : array, shape (K + 1,)
        Months where the baseline hazard changes, from 0; the last may be infinite and the last level holds on.
    log_baseline_hazard : array, shape (K,)
        Log hazard per month in each interval.
    association_value, association_slope : float
        Log hazard per point of current value, and per point per month of slope.
    visit_times : array, shape (V,)
        Months of the visits, from 0.
    duration : float
        Months of follow-up (administrative censoring).
    dropout_rate : float
        Rate of leaving per month, independent of everything; 0 for none.
    key : numpy.uint64
        Stream key from `alsmodel.patients.streams.stream_key`. Arms or scenarios with one key share all draws.
    skew : float
        Skewness parameter of the slope deviate (see `skewed`); 0 is normal. The covariance stays L L'.
    missing_probability : float
        Chance that a visit after month 0 is missed.

    Returns
    -------
    scores : array, shape (n, V)
        Scores; NaN after event, dropout or `duration` and at missed visits.
    event_time : array, shape (n,)
        Month of the event, or of censoring (dropout or `duration`, whichever is first).
    event : array of int, shape (n,)
        1 if `event_time` is an event.

    Notes
    -----
    Scores are unrounded and unbounded. One stream per person and purpose: adding a visit or a person moves nothing.
    """
    n, n_visits = intercept.size, visit_times.size
    scores = np.full((n, n_visits), np.nan)
    event_time = np.empty(n)
    event = np.zeros(n, dtype=np.int64)
    for i in range(n):
        z0 = normal(key, i, PURPOSE_INTERCEPT, 0)
        z1 = skewed(normal(key, i, PURPOSE_SLOPE, 0), skew)
        level = intercept[i] + random_cholesky[0, 0] * z0
        rate = slope[i] + random_cholesky[1, 0] * z0 + random_cholesky[1, 1] * z1
        growth = association_value * rate
        start = log_hazard[i] + association_value * level + association_slope * rate
        mass = -np.log(uniform(key, i, PURPOSE_EVENT, 0))
        end = duration
        if dropout_rate > 0.0:
            end = min(end, -np.log(uniform(key, i, PURPOSE_DROPOUT, 0)) / dropout_rate)
        died = event_month(mass, knots, log_baseline_hazard, start, growth, end)
        if died <= end:
            event[i] = 1
            end = died
        event_time[i] = end
        for v in range(n_visits):
            t = visit_times[v]
            if t > end:
                continue
            if missing_probability > 0.0 and t > 0.0 and uniform(key, i, PURPOSE_MISSING, v) < missing_probability:
                continue
            scores[i, v] = level + rate * t + residual_sd * normal(key, i, PURPOSE_RESIDUAL, v)
    return scores, event_time, event
