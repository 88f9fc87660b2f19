"""The canonical tables and the cohort that ties them: schemas, saving, digests, the generated contract."""

import json
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from alsmodel.cohort import Cohort, read
from alsmodel.cohort.cohort import ACCOUNT_FILES, ACCOUNT_FOLDER, DATA_TABLES, is_saved_cohort, table_digest
from alsmodel.cohort.contract import contract
from alsmodel.cohort.keys import KEY_FILE, read_key
from alsmodel.cohort.rules import RULES, rules_table
from alsmodel.cohort.schema_files import load_mapping, schema_folder, source_names
from alsmodel.cohort.tables import SCHEMAS, conform, empty
from alsmodel.errors import InvalidInput


@pytest.fixture
def cohort() -> Cohort:
    people = pl.DataFrame({"participant_id": ["1", "ü,2"], "age": [61.5, None], "sex": ["female", None], "family_history": [None, True]})
    measured = pl.DataFrame(
        {"participant_id": ["1", "1"], "day": [0.1 + 0.2, -3.0], "name": ["a", "b"], "value": [1 / 3, -0.0], "unit": ["L", None]}
    )
    died = pl.DataFrame({"participant_id": ["1"], "kind": ["death"], "day": [None], "definition": ["death, any cause"]})
    return Cohort.of(participants=people, measurements=measured, events=died, provenance={"format": "made by hand"})


def test_saving_and_loading_returns_the_same_bits(cohort: Cohort, tmp_path: Path) -> None:
    again = Cohort.load(cohort.save(tmp_path / "cohort"))
    for name, frame in cohort.tables.items():
        assert_frame_equal(frame, again.tables[name], check_exact=True)
        assert table_digest(frame) == table_digest(again.tables[name])
    assert again.digest == cohort.digest
    assert again.provenance == cohort.provenance
    assert read(tmp_path / "cohort", "cohort").digest == cohort.digest


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("measurements", pl.col("value") + 1e-15),
        ("measurements", pl.col("unit").fill_null("")),
        ("participants", pl.col("age").fill_null(0.0)),
        ("events", pl.lit("tracheostomy").alias("kind")),
    ],
)
def test_digest_changes_with_the_data(cohort: Cohort, table: str, change: pl.Expr) -> None:
    changed = Cohort.of(**{**cohort.tables, table: cohort.tables[table].with_columns(change)})
    assert changed.digest != cohort.digest


def test_digest_ignores_how_the_data_were_read(cohort: Cohort) -> None:
    other = Cohort.of(**{name: cohort.tables[name] for name in DATA_TABLES}, provenance={"format": "another"})
    assert other.digest == cohort.digest


def test_manifest_has_no_time_and_no_absolute_path(cohort: Cohort, tmp_path: Path) -> None:
    one, two = cohort.save(tmp_path / "a"), cohort.save(tmp_path / "b")
    text = (one / "manifest.json").read_text()
    assert text == (two / "manifest.json").read_text()
    assert str(tmp_path) not in text
    assert json.loads(text)["tables"]["measurements"]["rows"] == 2


def test_saving_replaces_a_cohort_and_refuses_anything_else(cohort: Cohort, tmp_path: Path) -> None:
    folder = cohort.save(tmp_path / "cohort")
    cohort.save(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cohort"]
    (folder / "precious.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="not a saved cohort"):
        cohort.save(folder)
    assert (folder / "precious.txt").read_text() == "mine"


def test_saving_makes_a_key_once_and_loading_ignores_it(cohort: Cohort, tmp_path: Path) -> None:
    folder = cohort.save(tmp_path / "cohort")
    key, manifest = read_key(folder), (folder / "manifest.json").read_bytes()
    assert key is not None
    cohort.save(folder)
    assert read_key(folder) == key != read_key(cohort.save(tmp_path / "other"))
    assert (folder / "manifest.json").read_bytes() == manifest
    (folder / KEY_FILE).unlink()
    assert Cohort.load(folder).digest == cohort.digest
    (folder / KEY_FILE).write_text("spoilt")
    assert Cohort.load(folder).digest == cohort.digest
    with pytest.raises(InvalidInput, match="is no key"):
        cohort.save(folder)
    assert (folder / KEY_FILE).read_text() == "spoilt"


def test_saving_replaces_the_account_of_an_older_cohort_but_nothing_else(cohort: Cohort, tmp_path: Path) -> None:
    folder = cohort.save(tmp_path / "cohort")
    assert is_saved_cohort(folder)
    assert not is_saved_cohort(tmp_path)
    (folder / ACCOUNT_FOLDER).mkdir()
    for name in ACCOUNT_FILES:
        (folder / ACCOUNT_FOLDER / name).write_text("old")
    cohort.save(folder)
    assert not (folder / ACCOUNT_FOLDER).exists()
    (folder / ACCOUNT_FOLDER).mkdir()
    (folder / ACCOUNT_FOLDER / "my notes.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="not a saved cohort"):
        cohort.save(folder)


def test_every_table_comes_back_with_all_its_columns_filled(tmp_path: Path) -> None:
    filled = {}
    for name, schema in SCHEMAS.items():
        row = {}
        for column, spec in schema.columns().items():
            words = (spec.metadata or {}).get("words")
            kind = spec.dtype
            row[column] = words[0] if words else {pl.String: "ü,\n=1", pl.Boolean: True, pl.Float64: 0.1 + 0.2}.get(kind, 1)
        filled[name] = row | {"participant_id": "ü"} if "participant_id" in row else row
    filled["covariates"]["text"] = None
    filled["events"]["day"] = 1.0  # after the last day free of it
    filled["flow"] = {"file": "a", "read": 4, "kept": 1, "repaired": 1, "rejected": 1, "set_aside": 1}
    filled["participant_flow"] = {"step": "a", "n": 1, "excluded": 0, "reason": None}
    cohort = Cohort.of(**{name: pl.DataFrame([row]) for name, row in filled.items()})
    again = Cohort.load(cohort.save(tmp_path / "cohort"))
    for name, frame in cohort.tables.items():
        assert frame.height == 1
        assert_frame_equal(frame, again.tables[name], check_exact=True)


def test_loading_reports_every_broken_table_at_once(cohort: Cohort, tmp_path: Path) -> None:
    folder = cohort.save(tmp_path / "cohort")
    (folder / "events.parquet").unlink()
    (folder / "signs.parquet").write_bytes(b"no parquet")
    empty("flow").drop("kept").write_parquet(folder / "flow.parquet")
    with pytest.raises(InvalidInput) as caught:
        Cohort.load(folder)
    assert len(caught.value.faults) == 3


def test_loading_notices_changed_data(cohort: Cohort, tmp_path: Path) -> None:
    folder = cohort.save(tmp_path / "cohort")
    cohort.participants.with_columns(age=pl.lit(20.0)).write_parquet(folder / "participants.parquet")
    with pytest.raises(InvalidInput, match="changed since it was saved"):
        Cohort.load(folder)


def test_loading_refuses_a_folder_without_manifest(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no saved cohort"):
        Cohort.load(tmp_path)
    (tmp_path / "manifest.json").write_text("[1]")
    with pytest.raises(InvalidInput, match="not the manifest"):
        Cohort.load(tmp_path)


def test_a_row_of_an_unknown_participant_is_refused(cohort: Cohort) -> None:
    stranger = pl.DataFrame({"participant_id": ["9"], "day": [0.0], "name": ["a"], "value": [1.0]})
    with pytest.raises(ValueError, match="not in participants"):
        Cohort.of(participants=cohort.participants, measurements=stranger)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("participants", {"sex": "M"}),
        ("participants", {"onset_site": "arm"}),
        ("assessments", {"day": 0.0, "scale": "ALSFRS-R", "item_1": 5}),
        ("assessments", {"day": 0.0, "scale": "ALSFRS-R", "total_40": 44}),
        ("measurements", {"day": 0.0, "name": "a", "value": float("nan")}),
        ("covariates", {"name": "a"}),
    ],
)
def test_schemas_refuse_impossible_values(table: str, row: dict[str, object]) -> None:
    with pytest.raises(dy.exc.ValidationError):
        SCHEMAS[table].validate(conform(table, pl.DataFrame([{"participant_id": "1", **row}])))


def test_flow_must_add_up() -> None:
    row = {"file": "a.csv", "read": 3, "kept": 1, "repaired": 1, "rejected": 0, "set_aside": 0}
    with pytest.raises(dy.exc.ValidationError):
        SCHEMAS["flow"].validate(conform("flow", pl.DataFrame([row])))


def test_generated_contract_is_up_to_date() -> None:
    folder = schema_folder() / "canonical"
    assert {entry.name for entry in folder.iterdir()} == set(contract())
    for name, text in contract().items():
        assert (folder / name).read_text(encoding="utf-8") == text, "run: python -m alsmodel.cohort.contract"


def test_rules_are_a_table_with_one_row_each() -> None:
    assert rules_table()["rule"].n_unique() == len(RULES) == rules_table().height


def test_every_source_mapping_loads() -> None:
    assert "proact" in source_names()
    # A mapping stands on its own, or builds on that of another.
    assert all(load_mapping(name).get("source") or load_mapping(name)["base"] in source_names() for name in source_names())
