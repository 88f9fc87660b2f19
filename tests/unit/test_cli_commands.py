"""The commands as a user calls them."""

import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alsmodel.cli.main import app

COMMANDS = ["run", "check", "fit", "simulate", "report", "ingest", "validate", "synthesize", "warmup"]

STUDY = """\
title = "A study"
question = "What happens?"

[data]
format = "proact"
folder = "data"

[estimand]
population = "people in the cohort"
variable = "ALSFRS-R total"
summary = "mean slope"
intercurrent_events = [{ event = "death", strategy = "modelled jointly" }]

[model.decline]
covariates = ["age"]

[model.covariates.age]
centre = 60
"""


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def test_help_lists_every_command() -> None:
    told = call("--help")
    assert told.exit_code == 0
    assert all(command in told.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_speaks_json_and_can_be_quiet(command: str) -> None:
    told = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert told.exit_code == 0
    assert "--json" in told.stdout
    assert "--quiet" in told.stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["check"], ["ingest", "x", "--no-such"], ["synthesize", "--participants", "0"]])
def test_a_wrong_call_is_usage(arguments: list[str]) -> None:
    assert call(*arguments).exit_code == 2


def test_check_accepts_a_good_study_and_prints_merged_settings(study: Path) -> None:
    told = call("check", study, "--json")
    assert told.exit_code == 0, told.stderr
    values = json.loads(told.stdout)
    assert values["settings"]["model"]["outcome"] == "alsfrs_r_total"
    assert values["settings"]["seed"] == 1


@pytest.mark.parametrize(
    ("section", "hazard"),
    [
        ("", "constant within 7 intervals"),
        ('[model.survival]\ncovariates = ["age"]\n', "constant within 7 intervals"),
        ('[model.survival]\nkind = "exponential"\ncovariates = ["age"]\n', "constant over time"),
    ],
)
def test_check_says_the_model_in_words(study: Path, section: str, hazard: str) -> None:
    study.write_text(f"{STUDY}\n{section}")
    told = call("check", study)
    assert f"The hazard of death is {hazard}" in told.stdout
    assert any(hazard in sentence for sentence in json.loads(call("check", study, "--json").stdout)["model"])


def test_check_names_every_fault_with_its_line(study: Path) -> None:
    wrong = STUDY.replace("covariates =", "covariate =").replace('folder = "data"', 'folder = "dta"').replace("title", "titel")
    study.write_text(wrong)
    told = call("check", study)
    assert told.exit_code == 3
    assert told.stderr.splitlines() == [
        "study.toml: error: title is needed and absent. Add title = ...",
        "study.toml:1: error: titel is not a known setting. Did you mean title?",
        "study.toml:6: error: data.folder: there is no folder dta. Paths are relative to the study file.",
        "study.toml:15: error: model.decline.covariate is not a known setting. Did you mean covariates?",
    ]


def test_check_names_settings_that_contradict_each_other(study: Path) -> None:
    study.write_text(STUDY + '\n[report]\nby = "gene"\n')
    told = call("check", study)
    assert told.exit_code == 3
    assert "study.toml:21: error: report.by: 'gene' is no covariate of the model." in told.stderr


def test_simulating_a_study_without_a_trial_is_invalid_input(study: Path, tmp_path: Path) -> None:
    told = call("simulate", study, "--out", tmp_path / "run")
    assert told.exit_code == 3
    assert "Add a [trial] section." in told.stderr
    assert not (tmp_path / "run").exists()


def test_an_absent_study_is_invalid_input(tmp_path: Path) -> None:
    told = call("check", tmp_path / "none.toml", "--json")
    assert told.exit_code == 3
    assert json.loads(told.stdout)["faults"][0]["message"] == "no such file."


def test_synthesize_writes_the_same_bytes_again_and_overwrites_only_on_request(tmp_path: Path) -> None:
    out, again = tmp_path / "one", tmp_path / "two"
    told = call("synthesize", "--participants", 8, "--seed", 4, "--out", out, "--json")
    assert told.exit_code == 0, told.stderr
    values = json.loads(told.stdout)
    assert "truth.json" in values["files"]
    assert call("synthesize", "--participants", 8, "--seed", 4, "--out", again, "--quiet").stdout == ""
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {p.name: p.read_bytes() for p in again.iterdir()}
    assert call("synthesize", "--participants", 9, "--out", out).exit_code == 2
    assert call("synthesize", "--participants", 9, "--out", out, "--force").exit_code == 0


def test_synthesize_replaces_no_folder_that_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    told = call("synthesize", "--participants", 8, "--out", tmp_path, "--force")
    assert told.exit_code == 3
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_ingest_accounts_for_every_row(tmp_path: Path) -> None:
    assert call("synthesize", "--participants", 30, "--seed", 2, "--out", tmp_path / "data", "--quiet").exit_code == 0
    told = call("ingest", tmp_path / "data", "--format", "proact", "--out", tmp_path / "cohort", "--json")
    assert told.exit_code == 0, told.stderr
    values = json.loads(told.stdout)
    assert values["participants"] > 0
    for row in values["flow"]:
        assert row["read"] == row["kept"] + row["repaired"] + row["rejected"] + row["set_aside"]
    assert (tmp_path / "cohort" / "participants.parquet").is_file()
    printed = call("validate", tmp_path / "data")
    assert printed.exit_code == 0
    assert "all files" in printed.stdout
    refused = call("ingest", tmp_path / "data", "--out", tmp_path / "cohort")
    assert refused.exit_code == 2


def test_ingest_of_nothing_is_invalid_input_and_writes_nothing(tmp_path: Path) -> None:
    told = call("ingest", tmp_path / "none", "--out", tmp_path / "cohort")
    assert told.exit_code == 3
    assert not (tmp_path / "cohort").exists()


def test_report_of_something_else_is_invalid_input(tmp_path: Path) -> None:
    assert call("report", tmp_path).exit_code == 3


def test_a_stopped_command_exits_130_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    program = "from alsmodel.cli.main import main; main()"
    arguments = ["synthesize", "--participants", "200000", "--out", str(tmp_path / "data")]
    # Whoever runs the tests in the background may have them ignore interrupts, which a child would inherit.
    heeded = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen([sys.executable, "-c", program, *arguments], stderr=subprocess.PIPE, text=True, preexec_fn=heeded) as running:
        deadline = time.monotonic() + 60
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert told.startswith("stopped.")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = call("synthesize", "--participants", 8, "--out", tmp_path / "file" / "data")
    assert told.exit_code == 1
    assert told.stderr.startswith(f"error: {tmp_path / 'file'}")
