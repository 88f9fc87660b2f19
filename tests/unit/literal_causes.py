"""Several causes and what comes after one, written out literally: a few invented participants and their likelihood by brute force.

Nothing of the package is used but its settings. Months from the origin; one drug with intervals, one covariate.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from alsmodel.cohort import Cohort
from alsmodel.models.spec import JointModel

MONTH = 365.25 / 12


@dataclass(frozen=True, kw_only=True)
class Person:
    """One participant; `cause` is what ended follow-up, if anything; `later` and `died` what came after it."""

    name: str
    visits: tuple[tuple[float, float], ...]
    end: float
    cause: str = ""
    later: float | None = None
    died: bool = False
    entry: float = 0.0
    age: float | None = 0.4
    drug: tuple[float, float] | None = None


PEOPLE = (
    Person(name="a", visits=((-1, 39), (0, 40), (3, 38.5), (6, 34)), end=7.5, cause="death", drug=(2.2, 5.1)),
    Person(name="b", visits=((0, 36), (2, 35), (5, 30)), end=6.3, cause="tracheostomy", later=14.8, died=True, entry=0.8, age=-1.1),
    Person(name="c", visits=((0, 44), (4, 44.5), (8, 43), (12, 42)), end=13.0, age=None),
    Person(name="d", visits=((0, 30), (1, 28), (3, 22)), end=4.0, cause="tracheostomy", later=9.5, drug=(-3.0, 20.0), age=None),
    Person(name="e", visits=((0, 33), (3, 33.5)), end=4.2, cause="dropout", age=1.3),
    Person(name="f", visits=((0.5, 39), (5, 37), (9.5, 36.5)), end=11.0, cause="tracheostomy", drug=(6.0, 8.0)),
)

#: Values of every parameter that a test asks for.
VALUES: dict[str, float] = {
    "intercept": 37.0, "slope": -0.9, "quadratic": -0.01, "sd:intercept": 5.0, "sd:slope": 0.6, "sd:quadratic": 0.03, "sd:residual": 1.9,
    "partial:intercept,slope": 0.62, "partial:intercept,quadratic": 0.45, "partial:slope,quadratic": 0.35, "theta:x": -0.3, "psi:x": 0.2,
    "slope:x": 0.25, "slope:age": -0.1, "hazard:age": 0.4, "hazard:x": -0.4, "association:value": -0.09, "association:slope": -0.5,
    "log_hazard[1]": 0.3, "log_hazard[2]": 0.5, "log_level": 0.19, "log_shape": 0.26, "imputed:age[1]": 0.3, "imputed:age[2]": -0.6,
    "hazard:age@tracheostomy": -0.3, "hazard:x@tracheostomy": 0.5, "association:value@tracheostomy": -0.05,
    "association:slope@tracheostomy": -0.8, "log_hazard[1]@tracheostomy": -1.5, "log_hazard[2]@tracheostomy": -0.9,
    "log_level@tracheostomy": -1.2, "log_shape@tracheostomy": 0.35, "hazard:x@dropout": -0.2, "hazard:x[1]@dropout": 0.4,
    "association:value@dropout": 0.06, "log_level@dropout": -6.5, "log_shape@dropout": 0.2, "log_hazard[1]@dropout": -5.0,
    "hazard:x[1]": -0.4, "hazard:x[2]": 0.3, "hazard:x[1]@tracheostomy": 0.6, "hazard:x[2]@tracheostomy": -0.1, "hazard:x[2]@dropout": 0.2,
    "hazard:age@after tracheostomy": 0.35, "log_hazard[1]@after tracheostomy": -2.2, "log_hazard[2]@after tracheostomy": -1.9,
    "log_level@after tracheostomy": -2.0, "log_shape@after tracheostomy": -0.2, "association:slope@dropout": 0.3,
    "group_sd:spline@dropout": 0.7, **{f"z:spline[{k}]@dropout": v for k, v in zip(range(2, 7), (0.4, -0.8, 0.5, 1.1, -0.3))},
}  # fmt: skip


def cohort(people: tuple[Person, ...] = PEOPLE) -> Cohort:
    """The same participants as canonical tables, scores after the event and all."""
    events = [(p.name, p.cause, p.end) for p in people if p.cause] + [(p.name, "death", p.later) for p in people if p.died]
    rows = [(p.name, t * MONTH, "score", float(y)) for p in people for t, y in p.visits]
    rows += [(p.name, (p.end + 1) * MONTH, "score", 12.0) for p in people if p.cause == "tracheostomy"]
    taken = [(p.name, "x", p.drug is not None, *((p.drug[0] * MONTH, p.drug[1] * MONTH) if p.drug else (None, None))) for p in people]
    return Cohort.of(
        participants=pl.DataFrame(
            {
                "participant_id": [p.name for p in people],
                "entry_day": [p.entry * MONTH for p in people],
                "age": [None if p.age is None else 60 + 10 * p.age for p in people],
                "last_contact_day": [(p.later or p.end) * MONTH for p in people],
            }
        ),
        measurements=pl.DataFrame(rows, schema=["participant_id", "day", "name", "value"], orient="row"),
        events=pl.DataFrame(
            [{"participant_id": name, "kind": kind, "day": t * MONTH, "definition": "invented"} for name, kind, t in events]
        ),
        exposures=pl.DataFrame(
            taken,
            schema={"participant_id": pl.String, "drug": pl.String, "taken": pl.Boolean, "start_day": pl.Float64, "stop_day": pl.Float64},
            orient="row",
        ),
    )


class Literal:
    """One participant under one model and one set of values."""

    def __init__(self, spec: JointModel, person: Person, v: dict[str, float]) -> None:
        self.spec, self.person, self.v = spec, person, v
        missing = [p.name for p in PEOPLE if p.age is None]
        self.age = v[f"imputed:age[{missing.index(person.name) + 1}]"] if person.age is None else person.age
        self.parts = {"": (spec.survival, spec.association)} | {f"@{c.name}": (c.survival, c.association) for c in spec.causes}

    def exposed(self, s: float) -> float:
        return float(self.person.drug is not None and self.person.drug[0] <= s < self.person.drug[1])

    def integral(self, rate: Any, s: float) -> float:
        """Signed integral from 0 of a function that is constant between starts and stops."""
        low, high = min(0.0, s), max(0.0, s)
        edges = sorted({low, high, *(x for x in (self.person.drug or ()) if low < x < high)})
        total = sum(rate((a + b) / 2) * (b - a) for a, b in itertools.pairwise(edges))
        return total if s >= 0 else -total

    def effect(self, name: str, s: float) -> float:
        return float(np.exp(self.v[name] * self.exposed(s)))

    @property
    def treated(self) -> bool:
        return bool(self.spec.treatments)

    def line(self, s: float) -> tuple[float, np.ndarray]:
        """Mean score and design of the random effects."""
        mean_slope = self.v["slope"] + (self.v["slope:age"] * self.age if self.spec.slope else 0.0)
        tau = self.integral(lambda r: self.effect("theta:x", r), s) if self.treated else s
        own = self.integral(lambda r: self.effect("psi:x", r), s) if self.treated else s
        size = 3 if self.spec.random_effects == "quadratic" else 2
        bend = self.v["quadratic"] * s * s if self.spec.fixed_quadratic else 0.0
        return self.v["intercept"] + mean_slope * tau + bend, np.array([1.0, own, s * s])[:size]

    def speed(self, s: float) -> tuple[float, np.ndarray]:
        h = 1e-6
        (a, za), (b, zb) = self.line(s + h), self.line(s - h)
        return (a - b) / (2 * h), (za - zb) / (2 * h)

    def log_baseline(self, survival: Any, suffix: str, u: float) -> float:
        v = self.v
        if survival.kind == "exponential":
            return v[f"log_hazard[1]{suffix}"]
        if survival.kind == "piecewise":
            return v[f"log_hazard[{1 + sum(u > k for k in survival.knots)}]{suffix}"]
        if survival.kind == "weibull":
            return v[f"log_level{suffix}"] + np.expm1(v[f"log_shape{suffix}"]) * np.log(u / survival.at)
        from scipy.interpolate import BSpline

        t = np.array([*[0.0] * (survival.degree + 1), *survival.knots, *[survival.upper] * (survival.degree + 1)])
        splines = BSpline(t, np.eye(len(t) - survival.degree - 1), survival.degree)
        areas = splines.integrate(0.0, survival.upper)
        walk = np.cumsum([0.0, *(v[f"group_sd:spline{suffix}"] * v[f"z:spline[{k}]{suffix}"] for k in range(2, len(areas) + 1))])
        share = areas * np.exp(walk) / (areas * np.exp(walk)).sum()
        return float(v[f"log_level{suffix}"] + np.log(survival.upper * (share @ (splines(u) / areas))))

    def log_hazard(self, suffix: str, s: float) -> tuple[float, np.ndarray]:
        """Log hazard of one cause with random effects of zero, and what they add to it."""
        survival, association = self.parts[suffix]
        eta = self.log_baseline(survival, suffix, s) + (self.v[f"hazard:age{suffix}"] * self.age if survival.covariates else 0.0)
        for drug in self.spec.treatments:
            if drug.hazard == "ratio":
                period = f"[{1 + sum(s > p for p in drug.hazard_periods)}]" if drug.hazard_periods else ""
                eta += self.v[f"hazard:x{period}{suffix}"] * self.exposed(s)
        design = np.zeros(3 if self.spec.random_effects == "quadratic" else 2)
        for kind, at in (("value", self.line), ("slope", self.speed)):
            if kind in association:
                value, z = at(s)
                eta += self.v[f"association:{kind}{suffix}"] * value
                design = design + self.v[f"association:{kind}{suffix}"] * z
        return eta, design

    def nodes(self, start: float, stop: float, knots: tuple[float, ...], count: int = 30) -> list[tuple[float, float]]:
        """Times and weights of a fine rule, split wherever something jumps."""
        drug = self.person.drug or ()
        periods = [p for t in self.spec.treatments for p in t.hazard_periods]
        edges = sorted({start, stop, *(x for x in (0.0, *drug, *knots, *periods) if start < x < stop)})
        x, w = np.polynomial.legendre.leggauss(count)
        v = (x + 1) / 2  # t = left + width v^4, for a Weibull near zero
        return [(a + (b - a) * p**4, 2 * (b - a) * p**3 * q) for a, b in itertools.pairwise(edges) for p, q in zip(v, w)]

    def later(self) -> float:
        """Log-likelihood of what came after the cause."""
        found = [one for one in self.spec.after if one.cause == self.person.cause]
        if not found or self.person.later is None:
            return 0.0
        one, p = found[0], self.person
        suffix, begin = f"@after {one.cause}", p.end if one.clock == "study" else 0.0
        end = begin + p.later - p.end
        eta = self.v[f"hazard:age{suffix}"] * self.age if one.survival.covariates else 0.0
        knots = getattr(one.survival, "knots", ())
        total = -sum(w * np.exp(eta + self.log_baseline(one.survival, suffix, t)) for t, w in self.nodes(begin, end, knots, 60))
        return total + (eta + self.log_baseline(one.survival, suffix, end) if p.died else 0.0)

    def covariance(self) -> np.ndarray:
        size = 3 if self.spec.random_effects == "quadratic" else 2
        r = {pair: 2 * self.v[f"partial:{pair}"] - 1 for pair in ("intercept,slope", "intercept,quadratic", "slope,quadratic")}
        a, b, c = r.values()
        corr = np.eye(3)
        corr[0, 1] = corr[1, 0] = a
        corr[0, 2] = corr[2, 0] = b
        corr[1, 2] = corr[2, 1] = a * b + c * np.sqrt((1 - a * a) * (1 - b * b))
        sd = np.array([self.v["sd:intercept"], self.v["sd:slope"], self.v["sd:quadratic"]])
        return (corr * np.outer(sd, sd))[:size, :size]

    def loglik(self, nodes: int = 40) -> float:
        """Random effects integrated out, and what came after the cause."""
        return self.integrated(nodes)[0] + self.later()

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and SD of the random effects given scores and end of follow-up."""
        _, b, share = self.integrated(40)
        mean = share @ b
        return mean, np.sqrt(share @ (b - mean) ** 2)

    def integrated(self, nodes: int) -> tuple[float, np.ndarray, np.ndarray]:
        """Log integral over the Gaussian posterior of the scores alone by a dense product grid, its points and their posterior shares."""
        p, d, sigma = self.person, self.covariance(), self.v["sd:residual"]
        lines = [self.line(t) for t, _ in p.visits]
        z = np.array([one[1] for one in lines])
        r = np.array([y - one[0] for (_, y), one in zip(p.visits, lines)])
        whole = z @ d @ z.T + sigma**2 * np.eye(r.size)
        scores = -0.5 * (r @ np.linalg.solve(whole, r) + np.linalg.slogdet(2 * np.pi * whole)[1])
        spread = np.linalg.inv(np.linalg.inv(d) + z.T @ z / sigma**2)
        middle = spread @ z.T @ r / sigma**2
        x, w = np.polynomial.hermite_e.hermegauss(nodes)
        grid = np.stack([g.ravel() for g in np.meshgrid(*[x] * len(d), indexing="ij")], axis=1)
        weight = np.prod(np.stack([g.ravel() for g in np.meshgrid(*[w / w.sum()] * len(d), indexing="ij")], axis=1), axis=1)
        b = middle + grid @ np.linalg.cholesky(spread).T
        events = np.zeros(len(b))
        for suffix, (survival, _) in self.parts.items():
            for t, step in self.nodes(p.entry, p.end, getattr(survival, "knots", ())):
                eta, design = self.log_hazard(suffix, t)
                events -= step * np.exp(eta + b @ design)
        if p.cause:
            eta, design = self.log_hazard("" if p.cause == "death" else f"@{p.cause}", np.nextafter(p.end, -np.inf))
            events += eta + b @ design
        top = events.max()
        share = weight * np.exp(events - top)
        return float(scores + top + np.log(share.sum())), b, share / share.sum()


def literal_loglik(spec: JointModel, values: dict[str, float] = VALUES) -> np.ndarray:
    """Log-likelihood of each participant, by brute force."""
    nodes = 20 if spec.random_effects == "quadratic" else 40
    return np.array([Literal(spec, person, values).loglik(nodes) for person in PEOPLE])
