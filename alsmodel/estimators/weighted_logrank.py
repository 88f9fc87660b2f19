"""Weighted log-rank test of the Fleming-Harrington family, for effects that come late, early or in between.

.. math::

    Z = \\frac{\\sum w (d_1 - d\\,r_1/r)}{\\sqrt{\\sum w^2 V}},\\quad w = \\hat S(t^-)^{\\rho}\\,\\{1 - \\hat S(t^-)\\}^{\\gamma}

with the pooled Kaplan-Meier curve of the stratum just before t and the hypergeometric variance V of the log-rank test.
Harrington & Fleming, Biometrika 1982;69:553; Fleming & Harrington, Counting Processes and Survival Analysis, 1991.

The log hazard ratio that it goes with is that of Cox regression with the same weights, where the weighted score is zero,

.. math::

    \\sum w \\{d_1 - d\\,p(b)\\} = 0,\\quad p(b) = \\frac{r_1 e^b}{r_1 e^b + r_0},\\quad
    \\mathrm{SE}^2 = \\frac{\\sum w^2 d\\,p(1 - p)}{\\{\\sum w d\\,p(1 - p)\\}^2}

with Efron's ties; without ties its score test at b = 0 is the weighted log-rank test. Sasieni, J Am Stat Assoc 1993;88:144; Schemper,
Wakounig & Heinze, Stat Med 2009;28:2473 (doi 10.1002/sim.3623).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.special import ndtr

from alsmodel.estimators._events import arm_table, event_data

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

AverageMethod = Literal["one step", "cox"]

OK, NOT_ESTIMABLE, NO_FINITE_ESTIMATE = 0, 1, 2
STATUS = {OK: "ok", NOT_ESTIMABLE: "not estimable", NO_FINITE_ESTIMATE: "no finite hazard ratio"}
#: A log hazard ratio beyond this is infinite: all events with weight fall in one arm.
FARTHEST = 15.0


@dataclass(frozen=True, kw_only=True)
class WeightedLogRankFits:
    """One weighted log-rank test per replicate; arrays have shape (R,).

    Attributes
    ----------
    estimate, standard_error : array
        Log hazard ratio, active against control, and its SE. "one step": sum w(O - E) / sum w V with the SE under the
        null. "cox": of weighted Cox regression. Either is an average over time that changes with the censoring when
        hazards are not proportional.
    df : array
        Infinite: the reference is the normal distribution.
    statistic, p_value : array
        Z (positive: more events in the active arm than expected) and its two-sided p value.
    events, participants : array of int
    status : array of int
        Key into `STATUS`. "not estimable": no event with weight while both arms are at risk; a failure. "no finite hazard
        ratio": the test stands, but the estimate of weighted Cox regression does not exist.
    rho, gamma : float
    method : str
    """

    estimate: Floats
    standard_error: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    events: Integers
    participants: Integers
    status: Integers
    rho: float
    gamma: float
    method: AverageMethod

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """True where there is no test; a missing hazard ratio beside a test is no failure."""
        return np.asarray(self.status == NOT_ESTIMABLE)


@njit(cache=True, nogil=True, error_model="numpy")
def weighted_sums(table, rows, powers, alive, weight, score, scale, covariance):  # type: ignore[no-untyped-def]
    """Sums over event times for every weight: w(O - E), w V and w w' V; returns the number of events."""
    kinds, events = powers.shape[0], 0.0
    alive[:] = 1.0
    score[:] = 0.0
    scale[:] = 0.0
    covariance[:] = 0.0
    for j in range(rows - 1, -1, -1):
        deaths, active, at_risk, risk_active = table[j, 0], table[j, 1], table[j, 2], table[j, 3]
        s = int(table[j, 4])
        share = risk_active / at_risk
        variance = deaths * share * (1.0 - share) * (at_risk - deaths) / (at_risk - 1.0) if at_risk > 1.0 else 0.0
        for a in range(kinds):
            weight[a] = alive[s] ** powers[a, 0] * (1.0 - alive[s]) ** powers[a, 1]
            score[a] += weight[a] * (active - deaths * share)
            scale[a] += weight[a] * variance
            for b in range(a + 1):
                covariance[a, b] += weight[a] * weight[b] * variance
        alive[s] *= 1.0 - deaths / at_risk
        events += deaths
    return int(events)


@njit(cache=True, nogil=True, error_model="numpy")
def weighted_batch(time, order, event, arm, stratum, levels, powers, scores, scales, covariances, events):  # type: ignore[no-untyped-def]
    """`weighted_sums` of every replicate."""
    kinds = powers.shape[0]
    table, state, alive, weight = np.empty((time.shape[1], 5)), np.empty((levels, 5)), np.empty(levels), np.empty(kinds)
    for r in range(time.shape[0]):
        groups = arm[r if arm.shape[0] > 1 else 0]
        layers = stratum[r if stratum.shape[0] > 1 else 0]
        rows = arm_table(time[r], order[r], event[r], groups, layers, state, table)
        events[r] = weighted_sums(table, rows, powers, alive, weight, scores[r], scales[r], covariances[r])


@njit(cache=True, nogil=True, error_model="numpy")
def _weights(table, rows, rho, gamma, alive, weight):  # type: ignore[no-untyped-def]
    """Weight of every row of the table."""
    alive[:] = 1.0
    for j in range(rows - 1, -1, -1):
        s = int(table[j, 4])
        weight[j] = alive[s] ** rho * (1.0 - alive[s]) ** gamma
        alive[s] *= 1.0 - table[j, 0] / table[j, 2]


@njit(cache=True, nogil=True, error_model="numpy")
def _weighted_score(beta, table, rows, weight):  # type: ignore[no-untyped-def]
    """Weighted partial-likelihood score, sum w V and sum w w V at a log hazard ratio, with Efron's ties."""
    ratio, score, scale, square = np.exp(beta), 0.0, 0.0, 0.0
    for j in range(rows):
        deaths, active, at_risk, risk_active, w = table[j, 0], table[j, 1], table[j, 2], table[j, 3], weight[j]
        score += w * active
        for k in range(int(deaths)):
            gone = k / deaths
            exposed = (risk_active - gone * active) * ratio
            share = exposed / (exposed + at_risk - risk_active - gone * (deaths - active))
            score -= w * share
            scale += w * share * (1.0 - share)
            square += w * w * share * (1.0 - share)
    return score, scale, square


@njit(cache=True, nogil=True, error_model="numpy")
def _average_batch(time, order, event, arm, stratum, levels, rho, gamma, estimate, error):  # type: ignore[no-untyped-def]
    """Newton steps from 0 in every replicate; NaN where the weighted score has no zero."""
    people = time.shape[1]
    table, state, alive, weight = np.empty((people, 5)), np.empty((levels, 5)), np.empty(levels), np.empty(people)
    for r in range(time.shape[0]):
        groups = arm[r if arm.shape[0] > 1 else 0]
        layers = stratum[r if stratum.shape[0] > 1 else 0]
        rows = arm_table(time[r], order[r], event[r], groups, layers, state, table)
        _weights(table, rows, rho, gamma, alive, weight)
        beta = 0.0
        estimate[r] = error[r] = np.nan
        for _ in range(60):
            score, scale, square = _weighted_score(beta, table, rows, weight)
            if not scale > 0.0 or abs(beta) > FARTHEST:
                break
            step = score / scale
            if abs(step) < 1e-10:
                estimate[r], error[r] = beta, np.sqrt(square) / scale
                break
            beta += min(max(step, -2.0), 2.0)


def fit_weighted_log_rank(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    rho: float = 0.0,
    gamma: float = 0.0,
    strata: npt.ArrayLike | None = None,
    method: AverageMethod = "one step",
) -> WeightedLogRankFits:
    """Compare the event times of two arms, giving early or late events more weight.

    Parameters
    ----------
    time : array, shape (R, n) or (n,)
        Months to the event or to censoring.
    event : array of 0 and 1, same shape
    arm : array of int, shape (n,) or (R, n)
        0 control, 1 active, -1 left out.
    rho, gamma : float, at least 0
        (0, 0) log-rank; (1, 0) early differences (Prentice-Wilcoxon); (0, 1) late; (1, 1) those in between.
    strata : array of int, shape (n,) or (R, n), optional
        Sums are added over strata; weights come from the stratum's own curve.
    method : "one step" or "cox"
        How the average log hazard ratio is estimated; the test is the same.

    Returns
    -------
    WeightedLogRankFits

    Raises
    ------
    ValueError
        Shapes that do not fit, impossible values, or negative powers.

    Examples
    --------
    >>> fit = fit_weighted_log_rank([1.0, 2.0, 3.0, 4.0], [1, 1, 1, 1], [1, 1, 0, 0], rho=1.0)
    >>> round(float(fit.statistic[0]), 3)
    1.698
    """
    powers = checked_powers(((rho, gamma),))
    data = event_data(time, event, arm, strata)
    replicates = data.time.shape[0]
    score, scale, square = np.zeros((replicates, 1)), np.zeros((replicates, 1)), np.zeros((replicates, 1, 1))
    events = np.zeros(replicates, dtype=np.int64)
    weighted_batch(
        data.time, data.order, data.event, data.arm, data.strata, data.levels, powers, score, scale, square, events
    )  # fmt: skip
    usable = (square[:, 0, 0] > 0) & (scale[:, 0] > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.where(usable, np.sqrt(square[:, 0, 0]), np.nan)
        statistic, estimate, error = score[:, 0] / spread, score[:, 0] / scale[:, 0], spread / scale[:, 0]
    status = np.where(usable, OK, NOT_ESTIMABLE)
    if method == "cox":
        estimate, error = np.empty(replicates), np.empty(replicates)
        _average_batch(
            data.time, data.order, data.event, data.arm, data.strata, data.levels, float(rho), float(gamma), estimate, error
        )  # fmt: skip
        status = np.where(usable & np.isnan(estimate), NO_FINITE_ESTIMATE, status)
    return WeightedLogRankFits(
        estimate=np.where(usable, estimate, np.nan),
        standard_error=np.where(usable, error, np.nan),
        df=np.full(replicates, np.inf),
        statistic=statistic,
        p_value=2.0 * ndtr(-np.abs(statistic)),
        events=events,
        participants=data.participants,
        status=status,
        rho=rho,
        gamma=gamma,
        method=method,
    )


def checked_powers(weights: tuple[tuple[float, float], ...]) -> Floats:
    """The (rho, gamma) pairs as an array, or what is wrong with them."""
    powers = np.asarray(weights, dtype=np.float64)
    if powers.ndim != 2 or powers.shape[1] != 2 or not np.isfinite(powers).all() or (powers < 0).any():
        raise ValueError("Weights are pairs (rho, gamma) of finite numbers, at least 0, such as (0, 1) for late differences.")
    return np.ascontiguousarray(powers)
