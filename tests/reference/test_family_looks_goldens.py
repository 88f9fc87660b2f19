"""Families of hypotheses at looks against the R package lrstat and the case study of Maurer and Bretz: tests/goldens/family_looks."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from alsmodel.trials.family_clock import RealisedClock
from alsmodel.trials.family_looks import FamilyLooks
from alsmodel.trials.family_watch import FamilyWatch
from alsmodel.trials.multiplicity import Graph
from alsmodel.trials.sequential import GroupSequential, boundaries
from alsmodel.trials.spending import HwangShihDeCani, KimDeMets, OBrienFlemingSpending, PocockSpending

FOLDER = Path(__file__).parents[1] / "goldens" / "family_looks"
REFERENCE = pl.read_csv(FOLDER / "reference.csv")
TRIALS = pl.read_csv(FOLDER / "trials.csv").sort("trial", "look", "hypothesis")
Z, INFORMATION = (TRIALS[name].to_numpy().reshape(-1, 3, 4) for name in ("p", "information"))
Z = norm.isf(Z)
GRAPH = Graph(weights=(0.5, 0.5, 0.0, 0.0), transitions=((0, 0.5, 0.5, 0), (0.5, 0, 0, 0.5), (0, 1.0, 0, 0), (1.0, 0, 0, 0)))
MAXIMA = (30.0, 12.0, 5.0, 80.0)
SPENDING = (OBrienFlemingSpending(), PocockSpending(), HwangShihDeCani(gamma=-2.0), KimDeMets(rho=1.5))
DESIGNS = tuple(GroupSequential(fractions=(0.4, 0.7, 1.0), alpha=0.025, efficacy=efficacy) for efficacy in SPENDING)


def rejected_at(z, information, *, graph=GRAPH, designs=DESIGNS, maxima=MAXIMA):
    """Look of each rejection (R, m) in trials that go on to their end, each look by its own data."""
    family = FamilyWatch(graph, designs, FamilyLooks(), z.shape[0], (), maxima)
    for k in range(z.shape[1]):
        family.test(k + 1, np.ones(z.shape[0], dtype=bool), z[:, k], 1 / np.sqrt(information[:, k]), last=k == 2)
    return family.rejected_at


def test_the_case_study_of_maurer_and_bretz_ends_as_printed():
    p = np.array([[0.0062, 0.017, 0.009, 0.13], [0.0002, 0.0035, 0.002, 0.06]])
    design = GroupSequential(fractions=(1 / 3, 2 / 3, 1.0), alpha=0.025)
    for maxima in ((None,) * 4, (1.0,) * 4):  # as planned, and by information that came as planned
        found = rejected_at(norm.isf(p)[None], np.tile([[1 / 3], [2 / 3]], (1, 1, 4)), designs=(design,) * 4, maxima=maxima)
        wanted = REFERENCE.filter(pl.col("case") == "case study").sort("hypothesis")["value"]
        assert found[0].tolist() == wanted.to_list() == [2, 2, 2, 0]
    for level in (0.0125, 0.01875, 0.025):
        bounds = REFERENCE.filter(pl.col("case") == f"case study {level:g}").sort("look")["value"].to_numpy()
        # lrstat seeks its boundaries to 1e-6.
        found = boundaries(GroupSequential(fractions=design.fractions, alpha=level)).upper[:2]
        np.testing.assert_allclose(found, bounds, atol=5e-6)


def test_every_rejection_of_trials_that_stray_from_the_plan_comes_at_the_look_of_lrstat():
    wanted = REFERENCE.filter(pl.col("case") == "rejected").sort("trial", "hypothesis")["value"].to_numpy().reshape(-1, 4)
    assert {0, 1, 2, 3} == set(np.unique(wanted).tolist())
    found = rejected_at(Z, INFORMATION)
    np.testing.assert_array_equal(found, wanted)
    # Negative control: another graph, or planned fractions in place of the information that came, end otherwise.
    holm = Graph(weights=(0.25,) * 4, transitions=tuple(tuple(0.0 if i == k else 1 / 3 for k in range(4)) for i in range(4)))
    assert (rejected_at(Z, INFORMATION, graph=holm) != wanted).any()
    assert (rejected_at(Z, INFORMATION, maxima=(None,) * 4) != wanted).any()


@pytest.mark.parametrize("hypothesis", [1, 2, 3, 4])
@pytest.mark.parametrize("level", [0.025, 0.0125, 0.004])
def test_boundaries_at_any_level_and_information_are_those_of_lrstat(hypothesis, level):
    mine = REFERENCE.filter(pl.col("case") == f"bound {level:g}", pl.col("hypothesis") == hypothesis).sort("trial", "look")
    wanted = mine["value"].to_numpy().reshape(-1, 3)
    rows = wanted.shape[0]
    clock = RealisedClock(DESIGNS[hypothesis - 1], MAXIMA[hypothesis - 1], rows)
    for k in range(3):
        clock.see(k + 1, np.ones(rows, dtype=bool), 1 / np.sqrt(INFORMATION[:rows, k, hypothesis - 1]), k == 2)
    # lrstat seeks its boundaries to 1e-6, and the grid of many trials at once is good to 1e-6 or so.
    np.testing.assert_allclose(clock.bounds(np.arange(rows), level)[0], wanted, atol=1e-5)
