"""Responders: who is alive and has not declined too far at a visit, and the comparison of their shares.

The difference of two proportions with a named interval and test: Wald; Newcombe's hybrid of Wilson's limits (Stat Med
1998;17:873, method 10) with the pooled z test; Miettinen & Nurminen's score (Stat Med 1985;4:213); Fisher's exact test. Or logistic
regression with covariates, whose estimate is a log odds ratio.
"""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, gammaln, ndtr, ndtri

from alsmodel.estimators._inputs import arms_of, design, scores_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Method = Literal["newcombe", "miettinen-nurminen", "wald", "fisher", "logistic"]

METHODS = ("newcombe", "miettinen-nurminen", "wald", "fisher", "logistic")
OK, NO_FINITE_ESTIMATE, NOT_ESTIMABLE = 0, 2, 3
STATUS = {OK: "ok", NO_FINITE_ESTIMATE: "no finite odds ratio", NOT_ESTIMABLE: "not estimable"}
_FARTHEST = 15.0  # a log odds ratio beyond this is separation: the likelihood has no maximum


@final
@dataclass(frozen=True, kw_only=True)
class ResponderFits:
    """One comparison per replicate; arrays have shape (R,).

    Attributes
    ----------
    estimate, standard_error : array
        Active minus control share and its unpooled Wald SE; by "logistic" the log odds ratio and its SE.
    low, high : array
        Confidence limits at the level asked for, by the method ("fisher": Newcombe's).
    statistic, p_value : array
        z of the method's test and its two-sided p value; "fisher": no z, exact p.
    df : array
        Infinite: normal reference.
    control_share, active_share : array
    participants : array of int
        Analysed.
    status : array of int
        Key into `STATUS`; both other than "ok" are failures. "not estimable": an arm without participants, or Wald with
        shares that are all 0 or 1.
    method : str
    """

    estimate: Floats
    standard_error: Floats
    low: Floats
    high: Floats
    statistic: Floats
    p_value: Floats
    df: Floats
    control_share: Floats
    active_share: Floats
    participants: Integers
    status: Integers
    method: Method

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """True where there is no result; counted, never dropped."""
        return np.asarray(self.status != OK)


def responders(
    scores: npt.ArrayLike,
    *,
    visit: int = -1,
    baseline: int = 0,
    decline_below: float | None = None,
    at_least: float | None = None,
    dead_by_visit: npt.ArrayLike | None = None,
    missing: Literal["non-responder", "left out"] = "non-responder",
) -> Floats:
    """Say who responds: 1, 0, or NaN for who is not analysed.

    Parameters
    ----------
    scores : array, shape (R, n, V) or (n, V)
        NaN where not observed.
    visit, baseline : int
        Positions of the visits.
    decline_below : float, optional
        Responder: has lost fewer points than this since baseline.
    at_least : float, optional
        Responder: score at the visit is at least this. With both, both must hold.
    dead_by_visit : array of bool, shape (R, n) or (n,), optional
        The dead do not respond, whatever was scored before.
    missing : "non-responder" or "left out"
        What becomes of the living without a score at the visit. Without a baseline score nobody is analysed for a decline.

    Returns
    -------
    array, shape (R, n)

    Raises
    ------
    ValueError
        No rule given, or shapes that do not fit.

    Examples
    --------
    >>> responders([[40.0, 37.0], [41.0, 30.0], [38.0, float("nan")]], decline_below=6).tolist()
    [[1.0, 0.0, 0.0]]
    """
    y = scores_of(scores)
    if decline_below is None and at_least is None:
        raise ValueError("Give decline_below, at_least, or both: what makes a responder?")
    if missing not in ("non-responder", "left out"):
        raise ValueError(f"missing must be non-responder or left out; got {missing!r}.")
    before, after = y[:, :, baseline], y[:, :, visit]
    met = np.ones(after.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        if decline_below is not None:
            met &= before - after < decline_below
        if at_least is not None:
            met &= after >= at_least
    out = np.where(np.isnan(after), 0.0 if missing == "non-responder" else np.nan, met.astype(np.float64))
    if dead_by_visit is not None:
        dead = np.asarray(dead_by_visit, dtype=bool)
        if dead.shape not in (out.shape, out.shape[1:]):
            raise ValueError(f"dead_by_visit has shape {dead.shape}; expected {out.shape} or {out.shape[1:]}.")
        out = np.where(dead, 0.0, out)
    return np.where(np.isnan(before), np.nan, out) if decline_below is not None else out


def fit_responder(
    outcome: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    method: Method = "newcombe",
    covariates: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> ResponderFits:
    """Compare the shares of responders of two arms in every replicate.

    Parameters
    ----------
    outcome : array, shape (R, n) or (n,)
        1, 0, or NaN for who is not analysed; see `responders`.
    arm : array of int, shape (n,) or (R, n)
        0 control, 1 active, -1 to leave the participant out.
    method : str
        "newcombe", "miettinen-nurminen", "wald", "fisher" or "logistic".
    covariates, strata : arrays, optional
        For "logistic" only.
    level : float
        Of the interval.

    Returns
    -------
    ResponderFits

    Raises
    ------
    ValueError
        An unknown method, covariates for a method that has none, outcomes other than 0, 1 and NaN, or an arm above 1.

    Examples
    --------
    >>> import numpy as np
    >>> fit = fit_responder(np.r_[np.ones(48), np.zeros(32), np.ones(56), np.zeros(14)], np.repeat([0, 1], [80, 70]))
    >>> float(fit.estimate[0].round(3)), float(fit.low[0].round(4)), float(fit.high[0].round(4))
    (0.2, 0.0524, 0.3339)
    """
    values = np.atleast_2d(np.asarray(outcome, dtype=np.float64))
    codes = arms_of(arm, *values.shape)
    known = values[~np.isnan(values)]
    if not np.isin(known, (0.0, 1.0)).all():
        raise ValueError("outcome must be 1 (responder), 0, or NaN (not analysed).")
    if codes.max(initial=0) > 1:
        raise ValueError("Shares are compared for two arms. Compare more arms pair by pair, with -1 for the others.")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}.")
    if method != "logistic" and (covariates is not None or strata is not None):
        raise ValueError(f"{method} takes no covariates or strata; logistic does.")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie between 0 and 1; got {level}.")
    keep = ~np.isnan(values) & (codes >= 0)
    totals = np.stack([(keep & (codes == a)).sum(axis=1) for a in (0, 1)]).astype(np.float64)
    hits = np.stack([(keep & (codes == a) & (values == 1.0)).sum(axis=1) for a in (0, 1)]).astype(np.float64)
    there = (totals > 0).all(axis=0)
    n, x = np.where(there, totals, 1.0), np.where(there, hits, 0.0)
    z = float(ndtri(0.5 + level / 2.0))
    share = x / n
    if method == "logistic":
        fits = _logistic(np.nan_to_num(values), codes, keep, covariates, strata)
        estimate, error, status = fits
        with np.errstate(invalid="ignore"):
            statistic = estimate / error
        low, high, p = estimate - z * error, estimate + z * error, 2.0 * ndtr(-np.abs(statistic))
    else:
        estimate, error = share[1] - share[0], np.sqrt((share * (1.0 - share) / n).sum(axis=0))
        low, high, statistic, p = _difference(method, x, n, estimate, error, z)
        # Wald's interval has no width when both shares are 0 or 1: that is no result.
        status = np.where((method == "wald") & (error == 0.0), NOT_ESTIMABLE, OK)
    status = np.where(there, status, NOT_ESTIMABLE)
    fine = status == OK
    numbers = [np.where(fine, v, np.nan) for v in (estimate, error, low, high, statistic, p)]
    return ResponderFits(
        estimate=numbers[0],
        standard_error=numbers[1],
        low=numbers[2],
        high=numbers[3],
        statistic=numbers[4],
        p_value=numbers[5],
        df=np.full(fine.shape, np.inf),
        control_share=np.where(there, share[0], np.nan),
        active_share=np.where(there, share[1], np.nan),
        participants=keep.sum(axis=1),
        status=status,
        method=method,
    )


def _difference(method: Method, x: Floats, n: Floats, estimate: Floats, error: Floats, z: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Limits, z and p of a difference of shares; x and n are (2, R)."""
    pooled = x.sum(axis=0) / n.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        test = np.nan_to_num(estimate / np.sqrt(pooled * (1.0 - pooled) * (1.0 / n).sum(axis=0)))
        if method == "wald":
            test = estimate / error
    if method == "miettinen-nurminen":
        total = n.sum(axis=0)
        test = test * np.sqrt((total - 1.0) / total)
        return *_score_limits(x, n, estimate, z), test, 2.0 * ndtr(-np.abs(test))
    if method == "wald":
        return estimate - z * error, estimate + z * error, test, 2.0 * ndtr(-np.abs(test))
    low, high = _newcombe(x, n, estimate, z)
    if method == "fisher":
        return low, high, np.full(test.shape, np.nan), fisher_p(x, n)
    return low, high, test, 2.0 * ndtr(-np.abs(test))


def _newcombe(x: Floats, n: Floats, estimate: Floats, z: float) -> tuple[Floats, Floats]:
    """Limits from Wilson's limits (l, u) of each share: d - sqrt((p1 - l1)² + (u0 - p0)²), d + sqrt((u1 - p1)² + (p0 - l0)²)."""
    p = x / n
    centre, half = (p + z * z / (2 * n)) / (1 + z * z / n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low, high = centre - half, centre + half
    down = np.sqrt((p[1] - low[1]) ** 2 + (high[0] - p[0]) ** 2)
    up = np.sqrt((high[1] - p[1]) ** 2 + (p[0] - low[0]) ** 2)
    return estimate - down, estimate + up


def restricted_shares(x: Floats, n: Floats, difference: Floats) -> tuple[Floats, Floats]:
    """Shares of both arms that are likeliest when they differ by `difference`, in closed form (Miettinen & Nurminen 1985)."""
    total, hits, d = n.sum(axis=0), x.sum(axis=0), difference
    l2 = (n[1] + 2 * n[0]) * d - total - hits
    l1 = (n[0] * d - total - 2 * x[0]) * d + hits
    l0 = x[0] * d * (1 - d)
    q = l2**3 / (3 * total) ** 3 - l1 * l2 / (6 * total**2) + l0 / (2 * total)
    p = np.where(q >= 0, 1.0, -1.0) * np.sqrt(np.maximum(l2**2 / (3 * total) ** 2 - l1 / (3 * total), 0.0))
    cube = np.where(p == 0.0, 1.0, p**3)
    angle = (np.pi + np.arccos(np.clip(q / cube, -1.0, 1.0))) / 3
    control = np.clip(2 * p * np.cos(angle) - l2 / (3 * total), 0.0, 1.0)
    return control, np.clip(control + d, 0.0, 1.0)


def _score_limits(x: Floats, n: Floats, estimate: Floats, z: float) -> tuple[Floats, Floats]:
    """Differences at which the score statistic is ± z, by bisection."""
    total = n.sum(axis=0)

    def statistic(d: Floats) -> Floats:
        control, active = restricted_shares(x, n, d)
        variance = (control * (1 - control) / n[0] + active * (1 - active) / n[1]) * total / (total - 1.0)
        gap = estimate - d
        return np.where(gap == 0.0, 0.0, gap / np.sqrt(np.maximum(variance, 1e-300)))

    limits = []
    for sign in (1.0, -1.0):
        inner, outer = estimate.copy(), np.full(estimate.shape, -sign)
        for _ in range(60):
            middle = 0.5 * (inner + outer)
            inside = sign * statistic(middle) < z
            inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)
        limits.append(0.5 * (inner + outer))
    return limits[0], limits[1]


def fisher_p(x: Floats, n: Floats) -> Floats:
    """Two-sided p value of Fisher's exact test: all tables no likelier than the one seen; x and n are (2, R)."""
    tables, back = np.unique(np.stack([x[0], x[1], n[0], n[1]]), axis=1, return_inverse=True)
    p = np.empty(tables.shape[1])
    for j, (x0, x1, n0, n1) in enumerate(tables.T):
        hits = x0 + x1
        k = np.arange(max(0.0, hits - n0), min(hits, n1) + 1.0)
        log_pmf = _log_choose(n1, k) + _log_choose(n0, hits - k) - _log_choose(n0 + n1, np.array([hits]))
        pmf = np.exp(log_pmf)
        # Ties in exact arithmetic differ by rounding here: R's tolerance.
        p[j] = pmf[pmf <= pmf[int(x1 - k[0])] * (1 + 1e-7)].sum()
    return np.minimum(p, 1.0)[back.ravel()]


def _log_choose(n: float, k: Floats) -> Floats:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def _logistic(
    y: Floats, codes: Integers, keep: npt.NDArray[np.bool_], covariates: npt.ArrayLike | None, strata: npt.ArrayLike | None
) -> tuple[Floats, Floats, Integers]:
    """Log odds ratio of the active arm by Newton's method in all replicates at once, its SE, and the status."""
    x, _, _ = design(codes, keep, covariates, strata)
    x = np.where(keep[..., None], x, 0.0)
    replicates, _, p = x.shape
    empty = (x != 0.0).sum(axis=1) == 0
    ridge = np.zeros((replicates, p, p))
    ridge[:, np.arange(p), np.arange(p)] = np.where(empty, 1.0, 0.0)
    beta, going = np.zeros((replicates, p)), np.ones(replicates, dtype=bool)
    bad = empty[:, 1].copy()
    information = np.broadcast_to(np.eye(p), (replicates, p, p)).copy()
    for _ in range(40):
        share = expit(np.einsum("rna,ra->rn", x, beta))
        score = np.einsum("rna,rn->ra", x, np.where(keep, y - share, 0.0))
        information = np.swapaxes(x, 1, 2) @ (x * (share * (1.0 - share))[..., None]) + ridge
        scale = np.sqrt(np.maximum(np.einsum("raa->ra", information), 1e-300))
        scaled = information / (scale[:, :, None] * scale[:, None, :])
        bad |= ~(np.linalg.eigvalsh(scaled)[:, 0] > 1e-10) | (np.abs(beta) > _FARTHEST * 10).any(axis=1)
        scaled[bad] = np.eye(p)
        step = np.linalg.solve(scaled, (score / scale)[..., None])[..., 0] / scale
        step = np.clip(step, -5.0, 5.0)
        step[bad | ~going] = 0.0
        beta = beta + step
        going &= np.abs(step).max(axis=1) > 1e-10
        if not going.any():
            break
    information[bad] = np.eye(p)
    error = np.sqrt(np.linalg.inv(information)[:, 1, 1])
    lost = bad | going | (np.abs(beta[:, 1]) > _FARTHEST)
    return beta[:, 1], error, np.where(lost, NO_FINITE_ESTIMATE, OK)
