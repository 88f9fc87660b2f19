"""The largest of several weighted log-rank tests, with the p value of their joint distribution.

Z_1..Z_k of `alsmodel.estimators.weighted_logrank` are jointly normal under the null with covariance
:math:`\\sum w_a w_b V`, so :math:`p = 1 - P(|Z_j| < \\max|z|\\ \\text{for all } j)`: Karrison, Stata J 2016;16:678;
Lin et al. (Cross-Pharma Non-proportional Hazards Working Group), Stat Biopharm Res 2020;12:187.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alsmodel.estimators import _normal_box
from alsmodel.estimators._events import event_data
from alsmodel.estimators.weighted_logrank import NOT_ESTIMABLE, OK, STATUS, checked_powers, weighted_batch

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Weights = tuple[tuple[float, float], ...]

__all__ = ["STATUS", "MaxComboFits", "fit_max_combo"]


@dataclass(frozen=True, kw_only=True)
class MaxComboFits:
    """One max-combo test per replicate; arrays have the replicate first.

    Attributes
    ----------
    estimate, standard_error : array, shape (R,)
        One-step log hazard ratio of the weight chosen, and its SE. It is the most extreme of several, so it is pulled
        away from 0 and no interval should be made of it; report a Cox or RMST estimate beside the test.
    df : array
        Infinite: the reference is the multivariate normal distribution.
    statistic, p_value : array
        The Z that is largest in size, with its sign (positive: more events in the active arm), and the joint two-sided
        p value.
    chosen : array of int
        Index into `weights` of that Z; -1 where the test failed.
    statistics : array, shape (R, k)
    correlation : array, shape (R, k, k)
        All Z and their correlation under the null.
    events, participants, status : array of int
        Status as in `weighted_logrank`.
    weights : tuple of (rho, gamma)
    """

    estimate: Floats
    standard_error: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    chosen: Integers
    statistics: Floats
    correlation: Floats
    events: Integers
    participants: Integers
    status: Integers
    weights: Weights

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """True where there is no test."""
        return np.asarray(self.status != OK)


def fit_max_combo(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    weights: Weights = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)),
    strata: npt.ArrayLike | None = None,
) -> MaxComboFits:
    """Test for a difference in hazard whose timing is not known beforehand.

    Parameters
    ----------
    time : array, shape (R, n) or (n,)
        Months to the event or to censoring.
    event : array of 0 and 1, same shape
    arm : array of int, shape (n,) or (R, n)
        0 control, 1 active, -1 left out.
    weights : tuple of (rho, gamma)
        One to four Fleming-Harrington weights.
    strata : array of int, shape (n,) or (R, n), optional

    Returns
    -------
    MaxComboFits

    Raises
    ------
    ValueError
        Shapes that do not fit, impossible values, or no or more than four weights.
    """
    powers = checked_powers(weights)
    if not 1 <= len(powers) <= 4:
        raise ValueError(f"max-combo takes one to four weights (rho, gamma); got {len(powers)}.")
    data = event_data(time, event, arm, strata)
    replicates, k = data.time.shape[0], len(powers)
    score, scale, square = np.zeros((replicates, k)), np.zeros((replicates, k)), np.zeros((replicates, k, k))
    events, chosen = np.zeros(replicates, dtype=np.int64), np.zeros(replicates, dtype=np.int64)
    weighted_batch(
        data.time, data.order, data.event, data.arm, data.strata, data.levels, powers, score, scale, square, events
    )  # fmt: skip
    statistics, correlation = np.full((replicates, k), np.nan), np.full((replicates, k, k), np.nan)
    p_value = np.full(replicates, np.nan)
    _normal_box.largest_of(score, square, correlation, statistics, chosen, p_value)
    row, failed = np.arange(replicates), chosen < 0
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate, error = score[row, chosen] / scale[row, chosen], np.sqrt(square[row, chosen, chosen]) / scale[row, chosen]
    return MaxComboFits(
        estimate=np.where(failed, np.nan, estimate),
        standard_error=np.where(failed, np.nan, error),
        df=np.full(replicates, np.inf),
        statistic=np.where(failed, np.nan, statistics[row, chosen]),
        p_value=p_value,
        chosen=chosen,
        statistics=statistics,
        correlation=correlation,
        events=events,
        participants=data.participants,
        status=np.where(failed, NOT_ESTIMABLE, OK),
        weights=tuple((float(a), float(b)) for a, b in powers),
    )
