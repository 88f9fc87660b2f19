"""Slope of each participant, then a comparison of the slopes: the two-stage analysis of decline.

The slope of two points is (last - first) / (months between); the least-squares slope uses every score of the participant. Slopes
are compared by least squares, with every participant counted alike, however many visits a slope rests on: simple, and inefficient
where visits are missing. Participants with one score have no slope and are not analysed, which is not harmless when those who die early are
the fast ones.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from alsmodel.estimators._inputs import arms_of, design, scores_of
from alsmodel.estimators._least_squares import Robust
from alsmodel.estimators.ancova import AncovaFits, compare

Floats = npt.NDArray[np.float64]
SlopeMethod = Literal["two points", "least squares"]


def participant_slopes(
    scores: npt.ArrayLike,
    times: npt.ArrayLike,
    *,
    method: SlopeMethod = "least squares",
    last: Literal["observed", "planned"] = "observed",
    fewest: int = 2,
) -> Floats:
    """Slope of each participant, points per month.

    Parameters
    ----------
    scores : array, shape (R, n, V) or (n, V)
        NaN where not observed.
    times : array, shape (V,), (n, V) or (R, n, V)
        Months.
    method : "two points" or "least squares"
        First and last score, or a straight line through all.
    last : "observed" or "planned"
        Two points: the last score there is, or only that of the last visit.
    fewest : int
        Scores that a participant needs, at least 2.

    Returns
    -------
    array, shape (R, n)
        NaN where there is no slope.

    Raises
    ------
    ValueError
        Shapes that do not fit, or fewer than two scores asked for.

    Examples
    --------
    >>> participant_slopes([[40.0, 37.0, 36.0]], [0.0, 3.0, 6.0], method="two points").round(3).tolist()
    [[-0.667]]
    """
    y = scores_of(scores)
    given = np.asarray(times, dtype=np.float64)
    if given.shape not in (y.shape[2:], y.shape[1:], y.shape) or not np.isfinite(given).all():
        raise ValueError(f"times has shape {given.shape} for scores of shape {y.shape}; expected (V,), (n, V) or (R, n, V), all finite.")
    if method not in ("two points", "least squares") or last not in ("observed", "planned") or fewest < 2:
        raise ValueError(f"method {method!r}, last {last!r}, fewest {fewest}: see the docstring for the choices; a slope needs two scores.")
    t = np.broadcast_to(given, y.shape)
    seen = ~np.isnan(y)
    count = seen.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        if method == "least squares":
            centre = np.where(seen, t, 0.0).sum(axis=2) / count
            away = np.where(seen, t - centre[..., None], 0.0)
            slope = (away * np.where(seen, y, 0.0)).sum(axis=2) / (away**2).sum(axis=2)
        else:
            start = np.argmax(seen, axis=2)[..., None]
            stop = y.shape[2] - 1 - np.argmax(seen[:, :, ::-1], axis=2)[..., None]
            rise, run = (np.take_along_axis(v, stop, axis=2) - np.take_along_axis(v, start, axis=2) for v in (y, t))
            slope = (rise / run)[..., 0]
    enough = count >= fewest
    if method == "two points" and last == "planned":
        enough = enough & seen[:, :, -1]
    return np.where(enough & np.isfinite(slope), slope, np.nan)


def fit_two_point_slope(
    scores: npt.ArrayLike,
    times: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    method: SlopeMethod = "least squares",
    last: Literal["observed", "planned"] = "observed",
    fewest: int = 2,
    covariates: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    robust: Robust = "none",
) -> AncovaFits:
    """Compare the participants' slopes between arms in every replicate.

    Parameters
    ----------
    scores, times, method, last, fewest
        As for `participant_slopes`.
    arm, covariates, strata, robust
        As for `alsmodel.estimators.ancova.fit_ancova`; without covariates and strata this is the t test.

    Returns
    -------
    AncovaFits
        In points per month, positive is slower decline in the active arm.

    Raises
    ------
    ValueError
        As `participant_slopes` and `fit_ancova`.
    """
    slopes = participant_slopes(scores, times, method=method, last=last, fewest=fewest)
    codes = arms_of(arm, *slopes.shape)
    keep = ~np.isnan(slopes) & (codes >= 0)
    return compare(np.nan_to_num(slopes), design(codes, keep, covariates, strata), keep, robust)
