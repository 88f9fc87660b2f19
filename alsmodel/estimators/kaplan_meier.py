"""Kaplan-Meier curves of two arms on a grid of months, with Greenwood's errors, numbers at risk and medians.

.. math::

    \\hat S(t) = \\prod_{t_j \\le t} (1 - d_j / r_j),\\quad
    \\widehat{\\mathrm{Var}}\\,\\hat S(t) = \\hat S(t)^2 \\sum_{t_j \\le t} \\frac{d_j}{r_j (r_j - d_j)}

Kaplan & Meier, J Am Stat Assoc 1958;53:457; intervals on the log(-log) or log scale (Kalbfleisch & Prentice, The
Statistical Analysis of Failure Time Data, 1980); median by Brookmeyer & Crowley, Biometrics 1982;38:29.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.special import ndtri

from alsmodel.estimators._events import event_data, group_table

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
IntervalScale = Literal["log-log", "log"]


@dataclass(frozen=True, kw_only=True)
class KaplanMeierCurves:
    """Curves of control (0) and active (1) per replicate.

    Attributes
    ----------
    at : array, shape (G,)
        Months of the grid.
    survival, standard_error, lower, upper : array, shape (R, 2, G)
        Curve just after each time, Greenwood's SE, and pointwise limits. NaN after a last time that is censored.
    at_risk : array of int, shape (R, 2, G)
        Participants whose time is not before the grid time.
    median, median_lower, median_upper : array, shape (R, 2)
        First month at which the curve, its lower and its upper limit are at most one half; when the curve rests at
        exactly one half, the middle of that stretch. Infinite when that is never reached.
    confidence : float
    scale : "log-log" or "log"
    """

    at: Floats
    survival: Floats
    standard_error: Floats
    lower: Floats
    upper: Floats
    at_risk: Integers
    median: Floats
    median_lower: Floats
    median_upper: Floats
    confidence: float
    scale: IntervalScale


@njit(cache=True, nogil=True, error_model="numpy")
def _limits(alive, total, z, log_log):  # type: ignore[no-untyped-def]
    """Lower and upper limit of a survival probability whose Greenwood sum is `total`."""
    if alive >= 1.0:
        return 1.0, 1.0
    if not alive > 0.0:
        return 0.0, np.nan
    wide = z * np.sqrt(total)
    if log_log:
        spread = np.exp(wide / -np.log(alive))
        return alive**spread, alive ** (1.0 / spread)
    return alive * np.exp(-wide), min(1.0, alive * np.exp(wide))


@njit(cache=True, nogil=True, error_model="numpy")
def _curve(table, rows, last, at, z, log_log, numbers, medians):  # type: ignore[no-untyped-def]
    """One arm, rows backwards in time: fill numbers (4, G: curve, SE, limits) and medians (3)."""
    alive, total, low, high, g = 1.0, 0.0, 1.0, 1.0, 0
    medians[:] = np.inf
    resting = False
    for j in range(rows - 1, -2, -1):
        now = table[j, 0] if j >= 0 else np.inf
        while g < at.shape[0] and at[g] < now:
            known = at[g] <= last or alive <= 0.0
            numbers[0, g] = alive if known else np.nan
            numbers[1, g] = (alive * np.sqrt(total) if alive > 0.0 else 0.0) if known else np.nan
            numbers[2, g] = low if known else np.nan
            numbers[3, g] = high if known else np.nan
            g += 1
        if j < 0:
            break
        if resting:  # the curve was at exactly one half until now
            medians[0], resting = 0.5 * (medians[0] + now), False
        deaths, at_risk = table[j, 1], table[j, 2]
        alive = 0.0 if deaths == at_risk else alive * (1.0 - deaths / at_risk)
        if at_risk > deaths:
            total += deaths / (at_risk * (at_risk - deaths))
        low, high = _limits(alive, total, z, log_log)
        if medians[0] == np.inf and alive <= 0.5 + 1e-12:
            medians[0], resting = now, abs(alive - 0.5) <= 1e-12
        if medians[1] == np.inf and low <= 0.5:
            medians[1] = now
        if medians[2] == np.inf and high <= 0.5:
            medians[2] = now


@njit(cache=True, nogil=True, error_model="numpy")
def _batch(time, order, event, arm, at, z, log_log, numbers, at_risk, medians):  # type: ignore[no-untyped-def]
    """Curves of both arms of every replicate."""
    people = time.shape[1]
    table, state, last = np.empty((people, 5)), np.empty((1, 3)), np.empty((1, 2))
    group = np.empty(people, dtype=np.int64)
    for r in range(time.shape[0]):
        groups = arm[r if arm.shape[0] > 1 else 0]
        for k in range(2):
            for i in range(people):
                group[i] = 0 if groups[i] == k else -1
                if group[i] == 0:
                    for g in range(at.shape[0]):
                        if time[r, i] >= at[g]:
                            at_risk[r, k, g] += 1
            rows = group_table(time[r], order[r], event[r], group, state, table, last)
            _curve(table, rows, last[0, 0], at, z, log_log, numbers[r, k], medians[r, k])


def kaplan_meier(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    at: npt.ArrayLike | None = None,
    confidence: float = 0.95,
    scale: IntervalScale = "log-log",
) -> KaplanMeierCurves:
    """Event-free probability of each arm over time, in every replicate.

    Parameters
    ----------
    time : array, shape (R, n) or (n,)
        Months to the event or to censoring.
    event : array of 0 and 1, same shape
    arm : array of int, shape (n,) or (R, n)
        0 control, 1 active, -1 left out.
    at : array, shape (G,), optional
        Months at which the curves are wanted, in rising order; default all times of an event.
    confidence : float
        Of the pointwise limits and of the medians' limits.
    scale : "log-log" or "log"
        Scale of the limits; "log" is the default of R survival.

    Returns
    -------
    KaplanMeierCurves

    Raises
    ------
    ValueError
        Shapes that do not fit, impossible values, or a grid that does not rise.

    Examples
    --------
    >>> curves = kaplan_meier([1.0, 2.0, 3.0, 4.0], [1, 0, 1, 1], [0, 0, 0, 0], at=[0.0, 1.0, 3.0])
    >>> curves.survival[0, 0].tolist(), float(curves.median[0, 0])
    ([1.0, 0.75, 0.375], 3.0)
    """
    data = event_data(time, event, arm)
    used = (data.event == 1) & (data.arm >= 0)
    grid = np.unique(data.time[used]) if at is None else np.ascontiguousarray(np.asarray(at, dtype=np.float64))
    if grid.ndim != 1 or not np.isfinite(grid).all() or (np.diff(grid) < 0).any():
        raise ValueError("at must be a list of finite months in rising order.")
    if not 0 < confidence < 1 or scale not in ("log-log", "log"):
        raise ValueError(f"confidence lies between 0 and 1 and scale is 'log-log' or 'log'; got {confidence} and {scale!r}.")
    replicates = data.time.shape[0]
    numbers, medians = np.full((replicates, 2, 4, grid.size), np.nan), np.full((replicates, 2, 3), np.inf)
    at_risk = np.zeros((replicates, 2, grid.size), dtype=np.int64)
    z = float(ndtri(0.5 + confidence / 2))
    _batch(data.time, data.order, data.event, data.arm, grid, z, scale == "log-log", numbers, at_risk, medians)
    return KaplanMeierCurves(
        at=grid,
        survival=numbers[:, :, 0],
        standard_error=numbers[:, :, 1],
        lower=numbers[:, :, 2],
        upper=numbers[:, :, 3],
        at_risk=at_risk,
        median=medians[:, :, 0],
        median_lower=medians[:, :, 1],
        median_upper=medians[:, :, 2],
        confidence=confidence,
        scale=scale,
    )
