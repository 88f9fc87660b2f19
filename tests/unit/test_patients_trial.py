"""The generator of one virtual trial."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, stats

from alsmodel.patients.course import Leaving, Nature, Schedule, Treatments, first_month, follow
from alsmodel.patients.course import nobody as drawn
from alsmodel.patients.intercurrent import no_kinds
from alsmodel.patients.streams import stream_key
from alsmodel.patients.trial import segment_inverse, segment_mass, skewed

KNOTS = np.array([0.0, 4.0, 9.0, np.inf])
LEVELS = np.array([-1.2, -0.6, -0.9])
VISITS = np.array([0.0, 3.0, 6.0, 9.0, 12.0])
CHOLESKY = np.array([[5.0, 0.0], [0.1, 0.7]])


def run(n: int, key: int = 1, **changes: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    settings: dict[str, Any] = {
        "intercept": np.full(n, 38.0),
        "slope": np.full(n, -1.0),
        "log_hazard": np.zeros(n),
        "random_cholesky": CHOLESKY,
        "residual_sd": 1.8,
        "knots": KNOTS,
        "log_baseline_hazard": LEVELS,
        "association_value": -0.08,
        "association_slope": -0.3,
        "visit_times": VISITS,
        "duration": 12.0,
        "dropout_rate": 0.02,
        "key": stream_key(key),
    } | changes
    s = settings
    people = np.arange(n)[None]
    rows = {name: np.asarray(s[name], dtype=np.float64)[None] for name in ("intercept", "slope", "log_hazard")}
    one = {name: np.array([s[name]]) for name in ("residual_sd", "association_value", "association_slope")}
    nature = Nature(
        **rows, **one, spread=np.ones_like(rows["slope"]), cholesky=np.array(s["random_cholesky"])[None], edges=s["knots"],
        log_baseline=np.array(s["log_baseline_hazard"])[None], skew=float(s.get("skew", 0.0)),
    )  # fmt: skip
    table = np.ones((1, 1, s["knots"].size - 1))
    rate = s["dropout_rate"]
    leaving = Leaving(float(np.log(rate)) if rate > 0 else -np.inf, 0.0, 0.0, np.zeros(1), np.zeros(1))
    visits = np.asarray(s["visit_times"], dtype=np.float64)
    schedule = Schedule(visits, 0 * visits, 0 * visits, float(s["duration"]), float(s.get("missing_probability", 0.0)), False)
    keys = np.array([s["key"]], dtype=np.uint64)
    nobody = np.zeros((1, n), dtype=np.int64)
    scores, _, time, event, _, _ = follow(
        keys,
        people,
        nobody,
        nobody.copy(),
        nature,
        Treatments(table, table.copy(), 0 * table, 0 * table),
        leaving,
        schedule,
        drawn(),
        no_kinds(),
    )
    return scores[0], time[0], event[0]


def event_month(
    mass: float, knots: NDArray[np.float64], levels: NDArray[np.float64], log_hazard: float, growth: float, horizon: float
) -> float:
    """First month along a straight line of a point a month, each point of which adds `growth` to the log hazard."""
    ones = np.ones(levels.size)
    return first_month(mass, knots, levels, knots[:-1].copy(), ones, 0 * ones, log_hazard, growth, 0.0, horizon)


@pytest.mark.parametrize("growth", [-0.4, -1e-12, 0.0, 1e-300, 1e-9, 0.3])
def test_a_segment_inverts_its_own_mass(growth: float) -> None:
    mass = segment_mass(-2.0, growth, 5.0)
    # Closed forms on both sides: rounding only.
    assert segment_inverse(-2.0, growth, mass) == pytest.approx(5.0, rel=1e-12)
    numeric, _ = integrate.quad(lambda t: np.exp(-2.0 + growth * t), 0, 5)
    assert mass == pytest.approx(numeric, rel=1e-10)


def test_a_falling_hazard_may_never_reach_the_mass() -> None:
    # exp(0) / 0.5 = 2 is all the mass that there is.
    assert segment_inverse(0.0, -0.5, 2.1) == np.inf
    assert event_month(2.1, np.array([0.0, np.inf]), np.array([0.0]), 0.0, -0.5, 1e6) == np.inf


def test_the_event_month_matches_numerical_integration_over_knots() -> None:
    for mass in (0.05, 0.8, 2.0, 6.0):
        month = event_month(mass, KNOTS, LEVELS, 0.1, 0.07, 100.0)
        edges = [*[k for k in KNOTS if k < month], month]
        parts = zip(edges[:-1], edges[1:], LEVELS)
        total = sum(integrate.quad(lambda t, b=b: np.exp(b + 0.1 + 0.07 * t), a, z)[0] for a, z, b in parts)
        assert total == pytest.approx(mass, rel=1e-9)


def test_cumulative_hazard_at_the_event_is_standard_exponential() -> None:
    n = 4000
    rng = np.random.default_rng(0)
    intercept, slope = rng.normal(36, 5, n), -rng.gamma(2.0, 0.5, n)
    still = {"random_cholesky": np.zeros((2, 2)), "dropout_rate": 0.0, "duration": 400.0}
    _, month, event = run(n, key=8, intercept=intercept, slope=slope, **still)
    assert event.mean() > 0.99
    grid = np.linspace(0.0, 1.0, 4001)
    mass = np.empty(n)
    for i in range(n):
        t = grid * month[i]
        level = LEVELS[np.searchsorted(KNOTS[1:-1], t, side="right")]
        mass[i] = integrate.trapezoid(np.exp(level - 0.08 * (intercept[i] + slope[i] * t) - 0.3 * slope[i]), t)
    # One false alarm in 1,000 seeds; a test with n = 4,000 sees a distortion of 0.03 in the distribution function.
    assert stats.kstest(mass[event == 1], "expon").pvalue > 0.001


def test_arms_with_one_key_share_everything_but_the_effect() -> None:
    plain, month, _ = run(200)
    shifted, _, _ = run(200, slope=np.full(200, -0.75))
    both = ~np.isnan(plain) & ~np.isnan(shifted)
    gain = np.broadcast_to(0.25 * VISITS, plain.shape)
    np.testing.assert_allclose((shifted - plain)[both], gain[both], atol=1e-12)
    again, month_again, _ = run(200)
    assert np.array_equal(plain, again, equal_nan=True)
    assert np.array_equal(month, month_again)


def test_more_people_and_more_visits_move_nobody() -> None:
    few, month, event = run(50)
    many, month_many, event_many = run(80, visit_times=np.append(VISITS, 11.5))
    assert np.array_equal(few, many[:50, :5], equal_nan=True)
    assert np.array_equal(month, month_many[:50])
    assert np.array_equal(event, event_many[:50])


def test_scores_stop_at_the_end_of_observation() -> None:
    scores, month, event = run(300)
    assert np.array_equal(np.isnan(scores), VISITS[None, :] > month[:, None])
    assert 0 < event.sum() < 300
    assert ((month == 12.0) | (event == 1) | (month < 12.0)).all()


def test_missed_visits_spare_the_baseline() -> None:
    scores, month, _ = run(2000, missing_probability=0.3)
    due = VISITS[None, :] <= month[:, None]
    assert not np.isnan(scores[:, 0]).any()
    share = np.isnan(scores[:, 1:])[due[:, 1:]].mean()
    # Binomial MCSE with about 5,000 visits due is 0.0065; four of them.
    assert abs(share - 0.3) < 4 * np.sqrt(0.21 / due[:, 1:].sum())


def test_a_skewed_deviate_keeps_mean_and_variance_and_falls_to_the_left() -> None:
    z = np.random.default_rng(1).normal(size=200_000)
    x = np.array([skewed(v, 0.66) for v in z])
    # SE of the mean 0.0022; the variance of a heavy tail has an SE of about 0.02.
    assert abs(x.mean()) < 0.01
    assert abs(x.var() - 1) < 0.08
    assert x.max() < 1 / np.sqrt(np.expm1(0.66**2))
    assert np.array_equal([skewed(v, 0.0) for v in z[:5]], z[:5])
