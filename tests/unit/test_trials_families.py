"""Families of hypotheses inside a simulation: the shares are those of the records, and the type I error is kept."""

from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
import polars as pl
import pytest

import alsmodel.trials.run
from alsmodel.errors import InvalidInput
from alsmodel.settings import decode, encode
from alsmodel.trials import (
    ANCOVA,
    Bonferroni,
    Decision,
    Effect,
    FixedBounds,
    FixedSequence,
    Graph,
    Hochberg,
    Holm,
    LogRank,
    Look,
    NamedTruth,
    OperatingCharacteristics,
    ParallelDesign,
    Recruitment,
    Trial,
    TrialSettings,
    build,
    example,
)
from alsmodel.trials.families import true_nulls
from alsmodel.trials.parts import Parts
from alsmodel.trials.results import FAMILY_COLUMNS
from alsmodel.trials.trial import Scenario

#: True values from few twins: none is looked at here.
simulate = partial(alsmodel.trials.run.simulate, twins=1000)
ARMS = (LogRank(), LogRank(arm=2), ANCOVA(), ANCOVA(arm=2))
LABELS = tuple(analysis.label for analysis in ARMS)
GRAPH = Graph(weights=(0.5, 0.5, 0.0, 0.0), transitions=((0, 0.5, 0.5, 0), (0.5, 0, 0, 0.5), (0, 1.0, 0, 0), (1.0, 0, 0, 0)))
TRIAL = Trial(
    truth=NamedTruth(hazard=(0.05,), association_value=0.0),
    design=ParallelDesign(visits=(0.0, 3.0, 6.0), duration=6.0, allocation=(1, 1, 1), dropout_per_month=0.0),
    analyses=ARMS,
    effects=(
        Effect(name="null"),
        Effect(name="one dose works", slowing=0.5, hazard_ratio=0.4, by_arm=(1.0, 0.0)),
        Effect(name="both work", slowing=0.5, hazard_ratio=0.4),
    ),
    n_per_arm=(40,),
    replicates=2000,
    seed=31,
    multiplicity=Holm(),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("records")
    simulate(TRIAL, folder=place)  # the family is judged on records that are there
    return place


def p_of(records):
    """P values of one virtual trial a row, from the records themselves, two-sided."""
    wide = records.pivot(on="analysis", index="replicate", values="p_value").sort("replicate")
    return wide.select(LABELS).to_numpy()


def local_weights(multiplicity, kept):
    """Share of alpha of each hypothesis of an intersection, from the definition of the procedure."""
    if isinstance(multiplicity, FixedSequence):
        return {i: float(i == min(kept)) for i in kept}
    if isinstance(multiplicity, Bonferroni):
        return dict.fromkeys(kept, 1 / 4)
    if isinstance(multiplicity, Holm):
        return dict.fromkeys(kept, 1 / len(kept))
    assert isinstance(multiplicity, Graph)
    weights, moves = np.array(multiplicity.weights), np.array(multiplicity.transitions)
    left = [0, 1, 2, 3]
    for j in sorted(set(left) - set(kept)):
        left.remove(j)
        new = np.zeros((4, 4))
        for a in left:
            for b in left:
                loop = moves[a, j] * moves[j, a]
                if a != b and loop < 1:
                    new[a, b] = (moves[a, b] + moves[a, j] * moves[j, b]) / (1 - loop)
        weights = weights + weights[j] * moves[j] * np.isin(np.arange(4), left)
        moves = new
    return {i: weights[i] for i in kept}


def closed_test(multiplicity, p, alpha):
    """Rejections by closure: every intersection that holds the hypothesis is rejected by weighted Bonferroni."""
    rejected = np.ones(p.shape, dtype=bool)
    for size in range(1, 5):
        for kept in combinations(range(4), size):
            weights = local_weights(multiplicity, kept)
            local = np.any([p[:, i] <= alpha * weights[i] for i in kept if weights[i] > 0], axis=0)
            for i in kept:
                rejected[:, i] &= local
    return rejected


@pytest.mark.parametrize("multiplicity", [Holm(), Bonferroni(), FixedSequence(), GRAPH], ids=lambda m: m.kind)
def test_shares_are_those_of_the_closed_test_on_the_same_trials(folder, multiplicity):
    found = simulate(replace(TRIAL, multiplicity=multiplicity), folder=folder)
    for row in found.family.iter_rows(named=True):
        mine = found.table.filter(pl.col("scenario") == row["scenario"])
        p = np.nan_to_num(p_of(Parts(folder).records(mine["records"][0], 2000)), nan=1.0)
        rejected = closed_test(multiplicity, p, 0.05)
        # Exact: both are counts of the same trials.
        assert mine["adjusted_power"].to_list() == rejected.mean(axis=0).tolist()
        assert row["at_least_one"] == rejected.any(axis=1).mean()
        assert row["all"] == rejected.all(axis=1).mean()
        assert row["mean_rejected"] == pytest.approx(rejected.sum(axis=1).mean(), rel=1e-12)
        nulls = {"null": [0, 1, 2, 3], "one dose works": [1, 3], "both work": []}[row["effect"]]
        assert row["true_nulls"] == len(nulls)
        assert row["family_wise_error"] == (rejected[:, nulls].any(axis=1).mean() if nulls else None)


def test_family_wise_error_is_kept_and_without_adjustment_it_is_not(folder):
    found = simulate(TRIAL, folder=folder)
    row = found.family.row(by_predicate=pl.col("effect") == "null", named=True)
    assert row["family_wise_error"] == row["at_least_one"]
    # Seed fixed beforehand; 3 Monte Carlo standard errors.
    assert row["family_wise_error"] < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)
    null = found.table.filter(pl.col("effect") == "null")
    p = p_of(Parts(folder).records(null["records"][0], 2000))
    assert (p < 0.05).any(axis=1).mean() > 0.05 + 6 * np.sqrt(0.05 * 0.95 / 2000)
    mixed = found.family.row(by_predicate=pl.col("effect") == "one dose works", named=True)
    assert mixed["family_wise_error"] < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)
    assert mixed["at_least_one"] > 0.5
    assert (found.table["adjusted_power"] <= found.table["power"]).all()


def test_one_sided_families_count_benefit_alone(folder):
    found = simulate(replace(TRIAL, decision=Decision(alpha=0.025, side="one-sided"), multiplicity=Hochberg()), folder=folder)
    null = found.table.filter(pl.col("effect") == "null")
    records = Parts(folder).records(null["records"][0], 2000)
    benefit = records.pivot(on="analysis", index="replicate", values="benefit").sort("replicate").select(LABELS).to_numpy()
    p = p_of(records)
    p = np.nan_to_num(np.where(benefit, p / 2, 1 - p / 2), nan=1.0)
    # Hochberg by its words: the largest k with p_(k) <= alpha / (m - k + 1) takes all before it along.
    ordered = np.sort(p, axis=1)
    steps = np.where(ordered <= 0.025 / np.arange(4, 0, -1), np.arange(1, 5), 0).max(axis=1)
    assert found.family["at_least_one"][0] == (steps > 0).mean()


def test_scenarios_that_differ_in_alpha_or_family_alone_are_judged_apart():
    small = replace(TRIAL, effects=TRIAL.effects[2:], axes={"alpha": (0.001, 0.3)}, replicates=50)
    found = simulate(small)
    strict, loose = (found.table.filter(pl.col("alpha") == alpha) for alpha in (0.001, 0.3))
    assert strict["records"].to_list() == loose["records"].to_list()
    assert (strict["power"] < loose["power"]).all()
    assert found.family["at_least_one"][0] < found.family["at_least_one"][1]
    assert found.family["alpha"].to_list() == [0.001, 0.3]


def test_results_without_a_family_say_so_and_those_with_one_are_read_back(folder, tmp_path):
    found = simulate(TRIAL, folder=folder)
    assert tuple(found.family.columns) == tuple(FAMILY_COLUMNS)
    assert "family-wise error" in repr(found)
    found.save(tmp_path / "trial")
    assert OperatingCharacteristics.load(tmp_path / "trial").family.equals(found.family)
    plain = simulate(replace(TRIAL, multiplicity=None), folder=folder)
    assert plain.family.is_empty()
    assert plain.table["adjusted_power"].is_null().all()
    assert plain.table.drop("adjusted_power", "adjusted_mcse").equals(found.table.drop("adjusted_power", "adjusted_mcse"))


def test_a_told_trial_shows_adjusted_p_values(folder):
    told = example(TRIAL, replicate=3)
    found = simulate(TRIAL, folder=folder)
    p = p_of(Parts(folder).records(found.table["records"][0], 4))[3:]
    np.testing.assert_allclose([at.adjusted_p for at in told], Holm().adjust(p)[0], rtol=1e-12)
    assert "adjusted" in str(told[0])


def test_who_is_truly_null():
    trial = TRIAL
    shares = {e.name: list(true_nulls(Scenario(effect=e, n_per_arm=40, trial=trial).effect, ARMS).values()) for e in trial.effects}
    assert shares == {"null": [True] * 4, "one dose works": [False, True, False, True], "both work": [False] * 4}


SECTION = {
    "truth": {"kind": "named"},
    "analyses": [{"kind": "random_slope"}, {"kind": "log_rank"}],
    "multiplicity": {"kind": "graph", "weights": [1.0, 0.0], "transitions": [[0, 1.0], [0, 0]]},
}


def test_a_study_file_says_the_same():
    settings = decode(TrialSettings, SECTION)
    assert decode(TrialSettings, encode(settings)) == settings
    graph = build(settings, None, 1).multiplicity
    assert graph == Graph(weights=(1.0, 0.0), transitions=((0, 1.0), (0, 0)))
    assert build(decode(TrialSettings, SECTION | {"multiplicity": {"kind": "holm"}}), None, 1).multiplicity == Holm()


@pytest.mark.parametrize(
    ("multiplicity", "said"),
    [
        ({"kind": "holm", "hypotheses": ["log-rnk", "random slope"]}, "Did you mean log-rank?"),
        ({"kind": "holm", "hypotheses": ["log-rank"]}, "at least two hypotheses"),
        ({"kind": "fixed_sequence", "hypotheses": ["log-rank", "log-rank"]}, "twice"),
        ({"kind": "graph", "weights": [1.0], "transitions": [[0.0]]}, "1 weights for 2 hypotheses"),
        ({"kind": "hlm"}, "Did you mean 'holm'?"),
        ({"kind": "graph", "weights": [0.9, 0.9], "transitions": [[0, 1.0], [0, 0]]}, "sum to at most 1"),
    ],
)
def test_impossible_families_are_refused(multiplicity, said):
    with pytest.raises(InvalidInput) as caught:
        decode(TrialSettings, SECTION | {"multiplicity": multiplicity})
    assert said in str(caught.value)


def test_a_family_at_looks_needs_boundaries_at_any_level():
    design = ParallelDesign(
        recruitment=Recruitment(per_month=(10.0,)), looks=(Look(when="enrolled", at=0.5),), boundary=FixedBounds(efficacy=(2.8, 1.98))
    )
    with pytest.raises(ValueError, match="bounds at any level"):
        Trial(truth=NamedTruth(), design=design, multiplicity=Holm())
