"""What conditional-mean and multiple imputation of scores share: the model of the visits, strategies for those who left, Rubin's rules.

The model is the MMRM with an unstructured covariance and a coefficient per visit of everything: scores of a participant with row
c (one, active arm, baseline, covariates) have mean c' B and covariance Sigma. Strategies change the mean alone (Carpenter, Roger &
Kenward, J Biopharm Stat 2013;23:1352, doi:10.1080/10543406.2013.834911). Nothing is imputed at a visit where a participant is dead.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, final

import numpy as np
import numpy.typing as npt

from alsmodel.estimators.mmrm import MmrmFits, fit_mmrm

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Strategy = Literal["missing at random", "jump to reference", "copy reference", "copy increments"]

STRATEGIES = ("missing at random", "jump to reference", "copy reference", "copy increments")
ROUNDS = 4  # of resampling: a resample that cannot be fitted is drawn anew


@final
@dataclass(frozen=True, kw_only=True)
class Visits:
    """One trial as the imputation model sees it.

    Attributes
    ----------
    scores : array, shape (n, V)
        After baseline; NaN where not observed.
    design : array, shape (n, q)
        One, active arm, baseline, covariates.
    alive : array of bool, shape (n, V)
        Where a score may be imputed; false from death on.
    """

    scores: Floats
    design: Floats
    alive: Bools

    @property
    def arm(self) -> Integers:
        """0 control, 1 active."""
        return self.design[:, 1].astype(np.int64)

    def fit(self, scores: Floats, arm: Integers, rows: Integers | None = None) -> MmrmFits:
        """The MMRM of L data sets (L, n, V); `rows` (L, n) names whose covariates each row has."""
        columns = self.design[:, 2:] if rows is None else self.design[rows][:, :, 2:]
        return fit_mmrm(scores, arm, covariates=np.ascontiguousarray(columns), covariate_by_visit=True)


def parameters(fit: MmrmFits, visits: int) -> tuple[Floats, Floats]:
    """Coefficients (L, q, V) and covariance of the visits (L, V, V) of fits."""
    return fit.coefficients.reshape(len(fit.coefficients), -1, visits), fit.visit_covariance


def left(seen: Bools, alive: Bools) -> tuple[Integers, Bools]:
    """Last visit with a score of each participant (-1: none), and who was missed alive after it: shapes (n,)."""
    width = seen.shape[1]
    last = np.where(seen.any(axis=1), width - 1 - np.argmax(seen[:, ::-1], axis=1), -1)
    after = np.arange(width) > last[:, None]
    return last, (after & alive).any(axis=1)


def expected(beta: Floats, data: Visits, strategy: Strategy) -> Floats:
    """Mean scores (L, n, V) under a strategy before conditioning on what was seen."""
    own = data.design @ beta
    if strategy == "missing at random":
        return own
    last, leaver = left(~np.isnan(data.scores), data.alive)
    after = np.arange(own.shape[2]) > last[:, None]
    effect = np.broadcast_to(beta[:, None, 1, :], own.shape)
    kept = np.zeros(own.shape)
    if strategy != "copy reference":
        kept = np.where(after, 0.0, effect)
    if strategy == "copy increments":
        held = np.where(last >= 0, beta[:, 1, :][:, np.maximum(last, 0)], 0.0)
        kept = np.where(after, held[:, :, None], effect)
    affected = (leaver & (data.arm == 1))[:, None]
    return np.where(affected, own - effect + kept, own)


def fill(scores: Floats, mean: Floats, sigma: Floats, where: Bools, noise: Floats | None = None) -> Floats:
    """Impute L data sets from the normal distribution given what was seen.

    Parameters
    ----------
    scores : array, shape (n, V) or (L, n, V)
        NaN where not observed, in every set alike.
    mean, sigma : array, shape (L, n, V) and (L, V, V)
    where : array of bool, shape (n, V)
        Visits to fill, if they are missing.
    noise : array, shape (L, n, V), optional
        Standard normals; without them the conditional mean is imputed.
    """
    filled = np.broadcast_to(scores, mean.shape).copy()
    seen = ~np.isnan(filled[0])
    gaps = where & ~seen
    patterns, member = np.unique(np.concatenate([seen, gaps], axis=1), axis=0, return_inverse=True)
    width = seen.shape[1]
    for g, pattern in enumerate(patterns):
        o, m = np.flatnonzero(pattern[:width]), np.flatnonzero(pattern[width:])
        if not m.size:
            continue
        who = np.flatnonzero(member.ravel() == g)
        value, spread = mean[:, who[:, None], m], sigma[:, m[:, None], m]
        if o.size:
            weight = np.linalg.solve(sigma[:, o[:, None], o], sigma[:, o[:, None], m])
            value = value + (filled[:, who[:, None], o] - mean[:, who[:, None], o]) @ weight
            spread = spread - sigma[:, m[:, None], o] @ weight
        if noise is not None:
            value = value + noise[:, who[:, None], m] @ np.swapaxes(np.linalg.cholesky(spread), 1, 2)
        filled[:, who[:, None], m] = value
    return filled


def generator(seed: int, *arrays: npt.NDArray[Any]) -> np.random.Generator:
    """A stream that depends on the data of one trial and the seed alone, not on its place in a batch."""
    digest = blake2b(digest_size=16)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return np.random.default_rng([seed, int.from_bytes(digest.digest(), "big")])


def draws(data: Visits, size: int, rng: np.random.Generator) -> tuple[Floats, Floats] | None:
    """Parameters of the model as if drawn from their posterior: REML fits of participants resampled within arms.

    Little & Rubin, Statistical Analysis with Missing Data, 2002, section 10.2.3. None if too many resamples cannot be fitted.
    """
    arms = [np.flatnonzero(data.arm == a) for a in (0, 1)]
    beta, sigma, width = [], [], data.scores.shape[1]
    for _ in range(ROUNDS):
        rows = np.concatenate([rng.choice(people, (size, people.size)) for people in arms], axis=1)
        fit = data.fit(data.scores[rows], data.arm[rows], rows)
        found = parameters(fit, width)
        beta.append(found[0][~fit.failed])
        sigma.append(found[1][~fit.failed])
        if sum(map(len, beta)) >= size:
            return np.concatenate(beta)[:size], np.concatenate(sigma)[:size]
    return None


def imputed(data: Visits, strategy: Strategy, size: int, rng: np.random.Generator) -> Floats | None:
    """Imputed scores of `size` data sets (size, n, V), NaN where a participant is dead; None without a model."""
    found = draws(data, size, rng)
    if found is None:
        return None
    mean = expected(found[0], data, strategy)
    return fill(data.scores, mean, found[1], data.alive, rng.standard_normal(mean.shape))


def rubin(estimate: Floats, variance: Floats, complete_df: float) -> tuple[float, float, float]:
    """Estimate, standard error and degrees of freedom of M imputed analyses.

    .. math:: T = \\bar W + (1 + 1/M) B

    Rubin, Multiple Imputation for Nonresponse in Surveys, 1987; degrees of freedom of Barnard & Rubin, Biometrika 1999;86:948,
    doi:10.1093/biomet/86.4.948.
    """
    m, within = estimate.size, float(variance.mean())
    between = float(estimate.var(ddof=1))
    total = within + (1 + 1 / m) * between
    share = (1 + 1 / m) * between / total
    observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share) if np.isfinite(complete_df) else np.inf
    old = (m - 1) / share**2 if share > 0 else np.inf
    return float(estimate.mean()), float(np.sqrt(total)), float(1 / (1 / old + 1 / observed)) if min(old, observed) < np.inf else np.inf
