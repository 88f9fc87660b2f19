"""Restricted mean survival time: event-free months up to a horizon, as a difference or a ratio of two arms.

.. math::

    \\mu(\\tau) = \\int_0^\\tau \\hat S(t)\\,dt,\\quad
    \\widehat{\\mathrm{Var}} = \\sum_{t_j \\le \\tau} \\Big\\{\\int_{t_j}^{\\tau} \\hat S\\Big\\}^2 \\frac{d_j}{r_j (r_j - d_j)}

Royston & Parmar, BMC Med Res Methodol 2013;13:152; Uno et al., J Clin Oncol 2014;32:2380.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.special import ndtr

from alsmodel.estimators._events import event_data, group_table

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
RmstScale = Literal["difference", "ratio"]
BeyondFollowUp = Literal["fail", "flat"]

OK, CARRIED_FLAT, NOT_FOLLOWED, NOT_ESTIMABLE = 0, 1, 2, 3
STATUS = {
    OK: "ok",
    CARRIED_FLAT: "curve carried flat to the horizon",
    NOT_FOLLOWED: "an arm is not followed to the horizon",
    NOT_ESTIMABLE: "not estimable",
}


@dataclass(frozen=True, kw_only=True)
class RmstFits:
    """One comparison of restricted means per replicate; arrays have the replicate first.

    Attributes
    ----------
    estimate, standard_error : array, shape (R,)
        Active minus control in months, or the log of active / control, by `scale`; positive favours the active arm.
    df : array
        Infinite: the reference is the normal distribution.
    statistic, p_value : array
        Estimate / SE and its two-sided p value.
    means, mean_errors : array, shape (R, 2)
        Restricted mean and SE of control and active, months.
    participants, status : array of int
        Status is a key into `STATUS`; "an arm is not followed to the horizon" and "not estimable" are failures.
    horizon : float
        Months.
    scale, beyond : str
    """

    estimate: Floats
    standard_error: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    means: Floats
    mean_errors: Floats
    participants: Integers
    status: Integers
    horizon: float
    scale: RmstScale
    beyond: BeyondFollowUp

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """True where there is no result."""
        return np.asarray(self.status >= NOT_FOLLOWED)


@njit(cache=True, nogil=True, error_model="numpy")
def _areas(table, rows, horizon, curve, mean, variance):  # type: ignore[no-untyped-def]
    """Restricted mean and variance per group from the rows of `group_table`; `curve` (groups, 3) is scratch."""
    for g in range(mean.shape[0]):
        curve[g, 0], curve[g, 1], curve[g, 2] = 1.0, 0.0, 0.0  # survival, time, area so far
        variance[g] = 0.0
    for j in range(rows - 1, -1, -1):
        now, g = table[j, 0], int(table[j, 3])
        if now > horizon:
            continue
        curve[g, 2] += curve[g, 0] * (now - curve[g, 1])
        curve[g, 0] *= 1.0 - table[j, 1] / table[j, 2]
        curve[g, 1] = now
        table[j, 4] = curve[g, 2]
    for g in range(mean.shape[0]):
        mean[g] = curve[g, 2] + curve[g, 0] * (horizon - curve[g, 1])
    for j in range(rows):
        deaths, at_risk, g = table[j, 1], table[j, 2], int(table[j, 3])
        # When all at risk have the event no area is left, and the term is zero.
        if table[j, 0] <= horizon and at_risk > deaths:
            variance[g] += (mean[g] - table[j, 4]) ** 2 * deaths / (at_risk * (at_risk - deaths))


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_batch(time, order, event, arm, stratum, levels, horizon, flat, means, variances, status):  # type: ignore[no-untyped-def]
    """Fill means (R, 2), variances (R, 2) and status; strata are weighted by their share of the participants."""
    people, groups = time.shape[1], 2 * levels
    table, state, last = np.empty((people, 5)), np.empty((groups, 3)), np.empty((groups, 2))
    group, curve, mean, variance = np.empty(people, dtype=np.int64), np.empty((groups, 3)), np.empty(groups), np.empty(groups)
    size = np.empty(groups)
    for r in range(time.shape[0]):
        arms = arm[r if arm.shape[0] > 1 else 0]
        layers = stratum[r if stratum.shape[0] > 1 else 0]
        size[:] = 0.0
        total = 0.0
        for i in range(people):
            group[i] = 2 * layers[i] + arms[i] if arms[i] >= 0 else -1
            if group[i] >= 0:
                size[group[i]] += 1.0
                total += 1.0
        rows = group_table(time[r], order[r], event[r], group, state, table, last)
        _areas(table, rows, horizon, curve, mean, variance)
        for g in range(groups):
            share = (size[g] + size[g ^ 1]) / total
            if share > 0.0 and size[g] == 0.0:
                status[r] = NOT_ESTIMABLE
            elif share > 0.0:
                if last[g, 0] < horizon and last[g, 1] == 0.0:
                    status[r] = max(status[r], CARRIED_FLAT if flat else NOT_FOLLOWED)
                means[r, g % 2] += share * mean[g]
                variances[r, g % 2] += share * share * variance[g]
        if not variances[r, 0] + variances[r, 1] > 0.0:
            status[r] = NOT_ESTIMABLE


def fit_rmst(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    horizon: float,
    strata: npt.ArrayLike | None = None,
    scale: RmstScale = "difference",
    beyond: BeyondFollowUp = "fail",
) -> RmstFits:
    """Compare the mean event-free time up to a horizon in every replicate.

    Parameters
    ----------
    time : array, shape (R, n) or (n,)
        Months to the event or to censoring.
    event : array of 0 and 1, same shape
    arm : array of int, shape (n,) or (R, n)
        0 control, 1 active, -1 left out.
    horizon : float
        Months; fixed in the protocol, not chosen from the data.
    strata : array of int, shape (n,) or (R, n), optional
        Means are made per stratum and averaged with the strata's shares of all participants.
    scale : "difference" or "ratio"
        What is tested: the difference in months, or the log ratio.
    beyond : "fail" or "flat"
        When the last time of an arm is censored before the horizon, its curve is unknown from there. "fail": no result,
        counted as a failure. "flat": the curve is carried on at its last value, which flatters that arm.
        An arm whose last time is an event is known to the horizon: its curve is 0.

    Returns
    -------
    RmstFits

    Raises
    ------
    ValueError
        Shapes that do not fit, impossible values, or a horizon that is not positive.

    Examples
    --------
    >>> fit = fit_rmst([2.0, 4.0, 6.0, 3.0, 6.0, 6.0], [1, 1, 0, 1, 0, 0], [0, 0, 0, 1, 1, 1], horizon=6.0)
    >>> fit.means.round(3).tolist(), round(float(fit.estimate[0]), 3)
    ([[4.0, 5.0]], 1.0)
    """
    if not (np.isfinite(horizon) and horizon > 0):
        raise ValueError(f"horizon must be a positive number of months; got {horizon}.")
    if scale not in ("difference", "ratio") or beyond not in ("fail", "flat"):
        raise ValueError(f"scale must be 'difference' or 'ratio', beyond 'fail' or 'flat'; got {scale!r} and {beyond!r}.")
    data = event_data(time, event, arm, strata)
    replicates = data.time.shape[0]
    means, variances, status = np.zeros((replicates, 2)), np.zeros((replicates, 2)), np.zeros(replicates, dtype=np.int64)
    _fit_batch(
        data.time, data.order, data.event, data.arm, data.strata, data.levels, float(horizon), beyond == "flat",
        means, variances, status,
    )  # fmt: skip
    gone = status >= NOT_FOLLOWED
    means[gone], variances[gone] = np.nan, np.nan
    if scale == "difference":
        estimate, error = means[:, 1] - means[:, 0], np.sqrt(variances.sum(axis=1))
    else:
        estimate, error = np.log(means[:, 1] / means[:, 0]), np.sqrt((variances / means**2).sum(axis=1))
    statistic = estimate / error
    return RmstFits(
        estimate=estimate,
        standard_error=error,
        df=np.full(replicates, np.inf),
        statistic=statistic,
        p_value=2.0 * ndtr(-np.abs(statistic)),
        means=means,
        mean_errors=np.sqrt(variances),
        participants=data.participants,
        status=status,
        horizon=float(horizon),
        scale=scale,
        beyond=beyond,
    )
