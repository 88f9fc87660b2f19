"""The mathematics of one virtual participant: events along straight lines, skewed slopes.

Score of person i at month t: ``intercept_i + b0_i + (slope_i + b1_i) t + N(0, residual_sd^2)``.
Hazard per month: ``exp(log_baseline[k(t)] + log_hazard_i + a_v value_i(t) + a_s (slope_i + b1_i))`` where value is
the score without its residual. Because the value is a straight line, the hazard is exponential in time between two
knots and the event time is found exactly: over a width w from hazard h0 with rate of change r per month the
cumulative hazard is ``h0 expm1(r w) / r``, and its inverse at mass e is ``log1p(e r / h0) / r``.
"""

import numpy as np
from numba import njit


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
