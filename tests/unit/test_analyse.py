"""A real trial through the analyses of virtual ones: visits and windows, events, missing covariates, errors, files, privacy."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from alsmodel.cli.main import app
from alsmodel.clinical.units import DAYS_PER_MONTH
from alsmodel.cohort import Cohort
from alsmodel.errors import InvalidInput
from alsmodel.trials.adjusting import prepared
from alsmodel.trials.analyses import LogRank, RandomSlope
from alsmodel.trials.compared import Compared, compare, visits_table
from alsmodel.trials.comparison import AtDeath, ComparisonPlan
from alsmodel.trials.endpoints import ANCOVA, MMRM, RMST, Cox, JointRank, Responder, Win
from alsmodel.trials.observed import ObservedTrial, observed_trial, windows

QUICK = (ANCOVA(), JointRank(), LogRank(method="cox"))
PLAN = ComparisonPlan(control="placebo", active=("drug",), visits=(0, 3, 6), outcome="score", analyses=QUICK)


def days(*months: float) -> list[float]:
    return [month * DAYS_PER_MONTH for month in months]


def small(rows: list[tuple[str, float, float]], events: list[tuple[str, float]] = [], **columns: Any) -> Cohort:  # noqa: B006
    """Participants "a", "b" on placebo and "c", "d" on the drug, with scores (who, month, value) and deaths (who, month)."""
    people = pl.DataFrame({"participant_id": ["a", "b", "c", "d"], "arm": ["placebo", "Placebo", "drug", "drug"], **columns})
    scores = pl.DataFrame(rows, schema=["participant_id", "month", "value"], orient="row")
    scores = scores.with_columns(day=pl.col("month") * DAYS_PER_MONTH, name=pl.lit("score"))
    died = pl.DataFrame(events or [("a", 50.0)], schema=["participant_id", "month"], orient="row")
    return Cohort.of(
        participants=people,
        measurements=scores.select("participant_id", pl.col("month") * DAYS_PER_MONTH, "value", name=pl.lit("score")).rename(
            {"month": "day"}
        ),
        events=died.select(
            "participant_id", day=pl.col("month") * DAYS_PER_MONTH, kind=pl.lit("death"), definition=pl.lit("death, any cause")
        ),
    )


FULL = [(who, month, 40.0 - month) for who in "abcd" for month in (0.0, 3.0, 6.0)]


def trial(*, people: int = 200, effect: float = 0.0, seed: int = 1, shuffled: bool = False) -> Cohort:
    """Straight lines with a slope that differs by arm, visits a few days off plan, deaths, and some ages missing."""
    rng = np.random.default_rng(seed)
    arm = np.arange(people) % 2
    months = np.array([0.0, 3.0, 6.0, 9.0, 12.0])
    base, slope = 38 + rng.normal(0, 5, people), -1.0 + rng.normal(0, 0.4, people) + effect * arm
    at = months + np.where(months > 0, rng.uniform(-0.4, 0.4, (people, 5)), 0.0)
    score = base[:, None] + slope[:, None] * at + rng.normal(0, 1.5, (people, 5))
    death = rng.exponential(40 * np.exp(effect * arm), people)
    names = np.array([f"PERSON-{i:04d}" for i in range(people)])
    told = rng.permutation(arm) if shuffled else arm
    age = np.where(rng.uniform(size=people) < 0.1, np.nan, rng.normal(60, 8, people))
    seen = (at <= death[:, None]) & ((rng.uniform(size=at.shape) > 0.1) | (months == 0))
    who, when = np.nonzero(seen)
    died = death < 12
    return Cohort.of(
        participants=pl.DataFrame(
            {
                "participant_id": names, "arm": np.where(told == 1, "drug", "placebo"), "age": pl.Series(age).fill_nan(None),
                "sex": rng.choice(["female", "male"], people), "last_contact_day": np.minimum(death, 12) * DAYS_PER_MONTH,
            }
        ),
        measurements=pl.DataFrame(
            {"participant_id": names[who], "day": at[who, when] * DAYS_PER_MONTH, "name": "score", "value": score[who, when]}
        ),
        events=pl.DataFrame(
            {"participant_id": names[died], "kind": "death", "day": death[died] * DAYS_PER_MONTH, "definition": "death, any cause"}
        ),
    )  # fmt: skip


def messages(error: pytest.ExceptionInfo[InvalidInput]) -> str:
    return "\n".join(str(fault) for fault in error.value.faults)


# Visits -----------------------------------------------------------------------------------------------------------------------


def test_the_assessment_nearest_to_the_plan_is_taken_and_ties_are_as_stated() -> None:
    rows = [*FULL, ("a", 2.5, 1.0), ("b", 2.9, 2.0), ("b", 3.1, 3.0)]
    rows = [row for row in rows if row[:2] != ("b", 3.0)]
    early = observed_trial(small(rows), PLAN)
    assert early.data.scores[0, :2, 1].tolist() == [37.0, 2.0]
    late = observed_trial(small(rows), replace(PLAN, ties="later"))
    assert late.data.scores[0, :2, 1].tolist() == [37.0, 3.0]
    assert late.data.actual is not None
    assert late.data.actual[0, 1, 1] == pytest.approx(3.1)


def test_the_baseline_is_the_last_assessment_at_or_before_day_0() -> None:
    rows = [*FULL, ("a", -2.0, 1.0), ("c", -1.0, 5.0), ("c", -2.0, 6.0), ("c", 0.1, 9.0)]
    rows = [row for row in rows if row[:2] != ("c", 0.0)]
    assert observed_trial(small(rows), PLAN).data.scores[0, :, 0].tolist() == [40.0, 40.0, 5.0, 40.0]


def test_default_windows_meet_half_way_and_the_last_is_symmetric() -> None:
    plan = replace(PLAN, visits=(0.0, 2.0, 6.0))
    assert windows(plan)[:, 1:].tolist() == [[1.0, 4.0], [4.0, 8.0]]
    fixed = windows(replace(plan, window_days=tuple(days(0.5))))
    assert fixed[:, 1:].ravel() == pytest.approx([1.5, 5.5, 2.5, 6.5])


def test_outside_every_window_a_score_counts_for_the_slope_alone() -> None:
    rows = [*FULL, ("a", 4.2, 1.0)]
    found = observed_trial(small(rows), replace(PLAN, window_days=(14.0,)))
    assert not (found.data.scores == 1.0).any()
    assert found.every.actual is not None
    assert found.every.actual[0, 0].tolist() == pytest.approx([0.0, 3.0, 4.2, 6.0])
    assert found.every.scores[0, 0, 2] == 1.0


def test_scores_after_the_event_and_days_after_the_duration_are_not_used() -> None:
    cohort = small(FULL, [("a", 4.0), ("d", 6.5)])
    found = observed_trial(cohort, PLAN)
    assert np.isnan(found.data.scores[0, 0, 2])
    assert found.data.event[0].tolist() == [1, 0, 0, 1]
    assert found.data.event_time[0] == pytest.approx([4.0, 6.0, 6.0, 6.5])
    short = observed_trial(cohort, replace(PLAN, duration=6.0))
    assert short.data.event[0].tolist() == [1, 0, 0, 0]
    assert short.data.event_time[0] == pytest.approx([4.0, 6.0, 6.0, 6.0])


def test_fates_at_each_visit_add_up_to_randomised() -> None:
    table = visits_table(observed_trial(trial(effect=0.2), replace(PLAN, visits=(0, 3, 6, 9, 12))), PLAN)
    parts = table.select(pl.sum_horizontal("observed", "event_before", "follow_up_ended", "missed"))
    assert parts.to_series().to_list() == table["randomised"].to_list()
    assert table["missed"].sum() > 0
    assert table["event_before"].sum() > 0


def test_everyone_assigned_is_followed_even_without_a_score() -> None:
    rows = [row for row in FULL if row[0] != "d"]
    found = observed_trial(small(rows, last_contact_day=days(7, 7, 7, 7)), PLAN)
    assert found.people == 4
    assert found.data.event_time[0, 3] == pytest.approx(7.0)


# Covariates --------------------------------------------------------------------------------------------------------------------


def adjusted(cohort: Cohort, plan: ComparisonPlan, analysis: Any) -> dict[str, list[float]]:
    used, data = prepared(observed_trial(cohort, plan), plan, analysis)
    return {name: np.asarray(data.columns[name])[0].tolist() for name in used.covariates}


def test_a_missing_covariate_becomes_the_mean_after_transformation_beside_an_indicator() -> None:
    cohort = small(FULL, age=[50.0, None, 70.0, 60.0])
    plan = replace(PLAN, covariates=("age",), transforms={"age": "log"})
    found = adjusted(cohort, plan, ANCOVA())
    logs = np.log([50.0, 70.0, 60.0])
    assert found["design: age"] == pytest.approx([logs[0], logs.mean(), logs[1], logs[2]])
    assert found["design: age missing"] == [0.0, 1.0, 0.0, 0.0]


def test_words_become_indicators_and_strata_are_covariates_where_an_analysis_has_no_strata() -> None:
    cohort = small(FULL, sex=["female", "male", None, "male"])
    plan = replace(PLAN, strata=("sex",), analyses=(MMRM(), LogRank()))
    assert adjusted(cohort, plan, MMRM()) == {"design: sex is female": [1.0, 0, 0, 0], "design: sex is not recorded": [0, 0, 1.0, 0]}
    used, data = prepared(observed_trial(cohort, plan), plan, LogRank())
    strata = data.strata(used.strata)
    assert strata is not None
    assert strata[0].tolist() == [0, 1, 2, 1]


def test_the_baseline_score_is_never_adjusted_for_twice() -> None:
    plan = replace(PLAN, covariates=("baseline",))
    rows = [(who, month, value + ord(who)) for who, month, value in FULL]
    assert adjusted(small(rows), plan, ANCOVA()) == {}
    assert list(adjusted(small(rows), plan, Cox())) == ["design: baseline"]


# Errors ------------------------------------------------------------------------------------------------------------------------


def test_all_faults_of_a_plan_come_at_once_with_the_nearest_names() -> None:
    plan = replace(PLAN, control="placbo", outcome="scor", events=("deth",), covariates=("agee",))
    with pytest.raises(InvalidInput) as error:
        observed_trial(small(FULL), plan)
    told = messages(error)
    assert "No arm is called 'placbo'. Did you mean 'placebo'?" in told
    assert "Did you mean score?" in told
    assert "Did you mean death?" in told
    assert "No covariate is called 'agee'." in told


def test_a_name_is_refused_where_it_stands_also_when_no_arm_is_known() -> None:
    plan = replace(
        PLAN, control="placbo", active=("drg",), covariates=("agee",), subgroups=("sexx", "age >="), strata=("seks == 'female'",)
    )
    with pytest.raises(InvalidInput) as error:
        observed_trial(small(FULL, age=[50.0, 60, 70, 80]), plan)
    told = messages(error)
    assert "analyse.covariates: error: No covariate is called 'agee'. Did you mean age?" in told
    assert "analyse.subgroups: error: No covariate is called 'sexx'. Did you mean sex?" in told
    assert "analyse.subgroups: error: 'age >='" in told
    assert "analyse.strata: error: No covariate is called 'seks'. Did you mean sex?" in told
    assert "No arm is called 'placbo'." in told


def test_an_empty_window_is_refused_by_arm() -> None:
    with pytest.raises(InvalidInput, match="No score of arm 'drug' lies in the window of month 6"):
        observed_trial(small([row for row in FULL if not (row[0] in "cd" and row[1] == 6.0)]), PLAN)


def test_a_cohort_with_one_arm_is_refused() -> None:
    with pytest.raises(InvalidInput, match="The cohort has 1 arms; a comparison needs two"):
        observed_trial(small(FULL).of_participants(pl.Series(["a", "b"])), PLAN)


def test_numbers_are_no_subgroups_and_an_end_point_needs_its_source() -> None:
    with pytest.raises(InvalidInput, match="age holds numbers"):
        observed_trial(small(FULL, age=[50.0, 60, 70, 80]), replace(PLAN, subgroups=("age",)))
    with pytest.raises(InvalidInput, match="does not say which events"):
        observed_trial(small(FULL), replace(PLAN, end_point="death or tracheostomy"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"active": ()}, "needs two"),
        ({"active": ("Placebo",)}, "different labels"),
        ({"visits": (1.0, 3.0)}, "from 0"),
        ({"window_days": (1.0, 2.0, 3.0)}, "one for each of 2 visits"),
        ({"analyses": (ANCOVA(arm=2),)}, "active arms 1 to 1"),
        ({"alpha": 0.7}, "significance level"),
        ({"responder_points": (0.0,)}, "above 0"),
        ({"duration": -1.0}, "above 0"),
        ({"duration": 4.0}, r"visits \[6\] lie beyond the duration of 4 months"),
        ({"duration": 6.0, "analyses": (RMST(horizon=9.0),)}, "its horizon lies beyond the duration of 6 months"),
    ],
)
def test_impossible_plans_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        replace(PLAN, **change)


# Results -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results() -> Compared:
    analyses = (*QUICK, RandomSlope(time="actual"), Win(), Responder(), RMST(horizon=9.0))
    plan = replace(PLAN, visits=(0, 3, 6, 9, 12), analyses=analyses, covariates=("age",), subgroups=("sex", "age >= 60"))
    return compare(trial(people=400, effect=0.5), plan)


def test_a_known_effect_is_found(results: Compared) -> None:
    found = {row["analysis"]: row for row in results.tables["analyses"].iter_rows(named=True)}
    slope = found["random slope, actual days"]
    # The truth within 3.5 standard errors, and the effect of 0.5 points per month told apart from none.
    assert abs(slope["estimate"] - 0.5) < 3.5 * slope["standard_error"]
    assert all(row["favours_active"] for row in found.values())
    assert slope["p_value"] < 1e-6
    hazard = found["log-rank"]
    assert abs(hazard["estimate"] + 0.5) < 3.5 * hazard["standard_error"]
    assert hazard["ratio"] == pytest.approx(np.exp(hazard["estimate"]))
    assert results.failed == ()


def test_intervals_match_alpha_and_side() -> None:
    cohort = trial(people=60)
    wide = compare(cohort, replace(PLAN, analyses=(ANCOVA(),))).tables["analyses"].row(0, named=True)
    other = replace(PLAN, analyses=(ANCOVA(),), alpha=0.025, side="one-sided")
    assert compare(cohort, other).tables["analyses"].row(0, named=True)["lower"] == pytest.approx(wide["lower"])
    assert (wide["lower"] > 0 or wide["upper"] < 0) == wide["claim"]


def test_subgroups_hold_everyone_once_and_the_test_of_one_effect_is_cochrans(results: Compared) -> None:
    table = results.tables["subgroups"].filter(pl.col("analysis") == "log-rank")
    for subgroup in ("sex", "age >= 60"):
        part = table.filter(pl.col("subgroup") == subgroup)
        assert part["control"].sum() + part["active"].sum() == 400
    assert table.filter(pl.col("subgroup") == "age >= 60")["level"].to_list() == ["yes", "no", "not recorded"]
    a, b = table.filter(pl.col("subgroup") == "sex").iter_rows(named=True)
    z = (a["estimate"] - b["estimate"]) / np.hypot(a["standard_error"], b["standard_error"])
    from scipy.special import ndtr

    assert a["p_same_effect"] == pytest.approx(2 * ndtr(-abs(z)))


def test_every_analysis_runs_and_a_level_with_one_arm_fails_in_words() -> None:
    cohort = trial(people=60)
    few = cohort.participants["participant_id"][:6:2].to_list()  # three people on placebo
    site = pl.when(pl.col("participant_id").is_in(few)).then(pl.lit("A")).otherwise(pl.lit("B"))
    cohort = replace(cohort, participants=cohort.participants.with_columns(site=site))
    changes = (MMRM(), ANCOVA(), Responder(), RandomSlope(), RandomSlope(time="actual"))
    analyses = (*changes, JointRank(), Win(), Win(scale="net benefit"), LogRank(), Cox(), RMST(horizon=9.0))
    plan = replace(PLAN, visits=(0, 3, 6, 9, 12), subgroups=("site",), strata=("site",), covariates=("age",), analyses=analyses)
    found = compare(cohort, plan, small_cells=True)
    assert set(found.tables["analyses"]["status"]) == {"ok"}
    levels = found.tables["subgroups"].select("level", "estimate", "status")
    assert levels.filter(level="A")["estimate"].null_count() == len(analyses)
    assert "ok" not in levels.filter(level="A")["status"].to_list()
    assert set(levels.filter(level="B")["status"]) == {"ok"}
    hidden = compare(cohort, replace(plan, analyses=(ANCOVA(),))).tables["subgroups"]
    assert hidden.filter(level="A")["status"].item() == "fewer than 5 participants in an arm"


def test_shuffled_arms_give_nothing() -> None:
    # Rejections among 40 shuffles of one trial with a large effect: at most 6 of 40 at 5% in 99.5% of seeds.
    plan = replace(PLAN, visits=(0, 3, 6, 9, 12), analyses=(ANCOVA(), JointRank()))
    cohort = trial(people=120, effect=0.8)
    seen = observed_trial(cohort, plan)
    rng = np.random.default_rng(5)
    rejected = np.zeros(2, dtype=int)
    for _ in range(40):
        arm = rng.permutation(seen.data.arm[0])[None]
        mixed = ObservedTrial(**{**vars(seen), "data": replace(seen.data, arm=arm), "every": replace(seen.every, arm=arm)})
        for k, analysis in enumerate(plan.analyses):
            used, data = prepared(mixed, plan, analysis)
            rejected[k] += int(used.analyse(data).p_value[0] < 0.05)
    assert (rejected <= 6).all()
    assert all(row["p_value"] < 1e-3 for row in compare(cohort, plan).tables["analyses"].iter_rows(named=True))


def test_every_analysis_says_what_it_makes_of_death() -> None:
    assert AtDeath.of(MMRM(), PLAN).startswith("hypothetical")
    assert AtDeath.of(RandomSlope(), PLAN).startswith("hypothetical")
    assert AtDeath.of(JointRank(), PLAN).startswith("composite")
    assert AtDeath.of(Cox(), PLAN) == "part of the end point"
    assert AtDeath.of(Cox(), replace(PLAN, events=("tracheostomy",))).startswith("censored at death")


def test_small_cells_are_hidden_unless_asked_for() -> None:
    cohort, plan = small(FULL, [("a", 4.0)]), replace(PLAN, analyses=(LogRank(),))
    hidden = compare(cohort, plan)
    assert hidden.tables["arms"]["deaths"].to_list() == [None, 0]
    assert hidden.shown("arms")["deaths"].to_list() == ["<5", "0"]
    assert compare(cohort, plan, small_cells=True).tables["arms"]["deaths"].to_list() == [1, 0]


# The command ---------------------------------------------------------------------------------------------------------------------

STUDY = """
title = "A trial"
question = "Does the drug work?"
[data]
format = "cohort"
folder = "cohort"
[estimand]
population = "everyone randomised"
variable = "score at month 12"
summary = "difference in means"
intercurrent_events = [{event = "death", strategy = "hypothetical"}]
[analyse]
control = "placebo"
active = ["drug"]
visits = [0, 3, 6, 9, 12]
outcome = "score"
subgroups = ["sex"]
analyses = [{kind = "ancova", covariates = ["age"]}, {kind = "log_rank"}, {kind = "joint_rank"}]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("analyse")
    trial(people=100, effect=0.3).save(home / "cohort")
    (home / "study.toml").write_text(STUDY)
    return home


def test_the_command_saves_tables_without_participants_and_repeats_to_the_byte(folder: Path) -> None:
    runs = [folder / "one", folder / "two"]
    for run in runs:
        told = CliRunner().invoke(app, ["analyse", str(folder / "study.toml"), "--out", str(run)])
        assert told.exit_code == 0, told.output
        assert "PERSON-" not in told.output
        assert "At death, joint rank: composite: death ranks below every score." in told.output
    files = sorted((runs[0] / "analyse").iterdir())
    assert {path.name for path in files} >= {"manifest.json", "analyses.csv", "analyses.parquet", "visits.csv", "subgroups.parquet"}
    for path in files:
        assert path.read_bytes() == (runs[1] / "analyse" / path.name).read_bytes()
        assert b"PERSON-" not in path.read_bytes()
    manifest = json.loads((runs[0] / "analyse" / "manifest.json").read_text())
    assert manifest["data_digest"] == Cohort.load(folder / "cohort").digest
    assert manifest["at_death"]["joint rank"].startswith("composite")
    assert str(folder) not in json.dumps(manifest)


def test_json_holds_every_table(folder: Path) -> None:
    told = CliRunner().invoke(app, ["analyse", str(folder / "study.toml"), "--out", str(folder / "json"), "--json"])
    values = json.loads(told.stdout)
    assert told.exit_code == 0
    assert [row["analysis"] for row in values["analyses"]] == ["ANCOVA, adjusted for age", "log-rank", "joint rank"]
    assert {row["arm"] for row in values["visits"]} == {"placebo", "drug"}


def test_bad_input_is_told_with_its_line_and_nothing_is_written(folder: Path) -> None:
    bad = folder / "bad.toml"
    bad.write_text(STUDY.replace('"drug"', '"drog"').replace('outcome = "score"', 'outcome = "skore"'))
    told = CliRunner().invoke(app, ["analyse", str(bad), "--out", str(folder / "never")])
    assert told.exit_code == 3
    assert "bad.toml:14: error: analyse.active: No arm is called 'drog'. Did you mean 'drug'?" in told.stderr
    assert "Did you mean score?" in told.stderr
    assert not (folder / "never").exists()
    none = folder / "none.toml"
    none.write_text(STUDY[: STUDY.index("[analyse]")])
    told = CliRunner().invoke(app, ["analyse", str(none), "--out", str(folder / "never")])
    assert told.exit_code == 3
    assert "no real trial to analyse" in told.stderr
