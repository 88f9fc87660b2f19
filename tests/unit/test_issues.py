"""Issues and flow from the ledger to the console: cells are kept where they belong, shown nowhere else, and counts add up."""

import json
import re
import stat
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from alsmodel.cli.data_commands import account_of
from alsmodel.cli.main import app
from alsmodel.cohort import Cohort, read
from alsmodel.cohort.accounts import NOT_SET_APART, UNTOLD, continued, issue_groups, participants_through
from alsmodel.cohort.cohort import ACCOUNT_FILES
from alsmodel.cohort.export import issue_table
from alsmodel.cohort.keys import KEY_FILE, participant_keys, read_key
from alsmodel.cohort.ledger import LINE, POSITION, Ledger
from alsmodel.cohort.rules import RULES, what_to_do
from alsmodel.cohort.tables import SCHEMAS, conform
from alsmodel.errors import InvalidInput
from alsmodel.patients import VirtualCohort, proact
from alsmodel.reports.validation import validation_page

#: Marks that only participants' data carry; none may be seen where data do not belong.
PERSON, CELL, NUMBER = "SECRETPERSON", "=SECRETCELL", "71.8281828"


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PRO-ACT folder whose participants are called by the mark and whose every table has marked cells."""
    folder = proact.write(VirtualCohort(), 24, 5, tmp_path_factory.mktemp("marked"))
    for path in sorted(folder.glob("*.csv")):
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) < 3:
            continue
        width = lines[0].count(",")
        rows = [re.sub(r"^(\d+)", rf"{PERSON}\1", line).split(",") for line in lines[1:]]
        for place in range(1, width + 1):
            for mark in (CELL, NUMBER):
                row = rows[(7 * place + len(mark)) % len(rows)]
                if len(row) == width + 1 and '"' not in "".join(row):
                    row[place] = mark
        rows += [rows[0], rows[1][:-1], [f"{PERSON}666", *[CELL] * width]]
        path.write_text("\n".join([lines[0], *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return folder


def marks_in(text: str) -> list[str]:
    return [mark for mark in (PERSON, CELL, NUMBER) if mark in text]


def test_no_output_shows_a_participant_or_a_cell(marked: Path, tmp_path: Path) -> None:
    out, cohort = tmp_path / "out", tmp_path / "cohort"
    told = [
        call("validate", marked, "--out", out),
        call("validate", marked, "--json"),
        call("validate", marked, "--strict"),
        call("validate", marked, "--strict", "--json"),
        call("ingest", marked, "--out", cohort),
        call("ingest", marked, "--out", tmp_path / "again", "--json"),
        call("ingest", marked, "--out", tmp_path / "no", "--strict"),
        call("validate", cohort, "--format", "cohort"),
    ]
    assert [each.exit_code for each in told] == [0, 0, 3, 3, 0, 0, 3, 0]
    for each in told:
        assert marks_in(each.stdout + each.stderr) == []
    for path in out.iterdir():
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content = pl.read_parquet(path).write_csv().encode()
        assert marks_in(content.decode()) == [], path.name
    # The marks were there to be seen: the table in the cohort folder has all of them.
    kept = pl.read_parquet(cohort / "issues.parquet")
    assert marks_in(kept.write_csv()) == [PERSON, CELL, NUMBER]
    assert kept.filter(pl.col("value") == CELL)["rule"].n_unique() >= 4


def test_plain_tables_show_no_participant_and_no_cell_either(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text(f"id,t,y\n{PERSON}1,0,{CELL}\n{PERSON}1,{CELL},3\n{PERSON}2,1,{NUMBER}\n{PERSON}2,1,7\n{CELL}\n")
    spec = {"time_unit": "month", "longitudinal": {"file": "long.csv", "participant": "id", "time": "t", "outcomes": ["y"]}}
    cohort = read(tmp_path, "tables", spec)
    assert cohort.issues["value"].drop_nulls().to_list().count(CELL) == 2
    page = validation_page(cohort, source="plain", layout="tables", key_words="")
    table = issue_table(cohort.issues, bytes(32)).write_csv()
    assert marks_in(page + table + json.dumps(account_of(cohort))) == []
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, "tables", spec, strict=True)
    assert marks_in(str(caught.value)) == []


def test_values_are_shown_where_they_are_asked_for_and_never_as_a_formula(marked: Path, tmp_path: Path) -> None:
    told = call("validate", marked, "--out", tmp_path / "out", "--with-values")
    assert CELL in told.stdout
    assert CELL in (tmp_path / "out" / "validation.html").read_text()
    table = (tmp_path / "out" / "issues.csv").read_text()
    assert f"'{CELL}" in table
    assert not re.search(rf"(?:^|,|\"){CELL}", table, re.MULTILINE)
    shown = pl.read_parquet(tmp_path / "out" / "issues.parquet")
    assert CELL in shown["value"].to_list()
    assert json.loads(call("validate", marked, "--with-values", "--json").stdout)["cells"]


def test_a_printed_cell_commands_no_terminal(marked: Path, tmp_path: Path) -> None:
    for path in marked.glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        (tmp_path / path.name).write_text(text.replace(CELL, "\x1b[2Jgone"), encoding="utf-8")
    told = call("validate", tmp_path, "--with-values")
    assert "[2Jgone" in told.stdout
    assert "\x1b[2J" not in told.stdout


def test_validate_writes_nothing_without_out(marked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = call("validate", marked)
    assert "give --out" in told.stdout
    assert list(tmp_path.iterdir()) == []


def test_validate_replaces_an_account_on_request_only_and_never_by_a_failure(marked: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("validate", marked, "--out", out).exit_code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert sorted(before) == sorted(ACCOUNT_FILES)
    assert call("validate", marked, "--out", out).exit_code == 2
    (tmp_path / "empty").mkdir()
    assert call("validate", tmp_path / "empty", "--out", out, "--force").exit_code == 3
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert call("validate", marked, "--out", out, "--force").exit_code == 0
    # A key of one run only: the same participants have other names now.
    assert (out / "issues.csv").read_bytes() != before["issues.csv"]
    assert (out / "flow.csv").read_bytes() == before["flow.csv"]
    (tmp_path / "file").write_text("")
    assert call("validate", marked, "--out", tmp_path / "file", "--force").exit_code == 2


def test_strict_validation_writes_the_page_that_explains_the_refusal(marked: Path, tmp_path: Path) -> None:
    told = call("validate", marked, "--out", tmp_path / "out", "--strict", "--json")
    assert told.exit_code == 3
    assert json.loads(told.stdout)["faults"]
    assert (tmp_path / "out" / "validation.html").is_file()


def test_a_cohort_keeps_its_key_and_so_the_names_of_its_participants(marked: Path, tmp_path: Path) -> None:
    cohort = tmp_path / "cohort"
    assert call("ingest", marked, "--out", cohort, "--quiet").exit_code == 0
    key = read_key(cohort)
    assert key is not None
    assert stat.S_IMODE((cohort / KEY_FILE).stat().st_mode) == 0o600
    for path in cohort.iterdir():
        assert path.name == KEY_FILE or key.hex().encode() not in path.read_bytes()
    first = call("validate", marked, "--out", cohort, "--json")
    assert json.loads(first.stdout)["folder"] == str(cohort / "validation")
    assert key.hex() not in first.stdout
    named = pl.read_parquet(cohort / "validation" / "issues.parquet")["participant_key"]
    assert named.to_list() == participant_keys(read(marked, "proact").issues["participant_id"], key).to_list()
    Cohort.load(cohort)
    assert call("ingest", marked, "--out", cohort, "--quiet", "--force").exit_code == 0
    assert read_key(cohort) == key
    assert not (cohort / "validation").exists()
    call("validate", cohort, "--format", "cohort", "--out", tmp_path / "page", "--quiet")
    assert pl.read_parquet(tmp_path / "page" / "issues.parquet")["participant_key"].equals(named)


def test_every_issue_of_a_row_carries_the_cell_of_its_column_as_it_was(marked: Path) -> None:
    cohort = read(marked, "proact")
    assert cohort.flow.filter(pl.col("read") != pl.sum_horizontal("kept", "repaired", "rejected", "set_aside")).height == 0
    looked = 0
    for file, rows in cohort.issues.drop_nulls(["row", "column", "value"]).group_by("file"):
        lines = (marked / str(file[0])).read_text(encoding="utf-8").splitlines()
        head = lines[0].replace('"', "").split(",")
        for issue in rows.iter_rows(named=True):
            line = lines[issue["row"] - 1]
            if '"' in line or issue["column"] not in head:
                continue
            assert line.split(",")[head.index(issue["column"])].strip() == issue["value"], issue["rule"]
            looked += 1
    assert looked > 60


def ledger_of_three() -> tuple[Ledger, pl.DataFrame]:
    ledger = Ledger("a.csv", 3, {"X (1)": pl.Series(["a", None, "c"])})
    frame = pl.DataFrame({POSITION: [0, 1, 2], LINE: [2, 3, 5], "participant_id": ["p", "q", None], "x": [1.0, None, None]})
    return ledger, frame


def test_a_ledger_knows_cells_by_the_column_as_written() -> None:
    ledger, frame = ledger_of_three()
    ledger.flag("not_a_number", frame, pl.col("x").is_null(), column="X (1)")
    ledger.flag("unknown_word", frame[:1], column="other")
    ledger.flag("nothing_recorded", frame[2:])
    ledger.note("file_absent")
    issues = ledger.issues().select("row", "rule", "value").rows()
    assert issues == [
        (None, "file_absent", None),
        (2, "unknown_word", None),
        (3, "not_a_number", None),
        (5, "not_a_number", "c"),
        (5, "nothing_recorded", None),
    ]


def test_a_released_ledger_keeps_the_cells_at_fault_and_nothing_else() -> None:
    ledger, frame = ledger_of_three()
    ledger.flag("not_a_number", frame[:1], column="X (1)")
    ledger.release()
    ledger.flag("not_a_number", frame[2:], column="X (1)")
    assert ledger.issues()["value"].to_list() == ["a", None]


def test_a_ledger_without_text_still_counts() -> None:
    _, frame = ledger_of_three()
    ledger = Ledger("a.csv", 3)
    assert ledger.flag("not_a_number", frame, pl.col("x").is_null(), column="x") == 2
    assert ledger.issues()["value"].to_list() == [None, None]
    assert ledger.flow().row(0) == ("a.csv", 3, 1, 2, 0, 0)


@pytest.mark.parametrize(
    "steps",
    [
        [("read", 10, 0, None), ("scored", 8, 1, "no score")],
        [("read", 10, 2, "gone before the start")],
        [("read", 10, 0, None), ("scored", 8, 2, None)],
    ],
)
def test_a_flow_of_participants_that_does_not_add_up_is_refused(steps: list[tuple[object, ...]]) -> None:
    with pytest.raises(dy.exc.ValidationError):
        SCHEMAS["participant_flow"].validate(
            conform("participant_flow", pl.DataFrame(steps, ["step", "n", "excluded", "reason"], orient="row"))
        )


def made(people: dict[str, str | None], scored: list[str], faults: list[tuple[str | None, str]]) -> dict[str, pl.DataFrame]:
    persons = pl.DataFrame(list(people.items()), ["participant_id", "exclusion"], orient="row", schema_overrides={"exclusion": pl.String})
    schema = {"participant_id": pl.String, "action": pl.String}
    return {
        "participants": conform("participants", persons),
        "assessments": conform("assessments", pl.DataFrame({"participant_id": scored[::2]}, schema={"participant_id": pl.String})),
        "measurements": conform("measurements", pl.DataFrame({"participant_id": scored[1::2]}, schema={"participant_id": pl.String})),
        "issues": conform("issues", pl.DataFrame(faults, schema=schema, orient="row")),
    }


def test_participants_are_counted_from_the_source_to_the_analysis() -> None:
    people = {"1": None, "2": "Kennedy disease", "3": None, "4": "post-polio syndrome", "5": "Kennedy disease", "6": None}
    faults = [
        ("1", "repaired"),
        ("1", "repaired"),
        ("2", "repaired"),
        ("7", "rejected"),
        ("7", "repaired"),
        (None, "rejected"),
        ("3", "kept"),
    ]
    flow = participants_through(made(people, ["1", "2", "3", "3"], faults))
    assert flow.rows() == [
        ("named in the source", 7, 0, None, 3),
        ("with a usable row", 6, 1, "no usable row", 2),
        (NOT_SET_APART, 4, 2, "Kennedy disease", 1),
        (NOT_SET_APART, 3, 1, "post-polio syndrome", 1),
        ("can be analysed", 2, 1, "no assessment and no measurement", 1),
    ]


def test_a_reason_in_the_words_of_the_source_is_told_only_of_several() -> None:
    people = {str(i): "withdrew consent" for i in range(5)} | {"6": "moved to her sister", "7": "Kennedy disease", "8": None}
    flow = participants_through(made(people, ["8"], []))
    assert flow.filter(pl.col("step") == NOT_SET_APART).select("n", "excluded", "reason").rows() == [
        (3, 5, "withdrew consent"),
        (2, 1, "Kennedy disease"),
        (1, 1, UNTOLD),
    ]


def test_the_steps_of_an_analysis_go_on_from_the_source() -> None:
    flow = pl.DataFrame({"step": ["read", "scored"], "n": [10, 8], "excluded": [0, 2], "reason": [None, "no score"]})
    steps = pl.DataFrame({"step": ["dated", "analysed"], "participants": [5, 5], "reason": ["no date", None]})
    whole = continued(flow, steps)
    SCHEMAS["participant_flow"].validate(whole)
    assert whole["n"].to_list() == [10, 8, 5, 5]
    assert whole["reason"].to_list() == [None, "no score", "no date", None]
    assert continued(flow[:0], steps)["excluded"].to_list() == [0, 0]
    with pytest.raises(ValueError, match="9 participants are left"):
        continued(flow, steps.with_columns(participants=9))


def test_where_nobody_leaves_the_flow_is_short() -> None:
    flow = participants_through(made({"1": None}, ["1"], []))
    assert flow.rows() == [("named in the source", 1, 0, None, 0), ("can be analysed", 1, 0, None, 0)]
    assert participants_through(made({}, [], []))["n"].to_list() == [0, 0]


names = st.integers(0, 9).map(str)


@given(
    people=st.dictionaries(names, st.sampled_from([None, "Kennedy disease", "withdrew consent"])),
    scored=st.lists(names),
    faults=st.lists(st.tuples(st.one_of(st.none(), names), st.sampled_from(["kept", "repaired", "rejected"]))),
)
def test_participant_counts_always_add_up(people: dict[str, str | None], scored: list[str], faults: list[tuple[str | None, str]]) -> None:
    flow = participants_through(made(people, scored, faults))
    SCHEMAS["participant_flow"].validate(conform("participant_flow", flow))
    # Counted a second way: one participant at a time.
    named = set(people) | {who for who, _ in faults if who is not None}
    left = {who for who in people if people[who] is None and who in scored}
    assert (flow["n"][0], flow["n"][-1]) == (len(named), len(left))
    assert flow["repaired"][-1] == len({who for who, action in faults if action == "repaired"} & left)
    assert flow["n"][0] - flow["excluded"].sum() == flow["n"][-1]


def test_issues_are_grouped_without_losing_one(marked: Path) -> None:
    issues = read(marked, "proact").issues
    groups = issue_groups(issues)
    assert groups["issues"].sum() == issues.height
    assert groups["severity"].rle().struct.field("value").to_list() == ["error", "warning", "note"]
    assert "cells" not in groups.columns
    for group in groups.filter(pl.col("severity") == "error").iter_rows(named=True):
        same = issues.filter(rule=group["rule"], file=group["file"]).filter(pl.col("column").eq_missing(pl.lit(group["column"])))
        lines = sorted({line for line in same["row"] if line is not None})
        assert (group["issues"], group["rows"]) == (same.height, lines[:5])


def test_every_rule_says_what_to_do() -> None:
    assert all(what_to_do(rule).endswith(".") for rule in RULES.values())
    assert what_to_do(RULES["row_shape"]) != what_to_do(RULES["not_a_number"])


def test_the_cohort_reads_back_with_its_values_bit_for_bit(marked: Path, tmp_path: Path) -> None:
    cohort = read(marked, "proact")
    again = Cohort.load(cohort.save(tmp_path / "cohort"))
    assert again.table_digests == cohort.table_digests
    assert again.issues.equals(cohort.issues)
