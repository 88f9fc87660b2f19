"""The model that is sampled against the model that is declared in PyMC, part by part; and its priors against scipy."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from alsmodel.cohort.arrays import joint_data
from alsmodel.kernels.posterior import constrain
from alsmodel.models.joint import build
from alsmodel.models.priors import data_scales
from alsmodel.models.program import Program, program
from alsmodel.models.spec import JointModel, Normal, PiecewiseExponential, Priors
from alsmodel.models.structure import hazard_knots
from tests.unit.declared import declared

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
SPECS: dict[str, JointModel] = literal.SPECS
#: Declaring a model in PyMC takes seconds, so parts that share all their code with another are left out.
SHARED = ("exponential", "m-spline of degree 2, incident", "piecewise, strata", "DRR by group", "royston-parmar, strata, incident")
DECLARED = [name for name in SPECS if name not in SHARED]


WIDE = (
    "weibull, pooled strata", "m-spline, pooled strata", "weibull, strata, incident", "natural spline", "royston-parmar, pooled strata",
    "value and area of a spline, weibull, two drugs",
)  # fmt: skip


@pytest.mark.parametrize("name", DECLARED)
def test_sampled_density_is_the_one_that_pymc_declares(name: str) -> None:
    spec = replace(SPECS[name], hermite=9 if name in WIDE else 3)
    data = joint_data(literal.cohort(), spec.selection)
    compiled, model = program(spec, data), build(spec, data)
    # Interpreted, an addition has at most 32 terms: where the declared density or gradient has more, its parts are added up here, and the
    # gradient's place is taken by a difference.
    differenced = name in WIDE
    outputs = model.logp(sum=False) if differenced else [model.logp(), model.dlogp()]
    at = declared(model, outputs)

    def whole(x: np.ndarray) -> list[float]:
        return [float(sum(np.sum(part) for part in at(x)))]

    for x in (literal.unconstrained(compiled), compiled.start):
        value, *gradient = whole(x) if differenced else at(x)
        found, slope = compiled.density(x)
        # The same formula in two places: only rounding separates them.
        np.testing.assert_allclose(found, value, rtol=1e-11, atol=1e-9)
        if differenced:
            way = np.random.default_rng(3).normal(size=x.size)
            ahead, behind = (whole(x + h * way)[0] for h in (1e-5, -1e-5))
            # The gradient is that of the integral, the difference that of the rule: they part by the rule's own error.
            assert slope @ way == pytest.approx((ahead - behind) / 2e-5, rel=1e-3, abs=1e-3)
        else:
            np.testing.assert_allclose(slope, gradient[0], rtol=1e-8, atol=1e-7)


def log_prior(compiled: Program, x: np.ndarray) -> float:
    return float(constrain(x, compiled.priors, np.empty(x.size), np.empty(x.size), np.zeros(x.size)))


def test_log_prior_is_that_of_scipy_with_the_jacobian() -> None:
    priors = Priors(correlation=2.5, intercept=Normal(mean=30, sd=4), theta=Normal(mean=-0.1, sd=0.3))
    spec = replace(SPECS["two drugs, quadratic, weibull"], priors=priors)
    compiled = program(spec, joint_data(literal.cohort(), spec.selection))
    x = literal.unconstrained(compiled)
    expected, k = 0.0, 0
    for block in compiled.blocks:
        for a, b in zip(block.a, block.b):
            if block.kind == "normal":
                expected += stats.norm(a, b).logpdf(x[k])
            elif block.kind == "half-normal":
                expected += stats.halfnorm(scale=b).logpdf(np.exp(x[k])) + x[k]
            else:
                v = 1 / (1 + np.exp(-x[k]))
                expected += stats.beta(a, a).logpdf(v) + np.log(v * (1 - v))
            k += 1
    assert log_prior(compiled, x) == pytest.approx(expected, abs=1e-10)
    labels = dict(zip(compiled.labels, zip(compiled.priors.a, compiled.priors.b)))
    assert labels["intercept"] == (30, 4)
    assert labels["theta:x"] == (-0.1, 0.3)


def test_canonical_partial_correlations_have_the_lkj_density() -> None:
    # LKJ (Lewandowski et al. 2009): density of a 3 x 3 correlation matrix is proportional to det(R)^(shape - 1). Change of variables
    # from the correlations to (r01, r02, r12.0): dr12 = sqrt((1 - r01^2)(1 - r02^2)) dr12.0.
    shape = 1.7
    spec = replace(SPECS["random quadratic"], priors=Priors(correlation=shape))
    compiled = program(spec, joint_data(literal.cohort(), spec.selection))
    where = [compiled.labels.index(f"partial:{pair}") for pair in ("intercept,slope", "intercept,quadratic", "slope,quadratic")]
    rng = np.random.default_rng(1)
    differences = []
    for _ in range(20):
        x = compiled.start.copy()
        x[where] = rng.normal(size=3)
        a, b, c = 2 / (1 + np.exp(-x[where])) - 1
        third = a * b + c * np.sqrt((1 - a**2) * (1 - b**2))
        matrix = np.array([[1, a, b], [a, 1, third], [b, third, 1]])
        jacobian = 0.5 * np.log((1 - a**2) * (1 - b**2)) + np.log((1 - a**2) * (1 - b**2) * (1 - c**2))
        differences.append(log_prior(compiled, x) - (shape - 1) * np.log(np.linalg.det(matrix)) - jacobian)
    assert np.ptp(differences) < 1e-10


def test_default_priors_follow_the_units_of_the_data() -> None:
    # The same data in points times ten and in years: every weak prior must move with the units, so the posterior cannot depend on them.
    spec = SPECS["piecewise, value and slope"]
    data = joint_data(literal.cohort(), spec.selection)
    scaled = replace(data, outcome=data.outcome * 10)
    a, b = (dict(zip(p.labels, p.priors.b)) for p in (program(spec, data), program(spec, scaled)))
    for name, power in {"intercept": 1, "slope": 1, "sd:residual": 1, "association:value": -1, "association:slope": -1}.items():
        assert b[name] / a[name] == pytest.approx(10.0**power, rel=0.06)  # priors are rounded to two digits
    assert data_scales(scaled).spread == pytest.approx(10 * data_scales(data).spread, rel=0.06)


def test_knots_are_quantiles_of_the_event_times() -> None:
    spec = replace(literal.BASE, survival=PiecewiseExponential(knots=2))
    data = joint_data(literal.cohort(), spec.selection)
    np.testing.assert_allclose(hazard_knots(spec, data), np.quantile([2.2, 6.3, 11.5, 15.0], [1 / 3, 2 / 3]), rtol=1e-12)
    incident = replace(spec, population="incident")
    data = joint_data(literal.cohort(), incident.selection)
    np.testing.assert_allclose(hazard_knots(incident, data), np.quantile([10.2, 20.3, 21.5, 33.0], [1 / 3, 2 / 3]), rtol=1e-12)


def test_building_a_model_compiles_nothing_and_reads_only_what_it_is_given() -> None:
    spec = literal.BASE
    data = joint_data(literal.cohort(), spec.selection)
    first, second = program(spec, data), program(spec, data)
    x = literal.unconstrained(first)
    assert first.density(x)[0] == second.density(x)[0]
    assert len(set(first.labels)) == first.size
