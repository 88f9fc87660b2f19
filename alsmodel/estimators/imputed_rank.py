"""The joint rank of function and survival (CAFS) with multiple imputation of scores that are missing among the living.

A missing score shortens the history at which two participants can be compared. Here scores missing at visits until the end of
a participant's observation, when all are known to be alive, are imputed at random given those seen (missing at random within the
arm) from the model of `alsmodel.estimators.reference_based`; each data set is ranked and analysed by `fit_joint_rank`, and Rubin's
rules join the results. Nothing is imputed after the event or after the end of observation, and no baseline.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

from alsmodel.estimators._imputation import Visits, generator, imputed, rubin
from alsmodel.estimators._inputs import arms_of, scores_of
from alsmodel.estimators.joint_rank import NOT_ESTIMABLE, OK, STATUS, JointRankFits, fit_joint_rank

__all__ = ["STATUS", "fit_imputed_joint_rank"]


def fit_imputed_joint_rank(
    scores: npt.ArrayLike,
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    arm: npt.ArrayLike,
    months: npt.ArrayLike,
    *,
    imputations: int = 50,
    covariates: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    change: bool = True,
    seed: int = 0,
) -> JointRankFits:
    """Compare joint ranks of every replicate after imputing missing scores of the living.

    Parameters
    ----------
    scores : array, shape (R, n, V) or (n, V)
        The first visit is the baseline; a participant without it is ranked as in `fit_joint_rank`, and not imputed.
    time, event : array, shape (R, n) or (n,)
        Months to the event or to the end of observation, and which.
    arm : array of int, shape (n,) or (R, n)
        0 control, 1 active, -1 left out.
    months : array, shape (V,)
        Months of the visits.
    imputations : int
    covariates, strata, change
        As of `fit_joint_rank`; covariates are in the imputation model too.
    seed : int
        The same data and seed give the same result wherever they stand in a batch.

    Returns
    -------
    JointRankFits
        Standard errors and degrees of freedom by Rubin's rules; "not estimable" also if the imputation model cannot be fitted.

    Raises
    ------
    ValueError
        As `fit_joint_rank`; fewer than 2 imputations.
    """
    if imputations < 2:
        raise ValueError(f"imputations is {imputations}; at least 2 are needed, and 50 or more wanted.")
    y = scores_of(scores)
    replicates, people, _ = y.shape
    codes, when = arms_of(arm, replicates, people), np.asarray(months, dtype=np.float64)
    plain = fit_joint_rank(y, time, event, codes, covariates=covariates, strata=strata, change=change)
    ends = np.broadcast_to(np.asarray(time, dtype=np.float64), (replicates, people))
    happened = np.broadcast_to(np.asarray(event), (replicates, people)) == 1
    extra = np.zeros((1, people, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    extra = np.broadcast_to(extra[None] if extra.ndim == 2 else extra, (replicates, people, extra.shape[-1]))
    layers = None if strata is None else np.broadcast_to(np.asarray(strata), (replicates, people))
    numbers = np.stack([plain.estimate, plain.standard_error, plain.df], axis=1)
    status = plain.status.copy()
    for r in range(replicates):
        keep = np.flatnonzero((codes[r] >= 0) & ~np.isnan(y[r, :, 0]))
        alive = when[None, 1:] <= ends[r, keep, None]
        alive &= ~(happened[r, keep, None] & (when[None, 1:] >= ends[r, keep, None]))
        if status[r] != OK or not (alive & np.isnan(y[r, keep, 1:])).any():
            continue
        first = y[r, keep, 0]
        telling = [c for c in extra[r, keep].T if np.ptp(c) > 0 and not np.array_equal(c, first)]
        columns = [np.ones(keep.size), codes[r, keep].astype(np.float64), first, *telling]
        data = Visits(scores=y[r, keep, 1:], design=np.stack(columns, axis=1), alive=alive)
        sets = imputed(data, "missing at random", imputations, generator(seed, data.scores, data.design, ends[r, keep]))
        if sets is None:
            status[r], numbers[r] = NOT_ESTIMABLE, np.nan
            continue
        whole = np.tile(y[r], (imputations, 1, 1))
        whole[:, keep, 1:] = sets
        fit = fit_joint_rank(
            whole,
            np.tile(ends[r], (imputations, 1)),
            np.tile(happened[r].astype(np.int64), (imputations, 1)),
            np.ascontiguousarray(codes[r]),
            covariates=None if covariates is None else np.ascontiguousarray(extra[r]),
            strata=None if layers is None else np.ascontiguousarray(layers[r]),
            change=change,
        )
        if fit.failed.any():
            status[r], numbers[r] = NOT_ESTIMABLE, np.nan
            continue
        numbers[r] = rubin(fit.estimate, fit.standard_error**2, float(fit.df.mean()))
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = numbers[:, 0] / numbers[:, 1]
    return replace(
        plain,
        estimate=numbers[:, 0],
        standard_error=numbers[:, 1],
        df=numbers[:, 2],
        statistic=statistic,
        p_value=2.0 * stdtr(numbers[:, 2], -np.abs(statistic)),
        status=status,
    )
