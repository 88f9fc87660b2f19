"""Truths make the participants they promise, and effects do to them what they say."""

import numpy as np
import pytest

from alsmodel.patients.streams import stream_key
from alsmodel.trials import Effect, NamedTruth, ParallelDesign, PosteriorTruth, Trial
from alsmodel.trials.world import enrol, observe

KEY = stream_key(3, 5)
NO_DEATHS = {"hazard": (1e-12,), "association_value": 0.0}


def population(draws=4, people=6):
    rng = np.random.default_rng(1)
    return {
        "intercept": rng.normal(35, 1, (draws, people)),
        "slope": rng.normal(-1, 0.2, (draws, people)),
        "log_hazard": rng.normal(0, 0.2, (draws, people)),
        "random_cholesky": np.tile(np.array([[6.0, 0.0], [0.1, 0.7]]), (draws, 1, 1)),
        "residual_sd": np.full(draws, 1.8),
        "knots": np.array([0.0, 6.0, 12.0]),
        "log_baseline_hazard": np.full((draws, 2), -2.0),
        "association_value": np.full(draws, -0.08),
        "association_slope": np.zeros(draws),
    }


def followed(truth, effect, n=40_000, duration=12.0):
    design = ParallelDesign(visits=(0.0, duration), duration=duration, dropout_per_month=0.0, missing_visit_probability=0.0)
    trial = Trial(truth=truth, design=design)
    arm = design.arms(n)
    keys = np.array([KEY], dtype=np.uint64)
    seen = observe(design, trial.population, enrol(trial, keys, n), effect, arm[None], keys)
    return seen.scores[0], seen.event_time[0], seen.event[0], arm


def test_named_population_has_the_moments_it_was_given():
    truth = NamedTruth(**NO_DEATHS)
    scores, _, event, _ = followed(truth, Effect(name="null"))
    slopes = np.diff(scores, axis=1)[:, 0] / 12
    assert event.sum() == 0
    # 40,000 people: standard errors 0.033 (mean), 0.024 (SD), and .004 for a slope; bounds are four of them.
    assert scores[:, 0].mean() == pytest.approx(35.0, abs=0.14)
    assert scores[:, 0].std() == pytest.approx(np.hypot(6.46, 1.77), abs=0.1)
    assert slopes.mean() == pytest.approx(-1.03, abs=0.016)
    assert slopes.std() == pytest.approx(np.hypot(0.76, 1.77 * np.sqrt(2) / 12), abs=0.03)


def test_default_hazard_kills_five_percent_in_24_weeks():
    _, _, event, _ = followed(NamedTruth(), Effect(name="null"), duration=24 * 7 / (365.25 / 12))
    assert event.mean() == pytest.approx(0.05, abs=0.005)  # four standard errors of 40,000 are 0.0044


@pytest.mark.parametrize(("spread", "factor"), [("kept", 1.0), ("scaled", 0.5)])
def test_slowing_moves_the_mean_path_and_touches_the_spread_only_when_asked(spread, factor):
    effect = Effect(name="half", slowing=0.5, slope_spread=spread)
    scores, _, _, arm = followed(NamedTruth(**NO_DEATHS, slope_skew=0.0), effect)
    slopes = np.diff(scores, axis=1)[:, 0] / 12
    noise = 2 * 1.77**2 / 144
    spreads = [np.sqrt(slopes[arm == a].var() - noise) for a in (0, 1)]
    assert slopes[arm == 1].mean() - slopes[arm == 0].mean() == pytest.approx(0.5 * 1.03, abs=0.035)
    assert spreads[1] / spreads[0] == pytest.approx(factor, abs=0.04)


def test_additive_benefit_is_in_points_per_month():
    scores, _, _, arm = followed(NamedTruth(**NO_DEATHS), Effect(name="add", points_per_month=0.3))
    slopes = np.diff(scores, axis=1)[:, 0] / 12
    assert slopes[arm == 1].mean() - slopes[arm == 0].mean() == pytest.approx(0.3, abs=0.035)


def test_direct_hazard_ratio_multiplies_the_hazard():
    truth = NamedTruth(hazard=(0.03,), association_value=0.0)
    _, time, event, arm = followed(truth, Effect(name="hr", hazard_ratio=0.5))
    rates = [event[arm == a].sum() / time[arm == a].sum() for a in (0, 1)]
    assert rates[0] == pytest.approx(0.03, rel=0.05)
    assert rates[1] / rates[0] == pytest.approx(0.5, abs=0.03)


def test_arms_share_their_participants_under_the_null():
    truth = NamedTruth()
    null, slow = (followed(truth, e, n=50) for e in (Effect(name="null"), Effect(name="slow", slowing=0.3)))
    control = null[3] == 0
    np.testing.assert_array_equal(null[0][control], slow[0][control])
    np.testing.assert_array_equal(null[1][control], slow[1][control])


def test_posterior_participants_are_rows_of_one_draw_and_the_first_of_more():
    given = population()
    truth = PosteriorTruth.of(given)
    keys = np.array([KEY], dtype=np.uint64)
    few, many = truth.block(keys, 10), truth.block(keys, 25)
    np.testing.assert_array_equal(few.nature.slope, many.nature.slope[:, :10])
    d = int(np.flatnonzero(np.isclose(given["slope"].mean(axis=1), many.centre_slope[0]))[0])
    assert many.draw[0] == d
    rows = [int(np.flatnonzero(given["slope"][d] == s)[0]) for s in many.nature.slope[0]]
    np.testing.assert_array_equal(many.nature.intercept[0], given["intercept"][d, rows])
    np.testing.assert_array_equal(many.nature.log_hazard[0], given["log_hazard"][d, rows])
    assert len(set(rows)) > 1
    drawn = truth.block(np.array([stream_key(3, r) for r in range(40)], dtype=np.uint64), 2).draw
    assert len(set(drawn.tolist())) == 4  # every draw is used


def test_a_background_drug_narrows_the_own_slopes_of_who_takes_it_alone():
    factor = np.tile([1.0, 0.5], (4, 3))
    given = population() | {"slope_spread": factor, "log_baseline_hazard": np.full((4, 2), -30.0), "association_value": np.zeros(4)}
    truth, n = PosteriorTruth.of(given), 40_000
    scores, _, _, _ = followed(truth, Effect(name="null"), n=n)
    drawn = truth.block(np.array([KEY], dtype=np.uint64), n)
    own = np.diff(scores, axis=1)[:, 0] / 12 - drawn.nature.slope[0]
    for side, expected in ((0, 1.0), (1, 0.5)):
        spread = np.sqrt(own[drawn.rows[0] % 2 == side].var() - 2 * 1.8**2 / 144)
        # 20,000 people: standard error of the SD 0.004.
        assert spread == pytest.approx(expected * np.hypot(0.1, 0.7), abs=0.016)
    same = PosteriorTruth.of(population() | {"slope_spread": np.ones((4, 6))})
    assert same.identity() == PosteriorTruth.of(population()).identity() != truth.identity()


def test_posterior_draws_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="lacks residual_sd"):
        PosteriorTruth.of({k: v for k, v in population().items() if k != "residual_sd"})
    with pytest.raises(ValueError, match=r"intercept has shape \(4, 5\)"):
        PosteriorTruth.of(population() | {"intercept": np.zeros((4, 5))})
    with pytest.raises(ValueError, match="slope holds missing"):
        PosteriorTruth.of(population() | {"slope": np.full((4, 6), np.nan)})


def test_impossible_numbers_are_all_reported_at_once():
    with pytest.raises(ValueError, match=r"residual_sd must be above 0.*correlation.*hazard_knots"):
        NamedTruth(residual_sd=0.0, correlation=1.0, hazard_knots=(0.0, 6.0))


def test_arms_alternate_by_block_and_do_not_depend_on_size():
    for allocation in ((1, 1), (1, 2), (2, 3)):
        design = ParallelDesign(allocation=allocation)
        block = sum(allocation)
        arms = design.arms(12 * block)
        assert (arms.reshape(12, block).sum(axis=1) == allocation[1]).all()
        np.testing.assert_array_equal(design.arms(5 * block), arms[: 5 * block])
