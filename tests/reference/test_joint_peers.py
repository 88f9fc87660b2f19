"""The joint model beside JMbayes2 and JM on data that nobody here made; sources in tests/goldens/joint_model."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from alsmodel.cohort import Cohort, read
from alsmodel.cohort.arrays import JointData, joint_data
from alsmodel.cohort.selection import Covariate
from alsmodel.inference import Fit, Sampling, fit
from alsmodel.kernels.posterior import constrain
from alsmodel.models.program import program
from alsmodel.models.spec import JointModel, Linear, PiecewiseExponential, Weibull

pytestmark = pytest.mark.slow
FOLDER = Path(__file__).parents[1] / "goldens" / "joint_model"
PEERS: dict[str, Any] = json.loads((FOLDER / "estimates.json").read_text(encoding="utf-8"))
SAMPLING = Sampling(draws=600, tune=250)

PBC = JointModel(
    outcome="serBilir", transform="log", time_unit="year", events=("death or transplantation",),
    decline=Linear(by="drug"), survival=PiecewiseExponential(covariates=("drug",)), covariates={"drug": Covariate(reference="placebo")},
)  # fmt: skip
N300 = JointModel(
    outcome="alsfrsr", decline=Linear(covariates=("arm",)), survival=PiecewiseExponential(covariates=("bulbar", "age_z", "arm"))
)


@pytest.fixture(scope="module")
def pbc() -> Cohort:
    mapping = {
        "time_unit": "year",
        "longitudinal": {"file": "pbc2.csv", "participant": "id", "time": "year", "outcomes": ["serBilir"]},
        "survival": {
            "file": "pbc2.csv", "participant": "id", "time": "years", "event": "status", "event_values": ["dead", "transplanted"],
            "event_name": "death or transplantation", "definition": "status not alive", "covariates": ["drug"],
        },
    }  # fmt: skip
    return read(FOLDER, "tables", mapping)


@pytest.fixture(scope="module")
def n300() -> Cohort:
    mapping = {
        "time_unit": "month",
        "longitudinal": {"file": "long_300.csv", "participant": "id", "time": "time_months", "outcomes": ["alsfrsr"]},
        "survival": {
            "file": "surv_300.csv", "participant": "id", "time": "time", "event": "event", "event_values": [1], "event_name": "death",
            "definition": "simulated", "covariates": ["bulbar", "age_z", "arm"],
        },
    }  # fmt: skip
    return read(FOLDER, "tables", mapping)


def knots_of_jm(data: JointData, intervals: int = 7, covariates: tuple[str, ...] = ()) -> PiecewiseExponential:
    """JM's default knots: quantiles of all follow-up times, just above them, inside the longest one."""
    times = np.unique(np.quantile(data.event_time, np.arange(1, intervals) / intervals))
    return PiecewiseExponential(covariates=covariates, knots=tuple(float(t) + 1e-6 for t in times if t < data.event_time.max()))


def most_likely(spec: JointModel, data: JointData) -> tuple[dict[str, float], float]:
    """Maximum likelihood: the density without its prior, climbed from a crude start. Estimates by name, log-likelihood."""
    made = program(spec, data)

    def downhill(x: np.ndarray) -> tuple[float, np.ndarray]:
        density, gradient = made.density(x)
        prior_gradient = np.zeros(x.size)
        prior = constrain(x, made.priors, np.empty(x.size), np.empty(x.size), prior_gradient)
        return (prior - density, prior_gradient - gradient) if np.isfinite(density) else (1e10, np.zeros(x.size))

    x = made.start
    for _ in range(4):  # restarts shed a stale estimate of curvature
        x = minimize(downhill, x, jac=True, method="L-BFGS-B", options={"maxiter": 600, "maxcor": 30, "ftol": 1e-13}).x
    return dict(zip(made.labels, made.constrained(x))), -downhill(x)[0]


def check(found: dict[str, float], peer: dict[str, Any], tolerance: float) -> None:
    """Every estimate of the peer within `tolerance` of its own standard errors."""
    distance = {k: (found[k] - v[0]) / v[1] for k, v in peer.items() if isinstance(v, list)}
    assert distance
    assert max(abs(d) for d in distance.values()) < tolerance, distance


def check_spread(fitted: Fit, peer: dict[str, Any]) -> None:
    """Posterior SDs within 10% of the peer's and Monte Carlo error, which is a few per cent of an SD from some 500 effective draws."""
    ratio = {k: float(fitted.draws[k].std()) / v[1] - 1 for k, v in peer.items() if isinstance(v, list)}
    assert max(abs(r) for r in ratio.values()) < 0.10 + 0.04, ratio


def means(fitted: Fit) -> dict[str, float]:
    assert fitted.passed, [c for c in fitted.checks if not c.passed]
    return {name: float(value.mean()) for name, value in fitted.draws.items()}


def test_pbc2_is_read_whole(pbc: Cohort) -> None:
    data = joint_data(pbc, PBC.selection)
    # Source: the data set's description; 169 of 312 died or were transplanted.
    assert (data.people, data.outcome.size, int(data.event.sum())) == (312, 1945, 169)


def test_pbc2_posterior_agrees_with_jmbayes2_and_jm(pbc: Cohort) -> None:
    # Weighted draws: these data need five nodes, which makes each of NUTS's evaluations eight times dearer.
    fitted = fit(PBC, pbc, SAMPLING, method="auto")
    found = means(fitted)
    # A quarter of a posterior SD, and Monte Carlo error on both sides (0.004 of JMbayes2's 468 draws).
    check(found, PEERS["pbc2"]["JMbayes2"], 0.25 + 0.05)
    check(found, PEERS["pbc2"]["JM piecewise"], 0.25)
    check_spread(fitted, PEERS["pbc2"]["JMbayes2"])


def test_pbc2_at_its_maximum_equals_jm_with_jms_knots(pbc: Cohort) -> None:
    data = joint_data(pbc, PBC.selection)
    found, _ = most_likely(replace(PBC, survival=knots_of_jm(data, covariates=PBC.hazard)), data)
    check(found, PEERS["pbc2"]["JM piecewise"], 0.05)
    found, _ = most_likely(replace(PBC, survival=Weibull(covariates=PBC.hazard)), data)
    check(found, PEERS["pbc2"]["JM Weibull"], 0.05)


def test_pbc2_is_fitted_with_a_weibull_hazard(pbc: Cohort) -> None:
    found = means(fit(replace(PBC, survival=Weibull(covariates=PBC.hazard)), pbc, SAMPLING, method="auto"))
    check(found, PEERS["pbc2"]["JM Weibull"], 0.25)
    check(found, PEERS["pbc2"]["JMbayes2"], 0.35)  # another hazard than JMbayes2's splines


def test_n300_posterior_agrees_with_jmbayes2(n300: Cohort) -> None:
    fitted = fit(N300, n300, SAMPLING, method="nuts")
    found = means(fitted)
    check(found, PEERS["n300"]["JMbayes2"], 0.25)
    check_spread(fitted, PEERS["n300"]["JMbayes2"])
    survival = {k: v for k, v in PEERS["n300"]["JM piecewise"].items() if k.startswith("hazard:")}
    check(found, survival, 0.25)


@pytest.mark.parametrize("kind", ["JM piecewise", "JM Weibull"])
def test_n300_at_its_maximum_equals_jm(n300: Cohort, kind: str) -> None:
    data = joint_data(n300, N300.selection)
    base = knots_of_jm(data, covariates=N300.hazard) if kind == "JM piecewise" else Weibull(covariates=N300.hazard)
    found, _ = most_likely(replace(N300, survival=base), data)
    # JM stops its EM algorithm a few hundredths of an SE from the maximum.
    check(found, PEERS["n300"][kind], 0.1)
