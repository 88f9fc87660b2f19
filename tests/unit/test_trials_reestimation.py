"""Sample-size re-estimation inside a simulation: who is in, the size that was set, and the type I error."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.stats import norm

import alsmodel.trials.run
from alsmodel.errors import InvalidInput
from alsmodel.settings import decode, encode
from alsmodel.trials import (
    ANCOVA,
    BlindedEvents,
    BlindedVariance,
    Decision,
    Effect,
    Holm,
    LogRank,
    Look,
    NamedTruth,
    ParallelDesign,
    PromisingSize,
    RealisedInformation,
    Recruitment,
    Trial,
    TrialSettings,
    build,
    example,
)
from alsmodel.trials.analyses import TrialData
from alsmodel.trials.block import Task, run_task, trial_keys
from alsmodel.trials.sequential import GroupSequential
from alsmodel.trials.spending import PocockSpending
from alsmodel.trials.world import assign, enrol, observe

#: True values from few twins: none is looked at here.
simulate = partial(alsmodel.trials.run.simulate, twins=1000)
HALF = Look(when="followed", at=0.5, after=6.0)
PLAIN = ParallelDesign(visits=(0.0, 3.0, 6.0), duration=6.0, dropout_per_month=0.0, recruitment=Recruitment(per_month=(10.0,)))
#: Half of the participants have their last visit at the look, which is half of the information of a comparison at that visit.
PROMISING = PromisingSize(fraction=0.5, low=0.2, target=0.9, most=2.0, look=HALF)
TRIAL = Trial(
    truth=NamedTruth(hazard=(1e-9,), association_value=0.0),
    design=replace(PLAIN, reestimation=PROMISING),
    analyses=(ANCOVA(),),
    decision=Decision(alpha=0.025, side="one-sided"),
    effects=(Effect(name="null"), Effect(name="slower", slowing=0.35)),
    n_per_arm=(50,),
    replicates=4000,
    seed=81,
)
ADDED = ("records", "enlarged", "enlarged_mcse", "at_most")


def at_nominal(power, replicates):
    """Seeds were fixed beforehand; 3 Monte Carlo standard errors of 0.025."""
    return abs(power - 0.025) < 3 * np.sqrt(0.025 * 0.975 / replicates)


def literal(trial, replicates, months_at_look):
    """Each trial walked by itself: the cut at its look, and who is in when `size(data)` participants are wanted."""
    scenario, keys = trial.scenarios[-1], trial_keys(trial, 0, replicates)
    design, n = trial.design, scenario.participants
    enrolled = enrol(trial, keys, scenario.most)
    arm = assign(design, enrolled, keys)
    seen = observe(design, trial.population, enrolled, scenario.effect, arm, keys)
    for r in range(replicates):
        month = np.sort(enrolled.month[r, :n])[int(np.ceil(0.5 * n)) - 1] + months_at_look
        known = month - enrolled.month[r, :n]
        scores = np.where(enrolled.month[r, :n, None] + seen.months[r, :n] <= month, seen.scores[r, :n], np.nan)
        event = (seen.event[r, :n] == 1) & (seen.event_time[r, :n] <= known)
        time = np.clip(np.where(event, seen.event_time[r, :n], np.minimum(known, seen.event_time[r, :n])), 0, None)
        inside = known >= 0
        if month >= enrolled.month[r, :n].max() + design.duration:
            yield r, None, (arm, seen)
        else:
            yield r, (np.where(inside, arm[r, :n], -1), scores, time, event, inside.sum()), (arm, seen)


def analysed(analysis, months, arm, scores, time, event):
    arm, event = (values[None].astype(np.int64) for values in (arm, event))
    return analysis.analyse(TrialData(months=months, scores=scores[None], arm=arm, event_time=time[None], event=event))


def z_of(result):
    return norm.isf(result.p_value[0] / 2) * (1 if result.benefit[0] else -1)


def test_the_promising_zone_is_what_its_formulas_say_trial_by_trial():
    (got,) = run_task(Task(TRIAL.scenarios[-1:], 0, 25))
    months = np.array(PLAIN.visits)
    enlarged = 0
    for r, looked, (arm, seen) in literal(TRIAL, 25, 6.0):
        size, first = 100, None
        if looked is not None:
            who, scores, time, event, came = looked
            first = z_of(analysed(ANCOVA(), months, who, scores, time, event))
            hurdle = (norm.isf(0.025) - np.sqrt(0.5) * first) / np.sqrt(0.5)
            trend = first / np.sqrt(0.5)
            power = norm.cdf(trend * np.sqrt(0.5) - hurdle)
            assert got["interim"][r] == pytest.approx(power, rel=1e-9)
            if 0.2 <= power < 0.9:
                more = min(max(0.5 + ((norm.ppf(0.9) + hurdle) / trend) ** 2, 1.0), 2.0)
                size = max(int(np.ceil(more * 100 / 2 - 1e-9)) * 2, came)
        enlarged += size > 100
        assert got["participants"][r] == size
        kept = arm[r, :size], seen.scores[r, :size], seen.event_time[r, :size], seen.event[r, :size]
        last = z = z_of(analysed(ANCOVA(), months, *kept))
        if first is not None:
            share = 0.5 * 100 / size
            z = np.sqrt(0.5) * first + np.sqrt(0.5) * (last - np.sqrt(share) * first) / np.sqrt(1 - share)
            assert size > 100 or z == pytest.approx(last, rel=1e-9)
        assert got["z"][r] == pytest.approx(z, rel=1e-6)
    assert 0 < enlarged < 25


@pytest.fixture(scope="module")
def promising(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return simulate(TRIAL, folder=folder), folder


def test_two_stages_keep_alpha_and_enlarging_buys_power(promising):
    null, slower = promising[0].table.iter_rows(named=True)
    assert at_nominal(null["power"], 4000)
    assert null["n_total"] == 100
    assert 100 < null["mean_participants"] < slower["mean_participants"] < 200
    assert 0.1 < slower["enlarged"] < 0.6
    assert 0 < slower["at_most"] < slower["enlarged"]
    assert slower["participants_p10"] == slower["participants_p50"] == 100
    assert 100 < slower["participants_p90"] <= 200
    fixed = simulate(replace(TRIAL, design=PLAIN, effects=TRIAL.effects[1:]))
    assert slower["power"] > fixed.table["power"][0] + 3 * np.hypot(slower["mcse"], fixed.table["mcse"][0])
    assert fixed.table["enlarged"][0] is None


def test_two_stages_keep_alpha_where_the_ordinary_test_does_not():
    # Enlarged up to sixfold in the least promising zone alone, where the ordinary test of the same trials claims more often.
    greedy = replace(PROMISING, low=0.0001, target=0.125, most=6.0)
    trial = replace(TRIAL, design=replace(PLAIN, reestimation=greedy), effects=TRIAL.effects[:1], n_per_arm=(30,), seed=82)
    (got,) = run_task(Task(trial.scenarios, 0, 8000))
    ordinary = (got["p_value"] < 0.05) & got["benefit"]
    weighted = got["z"] >= got["bound"]
    assert at_nominal(weighted.mean(), 8000)
    more, fewer = (ordinary & ~weighted).sum(), (weighted & ~ordinary).sum()
    assert more - fewer > 3 * np.sqrt(more + fewer)


def test_the_ordinary_test_with_a_zone_from_one_half_keeps_alpha():
    rule = replace(PROMISING, low=0.5, statistic="ordinary")
    found = simulate(replace(TRIAL, design=replace(PLAIN, reestimation=rule), effects=TRIAL.effects[:1]))
    assert found.table["power"][0] < 0.025 + 3 * np.sqrt(0.025 * 0.975 / 4000)
    assert found.table["enlarged"][0] > 0.01


def test_a_trial_that_keeps_its_size_is_the_same_trial():
    never = BlindedVariance(planned_sd=5.0, most=1.0, look=HALF)
    small = replace(TRIAL, replicates=40)
    kept = simulate(replace(small, design=replace(PLAIN, reestimation=never))).table
    assert kept.drop(ADDED).equals(simulate(replace(small, design=PLAIN)).table.drop(ADDED))


def test_blocks_do_not_change_a_bit():
    small = replace(TRIAL, replicates=30)
    assert simulate(small, block=7).table.equals(simulate(small).table)


@pytest.mark.parametrize("outcome", ["change", "slope"])
def test_the_pooled_sd_sets_the_size_trial_by_trial(outcome):
    planned = {"change": 5.0, "slope": 0.9}[outcome]
    rule = BlindedVariance(planned_sd=planned, outcome=outcome, most=1.8, least=0.8, look=HALF)
    trial = replace(TRIAL, design=replace(PLAIN, reestimation=rule))
    (got,) = run_task(Task(trial.scenarios[-1:], 0, 25))
    sizes = set()
    for r, looked, _ in literal(trial, 25, 6.0):
        size = 100
        if looked is not None:
            who, scores, _, _, came = looked
            there = (who >= 0) & np.isfinite(scores[:, 0]) & np.isfinite(scores[:, 2])
            fits = [np.polyfit(np.array(PLAIN.visits)[np.isfinite(row)], row[np.isfinite(row)], 1)[0] for row in scores[there]]
            values = scores[there, 2] - scores[there, 0] if outcome == "change" else np.array(fits)
            assert got["interim"][r] == pytest.approx(values.std(ddof=1), rel=1e-9)
            size = max(int(np.ceil(min(max((values.std(ddof=1) / planned) ** 2, 0.8), 1.8) * 50 - 1e-9)) * 2, came)
        assert got["participants"][r] == size
        sizes.add(size)
    assert len(sizes) > 5


def test_blinded_variance_keeps_alpha_and_finds_the_size():
    # SD of the change is sqrt(0.76² 6² + 2 x 1.77²) = 5.2 under the default numbers; planned were 4.2.
    rule = BlindedVariance(planned_sd=4.2, most=3.0, look=HALF)
    found = simulate(replace(TRIAL, design=replace(PLAIN, reestimation=rule), effects=TRIAL.effects[:1]))
    row = found.table.row(0, named=True)
    assert at_nominal(row["power"], 4000)
    sd = np.hypot(0.76 * 6, np.sqrt(2) * TRIAL.truth.residual_sd)
    # Up to whole blocks, those who came before the look, and never below the plan: a few per cent.
    assert row["mean_participants"] == pytest.approx(100 * (sd / 4.2) ** 2, rel=0.05)
    assert row["enlarged"] > 0.8


def test_the_pooled_event_rate_sets_the_size():
    rule = BlindedEvents(planned_rate=0.06, most=3.0, look=HALF)
    trial = replace(
        TRIAL, truth=NamedTruth(hazard=(0.03,), association_value=0.0), analyses=(LogRank(),), design=replace(PLAIN, reestimation=rule)
    )
    (got,) = run_task(Task(trial.scenarios[:1], 0, 25))
    for r, looked, _ in literal(replace(trial, effects=trial.effects[:1]), 25, 6.0):
        assert looked is not None
        who, _, time, event, came = looked
        rate = event[who >= 0].sum() / time[who >= 0].sum()
        assert got["interim"][r] == pytest.approx(rate, rel=1e-9)
        wanted = (1 - np.exp(-0.06 * 6)) / (1 - np.exp(-rate * 6)) if rate > 0 else np.inf
        assert got["participants"][r] == max(int(np.ceil(min(max(wanted, 1.0), 3.0) * 50 - 1e-9)) * 2, came)
    assert got["participants"].mean() > 140
    found = simulate(replace(trial, effects=trial.effects[:1], replicates=2000))
    assert at_nominal(found.table["power"][0], 2000)


def test_nobody_comes_between_the_planned_end_of_recruitment_and_the_look():
    quick = replace(PLAIN, recruitment=Recruitment(per_month=(100.0,)), reestimation=BlindedVariance(planned_sd=1.0, most=2.0, look=HALF))
    (got,) = run_task(Task(replace(TRIAL, design=quick).scenarios[:1], 0, 20))
    # Half are in within a month, so the look is after month 6; a hundred more take a month, and are followed for six.
    assert (got["participants"] == 200).all()
    assert (got["duration"] > 12.5).all()


# Together with looks that may stop the trial: one before the size is set anew, one after.
BEFORE, AFTER = Look(when="followed", at=0.3, after=6.0), Look(when="followed", at=0.75, after=6.0)
RULE = BlindedVariance(planned_sd=4.2, most=3.0, look=HALF)
#: 1/SE² of a change of SD 4.2 in 50 per arm.
WATCHED = replace(
    PLAIN,
    reestimation=RULE,
    looks=(BEFORE, AFTER),
    sequential=GroupSequential(fractions=(0.3, 0.75, 1.0), alpha=0.025, efficacy=PocockSpending()),
    information=RealisedInformation(maximum=100 / (4 * 4.2**2)),
)


@pytest.fixture(scope="module")
def watched():
    """The same trials with looks and re-estimation, with re-estimation alone and with looks alone."""
    designs = (WATCHED, replace(PLAIN, reestimation=RULE), replace(WATCHED, reestimation=None))
    effect = Effect(name="slower", slowing=0.6)
    return [run_task(Task(replace(TRIAL, design=d, effects=(effect,)).scenarios, 0, 120))[0] for d in designs]


def test_looks_before_and_after_the_size_is_set_see_the_trial_that_it_is(watched):
    both, sized, looked = watched
    early, late, end = ((both["stop"] == "efficacy") & (both["look"] == k) if k < 3 else both["stop"] == "end" for k in (1, 2, 3))
    assert min(early.sum(), late.sum(), end.sum()) > 8
    # Stopped before: the trial that would never have been enlarged.
    for name in ("estimate", "participants", "duration"):
        np.testing.assert_array_equal(both[name][early], looked[name][early])
        np.testing.assert_array_equal(both[name][end & (both["look"] == 3)], sized[name][end & (both["look"] == 3)])
    np.testing.assert_array_equal(early, (looked["stop"] == "efficacy") & (looked["look"] == 1))
    assert np.isnan(both["interim"][early]).all()
    np.testing.assert_array_equal(both["interim"][late], sized["interim"][late])
    assert (both["participants"][late] <= sized["participants"][late]).all()


def test_a_look_after_the_size_is_set_is_at_a_share_of_the_new_number(watched):
    both, sized, _ = watched
    trial = replace(TRIAL, design=WATCHED, effects=(Effect(name="slower", slowing=0.6),))
    scenario, keys = trial.scenarios[0], trial_keys(trial, 0, 120)
    came = enrol(trial, keys, scenario.most).month
    late = np.flatnonzero((both["stop"] == "efficacy") & (both["look"] == 2))
    for r in late:
        size = sized["participants"][r]
        set_at = np.sort(came[r, :100])[49] + 6.0
        later = came[r] + np.where(np.arange(came.shape[1]) >= 100, max(set_at - came[r, 99], 0.0), 0.0)
        month = np.sort(later[:size])[int(np.ceil(0.75 * size - 1e-9)) - 1] + 6.0
        # Where the planned share had come by the time the size was set, the look came with it as planned.
        planned = np.sort(came[r, :100])[74] + 6.0
        assert both["duration"][r] == pytest.approx(planned if planned <= set_at else max(month, set_at), rel=1e-12)
        assert both["participants"][r] == (later[:size] <= both["duration"][r]).sum()


def test_looks_with_blinded_reestimation_keep_alpha():
    found = simulate(replace(TRIAL, design=WATCHED, effects=TRIAL.effects[:1], replicates=2000))
    row = found.table.row(0, named=True)
    assert at_nominal(row["power"], 2000)
    assert row["enlarged"] > 0.7
    assert row["stopped_efficacy"] > 0.005
    events = replace(WATCHED, reestimation=BlindedEvents(planned_rate=0.06, most=3.0, look=HALF))
    # A quarter of the events planned: 100 participants of whom 1 - exp(-0.06 x 6) have one.
    events = replace(events, information=RealisedInformation(maximum=100 * (1 - np.exp(-0.36)) / 4))
    truth = NamedTruth(hazard=(0.04,), association_value=0.0)
    found = simulate(replace(TRIAL, truth=truth, analyses=(LogRank(),), design=events, effects=TRIAL.effects[:1], replicates=1000))
    assert at_nominal(found.table["power"][0], 1000)
    assert found.table["enlarged"][0] > 0.5


def test_a_told_trial_with_looks_comes_in_the_order_of_the_calendar(watched):
    both = watched[0]
    trial = replace(TRIAL, design=WATCHED, effects=(Effect(name="slower", slowing=0.6),))
    for r in range(8):
        told = example(trial, replicate=r)
        assert [one.month for one in told] == sorted(one.month for one in told)
        assert [one.look for one in told] == list(range(1, len(told) + 1))
        resized = [one for one in told if one.analysis == "blinded re-estimation"]
        assert len(resized) == (not np.isnan(both["interim"][r]))
        assert sum(told[-1].participants) == both["participants"][r]


def test_a_told_trial_shows_its_look():
    told = [example(replace(TRIAL, effects=TRIAL.effects[1:]), replicate=r) for r in range(6)]
    (got,) = run_task(Task(TRIAL.scenarios[-1:], 0, 6))
    for r, one in enumerate(told):
        assert f"goes on to {got['participants'][r]} participants" in one[0].decision
        assert one[-1].z == pytest.approx(got["z"][r])
        assert sum(one[-1].participants) == got["participants"][r]
        assert (one[-1].decision == "claim") == (got["z"][r] >= got["bound"][r])
    blinded = replace(TRIAL, design=replace(PLAIN, reestimation=BlindedVariance(planned_sd=5.0, look=HALF)))
    assert "pooled value" in str(example(blinded)[0])


def test_alpha_belongs_to_the_records_of_the_promising_zone():
    found = simulate(replace(TRIAL, axes={"alpha": (0.01, 0.1)}, replicates=60))
    assert found.table["records"].n_unique() == 4


SECTION = {
    "truth": {"kind": "named"},
    "design": {"recruitment": {"per_month": [10.0]}, "reestimation": {"kind": "promising_zone", "fraction": 0.4}},
}


def test_a_study_file_says_the_same():
    settings = decode(TrialSettings, SECTION)
    assert decode(TrialSettings, encode(settings)) == settings
    assert build(settings, None, 1).design.reestimation == PromisingSize(fraction=0.4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recruitment": None}, "needs recruitment"),
        ({"reestimation": {"kind": "blinded_variance", "planned_sd": 0.0}}, "planned_sd must be above 0"),
        ({"reestimation": {"kind": "blinded_variance", "planned_sd": 1.0, "month": 5.0}}, "one of the visits"),
        ({"reestimation": {"kind": "blinded_events", "planned_rate": 0.1, "most": 0.5}}, "at least 1"),
        ({"reestimation": {"kind": "promising_zone", "statistic": "ordinary"}}, "at least 0.5"),
        ({"looks": [{"when": "enrolled", "at": 0.5}], "boundary": {"kind": "fixed", "efficacy": [2.8, 1.98]}}, "keep one of the two"),
        (
            {
                "looks": [{"when": "enrolled", "at": 0.5}],
                "boundary": {"kind": "fixed", "efficacy": [2.8, 1.98]},
                "reestimation": {"kind": "blinded_events", "planned_rate": 0.1},
            },
            "design.information, the maximum",
        ),
    ],
)
def test_impossible_rules_are_refused(change, said):
    design = {name: value for name, value in (SECTION["design"] | change).items() if value is not None}
    with pytest.raises(InvalidInput) as caught:
        decode(TrialSettings, SECTION | {"design": design})
    assert said in str(caught.value)


def test_a_family_needs_its_own_p_values():
    with pytest.raises(ValueError, match="promising zone"):
        replace(TRIAL, analyses=(ANCOVA(), LogRank()), multiplicity=Holm())
