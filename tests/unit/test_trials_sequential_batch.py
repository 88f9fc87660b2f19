"""Boundaries by replicate are those of one trial at a time."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from alsmodel.trials.sequential import GroupSequential, boundaries
from alsmodel.trials.sequential_batch import replicate_boundaries
from alsmodel.trials.spending import BetaSpending, FixedFutility, HaybittlePeto, HwangShihDeCani, PocockSpending, pocock

PLAN = (0.35, 0.7, 1.0)
DESIGNS = [
    GroupSequential(fractions=PLAN),
    GroupSequential(fractions=PLAN, efficacy=PocockSpending(), side="two-sided", alpha=0.05),
    GroupSequential(fractions=PLAN, futility=BetaSpending(function=HwangShihDeCani(gamma=-2.0))),
    GroupSequential(fractions=PLAN, efficacy=HaybittlePeto(), futility=FixedFutility(z=(0.0, 0.5))),
    GroupSequential(fractions=PLAN, futility=BetaSpending(function=HwangShihDeCani(gamma=-2.0), binding=True)),
    GroupSequential(fractions=PLAN, efficacy=PocockSpending(), futility=FixedFutility(z=(-0.2, 0.6), binding=True)),
]


@pytest.mark.parametrize("design", DESIGNS)
def test_every_row_is_the_trial_alone(design):
    rng = np.random.default_rng(1)
    information = np.array(PLAN) * 80.0 * rng.uniform(0.9, 1.1, (6, 3))
    information[4, 2] = np.nan  # stopped at its second look, far short of the plan
    both = replicate_boundaries(design, information, maximum=80.0)
    assert both.valid.all()
    for r in range(6):
        row = information[r][np.isfinite(information[r])]
        alone = boundaries(design, row, maximum=80.0)
        # A coarser grid: 1e-6 in z or better.
        np.testing.assert_allclose(both.upper[r][: row.size], alone.upper, rtol=0, atol=1e-5)
        np.testing.assert_allclose(both.lower[r][: row.size], alone.lower, rtol=0, atol=1e-5)
    assert np.isnan(both.upper[4, 2])


def test_interim_looks_leave_alpha_for_later():
    design = DESIGNS[0]
    interim = replicate_boundaries(design, [[0.3, 0.62], [0.4, 0.8]], last=False)
    for r, row in enumerate(([0.3, 0.62], [0.4, 0.8])):
        np.testing.assert_allclose(interim.upper[r], boundaries(design, row, last=False).upper, rtol=0, atol=1e-5)


def test_null_trials_with_information_of_their_own_keep_alpha():
    rng = np.random.default_rng(2)
    n = 20_000
    # Fifty patterns of information, each with many trials: what a simulation with 1/SE² per trial does, made cheap.
    t = np.array(PLAN) * rng.uniform(0.85, 1.15, (50, 3))
    bounds = replicate_boundaries(DESIGNS[0], t).upper
    pattern = rng.integers(0, 50, n)
    gains = np.diff(np.concatenate([np.zeros((50, 1)), t], axis=1), axis=1)[pattern]
    z = np.cumsum(rng.normal(size=(n, 3)) * np.sqrt(gains), axis=1) / np.sqrt(t[pattern])
    assert abs((z >= bounds[pattern]).any(axis=1).mean() - 0.025) < 3 * np.sqrt(0.025 * 0.975 / n)


def test_information_that_falls_is_a_row_without_boundaries():
    rows = replicate_boundaries(DESIGNS[0], [[0.3, 0.2, 1.0], [0.3, 0.6, 1.0], [np.nan, 0.5, 1.0], [-0.1, 0.5, 1.0]])
    assert rows.valid.tolist() == [False, True, False, False]
    assert np.isnan(rows.upper[[0, 2, 3]]).all()
    assert np.isfinite(rows.upper[1]).all()


def test_designs_without_boundaries_by_replicate_are_refused():
    with pytest.raises(ValueError, match="spending function"):
        replicate_boundaries(GroupSequential(fractions=PLAN, efficacy=pocock()), [PLAN])


def exits(upper, lower, fractions):
    """Probability of ever reaching the upper boundary of three looks, of trials that stop at the lower one, as a plain double integral."""
    nodes, weights = np.polynomial.legendre.leggauss(300)

    def between(k):
        low, high = max(lower[k], -9.0), min(upper[k], 9.0)
        return low + (high - low) * (nodes + 1) / 2, weights * (high - low) / 2

    (z1, w1), (z2, w2) = between(0), between(1)
    t1, t2, t3 = fractions
    first = w1 * norm.pdf(z1)
    step = np.sqrt((t2 - t1) / t2)
    second = (first[:, None] * norm.pdf((z2 - z1[:, None] * np.sqrt(t1 / t2)) / step) / step).sum(axis=0) * w2
    at_second = first @ norm.sf((upper[1] - z1 * np.sqrt(t1 / t2)) / step)
    at_third = second @ norm.sf((upper[2] * np.sqrt(t3) - z2 * np.sqrt(t2)) / np.sqrt(t3 - t2))
    return norm.sf(upper[0]) + at_second + at_third


@pytest.mark.parametrize("design", DESIGNS[-2:])
def test_futility_that_binds_spends_all_of_alpha_at_any_information(design):
    information = np.array([[0.3, 0.75, 1.04], [0.5, 0.6, 0.9], [0.35, 0.7, 1.0]])
    found = replicate_boundaries(design, information)
    free = replicate_boundaries(replace(design, futility=replace(design.futility, binding=False)), information)
    for r, fractions in enumerate(information):
        # The coarse grid is good to 1e-6 in z or better.
        assert exits(found.upper[r], found.lower[r], fractions) == pytest.approx(0.025, abs=1e-7)
        # Negative control: had the trial gone on past futility, alpha would be exceeded; without binding it holds.
        assert exits(found.upper[r], np.full(3, -np.inf), fractions) > 0.02505
        assert exits(free.upper[r], np.full(3, -np.inf), fractions) == pytest.approx(0.025, abs=1e-7)
    assert (found.upper[:, 1:] < free.upper[:, 1:]).all()


def test_futility_numbers_may_be_named_for_the_looks_that_each_trial_has():
    design = DESIGNS[-1]
    # The second trial has no fit at the first look: its first look is the plan's second.
    found = replicate_boundaries(design, [[0.35, 0.7, 1.0], [0.7, 1.0, np.nan]], futility=[[-0.2, 0.6, -np.inf], [0.6, -np.inf, -np.inf]])
    one = boundaries(replace(design, fractions=(0.7, 1.0), futility=FixedFutility(z=(0.6,), binding=True)))
    np.testing.assert_allclose(found.upper[0], boundaries(design).upper, atol=1e-5)
    np.testing.assert_allclose(found.upper[1, :2], one.upper, atol=1e-5)


def test_a_row_has_the_same_bits_alone_and_in_company():
    information = np.array(PLAN) * np.random.default_rng(4).uniform(0.9, 1.1, (40, 3))
    information[7, 1] = information[7, 0] + 1e-4  # a neighbour whose looks need a far finer grid
    for design in DESIGNS[2:5]:
        together, alone = replicate_boundaries(design, information), replicate_boundaries(design, information[3:4])
        np.testing.assert_array_equal(together.upper[3], alone.upper[0])
        np.testing.assert_array_equal(together.lower[3], alone.lower[0])
