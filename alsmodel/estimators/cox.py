"""Cox regression of the arm, with covariates and strata, and three ways to test it.

.. math::

    h_{si}(t) = h_{0s}(t)\\,\\exp(\\beta\\,\\mathrm{arm}_i + \\gamma' x_i)

Cox, J R Stat Soc B 1972;34:187; ties by Efron, J Am Stat Assoc 1977;72:557; penalty by Firth, Biometrika 1993;80:27 and
Heinze & Schemper, Biometrics 2001;57:114. Formulas: ``docs/methods/survival_analyses.md``.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from alsmodel.estimators import _cox_kernel as kernel
from alsmodel.estimators._events import covariate_array, event_data

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
CoxTest = Literal["wald", "score", "likelihood ratio"]
CoxPenalty = Literal["none", "firth"]

STATUS = {
    kernel.OK: "ok",
    kernel.AT_LIMIT: "a covariate has no finite coefficient",
    kernel.NO_FINITE_ESTIMATE: "no finite hazard ratio",
    kernel.NOT_ESTIMABLE: "not estimable",
    kernel.NOT_CONVERGED: "not converged",
}
TESTS: tuple[CoxTest, ...] = ("wald", "score", "likelihood ratio")


@dataclass(frozen=True, kw_only=True)
class CoxFits:
    """One Cox regression per replicate; arrays have the replicate first.

    Attributes
    ----------
    estimate, standard_error : array, shape (R,)
        Log hazard ratio, active against control (negative: fewer events in the active arm), and its model-based SE.
    df : array
        Infinite: the reference is the normal distribution.
    statistic, p_value : array
        Z by `test`, with the sign of the effect, and its two-sided p value.
    coefficients : array, shape (R, p)
        Log hazard ratios in the order of `terms`.
    covariance : array, shape (R, p, p)
        Inverse information.
    log_likelihood : array
        Log partial likelihood; the penalised one with Firth.
    events, participants, iterations : array of int
    status : array of int
        Key into `STATUS`. "a covariate has no finite coefficient": that of the arm has, and it is given at the limit.
        "no finite hazard ratio": all events at times when both arms are at risk fall in one arm; then Wald has no
        result (a failure), while score and likelihood ratio still test. "not estimable": no event, or a constant or
        redundant column.
    terms : tuple of str
    test, penalty : str
    """

    estimate: Floats
    standard_error: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    coefficients: Floats
    covariance: Floats
    log_likelihood: Floats
    events: Integers
    participants: Integers
    iterations: Integers
    status: Integers
    terms: tuple[str, ...]
    test: CoxTest
    penalty: CoxPenalty

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """True where the test asked for has no result."""
        return np.asarray(~np.isfinite(self.p_value))


def fit_cox(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
    covariates: npt.ArrayLike | None = None,
    covariate_names: tuple[str, ...] = (),
    test: CoxTest = "wald",
    penalty: CoxPenalty = "none",
) -> CoxFits:
    """Estimate and test the hazard ratio of two arms in every replicate.

    Parameters
    ----------
    time : array, shape (R, n) or (n,)
        Months to the event or to censoring. Who is censored at the time of an event is at risk at it.
    event : array of 0 and 1, same shape
    arm : array of int, shape (n,) or (R, n)
        0 control, 1 active, -1 left out.
    strata : array of int, shape (n,) or (R, n), optional
        Each stratum, counted from 0, has a baseline hazard of its own.
    covariates : array, shape (n, p) or (R, n, p), optional
        No missing values, except for participants left out.
    covariate_names : tuple of str
        Names of the columns, for `CoxFits.terms`.
    test : "wald", "score" or "likelihood ratio"
        Wald is conservative with few events (figures in ``docs/methods/survival_analyses.md``); the other two are not.
    penalty : "none" or "firth"
        Firth's penalty keeps every coefficient finite, also when all events fall in one arm. Tested by Wald or
        likelihood ratio (penalised, under the null with the penalty of all coefficients).

    Returns
    -------
    CoxFits

    Raises
    ------
    ValueError
        Shapes that do not fit, missing or impossible values, or the score test asked for with Firth's penalty.

    Examples
    --------
    >>> fit = fit_cox([2.0, 4.0, 6.0, 8.0, 9.0, 9.0], [1, 1, 1, 1, 0, 0], [0, 1, 0, 0, 1, 1])
    >>> round(float(fit.estimate[0]), 3), round(float(fit.standard_error[0]), 3)
    (-1.394, 1.164)
    """
    if test not in TESTS or penalty not in ("none", "firth"):
        raise ValueError(f"test must be one of {TESTS} and penalty 'none' or 'firth'; got {test!r} and {penalty!r}.")
    if penalty == "firth" and test == "score":
        raise ValueError("The score test has no penalty. Use test='likelihood ratio' with penalty='firth', or penalty='none'.")
    data = event_data(time, event, arm, strata)
    x = covariate_array(covariates, data)
    names = covariate_names or tuple(f"covariate_{j + 1}" for j in range(x.shape[2]))
    if len(names) != x.shape[2]:
        raise ValueError(f"{len(names)} covariate names for {x.shape[2]} covariates. Give one name per column.")
    replicates, p = data.time.shape[0], x.shape[2] + 1
    coefficients, covariance = np.full((replicates, p), np.nan), np.full((replicates, p, p), np.nan)
    numbers, counts = np.full((replicates, 2), np.nan), np.zeros((replicates, 3), dtype=np.int64)
    if p == 1 and penalty == "none":
        alone = np.full((replicates, 4), np.nan)
        kernel.fit_arm_batch(
            data.time, data.order, data.event, data.arm, data.strata, data.levels, TESTS.index(test), alone, counts
        )  # fmt: skip
        coefficients[:, 0], covariance[:, 0, 0], numbers = alone[:, 0], alone[:, 1] ** 2, alone[:, 2:]
    else:
        kernel.fit_batch(
            data.time, data.order, data.event, data.arm, data.strata, x, data.levels, penalty == "firth", TESTS.index(test),
            coefficients, covariance, numbers, counts,
        )  # fmt: skip
    return CoxFits(
        estimate=coefficients[:, 0].copy(),
        standard_error=np.sqrt(covariance[:, 0, 0]),
        df=np.full(replicates, np.inf),
        statistic=numbers[:, 0],
        p_value=2.0 * ndtr(-np.abs(numbers[:, 0])),
        coefficients=coefficients,
        covariance=covariance,
        log_likelihood=numbers[:, 1],
        events=counts[:, 0],
        participants=data.participants,
        iterations=counts[:, 2],
        status=counts[:, 1],
        terms=("arm", *names),
        test=test,
        penalty=penalty,
    )
