"""The log-rank test and the log hazard ratio against literal sums."""

import numpy as np
import pytest

from alsmodel.estimators import fit_log_rank


def literal(time, event, arm):
    """Observed, expected and variance, one event time after the other."""
    observed = expected = variance = 0.0
    for t in np.unique(time[event == 1]):
        risk, here = time >= t, (time == t) & (event == 1)
        r, r1, d = risk.sum(), (risk & (arm == 1)).sum(), here.sum()
        observed += (here & (arm == 1)).sum()
        expected += d * r1 / r
        if r > 1:
            variance += d * r1 / r * (1 - r1 / r) * (r - d) / (r - 1)
    return observed, expected, variance


def make_events(replicates, people, seed=1):
    rng = np.random.default_rng(seed)
    arm = np.arange(people) % 2
    month = rng.exponential(15.0 * np.exp(0.3 * arm), (replicates, people))
    time = np.round(np.minimum(month, 12.0), 1)
    return time, (month <= 12.0).astype(int), arm


def test_sums_agree_with_literal_ones_with_ties():
    time, event, arm = make_events(5, 80)
    fit = fit_log_rank(time, event, arm)
    for r in range(5):
        wanted = literal(time[r], event[r], arm)
        # The same few hundred additions in another order.
        np.testing.assert_allclose((fit.observed[r], fit.expected[r], fit.variance[r]), wanted, rtol=1e-12)
    np.testing.assert_allclose(fit.estimate, (fit.observed - fit.expected) / fit.variance, rtol=1e-14)


def test_strata_add_up():
    time, event, arm = make_events(1, 90)
    stratum = np.arange(90) % 3
    fit = fit_log_rank(time, event, arm, strata=stratum)
    parts = [literal(time[0, stratum == s], event[0, stratum == s], arm[stratum == s]) for s in range(3)]
    np.testing.assert_allclose((fit.observed[0], fit.expected[0], fit.variance[0]), np.sum(parts, axis=0), rtol=1e-12)


def test_swapping_the_arms_changes_only_signs():
    time, event, arm = make_events(3, 60)
    for method in ("one step", "cox"):
        one, other = (fit_log_rank(time, event, a, method=method) for a in (arm, 1 - arm))
        np.testing.assert_allclose(other.estimate, -one.estimate, rtol=1e-9)
        np.testing.assert_allclose(other.statistic, -one.statistic, rtol=1e-9)


def test_monotone_likelihood_has_no_hazard_ratio_but_a_test():
    fit = fit_log_rank([1.0, 2.0, 3.0, 4.0, 9.0, 9.0, 9.0, 9.0], [1, 1, 1, 1, 0, 0, 0, 0], np.repeat([1, 0], 4), method="cox")
    assert fit.status[0] == 2
    assert np.isnan(fit.estimate[0])
    assert fit.statistic[0] > 2


def test_no_event_is_not_estimable():
    fit = fit_log_rank(np.full((1, 6), 9.0), np.zeros((1, 6)), np.arange(6) % 2)
    assert fit.status[0] == 3
    assert np.isnan([fit.statistic[0], fit.p_value[0], fit.estimate[0]]).all()


def test_impossible_input_is_refused():
    with pytest.raises(ValueError, match="finite and not negative"):
        fit_log_rank([1.0, np.nan], [1, 1], [0, 1])
    with pytest.raises(ValueError, match="arm must be 0"):
        fit_log_rank([1.0, 2.0], [1, 1], [0, 2])
    with pytest.raises(ValueError, match="event has shape"):
        fit_log_rank([1.0, 2.0], [1], [0, 1])
