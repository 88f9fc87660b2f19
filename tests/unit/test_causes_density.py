"""Several causes and illness-death: the compiled density against brute force, and against closed forms where there are any."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from alsmodel.cohort.arrays import joint_data
from alsmodel.cohort.selection import Covariate
from alsmodel.models.decline import Linear, Quadratic
from alsmodel.models.program import Program, program
from alsmodel.models.spec import AfterEvent, Cause, Exponential, JointModel, MSpline, PiecewiseExponential, Treatment, Weibull

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_causes.py"))))
shared = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))

TRACHEOSTOMY = Cause(
    name="tracheostomy",
    events=("tracheostomy",),
    survival=PiecewiseExponential(knots=(5.0,), covariates=("age",), nodes=15),
    association=("value", "slope"),
)
DROPOUT = Cause(name="dropout", events=("dropout",), survival=Weibull(at=6.0, nodes=40), association=("value",))
AFTER = AfterEvent(cause="tracheostomy", survival=PiecewiseExponential(knots=(4.0,), covariates=("age",), nodes=15))
BASE = JointModel(
    outcome="score",
    decline=Linear(covariates=("age",)),
    survival=PiecewiseExponential(knots=(6.0,), covariates=("age",), nodes=15),
    causes=(TRACHEOSTOMY, DROPOUT),
    after=(AFTER,),
    covariates={"age": Covariate(centre=60, scale=10)},
    hermite=15,
)
SPECS = {
    "three causes, death after tracheostomy, ages imputed": BASE,
    "a drug with a hazard ratio on each cause": replace(BASE, treatments=(Treatment(name="x"),)),
    "hazard ratios in periods, study clock, Weibull, M-spline": replace(
        BASE,
        survival=Weibull(at=6.0, nodes=40),
        causes=(
            replace(TRACHEOSTOMY, survival=Weibull(at=5.0, nodes=40), association=("slope",)),
            replace(DROPOUT, survival=MSpline(knots=(4.0, 9.0), upper=15.0, nodes=15), association=()),
        ),
        after=(replace(AFTER, survival=Weibull(at=10.0, nodes=40), clock="study"),),
        treatments=(Treatment(name="x", hazard_periods=(3.0,)),),
        decline=Linear(),
        covariates={},
    ),
    "random quadratic, after since the event by a Weibull": replace(
        BASE,
        decline=Quadratic(),
        survival=Exponential(nodes=15),
        association=(),
        causes=(TRACHEOSTOMY, replace(DROPOUT, survival=Exponential(nodes=15), association=("slope",))),
        after=(replace(AFTER, survival=Weibull(at=4.0, nodes=40)),),
        hermite=9,
    ),
}


def made(spec: JointModel) -> Program:
    return program(spec, joint_data(literal.cohort(), spec.selection))


def at_values(compiled: Program) -> np.ndarray:
    return shared.unconstrained(compiled, literal.VALUES)


@pytest.mark.parametrize("name", SPECS)
def test_likelihood_equals_brute_force(name: str) -> None:
    compiled = made(SPECS[name])
    # 15 recentred Gauss-Hermite nodes (9 in three dimensions) against 40 (20) at the score posterior; a Weibull's power of time leaves
    # an algebraic error in the Gauss-Legendre rule.
    tolerance = 1e-5 if SPECS[name].random_effects == "quadratic" else 1e-6
    np.testing.assert_allclose(compiled.loglik(at_values(compiled)), literal.literal_loglik(SPECS[name]), rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", SPECS)
def test_gradient_is_the_differenced_density(name: str) -> None:
    compiled = made(SPECS[name])
    x = at_values(compiled)
    steps = 1e-5 * np.eye(x.size)
    differenced = [(compiled.density(x + h)[0] - compiled.density(x - h)[0]) / 2e-5 for h in steps]
    # Fisher's identity holds for the integral, the difference for the rule: they part by the rule's own error.
    np.testing.assert_allclose(compiled.density(x)[1], differenced, rtol=2e-5, atol=2e-4)
