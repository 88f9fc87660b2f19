"""Random-intercept-and-slope mixed model by REML: the classical analysis of decline in points per month.

.. math::

    y_{ij} = b_0 + b_1 t_{ij} + b_2\\,\\mathrm{arm}_i t_{ij} + u_{0i} + u_{1i} t_{ij} + e_{ij},\\quad
    (u_{0i}, u_{1i}) \\sim N(0, D),\\; e_{ij} \\sim N(0, \\sigma^2)

Laird & Ware, Biometrics 1982;38:963 (the model); Satterthwaite, Biometrics Bulletin 1946;2:110 and Giesbrecht &
Burns, Biometrics 1985;41:477 (the degrees of freedom); Kenward & Roger, Biometrics 1997;53:983 (adjusted SE and degrees
of freedom). Each formula is derived in ``docs/methods/random_slope.md``.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

from alsmodel.estimators import _random_slope_kernel as kernel

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Information = Literal["observed", "expected"]
DfMethod = Literal["satterthwaite", "kenward-roger"]

STATUS = ("ok", "at boundary", "not converged", "not estimable")


@dataclass(frozen=True, kw_only=True)
class RandomSlopeFits:
    """One random-slope fit per replicate; arrays have the replicate first.

    Attributes
    ----------
    estimate, standard_error, df, statistic, p_value : array, shape (R,)
        The contrast (by default arm x time: difference in slope, points per month), its SE and degrees of freedom by
        `df_method`, estimate / SE, and the two-sided p value from the t distribution. NaN where the fit failed.
    coefficients : array, shape (R, p)
        Fixed effects in the order of `terms`.
    covariance : array, shape (R, p, p)
        Their covariance: :math:`(X'V^{-1}X)^{-1}`, or the Kenward-Roger adjustment of it.
    variances : array, shape (R, 4)
        d00 (points²), d01 (points²/month), d11 (points²/month²), residual variance (points²).
    log_likelihood : array, shape (R,)
        Restricted log likelihood, constants as in lme4.
    status : array of int, shape (R,)
        Index into `STATUS`. "at boundary": a variance is zero or the correlation is ±1; the estimate is the REML
        estimate and the degrees of freedom use expected information, since observed information is not a curvature
        there. "not converged" and "not estimable" are failures.
    iterations, participants, observations : array of int, shape (R,)
        Evaluations of the likelihood; participants with at least one score; scores.
    terms : tuple of str
        Names of the coefficients.
    information, df_method : str
        How the degrees of freedom were made.
    """

    estimate: Floats
    standard_error: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    coefficients: Floats
    covariance: Floats
    variances: Floats
    log_likelihood: Floats
    status: Integers
    iterations: Integers
    participants: Integers
    observations: Integers
    terms: tuple[str, ...]
    information: Information
    df_method: DfMethod

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """True where there is no valid result; the fit is counted and never dropped."""
        return ~self.converged | ~np.isfinite(self.p_value)

    @property
    def converged(self) -> npt.NDArray[np.bool_]:
        """True where the maximum was found, inside the parameter space or on its edge."""
        return np.asarray(self.status <= kernel.AT_BOUNDARY)


def fit_random_slope(
    y: Floats,
    times: Floats,
    arm: npt.ArrayLike,
    *,
    covariates: Floats | None = None,
    covariate_names: tuple[str, ...] = (),
    arm_main_effect: bool = False,
    contrast: npt.ArrayLike | None = None,
    df_method: DfMethod = "satterthwaite",
    information: Information | None = None,
    climb_first: bool = False,
) -> RandomSlopeFits:
    """Fit the random-slope model to every replicate.

    Parameters
    ----------
    y : array, shape (R, n, V) or (n, V)
        Scores in points; NaN where there is none (missed, after the event, after leaving).
    times : array, shape (V,), (n, V) or (R, n, V)
        Months from baseline. Shared visit times group participants by visit pattern, which is the fast way.
    arm : array, shape (n,) or (R, n)
        0 control, 1 active, -1 to leave the participant out; any other positive number is taken as a dose.
    covariates : array, shape (n, c) or (R, n, c), optional
        Baseline covariates; each enters the level and, times t, the slope. No missing values.
    covariate_names : tuple of str
        Names of the c columns, for `RandomSlopeFits.terms`.
    arm_main_effect : bool
        Let the arms differ at t = 0. Off: a common baseline mean, right under randomisation.
    contrast : array, shape (p,), optional
        Weights on `terms` of the reported estimate; default picks arm x time.
    df_method : "satterthwaite" or "kenward-roger"
        Small-sample degrees of freedom; Kenward-Roger also widens the standard error, for the variances are estimated.
    information : "observed" or "expected", optional
        The information on the variances inside both: observed as lmerTest and SAS, expected as pbkrtest. Default:
        observed for Satterthwaite and expected for Kenward-Roger.
    climb_first : bool
        Start with the boundary algorithm instead of scoring; same maximum, slower. For checks.

    Returns
    -------
    RandomSlopeFits

    Raises
    ------
    ValueError
        Shapes that do not fit together, missing covariates or times, a negative arm other than -1, or an unknown method.
    """
    if df_method not in ("satterthwaite", "kenward-roger") or information not in ("observed", "expected", None):
        raise ValueError(f"df_method {df_method!r} with information {information!r} is not known; see the docstring for the choices.")
    used = information or ("expected" if df_method == "kenward-roger" else "observed")
    scores = np.ascontiguousarray(y if np.ndim(y) == 3 else np.asarray(y)[None], dtype=np.float64)
    replicates, people, visits = scores.shape
    months = _times(times, scores.shape)
    z, keep, row, terms = _design(arm, covariates, covariate_names, arm_main_effect, replicates, people)
    weights = np.zeros(len(terms)) if contrast is None else np.asarray(contrast, dtype=np.float64)
    if weights.shape != (len(terms),):
        raise ValueError(f"contrast needs one weight per term {terms}; got {weights.size}. Give {len(terms)} weights.")
    if contrast is None:
        weights[terms.index("slope:arm")] = 1.0
    p = len(terms)
    coefficients, covariance = np.full((replicates, p), np.nan), np.full((replicates, p, p), np.nan)
    numbers, counts = np.full((replicates, 8), np.nan), np.zeros((replicates, 4), dtype=np.int64)
    shared = months.shape[1] == 1 and visits <= 64
    kernel.fit_batch(
        scores, months, z, keep, row, weights, shared, used == "observed", df_method == "kenward-roger", climb_first,
        coefficients, covariance, numbers, counts,
    )  # fmt: skip
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = numbers[:, 0] / numbers[:, 1]
        p_value = 2.0 * stdtr(numbers[:, 2], -np.abs(statistic))
    return RandomSlopeFits(
        estimate=numbers[:, 0],
        standard_error=numbers[:, 1],
        df=numbers[:, 2],
        statistic=statistic,
        p_value=p_value,
        coefficients=coefficients,
        covariance=covariance,
        variances=numbers[:, 3:7],
        log_likelihood=numbers[:, 7],
        status=counts[:, 0],
        iterations=counts[:, 1],
        participants=counts[:, 2],
        observations=counts[:, 3],
        terms=terms,
        information=used,
        df_method=df_method,
    )


def _times(times: Floats, shape: tuple[int, ...]) -> Floats:
    """Times as (1 or R, 1 or n, V), checked against the scores."""
    given = np.asarray(times, dtype=np.float64)
    wanted = {1: shape[2:], 2: shape[1:], 3: shape}.get(given.ndim)
    if given.shape != wanted:
        raise ValueError(f"times has shape {given.shape}; scores of shape (R, n, V) = {shape} need (V,), (n, V) or (R, n, V).")
    if not np.isfinite(given).all():
        raise ValueError("times holds a missing or infinite value. Mark an absent score by NaN in y, not in times.")
    return np.ascontiguousarray(given.reshape((1,) * (3 - given.ndim) + given.shape))


def _design(
    arm: npt.ArrayLike, covariates: Any, names: tuple[str, ...], main_effect: bool, replicates: int, people: int
) -> tuple[Floats, npt.NDArray[np.bool_], Integers, tuple[str, ...]]:
    """Baseline covariate of each coefficient (1 or R, n, p), who is in, whether it belongs to level or slope, and the names."""
    dose = np.atleast_2d(np.asarray(arm, dtype=np.float64))
    extra = np.zeros((1, people, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    extra = extra[None] if extra.ndim == 2 else extra
    for label, given, wanted in (("arm", dose.shape, (people,)), ("covariates", extra.shape[:-1], (people,))):
        if given[1:] != wanted or given[0] not in (1, replicates):
            raise ValueError(f"{label} covers {given}; expected {people} participants in 1 or {replicates} replicates.")
    keep = np.ascontiguousarray(dose != -1.0)
    if (dose[keep] < 0).any():
        raise ValueError("arm must be 0 (control), 1 (active), a positive dose, or -1 to leave a participant out.")
    if not (np.isfinite(dose).all() and np.isfinite(extra).all()):
        raise ValueError("arm or covariates hold missing values. Impute first (pooled mean and an indicator under randomisation).")
    labels = names or tuple(f"covariate_{j + 1}" for j in range(extra.shape[2]))
    if len(labels) != extra.shape[2]:
        raise ValueError(f"{len(labels)} covariate names for {extra.shape[2]} covariates. Give one name per column.")
    size = max(dose.shape[0], extra.shape[0])
    one = np.ones((size, people, 1))
    arms = np.broadcast_to(dose[:, :, None], (size, people, 1))
    others = np.broadcast_to(extra, (size, people, extra.shape[2]))
    level = [one, arms, others] if main_effect else [one, others]
    z = np.concatenate([*level, one, arms, others], axis=2)
    level_terms = ("intercept", *(("arm",) if main_effect else ()), *labels)
    terms = (*level_terms, "slope", "slope:arm", *(f"slope:{label}" for label in labels))
    row = np.repeat(np.array([0, 1]), [len(level_terms), len(terms) - len(level_terms)])
    return np.ascontiguousarray(z), keep, row, terms
