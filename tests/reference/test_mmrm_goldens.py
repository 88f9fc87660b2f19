"""MMRM against nlme, pbkrtest, lmerTest and R mmrm on fev_data: tests/goldens/mmrm (scripts, output, versions)."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alsmodel.estimators import fit_mmrm

FOLDER = Path(__file__).parents[1] / "goldens" / "mmrm"
REFERENCE = pl.read_csv(FOLDER / "reference.csv")
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


@pytest.mark.parametrize("df_method", ["satterthwaite", "kenward-roger"])
def test_unstructured_agrees_with_r_mmrm(df_method):
    mine = fit(df_method=df_method)
    rows = {term: values for method, term, *values in pl.read_csv(FOLDER / "mmrm_0.3.18.csv").rows() if method == df_method}
    beta = dict(zip(mine.terms, mine.coefficients[0], strict=True))
    model = dict(zip(mine.terms, np.sqrt(np.diag(mine.covariance[0])), strict=True))
    # Printed to 5 decimals.
    assert mine.log_likelihood[0] == pytest.approx(-1693.22494, abs=5e-6)
    for term in RACE_AND_SEX:
        # mmrm's optimiser stops at a relative change of 1e-8 of the deviance: some 1e-4 standard errors in the covariances.
        assert beta[term] == pytest.approx(rows[term][0], abs=1e-4)
        if df_method == "satterthwaite":
            assert model[term] == pytest.approx(rows[term][1], rel=1e-4)
    estimate, error, df = rows["ARMCDTRT"]
    assert mine.differences.estimate[0, 0, 0] == pytest.approx(estimate, abs=3e-4)
    assert mine.differences.df[0, 0, 0] == pytest.approx(df, abs=0.05)
    if df_method == "satterthwaite":
        assert mine.differences.standard_error[0, 0, 0] == pytest.approx(error, rel=1e-4)


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
