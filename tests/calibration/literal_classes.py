"""Latent classes by the hand of `tests.calibration.literal`: a participant is dealt a class and lives by its parameters.

Nothing of the package is imported. The likelihood is the sum over the classes of the chance of the class times the literal integral under
the parameters of that class.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tests.calibration import literal
from tests.calibration.literal import Mapping, Person

Floats = NDArray[np.float64]


def plain(model: Mapping) -> Mapping:
    """The model without its classes."""
    return {name: value for name, value in model.items() if name != "classes"}


def draw_truth(model: Mapping, design: Mapping, rng: np.random.Generator) -> dict[str, float]:
    """Population parameters from the priors, by printed name."""
    truth, prior = literal.draw_truth(plain(model), design, rng), model["priors"]
    for k in range(2, model["classes"]["number"] + 1):
        for what in ("intercept", "log_step", *(["hazard"] if model["classes"].get("hazard", True) else []), "odds"):
            truth[f"class:{what}[{k}]"] = float(rng.normal(prior[f"class_{what}"]["mean"], prior[f"class_{what}"]["sd"]))
        for name in model["classes"].get("covariates", []):
            own = prior["class_covariates"]
            truth[f"class:odds[{k}]:{literal.column_of(name)}"] = float(rng.normal(own["mean"], own["sd"]))
    return truth


def own(model: Mapping, truth: dict[str, float], k: int) -> dict[str, float]:
    """Parameters by which the participants of class k live, counted from 1."""
    out = dict(truth)
    if k > 1:
        out["intercept"] += truth[f"class:intercept[{k}]"]
        for name in truth:
            if name.startswith(("log_hazard[", "log_level")):
                out[name] += truth.get(f"class:hazard[{k}]", 0.0)
    out["slope"] += sum(float(np.exp(truth[f"class:log_step[{j}]"])) for j in range(2, k + 1))
    return out


def shares(model: Mapping, truth: dict[str, float], person: Person) -> Floats:
    """Chance of each class before anything is observed."""
    names = [literal.column_of(name) for name in model["classes"].get("covariates", [])]
    odds = [1.0]
    for k in range(2, model["classes"]["number"] + 1):
        moved = sum(truth[f"class:odds[{k}]:{name}"] * person.covariates[name] for name in names)
        odds.append(float(np.exp(truth[f"class:odds[{k}]"] + moved)))
    return np.array(odds) / sum(odds)


def draw_people(model: Mapping, design: Mapping, truth: dict[str, float], rng: np.random.Generator) -> Iterator[Person]:
    """Participants of one data set, each of one class."""
    root = np.linalg.cholesky(literal.covariance(model, truth) + 1e-300 * np.eye(2))
    for i in range(design["participants"]):
        person = Person(covariates={"age": float(rng.normal()), "onset_site[bulbar]": float(rng.uniform() < 0.3)})
        person.cohort = literal.cohorts_of(design)[i // 2 % design["groups"]]
        chance = shares(model, truth, person)
        k = 1 + int(rng.choice(chance.size, p=chance))
        literal._live(plain(model), design, own(model, truth, k), person, root, rng)
        yield person


def loglik(model: Mapping, truth: dict[str, float], person: Person, nodes: int = 15) -> float:
    """Log-likelihood of one participant, random effects integrated out by brute force and classes added up."""
    chance = shares(model, truth, person)
    each = [literal.loglik(plain(model), own(model, truth, k), person, nodes) for k in range(1, chance.size + 1)]
    return float(np.logaddexp.reduce(np.log(chance) + each))
