"""Log-rank and Efron Cox against R survival: tests/goldens/log_rank (script, raw output, versions)."""

from pathlib import Path

import polars as pl
import pytest

from alsmodel.estimators import fit_log_rank

FOLDER = Path(__file__).parents[1] / "goldens" / "log_rank"
REFERENCE = pl.read_csv(FOLDER / "reference.csv")


@pytest.mark.parametrize("model", ["plain", "stratified"])
def test_test_and_hazard_ratio_agree_with_survival(model):
    rows = pl.read_csv(FOLDER / "events.csv")
    strata = rows["stratum"].to_numpy() if model == "stratified" else None
    fit = fit_log_rank(rows["month"].to_numpy(), rows["event"].to_numpy(), rows["arm"].to_numpy(), strata=strata, method="cox")
    mine = {"observed": fit.observed, "expected": fit.expected, "variance": fit.variance, "chisq": fit.statistic**2}
    mine |= {"log_hazard_ratio": fit.estimate, "cox_se": fit.standard_error}
    for _, quantity, value in REFERENCE.filter(pl.col("model") == model).iter_rows():
        # Sums of tens of fractions, and Newton steps run to 1e-10 on both sides; 13 to 14 digits were written.
        assert mine[quantity][0] == pytest.approx(value, rel=1e-9), quantity
