"""A study file means one study, wherever it lies."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsmodel.errors import Fault, InvalidInput
from alsmodel.settings import decode, encode, load_toml
from alsmodel.study.data import content_digest, named_files, rebased
from alsmodel.study.loading import load
from alsmodel.study.spec import Estimand, IntercurrentEvent, Study

ROOT = Path(__file__).parents[2]

TABLES = """\
title = "Bilirubin"
question = "Does it predict survival?"
seed = 4

[data]
format = "tables"
time_unit = "year"

[data.longitudinal]
file = "long.csv"
participant = "id"
time = "year"
outcomes = ["serBilir"]

[data.survival]
file = "surv.csv"
participant = "id"
time = "years"
event = "status"
event_values = ["dead", 1]
event_name = "death"

[estimand]
population = "people in the trial"
variable = "log bilirubin"
summary = "association"
intercurrent_events = [{ event = "death", strategy = "modelled jointly" }]

[model]
outcome = "serBilir"
transform = "log"
time_unit = "year"
events = ["death"]
"""


def write(folder: Path, text: str = TABLES, *, files: tuple[str, ...] = ("long.csv", "surv.csv")) -> Path:
    folder.mkdir(exist_ok=True)
    for name in files:
        (folder / name).write_text("id\n1\n")
    path = folder / "study.toml"
    path.write_text(text)
    return path


def test_every_missing_file_is_named_beside_every_other_fault(tmp_path: Path) -> None:
    path = write(tmp_path, TABLES.replace("seed", "sed"), files=())
    with pytest.raises(InvalidInput) as caught:
        load(path)
    assert [fault.place for fault in caught.value.faults] == ["study.toml:3", "study.toml:10", "study.toml:16"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    path = write(tmp_path, files=("surv.csv",))
    (tmp_path / "long.csv").mkdir()
    with pytest.raises(InvalidInput, match=r"study\.toml:10: error: data\.longitudinal\.file: long\.csv is not a file\."):
        load(path)


def test_settings_read_back_as_the_same_study(tmp_path: Path) -> None:
    study = load(write(tmp_path)).study
    assert decode(Study, encode(study)) == study


def test_the_study_is_named_after_its_file_or_folder(tmp_path: Path) -> None:
    path = write(tmp_path / "my study")
    assert load(path).name == "my-study"
    other = path.with_name("pbc.toml")
    path.rename(other)
    assert load(other).name == "pbc"


def test_a_rebased_source_names_the_same_files(tmp_path: Path) -> None:
    source = load(write(tmp_path / "here")).study.data
    moved = rebased(source, tmp_path / "here", tmp_path / "runs" / "one")
    files = [(tmp_path / "runs" / "one" / path).resolve() for path in named_files(moved).values()]
    assert files == [(tmp_path / "here" / name).resolve() for name in ("long.csv", "surv.csv")]


def test_the_data_digest_follows_content_and_not_place(tmp_path: Path) -> None:
    one, two = load(write(tmp_path / "one")), load(write(tmp_path / "two"))
    before = content_digest(one.study.data, one.base)
    assert before == content_digest(two.study.data, two.base)
    (tmp_path / "two" / "long.csv").write_text("id\n2\n")
    assert before != content_digest(two.study.data, two.base)


def test_a_fault_of_a_later_step_gets_the_line_of_its_setting(tmp_path: Path) -> None:
    loaded = load(write(tmp_path))
    placed = loaded.placed(Fault("model.outcome", "No measurement is called 'serBilir'.", "Look."))
    assert str(placed) == "study.toml:30: error: model.outcome: No measurement is called 'serBilir'. Look."
    elsewhere = Fault("F_PROACT_ALSFRS.csv:3:2", "is text.")
    assert loaded.placed(elsewhere) == elsewhere


def test_an_estimand_without_death_is_refused() -> None:
    leaving = IntercurrentEvent(event="leaving", strategy="hypothetical")
    with pytest.raises(ValueError, match="how death is treated"):
        Estimand(population="p", variable="v", summary="s", intercurrent_events=(leaving,))


def test_the_trial_section_is_checked_with_the_rest(tmp_path: Path) -> None:
    text = TABLES + '\n[trial]\nn_per_arm = [50, 50]\n[trial.truth]\nkind = "postrior"\n'
    with pytest.raises(InvalidInput) as caught:
        load(write(tmp_path, text))
    assert "Did you mean 'posterior'?" in str(caught.value)


def test_sections_that_do_not_fit_are_named_beside_a_fault_of_another(tmp_path: Path) -> None:
    text = TABLES + '\n[trial]\nn_per_arm = [2]\n[report]\nby = "no covariate"\n'
    with pytest.raises(InvalidInput) as caught:
        load(write(tmp_path, text))
    assert "at least 4" in str(caught.value)
    assert "report.by: 'no covariate' is no covariate of the model" in str(caught.value)


@pytest.mark.parametrize("path", sorted(ROOT.glob("studies/*/study.toml")), ids=lambda path: path.parent.name)
def test_every_study_of_the_repository_is_valid(path: Path) -> None:
    study = load(path, need_data=False).study
    assert study.question
    assert (path.parent / "README.md").is_file()
    assert (path.parent / "expected.json").is_file()


WORDS = st.sampled_from(
    ["1", "-1", "1e400", "nan", "inf", "true", '""', '"x"', "[]", "[1]", "{}", "[[", "]", "=", '"', "#", "2026-01-01", "\n[a]\n"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), WORDS), min_size=1, max_size=4))
def test_a_mutated_study_is_understood_or_refused_as_invalid_input(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[float, int, str]]
) -> None:
    text = (ROOT / "studies" / "demo" / "study.toml").read_text(encoding="utf-8")
    for where, length, word in edits:
        start = int(where * len(text))
        text = text[:start] + word + text[start + length :]
    path = tmp_path_factory.getbasetemp() / "mutated.toml"
    path.write_text(text, encoding="utf-8")
    try:
        study = load(path, need_data=False).study
    except InvalidInput as error:
        told = [str(fault) for fault in error.faults]
    else:
        told = ["mutated.toml: understood"] if decode(Study, encode(study)) == study else []
    assert told
    assert all("mutated.toml" in line for line in told)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_study_with_a_value_replaced_is_understood_or_refused_as_invalid_input(data: st.DataObject) -> None:
    values = load_toml(ROOT / "studies" / "demo" / "study.toml").values
    here: Any = values
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(here[key], dict | list) or not here[key] or data.draw(st.integers(0, 3)) == 0:
            break
        here = here[key]
    here[key] = data.draw(
        st.one_of(
            st.integers(-3, 3),
            st.integers(),
            st.floats(),
            st.text(max_size=5),
            st.booleans(),
            st.just([]),
            st.just({}),
            st.just([1.5]),
        )
    )
    try:
        study = decode(Study, values)
    except InvalidInput as error:
        assert error.faults  # noqa: PT017
    else:
        assert decode(Study, encode(study)) == study
