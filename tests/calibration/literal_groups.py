"""Groups that differ in association or noise, by the hand of `tests.calibration.literal`: all live by parameters of their own.

Nothing of the package is imported. Where the association of the current value differs, a deviation acts on the score less the value `at`
that the model states, so a participant's level of log hazard moves by minus the deviation times that value.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tests.calibration import literal
from tests.calibration.literal import Mapping, Person


def differs(model: Mapping) -> bool:
    """Whether an association or the residual SD differs between cohorts."""
    return any(isinstance(term, dict) for term in model["association"]) or bool(model["decline"].get("residual_by"))


def plain(model: Mapping) -> Mapping:
    """The model with the same association for all."""
    return {**model, "association": [term["kind"] if isinstance(term, dict) else term for term in model["association"]]}


def draw_truth(model: Mapping, design: Mapping, rng: np.random.Generator) -> dict[str, float]:
    """Population parameters from the priors, by printed name."""
    truth = literal.draw_truth(plain(model), design, rng)
    if literal.sizes_of(model["survival"]) == 1 and model["survival"]["kind"] == "exponential":  # one level has no shape to differ in
        truth = {name: value for name, value in truth.items() if "baseline_shape" not in name}
    for term in model["association"]:
        if isinstance(term, dict):
            what = f"association:{term['kind']}"
            truth[f"group_sd:{what}"] = abs(float(rng.normal(0.0, model["priors"][f"sd_association_{term['kind']}"])))
            truth |= {f"z:{what}[{cohort}]": float(rng.normal()) for cohort in literal.cohorts_of(design)}
    if model["decline"].get("residual_by"):
        del truth["sd:residual"]
        scale = model["priors"]["sd_residual"]
        truth |= {f"sd:residual[{cohort}]": abs(float(rng.normal(0.0, scale))) for cohort in literal.cohorts_of(design)}
    return truth


def own(model: Mapping, truth: dict[str, float], cohort: str) -> dict[str, float]:
    """Parameters by which the participants of one cohort live."""
    out = dict(truth)
    if model["decline"].get("residual_by"):
        out["sd:residual"] = truth[f"sd:residual[{cohort}]"]
    for term in model["association"]:
        if isinstance(term, dict):
            what = f"association:{term['kind']}"
            deviation = truth[f"group_sd:{what}"] * truth[f"z:{what}[{cohort}]"]
            out[what] = truth[what] + deviation
            if term["kind"] == "value":
                for name in truth:
                    if name.startswith(("log_hazard[", "log_level")):
                        out[name] = truth[name] - deviation * term["at"]
    return out


def draw_people(model: Mapping, design: Mapping, truth: dict[str, float], rng: np.random.Generator) -> Iterator[Person]:
    """Participants of one data set, cohort after cohort."""
    cohorts = literal.cohorts_of(design)
    share = [design["participants"] // len(cohorts) + (k < design["participants"] % len(cohorts)) for k in range(len(cohorts))]
    for cohort, participants in zip(cohorts, share, strict=True):
        alone: Mapping = {**design, "participants": participants, "groups": 1}
        lives = own(model, truth, cohort)
        for name, value in list(lives.items()):  # a cohort alone is called A by the other hand
            for old, new in ((f"|{cohort}", "|A"), (f"[{cohort}]", "[A]")):
                if name.endswith(old):
                    lives[name.removesuffix(old) + new] = value
        for person in literal.draw_people(plain(model), alone, lives, rng):
            yield replace(person, cohort=cohort)


def loglik(model: Mapping, truth: dict[str, float], person: Person, nodes: int = 15) -> float:
    """Log-likelihood of one participant, random effects integrated out by brute force."""
    return literal.loglik(plain(model), own(model, truth, person.cohort), person, nodes)
