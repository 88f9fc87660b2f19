"""A trial by numbers from the command line: shards, merging, resuming, one trial told, and what is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from alsmodel.cli.main import app
from alsmodel.settings import decode
from alsmodel.settings.toml import parse_toml
from alsmodel.trials import (
    ANCOVA,
    Effect,
    FixedBounds,
    LogRank,
    Look,
    NamedTruth,
    ParallelDesign,
    Recruitment,
    Trial,
    TrialSettings,
    build,
    estimands,
    example,
    search,
    search_setting,
)

STUDY = """
title = "A trial by numbers"
question = "Does it run?"
seed = 4
[data]
format = "proact"
folder = "data"
[estimand]
population = "people with ALS"
variable = "time to death"
summary = "log hazard ratio"
intercurrent_events = [{ event = "death", strategy = "part of the variable" }]
[trial]
n_per_arm = [12]
replicates = 300
analyses = [{ kind = "log_rank" }]
effects = [{ name = "half", hazard_ratio = 0.5 }]
[trial.truth]
kind = "named"
hazard = [0.05]
[trial.population]
eligibility = ["delta_frs >= 0.3"]
[trial.design]
visits = [0, 3, 6]
duration = 6.0
looks = [{ when = "events", at = 4 }]
boundary = { kind = "fixed", efficacy = [2.8, 1.98] }
recruitment = { per_month = [6.0] }
[trial.axes]
"design.dropout_per_month" = [0.0, 0.05]
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # A true value from few twins: what is tested here is the way through the commands.
    monkeypatch.setattr(estimands, "TWINS", 1000)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PROACT_ALSFRS.csv").write_text("subject_id\n")
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def call(*arguments: object) -> str:
    told = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert told.exit_code == 0, told.output + told.stderr
    return told.stdout


def table_of(run: Path) -> pl.DataFrame:
    return pl.read_parquet(run / "trial" / "operating_characteristics.parquet")


def test_shards_merged_give_what_one_run_gives(study: Path, tmp_path: Path) -> None:
    call("simulate", study, "--out", tmp_path / "whole", "--workers", 1)
    for k in (1, 2):
        shown = json.loads(call("simulate", study, "--out", tmp_path / f"s{k}", "--workers", 1, "--shard", f"{k}/2", "--json"))
        assert (shown["shard"], shown["of"]) == (k, 2)
    merged = json.loads(call("merge", tmp_path / "all", tmp_path / "s1", tmp_path / "s2", "--json"))
    assert merged["parts"] == 4
    call("simulate", study, "--out", tmp_path / "all", "--workers", 1)
    assert table_of(tmp_path / "all").equals(table_of(tmp_path / "whole"))
    assert table_of(tmp_path / "all")["design.dropout_per_month"].to_list() == [0.0, 0.05]
    more = json.loads(call("simulate", study, "--out", tmp_path / "all", "--workers", 1, "--replicates", 310, "--json"))
    assert [row["replicates"] for row in more["power"]] == [310, 310]


def test_one_trial_is_told_look_by_look(study: Path) -> None:
    shown = json.loads(call("example", study, "--replicate", 3, "--json"))
    assert shown["looks"][0]["look"] == 1
    assert "randomised" in call("example", study)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--shard", "3/2"), 2, "--shard is number/of"),
        (("--executor", "cluster"), 2, "local or dask"),
        (("--executor", "dask"), 3, "address of a scheduler"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(study: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    told = CliRunner().invoke(app, ["simulate", str(study), "--out", str(tmp_path / "run"), *arguments])
    assert told.exit_code == code
    assert said in told.stderr


def test_faults_of_a_trial_name_the_nearest_word(study: Path) -> None:
    study.write_text(STUDY.replace("delta_frs >= 0.3", "delta_fs >= 0.3"))
    told = CliRunner().invoke(app, ["check", str(study)])
    assert told.exit_code == 3
    assert "Did you mean delta_frs?" in told.stderr
    study.write_text(STUDY.replace("delta_frs >= 0.3", "delta_frs > 40"))
    told = CliRunner().invoke(app, ["simulate", str(study), "--out", str(study.parent / "run")])
    assert told.exit_code == 3
    assert "eligibility admits 0.00% of candidates" in told.stderr


def test_a_told_trial_is_the_one_that_was_counted() -> None:
    from alsmodel.trials.block import Task, run_task

    design = ParallelDesign(
        visits=(0.0, 3.0, 6.0),
        duration=6.0,
        recruitment=Recruitment(per_month=(6.0,)),
        looks=(Look(when="enrolled", at=0.8),),
        boundary=FixedBounds(efficacy=(1.0, 1.0), futility=(-0.5,)),
    )
    truth, effect = NamedTruth(hazard=(0.1,)), Effect(name="hr", hazard_ratio=0.5)
    trial = Trial(truth=truth, design=design, analyses=(LogRank(),), effects=(effect,), n_per_arm=(20,))
    (got,) = run_task(Task(trial.scenarios, 0, 12))
    decisions = set()
    for r in range(12):
        told = example(trial, replicate=r)
        assert told[-1].month == pytest.approx(got["duration"][r])
        assert sum(told[-1].events) == got["events"][r]
        assert told[-1].p_value == pytest.approx(got["p_value"][r])
        assert ("efficacy" in told[-1].decision) == (got["stop"][r] == "efficacy")
        decisions.add(told[-1].decision)
    assert len(decisions) >= 2


def test_a_look_without_a_result_says_why() -> None:
    design = ParallelDesign(
        visits=(0.0, 3.0, 6.0),
        duration=6.0,
        recruitment=Recruitment(per_month=(10.0,)),
        looks=(Look(when="month", at=2.0),),
        boundary=FixedBounds(efficacy=(2.8, 1.98)),
    )
    first = example(Trial(truth=NamedTruth(), design=design, analyses=(ANCOVA(),), n_per_arm=(20,)))[0]
    assert first.decision == "goes on"
    # Nobody has a second visit by month 2.
    assert "ANCOVA: no result (" in str(first)
    assert "nan" not in str(first)


def test_a_search_leaves_out_sizes_that_cannot_reach_a_look() -> None:
    trial = Trial(
        truth=NamedTruth(hazard=(0.2,), association_value=0.0),
        design=ParallelDesign(
            visits=(0.0, 12.0), duration=12.0, looks=(Look(when="events", at=30),), boundary=FixedBounds(efficacy=(2.8, 1.98))
        ),
        analyses=(LogRank(),),
        effects=(Effect(name="hr", hazard_ratio=0.2),),
        replicates=20,
    )
    found = search(trial, target=0.5, smallest=4, largest=40)
    assert found.tried["n_per_arm"].min() >= 15


def test_a_search_leaves_out_sizes_that_are_over_before_a_look_by_month() -> None:
    design = ParallelDesign(
        visits=(0.0, 12.0), duration=12.0, recruitment=Recruitment(per_month=(10.0,)), looks=(Look(when="month", at=20.0),),
        boundary=FixedBounds(efficacy=(2.8, 1.98)),
    )  # fmt: skip
    effect = Effect(name="hr", hazard_ratio=0.2)
    trial = Trial(
        truth=NamedTruth(hazard=(0.2,), association_value=0.0), design=design, analyses=(LogRank(),), effects=(effect,), replicates=20,
        n_per_arm=(40,),
    )  # fmt: skip
    found = search(trial, target=0.5, smallest=4, largest=40)
    # 40 participants have come by month 7.8 but for a chance of one in a million, 42 not before month 8.
    assert found.tried["n_per_arm"].min() == 21


def test_a_searched_size_is_confirmed_on_fresh_streams() -> None:
    trial = Trial(
        truth=NamedTruth(hazard=(0.05,), association_value=0.0),
        design=ParallelDesign(visits=(0.0, 12.0), duration=12.0, dropout_per_month=0.0),
        analyses=(LogRank(),),
        effects=(Effect(name="hr", hazard_ratio=0.5),),
        replicates=400,
    )
    found = search(trial, target=0.8, smallest=20, largest=160)
    # Schoenfeld: 4 (1.96 + 0.84)^2 / log(2)^2 = 65 events, at 0.355 a person 92 per arm.
    assert 75 <= found.n_per_arm <= 112
    assert found.tried["streams"][-1] == "confirm"
    assert found.power == pytest.approx(0.8, abs=0.08)
    with pytest.raises(ValueError, match="Raise largest"):
        search(trial, target=0.8, smallest=20, largest=30)


def test_a_size_and_a_threshold_are_found_from_the_command_line(study: Path, tmp_path: Path) -> None:
    size = ["search", study, "--out", tmp_path / "run", "--workers", 1, "--replicates", 200, "--largest", 300, "--smallest", 60, "--json"]
    shown = json.loads(call(*size))
    assert shown["tried"][-1] == {"n_per_arm": shown["n_per_arm"], "power": shown["power"], "mcse": shown["mcse"], "streams": "confirm"}
    assert json.loads(call(*size)) == shown  # from the virtual trials that are kept
    # The smallest hazard ratio at a fixed size, on the way down from none.
    setting = ["search", study, "--out", tmp_path / "run", "--workers", 1, "--replicates", 200, "--setting", "effect.hazard_ratio"]
    found = json.loads(call(*setting, "--between", "0.05,0.9", "--target", "0.3", "--tolerance", "0.1", "--json"))
    assert 0.05 <= found["value"] < 0.7
    assert found["figure"] >= 0.3 - 2 * found["mcse"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--target", "1.5"), 3, "target is a power between 0 and 1"),
        (("--analysis", "log-rnk"), 3, "Did you mean log-rank?"),
        (("--effect", "hlf"), 3, "Did you mean half?"),
        (("--setting", "design.duration"), 3, "go together"),
        (("--setting", "design.duratoin", "--between", "1,2"), 3, "Did you mean duration?"),
        (("--setting", "design.boundary.efficacy.7", "--between", "1,2"), 3, "nothing below"),
        (("--setting", "effect.hazard_ratio", "--between", "0.9,0.5"), 3, "two rising numbers"),
        (("--setting", "effect.hazard_ratio", "--between", "0.9;0.5"), 2, "--between is two numbers"),
        (("--quantity", "powr"), 2, "--quantity is one of"),
        (("--quantity", "stopped_futility"), 2, "go with --setting"),
        (("--keep", "more"), 2, "least or most"),
    ],
)
def test_an_impossible_search_is_refused(study: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    told = CliRunner().invoke(app, ["search", str(study), "--out", str(tmp_path / "run"), "--workers", "1", *arguments])
    assert told.exit_code == code
    assert said in told.stderr


def test_a_threshold_is_on_the_wanted_side_and_confirmed() -> None:
    design = ParallelDesign(
        visits=(0.0, 6.0), duration=6.0, dropout_per_month=0.0, recruitment=Recruitment(per_month=(20.0,)),
        looks=(Look(when="events", at=20),), boundary=FixedBounds(efficacy=(9.0, 1.96), futility=(0.0,)),
    )  # fmt: skip
    trial = Trial(
        truth=NamedTruth(hazard=(0.08,), association_value=0.0),
        design=design,
        analyses=(LogRank(),),
        effects=(Effect(name="null"),),
        n_per_arm=(60,),
        replicates=1000,
        seed=12,
    )
    path = "design.boundary.futility.0"
    found = search_setting(trial, path, (-2.0, 2.0), target=0.2, quantity="stopped_futility", keep="at most", tolerance=0.05)
    # z of a null look is standard normal: a fifth lies below -0.84; 3 standard errors of a quantile of 1,000 are 0.14.
    assert found.value == pytest.approx(-0.84, abs=0.2)
    assert found.figure <= 0.2 + 2 * found.mcse
    assert found.tried["streams"].to_list()[-1] == "confirm"
    # The other side of the same target is the next value; whole numbers stay whole.
    above = search_setting(trial, path, (-2.0, 2.0), target=0.2, quantity="stopped_futility", tolerance=0.05)
    assert 0 < above.value - found.value < 0.3
    events = search_setting(
        replace(trial, replicates=60), "design.looks.0.at", (5, 30), target=8.5, quantity="mean_duration", keep="at least"
    )
    assert events.value == round(events.value)
    # A tolerance between whole numbers ends the bisection earlier, and below 1 it means nothing.
    few = replace(trial, replicates=60)
    coarse = search_setting(few, "design.looks.0.at", (5, 30), target=8.5, quantity="mean_duration", keep="at least", tolerance=6)
    assert coarse.value == round(coarse.value)
    assert coarse.tried.height < events.tried.height
    with pytest.raises(ValueError, match="tolerance must be at least 1 between two whole numbers"):
        search_setting(few, "design.looks.0.at", (5, 30), target=8.5, quantity="mean_duration", tolerance=0.5)
    with pytest.raises(ValueError, match="both on one side"):
        search_setting(replace(trial, replicates=20), path, (-9.0, -8.0), quantity="stopped_futility")
    with pytest.raises(ValueError, match="at one size"):
        search_setting(replace(trial, n_per_arm=(40, 60)), path, (-1.0, 1.0))


def test_the_trial_of_the_documentation_is_valid_and_runs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "trials.md").read_text(encoding="utf-8")
    toml, *variants = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(variants) == 4
    for variant in variants:
        decode(TrialSettings, parse_toml(variant).values["trial"], where="trials.md")
    settings = decode(TrialSettings, parse_toml(toml).values["trial"], where="trials.md")
    assert len(build(settings, None, 1).scenarios) == 8
    shown: dict[str, Any] = {}
    for code in re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        exec(code, shown)
    assert shown["found"].table.height == 8
    assert shown["rescued"].intercurrent["event"].to_list() == ["rescue", "rescue"]
