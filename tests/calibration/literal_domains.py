"""Several outcomes with correlated lines: truth from the priors, then participants by the hand of `tests.unit.literal_domains`.

Nothing of the package is imported. A truth goes by printed names here and as a mapping of arrays there; `arrays_of` leads from one to the
other. The likelihood is by importance sampling and comes with its Monte Carlo error.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.unit import literal_domains as hand

Floats = NDArray[np.float64]
Mapping = dict[str, Any]
Person = dict[str, Any]

SHARE_X = 0.3  # of participants in whom the covariate x is 1
PARTS = ("intercept", "slope")


def effects_of(model: Mapping) -> list[str]:
    """Names of the random effects: intercept and slope of every outcome."""
    return [f"{outcome['name']}.{part}" for outcome in model["outcomes"] for part in PARTS]


def pairs_of(model: Mapping) -> list[tuple[int, int]]:
    """Places of the two effects of every correlation, the earlier first."""
    return [(j, i) for i in range(len(effects_of(model))) for j in range(i)]


def draw_truth(model: Mapping, design: Mapping, rng: np.random.Generator) -> dict[str, float]:
    """Population parameters from the priors, by printed name."""
    prior, effects = model["priors"], effects_of(model)

    def normal(name: str) -> float:
        return float(rng.normal(prior[name]["mean"], prior[name]["sd"]))

    def positive(name: str, least: float = 0.0) -> float:
        while True:
            value = abs(float(rng.normal(0.0, prior[name])))
            if value >= least:
                return value

    truth: dict[str, float] = {}
    for outcome in model["outcomes"]:
        name = outcome["name"]
        for part in PARTS:
            truth[f"{name}.{part}"] = normal(part)
            truth |= {f"{name}.{part}:{x}": normal(f"{part}_covariates") for x in outcome.get(part, [])}
            truth[f"sd:{name}.{part}"] = positive(f"sd_{part}")
        truth[f"sd:{name}.residual"] = positive("sd_residual", design["least_residual"])
    matrix = draw_correlation(len(effects), prior["correlation"], rng)
    truth |= {f"corr:{effects[j]},{effects[i]}": float(matrix[j, i]) for j, i in pairs_of(model)}
    truth |= {f"association:{kind}": normal(f"association_{kind}") for kind in model["association"]}
    truth |= {f"hazard:{x}": normal("hazard_covariates") for x in model["survival"].get("covariates", [])}
    return truth | {f"log_hazard[{k + 1}]": normal("log_hazard") for k in range(len(model["survival"]["knots"]) + 1)}


def draw_correlation(size: int, shape: float, rng: np.random.Generator) -> Floats:
    """A correlation matrix with density proportional to its determinant to the power shape - 1.

    Effect after effect: the correlations of the next one with those before are a point in the ellipsoid that they leave open (the onion
    method: Lewandowski, Kurowicka and Joe, J Multivar Anal 2009;100:1989, doi 10.1016/j.jmva.2009.04.008).
    """
    matrix = np.ones((1, 1))
    for k in range(1, size):
        squared = rng.beta(k / 2, shape + (size - 1 - k) / 2)
        direction = rng.normal(size=k)
        point = np.sqrt(squared) * direction / np.linalg.norm(direction)
        beside = np.linalg.cholesky(matrix) @ point
        matrix = np.block([[matrix, beside[:, None]], [beside[None], np.ones((1, 1))]])
    return matrix


def arrays_of(model: Mapping, truth: dict[str, float]) -> hand.Truth:
    """The truth as the other hand takes it: one entry per outcome, effect or piece."""
    outcomes, effects = model["outcomes"], effects_of(model)
    names = [outcome["name"] for outcome in outcomes]
    corr = np.eye(len(effects))
    for j, i in pairs_of(model):
        corr[j, i] = corr[i, j] = truth[f"corr:{effects[j]},{effects[i]}"]
    sd = np.array([truth[f"sd:{effect}"] for effect in effects])
    return {
        "lower": np.array([outcome.get("lower", -np.inf) for outcome in outcomes]),
        "upper": np.array([outcome.get("upper", np.inf) for outcome in outcomes]),
        "weights": np.array([outcome.get("weight", 1.0) for outcome in outcomes]),
        "start": np.array([truth[f"{name}.intercept"] for name in names]),
        "start_x": np.array([truth.get(f"{name}.intercept:x", 0.0) for name in names]),
        "slope": np.array([truth[f"{name}.slope"] for name in names]),
        "slope_x": np.array([truth.get(f"{name}.slope:x", 0.0) for name in names]),
        "covariance": corr * np.outer(sd, sd),
        "sigma": np.array([truth[f"sd:{name}.residual"] for name in names]),
        "knots": np.array(model["survival"]["knots"]),
        "log_hazard": np.array([truth[f"log_hazard[{k + 1}]"] for k in range(len(model["survival"]["knots"]) + 1)]),
        "alpha": np.array([truth.get(f"association:{kind}", 0.0) for kind in ("value", "slope")]),
        "hazard_x": truth.get("hazard:x", 0.0),
        "df": None,
        "share_x": SHARE_X,
    }


def draw_people(model: Mapping, design: Mapping, truth: dict[str, float], rng: np.random.Generator) -> list[Person]:
    """Participants of one data set. Outcomes named in ``design["seldom"]`` are measured only every so many months."""
    visits = np.arange(0.0, design["longest"] + 1e-9, design["every"])
    people = hand.draw_people(arrays_of(model, truth), design["participants"], rng, visits)
    every = [design.get("seldom", {}).get(outcome["name"], design["every"]) for outcome in model["outcomes"]]
    for person in people:
        person["rows"] = [(o, t, y) for o, t, y in person["rows"] if t % every[o] == 0]
    return people


def loglik(model: Mapping, truth: dict[str, float], person: Person, draws: int, rng: np.random.Generator) -> tuple[float, float]:
    """Log-likelihood of one participant and its Monte Carlo error."""
    return hand.loglik_sampled(arrays_of(model, truth), person, draws, rng)
