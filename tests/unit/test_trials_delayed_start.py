"""Control goes over to treatment: the effect follows exposure, and each period has its own true value."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from alsmodel.patients.course import PURPOSE_EVENT
from alsmodel.patients.streams import uniform
from alsmodel.settings import decode
from alsmodel.trials import (
    ANCOVA,
    MMRM,
    RMST,
    Cox,
    Effect,
    NamedTruth,
    ParallelDesign,
    RandomSlope,
    Responder,
    Trial,
    TrialSettings,
    simulate,
)
from alsmodel.trials.block import Task, run_task, trial_keys
from alsmodel.trials.comparison import ComparisonPlan
from alsmodel.trials.estimands import true_values
from alsmodel.trials.world import enrol, observe, paths

VISITS = (0.0, 2.0, 4.0, 6.0, 9.0, 12.0)
DESIGN = ParallelDesign(visits=VISITS, duration=12.0, delayed_start=6.1, dropout_per_month=0.0, missing_visit_probability=0.0)
TRUTH = NamedTruth(hazard=(0.06,), association_value=0.0, slope_skew=0.0)
EFFECT = Effect(name="late", slowing=0.4, from_month=1.3, to_month=4.0, hazard_ratio_periods=((0.0, 0.5), (3.0, 0.8)))
TRIAL = Trial(truth=TRUTH, design=DESIGN, effects=(EFFECT,), n_per_arm=(60,), seed=12, analyses=(RandomSlope(),))


def test_the_effect_follows_exposure_in_path_and_hazard() -> None:
    keys = trial_keys(TRIAL, 0, 2)
    enrolled = enrol(TRIAL, keys, 200)
    arm = np.tile([0, 1], (2, 100))
    seen = observe(DESIGN, TRIAL.population, enrolled, EFFECT, arm, keys)
    line = paths(DESIGN, TRIAL.population, enrolled, Effect(name="null"), arm, keys)
    gained = paths(DESIGN, TRIAL.population, enrolled, EFFECT, arm, keys) - line
    for a, begin in ((0, 6.1), (1, 0.0)):
        exposed = np.maximum(np.array(VISITS) - begin, 0.0)
        wanted = 0.4 * 1.03 * (np.minimum(exposed, 4.0) - np.minimum(exposed, 1.3))
        np.testing.assert_allclose(gained[0, arm[0] == a], np.tile(wanted, (100, 1)), atol=1e-9)
    events = 0
    for r in range(2):
        for i in range(200):
            # Exponential pieces by hand: 0.06 before exposure, half of it for three months, then 0.8 of it.
            edges = [6.1, 9.1, np.inf] if arm[r, i] == 0 else [0.0, 3.0, np.inf]
            mass, start, month = -np.log(uniform(keys[r], i, PURPOSE_EVENT, 0)), 0.0, np.inf
            for stop, rate in zip(edges, (0.06, 0.03, 0.048), strict=True):
                if mass <= rate * (stop - start):
                    month = start + mass / rate
                    break
                mass, start = mass - rate * (stop - start), stop
            assert seen.event[r, i] == (month <= 12)
            assert seen.event_time[r, i] == pytest.approx(min(month, 12.0), rel=1e-9)
            events += int(seen.event[r, i])
    assert 100 < events < 250


def test_each_period_has_its_own_true_value(tmp_path: Path) -> None:
    effect = Effect(name="both", slowing=0.4, hazard_ratio=0.5)
    design = replace(DESIGN, delayed_start=6.0)
    period = (ANCOVA(until=6.0), MMRM(until=6.0), RandomSlope(until=6.0), Cox(until=6.0), RMST(horizon=6.0), Responder(until=6.0))
    whole = (ANCOVA(), RandomSlope(), Cox(), RMST(horizon=12.0))
    trial = replace(TRIAL, design=design, effects=(effect,), analyses=(*period, *whole))
    found = {label: value[0] for label, value in true_values(trial.scenarios[0], tmp_path, 100_000).values.items()}
    gain = 0.4 * 1.03
    # From month 6 on both arms are treated: what was gained by then stays, in points; the slopes are alike.
    assert found["ANCOVA, until month 6"] == pytest.approx(6 * gain)
    assert found["MMRM, until month 6"] == pytest.approx(6 * gain)
    assert found["random slope, until month 6"] == pytest.approx(gain)
    assert found["ANCOVA"] == pytest.approx(6 * gain)
    months = np.array(VISITS)
    assert found["random slope"] == pytest.approx(np.polyfit(months, gain * np.minimum(months, 6.0), 1)[0])
    # 100,000 twins: SE of a log hazard ratio below 0.01, of months 0.012.
    assert found["Cox, until month 6"] == pytest.approx(np.log(0.5), abs=0.035)
    assert np.log(0.5) + 0.1 < found["Cox"] < -0.2
    alive = [(1 - np.exp(-h * 6)) / h for h in (0.06, 0.03)]
    assert found["RMST to month 6"] == pytest.approx(alive[1] - alive[0], abs=0.03)
    later = [np.exp(-h * 6) * (1 - np.exp(-0.03 * 6)) / 0.03 for h in (0.06, 0.03)]
    assert found["RMST to month 12"] == pytest.approx(alive[1] - alive[0] + later[1] - later[0], abs=0.05)
    spread = np.hypot(TRUTH.slope_sd * 6, np.sqrt(2) * TRUTH.residual_sd)
    shares = [np.exp(-h * 6) * norm.cdf((6 - 6 * 1.03 * f) / spread) for h, f in ((0.06, 1.0), (0.03, 0.6))]
    assert found["responder, fewer than 6 points lost, until month 6"] == pytest.approx(shares[1] - shares[0], abs=0.01)


def test_trials_estimate_the_true_values_of_both_periods() -> None:
    effect = Effect(name="both", slowing=0.4, hazard_ratio=0.5)
    analyses = (MMRM(until=6.0), MMRM(), Cox(until=6.0), Cox())
    trial = replace(
        TRIAL, design=replace(DESIGN, delayed_start=6.0), effects=(effect,), analyses=analyses, replicates=150, n_per_arm=(100,)
    )
    table = simulate(trial, twins=100_000).table
    assert table["failures"].sum() == 0
    for row in table.iter_rows(named=True):
        # 3.5 standard errors; 2% for the small-sample bias of the hazard ratio.
        assert abs(row["bias"]) < 3.5 * np.hypot(row["bias_mcse"], row["true_value_mcse"]) + 0.02 * abs(row["true_value"]), row["analysis"]
    # Negative control: without the switch the same analyses aim elsewhere, and the difference shows.
    aside = simulate(replace(trial, design=replace(trial.design, delayed_start=None), analyses=(MMRM(), Cox())), twins=100_000).table
    for label in ("MMRM", "Cox"):
        here, there = (t.row(by_predicate=pl.col("analysis") == label, named=True) for t in (table, aside))
        assert abs(here["mean_estimate"] - there["true_value"]) > 3.5 * here["bias_mcse"]


def test_an_analysis_cut_early_sees_a_shorter_trial() -> None:
    # The randomised period of an extension is, to the bit, the trial without one, for the same participants.
    effect = Effect(name="both", slowing=0.4, hazard_ratio=0.5)
    analyses = (ANCOVA(until=6.0), Cox(until=6.0), Responder(until=6.0))
    with_, without = (
        replace(TRIAL, effects=(effect,), analyses=analyses, design=replace(DESIGN, delayed_start=switch)) for switch in (6.0, None)
    )
    assert with_.population_words() == without.population_words()
    first, second = (run_task(Task(t.scenarios, 0, 10))[0] for t in (with_, without))
    np.testing.assert_array_equal(first["estimate"], second["estimate"])
    # One task with both, as an axis: what happened is not shared between them.
    axis = replace(TRIAL, effects=(effect,), analyses=(ANCOVA(),), axes={"design.delayed_start": (3.0, 9.0)})
    found = run_task(Task(axis.scenarios, 0, 10))
    assert (found[0]["estimate"] != found[1]["estimate"]).all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: replace(DESIGN, delayed_start=12.0), "delayed_start lies within"),
        (lambda: replace(TRIAL, analyses=(MMRM(until=13.0),)), "until lies within"),
        (lambda: replace(TRIAL, analyses=(Cox(until=1.0),)), "after two visits"),
        (lambda: ComparisonPlan(control="a", active=("b",), visits=(0.0, 3.0), analyses=(ANCOVA(until=3.0),)), "until is for virtual"),
    ],
)
def test_impossible_periods_are_refused_in_words(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_a_study_file_says_the_same() -> None:
    section = {
        "truth": {"kind": "named"},
        "design": {"duration": 18.0, "visits": [0, 6, 12, 18], "delayed_start": 12.0},
        "analyses": [{"kind": "mmrm", "until": 12.0}, {"kind": "mmrm"}],
    }
    settings = decode(TrialSettings, section)
    assert settings.design.delayed_start == 12.0
    assert settings.analyses == (MMRM(until=12.0), MMRM())
