"""Posteriors beside Stan's: the joint model by rstanarm's stan_jm, the mixed model alone by brms; scripts in tests/goldens/stan_models."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest

from alsmodel.cohort import Cohort
from alsmodel.inference import Fit, fit
from alsmodel.models.spec import JointModel, Linear, Weibull
from tests.reference.test_joint_peers import N300, SAMPLING, n300

__all__ = ["n300"]  # the fixture

pytestmark = pytest.mark.slow
FOLDER = Path(__file__).parents[1] / "goldens" / "stan_models"
#: As a CSV file and R's column names spell them.
NAMES = {"sd_residual": "sd:residual", "corr": "corr:intercept,slope"}
JOINT = replace(N300, survival=Weibull(covariates=N300.hazard, at=8.0))
MIXED = JointModel(outcome="alsfrsr", decline=Linear(covariates=("arm",)), survival=Weibull(at=8.0), association=())


def distances(found: Fit, reference: str) -> dict[str, tuple[float, float]]:
    """How far each mean lies from Stan's beyond what is allowed, in posterior SDs, and how far each log SD."""
    assert found.passed, [c for c in found.checks if not c.passed]
    out = {}
    with (FOLDER / f"{reference}.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = NAMES.get(row["parameter"], row["parameter"])
            if name not in found.draws:
                continue
            draws = found.draws[name]
            mean, sd, ess = float(row["mean"]), float(row["sd"]), float(row["ess"])
            # A quarter of an SD and a tenth of it, which cover priors that are not the same too, and 3 Monte Carlo errors of Stan's chain.
            allowed = 0.25 + 3 / math.sqrt(ess), 0.1 + 3 / math.sqrt(2 * ess)
            out[row["parameter"]] = (
                abs(float(draws.mean()) - mean) / sd - allowed[0],
                abs(math.log(float(draws.std()) / sd)) - allowed[1],
            )
    return out


def test_joint_model_agrees_with_stan_jm(n300: Cohort) -> None:
    found = distances(fit(JOINT, n300, SAMPLING, method="auto"), "stan_jm")
    assert len(found) == 13
    assert max(max(pair) for pair in found.values()) < 0, found


def test_mixed_model_agrees_with_brms(n300: Cohort) -> None:
    alone = fit(MIXED, n300, SAMPLING, method="auto")
    found = distances(alone, "brms")
    assert len(found) == 7
    assert max(max(pair) for pair in found.values()) < 0, found
    # Negative control: a hazard without the score is another hazard, which the same limits see.
    assert max(distances(alone, "stan_jm")["log_level"]) > 0
