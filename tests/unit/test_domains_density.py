"""The density of several outcomes against brute force, its gradient against differences, and a Laplace step as the control that fails."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import optimize, special, stats

from alsmodel.kernels.correlations import partial_factor, partial_gradient
from alsmodel.kernels.normal_tail import log_phi, times_phi
from alsmodel.models.domain import DOMAINS, ArmEffect, DomainModel, Outcome
from alsmodel.models.domain_program import DomainProgram, domain_program
from alsmodel.models.spec import PiecewiseExponential

HERE = Path(__file__).parent
literal = SimpleNamespace(**runpy.run_path(str(HERE / "literal_domains.py")))
arrays = SimpleNamespace(**runpy.run_path(str(HERE / "domain_data.py")))

KNOTS = PiecewiseExponential(knots=(6.0, 12.0), covariates=("x",))
FOUR = DomainModel(outcomes=tuple(Outcome(name=n, intercept=("x",), slope=("x",)) for n in DOMAINS), survival=KNOTS)
TOTAL = DomainModel(outcomes=(Outcome(name="alsfrs_r_total", intercept=("x",), slope=("x",)),), survival=KNOTS)
STUDENT = replace(TOTAL, outcomes=(replace(TOTAL.outcomes[0], likelihood="student"),))
FINE: dict[str, Any] = {"tolerance": 1e-9, "event_nodes": 11, "more_time_nodes": 4}


def program_of(spec: DomainModel, people: list[dict[str, Any]], **settings: Any) -> DomainProgram:
    return domain_program(spec, arrays.outcome_arrays(people, spec.names), **settings)


def logliks(spec: DomainModel, truth: dict[str, Any], people: list[dict[str, Any]], **settings: Any) -> np.ndarray:
    made = program_of(spec, people, **settings)
    return made.loglik(arrays.unconstrained(made, arrays.named_truth(truth, spec), spec))


def person(rows: list[tuple[int, float, float]], end: float = 14.0, *, event: bool = True, x: float = 0.0) -> dict[str, Any]:
    return {"x": x, "end": end, "event": event, "rows": rows}


def at(outcome: int, times: list[float], score: float) -> list[tuple[int, float, float]]:
    return [(outcome, t, score) for t in times]


#: Everything at the upper bound, at the lower one, at both in turn, one visit, none.
EDGES = [[0.0, 3.0, 6.0, 9.0, 12.0], 48.0], [[0.0, 3.0, 6.0], 0.0]
SINGLE = [
    person(at(0, *EDGES[0])),
    person(at(0, *EDGES[1]), 8.0),
    person([*at(0, [0.0, 2.0], 48.0), (0, 5.0, 40.0), *at(0, [17.0, 18.0], 0.0)], 19.0),
    person([(0, 0.0, 31.0)], 10.0, event=False, x=1.0),
    person([], 4.0),
]


def test_normal_distribution_function_is_that_of_scipy_in_both_tails() -> None:
    u = np.concatenate([np.linspace(-40, 12, 301), [-1e4, -1e-9, 0.0, 1e-9]])
    room = {name: np.zeros(u.size) for name in ("exponent", "slope", "work", "tail", "buffer")}
    product = np.ones(u.size)
    bits = room["buffer"].view(np.int64)
    times_phi(u, u.size, 1, room["exponent"], product, room["slope"], 1.0, room["work"], room["tail"], room["buffer"], bits)
    # The polynomial is good to 1e-13; the logarithm of a value near 1 carries its absolute error.
    np.testing.assert_allclose(room["exponent"] + np.log(product), special.log_ndtr(u), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose([log_phi(v)[0] for v in u], special.log_ndtr(u), rtol=1e-12, atol=1e-13)
    ratio = np.exp(stats.norm.logpdf(u) - special.log_ndtr(u))
    near = u > -50  # further out the reference is a difference of two large numbers
    np.testing.assert_allclose(room["slope"][near], (u * ratio)[near], rtol=1e-10, atol=1e-290)


def test_one_censored_outcome_is_integrated_as_by_brute_force() -> None:
    truth = literal.total_truth()
    people = [*SINGLE, *literal.draw_people(truth, 3, np.random.default_rng(1))]
    exact = np.array([literal.loglik_plane(truth, each) for each in people])
    # One outcome is one plane, so that only the grid's error is left: 40 x 30 nodes against 201 x 201 points.
    np.testing.assert_allclose(logliks(replace(TOTAL, nodes=(40, 30)), truth, people, **FINE), exact, atol=2e-3)
    working = logliks(TOTAL, truth, people)
    np.testing.assert_allclose(working, exact, atol=0.03)  # all scores at a bound: the hardest edge for 16 x 10 nodes
    np.testing.assert_allclose(working[5:], exact[5:], atol=2e-3)


def test_student_noise_is_integrated_as_by_brute_force() -> None:
    truth = literal.total_truth(df=4.0)
    people = [person([], 4.0), person([(0, 0.0, 31.0)], 10.0), *literal.draw_people(truth, 4, np.random.default_rng(2))]
    people.append(person([(0, 0.0, 38.0), (0, 3.0, 36.0), (0, 6.0, 5.0), (0, 9.0, 31.0)]))  # a score that cannot be right
    exact = np.array([literal.loglik_plane(truth, each) for each in people])
    np.testing.assert_allclose(logliks(replace(STUDENT, nodes=(40, 30)), truth, people, **FINE), exact, atol=1e-3)
    np.testing.assert_allclose(logliks(STUDENT, truth, people), exact, atol=0.02)


def domain_people(truth: dict[str, Any]) -> list[dict[str, Any]]:
    months = [0.0, 3.0, 6.0, 9.0, 12.0]
    every = [row for o in range(4) for row in at(o, months, 12.0)]
    mixed = [*at(0, months, 12.0), (1, 0.0, 8.0), (1, 6.0, 6.5), (1, 9.0, 4.5), (2, 0.0, 4.0), (2, 6.0, 0.0), *at(3, months, 12.0)]
    one = [(0, 0.0, 12.0), (1, 0.0, 8.0), (2, 0.0, 12.0), (3, 0.0, 12.0)]
    return [person(every), person(mixed), person(one, 5.0), person([], 4.0), *literal.draw_people(truth, 3, np.random.default_rng(3))]


def test_four_domains_agree_with_importance_sampling() -> None:
    truth = literal.domain_truth()
    people = domain_people(truth)
    sampled = [literal.loglik_sampled(truth, each, 40_000, np.random.default_rng(k)) for k, each in enumerate(people)]
    value, error = (np.array(part) for part in zip(*sampled, strict=True))
    assert error.max() < 0.02
    fine = logliks(replace(FOUR, nodes=(40, 30)), truth, people, **FINE)
    # Four Monte Carlo errors, and 0.005 for what separates expectation propagation from the integral.
    assert (np.abs(fine - value) < 4 * error + 0.005).all()
    np.testing.assert_allclose(logliks(FOUR, truth, people), fine, atol=0.03)


def laplace(truth: dict[str, Any], each: dict[str, Any]) -> float:
    """The step that is not taken: a Gaussian at the mode of all lines."""
    mean, cover = literal.prior_mean(truth, each["x"]), truth["covariance"]
    root = np.linalg.cholesky(cover)

    def down(z: np.ndarray) -> float:
        return -float(literal.log_terms(truth, each, (mean + root @ z)[None])[0]) + 0.5 * float(z @ z)

    size = mean.size
    found = optimize.minimize(down, np.zeros(size), method="BFGS", options={"gtol": 1e-6})
    h, unit = 1e-3, np.eye(size) * 1e-3
    bend = np.empty((size, size))
    for a in range(size):
        for b in range(size):
            corners = [down(found.x + s * unit[a] + t * unit[b]) * s * t for s in (-1, 1) for t in (-1, 1)]
            bend[a, b] = sum(corners) / (4 * h * h)
    return -float(found.fun) - 0.5 * float(np.linalg.slogdet(bend)[1])


def test_a_laplace_step_fails_where_a_region_stays_at_its_ceiling() -> None:
    truth = literal.domain_truth()
    everything = domain_people(truth)[:1]
    away = laplace(truth, everything[0]) - logliks(FOUR, truth, everything)[0]
    assert away < -0.3  # the density itself is held to 0.005 above


def test_gaussian_outcomes_without_association_are_a_closed_form() -> None:
    truth = literal.domain_truth()
    truth["alpha"] = np.zeros(2)
    spec = replace(FOUR, outcomes=tuple(replace(o, likelihood="gaussian") for o in FOUR.outcomes))
    people = literal.draw_people(truth, 3, np.random.default_rng(4))
    expected = []
    for each in people:
        o, t, y = (np.array(column) for column in zip(*each["rows"], strict=True))
        z = np.zeros((o.size, 8))
        z[np.arange(o.size), 2 * o] = 1.0
        z[np.arange(o.size), 2 * o + 1] = t
        cover = z @ truth["covariance"] @ z.T + np.diag(truth["sigma"][o] ** 2)
        log_p = stats.multivariate_normal.logpdf(y, z @ literal.prior_mean(truth, each["x"]), cover)
        zero = (np.zeros(()), np.zeros(()))
        log_p -= float(literal.cumulative(truth, each["x"], zero, np.array(each["end"])))
        log_p += (literal.log_baseline(truth, each["end"]) + truth["hazard_x"] * each["x"]) if each["event"] else 0.0
        expected.append(log_p)
    np.testing.assert_allclose(logliks(spec, truth, people), expected, rtol=1e-10)


def test_other_outcomes_with_visits_of_their_own_beside_a_domain() -> None:
    truth = literal.domain_truth()
    three = {key: truth[key][:3] for key in ("start", "start_x", "slope", "slope_x", "sigma")}
    truth |= three | {"covariance": truth["covariance"][:6, :6], "weights": np.array([1.0, 0.4, 0.0])}
    truth |= {"lower": np.array([0.0, -np.inf, -np.inf]), "upper": np.array([12.0, np.inf, np.inf])}
    outcomes = (
        Outcome(name="bulbar", intercept=("x",), slope=("x",)),
        Outcome(name="svc", likelihood="gaussian", weight=0.4, intercept=("x",), slope=("x",)),
        Outcome(name="nfl", likelihood="gaussian", weight=0.0, intercept=("x",), slope=("x",)),
    )
    spec = DomainModel(outcomes=outcomes, survival=KNOTS)
    people = [person([*at(0, [0.0, 3.0, 6.0], 12.0), (1, 0.5, 8.0), (1, 7.7, 6.0), (2, 0.0, 9.0)], 9.0)]
    people.append(person([(0, 0.0, 7.0), (2, 1.0, 9.0), (2, 4.0, 8.0)], 12.0, event=False))
    sampled = [literal.loglik_sampled(truth, each, 40_000, np.random.default_rng(k)) for k, each in enumerate(people)]
    for found, (value, error) in zip(logliks(replace(spec, nodes=(40, 30)), truth, people, **FINE), sampled, strict=True):
        assert abs(found - value) < 4 * error + 0.005


@pytest.mark.parametrize("name", ["four domains", "pooled treatment, residuals by arm", "separate effects", "student"])
def test_gradient_is_that_of_the_density(name: str) -> None:
    rng = np.random.default_rng(5)
    if name == "student":
        spec, people = STUDENT, literal.draw_people(literal.total_truth(df=4.0), 6, rng)
    else:
        spec, people = FOUR, literal.draw_people(literal.domain_truth(), 6, rng)
    data = arrays.outcome_arrays(people, spec.names)
    if "treatment" in name or "effects" in name:
        arm = ArmEffect(name="drug", level="active", across="pooled" if "pooled" in name else "separate")
        spec = replace(spec, treatment=arm, residual_by_arm="residuals" in name, association=("value", "slope"))
        base = replace(data.base, groups={"arm": ("active", "placebo") * 3}, exposure_person=np.array([0, 2, 4]))
        data = replace(data, base=base)
    made = domain_program(replace(spec, nodes=(48, 36)), data, tolerance=1e-10, event_nodes=13)
    x = made.start + 0.1 * rng.normal(size=made.size)
    gradient, numeric = made.density(x)[1], np.empty(made.size)
    for k in range(made.size):
        step = np.zeros(made.size)
        step[k] = 1e-4
        numeric[k] = (made.density(x + step)[0] - made.density(x - step)[0]) / 2e-4
    # Differences carry 1e-6 or so; the rest is the grid's error, as the sites' moments are sums over nodes.
    np.testing.assert_allclose(gradient, numeric, rtol=2e-3, atol=2e-2)


def test_correlations_and_their_gradient() -> None:
    rng = np.random.default_rng(6)
    partials = np.tanh(rng.normal(size=15))
    factor, pull = partial_factor(partials, 6), np.tril(rng.normal(size=(6, 6)))
    np.testing.assert_allclose(np.diag(factor @ factor.T), 1.0, rtol=1e-12)
    numeric = [((partial_factor(partials + h, 6) - partial_factor(partials - h, 6)) * pull).sum() / 2e-6 for h in 1e-6 * np.eye(15)]
    np.testing.assert_allclose(partial_gradient(pull, partials), numeric, rtol=1e-6, atol=1e-8)
