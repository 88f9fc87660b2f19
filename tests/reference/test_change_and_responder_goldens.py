"""ANCOVA, slopes and responders against base R and Epi: tests/goldens/change_and_responder (script, raw output, versions)."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alsmodel.estimators import fit_ancova, fit_responder, fit_two_point_slope, responders

FOLDER = Path(__file__).parents[1] / "goldens" / "change_and_responder"
PEOPLE = pl.read_csv(FOLDER / "people.csv", null_values="NA")
REFERENCE = {(case, quantity): value for case, quantity, value in pl.read_csv(FOLDER / "reference.csv").iter_rows()}
SCORES = PEOPLE.select("score_0", "score_3", "score_6").cast(pl.Float64).to_numpy()
ARM, STRATUM, AGE = (PEOPLE[name].to_numpy() for name in ("arm", "stratum", "age"))
TWO_ARMS = np.where(ARM == 2, -1, ARM)
PRINTED = 1e-9  # R printed twelve digits


@pytest.mark.parametrize("case", ["ancova", "ancova_covariates"])
def test_ancova_agrees_with_lm(case):
    more = {"covariates": AGE[:, None], "strata": STRATUM} if case == "ancova_covariates" else {}
    fit = fit_ancova(SCORES, ARM, **more)
    assert fit.df[0] == REFERENCE[case, "df"]
    for a in (1, 2):
        assert fit.arm_estimates[0, a - 1] == pytest.approx(REFERENCE[case, f"estimate{a}"], rel=PRINTED)
        assert fit.arm_standard_errors[0, a - 1] == pytest.approx(REFERENCE[case, f"se{a}"], rel=PRINTED)
        assert fit.arm_p_values[0, a - 1] == pytest.approx(REFERENCE[case, f"p{a}"], rel=1e-8)
        for kind in ("HC0", "HC2", "HC3"):
            robust = fit_ancova(SCORES, ARM, robust=kind, **more)
            assert robust.arm_standard_errors[0, a - 1] == pytest.approx(REFERENCE[case, f"se{a}_{kind}"], rel=PRINTED)
    for a in range(3):
        assert fit.adjusted_means[0, a] == pytest.approx(REFERENCE[case, f"mean{a}"], rel=PRINTED)
        assert fit.adjusted_mean_errors[0, a] == pytest.approx(REFERENCE[case, f"mean_se{a}"], rel=PRINTED)


def test_without_covariates_it_is_the_t_test():
    fit = fit_ancova(SCORES, TWO_ARMS, adjust_for_baseline=False)
    for quantity, value in (("estimate", fit.estimate), ("statistic", fit.statistic), ("df", fit.df), ("p", fit.p_value)):
        assert value[0] == pytest.approx(REFERENCE["t_test", quantity], rel=PRINTED)


@pytest.mark.parametrize(("case", "method"), [("slope_ls", "least squares"), ("slope_two", "two points")])
def test_slopes_of_participants_agree_with_lm_and_t_test(case, method):
    fit = fit_two_point_slope(SCORES, [0.0, 3.0, 6.0], TWO_ARMS, method=method)
    for quantity, value in (("estimate", fit.estimate), ("statistic", fit.statistic), ("df", fit.df), ("p", fit.p_value)):
        assert value[0] == pytest.approx(REFERENCE[case, quantity], rel=PRINTED)


@pytest.mark.parametrize("case", ["logistic", "logistic_covariates"])
def test_logistic_agrees_with_glm(case):
    more = {"covariates": AGE[:, None], "strata": STRATUM} if case == "logistic_covariates" else {}
    fit = fit_responder(responders(SCORES, decline_below=6.0), TWO_ARMS, method="logistic", **more)
    assert fit.estimate[0] == pytest.approx(REFERENCE[case, "estimate"], rel=1e-8)
    assert fit.standard_error[0] == pytest.approx(REFERENCE[case, "se"], rel=1e-8)
    assert fit.p_value[0] == pytest.approx(REFERENCE[case, "p"], rel=1e-7)


@pytest.mark.parametrize("case", ["share_data", "share_newcombe", "share_small", "share_edge", "share_none"])
def test_differences_of_shares_agree_with_r(case):
    x1, n1, x0, n0 = (int(REFERENCE[case, name]) for name in ("x1", "n1", "x0", "n0"))
    outcome = np.r_[np.ones(x0), np.zeros(n0 - x0), np.ones(x1), np.zeros(n1 - x1)]
    fits = {m: fit_responder(outcome, np.repeat([0, 1], [n0, n1]), method=m) for m in ("wald", "newcombe", "miettinen-nurminen", "fisher")}
    # R's limits of prop.test and Fisher's p are exact to rounding; the brute-force score limits to 1e-7.
    close = {"wald": 1e-9, "newcombe": 1e-9, "miettinen-nurminen": 1e-6}
    for method, short in (("wald", "wald"), ("newcombe", "newcombe"), ("miettinen-nurminen", "mn")):
        if method == "wald" and case in ("share_edge", "share_none"):
            assert fits[method].failed[0]  # R prints an interval of no width
            continue
        assert fits[method].low[0] == pytest.approx(REFERENCE[case, f"{short}_low"], abs=close[method])
        assert fits[method].high[0] == pytest.approx(REFERENCE[case, f"{short}_high"], abs=close[method])
    assert fits["newcombe"].p_value[0] == pytest.approx(REFERENCE[case, "chisq_p"], rel=1e-9)
    assert fits["fisher"].p_value[0] == pytest.approx(REFERENCE[case, "fisher_p"], rel=1e-9)


@pytest.mark.parametrize("case", ["share_data", "share_newcombe", "share_small", "share_edge", "share_none"])
def test_newcombe_interval_is_that_of_epi(case):
    # ci.pd of the R package Epi: method 10 of Newcombe, Stat Med 1998;17:873, programmed apart from this.
    x1, n1, x0, n0 = (int(REFERENCE[case, name]) for name in ("x1", "n1", "x0", "n0"))
    fit = fit_responder(np.r_[np.ones(x0), np.zeros(n0 - x0), np.ones(x1), np.zeros(n1 - x1)], np.repeat([0, 1], [n0, n1]))
    assert (fit.low[0], fit.high[0]) == pytest.approx((REFERENCE[case, "epi_low"], REFERENCE[case, "epi_high"]), abs=1e-11)
