"""ANCOVA, slopes per participant, responders and time to a drop: brute force, failures, and calibration under the null."""

import numpy as np
import pytest

from alsmodel.estimators import (
    fit_ancova,
    fit_log_rank,
    fit_responder,
    fit_two_point_slope,
    participant_slopes,
    responders,
    threshold_events,
)
from alsmodel.estimators.responder import METHODS, restricted_shares

MONTHS = np.array([0.0, 3.0, 6.0, 9.0])


def make_scores(replicates, people, seed=1, missing=0.15):
    rng = np.random.default_rng(seed)
    start = rng.normal(38.0, 6.0, (replicates, people, 1))
    scores = start + rng.normal(-1.0, 0.7, (replicates, people, 1)) * MONTHS + rng.normal(0, 1.8, (replicates, people, 4))
    scores[..., 1:][rng.random((replicates, people, 3)) < missing] = np.nan
    return scores


def test_ancova_agrees_with_a_literal_least_squares():
    scores, rng = make_scores(5, 40), np.random.default_rng(2)
    arm, strata, age = rng.integers(0, 3, (5, 40)), rng.integers(0, 3, 40), rng.normal(size=(5, 40, 1))
    fit = fit_ancova(scores, arm, covariates=age, strata=strata)
    for r in range(5):
        rows = ~np.isnan(scores[r, :, -1])
        columns = [np.ones(40), arm[r] == 1, arm[r] == 2, scores[r, :, 0], age[r, :, 0], strata == 1, strata == 2]
        x = np.column_stack(columns).astype(float)[rows]
        beta, rss, *_ = np.linalg.lstsq(x, (scores[r, :, -1] - scores[r, :, 0])[rows], rcond=None)
        error = np.sqrt(np.linalg.inv(x.T @ x)[1, 1] * rss[0] / (rows.sum() - 7))
        assert fit.estimate[r] == pytest.approx(beta[1], rel=1e-9)
        assert fit.standard_error[r] == pytest.approx(error, rel=1e-9)
        assert fit.df[r] == rows.sum() - 7
    score = fit_ancova(scores, arm, covariates=age, strata=strata, outcome="score")
    np.testing.assert_allclose(score.estimate, fit.estimate, rtol=1e-8)  # the same comparison, baseline in the model


def test_left_out_participants_are_as_if_absent_in_every_analysis():
    scores = make_scores(3, 40)
    arm = np.arange(40) % 2
    out = np.array([1, 8, 30])
    marked, rest = arm.copy(), np.delete(arm, out)
    marked[out] = -1
    fewer = np.delete(scores, out, axis=1)
    hit, hit_fewer = responders(scores, decline_below=8), responders(fewer, decline_below=8)
    pairs = [
        (fit_ancova(scores, marked, robust="HC3"), fit_ancova(fewer, rest, robust="HC3")),
        (fit_two_point_slope(scores, MONTHS, marked), fit_two_point_slope(fewer, MONTHS, rest)),
        *((fit_responder(hit, marked, method=m), fit_responder(hit_fewer, rest, method=m)) for m in METHODS),
    ]
    for one, other in pairs:
        np.testing.assert_allclose(one.estimate, other.estimate, rtol=1e-10)
        np.testing.assert_allclose(one.p_value, other.p_value, rtol=1e-8)
        np.testing.assert_array_equal(one.participants, other.participants)


def test_a_stratum_empty_in_one_trial_is_no_failure_there():
    scores = make_scores(2, 30, missing=0.0)
    strata = np.stack([np.arange(30) % 3, np.arange(30) % 2 + 1])  # the second trial has nobody in stratum 0
    arm = (np.arange(30) // 3) % 2
    fit = fit_ancova(scores, arm, strata=strata)
    assert not fit.failed.any()
    assert fit.df.tolist() == [30 - 5, 30 - 4]
    alone = fit_ancova(scores[1], arm, strata=strata[1])
    assert alone.estimate[0] == pytest.approx(fit.estimate[1], rel=1e-10)


@pytest.mark.parametrize("spoil", ["no active arm", "no scores", "too few"])
def test_what_cannot_be_estimated_fails_alone_and_counted(spoil):
    scores = make_scores(2, 20, missing=0.0)
    arm = np.tile(np.arange(20) % 2, (2, 1))
    if spoil == "no active arm":
        arm[0] = 0
    elif spoil == "no scores":
        scores[0] = np.nan
    else:
        arm[0, 3:] = -1
    for fit in (fit_ancova(scores, arm), fit_two_point_slope(scores, MONTHS, arm, covariates=np.arange(20.0)[:, None])):
        assert fit.failed.tolist() == [True, False]
        assert np.isnan([fit.estimate[0], fit.standard_error[0], fit.p_value[0], fit.df[0]]).all()
    if spoil == "no active arm":
        for method in METHODS:
            outcome = np.nan_to_num(scores[:, :, -1] > 28).astype(float)
            assert fit_responder(outcome, arm, method=method).failed[0], method


def test_robust_errors_hold_their_level_when_variances_differ_and_classical_ones_do_not():
    rng = np.random.default_rng(7)
    arm = np.r_[np.zeros(60, int), np.ones(20, int)]
    scores = np.zeros((4000, 80, 2))
    scores[:, :, 0] = rng.normal(size=(4000, 80))
    scores[:, :, 1] = scores[:, :, 0] + rng.normal(size=(4000, 80)) * np.where(arm == 1, 3.0, 1.0)
    room = 3 * np.sqrt(0.05 * 0.95 / 4000)
    robust = fit_ancova(scores, arm, robust="HC3").p_value < 0.05
    classical = fit_ancova(scores, arm).p_value < 0.05
    assert abs(robust.mean() - 0.05) < room
    assert classical.mean() > 0.15


def test_slopes_per_participant_agree_with_polyfit():
    scores = make_scores(1, 30)
    slopes, two = participant_slopes(scores, MONTHS), participant_slopes(scores, MONTHS, method="two points")
    planned = participant_slopes(scores, MONTHS, method="two points", last="planned")
    for i, y in enumerate(scores[0]):
        seen = np.flatnonzero(~np.isnan(y))
        if seen.size < 2:
            assert np.isnan(slopes[0, i])
            continue
        assert slopes[0, i] == pytest.approx(np.polyfit(MONTHS[seen], y[seen], 1)[0], rel=1e-9)
        assert two[0, i] == pytest.approx((y[seen[-1]] - y[0]) / MONTHS[seen[-1]], rel=1e-12)
        assert np.isnan(planned[0, i]) == np.isnan(y[-1])
    own = np.tile(MONTHS, (1, 30, 1)) + 0.1
    np.testing.assert_allclose(participant_slopes(scores, own), slopes, rtol=1e-9)


def literal_threshold(y, t, end, died, drop, deaths):
    """One participant, as one would do it by hand; visit rule."""
    last = t[0]
    for score, month in zip(y[1:], t[1:], strict=True):
        if not np.isnan(score):
            if score <= y[0] - drop:
                return month, 1, last
            last = month
    return (end, 1, min(last, end)) if died and deaths == "event" else (last, 0, last)


@pytest.mark.parametrize("deaths", ["event", "censor"])
def test_time_to_a_drop_agrees_with_a_literal_walk(deaths):
    rng = np.random.default_rng(3)
    scores = make_scores(4, 30, missing=0.3)
    scores[0, 4, 0] = np.nan
    end, died = rng.uniform(1, 12, (4, 30)), rng.random((4, 30)) < 0.4
    scores[end[..., None] < MONTHS] = np.nan
    scores[0, 5, 0], end[0, 5] = 40.0, 11.0
    found = threshold_events(scores, MONTHS, end, died.astype(int), drop=6.0, deaths=deaths)
    middle = threshold_events(scores, MONTHS, end, died.astype(int), drop=6.0, deaths=deaths, rule="midpoint")
    line = threshold_events(scores, MONTHS, end, died.astype(int), drop=6.0, deaths=deaths, rule="linear")
    for r, i in np.argwhere(found.included):
        time, event, left = literal_threshold(scores[r, i], MONTHS, end[r, i], died[r, i], 6.0, deaths)
        assert (found.time[r, i], found.event[r, i], found.left[r, i]) == (time, event, left)
        assert found.right[r, i] == (time if event else np.inf)
        if event and time in MONTHS:
            assert middle.time[r, i] == 0.5 * (left + time)
            path = np.interp(line.time[r, i], MONTHS[~np.isnan(scores[r, i])], scores[r, i][~np.isnan(scores[r, i])])
            assert path == pytest.approx(scores[r, i, 0] - 6.0, abs=1e-9)
    assert not found.included[0, 4]
    arms = found.arms(np.arange(30) % 2)
    assert arms[0, 4] == -1
    complete = found.included.all(axis=1)
    fit = fit_log_rank(found.time[complete], found.event[complete], np.arange(30) % 2)
    assert (fit.events == found.event[complete].sum(axis=1)).all()


def test_a_confirmed_drop_needs_the_next_score_or_death():
    scores = np.array([[40.0, 33.0, 38.0, 33.0], [40.0, 33.0, np.nan, 32.0], [40.0, 39.0, 38.0, 33.0]])
    plain = threshold_events(scores, MONTHS, drop=6.0)
    assert plain.time[0].tolist() == [3.0, 3.0, 9.0]
    confirmed = threshold_events(scores, MONTHS, np.full(3, 10.0), np.array([0, 0, 1]), drop=6.0, confirmed=True)
    assert confirmed.event[0].tolist() == [0, 1, 1]
    assert confirmed.time[0].tolist() == [9.0, 3.0, 9.0]


def test_responders_follow_their_rule():
    scores = np.array([[40.0, 36.0], [40.0, 34.0], [40.0, np.nan], [40.0, 39.0], [np.nan, 39.0]])
    dead = np.array([False, False, False, True, False])
    np.testing.assert_array_equal(responders(scores, decline_below=6, dead_by_visit=dead)[0], [1, 0, 0, 0, np.nan])
    np.testing.assert_array_equal(responders(scores, decline_below=6, missing="left out")[0], [1, 0, np.nan, 1, np.nan])
    np.testing.assert_array_equal(responders(scores, at_least=36)[0], [1, 0, 0, 1, 1])
    with pytest.raises(ValueError, match="what makes a responder"):
        responders(scores)


def test_restricted_shares_are_the_likeliest_on_their_line():
    rng = np.random.default_rng(5)
    n = rng.integers(5, 40, (2, 50)).astype(float)
    x = np.floor(rng.random((2, 50)) * (n + 1))
    d = rng.uniform(-0.9, 0.9, 50)
    control, active = restricted_shares(x, n, d)
    np.testing.assert_allclose(active - control, d, atol=1e-9)

    def likelihood(p):
        q = np.clip(np.stack([p, p + d]), 1e-12, 1 - 1e-12)
        return (x * np.log(q) + (n - x) * np.log(1 - q)).sum(axis=0)

    best = likelihood(control)
    for p in np.linspace(0, 1, 401):
        allowed = (p + d >= 0) & (p + d <= 1)
        assert (likelihood(np.full(50, p))[allowed] <= best[allowed] + 1e-7).all()


def test_score_intervals_cover_and_wald_at_the_edge_does_not():
    rng = np.random.default_rng(6)
    arm = np.repeat([0, 1], 20)
    outcome = (rng.random((4000, 40)) < 0.03).astype(float)
    fits = [fit_responder(outcome, arm, method=method) for method in ("miettinen-nurminen", "newcombe")]
    for share in [(fit.low <= 0) & (fit.high >= 0) for fit in fits]:
        assert share.mean() > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 4000)
    wald = fit_responder(outcome, arm, method="wald")
    assert wald.failed.mean() > 0.2  # no events in both arms: no interval at all


def test_separated_logistic_is_a_status():
    outcome = np.r_[np.zeros(10), np.ones(10)]
    fit = fit_responder(np.stack([outcome, np.tile([0.0, 1.0], 10)]), np.repeat([0, 1], 10), method="logistic")
    assert fit.failed.tolist() == [True, False]
    assert fit.status[0] == 2


def test_input_that_cannot_be_used_is_refused_in_words():
    scores = make_scores(1, 10)
    arm = np.arange(10) % 2
    for call, message in (
        (lambda: fit_ancova(scores, arm[:9]), "arm has shape"),
        (lambda: fit_ancova(scores, arm - 3), "-1 to leave"),
        (lambda: fit_ancova(scores, arm, visit=9), "not among the 4 visits"),
        (lambda: fit_ancova(scores, arm, robust="HC9"), "robust must be one of"),
        (lambda: fit_ancova(scores, arm, covariates=np.full((10, 1), np.nan)), "missing values"),
        (lambda: participant_slopes(scores, MONTHS[:3]), "times has shape"),
        (lambda: threshold_events(scores, MONTHS, drop=0.0), "above 0"),
        (lambda: threshold_events(scores, MONTHS[::-1], drop=1.0), "rising"),
        (lambda: threshold_events(scores, MONTHS, np.ones(10), drop=1.0), "together"),
        (lambda: fit_responder(np.full(10, 0.5), arm), "must be 1"),
        (lambda: fit_responder(np.ones(10), arm, strata=arm), "takes no covariates"),
        (lambda: fit_responder(np.ones(10), arm + 1), "two arms"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
