"""Conditional and predictive power against closed forms; re-estimation keeps alpha where it says so."""

import numpy as np
import pytest
from scipy.stats import norm

from alsmodel.trials.adaptation import PromisingZone, conditional_power, final_statistic, predictive_power, reestimate
from alsmodel.trials.sequential import GroupSequential, boundaries
from alsmodel.trials.spending import FixedFutility

TWO = boundaries(GroupSequential(fractions=(0.4, 1.0)))


def test_conditional_power_before_the_last_look_is_the_closed_form():
    z, t, b = 1.3, 0.4, TWO.upper[-1]
    for drift in (None, 0.0, 3.0):
        mean = z / np.sqrt(t) if drift is None else drift
        expected = norm.cdf((np.sqrt(t) * z + mean * (1 - t) - b) / np.sqrt(1 - t))
        assert conditional_power(TWO, 1, z, drift) == pytest.approx(expected, abs=1e-9)


def test_predictive_power_with_a_flat_prior_is_the_closed_form():
    z, t, b = 1.3, 0.4, TWO.upper[-1]
    # Final z given the first, with the drift N(z/sqrt t, 1/t): mean z/sqrt t, variance (1-t)/t.
    expected = norm.cdf((z / np.sqrt(t) - b) / np.sqrt((1 - t) / t))
    assert predictive_power(TWO, 1, z) == pytest.approx(expected, abs=1e-8)
    sure = predictive_power(TWO, 1, z, prior_mean=2.0, prior_information=1e8)
    assert sure == pytest.approx(conditional_power(TWO, 1, z, 2.0), abs=1e-4)


def test_conditional_power_over_several_looks_agrees_with_simulation():
    bounds = boundaries(GroupSequential(fractions=(0.3, 0.6, 1.0), futility=FixedFutility(z=(0.0, 0.5))))
    rng = np.random.default_rng(3)
    first, drift, n = 1.0, 2.5, 200_000
    two = (first * np.sqrt(0.3) + rng.normal(drift * 0.3, np.sqrt(0.3), n)) / np.sqrt(0.6)
    three = two * np.sqrt(0.6) + rng.normal(drift * 0.4, np.sqrt(0.4), n)
    win = (two >= bounds.upper[1]) | ((two > 0.5) & (three >= bounds.upper[2]))
    assert abs(win.mean() - conditional_power(bounds, 1, first, drift)) < 4 * np.sqrt(0.25 / n)


def run(rule, drift, n, seed):
    """Rejections of two-stage trials under `rule`, and mean size."""
    rng = np.random.default_rng(seed)
    t = rule.fraction
    first = rng.normal(drift * np.sqrt(t), 1.0, n)
    change = reestimate(rule, first)
    second = rng.normal(drift * np.sqrt(change.maximum - t), 1.0)
    return final_statistic(rule, first, second, change.maximum) >= rule.bound, change


def test_weighted_statistic_keeps_alpha_and_the_ordinary_one_below_its_zone_would_not():
    n = 400_000
    error = np.sqrt(0.025 * 0.975 / n)
    keeps, _ = run(PromisingZone(low=0.02, target=0.9, most=5.0), 0.0, n, 1)
    assert abs(keeps.mean() - 0.025) < 3 * error
    ordinary, _ = run(PromisingZone(low=0.5, target=0.9, most=5.0, statistic="ordinary"), 0.0, n, 2)
    assert ordinary.mean() < 0.025 + 3 * error
    # The negative control: the same enlargement from a low conditional power, analysed as if it had been planned.
    rule = PromisingZone(low=0.02, target=0.9, most=5.0)
    rng = np.random.default_rng(4)
    first = rng.normal(size=n)
    maximum = reestimate(rule, first).maximum
    share = 0.5 / maximum
    naive = np.sqrt(share) * first + np.sqrt(1 - share) * rng.normal(size=n) >= rule.bound
    assert naive.mean() > 0.025 + 3 * error


@pytest.mark.parametrize("statistic", ["weighted", "ordinary"])
def test_enlarged_trials_have_the_conditional_power_aimed_at(statistic):
    rule = PromisingZone(low=0.5, target=0.9, most=10.0, statistic=statistic)
    z = np.array([1.45, 1.6, 1.8])
    change = reestimate(rule, z)
    assert (change.zone == 1).all()
    second = change.maximum - 0.5
    trend = z / np.sqrt(0.5)
    share = np.full(3, 0.5) if statistic == "weighted" else 0.5 / change.maximum
    reached = norm.cdf((np.sqrt(share) * z + np.sqrt(1 - share) * trend * np.sqrt(second) - rule.bound) / np.sqrt(1 - share))
    np.testing.assert_allclose(reached, 0.9, atol=1e-9)


def test_only_promising_results_change_the_size():
    change = reestimate(PromisingZone(most=1.5), np.array([-1.0, 0.5, 1.5, 3.0]))
    assert change.zone.tolist() == [0, 0, 1, 2]
    assert change.maximum.tolist() == [1.0, 1.0, 1.5, 1.0]
    _, planned = run(PromisingZone(), 2.5, 1000, 3)
    assert planned.maximum.mean() > 1.0


def test_rules_that_would_not_keep_alpha_are_refused():
    with pytest.raises(ValueError, match=r"low must be at least 0\.5"):
        PromisingZone(low=0.3, statistic="ordinary")
    with pytest.raises(ValueError, match="low < target"):
        PromisingZone(low=0.95)
    with pytest.raises(ValueError, match="interim looks"):
        conditional_power(TWO, 2, 1.0)
