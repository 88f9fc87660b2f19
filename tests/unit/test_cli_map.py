"""From any file to a cohort on the command line: map, answer, ingest, validate."""

import json
import re
import tomllib
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from alsmodel.cli.main import app
from alsmodel.cohort import Cohort
from alsmodel.cohort.mapped import load_mapping_file, read_mapped

ROOT = Path(__file__).parents[2]
HEADER = "patient_id;visit_date;speech;salivation;swallowing;handwriting;cutting_with;cutting_without;walking;sex;weight;nickname"
ROWS = [
    f"P{i // 2};{1 + 27 * (i % 2)}/06/2024;4;3;3;2;{'' if i % 4 else 1};{2 if i % 4 else ''};3;{1 + i // 2 % 2};70;Zebra{i}"
    for i in range(12)
]


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "120", "NO_COLOR": "1"})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "visits.csv"
    path.write_text("\n".join([HEADER, *ROWS]) + "\n")
    return path


@pytest.fixture
def mapping(data: Path) -> Path:
    path = data.parent / "mapping.toml"
    assert call("map", data, "--out", path).exit_code == 0
    return path


def answer(mapping: Path) -> None:
    text = mapping.read_text()
    for name, said in (("item_5a", "cutting_without"), ("female", "2"), ("weight_unit", "kg")):
        text = text.replace(f'{name} = "?"\n', f'{name} = "{said}"\n')
    mapping.write_text(text)


def test_without_out_the_mapping_is_printed_and_can_be_piped(data: Path) -> None:
    told = call("map", data)
    assert told.exit_code == 0
    assert told.stderr == ""
    assert tomllib.loads(told.stdout)["delimiter"] == ";"


def test_map_says_what_it_recognised_what_it_asks_and_what_comes_next(data: Path) -> None:
    told = call("map", data, "--out", data.parent / "mapping.toml")
    words = " ".join(told.stdout.split())
    assert "speech item_1 assessments" in words
    assert "cutting_with item_5a or item_5b ? assessments" in words
    assert "item_5a cutting_with | cutting_without" in words
    assert "1 of 12 columns set aside" in words
    assert "answer its 3 questions" in words
    assert f"alsmodel ingest {data} --mapping" in words
    assert "Zebra" not in told.stdout


def test_map_speaks_json(data: Path) -> None:
    told = json.loads(call("map", data, "--json").stdout)
    assert told["questions"]["item_5a"] == ["cutting_with", "cutting_without"]
    assert {"table": "visits.csv", "column": "speech", "target": "item_1", "forms": "assessments"} in told["columns"]
    assert tomllib.loads(told["mapping"])["source"] == "visits"
    assert told["file"] is None


def test_map_overwrites_nothing_unasked(mapping: Path, data: Path) -> None:
    before = mapping.read_text()
    mapping.write_text("mine")
    assert call("map", data, "--out", mapping).exit_code == 2
    assert mapping.read_text() == "mine"
    assert call("map", data, "--out", mapping, "--force", "--quiet").stdout == ""
    assert mapping.read_text() == before


def test_ingest_refuses_open_questions_by_line_and_writes_nothing(mapping: Path, data: Path) -> None:
    out = data.parent / "cohort"
    told = call("ingest", data, "--mapping", mapping, "--out", out)
    assert told.exit_code == 3
    lines = mapping.read_text().splitlines()
    for fault in told.stderr.splitlines():
        place, message = fault.split(": error: questions.")
        name = message.split(" ")[0]
        assert place.split(":")[0] == "mapping.toml"
        assert lines[int(place.split(":")[1]) - 1] == f'{name} = "?"'
        assert "has no answer yet" in message
    assert len(told.stderr.splitlines()) == 3
    assert not out.exists()


def test_map_answer_ingest_validate(mapping: Path, data: Path) -> None:
    answer(mapping)
    out = data.parent / "cohort"
    told = call("ingest", data, "--mapping", mapping, "--out", out)
    assert told.exit_code == 0, told.stderr
    cohort = Cohort.load(out)
    assert cohort.participants["sex"].to_list() == ["male", "female"] * 3
    assert cohort.assessments["gastrostomy"].to_list() == [i % 4 == 0 for i in range(12)]
    assert set(cohort.assessments["day"]) == {0.0, 27.0}
    assert cohort.provenance["format"] == "mapped"
    assert cohort.provenance["mapping"]["name"] == "mapping.toml"
    assert "Zebra" not in told.stdout
    account = call("validate", data, "--mapping", mapping, "--out", data.parent / "account", "--json")
    assert json.loads(account.stdout)["digest"] == cohort.digest
    assert pl.read_csv(data.parent / "account" / "flow.csv")["kept"].to_list() == [12]


def test_a_folder_may_be_given_where_the_mapping_names_its_files(mapping: Path, data: Path) -> None:
    answer(mapping)
    assert call("ingest", data.parent, "--mapping", mapping, "--out", data.parent / "cohort").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ingest", "{data}", "--mapping", "{mapping}", "--format", "cohort", "--out", "x"], 2, "Give one of them"),
        (["ingest", "{data}", "--format", "mapped", "--out", "x"], 3, "needs a mapping file"),
        (["ingest", "{data}", "--mapping", "nothing.toml", "--out", "x"], 3, "no such file"),
        (["map", "nothing.csv"], 3, "no such file or folder"),
        (["map", "{data}", "--participant", "nickname2"], 3, "no column could be recognised as the participant"),
    ],
)
def test_wrong_calls(data: Path, mapping: Path, arguments: list[str], code: int, words: str) -> None:
    told = call(*(argument.format(data=data, mapping=mapping) for argument in arguments))
    assert told.exit_code == code
    assert words in told.stderr


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "expected a header line"),
        ("a.csv", b"id,day\n", "has no rows"),
        ("a.csv", b"id,id\n1,2\n", "two columns have this name"),
        ("a.csv", b"id,x_y,X__Y\n1,2,3\n", "another column has this name in another spelling"),
        ("a.csv", b"\x00\x01\x02", "neither UTF-8 nor cp1252"),
        ("a.xlsx", b"junk", "cannot be read as a spreadsheet"),
        ("a.parquet", b"junk", "cannot be read as Parquet"),
        ("a.docx", b"junk", "is of no known kind"),
    ],
)
def test_files_that_cannot_be_mapped_are_explained(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    told = call("map", tmp_path / name)
    assert told.exit_code == 3
    assert words in told.stderr
    assert told.stdout == ""


# ---- what the documentation shows


def shown(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_mapping_of_the_contracts_page_is_read(tmp_path: Path) -> None:
    import xlsxwriter

    (text,) = shown("data_schemas/README.md", "toml")
    (tmp_path / "mapping.toml").write_text(text, encoding="utf-8")
    assert load_mapping_file(tmp_path / "mapping.toml").source == "Our clinic"
    (tmp_path / "people.csv").write_text("ID,Sex,Height,Smoker\n1,2,180,no\n")
    book = xlsxwriter.Workbook(tmp_path / "clinic.xlsx")
    sheet = book.add_worksheet("Visits")
    sheet.write_row(0, 0, ["ID", "Date of visit", "Speech", "cut_with_peg", "cut_without_peg", "Status", "Comment"])
    sheet.write_row(1, 0, [1, "31/01/2024", 4, None, 3, "final", "x"])
    sheet.write_row(2, 0, [1, "02/02/2024", 4, 2, None, "FINAL", "x"])
    sheet.write_row(3, 0, [1, "02/02/2024", 4, 1, None, "draft", "x"])
    book.close()
    cohort = read_mapped(tmp_path, tmp_path / "mapping.toml")
    assert cohort.participants.select("participant_id", "sex", "height_cm", "source").rows() == [("1", "male", 180.0, "Our clinic")]
    assert cohort.assessments.select("day", "item_5", "gastrostomy").rows() == [(0.0, 3, False), (2.0, 2, True)]
    assert cohort.covariates.select("name", "text").rows() == [("smoker", "no")]


def test_the_answers_printed_in_the_guide_are_the_answers_given(data: Path, mapping: Path) -> None:
    page = (ROOT / "docs" / "data" / "any_file.md").read_text(encoding="utf-8")
    told = call("ingest", data, "--mapping", mapping, "--out", data.parent / "cohort").stderr.splitlines()[0]
    assert re.sub(r":\d+:", ":17:", told) in page
    asked, choice, _ = shown("docs/data/any_file.md", "toml")
    text = mapping.read_text()
    assert {line for line in asked.splitlines() if line} <= set(text.splitlines())
    assert {line.split("{")[1] for line in choice.splitlines()} <= {line.split("{")[1] for line in text.splitlines() if "{" in line}


def test_the_form_added_in_the_guide_is_read(data: Path) -> None:
    *_, form = shown("docs/data/any_file.md", "toml")
    (data.parent / "m.toml").write_text('source = "S"\n' + form)
    data.write_text("id,visit_day,grip_kg_l\n1,0,33.5\n")
    cohort = read_mapped(data, data.parent / "m.toml")
    assert cohort.measurements.rows() == [("1", 0.0, "grip_left", 33.5, "kg")]
