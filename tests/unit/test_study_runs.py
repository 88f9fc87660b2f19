"""The run folder keeps finished steps, and only those."""

import json
from pathlib import Path
from typing import Any

import pytest

from alsmodel.errors import InvalidInput
from alsmodel.study.runs import RunFolder


class Counted:
    """A step that counts how often it was made."""

    def __init__(self) -> None:
        self.made = 0

    def step(self, run: RunFolder, inputs: dict[str, Any], *, force: bool = False) -> tuple[str, bool]:
        def make() -> str:
            self.made += 1
            return f"result {self.made}"

        def save(value: str, folder: Path) -> None:
            folder.mkdir()
            (folder / "value").write_text(value)

        def load(folder: Path) -> str:
            return (folder / "value").read_text()

        return run.step("thing", inputs, make=make, save=save, load=load, force=force)


def test_a_step_with_unchanged_inputs_is_read_back(tmp_path: Path) -> None:
    run, counted = RunFolder.open(tmp_path / "run"), Counted()
    assert counted.step(run, {"a": 1, "b": 2}) == ("result 1", False)
    assert counted.step(RunFolder.open(tmp_path / "run"), {"b": 2, "a": 1}) == ("result 1", True)


@pytest.mark.parametrize("change", [{"a": 2}, {"a": 1, "more": None}])
def test_a_step_with_other_inputs_is_made_again(tmp_path: Path, change: dict[str, Any]) -> None:
    run, counted = RunFolder.open(tmp_path / "run"), Counted()
    counted.step(run, {"a": 1})
    assert counted.step(run, change) == ("result 2", False)
    assert (tmp_path / "run" / "thing" / "value").read_text() == "result 2"


def test_force_makes_it_again(tmp_path: Path) -> None:
    run, counted = RunFolder.open(tmp_path / "run"), Counted()
    counted.step(run, {"a": 1})
    assert counted.step(run, {"a": 1}, force=True) == ("result 2", False)


def test_a_damaged_result_is_made_again(tmp_path: Path) -> None:
    run, counted = RunFolder.open(tmp_path / "run"), Counted()
    counted.step(run, {"a": 1})
    (tmp_path / "run" / "thing" / "value").unlink()
    assert counted.step(run, {"a": 1}) == ("result 2", False)


def test_a_step_that_fails_leaves_no_record_and_no_half_result(tmp_path: Path) -> None:
    run, counted = RunFolder.open(tmp_path / "run"), Counted()
    counted.step(run, {"a": 1})

    def save(value: str, folder: Path) -> None:
        folder.mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.step("thing", {"a": 2}, make=lambda: "new", save=save, load=lambda folder: "")
    assert run.records() == {}
    assert (tmp_path / "run" / "thing" / "value").read_text() == "result 1"
    assert counted.step(run, {"a": 2}) == ("result 2", False)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["steps.json", "thing"]


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InvalidInput, match="no run of alsmodel"):
        RunFolder.open(tmp_path)
    with pytest.raises(InvalidInput, match="is a file"):
        RunFolder.open(tmp_path / "thesis.tex")
    with pytest.raises(InvalidInput, match="not the folder of a run"):
        RunFolder.existing(tmp_path)


def test_a_broken_record_means_that_nothing_is_finished(tmp_path: Path) -> None:
    run, counted = RunFolder.open(tmp_path / "run"), Counted()
    counted.step(run, {"a": 1})
    (tmp_path / "run" / "steps.json").write_text(json.dumps(["no", "mapping"]))
    assert counted.step(run, {"a": 1}) == ("result 2", False)
