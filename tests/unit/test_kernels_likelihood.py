"""The compiled likelihood against the same model written out literally and integrated by brute force."""

import itertools
import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal

from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.kernels.posterior import constrain
from alsmodel.models.program import Program, program
from alsmodel.models.spec import JointModel, MSpline, PiecewiseExponential, Quadratic, Weibull

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


def test_a_clocked_hazard_from_onset_is_refused() -> None:
    # Exposure between onset and enrolment would bend the hazard's clock from a time that the score's clock does not know.
    with pytest.raises(ValueError, match="counts from enrolment"):
        replace(SPECS["hazard on the clock"], population="incident", association=())


def test_three_hermite_nodes_are_close_to_the_truth_for_everyone() -> None:
    for name in ("piecewise, value", "piecewise, value and slope", "clock, own clock free", "random quadratic"):
        spec = replace(SPECS[name], hermite=3)
        compiled = made(spec)
        # Measured: up to 1e-4 for these six; the error grows with the cumulative hazard of somebody with few scores.
        np.testing.assert_allclose(compiled.loglik(literal.unconstrained(compiled)), literal.literal_loglik(spec), rtol=0, atol=5e-4)


def test_strong_associations_and_high_hazards_are_integrated_by_enough_nodes() -> None:
    # Random effects that move the log hazard by two, and cumulative hazards of several: far outside what data show, inside what a
    # sampler visits on its way.
    values = literal.VALUES | {"association:value": -0.3, "sd:intercept": 7.0, "sd:slope": 1.2, "association:slope": -1.5}
    values |= {f"log_hazard[{k}]": 8.5 for k in (1, 2, 3)}
    for name in ("piecewise, value", "piecewise, value and slope"):
        expected = literal.literal_loglik(SPECS[name], values=values)
        for nodes, tolerance in ((3, 0.1), (9, 2e-3), (15, 1e-4)):
            compiled = made(replace(SPECS[name], hermite=nodes))
            np.testing.assert_allclose(compiled.loglik(literal.unconstrained(compiled, values)), expected, rtol=0, atol=tolerance)


def test_weibull_follow_up_that_begins_before_the_origin_is_not_nonsense() -> None:
    # Somebody enrolled at screening, six weeks before the origin: a Weibull hazard counts from entry or the cohort is refused, but
    # the density of everyone else must not become minus infinity.
    people = (replace(literal.PEOPLE[0], entry=-1.5), *literal.PEOPLE[1:])
    spec = SPECS["weibull"]
    try:
        data = joint_data(literal.cohort(people), spec.selection)
        compiled = program(spec, data)
    except (InvalidInput, ValueError):
        return
    assert np.isfinite(compiled.loglik(literal.unconstrained(compiled))).all()


@pytest.mark.parametrize("baseline", [PiecewiseExponential(knots=(4.0, 9.0)), Weibull(at=6.0), MSpline(knots=(4.0, 9.0), upper=20.0)])
def test_default_time_nodes_lose_nothing_that_matters(baseline: PiecewiseExponential | Weibull | MSpline) -> None:
    # Weibull: after t = T v^4 the integrand is v^(4 shape - 1), whose algebraic error at 15 nodes is below 1e-6 of H for shape 1.3.
    rough = made(replace(SPECS["piecewise, value"], survival=baseline))
    fine = made(replace(SPECS["piecewise, value"], survival=replace(baseline, nodes=30)))
    x = literal.unconstrained(rough)
    np.testing.assert_allclose(rough.loglik(x), fine.loglik(x), rtol=0, atol=2e-4)


def test_straight_line_hazard_matches_its_closed_form() -> None:
    # Random effects all but absent: H of a constant piece along a straight line is h0 exp(a m(s)) (exp(a r d) - 1) / (a r), by hand.
    values = literal.VALUES | {"sd:intercept": 1e-6, "sd:slope": 1e-7}
    compiled = made(replace(SPECS["piecewise, value"], survival=PiecewiseExponential(knots=literal.KNOTS, nodes=3)))
    found = compiled.loglik(literal.unconstrained(compiled, values))
    a, start, slope, sigma = values["association:value"], values["intercept"], values["slope"], values["sd:residual"]
    expected = []
    for person in literal.PEOPLE:
        edges = [person.entry, *(k for k in literal.KNOTS if person.entry < k < person.end), person.end]
        cumulative = sum(
            np.exp(values[f"log_hazard[{1 + sum(left >= k for k in literal.KNOTS)}]"] + a * (start + slope * left))
            * np.expm1(a * slope * (right - left))
            / (a * slope)
            for left, right in itertools.pairwise(edges)
        )
        piece = 1 + sum(person.end > k for k in literal.KNOTS)
        log_hazard = values[f"log_hazard[{piece}]"] + a * (start + slope * person.end)
        residual = np.array([y - start - slope * t for t, y in person.visits])
        normal = (-0.5 * (residual / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)).sum()
        expected.append(normal + person.died * log_hazard - cumulative)
    # Three Gauss-Legendre nodes on a piece of width 8 with exponent 0.081 t: error of the rule is (0.65)^7 / 2,016,000 of H, about
    # 2e-8; the random effects left in add about 1e-6 of a squared residual.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_without_association_the_likelihood_is_a_gaussian_times_a_piecewise_exponential() -> None:
    spec, v = SPECS["no association"], literal.VALUES
    compiled = made(spec)
    r = 2 * v["partial:intercept,slope"] - 1
    covariance = np.array([[v["sd:intercept"] ** 2, r * v["sd:intercept"] * v["sd:slope"]], [0, v["sd:slope"] ** 2]])
    covariance[1, 0] = covariance[0, 1]
    expected = []
    for person in literal.PEOPLE:
        t, y = np.array(person.visits, float).T
        z = np.column_stack([np.ones_like(t), t])
        marginal = multivariate_normal(v["intercept"] + v["slope"] * t, z @ covariance @ z.T + v["sd:residual"] ** 2 * np.eye(t.size))
        edges = [person.entry, *(k for k in literal.KNOTS if person.entry < k < person.end), person.end]
        levels = [v[f"log_hazard[{1 + sum(left >= k for k in literal.KNOTS)}]"] for left in edges[:-1]]
        cumulative = (np.diff(edges) * np.exp(levels)).sum()
        expected.append(marginal.logpdf(y) + person.died * levels[-1] - cumulative)
    # Both are closed forms; only rounding separates them.
    np.testing.assert_allclose(compiled.loglik(literal.unconstrained(compiled)), expected, rtol=0, atol=1e-9)


def equal_with_a_vanishing_third_effect(spec: JointModel) -> None:
    """A third random effect whose SD vanishes leaves the model of two, through the other code; three nodes in both."""
    fast, general = made(spec), made(replace(spec, decline=Quadratic(mean=False, residual_by=spec.decline.residual_by)))
    values = literal.VALUES | {"sd:quadratic": 1e-9, "partial:intercept,quadratic": 0.5, "partial:slope,quadratic": 0.5}
    x, y = literal.unconstrained(fast, values), literal.unconstrained(general, values)
    np.testing.assert_allclose(fast.loglik(x), general.loglik(y), rtol=0, atol=1e-9)
    shared = [general.labels.index(label) for label in fast.labels]
    likelihood_gradient = [program_.density(z)[1] - prior_gradient(program_, z) for program_, z in ((fast, x), (general, y))]
    np.testing.assert_allclose(likelihood_gradient[0], likelihood_gradient[1][shared], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    "name",
    [
        "piecewise, value and slope",
        "weibull, value and slope",
        "clock, own clock free",
        "additive",
        "value and slope by group",
        "residual SD by group",
    ],
)
def test_fast_path_equals_the_general_path(name: str) -> None:
    equal_with_a_vanishing_third_effect(replace(SPECS[name], hermite=3))


@pytest.mark.parametrize("name", ["hazard on the clock", "residual SD by group", "incident", "clock, own clock free"])
def test_the_closed_form_without_association_equals_the_general_path(name: str) -> None:
    # Without association the integral does not depend on the nodes, so the general path is exact too.
    spec = replace(SPECS[name], association=(), hermite=3)
    assert made(spec).rule.abscissae.size == 0
    equal_with_a_vanishing_third_effect(spec)


@pytest.mark.parametrize("name", ["no association", "piecewise, value", "random quadratic", "incident", "natural spline"])
def test_the_density_without_its_gradient_is_the_density(name: str) -> None:
    compiled = made(SPECS[name])
    x = literal.unconstrained(compiled)
    assert compiled.value(x) == compiled.density(x)[0]


def prior_gradient(compiled: Program, x: np.ndarray) -> np.ndarray:
    """Gradient of the log prior with log Jacobian."""
    gradient = np.zeros(x.size)
    constrain(x, compiled.priors, np.empty(x.size), np.empty(x.size), gradient)
    return gradient


def test_more_nodes_change_nothing_once_there_are_enough() -> None:
    spec = SPECS["clock, own clock free"]
    fine, finer = made(spec), made(replace(spec, hermite=14))
    x = literal.unconstrained(fine)
    np.testing.assert_allclose(fine.loglik(x), finer.loglik(x), rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", SPECS)
def test_gradient_equals_central_differences(name: str) -> None:
    compiled = made(SPECS[name])
    x = literal.unconstrained(compiled)
    _, gradient = compiled.density(x)
    numeric = np.empty(x.size)
    for k in range(x.size):
        h = 1e-5 * max(1.0, abs(x[k]))
        up, low = x.copy(), x.copy()
        up[k] += h
        low[k] -= h
        numeric[k] = (compiled.density(up)[0] - compiled.density(low)[0]) / (2 * h)
    # Fisher's identity is exact up to the quadrature (1e-7 at 15 nodes); the difference quotient has an error of about 1e-6.
    np.testing.assert_allclose(gradient, numeric, rtol=2e-5, atol=2e-4)


def test_density_is_minus_infinity_rather_than_nonsense_outside_its_support() -> None:
    compiled = made(SPECS["piecewise, value"])
    x = literal.unconstrained(compiled)
    x[list(compiled.labels).index("sd:residual")] = -800.0
    assert compiled.density(x)[0] == -np.inf


def test_same_point_same_bits() -> None:
    compiled = made(SPECS["two drugs, quadratic, weibull"])
    x = literal.unconstrained(compiled)
    first, second = compiled.density(x), compiled.density(x)
    assert first[0] == second[0]
    assert np.array_equal(first[1], second[1])
