"""Plain long and survival CSV files."""

import os
from pathlib import Path
from typing import Any

import pytest

from alsmodel.cohort import Cohort, read
from alsmodel.cohort.sources import LongitudinalTable, SurvivalTable, TablesSource
from alsmodel.errors import InvalidInput

ODD = "zq7731"

LONG = "id,week,score,other\n1,0,40,1.5\n1,4,38,NA\n2,0,35,2.5\n10,0,30,.\n10,8,20,3\n"
SURV = "id,time,died,arm,age,sex,marker\n1,20,0,active,60,M,1.5\n2,3,1,placebo,NA,Female,-\n10,9,1,active,70,f,2\n"


def mapping(**survival: Any) -> dict[str, Any]:
    """As the [data] section of a study says it."""
    follow: dict[str, Any] = {
        "file": "surv.csv",
        "participant": "id",
        "time": "time",
        "event": "died",
        "event_values": [1],
        "event_name": "death",
        "definition": "death, any cause",
        "covariates": ["marker", "arm"],
        "participants": {"arm": "arm", "age": "age", "sex": "sex"},
    }
    long = {"file": "long.csv", "participant": "id", "time": "week", "outcomes": ["score", "other"]}
    return {"format": "tables", "time_unit": "week", "longitudinal": long, "survival": follow | survival}


def made(folder: Path, long: str = LONG, surv: str = SURV, strict: bool = False, **survival: Any) -> Cohort:
    (folder / "long.csv").write_text(long, encoding="utf-8")
    (folder / "surv.csv").write_text(surv, encoding="utf-8")
    return read(folder, "tables", mapping(**survival), strict=strict)


def test_every_part_lands_in_its_table(tmp_path: Path) -> None:
    cohort = made(tmp_path)
    assert cohort.participants.select("participant_id", "sex", "age", "arm", "entry_day", "last_contact_day").rows() == [
        ("1", "male", 60.0, "active", 0.0, 140.0),
        ("2", "female", None, "placebo", 0.0, 21.0),
        ("10", "female", 70.0, "active", 0.0, 63.0),
    ]
    assert cohort.measurements.select("participant_id", "day", "name", "value").rows() == [
        ("1", 0.0, "other", 1.5),
        ("1", 0.0, "score", 40.0),
        ("1", 28.0, "score", 38.0),
        ("2", 0.0, "other", 2.5),
        ("2", 0.0, "score", 35.0),
        ("10", 56.0, "other", 3.0),
        ("10", 0.0, "score", 30.0),
        ("10", 56.0, "score", 20.0),
    ]
    assert cohort.events.rows() == [("2", "death", 21.0, "death, any cause", None), ("10", "death", 63.0, "death, any cause", None)]
    assert cohort.covariates.rows() == [
        ("1", "arm", None, "active"),
        ("1", "marker", 1.5, None),
        ("2", "arm", None, "placebo"),
        ("10", "arm", None, "active"),
        ("10", "marker", 2.0, None),
    ]
    assert cohort.issues.is_empty()
    assert cohort.flow.rows() == [("long.csv", 5, 5, 0, 0, 0), ("surv.csv", 3, 3, 0, 0, 0)]


def test_one_file_may_hold_both(tmp_path: Path) -> None:
    (tmp_path / "both.csv").write_text("id,t,y,end,status\n1,0,5,2.5,alive\n1,1,4,2.5,alive\n2,0,3,1,dead\n2,1,2,9,dead\n")
    long = LongitudinalTable(file="both.csv", participant="id", time="t", outcomes=("y",))
    follow = SurvivalTable(file="both.csv", participant="id", time="end", event="status", event_values=("dead", "moved"))
    cohort = read(tmp_path, "tables", TablesSource(time_unit="year", longitudinal=long, survival=follow))
    assert cohort.participants["last_contact_day"].to_list() == [2.5 * 365.25, 365.25]
    assert cohort.events["participant_id"].to_list() == ["2"]
    assert cohort.issues.select("rule", "row", "action").rows() == [("survival_conflict", 5, "kept")]
    assert cohort.flow.rows() == [("both.csv", 4, 4, 0, 0, 0)]


@pytest.mark.parametrize(("values", "n"), [((1,), 2), (("1",), 2), ((1.0,), 2), ((0, 1), 3), ((True,), 0), (("0",), 1)])
def test_event_values_may_be_text_or_numbers(tmp_path: Path, values: tuple[Any, ...], n: int) -> None:
    assert made(tmp_path, event_values=list(values)).events.height == n


@pytest.mark.parametrize(
    ("long", "surv", "rule", "file", "row", "action"),
    [
        (LONG + f"2,4,{ODD},1\n", SURV, "not_a_number", "long.csv", 7, "repaired"),
        (LONG + "2,4,inf,1\n", SURV, "not_a_number", "long.csv", 7, "repaired"),
        (LONG + f"2,{ODD},3,1\n", SURV, "day_not_a_number", "long.csv", 7, "rejected"),
        (LONG + "2,,3,1\n", SURV, "day_missing", "long.csv", 7, "rejected"),
        (LONG + "2,9999,3,1\n", SURV, "day_out_of_range", "long.csv", 7, "rejected"),
        (LONG + ",1,3,1\n", SURV, "participant_missing", "long.csv", 7, "rejected"),
        (LONG + "2,0,35,2.5\n", SURV, "duplicate_row", "long.csv", 7, "rejected"),
        (LONG + "2,1,NA,-\n", SURV, "nothing_recorded", "long.csv", 7, "rejected"),
        (LONG + "2,1,3,4,5\n", SURV, "row_shape", "long.csv", 7, "rejected"),
        (LONG + "\n2,1,3,4\n", SURV, "blank_row", "long.csv", 7, "rejected"),
        (LONG + "2,5,3,1\n", SURV, "measurement_after_event", "long.csv", 7, "kept"),
        (LONG + "77,0,3,1\n", SURV, "participant_without_follow_up", "surv.csv", None, "kept"),
        (LONG, SURV + "77,3,1,active,60,M,1\n", "participant_without_assessments", "surv.csv", None, "kept"),
        (LONG, SURV + "2,3,0,placebo,NA,Female,-\n", "conflicting_row", "surv.csv", 5, "rejected"),
        (LONG, SURV + "2,3,1,placebo,NA,Female,-\n", "duplicate_row", "surv.csv", 5, "rejected"),
        (LONG, SURV.replace("1,20,0", "1,,0"), "event_time_missing", "surv.csv", 2, "repaired"),
        (LONG, SURV.replace("1,20,0", f"1,{ODD},0"), "event_time_not_a_number", "surv.csv", 2, "repaired"),
        (LONG, SURV.replace("1,20,0", "1,-20,0"), "event_time_not_positive", "surv.csv", 2, "repaired"),
        (LONG, SURV.replace("1,20,0", "1,20,"), "event_missing", "surv.csv", 2, "repaired"),
        (LONG, SURV.replace("60,M", f"60,{ODD}"), "unknown_word", "surv.csv", 2, "repaired"),
        (LONG, SURV.replace("60,M", f"{ODD},M"), "not_a_number", "surv.csv", 2, "repaired"),
        (LONG, SURV.replace("60,M", "160,M"), "value_implausible", "surv.csv", 2, "repaired"),
    ],
)
def test_row_faults_are_listed_with_their_action(
    tmp_path: Path, long: str, surv: str, rule: str, file: str, row: int | None, action: str
) -> None:
    cohort = made(tmp_path, long, surv)
    assert (rule, file, row, action) in cohort.issues.select("rule", "file", "row", "action").rows()
    assert ODD not in "".join(cohort.issues["detail"])
    counted = {name: cohort.flow.filter(file=name).row(0, named=True) for name in cohort.flow["file"]}
    column = action.replace(" ", "_")
    assert counted[file][column] >= 1


def test_an_unknown_follow_up_time_is_no_censoring_and_loses_no_event(tmp_path: Path) -> None:
    cohort = made(tmp_path, surv=SURV.replace("2,3,1", "2,,1"))
    assert ("2", "death", None, "death, any cause", None) in cohort.events.rows()
    assert cohort.participants.filter(participant_id="2")["last_contact_day"].item() == 0.0


def test_structural_faults_come_all_at_once(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text("id,week,score\n")
    (tmp_path / "surv.csv").write_text(SURV)
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, "tables", mapping(event="dyed"))
    text = str(caught.value)
    assert len(caught.value.faults) == 3
    assert "has no rows" in text
    assert "other" in text
    assert "Did you mean died?" in text


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [("nowhere", "tables", "not a folder"), (".", "tables", "which columns"), (".", "excel", "expected one of")],
)
def test_reading_refuses_what_it_cannot_read(tmp_path: Path, name: str, source: str, expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        read(tmp_path / name, source)


def test_a_misspelt_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="time_unit"):
        read(tmp_path, "tables", mapping() | {"time_unit": "fortnight"})
    with pytest.raises(InvalidInput, match="participants\\.hair"):
        made(tmp_path, participants={"hair": "arm"})


def test_strict_reading_refuses_errors_only(tmp_path: Path) -> None:
    made(tmp_path, LONG + "2,0,35,2.5\n", strict=True)
    with pytest.raises(InvalidInput) as caught:
        made(tmp_path, LONG + f"2,4,{ODD},1\n2,5,{ODD},1\n", strict=True)
    assert "long.csv:7:score" in str(caught.value)
    assert "and 1 more" in str(caught.value)
    assert ODD not in str(caught.value)


VERIFICATION = os.environ.get("ALSMODEL_VERIFICATION_DATA", "")


@pytest.mark.skipif(not (Path(VERIFICATION) / "valproate").is_dir(), reason="verification data are not here")
@pytest.mark.parametrize("file", ["surv.csv", "long.csv"])
def test_valproate_trial_is_read_whole(file: str) -> None:
    # Source: counts published by its authors, doi 10.1016/j.jclinepi.2022.03.009.
    long = LongitudinalTable(file="long.csv", participant="id", time="avisit", outcomes=("total",))
    follow = SurvivalTable(file=file, participant="id", time="stime", event="status", event_values=(1,), participants={"arm": "trt"})
    source = TablesSource(time_unit="month", longitudinal=long, survival=follow)
    cohort = read(Path(VERIFICATION) / "valproate", "tables", source)
    assert (cohort.participants.height, cohort.measurements.height, cohort.events.height) == (154, 701, 33)
    assert cohort.participants["arm"].value_counts()["count"].to_list() == [77, 77]
    assert cohort.issues.is_empty()
