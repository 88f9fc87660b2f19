"""The long format of the DREAM challenges: every row has a fate, and the cohort is the one that was simulated."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alsmodel.cohort import Cohort, read
from alsmodel.errors import InvalidInput
from alsmodel.patients import VirtualCohort, VirtualParticipants, simulate
from alsmodel.patients.dream import HEADER, subject_ids, write_dream

ODD = "zq7731"
FILE = "all_forms_PROACT.txt"
ITEMS = [f"item_{i}" for i in range(1, 13)]
#: Five rows: an assessment of two items, age, sex and weight.
BASE = [
    "1|ALSFRS|Q1_Speech|3||0",
    "1|ALSFRS|Q2_Salivation|4||0",
    "1|Demographic|Age|61||0",
    "1|Demographic|Gender|M||0",
    "1|Vitals|weight|70|kg|0",
]


@pytest.fixture(scope="module")
def people() -> VirtualParticipants:
    return simulate(VirtualCohort(), 120, 8)


@pytest.fixture(scope="module")
def folder(people: VirtualParticipants, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dream(people, tmp_path_factory.mktemp("dream"))


@pytest.fixture(scope="module")
def cohort(folder: Path) -> Cohort:
    return read(folder, "dream")


def small(folder: Path, *rows: str, header: str = HEADER, name: str = FILE, **responses: str) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / name).write_text("\n".join([header, *BASE, *rows]) + "\n", encoding="utf-8")
    for response, text in responses.items():
        (folder / f"{response}_PROACT.txt").write_text(text, encoding="utf-8")
    return folder


def cohort_of(tmp_path: Path, *rows: str, strict: bool = False, **responses: str) -> Cohort:
    cohort = read(small(tmp_path / "raw", *rows, **responses), "dream", strict=strict)
    parts = cohort.flow.select(pl.sum_horizontal("kept", "repaired", "rejected", "set_aside")).to_series()
    assert parts.to_list() == cohort.flow["read"].to_list()
    assert ODD not in "".join(cohort.issues["detail"])
    return cohort


def rules(cohort: Cohort, file: str = FILE) -> list[tuple[str, int | None, str]]:
    return cohort.issues.filter(pl.col("rule") != "ten_item_scale", file=file).select("rule", "row", "action").rows()


def test_every_line_of_every_file_has_a_fate(cohort: Cohort, folder: Path) -> None:
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) - 1 for path in folder.glob("*.txt")}
    assert dict(cohort.flow.select("file", "read").rows()) == lines
    parts = cohort.flow.select(pl.sum_horizontal("kept", "repaired", "rejected", "set_aside")).to_series()
    assert parts.to_list() == cohort.flow["read"].to_list()
    assert cohort.flow["rejected"].sum() == 0
    assert cohort.issues.filter(pl.col("severity").is_in(["error", "warning"])).is_empty()


def test_the_assessments_are_the_simulated_ones(cohort: Cohort, people: VirtualParticipants) -> None:
    ids = subject_ids(people.n)
    person, visit = np.nonzero(people.total >= 0)
    true = {
        (ids[i], float(people.visit_day[i, v])): (people.items[i, v].tolist(), bool(people.gastrostomy[i, v]), i % 10 == 9)
        for i, v in zip(person, visit, strict=True)
    }
    assert cohort.assessments.height == len(true)
    columns = ["participant_id", "day", *ITEMS, "item_10_original", "gastrostomy", "total_48", "total_40", "scale"]
    for participant, day, *rest in cohort.assessments.select(columns).rows():
        items, tube, ten = true[(participant, day)]
        assert rest[:9] == items[:9]
        assert rest[9:13] == ([None, None, None, items[9]] if ten else [*items[9:], None])
        assert rest[13] is tube
        assert rest[14:] == ([None, sum(items[:10]), "ALSFRS"] if ten else [sum(items), None, "ALSFRS-R"])


def test_facts_of_participants_are_the_simulated_ones(cohort: Cohort, people: VirtualParticipants) -> None:
    found = cohort.participants
    assert found["participant_id"].to_list() == subject_ids(people.n)
    np.testing.assert_allclose(found["age"].to_numpy(), people.age, atol=0.0051)
    np.testing.assert_allclose(found["height_cm"].to_numpy(), people.height_cm, atol=0.051)
    np.testing.assert_array_equal(found["onset_day"].to_numpy(), people.onset_day)
    np.testing.assert_array_equal(found["diagnosis_day"].to_numpy(), people.diagnosis_day)
    assert found["sex"].to_list() == people.sex.tolist()
    assert found["family_history"].to_list() == people.family_history.tolist()
    assert found["arm"].to_list() == np.where(people.arm == 1, "active", "placebo").tolist()
    assert found["onset_site"].to_list() == np.where(people.onset_site == "respiratory", "other", people.onset_site).tolist()
    assert set(found["source"]) == {"DREAM"}


def test_responses_are_events_last_contacts_and_a_covariate(cohort: Cohort, people: VirtualParticipants) -> None:
    ids = np.array(subject_ids(people.n))
    assert dict(cohort.events.select("participant_id", "day").rows()) == dict(
        zip(ids[people.event], people.end_day[people.event], strict=True)
    )
    last = cohort.participants.filter(~pl.Series(people.event))["last_contact_day"].to_numpy()
    np.testing.assert_array_equal(last, people.end_day[~people.event])
    slopes = cohort.covariates.filter(name="alsfrs_slope_3_12")["number"].to_numpy()
    np.testing.assert_allclose(slopes, people.slope, atol=5.1e-5)
    beyond = cohort.covariates.filter(name="last_contact_all_tables").select("participant_id", "number").rows()
    assert sum(day > dict(cohort.participants.select("participant_id", "last_contact_day").rows())[p] for p, day in beyond) > 0


def test_measurements_have_their_units_and_the_laboratory_its_names(cohort: Cohort, people: VirtualParticipants) -> None:
    ids = subject_ids(people.n)
    person, visit = np.nonzero(people.total >= 0)
    true = {
        (ids[i], people.visit_day[i, v]): (people.weight_kg[i, v], people.vital_capacity[i, v]) for i, v in zip(person, visit, strict=True)
    }
    for place, (name, unit) in enumerate((("weight", "kg"), ("fvc_percent", "%"))):
        found = cohort.measurements.filter(name=name, unit=unit).select("participant_id", "day", "value").rows()
        assert len(found) == len(true)
        for participant, day, value in found:
            assert value == pytest.approx(true[(participant, day)][place], abs=0.051)
    tests = set(cohort.measurements.filter(pl.col("name").str.starts_with("lab:"))["name"])
    # The last one is no name of the mapping, but stands in a form of laboratory tests.
    assert tests == {"lab:ck", "lab:creatinine", "lab:potassium", "lab:urine ph", "lab:tissue marker"}
    riluzole = dict(cohort.exposures.select("participant_id", "taken").rows())
    assert len(riluzole) == people.n
    assert set(cohort.exposures["drug"]) == {"riluzole"}


def test_sums_and_unknown_features_are_set_aside_by_name(cohort: Cohort) -> None:
    aside = cohort.issues.filter(rule="column_set_aside", file=FILE)["column"].to_list()
    assert set(aside) == {"mouth", "hands", "trunk", "leg", "respiratory_R", "BMI"}
    (unknown,) = cohort.issues.filter(rule="feature_unknown", file=FILE).select("column", "detail", "action").rows()
    assert (unknown[0], unknown[2]) == ("shoe_size", "set aside")
    assert unknown[1].startswith("32 rows")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["1|ALSFRS|Q1_Speech|3||0"], [("duplicate_row", 7, "rejected")]),
        (["1|ALSFRS|Q1_Speech|2||0"], [("conflicting_row", 7, "rejected")]),
        (["1|ALSFRS|Q3_Swallowing|-||0"], [("nothing_recorded", 7, "rejected")]),
        (["1|ALSFRS|Q3_Swallowing|4||"], [("day_missing", 7, "rejected")]),
        ([f"1|ALSFRS|Q3_Swallowing|4||{ODD}"], [("day_not_a_number", 7, "rejected")]),
        (["1|ALSFRS|Q3_Swallowing|5||0"], [("score_out_of_range", 7, "repaired")]),
        ([f"1|ALSFRS|Q3_Swallowing|{ODD}||0"], [("score_text", 7, "repaired")]),
        (["1|ALSFRS|ALSFRS_R_Total|49||0"], [("total_out_of_range", 7, "repaired")]),
        (["1|ALSFRS|mouth|7||0"], [("column_set_aside", None, "set aside")]),
        (["|ALSFRS|Q3_Swallowing|4||0"], [("participant_missing", 7, "rejected")]),
        (["1|ALSFRS||4||0"], [("feature_missing", 7, "rejected")]),
        (["1|Other|shoe_size|43||0"], [("feature_unknown", None, "set aside")]),
        ([f"1|Other|{ODD * 20}|43||0", "1|Other|9|43||0"], [("feature_unknown", None, "set aside")]),
        (["1|Adverse Event|weight|300|kg|0"], [("row_set_aside", None, "set aside")]),
        (["1|Vitals|weight|71||9"], [("unit_unknown", 7, "repaired"), ("nothing_recorded", 7, "rejected")]),
        (["1|Vitals|weight|150|Pounds|9"], [("unit_converted", 7, "repaired")]),
        (["1|Vitals|pulse|900||9"], [("value_implausible", 7, "repaired"), ("nothing_recorded", 7, "rejected")]),
        (["1|Demographic|Gender|F||0"], [("conflicting_row", 7, "rejected")]),
        (
            ["2|Demographic|Gender|Q||0"],
            [("participant_without_assessments", None, "kept"), ("unknown_word", 7, "repaired")],
        ),
        (["1|ALSHX|onset_delta|30||"], [("onset_after_baseline", 7, "repaired")]),
        (["1|Lab Test|CK|<5|U/L|0"], [("lab_limit", 7, "rejected")]),
        (["1|Anything|CK|5|U/L|0"], []),
        (["1|Lab Test|Never Heard Of|5|U/L|0"], []),
        (["1|FVC|fvc|3||0", "1|FVC|fvc_normal|4||0"], [("percent_recomputed", 7, "repaired"), ("percent_recomputed", 8, "repaired")]),
        (["1|ALSFRS|Q3_Swallowing|4||0|1"], [("row_shape", 7, "rejected")]),
        (["1|ALSFRS|Q3_Swallowing|4"], [("row_shape", 7, "rejected")]),
        (["1|als FRS|q3__swallowing_|4||0"], []),
        (['\'1\'|ALSFRS|"Q3_Swallowing"|"4"||"0"'], []),
        (['1|ALSFRS|Q3_Swallowing|"NA"||0'], [("nothing_recorded", 7, "rejected")]),
        (['1|Concomitant Medication|6" tube|1||0', "1|ALSFRS|Q3_Swallowing|4||0"], [("row_set_aside", None, "set aside")]),
    ],
)
def test_each_fault_of_a_row_has_its_rule(tmp_path: Path, rows: list[str], expected: list[tuple[str, int | None, str]]) -> None:
    found = rules(cohort_of(tmp_path, *rows))
    aside = [rule for rule in found if rule[1] is None]
    listed = [rule for rule in found if rule[1] is not None]
    assert sorted(listed, key=str) == sorted((rule for rule in expected if rule[1] is not None), key=str)
    assert aside == [rule for rule in expected if rule[1] is None]


def test_an_issue_keeps_the_cell_and_names_the_column_of_the_value(tmp_path: Path) -> None:
    issue = cohort_of(tmp_path, "1|ALSFRS|Q3_Swallowing|7||0").issues.filter(rule="score_out_of_range").row(0, named=True)
    assert (issue["file"], issue["row"], issue["column"], issue["value"]) == (FILE, 7, "feature_value", "7")


def test_a_features_own_unit_belongs_to_it_alone(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "1|Vitals|height|70|Inches|0", "1|Vitals|bp_systolic|140|mmHg|0")
    values = dict(cohort.measurements.filter(day=0.0).select("name", "value").rows())
    assert (values["weight"], values["height"], values["systolic_bp"]) == (70.0, pytest.approx(177.8), 140.0)


@pytest.mark.parametrize(
    ("row", "events", "last", "expected"),
    [
        ("1|400|1", [("1", 400.0)], 0.0, []),
        ("1|400|0", [], 400.0, []),
        ("1|400|0.0", [], 400.0, []),
        ("1|-5|1", [("1", None)], 0.0, ["death_before_last_visit"]),
        ("1||1", [("1", None)], 0.0, ["death_day_missing"]),
        ("1|400|2", [], 0.0, ["unknown_word", "nothing_recorded"]),
        (f"1|{ODD}|1", [("1", None)], 0.0, ["not_a_number", "death_day_missing"]),
        ("1|400|1\n1|300|0", [("1", 400.0)], 0.0, ["death_conflict"]),
    ],
)
def test_the_survival_response(tmp_path: Path, row: str, events: list[tuple[str, float | None]], last: float, expected: list[str]) -> None:
    cohort = cohort_of(tmp_path, surv_response=f"SubjectID|time_event|status\n{row}\n")
    assert cohort.events.select("participant_id", "day").rows() == events
    assert cohort.participants["last_contact_day"].to_list() == [last]
    assert [rule for rule, *_ in rules(cohort, "surv_response_PROACT.txt")] == expected


@pytest.mark.parametrize(
    ("row", "slope", "expected"),
    [
        ("1|-0.7", [-0.7], []),
        ("1|NA", [], ["nothing_recorded"]),
        (f"1|{ODD}", [], ["not_a_number"]),
        ("1|-0.7\n1|-0.7", [-0.7], ["duplicate_row"]),
        ("1|-0.7\n1|-0.8", [-0.7], ["conflicting_row"]),
    ],
)
def test_the_slope_response(tmp_path: Path, row: str, slope: list[float], expected: list[str]) -> None:
    cohort = cohort_of(tmp_path, ALSFRS_slope=f"SubjectID|ALSFRS_slope\n{row}\n")
    assert cohort.covariates.filter(name="alsfrs_slope_3_12")["number"].to_list() == slope
    assert [rule for rule, *_ in rules(cohort, "ALSFRS_slope_PROACT.txt")] == expected


def test_a_participant_of_two_files_is_read_from_the_first(tmp_path: Path) -> None:
    folder = small(tmp_path)
    (folder / "all_forms_validate_leader.txt").write_text(f"{HEADER}\n1|ALSFRS|Q1_Speech|0||0\n2|ALSFRS|Q1_Speech|1||0\n")
    cohort = read(folder, "dream")
    assert cohort.assessments.select("participant_id", "item_1").rows() == [("1", 3), ("2", 1)]
    assert rules(cohort, "all_forms_validate_leader.txt") == [("participant_in_two_files", 2, "rejected")]


def test_the_absence_of_a_response_is_listed_and_other_files_are_named(tmp_path: Path) -> None:
    folder = small(tmp_path)
    (folder / "notes.txt").write_text("x\n")
    issues = read(folder, "dream").issues
    assert issues.filter(rule="file_absent")["file"].to_list() == ["SLOPE", "SURVIVAL"]
    assert issues.filter(rule="file_unknown")["file"].to_list() == ["notes.txt"]


def test_structural_faults_come_all_at_once(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("SubjectID|feature_name|value\n1|a|2\n")
    (tmp_path / "all_forms_b.txt").write_text("SubjectID,feature_name\n1,a\n")
    (tmp_path / "surv_response_b.txt").write_text("SubjectID|time_event\n1|2\n")
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, "dream")
    assert len(caught.value.faults) == 4
    for text in ("feature_value", "feature_delta", "comma", "surv_response_b.txt:1:status"):
        assert text in str(caught.value)
    (tmp_path / "none").mkdir()
    with pytest.raises(InvalidInput, match="all_forms"):
        read(tmp_path / "none", "dream")


def test_strict_reading_refuses_row_errors_without_their_values(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        cohort_of(tmp_path, f"1|ALSFRS|Q3_Swallowing|{ODD}||0", strict=True)
    assert f"{FILE}:7:feature_value" in str(caught.value)
    assert ODD not in str(caught.value)


scores = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(0, 8), st.integers(0, 4)), max_size=40)
NAMES = ["Q1_Speech", "Q2_Salivation", "Q3_Swallowing", "Q4_Handwriting", "Q5a_Cutting_without_Gastrostomy", "Q6_Dressing_and_Hygiene"]
NAMES += ["Q7_Turning_in_Bed", "Q8_Walking", "Q9_Climbing_Stairs"]
QUIET = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)


@QUIET
@given(rows=scores)
def test_the_pivot_is_the_one_made_row_by_row(tmp_path: Path, rows: list[tuple[int, int, int, int]]) -> None:
    lines = [f"{person}|ALSFRS|{NAMES[item]}|{score}||{day}" for person, day, item, score in rows]
    (tmp_path / FILE).write_text("\n".join([HEADER, *lines]) + "\n")
    cohort = read(tmp_path, "dream")
    expected: dict[tuple[str, float], dict[int, int]] = {}
    for person, day, item, score in rows:
        expected.setdefault((str(person), float(day)), {}).setdefault(item, score)
    found = {(row[0], row[1]): row[2:] for row in cohort.assessments.select("participant_id", "day", *ITEMS[:9]).rows()}
    assert found == {key: tuple(cells.get(i) for i in range(9)) for key, cells in expected.items()}
    used = sum(len(cells) for cells in expected.values())
    assert cohort.flow.select("read", "kept", "rejected").rows() == [(len(rows), used, len(rows) - used)]


SPLICES = [
    b"",
    b"|",
    b'"',
    b"\n",
    b"\r\n",
    b",",
    b"'",
    b"-",
    b"NA",
    b"\x00",
    b"\x81",
    b"\xe9",
    b"\xef\xbb\xbf",
    b"9999-12-30",
    b"1e400",
    b"nan",
]
edits = st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1), st.integers(0, 40), st.sampled_from(SPLICES)), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = write_dream(simulate(VirtualCohort(), 8, 2), tmp_path_factory.mktemp("pristine"))
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.txt"))}


@QUIET
@given(changes=edits)
def test_damaged_files_are_read_or_refused(
    pristine: dict[str, bytes], tmp_path: Path, changes: list[tuple[int, float, int, bytes]]
) -> None:
    files = dict(pristine)
    for which, where, length, splice in changes:
        name = sorted(files)[which % len(files)]
        data = files[name]
        start = int(where * len(data))
        files[name] = data[:start] + splice + data[start + length :]
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    try:
        cohort = read(tmp_path, "dream")
    except InvalidInput:
        return
    parts = cohort.flow.select(pl.sum_horizontal("kept", "repaired", "rejected", "set_aside")).to_series()
    assert parts.to_list() == cohort.flow["read"].to_list()
    assert len(cohort.digest) == 64


def _shuffled(text: str) -> str:
    rows = [line.split("|") for line in text.splitlines()]
    return "\n".join("|".join(row[i] for i in (5, 2, 0, 4, 1, 3)) for row in rows) + "\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace(HEADER, HEADER.upper()).encode(),
        lambda text: text.replace("|ALSFRS|", "|Ä|").encode("cp1252"),
        lambda text: text.replace("||", "| |").replace("|Q1_Speech|", "| Q1_SPEECH |").encode(),
        lambda text: "\n".join(f'"{line.replace("|", chr(34) + "|" + chr(34))}"' for line in text.splitlines()).encode(),
        lambda text: _shuffled(text).encode(),
        lambda text: "\n".join([text.splitlines()[0], *reversed(text.splitlines()[1:])]).encode(),
    ],
    ids=["crlf", "byte order mark", "capitals", "cp1252", "blanks", "quoted", "other order of columns", "other order of rows"],
)
def test_how_the_file_is_written_does_not_matter(folder: Path, cohort: Cohort, tmp_path: Path, change: Callable[[str], bytes]) -> None:
    for path in folder.glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        (tmp_path / path.name).write_bytes(change(text) if path.name.startswith("all_forms") else text.encode())
    assert read(tmp_path, "dream").digest == cohort.digest
