"""Participants resampled from a record: the record itself without an effect, the known ratio with one, whatever the blocks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from alsmodel.errors import InvalidInput
from alsmodel.patients.streams import stream_key
from alsmodel.settings import decode
from alsmodel.study import run
from alsmodel.study.questions import tell
from alsmodel.study.synthetic import write_proact
from alsmodel.trials import (
    Cox,
    Effect,
    LogRank,
    ParallelDesign,
    RandomSlope,
    Recruitment,
    ResampledSettings,
    ResampledTruth,
    Trial,
    TrialSettings,
    resampled_truth,
    simulate,
)
from alsmodel.trials.block import Task, run_task, trial_keys
from alsmodel.trials.conditions import Categories
from alsmodel.trials.resampled import exposures, lines_of
from alsmodel.trials.world import enrol, first, observe, paths

VISITS = (0.0, 3.0, 6.0, 9.0, 12.0)
DESIGN = ParallelDesign(visits=VISITS, duration=12.0, dropout_per_month=0.0, missing_visit_probability=0.0)
NULL = Effect(name="null")


def record(n: int = 300, seed: int = 4, rate: float = 0.05, **options: Any) -> ResampledTruth:
    """Invented people: their own slopes, exponential deaths, and losses from month 6 on."""
    rng = np.random.default_rng(seed)
    months = np.tile(np.array([*VISITS, 15.0, 18.0]), (n, 1))
    slope = rng.normal(-1.0, 0.5, n)
    score = rng.normal(36, 5, n)[:, None] + slope[:, None] * months + rng.normal(0, 2, months.shape)
    death, loss = rng.exponential(1 / rate, n) + 6.1, rng.uniform(7, 20, n)
    end = np.minimum(death, np.minimum(loss, 18.0))
    score[months > end[:, None]] = np.nan
    sex = Categories(rng.integers(0, 2, n), ("female", "male"))
    return ResampledTruth(
        month=months, score=score, end_month=end, died=death <= end, columns={"age": rng.normal(60, 10, n), "sex": sex}, **options
    )


def drawn(truth: ResampledTruth, effect: Effect, n: int = 400, arm: int = 1, twins: bool = False) -> tuple[Any, NDArray[np.int64], Any]:
    trial = Trial(truth=truth, design=DESIGN, effects=(effect,))
    keys = np.array([stream_key(3, 7)], dtype=np.uint64)
    enrolled = enrol(trial, keys, n)
    arms = np.full((1, n), arm)
    seen = observe(DESIGN, trial.population, enrolled, effect, arms, keys, twins=twins)
    assert enrolled.record is not None
    return seen, enrolled.record.rows[0], paths(DESIGN, trial.population, enrolled, effect, arms, keys)[0]


@pytest.mark.parametrize("horizon", ["continue", "end of record"])
def test_without_an_effect_the_record_comes_back(horizon: Any) -> None:
    truth = record(horizon=horizon)
    seen, rows, _ = drawn(truth, NULL)
    ends, died = truth.end_month[rows], truth.died[rows]
    within = died & (ends <= 12)
    # Months from a mass and back: rounding only.
    np.testing.assert_allclose(seen.event_time[0][within], ends[within], rtol=1e-9)
    assert seen.event[0][within].all()
    planned = np.array(VISITS)
    for v in range(5):
        there = (ends >= planned[v]) & np.isfinite(truth.score[rows, v])
        np.testing.assert_allclose(seen.scores[0][there, v], truth.score[rows, v][there], atol=1e-9)
    lost = ~died & (ends < 12)
    assert lost.sum() > 20
    if horizon == "end of record":
        np.testing.assert_array_equal(seen.event_time[0][lost], ends[lost])
        assert not seen.event[0][lost].any()
        np.testing.assert_array_equal(seen.left[0][lost], ends[lost])
    else:
        assert (seen.event_time[0][lost] > ends[lost]).all()
        # Whoever was lost dies at the fitted rate, 0.05 a month, from then on; within four standard errors.
        more = (seen.event_time[0] - ends)[lost]
        assert seen.event[0][lost].sum() / more.sum() == pytest.approx(0.05, abs=4 * 0.05 / np.sqrt(seen.event[0][lost].sum()))


def test_an_effect_scales_the_fitted_change_and_not_the_noise() -> None:
    truth = record()
    quiet, rows, line = drawn(truth, NULL)
    for spread, gain in (("scaled", -0.5 * truth.people.slope[rows]), ("kept", np.full(rows.size, -0.5 * truth.people.slope.mean()))):
        loud, _, bent = drawn(truth, Effect(name="half", slowing=0.5, slope_spread=spread))
        np.testing.assert_allclose(bent - line, gain[:, None] * np.array(VISITS), atol=1e-9)
        both = np.isfinite(quiet.scores[0]) & np.isfinite(loud.scores[0])
        np.testing.assert_allclose((loud.scores[0] - bent)[both], (quiet.scores[0] - line)[both], atol=1e-9)


def test_a_hazard_ratio_moves_each_own_event_along_the_fitted_hazard() -> None:
    truth = record(horizon="continue")
    seen, rows, _ = drawn(truth, Effect(name="half", hazard_ratio=0.5))
    people = truth.people
    who = seen.event[0] == 1
    one = people.intercept[rows][who], people.slope[rows][who]
    spent = exposures(people.knots, *one, seen.event_time[0][who], 0.0) @ np.exp(people.log_baseline) * np.exp(people.log_hazard[rows][who])
    own = truth.died[rows][who]
    # Half the hazard up to the new time is all of it up to the own.
    np.testing.assert_allclose(0.5 * spent[own], people.mass[rows][who][own], rtol=1e-6)
    assert (seen.event_time[0][who][own] > truth.end_month[rows][who][own]).all()
    # The horizon rule censors some of the rescued, at a length beyond the own event.
    ended, _, _ = drawn(replace(truth, horizon="end of record"), Effect(name="half", hazard_ratio=0.5))
    cut = (ended.event[0] == 0) & (seen.event[0] == 1) & truth.died[rows]
    assert cut.sum() > 5
    assert (ended.event_time[0][cut] > truth.end_month[rows][cut]).all()


def test_a_null_gives_no_effect_and_an_effect_the_known_ratio(tmp_path: Path) -> None:
    effects = (NULL, Effect(name="half", slowing=0.5, slope_spread="scaled", hazard_ratio=0.5))
    truth = record(n=4000)
    trial = Trial(truth=truth, design=DESIGN, analyses=(RandomSlope(), Cox()), effects=effects, n_per_arm=(150,), replicates=120, seed=5)
    table = simulate(trial, twins=100_000).table
    for row in table.iter_rows(named=True):
        null, slope = row["effect"] == "null", row["analysis"] == "random slope"
        wanted = 0.0 if null else -0.5 * truth.people.slope.mean() if slope else np.log(0.5)
        # The mean slope of 100,000 draws is off by 0.6 / sqrt(100,000) at most four times over. The Cox limit is that of a record of 1,000
        # deaths, whose hazard within the fitted pieces is not flat: 0.05 for that.
        assert row["true_value"] == pytest.approx(wanted, abs=0.008 if slope else 0.05)
        assert abs(row["bias"]) < 3.5 * np.hypot(row["bias_mcse"], row["true_value_mcse"]) + (0 if null else 0.02 * abs(row["true_value"]))
        if null:
            assert abs(row["power"] - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / 120)
    # Negative control: halving the recorded change itself would shrink the noise with it.
    quiet, _, _ = drawn(truth, NULL)
    loud, _, bent = drawn(truth, effects[1])
    halved = 0.5 * (quiet.scores[0] + quiet.scores[0][:, :1])
    assert np.nanstd((halved - bent)[:, 1:]) < 0.85 * np.nanstd((loud.scores[0] - bent)[:, 1:])


def test_the_length_of_a_record_beyond_an_event_follows_kaplan_meier() -> None:
    # Losses at 4, 8 and 12 alternate with deaths; by hand: of 5 at risk at 4 one leaves, of 3 at 8 one, of the last at 12 one.
    end, died = np.array([2.0, 4.0, 5.0, 8.0, 9.0, 12.0]), np.array([True, False, True, False, True, False])
    month = np.tile([0.0, 1.0, 2.0], (6, 1))
    people = lines_of(month, 36 - month + np.array([0.0, 0.1, 0.0]), end, died, 0.0, 1)
    u = np.linspace(0.0005, 0.9995, 1000)
    lengths = people.lengths(np.zeros((1, 1000), dtype=np.int64), u[None])[0]
    shares = [(lengths == c).mean() for c in (4.0, 8.0, 12.0)]
    np.testing.assert_allclose(shares, [1 / 5, 4 / 5 * 1 / 3, 4 / 5 * 2 / 3], atol=0.002)
    later = people.lengths(np.full((1, 1000), 2), u[None])[0]
    np.testing.assert_allclose([(later == c).mean() for c in (8.0, 12.0)], [1 / 3, 2 / 3], atol=0.002)
    assert (people.lengths(np.full((1, 3), 3), np.full((1, 3), 0.5)) == 8.0).all()


def test_the_fitted_hazard_finds_what_made_it() -> None:
    rng = np.random.default_rng(9)
    n = 4000
    months = np.tile([0.0, 3.0, 6.0], (n, 1))
    slope, level = rng.normal(-1, 0.5, n), rng.normal(36, 5, n)
    rate = np.exp(-3.5 - 0.8 * (slope + 1))
    death = rng.exponential(1 / rate)
    end = np.minimum(death, 24.0)
    # Lines without noise: own level and slope are known, so the coefficients can be told. SE of the slope's about 0.04.
    bent = level[:, None] + slope[:, None] * months
    people = lines_of(months, bent, end, death <= 24, 0.0, 3)
    np.testing.assert_allclose(people.log_baseline[1:], -3.5, atol=0.12)
    gamma = np.polyfit(people.slope, people.log_hazard, 1)[0]
    assert gamma == pytest.approx(-0.8, abs=0.16)


def test_smaller_trials_are_the_first_part_and_blocks_do_not_matter() -> None:
    design = replace(DESIGN, recruitment=Recruitment(per_month=(20.0,)), dropout_per_month=0.02)
    trial = Trial(
        truth=record(horizon="end of record"), design=design, analyses=(LogRank(strata=("sex", "age >= 60")),), n_per_arm=(40, 80), seed=6
    )
    keys = trial_keys(trial, 0, 3)
    small, large = enrol(trial, keys, 80), first(enrol(trial, keys, 160), 80)
    assert small.record is not None
    assert large.record is not None
    np.testing.assert_array_equal(small.record.rows, large.record.rows)
    np.testing.assert_array_equal(small.columns["age"], large.columns["age"])
    whole = run_task(Task(trial.scenarios, 0, 6))
    parts = [run_task(Task(trial.scenarios, a, b)) for a, b in ((0, 2), (2, 6))]
    again = run_task(Task(trial.scenarios, 0, 6))
    for k in range(len(trial.scenarios)):
        for name in ("estimate", "p_value", "events", "left", "duration"):
            joined = np.concatenate([part[k][name] for part in parts])
            np.testing.assert_array_equal(whole[k][name], joined)
            np.testing.assert_array_equal(whole[k][name], again[k][name])


def test_rules_decide_who_is_drawn() -> None:
    truth = record(eligibility=("age >= 65", "sex == 'male'"))
    _, rows, _ = drawn(truth, NULL)
    trial = Trial(truth=truth, design=DESIGN)
    columns = enrol(trial, trial_keys(trial, 0, 2), 50).columns
    assert isinstance(columns["age"], np.ndarray)
    assert (columns["age"] >= 65).all()
    assert truth.people.intercept.size == ((truth.columns["age"] >= 65) & (truth.columns["sex"].codes == 1)).sum()  # type: ignore[union-attr]
    assert rows.max() < truth.people.intercept.size
    with pytest.raises(ValueError, match=r"0 of 300 people of the record are eligible"):
        record(eligibility=("age > 200",))
    with pytest.raises(ValueError, match="Did you mean age"):
        record(eligibility=("aeg > 20",))
    with pytest.raises(ValueError, match=r"a record brings its own"):
        Trial(truth=truth, population=replace(trial.population, eligibility=("delta_frs > 0",)))
    with pytest.raises(ValueError, match=r"three scores.*horizon is"):
        ResampledTruth(month=np.zeros((2, 2)), score=np.zeros((2, 2)), end_month=np.ones(2), died=np.zeros(2, bool), horizon="never")  # type: ignore[arg-type]
    assert truth.identity() != replace(truth, horizon="end of record").identity()


STUDY = """
title = "Resampled"
question = "How large?"
seed = 3
[data]
format = "proact"
folder = "files"
[estimand]
population = "people with ALS"
variable = "ALSFRS-R total"
summary = "slope"
intercurrent_events = [{ event = "death", strategy = "composite" }]
[model]
outcome = "alsfrs_r_total"
[trial]
n_per_arm = [20]
replicates = 12
effects = [{ name = "null" }]
[trial.truth]
kind = "resampled"
covariates = ["age"]
eligibility = ["age >= 18"]
horizon = "end of record"
[[trial.analyses]]
kind = "random_slope"
covariates = ["age"]
"""


def test_a_study_resamples_the_cohort_that_it_ingests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alsmodel.trials.estimands.TWINS", 5_000)
    write_proact(120, 1, tmp_path / "files")
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    outcome = run(path, tmp_path / "run", until="trial")
    assert outcome.fit is None
    assert outcome.cohort is not None
    assert outcome.trial is not None
    table = outcome.trial.table
    assert table["replicates"].to_list() == [12]
    assert table["true_value"].to_list() == [0.0]
    said = outcome.trial.settings["truth"]
    assert (said["kind"], said["horizon"]) == ("resampled", "end of record")
    assert 20 < said["participants"] <= said["of"]
    told = tell(path)
    assert told[0].participants == (20, 20)
    again = run(path, tmp_path / "run", until="trial")
    assert "trial" in again.reused
    sites = resampled_truth(outcome.cohort, ResampledSettings(phenotype="onset_site"))
    assert sum(sites.phenotypes.values()) == sites.people.intercept.size
    assert len(sites.groups) >= 2
    for column, setting in (("age", "phenotype"), ("onset_sight", "eligibility")):
        with pytest.raises(InvalidInput) as caught:
            resampled_truth(outcome.cohort, ResampledSettings(phenotype=column))
        assert f"trial.truth.{setting}" in str(caught.value) or column in str(caught.value)
    path.write_text(STUDY.replace('"age >= 18"', '"agee >= 18"'))
    with pytest.raises(InvalidInput, match="agee"):
        run(path, tmp_path / "run2", until="trial")
    assert decode(TrialSettings, {"truth": {"kind": "resampled"}}).truth.kind == "resampled"
    assert pl.DataFrame(table).height == 1


def with_site(codes: NDArray[np.int64], levels: tuple[str, ...] = ("bulbar", "limb"), **options: Any) -> ResampledTruth:
    truth = record(n=codes.size, **{"rate": 0.05, **options})
    return replace(truth, columns={**truth.columns, "onset": Categories(codes, levels)}, phenotype="onset")


def test_an_effect_by_phenotype_changes_each_own_path_and_hazard_by_its_share() -> None:
    truth = with_site(np.random.default_rng(1).integers(0, 2, 300))
    whole = Effect(name="whole", slowing=0.5, slope_spread="scaled", hazard_ratio=0.5)
    shares = replace(whole, by_phenotype={"bulbar": 0.0, "limb": 0.4})
    quiet, rows, line = drawn(truth, NULL)
    full = drawn(truth, whole)
    loud, same, bent = drawn(truth, shares)
    np.testing.assert_array_equal(rows, same)
    bulbar = truth.columns["onset"].codes[truth.kept[rows]] == 0  # type: ignore[union-attr]
    assert 100 < bulbar.sum() < 300
    # Without a share nothing changes, to the bit; with one the own slope loses that share of the effect.
    np.testing.assert_array_equal(bent[bulbar], line[bulbar])
    np.testing.assert_array_equal(loud.event_time[0][bulbar], quiet.event_time[0][bulbar])
    gain = -0.4 * 0.5 * truth.people.slope[rows]
    np.testing.assert_allclose((bent - line)[~bulbar], gain[~bulbar, None] * np.array(VISITS), atol=1e-9)
    # The log hazard ratio in that share: the mass of the own event is reached under 0.5^0.4 of the hazard.
    people, who = truth.people, (loud.event[0] == 1) & truth.died[rows] & ~bulbar
    spent = exposures(people.knots, people.intercept[rows][who], people.slope[rows][who], loud.event_time[0][who], 0.0)
    mass = spent @ np.exp(people.log_baseline) * np.exp(people.log_hazard[rows][who])
    np.testing.assert_allclose(0.5**0.4 * mass, people.mass[rows][who], rtol=1e-6)
    # Everyone at the whole effect is the effect that knows no phenotypes.
    named = drawn(truth, replace(whole, by_phenotype={"bulbar": 1.0, "limb": 1.0}))
    np.testing.assert_array_equal(named[2], full[2])
    np.testing.assert_array_equal(named[0].event_time, full[0].event_time)


def test_true_values_by_phenotype_are_those_of_the_mixture() -> None:
    truth = with_site((np.arange(2000) < 600).astype(np.int64), ("limb", "bulbar"))
    effect = Effect(name="limb only", slowing=0.5, slope_spread="scaled", hazard_ratio=0.5, by_phenotype={"bulbar": 0.0})
    analyses = (RandomSlope(), LogRank(strata=("onset",)))
    trial = Trial(truth=truth, design=DESIGN, analyses=analyses, effects=(effect,), n_per_arm=(150,), replicates=150, seed=6)
    slope, logrank = simulate(trial, twins=100_000).table.iter_rows(named=True)
    slopes = truth.people.slope
    limb = truth.columns["onset"].codes == 0  # type: ignore[union-attr]
    # 100,000 draws: the SE of the mean gain is below 0.002.
    assert slope["true_value"] == pytest.approx(-0.5 * (slopes * limb).mean(), abs=0.008)
    assert abs(slope["bias"]) < 3.5 * np.hypot(slope["bias_mcse"], slope["true_value_mcse"]) + 0.02 * abs(slope["true_value"])
    assert -0.7 < logrank["true_value"] < -0.05
    assert abs(logrank["bias"]) < 3.5 * np.hypot(logrank["bias_mcse"], logrank["true_value_mcse"]) + 0.1 * abs(logrank["true_value"])


def test_whose_phenotype_is_not_recorded_is_counted_or_named() -> None:
    codes = np.random.default_rng(1).integers(0, 2, 300)
    codes[:30] = 2
    truth = with_site(codes, ("bulbar", "limb", "not recorded"))
    effect = Effect(name="by site", slowing=0.5, by_phenotype={"bulbar": 0.5})
    with pytest.raises(ValueError, match="phenotype of 30 eligible people is not recorded"):
        Trial(truth=truth, design=DESIGN, effects=(effect,))
    Trial(truth=truth, design=DESIGN, effects=(replace(effect, by_phenotype={"bulbar": 0.5, "not recorded": 1.0}),))
    Trial(truth=truth, design=DESIGN, effects=(NULL,))
    Trial(truth=replace(truth, eligibility=("onset != 'not recorded'",)), design=DESIGN, effects=(effect,))
    with pytest.raises(ValueError, match=r"by_phenotype names spinal.*Known: bulbar, limb"):
        Trial(truth=truth, design=DESIGN, effects=(replace(effect, by_phenotype={"spinal": 0.5, "not recorded": 1.0}),))
    with pytest.raises(ValueError, match=r"needs truth\.phenotype"):
        Trial(truth=record(), design=DESIGN, effects=(effect,))
    with pytest.raises(ValueError, match=r"'age' is none. Columns of words: sex"):
        record(phenotype="age")
    with pytest.raises(ValueError, match="missing for 30 eligible people"):
        with_site(np.where(codes == 2, -1, codes))
    with pytest.raises(InvalidInput, match=r"needs truth\.phenotype"):
        decode(TrialSettings, {"truth": {"kind": "resampled"}, "effects": [{"name": "a", "slowing": 0.2, "by_phenotype": {"bulbar": 0.5}}]})


def test_a_record_without_phenotypes_keeps_its_people() -> None:
    truth = with_site(np.zeros(300, dtype=np.int64))
    plain = replace(truth, phenotype=None)
    assert "phenotype" not in plain.identity()
    assert truth.identity() == {"phenotype": "onset", **plain.identity()}
