"""Analysis of covariance of the change from baseline at one visit, with several arms.

.. math::

    y_{i} - y_{i0} = b_0 + \\sum_a d_a\\,[\\mathrm{arm}_i = a] + b_1 y_{i0} + c' x_i + e_i

by ordinary least squares over participants with both scores. With the baseline score among the covariates the effect d is the same
for the change and for the score itself. Robust covariances: `alsmodel.estimators._least_squares`.
"""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

from alsmodel.estimators._inputs import arms_of, design, scores_of
from alsmodel.estimators._least_squares import ROBUST, LeastSquares, Robust, least_squares

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

OK, NOT_ESTIMABLE = 0, 3
STATUS = {OK: "ok", NOT_ESTIMABLE: "not estimable"}


@final
@dataclass(frozen=True, kw_only=True)
class AncovaFits:
    """One comparison per replicate; arrays have shape (R,) unless said.

    Attributes
    ----------
    estimate, standard_error, df, statistic, p_value : array
        Active arm 1 against control, in the unit of the outcome; two-sided t test.
    arm_estimates, arm_standard_errors, arm_p_values : array, shape (R, A)
        Each active arm against control, not adjusted for their number.
    adjusted_means, adjusted_mean_errors : array, shape (R, A + 1)
        Of each arm, at the mean covariates of the participants analysed.
    participants : array of int
        Analysed: with both scores and an arm.
    status : array of int
        Key into `STATUS`; "not estimable": an arm without participants, or dependent covariates. A failure.
    robust : str
        Covariance used.
    """

    estimate: Floats
    standard_error: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    arm_estimates: Floats
    arm_standard_errors: Floats
    arm_p_values: Floats
    adjusted_means: Floats
    adjusted_mean_errors: Floats
    participants: Integers
    status: Integers
    robust: Robust

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """True where there is no result; counted, never dropped."""
        return np.asarray(self.status != OK)


def fit_ancova(
    scores: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    visit: int = -1,
    baseline: int = 0,
    outcome: Literal["change", "score"] = "change",
    adjust_for_baseline: bool = True,
    covariates: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    robust: Robust = "none",
) -> AncovaFits:
    """Compare the arms at one visit in every replicate.

    Parameters
    ----------
    scores : array, shape (R, n, V) or (n, V)
        NaN where not observed; a participant without either score is not analysed, after death too.
    arm : array of int, shape (n,) or (R, n)
        0 control, 1, 2, ... active, -1 to leave the participant out.
    visit, baseline : int
        Positions of the two visits.
    outcome : "change" or "score"
        From baseline, or the score itself.
    adjust_for_baseline : bool
        Baseline score as covariate; without covariates and this, the t test.
    covariates : array, shape (n, p) or (R, n, p), optional
        Baseline covariates without missing values.
    strata : array of int, shape (n,) or (R, n), optional
        Counted from 0; an indicator each.
    robust : "none", "HC0", "HC2" or "HC3"
        Covariance that allows variances to differ between participants; HC3 is the careful one in small trials.

    Returns
    -------
    AncovaFits

    Raises
    ------
    ValueError
        Shapes that do not fit, a visit that is not there, missing covariates, or an unknown covariance.

    Examples
    --------
    >>> import numpy as np
    >>> fit = fit_ancova(np.array([[40.0, 30], [42, 34], [38, 33], [41, 35]]), [0, 0, 1, 1], adjust_for_baseline=False)
    >>> float(fit.estimate[0]), float(fit.df[0])
    (3.5, 2.0)
    """
    values = scores_of(scores)
    replicates, people, visits = values.shape
    for label, place in (("visit", visit), ("baseline", baseline)):
        if not -visits <= place < visits:
            raise ValueError(f"{label} {place} is not among the {visits} visits, counted from 0.")
    before, after = values[:, :, baseline], values[:, :, visit]
    codes = arms_of(arm, replicates, people)
    response = after - before if outcome == "change" else after
    more = (np.nan_to_num(before),) if adjust_for_baseline else ()
    needed = ~np.isnan(response) & (codes >= 0)
    if adjust_for_baseline:
        needed &= ~np.isnan(before)
    columns = design(codes, needed, covariates, strata, *more)
    return compare(np.nan_to_num(response), columns, needed, robust)


def compare(response: Floats, columns: tuple[Floats, int, int], keep: npt.NDArray[np.bool_], robust: Robust) -> AncovaFits:
    """Least squares of `response` (R, n) on what `design` returns, over `keep`."""
    if robust not in ROBUST:
        raise ValueError(f"robust must be one of {', '.join(ROBUST)}; got {robust!r}.")
    x, active, layers = columns
    fit = least_squares(response, x, keep, robust, layers)
    estimates = fit.beta[:, 1 : active + 1]
    errors = np.sqrt(np.einsum("raa->ra", fit.covariance)[:, 1 : active + 1])
    # An exact fit has no error to test against.
    exact = fit.estimable & ~(errors[:, 0] > 0.0)
    errors = np.where(exact[:, None], np.nan, errors)
    with np.errstate(invalid="ignore", divide="ignore"):
        statistics = estimates / errors
        p_values = 2.0 * stdtr(fit.df[:, None], -np.abs(statistics))
    means, mean_errors = _adjusted_means(fit, x, active, keep)
    failed = ~fit.estimable | exact
    return AncovaFits(
        estimate=np.where(failed, np.nan, estimates[:, 0]),
        standard_error=errors[:, 0],
        df=np.where(failed, np.nan, fit.df),
        statistic=statistics[:, 0],
        p_value=p_values[:, 0],
        arm_estimates=estimates,
        arm_standard_errors=errors,
        arm_p_values=p_values,
        adjusted_means=means,
        adjusted_mean_errors=mean_errors,
        participants=fit.used,
        status=np.where(failed, NOT_ESTIMABLE, OK),
        robust=robust,
    )


def _adjusted_means(fit: LeastSquares, x: Floats, active: int, keep: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mean of each arm at the average of all other columns, and its standard error; shape (R, A + 1)."""
    weight = keep / np.maximum(fit.used, 1)[:, None]
    centre = np.einsum("rn,rna->ra", weight, np.where(keep[..., None], x, 0.0))
    rows = np.repeat(centre[:, None, :], active + 1, axis=1)
    rows[:, :, 0] = 1.0
    rows[:, :, 1 : active + 1] = np.concatenate([np.zeros((1, active)), np.eye(active)])
    means = np.einsum("rka,ra->rk", rows, fit.beta)
    return means, np.sqrt(np.maximum(np.einsum("rka,rab,rkb->rk", rows, fit.covariance, rows), 0.0))
