"""Group-sequential designs against closed forms, published tables, brute force and simulation."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from alsmodel.trials.recursion import exit_probabilities
from alsmodel.trials.sequential import GroupSequential, boundaries, planned_drift
from alsmodel.trials.sequential_inference import repeated_intervals, repeated_p, sequential_result, stagewise_p
from alsmodel.trials.sequential_power import drift_for_power, inflation_factor, sequential_power
from alsmodel.trials.spending import (
    BetaSpending,
    FixedFutility,
    HaybittlePeto,
    HwangShihDeCani,
    KimDeMets,
    OBrienFlemingSpending,
    PocockSpending,
    UserSpending,
    WangTsiatis,
    obrien_fleming,
    pocock,
)


def equally(k):
    return (*(float(j) / k for j in range(1, k)), 1.0)


def paths(rng, information, drift, size):
    """z at each look of many trials."""
    gains = np.diff(np.concatenate([[0.0], information]))
    scores = np.cumsum(rng.normal(drift * gains, np.sqrt(gains), size=(size, gains.size)), axis=1)
    return scores / np.sqrt(information)


def test_pocock_design_of_four_looks_is_that_of_the_sas_manual():
    # SAS/STAT User's Guide, SEQDESIGN procedure, example "Creating Two-Sided Pocock and O'Brien-Fleming Designs", table of design
    # information: maximum, expected null and expected alternative information are 118.3143, 115.6074 and 69.74805 percent of the
    # fixed design's (two-sided 0.05, power 0.9), to the digits printed but one.
    bounds = boundaries(GroupSequential(efficacy=pocock(), fractions=equally(4), alpha=0.05, side="two-sided"))
    inflation, drift = inflation_factor(bounds, 0.9, 0.025), drift_for_power(bounds, 0.9)
    assert 100 * inflation == pytest.approx(118.3143, abs=1.5e-4)
    assert 100 * inflation * sequential_power(bounds, 0.0).expected_information == pytest.approx(115.6074, abs=1.5e-4)
    assert 100 * inflation * sequential_power(bounds, drift).expected_information == pytest.approx(69.74805, abs=1e-4)


def test_obrien_fleming_bounds_of_four_looks_are_those_of_the_gsdesign_tests():
    # R package gsDesign, unit test "Deming OF bound": 4.05, 2.86, 2.34, 2.02, two decimals.
    bounds = boundaries(GroupSequential(efficacy=obrien_fleming(), fractions=equally(4), alpha=0.05, side="two-sided"))
    np.testing.assert_allclose(bounds.upper, [4.05, 2.86, 2.34, 2.02], rtol=0, atol=5.1e-3)


def test_two_looks_agree_with_the_bivariate_normal():
    up, down = exit_probabilities([0.4, 1.0], [-0.5, 0.3], [2.1, 1.9], drift=1.2)
    mean, cov = 1.2 * np.sqrt([0.4, 1.0]), [[1.0, np.sqrt(0.4)], [np.sqrt(0.4), 1.0]]
    joint = multivariate_normal(mean, cov)
    assert up[0] == pytest.approx(norm.sf(2.1 - mean[0]), abs=1e-12)
    inside_below = joint.cdf([2.1, 0.3]) - joint.cdf([-0.5, 0.3])
    inside = norm.cdf(2.1 - mean[0]) - norm.cdf(-0.5 - mean[0])
    inside_to_19 = joint.cdf([2.1, 1.9]) - joint.cdf([-0.5, 1.9])
    assert down[1] == pytest.approx(inside_below, abs=1e-7)
    assert up[1] == pytest.approx(inside - inside_to_19, abs=1e-7)


def test_a_look_shortly_after_another_is_still_integrated_exactly():
    # The increment is a needle: a grid that does not see it gives nonsense.
    for gap in (1e-2, 1e-3, 1e-4):
        t = [0.5, 0.5 + gap]
        up, _ = exit_probabilities(t, [-np.inf] * 2, [2.0, 2.0])
        r = np.sqrt(t[0] / t[1])
        outside = 1.0 - multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf([2.0, 2.0])
        assert up.sum() == pytest.approx(outside, abs=2e-7)


def test_exit_probabilities_agree_with_simulated_trials():
    rng = np.random.default_rng(5)
    t = np.array([0.3, 0.55, 1.0])
    upper, lower = np.array([2.8, 2.3, 2.0]), np.array([-0.5, 0.4, 2.0])
    up, down = exit_probabilities(t, lower, upper, drift=2.0)
    z = paths(rng, t, 2.0, 200_000)
    out = (z >= upper) | (z <= lower)
    first = np.argmax(out, axis=1)
    for k in range(3):
        for share, hit in ((up[k], (z >= upper)[:, k]), (down[k], (z <= lower)[:, k] & ~(z >= upper)[:, k])):
            assert abs(((first == k) & hit).mean() - share) < 4 * np.sqrt(share * (1 - share) / 200_000)


EVERY_SPENDING = [
    OBrienFlemingSpending(),
    PocockSpending(),
    HwangShihDeCani(gamma=-4.0),
    HwangShihDeCani(gamma=0.0),
    KimDeMets(rho=2.0),
    UserSpending(fractions=(0.5, 1.0), shares=(0.2, 1.0)),
]


@pytest.mark.parametrize("spending", EVERY_SPENDING)
def test_spending_goes_from_nothing_to_all_without_falling(spending):
    t = np.linspace(0.0, 1.3, 200)
    spent = spending.spent(t, 0.025)
    assert spent[0] == 0.0
    assert (np.diff(spent) >= -1e-15).all()
    np.testing.assert_array_equal(spent[t >= 1.0], 0.025)


@pytest.mark.parametrize("efficacy", [*EVERY_SPENDING, obrien_fleming(), pocock(), WangTsiatis(delta=0.2), HaybittlePeto(z=3.0)])
@pytest.mark.parametrize("side", ["one-sided", "two-sided"])
def test_every_design_spends_exactly_alpha(efficacy, side):
    bounds = boundaries(GroupSequential(fractions=(0.35, 0.7, 1.0), alpha=0.04, side=side, efficacy=efficacy))
    assert bounds.alpha_spent[-1] == pytest.approx(0.04, abs=1e-9)
    power = sequential_power(bounds, 0.0)
    assert power.power + power.other_side == pytest.approx(0.04, abs=1e-9)


def test_a_design_of_one_look_is_the_fixed_test():
    bounds = boundaries(GroupSequential(fractions=(1.0,)))
    assert bounds.upper[0] == pytest.approx(norm.isf(0.025), abs=1e-9)
    assert drift_for_power(bounds, 0.9) == pytest.approx(norm.isf(0.025) + norm.isf(0.1), abs=1e-8)
    assert inflation_factor(bounds, 0.9, 0.025) == pytest.approx(1.0, abs=1e-8)
    result = sequential_result(bounds, 2.2, maximum=16.0)
    assert result.p_value == pytest.approx(norm.sf(2.2), abs=1e-10)
    assert (result.estimate, result.low, result.high) == pytest.approx((0.55, (2.2 - 1.959964) / 4, (2.2 + 1.959964) / 4), abs=1e-6)


def test_unplanned_looks_and_overrun_keep_alpha():
    design = GroupSequential(fractions=(0.5, 1.0))
    for looks, last in (((0.31, 0.52, 0.9, 1.17), True), ((0.62, 0.83), True), ((0.2, 1.4), True)):
        assert boundaries(design, looks, last=last).alpha_spent[-1] == pytest.approx(0.025, abs=1e-9)
    interim = boundaries(design, (0.31, 0.52), last=False)
    np.testing.assert_allclose(interim.alpha_spent, design.efficacy.spent([0.31, 0.52], 0.025), atol=1e-10)
    # What is planned next does not change what was decided before.
    np.testing.assert_array_equal(boundaries(design, (0.31, 0.52, 0.9)).upper[:2], interim.upper)
    in_units = boundaries(design, np.array([0.31, 0.52]) * 84.0, maximum=84.0, last=False)
    np.testing.assert_allclose(in_units.upper, interim.upper, rtol=1e-10)


def test_a_trial_that_ends_at_its_first_planned_look_spends_everything_there():
    design = GroupSequential(fractions=(0.5, 1.0), futility=FixedFutility(z=(0.2,)))
    ended, going = boundaries(design, [0.5]), boundaries(design, [0.5], last=False)
    assert ended.upper[0] == ended.lower[0] == pytest.approx(norm.isf(0.025), abs=1e-9)
    assert going.upper[0] == pytest.approx(boundaries(design).upper[0], abs=1e-10)
    assert going.lower[0] == 0.2


def test_using_planned_boundaries_at_other_looks_would_not_keep_alpha():
    # The negative control of the test above: boundaries for looks at 0.9 and 1 used when the first came at 0.3.
    planned = boundaries(GroupSequential(fractions=(0.9, 1.0)))
    up, _ = exit_probabilities([0.3, 1.0], [-np.inf] * 2, planned.upper)
    assert up.sum() > 0.03


def test_binding_futility_lowers_the_bar_and_breaks_alpha_when_overruled():
    free, bound = (boundaries(GroupSequential(fractions=(0.5, 1.0), futility=FixedFutility(z=(0.5,), binding=b))) for b in (False, True))
    assert bound.upper[-1] < free.upper[-1]
    assert sequential_power(free, 0.0, follow_futility=False).power == pytest.approx(0.025, abs=1e-9)
    assert sequential_power(bound, 0.0).power == pytest.approx(0.025, abs=1e-9)
    assert sequential_power(bound, 0.0, follow_futility=False).power > 0.0255


def test_beta_spending_has_its_power_and_meets_at_the_end():
    design = GroupSequential(fractions=(0.4, 0.7, 1.0), futility=BetaSpending(beta=0.1, function=HwangShihDeCani(gamma=-2.0)))
    bounds = boundaries(design)
    assert sequential_power(bounds, planned_drift(design)).power == pytest.approx(0.9, abs=1e-7)
    assert bounds.lower[-1] == bounds.upper[-1]
    result = sequential_power(bounds, 0.0)
    assert result.efficacy.sum() + result.futility.sum() == pytest.approx(1.0, abs=1e-7)
    assert result.expected_information < 0.75  # stopping for futility under the null is what it is for


def test_inference_after_stopping_covers_and_is_median_unbiased_and_the_naive_estimate_is_not():
    rng = np.random.default_rng(11)
    t, drift = np.array([0.3, 0.6, 1.0]), 2.6
    design = GroupSequential(fractions=(0.3, 0.6, 1.0), efficacy=PocockSpending())
    bounds = [boundaries(design, t[: k + 1], last=k == 2) for k in range(3)]
    z = paths(rng, t, drift, 20_000)
    crossed = z >= bounds[2].upper
    stop = np.where(crossed.any(axis=1), np.argmax(crossed, axis=1), 2)
    at = z[np.arange(20_000), stop]
    # theta is inside the interval exactly when its stage-wise p value is: no interval needs to be found.
    grid, blocks = np.linspace(-6.0, 10.0, 801), []
    for k in range(3):
        blocks.append(np.interp(at[stop == k], grid, [stagewise_p(bounds[k], z, drift) for z in grid]))
    p = np.concatenate(blocks)
    assert abs(((p > 0.025) & (p < 0.975)).mean() - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 20_000)
    assert abs((p < 0.5).mean() - 0.5) < 3 * np.sqrt(0.25 / 20_000)
    # The negative control: half of the naive estimates should lie below the truth, and fewer do.
    assert (at < drift * np.sqrt(t[stop])).mean() < 0.5 - 3 * np.sqrt(0.25 / 20_000)


def test_limits_have_the_stagewise_p_values_that_define_them():
    bounds = boundaries(GroupSequential(fractions=(0.5, 1.0)), [60.0, 105.0], maximum=100.0)
    result = sequential_result(bounds, 2.4, maximum=100.0, level=0.9)
    for limit, p in ((result.low, 0.05), (result.estimate, 0.5), (result.high, 0.95)):
        assert stagewise_p(bounds, 2.4, limit * 10.0) == pytest.approx(p, abs=1e-8)
    assert result.estimate < result.naive_estimate


def test_repeated_p_value_is_alpha_on_the_boundary():
    design = GroupSequential(fractions=(0.4, 1.0), efficacy=PocockSpending())
    bounds = boundaries(design)
    np.testing.assert_allclose(repeated_p(design, [0.4, 1.0], bounds.upper), 0.025, rtol=1e-6)
    low, _ = repeated_intervals(bounds, bounds.upper, maximum=1.0)
    np.testing.assert_allclose(low, 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"fractions": (0.5, 0.4, 1.0)}, "must rise"),
        ({"fractions": (0.5, 0.9)}, "end with 1"),
        ({"alpha": 0.7}, "alpha must lie"),
        ({"side": "two-sided", "futility": BetaSpending()}, "one-sided design"),
        ({"futility": FixedFutility(z=(0.0, 0.1))}, "1 interim looks"),
    ],
)
def test_impossible_designs_are_refused(what, message):
    with pytest.raises(ValueError, match=message):
        GroupSequential(**what)


def test_requests_that_cannot_be_met_are_refused_with_a_remedy():
    with pytest.raises(ValueError, match="spending function"):
        boundaries(GroupSequential(fractions=(0.5, 1.0), efficacy=pocock()), [0.4, 1.0])
    with pytest.raises(ValueError, match="must rise from look to look"):
        boundaries(GroupSequential(), [0.6, 0.6], last=False)
    with pytest.raises(ValueError, match="Raise z"):
        boundaries(GroupSequential(alpha=0.001, efficacy=HaybittlePeto(z=2.0)))
    with pytest.raises(ValueError, match="shares are cumulative"):
        UserSpending(fractions=(0.5, 0.8, 1.0), shares=(0.3, 0.2, 1.0))
    with pytest.raises(ValueError, match="binding"):
        repeated_p(GroupSequential(futility=FixedFutility(z=(0.0,), binding=True)), [0.5], [1.0])
    with pytest.raises(ValueError, match="between the type I error"):
        drift_for_power(boundaries(GroupSequential()), 0.01)
