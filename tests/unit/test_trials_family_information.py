"""Families at looks by the information that came, with beta spending, two-sided, and with a size that is set anew."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from alsmodel.errors import InvalidInput
from alsmodel.settings import decode, encode
from alsmodel.trials import (
    Decision,
    Effect,
    FamilyLooks,
    FixedSequence,
    Graph,
    Holm,
    JointRank,
    Look,
    OwnLooks,
    RealisedInformation,
    TrialSettings,
    build,
    example,
    planned_information,
)
from alsmodel.trials.families import graph_of
from alsmodel.trials.family_clock import PlannedClock, RealisedClock
from alsmodel.trials.family_looks import own_design
from alsmodel.trials.family_watch import FamilyWatch
from alsmodel.trials.parts import Parts
from alsmodel.trials.reestimation import BlindedVariance
from alsmodel.trials.sequential import GroupSequential, boundaries, planned_drift
from alsmodel.trials.spending import BetaSpending, FixedFutility, PocockSpending, WangTsiatis

family = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("family_trials.py"))))
ALPHA, OBF, statistics, simulate = family.ALPHA, family.OBF, family.statistics, family.simulate
DESIGNS = (OBF, own_design(OBF, OwnLooks(efficacy=PocockSpending())), own_design(OBF, OwnLooks(fractions=(0.3, 0.8, 1.0))))
GRAPH = Graph(weights=(0.5, 0.5, 0.0), transitions=((0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)))
MAXIMA = (30.0, 12.0, 5.0)
M, K = 3, 3


def information(size, seed):
    """Fractions (R, K, m) that stray from the plan: looks with nothing new or at the maximum, trials that overrun or fall short."""
    rng = np.random.default_rng(seed)
    planned = np.array([design.fractions for design in DESIGNS]).T
    fractions = np.cumsum(np.diff(planned, axis=0, prepend=0.0) * rng.uniform(0.4, 1.5, (size, K, M)), axis=1)
    stuck = rng.uniform(size=(size, M)) < 0.15
    fractions[:, 1][stuck] = fractions[:, 0][stuck] + 0.002
    return fractions


def walked(graph, z, fractions, *, designs=DESIGNS, maxima=MAXIMA, earlier=False):
    """Look of each rejection (R, m) in trials that go on until everything is rejected or spent."""
    family = FamilyWatch(graph, designs, FamilyLooks(earlier_looks=earlier), z.shape[0], (), maxima)
    running = np.ones(z.shape[0], dtype=bool)
    scale = np.array([1.0 if each is None else each for each in maxima])
    for k in range(K):
        family.test(k + 1, running, z[:, k], 1 / np.sqrt(fractions[:, k] * scale), last=k == K - 1)
        running &= ~family.stops() & ~family.exhausted()
    return family.rejected_at


def own_bounds(design, level, reached):
    """Boundaries of one hypothesis of one trial by `boundaries`, at its looks that count; infinite at the others."""
    found, kept = np.full(K, np.inf), []
    for k, fraction in enumerate(reached):
        before = reached[kept[-1]] if kept else 0.0
        if before < 1 and (fraction >= before + 0.01 or k == K - 1):
            kept.append(k)
    at = np.array([reached[k] for k in kept])
    if len(at) > 1:
        at[-1] = max(at[-1], at[-2] + 0.01)
    found[kept] = boundaries(replace(design, alpha=level), at, last=True).upper
    return found


def closure_of(graph, z, fractions):
    """The closed test of each trial at its own information."""

    def crossed(i, level):
        return np.array([(z[r, :, i] >= own_bounds(DESIGNS[i], level, fractions[r, :, i])).any() for r in range(z.shape[0])])

    return family.closed(graph, crossed)


def test_with_earlier_looks_it_is_the_closed_test_at_the_information_of_each_trial():
    fractions = information(60, seed=2)
    z = statistics(fractions, (2.6, 2.8, 2.4), seed=3)
    assert (fractions[:, :2] >= 1).any()
    assert (fractions[:, 2] < 1).any()
    found = walked(GRAPH, z, fractions, earlier=True) > 0
    closure = closure_of(GRAPH, z, fractions)
    np.testing.assert_array_equal(found, closure)
    assert 0.3 < closure.mean() < 0.8
    assert ((walked(GRAPH, z, fractions) > 0) <= closure).all()


def test_at_the_planned_fractions_the_bounds_are_those_planned():
    rows = np.arange(2)
    for design, maximum in zip(DESIGNS, MAXIMA, strict=True):
        came, planned = RealisedClock(design, maximum, 2), PlannedClock(design, 2)
        for k, fraction in enumerate(design.fractions):
            came.see(k + 1, np.ones(2, dtype=bool), np.full(2, 1 / np.sqrt(fraction * maximum)), k == K - 1)
        for level in (0.025, 0.0125, 0.003):
            # The grid of many trials at once is good to 1e-5.
            np.testing.assert_allclose(came.bounds(rows, level)[0], planned.bounds(rows, level)[0], rtol=0, atol=1e-5)
        assert np.isinf(came.bounds(rows, 0.0)[0]).all()


def test_a_failed_last_fit_leaves_the_bounds_of_earlier_looks_as_they_were():
    clock = RealisedClock(OBF, 30.0, 1)
    for k, fraction in enumerate((0.4, 0.7, np.nan)):
        clock.see(k + 1, np.ones(1, dtype=bool), np.array([1 / np.sqrt(fraction * 30.0)]), k == 2)
    upper = clock.bounds(np.arange(1), ALPHA)[0][0]
    np.testing.assert_allclose(upper[:2], boundaries(OBF).upper[:2], atol=1e-5)
    assert upper[2] == np.inf


@pytest.mark.parametrize("means", [(0, 0, 0), (3.5, 0, 0)])
def test_family_wise_error_is_kept_at_the_information_of_each_trial(means):
    size = 2000
    fractions = information(size, seed=29)
    z = statistics(fractions, means, seed=31)
    false = (walked(GRAPH, z, fractions, earlier=True) > 0)[:, np.array(means) == 0].any(axis=1).mean()
    # Seed fixed beforehand; 3 Monte Carlo standard errors.
    assert false < ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / size)
    if not any(means):  # planned boundaries for each at the whole alpha, at whatever information, do not keep it
        whole = (z >= np.array([boundaries(d).upper for d in DESIGNS]).T).any(axis=(1, 2)).mean()
        assert whole > ALPHA + 6 * np.sqrt(ALPHA * (1 - ALPHA) / size)


# Beta spending

SPENDS_BETA = GroupSequential(fractions=(0.5, 1.0), alpha=ALPHA, futility=BetaSpending(beta=0.1))


def test_one_hypothesis_stops_at_the_futility_boundary_of_its_design():
    alone = Graph(weights=(1.0,), transitions=((0.0,),))
    family = FamilyWatch(alone, (own_design(SPENDS_BETA, OwnLooks()),), FamilyLooks(), 2)
    bound = boundaries(SPENDS_BETA).lower[0]
    z = np.array([[bound - 1e-9], [bound + 1e-9]])
    family.test(1, np.ones(2, dtype=bool), z)
    assert family.hopeless(1, z).tolist() == [True, False]


def test_futility_is_at_the_level_that_a_hypothesis_has_and_of_all_that_are_left():
    half = boundaries(replace(SPENDS_BETA, alpha=ALPHA / 2))
    whole = boundaries(SPENDS_BETA)
    assert half.drift == planned_drift(replace(SPENDS_BETA, alpha=ALPHA / 2))
    design = own_design(SPENDS_BETA, OwnLooks())
    high, low = half.upper[0] + 0.1, min(half.lower[0], whole.lower[0]) - 0.1
    between = (half.lower[0] + whole.lower[0]) / 2
    z = np.array([[low, low], [high, between], [low, 2.5], [low, np.nan]])
    family = FamilyWatch(graph_of(Holm(), 2), (design, design), FamilyLooks(), 4)
    family.test(1, np.ones(4, dtype=bool), z)
    # The second trial has rejected one, so that the other is held against the boundary of the whole alpha.
    assert family.hopeless(1, z).tolist() == [True, between <= whole.lower[0], False, False]
    assert family.lower[1, 1] == pytest.approx(whole.lower[0])
    # In a fixed sequence the second waits for the first and has no hope of its own.
    sequence = FamilyWatch(graph_of(FixedSequence(), 2), (design, design), FamilyLooks(), 1)
    ahead = np.array([[whole.lower[0] - 0.1, 2.0]])
    sequence.test(1, np.ones(1, dtype=bool), ahead)
    assert sequence.hopeless(1, ahead).tolist() == [True]


# In a simulation

DESIGN = replace(family.TRIAL.design, information=RealisedInformation(per_participant=0.014))
OWN = FamilyLooks(own={"log-rank": OwnLooks(information=RealisedInformation(maximum=7.0))})
TRIAL = replace(
    family.TRIAL,
    design=DESIGN,
    effects=(Effect(name="null"), Effect(name="works", slowing=0.7, hazard_ratio=0.4)),
    n_per_arm=(48,),
    replicates=400,
    seed=83,
    multiplicity=Holm(looks=OWN),
)


def test_simulated_trials_keep_the_error_and_say_at_what_information(tmp_path):
    found = simulate(TRIAL, folder=tmp_path)
    null, works = found.family.iter_rows(named=True)
    assert null["family_wise_error"] < ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / TRIAL.replicates)
    assert works["at_least_one"] > 0.6
    assert simulate(replace(TRIAL, replicates=30), block=7).table.equals(simulate(replace(TRIAL, replicates=30)).table)
    records = Parts(tmp_path).records(found.table["records"][-1], 12)
    trial = replace(TRIAL, effects=TRIAL.effects[1:])
    for r in range(12):
        told = example(trial, replicate=r)
        mine = records.filter(records["replicate"] == r)
        for at, label, error in zip(mine["rejected_at"], mine["analysis"], mine["standard_error"], strict=True):
            said = [one for one in told if one.analysis == label]
            assert [one.look for one in said if one.decision.startswith("rejected at level")] == ([at] if at else [])
            fractions = [one.information for one in said]
            assert np.isfinite(fractions).any()
            if len(said) == told[-1].look and np.isfinite(fractions).all():
                came = 1 / error**2 / (7.0 if label == "log-rank" else 0.014 * 96)
                least = [fraction + 0.01 for fraction in fractions[:-1]]  # what hardly rose by the end counts as risen by so much
                assert fractions[-1] == pytest.approx(max([came, *least]))


def test_the_planned_information_of_any_hypothesis_can_be_found():
    small = replace(TRIAL, effects=TRIAL.effects[:1])
    events = planned_information(small, replicates=60, analysis="log-rank") * 96
    # 1/SE² of a log hazard ratio in two equal arms is a quarter of the events, of whom 0.25 or so of 96 are seen in 6 months.
    assert events == pytest.approx(96 * 0.28 / 4, rel=0.15)
    with pytest.raises(ValueError, match="Did you mean log-rank"):
        planned_information(small, analysis="log-rnk")


def test_two_sided_is_one_sided_at_half_for_the_side_of_benefit():
    both = replace(DESIGN.sequential, alpha=2 * ALPHA, side="two-sided")
    small = replace(TRIAL, replicates=60)
    two = replace(small, design=replace(DESIGN, sequential=both), decision=Decision(alpha=2 * ALPHA, side="two-sided"))
    kept = ["adjusted_power", "mean_estimate", "stopped_efficacy", "mean_duration"]
    assert simulate(two).table.select(kept).equals(simulate(small).table.select(kept))


def test_a_family_may_stop_for_futility_that_spends_beta():
    futile = replace(DESIGN, sequential=replace(DESIGN.sequential, futility=BetaSpending(beta=0.2)))
    small = replace(TRIAL, replicates=200)
    plain, stopping = simulate(small).table, simulate(replace(small, design=futile)).table
    assert plain["stopped_futility"].max() == 0
    null, works = (stopping.filter(stopping["effect"] == name)["stopped_futility"][0] for name in ("null", "works"))
    assert null > 0.15 > works
    # Not binding: the efficacy boundaries are those without it, and no more is rejected.
    assert (stopping["adjusted_power"] <= plain["adjusted_power"]).all()


def test_a_size_set_anew_beside_a_family_at_looks():
    def rule(planned):
        return replace(DESIGN, reestimation=BlindedVariance(planned_sd=planned, look=Look(when="followed", at=0.4, after=6.0), most=1.5))

    small = replace(TRIAL, replicates=40, effects=TRIAL.effects[:1])
    plain, kept = simulate(small).table, simulate(replace(small, design=rule(100.0))).table
    same = ["adjusted_power", "mean_estimate", "mean_participants", "mean_duration", "stopped_efficacy"]
    assert kept.select(same).equals(plain.select(same))  # nobody is added: the trials are those without it
    more = simulate(replace(small, design=rule(0.1)))
    assert more.table["mean_participants"][0] > plain["mean_participants"][0] + 20
    told = example(replace(small, design=rule(0.1)))
    assert any("participants, planned were 96" in one.decision for one in told)
    assert [one.month for one in told] == sorted(one.month for one in told)


SECTION = {
    "truth": {"kind": "named"},
    "alpha": 0.025,
    "side": "one-sided",
    "design": {
        "recruitment": {"per_month": [10.0]},
        "looks": [{"when": "enrolled", "at": 0.5}],
        "sequential": {"fractions": [0.5, 1.0], "futility": {"kind": "beta_spending"}},
        "information": {"maximum": 36.0},
    },
    "analyses": [{"kind": "random_slope"}, {"kind": "log_rank"}, {"kind": "joint_rank"}],
    "multiplicity": {"kind": "holm", "looks": {"own": {"log-rank": {"information": {"maximum": 20.0}}}}},
}


def test_a_study_file_says_the_same():
    settings = decode(TrialSettings, SECTION)
    assert decode(TrialSettings, encode(settings)) == settings
    own = build(settings, None, 1).multiplicity.looks.own
    assert own == {"log-rank": OwnLooks(information=RealisedInformation(maximum=20.0))}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"own": {"joint rank": {"information": {"maximum": 9.0}}}}, "joint rank: 1/SE² of it has no shown independence of increments"),
        ({"own": {"log-rank": {"information": {"maximum": -1.0}}}}, "maximum is 1/SE², above 0"),
        (
            {"own": {"log-rank": {"information": {"maximum": 9.0}, "efficacy": {"kind": "wang_tsiatis"}}}},
            "information needs a spending function",
        ),
    ],
)
def test_impossible_information_of_a_hypothesis_is_refused(changed, said):
    with pytest.raises(InvalidInput) as caught:
        decode(TrialSettings, SECTION | {"multiplicity": {"kind": "holm", "looks": changed}})
    assert said in str(caught.value)


def test_what_a_family_cannot_do_is_refused_with_its_reason():
    binding = replace(DESIGN.sequential, futility=FixedFutility(z=(0.0,), binding=True))
    shape = replace(DESIGN.sequential, efficacy=WangTsiatis())
    for sequential, said in ((binding, "goes on past the bound of one"), (shape, "holds at planned fractions only")):
        with pytest.raises(ValueError, match=said):
            replace(TRIAL, design=replace(DESIGN, information=None, sequential=sequential))
    with pytest.raises(ValueError, match="no hypothesis of the family"):
        replace(TRIAL, analyses=(JointRank(), *TRIAL.analyses), multiplicity=Holm(hypotheses=("ANCOVA", "log-rank"), looks=OWN))
    with pytest.raises(ValueError, match="log-rank need"):
        replace(TRIAL, design=replace(DESIGN, reestimation=BlindedVariance(planned_sd=5.0)), multiplicity=Holm())
