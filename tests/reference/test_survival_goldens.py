"""Cox, weighted log-rank, Kaplan-Meier, RMST and normal boxes against R: tests/goldens/survival_analyses."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alsmodel.estimators import fit_cox, fit_rmst, fit_weighted_log_rank, kaplan_meier
from alsmodel.estimators._normal_box import within

FOLDER = Path(__file__).parents[1] / "goldens" / "survival_analyses"
DATA = pl.read_csv(FOLDER / "events.csv")
TIME, EVENT, ARM, STRATUM = (DATA[name].to_numpy() for name in ("month", "event", "arm", "stratum"))
COVARIATES = DATA.select("age", "bulbar").to_numpy().astype(float)
REFERENCE = {(case, quantity): value for case, quantity, value in pl.read_csv(FOLDER / "reference.csv", null_values="NA").iter_rows()}


@pytest.mark.parametrize("case", ["plain", "stratified", "adjusted", "both"])
def test_cox_agrees_with_survival(case):
    options = {"strata": STRATUM if case in ("stratified", "both") else None}
    if case in ("adjusted", "both"):
        options |= {"covariates": COVARIATES, "covariate_names": ("age", "bulbar")}
    fit = fit_cox(TIME, EVENT, ARM, test="likelihood ratio", **options)
    # Newton steps to 1e-14 on both sides, 14 digits written.
    for j, term in enumerate(fit.terms):
        assert fit.coefficients[0, j] == pytest.approx(REFERENCE[case, term], rel=1e-8)
        assert np.sqrt(fit.covariance[0, j, j]) == pytest.approx(REFERENCE[case, f"se_{term}"], rel=1e-8)
    assert fit.log_likelihood[0] == pytest.approx(REFERENCE[case, "loglik"], rel=1e-12)
    assert fit.statistic[0] ** 2 == pytest.approx(REFERENCE[case, "lr"], rel=1e-8)
    assert np.sign(fit.statistic[0]) == np.sign(fit.estimate[0])
    if (case, "score") in REFERENCE:
        score = fit_cox(TIME, EVENT, ARM, test="score", **options)
        assert score.statistic[0] ** 2 == pytest.approx(REFERENCE[case, "score"], rel=1e-8)


@pytest.mark.parametrize(("rho", "name"), [(1.0, "rho1"), (0.5, "rho05")])
@pytest.mark.parametrize("case", ["plain", "stratified"])
def test_weighted_log_rank_agrees_with_survdiff(case, rho, name):
    fit = fit_weighted_log_rank(TIME, EVENT, ARM, rho=rho, strata=STRATUM if case == "stratified" else None)
    assert fit.statistic[0] ** 2 == pytest.approx(REFERENCE[f"{name}_{case}", "chisq"], rel=1e-10)


@pytest.mark.parametrize("case", ["plain", "stratified"])
@pytest.mark.parametrize("powers", [(0, 1), (1, 0), (0.5, 2)])
def test_weighted_cox_regression_agrees_with_coxph_on_pieces_with_weights(case, powers):
    more = {"rho": powers[0], "gamma": powers[1], "strata": STRATUM if case == "stratified" else None}
    fit = fit_weighted_log_rank(TIME, EVENT, ARM, method="cox", **more)
    name = f"average_{powers[0]}_{powers[1]}_{case}"
    # Newton steps to 1e-10 here, 14 digits written there.
    assert fit.estimate[0] == pytest.approx(REFERENCE[name, "estimate"], rel=1e-8)
    assert fit.standard_error[0] == pytest.approx(REFERENCE[name, "se"], rel=1e-8)
    plain = fit_weighted_log_rank(TIME, EVENT, ARM, **more)
    assert (fit.statistic[0], fit.p_value[0]) == (plain.statistic[0], plain.p_value[0])
    assert abs(plain.estimate[0] - fit.estimate[0]) > 1e-4  # one step is not all the way


def test_kaplan_meier_agrees_with_survfit():
    at = [3.0, 6.5, 12.0, 18.0]
    curves = kaplan_meier(TIME, EVENT, ARM, at=at)
    for arm in (0, 1):
        for g, month in enumerate(["3", "6.5", "12", "18"]):
            mine = {"surv": curves.survival, "std.err": curves.standard_error, "lower": curves.lower, "upper": curves.upper}
            for name, array in {**mine, "n.risk": curves.at_risk}.items():
                assert array[0, arm, g] == pytest.approx(REFERENCE[f"km{arm}", f"{name}_{month}"], rel=1e-10), (arm, month, name)
        for scale in ("log-log", "log"):
            fit = kaplan_meier(TIME, EVENT, ARM, at=at, scale=scale)
            for name, array in (("median", fit.median), ("0.95LCL", fit.median_lower), ("0.95UCL", fit.median_upper)):
                value = REFERENCE[f"median{arm}", f"{scale}_{name}"]
                assert array[0, arm] == (np.inf if value is None else value)


@pytest.mark.parametrize("horizon", [12, 18])
def test_restricted_means_agree_with_survfit(horizon):
    fit = fit_rmst(TIME, EVENT, ARM, horizon=horizon)
    for arm in (0, 1):
        assert fit.means[0, arm] == pytest.approx(REFERENCE[f"rmst{arm}", f"mean_{horizon}"], rel=1e-10)
        assert fit.mean_errors[0, arm] == pytest.approx(REFERENCE[f"rmst{arm}", f"se_{horizon}"], rel=1e-10)
    assert fit.standard_error[0] == pytest.approx(np.hypot(*fit.mean_errors[0]), rel=1e-12)


def test_boxes_of_correlated_normals_agree_with_mvtnorm():
    three = np.array([[1, 0.5, 0.8], [0.5, 1, 0.3], [0.8, 0.3, 1]])
    four = np.full((4, 4), 0.4) + 0.6 * np.eye(4)
    four[0, 1] = four[1, 0] = 0.7
    # Miwa's grid of 4,097 steps errs by some 1e-8 in two and 1e-7 in three dimensions, and of 1,025 steps by 1e-6 in four.
    assert within(np.array([[1, 0.6], [0.6, 1]]), 2.0) == pytest.approx(REFERENCE["box", "2d"], abs=2e-7)
    assert within(three, 2.1) == pytest.approx(REFERENCE["box", "3d"], abs=1e-6)
    assert within(four, 2.3) == pytest.approx(REFERENCE["box", "4d"], abs=1e-5)
