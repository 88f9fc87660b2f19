"""Log-rank test of two arms, stratified or not, with a log hazard ratio by one step or by Cox regression.

.. math::

    Z = \\frac{\\sum (d_{1} - d\\, r_1/r)}{\\sqrt{\\sum d\\,\\frac{r_0 r_1}{r^2}\\,\\frac{r-d}{r-1}}}

summed over event times within strata: r at risk, d events, 1 the active arm. Mantel, Cancer Chemother Rep 1966;50:163.
The one-step estimate is (O - E)/V with SE 1/sqrt(V) (Yusuf, Peto et al., Prog Cardiovasc Dis 1985;27:335); the Cox
estimate maximises the partial likelihood with Efron's ties (J Am Stat Assoc 1977;72:557).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.special import ndtr

from alsmodel.estimators._cox_kernel import evaluate_arm
from alsmodel.estimators._events import arm_table, event_data

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
HazardRatioMethod = Literal["one step", "cox"]

OK, NO_FINITE_ESTIMATE, NOT_ESTIMABLE = 0, 2, 3
STATUS = {OK: "ok", NO_FINITE_ESTIMATE: "no finite hazard ratio", NOT_ESTIMABLE: "not estimable"}


@dataclass(frozen=True, kw_only=True)
class LogRankFits:
    """One log-rank test per replicate; arrays have shape (R,).

    Attributes
    ----------
    observed, expected, variance : array
        Events of the active arm, those expected under the null, and the hypergeometric variance.
    df : array
        Infinite: the reference is the normal distribution.
    statistic, p_value : array
        Z (positive: more events in the active arm than expected) and its two-sided p value.
    estimate, standard_error : array
        Log hazard ratio, active against control, and its SE by `method`.
    events, participants : array of int
        Totals over both arms.
    status : array of int
        Key into `STATUS`. "no finite hazard ratio": only one arm has events at a time when both are at risk, so Cox
        diverges (the test stands). "not estimable": no event while both arms are at risk; a failure.
    method : str
        "one step" or "cox".
    """

    observed: Floats
    expected: Floats
    variance: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    estimate: Floats
    standard_error: Floats
    events: Integers
    participants: Integers
    status: Integers
    method: HazardRatioMethod

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """True where there is no test; a missing hazard ratio beside a test is no failure."""
        return np.asarray(self.status == NOT_ESTIMABLE)


@njit(cache=True, nogil=True, error_model="numpy")
def _cox(table, rows, start):  # type: ignore[no-untyped-def]
    """Newton steps on the Efron partial likelihood; returns (log hazard ratio, information, converged)."""
    beta = start
    for _ in range(40):
        _, score, information = evaluate_arm(beta, table, rows)
        if not information > 1e-10:
            return np.nan, np.nan, False
        step = score / information
        beta += min(max(step, -2.0), 2.0)
        if abs(step) < 1e-10:
            return beta, information, abs(beta) < 15.0
    return np.nan, np.nan, False


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_batch(time, order, event, arm, stratum, strata, use_cox, numbers, counts):  # type: ignore[no-untyped-def]
    """Fill numbers (R, 5: observed, expected, variance, estimate, SE) and counts (R, 2: events, status)."""
    people = time.shape[1]
    table, state = np.empty((people, 5)), np.empty((strata, 5))
    for r in range(time.shape[0]):
        groups = arm[r if arm.shape[0] > 1 else 0]
        layers = stratum[r if stratum.shape[0] > 1 else 0]
        rows = arm_table(time[r], order[r], event[r], groups, layers, state, table)
        events = 0.0
        for j in range(rows):
            deaths, active, at_risk, risk_active = table[j, 0], table[j, 1], table[j, 2], table[j, 3]
            share = risk_active / at_risk
            events += deaths
            numbers[r, 0] += active
            numbers[r, 1] += deaths * share
            if at_risk > 1.0:
                numbers[r, 2] += deaths * share * (1.0 - share) * (at_risk - deaths) / (at_risk - 1.0)
        counts[r, 0], counts[r, 1] = int(events), OK
        variance = numbers[r, 2]
        if not variance > 0.0:
            counts[r, 1] = NOT_ESTIMABLE
            numbers[r, 3] = numbers[r, 4] = np.nan
            continue
        one_step = (numbers[r, 0] - numbers[r, 1]) / variance
        numbers[r, 3], numbers[r, 4] = one_step, 1.0 / np.sqrt(variance)
        if use_cox:
            beta, information, converged = _cox(table, rows, one_step)
            numbers[r, 3], numbers[r, 4] = beta, 1.0 / np.sqrt(information)
            if not converged:
                counts[r, 1] = NO_FINITE_ESTIMATE
                numbers[r, 3] = numbers[r, 4] = np.nan


def fit_log_rank(
    time: Floats,
    event: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
    method: HazardRatioMethod = "one step",
) -> LogRankFits:
    """Compare the event times of two arms in every replicate.

    Parameters
    ----------
    time : array, shape (R, n) or (n,)
        Month of the event or of censoring. Tied censoring times are still at risk at an event.
    event : array of 0 and 1, same shape
        1 if `time` is an event.
    arm : array of int, shape (n,) or (R, n)
        0 control, 1 active, -1 left out (whatever the other arrays hold).
    strata : array of int, shape (n,) or (R, n), optional
        Stratum of each participant, counted from 0.
    method : "one step" or "cox"
        How the log hazard ratio is estimated; the test is the same.

    Returns
    -------
    LogRankFits

    Raises
    ------
    ValueError
        Shapes that do not fit, missing or negative times, or an arm other than 0, 1 and -1.

    Examples
    --------
    >>> import numpy as np
    >>> fit = fit_log_rank(np.array([1.0, 2.0, 3.0, 4.0]), [1, 1, 1, 1], [1, 1, 0, 0])
    >>> float(fit.observed[0]), round(float(fit.expected[0]), 4), round(float(fit.statistic[0]), 3)
    (2.0, 0.8333, 1.698)
    """
    data = event_data(time, event, arm, strata)
    replicates = data.time.shape[0]
    numbers, counts = np.zeros((replicates, 5)), np.zeros((replicates, 2), dtype=np.int64)
    _fit_batch(
        data.time, data.order, data.event, data.arm, data.strata, data.levels, method == "cox", numbers, counts
    )  # fmt: skip
    observed, expected, variance = numbers[:, 0], numbers[:, 1], numbers[:, 2]
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = np.where(variance > 0, (observed - expected) / np.sqrt(variance), np.nan)
    return LogRankFits(
        observed=observed,
        expected=expected,
        variance=variance,
        df=np.full(replicates, np.inf),
        statistic=statistic,
        p_value=2.0 * ndtr(-np.abs(statistic)),
        estimate=numbers[:, 3],
        standard_error=numbers[:, 4],
        events=counts[:, 0],
        participants=data.participants,
        status=counts[:, 1],
        method=method,
    )
