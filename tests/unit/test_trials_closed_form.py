"""Closed-form sample sizes against R and simulated trials."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import ndtri

from alsmodel.estimators import fit_random_slope
from alsmodel.trials.closed_form import Plan, event_probability, size_change, size_events, size_slope, slope_variance, t_power

REFERENCE = {
    (case, quantity): value
    for case, quantity, value in pl.read_csv(Path(__file__).parents[1] / "goldens" / "sample_size" / "reference.csv").iter_rows()
}
ONE_SIDED = Plan(alpha=0.025, side="one-sided", power=0.8)


def exactly(size):
    """The unrounded size, from the numbers that are printed (two decimals)."""
    return float(size.numbers.split("exactly ")[1].split(";")[0])


@pytest.mark.parametrize(
    ("case", "plan", "difference", "sd"),
    [
        ("t_half_80", Plan(power=0.8), 0.5, 1.0),
        ("t_third_90", Plan(power=0.9), 2.0, 6.0),
        ("t_one_sided", Plan(alpha=0.025, side="one-sided", power=0.85), 1.0, 1.5),
        ("t_small", Plan(power=0.9), 2.0, 1.0),
    ],
)
def test_t_test_sizes_agree_with_power_t_test(case, plan, difference, sd):
    n = REFERENCE[case, "n"]
    # power.t.test finds its root to about 1e-4 of n.
    assert t_power(n, 1.0, difference / sd, plan) == pytest.approx(plan.power, abs=1e-4)
    assert size_change(plan, difference=difference, sd=sd, analysis="final").control == int(np.ceil(n))


def test_unequal_allocation_and_margin_agree_with_rpact():
    two = size_change(Plan(alpha=0.025, side="one-sided", power=0.8, ratio=2.0), difference=0.5, sd=1.0, analysis="final")
    assert exactly(two) == pytest.approx(REFERENCE["means_2to1", "n_control"], abs=0.0051)
    margin = size_change(Plan(alpha=0.025, side="one-sided", power=0.8, margin=1.0), difference=0.0, sd=3.0, analysis="final")
    assert exactly(margin) == pytest.approx(REFERENCE["means_margin", "n_control"], abs=0.0051)


@pytest.mark.parametrize(
    ("case", "plan", "options"),
    [
        ("events", ONE_SIDED, {"hazard_ratio": 0.7, "control_median": 24.0, "accrual": 18.0, "follow_up": 12.0}),
        ("events_dropout", ONE_SIDED, {"hazard_ratio": 0.7, "control_median": 24.0, "accrual": 18.0, "follow_up": 12.0, "dropout": 0.1}),
        (
            "events_2to1",
            Plan(alpha=0.025, side="one-sided", power=0.8, ratio=2.0),
            {"hazard_ratio": 0.65, "control_median": 18.0, "accrual": 24.0, "follow_up": 6.0},
        ),
        (
            "events_margin",
            Plan(alpha=0.025, side="one-sided", power=0.8, margin=1.3),
            {"hazard_ratio": 1.0, "control_median": 24.0, "accrual": 18.0, "follow_up": 12.0},
        ),
    ],
)
def test_events_and_participants_agree_with_rpact(case, plan, options):
    size = size_events(plan, **options)
    events, people = (float(part.rsplit("= ", 1)[1].replace(" events", "")) for part in size.numbers.split("; "))
    assert events == pytest.approx(REFERENCE[case, "events"], abs=0.0051)  # printed to two decimals
    assert people == pytest.approx(REFERENCE[case, "n"], abs=0.0051)
    assert size.events == int(np.ceil(REFERENCE[case, "events"]))
    assert size.total >= REFERENCE[case, "n"]


def test_probability_of_an_event_agrees_with_drawn_participants():
    rng = np.random.default_rng(1)
    n = 400_000
    stop = 30.0 - rng.uniform(0, 18, n)
    event, leaving = rng.exponential(1 / 0.03, n), rng.exponential(1 / 0.01, n)
    drawn = ((event <= stop) & (event <= leaving)).mean()
    assert abs(drawn - event_probability(0.03, 18.0, 12.0, 0.01)) < 4 * np.sqrt(0.25 / n)


# Participants per group for a difference in slope of 0.5, visits at 0, 2, 5, correlation rho of equicorrelated responses, one-sided
# 0.05, power 0.8; the random effect is an intercept alone. The nine sizes are those that the unit tests of the R package longpower
# name as the table on page 29 of Diggle, Liang & Zeger 1994; unrounded they are in tests/goldens/sample_size, by matrices in base R.
@pytest.mark.parametrize(
    ("rho", "variance", "size"),
    [(0.2, 100, 313), (0.2, 200, 625), (0.2, 300, 938), (0.5, 100, 196), (0.5, 200, 391), (0.5, 300, 586), (0.8, 100, 79),
     (0.8, 200, 157), (0.8, 300, 235)],
)  # fmt: skip
def test_slope_sizes_are_those_of_longpower_and_of_matrices_in_r(rho, variance, size):
    plan = Plan(alpha=0.05, side="one-sided", power=0.8)
    mine = size_slope(
        plan, difference=0.5, months=[0.0, 2.0, 5.0], slope_sd=0.0, residual_sd=np.sqrt(variance * (1 - rho)),
        intercept_sd=np.sqrt(variance * rho), common_baseline=False,
    )  # fmt: skip
    assert mine.control == size
    assert float(mine.numbers.rsplit("= ", 1)[1]) == pytest.approx(REFERENCE[f"slope_{rho}_{variance}", "n"], abs=0.0051)


def test_complete_visits_give_the_textbook_variance():
    t = np.arange(0.0, 19.0, 3.0)
    free = slope_variance(
        t, slope_sd=0.76, residual_sd=1.77, intercept_sd=6.0, correlation=0.3, dropout=0.0, ratio=1.5, common=False
    )  # fmt: skip
    expected = (1 + 1 / 1.5) * (0.76**2 + 1.77**2 / ((t - t.mean()) ** 2).sum())
    assert free == pytest.approx(expected, rel=1e-10)
    common = slope_variance(
        t, slope_sd=0.76, residual_sd=1.77, intercept_sd=6.0, correlation=0.3, dropout=0.0, ratio=1.5, common=True
    )  # fmt: skip
    assert common < free


def test_simulated_trials_of_that_size_have_that_power():
    t = np.arange(0.0, 13.0, 3.0)
    size = size_slope(Plan(power=0.8), difference=0.3, months=t, slope_sd=0.76, residual_sd=1.77, dropout=0.3)
    rng = np.random.default_rng(8)
    trials = 2000
    arm = np.repeat([0, 1], [size.control, size.active])
    lines = rng.normal(size=(trials, arm.size, 2)) * [6.46, 0.76] + [38.0, -1.0]
    scores = lines[..., :1] + (lines[..., 1:] + 0.3 * arm[:, None]) * t + rng.normal(0, 1.77, (trials, arm.size, t.size))
    stay = rng.exponential(1.0, (trials, arm.size)) * 12.0 / -np.log(0.7)
    scores[t > stay[..., None]] = np.nan
    rejected = fit_random_slope(scores, t, arm).p_value < 0.05
    assert abs(rejected.mean() - size.power) < 3 * np.sqrt(0.16 / trials)
    # The negative control: counting on nobody leaving promises too much.
    hopeful = size_slope(Plan(power=0.8), difference=0.3, months=t, slope_sd=0.76, residual_sd=1.77)
    assert hopeful.total < 0.95 * size.total


def test_simulated_ancova_of_that_size_has_that_power():
    size = size_change(Plan(power=0.9), difference=1.0, sd=2.0, correlation=0.6)
    rng = np.random.default_rng(9)
    trials, n = 4000, size.total
    arm = np.repeat([0.0, 1.0], [size.control, size.active])
    before = rng.normal(size=(trials, n))
    after = 2.0 * (0.6 * before + 0.8 * rng.normal(size=(trials, n))) + arm
    x = np.stack([np.ones((trials, n)), arm + np.zeros((trials, n)), before], axis=2)
    gram = np.linalg.inv(np.swapaxes(x, 1, 2) @ x)
    beta = np.einsum("rab,rnb,rn->ra", gram, x, after)
    residual = after - np.einsum("rnb,rb->rn", x, beta)
    z = beta[:, 1] / np.sqrt(gram[:, 1, 1] * (residual**2).sum(axis=1) / (n - 3))
    from scipy.special import stdtrit

    rejected = np.abs(z) > stdtrit(n - 3, 0.975)
    assert abs(rejected.mean() - size.power) < 3 * np.sqrt(0.09 / trials)


@pytest.mark.parametrize("difference", [1e-3, 3.0, 1000.0])
@pytest.mark.parametrize("ratio", [0.2, 1.0, 5.0])
def test_the_size_is_the_smallest_with_the_power(difference, ratio):
    plan = Plan(power=0.8, ratio=ratio)
    size = size_change(plan, difference=difference, sd=1.0)
    assert size.power >= 0.8 - 1e-9
    fewer = size.control - 1
    assert t_power(fewer, ratio, difference, plan, 1) < 0.8 or difference > 100


def test_dropout_raises_the_randomised_and_not_the_power():
    whole, left = (size_change(Plan(), difference=2.0, sd=6.0, dropout=d) for d in (0.0, 0.2))
    assert left.control == int(np.ceil(whole.control / 0.8))
    assert left.power == whole.power


def test_what_cannot_be_shown_is_refused_with_everything_named():
    with pytest.raises(ValueError, match=r"alpha must lie.*power must be.*ratio is active"):
        Plan(alpha=0.6, power=0.3, ratio=0.0)
    with pytest.raises(ValueError, match="one-sided"):
        Plan(margin=1.0)
    with pytest.raises(ValueError, match="difference of 0"):
        size_change(Plan(), difference=0.0, sd=1.0)
    with pytest.raises(ValueError, match=r"rising visits.*dropout is a share"):
        size_slope(Plan(), difference=0.2, months=[3.0, 1.0], slope_sd=0.7, residual_sd=1.0, dropout=1.0)
    with pytest.raises(ValueError, match="beyond the margin"):
        size_events(Plan(alpha=0.025, side="one-sided", margin=1.2), hazard_ratio=1.4, control_median=20.0, accrual=1.0, follow_up=1.0)
    with pytest.raises(ValueError, match="no number of events"):
        size_events(Plan(), hazard_ratio=1.0, control_median=20.0, accrual=1.0, follow_up=1.0)
    assert Plan().z_alpha == pytest.approx(-ndtri(0.025))
