"""A real ALS trial with published joint-model estimates. Its data may not be copied: found through an environment variable, or skipped."""

import os
import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from alsmodel.cohort import Cohort, read
from alsmodel.cohort.arrays import joint_data
from alsmodel.inference import Sampling, fit
from alsmodel.models.spec import JointModel, Linear, PiecewiseExponential, Quadratic, Weibull

PLACE = os.environ.get("ALSMODEL_VERIFICATION_DATA", "")
FOLDERS = [folder for folder in (Path(PLACE) / "valproate", Path(PLACE)) if PLACE and (folder / "surv.csv").is_file()]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDERS, reason="the valproate data may not be copied; set ALSMODEL_VERIFICATION_DATA"),
]
peers = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("test_joint_peers.py"))))
PUBLISHED = peers.PEERS["valproate"]
SPEC = JointModel(outcome="total", decline=Linear(covariates=("trt",)), survival=PiecewiseExponential(covariates=("trt",)))
SHAPES = {"linear": SPEC.decline, "quadratic": Quadratic(mean=False, covariates=("trt",))}


@pytest.fixture(scope="module")
def trial() -> Cohort:
    mapping = {
        "time_unit": "month",
        "longitudinal": {"file": "long.csv", "participant": "id", "time": "avisit", "outcomes": ["total"]},
        "survival": {
            "file": "surv.csv", "participant": "id", "time": "stime", "event": "status", "event_values": [1], "event_name": "death",
            "definition": "death", "covariates": ["trt"],
        },
    }  # fmt: skip
    return read(FOLDERS[0], "tables", mapping)


def model(shape: str, baseline: str, cohort: Cohort) -> JointModel:
    """With the knots of the package that it is compared with."""
    spec = replace(SPEC, decline=SHAPES[shape])
    return replace(
        spec,
        survival=Weibull(covariates=SPEC.hazard)
        if baseline == "Weibull"
        else peers.knots_of_jm(joint_data(cohort, spec.selection), covariates=SPEC.hazard),
    )


@pytest.mark.parametrize("baseline", ["piecewise", "Weibull"])
@pytest.mark.parametrize("shape", ["linear", "quadratic"])
def test_maximum_of_the_likelihood_equals_jm(trial: Cohort, shape: str, baseline: str) -> None:
    spec, published = model(shape, baseline, trial), PUBLISHED[f"{shape}, JM {baseline}"]
    data = joint_data(trial, spec.selection)
    assert (data.people, data.outcome.size, int(data.event.sum())) == (154, 701, 33)
    found, loglik = peers.most_likely(spec, data)
    # JM prints one decimal; its quadrature has five nodes.
    assert loglik == pytest.approx(published["log-likelihood"], abs=0.1)
    # A fifth of an SE: JM's EM stops 0.16 SE from the maximum for the linear Weibull, at the same log-likelihood.
    peers.check(found, published, 0.2)


@pytest.mark.parametrize("baseline", ["piecewise", "Weibull"])
@pytest.mark.parametrize("shape", ["linear", "quadratic"])
def test_posterior_agrees_within_a_quarter_of_a_standard_error(trial: Cohort, shape: str, baseline: str) -> None:
    # Knots at quantiles of the event times, the default: between the other package's knots lie intervals without an event.
    hazard = Weibull(covariates=SPEC.hazard) if baseline == "Weibull" else SPEC.survival
    # Weighted draws, a twentieth of the time of chains: the chains are compared where the nodes are few (n300 in test_joint_peers).
    fitted = fit(replace(SPEC, decline=SHAPES[shape], survival=hazard), trial, Sampling(draws=800, tune=300), method="auto")
    published = PUBLISHED[f"{shape}, JM {baseline}"]
    found = peers.means(fitted)
    # The posterior mean of a skewed parameter lies beyond the maximum, and JM's Weibull short of it (see the README beside the
    # estimates): the association of that one model is held to the posterior's own distance from the maximum, 0.35.
    # The Monte Carlo error of about 500 weighted draws, 0.05 of an SD, is added.
    peers.check(found, published, 0.05 + (0.35 if (shape, baseline) == ("linear", "Weibull") else 0.25))
