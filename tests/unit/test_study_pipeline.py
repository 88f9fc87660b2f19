"""A study from file to report, with a stand-in for the sampler: order of steps, reuse, marks, exit codes."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import alsmodel.inference
from alsmodel.cli.main import app
from alsmodel.cohort import Cohort
from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.inference.total_effect import COLUMNS
from alsmodel.settings import dump_toml
from alsmodel.study import report_again, run
from alsmodel.study.synthetic import write_proact
from alsmodel.study.warm import TINY

NAMES = {"slope": -1.0, "slope:onset_site[bulbar]": -0.2, "hazard:age": 0.2, "theta:riluzole": -0.1, "association:value": -0.08}


class StandIn:
    """What the study uses of a fit, made of invented draws and of the real arrays."""

    def __init__(self, spec: Any, cohort: Cohort, passed: bool = True) -> None:
        self.spec, self.data, self.passed, self.time_unit = spec, joint_data(cohort, spec.selection), passed, "month"
        rng = np.random.default_rng(1)
        self.draws = {name: rng.normal(mean, 0.1, (2, 50)) for name, mean in NAMES.items()}
        rows = [
            {"parameter": name, "label": name, "unit": "points per month", "mean": mean, "sd": 0.1, "q2_5": mean - 0.2}
            | {"median": mean, "q97_5": mean + 0.2, "r_hat": 1.0, "ess_bulk": 900.0, "ess_tail": 900.0}
            | {"prior": "N(0, 1)", "prior_sd": 1.0, "informed": True}
            for name, mean in NAMES.items()
        ]
        self.summary = pl.DataFrame(rows)
        check = {"name": "R-hat", "passed": passed, "value": 1.0 if passed else 1.2, "limit": 1.01, "meaning": "chains agree"}
        self.checks = (SimpleNamespace(**check),)
        self.provenance: dict[str, Any] = {}
        self.method, self.route = "nuts", "Posterior by a stand-in."

    def population(self, draws: int, seed: int) -> dict[str, np.ndarray]:
        people = self.data.people
        return {
            "intercept": np.full((draws, people), 36.0),
            "slope": np.full((draws, people), -1.0),
            "log_hazard": np.zeros((draws, people)),
            "random_cholesky": np.broadcast_to(np.diag([6.0, 0.7]), (draws, 2, 2)).copy(),
            "residual_sd": np.full(draws, 1.8),
            "knots": np.array([0.0, 6.0, 30.0]),
            "log_baseline_hazard": np.full((draws, 2), -1.5),
            "association_value": np.full(draws, -0.08),
            "association_slope": np.zeros(draws),
        }

    def save(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "fit.pickle").write_bytes(pickle.dumps(self))

    @staticmethod
    def load(folder: Path) -> Any:
        return pickle.loads((folder / "fit.pickle").read_bytes())


def curve(fit: StandIn, times: Any, by: str | None = None) -> pl.DataFrame:
    groups = sorted({level for level in fit.data.groups.get(by, ("all",)) if level}) if by else ["all"]
    rows = [{"group": group, "time": float(t), "mean": 0.9, "lower": 0.8, "upper": 0.95, "p_alive": 0.9} for group in groups for t in times]
    return pl.DataFrame(rows)


def totals(fit: StandIn, horizon: float) -> pl.DataFrame:
    row = ("riluzole", "association", "survival", None, horizon, 0.8, 0.7, 0.1, 0.02, 0.06, 0.14)
    return pl.DataFrame([row], schema=COLUMNS, orient="row")


def nothing(*arguments: Any, **options: Any) -> None:
    """A check that has nothing to show."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "data"
    write_proact(60, 3, folder)
    return folder


@pytest.fixture(autouse=True)
def fewest_twins(monkeypatch: pytest.MonkeyPatch) -> None:
    """One block of them: no test here asks what a true value is."""
    monkeypatch.setattr("alsmodel.trials.estimands.TWINS", 25_000)


@pytest.fixture
def study(source: Path, tmp_path: Path) -> Path:
    trial = {**TINY["trial"], "analyses": [{"kind": "random_slope"}, {"kind": "log_rank"}]}  # true values of all take half a minute
    values = {**TINY, "trial": trial, "data": {"format": "proact", "folder": str(source)}}
    path = tmp_path / "small.toml"
    path.write_text(dump_toml(values))
    return path


@pytest.fixture
def sampler(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], list[str]]:
    """Put the stand-in in place; the list grows by one entry per fit."""

    def install(passed: bool) -> list[str]:
        fits: list[str] = []

        def fit(spec: Any, cohort: Cohort, *arguments: Any, **options: Any) -> StandIn:
            fits.append(spec.outcome)
            return StandIn(spec, cohort, passed)

        predict = SimpleNamespace(
            can_predict=lambda spec: True,
            survival_curve=curve,
            trajectory=curve,
            score_check=nothing,
            event_check=nothing,
            prior_check=nothing,
        )
        for name, value in (("fit", fit), ("Fit", StandIn), ("predict", predict)):
            monkeypatch.setattr(alsmodel.inference, name, value, raising=False)
        monkeypatch.setattr("alsmodel.inference.total_effect.total_effects", totals)
        return fits

    return install


def test_a_study_ends_in_a_report_and_the_second_run_reuses_every_step(
    study: Path, tmp_path: Path, sampler: Callable[[bool], list[str]]
) -> None:
    fits = sampler(True)
    first = run(study, tmp_path / "run")
    assert first.reused == ()
    assert first.failed == ()
    assert first.report is not None
    page = first.report.read_text(encoding="utf-8")
    assert "Warm-up" in page
    second = run(study, tmp_path / "run")
    assert second.reused == ("cohort", "fit", "baselines", "trial")
    assert len(fits) == 1
    assert second.report is not None
    assert second.report.read_text(encoding="utf-8") == page
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "cohort", "fit", "baselines", "replicates", "trial", "report.html", "settings.toml", "provenance.json", "steps.json",
    }  # fmt: skip


def test_only_what_depends_on_a_change_is_run_again(
    study: Path, tmp_path: Path, sampler: Callable[[bool], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler(True)
    monkeypatch.setattr("alsmodel.study.reporting.content", lambda *arguments, **options: SimpleNamespace(total_effects=None))
    monkeypatch.setattr("alsmodel.reports.study_report", lambda content: "")
    run(study, tmp_path / "run")
    study.write_text(study.read_text().replace("replicates = 4", "replicates = 5"))
    assert run(study, tmp_path / "run").reused == ("cohort", "fit", "baselines")
    study.write_text("seed = 9\n" + study.read_text())
    assert run(study, tmp_path / "run").reused == ("cohort", "baselines")


def test_the_method_of_the_study_file_reaches_the_fit_and_the_way_taken_is_told(
    study: Path, tmp_path: Path, sampler: Callable[[bool], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler(True)
    asked: list[str] = []

    def fit(spec: Any, cohort: Cohort, *arguments: Any, method: str, **options: Any) -> StandIn:
        asked.append(method)
        made = StandIn(spec, cohort)
        made.route = f"Posterior by {method}, for a reason."
        return made

    monkeypatch.setattr(alsmodel.inference, "fit", fit)
    told = CliRunner().invoke(app, ["fit", str(study), "--out", str(tmp_path / "run")], env={"COLUMNS": "200"})
    assert asked == ["auto"]
    assert "Posterior by auto, for a reason." in told.stdout + told.stderr
    study.write_text(study.read_text() + '\n[fit]\nmethod = "psis"\n')
    outcome = run(study, tmp_path / "run")
    assert asked == ["auto", "psis"]
    assert outcome.reused == ("cohort",)
    assert outcome.report is not None
    assert "Posterior by psis, for a reason." in outcome.report.read_text(encoding="utf-8")
    assert run(study, tmp_path / "run", until="trial").reused == ("cohort", "fit", "trial")
    study.write_text(study.read_text().replace('method = "psis"', 'method = "laplace"'))
    with pytest.raises(InvalidInput, match="nuts"):
        run(study, tmp_path / "run")


def test_a_failed_check_marks_the_report_and_ends_in_exit_4(study: Path, tmp_path: Path, sampler: Callable[[bool], list[str]]) -> None:
    sampler(False)
    told = CliRunner().invoke(app, ["run", str(study), "--out", str(tmp_path / "run"), "--workers", "1", "--json"])
    assert told.exit_code == 4, told.stderr
    values = json.loads(told.stdout)
    assert values["checks_passed"] is False
    assert "R-hat is 1.2" in values["failed_checks"][0]
    assert [row["label"] for row in values["total_effects"]] == ["association"]
    assert "provisional" in Path(values["report"]).read_text(encoding="utf-8").lower()


def test_the_merged_settings_run_as_a_study_and_give_the_same_steps(
    study: Path, tmp_path: Path, sampler: Callable[[bool], list[str]]
) -> None:
    sampler(True)
    run(study, tmp_path / "run", until="trial")
    assert run(tmp_path / "run" / "settings.toml", tmp_path / "run", until="trial").reused == ("cohort", "fit", "trial")


def test_the_report_is_written_again_without_the_source(study: Path, tmp_path: Path, sampler: Callable[[bool], list[str]]) -> None:
    fits = sampler(True)
    first = run(study, tmp_path / "run")
    study.unlink()
    assert first.report is not None
    page = first.report.read_bytes()
    first.report.unlink()
    again = report_again(tmp_path / "run")
    assert again.report is not None
    assert again.report.read_bytes() == page
    assert len(fits) == 1


def test_simulate_with_named_numbers_needs_no_fit(study: Path, tmp_path: Path, sampler: Callable[[bool], list[str]]) -> None:
    fits = sampler(True)
    study.write_text(study.read_text() + '\n[trial.truth]\nkind = "named"\n')
    told = CliRunner().invoke(app, ["simulate", str(study), "--out", str(tmp_path / "run"), "--workers", "1"])
    assert told.exit_code == 0, told.stderr
    assert "log-rank" in told.stdout
    assert fits == []
    assert not (tmp_path / "run" / "fit").exists()


def test_what_the_cohort_lacks_is_reported_at_the_line_of_the_setting(
    study: Path, tmp_path: Path, sampler: Callable[[bool], list[str]]
) -> None:
    sampler(True)
    study.write_text(study.read_text().replace("[model.decline]\n", '[model]\noutcome = "serBilir"\n\n[model.decline]\n', 1))
    with pytest.raises(InvalidInput, match=r"small\.toml:\d+: error: model\.outcome: .*serBilir"):
        run(study, tmp_path / "run")


def test_fit_stops_before_the_report(study: Path, tmp_path: Path, sampler: Callable[[bool], list[str]]) -> None:
    sampler(True)
    told = CliRunner().invoke(app, ["fit", str(study), "--out", str(tmp_path / "run")], env={"COLUMNS": "200"})
    assert told.exit_code == 0, told.stderr
    assert "theta:riluzole" in told.stdout
    assert not (tmp_path / "run" / "report.html").exists()
