"""The joint model written out literally, apart from `alsmodel.kernels`: a few invented participants, and their likelihood by brute force.

Every path is evaluated visit by visit, exposure by looking at the intervals, cumulative hazards on dense Gauss-Legendre nodes split at
every kink, and the integral over random effects by a dense Gauss-Hermite product grid placed at the mode of the integrand.
"""

import itertools
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import polars as pl
from scipy.interpolate import BSpline, CubicSpline
from scipy.optimize import minimize

from alsmodel.cohort import Cohort
from alsmodel.cohort.selection import Covariate
from alsmodel.models.association import CurrentValue, Slope
from alsmodel.models.decline import Linear, NaturalSpline, Quadratic
from alsmodel.models.spec import JointModel, Treatment
from alsmodel.models.survival import Exponential, MSpline, PiecewiseExponential, RoystonParmar, Weibull

MONTH = 365.25 / 12


@dataclass(frozen=True, kw_only=True)
class Person:
    """One participant; times in months from the origin, `onset` months before it."""

    name: str
    visits: tuple[tuple[float, float], ...]
    end: float
    died: bool
    entry: float = 0.0
    onset: float = 10.0
    arm: str = "placebo"
    age: float | None = 60.0
    drugs: dict[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)


NEVER = -np.inf
FOREVER = np.inf
#: Starts and stops inside follow-up, before it, across the origin, overlapping, never; visits before the origin; late entry.
PEOPLE = (
    Person(name="a", visits=((-2, 41), (0, 40), (3, 38.5), (6, 34), (9, 31.2)), end=11.5, died=True, drugs={"x": ((4.2, 8.1),)}),
    Person(
        name="b", visits=((0, 36), (2, 35), (5, 30)), end=6.3, died=True, entry=0.8, onset=14, arm="active", age=71,
        drugs={"x": ((-3, 2.5),), "y": ((1.5, 5.0),)},
    ),
    Person(name="c", visits=((0, 44), (4, 44.5), (8, 43), (12, 42), (16, 39)), end=17.0, died=False, onset=25, age=None),
    Person(
        name="d", visits=((-1, 30), (1, 28), (3, 22)), end=4.0, died=False, arm="active", onset=7,
        drugs={"x": ((NEVER, FOREVER),), "y": ((-4, -2), (2, 3))},
    ),
    Person(name="e", visits=((0, 33),), end=2.2, died=True, onset=8, age=48, drugs={"y": ((0, FOREVER),)}),
    Person(name="f", visits=((0.5, 39), (5, 37), (9.5, 36.5)), end=15.0, died=True, entry=0.4, onset=18, age=None, arm="active"),
)  # fmt: skip


def cohort(people: tuple[Person, ...] = PEOPLE) -> Cohort:
    """The same participants as canonical tables."""
    exposures = [
        (p.name, drug, bool(rows), None if start == NEVER else start * MONTH, None if stop == FOREVER else stop * MONTH)
        for p in people
        for drug in ("x", "y")
        for rows in [p.drugs.get(drug, ())]
        for start, stop in (rows or ((NEVER, FOREVER),))
    ]
    schema = {"participant_id": pl.String, "drug": pl.String, "taken": pl.Boolean, "start_day": pl.Float64, "stop_day": pl.Float64}
    return Cohort.of(
        participants=pl.DataFrame(
            {
                "participant_id": [p.name for p in people],
                "entry_day": [p.entry * MONTH for p in people],
                "onset_day": [-p.onset * MONTH for p in people],
                "arm": [p.arm for p in people],
                "age": [p.age for p in people],
                "last_contact_day": [p.end * MONTH for p in people],
            }
        ),
        measurements=pl.DataFrame(
            [{"participant_id": p.name, "day": t * MONTH, "name": "score", "value": float(y)} for p in people for t, y in p.visits]
        ),
        events=pl.DataFrame(
            [{"participant_id": p.name, "kind": "death", "day": p.end * MONTH, "definition": "invented"} for p in people if p.died]
        ),
        exposures=pl.DataFrame(exposures, schema=schema, orient="row"),
    )


KNOTS = (4.0, 9.0)
BASE = JointModel(outcome="score", survival=PiecewiseExponential(knots=KNOTS, nodes=20), hermite=15)
WEIBULL = Weibull(at=6.0, nodes=60)
CURVE = NaturalSpline(knots=(3.0, 8.0), boundary=(-1.0, 14.0))
SPLINE = MSpline(knots=KNOTS, upper=20.0, nodes=20)
PARMAR = RoystonParmar(knots=KNOTS, boundary=(2.0, 15.0), at=6.0, nodes=40)
AGE = Covariate(centre=60, scale=10)


def drug(name: str = "x", **choices: Any) -> Treatment:
    """A treatment whose missing rows mean not taken (they are all recorded)."""
    return Treatment(name=name, **choices)


#: One part of the model swapped in at a time.
SPECS: dict[str, JointModel] = {
    "piecewise, value": BASE,
    "piecewise, slope": replace(BASE, association=("slope",)),
    "piecewise, value and slope": replace(BASE, association=("value", "slope")),
    "no association": replace(BASE, association=()),
    "weibull": replace(BASE, survival=WEIBULL),
    "weibull, value and slope": replace(BASE, survival=WEIBULL, association=("value", "slope")),
    "fixed quadratic": replace(BASE, decline=Quadratic(random=False), association=("value", "slope")),
    "random quadratic": replace(BASE, decline=Quadratic(mean=False), association=("value", "slope")),
    "random and fixed quadratic, weibull": replace(BASE, decline=Quadratic(), survival=WEIBULL, association=("value", "slope")),
    "natural spline": replace(BASE, decline=CURVE, association=("value", "slope")),
    "natural spline of one knot, weibull, two drugs": replace(
        BASE,
        decline=NaturalSpline(knots=(5.0,), boundary=(1.0, 12.0), mean=False),
        survival=WEIBULL,
        treatments=(drug(hazard="clock"), drug("y", score="additive")),
        association=("value", "slope"),
    ),
    "natural spline of the mean, incident, clock": replace(
        BASE, decline=replace(CURVE, random=False), treatments=(drug(),), association=("value", "slope"), population="incident"
    ),
    "clock, own clock free": replace(BASE, treatments=(drug(),), association=("value", "slope")),
    "clock, own clock scaled": replace(BASE, treatments=(drug(own_clock="scaled"),), association=("value", "slope")),
    "clock, own clock none": replace(BASE, treatments=(drug(own_clock="none", hazard="none"),)),
    "additive": replace(BASE, treatments=(drug(score="additive"),), association=("value", "slope")),
    "hazard only": replace(BASE, treatments=(drug(score="none"),)),
    "hazard on the clock": replace(BASE, treatments=(drug(hazard="clock"),), survival=WEIBULL),
    "DRR": replace(BASE, treatments=(drug(hazard="DRR"),), association=()),
    "two drugs, quadratic, weibull": replace(
        BASE,
        treatments=(drug(hazard="clock"), drug("y", score="additive")),
        survival=WEIBULL,
        decline=Quadratic(),
        association=("value", "slope"),
    ),
    "arm on the clock": replace(BASE, treatments=(Treatment(name="active", source="arm", level="active"),)),
    "incident": replace(BASE, population="incident"),
    "incident, weibull, clock": replace(BASE, population="incident", survival=WEIBULL, treatments=(drug(),)),
    "covariates everywhere, imputed": replace(
        BASE,
        decline=Linear(level=("age",), covariates=("age", "arm")),
        survival=PiecewiseExponential(knots=KNOTS, nodes=20, covariates=("arm", "age")),
        covariates={"age": AGE, "arm": Covariate(reference="placebo")},
    ),
    "exponential": replace(BASE, survival=Exponential(nodes=20)),
    "exponential, pooled strata": replace(BASE, survival=Exponential(strata="arm", pooling="partial", nodes=20)),
    "m-spline, value and slope": replace(BASE, survival=SPLINE, association=("value", "slope")),
    "m-spline of degree 2, incident": replace(
        BASE, survival=MSpline(knots=(9.0, 20.0), upper=40.0, degree=2, nodes=20), population="incident"
    ),
    "m-spline, pooled strata": replace(BASE, survival=replace(SPLINE, strata="arm", pooling="partial")),
    "piecewise, strata": replace(BASE, survival=PiecewiseExponential(knots=KNOTS, strata="arm", nodes=20)),
    "piecewise, pooled strata": replace(BASE, survival=PiecewiseExponential(knots=KNOTS, strata="arm", pooling="partial", nodes=20)),
    "weibull, strata, incident": replace(BASE, survival=replace(WEIBULL, strata="arm"), population="incident"),
    "weibull, pooled strata": replace(BASE, survival=replace(WEIBULL, strata="arm", pooling="partial")),
    "royston-parmar": replace(BASE, survival=PARMAR, association=("value", "slope")),
    "royston-parmar, strata, incident": replace(BASE, survival=replace(PARMAR, strata="arm"), population="incident"),
    "royston-parmar, pooled strata": replace(BASE, survival=replace(PARMAR, strata="arm", pooling="partial")),
    "hazard ratio in periods": replace(BASE, treatments=(drug(hazard_periods=(3.0, 5.0)),), survival=SPLINE),
    "clock by group": replace(BASE, treatments=(drug(by="arm"), drug("y", score="additive", by="arm"))),
    "hazard ratio by group": replace(BASE, treatments=(drug(score="none", by="arm"),)),
    "DRR by group": replace(BASE, treatments=(drug(hazard="DRR", by="arm"),), association=()),
    "hierarchy": replace(BASE, hierarchy=("arm",), association=("value", "slope")),
    "value and slope by group": replace(
        BASE,
        survival=PiecewiseExponential(knots=KNOTS, strata="arm", nodes=20),
        association=CurrentValue(by="arm", at=34.0) + Slope(by="arm"),
    ),
    "area and random effects, clock": replace(BASE, treatments=(drug(),), association=("area", "shared")),
    "value and area of a spline, weibull, two drugs": replace(
        BASE,
        decline=NaturalSpline(knots=(5.0,), boundary=(1.0, 12.0)),
        survival=WEIBULL,
        treatments=(drug(hazard="clock"), drug("y", score="additive")),
        association=("value", "area", "shared"),
    ),
    "residual SD by group": replace(BASE, decline=Linear(residual_by="arm"), association=("value", "slope")),
    "slope by group, drug, incident": replace(
        BASE,
        survival=replace(WEIBULL, covariates=("arm",)),
        covariates={"arm": Covariate(reference="placebo")},
        treatments=(drug(),),
        association=CurrentValue() + Slope(by="arm"),
        population="incident",
    ),
}

#: Values of every parameter that any of the models has.
VALUES: dict[str, float] = {
    "intercept": 37.0, "slope": -0.9, "quadratic": -0.012, "intercept:age": 0.7, "slope:age": -0.1, "slope:arm[active]": 0.15,
    "hazard:age": 0.4, "hazard:arm[active]": -0.3, "association:value": -0.09, "association:slope": -0.5, "association:area": -0.05,
    "association:shared:intercept": -0.04, "association:shared:slope": -0.3, "association:shared:quadratic[1]": -2.0, "sd:intercept": 5.0,
    "sd:slope": 0.6, "sd:quadratic": 0.03, "sd:residual": 1.9, "partial:intercept,slope": 0.62, "partial:intercept,quadratic": 0.45,
    "partial:slope,quadratic": 0.35,
    "quadratic[1]": -0.02, "quadratic[2]": 0.015, "sd:quadratic[1]": 0.03, "sd:quadratic[2]": 0.025,
    **{
        f"partial:{pair}": r
        for pair, r in {
            "intercept,quadratic[1]": 0.45, "slope,quadratic[1]": 0.35, "intercept,quadratic[2]": 0.56, "slope,quadratic[2]": 0.42,
            "quadratic[1],quadratic[2]": 0.3,
        }.items()
    },
     "log_hazard[1]": 0.3, "log_hazard[2]": 0.5, "log_hazard[3]": 0.1, "log_level": 0.19,
    "log_shape": 0.26, "theta:x": -0.3, "psi:x": 0.2, "slope:x": 0.25, "hazard:x": -0.4, "theta:y": 0.2, "slope:y": -0.2,
    "hazard:y": 0.3, "theta:active": -0.25, "psi:active": 0.15, "hazard:active": -0.2, "imputed:age[1]": 0.3, "imputed:age[2]": -0.6,
    "group_sd:spline": 0.7, **{f"z:spline[{k}]": v for k, v in zip(range(2, 7), (0.4, -0.8, 0.5, 1.1, -0.3))},
    **{f"log_hazard[{k}]|{arm}": v for arm in ("active", "placebo") for k, v in zip((1, 2, 3), (0.2, 0.6, -0.1))},
    "log_level|active": 0.3, "log_level|placebo": -0.1, "log_shape|active": 0.1, "log_shape|placebo": 0.4,
    "group_sd:baseline_level": 0.6, "z:baseline_level|active": 0.8, "z:baseline_level|placebo": -0.5, "group_sd:baseline_shape": 0.4,
    **{f"z:baseline_shape[{k}]|{arm}": 0.3 * k * s for k in range(1, 7) for arm, s in (("active", 1), ("placebo", -0.7))},
    **{f"log_slope[1]{own}": v for own, v in (("", 0.2), ("|active", 0.1), ("|placebo", 0.3))},
    **{f"z:spline[{k}]|{arm}": 0.4 * k * s for k in (2, 3) for arm, s in (("active", -1), ("placebo", 0.8))},
    **{f"hazard:x[{k}]": v for k, v in zip((1, 2, 3), (-0.5, 0.2, 0.6))},
    "sd:residual[active]": 1.4, "sd:residual[placebo]": 2.6,
    "group_sd:association:value": 0.05, "z:association:value[active]": 0.9, "z:association:value[placebo]": -1.2,
    "group_sd:association:slope": 0.3, "z:association:slope[active]": -0.8, "z:association:slope[placebo]": 1.1,
    **{f"group_sd:{what}": 0.3 for what in ("theta:x", "slope:y", "hazard:x", "intercept:arm", "slope:arm")},
    **{
        f"z:{what}[{arm}]": v
        for what in ("theta:x", "slope:y", "hazard:x", "intercept:arm", "slope:arm")
        for arm, v in (("active", 0.9), ("placebo", -1.2))
    },
}  # fmt: skip


def unconstrained(made: Any, values: dict[str, float] = VALUES) -> np.ndarray:
    """The vector at which `made` has these values."""
    out = []
    for block in made.blocks:
        for label in block.labels:
            v = values[label]
            out.append(np.log(v) if block.kind == "half-normal" else np.log(v / (1 - v)) if block.kind == "beta" else v)
    return np.array(out)


@dataclass(frozen=True, kw_only=True, eq=False)
class Literal:
    """One participant under one model and one set of values."""

    spec: JointModel
    person: Person
    v: dict[str, float]
    age: float
    known: dict[tuple[float, float], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def exposed(self, t: Treatment, s: float) -> bool:
        if t.source == "arm":
            return self.person.arm == t.level and s >= 0
        return any(start <= s < stop for start, stop in self.person.drugs.get(t.name, ()))

    def kinks(self) -> list[float]:
        edges = {0.0}
        for t in self.spec.treatments:
            edges |= {e for row in self.person.drugs.get(t.name, ()) for e in row if np.isfinite(e)} | set(t.hazard_periods)
        return sorted(edges)

    def rate(self, role: str, s: float) -> float:
        total = 0.0
        for t in self.spec.treatments:
            theta = self.v[f"theta:{t.name}"] + self.of_group(t, "theta") if t.score == "clock" else 0.0
            effect = {
                "mean": theta,
                "own": 0.0
                if t.score != "clock" or t.own_clock == "none"
                else (theta if t.own_clock == "scaled" else self.v[f"psi:{t.name}"]),
                "hazard": theta if t.hazard == "clock" else 0.0,
            }[role]
            total += effect * self.exposed(t, s)
        return float(np.exp(total))

    def added(self, s: float) -> float:
        drugs = [t for t in self.spec.treatments if t.score == "additive"]
        return sum((self.v[f"slope:{t.name}"] + self.of_group(t, "slope")) * self.exposed(t, s) for t in drugs)

    def of_group(self, t: Treatment, what: str) -> float:
        """How far the effect in this participant's arm lies from the common one."""
        where = f"{what}:{t.name}"
        return self.v[f"group_sd:{where}"] * self.v[f"z:{where}[{self.person.arm}]"] if t.by else 0.0

    def log_ratio(self, t: Treatment, s: float) -> float:
        if t.hazard == "DRR":
            return self.v[f"theta:{t.name}"] + self.of_group(t, "theta")
        if t.hazard != "ratio":
            return 0.0
        if t.hazard_periods:
            return self.v[f"hazard:{t.name}[{1 + sum(s > p for p in t.hazard_periods)}]"]
        return self.v[f"hazard:{t.name}"] + (self.of_group(t, "hazard") if t.score == "none" else 0.0)

    def log_baseline(self, u: float) -> float:
        """Log baseline hazard at u on the hazard's clock."""
        part, v = self.spec.survival, self.v
        pooled, own = part.pooling == "partial", f"|{self.person.arm}" if part.strata else ""
        name = "" if pooled else own
        level = v["group_sd:baseline_level"] * v[f"z:baseline_level{own}"] if pooled else 0.0

        def shape(k: int) -> float:
            return v["group_sd:baseline_shape"] * v[f"z:baseline_shape[{k}]{own}"] if pooled else 0.0

        if part.kind == "exponential":
            return v[f"log_hazard[1]{name}"] + level
        if part.kind == "piecewise":
            k = 1 + sum(u > knot for knot in part.knots)
            return v[f"log_hazard[{k}]{name}"] + level + shape(k)
        if part.kind == "weibull":
            return v[f"log_level{name}"] + level + (np.exp(v[f"log_shape{name}"] + shape(1)) - 1) * np.log(u / part.at)
        if part.kind == "royston-parmar":
            steep = [v[f"log_slope[1]{name}"]]
            for k in range(2, len(part.knots) + 2):
                steep.append(steep[-1] + v["group_sd:spline"] * v[f"z:spline[{k}]{name}"])
            return v[f"log_level{name}"] + level + log_curve(part, np.exp([a + shape(k + 1) for k, a in enumerate(steep)]), u)
        size = len(part.knots) + part.degree + 1
        a = [0.0]
        for k in range(2, size + 1):
            a.append(a[-1] + v["group_sd:spline"] * v[f"z:spline[{k}]{name}"])
        a = np.array([a[0], *(a[k - 1] + shape(k) for k in range(2, size + 1))])
        return v[f"log_level{name}"] + level + log_spline(part, a, u)

    def integral(self, rate: Any, start: float, stop: float) -> float:
        """Signed integral of a function that is constant between kinks."""
        low, high = min(start, stop), max(start, stop)
        edges = [low, *(k for k in self.kinks() if low < k < high), high]
        total = sum(rate((a + b) / 2) * (b - a) for a, b in itertools.pairwise(edges))
        return total if stop >= start else -total

    def age_effect(self, part: str) -> float:
        linear = self.v[f"{part}:age"] * self.age if "age" in getattr(self.spec, part) else 0.0
        if part != "hazard" and "arm" in self.spec.hierarchy:
            linear += self.v[f"group_sd:{part}:arm"] * self.v[f"z:{part}:arm[{self.person.arm}]"]
        if "arm" in getattr(self.spec, part):
            linear += self.v[f"{part}:arm[active]"] * (self.person.arm == "active")
        return linear

    def design(self, s: float) -> np.ndarray:
        return np.array([1.0, self.integral(lambda r: self.rate("own", r), 0.0, s), *self.bends(s)])[: self.size]

    def speed_design(self, s: float) -> np.ndarray:
        return np.array([0.0, self.rate("own", s), *self.bends(s, 1)])[: self.size]

    def bends(self, s: float, order: int = 0) -> np.ndarray:
        """What bends the paths at time s, or its derivative."""
        part = self.spec.decline
        if part.kind == "natural-spline":
            return natural_spline(part, s, order)
        return np.array([s * s if order == 0 else 2 * s])

    @property
    def names(self) -> list[str]:
        """Names of the bending terms."""
        part = self.spec.decline
        if part.kind == "natural-spline":
            return [f"quadratic[{k + 1}]" for k in range(len(part.knots))]
        return ["quadratic"] if part.kind == "quadratic" else []

    @property
    def size(self) -> int:
        return 2 + (len(self.names) if getattr(self.spec.decline, "random", False) else 0)

    def bent(self, s: float, order: int = 0) -> float:
        """How the mean path bends."""
        if not getattr(self.spec.decline, "mean", False):
            return 0.0
        return float(np.array([self.v[name] for name in self.names]) @ self.bends(s, order))

    def mean(self, s: float) -> float:
        slope = self.v["slope"] + self.age_effect("slope")
        tau = self.integral(lambda r: self.rate("mean", r), 0.0, s)
        start = self.v["intercept"] + self.age_effect("intercept")
        return start + slope * tau + self.integral(self.added, 0.0, s) + self.bent(s)

    def mean_speed(self, s: float) -> float:
        return (self.v["slope"] + self.age_effect("slope")) * self.rate("mean", s) + self.added(s) + self.bent(s, 1)

    def origin(self) -> float:
        return -self.person.onset if self.spec.population == "incident" else 0.0

    def alpha(self) -> tuple[float, float]:
        found = {"value": 0.0, "slope": 0.0}
        for term in self.spec.association:
            kind = term if isinstance(term, str) else term.kind
            if kind not in found:
                continue
            found[kind] = self.v[f"association:{kind}"]
            if kind != term:
                found[kind] += self.v[f"group_sd:association:{kind}"] * self.v[f"z:association:{kind}[{self.person.arm}]"]
        return found["value"], found["slope"]

    def log_hazard_fixed(self, s: float) -> float:
        """Log hazard at time s (not on a kink) with random effects of zero."""
        a1, a2 = self.alpha()
        eta = self.age_effect("hazard") + a1 * self.mean(s) + a2 * self.mean_speed(s)
        if "area" in self.spec.association:
            eta += self.v["association:area"] * self.mean_until(s, self.mean)
        for term in self.spec.association:
            if not isinstance(term, str) and term.kind == "value":
                eta -= (a1 - self.v["association:value"]) * term.at
        for t in self.spec.treatments:
            eta += self.log_ratio(t, s) * self.exposed(t, s)
        clock = self.integral(lambda r: self.rate("hazard", r), self.origin(), s)
        return eta + np.log(self.rate("hazard", s)) + self.log_baseline(clock)

    def association_design(self, s: float) -> np.ndarray:
        a1, a2 = self.alpha()
        out = a1 * self.design(s) + a2 * self.speed_design(s)
        if "area" in self.spec.association:
            out = out + self.v["association:area"] * self.mean_until(s, self.design)
        if "shared" in self.spec.association:
            names = ["intercept", "slope", *self.names][: self.size]
            out = out + np.array([self.v[f"association:shared:{name}"] for name in names])
        return out

    def mean_until(self, s: float, of: Any) -> Any:
        """Mean from time zero to s of what moves as a polynomial of degree up to five between kinks."""
        knots = (*self.spec.decline.knots, *self.spec.decline.boundary) if self.spec.decline.kind == "natural-spline" else ()
        edges = sorted({0.0, s, *(k for k in (*self.kinks(), *knots) if 0.0 < k < s)})
        x, w = np.polynomial.legendre.leggauss(3)
        return (
            sum(
                (right - left) / 2 * weight * of(left + (right - left) * (a + 1) / 2)
                for left, right in itertools.pairwise(edges)
                for a, weight in zip(x, w)
            )
            / s
        )

    def log_hazard(self, s: float, b: np.ndarray) -> np.ndarray:
        """For each row of b."""
        return self.log_hazard_fixed(s) + b @ self.association_design(s)

    def cumulative(self, start: float, stop: float, b: np.ndarray) -> np.ndarray:
        if (start, stop) not in self.known:
            self.known[start, stop] = self.nodes(start, stop)
        logs, designs = self.known[start, stop]
        return np.exp(logs + b @ designs.T).sum(axis=1)

    def nodes(self, start: float, stop: float, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
        """Log of weight times hazard at b = 0, and association design, on nodes split at every kink."""
        knots = [
            k + self.origin() for k in (*(getattr(self.spec.survival, "knots", None) or ()), getattr(self.spec.survival, "upper", NEVER))
        ]
        knots += [k + self.origin() for k in getattr(self.spec.survival, "boundary", None) or ()]
        if self.spec.decline.kind == "natural-spline":
            knots += [*self.spec.decline.knots, *self.spec.decline.boundary]
        edges = sorted({start, stop, *(k for k in (*self.kinks(), *knots) if start < k < stop)})
        x, w = np.polynomial.legendre.leggauss(count)
        u = (x + 1) / 2  # u**4 below smooths a power of time at the left end
        points = [
            (left + (right - left) * a**4, weight * 2 * a**3 * (right - left))
            for left, right in itertools.pairwise(edges)
            for a, weight in zip(u, w)
        ]
        logs = np.array([np.log(weight) + self.log_hazard_fixed(node) for node, weight in points])
        return logs, np.array([self.association_design(node) for node, _ in points])

    @cached_property
    def seen(self) -> tuple[np.ndarray, np.ndarray]:
        """Residuals from the mean path, and design, of every visit."""
        residual = np.array([y - self.mean(t) for t, y in self.person.visits])
        return residual, np.array([self.design(t) for t, _ in self.person.visits])

    def covariance(self) -> np.ndarray:
        names = ["intercept", "slope", *self.names][: self.size]
        corr = np.eye(self.size)
        for j in range(1, self.size):
            for i in range(j):
                # Definition of a partial correlation given those before i: what is left of either after regression on them.
                p, before = 2 * self.v[f"partial:{names[i]},{names[j]}"] - 1, slice(0, i)
                given = np.linalg.solve(corr[before, before], np.column_stack([corr[before, i], corr[before, j]]))
                left = np.array([1 - corr[i, before] @ given[:, 0], 1 - corr[j, before] @ given[:, 1]])
                corr[i, j] = corr[j, i] = corr[i, before] @ given[:, 1] + p * np.sqrt(left[0] * left[1])
        sd = np.array([self.v[f"sd:{name}"] for name in names])
        return corr * np.outer(sd, sd)

    def log_integrand(self, b: np.ndarray) -> np.ndarray:
        """log p(scores | b) + log p(end of follow-up | b) + log p(b) for each row of b."""
        p, sigma = self.person, self.v[f"sd:residual[{self.person.arm}]" if self.spec.decline.residual_by else "sd:residual"]
        out = _log_normal(b, self.covariance())
        residual, designs = self.seen
        for r, z in zip(residual, designs):
            out = out - 0.5 * ((r - b @ z) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)
        begin = self.origin() if self.spec.population == "incident" else p.entry
        out = out - self.cumulative(begin, p.end, b)
        if p.died:
            out = out + self.log_hazard(np.nextafter(p.end, -np.inf), b)
        return out

    def log_survivor(self, b: np.ndarray) -> np.ndarray:
        """log p(alive at entry | b) + log p(b)."""
        return _log_normal(b, self.covariance()) - self.cumulative(self.origin(), self.person.entry, b)

    def loglik(self, nodes: int = 30) -> float:
        nodes = {2: nodes, 3: 18, 4: 12}[self.size]
        total = integrate(self.log_integrand, self.covariance(), nodes)
        return total - integrate(self.log_survivor, self.covariance(), nodes) if self.spec.population == "incident" else total


@cache
def natural_splines(knots: tuple[float, ...]) -> tuple[CubicSpline, np.ndarray]:
    """Natural splines that are one at one knot, and combinations of them with second derivative 2 at one inner knot and flat at zero."""
    cardinal = CubicSpline(knots, np.eye(len(knots)), bc_type="natural")
    conditions = np.vstack([cardinal(knots[1:-1], 2), beyond(cardinal, 0.0, 0), beyond(cardinal, 0.0, 1)])
    return cardinal, np.linalg.solve(conditions, 2.0 * np.eye(len(knots))[:, : len(knots) - 2])


def beyond(spline: CubicSpline, s: float, order: int) -> np.ndarray:
    """Value or derivative, along a straight line outside the knots."""
    at = min(max(s, spline.x[0]), spline.x[-1])
    return spline(at) + (s - at) * spline(at, 1) if order == 0 else spline(at, 1)


def natural_spline(part: NaturalSpline, s: float, order: int) -> np.ndarray:
    cardinal, combination = natural_splines((part.boundary[0], *part.knots, part.boundary[1]))
    return beyond(cardinal, s, order) @ combination


@cache
def splines_of(part: MSpline) -> tuple[BSpline, np.ndarray]:
    """B-splines of scipy on [0, upper], all at once, and their integrals."""
    t = np.array([*[0.0] * (part.degree + 1), *part.knots, *[part.upper] * (part.degree + 1)])
    basis = BSpline(t, np.eye(len(t) - part.degree - 1), part.degree)
    return basis, basis.integrate(0.0, part.upper)


def log_spline(part: MSpline, a: np.ndarray, u: float) -> float:
    """Log hazard, its mean over the range being one: shares of the whole area, spread over each spline's own."""
    basis, areas = splines_of(part)
    share = areas * np.exp(a) / (areas * np.exp(a)).sum()
    return float(np.log(part.upper * (share @ (basis(min(u, part.upper)) / areas))))


def log_curve(part: RoystonParmar, steep: np.ndarray, u: float) -> float:
    """Log hazard from the slope of the log cumulative hazard in log time, added up between knots; up to `at` the mean hazard is one."""
    knots = np.log([part.boundary[0], *part.knots, part.boundary[1]])
    t = np.concatenate([[knots[0]] * 2, knots, [knots[-1]] * 2])
    weights = np.array([steep[0], *steep, steep[-1]])
    slope = lambda x: BSpline(t, weights, 2)(np.clip(x, knots[0], knots[-1]))  # noqa: E731
    start, end = np.log(part.at), np.log(u)
    edges = np.array(sorted({start, end, *(k for k in knots if min(start, end) < k < max(start, end))}))
    x, w = np.polynomial.legendre.leggauss(4)  # exact for the parabolas between knots
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    risen = np.sign(end - start) * (slope(middle[:, None] + half[:, None] * x) @ w @ half)
    return float(start + risen + np.log(slope(end)) - end)


def _log_normal(b: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    z = np.linalg.solve(np.linalg.cholesky(covariance), b.T)
    return -0.5 * (z * z).sum(axis=0) - 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]


def integrate(log_f: Any, covariance: np.ndarray, nodes: int) -> float:
    """Log of the integral of exp(log_f) by a product Gauss-Hermite grid at the mode, with the scale of its curvature."""
    size = len(covariance)
    lower = np.linalg.cholesky(covariance)
    peak = minimize(lambda z: -log_f((lower @ z)[None])[0], np.zeros(size), method="BFGS", options={"gtol": 1e-4})
    h = 1e-3
    steps = np.eye(size) * h
    f = lambda z: log_f((lower @ z)[None])[0]  # noqa: E731
    hessian = np.array(
        [[-(f(peak.x + i + j) - f(peak.x + i - j) - f(peak.x - i + j) + f(peak.x - i - j)) / (4 * h * h) for j in steps] for i in steps]
    )
    scale = lower @ np.linalg.cholesky(np.linalg.inv((hessian + hessian.T) / 2))
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    grid = np.stack([g.ravel() for g in np.meshgrid(*[x] * size, indexing="ij")], axis=1)
    logw = np.log(np.stack([g.ravel() for g in np.meshgrid(*[w] * size, indexing="ij")], axis=1)).sum(axis=1)
    values = log_f(lower @ peak.x + grid @ scale.T) + logw + 0.5 * (grid**2).sum(axis=1)
    return float(np.logaddexp.reduce(values) + np.linalg.slogdet(scale)[1])


def literal_loglik(spec: JointModel, people: tuple[Person, ...] = PEOPLE, values: dict[str, float] = VALUES) -> np.ndarray:
    """Log-likelihood of each participant, by brute force."""
    missing = [p.name for p in people if p.age is None]
    out = []
    for p in people:
        age = values[f"imputed:age[{missing.index(p.name) + 1}]"] if p.age is None else (p.age - AGE.centre) / AGE.scale
        out.append(Literal(spec=spec, person=p, v=values, age=age).loglik())
    return np.array(out)
