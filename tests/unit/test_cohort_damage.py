"""Every reader under the damage that files of people really have: harmless ones change nothing, others lose no row without saying so."""

import csv
import io
import json
import random
import runpy
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alsmodel.cohort import Cohort, read
from alsmodel.cohort.cdisc import write_adam
from alsmodel.cohort.propose import propose
from alsmodel.errors import InvalidInput
from alsmodel.patients import VirtualCohort, proact, simulate
from alsmodel.patients.cdisc import SdtmLayout
from alsmodel.patients.cdisc import write_cohort as write_sdtm
from alsmodel.patients.dream import write_dream
from alsmodel.patients.neurobank import write_all_als, write_answer_als
from alsmodel.patients.proact_vintages import write_vintage, write_xlsx

redcap: Any = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("redcap_export.py"))))
Grid = list[list[str]]

MAPPING = """\
source = "Here"
[time]
unit = "date"
origin = "first assessment"
[tables.visits]
kind = "assessments"
file = "visits.FORMAT"
[tables.visits.columns]
id = "participant_id"
seen = "day"
speech = "item_1"
walking = "item_8"
[tables.people]
kind = "participants"
file = "visits.FORMAT"
[tables.people.columns]
id = "participant_id"
sex = "sex"
[tables.weight]
kind = "measurements"
file = "visits.FORMAT"
[tables.weight.columns]
id = "participant_id"
seen = "day"
kg = "value:weight"
"""
VISITS: Grid = [["id", "seen", "speech", "walking", "sex", "kg"]]
VISITS += [[f"P{i}", f"2020-0{1 + j}-1{i}", f"{4 - j}", f"{3 - j}", "fm"[i % 2], f"{60 + i}"] for i in range(6) for j in range(3)]
TABLES: dict[str, Any] = {
    "time_unit": "month",
    "longitudinal": {"file": "long.csv", "participant": "id", "time": "t", "outcomes": ["y"]},
    "survival": {"file": "surv.csv", "participant": "id", "time": "end", "event": "status", "event_values": [1], "covariates": ["age"]},
}
LONG: Grid = [["id", "t", "y"], *([f"{i}", f"{j}", f"{40 - j}"] for i in range(6) for j in range(4))]
SURV: Grid = [["id", "end", "status", "age"], *([f"{i}", f"{12 + i}", f"{i % 2}", f"{50 + i}"] for i in range(6))]


@dataclass(frozen=True)
class Source:
    """A folder that a reader takes, and the tables in it."""

    folder: Path
    format: str
    mapping: Any = None
    delimiter: str = ","
    tables: dict[str, Grid] = field(default_factory=dict)

    def read(self, folder: Path) -> Cohort:
        return read(folder, self.format, self.mapping)


def grid_of(path: Path, delimiter: str) -> Grid | None:
    """Return header and rows of a file as text; None for a file that holds no table of rows."""
    if path.suffix in (".csv", ".txt"):
        if "Dictionary" in path.name:
            return None
        text = path.read_text(encoding="utf-8-sig")
        return list(csv.reader(io.StringIO(text), delimiter=delimiter, quoting=csv.QUOTE_NONE if delimiter == "|" else csv.QUOTE_MINIMAL))
    if path.suffix == ".xlsx":
        frame = pl.read_excel(path, has_header=False, infer_schema_length=0, drop_empty_rows=False)
        return [[cell or "" for cell in row] for row in frame.rows()]
    if path.suffix == ".ndjson":
        head, *rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [[column["name"] for column in head["columns"]], *rows]
    return None


def put(path: Path, grid: Grid, delimiter: str = ",", *, bom: bool = False, newline: str = "\n", quote: bool = False) -> None:
    """Write a table in the kind of file that its name says, in a given style."""
    if path.suffix == ".parquet":
        pl.DataFrame({name: [row[place] for row in grid[1:]] for place, name in enumerate(grid[0])}).write_parquet(path)
    elif path.suffix == ".xlsx":
        write_xlsx(path, grid)
    elif path.suffix == ".ndjson":
        head = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
        known = {column["name"]: column for column in head["columns"]}
        head |= {"columns": [known[name] for name in grid[0]], "records": len(grid) - 1}
        path.write_text("\n".join(json.dumps(line) for line in (head, *grid[1:])) + "\n", encoding="utf-8")
    else:
        out = io.StringIO(newline="")
        how = {"quoting": csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL}
        if delimiter == "|":  # The layout does not quote.
            how = {"quoting": csv.QUOTE_NONE, "quotechar": None}
        csv.writer(out, delimiter=delimiter, lineterminator=newline, **how).writerows(grid)  # type: ignore[arg-type]
        path.write_bytes(out.getvalue().encode("utf-8-sig" if bom else "utf-8"))


def shuffled(grid: Grid, seed: int) -> Grid:
    order = list(range(len(grid[0])))
    random.Random(seed).shuffle(order)
    return [[row[place] for place in order] for row in grid]


def _mapped(folder: Path, suffix: str) -> Source:
    data = folder / "data"
    data.mkdir(parents=True)
    put(data / f"visits.{suffix}", VISITS)
    (folder / "mapping.toml").write_text(MAPPING.replace("FORMAT", suffix))
    return Source(data, "mapped", folder / "mapping.toml", tables={f"visits.{suffix}": VISITS})


def _redcap(folder: Path) -> Source:
    rows, _ = redcap.generate()
    path = redcap.write_csv(rows, folder / "redcap.csv")
    (folder / "mapping.toml").write_text(redcap.answer(propose(path).text, redcap.ANSWERS), encoding="utf-8")
    data = folder / "data"
    data.mkdir()
    shutil.move(path, data / path.name)
    return Source(data, "mapped", folder / "mapping.toml")


def _tables(folder: Path) -> Source:
    for name, grid in (("long.csv", LONG), ("surv.csv", SURV)):
        put(folder / name, grid)
    return Source(folder, "tables", TABLES)


def _adam(folder: Path) -> Source:
    sdtm = read(write_sdtm(simulate(VirtualCohort(), 8, 5), folder / "sdtm", SdtmLayout(files="ndjson")), "sdtm")
    write_adam(sdtm, folder / "adam", files="ndjson")
    return Source(folder / "adam", "adam")


def _proact(vintage: Any) -> Callable[[Path], Source]:
    def make(folder: Path) -> Source:
        made = proact.write(VirtualCohort(), 8, 5, folder / "made")
        return Source(write_vintage(made, vintage, folder / "release"), "proact")

    return make


MAKE: dict[str, Callable[[Path], Source]] = {
    **{f"PRO-ACT {vintage}": _proact(vintage) for vintage in ("2013", "2015-16", "2022-25", "2026")},
    "DREAM": lambda folder: Source(write_dream(simulate(VirtualCohort(), 8, 5), folder), "dream", delimiter="|"),
    "Answer ALS": lambda folder: Source(write_answer_als(simulate(VirtualCohort(), 8, 5), folder), "answer-als"),
    "ALL ALS": lambda folder: Source(write_all_als(simulate(VirtualCohort(), 8, 5), folder), "all-als"),
    "SDTM": lambda folder: Source(write_sdtm(simulate(VirtualCohort(), 8, 5), folder, SdtmLayout(files="ndjson")), "sdtm"),
    "ADaM": _adam,
    "mapped CSV": lambda folder: _mapped(folder, "csv"),
    "mapped Excel": lambda folder: _mapped(folder, "xlsx"),
    "mapped Parquet": lambda folder: _mapped(folder, "parquet"),
    "REDCap": _redcap,
    "tables": _tables,
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Source]:
    made: dict[str, Source] = {}

    def source(name: str) -> Source:
        if name not in made:
            found = MAKE[name](tmp_path_factory.mktemp("source"))
            grids = {path.name: grid_of(path, found.delimiter) for path in sorted(found.folder.iterdir())}
            found.tables.update({file: grid for file, grid in grids.items() if grid})
            made[name] = found
        return made[name]

    return source


def accounted(cohort: Cohort, tables: dict[str, Grid]) -> None:
    """Hold that every row of every table ends as kept, repaired, rejected or set aside, once."""
    parts = cohort.flow.select(pl.sum_horizontal("kept", "repaired", "rejected", "set_aside")).to_series()
    assert parts.to_list() == cohort.flow["read"].to_list()
    counted = {row["file"].split("[")[0]: row["read"] for row in cohort.flow.iter_rows(named=True)}
    assert counted == {name: len(grid) - 1 for name, grid in tables.items() if name in counted}
    assert set(counted) <= set(tables)


@pytest.mark.parametrize("name", MAKE)
def test_the_order_of_columns_and_the_style_of_the_text_change_nothing(name: str, sources: Callable[[str], Source], tmp_path: Path) -> None:
    source = sources(name)
    folder = tmp_path / "same"
    shutil.copytree(source.folder, folder)
    for seed, (file, grid) in enumerate(source.tables.items()):
        put(folder / file, shuffled(grid, seed), source.delimiter, bom=True, newline="\r\n", quote=True)
    expected, found = source.read(source.folder), source.read(folder)
    accounted(expected, source.tables)
    assert found.flow.equals(expected.flow)
    for table in expected.tables:
        if table != "issues":
            assert found.tables[table].equals(expected.tables[table]), table
    by = ["file", "rule", "row", "column", "participant_id", "value"]
    assert found.issues.sort(by).select(by).equals(expected.issues.sort(by).select(by))


CELLS = ["-", ".", "", "9999-12-30", "é", "four", "4.0", "1,200", "7", "-3", 'a "b" c', "=1+1", "31/12/2020", "nan", "1e400"]
damage = st.tuples(st.sampled_from(["cell", "cell", "cell", "copy", "again"]), st.floats(0, 1), st.floats(0, 1), st.sampled_from(CELLS))


def damaged(tables: dict[str, Grid], changes: list[tuple[str, float, float, str]], plain: bool) -> dict[str, Grid]:
    result = {name: [list(row) for row in grid] for name, grid in tables.items()}
    for n, (what, where, across, cell) in enumerate(changes):
        grid = sorted(result.items())[n * 7 % len(result)][1]
        if len(grid) < 2:
            continue
        row, place = 1 + int(where * (len(grid) - 2)), int(across * (len(grid[0]) - 1))
        if plain:
            cell = cell.replace('"', "").replace("|", "")
        if what != "cell":
            grid.append(list(grid[row]))
            row = len(grid) - 1
        if what != "copy":
            grid[row][place] = cell
    return result


#: The plain releases of PRO-ACT differ by the names of their files alone: the latest stands for them.
DAMAGED = [name for name in MAKE if name not in ("PRO-ACT 2015-16", "PRO-ACT 2022-25")]


@pytest.mark.parametrize("name", DAMAGED)
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(changes=st.lists(damage, min_size=12, max_size=40), legacy=st.booleans())
def test_damaged_cells_and_repeated_rows_are_read_or_refused_and_no_row_is_lost(
    name: str, sources: Callable[[str], Source], tmp_path: Path, changes: list[tuple[str, float, float, str]], legacy: bool
) -> None:
    source = sources(name)
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source.folder, folder)
    tables = damaged(source.tables, changes, plain=source.delimiter == "|")
    for file, grid in tables.items():
        put(folder / file, grid, source.delimiter)
        if legacy and file.endswith((".csv", ".txt")):
            (folder / file).write_bytes((folder / file).read_text(encoding="utf-8").encode("cp1252"))
    try:
        cohort = source.read(folder)
    except InvalidInput:
        return
    accounted(cohort, tables)
    assert Cohort.load(cohort.save(tmp_path / "saved")).table_digests == cohort.table_digests
    shutil.rmtree(tmp_path / "saved")
    rejected = cohort.flow["rejected"].sum()
    assert rejected == 0 or cohort.issues.filter(action="rejected").height > 0
