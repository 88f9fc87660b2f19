"""The compiled likelihood against the same model written out literally and integrated by brute force."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal

from alsmodel.cohort.arrays import joint_data
from alsmodel.models.program import Program, program
from alsmodel.models.spec import JointModel, PiecewiseHazard, WeibullHazard

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
SPECS: dict[str, JointModel] = literal.SPECS


def made(spec: JointModel) -> Program:
    return program(spec, joint_data(literal.cohort(), spec.selection))


def test_the_literal_cumulative_hazard_is_that_of_adaptive_quadrature() -> None:
    # The oracle's own check: scipy's adaptive rule, split at the kinks, at one value of the random effects.
    spec = SPECS["hazard on the clock"]
    person = literal.Literal(spec=spec, person=literal.PEOPLE[0], v=literal.VALUES, age=0.0)
    b = np.array([[1.3, -0.2]])
    value = quad(lambda s: float(np.exp(person.log_hazard(s, b))[0]), 0.0, 11.5, points=[4.2, 8.1], epsabs=1e-12, epsrel=1e-12)[0]
    assert person.cumulative(0.0, 11.5, b)[0] == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("name", SPECS)
def test_likelihood_equals_brute_force(name: str) -> None:
    compiled = made(SPECS[name])
    found = compiled.loglik(literal.unconstrained(compiled))
    # Both integrate numerically: 15 against 30 (18 in three dimensions) Gauss-Hermite nodes, and a Weibull hazard whose power of
    # time leaves the Gauss-Legendre rule with an algebraic error.
    np.testing.assert_allclose(found, literal.literal_loglik(SPECS[name]), rtol=0, atol=2e-7)
