"""A cohort written as ADaM data sets: what comes back, what is refused, and that the files are what their standards say."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pyreadstat
import pytest
from typer.testing import CliRunner

from alsmodel.cli.main import app
from alsmodel.cohort import Cohort
from alsmodel.cohort.cdisc import read_adam, read_sdtm, write_adam
from alsmodel.cohort.cdisc.data_sets import DataSet, faults_of
from alsmodel.cohort.cdisc.write import END_POINT_CODES, PARAMETERS
from alsmodel.errors import InvalidInput
from alsmodel.patients import VirtualCohort, simulate
from alsmodel.patients.cdisc import SdtmLayout, write_cohort

SCHEMA = Path(__file__).parents[1] / "goldens" / "cdisc" / "dataset.schema.json"
KINDS = ("xpt", "dataset-json", "ndjson")
DEATH = {"kind": "death", "definition": "death, any cause"}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """A virtual trial, read from its SDTM domains."""
    folder = tmp_path_factory.mktemp("sdtm")
    return read_sdtm(write_cohort(simulate(VirtualCohort(), 60, 11), folder, SdtmLayout(files="xpt")))


def small(**tables: Any) -> Cohort:
    people = {"participant_id": ["A", "B"], "arm": ["drug x", None], "last_contact_day": [50.0, None], "source": ["S", "S"]}
    assessments = {"participant_id": ["A", "A", "A"], "day": [-10.0, 0.0, 29.0], "total_48": [41, 40, 38], "scale": ["ALSFRS-R"] * 3}
    given = {"participants": pl.DataFrame(people), "assessments": pl.DataFrame(assessments)}
    given |= {name: pl.DataFrame(rows) for name, rows in tables.items()}
    return Cohort.of({"records_events": [DEATH]}, **given)


def written(path: Path) -> pl.DataFrame:
    frame, _ = pyreadstat.read_xport(str(path), output_format="polars")
    return frame


@pytest.mark.parametrize("files", KINDS)
def test_a_trial_comes_back_from_its_adam_data_sets(tmp_path: Path, trial: Cohort, files: Any) -> None:
    paths = write_adam(trial, tmp_path / "adam", files)
    again = read_adam(tmp_path / "adam")
    assert [path.stem for path in paths] == ["adsl", "adqs", "adtte"]
    items = [*(f"item_{k}" for k in range(1, 13)), "total_48", "gastrostomy", "scale"]
    scores = [cohort.assessments.select("participant_id", "day", *items) for cohort in (trial, again)]
    assert scores[0].equals(scores[1])
    facts = (
        "participant_id",
        "source",
        "site",
        "sex",
        "age",
        "arm",
        "onset_day",
        "diagnosis_day",
        "onset_site",
        "exclusion",
        "last_contact_day",
    )
    assert trial.participants.select(facts).equals(again.participants.select(facts))
    kinds = ["death", "tracheostomy", "gastrostomy"]
    # After a death nothing else can happen, so that what a source dates later is no event of an end point.
    events = [
        cohort.events.filter(pl.col("kind").is_in(kinds))
        .sort("participant_id", "kind")
        .select("participant_id", "kind", "day", "definition")
        for cohort in (trial, again)
    ]
    dated_at_entry = events[0].filter(pl.col("day") <= 0)
    assert events[0].join(dated_at_entry, on=["participant_id", "kind"], how="anti").equals(events[1])
    assert again.issues.filter(pl.col("severity") == "error").height == 0
    assert again.flow["read"].sum() == again.flow["kept"].sum()


def test_the_three_kinds_of_file_hold_the_same(tmp_path: Path, trial: Cohort) -> None:
    digests = set()
    for files in KINDS:
        write_adam(trial, tmp_path / files, files)
        digests.add(read_adam(tmp_path / files).digest)
    assert len(digests) == 1


@pytest.mark.parametrize("files", KINDS)
def test_the_same_cohort_gives_the_same_bytes(tmp_path: Path, files: Any) -> None:
    first = [path.read_bytes() for path in write_adam(small(), tmp_path / "a", files)]
    second = [path.read_bytes() for path in write_adam(small(), tmp_path / "b", files)]
    assert first == second
    # A creation date is what the caller says it is, and differs in nothing else.
    dated = [path.read_bytes() for path in write_adam(small(), tmp_path / "c", files, created="2026-03-01T12:30:00")]
    assert all(b"01JAN00:00:00:00" in data if files == "xpt" else b"2000-01-01T00:00:00" in data for data in first)
    assert all(data.count(b"01MAR26:12:30:00") == 4 if files == "xpt" else data.count(b"2026-03-01T12:30:00") == 1 for data in dated)
    assert [len(data) for data in first] == [len(data) for data in dated]


def test_transport_files_are_of_version_5(tmp_path: Path, trial: Cohort) -> None:
    for path in write_adam(trial, tmp_path):
        data = path.read_bytes()
        assert data.startswith(b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!")
        assert len(data) % 80 == 0
        _, told = pyreadstat.read_xport(str(path), metadataonly=True)
        assert told.table_name == path.stem.upper()
        assert all(re.fullmatch(r"[A-Z_][A-Z0-9_]{0,7}", name) for name in told.column_names)
        assert all(label and len(label) <= 40 for label in told.column_labels)


def check(value: Any, schema: dict[str, Any], root: dict[str, Any], place: str = "$") -> list[str]:
    """Check a value against the parts of JSON Schema that the schema of Dataset-JSON uses."""
    schema = (
        root["$defs"][schema["$ref"].rsplit("/", 1)[1]] | {k: v for k, v in schema.items() if k != "$ref"} if "$ref" in schema else schema
    )
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    faults = []
    if "type" in schema and not isinstance(value, kinds[schema["type"]]):
        return [f"{place} is no {schema['type']}"]
    if isinstance(value, dict):
        faults += [f"{place} lacks {name}" for name in schema.get("required", ()) if name not in value]
        known = schema.get("properties", {})
        if schema.get("additionalProperties") is False:
            faults += [f"{place}.{name} is not known" for name in value if name not in known]
        for name, part in value.items():
            faults += check(part, known.get(name, {}), root, f"{place}.{name}")
    if isinstance(value, list):
        for number, part in enumerate(value):
            faults += check(part, schema.get("items", {}), root, f"{place}[{number}]")
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        faults.append(f"{place} does not fit its pattern")
    if "enum" in schema and value not in schema["enum"]:
        faults.append(f"{place} is none of the known words")
    if "minimum" in schema and value < schema["minimum"]:
        faults.append(f"{place} is below {schema['minimum']}")
    return faults


def test_dataset_json_fits_its_schema(tmp_path: Path, trial: Cohort) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    golden = json.loads((SCHEMA.parent / "sdtm_dm.json").read_text(encoding="utf-8"))
    assert check(golden, schema, schema) == []
    assert check({**golden, "records": -1}, schema, schema) == ["$.records is below 0"]
    assert check({name: part for name, part in golden.items() if name != "name"}, schema, schema) == ["$ lacks name"]
    for path in write_adam(trial, tmp_path, "dataset-json"):
        value = json.loads(path.read_text(encoding="utf-8"))
        assert check(value, schema, schema) == []
        assert value["records"] == len(value["rows"]) > 0
        assert {len(row) for row in value["rows"]} == {len(value["columns"])}


def test_days_and_baselines_are_those_of_adam(tmp_path: Path) -> None:
    write_adam(small(), tmp_path)
    rows = written(tmp_path / "adqs.xpt").select("USUBJID", "PARAMCD", "ADY", "AVAL", "ABLFL", "BASE", "CHG").rows()
    # By hand: days -10, 0, 29 are analysis days -10, 1, 30; the baseline is the last value on or before day 1.
    assert rows == [
        ("A", "ALSFRT48", -10.0, 41.0, "", 40.0, None),
        ("A", "ALSFRT48", 1.0, 40.0, "Y", 40.0, None),
        ("A", "ALSFRT48", 30.0, 38.0, "", 40.0, -2.0),
    ]


def test_a_participant_without_a_value_before_treatment_has_no_baseline(tmp_path: Path) -> None:
    later = {"participant_id": ["A"], "day": [29.0], "total_48": [38], "scale": ["ALSFRS-R"]}
    write_adam(small(assessments=later), tmp_path)
    assert written(tmp_path / "adqs.xpt").select("ABLFL", "BASE", "CHG").rows() == [("", None, None)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        # A died on day 40, day 41 of the trial counted from 1; B was never seen.
        ([("A", 40.0)], {"A": (41.0, 41.0, 0.0, "DEATH, ANY CAUSE"), "B": (None, None, 1.0, "NO CONTACT")}),
        ([], {"A": (51.0, 51.0, 1.0, "LAST CONTACT"), "B": (None, None, 1.0, "NO CONTACT")}),
        # Died on an unknown day: neither censored nor dated.
        ([("A", None)], {"A": (None, None, 0.0, "DEATH, ANY CAUSE, DAY UNKNOWN"), "B": (None, None, 1.0, "NO CONTACT")}),
    ],
)
def test_times_to_event(tmp_path: Path, events: list[tuple[str, float | None]], expected: dict[str, tuple[Any, ...]]) -> None:
    table = {
        "participant_id": [who for who, _ in events],
        "kind": ["death"] * len(events),
        "day": pl.Series([day for _, day in events], dtype=pl.Float64),
        "definition": ["death, any cause"] * len(events),
    }
    cohort = small(events=table) if events else small()
    write_adam(cohort, tmp_path, end_points=["death, any cause"])
    frame = written(tmp_path / "adtte.xpt")
    assert {row[0]: row[1:] for row in frame.select("USUBJID", "AVAL", "ADY", "CNSR", "EVNTDESC").rows()} == expected
    again = read_adam(tmp_path)
    assert again.events.filter(kind="death").select("participant_id", "day").rows() == events


def test_end_points_that_the_source_does_not_support_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="tracheostomy is not recorded"):
        write_adam(small(), tmp_path / "adam", end_points=["death or tracheostomy"])
    assert not (tmp_path / "adam").exists()
    unsaid = Cohort.of(participants=pl.DataFrame({"participant_id": ["A"]}))
    assert [path.name for path in write_adam(unsaid, tmp_path / "b")] == ["adsl.xpt", "adqs.xpt"]
    with pytest.raises(InvalidInput, match="does not say which events"):
        write_adam(unsaid, tmp_path / "c", end_points=["death, any cause"])


def test_days_that_are_not_whole_are_refused_until_they_may_be_rounded(tmp_path: Path) -> None:
    months = {"participant_id": ["A", "A"], "day": [0.4, 30.4375], "total_48": [40, 39], "scale": ["ALSFRS-R"] * 2}
    with pytest.raises(InvalidInput, match="assessments:day: error: 2 days are not whole"):
        write_adam(small(assessments=months), tmp_path)
    write_adam(small(assessments=months), tmp_path, round_days=True)
    assert written(tmp_path / "adqs.xpt")["ADY"].to_list() == [1.0, 31.0]


def test_what_a_transport_file_cannot_hold_is_refused_and_never_cut_short(tmp_path: Path) -> None:
    # 199 letters of which one has two bytes fit; one more does not.
    fits, long = "é" + "a" * 198, "é" + "a" * 199
    people = {"participant_id": ["A", "B"], "site": [fits, long], "exclusion": [long, "trailing "]}
    cohort = Cohort.of(participants=pl.DataFrame(people))
    with pytest.raises(InvalidInput) as caught:
        write_adam(cohort, tmp_path / "adam", created="yesterday")
    places = [fault.place for fault in caught.value.faults]
    assert places == ["created", "ADSL:2:SITEID", "ADSL:1:EXCLREAS", "ADSL:2:EXCLREAS"]
    assert "aaa" not in str(caught.value)
    assert not (tmp_path / "adam").exists()
    write_adam(cohort, tmp_path / "json", "dataset-json")
    again = read_adam(tmp_path / "json").participants
    assert again["site"].to_list() == [fits, long]


def test_names_and_labels_have_limits() -> None:
    frame = pl.DataFrame({"TOOLONGNAME": ["a"], "lower": ["a"], "FINE": ["a"]})
    faults = faults_of(DataSet("T", "T", frame, {"FINE": "x" * 41}), "dataset-json")
    assert [fault.place for fault in faults] == ["T:TOOLONGNAME", "T:lower", "T:FINE"]
    codes = [*END_POINT_CODES.values(), *(code for code, _ in PARAMETERS.values())]
    assert len(set(codes)) == len(codes)
    assert all(len(code) <= 8 for code in codes)
    assert all(len(words) <= 200 for _, words in PARAMETERS.values())


def test_covariates_go_out_and_come_back(tmp_path: Path) -> None:
    covariates = {
        "participant_id": ["A", "B", "A", "B", "A"],
        "name": ["stratum1", "stratum1", "ittfl", "ittfl", "a name that no variable can have"],
        "number": [1.0, 2.5, None, None, 3.0],
        "text": [None, None, "Y", "N", None],
    }
    write_adam(small(covariates=covariates), tmp_path)
    again = read_adam(tmp_path, mapping={"covariates": {"STRATUM1": "stratum1"}})
    told = again.covariates.filter(pl.col("name").is_in(["stratum1", "ittfl"])).sort("name", "participant_id")
    assert told.select("name", "number", "text").rows() == [
        ("ittfl", None, "Y"),
        ("ittfl", None, "N"),
        ("stratum1", 1.0, None),
        ("stratum1", 2.5, None),
    ]


def test_ten_item_rows_and_gastrostomies_keep_their_meaning(tmp_path: Path) -> None:
    rows = {
        "participant_id": ["A", "A", "B", "B"],
        "day": [0.0, 10.0, 0.0, 10.0],
        "item_5": [3, 2, 1, None],
        "gastrostomy": [False, True, None, None],
        "item_10_original": [None, None, 4, None],
        "total_48": [40, 39, None, None],
        "total_40": [None, None, None, 30],
        "scale": ["ALSFRS-R", "ALSFRS-R", "ALSFRS", "ALSFRS"],
    }
    cohort = small(assessments=rows)
    write_adam(cohort, tmp_path)
    names = ["participant_id", "day", "item_5", "gastrostomy", "item_10_original", "total_48", "total_40", "scale"]
    assert read_adam(tmp_path).assessments.select(names).rows() == cohort.assessments.select(names).rows()


def test_older_files_stay_when_writing_is_refused(tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in write_adam(small(), tmp_path)}
    with pytest.raises(InvalidInput):
        write_adam(small(), tmp_path, end_points=["nothing that is known"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_empty_cohort_is_written_and_read(tmp_path: Path) -> None:
    for files in KINDS:
        write_adam(Cohort.of({"records_events": [DEATH]}), tmp_path / files, files)
        assert read_adam(tmp_path / files).participants.height == 0


def test_the_command_writes_what_the_function_writes(tmp_path: Path) -> None:
    small().save(tmp_path / "cohort")
    arguments = ["export", str(tmp_path / "cohort"), "--format", "adam", "--files", "dataset-json", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["files"] == ["adsl.json", "adqs.json", "adtte.json"]
    by_function = write_adam(small(), tmp_path / "same", "dataset-json")
    assert [path.read_bytes() for path in by_function] == [(tmp_path / "out" / path.name).read_bytes() for path in by_function]
    assert CliRunner().invoke(app, arguments).exit_code == 2
    refused = CliRunner().invoke(app, [*arguments, "--force", "--end-point", "death or tracheostomy"])
    assert refused.exit_code == 3
    assert "tracheostomy is not recorded" in refused.stderr
