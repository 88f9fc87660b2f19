"""The plain hierarchical model with explicit participant effects, written here from scratch, gives the same posterior."""

import runpy
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import arviz_stats.base as azb
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

from alsmodel.cohort.arrays import joint_data
from alsmodel.cohort.selection import Covariate
from alsmodel.inference import Sampling, fit_data
from alsmodel.models.spec import JointModel, Linear, Normal, PiecewiseExponential, Priors

pytestmark = pytest.mark.slow
generator = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_generator.py"))))

KNOTS = (5.0, 10.0)
SPEC = JointModel(
    outcome="score",
    decline=Linear(covariates=("arm",)),
    association=("value",),
    covariates={"arm": Covariate(reference="placebo")},
    survival=PiecewiseExponential(knots=KNOTS, covariates=("arm",)),
    priors=Priors(
        intercept=Normal(mean=35, sd=20), slope=Normal(mean=0, sd=3), slope_covariates=Normal(mean=0, sd=1),
        hazard_covariates=Normal(mean=0, sd=1), association_value=Normal(mean=0, sd=0.3), sd_intercept=12.0, sd_slope=3.0,
        sd_residual=6.0, log_hazard=Normal(mean=-2, sd=3), correlation=1.0,
    ),
)  # fmt: skip


def hierarchical(people: tuple[Any, ...]) -> pm.Model:
    """Scores given each participant's own line; survival given the same line, hazard summed on dense nodes of each piece."""
    n = len(people)
    active = np.array([p.arm == "active" for p in people], float)
    person = np.array([i for i, p in enumerate(people) for _ in p.visits])
    time = np.array([t for p in people for t, _ in p.visits])
    score = np.array([y for p in people for _, y in p.visits])
    end, died = np.array([p.end for p in people]), np.array([p.died for p in people], float)
    x, w = np.polynomial.legendre.leggauss(8)
    edges = np.array([0.0, *KNOTS, 1e9])
    nodes, weights, pieces = [], [], []
    for k in range(3):
        left, right = np.minimum(edges[k], end), np.minimum(edges[k + 1], end)
        nodes.append(left[:, None] + (right - left)[:, None] * (x + 1) / 2)
        weights.append((right - left)[:, None] * w / 2)
        pieces.append(np.full((n, x.size), k))
    at, weight, piece = np.hstack(nodes), np.hstack(weights), np.hstack(pieces)
    last = np.searchsorted(KNOTS, end)
    with pm.Model() as model:
        intercept, slope = pm.Normal("intercept", 35, 20), pm.Normal("slope", 0, 3)
        on_slope, on_hazard = pm.Normal("slope:arm[active]", 0, 1), pm.Normal("hazard:arm[active]", 0, 1)
        alpha = pm.Normal("association:value", 0, 0.3)
        sd0, sd1 = pm.HalfNormal("sd:intercept", 12), pm.HalfNormal("sd:slope", 3)
        r = pm.Uniform("corr:intercept,slope", -1, 1)
        sigma = pm.HalfNormal("sd:residual", 6)
        log_hazard = pm.Normal("log_hazard", -2, 3, shape=3)
        b0 = pm.Normal("b0", 0, sd0, shape=n)
        b1 = pm.Normal("b1", r * sd1 / sd0 * b0, sd1 * pt.sqrt(1 - r**2), shape=n)
        start, rate = intercept + b0, slope + on_slope * active + b1
        pm.Normal("score", start[person] + rate[person] * time, sigma, observed=score)
        along = log_hazard[piece] + (on_hazard * active)[:, None] + alpha * (start[:, None] + rate[:, None] * at)
        at_end = log_hazard[last] + on_hazard * active + alpha * (start + rate * end)
        pm.Potential("survival", (died * at_end).sum() - (weight * pt.exp(along)).sum())
    return model


def test_integrated_and_hierarchical_posteriors_agree() -> None:
    people = generator.draw(8, 40, arm_slope=0.2)
    fitted = fit_data(SPEC, joint_data(generator.literal.cohort(people), SPEC.selection), Sampling(draws=1000), seed=3, method="nuts")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own sampler may complain; agreement is what is judged
        trace = pm.sample(
            model=hierarchical(people), nuts_sampler="nutpie", draws=800, tune=500, chains=4, cores=2, random_seed=4, progressbar=False,
            compute_convergence_checks=False,
        )  # fmt: skip
    posterior = trace["posterior"]
    oracle = {name: posterior[name].to_numpy() for name in posterior.data_vars if name not in ("b0", "b1", "log_hazard")}
    oracle |= {f"log_hazard[{k + 1}]": posterior["log_hazard"].to_numpy()[..., k] for k in range(3)}
    worst = {}
    for name, draws in oracle.items():
        ours = fitted.draws[name]
        sizes = [float(azb.array_stats.ess(d, method="bulk")) for d in (draws, ours)]
        assert min(sizes) > 150, (name, sizes)
        errors = [d.std() / np.sqrt(s) for d, s in zip((draws, ours), sizes)]
        worst[name] = ((ours.mean() - draws.mean()) / np.hypot(*errors), np.log(ours.std() / draws.std()) * np.sqrt(min(sizes)))
        # Four Monte Carlo standard errors of a difference of means; for SDs five of about 1 / sqrt(2 ESS), which heavy tails widen.
        assert abs(worst[name][0]) < 4, (name, worst[name])
        assert abs(worst[name][1]) < 5, (name, worst[name])
    assert set(oracle) == set(fitted.draws)
