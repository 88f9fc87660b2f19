"""Reading by a user's mapping: the truth comes back from every kind of file, and every fault names its line."""

import datetime as dt
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import xlsxwriter
from polars.testing import assert_frame_equal

from alsmodel.cohort import Cohort, read
from alsmodel.cohort.mapped import read_mapped
from alsmodel.cohort.propose import propose
from alsmodel.errors import InvalidInput

redcap: Any = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("redcap_export.py"))))

VISITS = """\
id,day,speech,cut_a,cut_b,note
1,0,4,3,,x
1,90,3,,2,x
2,0,4,4,,x
"""
MAPPING = """\
source = "Here"

[questions]
item_5a = "cut_a"

[tables.visits]
kind = "assessments"
file = "visits.csv"
set_aside = ["note"]

[tables.visits.columns]
id = "participant_id"
day = "day"
speech = "item_1"
cut_a = { "?" = "item_5a", cut_a = "item_5a", cut_b = "item_5b" }
cut_b = { "?" = "item_5a", cut_a = "item_5b", cut_b = "item_5a" }
"""

PEOPLE = """
[tables.p]
kind = "participants"
file = "people.csv"
[tables.p.columns]
id = "participant_id"
"""


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "visits.csv").write_text(VISITS)
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING)
    return path


def faults_of(mapping: Path, source: Path | None = None) -> list[str]:
    with pytest.raises(InvalidInput) as raised:
        read_mapped(source or mapping.parent / "data", mapping)
    return [str(fault) for fault in raised.value.faults]


def change(mapping: Path, *pairs: tuple[str, str]) -> Path:
    text = mapping.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    mapping.write_text(text)
    return mapping


# ---- questions


def test_an_answer_decides_which_form_of_item_5_a_column_is(mapping: Path) -> None:
    first = read_mapped(mapping.parent / "data", mapping).assessments
    assert first["gastrostomy"].to_list() == [False, True, False]
    change(mapping, ('item_5a = "cut_a"', 'item_5a = "cut_b"'))
    second = read_mapped(mapping.parent / "data", mapping).assessments
    assert second["gastrostomy"].to_list() == [True, False, True]
    assert first["item_5"].to_list() == second["item_5"].to_list() == [3, 2, 4]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ('item_5a = "?"', 'mapping.toml:4: error: questions.item_5a has no answer yet. Answer "cut_a" or "cut_b";'),
        ('item_5a = "cut"', "mapping.toml:4: error: questions.item_5a is answered by something that it does not offer. Answer"),
        ("", "mapping.toml:15: error: the question item_5a is asked here, and [questions] has no answer to it. Answer"),
    ],
)
def test_a_mapping_with_an_open_question_is_refused(mapping: Path, answer: str, message: str) -> None:
    (fault,) = faults_of(change(mapping, ('item_5a = "cut_a"', answer)))
    assert fault.startswith(message)


def test_a_question_without_choices_is_to_be_taken_out(mapping: Path) -> None:
    (fault,) = faults_of(change(mapping, ('item_5a = "cut_a"', 'item_5a = "cut_a"\nother = "?"')))
    assert fault == "mapping.toml:5: error: questions.other has no answer, and nothing in the mapping depends on it: take the line out."


def test_open_questions_and_other_faults_come_at_once(mapping: Path) -> None:
    faults = faults_of(change(mapping, ('item_5a = "cut_a"', 'item_5a = "?"'), ('kind = "assessments"', 'kind = "assesments"')))
    assert [fault.split(": error")[0] for fault in faults] == ["mapping.toml:4", "mapping.toml:7"]


def test_a_code_may_be_answered_as_a_number(mapping: Path) -> None:
    people = PEOPLE + 'sex = "sex"\n[tables.p.words.sex]\n'
    words = '1 = { "?" = "female", 1 = "female", 2 = "male" }\n2 = { "?" = "female", 1 = "male", 2 = "female" }\n'
    change(mapping, ('item_5a = "cut_a"', 'item_5a = "cut_a"\nfemale = 2'))
    mapping.write_text(mapping.read_text() + people + words)
    (mapping.parent / "data" / "people.csv").write_text("id,sex\n1,1\n2,2\n")
    assert read_mapped(mapping.parent / "data", mapping).participants["sex"].to_list() == ["male", "female"]


# ---- faults of the mapping


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('speech = "item_1"', 'speech = "item_13"', 6, "has no item_13"),
        ('file = "visits.csv"', 'file = "../visits.csv"', 8, "the name of a file in the folder of the data, not a path"),
        ('file = "visits.csv"', 'file = "/etc/passwd"', 8, "the name of a file in the folder of the data, not a path"),
        ('file = "visits.csv"\n', "", 6, "the form names no file"),
        ('speech = "item_1"', 'speech = "covariate:sex"', 14, "is a fact of participants"),
        ('speech = "item_1"', 'speech = "covariate:a b"', 14, "expected a name of letters"),
    ],
)
def test_faults_of_a_mapping_name_the_line(mapping: Path, old: str, new: str, line: int, words: str) -> None:
    (fault,) = faults_of(change(mapping, (old, new)))
    assert fault.startswith(f"mapping.toml:{line}: error: ")
    assert words in fault


@pytest.mark.parametrize(
    ("kind", "needs", "target", "words"),
    [
        ("measurements", ["participant_id", "day"], "value:alsfrs_r_total", "computed from the items"),
        ("measurements", ["participant_id", "day"], "value:9lives", "expected a name of letters"),
        ("signs", ["participant_id", "day"], "sign:arm:left:UMN:hoffmann", "arm is no region"),
        ("signs", ["participant_id", "day"], "sign:bulbar", "expected sign:REGION:SIDE:NEURON:SIGN"),
        ("genes", ["participant_id"], "gene:c9ORF72", "the vocabulary spells it C9orf72"),
        ("genes", ["participant_id"], "variant:SOD1", "needs a column for gene:SOD1"),
    ],
)
def test_open_names_are_checked(tmp_path: Path, kind: str, needs: list[str], target: str, words: str) -> None:
    columns = "".join(f'{name} = "{name}"\n' for name in needs)
    mapping = tmp_path / "m.toml"
    mapping.write_text(f'source = "S"\n[tables.t]\nkind = "{kind}"\nfile = "a.csv"\n[tables.t.columns]\n{columns}x = "{target}"\n')
    (fault,) = faults_of(mapping, tmp_path)
    assert fault.startswith(f"m.toml:{6 + len(needs)}: error: {target}: ")
    assert words in fault


def test_words_that_nothing_can_be_made_of_are_refused(mapping: Path) -> None:
    mapping.write_text(
        mapping.read_text() + '\n[words.sex]\n1 = "femal"\n[words.gender]\n1 = "male"\n[tables.visits.words.yes_no]\n1 = "jes"\n'
    )
    faults = faults_of(mapping)
    assert [fault.split(": error: ")[0] for fault in faults] == ["mapping.toml:23", "mapping.toml:19", "mapping.toml:20"]
    assert "Did you mean female?" in faults[1]


def test_what_the_data_lack_is_said_for_all_forms_at_once(mapping: Path) -> None:
    mapping.write_text(
        mapping.read_text() + '[tables.p]\nkind = "participants"\nfile = "people.csv"\n[tables.p.columns]\nid = "participant_id"\n'
    )
    change(mapping, ('speech = "item_1"', 'speach = "item_1"'))
    assert faults_of(mapping) == [
        "visits.csv:1:speach: error: the file has no such column. Correct the mapping, or give the file that it was written for.",
        "people.csv: error: is missing; the mapping reads the form p from it. Give the file, or take the form out.",
    ]


def test_sources_that_are_not_there(mapping: Path) -> None:
    assert "no such file or folder" in faults_of(mapping, mapping.parent / "nothing")[0]
    mapping.write_text(
        mapping.read_text() + '[tables.p]\nkind = "participants"\nfile = "people.csv"\n[tables.p.columns]\nid = "participant_id"\n'
    )
    assert "reads several files" in faults_of(mapping, mapping.parent / "data" / "visits.csv")[0]


# ---- reading


def test_a_file_under_another_name_is_read_by_the_mapping_of_one_file(mapping: Path) -> None:
    folder = mapping.parent / "data"
    whole = read_mapped(folder, mapping)
    (folder / "visits.csv").rename(folder / "export_2031.csv")
    one = read_mapped(folder / "export_2031.csv", mapping)
    assert one.digest == whole.digest
    assert one.flow["file"].to_list() == ["export_2031.csv"]


def test_the_record_names_the_mapping_and_its_content(mapping: Path) -> None:
    folder = mapping.parent / "data"
    before = read(folder, "mapped", mapping=mapping).provenance["mapping"]
    mapping.write_text("# a comment\n" + mapping.read_text())
    after = read_mapped(folder, mapping).provenance["mapping"]
    assert before["name"] == "mapping.toml"
    assert before["sha256"] != after["sha256"]
    assert before["digest"] == after["digest"]
    change(mapping, ('item_5a = "cut_a"', 'item_5a = "cut_b"'))
    assert read_mapped(folder, mapping).provenance["mapping"]["digest"] != before["digest"]


def test_strict_reading_refuses_errors(mapping: Path) -> None:
    (mapping.parent / "data" / "visits.csv").write_text(VISITS.replace("1,90,3", "1,90,9"))
    assert read_mapped(mapping.parent / "data", mapping).issues["rule"].to_list().count("score_out_of_range") == 1
    with pytest.raises(InvalidInput):
        read_mapped(mapping.parent / "data", mapping, strict=True)


def test_columns_that_no_form_of_a_shared_file_reads_are_listed_once(mapping: Path) -> None:
    mapping.write_text(
        mapping.read_text() + '[tables.s]\nkind = "contacts"\nfile = "visits.csv"\n[tables.s.columns]\nid = "participant_id"\nday = "day"\n'
    )
    (mapping.parent / "data" / "visits.csv").write_text(VISITS.replace("note", "note,odd").replace(",x", ",x,y"))
    issues = read_mapped(mapping.parent / "data", mapping).issues
    assert issues.select("rule", "column").rows() == [("column_unknown", "odd"), ("column_set_aside", "note")]


def test_a_day_alone_in_a_shared_file_says_nothing_where_it_is_empty(mapping: Path) -> None:
    event = '[tables.niv]\nkind = "event"\nfile = "visits.csv"\nevent = "niv"\ndefinition = "start"\n'
    event += '[tables.niv.columns]\nid = "participant_id"\nnote = "day"\n'
    change(mapping, ('set_aside = ["note"]\n', ""))
    mapping.write_text(mapping.read_text() + event)
    (mapping.parent / "data" / "visits.csv").write_text(VISITS.replace(",x\n1,90", ",\n1,90").replace("2,x\n", "2,50\n").replace(",x", ","))
    assert read_mapped(mapping.parent / "data", mapping).events.rows() == [("1", "niv", 50.0, "start", None)]


# ---- REDCap, end to end


@pytest.fixture(scope="module")
def export() -> Any:
    return redcap.generate()


@pytest.fixture(scope="module")
def answered(export: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mapping proposed for the export, its questions answered."""
    folder = tmp_path_factory.mktemp("map")
    rows, _ = export
    text = propose(redcap.write_csv(rows, folder / "redcap.csv")).text
    path = folder / "mapping.toml"
    path.write_text(redcap.answer(text, redcap.ANSWERS), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def cohort(answered: Path) -> Cohort:
    return read_mapped(answered.parent / "redcap.csv", answered)


def test_a_redcap_export_gives_the_truth_about_participants(export: Any, cohort: Cohort) -> None:
    truth = pl.DataFrame(export[1].participants)
    # Years are days over 365.25: only the rounding of the division may differ.
    assert_frame_equal(cohort.participants.select(truth.columns), truth, rel_tol=1e-12)
    assert cohort.participants["onset_precision"].unique().to_list() == ["day"]


def test_a_redcap_export_gives_the_truth_about_assessments(export: Any, cohort: Cohort) -> None:
    truth = pl.DataFrame(export[1].assessments)
    assert cohort.assessments.select(truth.columns).cast(truth.schema).equals(truth)
    assert cohort.assessments["scale"].unique().to_list() == ["ALSFRS-R"]


def test_a_redcap_export_gives_the_truth_about_measurements_events_and_drugs(export: Any, cohort: Cohort) -> None:
    truth = export[1]
    measured = cohort.measurements.filter(pl.col("name").is_in(["weight", "fvc_litres", "fvc_percent"]))
    assert sorted(measured.select("participant_id", "day", "name", "value").rows()) == sorted(truth.measurements)
    assert sorted(cohort.events.select("participant_id", "kind", "day").rows()) == sorted(truth.events)
    assert sorted(cohort.exposures.select("participant_id", "drug", "taken").rows()) == sorted(truth.exposures)


def test_every_row_of_a_redcap_export_is_used_and_no_column_is_lost(export: Any, cohort: Cohort) -> None:
    rows, _ = export
    read_, kept, repaired, rejected, aside = cohort.flow.row(0)[1:]
    assert (read_, kept + repaired, rejected, aside) == (len(rows), len(rows), 0, 0)
    listed = cohort.issues.filter(rule="column_set_aside")["column"].to_list()
    assert {"contact_email", "redcap_event_name", "spirometry_complete"} <= set(listed)
    assert "column_unknown" not in cohort.issues["rule"]


def test_the_other_orientation_of_item_5_is_another_cohort(answered: Path, cohort: Cohort, tmp_path: Path) -> None:
    # A negative control: were the answer ignored, the two would be equal.
    other = tmp_path / "other.toml"
    other.write_text(answered.read_text().replace('item_5a = "alsfrs_r_5a"', 'item_5a = "alsfrs_r_5b"'))
    turned = read_mapped(answered.parent / "redcap.csv", other)
    assert turned.digest != cohort.digest
    assert turned.assessments["gastrostomy"].to_list() == [not tube for tube in cohort.assessments["gastrostomy"]]


def typed(rows: list[dict[str, str]]) -> pl.DataFrame:
    """The export with the types that a statistician's Parquet file would have."""
    frame = redcap.frame_of(rows)
    dates = [name for name in frame.columns if name.endswith("_date") or name == "dob"]
    whole = [name for name in frame.columns if name.startswith("alsfrs_r_")]
    return frame.with_columns(
        pl.col("record_id").cast(pl.Int64),
        pl.col(dates).str.to_date(),
        pl.col(*whole, "weight", "fvc_l", "fvc_pct").cast(pl.Float64),
        pl.col("sex", "died", "onset___1").cast(pl.Int8),
        pl.col("redcap_event_name", "redcap_data_access_group").cast(pl.Categorical),
    )


def write_excel(rows: list[dict[str, str]], path: Path) -> Path:
    """Write numbers as numbers and dates as dates, after a first sheet that is no data."""
    book = xlsxwriter.Workbook(path)
    date = book.add_format({"num_format": "dd/mm/yyyy"})
    book.add_worksheet("Read me").write(0, 0, "exported for the statistician")
    sheet = book.add_worksheet("Data")
    frame = typed(rows)
    for place, name in enumerate(frame.columns):
        sheet.write(0, place, name)
        for line, cell in enumerate(frame[name].to_list(), start=1):
            if isinstance(cell, dt.date):
                sheet.write_datetime(line, place, dt.datetime.combine(cell, dt.time()), date)
            elif cell is not None:
                sheet.write(line, place, cell)
    book.close()
    return path


WRITTEN = {
    "semicolon.csv": {"delimiter": ";"},
    "tab.tsv": {"delimiter": "\t"},
    "tab.csv": {"delimiter": "\t"},
    "marked.csv": {"encoding": "utf-8-sig"},
    "windows.csv": {"encoding": "cp1252", "newline": "\r\n"},
}


@pytest.mark.parametrize("name", [*WRITTEN, "data.parquet", "data.xlsx"])
def test_the_same_content_in_any_file_is_the_same_cohort(export: Any, cohort: Cohort, tmp_path: Path, name: str) -> None:
    rows, _ = export
    path = tmp_path / name
    if name.endswith("parquet"):
        typed(rows).write_parquet(path)
    elif name.endswith("xlsx"):
        write_excel(rows, path)
    else:
        redcap.write_csv(rows, path, **WRITTEN[name])
    text = propose(path).text.replace(f'source = "{path.stem}"', 'source = "redcap"')
    (tmp_path / "mapping.toml").write_text(redcap.answer(text, redcap.ANSWERS), encoding="utf-8")
    again = read_mapped(path, tmp_path / "mapping.toml")
    assert again.digest == cohort.digest
    assert again.flow.row(0)[1:] == cohort.flow.row(0)[1:]


def test_accents_are_read_from_windows_files(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    path.write_bytes("id;Tag;Zentrum\n1;0;Zürich\n2;0;Köln\n".encode("cp1252"))
    text = 'source = "S"\ndelimiter = ";"\n' + PEOPLE.replace("people.csv", "visits.csv") + 'Zentrum = "site"\n'
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    cohort = read_mapped(path, tmp_path / "m.toml")
    assert cohort.participants["site"].to_list() == ["Zürich", "Köln"]
    assert "encoding_cp1252" in cohort.issues["rule"]
