"""Priors that matter are seen, and priors that do not are not."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from alsmodel.cohort.arrays import joint_data
from alsmodel.cohort.selection import Covariate
from alsmodel.inference import Sampling, fit_data
from alsmodel.inference.sensitivity import SENSITIVE, log_prior_of, prior_sensitivity
from alsmodel.models.decline import Linear
from alsmodel.models.program import program
from alsmodel.models.spec import JointModel, Normal, PiecewiseExponential, Priors

generator = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_generator.py"))))
SPEC = JointModel(
    outcome="score", decline=Linear(covariates=["arm"]), survival=PiecewiseExponential(knots=2, covariates=["arm"]),
    covariates={"arm": Covariate(reference="placebo")},
)  # fmt: skip


def test_the_log_prior_is_that_of_the_named_distributions() -> None:
    data = joint_data(generator.literal.cohort(generator.draw(3, 40)), SPEC.selection)
    made = program(SPEC, data)
    x = made.start + np.random.default_rng(1).normal(0, 0.3, made.size)
    total, place = 0.0, 0
    for block in made.blocks:
        value = made.constrained(x)[place : place + block.size]
        family = {
            "normal": stats.norm(block.a, block.b),
            "half-normal": stats.halfnorm(scale=block.b),
            "beta": stats.beta(block.a, block.a),
        }
        total += float(family[block.kind].logpdf(value).sum())
        place += block.size
    assert log_prior_of(made, x) == pytest.approx(total, abs=1e-9)


def test_a_prior_against_the_data_is_found_and_a_weak_one_is_not() -> None:
    data = joint_data(generator.literal.cohort(generator.draw(3, 120)), SPEC.selection)
    found = {}
    for name, priors in (("weak", Priors()), ("against", Priors(slope=Normal(mean=0.0, sd=0.1)))):
        fit = fit_data(replace(SPEC, priors=priors), data, Sampling(chains=2, draws=300, tune=100, cores=1), seed=2)
        table = prior_sensitivity(fit)
        assert set(table["parameter"]) == set(fit.draws)
        found[name] = dict(zip(table["parameter"], table["prior"], strict=True))["slope"]
    assert found["weak"] < SENSITIVE < found["against"]
