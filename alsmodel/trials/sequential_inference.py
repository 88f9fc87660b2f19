"""Estimate, p value and interval after a group-sequential trial, which stopped because of what it saw.

Stage-wise ordering (Tsiatis, Rosner & Mehta, Biometrics 1984;40:797): an earlier efficacy stop is stronger evidence than
a later one, and within a look a larger z is. The p value at effect theta is

    p(theta) = sum_{j<k} P_theta(cross upper at j) + P_theta(reach k, Z_k >= z),

which also holds for a stop at futility or at an unplanned look. The median-unbiased estimate has p(theta) = 1/2, the
confidence limits have p(theta) = a and 1 - a. Repeated intervals (Jennison & Turnbull, J R Stat Soc B 1989;51:305) hold at
every look, whether or not the trial stops.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr

from alsmodel.trials.recursion import START, above, go_on
from alsmodel.trials.sequential import Boundaries, GroupSequential, boundaries

Floats = npt.NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True)
class SequentialResult:
    """What may be said after the trial has stopped; effects on the scale whose 1/SE² is the information.

    Attributes
    ----------
    look : int
        Look at which it stopped, from 1.
    statistic : float
        z there.
    naive_estimate, naive_p : float
        As if the look had been the only one; overstated after an early stop.
    estimate : float
        Median-unbiased.
    low, high : float
        Stage-wise confidence limits.
    level : float
        Of the interval, two-sided.
    p_value : float
        One-sided, stage-wise: at most alpha exactly when a one-sided design crosses its efficacy boundary.
    """

    look: int
    statistic: float
    naive_estimate: float
    naive_p: float
    estimate: float
    low: float
    high: float
    level: float
    p_value: float


def stagewise_p(bounds: Boundaries, statistic: float, drift: float = 0.0) -> float:
    """Probability of evidence at least as strong as `statistic` at the last look of `bounds`, under `drift`.

    Parameters
    ----------
    bounds : Boundaries
        Up to the look at which the trial stopped, at the information that was reached.
    statistic : float
        z at that look.
    drift : float
        Mean of z at information 1.

    Returns
    -------
    float
        One-sided p value. Futility counts as stopping only where it is binding: ignoring it is conservative.
    """
    total, ongoing, information, lower = 0.0, START, bounds.information, bounds.rejecting_lower
    for k, now in enumerate(information[:-1]):
        total += above(ongoing, now, drift, bounds.upper[k])
        ongoing = go_on(ongoing, now, drift, lower[k], bounds.upper[k], information[k + 1])
    return total + above(ongoing, information[-1], drift, statistic)


def sequential_result(bounds: Boundaries, statistic: float, maximum: float, *, level: float = 0.95) -> SequentialResult:
    """Estimate, interval and p value of a trial that stopped at the last look of `bounds`.

    Parameters
    ----------
    bounds : Boundaries
        Up to the look at which the trial stopped.
    statistic : float
        z there.
    maximum : float
        Planned maximum information: 1/SE² at information fraction 1.
    level : float
        Of the two-sided interval.

    Raises
    ------
    ValueError
        A statistic that is not finite, a maximum that is not positive, or a level outside (0, 1).
    """
    if not np.isfinite(statistic) or not maximum > 0.0 or not 0.0 < level < 1.0:
        raise ValueError(f"Give a finite statistic, maximum > 0 and 0 < level < 1; got {statistic}, {maximum}, {level}.")
    root = np.sqrt(maximum)
    naive = statistic / np.sqrt(bounds.information[-1])
    tail = 0.5 * (1.0 - level)
    return SequentialResult(
        look=bounds.information.size,
        statistic=statistic,
        naive_estimate=float(naive / root),
        naive_p=float(ndtr(-statistic)),
        estimate=_drift_at(bounds, statistic, naive, 0.5) / root,
        low=_drift_at(bounds, statistic, naive, tail) / root,
        high=_drift_at(bounds, statistic, naive, 1.0 - tail) / root,
        level=level,
        p_value=stagewise_p(bounds, statistic),
    )


def _drift_at(bounds: Boundaries, statistic: float, near: float, probability: float) -> float:
    """Find the drift whose stage-wise p value is `probability`; p rises with the drift."""

    def excess(drift: float) -> float:
        return stagewise_p(bounds, statistic, drift) - probability

    low, high, step = near - 2.0, near + 2.0, 2.0
    while excess(low) > 0.0 and step < 1e3:
        low, step = low - step, 2.0 * step
    step = 2.0
    while excess(high) < 0.0 and step < 1e3:
        high, step = high + step, 2.0 * step
    return float(brentq(excess, low, high, xtol=1e-10, rtol=1e-12))


def repeated_intervals(bounds: Boundaries, statistics: npt.ArrayLike, maximum: float) -> tuple[Floats, Floats]:
    """Confidence limits that hold at all looks together, stop or no stop: estimate ∓ boundary x SE.

    Parameters
    ----------
    bounds : Boundaries
        Without binding futility.
    statistics : array, shape (K,)
        z at each look of `bounds`.
    maximum : float
        Planned maximum information.

    Returns
    -------
    low, high : array, shape (K,)
        Each of one-sided level 1 - alpha (one-sided design), together 1 - 2 alpha; together 1 - alpha (two-sided design).

    Raises
    ------
    ValueError
        Binding futility, under which the boundary at one effect is not that at another.
    """
    if bounds.binding:
        raise ValueError("Repeated intervals rest on boundaries without binding futility. Make futility non-binding.")
    error = 1.0 / np.sqrt(bounds.information * maximum)
    centre = np.asarray(statistics, dtype=np.float64) * error
    return centre - bounds.upper * error, centre + bounds.upper * error


def repeated_p(design: GroupSequential, information: npt.ArrayLike, statistics: npt.ArrayLike, *, maximum: float = 1.0) -> Floats:
    """Smallest alpha with which the design would have crossed at each look; valid at any stopping.

    Parameters
    ----------
    design : GroupSequential
    information, statistics : array, shape (K,)
        1/SE² and z of the looks so far; the last is taken as final when its information reaches `maximum`.
    maximum : float
        Planned maximum information.

    Returns
    -------
    array, shape (K,)
        Of the design's side or sides. Capped below 0.5, above which no boundary is defined.

    Raises
    ------
    ValueError
        Binding futility.
    """
    from dataclasses import replace

    if design.binding:
        raise ValueError("Repeated p values rest on boundaries without binding futility. Make futility non-binding.")
    looks, z = np.asarray(information, dtype=np.float64), np.asarray(statistics, dtype=np.float64)
    plain, values = replace(design, futility=None), np.empty(looks.size)
    for k in range(looks.size):
        here = np.abs(z[k]) if design.side == "two-sided" else z[k]

        def gap(log_alpha: float, k: int = k, here: float = here) -> float:
            tried = replace(plain, alpha=float(np.exp(log_alpha)))
            last = bool(looks[k] >= maximum * (1 - 1e-12))
            bound = boundaries(tried, looks[: k + 1], maximum=maximum, last=last).upper[k]
            return float(np.clip(bound, -40.0, 40.0) - here)

        low, high = np.log(1e-14), np.log(0.499)
        if gap(high) > 0.0:
            values[k] = 0.499
        elif gap(low) < 0.0:
            values[k] = 1e-14
        else:
            values[k] = np.exp(brentq(gap, low, high, xtol=1e-10))
    return values
