r"""New participants drawn from a posterior of several outcomes: their lines, what would be recorded of them, and their hazard.

"New" means that the random effects come from the population. Everything is read by printed name, apart from the compiled density, so
that the two check each other. The hazard is exact: on a piece with constant baseline the log hazard is linear in time,

.. math:: \int_l^r e^{a + b u} du = e^{a + b l} (r - l) \frac{e^{b (r - l)} - 1}{b (r - l)}.
"""

import itertools
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from alsmodel.cohort.outcome_arrays import OutcomeData
from alsmodel.models.domain import DomainModel
from alsmodel.models.domain_parameters import effect_names

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST = 50.0  # log hazard at which it is held: nobody lives through it


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Lines:
    """Lines of P participants at D draws of the parameters.

    Attributes
    ----------
    line : array, shape (D, P, 2 K)
        Intercept and slope of every outcome.
    residual : array, shape (D, P, K)
    log_level : array, shape (D, P)
        Log hazard ratio of covariates and treatment.
    alpha : array, shape (D, 2)
        Log hazard per unit of the projection's value, and of its slope.
    log_hazard : array, shape (D, pieces)
    knots : array
    weights : array, shape (K,)
    df : array, shape (D,), or None
        Degrees of freedom of the noise, where it is Student-t.
    """

    line: Floats
    residual: Floats
    log_level: Floats
    alpha: Floats
    log_hazard: Floats
    knots: Floats
    weights: Floats
    df: Floats | None

    def value(self, outcome: int, time: Floats) -> Floats:
        """True value of one outcome at times of shape (T,), shape (D, P, T)."""
        return np.asarray(self.line[:, :, [2 * outcome]] + self.line[:, :, [2 * outcome + 1]] * time)

    def cumulative(self, time: Floats) -> Floats:
        """Cumulative hazard from time zero to each of the times (T,), shape (D, P, T)."""
        start, slope = self.line[..., ::2] @ self.weights, self.line[..., 1::2] @ self.weights
        rate = (self.alpha[:, :1] * slope)[:, :, None]
        level = (self.log_level + self.alpha[:, :1] * start + self.alpha[:, 1:] * slope)[:, :, None]
        total = np.zeros((*self.log_level.shape, time.size))
        edges = [0.0, *self.knots, np.inf]
        for piece, (left, right) in enumerate(itertools.pairwise(edges)):
            length = np.clip(time, left, right) - left
            step = np.clip(rate * length, -700.0, 700.0)
            mean = np.divide(np.expm1(step), step, out=np.ones_like(step), where=np.abs(step) > 1e-12)
            total += np.exp(np.minimum(self.log_hazard[:, piece, None, None] + level + rate * left, MOST)) * length * mean
        return total


def mean_lines(spec: DomainModel, data: OutcomeData, draws: dict[str, Floats], chosen: Ints, people: Ints) -> Floats:
    """Expected lines given covariates and treatment, shape (D, P, 2 K)."""
    base, drug = data.base, spec.treatment
    treated = np.zeros(base.people, bool)
    if drug is not None:
        treated[base.exposure_person] = True
    columns = []
    for outcome in spec.outcomes:
        for part in ("intercept", "slope"):
            names, design = base.design(getattr(outcome, part))
            mean = np.repeat(draws[f"{outcome.name}.{part}"].ravel()[chosen][:, None], people.size, axis=1)
            for name, column in zip(names, design.T, strict=True):
                mean = mean + draws[f"{outcome.name}.{part}:{name}"].ravel()[chosen][:, None] * column[people]
            if part == "slope" and drug is not None:
                ratio = f"slope ratio:{drug.name}" + ("" if drug.across == "common" else f",{outcome.name}")
                mean = np.where(treated[people], mean * draws[ratio].ravel()[chosen][:, None], mean)
            columns.append(mean)
    return np.stack(columns, axis=-1)


def covariances(spec: DomainModel, draws: dict[str, Floats], chosen: Ints) -> Floats:
    """Covariance matrices of the random effects, shape (D, 2 K, 2 K)."""
    effects = effect_names(spec)
    sd = np.stack([draws[f"sd:{effect}"].ravel()[chosen] for effect in effects], axis=-1)
    corr = np.tile(np.eye(len(effects)), (chosen.size, 1, 1))
    for i in range(len(effects)):
        for j in range(i):
            corr[:, i, j] = corr[:, j, i] = draws[f"corr:{effects[j]},{effects[i]}"].ravel()[chosen]
    return np.asarray(corr * sd[:, :, None] * sd[:, None, :])


def lines_at(
    spec: DomainModel, data: OutcomeData, draws: dict[str, Floats], knots: Floats, chosen: Ints, people: Ints, line: Floats
) -> Lines:
    """Given lines of `people`, shape (D, P, 2 K), with what noise and hazard need beside them.

    Parameters
    ----------
    draws : dict of str to array
        By printed name, as a fit keeps them.
    knots : array
        Inner knots of the baseline hazard.
    chosen : int array, shape (D,)
        Which draws, counted over all chains.
    people : int array, shape (P,)
    """
    base, drug = data.base, spec.treatment

    def of(name: str) -> Floats:
        return draws[name].ravel()[chosen] if name in draws else np.zeros(chosen.size)

    names, design = base.design(spec.hazard)
    log_level = sum((of(f"hazard:{name}")[:, None] * column[people] for name, column in zip(names, design.T, strict=True)), start=0.0)
    log_level = np.zeros((chosen.size, people.size)) + log_level
    if drug is not None and drug.hazard == "ratio":
        treated = np.zeros(base.people)
        treated[base.exposure_person] = 1.0
        log_level = log_level + of(f"hazard:{drug.name}")[:, None] * treated[people]
    if spec.residual_by_arm:
        arms = [str(base.groups["arm"][i]) for i in people]
        noise = [np.stack([of(f"sd:{name}.residual[{arm}]") for arm in arms], axis=-1) for name in spec.names]
    else:
        noise = [np.repeat(of(f"sd:{name}.residual")[:, None], people.size, axis=1) for name in spec.names]
    return Lines(
        line=line,
        residual=np.stack(noise, axis=-1),
        log_level=log_level,
        alpha=np.stack([of("association:value"), of("association:slope")], axis=-1),
        log_hazard=np.stack([of(f"log_hazard[{k + 1}]") for k in range(knots.size + 1)], axis=-1),
        knots=knots,
        weights=np.array([outcome.weight for outcome in spec.outcomes]),
        df=of("df") if spec.student else None,
    )


def draw_lines(
    spec: DomainModel, data: OutcomeData, draws: dict[str, Floats], knots: Floats, chosen: Ints, people: Ints, rng: np.random.Generator
) -> Lines:
    """Draw new participants with the covariates and treatment of `people`, one set at each chosen draw; arguments as in `lines_at`."""
    mean = mean_lines(spec, data, draws, chosen, people)
    root = np.linalg.cholesky(covariances(spec, draws, chosen))
    line = mean + rng.normal(size=mean.shape) @ root.transpose(0, 2, 1)
    return lines_at(spec, data, draws, knots, chosen, people, line)


def expected_score(value: Floats, sd: Floats, low: float | None, high: float | None) -> Floats:
    r"""Mean of what is recorded of true values with normal noise on a scale that ends at `low` and `high`.

    .. math:: E = l \Phi(a) + u \{1 - \Phi(b)\} + m \{\Phi(b) - \Phi(a)\} + \sigma \{\phi(a) - \phi(b)\},
       \quad a = (l - m) / \sigma, \quad b = (u - m) / \sigma
    """
    total = np.asarray(value, float)
    if low is not None:
        total = total + _beyond(low - value, sd)
    return total if high is None else total - _beyond(value - high, sd)


def _beyond(excess: Floats, sd: Floats) -> Floats:
    """Mean of max(excess + noise, 0): what an end of the scale takes away."""
    z = excess / sd
    return np.asarray(excess * ndtr(z) + sd * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))
