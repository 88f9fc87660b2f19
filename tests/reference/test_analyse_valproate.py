"""A real ALS trial through `compare`. Its data may not be copied: found through an environment variable, or skipped.

Published by van Eijk et al., J Clin Epidemiol 2022;147:32-39, doi 10.1016/j.jclinepi.2022.03.009.
"""

import os
from pathlib import Path

import polars as pl
import pytest

from alsmodel.cohort import Cohort, read
from alsmodel.trials.analyses import LogRank, RandomSlope
from alsmodel.trials.compared import Compared, compare
from alsmodel.trials.comparison import ComparisonPlan
from alsmodel.trials.endpoints import ANCOVA, MMRM, Cox, JointRank, Win

PLACE = os.environ.get("ALSMODEL_VERIFICATION_DATA", "")
FOLDERS = [folder for folder in (Path(PLACE) / "valproate", Path(PLACE)) if PLACE and (folder / "surv.csv").is_file()]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDERS, reason="the valproate data may not be copied; set ALSMODEL_VERIFICATION_DATA"),
]
PLAN = ComparisonPlan(
    control="0",
    active=("1",),
    visits=(0, 2, 4, 8, 12, 16),
    outcome="total",
    analyses=(MMRM(), ANCOVA(), RandomSlope(time="actual"), LogRank(method="cox"), Cox(), JointRank(), Win()),
)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    mapping = {
        "time_unit": "month",
        "longitudinal": {"file": "long.csv", "participant": "id", "time": "avisit", "outcomes": ["total"]},
        "survival": {
            "file": "surv.csv", "participant": "id", "time": "stime", "event": "status", "event_values": [1], "event_name": "death",
            "definition": "death, any cause", "participants": {"arm": "trt"},
        },
    }  # fmt: skip
    return read(FOLDERS[0], "tables", mapping)


@pytest.fixture(scope="module")
def results(cohort: Cohort) -> Compared:
    return compare(cohort, PLAN, small_cells=True)


def test_everyone_is_counted_as_published(results: Compared) -> None:
    arms = results.tables["arms"]
    assert arms["randomised"].to_list() == [77, 77]
    assert arms["deaths"].to_list() == [13, 20]
    assert results.tables["steps"].filter(step="with any score up to the event")["scores"].item() == 701
    assert results.failed == ()


def test_cox_gives_the_published_hazard_ratio_with_valproate_worse(results: Compared) -> None:
    row = results.tables["analyses"].row(by_predicate=pl.col("analysis") == "Cox", named=True)
    assert row["ratio"] == pytest.approx(1.68, abs=0.005)  # printed with two decimals
    assert not row["favours_active"]
    assert not row["claim"]


def test_the_slope_difference_is_near_that_of_the_joint_model(results: Compared) -> None:
    # Published for JM with linear random effects: -0.129 (0.123). Death informs slopes there and not here: a third of an SE.
    row = results.tables["analyses"].row(by_predicate=pl.col("measure") == "slope difference", named=True)
    assert row["estimate"] == pytest.approx(-0.129, abs=0.123 / 3)
    assert row["standard_error"] == pytest.approx(0.123, rel=0.05)


def test_all_analyses_look_the_same_way_and_none_claims(results: Compared) -> None:
    # The published likelihood ratio test of both effects has p = .15.
    table = results.tables["analyses"]
    assert not table["claim"].any()
    assert not table.filter(pl.col("analysis") != "ANCOVA")["favours_active"].any()
    last = results.tables["differences"].filter(month=16.0).row(0, named=True)
    mmrm = table.row(by_predicate=pl.col("analysis") == "MMRM", named=True)
    for name in ("estimate", "lower", "upper", "standard_error", "p_value"):
        assert last[name] == pytest.approx(mmrm[name], rel=1e-9), name


def test_exchanged_arms_mirror_the_result(cohort: Cohort, results: Compared) -> None:
    # The negative control of signs: with the labels exchanged every estimate changes its sign and nothing else.
    from dataclasses import replace

    other = compare(cohort, replace(PLAN, control="1", active=("0",), analyses=(Cox(), JointRank(), Win(), ANCOVA())))
    for row in other.tables["analyses"].iter_rows(named=True):
        first = results.tables["analyses"].row(by_predicate=pl.col("analysis") == row["analysis"], named=True)
        # Newton's last step stops within 1e-6 of a standard error.
        assert row["estimate"] == pytest.approx(-first["estimate"], abs=1e-6 * first["standard_error"])
        assert row["p_value"] == pytest.approx(first["p_value"], rel=1e-5)
