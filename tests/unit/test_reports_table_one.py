"""Table 1: counts, missing values, small cells."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import polars as pl

from alsmodel.reports import table_one

fake = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("fake_study.py"))))


def cell(frame: pl.DataFrame, characteristic: str, column: int = 3) -> str:
    return str(frame.filter(pl.col("characteristic") == characteristic).row(0)[column])


def test_missing_values_are_counted_per_group() -> None:
    frame = table_one(fake.cohort(), small_cells=True)
    overall, *arms = (int(cell(frame, "Age: missing", i)) for i in (3, 4, 5))
    assert overall == 7
    assert sum(arms) == 7


def test_small_counts_are_masked_unless_asked() -> None:
    assert cell(table_one(fake.cohort()), "Respiratory") == "<5"
    assert cell(table_one(fake.cohort(), small_cells=True), "Respiratory").startswith(("1 ", "2 ", "3 ", "4 "))


def test_mean_and_share_match_polars() -> None:
    cohort = fake.cohort()
    frame = table_one(cohort)
    age = cohort.participants["age"].drop_nulls()
    assert cell(frame, "Age, years") == f"{age.mean():.1f} ({age.std():.1f})"
    women = (cohort.participants["sex"] == "female").sum()
    assert cell(frame, "Female") == f"{women} ({100 * women / 120:.0f}%)"


def test_unrecorded_treatment_is_unknown_and_never_no() -> None:
    frame = table_one(fake.cohort())
    assert cell(frame, "Riluzole, taken") == "70 (58%)"
    assert cell(frame, "Riluzole, recorded as not taken") == "20 (17%)"
    assert cell(frame, "Riluzole, unknown") == "30 (25%)"


def test_only_the_participants_asked_for_are_described() -> None:
    cohort = fake.cohort()
    frame = table_one(cohort, by=None, participants=cohort.participants["participant_id"].to_list()[:50])
    assert frame.columns == ["section", "characteristic", "statistic", "Overall (N = 50)"]


def test_people_without_the_grouping_value_get_a_column_of_their_own() -> None:
    cohort = fake.cohort()
    arm = pl.when(pl.col("participant_id") < "P0020").then(None).otherwise(pl.col("arm")).alias("arm")
    cohort.participants = cohort.participants.with_columns(arm)
    frame = table_one(cohort)
    assert frame.columns[-1].startswith("No arm recorded (N = ")


def test_what_few_people_said_in_their_own_words_is_not_told() -> None:
    cohort = fake.cohort()
    ids = cohort.participants["participant_id"].to_list()
    words = ["weakness"] * 60 + ["slurred speech"] * 20 + ["cramps"] * 5 + [f"dropped a cup in {month}" for month in range(4, 12)]
    said = pl.DataFrame({"participant_id": ids[: len(words)], "name": "first_symptoms", "text": words})
    cohort.covariates = pl.concat([cohort.covariates, said], how="diagonal_relaxed")
    frame = table_one(cohort)
    assert not frame["characteristic"].str.contains("cup").any()
    assert cell(frame, "first_symptoms: weakness") == "60 (65%)"
    assert cell(frame, "first_symptoms: cramps") == "5 (5%)"
    assert cell(frame, "first_symptoms: other (8 different)") == "8 (9%)"
    # The person who may see small cells sees the most frequent texts, and no endless table.
    assert table_one(cohort, small_cells=True)["characteristic"].str.contains("first_symptoms: ").sum() == 11 + 1  # and those missing


def test_no_table_holds_p_values() -> None:
    frame = table_one(fake.cohort())
    assert not any(word in column.lower() for column in frame.columns for word in ("p-value", "p value"))


def test_covariates_and_the_studys_own_outcome_are_described() -> None:
    cohort = fake.cohort()
    ids = cohort.participants["participant_id"].to_list()
    cohort.covariates = pl.DataFrame(
        {"participant_id": ids, "name": ["drug"] * 120, "number": [None] * 120, "text": ["A"] * 70 + ["B"] * 50},
        schema_overrides={"number": pl.Float64},
    )
    values = {"participant_id": ids * 2, "day": [0.0] * 120 + [20.0] * 120, "value": [1.0, 2.0] * 60 + [9.0] * 120}
    cohort.measurements = pl.DataFrame(values).with_columns(name=pl.lit("bilirubin"), unit=pl.lit("mg/dl"))
    frame = table_one(cohort, outcome="bilirubin")
    assert cell(frame, "drug: A") == "70 (58%)"
    assert cell(frame, "bilirubin at baseline") == "1.5 (0.5)"
