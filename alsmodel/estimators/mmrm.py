"""Mixed model for repeated measures (MMRM) by REML: the usual analysis of scores at scheduled visits.

.. math::

    y_{it} = \\mu_t + \\delta_{a(i)t} + x_i'\\gamma_t + e_{it},\\quad (e_{i1}, \\dots, e_{iT}) \\sim N(0, \\Sigma)

with one mean per arm and visit and a covariance of the visits that is unstructured, Toeplitz, compound symmetric or AR(1).
Jennrich & Schluchter, Biometrics 1986;42:805 (the model, doi:10.2307/2530695); Kenward & Roger, Biometrics 1997;53:983
(standard error and degrees of freedom, doi:10.2307/2533558); Liang & Zeger, Sankhya B 2000;62:134 (constrained longitudinal
data analysis). Each formula is derived in ``docs/methods/mmrm.md``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from alsmodel.estimators import _mmrm_batch as kernel
from alsmodel.estimators._mmrm_search import NO_SCORES, NOT_CONVERGED, NOT_ESTIMABLE, OK, TOO_FEW
from alsmodel.estimators._mmrm_structure import AR1, COMPOUND_SYMMETRY, TOEPLITZ, UNSTRUCTURED

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Covariance = Literal["unstructured", "ar1", "compound symmetry", "toeplitz"]
DfMethod = Literal["kenward-roger", "satterthwaite"]
Information = Literal["observed", "expected"]

STRUCTURES: dict[str, int] = {
    "unstructured": UNSTRUCTURED,
    "ar1": AR1,
    "compound symmetry": COMPOUND_SYMMETRY,
    "toeplitz": TOEPLITZ,
}
STATUS = {
    OK: "ok",
    NOT_CONVERGED: "not converged",
    NOT_ESTIMABLE: "not estimable",
    NO_SCORES: "no scores of an arm at a visit",
    TOO_FEW: "too few participants",
}
MOST_VISITS = 40


@dataclass(frozen=True, kw_only=True)
class VisitTable:
    """One quantity per arm and visit.

    Attributes
    ----------
    arms : tuple of int
        Arms of the second axis.
    estimate, standard_error, df, lower, upper, p_value : array, shape (R, arms, V)
        Points; two-sided 95% limits and p value from the t distribution.
    """

    arms: tuple[int, ...]
    estimate: Floats
    standard_error: Floats
    df: Floats
    lower: Floats
    upper: Floats
    p_value: Floats


@dataclass(frozen=True, kw_only=True)
class MmrmFits:
    """One MMRM fit per replicate; arrays have the replicate first, and NaN where the fit failed.

    Attributes
    ----------
    estimate, standard_error, df, statistic, p_value : array, shape (R,)
        The contrast (by default arm 1 - control at the last visit, points), its standard error (adjusted as Kenward and
        Roger do under "kenward-roger"), degrees of freedom, estimate / SE, and the two-sided p value.
    unadjusted_standard_error : array, shape (R,)
        From :math:`(X'V^{-1}X)^{-1}`; the same as `standard_error` under "satterthwaite".
    coefficients, covariance : array, shape (R, p) and (R, p, p)
        Fixed effects in the order of `terms`, and their model-based covariance.
    visit_covariance : array, shape (R, T, T)
        Fitted covariance of the scores at two visits (points²); with `constrained_baseline` the baseline is the first of T.
    log_likelihood : array, shape (R,)
        Restricted log likelihood, constants as in R's mmrm and SAS.
    status : array of int, shape (R,)
        Key into `STATUS`; anything but "ok" is a failure.
    iterations, participants, observations : array of int, shape (R,)
        Evaluations of the likelihood; participants with a score; scores.
    means, differences : VisitTable or None
        With `by_visit`: mean of each arm at each visit for covariates at their mean over participants, and each
        arm - control.
    terms : tuple of str
        Names of the coefficients.
    covariance_structure, df_method, information : str
        How the fit was made.
    """

    estimate: Floats
    standard_error: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    unadjusted_standard_error: Floats
    coefficients: Floats
    covariance: Floats
    visit_covariance: Floats
    log_likelihood: Floats
    status: Integers
    iterations: Integers
    participants: Integers
    observations: Integers
    means: VisitTable | None
    differences: VisitTable | None
    terms: tuple[str, ...]
    covariance_structure: Covariance
    df_method: DfMethod
    information: Information

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """True where there is no result."""
        return np.asarray(self.status != OK)


def fit_mmrm(
    scores: Floats,
    arm: npt.ArrayLike,
    *,
    baseline: npt.ArrayLike | None = None,
    baseline_by_visit: bool = True,
    covariates: npt.ArrayLike | None = None,
    covariate_by_visit: bool | Sequence[bool] = False,
    covariate_names: Sequence[str] = (),
    covariance: Covariance = "unstructured",
    df_method: DfMethod = "kenward-roger",
    information: Information = "observed",
    visit: int | Sequence[float] = -1,
    contrast: int | Sequence[float] | None = None,
    constrained_baseline: bool = False,
    by_visit: bool = False,
    em_first: int = 0,
) -> MmrmFits:
    """Fit the MMRM to every replicate.

    Parameters
    ----------
    scores : array, shape (R, n, V) or (n, V)
        Scores, or changes from baseline, at the scheduled visits after baseline, in points; NaN where not observed.
    arm : array of int, shape (n,) or (R, n)
        0 control, 1, 2, ... active arms; -1 leaves a participant out.
    baseline : array, shape (n,) or (R, n), optional
        Baseline score. A covariate, or with `constrained_baseline` an outcome (NaN allowed only then).
    baseline_by_visit : bool
        One baseline coefficient per visit, or one for all visits.
    covariates : array, shape (n, c) or (R, n, c), optional
        Further baseline covariates; categories as indicators. No missing values.
    covariate_by_visit : bool or one per covariate
        A coefficient per visit (True) or one for all visits (False).
    covariate_names : sequence of str
        Names of the c covariates, for `MmrmFits.terms`.
    covariance : "unstructured", "toeplitz", "compound symmetry" or "ar1"
        Covariance of the visits. AR(1) and Toeplitz count visits, not days: they suit equally spaced visits.
    df_method : "kenward-roger" or "satterthwaite"
        Both give one contrast the same degrees of freedom; Kenward-Roger also adjusts the standard error.
    information : "observed" or "expected"
        Information on the covariance parameters inside them: observed as SAS and R's mmrm, expected as pbkrtest.
    visit : int, or V weights
        Visit of the estimate (counted from 0, -1 the last), or weights of a mean over visits.
    contrast : int, or one weight per arm, optional
        Arm compared with control (default 1), or weights on the means of the arms that sum to zero.
    constrained_baseline : bool
        Constrained longitudinal data analysis: the baseline is an outcome with one mean for all arms.
    by_visit : bool
        Also fill `means` and `differences`. Costs about as much again as the fit.
    em_first : int
        Steps of EM-REML before scoring (unstructured): same maximum, slower. For checks.

    Returns
    -------
    MmrmFits

    Raises
    ------
    ValueError
        Shapes that do not fit together, missing covariates, or unknown options; all faults in one message.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> arm = np.arange(40) % 2
    >>> y = rng.normal(0, 1, (40, 1)) + rng.normal(0, 1, (40, 3)) + arm[:, None]
    >>> fit = fit_mmrm(y, arm)
    >>> fit.terms[:4]
    ('visit_1', 'visit_2', 'visit_3', 'arm_1:visit_1')
    >>> round(float(fit.df[0]), 6)  # complete data: n - 2 arms
    38.0
    """
    y = np.array(scores if np.ndim(scores) == 3 else np.asarray(scores)[None], dtype=np.float64, order="C")
    replicates, people, visits = y.shape
    groups = np.atleast_2d(np.asarray(arm))
    extra, first = _given(covariates, 3), _given(baseline, 2)
    _check(y, groups, extra, first, constrained_baseline, covariance, df_method, information, covariate_by_visit, covariate_names)
    groups = np.ascontiguousarray(groups, dtype=np.int64)
    arms = max(int(groups.max(initial=0)) + 1, 2)
    offset = 1 if constrained_baseline else 0
    by = _flags(covariate_by_visit, extra)
    labels = tuple(covariate_names) or tuple(f"covariate_{j + 1}" for j in range(len(by)))
    if first is not None and constrained_baseline:
        y = np.concatenate([np.broadcast_to(first[:, :, None], (replicates, people, 1)), y], axis=2)
    elif first is not None:
        extra, by, labels = _beside(first, extra, people), (baseline_by_visit, *by), ("baseline", *labels)
    others = np.zeros((1, people, 0)) if extra is None else np.ascontiguousarray(extra)
    effect, terms = _effects(visits, offset, arms, by, labels)
    weights = _contrasts(effect, visits, offset, arms, len(terms), visit, contrast, by_visit)
    structure, q, p, width = STRUCTURES[covariance], effect.shape[1], len(terms), visits + offset
    *space, place = kernel.workspace(people, effect, arms, p, structure)  # fresh for every call: calls may share a process
    shapes = ((p,), (p, p), (width, width), (len(weights), 4), (width + q,), (q,), ())
    out = (*(np.full((replicates, *shape), np.nan) for shape in shapes), np.zeros((replicates, 4), dtype=np.int64))
    adjust = df_method == "kenward-roger"
    observed = information == "observed"
    kernel.fit_batch(y, groups, others, effect, place, weights, structure, observed, adjust, em_first, tuple(space), out)
    beta, phi, sigma, numbers, centre, scale, likelihood, counts = out
    beta, phi, likelihood = _restore(beta, phi, likelihood, centre, scale, effect, arms)
    variance = numbers[:, :, 2 if adjust else 1]
    with np.errstate(invalid="ignore"):
        error = np.sqrt(variance)
        statistic = numbers[:, 0, 0] / error[:, 0]
    means = differences = None
    if by_visit:
        cells = (replicates, arms, visits)
        rest = [a[:, 1 : 1 + arms * visits].reshape(cells) for a in (numbers[:, :, 0], error, numbers[:, :, 3])]
        means = _table(tuple(range(arms)), rest[0] + centre[:, None, offset:width], rest[1], rest[2])
        cells = (replicates, arms - 1, visits)
        rest = [a[:, 1 + arms * visits :].reshape(cells) for a in (numbers[:, :, 0], error, numbers[:, :, 3])]
        differences = _table(tuple(range(1, arms)), *rest)
    return MmrmFits(
        estimate=numbers[:, 0, 0],
        standard_error=error[:, 0],
        df=numbers[:, 0, 3],
        statistic=statistic,
        p_value=2.0 * stdtr(numbers[:, 0, 3], -np.abs(statistic)),
        unadjusted_standard_error=np.sqrt(numbers[:, 0, 1]),
        coefficients=beta,
        covariance=phi,
        visit_covariance=sigma,
        log_likelihood=likelihood,
        status=counts[:, 0],
        iterations=counts[:, 1],
        participants=counts[:, 2],
        observations=counts[:, 3],
        means=means,
        differences=differences,
        terms=terms,
        covariance_structure=covariance,
        df_method=df_method,
        information=information,
    )


def _given(values: npt.ArrayLike | None, axes: int) -> Floats | None:
    """As float array with the replicate first."""
    if values is None:
        return None
    array = np.asarray(values, dtype=np.float64)
    return array[None] if array.ndim == axes - 1 else array


def _flags(by: bool | Sequence[bool], extra: Floats | None) -> tuple[bool, ...]:
    size = 0 if extra is None else extra.shape[2]
    return (bool(by),) * size if isinstance(by, bool | np.bool_) else tuple(bool(b) for b in by)


def _beside(first: Floats, extra: Floats | None, people: int) -> Floats:
    """Baseline as the first covariate."""
    if extra is None:
        return first[:, :, None]
    size = max(len(first), len(extra))
    parts = [np.broadcast_to(a, (size, people, a.shape[2])) for a in (first[:, :, None], extra)]
    return np.concatenate(parts, axis=2)


def _effects(visits: int, offset: int, arms: int, by: tuple[bool, ...], labels: tuple[str, ...]) -> tuple[Integers, tuple[str, ...]]:
    """Number of the coefficient of each visit and covariate, -1 for none, and the names of the coefficients."""
    names = [*(["baseline"] if offset else []), *(f"visit_{t + 1}" for t in range(visits))]
    width = len(names)
    effect = np.full((width, arms + len(by)), -1, dtype=np.int64)
    effect[:, 0] = np.arange(width)
    terms = list(names)
    for a in range(1, arms):
        effect[offset:, a] = len(terms) + np.arange(visits)
        terms += [f"arm_{a}:{name}" for name in names[offset:]]
    for u, (each, label) in enumerate(zip(by, labels, strict=True), start=arms):
        effect[:, u] = len(terms) + (np.arange(width) if each else 0)
        terms += [f"{label}:{name}" for name in names] if each else [label]
    return effect, tuple(terms)


def _contrasts(
    effect: Integers, visits: int, offset: int, arms: int, p: int,
    visit: int | Sequence[float], contrast: int | Sequence[float] | None, by_visit: bool,
) -> Floats:  # fmt: skip
    """Weights on the coefficients (at centred covariates): the estimate, then means and differences by arm and visit."""
    if np.ndim(visit) == 0:
        if not -visits <= int(visit) < visits:  # type: ignore[arg-type]
            raise ValueError(f"visit is {visit}; there are {visits} visits after baseline, counted from 0. Give -1 for the last.")
        at = np.eye(visits)[int(visit)]  # type: ignore[arg-type]
    else:
        at = np.asarray(visit, dtype=np.float64)
    if contrast is None or np.ndim(contrast) == 0:
        chosen = 1 if contrast is None else int(contrast)  # type: ignore[arg-type]
        if not 1 <= chosen < arms:
            raise ValueError(f"contrast compares arm {chosen} with control; the active arms are 1 to {arms - 1}.")
        of = np.eye(arms)[chosen] - np.eye(arms)[0]
    else:
        of = np.asarray(contrast, dtype=np.float64)
    if at.shape != (visits,) or of.shape != (arms,) or abs(of.sum()) > 1e-9 or not np.isfinite(at).all():
        raise ValueError(
            f"visit needs {visits} weights and contrast {arms} weights that sum to zero (one per arm, control first); "
            f"got {at.size} and {of.size} with sum {of.sum():g}."
        )
    rows = np.zeros((1 + (2 * arms - 1) * visits if by_visit else 1, p))
    for t in range(visits):
        rows[0, effect[offset + t, 1:arms]] += at[t] * of[1:]
    if by_visit:
        for a in range(arms):
            for t in range(visits):
                mean = rows[1 + a * visits + t]
                mean[effect[offset + t, 0]] = 1.0
                if a > 0:
                    mean[effect[offset + t, a]] = 1.0
                    rows[1 + arms * visits + (a - 1) * visits + t, effect[offset + t, a]] = 1.0
    return rows


def _restore(
    beta: Floats, phi: Floats, likelihood: Floats, centre: Floats, scale: Floats, effect: Integers, arms: int
) -> tuple[Floats, Floats, Floats]:
    """Undo the centring by visit and the scaling of covariates, for coefficients, covariance and likelihood."""
    width, q = effect.shape
    beta = beta.copy()
    if q > arms:
        p = beta.shape[1]
        back = np.broadcast_to(np.eye(p), (len(beta), p, p)).copy()
        for u in range(arms, q):
            for a in np.unique(effect[:, u]):
                back[:, a, a] = 1.0 / scale[:, u]
                likelihood = likelihood - np.log(scale[:, u])
            back[:, effect[:, 0], effect[:, u]] -= (centre[:, width + u] / scale[:, u])[:, None]
        beta = np.einsum("rab,rb->ra", back, beta)
        phi = back @ phi @ back.transpose(0, 2, 1)
    beta[:, :width] += centre[:, :width]
    return beta, phi, likelihood


def _table(arms: tuple[int, ...], estimate: Floats, error: Floats, df: Floats) -> VisitTable:
    with np.errstate(invalid="ignore"):
        reach = stdtrit(df, 0.975) * error
        p_value = 2.0 * stdtr(df, -np.abs(estimate / error))
    return VisitTable(
        arms=arms, estimate=estimate, standard_error=error, df=df, lower=estimate - reach, upper=estimate + reach, p_value=p_value
    )


def _check(
    y: Floats, groups: npt.NDArray[np.generic], extra: Floats | None, first: Floats | None, constrained: bool,
    covariance: str, df_method: str, information: str, by: bool | Sequence[bool], names: Sequence[str],
) -> None:  # fmt: skip
    """Raise one ValueError with everything that is wrong."""
    replicates, people, visits = y.shape
    faults = []
    for option, value, allowed in (
        ("covariance", covariance, tuple(STRUCTURES)),
        ("df_method", df_method, ("kenward-roger", "satterthwaite")),
        ("information", information, ("observed", "expected")),
    ):
        if value not in allowed:
            faults.append(f"{option} is {value!r}; choose one of {', '.join(map(repr, allowed))}.")
    for label, array, axes in (("arm", groups, 2), ("baseline", first, 2), ("covariates", extra, 3)):
        if array is not None and (array.ndim != axes or array.shape[:2] not in ((1, people), (replicates, people))):
            faults.append(f"{label} has shape {array.shape}; expected {people} participants in 1 or {replicates} replicates.")
    if not np.issubdtype(groups.dtype, np.number) or not np.isin(groups, np.arange(-1, 100)).all():
        faults.append("arm must be whole numbers: 0 control, 1, 2, ... active, -1 to leave a participant out.")
    if np.isinf(y).any():
        faults.append("scores hold infinite values. Mark an absent score by NaN.")
    if visits > MOST_VISITS or visits < 1:
        faults.append(f"scores has {visits} visits; between 1 and {MOST_VISITS} can be fitted. Choose the visits to compare.")
    if constrained and first is None:
        faults.append("constrained_baseline makes the baseline an outcome, so baseline is needed.")
    bad = [
        label
        for label, a in (("covariates", extra), ("baseline", None if constrained else first))
        if a is not None and not np.isfinite(a).all()
    ]
    if bad:
        faults.append(f"{' and '.join(bad)} hold missing values. Impute first (pooled mean and an indicator under randomisation).")
    size = 0 if extra is None else extra.shape[-1]
    if not isinstance(by, bool | np.bool_) and len(by) != size:
        faults.append(f"covariate_by_visit has {len(by)} entries for {size} covariates. Give one per covariate, or one for all.")
    if names and len(names) != size:
        faults.append(f"{len(names)} covariate names for {size} covariates. Give one name per column.")
    if faults:
        raise ValueError(" ".join(faults))
