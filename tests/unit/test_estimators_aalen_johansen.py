"""The Aalen-Johansen estimate: by hand, against Kaplan-Meier and Greenwood, lifelines, and a process whose occupation is known."""

import numpy as np
import pytest

from alsmodel.estimators.aalen_johansen import aalen_johansen


def test_small_example_by_hand() -> None:
    # Five people; causes 1 at t = 1 (two, tied with a cause 2), censored at 2, cause 2 at 3, cause 1 at 4.
    stop, target = np.array([1.0, 1, 1, 2, 3, 4]), np.array([1, 1, 2, -1, 2, 1])
    found = aalen_johansen(np.zeros(6), stop, np.zeros(6, int), target, np.array([0.5, 1.0, 3.0, 4.0]), 3)
    expected = [[1, 0, 0], [3 / 6, 2 / 6, 1 / 6], [1 / 4, 2 / 6, 1 / 6 + 1 / 4], [0, 2 / 6 + 1 / 4, 1 / 6 + 1 / 4]]
    np.testing.assert_allclose(found.probability, expected, atol=1e-15)


def test_with_one_cause_it_is_kaplan_meier_with_greenwoods_error() -> None:
    rng = np.random.default_rng(1)
    time = np.ceil(rng.exponential(6.0, 80))  # ties
    event = rng.uniform(size=80) < 0.7
    at = np.array([2.0, 5.0, 9.0])
    found = aalen_johansen(np.zeros(80), time, np.zeros(80, int), np.where(event, 1, -1), at, 2)
    for k, t in enumerate(at):
        survival, ratio = 1.0, 0.0
        for u in np.unique(time[event & (time <= t)]):
            n, d = (time >= u).sum(), (event & (time == u)).sum()
            survival *= 1 - d / n
            ratio += d / (n * (n - d))
        np.testing.assert_allclose(found.probability[k], [survival, 1 - survival], rtol=1e-12)
        np.testing.assert_allclose(found.standard_error[k], survival * np.sqrt(ratio), rtol=1e-10)


def test_competing_causes_agree_with_lifelines() -> None:
    lifelines = pytest.importorskip("lifelines")
    rng = np.random.default_rng(3)
    times = rng.exponential([[8.0], [12.0], [20.0]], (3, 150))  # continuous, so that lifelines has no ties to jitter
    stop, code = times.min(axis=0), times.argmin(axis=0) + 1
    code[code == 3] = 0
    found = aalen_johansen(np.zeros(150), stop, np.zeros(150, int), np.where(code == 0, -1, code), np.sort(stop), 3)
    for cause in (1, 2):
        theirs = lifelines.AalenJohansenFitter(calculate_variance=True).fit(stop, code, event_of_interest=cause)
        np.testing.assert_allclose(found.probability[:, cause], theirs.cumulative_density_.to_numpy()[1:, 0], rtol=1e-10)
        # lifelines takes the variance of Marubini & Valsecchi (1995), the same sum but for terms of the next order in 1/n.
        np.testing.assert_allclose(found.standard_error[:140, cause], np.sqrt(np.ravel(theirs.variance_.to_numpy())[1:141]), rtol=0.03)


def test_late_entry_and_an_illness_death_process_give_the_occupation_that_is_known() -> None:
    # Rates: 0.05 to illness, 0.03 to death, 0.15 from illness to death by its own clock. Some enter late.
    rng, n = np.random.default_rng(4), 6_000
    ill, dead, end = rng.exponential(20.0, n), rng.exponential(1 / 0.03, n), rng.uniform(8.0, 30.0, n)
    entry = np.where(rng.uniform(size=n) < 0.3, rng.uniform(0.0, 4.0, n), 0.0)
    first = np.minimum(ill, dead)
    there = (first > entry) & (end > entry)
    stop, target = np.minimum(first, end), np.where(first <= end, np.where(ill < dead, 1, 2), -1)
    sick = there & (target == 1)
    after = first + rng.exponential(1 / 0.15, n)
    start = np.concatenate([entry[there], first[sick]])
    stops = np.concatenate([stop[there], np.minimum(after, end)[sick]])
    origin = np.concatenate([np.zeros(there.sum(), int), np.ones(sick.sum(), int)])
    targets = np.concatenate([target[there], np.where(after <= end, 3, -1)[sick]])
    at = np.array([6.0, 12.0, 20.0])
    found = aalen_johansen(start, stops, origin, targets, at, 4)
    a, b, c = 0.05, 0.03, 0.15
    healthy = np.exp(-(a + b) * at)
    ill_now = a / (c - a - b) * (np.exp(-(a + b) * at) - np.exp(-c * at))
    died = b / (a + b) * (1 - healthy)
    expected = np.stack([healthy, ill_now, died, 1 - healthy - ill_now - died], axis=1)
    assert (np.abs(found.probability - expected) < 4 * found.standard_error).all()
    assert (found.standard_error < 0.015).all()


def test_impossible_spells_are_refused() -> None:
    one = np.zeros(1, int)
    with pytest.raises(ValueError, match="length above 0"):
        aalen_johansen(np.ones(1), np.ones(1), one, one, np.ones(1), 2)
    with pytest.raises(ValueError, match="states run from 0 to 1"):
        aalen_johansen(np.zeros(1), np.ones(1), one, one + 2, np.ones(1), 2)
