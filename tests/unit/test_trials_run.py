"""Running trials: the same numbers whatever the workers, blocks and scenarios; failures stay in the count."""

import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl
import pytest

import alsmodel.trials.run
from alsmodel.trials import (
    Effect,
    LogRank,
    NamedTruth,
    OperatingCharacteristics,
    ParallelDesign,
    PosteriorTruth,
    RandomSlope,
    Trial,
)
from alsmodel.trials.results import COLUMNS, PAIRED_COLUMNS, proportion

TRIAL = Trial(
    truth=NamedTruth(),
    design=ParallelDesign(visits=(0.0, 3.0, 6.0, 9.0), duration=9.0),
    n_per_arm=(12, 20),
    effects=(Effect(name="null"), Effect(name="slower", slowing=0.3, hazard_ratio=0.7)),
    replicates=23,
    seed=11,
)

#: True values from a hundredth of the usual twins: enough for what is tested here.
simulate = partial(alsmodel.trials.run.simulate, twins=10_000)


def test_blocks_do_not_change_a_bit():
    whole = simulate(TRIAL, block=23)
    for block in (1, 7, 1000):
        assert simulate(TRIAL, block=block).table.equals(whole.table)


def test_workers_do_not_change_a_bit():
    assert simulate(TRIAL, workers=2, block=6).table.equals(simulate(TRIAL).table)


def test_adding_scenarios_or_analyses_leaves_the_others_alone():
    full = simulate(TRIAL).table
    few = replace(TRIAL, n_per_arm=(12,), effects=TRIAL.effects[1:], analyses=(LogRank(),))
    kept = full.filter((pl.col("n_per_arm") == 12) & (pl.col("effect") == "slower") & (pl.col("analysis") == "log-rank"))
    # The address of the records covers the analyses, so it differs; nothing else does.
    assert simulate(few).table.drop("records").equals(kept.drop("records"))
    same = full.filter((pl.col("n_per_arm") == 12) & (pl.col("effect") == "slower"))
    assert simulate(replace(TRIAL, n_per_arm=(12,), effects=TRIAL.effects[1:])).table.equals(same)


def test_seed_and_truth_change_the_participants_and_the_name_does_not():
    table = simulate(TRIAL).table
    assert simulate(replace(TRIAL, name="other")).table.equals(table)
    assert not simulate(replace(TRIAL, seed=12)).table.equals(table)
    assert replace(TRIAL, truth=NamedTruth(slope_mean=-0.9)).population_words() != TRIAL.population_words()
    whole_months = replace(TRIAL.design, visits=(0, 3, 6, 9), duration=9)
    assert replace(TRIAL, design=whole_months).population_words() == TRIAL.population_words()
    assert replace(TRIAL, n_per_arm=(30,), seed=3).population_words() == TRIAL.population_words()


def test_failed_analyses_stay_in_the_denominator():
    rare = replace(TRIAL, truth=NamedTruth(hazard=(0.004,), association_value=0.0), n_per_arm=(8,), replicates=60)
    row = simulate(rare).table.row(by_predicate=(pl.col("analysis") == "log-rank") & (pl.col("effect") == "null"), named=True)
    assert 0 < row["failures"] < 60
    assert row["replicates"] == 60
    assert row["power"] * 60 == pytest.approx(round(row["power"] * 60))
    assert row["mean_estimate"] is not None


def test_an_analysis_that_always_fails_claims_nothing():
    never = replace(TRIAL, truth=NamedTruth(hazard=(1e-12,)), analyses=(LogRank(),))
    table = simulate(never).table
    assert (table["failures"] == 23).all()
    assert (table["power"] == 0).all()
    assert (table["mcse"] > 0).all()
    assert table["mean_estimate"].null_count() == table.height


def test_table_has_the_columns_that_it_documents():
    table = simulate(TRIAL).table
    assert tuple(table.columns) == tuple(COLUMNS)
    assert tuple(simulate(TRIAL).paired.columns) == tuple(PAIRED_COLUMNS)
    slope = table.filter(pl.col("analysis") == "random slope")
    assert slope.filter(pl.col("effect") == "slower")["true_value"].to_list() == pytest.approx([0.3 * 1.03] * 2)
    logrank = table.filter(pl.col("analysis") == "log-rank")
    null = logrank.filter(pl.col("effect") == "null")["true_value"].to_list()
    # Twins whom treatment leaves alone tie exactly, so the Cox limit is zero to rounding.
    assert null == pytest.approx([0.0, 0.0], abs=1e-12)
    # log 0.7 is -0.36; the slower decline lowers the hazard further through the association.
    assert (logrank.filter(pl.col("effect") == "slower")["true_value"] < np.log(0.7) - 0.02).all()


def test_a_posterior_truth_averages_over_its_draws():
    draws, people = 5, 8
    truth = PosteriorTruth(
        intercept=np.full((draws, people), 36.0),
        slope=np.linspace(-1.4, -0.6, draws)[:, None] * np.ones(people),
        log_hazard=np.zeros((draws, people)),
        random_cholesky=np.tile(np.diag([6.0, 0.6]), (draws, 1, 1)),
        residual_sd=np.full(draws, 1.8),
        knots=np.array([0.0, 12.0]),
        log_baseline_hazard=np.full((draws, 1), -5.0),
        association_value=np.zeros(draws),
        association_slope=np.zeros(draws),
    )
    found = simulate(replace(TRIAL, truth=truth, effects=(Effect(name="half", slowing=0.5),), replicates=200))
    # The mean slope over draws is -1; 200 draws of SD 0.28 times 0.5 have a standard error of 0.01.
    assert found.table["true_value"][0] == pytest.approx(0.5, abs=0.04)
    assert found.settings["truth"]["draws"] == 5


def test_progress_counts_replicates():
    seen = []
    simulate(TRIAL, block=10, progress=lambda done, total: seen.append((done, total)))
    assert [(round(done, 9), total) for done, total in seen] == [(0, 23), (10, 23), (20, 23), (23, 23)]
    with pytest.raises(ValueError, match="at least 1"):
        simulate(TRIAL, workers=0)


def test_results_are_written_and_read_back_and_the_bytes_repeat(tmp_path):
    found = simulate(TRIAL)
    found.save(tmp_path / "trial")
    first = {p.name: p.read_bytes() for p in (tmp_path / "trial").iterdir()}
    simulate(TRIAL).save(tmp_path / "trial")
    assert {p.name: p.read_bytes() for p in (tmp_path / "trial").iterdir()} == first
    assert [p.name for p in tmp_path.iterdir()] == ["trial"]
    back = OperatingCharacteristics.load(tmp_path / "trial")
    assert back.table.equals(found.table)
    assert (back.settings, back.provenance) == (found.settings, found.provenance)


def test_results_print_themselves_and_escape_names():
    found = simulate(replace(TRIAL, effects=(Effect(name="<b>null</b>"),), replicates=4))
    assert "power (MCSE)" in repr(found)
    assert "0 of 4" in repr(found)
    assert "&lt;b&gt;null" in found._repr_html_()


def test_proportion_of_no_hits_has_an_error():
    value, mcse = proportion(0, 1000)
    assert value == 0
    assert mcse == pytest.approx(np.sqrt((0.5 / 1001) * (1 - 0.5 / 1001) / 1000))


def test_workers_stay_light():
    code = (
        "import sys; from alsmodel.trials import *; from alsmodel.trials.block import Task, run_task;"
        "run_task(Task(Trial(truth=NamedTruth(), n_per_arm=(10,)).scenarios, 0, 2));"
        "print(sorted({'pymc', 'pytensor', 'arviz', 'pandas', 'lifelines', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_reading_settings_loads_no_numba():
    code = "import sys; from alsmodel.trials import TrialSettings; TrialSettings(); print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_random_slope_keeps_its_own_name_per_option():
    both = replace(TRIAL, analyses=(RandomSlope(), RandomSlope(arm_main_effect=True)))
    assert simulate(replace(both, replicates=2)).table["analysis"].n_unique() == 2
    with pytest.raises(ValueError, match="share a name"):
        replace(TRIAL, analyses=(RandomSlope(), RandomSlope(information="observed")))
