"""Who is enrolled, when, to which arm, and what is known at a look: against their definitions and a literal second hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from alsmodel.patients.allocation import minimise
from alsmodel.patients.course import (
    PURPOSE_DROPOUT,
    PURPOSE_EVENT,
    PURPOSE_INTERCEPT,
    PURPOSE_MISSING,
    PURPOSE_RESIDUAL,
    PURPOSE_SLOPE,
    PURPOSE_WINDOW,
)
from alsmodel.patients.streams import normal, uniform
from alsmodel.trials import (
    BaselineCovariate,
    Effect,
    FixedBounds,
    LogRank,
    Look,
    Minimisation,
    NamedTruth,
    ParallelDesign,
    PermutedBlocks,
    Phenotype,
    Population,
    RandomSlope,
    Recruitment,
    Trial,
)
from alsmodel.trials.block import Task, run_task, trial_keys
from alsmodel.trials.conditions import Categories
from alsmodel.trials.run import check_eligibility
from alsmodel.trials.world import assign, enrol, first, observe, paths

POPULATION = Population(
    phenotypes=(
        Phenotype(name="limb", share=0.7, slope=0.1),
        Phenotype(name="bulbar", share=0.3, slope=-0.233, log_hazard=0.3, intercept=-1.0),
    ),
    covariates=(
        BaselineCovariate(name="age", mean=60, sd=10, minimum=18, log_hazard=0.02),
        BaselineCovariate(name="vital_capacity", mean=85, sd=12, per_point=1.0, minimum=10),
        BaselineCovariate(name="sod1", probability=0.02),
    ),
    eligibility=("0.3 <= delta_frs < 2", "onset_months < 36 and vital_capacity >= 60", "not sod1"),
    leaving_per_point=-0.05,
    leaving_per_slope=-0.3,
)
DESIGN = ParallelDesign(
    visits=(0.0, 2.0, 4.0, 6.0),
    duration=6.0,
    allocation=(1, 1, 1),
    randomisation=PermutedBlocks(block=2, strata=("phenotype", "delta_frs >= 0.8")),
    recruitment=Recruitment(per_month=(4.0, 8.0), from_month=(0.0, 3.0), ramp_months=1.0, sites=4, site_opening_months=2.0),
    visit_window_days=7.0,
    phone_visits=(2.0,),
    phone_sd=1.0,
)
EFFECT = Effect(
    name="complicated",
    slowing=0.4,
    slope_spread="scaled",
    from_month=1.5,
    to_month=4.5,
    hazard_ratio_periods=((1.0, 0.5), (3.0, 0.8)),
    by_phenotype={"bulbar": 0.5},
    by_arm=(0.5, 1.0),
)
TRUTH = NamedTruth(hazard=(0.03, 0.05), hazard_knots=(0.0, 2.5))
TRIAL = Trial(truth=TRUTH, population=POPULATION, design=DESIGN, effects=(EFFECT,), n_per_arm=(12,), analyses=(LogRank(),), seed=3)


def integrated(rate: NDArray[np.float64], mass: float, grid: NDArray[np.float64]) -> float:
    """Month at which a hazard on a fine grid has used up `mass`; infinite if never."""
    total = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(grid))])
    return float(np.interp(mass, total, grid)) if total[-1] >= mass else np.inf


def literal(trial: Trial, enrolled: Any, arm: NDArray[np.int64], r: int, i: int, key: np.uint64) -> dict[str, Any]:
    """One participant by the definitions, month by small month."""
    who, g, a = int(enrolled.person[r, i]), int(enrolled.group[r, i]), int(arm[r, i])
    kind = POPULATION.phenotypes[g]
    age = enrolled.columns["age"][r, i]
    z0, z = normal(key, who, PURPOSE_INTERCEPT, 0), normal(key, who, PURPOSE_SLOPE, 0)
    s = TRUTH.slope_skew
    z1 = -(np.exp(-s * z - s**2 / 2) - 1) / np.sqrt(np.exp(s**2) - 1)
    b0 = TRUTH.intercept_sd * z0
    b1 = TRUTH.slope_sd * (TRUTH.correlation * z0 + np.sqrt(1 - TRUTH.correlation**2) * z1)
    share = (0.0, 0.5, 1.0)[a] * (1.0, 0.5)[g]
    grid = np.unique(np.concatenate([np.linspace(0, 6, 6001), np.array([1.0, 1.5, 2.5, 3.0, 4.5]) - 1e-9]))
    on = (grid >= 1.5 - 1e-12) & (grid < 4.5 - 1e-9)
    slope = (TRUTH.slope_mean + kind.slope + b1) * np.where(on, 1 - 0.4 * share, 1.0)
    level = TRUTH.intercept_mean + kind.intercept + b0
    value = level + np.concatenate([[0.0], np.cumsum(slope[:-1] * np.diff(grid))])
    ratio = np.select([grid < 1.0 - 1e-9, grid < 3.0 - 1e-9], [0.0, np.log(0.5)], np.log(0.8))
    base = np.where(grid < 2.5 - 1e-9, np.log(0.03), np.log(0.05))
    personal = kind.log_hazard + 0.02 * (age - 60) + share * ratio
    hazard = np.exp(base + personal + TRUTH.association_value * (value - TRUTH.intercept_mean))
    quit_rate = -np.log1p(-0.02) * np.exp(-0.05 * (value - TRUTH.intercept_mean) - 0.3 * (slope - TRUTH.slope_mean))
    left = integrated(quit_rate, -np.log(uniform(key, who, PURPOSE_DROPOUT, 0)), grid)
    died = integrated(hazard, -np.log(uniform(key, who, PURPOSE_EVENT, 0)), grid)
    end = min(died, left, 6.0)
    scores = []
    for v, month in enumerate(trial.design.visits):
        t = min(month + (7 / (365.25 / 12) * (2 * uniform(key, who, PURPOSE_WINDOW, v) - 1) if month > 0 else 0.0), 6.0)
        seen = t <= end and not (month > 0 and uniform(key, who, PURPOSE_MISSING, v) < 0.04)
        sd = np.hypot(1.77, 1.0 if month == 2.0 else 0.0)
        scores.append(np.interp(t, grid, value) + sd * normal(key, who, PURPOSE_RESIDUAL, v) if seen else np.nan)
    return {"scores": scores, "time": end, "event": died <= min(left, 6.0)}


def test_a_literal_second_hand_agrees_person_by_person() -> None:
    keys = trial_keys(TRIAL, 0, 4)
    enrolled = enrol(TRIAL, keys, 36)
    arm = assign(DESIGN, enrolled, keys)
    seen = observe(DESIGN, POPULATION, enrolled, EFFECT, arm, keys)
    assert set(arm.ravel().tolist()) == {0, 1, 2}
    assert 5 < seen.event.sum() < 100
    assert np.isfinite(seen.left).sum() > 3
    for r in range(4):
        for i in range(36):
            hand = literal(TRIAL, enrolled, arm, r, i, keys[r])
            # Trapezia of a thousandth of a month: errors of the path 1e-3 points at most.
            np.testing.assert_allclose(seen.scores[r, i], hand["scores"], atol=2e-3)
            assert seen.event_time[r, i] == pytest.approx(hand["time"], abs=1e-3)
            assert bool(seen.event[r, i]) == hand["event"]


def test_the_rules_hold_for_everyone_enrolled_and_select_in_order() -> None:
    keys = trial_keys(TRIAL, 0, 3)
    enrolled = enrol(TRIAL, keys, 60)
    columns = enrolled.columns
    assert (columns["delta_frs"] >= 0.3).all()
    assert (columns["onset_months"] < 36).all()
    assert (columns["sod1"] == 0).all()
    assert (np.diff(enrolled.person, axis=1) > 0).all()
    assert enrolled.screened[0, -1] > 60
    screening = columns["screening_score"]
    np.testing.assert_allclose(columns["delta_frs"], (48 - screening) / columns["onset_months"])
    # The score that admits is not the outcome: it has an error of its own.
    everyone = Trial(truth=TRUTH, population=replace(POPULATION, eligibility=()), design=DESIGN, n_per_arm=(12,), effects=(EFFECT,))
    drawn = enrol(everyone, trial_keys(everyone, 0, 20), 200)
    truth = 48 - (drawn.nature.intercept + 0.0)
    assert np.corrcoef(drawn.columns["screening_score"].ravel(), truth.ravel())[0, 1] < 0.999
    slope = np.polyfit(drawn.columns["age"].ravel(), drawn.nature.log_hazard.ravel() - 0.3 * (drawn.group.ravel() == 1), 1)[0]
    assert slope == pytest.approx(0.02, abs=1e-9)


def test_a_smaller_trial_is_the_first_part_of_a_larger_one() -> None:
    keys = trial_keys(TRIAL, 0, 3)
    small, large = enrol(TRIAL, keys, 24), first(enrol(TRIAL, keys, 60), 24)
    np.testing.assert_array_equal(small.person, large.person)
    np.testing.assert_array_equal(small.month, large.month)
    for rule in (DESIGN.randomisation, Minimisation(factors=("phenotype", "site"))):
        design = replace(DESIGN, randomisation=rule)
        np.testing.assert_array_equal(assign(design, small, keys), assign(design, enrol(TRIAL, keys, 60), keys)[:, :24])


def test_blocks_are_balanced_within_strata_and_shuffled() -> None:
    trial = replace(TRIAL, population=replace(POPULATION, eligibility=()))
    keys = trial_keys(trial, 0, 30)
    enrolled = enrol(trial, keys, 90)
    arm = assign(DESIGN, enrolled, keys)
    stratum = 2 * enrolled.group + (enrolled.columns["delta_frs"] >= 0.8)
    orders = set()
    for r in range(30):
        for s in range(4):
            mine = arm[r, stratum[r] == s]
            whole = mine[: mine.size // 6 * 6].reshape(-1, 6)
            assert (np.sort(whole, axis=1) == [0, 0, 1, 1, 2, 2]).all()
            orders |= {tuple(block) for block in whole.tolist()}
    # 90 orders are possible; hundreds of blocks show most of them.
    assert len(orders) > 60
    np.testing.assert_allclose(np.bincount(arm[:, 0], minlength=3) / 30, 1 / 3, atol=0.3)


def test_minimisation_balances_margins_better_than_chance_and_keeps_the_ratio() -> None:
    design = replace(DESIGN, allocation=(2, 1), randomisation=Minimisation(factors=("phenotype", "site"), probability=0.8))
    trial = replace(TRIAL, design=design, effects=(replace(EFFECT, by_arm=()),))
    keys = trial_keys(trial, 0, 40)
    enrolled = enrol(trial, keys, 90)
    arm = assign(design, enrolled, keys)
    assert arm.mean() == pytest.approx(1 / 3, abs=0.02)
    site = enrolled.columns["site"]
    assert isinstance(site, Categories)
    gaps = [abs((arm[r][site.codes[r] == s] - 1 / 3).sum()) for r in range(40) for s in range(4)]
    # By chance a site of 22 has an imbalance of SD sqrt(22 x 2/9) = 2.2, mean absolute 1.8.
    assert np.mean(gaps) < 1.2


@pytest.mark.parametrize("ratio", [(2, 1), (1, 3), (1, 1, 2), (1, 1)])
def test_minimisation_keeps_an_unequal_ratio_on_average(ratio: tuple[int, ...]) -> None:
    trials, n = 1500, 60
    keys = np.arange(1, trials + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    rng = np.random.default_rng(8)
    factors = np.stack([rng.integers(0, 8, (trials, n)), rng.integers(0, 2, (trials, n))], axis=2)
    arm = minimise(keys, factors, np.array([8, 2]), np.array(ratio), 0.8)
    share = np.array([(arm == a).mean(axis=1) for a in range(len(ratio))])
    # The first of a level are fewer than their ratio asks for or more; with p for every arm the smallest of 1:3 had 2.0 of 80 too many.
    np.testing.assert_allclose(share.mean(axis=1), np.array(ratio) / sum(ratio), atol=0.008)
    assert share.std(axis=1).max() < 0.6 * np.sqrt(0.25 * 0.75 / n)


def test_minimisation_takes_the_best_arm_with_the_chance_of_its_share() -> None:
    # Whoever comes second, to a level with one participant: which arm balances best is known, and so are the chances.
    keys = np.arange(1, 40_001, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    arm = minimise(keys, np.zeros((keys.size, 2, 1), dtype=np.int64), np.array([1]), np.array([1, 3]), 0.8)
    # Empty: one more in the large arm is a third of a share out of balance, in the small arm a whole one. P(large) = 1 - 0.2 x 1/3.
    assert arm[:, 0].mean() == pytest.approx(1 - 0.2 / 3, abs=0.004)
    # After one of the large arm: another makes 2/3, one of the small arm 1 - 1/3 = 2/3 as well; a tie goes by the ratio.
    assert arm[arm[:, 0] == 1, 1].mean() == pytest.approx(0.75, abs=0.01)
    # After one of the small arm the large one is best again.
    assert arm[arm[:, 0] == 0, 1].mean() == pytest.approx(1 - 0.2 / 3, abs=0.02)


def test_arrivals_follow_their_rate() -> None:
    plan = Recruitment(per_month=(5.0, 10.0), from_month=(0.0, 4.0), ramp_months=2.0, sites=5, site_opening_months=3.0)
    grid = np.linspace(0, 12, 1_200_001)
    reached = np.concatenate([[0.0], np.cumsum(0.5 * (plan.rate(grid[1:]) + plan.rate(grid[:-1])) * np.diff(grid))])
    mass = np.array([0.01, 0.5, 3.0, 11.0, 25.0, 60.0])
    # The grid's trapezia are off by half a step at each jump of the rate.
    np.testing.assert_allclose(plan.arrivals(mass), np.interp(mass, reached, grid), atol=1e-4)
    assert (plan.site(np.array([0.1, 0.1, 12.0]), np.array([0.01, 0.99, 0.99])) == [0, 0, 4]).all()


def test_what_is_known_at_a_look_is_what_had_happened() -> None:
    design = replace(
        DESIGN,
        allocation=(1, 1),
        randomisation=PermutedBlocks(),
        looks=(Look(when="followed", at=0.5, after=2.0), Look(when="events", at=9)),
        boundary=FixedBounds(efficacy=(1.2, 1.1, 0.9), futility=(-1.0, -0.8)),
    )
    strong = replace(EFFECT, by_arm=(), slowing=0.8, hazard_ratio_periods=((0.0, 0.3),))
    trial = replace(TRIAL, design=design, effects=(strong,), n_per_arm=(20,))
    (scenario,) = trial.scenarios
    (got,) = run_task(Task((scenario,), 0, 40))
    keys = trial_keys(trial, 0, 40)
    enrolled = enrol(trial, keys, 40)
    arm = assign(design, enrolled, keys)
    seen = observe(design, POPULATION, enrolled, scenario.effect, arm, keys)
    stops = set()
    for r in range(40):
        month = enrolled.month[r]
        when = month + seen.event_time[r]
        happened = np.sort(when[seen.event[r] == 1])
        looks = [np.sort(month)[19] + 2.0, happened[8] if happened.size > 8 else np.inf]
        end, reason, number, before = month.max() + 6.0, "end", 3, -np.inf
        for k, at in enumerate(looks):
            if at >= month.max() + 6.0 or at <= before:
                continue
            before = at
            z = literal_log_rank(np.minimum(seen.event_time[r], at - month), (when <= at) & (seen.event[r] == 1), arm[r], month <= at)
            if z >= (1.2, 1.1)[k] or z <= (-1.0, -0.8)[k]:
                end, reason, number = at, "efficacy" if z > 0 else "futility", k + 1
                break
        assert got["duration"][r] == pytest.approx(end)
        assert (got["stop"][r], got["look"][r]) == (reason, number)
        assert got["participants"][r] == (month <= end).sum()
        assert got["events"][r] == ((when <= end) & (seen.event[r] == 1)).sum()
        stops.add(reason)
    assert stops == {"end", "efficacy", "futility"}


def literal_log_rank(time: NDArray[Any], event: NDArray[Any], arm: NDArray[Any], inside: NDArray[Any]) -> float:
    """z in favour of arm 1, by the sum over events."""
    time, event, arm = time[inside], event[inside], arm[inside]
    excess = spread = 0.0
    for t in np.unique(time[event]):
        risk, dead = time >= t, event & (time == t)
        p = arm[risk].mean()
        excess += (arm[dead] == 1).sum() - dead.sum() * p
        spread += dead.sum() * p * (1 - p) * (risk.sum() - dead.sum()) / max(risk.sum() - 1, 1)
    return float(-excess / np.sqrt(spread)) if spread > 0 else np.nan


def test_true_paths_are_what_scores_scatter_around() -> None:
    design = replace(DESIGN, visit_window_days=0.0, dropout_per_month=0.0, missing_visit_probability=0.0, phone_visits=())
    trial = replace(TRIAL, design=design, truth=replace(TRUTH, hazard=(1e-12, 1e-12), association_value=0.0))
    keys = trial_keys(trial, 0, 20)
    enrolled = enrol(trial, keys, 90)
    arm = assign(design, enrolled, keys)
    errors = observe(design, POPULATION, enrolled, EFFECT, arm, keys).scores - paths(design, POPULATION, enrolled, EFFECT, arm, keys)
    assert stats.kstest(errors.ravel() / 1.77, "norm").pvalue > 1e-3


def test_everybody_who_stays_has_a_last_visit_however_wide_the_window() -> None:
    """A last visit planned for the end of follow-up, whose day would fall after it, is made on the last day and not lost."""
    design = replace(DESIGN, visit_window_days=14.0, dropout_per_month=0.0, missing_visit_probability=0.0)
    trial = replace(TRIAL, design=design, truth=replace(TRUTH, hazard=(1e-12, 1e-12), association_value=0.0))
    keys = trial_keys(trial, 0, 20)
    enrolled = enrol(trial, keys, 90)
    seen = observe(design, POPULATION, enrolled, EFFECT, assign(design, enrolled, keys), keys)
    assert np.isfinite(seen.scores).all()
    last = seen.months[..., -1]
    assert last.max() == design.duration
    # Half of the days lie before the plan, evenly within two weeks; the other half are on the last day. 1,800 people: 5 SE is 0.06.
    assert float((last == design.duration).mean()) == pytest.approx(0.5, abs=0.06)


def test_rules_that_admit_nobody_are_an_error_before_any_work() -> None:
    nobody = replace(TRIAL, population=replace(POPULATION, eligibility=("delta_frs > 40",)))
    with pytest.raises(ValueError, match=r"eligibility admits 0\.00% of candidates"):
        check_eligibility(nobody)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: replace(POPULATION, eligibility=("delta_fs > 1",)), "Did you mean delta_frs"),
        (lambda: replace(POPULATION, phenotypes=(Phenotype(name="a", share=0.4),)), "add up to 1"),
        (
            lambda: replace(TRIAL, design=replace(DESIGN, randomisation=PermutedBlocks(strata=("sight",)))),
            "Did you mean site",
        ),
        (lambda: replace(TRIAL, effects=(replace(EFFECT, by_phenotype={"flail": 0.1}),)), "by_phenotype names flail"),
        (lambda: replace(TRIAL, effects=(replace(EFFECT, by_arm=(1.0,)),)), "1 shares for 2 active arms"),
        (lambda: replace(TRIAL, analyses=(RandomSlope(arm=3),)), "active arms 1 to 2"),
        (lambda: replace(TRIAL, axes={"design.dropout_per_mnth": (0.1,)}), "Did you mean dropout_per_month"),
        (lambda: replace(TRIAL, axes={"design.dropout_per_month": (0.1, 1.5)}), "Write 2% as 0.02"),
        (lambda: replace(TRIAL, axes={"design.dropout_per_month": ("much",)}), "expected a value like"),
        (lambda: replace(TRIAL, axes={"n_per_arm": (3,)}), "axes by themselves"),
        (lambda: replace(DESIGN, looks=(Look(when="enrolled", at=0.5),)), "go together"),
        (lambda: Look(when="followed", at=0.5), "before anyone is followed"),
        (lambda: Look(when="enrolled", at=5), "share of the planned"),
        (lambda: FixedBounds(efficacy=(2.0,), futility=(1.0,)), "one bound per look"),
        (lambda: replace(DESIGN, phone_visits=(3.0,)), "not among"),
        (lambda: replace(DESIGN, visit_window_days=40), "half the shortest gap"),
        (lambda: Recruitment(per_month=(0.0,)), "above 0 in the last"),
        (lambda: Effect(name="x", hazard_ratio=0.5, hazard_ratio_periods=((0.0, 0.5),)), "keep one"),
        (lambda: Effect(name="x", from_month=3, to_month=2), "to_month must lie after"),
    ],
)
def test_impossible_designs_are_refused_in_words(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_axes_multiply_and_share_what_they_can() -> None:
    trial = replace(TRIAL, axes={"design.dropout_per_month": (0.01, 0.05), "alpha": (0.05, 0.01)})
    scenarios = trial.scenarios
    assert len(scenarios) == 4
    assert [dict(s.at)["alpha"] for s in scenarios] == [0.05, 0.01, 0.05, 0.01]
    assert scenarios[3].trial.decision.alpha == 0.01
    # Alpha is applied to the records: scenarios that differ in it alone have one address.
    assert len({s.digest("code") for s in scenarios}) == 2
