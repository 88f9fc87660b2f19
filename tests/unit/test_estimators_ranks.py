"""Joint rank and win statistics against every pair compared one by one."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, rankdata

from alsmodel.estimators import fit_joint_rank, fit_win, joint_ranks


def make_trial(replicates, people, *, holes=0.1, whole=True, seed=1, coarse=False):
    """Scores (R, n, 6) with dropout, missed visits and deaths; whole or not; times with many ties when coarse."""
    rng = np.random.default_rng(seed)
    months = np.arange(6) * 3.0
    death, gone = rng.exponential(25.0, (replicates, people)), rng.exponential(40.0, (replicates, people))
    if coarse:
        death, gone = np.ceil(death / 3) * 3, np.ceil(gone / 3) * 3
    followed = np.minimum(gone, 15.0)
    time, event = np.minimum(death, followed), (death <= followed).astype(int)
    scores = 38.0 + rng.normal(0, 5, (replicates, people, 1)) - rng.gamma(2.0, 0.5, (replicates, people, 1)) * months
    scores = scores + rng.normal(0, 1.5, scores.shape)
    scores = np.round(scores) if whole else scores
    scores[months > time[..., None]] = np.nan
    scores[rng.random(scores.shape) < holes] = np.nan
    return scores, time, event, np.arange(people) % 2


def better(i, j, change, time, event, margin=0.0):
    """The written rules for one pair: 1, 0 or -1 for i."""
    i_died_first = event[i] and (time[i] < time[j] or (time[i] == time[j] and not event[j]))
    j_died_first = event[j] and (time[j] < time[i] or (time[i] == time[j] and not event[i]))
    if i_died_first or j_died_first:
        return -1 if i_died_first else 1
    both = np.flatnonzero(~np.isnan(change[i]) & ~np.isnan(change[j]))
    if both.size == 0:
        return 0
    difference = change[i, both[-1]] - change[j, both[-1]]
    return int(difference > margin) - int(difference < -margin)


def pairwise_ranks(scores, time, event, use):
    change = scores[:, 1:] - scores[:, :1]
    people = np.flatnonzero(use)
    totals = [sum(better(i, j, change, time, event) for j in people if j != i) for i in people]
    ranks = np.full(len(time), np.nan)
    ranks[people] = rankdata(totals)
    return ranks


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_joint_ranks_agree_with_every_pair(holes, whole, coarse):
    scores, time, event, arm = make_trial(6, 60, holes=holes, whole=whole, coarse=coarse)
    arm = np.where(np.arange(60) % 7 == 0, -1, arm)
    ranks = joint_ranks(scores, time, event, arm)
    assert 0.2 < event.mean() < 0.8
    for r in range(6):
        np.testing.assert_array_equal(ranks[r], pairwise_ranks(scores[r], time[r], event[r], arm >= 0))


def test_without_deaths_or_gaps_the_rank_is_that_of_the_last_change():
    scores, time, event, arm = make_trial(2, 40, holes=0.0)
    scores = np.nan_to_num(scores, nan=20.0)
    ranks = joint_ranks(scores, np.full_like(time, 15.0), 0 * event, arm)
    np.testing.assert_array_equal(ranks, rankdata(scores[:, :, -1] - scores[:, :, 0], axis=1))
    raw = joint_ranks(scores, np.full_like(time, 15.0), 0 * event, arm, change=False)
    np.testing.assert_array_equal(raw, rankdata(scores[:, :, -1], axis=1))


def test_ancova_on_the_ranks_is_least_squares():
    scores, time, event, arm = make_trial(3, 70)
    rng = np.random.default_rng(2)
    covariates, stratum = rng.normal(size=(70, 2)), rng.integers(0, 3, 70)
    fit, ranks = fit_joint_rank(scores, time, event, arm, covariates=covariates, strata=stratum), joint_ranks(scores, time, event, arm)
    x = np.column_stack([arm, covariates, np.eye(3)[stratum]])
    for r in range(3):
        beta, rest, _, _ = np.linalg.lstsq(x, ranks[r], rcond=None)
        error = np.sqrt(rest[0] / (70 - 6) * np.linalg.inv(x.T @ x)[0, 0])
        np.testing.assert_allclose([fit.estimate[r], fit.standard_error[r]], [beta[0], error], rtol=1e-10)
    assert (fit.df == 64).all()
    normal = fit_joint_rank(scores, time, event, arm, covariates=covariates, strata=stratum, reference="normal")
    assert (normal.p_value < fit.p_value).all()


def test_swapping_the_arms_changes_only_signs():
    trial = make_trial(3, 50)
    for analyse in (fit_joint_rank, fit_win):
        one, other = analyse(*trial), analyse(*trial[:3], 1 - trial[3])
        np.testing.assert_allclose(other.estimate, -one.estimate, rtol=1e-10)
        np.testing.assert_allclose(other.p_value, one.p_value, rtol=1e-10)


def literal_wins(scores, time, event, arm, margin):
    """Matrix of +1, 0, -1 of each active participant against each control."""
    change = scores[:, 1:] - scores[:, :1]
    rows, columns = np.flatnonzero(arm == 1), np.flatnonzero(arm == 0)
    return np.array([[better(i, j, change, time, event, margin) for j in columns] for i in rows])


@pytest.mark.parametrize("margin", [0.0, 2.0])
def test_wins_and_their_variances_agree_with_the_matrix_of_all_pairs(margin):
    scores, time, event, arm = make_trial(3, 60, holes=0.2, coarse=True)
    arm = np.where(np.arange(60) % 7 == 0, -1, arm)
    fits = {m: fit_win(scores, time, event, arm, measure=m, margin=margin) for m in ("win ratio", "win odds", "net benefit")}
    ratio, odds, benefit = fits.values()
    for r in range(3):
        won = literal_wins(scores[r], time[r], event[r], arm, margin)
        a, b = (won > 0).astype(float), (won < 0).astype(float)
        n1, n0 = won.shape
        assert (ratio.pairs_won[r], ratio.pairs_lost[r], ratio.pairs_tied[r]) == (a.sum(), b.sum(), (won == 0).sum())
        spread = np.cov(a.mean(axis=1), b.mean(axis=1)) / n1 + np.cov(a.mean(axis=0), b.mean(axis=0)) / n0
        won_share, lost_share = a.mean(), b.mean()
        slope = np.array([1 / won_share, -1 / lost_share])
        np.testing.assert_allclose(
            [ratio.estimate[r], ratio.standard_error[r]], [np.log(won_share / lost_share), np.sqrt(slope @ spread @ slope)], rtol=1e-10
        )
        error = np.sqrt(spread[0, 0] + spread[1, 1] - 2 * spread[0, 1])
        np.testing.assert_allclose([benefit.estimate[r], benefit.standard_error[r]], [won_share - lost_share, error], rtol=1e-10)
        p = won_share + (1 - won_share - lost_share) / 2
        np.testing.assert_allclose([odds.estimate[r], odds.standard_error[r]], [np.log(p / (1 - p)), error / 2 / (p * (1 - p))], rtol=1e-10)


def test_strata_are_compared_within_and_weighted():
    scores, time, event, arm = make_trial(2, 90)
    stratum = np.random.default_rng(4).integers(0, 3, 90)
    whole = fit_win(scores, time, event, arm, strata=stratum, measure="net benefit")
    parts = [fit_win(scores[:, stratum == s], time[:, stratum == s], event[:, stratum == s], arm[stratum == s]) for s in range(3)]
    n1 = np.array([(arm[stratum == s] == 1).sum() for s in range(3)])
    n0 = np.array([(arm[stratum == s] == 0).sum() for s in range(3)])
    weight = n1 * n0 / (n1 + n0) / (n1 * n0 / (n1 + n0)).sum()
    np.testing.assert_allclose(whole.wins, sum(w * p.wins for w, p in zip(weight, parts)), rtol=1e-12)
    np.testing.assert_array_equal(whole.pairs_won, sum(p.pairs_won for p in parts))
    np.testing.assert_allclose(whole.wins + whole.losses + whole.ties, 1.0)


def test_win_odds_of_one_measurement_are_those_of_mann_whitney():
    rng = np.random.default_rng(6)
    scores, arm = rng.integers(10, 40, (1, 50, 1)).astype(float), np.arange(50) % 2
    fit = fit_win(scores, np.full((1, 50), 12.0), np.zeros((1, 50), dtype=int), arm, measure="win odds", change=False)
    share = mannwhitneyu(scores[0, arm == 1, 0], scores[0, arm == 0, 0]).statistic / 25**2
    assert np.exp(fit.estimate[0]) == pytest.approx(share / (1 - share), rel=1e-12)


def test_failures_have_a_status():
    scores, time, event, arm = make_trial(1, 20)
    assert fit_joint_rank(scores, time, event, 0 * arm).failed[0]
    same = fit_joint_rank(np.ones_like(scores), np.full((1, 20), 15.0), 0 * event, arm)
    assert same.status[0] == 1
    assert np.isnan(same.p_value[0])
    one_sided = fit_win(scores, np.where(arm == 1, 15.0, 3.0)[None], (arm == 0)[None].astype(int), arm)
    assert one_sided.status[0] == 1
    assert one_sided.failed[0]
    assert fit_win(scores, time, event, 0 * arm).status[0] == 2


def test_impossible_input_is_refused():
    scores, time, event, arm = make_trial(1, 20)
    with pytest.raises(ValueError, match="scores has shape"):
        joint_ranks(scores[:, :10], time, event, arm)
    with pytest.raises(ValueError, match="infinite"):
        fit_win(np.full_like(scores, np.inf), time, event, arm)
    with pytest.raises(ValueError, match="margin"):
        fit_win(scores, time, event, arm, margin=-1.0)
    with pytest.raises(ValueError, match="missing values"):
        fit_joint_rank(scores, time, event, arm, covariates=np.full((20, 1), np.nan))
