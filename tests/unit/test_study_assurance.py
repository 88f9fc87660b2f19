"""Assurance from a real fit: the command, what it takes from the posterior, and its place in the report."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from alsmodel.cli.main import app
from alsmodel.inference import Fit
from alsmodel.inference.population import chosen_draws
from alsmodel.study import report_again, run
from alsmodel.trials import Assurance, EffectDraws

STUDY = """\
title = "A drug against placebo"
question = "How likely is a larger trial to succeed?"

[data]
format = "tables"
time_unit = "month"
[data.longitudinal]
file = "visits.csv"
participant = "id"
time = "month"
outcomes = ["alsfrs_r_total"]
[data.survival]
file = "people.csv"
participant = "id"
time = "months"
event = "died"
event_values = ["true"]
event_name = "death"
definition = "death, any cause"
participants = { arm = "arm" }

[estimand]
population = "everyone randomised"
treatment = "drug against placebo, as assigned"
variable = "ALSFRS-R total and time to death"
summary = "ratio of slopes"
intercurrent_events = [{ event = "death", strategy = "modelled jointly with the score" }]

[model]
association = ["value"]

[model.survival]
kind = "exponential"

[[model.treatments]]
name = "drug"
source = "arm"
level = "drug"

[trial]
n_per_arm = [40]
replicates = 60
analyses = [{ kind = "random_slope" }, { kind = "log_rank" }]

[trial.truth]
kind = "posterior"
draws = 60

[trial.assurance]
kind = "posterior"
treatment = "drug"
draws = 60
strata = 3
"""


def write_trial(folder: Path) -> None:
    """Two arms of invented people; the drug takes 40% of the slope."""
    rng = np.random.default_rng(11)
    n, planned = 120, np.array([0.0, 2, 4, 6, 9, 12])
    arm = np.arange(n) % 2
    slope = -(1 - 0.4 * arm) + rng.normal(0, 0.4, n)
    score = rng.normal(34, 4, n)[:, None] + slope[:, None] * planned + rng.normal(0, 1.5, (n, 6))
    death = rng.exponential(40, n)
    end = np.minimum(death, 12.5)
    person, visit = np.nonzero(planned < end[:, None])
    rows = {"id": person, "month": planned[visit], "alsfrs_r_total": np.clip(score[person, visit], 0, 48).round()}
    pl.DataFrame(rows).write_csv(folder / "visits.csv")
    people = {"id": np.arange(n), "months": end, "died": death < 12.5, "arm": np.where(arm == 1, "drug", "placebo")}
    pl.DataFrame(people).write_csv(folder / "people.csv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("assured")
    write_trial(base)
    (base / "study.toml").write_text(STUDY)
    return base


def command(folder: Path) -> dict[str, object]:
    told = CliRunner().invoke(app, ["assurance", str(folder / "study.toml"), "--out", str(folder / "run"), "--workers", "1", "--json"])
    assert told.exit_code == 0, told.output
    values: dict[str, object] = json.loads(told.stdout)
    return values


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, object]:
    return command(folder)


def test_the_effect_and_the_population_are_those_of_the_same_posterior_draws(folder: Path, told: dict[str, object]) -> None:
    fit = Fit.load(folder / "run" / "fit")
    assert fit.passed
    effect = EffectDraws.of(fit, "drug", draws=60, seed=1, strata=3)
    chosen = chosen_draws(fit, 60, 1)
    np.testing.assert_allclose(effect.slowing, 1 - np.exp(fit.flat("theta:drug")[chosen]))
    np.testing.assert_allclose(effect.log_hazard_ratio, fit.flat("hazard:drug")[chosen])
    assert effect.truth is not None
    np.testing.assert_allclose(effect.truth.slope[:, 0], fit.flat("slope")[chosen])
    np.testing.assert_allclose(effect.truth.association_value, fit.flat("association:value")[chosen])
    # The strata that were simulated stand at the mean effect of their draws.
    found = Assurance.load(folder / "run" / "assurance").strata.filter(pl.col("analysis") == pl.col("analysis").first())
    means = [effect.slowing[group].mean() for group in effect.groups()]
    assert found["slowing"].to_list() == pytest.approx(means)
    assert found["slowing"].is_sorted()


def test_the_tables_agree_with_each_other_and_with_the_command(folder: Path, told: dict[str, object]) -> None:
    found = Assurance.load(folder / "run" / "assurance")
    assert found.table.to_dicts() == told["table"]
    assert set(found.table["analysis"]) == set(found.causes["analysis"])
    for row in found.table.iter_rows(named=True):
        mine = (pl.col("analysis") == row["analysis"]) & (pl.col("n_per_arm") == row["n_per_arm"])
        assert row["assurance"] == pytest.approx(found.strata.filter(mine)["power"].mean())
        assert found.causes.filter(mine)["share"].sum() == pytest.approx(1.0)
    slope = found.strata.filter(pl.col("analysis").str.contains("slope"))
    # A drug that takes about 40% of the slope is found by most trials of 80; the log-rank test of so few deaths finds little.
    assert slope["power"].mean() > found.strata.filter(pl.col("analysis").str.contains("rank"))["power"].mean() + 0.1  # type: ignore[operator]


def test_the_report_shows_assurance_and_keeps_it_while_the_settings_last(folder: Path, told: dict[str, object]) -> None:
    page = Path(str(told["report"])).read_text(encoding="utf-8")
    for words in (
        "The effect is that of drug in the fit above: 60 posterior draws",
        "Averaged over what is believed of the effect, a trial with 40 participants per arm succeeds with probability",
        "Power along what is believed of the effect.",
        "How trials end.",
        "Success at the end",
        "A drug against placebo",
    ):
        assert words in page, words
    assert report_again(folder / "run").assurance is not None
    study = folder / "study.toml"
    study.write_text(STUDY.replace("strata = 3", "strata = 4"))
    try:
        changed = run(study, folder / "run", until="fit")
        assert changed.reused == ("cohort", "fit")
        again = report_again(folder / "run")
        assert again.assurance is None
        assert again.report is not None
        assert "Assurance was asked for and is not in this run folder" in again.report.read_text(encoding="utf-8")
    finally:
        study.write_text(STUDY)


def test_an_effect_that_the_fit_has_not_is_refused_at_its_line(folder: Path, told: dict[str, object]) -> None:
    wrong = folder / "wrong.toml"
    wrong.write_text(STUDY.replace('treatment = "drug"\ndraws', 'treatment = "drag"\ndraws'))
    refused = CliRunner().invoke(app, ["assurance", str(wrong), "--out", str(folder / "run"), "--workers", "1"])
    assert refused.exit_code == 3
    assert "wrong.toml:49: error: trial.assurance" in refused.stderr
    assert "the model has no treatment 'drag'. Known: drug." in refused.stderr
