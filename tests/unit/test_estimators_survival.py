"""Cox, weighted log-rank, max-combo, RMST and Kaplan-Meier against literal formulas and other implementations."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from alsmodel.estimators import fit_cox, fit_log_rank, fit_max_combo, fit_rmst, fit_weighted_log_rank, kaplan_meier
from alsmodel.estimators._normal_box import within
from alsmodel.estimators.weighted_logrank import STATUS as STATUS_WEIGHTED


def make_events(replicates, people, seed=1, decimals=1):
    rng = np.random.default_rng(seed)
    arm = np.arange(people) % 2
    month = rng.exponential(15.0 * np.exp(0.3 * arm), (replicates, people))
    gone = np.minimum(12.0, rng.exponential(60.0, (replicates, people)))
    time = np.round(np.minimum(month, gone), decimals)
    return time, (month <= gone).astype(int), arm, np.round(rng.normal(size=(people, 2)), 2), rng.integers(0, 3, people)


def literal_partial_likelihood(beta, time, event, x, penalised):
    """Efron's likelihood written term by term, with the information by sums over the risk set."""
    value, information = 0.0, np.zeros((len(beta), len(beta)))
    for t in np.unique(time[event == 1]):
        risk, dead = time >= t, (time == t) & (event == 1)
        value += (x[dead] @ beta).sum()
        for k in range(dead.sum()):
            weight = np.exp(x @ beta) * (risk - dead * k / dead.sum())
            mean = weight @ x / weight.sum()
            value -= np.log(weight.sum())
            information += (x * weight[:, None]).T @ x / weight.sum() - np.outer(mean, mean)
    return value + (0.5 * np.linalg.slogdet(information)[1] if penalised else 0.0)


def literal_weighted(time, event, arm, rho, gamma):
    """Weighted sums, one event time after the other."""
    alive, score, variance = 1.0, 0.0, 0.0
    for t in np.unique(time[event == 1]):
        risk, here = time >= t, (time == t) & (event == 1)
        r, r1, d = risk.sum(), (risk & (arm == 1)).sum(), here.sum()
        w = alive**rho * (1 - alive) ** gamma
        score += w * ((here & (arm == 1)).sum() - d * r1 / r)
        variance += w**2 * (d * r1 / r * (1 - r1 / r) * (r - d) / (r - 1) if r > 1 else 0.0)
        alive *= 1 - d / r
    return score / np.sqrt(variance)


@pytest.mark.parametrize("penalty", ["none", "firth"])
def test_cox_sits_at_the_maximum_of_the_literal_likelihood(penalty):
    time, event, arm, covariates, _ = make_events(1, 60, decimals=0)
    x = np.column_stack([arm, covariates])
    fit = fit_cox(time, event, arm, covariates=covariates, penalty=penalty)
    found = minimize(
        lambda beta: -literal_partial_likelihood(beta, time[0], event[0], x, penalty == "firth"),
        fit.coefficients[0] + 0.1,
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 4000},
    )
    # A search without derivatives finds a flat top to the root of the rounding error.
    np.testing.assert_allclose(fit.coefficients[0], found.x, atol=2e-6)
    np.testing.assert_allclose(fit.log_likelihood[0], -found.fun, atol=1e-10)
    assert literal_partial_likelihood(fit.coefficients[0] + 1e-3, time[0], event[0], x, penalty == "firth") < -found.fun


@pytest.mark.parametrize("test", ["wald", "score", "likelihood ratio"])
def test_the_short_cut_for_the_arm_alone_agrees_with_the_general_code(test):
    # The second column is balanced within risk sets by construction: a copy of everybody with the opposite sign.
    time, event, arm, _, stratum = make_events(4, 50)
    double = [np.concatenate([a, a], axis=-1) for a in (time, event, arm, stratum)]
    sign = np.repeat([1.0, -1.0], 50)[:, None]
    short = fit_cox(*double[:3], strata=double[3], test=test)
    general = fit_cox(*double[:3], strata=double[3], covariates=sign, test=test)
    np.testing.assert_allclose(general.estimate, short.estimate, rtol=1e-9)
    np.testing.assert_allclose(general.statistic, short.statistic, rtol=1e-9)
    np.testing.assert_allclose(general.coefficients[:, 1], 0.0, atol=1e-12)


def test_a_monotone_likelihood_fails_wald_but_not_the_others():
    time, event, arm = [1.0, 2.0, 3.0, 4.0, 9.0, 9.0, 9.0, 9.0], [1, 1, 1, 1, 0, 0, 0, 0], np.repeat([1, 0], 4)
    wald, score = (fit_cox(time, event, arm, test=test) for test in ("wald", "score"))
    assert wald.status[0] == score.status[0] == 2
    assert wald.failed[0]
    assert not score.failed[0]
    assert np.isnan([wald.estimate[0], score.estimate[0]]).all()
    assert score.statistic[0] > 2
    ratio, adjusted = (fit_cox(time, event, arm, test="likelihood ratio", covariates=c) for c in (None, np.arange(8.0)[:, None] % 3))
    assert ratio.statistic[0] > 2
    assert adjusted.status[0] == 2
    firth = fit_cox(time, event, arm, penalty="firth", test="likelihood ratio")
    assert firth.status[0] == 0
    assert 1 < firth.estimate[0] < 5
    assert firth.statistic[0] > 2


def test_a_covariate_that_diverges_leaves_the_arm_estimable():
    time, event, arm, _, _ = make_events(1, 80)
    safe = (event[0] == 0) & (np.arange(80) % 3 == 0)
    fit = fit_cox(time, event, arm, covariates=safe[:, None].astype(float))
    assert fit.status[0] == 1
    assert not fit.failed[0]
    # In the limit those who cannot have an event are not at risk at all.
    without = fit_cox(time, event, np.where(safe, -1, arm))
    assert fit.estimate[0] == pytest.approx(without.estimate[0], abs=1e-6)


def test_no_event_and_redundant_columns_are_not_estimable():
    time, event, arm, covariates, _ = make_events(1, 40)
    assert fit_cox(time, 0 * event, arm).status[0] == 3
    assert fit_cox(time, event, arm, covariates=covariates[:, [0, 0]]).failed[0]
    assert fit_cox(time, event, 0 * arm).failed[0]


ANALYSES = {
    "log-rank": fit_log_rank,
    "cox": fit_cox,
    "weighted": lambda *a, **k: fit_weighted_log_rank(*a, gamma=1.0, **k),
    "max-combo": fit_max_combo,
    "rmst": lambda *a, **k: fit_rmst(*a, horizon=10.0, **k),
}


@pytest.mark.parametrize("name", ANALYSES)
def test_who_is_left_out_has_no_influence_whatever_is_recorded(name):
    time, event, arm, _, stratum = make_events(3, 90)
    out = np.arange(90) % 5 == 0
    part = ANALYSES[name](time[:, ~out], event[:, ~out], arm[~out], strata=stratum[~out])
    time[:, out] = np.nan
    whole = ANALYSES[name](time, event, np.where(out, -1, arm), strata=stratum)
    # Tied participants may come in another order, so the same numbers are added in another order.
    np.testing.assert_allclose(whole.statistic, part.statistic, rtol=1e-11)
    np.testing.assert_array_equal(whole.participants, part.participants)
    assert not whole.failed.any()
    assert np.isinf(whole.df).all()


@pytest.mark.parametrize("name", ANALYSES)
def test_impossible_input_is_told_all_at_once(name):
    with pytest.raises(ValueError, match=r"time must be finite.*event must be 0 or 1.*arm must be 0"):
        ANALYSES[name]([1.0, np.nan], [1, 3], [0, 2])


@pytest.mark.parametrize(("rho", "gamma"), [(0, 0), (1, 0), (0, 1), (1, 1), (0.5, 2)])
def test_weighted_log_rank_agrees_with_literal_sums(rho, gamma):
    time, event, arm, _, _ = make_events(3, 70)
    fit = fit_weighted_log_rank(time, event, arm, rho=rho, gamma=gamma)
    wanted = [literal_weighted(time[r], event[r], arm, rho, gamma) for r in range(3)]
    np.testing.assert_allclose(fit.statistic, wanted, rtol=1e-11)


def test_weighted_cox_regression_without_weights_is_cox_regression():
    time, event, arm, _, stratum = make_events(4, 70, decimals=0)
    for strata in (None, stratum):
        fit = fit_weighted_log_rank(time, event, arm, strata=strata, method="cox")
        plain = fit_cox(time, event, arm, strata=strata)
        # Both end their Newton steps below 1e-8 of the standard error.
        np.testing.assert_allclose(fit.estimate, plain.estimate, atol=1e-8)
        np.testing.assert_allclose(fit.standard_error, plain.standard_error, rtol=1e-7)


def test_without_events_in_an_arm_the_weighted_test_stands_and_its_hazard_ratio_does_not():
    time, event, arm = np.arange(1.0, 13.0), np.repeat([1, 0], 6), np.tile([1, 0], 6)
    event = event * arm
    fit = fit_weighted_log_rank(time, event, arm, gamma=1.0, method="cox")
    assert STATUS_WEIGHTED[int(fit.status[0])] == "no finite hazard ratio"
    assert np.isnan(fit.estimate[0])
    assert np.isfinite(fit.p_value[0])
    assert not fit.failed[0]
    nobody = fit_weighted_log_rank(time, 0 * event, arm, gamma=1.0, method="cox")
    assert nobody.failed[0]
    assert np.isnan(nobody.estimate[0])


def test_max_combo_p_value_agrees_with_a_simulation_of_the_four_tests():
    time, event, arm, _, stratum = make_events(5, 80)
    fit = fit_max_combo(time, event, arm, strata=stratum)
    assert np.linalg.eigvalsh(fit.correlation).min() < 1e-9  # 1 = S + (1 - S): always singular
    rng = np.random.default_rng(3)
    for r in range(5):
        draws = rng.multivariate_normal(np.zeros(4), fit.correlation[r], 200_000, method="eigh")
        share = (np.abs(draws).max(axis=1) >= abs(fit.statistic[r])).mean()
        assert abs(fit.p_value[r] - share) < 4 * np.sqrt(share * (1 - share) / 200_000)
        single = fit_weighted_log_rank(time[r], event[r], arm, strata=stratum, gamma=1.0)
        assert fit.statistics[r, 1] == pytest.approx(single.statistic[0], rel=1e-12)
        assert single.p_value[0] <= fit.p_value[r] or abs(single.statistic[0]) < abs(fit.statistic[r])


def test_max_combo_of_one_weight_is_that_test():
    time, event, arm, _, _ = make_events(4, 60)
    one, plain = fit_max_combo(time, event, arm, weights=((0.0, 0.0),)), fit_log_rank(time, event, arm)
    np.testing.assert_allclose(one.p_value, plain.p_value, rtol=1e-9)
    np.testing.assert_allclose(one.estimate, plain.estimate, rtol=1e-12)


def test_normal_boxes_agree_with_independence_and_with_scipy():
    for k in (1, 2, 3, 4):
        # Independent normals: a product. Three or fewer are integrated almost exactly, four with a coarser outer grid.
        assert within(np.eye(k), 1.7) == pytest.approx(within(np.eye(1), 1.7) ** k, abs=1e-10 if k < 3 else 2e-6)
    correlation = np.array([[1.0, 0.35, 0.9], [0.35, 1.0, 0.6], [0.9, 0.6, 1.0]])
    for z in (0.5, 1.5, 2.5, 4.0):
        wanted = multivariate_normal.cdf(
            np.full(3, z), cov=correlation, lower_limit=np.full(3, -z), abseps=1e-8, releps=1e-8, maxpts=2_000_000, rng=1
        )
        assert within(correlation, z) == pytest.approx(wanted, abs=2e-6)


def literal_restricted_mean(time, event, horizon):
    """Area under the curve in steps, and Greenwood's variance by the definition."""
    alive, area, now, steps = 1.0, 0.0, 0.0, []
    for t in np.unique(time[(event == 1) & (time <= horizon)]):
        area += alive * (t - now)
        r, d = (time >= t).sum(), ((time == t) & (event == 1)).sum()
        alive, now = alive * (1 - d / r), t
        steps.append((area, d, r))
    area += alive * (horizon - now)
    return area, sum((area - a) ** 2 * d / (r * (r - d)) for a, d, r in steps if r > d)


def test_restricted_means_agree_with_literal_areas():
    time, event, arm, _, stratum = make_events(3, 90)
    fit = fit_rmst(time, event, arm, horizon=10.0)
    for r in range(3):
        for k in (0, 1):
            area, variance = literal_restricted_mean(time[r, arm == k], event[r, arm == k], 10.0)
            assert fit.means[r, k] == pytest.approx(area, rel=1e-12)
            assert fit.mean_errors[r, k] == pytest.approx(np.sqrt(variance), rel=1e-11)
    ratio = fit_rmst(time, event, arm, horizon=10.0, scale="ratio")
    np.testing.assert_allclose(np.exp(ratio.estimate), fit.means[:, 1] / fit.means[:, 0], rtol=1e-14)
    layered, size = fit_rmst(time, event, arm, horizon=10.0, strata=stratum), np.bincount(stratum) / 90
    parts = [fit_rmst(time[:, stratum == s], event[:, stratum == s], arm[stratum == s], horizon=10.0) for s in range(3)]
    np.testing.assert_allclose(layered.estimate, sum(w * p.estimate for w, p in zip(size, parts)), rtol=1e-12)
    np.testing.assert_allclose(layered.standard_error**2, sum((w * p.standard_error) ** 2 for w, p in zip(size, parts)), rtol=1e-11)


def test_a_horizon_beyond_follow_up_is_a_failure_unless_the_last_time_is_an_event():
    arm = [0, 0, 0, 1, 1, 1]
    censored = ([2.0, 4.0, 6.0, 3.0, 12.0, 12.0], [1, 1, 0, 1, 0, 0])
    fit = fit_rmst(*censored, arm, horizon=12.0)
    assert fit.status[0] == 2
    assert fit.failed[0]
    assert np.isnan([fit.estimate[0], fit.p_value[0]]).all()
    flat = fit_rmst(*censored, arm, horizon=12.0, beyond="flat")
    assert flat.status[0] == 1
    assert not flat.failed[0]
    # 2 + 2 x 2/3 + 8 x 1/3 months, by hand.
    assert flat.means[0, 0] == pytest.approx(6.0)
    assert fit_rmst([2.0, 4.0, 6.0, 3.0, 12.0, 12.0], [1, 1, 1, 1, 0, 0], arm, horizon=12.0).status[0] == 0


def test_kaplan_meier_rests_at_one_half_and_ends_where_nobody_is_followed():
    curves = kaplan_meier([1.0, 2.0, 3.0, 4.0, 1.0, 2.0], [1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 1, 1], at=[0.0, 2.0, 2.5, 4.0, 5.0])
    np.testing.assert_allclose(curves.survival[0, 0], [1, 0.5, 0.5, 0.25, np.nan])
    np.testing.assert_array_equal(curves.at_risk[0, 0], [4, 3, 2, 1, 0])
    assert curves.median[0, 0] == 2.5
    assert curves.median[0, 1] == np.inf


def test_kaplan_meier_agrees_with_lifelines():
    lifelines = pytest.importorskip("lifelines")
    time, event, arm, _, _ = make_events(1, 120)
    at = np.array([1.0, 3.3, 7.0, 11.0])
    curves = kaplan_meier(time, event, arm, at=at)
    for k in (0, 1):
        theirs = lifelines.KaplanMeierFitter().fit(time[0, arm == k], event[0, arm == k])
        np.testing.assert_allclose(curves.survival[0, k], theirs.survival_function_at_times(at).to_numpy(), rtol=1e-12)
        assert curves.median[0, k] == theirs.median_survival_time_


def test_cox_and_log_rank_agree_with_lifelines():
    lifelines, pandas = pytest.importorskip("lifelines"), pytest.importorskip("pandas")
    time, event, arm, covariates, stratum = make_events(1, 150)
    frame = pandas.DataFrame({"time": time[0], "event": event[0], "arm": arm, "x": covariates[:, 0], "stratum": stratum})
    theirs = lifelines.CoxPHFitter().fit(frame, "time", "event", strata=["stratum"], fit_options={"precision": 1e-12})
    mine = fit_cox(time, event, arm, strata=stratum, covariates=covariates[:, :1])
    # lifelines stops by the change of its likelihood: it is exact to some 1e-7.
    np.testing.assert_allclose(mine.coefficients[0], theirs.params_.to_numpy(), rtol=1e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(mine.covariance[0])), theirs.standard_errors_.to_numpy(), rtol=1e-5)
    from lifelines.statistics import logrank_test

    two = logrank_test(time[0, arm == 1], time[0, arm == 0], event[0, arm == 1], event[0, arm == 0])
    assert fit_log_rank(time, event, arm).p_value[0] == pytest.approx(two.p_value, rel=1e-9)
