"""Participants drawn literally from the assumptions of the joint model, one after the other, with numpy alone.

Nothing of the package is imported: this is the second hand. A model is read as the plain mapping that stands in
``docs/evidence/models.toml``. Months throughout.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mapping = dict[str, Any]

STEP = 0.01  # months; width of the cells on which the cumulative hazard is added up
MOST_TRIES = 100_000


@dataclass(kw_only=True)
class Person:
    """One participant: what is recorded, and the truth behind it."""

    covariates: dict[str, float]
    cohort: str = ""
    recorded: bool = True
    shift: float = 0.0
    intervals: list[tuple[float, float]] = field(default_factory=list)
    effects: Floats = field(default_factory=lambda: np.zeros(3))
    visits: Floats = field(default_factory=lambda: np.empty(0))
    scores: Floats = field(default_factory=lambda: np.empty(0))
    end: float = 0.0
    event: bool = False
    free: float | None = None  # the event happened after this and by `end`; None: at `end`


# The truth -----------------------------------------------------------------------------------------------------------


def names_of_effects(model: Mapping) -> list[str]:
    """Names of the random effects."""
    return ["intercept", "slope", *(bends_of(model) if model["decline"].get("random", True) else [])]


def bends_of(model: Mapping) -> list[str]:
    """Names of what bends a path: the square of time, or the curvature at each inner knot of a natural spline."""
    part = model["decline"]
    if part["kind"] == "natural-spline":
        return [f"quadratic[{k + 1}]" for k in range(len(part["knots"]))]
    return ["quadratic"] if part["kind"] == "quadratic" else []


def mean_bends(model: Mapping) -> bool:
    """Whether the mean path bends."""
    return bool(bends_of(model)) and bool(model["decline"].get("mean", True))


def columns_of(model: Mapping, part: str) -> list[str]:
    """Design columns of one part: age is a number, onset site is bulbar or not."""
    names = {
        "intercept": model["decline"].get("level", []),
        "slope": model["decline"].get("covariates", []),
        "hazard": model["survival"].get("covariates", []),
    }[part]
    return [column_of(name) for name in names]


def column_of(name: str) -> str:
    """Design column of a covariate."""
    return {"onset_site": "onset_site[bulbar]"}.get(name, name)


def cohorts_of(design: Mapping) -> list[str]:
    """Names of the cohorts."""
    return [chr(ord("A") + k) for k in range(design["groups"])]


def draw_truth(model: Mapping, design: Mapping, rng: np.random.Generator) -> dict[str, float]:
    """Population parameters from the priors, by printed name."""
    prior = model["priors"]

    def normal(name: str) -> float:
        return float(rng.normal(prior[name]["mean"], prior[name]["sd"]))

    truth = {"intercept": normal("intercept"), "slope": normal("slope")}
    if mean_bends(model):
        truth |= {name: normal("quadratic") for name in bends_of(model)}
    for part in ("intercept", "slope", "hazard"):
        truth |= {f"{part}:{column}": normal(f"{part}_covariates") for column in columns_of(model, part)}
    effects = names_of_effects(model)
    truth |= {f"association:{kind}": normal(f"association_{kind}") for kind in model["association"] if kind != "shared"}
    if "shared" in model["association"]:
        truth |= {f"association:shared:{name}": normal(f"association_shared_{name.partition('[')[0]}") for name in effects}
    truth |= {f"sd:{name}": abs(float(rng.normal(0.0, prior[f"sd_{name.partition('[')[0]}"]))) for name in [*effects, "residual"]}
    matrix = draw_correlation(len(effects), prior["correlation"], rng)
    for j in range(len(effects)):
        truth |= {f"corr:{effects[i]},{effects[j]}": float(matrix[i, j]) for i in range(j)}
    cohorts = cohorts_of(design)
    return truth | _draw_baseline(model, cohorts, normal, rng) | _draw_drug(model, cohorts, normal, rng) | _draw_groups(model, cohorts, rng)


def _draw_baseline(model: Mapping, cohorts: list[str], normal: Any, rng: np.random.Generator) -> dict[str, float]:
    """Coefficients of the baseline: one, or one for each cohort, or one with deviations of cohorts from it."""
    part, prior = model["survival"], model["priors"]
    pooled = part.get("pooling") == "partial"
    size, truth = sizes_of(part), {}
    if part["kind"] in ("m-spline", "royston-parmar"):
        truth["group_sd:spline"] = abs(float(rng.normal(0.0, prior["sd_spline"])))
    for own in [f"|{cohort}" for cohort in cohorts] if part.get("strata") and not pooled else [""]:
        if part["kind"] in ("exponential", "piecewise"):
            truth |= {f"log_hazard[{k + 1}]{own}": normal("log_hazard") for k in range(size)}
        else:
            truth[f"log_level{own}"] = normal("log_hazard")
        if part["kind"] == "weibull":
            truth[f"log_shape{own}"] = normal("log_shape")
        if part["kind"] == "royston-parmar":
            truth[f"log_slope[1]{own}"] = normal("log_shape")
        if part["kind"] in ("m-spline", "royston-parmar"):
            truth |= {f"z:spline[{k}]{own}": float(rng.normal()) for k in range(2, size + 1)}
    if pooled:
        truth["group_sd:baseline_level"] = abs(float(rng.normal(0.0, prior["sd_baseline_level"])))
        truth |= {f"z:baseline_level|{cohort}": float(rng.normal()) for cohort in cohorts}
        truth["group_sd:baseline_shape"] = abs(float(rng.normal(0.0, prior["sd_baseline_shape"])))
        first = 2 if part["kind"] == "m-spline" else 1
        truth |= {f"z:baseline_shape[{k}]|{cohort}": float(rng.normal()) for cohort in cohorts for k in range(first, size + 1)}
    return truth


def sizes_of(part: Mapping) -> int:
    """Number of coefficients of the baseline's shape."""
    if part["kind"] in ("exponential", "weibull"):
        return 1
    return len(part["knots"]) + (part.get("degree", 3) + 1 if part["kind"] == "m-spline" else 1)


def _draw_groups(model: Mapping, cohorts: list[str], rng: np.random.Generator) -> dict[str, float]:
    truth = {}
    for part, scale in (("intercept", "sd_level_groups"), ("slope", "sd_slope_groups")) if model.get("hierarchy") else ():
        truth[f"group_sd:{part}:cohort"] = abs(float(rng.normal(0.0, model["priors"][scale])))
        truth |= {f"z:{part}:cohort[{cohort}]": float(rng.normal()) for cohort in cohorts}
    return truth


def _draw_drug(model: Mapping, cohorts: list[str], normal: Any, rng: np.random.Generator) -> dict[str, float]:
    truth = {}
    for drug in model.get("treatments", []):
        name, score = drug["name"], drug.get("score", "clock")
        if score == "clock":
            truth[f"theta:{name}"] = normal("theta")
            if drug.get("own_clock", "free") == "free":
                truth[f"psi:{name}"] = normal("psi")
        if score == "additive":
            truth[f"slope:{name}"] = normal("additive")
        if drug.get("hazard", "ratio") == "ratio":
            periods = drug.get("hazard_periods")
            labels = [f"hazard:{name}[{k + 1}]" for k in range(len(periods) + 1)] if periods else [f"hazard:{name}"]
            truth |= {label: normal("direct") for label in labels}
        if drug.get("by"):
            truth[f"group_sd:theta:{name}"] = abs(float(rng.normal(0.0, model["priors"]["sd_effect"])))
            truth |= {f"z:theta:{name}[{cohort}]": float(rng.normal()) for cohort in cohorts}
    return truth


def draw_correlation(size: int, shape: float, rng: np.random.Generator) -> Floats:
    """A correlation matrix with density proportional to its determinant to the power shape - 1, by rejection."""
    while True:
        matrix = np.eye(size)
        upper = np.triu_indices(size, 1)
        matrix[upper] = rng.uniform(-1.0, 1.0, upper[0].size)
        matrix = np.triu(matrix) + np.triu(matrix, 1).T
        if np.linalg.eigvalsh(matrix)[0] > 0 and rng.uniform() < np.linalg.det(matrix) ** (shape - 1):
            return matrix


def covariance(model: Mapping, truth: dict[str, float]) -> Floats:
    """Covariance matrix of the random effects."""
    names = names_of_effects(model)
    out = np.empty((len(names), len(names)))
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            r = 1.0 if i == j else truth[f"corr:{names[min(i, j)]},{names[max(i, j)]}"]
            out[i, j] = r * truth[f"sd:{a}"] * truth[f"sd:{b}"]
    return out


# One participant's path and hazard -----------------------------------------------------------------------------------


class Course:
    """Path and hazard of one participant under given parameters; every method takes an array of times."""

    def __init__(self, model: Mapping, truth: dict[str, float], person: Person) -> None:
        self.model, self.truth, self.person = model, truth, person
        drugs = model.get("treatments", [])
        self.drug: Mapping = drugs[0] if drugs else {}
        self.theta = self._effect("theta")
        if self.drug.get("by"):
            name = self.drug["name"]
            self.theta += truth[f"group_sd:theta:{name}"] * truth[f"z:theta:{name}[{person.cohort}]"]
        self.psi = self.theta if self.drug.get("own_clock") == "scaled" else self._effect("psi")

    def _effect(self, kind: str) -> float:
        return self.truth.get(f"{kind}:{self.drug['name']}", 0.0) if self.drug else 0.0

    def _linear(self, part: str) -> float:
        total = sum(self.truth[f"{part}:{c}"] * self.person.covariates[c] for c in columns_of(self.model, part))
        if part != "hazard" and self.model.get("hierarchy"):
            total += self.truth[f"group_sd:{part}:cohort"] * self.truth[f"z:{part}:cohort[{self.person.cohort}]"]
        return total

    def exposed(self, t: Floats) -> Floats:
        """1 while exposed to the drug."""
        return np.array(sum((start <= t) & (t < stop) for start, stop in self.person.intervals), float) * np.ones(t.size)

    def time_exposed(self, t: Floats) -> Floats:
        """Exposed time from time zero to t; negative before it."""
        total = np.zeros(t.size)
        for start, stop in self.person.intervals:
            total += np.clip(np.minimum(stop, t) - max(start, 0.0), 0.0, None)
            total -= np.clip(min(stop, 0.0) - np.maximum(start, t), 0.0, None)
        return total

    def clock(self, effect: float, t: Floats) -> Floats:
        """Time from zero to t, running exp(effect) as fast while exposed."""
        return t + (np.exp(effect) - 1.0) * self.time_exposed(t)

    def value(self, t: Floats, effects: Floats) -> Floats:
        """True score."""
        level = self.truth["intercept"] + self._linear("intercept") + effects[0]
        slope = self.truth["slope"] + self._linear("slope")
        out = level + slope * self.clock(self.theta, t) + effects[1] * self.clock(self.psi, t)
        out = out + self._effect("slope") * self.time_exposed(t)
        return out + self._bent(t, effects, 0)

    def _bent(self, t: Floats, effects: Floats, order: int) -> Floats:
        """How the path bends away from its line, or the derivative of that."""
        names, part = bends_of(self.model), self.model["decline"]
        curvature = np.array([self.truth.get(name, 0.0) for name in names]) + (effects[2:] if effects.size > 2 else np.zeros(len(names)))
        if part["kind"] == "natural-spline":
            return np.asarray(natural_spline(part, t, order) @ curvature)
        return np.asarray((curvature[0] if names else 0.0) * (t**2 if order == 0 else 2.0 * t))

    def speed(self, t: Floats, effects: Floats) -> Floats:
        """Slope of the true score."""
        x = self.exposed(t)
        slope = self.truth["slope"] + self._linear("slope")
        out = slope * np.exp(self.theta * x) + effects[1] * np.exp(self.psi * x) + self._effect("slope") * x
        return out + self._bent(t, effects, 1)

    def log_ratio(self, t: Floats, effects: Floats) -> Floats:
        """Log of the hazard over the baseline hazard."""
        direct: Any = self.theta if self.drug.get("hazard") == "DRR" else self._effect("hazard")
        if self.drug.get("hazard_periods"):
            ratios = [self.truth[f"hazard:{self.drug['name']}[{k + 1}]"] for k in range(len(self.drug["hazard_periods"]) + 1)]
            direct = np.array(ratios)[np.searchsorted(self.drug["hazard_periods"], t, side="left")]
        out = self._linear("hazard") + direct * self.exposed(t)
        out = out + self.truth.get("association:value", 0.0) * self.value(t, effects)
        out = out + sum(self.truth.get(f"association:shared:{name}", 0.0) * b for name, b in zip(names_of_effects(self.model), effects))
        if "association:area" in self.truth:
            out = out + self.truth["association:area"] * self.mean_so_far(t, effects)
        return out + self.truth.get("association:slope", 0.0) * self.speed(t, effects)

    def mean_so_far(self, t: Floats, effects: Floats) -> Floats:
        """Mean of the true score from time zero to t: Simpson's rule between times, exposure's starts and stops, and knots of the path."""
        jumps, part = np.array(self.person.intervals).ravel(), self.model["decline"]
        breaks = np.concatenate([[0.0], jumps, part.get("knots", []), part.get("boundary", [])])
        edges = np.unique(np.concatenate([breaks[(breaks >= 0.0) & (breaks < t.max())], t]))
        left, right = edges[:-1], edges[1:]
        ends = self.value(edges, effects)
        area = (ends[:-1] + 4.0 * self.value((left + right) / 2, effects) + ends[1:]) / 6.0 * (right - left)
        total = np.concatenate([[0.0], np.cumsum(area)])
        return np.asarray(total[np.searchsorted(edges, t)] / np.maximum(t, 1e-9))

    def hazard_clock(self, t: Floats) -> Floats:
        """Time on the clock of the baseline hazard."""
        return self.person.shift + (self.clock(self.theta, t) if self.drug.get("hazard") == "clock" else t)

    def baseline(self, edges: Floats) -> Floats:
        """Baseline hazard added up over the cells between `edges`."""
        u, part = self.hazard_clock(edges), self.model["survival"]
        if part["kind"] == "weibull":
            level, shape = self._weibull()
            power = np.maximum(u / part["at"], 0.0) ** shape
            return np.exp(level) * part["at"] / shape * np.diff(power)
        if part["kind"] == "royston-parmar":
            return np.diff(np.where(u > 0, np.exp(self._log_risen(np.maximum(u, 1e-12))), 0.0))
        return np.exp(self._log_height((u[1:] + u[:-1]) / 2)) * np.diff(u)

    def _pooled(self, kind: str, k: int = 0) -> float:
        """How far this cohort's baseline lies from the common one, in level or in one coefficient of its shape."""
        if self.model["survival"].get("pooling") != "partial":
            return 0.0
        own = f"[{k}]" if k else ""
        return self.truth[f"group_sd:baseline_{kind}"] * self.truth[f"z:baseline_{kind}{own}|{self.person.cohort}"]

    @property
    def _own(self) -> str:
        part = self.model["survival"]
        return f"|{self.person.cohort}" if part.get("strata") and part.get("pooling") != "partial" else ""

    def _weibull(self) -> tuple[float, float]:
        level = self.truth[f"log_level{self._own}"] + self._pooled("level")
        return level, float(np.exp(self.truth[f"log_shape{self._own}"] + self._pooled("shape", 1)))

    def _steep(self) -> Floats:
        """Slopes of log cumulative hazard in log time, from which the curve is made."""
        own = self._own
        walk = [self.truth[f"log_slope[1]{own}"]]
        for k in range(2, sizes_of(self.model["survival"]) + 1):
            walk.append(walk[-1] + self.truth["group_sd:spline"] * self.truth[f"z:spline[{k}]{own}"])
        return np.exp([w + self._pooled("shape", k) for k, w in enumerate(walk, start=1)])

    def _log_risen(self, u: Floats) -> Floats:
        """Log cumulative baseline hazard: the level, and the slope added up from the time of the level by Simpson's rule between knots."""
        part, steep = self.model["survival"], self._steep()
        ends = np.log(u)
        start = np.log(part["at"])
        edges = np.unique(np.concatenate([ends, np.log([*part["boundary"], *part["knots"]]), [start]]))
        middle = (edges[1:] + edges[:-1]) / 2
        height, between = slope_of_curve(part, steep, edges), slope_of_curve(part, steep, middle)
        risen = np.concatenate([[0.0], np.cumsum(np.diff(edges) * (height[1:] + height[:-1] + 4.0 * between) / 6.0)])
        level = self.truth[f"log_level{self._own}"] + self._pooled("level")
        return np.asarray(level + start + np.interp(ends, edges, risen) - np.interp(start, edges, risen))

    def _log_height(self, u: Floats) -> Floats:
        """Log baseline hazard of a piecewise, constant or spline baseline."""
        part, own, level = self.model["survival"], self._own, self._pooled("level")
        size = sizes_of(part)
        if part["kind"] == "m-spline":
            walk = [0.0]
            for k in range(2, size + 1):
                walk.append(walk[-1] + self.truth["group_sd:spline"] * self.truth[f"z:spline[{k}]{own}"])
            walk = [w + (self._pooled("shape", k) if k > 1 else 0.0) for k, w in enumerate(walk, start=1)]
            splines, areas = b_splines(part, u)
            weights = areas * np.exp(walk)
            # A weight is a share of the whole cumulative hazard; each spline is divided by its own integral.
            density = (splines / areas) @ (weights / weights.sum())
            return np.asarray(self.truth[f"log_level{own}"] + level + np.log(part["upper"] * density))
        heights = [
            self.truth[f"log_hazard[{k}]{own}"] + level + (self._pooled("shape", k) if size > 1 else 0.0) for k in range(1, size + 1)
        ]
        return np.array(heights)[np.searchsorted(part.get("knots", []), u, side="left")]

    def log_baseline(self, t: float) -> float:
        """Log baseline hazard per month at t."""
        u, part = self.hazard_clock(np.array([t])), self.model["survival"]
        if part["kind"] == "weibull":
            level, shape = self._weibull()
            rate = self.theta * self.exposed(np.array([t]))[0] if self.drug.get("hazard") == "clock" else 0.0
            return float(level + (shape - 1.0) * np.log(u[0] / part["at"]) + rate)
        if part["kind"] == "royston-parmar":
            slope = slope_of_curve(part, self._steep(), np.log(u))
            return float((self._log_risen(u) + np.log(slope) - np.log(u))[0])
        return float(self._log_height(u)[0])

    def cumulative(self, edges: Floats, effects: Floats) -> Floats:
        """Cumulative hazard at each edge, zero at the first."""
        middle = (edges[1:] + edges[:-1]) / 2
        pieces = self.baseline(edges) * np.exp(np.clip(self.log_ratio(middle, effects), -700.0, 60.0))
        return np.concatenate([[0.0], np.cumsum(pieces)])


def b_splines(part: Mapping, u: Floats) -> tuple[Floats, Floats]:
    """B-splines on [0, upper] at `u`, shape (times, splines), by the two-term recursion; and the integral of each."""
    degree, upper = part.get("degree", 3), part["upper"]
    t = np.array([*[0.0] * (degree + 1), *part["knots"], *[upper] * (degree + 1)])
    x = np.clip(u, 0.0, np.nextafter(upper, 0.0))

    def spline(k: int, d: int) -> Floats:
        if d == 0:
            return ((t[k] <= x) & (x < t[k + 1])).astype(float)
        left, right = t[k + d] - t[k], t[k + d + 1] - t[k + 1]
        out = np.zeros(x.size)
        if left > 0:
            out += (x - t[k]) / left * spline(k, d - 1)
        if right > 0:
            out += (t[k + d + 1] - x) / right * spline(k + 1, d - 1)
        return out

    size = len(part["knots"]) + degree + 1
    areas = np.array([(t[k + degree + 1] - t[k]) / (degree + 1) for k in range(size)])
    return np.stack([spline(k, degree) for k in range(size)], axis=1), areas


def natural_spline(part: Mapping, t: Floats, order: int) -> Floats:
    """Bending terms at `t`, shape (times, knots): sums of truncated cubes with second derivative 2 at one knot, flat at time zero."""
    knots = [part["boundary"][0], *part["knots"], part["boundary"][1]]

    def grown(x: Floats, k: int, d: int) -> Floats:
        a, m, c = knots[k : k + 3]
        weights = {a: 1.0 / (m - a), m: -1.0 / (m - a) - 1.0 / (c - m), c: 1.0 / (c - m)}
        return sum((w * np.maximum(x - knot, 0.0) ** (3 - d) / (3.0 if d == 0 else 1.0) for knot, w in weights.items()), np.zeros(x.size))

    zero = np.zeros(1)
    columns = []
    for k in range(len(knots) - 2):
        start, rise = grown(zero, k, 0)[0], grown(zero, k, 1)[0]
        columns.append(grown(t, k, 0) - start - rise * t if order == 0 else grown(t, k, 1) - rise)
    return np.stack(columns, axis=1)


def slope_of_curve(part: Mapping, steep: Floats, x: Floats) -> Floats:
    """Slope of log cumulative hazard at log time x: parabolas between knots that meet smoothly, level at and beyond the boundary knots."""
    ends = np.log(part["boundary"])
    inner = {"degree": 2, "knots": np.log(part["knots"]) - ends[0], "upper": ends[1] - ends[0]}
    splines, _ = b_splines(inner, np.clip(x - ends[0], 0.0, inner["upper"]))
    return np.asarray(splines @ np.array([steep[0], *steep, steep[-1]]))


# A data set ----------------------------------------------------------------------------------------------------------


def draw_people(model: Mapping, design: Mapping, truth: dict[str, float], rng: np.random.Generator) -> Iterator[Person]:
    """Participants of one data set; covariates, exposure and entry are drawn afresh."""
    ages = rng.normal(0.0, 1.0, design["participants"])
    lost = design["missing"]
    if lost:  # the model takes a missing number as normal with the mean and SD of those recorded
        seen = ages[lost:]
        ages[:lost] = rng.normal(seen.mean(), seen.std(ddof=1), lost)
    root = np.linalg.cholesky(covariance(model, truth) + 1e-300 * np.eye(len(names_of_effects(model))))
    for i, age in enumerate(ages):
        person = Person(covariates={"age": float(age), "onset_site[bulbar]": float(rng.uniform() < 0.3)}, recorded=i >= lost)
        # Half of every cohort is randomised to either arm, which go by turns.
        person.cohort = cohorts_of(design)[i // 2 % design["groups"]]
        person.intervals = _intervals(design, i, rng)
        if model.get("population") == "incident":
            person.shift = float(rng.uniform(*design["onset"]))
        _live(model, design, truth, person, root, rng)
        yield person


def _intervals(design: Mapping, i: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Exposure to the drug: half by lot; or never, from before time zero, or from some time after it until stopped or not."""
    if design["drug"] == "arm":
        return [(0.0, np.inf)] if i % 2 else []
    if design["drug"] == "starts":
        kind = rng.integers(4)
        start, length = float(rng.uniform(1.0, 8.0)), float(rng.uniform(2.0, 6.0))
        return [[], [(-5.0, np.inf)], [(start, np.inf)], [(start, start + length)]][kind]
    return []


def _live(model: Mapping, design: Mapping, truth: dict[str, float], person: Person, root: Floats, rng: np.random.Generator) -> None:
    """Random effects, event and scores. Those who would die before time zero were never enrolled, and are drawn again."""
    censoring = float(rng.uniform(design["shortest"], design["longest"]))
    course = Course(model, truth, person)
    begin = -person.shift
    edges = np.linspace(begin, design["longest"], round((design["longest"] - begin) / STEP) + 1)
    for _ in range(MOST_TRIES):
        person.effects = root @ rng.normal(size=root.shape[0])
        total = course.cumulative(edges, person.effects)
        target = rng.exponential()
        happens = float(np.interp(target, total, edges)) if target < total[-1] else np.inf
        if happens > 0:
            break
    else:
        raise RuntimeError("Nobody with these parameters lives to be enrolled.")
    person.end, person.event = min(happens, censoring), happens <= censoring
    planned = np.array([design["screening"], *np.arange(0.0, design["longest"] + 1e-9, design["every"])])
    person.visits = planned[planned <= person.end]
    noise = truth["sd:residual"] * rng.normal(size=planned.size)
    person.scores = course.value(person.visits, person.effects) + noise[: person.visits.size]
    if design.get("contacts"):
        _learnt_later(person, design["contacts"], censoring, rng)


def _learnt_later(person: Person, every: float, censoring: float, rng: np.random.Generator) -> None:
    """Of half of the participants it is asked only at contacts, the last of which ends follow-up, whether the event has happened.

    A score between the last contact free of the event and the next one may be of somebody who has had it, and is not used.
    """
    if rng.uniform() < 0.5 or not person.event:
        return
    contacts = np.append(np.arange(0.0, censoring, every), censoring)
    after = int(np.searchsorted(contacts, person.end, side="left"))
    person.free, person.end = float(contacts[after - 1]), float(contacts[after])
    before = person.visits <= person.free
    person.visits, person.scores = person.visits[before], person.scores[before]


# The density, by brute force -----------------------------------------------------------------------------------------


def loglik(model: Mapping, truth: dict[str, float], person: Person, nodes: int = 15) -> float:
    """Log-likelihood of one participant, random effects integrated out by brute force."""
    course, prior = Course(model, truth, person), covariance(model, truth)
    edges = _cells(model, person, person.end)
    if person.free is not None:
        edges = np.union1d(edges, person.free)
    total = _integral(course, prior, truth["sd:residual"], person, edges, nodes)
    if model.get("population") == "incident":
        early = Person(covariates=person.covariates, cohort=person.cohort, shift=person.shift, intervals=person.intervals)
        total -= _integral(Course(model, truth, early), prior, 1.0, early, _cells(model, person, 0.0), nodes)
    return total


def _cells(model: Mapping, person: Person, end: float) -> Floats:
    """Edges of cells from the hazard's origin to `end`, none of which holds a jump of the hazard."""
    edges = np.linspace(-person.shift, end, max(round((end + person.shift) / STEP), 10) + 1)
    knots = np.array(model["survival"].get("knots", [])) - person.shift
    periods = [t for drug in model.get("treatments", []) for t in drug.get("hazard_periods", [])]
    jumps = np.concatenate([knots, np.array(person.intervals).ravel(), periods])
    return np.union1d(edges, jumps[(jumps > edges[0]) & (jumps < end)])


def _integral(course: Course, prior: Floats, sigma: float, person: Person, edges: Floats, nodes: int) -> float:
    """Integrate on a grid from the prior's own scale, then on grids placed by the moments that the one before found."""
    size = prior.shape[0]
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    grid = np.stack([g.ravel() for g in np.meshgrid(*[x] * size, indexing="ij")], axis=1)
    log_weight = sum(np.log(g.ravel()) for g in np.meshgrid(*[w / w.sum()] * size, indexing="ij"))
    middle, spread = _from_scores(course, prior, sigma, person)
    for _ in range(3):
        root = np.linalg.cholesky(spread)
        points = middle + grid @ root.T
        terms = np.array([_log_joint(course, prior, sigma, person, edges, effects) for effects in points])
        terms += log_weight + 0.5 * (grid**2).sum(axis=1) + 0.5 * size * np.log(2 * np.pi) + np.log(np.diag(root)).sum()
        share = np.exp(terms - terms.max())
        middle = share @ points / share.sum()
        spread = (points - middle).T @ ((points - middle) * share[:, None]) / share.sum()
    return float(terms.max() + np.log(share.sum()))


def _from_scores(course: Course, prior: Floats, sigma: float, person: Person) -> tuple[Floats, Floats]:
    """Mean and covariance of the random effects given the scores alone."""
    units, zero = np.eye(prior.shape[0]), np.zeros(prior.shape[0])
    basis = np.column_stack([course.value(person.visits, unit) - course.value(person.visits, zero) for unit in units])
    spread = np.linalg.inv(np.linalg.inv(prior) + basis.T @ basis / sigma**2)
    return spread @ basis.T @ (person.scores - course.value(person.visits, zero)) / sigma**2, spread


def _log_joint(course: Course, prior: Floats, sigma: float, person: Person, edges: Floats, effects: Floats) -> float:
    """Log density of effects, scores and event together."""
    residual = person.scores - course.value(person.visits, effects)
    total = -0.5 * residual @ residual / sigma**2 - residual.size * np.log(np.sqrt(2 * np.pi) * sigma)
    total -= 0.5 * (effects @ np.linalg.solve(prior, effects) + np.linalg.slogdet(2 * np.pi * prior)[1])
    risen = course.cumulative(edges, effects)
    if person.free is not None:
        before = risen[np.searchsorted(edges, person.free)]
        return float(total - before + np.log1p(-np.exp(-(risen[-1] - before))))
    total -= risen[-1]
    if person.event:
        total += course.log_baseline(person.end) + course.log_ratio(np.array([person.end]), effects)[0]
    return float(total)
