"""Several causes and illness-death: the compiled density against brute force, and against closed forms where there are any."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from alsmodel.cohort.arrays import joint_data
from alsmodel.cohort.selection import Covariate
from alsmodel.inference.effects import path_at
from alsmodel.kernels.effects import draw_effects
from alsmodel.models.decline import Linear, Quadratic
from alsmodel.models.joint import build
from alsmodel.models.prior_table import prior_table
from alsmodel.models.priors import Normal, Priors
from alsmodel.models.program import Program, program
from alsmodel.models.spec import AfterEvent, Cause, Exponential, JointModel, MSpline, PiecewiseExponential, Treatment, Weibull
from tests.unit.declared import declared

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
    x = at_values(compiled)
    np.testing.assert_allclose(compiled.loglik(x), literal.literal_loglik(SPECS[name]), rtol=0, atol=tolerance)
    assert compiled.value(x) == compiled.density(x)[0]


@pytest.mark.parametrize("name", SPECS)
def test_gradient_is_the_differenced_density(name: str) -> None:
    compiled = made(SPECS[name])
    x = at_values(compiled)
    steps = 1e-5 * np.eye(x.size)
    differenced = [(compiled.density(x + h)[0] - compiled.density(x - h)[0]) / 2e-5 for h in steps]
    # Fisher's identity holds for the integral, the difference for the rule: they part by the rule's own error.
    np.testing.assert_allclose(compiled.density(x)[1], differenced, rtol=2e-5, atol=2e-4)


def test_sampled_density_is_the_one_that_pymc_declares() -> None:
    # Interpreted, an addition has at most 32 terms: fewer parameters than above, of a Weibull, pieces and a drug on every hazard.
    spec = JointModel(
        outcome="score",
        survival=Exponential(),
        association=(),
        causes=(replace(TRACHEOSTOMY, survival=Weibull(at=5.0), association=("value",)),),
        after=(replace(AFTER, survival=PiecewiseExponential(knots=(4.0,), covariates=("age",))),),
        treatments=(Treatment(name="x", own_clock="none"),),
        covariates={"age": Covariate(centre=60, scale=10)},
        events=("death", "dropout"),
    )
    data = joint_data(literal.cohort(), spec.selection)
    compiled, model = program(spec, data), build(spec, data)
    x = at_values(compiled)
    # The same formula in two places: only rounding separates them.
    np.testing.assert_allclose(compiled.density(x)[0], declared(model, [model.logp()])(x)[0], rtol=1e-11, atol=1e-9)


def test_without_association_each_cause_is_an_exponential_likelihood_of_its_own() -> None:
    # Closed form: sum over causes of (events x log rate - rate x person-time), and the same after tracheostomy.
    plain = tuple(replace(cause, survival=Exponential(), association=()) for cause in (TRACHEOSTOMY, DROPOUT))
    spec = JointModel(outcome="score", survival=Exponential(), association=(), causes=plain, after=(AfterEvent(cause="tracheostomy"),))
    compiled = made(spec)
    x = at_values(compiled)
    rates = {"": (1, -1.1), "@tracheostomy": (3, -2.0), "@dropout": (1, -2.7)}
    exposure = sum(p.end - p.entry for p in literal.PEOPLE)
    later = sum(p.later - p.end for p in literal.PEOPLE if p.later is not None)
    expected, y = 0.0, x.copy()
    for suffix, (events, level) in rates.items():
        k = compiled.labels.index(f"log_hazard[1]{suffix}")
        y[k] = level
        expected += events * (level - x[k]) - (np.exp(level) - np.exp(x[k])) * exposure
    k = compiled.labels.index("log_hazard[1]@after tracheostomy")
    y[k] = -1.4
    expected += (y[k] - x[k]) - (np.exp(y[k]) - np.exp(x[k])) * later
    assert compiled.loglik(y).sum() - compiled.loglik(x).sum() == pytest.approx(expected, abs=1e-9)


def test_a_wrong_label_of_the_cause_is_another_likelihood() -> None:
    spec = SPECS["three causes, death after tracheostomy, ages imputed"]
    data = joint_data(literal.cohort(), spec.selection)
    wrong = replace(data, cause=np.where(data.cause == 1, 2, np.where(data.cause == 2, 1, data.cause)))
    right, mislabelled = program(spec, data), program(spec, wrong, program(spec, data).knots)
    x = at_values(right)
    gap = np.abs(right.loglik(x) - mislabelled.loglik(x))
    ended = [p.cause in ("tracheostomy", "dropout") for p in literal.PEOPLE]
    assert (gap[ended] > 0.1).all()
    assert (gap[~np.array(ended)] == 0).all()


def test_effects_are_drawn_from_the_posterior_that_all_causes_leave() -> None:
    compiled = made(SPECS["a drug with a hazard ratio on each cause"])
    x = at_values(compiled)
    path, common = path_at(compiled, compiled.constrained(x), compiled.segments, compiled.cuts)
    rng, draws = np.random.default_rng(5), np.empty((4000, len(literal.PEOPLE), 2))
    for k in range(len(draws)):
        draw_effects(path, common, compiled.cuts, compiled.weibull, rng, draws[k])
    for i, person in enumerate(literal.PEOPLE):
        mean, sd = literal.Literal(SPECS["a drug with a hazard ratio on each cause"], person, literal.VALUES).moments()
        # Monte Carlo error of 4000 independent draws: five standard errors.
        np.testing.assert_allclose(draws[:, i].mean(axis=0), mean, atol=5 * sd.max() / np.sqrt(4000))
        np.testing.assert_allclose(draws[:, i].std(axis=0), sd, rtol=5 / np.sqrt(2 * 4000))


def test_priors_of_a_cause_are_its_own_where_it_has_some() -> None:
    own = Priors(association_value=Normal(mean=-0.2, sd=0.05), log_hazard=Normal(mean=-4.0, sd=1.0))
    spec = replace(BASE, causes=(replace(TRACHEOSTOMY, priors=own), DROPOUT))
    rows = prior_table(spec, joint_data(literal.cohort(), spec.selection))
    table = dict(zip(rows["parameters"], rows["prior"], strict=True))
    assert table["association:value@tracheostomy"] == "N(-0.2, 0.05^2)"
    assert table["log_hazard[1]@tracheostomy to log_hazard[2]@tracheostomy"] == "N(-4, 1^2)"
    assert table["association:value@dropout"] == table["association:value"] != "N(-0.2, 0.05^2)"
    assert {"hazard:age@tracheostomy", "hazard:age@after tracheostomy", "log_level@dropout", "log_shape@dropout"} <= set(table)
