"""Alpha spent by the information that came: bounds, type I error with information of every trial's own, and independent increments."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import alsmodel.trials.run
from alsmodel.errors import InvalidInput
from alsmodel.settings import decode, encode
from alsmodel.trials import (
    ANCOVA,
    MMRM,
    RMST,
    Cox,
    Decision,
    Effect,
    FixedBounds,
    JointRank,
    LogRank,
    Look,
    MaxCombo,
    NamedTruth,
    ParallelDesign,
    ParticipantSlopes,
    RandomSlope,
    RealisedInformation,
    Recruitment,
    ReferenceBased,
    Responder,
    TimeToDrop,
    Trial,
    TrialSettings,
    WeightedLogRank,
    Win,
    build,
    example,
    planned_information,
)
from alsmodel.trials.block import trial_keys
from alsmodel.trials.information import RealisedWatch
from alsmodel.trials.opening import final_month, open_data, z_of
from alsmodel.trials.parts import Parts
from alsmodel.trials.sequential import GroupSequential, boundaries
from alsmodel.trials.spending import BetaSpending, FixedFutility, PocockSpending, UserSpending
from alsmodel.trials.world import assign, enrol, observe

#: True values from few twins: none is looked at here.
simulate = partial(alsmodel.trials.run.simulate, twins=1000)
GOLDEN = pl.read_csv(Path(__file__).parents[1] / "goldens" / "group_sequential" / "reference.csv", null_values="NA")
SHARES = UserSpending(fractions=(0.25, 0.6, 1.0), shares=(0.08, 0.4, 1.0))
TWO_LOOKS = GroupSequential(fractions=(0.5, 1.0), alpha=0.025)
DESIGN = ParallelDesign(
    visits=(0.0, 3.0, 6.0, 9.0),
    duration=9.0,
    recruitment=Recruitment(per_month=(8.0,)),
    looks=(Look(when="followed", at=0.5, after=6.0),),
    sequential=TWO_LOOKS,
    information=RealisedInformation(maximum=36.0),
)
TRIAL = Trial(
    truth=NamedTruth(),
    design=DESIGN,
    analyses=(RandomSlope(),),
    decision=Decision(alpha=0.025, side="one-sided"),
    effects=(Effect(name="null"),),
    n_per_arm=(40, 64),
    replicates=3000,
    seed=71,
)


def errors(fraction, maximum=1.0):
    return 1 / np.sqrt(np.asarray(fraction, dtype=float) * maximum)


def watched(design, *fractions):
    """Efficacy and futility bounds of one trial that reaches these fractions, the last its final analysis."""
    watch, on = RealisedWatch(design, 30.0, 1), np.ones(1, dtype=bool)
    looks = [watch.look(k + 1, on, errors([f], 30.0)) for k, f in enumerate(fractions[:-1])]
    last = watch.final(on, errors([fractions[-1]], 30.0))[0]
    return [at.efficacy[0] for at in looks] + [last], [at.futility[0] for at in looks]


@pytest.mark.parametrize(
    ("case", "design"),
    [
        ("asof_3_1", GroupSequential(fractions=(0.5, 0.8, 1.0))),
        ("asp_3_1", GroupSequential(fractions=(0.5, 0.8, 1.0), efficacy=PocockSpending())),
        (
            "user_3_1",
            GroupSequential(fractions=(0.5, 0.8, 1.0), efficacy=UserSpending(fractions=(0.25, 0.6, 1.0), shares=(0.08, 0.4, 1.0))),
        ),
    ],
)
def test_bounds_at_the_information_that_came_are_those_of_rpact(case, design):
    golden = GOLDEN.filter((pl.col("case") == case) & (pl.col("quantity") == "upper")).sort("look")["value"].to_list()
    # Planned at 0.5 and 0.8, opened at 0.25 and 0.6. The grid of many trials at once is good to 1e-5.
    np.testing.assert_allclose(watched(design, 0.25, 0.6, 1.0)[0], golden, rtol=0, atol=1e-5)


@pytest.mark.parametrize("last", [1.3, 1.0, 0.8])
def test_overrun_and_shortfall_end_with_all_of_alpha(last):
    design = GroupSequential(fractions=(0.5, 1.0), futility=BetaSpending())
    alone = boundaries(design, [0.45, last])
    efficacy, futility = watched(design, 0.45, last)
    np.testing.assert_allclose(efficacy, alone.upper, rtol=0, atol=1e-5)
    np.testing.assert_allclose(futility, alone.lower[:1], rtol=0, atol=1e-5)
    assert alone.alpha_spent[-1] == pytest.approx(0.025, abs=1e-9)


def test_a_look_at_the_maximum_is_the_last():
    watch = RealisedWatch(TWO_LOOKS, 30.0, 2)
    at = watch.look(1, np.ones(2, dtype=bool), errors([1.02, 0.6], 30.0))
    assert at.spent.tolist() == [True, False]
    assert at.efficacy[0] == pytest.approx(1.959964, abs=1e-5)


def test_looks_with_nothing_new_are_not_tested_and_spend_nothing():
    design = GroupSequential(fractions=(0.3, 0.6, 1.0), futility=FixedFutility(z=(-9.0, 0.5)))
    watch, on = RealisedWatch(design, 30.0, 3), np.ones(3, dtype=bool)
    first = watch.look(1, on, errors([0.3, np.nan, 0.3], 30.0))
    assert (first.efficacy[1], first.futility[1]) == (np.inf, -np.inf)
    second = watch.look(2, on, errors([0.6, 0.6, 0.3001], 30.0))
    assert (second.efficacy[2], second.futility[2]) == (np.inf, -np.inf)
    assert second.futility[:2].tolist() == [0.5, 0.5]  # named for the second look, though the trial had no first
    last = watch.final(on, errors([1.0, 1.0, 0.9], 30.0))
    for row, fractions in enumerate(([0.3, 0.6, 1.0], [0.6, 1.0], [0.3, 0.9])):
        assert last[row] == pytest.approx(boundaries(replace(design, futility=None), fractions).upper[-1], abs=1e-5)
    falling = RealisedWatch(design, 30.0, 1)
    falling.look(1, on[:1], errors([0.7], 30.0))
    assert 1.9 < falling.final(on[:1], errors([0.65], 30.0))[0] < 2.3


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return simulate(TRIAL, folder=folder), folder


def test_alpha_is_kept_by_trials_with_information_of_their_own(run):
    found, folder = run
    reached = []
    for row in found.table.iter_rows(named=True):
        # Seed fixed beforehand; 3 Monte Carlo standard errors.
        assert abs(row["power"] - 0.025) < 3 * np.sqrt(0.025 * 0.975 / 3000), row["scenario"]
        assert 0 < row["stopped_efficacy"] < row["power"]
        records = Parts(folder).records(row["records"], 3000)
        final = records.filter(pl.col("stop") == "end")
        reached.append(1 / final["standard_error"].to_numpy() ** 2 / 36.0)
        assert final["bound"].n_unique() > 100
    # Sizes chosen so that one falls short of the maximum of 36 and the other overruns.
    assert np.mean(reached[0]) < 0.9
    assert np.mean(reached[1]) > 1.1


def test_unspent_bounds_do_not_keep_alpha():
    loose = replace(DESIGN, information=None, sequential=None, boundary=FixedBounds(efficacy=(1.959964, 1.959964)))
    found = simulate(replace(TRIAL, design=loose, n_per_arm=(40,)))
    assert found.table["power"][0] > 0.025 + 3 * np.sqrt(0.025 * 0.975 / 3000)


def test_the_same_bits_for_other_blocks():
    small = replace(TRIAL, n_per_arm=(40,), replicates=30)
    assert simulate(small, block=7).table.equals(simulate(small).table)


@pytest.mark.parametrize("analysis", [RandomSlope(), LogRank(), ANCOVA(), Responder()], ids=lambda a: a.label)
def test_increments_are_independent_of_what_was_seen(analysis):
    trial = replace(TRIAL, analyses=(analysis,), truth=NamedTruth(hazard=(0.03,)), n_per_arm=(80,), seed=72)
    trials = 1200
    scenario, keys = trial.scenarios[0], trial_keys(trial, 0, trials)
    enrolled = enrol(trial, keys, scenario.participants)
    arm = assign(trial.design, enrolled, keys)
    seen = observe(trial.design, trial.population, enrolled, scenario.effect, arm, keys)
    end = final_month(trial.design, enrolled)
    month = Look(when="followed", at=0.6, after=9.0).cutoff(enrolled.month, seen.event_time, seen.event, end)
    first, last = (analysis.analyse(open_data(trial, enrolled, arm, seen, at).data) for at in (month, None))
    score = [z_of(result) / result.standard_error for result in (first, last)]
    kept = np.isfinite(score[0]) & np.isfinite(score[1])
    assert kept.mean() > 0.99
    correlation = np.corrcoef(score[0][kept], (score[1] - score[0])[kept])[0, 1]
    assert abs(correlation) < 3.3 / np.sqrt(kept.sum())
    # What the check would find: the later z itself goes with the earlier.
    assert np.corrcoef(score[0][kept], score[1][kept])[0, 1] > 0.4


def test_planned_information_is_that_of_the_full_trial():
    one = planned_information(replace(TRIAL, n_per_arm=(64,)), replicates=200)
    found = simulate(replace(TRIAL, n_per_arm=(64,), design=replace(DESIGN, looks=(), sequential=None, information=None), replicates=200))
    # Two independent sets of 200 trials; 1/SE² varies by about a tenth from trial to trial.
    assert one == pytest.approx(1 / found.table["mean_se"][0] ** 2 / 128, rel=0.05)


def test_a_told_trial_shows_its_information():
    told = example(replace(TRIAL, n_per_arm=(40,)), replicate=2)
    assert 0.2 < told[0].information < 0.8
    assert "at information 0." in str(told[0])
    assert told[-1].efficacy != told[0].efficacy


SECTION = {
    "truth": {"kind": "named"},
    "design": {
        "recruitment": {"per_month": [10.0]},
        "looks": [{"when": "followed", "at": 0.5, "after": 6.0}],
        "sequential": {"fractions": [0.5, 1.0]},
        "information": {"per_participant": 0.25},
    },
}


def test_a_study_file_says_the_same():
    settings = decode(TrialSettings, SECTION)
    assert decode(TrialSettings, encode(settings)) == settings
    assert build(settings, None, 1).design.information == RealisedInformation(per_participant=0.25)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"information": {}}, "either maximum or per_participant"),
        ({"information": {"maximum": -3.0}}, "above 0"),
        ({"sequential": {"fractions": [0.5, 1.0], "efficacy": {"kind": "wang_tsiatis", "delta": 0.5}}}, "planned fractions only"),
        ({"sequential": None, "boundary": {"kind": "fixed", "efficacy": [2.8, 1.98]}}, "how sequential spends"),
    ],
)
def test_impossible_information_is_refused(change, said):
    design = {name: value for name, value in (SECTION["design"] | change).items() if value is not None}
    with pytest.raises(InvalidInput) as caught:
        decode(TrialSettings, SECTION | {"design": design})
    assert said in str(caught.value)


def test_futility_that_binds_counts_for_the_looks_that_a_trial_had():
    design = GroupSequential(fractions=(0.4, 0.7, 1.0), futility=FixedFutility(z=(0.0, 0.8), binding=True))
    watched, there = RealisedWatch(design, 1.0, 2), np.ones(2, dtype=bool)
    watched.look(1, there, 1 / np.sqrt([0.4, np.nan]))  # the second trial has no fit at its first look
    second = watched.look(2, there, 1 / np.sqrt([0.7, 0.7]))
    final = watched.final(there, np.ones(2))
    one, two = (boundaries(replace(design, fractions=f, futility=replace(design.futility, z=z))) for f, z in (
        ((0.4, 0.7, 1.0), (0.0, 0.8)), ((0.7, 1.0), (0.8,)),
    ))  # fmt: skip
    # The grid of many trials at once is good to 1e-5.
    np.testing.assert_allclose(second.efficacy, [one.upper[1], two.upper[0]], atol=1e-5)
    np.testing.assert_allclose(final, [one.upper[2], two.upper[1]], atol=1e-5)
    assert second.futility.tolist() == [0.8, 0.8]
    free = boundaries(replace(design, futility=None)).upper
    assert (final < free[2]).all()


@pytest.mark.parametrize(
    "analysis",
    [JointRank(), Win(), RMST(horizon=6.0), ParticipantSlopes(), WeightedLogRank(), ReferenceBased(), MaxCombo()],
    ids=lambda a: a.label,
)
def test_what_has_no_information_of_its_own_does_not_decide_by_it(analysis):
    with pytest.raises(ValueError, match=r"no shown independence of increments.*planned_fractions"):
        replace(TRIAL, analyses=(analysis,))


@pytest.mark.parametrize("analysis", [MMRM(), ANCOVA(), Responder(), Cox(), TimeToDrop()], ids=lambda a: a.label)
def test_what_was_shown_to_have_independent_increments_decides_by_its_information(analysis):
    assert replace(TRIAL, analyses=(analysis,)).design.information is not None
