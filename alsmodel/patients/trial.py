"""The mathematics of one virtual participant: events along straight lines, skewed slopes.

Score of person i at month t: ``intercept_i + b0_i + (slope_i + b1_i) t + N(0, residual_sd^2)``.
Hazard per month: ``exp(log_baseline[k(t)] + log_hazard_i + a_v value_i(t) + a_s (slope_i + b1_i))`` where value is
the score without its residual. Because the value is a straight line, the hazard is exponential in time between two
knots and the event time is found exactly: over a width w from hazard h0 with rate of change r per month the
cumulative hazard is ``h0 expm1(r w) / r``, and its inverse at mass e is ``log1p(e r / h0) / r``.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray


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
