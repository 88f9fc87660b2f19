"""Families of hypotheses at interim looks: the graph with group-sequential boundaries, by itself and in a simulation."""

import runpy
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from alsmodel.errors import InvalidInput
from alsmodel.reports.assemble import simulation
from alsmodel.settings import decode, encode
from alsmodel.trials import (
    ANCOVA,
    Bonferroni,
    Effect,
    FamilyLooks,
    FixedSequence,
    Graph,
    Hochberg,
    Holm,
    LogRank,
    OperatingCharacteristics,
    OwnLooks,
    Recruitment,
    TrialSettings,
    build,
    example,
)
from alsmodel.trials.families import graph_of
from alsmodel.trials.family_clock import RealisedClock
from alsmodel.trials.family_looks import both_bounds, own_design
from alsmodel.trials.family_watch import FamilyWatch
from alsmodel.trials.multiplicity import graphical
from alsmodel.trials.parts import Parts
from alsmodel.trials.recursion import exit_probabilities
from alsmodel.trials.results import BY_LOOK_COLUMNS
from alsmodel.trials.sequential import GroupSequential, boundaries
from alsmodel.trials.sequential_inference import repeated_p
from alsmodel.trials.spending import FixedFutility, HaybittlePeto, HwangShihDeCani, PocockSpending

family = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("family_trials.py"))))
ALPHA, OBF, SEQUENTIAL, GRAPH = family.ALPHA, family.OBF, family.SEQUENTIAL, family.TWO_BY_TWO
planned, statistics, simulate = family.planned, family.statistics, family.simulate
#: Spending and information of their own.
DESIGNS = (
    OBF,
    own_design(OBF, OwnLooks(efficacy=PocockSpending())),
    own_design(OBF, OwnLooks(fractions=(0.3, 0.8, 1.0))),
    own_design(OBF, OwnLooks(efficacy=HwangShihDeCani(gamma=-2.0))),
)


def walked(graph, z, *, designs=DESIGNS, earlier=False, stop="all"):
    """Look of each rejection (R, m) in trials that go on as they do."""
    family = FamilyWatch(graph, designs, FamilyLooks(earlier_looks=earlier, stop=stop), z.shape[0])
    running = np.ones(z.shape[0], dtype=bool)
    for k in range(z.shape[1]):
        family.test(k + 1, running, z[:, k])
        running &= ~family.stops()
    return family.rejected_at


@lru_cache
def bounds_at(design, level):
    return boundaries(replace(design, alpha=level), capped=True).upper


def literal(graph, z, *, earlier):
    """One trial by the words of the procedure: one hypothesis at a time, boundaries of each level from `boundaries`."""
    looks, m = z.shape
    weights, moves, left, at = np.array(graph.weights), np.array(graph.transitions, dtype=float), set(range(m)), np.zeros(m, dtype=int)
    for k in range(looks):
        while True:
            hit = None
            for i in sorted(left):
                if weights[i] * ALPHA <= 0:
                    continue
                bounds = bounds_at(DESIGNS[i], round(float(weights[i] * ALPHA), 15))
                if any(z[j, i] >= bounds[j] for j in (range(k + 1) if earlier else (k,))):
                    hit = i
                    break
            if hit is None:
                break
            left.discard(hit)
            at[hit] = k + 1
            new = np.zeros((m, m))
            for a in left:
                weights[a] += weights[hit] * moves[hit, a]
                for b in left - {a}:
                    loop = moves[a, hit] * moves[hit, a]
                    new[a, b] = (moves[a, b] + moves[a, hit] * moves[hit, b]) / (1 - loop) if loop < 1 else 0.0
            weights[hit], moves = 0.0, new
    return at


def closure_of(graph, z, designs=DESIGNS):
    """The closed test of these trials at the planned looks."""
    return family.closed(graph, lambda i, level: (z[:, :, i] >= bounds_at(designs[i], level)).any(axis=1))


@pytest.fixture(scope="module")
def promising():
    """Trials in which some hypotheses are rejected at every look."""
    return statistics(planned(DESIGNS, 400), (2.4, 2.8, 2.0, 3.2), seed=5)


@pytest.mark.parametrize("earlier", [False, True])
def test_the_procedure_is_that_of_its_words_trial_by_trial(promising, earlier):
    found = walked(GRAPH, promising, earlier=earlier)
    assert {0, 1, 2, 3} == set(np.unique(found).tolist())
    for r in range(60):
        assert found[r].tolist() == literal(GRAPH, promising[r], earlier=earlier).tolist()


@pytest.mark.parametrize("procedure", [GRAPH, Holm(), FixedSequence(), Bonferroni()], ids=lambda p: p.kind)
def test_with_earlier_looks_it_is_the_closed_test_and_without_it_rejects_no_more(promising, procedure):
    graph = graph_of(procedure, 4)
    closure = closure_of(graph, promising)
    at = walked(graph, promising, earlier=True)
    np.testing.assert_array_equal(at > 0, closure)
    later = walked(graph, promising) > 0
    assert (later <= closure).all()
    assert closure.mean() > 0.2


def test_sequential_p_values_in_the_plain_graph_say_the_same():
    # The route of gsDesign: the smallest level at which each hypothesis has crossed, handed to the fixed-sample graph.
    graph = graph_of(Holm(), 2)
    designs = DESIGNS[:2]
    z = np.random.default_rng(8).normal(2.2, 0.6, (5, 3, 2))
    smallest = np.array([[repeated_p(d, d.fractions, z[r, :, i]).min() for i, d in enumerate(designs)] for r in range(5)])
    rejected = graphical(smallest, graph) <= ALPHA
    assert 0.2 < rejected.mean() < 0.8
    np.testing.assert_array_equal(walked(graph, z, designs=designs, earlier=True) > 0, rejected)


def test_an_example_in_print_rejects_nothing():
    # README of the R package gsMCP: Hwang-Shih-DeCani spending, no hypothesis rejected by the group-sequential weighted Bonferroni graph.
    def design(gamma, first):
        return GroupSequential(fractions=(first, 1.0), alpha=ALPHA, efficacy=HwangShihDeCani(gamma=gamma))

    designs = (design(-4.0, 0.76), design(-4.0, 0.76), design(-2.0, 0.7), design(-2.0, 0.7))
    p = np.array([[0.062, 0.086, 0.155, 0.102], [0.012, 0.013, 0.019, 0.018]])
    assert (walked(GRAPH, norm.isf(p)[None], designs=designs) == 0).all()
    # The same with the first final p value just small enough: 0.0125 are spent, and what was not spent at the first look is left.
    bound = norm.sf(both_bounds(designs[0], 0.0125)[0][1])
    assert bound < 0.012
    p[1, 0] = bound - 1e-6
    assert walked(GRAPH, norm.isf(p)[None], designs=designs)[0].tolist()[0] == 2


def test_one_look_is_the_plain_graph():
    design = GroupSequential(fractions=(1.0,), alpha=ALPHA)
    z = np.random.default_rng(3).normal(1.8, 1.0, (3000, 1, 4))
    for procedure in (GRAPH, Holm(), FixedSequence(), Bonferroni()):
        rejected = procedure.adjust(norm.sf(z[:, 0])) <= ALPHA
        np.testing.assert_array_equal(walked(graph_of(procedure, 4), z, designs=(design,) * 4) > 0, rejected)


def test_one_hypothesis_is_the_group_sequential_design():
    z = statistics(planned(DESIGNS, 4000), (2.5, 0, 0, 0), seed=9)[:, :, :1]
    at = walked(Graph(weights=(1.0,), transitions=((0.0,),)), z, designs=DESIGNS[:1])[:, 0]
    crossed = z[:, :, 0] >= boundaries(OBF).upper
    np.testing.assert_array_equal(at, np.where(crossed.any(axis=1), crossed.argmax(axis=1) + 1, 0))


@pytest.mark.parametrize("means", [(0, 0, 0, 0), (3.5, 0, 0, 0), (3.0, 3.5, 0, 0), (0, 0, 4.0, 4.0)])
@pytest.mark.parametrize("earlier", [False, True])
def test_family_wise_error_is_kept_under_global_and_partial_nulls(means, earlier):
    size = 40_000
    z = statistics(planned(DESIGNS, size), means, seed=17)
    rejected = walked(GRAPH, z, earlier=earlier) > 0
    false = rejected[:, np.array(means) == 0].any(axis=1).mean()
    # Seed fixed beforehand; 3 Monte Carlo standard errors.
    assert false < ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / size)
    if not any(means):
        unspent = (z >= np.array([boundaries(d).upper for d in DESIGNS]).T).any(axis=(1, 2)).mean()
        assert unspent > ALPHA + 20 * np.sqrt(ALPHA * (1 - ALPHA) / size)  # without a family it is not


def test_levels_that_rise_lower_every_boundary():
    for design in DESIGNS:
        rows = np.array([both_bounds(design, level)[0] for level in (0.001, 0.005, 0.0125, 0.02, 0.025)])
        assert (np.diff(rows, axis=0) < 0).all()
    assert both_bounds(OBF, 0.0)[0] == (np.inf,) * 3


# In a simulation

TRIAL = replace(
    family.TRIAL,
    design=replace(
        family.TRIAL.design, allocation=(1, 1, 1), dropout_per_month=0.0, recruitment=Recruitment(per_month=(12.0,))
    ),
    analyses=(ANCOVA(), LogRank(), ANCOVA(arm=2)),
    effects=(
        Effect(name="null"),
        Effect(name="one dose", slowing=0.7, hazard_ratio=0.5, by_arm=(1.0, 0.0)),
    ),
    n_per_arm=(40,),
    replicates=2000,
    seed=41,
)  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return simulate(TRIAL, folder=folder), folder


def test_family_wise_error_of_simulated_trials_is_kept(found):
    null, one = found[0].family.iter_rows(named=True)
    for row in (null, one):
        assert row["family_wise_error"] < ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / 2000)
    assert (null["true_nulls"], one["true_nulls"]) == (3, 1)
    assert one["at_least_one"] > 0.7


def test_what_is_rejected_by_look_adds_up(found):
    table, looks = found[0].table, found[0].by_look
    assert tuple(looks.columns) == tuple(BY_LOOK_COLUMNS)
    for row in table.iter_rows(named=True):
        mine = looks.filter(pl.col("scenario") == row["scenario"], pl.col("hypothesis") == row["analysis"]).sort("look")
        assert mine["by_then"][-1] == row["adjusted_power"] == row["power"]
        assert mine["rejected"].sum() == pytest.approx(row["power"], abs=1e-12)
    family = found[0].family.row(1, named=True)
    last = {row["hypothesis"]: row["by_then"] for row in looks.filter(pl.col("look") == 2, pl.col("effect") == "one dose").to_dicts()}
    assert last["at least one"] == family["at_least_one"]
    assert last["all"] == family["all"]
    # With one dose without effect few trials have everything at the look, and the others go on.
    stopped = table.filter(pl.col("effect") == "one dose")["stopped_efficacy"][0]
    early = looks.filter(pl.col("look") == 1, pl.col("effect") == "one dose", pl.col("hypothesis") == "all")["by_then"][0]
    assert stopped == early


def test_records_are_the_procedure_on_their_own_z(found):
    records = Parts(found[1]).records(found[0].table["records"][-1], 2000)
    for label, rows in records.group_by("analysis"):
        at = rows["rejected_at"].to_numpy()
        final = at == rows["look"].to_numpy()
        z, bound = rows["z"].to_numpy(), rows["bound"].to_numpy()
        # Whoever is rejected at the data of the record has crossed there, and the rest have not.
        assert (z[final] >= bound[final]).all(), label
        assert not (z[at == 0] >= bound[at == 0]).any(), label


def test_a_first_hypothesis_alone_is_the_trial_without_a_family():
    sequence = FixedSequence(looks=FamilyLooks(stop="any"), hypotheses=("ANCOVA", "log-rank"))
    small = replace(TRIAL, replicates=300, effects=TRIAL.effects[1:])
    one, plain = simulate(replace(small, multiplicity=sequence)), simulate(replace(small, multiplicity=None))
    kept = ["power", "mean_estimate", "stopped_efficacy", "mean_participants", "mean_duration"]
    assert one.table.select(kept).row(0) == plain.table.select(kept).row(0)
    assert 0.05 < one.table["stopped_efficacy"][0] < 0.95


def test_futility_needs_every_hypothesis_that_is_left():
    sequential = replace(SEQUENTIAL, futility=FixedFutility(z=(0.3,)))
    trial = replace(TRIAL, design=replace(TRIAL.design, sequential=sequential), effects=TRIAL.effects[:1], replicates=200)
    table = simulate(trial).table
    assert 0.2 < table["stopped_futility"][0] < 0.6  # three correlated z below 0.3
    alone = simulate(replace(trial, multiplicity=None)).table
    assert alone["stopped_futility"][0] > table["stopped_futility"][0] + 0.05


def test_a_told_trial_shows_level_and_boundary_of_every_hypothesis(found):
    records = Parts(found[1]).records(found[0].table["records"][-1], 40)
    trial = replace(TRIAL, effects=TRIAL.effects[1:])
    seen = set()
    for r in range(12):
        told = example(trial, replicate=r)
        mine = records.filter(pl.col("replicate") == r)
        for at, label in zip(mine["rejected_at"], mine["analysis"], strict=True):
            said = [one for one in told if one.analysis == label and one.decision.startswith("rejected at level")]
            assert [one.look for one in said] == ([at] if at else [])
            assert all(one.z >= one.efficacy and 0 < one.level <= ALPHA for one in said)
            seen.add(at)
        assert told[-1].look == mine["look"][0]
    assert seen == {0, 1, 2}


def test_results_are_read_back_and_blocks_change_nothing(tmp_path):
    small = replace(TRIAL, replicates=40)
    one = simulate(small)
    one.save(tmp_path / "trial")
    assert OperatingCharacteristics.load(tmp_path / "trial").by_look.equals(one.by_look)
    assert "by look 2" in repr(one)
    page = simulation(one, title="A family at looks")
    assert "Hypotheses by look" in page
    assert "By look 2 (MCSE)" in page
    assert simulate(small, block=9).by_look.equals(one.by_look)


SECTION = {
    "truth": {"kind": "named"},
    "alpha": 0.025,
    "side": "one-sided",
    "design": {
        "recruitment": {"per_month": [10.0]},
        "looks": [{"when": "enrolled", "at": 0.5}],
        "sequential": {"fractions": [0.5, 1.0]},
    },
    "analyses": [{"kind": "random_slope"}, {"kind": "log_rank"}],
    "multiplicity": {"kind": "holm", "looks": {"stop": "any", "own": {"log-rank": {"fractions": [0.4, 1.0]}}}},
}


def test_a_study_file_says_the_same():
    settings = decode(TrialSettings, SECTION)
    assert decode(TrialSettings, encode(settings)) == settings
    assert build(settings, None, 1).multiplicity == Holm(looks=FamilyLooks(stop="any", own={"log-rank": OwnLooks(fractions=(0.4, 1.0))}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"multiplicity": {"kind": "hochberg"}}, "use Holm's"),
        ({"alpha": 0.05}, "the same alpha"),
        ({"side": "two-sided"}, "the same alpha and the same side"),
        ({"multiplicity": {"kind": "holm", "looks": {"own": {"cox": {}}}}}, "no hypothesis of the family"),
        ({"multiplicity": {"kind": "holm", "looks": {"own": {"log-rank": {"fractions": [1.0]}}}}}, "one per look and the last"),
        ({"multiplicity": {"kind": "holm", "looks": {"own": {"log-rank": {"fractions": [0.7, 0.6]}}}}}, "must end with 1"),
    ],
)
def test_what_cannot_be_tested_at_looks_is_refused(change, said):
    with pytest.raises(InvalidInput) as caught:
        decode(TrialSettings, SECTION | change)
    assert said in str(caught.value)


def test_futility_that_binds_is_refused_in_a_family():
    binding = replace(SEQUENTIAL, futility=FixedFutility(z=(0.0,), binding=True))
    with pytest.raises(ValueError, match="multiplicity with looks"):
        replace(TRIAL, design=replace(TRIAL.design, sequential=binding))
    with pytest.raises(ValueError, match="no graph"):
        graph_of(Hochberg(), 3)


# Haybittle-Peto

PETO = GroupSequential(fractions=(0.4, 0.7, 1.0), alpha=ALPHA, efficacy=HaybittlePeto())
#: One with two bounds of the kind, beside spending functions.
MIXED = (PETO, own_design(OBF, OwnLooks(efficacy=HaybittlePeto(z=2.8), fractions=(0.3, 0.8, 1.0))), DESIGNS[1], PETO)


@pytest.mark.parametrize("level", [0.025, 0.003, 0.002, 0.0013, 0.0004])
def test_interim_looks_of_haybittle_and_peto_spend_no_more_than_a_level_has(level):
    upper = np.array(both_bounds(PETO, level)[0])
    assert (upper >= [3.0, 3.0, -np.inf]).all()
    up, _ = exit_probabilities(PETO.fractions, np.full(3, -np.inf), upper)
    assert up.sum() == pytest.approx(level, abs=1e-9)
    # z = 3 alone at both looks spends 0.0022.
    assert (upper[1] == 3.0) == (level > 0.0023)
    assert np.isinf(upper[2]) == (level < 0.0022)


def test_levels_that_rise_never_raise_a_boundary_of_haybittle_and_peto():
    rows = np.array([both_bounds(PETO, level)[0] for level in np.geomspace(1e-5, 0.025, 60)])
    with np.errstate(invalid="ignore"):
        assert not (np.diff(rows, axis=0) > 1e-9).any()


def test_families_with_haybittle_and_peto_are_the_closed_test_and_keep_the_error():
    z = statistics(planned(MIXED, 400), (2.4, 2.8, 2.0, 3.2), seed=5)
    closure = closure_of(GRAPH, z, MIXED)
    np.testing.assert_array_equal(walked(GRAPH, z, designs=MIXED, earlier=True) > 0, closure)
    assert ((walked(GRAPH, z, designs=MIXED) > 0) <= closure).all()
    assert closure.mean() > 0.2
    size = 40_000
    for means in ((0, 0, 0, 0), (3.0, 3.5, 0, 0)):
        z = statistics(planned(MIXED, size), means, seed=17)
        false = (walked(GRAPH, z, designs=MIXED, earlier=True) > 0)[:, np.array(means) == 0].any(axis=1).mean()
        # Seed fixed beforehand; 3 Monte Carlo standard errors.
        assert false < ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / size)


def test_by_the_information_that_came_interim_looks_are_capped_too():
    clock = RealisedClock(PETO, 20.0, 1)
    for k, fraction in enumerate(PETO.fractions):
        clock.see(k + 1, np.ones(1, dtype=bool), np.array([1 / np.sqrt(fraction * 20.0)]), k == 2)
    for level in (0.0125, 0.002, 0.0004):
        # The grid of many trials at once is good to 1e-5.
        np.testing.assert_allclose(clock.bounds(np.arange(1), level)[0][0], both_bounds(PETO, level)[0], rtol=0, atol=1e-5)


def test_one_hypothesis_of_a_simulated_trial_may_have_them(tmp_path):
    def trial(z):
        looks = FamilyLooks(own={"log-rank": OwnLooks(efficacy=HaybittlePeto(z=z))})
        return replace(TRIAL, replicates=300, effects=TRIAL.effects[1:], multiplicity=Holm(looks=looks))

    found = simulate(trial(2.6), folder=tmp_path)
    rows = Parts(tmp_path).records(found.table["records"][0], 300)
    early = rows.filter(pl.col("analysis") == "log-rank", pl.col("rejected_at") == 1)
    assert early.height > 10
    assert (early["bound"] == 2.6).all()
    with pytest.raises(ValueError, match=r"log-rank: z = 1\.5 at the interim looks spends .* more than alpha"):
        trial(1.5)
