"""Every analysis that a protocol may name runs on the same virtual trials, points the right way, and leaves other arms out."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import brentq

from alsmodel.errors import InvalidInput
from alsmodel.reports.assemble import simulation
from alsmodel.settings import decode, encode
from alsmodel.trials import (
    ANCOVA,
    MMRM,
    RMST,
    BaselineCovariate,
    Cox,
    Effect,
    JointRank,
    LogRank,
    MaxCombo,
    NamedTruth,
    ParallelDesign,
    ParticipantSlopes,
    Population,
    RandomSlope,
    Responder,
    TimeToDrop,
    Trial,
    TrialSettings,
    WeightedLogRank,
    Win,
)
from alsmodel.trials.block import Task, run_task
from alsmodel.trials.estimands import true_values
from alsmodel.trials.run import simulate

HOMES = {"mmrm": MMRM(), "ancova": ANCOVA(), "responder": Responder(threshold=5.0), "cox": Cox(), "rmst": RMST(horizon=9.0)}
HOMES |= {
    "weighted_logrank": WeightedLogRank(rho=0.5, gamma=0.5),
    "max_combo": MaxCombo(),
    "threshold": TimeToDrop(drop=4.0),
    "two_point_slope": ParticipantSlopes(),
}
HOMES |= {"joint_rank": JointRank(), "win": Win(), "random_slope": RandomSlope(df_method="kenward-roger"), "logrank": LogRank()}
STRONG = Effect(name="strong", slowing=0.9, hazard_ratio=0.2, by_arm=(0.0, 1.0))


@pytest.mark.parametrize("home", HOMES)
def test_an_analysis_points_the_right_way_and_sees_its_own_arm(home: str) -> None:
    if find_spec(f"alsmodel.estimators.{home}") is None:
        pytest.skip(f"alsmodel.estimators.{home} is not there")
    analysis = HOMES[home]
    design = ParallelDesign(visits=(0.0, 3.0, 6.0, 9.0), duration=9.0, allocation=(1, 1, 1))
    truth = NamedTruth(hazard=(0.06,))
    analyses = (analysis, replace(analysis, arm=2))
    trial = Trial(truth=truth, design=design, analyses=analyses, effects=(STRONG,), n_per_arm=(60,), seed=5)
    (got,) = run_task(Task(trial.scenarios, 0, 30))
    first, second = (np.asarray(got["analysis"] == a.label) for a in analyses)
    assert not got["failed"].any()
    assert got["benefit"][second].mean() > 0.9
    assert 0.2 < got["benefit"][first].mean() < 0.8  # arm 1 gets nothing of the effect
    assert (got["p_value"][second] < 0.05).mean() > 0.5
    assert (got["p_value"][first] < 0.05).mean() < 0.3


def test_every_analysis_has_its_words_in_a_study_file() -> None:
    section: dict[str, Any] = {"truth": {"kind": "named"}, "analyses": [encode(a) for a in HOMES.values()], "effects": [{"name": "null"}]}
    settings = decode(TrialSettings, section)
    assert settings.analyses == tuple(HOMES.values())
    with pytest.raises(ValueError, match="horizon lies beyond"):
        TrialSettings(analyses=(RMST(horizon=20.0),))


def test_true_values_of_survival_are_closed_forms_when_nothing_is_mediated(tmp_path: Path) -> None:
    truth = NamedTruth(hazard=(0.05,), association_value=0.0)
    effect = Effect(name="half", hazard_ratio=0.5)
    trial = Trial(truth=truth, analyses=(LogRank(), RMST(horizon=9.0)), effects=(effect,), n_per_arm=(10,))
    values = true_values(trial.scenarios[0], tmp_path, 100_000).values
    # 100,000 twins of each arm with 69,000 events in all: standard error of the log hazard ratio 0.008.
    assert values["log-rank"][0] == pytest.approx(np.log(0.5), abs=0.025)
    wanted = (1 - np.exp(-0.025 * 9)) / 0.025 - (1 - np.exp(-0.05 * 9)) / 0.05
    assert values["RMST to month 9"][0] == pytest.approx(wanted, abs=0.03)
    assert true_values(trial.scenarios[0], tmp_path, 100_000).values == values  # from the cache


def test_a_drop_of_known_times_has_the_true_value_of_its_exponential_deaths(tmp_path: Path) -> None:
    # Nobody drops so far: what is left are deaths, whose hazard ratio is known.
    truth = NamedTruth(hazard=(0.05,), association_value=0.0)
    trial = Trial(truth=truth, analyses=(TimeToDrop(drop=500.0),), effects=(Effect(name="half", hazard_ratio=0.5),), n_per_arm=(10,))
    values = true_values(trial.scenarios[0], tmp_path, 100_000).values
    assert values["time to a drop of 500 points"][0] == pytest.approx(np.log(0.5), abs=0.025)


def test_the_limit_under_ties_is_the_estimate_of_cox_with_efrons_ties() -> None:
    from alsmodel.estimators import fit_cox
    from alsmodel.trials.hazard_limits import Times, cox_limit, grouped_limit

    n, rng = 4000, np.random.default_rng(1)
    exact = rng.exponential(1.0, (2, n)) / np.array([[1.0], [0.6]])
    time, event = np.minimum(np.ceil(exact * 2) / 2, 2.0).ravel(), (exact <= 2).astype(np.float64).ravel()
    arm = np.repeat([0.0, 1.0], n)
    times = Times(time, event, arm, np.ones(2 * n), np.zeros((2 * n, 0)), np.zeros(2 * n, dtype=np.int64))
    (found,) = fit_cox(time[None], event[None].astype(np.int64), arm[None].astype(np.int64)).estimate
    # The integral over shares stands for a sum over thousands of ties.
    assert grouped_limit([times]) == pytest.approx(found, abs=3e-4)
    assert cox_limit([times]) > found + 0.05  # Breslow's ties are nearer to none
    untied = Times(exact.ravel(), np.ones(2 * n), arm, np.ones(2 * n), np.zeros((2 * n, 0)), np.zeros(2 * n, dtype=np.int64))
    assert grouped_limit([untied]) == pytest.approx(cox_limit([untied]), abs=2e-4)


def test_drops_and_slopes_aim_where_their_true_values_are(tmp_path: Path) -> None:
    design = ParallelDesign(visits=(0.0, 3.0, 6.0, 9.0), duration=9.0, dropout_per_month=0.0, missing_visit_probability=0.0)
    analyses = (TimeToDrop(drop=5.0), TimeToDrop(drop=5.0, confirmed=True, test="wald"), ParticipantSlopes(), MaxCombo())
    trial = Trial(
        truth=NamedTruth(hazard=(0.0005,), association_value=0.0),
        design=design,
        analyses=analyses,
        effects=(Effect(name="null"), Effect(name="slower", slowing=0.4)),
        n_per_arm=(150,),
        replicates=300,
        seed=23,
    )
    found = simulate(trial, folder=tmp_path, twins=100_000)
    table = found.table
    assert "max-combo has no true value: a test alone" in repr(found)
    assert "max-combo has no true value: a test alone" in simulation(found, title="Tests")
    for row in table.iter_rows(named=True):
        if row["analysis"] == "max-combo":
            assert row["true_value"] is None
            assert row["coverage"] is None
            assert row["no_true_value"].startswith("a test alone")
            continue
        assert row["no_true_value"] is None
        # Seed fixed beforehand: 3.5 Monte Carlo errors, of trials and twins; a log hazard ratio is biased a little in small samples.
        error = np.hypot(row["bias_mcse"], row["true_value_mcse"] or 0.0)
        assert abs(row["bias"]) < 3.5 * error + (0.01 if "drop" in row["analysis"] else 0.0), row["analysis"]
        assert row["coverage"] > 0.95 - 3.5 * np.sqrt(0.95 * 0.05 / 300)
        if row["effect"] == "null":
            assert abs(row["true_value"]) < 1e-12  # twins with the same numbers
            assert row["power"] < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    strong = table.filter(pl.col("effect") == "slower")
    assert strong["true_value"].drop_nulls().len() == 3
    assert strong.filter(pl.col("analysis") == "slopes of participants, two points")["true_value"][0] == pytest.approx(0.4 * 1.03, abs=0.02)


LATE = Effect(name="late", hazard_ratio_periods=((0.0, 1.0), (6.0, 0.3)))


def average_by_quadrature(rho: float, gamma: float, ratio: float, until: float) -> float:
    """Log of the average hazard ratio of `LATE` at a hazard of 0.06, `ratio` active per control: the zero of the weighted score."""
    month = (np.arange(200_000) + 0.5) * until / 200_000
    hazard = [np.full(month.size, 0.06), np.where(month < 6.0, 0.06, 0.018)]
    alive = [np.exp(-0.06 * month), np.exp(-0.06 * np.minimum(month, 6.0) - 0.018 * np.maximum(month - 6.0, 0.0))]
    share = np.array([1.0, ratio]) / (1.0 + ratio)
    risk = [share[a] * alive[a] for a in (0, 1)]
    both = risk[0] + risk[1]
    weight = both**rho * (1.0 - both) ** gamma
    dying = [hazard[a] * risk[a] for a in (0, 1)]

    def score(beta: float) -> float:
        p = risk[1] * np.exp(beta) / (risk[1] * np.exp(beta) + risk[0])
        return float((weight * (dying[1] - p * (dying[0] + dying[1]))).sum())

    return float(brentq(score, -3.0, 1.0, xtol=1e-10))


@pytest.mark.parametrize("allocation", [(1, 1), (1, 3)])
def test_true_values_of_weighted_tests_are_average_hazard_ratios(tmp_path: Path, allocation: tuple[int, int]) -> None:
    analyses = (
        WeightedLogRank(rho=0.0, gamma=1.0), WeightedLogRank(rho=1.0, gamma=0.0), WeightedLogRank(rho=0.5, gamma=2.0, method="cox"),
        WeightedLogRank(rho=0.0, gamma=1.0, until=9.0), LogRank(),
    )  # fmt: skip
    trial = Trial(
        truth=NamedTruth(hazard=(0.06,), association_value=0.0),
        design=ParallelDesign(visits=(0.0, 9.0, 12.0), duration=12.0, allocation=allocation),
        analyses=analyses,
        effects=(LATE,),
        n_per_arm=(10,),
        seed=4,
    )
    found = true_values(trial.scenarios[0], tmp_path, 100_000)
    ratio = allocation[1] / allocation[0]
    asked = ((0.0, 1.0, 12.0), (1.0, 0.0, 12.0), (0.5, 2.0, 12.0), (0.0, 1.0, 9.0), (0.0, 0.0, 12.0))
    wanted = [average_by_quadrature(rho, gamma, ratio, until) for rho, gamma, until in asked]
    for analysis, value in zip(analyses, wanted, strict=True):
        error = found.error(analysis.label)
        assert error is not None
        # The SE of four blocks has 3 degrees of freedom: 8 of them are one false alarm in 250.
        assert abs(found.values[analysis.label][0] - value) < 8 * error, analysis.label
        assert error < 0.02
    late, early, _, cut, even = (found.values[analysis.label][0] for analysis in analyses)
    # Negative control: weights decide, by far more than the error.
    assert late < even - 0.1
    assert even < early - 0.03
    assert cut > late + 0.1


def test_trials_estimate_the_average_hazard_ratio_and_its_interval_covers_it() -> None:
    stratified = WeightedLogRank(strata=("age > 0",), method="cox")
    trial = Trial(
        truth=NamedTruth(hazard=(0.06,), association_value=0.0),
        population=Population(covariates=(BaselineCovariate(name="age", log_hazard=0.8),)),
        design=ParallelDesign(visits=(0.0, 12.0), duration=12.0, dropout_per_month=0.0),
        analyses=(WeightedLogRank(method="cox"), stratified, WeightedLogRank(), LogRank(method="cox")),
        effects=(LATE,),
        n_per_arm=(200,),
        replicates=400,
        seed=11,
    )
    table = simulate(trial, twins=100_000).table
    weighted, layers, one_step, even = table.iter_rows(named=True)
    for row in (weighted, layers):
        # Seed fixed beforehand: 3.5 Monte Carlo errors of trials and twins, and 2% for the small-sample bias of a ratio.
        assert abs(row["bias"]) < 3.5 * np.hypot(row["bias_mcse"], row["true_value_mcse"]) + 0.02 * abs(row["true_value"]), row["analysis"]
        assert abs(row["coverage"] - 0.95) < 3.5 * np.sqrt(0.05 * 0.95 / 400), row["analysis"]
    assert one_step["true_value"] == weighted["true_value"]
    assert one_step["power"] == weighted["power"]
    # One step from no effect falls short of a large one (on the same trials: 0.009 here), and the weights make another question of it than
    # that of the unweighted.
    assert one_step["mean_estimate"] > weighted["mean_estimate"] + 0.004
    assert weighted["mean_estimate"] < even["true_value"] - 10 * weighted["bias_mcse"]


def test_weighted_tests_find_late_effects_that_the_log_rank_misses() -> None:
    late = LATE
    trial = Trial(
        truth=NamedTruth(hazard=(0.06,), association_value=0.0),
        design=ParallelDesign(visits=(0.0, 12.0), duration=12.0, dropout_per_month=0.0),
        analyses=(LogRank(), WeightedLogRank(rho=0.0, gamma=1.0), MaxCombo()),
        effects=(late, Effect(name="null")),
        n_per_arm=(150,),
        replicates=400,
        seed=6,
    )
    power = {(row["effect"], row["analysis"]): row["power"] for row in simulate(trial, twins=1000).table.iter_rows(named=True)}
    assert power["late", "weighted log-rank (0, 1)"] > power["late", "log-rank"] + 0.08
    assert power["late", "max-combo"] > power["late", "log-rank"]
    for analysis in ("log-rank", "weighted log-rank (0, 1)", "max-combo"):
        assert power["null", analysis] < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(
    ("analysis", "said"),
    [
        ({"kind": "weighted_log_rank", "gamma": -1.0}, "powers of at least 0"),
        ({"kind": "max_combo", "weights": []}, "one to four pairs"),
        ({"kind": "max_combo", "weights": [[0, 1], [0, 1]]}, "repeat a pair"),
        ({"kind": "time_to_drop", "drop": 0.0}, "above 0"),
        ({"kind": "time_to_drop", "strategies": {"rescue": "while on treatment"}}, "cannot express 'while on treatment'"),
        ({"kind": "participant_slopes", "strategies": {"rescue": "composite"}}, "cannot express 'composite'"),
    ],
)
def test_impossible_further_analyses_are_refused(analysis: dict[str, Any], said: str) -> None:
    section = {"truth": {"kind": "named"}, "intercurrent": [{"name": "rescue", "hazard": 0.1}], "analyses": [analysis]}
    with pytest.raises(InvalidInput) as caught:
        decode(TrialSettings, section)
    assert said in str(caught.value)
