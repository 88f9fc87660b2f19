"""Sigmoid decline by the hand of `tests.calibration.literal`: log D50 and log dx stand where a line has its level and slope.

Nothing of the package is imported. The likelihood is summed over a rectangular grid of both effects, with no mode, no curvature and no
weights but the spacing of the grid.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.calibration import literal
from tests.calibration.literal import Floats, Mapping, Person

STEMS = {"intercept": "log_d50", "slope": "log_dx"}


@dataclass(kw_only=True)
class Patient(Person):
    """A participant with months from onset to time zero."""

    onset: float = 0.0


def line(model: Mapping) -> Mapping:
    """The model with a line in the place of the sigmoid: covariates and priors by the names that `literal` reads."""
    part, priors = dict(model["decline"]), dict(model["priors"])
    part |= {"kind": "linear", "level": part.get("covariates", []), "covariates": part.pop("steepness", [])}
    for old, new in STEMS.items():
        for name in (new, f"sd_{new}", f"{new}_covariates"):
            if name in priors:
                priors[name.replace(new, old)] = priors[name]
    return {**model, "decline": part, "priors": priors}


def renamed(truth: dict[str, float], stems: dict[str, str]) -> dict[str, float]:
    """Parameters by other names of the two parts."""

    def called(name: str) -> str:
        part, mark, rest = name.partition(":")
        if part == "sd":
            return f"{part}{mark}{stems.get(rest, rest)}"
        if part == "corr":
            return f"{part}{mark}{','.join(stems.get(one, one) for one in rest.split(','))}"
        return f"{stems.get(part, part)}{mark}{rest}"

    return {called(name): value for name, value in truth.items()}


def as_line(truth: dict[str, float]) -> dict[str, float]:
    """Parameters by the names that `literal` reads."""
    return renamed(truth, {new: old for old, new in STEMS.items()})


def covariance(model: Mapping, truth: dict[str, float]) -> Floats:
    """Covariance matrix of the effects on log D50 and log dx."""
    return literal.covariance(line(model), as_line(truth))


class Course(literal.Course):
    """Path and hazard of one participant whose path is a sigmoid."""

    def __init__(self, model: Mapping, truth: dict[str, float], person: Person) -> None:
        super().__init__(line(model), as_line(truth), person)
        self.top = model["decline"].get("top", 48.0)

    def _curve(self, t: Floats, effects: Floats) -> tuple[Any, Any]:
        d50 = np.exp(self.truth["intercept"] + self._linear("intercept") + effects[0])
        dx = np.exp(self.truth["slope"] + self._linear("slope") + effects[1])
        since = getattr(self.person, "onset", 0.0) + self.clock(self.theta, t)
        return 0.5 - 0.5 * np.tanh(0.5 * (since - d50) / dx), dx

    def value(self, t: Floats, effects: Floats) -> Floats:
        """True score."""
        return np.asarray(self.top * self._curve(t, effects)[0])

    def speed(self, t: Floats, effects: Floats) -> Floats:
        """Slope of the true score."""
        share, dx = self._curve(t, effects)
        return np.asarray(-self.top * share * (1.0 - share) / dx * np.exp(self.theta * self.exposed(t)))


def draw_truth(model: Mapping, design: Mapping, rng: np.random.Generator) -> dict[str, float]:
    """Population parameters from the priors, by printed name."""
    return renamed(literal.draw_truth(line(model), design, rng), STEMS)


def draw_people(model: Mapping, design: Mapping, truth: dict[str, float], rng: np.random.Generator) -> Iterator[Person]:
    """Participants of one data set; covariates, onset and exposure are drawn afresh."""
    root = np.linalg.cholesky(covariance(model, truth))
    longest = design["longest"]
    edges = np.linspace(0.0, longest, round(longest / literal.STEP) + 1)
    for i, age in enumerate(rng.normal(0.0, 1.0, design["participants"])):
        person = Patient(covariates={"age": float(age), "onset_site[bulbar]": float(rng.uniform() < 0.3)})
        person.onset = float(rng.uniform(*design["onset"]))
        person.intervals = [(0.0, np.inf)] if design["drug"] == "arm" and i % 2 else []
        course = Course(model, truth, person)
        person.effects = root @ rng.normal(size=2)
        total, target = course.cumulative(edges, person.effects), rng.exponential()
        died = float(np.interp(target, total, edges)) if target < total[-1] else np.inf
        censoring = float(rng.uniform(design["shortest"], longest))
        person.end, person.event = min(died, censoring), died <= censoring
        planned = np.array([design["screening"], *np.arange(0.0, longest + 1e-9, design["every"])])
        person.visits = planned[planned <= person.end]
        noise = truth["sd:residual"] * rng.normal(size=planned.size)
        person.scores = course.value(person.visits, person.effects) + noise[: person.visits.size]
        yield person


CELL = 0.05  # months; hazards of smooth paths need no finer cells
#: Points of the grid in each dimension, pass after pass, and how far below its largest term the next grid still reaches: a narrow ridge
#: may fall between the points of the first ones.
PASSES = ((31, 400.0), (31, 100.0), (41, 40.0), (61, 0.0))


def loglik(model: Mapping, truth: dict[str, float], person: Person, points: int = 61) -> float:
    """Log-likelihood of one participant: terms summed over a grid on the prior's scale, then over ones on what had mass there."""
    course, prior, sigma = Course(model, truth, person), covariance(model, truth), truth["sd:residual"]
    jumps = np.array([*model["survival"].get("knots", []), *np.array(person.intervals).ravel()])
    edges = np.union1d(np.linspace(0.0, person.end, round(person.end / CELL) + 2), jumps[(jumps > 0) & (jumps < person.end)])
    low, high = -7.0 * np.sqrt(np.diag(prior)), 7.0 * np.sqrt(np.diag(prior))
    for many, reach in (*PASSES[:-1], (points, 0.0)):
        axes = [np.linspace(a, b, many) for a, b in zip(low, high, strict=True)]
        terms = np.array([[_log_joint(course, prior, sigma, person, edges, np.array([a, b])) for b in axes[1]] for a in axes[0]])
        kept = np.argwhere(terms >= terms.max() - reach)
        width = np.array([axis[1] - axis[0] for axis in axes])
        total = float(terms.max() + np.log(np.exp(terms - terms.max()).sum()) + np.log(width).sum())
        low, high = (
            np.array([axis[max(kept[:, k].min() - 1, 0)] for k, axis in enumerate(axes)]),
            np.array([axis[min(kept[:, k].max() + 1, many - 1)] for k, axis in enumerate(axes)]),
        )
    return total


def _log_joint(course: Course, prior: Floats, sigma: float, person: Person, edges: Floats, effects: Floats) -> float:
    with np.errstate(over="ignore"):
        return literal._log_joint(course, prior, sigma, person, edges, effects)
