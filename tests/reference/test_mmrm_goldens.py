"""MMRM against SAS, R mmrm, nlme, pbkrtest and lmerTest on fev_data: tests/goldens/mmrm (scripts, output, versions)."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alsmodel.estimators import _mmrm_batch as kernel
from alsmodel.estimators import fit_mmrm
from alsmodel.estimators.mmrm import STRUCTURES

FOLDER = Path(__file__).parents[1] / "goldens" / "mmrm"
SAS = pl.read_csv(FOLDER / "sas.csv")
REFERENCE = pl.read_csv(FOLDER / "reference.csv")
NUMBERS = ("estimate", "standard_error", "df")
RACE_AND_SEX = ("RACEBlack or African American", "RACEWhite", "SEXFemale")


def fev():
    rows = pl.read_csv(FOLDER / "fev_data.csv", null_values="NA")
    people = rows.partition_by("USUBJID", maintain_order=True)
    scores = np.array([person.sort("AVISIT")["FEV1"].to_numpy() for person in people], dtype=float)
    arm = np.array([person["ARMCD"][0] == "TRT" for person in people], dtype=int)
    race, sex = ([person[column][0] for person in people] for column in ("RACE", "SEX"))
    groups = [[r.startswith("Black"), r == "White", s == "Female"] for r, s in zip(race, sex, strict=True)]
    return scores, arm, np.array(groups, dtype=float)


def fit(**options):
    scores, arm, groups = fev()
    return fit_mmrm(scores, arm, covariates=groups, covariate_names=RACE_AND_SEX, by_visit=True, **options)


def fit_arm_alone(structure, information):
    """One mean and one difference of the arms for all visits, which no trial would fit but SAS's figures are for.

    Returns -2 log likelihood, estimate, Kenward-Roger standard error, df, model-based standard error.
    """
    scores, arm, _ = fev()
    effect, number, observed = np.tile(np.array([0, 1]), (4, 1)), STRUCTURES[structure], information == "observed"
    *space, place = kernel.workspace(len(scores), effect, 2, 2, number)
    shapes = ((2,), (2, 2), (4, 4), (1, 4), (6,), (2,), ())
    out = (*(np.full((1, *shape), np.nan) for shape in shapes), np.zeros((1, 4), dtype=np.int64))
    y, groups, others, weights = scores[None].copy(), arm[None].astype(np.int64), np.zeros((1, len(scores), 0)), np.array([[0.0, 1.0]])
    kernel.fit_batch(y, groups, others, effect, place, weights, number, observed, True, 0, tuple(space), out)
    estimate, variance, adjusted, df = out[3][0, 0]
    return -2.0 * out[6][0], estimate, np.sqrt(adjusted), df, np.sqrt(variance)


def r_terms(mine):
    """Estimate and model-based standard error of R's terms: control at visit 1, and differences from it."""
    size = len(mine.terms)
    at = {term: np.eye(size)[k] for k, term in enumerate(mine.terms)}
    rows = {term: at[term] for term in RACE_AND_SEX} | {"(Intercept)": at["visit_1"], "ARMCDTRT": at["arm_1:visit_1"]}
    for v in (2, 3, 4):
        rows[f"AVISITVIS{v}"] = at[f"visit_{v}"] - at["visit_1"]
        rows[f"ARMCDTRT:AVISITVIS{v}"] = at[f"arm_1:visit_{v}"] - at["arm_1:visit_1"]
    return {term: (row @ mine.coefficients[0], np.sqrt(row @ mine.covariance[0] @ row)) for term, row in rows.items()}


def interaction(visit, **options):
    """Difference of the arms at `visit` (2 to 4) minus the difference at visit 1."""
    weights = np.zeros(4)
    weights[[0, visit - 1]] = -1.0, 1.0
    return fit(visit=weights, **options)


def test_unstructured_agrees_with_every_row_of_r_mmrm():
    mine = fit(df_method="satterthwaite")
    rows = {term: values for method, term, *values in pl.read_csv(FOLDER / "mmrm_0.3.18.csv").rows() if method == "satterthwaite"}
    # Printed to 5 decimals.
    assert mine.log_likelihood[0] == pytest.approx(-1693.22494, abs=5e-6)
    got = r_terms(mine)
    assert set(got) == set(rows)
    for term, (estimate, error, _) in rows.items():
        # mmrm's optimiser stops some 1e-4 standard errors from the maximum in the covariances: SAS and nlme are nearer to these.
        assert got[term][0] == pytest.approx(estimate, abs=2e-4 * error), term
        assert got[term][1] == pytest.approx(error, rel=7e-5), term


@pytest.mark.parametrize("df_method", ["satterthwaite", "kenward-roger"])
def test_degrees_of_freedom_agree_with_r_mmrm(df_method):
    rows = {term: values for method, term, *values in pl.read_csv(FOLDER / "mmrm_0.3.18.csv").rows() if method == df_method}
    first = fit(df_method=df_method)
    assert first.differences.df[0, 0, 0] == pytest.approx(rows["ARMCDTRT"][2], abs=0.01)
    for visit in (2, 3, 4):
        mine = interaction(visit, df_method=df_method)
        # The same distance from the maximum moves them by 0.011 at most.
        assert mine.df[0] == pytest.approx(rows[f"ARMCDTRT:AVISITVIS{visit}"][2], abs=0.02)
    # Negative control: expected information is another number, the one known for it.
    other = interaction(4, df_method=df_method, information="expected")
    assert other.df[0] == pytest.approx(144.4, abs=0.05)


def test_unstructured_agrees_with_sas():
    mine = fit(df_method="satterthwaite")
    got = {f"difference at visit {v + 1}": tuple(getattr(mine.differences, n)[0, 0, v] for n in NUMBERS) for v in range(4)}
    got |= {term: (*values, None) for term, values in r_terms(mine).items()}
    for v in (2, 3, 4):
        one = interaction(v, df_method="satterthwaite")
        got[f"interaction at visit {v}"] = (one.estimate[0], one.standard_error[0], one.df[0])
    for quantity, term, value in SAS.filter(pl.col("model") != "arm alone").select("quantity", "term", "value").iter_rows():
        if term is None:
            # SAS stops at a change of 1e-8: a little above the minimum.
            assert -1e-4 < -2.0 * mine.log_likelihood[0] - value < 1e-7
            continue
        wanted = got[term][NUMBERS.index(quantity)]
        # Printed to 4 decimals and to whole degrees of freedom; the stop costs 2e-4 standard errors.
        tolerance = {"estimate": 3e-4, "standard_error": 2e-4, "df": 0.51}[quantity]
        if wanted is not None:
            assert wanted == pytest.approx(value, abs=tolerance), (quantity, term)


@pytest.mark.parametrize("structure", list(STRUCTURES))
def test_kenward_roger_is_that_of_sas(structure):
    rows = SAS.filter((pl.col("model") == "arm alone") & (pl.col("covariance") == structure))
    sas = {(method, quantity): value for method, quantity, value in rows.select("df_method", "quantity", "value").iter_rows()}
    deviance, estimate, error, df, _ = fit_arm_alone(structure, "observed")
    assert -1e-4 < deviance - sas["kenward-roger", "minus_two_restricted_log_likelihood"] < 1e-7
    # SAS's distance from the maximum is 1e-5 of the deviance, some 2e-4 standard errors of the covariances.
    assert estimate == pytest.approx(sas["kenward-roger", "estimate"], abs=2e-4 * error)
    assert error == pytest.approx(sas["kenward-roger", "standard_error"], rel=1e-4)
    assert df == pytest.approx(sas["kenward-roger", "df"], rel=3e-4)
    if structure == "unstructured":
        # Linear in its parameters: SAS prints the same with and without second derivatives. Two figures known from
        # elsewhere for this model: R mmrm's linear kind, and expected information.
        assert sas["kenward-roger-linear", "standard_error"] == sas["kenward-roger", "standard_error"]
        assert (error, df) == (pytest.approx(0.66130, abs=5e-6), pytest.approx(160.69, abs=5e-3))
        expected = fit_arm_alone(structure, "expected")
        assert (expected[2], expected[3]) == (pytest.approx(0.65362, abs=5e-6), pytest.approx(170.9, abs=0.05))
    elif structure == "ar1":
        # Negative control: the second derivatives make the difference, 0.2%.
        assert abs(error - sas["kenward-roger-linear", "standard_error"]) > 1e-3


@pytest.mark.parametrize("structure", ["unstructured", "ar1", "compound symmetry"])
def test_structures_agree_with_gls(structure):
    mine = fit(covariance=structure, df_method="satterthwaite")
    rows = REFERENCE.filter((pl.col("model") == structure) & (pl.col("software") == "nlme"))
    for quantity, term, value in rows.select("quantity", "term", "value").iter_rows():
        if quantity == "log_likelihood":
            assert mine.log_likelihood[0] == pytest.approx(value, abs=1e-6)
        elif term.endswith(":arm"):
            got = getattr(mine.differences, quantity)[0, 0, int(term[9]) - 1]
            # gls stops short of the maximum by some 1e-4 standard errors of the covariances (its likelihood is the same to 1e-6).
            assert got == pytest.approx(value, rel=3e-5), (quantity, term)


def test_kenward_roger_agrees_with_pbkrtest():
    mine = fit(covariance="compound symmetry", information="expected")
    observed = fit(covariance="compound symmetry", information="observed")
    rows = REFERENCE.filter(pl.col("model") == "compound symmetry")
    for software, quantity, term, value in rows.select("software", "quantity", "term", "value").iter_rows():
        if software == "nlme":
            continue
        used = mine if software == "pbkrtest" else observed
        # lme4 stops at a relative change of 1e-7; lmerTest takes numerical derivatives.
        tolerance = {"pbkrtest": 1e-5, "lmerTest": 1e-4}[software]
        got = getattr(used.differences, quantity)[0, 0, int(term[9]) - 1]
        assert got == pytest.approx(value, rel=tolerance), (software, quantity, term)
