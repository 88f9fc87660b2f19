"""Boundaries by replicate are those of one trial at a time."""

import numpy as np
import pytest

from alsmodel.trials.sequential import GroupSequential, boundaries
from alsmodel.trials.sequential_batch import replicate_boundaries
from alsmodel.trials.spending import BetaSpending, FixedFutility, HaybittlePeto, HwangShihDeCani, PocockSpending, pocock

PLAN = (0.35, 0.7, 1.0)
DESIGNS = [
    GroupSequential(fractions=PLAN),
    GroupSequential(fractions=PLAN, efficacy=PocockSpending(), side="two-sided", alpha=0.05),
    GroupSequential(fractions=PLAN, futility=BetaSpending(function=HwangShihDeCani(gamma=-2.0))),
    GroupSequential(fractions=PLAN, efficacy=HaybittlePeto(), futility=FixedFutility(z=(0.0, 0.5))),
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
    with pytest.raises(ValueError, match="not binding"):
        replicate_boundaries(GroupSequential(fractions=PLAN, futility=BetaSpending(binding=True)), [PLAN])
