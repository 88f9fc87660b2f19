"""Several causes of leaving and what comes after one, by the hand of `tests.calibration.literal`.

Nothing of the package is imported. Every cause has a time of its own, drawn from its own hazard along the participant's path; the first of
them ends the follow-up of the score. After a cause that something comes after, a clock starts at zero, whose hazard is the baseline times
what covariates do. Parameters of a further cause end with its name.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tests.calibration import literal
from tests.calibration.literal import Course, Floats, Mapping, Person

#: What parameters of a hazard begin with.
OF_HAZARDS = ("hazard:", "association:", "log_hazard", "log_level", "log_shape", "group_sd:spline", "z:spline")


@dataclass(kw_only=True)
class Leaver(Person):
    """One participant, with the place of the cause that ended follow-up, and how long and how follow-up went on after it."""

    cause: int = 0
    later: float = 0.0
    later_event: bool = False


def parts(model: Mapping) -> dict[str, Mapping]:
    """The model with each hazard as its only one, by what the names of that hazard's parameters end with."""
    out = {"": {**model, "causes": [], "after": []}}
    for cause in model["causes"]:
        out[f"@{cause['name']}"] = {**out[""], "survival": cause["survival"], "association": cause.get("association", ["value"])}
    for after in model.get("after", []):
        alone = {"survival": after["survival"], "association": [], "treatments": []}
        out[f"@after {after['cause']}"] = {**out[""], **alone}
    return out


def own(truth: dict[str, float], suffix: str) -> dict[str, float]:
    """Parameters by which one hazard works, under the names that they have alone."""
    shared = {name: value for name, value in truth.items() if not name.startswith(OF_HAZARDS)}
    mine = (name for name in truth if name.startswith(OF_HAZARDS) and name.partition("@")[2] == suffix.removeprefix("@"))
    return shared | {name.removesuffix(suffix): truth[name] for name in mine}


def draw_truth(model: Mapping, design: Mapping, rng: np.random.Generator) -> dict[str, float]:
    """Population parameters from the priors, by printed name."""
    truth: dict[str, float] = {}
    for suffix, part in parts(model).items():
        drawn = literal.draw_truth(part, design, rng)
        truth |= {f"{name}{suffix}": value for name, value in drawn.items() if not suffix or name.startswith(OF_HAZARDS)}
    return truth


def draw_people(model: Mapping, design: Mapping, truth: dict[str, float], rng: np.random.Generator) -> Iterator[Person]:
    """Participants of one data set; covariates and exposure are drawn afresh."""
    views, root = parts(model), np.linalg.cholesky(literal.covariance(model, truth))
    longest = design["longest"]
    edges = np.linspace(0.0, longest, round(longest / literal.STEP) + 1)
    names = [cause["name"] for cause in model["causes"]]
    for i, age in enumerate(rng.normal(0.0, 1.0, design["participants"])):
        person = Leaver(covariates={"age": float(age), "onset_site[bulbar]": float(rng.uniform() < 0.3)})
        person.intervals = [(0.0, np.inf)] if design["drug"] == "arm" and i % 2 else []
        person.effects = root @ rng.normal(size=root.shape[0])
        censoring = float(rng.uniform(design["shortest"], longest))
        times = []
        for suffix in ("", *(f"@{name}" for name in names)):
            total = Course(views[suffix], own(truth, suffix), person).cumulative(edges, person.effects)
            target = rng.exponential()
            times.append(float(np.interp(target, total, edges)) if target < total[-1] else np.inf)
        person.cause = int(np.argmin(times))
        person.end, person.event = min(times[person.cause], censoring), times[person.cause] <= censoring
        person.later = person.end
        for after in model.get("after", []):
            if person.event and person.cause == names.index(after["cause"]) + 1:
                suffix = f"@after {after['cause']}"
                total = Course(views[suffix], own(truth, suffix), person).cumulative(edges, person.effects)
                target = rng.exponential()
                waited = float(np.interp(target, total, edges)) if target < total[-1] else np.inf
                person.later = min(person.end + waited, censoring)
                person.later_event = person.end + waited <= censoring
        planned = np.array([design["screening"], *np.arange(0.0, longest + 1e-9, design["every"])])
        person.visits = planned[planned <= person.end]
        noise = truth["sd:residual"] * rng.normal(size=planned.size)
        course = Course(views[""], own(truth, ""), person)
        person.scores = course.value(person.visits, person.effects) + noise[: person.visits.size]
        yield person


class Courses:
    """Path and all hazards of one participant, as `tests.calibration.literal` integrates one."""

    def __init__(self, model: Mapping, truth: dict[str, float], person: Leaver) -> None:
        views = parts(model)
        suffixes = ["", *(f"@{cause['name']}" for cause in model["causes"])]
        self.courses = [Course(views[suffix], own(truth, suffix), person) for suffix in suffixes]
        self.ended = self.courses[person.cause]

    def value(self, t: Floats, effects: Floats) -> Floats:
        """True score."""
        return self.courses[0].value(t, effects)

    def cumulative(self, edges: Floats, effects: Floats) -> Floats:
        """Cumulative hazard of all causes at each edge."""
        return np.sum([course.cumulative(edges, effects) for course in self.courses], axis=0)

    def log_ratio(self, t: Floats, effects: Floats) -> Floats:
        """Log of the hazard over the baseline hazard, of the cause that ended follow-up."""
        return self.ended.log_ratio(t, effects)

    def log_baseline(self, t: float) -> float:
        """Log baseline hazard of the cause that ended follow-up."""
        return self.ended.log_baseline(t)


def loglik(model: Mapping, truth: dict[str, float], person: Person, nodes: int = 15) -> float:
    """Log-likelihood of one participant, random effects integrated out by brute force, and what came after the cause."""
    assert isinstance(person, Leaver)
    edges = np.linspace(0.0, person.end, max(round(person.end / literal.STEP), 10) + 1)
    for survival in (model["survival"], *(cause["survival"] for cause in model["causes"])):
        knots = np.array(survival.get("knots", []), float)
        edges = np.union1d(edges, knots[knots < person.end])
    prior = literal.covariance(model, truth)
    courses: Course = Courses(model, truth, person)  # type: ignore[assignment]
    total = literal._integral(courses, prior, truth["sd:residual"], person, edges, nodes)
    names = [cause["name"] for cause in model["causes"]]
    for after in model.get("after", []):
        if person.event and person.cause == names.index(after["cause"]) + 1 and person.later > person.end:
            suffix, waited = f"@after {after['cause']}", person.later - person.end
            course = Course(parts(model)[suffix], own(truth, suffix), person)
            cells = np.linspace(0.0, waited, max(round(waited / literal.STEP), 10) + 1)
            total -= course.cumulative(cells, person.effects)[-1]
            if person.later_event:
                total += course.log_baseline(waited) + course.log_ratio(np.array([waited]), person.effects)[0]
    return float(total)
