"""Intercurrent events: when they come, what they do, what each strategy makes of them, and that true values follow the question."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl
import pytest
from scipy import stats

from alsmodel.errors import InvalidInput
from alsmodel.patients.course import PURPOSE_EVENT, PURPOSE_INTERCEPT, PURPOSE_SLOPE
from alsmodel.patients.streams import normal, uniform
from alsmodel.settings import decode, encode
from alsmodel.trials import (
    ANCOVA,
    MMRM,
    RMST,
    Afterwards,
    BlindedEvents,
    Cox,
    Effect,
    FixedBounds,
    Intercurrent,
    JointRank,
    LogRank,
    Look,
    NamedTruth,
    OperatingCharacteristics,
    ParallelDesign,
    PosteriorTruth,
    RandomSlope,
    Recruitment,
    ReferenceBased,
    ResampledTruth,
    Responder,
    Trial,
    TrialData,
    TrialSettings,
    Win,
    example,
    simulate,
)
from alsmodel.trials.block import Task, run_task, trial_keys
from alsmodel.trials.comparison import ComparisonPlan
from alsmodel.trials.estimands import true_values
from alsmodel.trials.intercurrent import PURPOSE_INTERCURRENT, words_of
from alsmodel.trials.results import INTERCURRENT_COLUMNS
from alsmodel.trials.world import assign, enrol, observe, undying

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_intercurrent.py"))))

RESCUE = Intercurrent(name="rescue", hazard=0.06, hazard_per_point=-0.05, hazard_per_slope=-0.3, afterwards=Afterwards(slope=0.5))
TUBE = Intercurrent(name="gastrostomy", hazard=0.2, score_below=31.0, from_month=1.0, afterwards=Afterwards(points=-2.0))
VENTILATION = Intercurrent(name="NIV", hazard=0.08, hazard_per_point=-0.1, afterwards=Afterwards(hazard_ratio=0.4, ends_treatment=True))
EVENTS = (RESCUE, TUBE, VENTILATION)
TRUTH = NamedTruth(hazard=(0.03,))
DESIGN = ParallelDesign(visits=(0.0, 2.0, 4.0, 6.0, 8.0), duration=8.0, dropout_per_month=0.0, missing_visit_probability=0.0)
EFFECT = Effect(name="slower", slowing=0.3, hazard_ratio_of={"rescue": 0.5})
BARE = replace(EFFECT, hazard_ratio_of={})
TRIAL = Trial(
    truth=TRUTH, design=DESIGN, intercurrent=EVENTS, effects=(EFFECT,), n_per_arm=(30,), seed=5, analyses=(RandomSlope(), LogRank())
)


def seen_of(trial: Trial, replicates: int, n: int) -> tuple[Any, ...]:
    keys = trial_keys(trial, 0, replicates)
    enrolled = enrol(trial, keys, n)
    arm = assign(trial.design, enrolled, keys)
    effect = trial.effects[0]
    return keys, enrolled, arm, observe(trial.design, trial.population, enrolled, effect, arm, keys, events=trial.intercurrent)


def test_a_walk_in_small_steps_agrees_person_by_person() -> None:
    keys, enrolled, arm, seen = seen_of(TRIAL, 1, 60)
    line, aside = undying(DESIGN, TRIAL.population, enrolled, EFFECT, arm, keys, EVENTS)
    step, several = 2e-3, 0
    for r in range(1):
        for i in range(60):
            z0, z = normal(keys[r], i, PURPOSE_INTERCEPT, 0), normal(keys[r], i, PURPOSE_SLOPE, 0)
            s = TRUTH.slope_skew
            z1 = -(np.exp(-s * z - s**2 / 2) - 1) / np.sqrt(np.exp(s**2) - 1)
            ratios = (0.5 if arm[r, i] else 1.0, 1.0, 1.0)
            hand = literal.walk(
                level=35 + TRUTH.intercept_sd * z0,
                slope=-1.03,
                deviation=TRUTH.slope_sd * (TRUTH.correlation * z0 + np.sqrt(1 - TRUTH.correlation**2) * z1),
                slowing=0.3 * arm[r, i],
                hazard=0.03,
                per_point=-0.08,
                centre_value=35.0,
                centre_slope=-1.03,
                events=[
                    {
                        "rate": e.hazard,
                        "per_point": e.hazard_per_point,
                        "per_slope": e.hazard_per_slope,
                        "below": np.inf if e.score_below is None else e.score_below,
                        "from_month": e.from_month,
                        "ratio": ratio,
                        "points": e.afterwards.points,
                        "slope": e.afterwards.slope,
                        "hazard_ratio": e.afterwards.hazard_ratio,
                        "ends_treatment": e.afterwards.ends_treatment,
                    }
                    for e, ratio in zip(EVENTS, ratios, strict=True)
                ],
                masses=-np.log([uniform(keys[r], i, PURPOSE_INTERCURRENT + crc32(e.name.encode()), 0) for e in EVENTS]),
                death_mass=-np.log(uniform(keys[r], i, PURPOSE_EVENT, 0)),
                duration=8.0,
                step=step,
            )
            several += int(np.isfinite(hand["happened"]).sum() > 1)
            for k, e in enumerate(EVENTS):
                # Midpoint steps of a five-hundredth of a month, so that an event comes up to two steps late; at month 8 either may miss it.
                both = (min(aside[e.name][r, i], 8.0), min(hand["happened"][k], 8.0))
                assert both[0] == pytest.approx(both[1], abs=3 * step), e.name
            died = min(hand["died"], 8.0)
            assert seen.event_time[r, i] == pytest.approx(died, abs=4 * step)
            for e in EVENTS:
                known = aside[e.name][r, i] if aside[e.name][r, i] <= seen.event_time[r, i] else np.inf
                assert seen.intercurrent[e.name][r, i] == known
            # A jump that falls within a step of a visit is seen on one side of it or the other.
            near = np.abs(np.array(DESIGN.visits)[:, None] - np.append(hand["happened"], np.inf)[None, :]).min(axis=1) < 3 * step
            np.testing.assert_allclose(line[r, i][~near], np.interp(DESIGN.visits, hand["months"], hand["values"])[~near], atol=6 * step)
    assert several > 10


def test_a_constant_hazard_gives_exponential_times_by_arm() -> None:
    event = Intercurrent(name="rescue", hazard=0.1, from_month=2.0)
    quiet = replace(TRUTH, hazard=(1e-12,))
    trial = replace(TRIAL, truth=quiet, intercurrent=(event,), effects=(EFFECT,))
    _, _, arm, seen = seen_of(trial, 40, 200)
    when = seen.intercurrent["rescue"]
    assert (when > 2.0).all()
    for a, rate in ((0, 0.1), (1, 0.05)):
        mine = when[arm == a]
        came = np.isfinite(mine)
        share = 1 - np.exp(-rate * 6)
        # 4,000 people: 4 standard errors of a share.
        assert came.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / mine.size))
        conditional = (1 - np.exp(-rate * (mine[came] - 2.0))) / share
        assert stats.kstest(conditional, "uniform").pvalue > 1e-3
        # Negative control: a rate that is off by a quarter is found out.
        assert abs(came.mean() - (1 - np.exp(-1.25 * rate * 6))) > 4 * np.sqrt(share * (1 - share) / mine.size)


def test_worse_participants_have_it_sooner_and_never_above_the_threshold() -> None:
    keys, enrolled, arm, _ = seen_of(replace(TRIAL, intercurrent=(TUBE,), effects=(BARE,)), 10, 100)
    line, when = undying(DESIGN, TRIAL.population, enrolled, BARE, arm, keys, (TUBE,))
    alone, _ = undying(DESIGN, TRIAL.population, enrolled, BARE, arm, keys, ())
    came = np.isfinite(when["gastrostomy"])
    assert 0.2 < came.mean() < 0.8
    # The path without the event, a straight line, has passed 31 points when it comes; and afterwards it is two points lower.
    rate = (alone[..., -1] - alone[..., 0]) / 8.0
    at = alone[..., 0] + rate * np.where(came, when["gastrostomy"], 0.0)
    assert (at[came] < 31.0 + 1e-9).all()
    later = came[..., None] & (np.array(DESIGN.visits) > when["gastrostomy"][..., None])
    np.testing.assert_allclose(alone - line, np.where(later, 2.0, 0.0), atol=1e-9)


def test_an_event_that_changes_nothing_changes_no_bit_and_adding_one_moves_no_other() -> None:
    never = Intercurrent(name="never", hazard=1e-12)
    idle = Intercurrent(name="idle", hazard=0.1)
    plain = replace(TRIAL, intercurrent=(), effects=(BARE,), design=replace(DESIGN, dropout_per_month=0.03))
    wanted = run_task(Task(plain.scenarios, 0, 6))[0]
    with_rare = run_task(Task(replace(plain, intercurrent=(never,)).scenarios, 0, 6))[0]
    np.testing.assert_array_equal(with_rare["estimate"], wanted["estimate"])
    assert plain.population_words() == replace(plain, intercurrent=(idle,)).population_words()
    # Other kinds, before or after it in the list, leave the times of one alone, as long as they change no path.
    alone = seen_of(replace(TRIAL, intercurrent=(RESCUE,)), 3, 40)[3].intercurrent["rescue"]
    among = seen_of(replace(TRIAL, intercurrent=(idle, RESCUE, never)), 3, 40)[3].intercurrent["rescue"]
    np.testing.assert_allclose(among, alone, rtol=1e-12)


def test_blocks_do_not_change_a_bit() -> None:
    trial = replace(
        TRIAL, replicates=7, analyses=(RandomSlope(strategies={"rescue": "hypothetical"}), LogRank(strategies={"NIV": "composite"}))
    )
    whole = simulate(trial, twins=2000)
    for block in (1, 3):
        other = simulate(trial, twins=2000, block=block)
        assert other.table.equals(whole.table)
        assert other.intercurrent.equals(whole.intercurrent)


def test_strategies_do_to_the_data_what_they_say() -> None:
    months = np.array([0.0, 3.0, 6.0, 9.0])
    scores = np.array([[[40.0, 38.0, 36.0, 34.0], [40.0, np.nan, 35.0, 33.0], [40.0, 39.0, 38.0, 37.0]]])
    data = TrialData(
        months=months,
        scores=scores,
        arm=np.array([[0, 1, 1]]),
        event_time=np.array([[10.0, 9.5, 12.0]]),
        event=np.array([[1, 1, 0]]),
        intercurrent={"rescue": np.array([[6.0, 5.0, np.inf]]), "NIV": np.array([[8.0, np.inf, 11.0]])},
        strategies={"rescue": "treatment policy", "NIV": "treatment policy"},
    )
    assert data.under(ANCOVA()) is data
    seen = data.under(ANCOVA(strategies={"rescue": "hypothetical"}))
    # Month 6 belongs to the time up to an event in month 6.
    np.testing.assert_array_equal(seen.scores[0], [[40, 38, 36, np.nan], [40, np.nan, np.nan, np.nan], [40, 39, 38, 37]])
    np.testing.assert_array_equal(seen.event_time, [[6.0, 5.0, 12.0]])
    np.testing.assert_array_equal(seen.event, [[0, 0, 0]])
    carried = data.under(ANCOVA(strategies={"rescue": "while on treatment"})).scores[0]
    np.testing.assert_array_equal(carried, [[40, 38, 36, 36], [40, np.nan, 40, 40], [40, 39, 38, 37]])
    aside = data.under(RandomSlope(strategies={"rescue": "while on treatment"})).scores[0]
    np.testing.assert_array_equal(aside, seen.scores[0])
    failed = data.under(Cox(strategies={"NIV": "composite"}))
    np.testing.assert_array_equal(failed.event_time, [[8.0, 9.5, 11.0]])
    np.testing.assert_array_equal(failed.event, [[1, 1, 1]])
    both = data.under(Cox(strategies={"NIV": "composite", "rescue": "hypothetical"}))
    np.testing.assert_array_equal(both.event_time, [[6.0, 5.0, 11.0]])
    np.testing.assert_array_equal(both.event, [[0, 0, 1]])
    # Cut before it, an event is not known.
    cut = data.until(7.0).under(Cox(strategies={"NIV": "composite"}))
    np.testing.assert_array_equal(cut.event, [[0, 0, 0]])


def test_strategies_agree_with_a_literal_reading_of_each_participant() -> None:
    trial = replace(TRIAL, intercurrent=EVENTS, design=replace(DESIGN, dropout_per_month=0.05, missing_visit_probability=0.1))
    _, _, arm, seen = seen_of(trial, 3, 60)
    chosen = {"rescue": "hypothetical", "gastrostomy": "composite", "NIV": "while on treatment"}
    data = TrialData(
        months=np.array(DESIGN.visits),
        scores=seen.scores,
        arm=arm,
        event_time=seen.event_time,
        event=seen.event,
        intercurrent=seen.intercurrent,
        strategies={e.name: "treatment policy" for e in EVENTS},
    ).under(Cox(strategies=chosen))
    for r in range(3):
        for i in range(60):
            rescue, tube, niv = (seen.intercurrent[name][r, i] for name in ("rescue", "gastrostomy", "NIV"))
            time, event = literal.composite_and_censored(seen.event_time[r, i], bool(seen.event[r, i]), [tube], [rescue, niv])
            assert (data.event_time[r, i], bool(data.event[r, i])) == (time, event)
            for v, month in enumerate(DESIGN.visits):
                wanted = seen.scores[r, i, v] if month <= min(rescue, tube, niv) else np.nan
                np.testing.assert_equal(data.scores[r, i, v], wanted)


# True values -----------------------------------------------------------------------------------------------------------------------

FLAT = NamedTruth(hazard=(0.05,), association_value=0.0, slope_skew=0.0)
PLAIN_RESCUE = Intercurrent(name="rescue", hazard=0.1, afterwards=Afterwards(slope=0.5, hazard_ratio=2.0))
FIXED = replace(
    TRIAL,
    truth=FLAT,
    intercurrent=(PLAIN_RESCUE,),
    effects=(Effect(name="both", slowing=0.4, hazard_ratio=0.5, hazard_ratio_of={"rescue": 0.5}),),
)
TWINS = 100_000


def values(trial: Trial, folder: Path) -> dict[str, float]:
    return {label: float(value[0]) for label, value in true_values(trial.scenarios[0], folder, TWINS).values.items()}


def test_true_values_have_closed_forms_under_each_strategy(tmp_path: Path) -> None:
    policies = ("treatment policy", "hypothetical", "composite", "while on treatment")
    each = [
        kind(strategies={"rescue": strategy})
        for kind in (ANCOVA, Cox, lambda **more: RMST(horizon=8.0, **more))
        for strategy in policies
        if strategy in kind(strategies={}).admits
    ]
    found = values(replace(FIXED, analyses=(*each, ANCOVA(until=4.0), RandomSlope(strategies={"rescue": "while on treatment"}))), tmp_path)
    rates = (0.1, 0.05)
    # Months after the event by month 8 and visit month of the last score before it, for events at a constant rate.
    after = [8 - (1 - np.exp(-h * 8)) / h for h in rates]
    last = [2 * sum(np.exp(-h * v) for v in (2, 4, 6, 8)) for h in rates]
    gain = 0.4 * 1.03
    # Twins' SE of mean months below 0.01, times slopes of about one.
    assert found["ANCOVA, treatment policy for rescue"] == pytest.approx(8 * gain + 0.5 * (after[1] - after[0]), abs=0.02)
    early = [4 - (1 - np.exp(-h * 4)) / h for h in rates]
    assert found["ANCOVA, until month 4"] == pytest.approx(4 * gain + 0.5 * (early[1] - early[0]), abs=0.01)
    # Straight lines up to the event: every slope on treatment is the own; those with two visits are a random part of the arms.
    assert found["random slope, while on treatment for rescue"] == pytest.approx(gain, abs=0.02)
    assert found["ANCOVA, hypothetical for rescue"] == pytest.approx(8 * gain, abs=1e-9)
    assert found["ANCOVA, while on treatment for rescue"] == pytest.approx(-1.03 * (0.6 * last[1] - last[0]), abs=0.04)
    # Death at 0.05 and 0.025 a month; rescue doubles it; as a failure it adds 0.1 and 0.05.
    assert found["Cox, hypothetical for rescue"] == pytest.approx(np.log(0.5), abs=0.04)
    assert found["Cox, while on treatment for rescue"] == pytest.approx(np.log(0.5), abs=0.04)
    assert found["Cox, composite for rescue"] == pytest.approx(np.log(0.5), abs=0.02)
    assert found["Cox, treatment policy for rescue"] < np.log(0.5) - 0.05

    def alive(death: float, event: float, ratio: float) -> float:
        """Mean months alive up to 8: before the event, and after it at another rate."""
        grid = np.linspace(0, 8, 80_001)
        curve = np.exp(-(death + event) * grid)
        curve += event * (np.exp(-ratio * death * grid) - np.exp(-(death + event) * grid)) / (death + event - ratio * death)
        return float(np.trapezoid(curve, grid))

    wanted = {
        "treatment policy": alive(0.025, 0.05, 2.0) - alive(0.05, 0.1001, 2.0),
        "hypothetical": (1 - np.exp(-0.025 * 8)) / 0.025 - (1 - np.exp(-0.05 * 8)) / 0.05,
        "composite": (1 - np.exp(-0.075 * 8)) / 0.075 - (1 - np.exp(-0.15 * 8)) / 0.15,
    }
    for strategy, value in wanted.items():
        assert found[f"RMST to month 8, {strategy} for rescue"] == pytest.approx(value, abs=0.04), strategy


def test_ranks_and_responders_count_a_composite_event_as_failure(tmp_path: Path) -> None:
    composite = {"rescue": "composite"}
    analyses = (
        Win(scale="net benefit", strategies=composite),
        JointRank(strategies=composite),
        Responder(threshold=6.0, strategies=composite),
        Responder(threshold=6.0, strategies={"rescue": "while on treatment"}),
        Win(scale="net benefit", strategies={"rescue": "hypothetical"}),
    )
    found = values(replace(FIXED, analyses=analyses), tmp_path)
    spread = np.hypot(FLAT.slope_sd * 8, np.sqrt(2) * FLAT.residual_sd)

    def benefit(control: float, active: float, gained: float) -> float:
        total, alive = control + active, np.exp(-(control + active) * 8)
        better = stats.norm.cdf(gained / (np.sqrt(2) * spread))
        return float((control - active) / total * (1 - alive) + alive * (2 * better - 1))

    gain = 0.4 * 1.03 * 8
    assert found["net benefit, composite for rescue"] == pytest.approx(benefit(0.15, 0.075, gain), abs=0.012)
    assert found["joint rank, composite for rescue"] == pytest.approx(60 * benefit(0.15, 0.075, gain) / 2, abs=0.4)
    assert found["net benefit, hypothetical for rescue"] == pytest.approx(benefit(0.05, 0.025, gain), abs=0.012)
    shares = [np.exp(-h * 8) * stats.norm.cdf((6 - 8 * 1.03 * f) / spread) for h, f in ((0.15, 1.0), (0.075, 0.6))]
    assert found["responder, fewer than 6 points lost, composite for rescue"] == pytest.approx(shares[1] - shares[0], abs=0.012)

    def responds(death: float, event: float, slope: float) -> float:
        """Still on treatment at month 8 and fewer than 6 points lost there, or at the last visit up to the event if alive at it."""
        lost = [1.0] + [stats.norm.cdf((6 - slope * v) / np.hypot(FLAT.slope_sd * v, np.sqrt(2) * FLAT.residual_sd)) for v in (2, 4, 6, 8)]
        gone = np.exp(-(death + event) * np.arange(0, 10, 2))
        came = event / (death + event) * (gone[:-1] - gone[1:])
        return float(gone[-1] * lost[-1] + (came * lost[:-1]).sum())

    aside = found["responder, fewer than 6 points lost, while on treatment for rescue"]
    assert aside == pytest.approx(responds(0.025, 0.05, 0.6 * 1.03) - responds(0.05, 0.1, 1.03), abs=0.012)


def test_analyses_aim_at_the_true_value_of_their_strategy_and_miss_that_of_another() -> None:
    policy, hypothetical = ({"rescue": s} for s in ("treatment policy", "hypothetical"))
    trial = replace(
        TRIAL,
        truth=replace(FLAT, hazard=(0.03,)),
        intercurrent=(Intercurrent(name="rescue", hazard=0.12, afterwards=Afterwards(slope=0.8, hazard_ratio=2.0)),),
        effects=(Effect(name="slower", slowing=0.5, hazard_ratio=0.6, hazard_ratio_of={"rescue": 0.4}),),
        analyses=(
            MMRM(strategies=policy),
            MMRM(strategies=hypothetical),
            RandomSlope(strategies=hypothetical),
            Cox(strategies=policy),
            Cox(strategies=hypothetical),
            Cox(strategies={"rescue": "composite"}),
        ),
        n_per_arm=(100,),
        replicates=150,
    )
    table = simulate(trial, twins=TWINS).table
    rows = {row["analysis"].split(" for rescue")[0]: row for row in table.iter_rows(named=True)}
    for row in rows.values():
        # 3.5 standard errors of 150 trials and of the twins; 2% for the small-sample bias of hazard ratios.
        room = 3.5 * np.hypot(row["bias_mcse"], row["true_value_mcse"]) + 0.02 * abs(row["true_value"])
        assert abs(row["bias"]) < room, row["analysis"]
    # Negative control: the true values differ, and the hypothetical analysis misses that of treatment policy.
    kept, without = rows["MMRM, treatment policy"], rows["MMRM, hypothetical"]
    assert without["true_value"] - kept["true_value"] > 0.3
    assert abs(without["mean_estimate"] - kept["true_value"]) > 3.5 * without["bias_mcse"] + 0.02 * abs(kept["true_value"])


def test_under_the_sharp_null_every_strategy_keeps_its_level() -> None:
    informative = replace(RESCUE, hazard=0.1, hazard_per_slope=-0.5)
    airway = Intercurrent(
        name="tracheostomy", hazard=0.08, hazard_per_point=-0.1, afterwards=Afterwards(ends_scores=True, hazard_ratio=0.5)
    )
    apart, failed, held = {"rescue": "hypothetical"}, {"tracheostomy": "composite"}, {"rescue": "while on treatment"}
    analyses = (
        *(RandomSlope(strategies=apart), MMRM(), MMRM(strategies=apart), ANCOVA(strategies=held), Responder(strategies=failed | held)),
        *(LogRank(strategies=failed), Cox(strategies=apart), JointRank(strategies=failed), Win(strategies=failed)),
    )
    null = replace(
        TRIAL, intercurrent=(informative, airway), effects=(Effect(name="null"),), analyses=analyses, n_per_arm=(60,), replicates=500
    )
    table = simulate(null, twins=1000).table
    # alpha 0.05 two-sided, 500 trials: 3 Monte Carlo standard errors are 0.029. 4,000 trials stand in the documentation.
    np.testing.assert_allclose(table["power"], 0.05, atol=0.029)
    np.testing.assert_allclose(table["true_value"], 0.0, atol=1e-9)


def test_how_many_had_each_event_is_counted_by_arm(tmp_path: Path) -> None:
    trial = replace(TRIAL, replicates=12, axes={"design.duration": (8.0, 9.0)})
    found = simulate(trial, twins=1000)
    assert tuple(found.intercurrent.columns) == (*INTERCURRENT_COLUMNS, "design.duration")
    assert found.intercurrent.height == 2 * 3 * 2
    _, _, arm, seen = seen_of(trial.scenarios[0].trial, 12, 60)
    for row in found.intercurrent.filter(pl.col("design.duration") == 8.0).iter_rows(named=True):
        counts = (np.isfinite(seen.intercurrent[row["event"]]) & (arm == row["arm"])).sum(axis=1)
        assert row["mean_number"] == pytest.approx(counts.mean())
        assert row["number_mcse"] == pytest.approx(counts.std(ddof=1) / np.sqrt(12))
        assert row["share"] == pytest.approx(counts.mean() / 30)
    assert "rescue (treatment policy): " in repr(found)
    found.save(tmp_path / "trial")
    assert OperatingCharacteristics.load(tmp_path / "trial").intercurrent.equals(found.intercurrent)
    none = simulate(replace(TRIAL, intercurrent=(), effects=(Effect(name="null"),), replicates=2), twins=1000)
    assert none.intercurrent.height == 0


def test_the_telling_names_each_event_with_the_strategy_of_the_analysis() -> None:
    trial = replace(TRIAL, analyses=(RandomSlope(), LogRank(strategies={"NIV": "composite"})))
    first, second = example(trial)
    _, _, arm, seen = seen_of(trial, 1, 60)
    counts = [int((np.isfinite(seen.intercurrent["NIV"][0]) & (arm[0] == a)).sum()) for a in (0, 1)]
    assert f"NIV in {counts[0]} of arm 0 and {counts[1]} of arm 1 (treatment policy)." in str(first)
    assert f"NIV in {counts[0]} of arm 0 and {counts[1]} of arm 1 (composite)." in str(second)


def test_scores_end_where_the_event_ends_them_but_not_for_twins() -> None:
    event = Intercurrent(name="tracheostomy", hazard=0.1, afterwards=Afterwards(ends_scores=True))
    trial = replace(TRIAL, intercurrent=(event,), effects=(BARE,), truth=replace(TRUTH, hazard=(1e-12,)))
    keys, enrolled, arm, seen = seen_of(trial, 4, 60)
    after = np.array(DESIGN.visits) > seen.intercurrent["tracheostomy"][..., None]
    assert 0.1 < after.mean() < 0.6
    np.testing.assert_array_equal(np.isnan(seen.scores), after)
    twins = observe(DESIGN, trial.population, enrolled, BARE, arm, keys, events=(event,), twins=True)
    assert np.isfinite(twins.scores).all()


def test_control_that_goes_over_to_treatment_has_its_events_at_the_treated_rate() -> None:
    event = Intercurrent(name="rescue", hazard=0.2)
    design = replace(DESIGN, delayed_start=4.0)
    trial = replace(TRIAL, intercurrent=(event,), design=design, truth=replace(TRUTH, hazard=(1e-12,)))
    _, _, arm, seen = seen_of(trial, 40, 100)
    when = seen.intercurrent["rescue"][arm == 0]
    late = when > 4.0
    for share, wanted, of in (
        (1 - late.mean(), 1 - np.exp(-0.2 * 4), when.size),
        (np.isinf(when[late]).mean(), np.exp(-0.1 * 4), late.sum()),
    ):
        assert share == pytest.approx(wanted, abs=4 * np.sqrt(wanted * (1 - wanted) / of))


def test_an_early_look_knows_the_events_so_far_and_counts_those_of_the_analysis_that_decides() -> None:
    looks, bounds = (Look(when="events", at=15),), FixedBounds(efficacy=(-9.0, 2.0))
    design = replace(DESIGN, looks=looks, boundary=bounds, recruitment=Recruitment(per_month=(10.0,)))
    composite = replace(TRIAL, design=design, intercurrent=(RESCUE,), analyses=(LogRank(strategies={"rescue": "composite"}),))
    _, enrolled, arm, seen = seen_of(composite, 6, 60)
    found = run_task(Task(composite.scenarios, 0, 6))[0]
    first = np.minimum(seen.intercurrent["rescue"], np.where(seen.event == 1, seen.event_time, np.inf))
    for r in range(6):
        when = enrolled.month[r] + first[r]
        at = np.sort(when)[14]
        assert found["duration"][r] == pytest.approx(at)
        counts = found["intercurrent"][r]
        for a in (0, 1):
            inside = (arm[r] == a) & (enrolled.month[r] <= at)
            assert counts[2 * a] == inside.sum()
            assert counts[2 * a + 1] == (inside & (enrolled.month[r] + seen.intercurrent["rescue"][r] <= at)).sum()
    plain = run_task(Task(replace(composite, analyses=(LogRank(),)).scenarios, 0, 6))[0]
    assert (plain["duration"] > found["duration"]).all()


def test_a_blinded_event_rate_is_that_of_the_analysis_that_decides() -> None:
    rule = BlindedEvents(planned_rate=0.05, look=Look(when="followed", at=0.5, after=4.0), most=2.0)
    design = replace(DESIGN, reestimation=rule, recruitment=Recruitment(per_month=(10.0,)))
    trial = replace(TRIAL, design=design, intercurrent=(RESCUE,))
    rates = [
        run_task(Task(replace(trial, analyses=(LogRank(strategies={"rescue": strategy}),)).scenarios, 0, 20))[0]["interim"]
        for strategy in ("treatment policy", "composite")
    ]
    # Rescues come at 0.06 a month at the means, and at half of that in the active arm.
    assert 0.03 < np.mean(rates[1] - rates[0]) < 0.09


def test_a_fitted_truth_and_a_record_have_intercurrent_events_too(tmp_path: Path) -> None:
    draws, people = 4, 10
    posterior = PosteriorTruth(
        intercept=np.full((draws, people), 36.0),
        slope=np.linspace(-1.4, -0.6, draws)[:, None] * np.ones(people),
        log_hazard=np.zeros((draws, people)),
        random_cholesky=np.tile(np.diag([6.0, 0.6]), (draws, 1, 1)),
        residual_sd=np.full(draws, 1.8),
        knots=np.array([0.0, 12.0]),
        log_baseline_hazard=np.full((draws, 1), -5.0),
        association_value=np.zeros(draws),
        association_slope=np.zeros(draws),
    )
    event = Intercurrent(name="rescue", hazard=0.1, afterwards=Afterwards(slope=0.5))
    analyses = (ANCOVA(strategies={"rescue": "hypothetical"}), ANCOVA(), Cox())
    trial = replace(TRIAL, truth=posterior, intercurrent=(event,), analyses=analyses)
    found = true_values(trial.scenarios[0], tmp_path, 50_000).values
    slopes = np.linspace(-1.4, -0.6, draws)
    np.testing.assert_allclose(found["ANCOVA, hypothetical for rescue"], -0.3 * 8 * slopes)
    after = [8 - (1 - np.exp(-h * 8)) / h for h in (0.1, 0.05)]
    # 12,500 twins a draw: SE of mean months after the event below 0.03.
    np.testing.assert_allclose(found["ANCOVA"], -0.3 * 8 * slopes + 0.5 * (after[1] - after[0]), atol=0.06)
    assert set(found) == {a.label for a in analyses}
    assert found["Cox"].shape == (draws,)
    rng = np.random.default_rng(4)
    month = np.tile(np.arange(0.0, 9.0, 2.0), (30, 1))
    record = ResampledTruth(
        month=month,
        score=38.0 - rng.uniform(0.4, 1.6, (30, 1)) * month + rng.normal(0, 1, month.shape),
        end_month=rng.uniform(8.5, 12.0, 30),
        died=rng.random(30) < 0.5,
    )
    plain = replace(trial, truth=record, intercurrent=(), effects=(BARE,), analyses=(ANCOVA(),))
    before = seen_of(plain, 2, 40)[3]
    with_event = seen_of(replace(plain, intercurrent=(event,)), 2, 40)[3]
    when = with_event.intercurrent["rescue"]
    gained = 0.5 * np.maximum(np.array(DESIGN.visits) - when[..., None], 0.0)
    assert (gained > 0).any()
    np.testing.assert_allclose(with_event.scores - before.scores, np.where(np.isnan(before.scores), np.nan, gained), atol=1e-9)


def test_every_analysis_runs_under_every_strategy_that_it_admits() -> None:
    kinds = (RandomSlope, MMRM, ReferenceBased, ANCOVA, Responder, LogRank, Cox, lambda **m: RMST(horizon=6.0, **m), JointRank, Win)
    analyses = tuple(kind(strategies={"rescue": strategy}) for kind in kinds for strategy in kind().admits)
    found = simulate(replace(TRIAL, intercurrent=(RESCUE,), analyses=analyses, replicates=4), twins=2000).table
    assert found.height == len(analyses)
    assert found["failures"].sum() == 0
    assert found.filter(~pl.col("analysis").str.contains("jump to reference"))["true_value"].null_count() == 0


def test_a_setting_of_an_event_is_an_axis_by_its_name() -> None:
    trial = replace(TRIAL, axes={"intercurrent.NIV.hazard": (0.01, 0.3)}, replicates=4)
    found = simulate(trial, twins=1000).intercurrent.filter(pl.col("event") == "NIV")
    low, high = (found.filter(pl.col("intercurrent.NIV.hazard") == h)["share"].mean() for h in (0.01, 0.3))
    assert low < high
    with pytest.raises(ValueError, match="Did you mean hazard"):
        replace(TRIAL, axes={"intercurrent.NIV.hasard": (0.01, 0.3)})


def test_events_are_described_in_sentences() -> None:
    rescue, tube, ventilation = words_of(EVENTS)
    assert rescue.startswith("Intercurrent event rescue: 0.06 per month at the mean score and slope; it means +0.5 points per month")
    assert "once the true score is below 31; it means -2 points at once from then on" in tube
    assert "the hazard times 0.4, the end of treatment" in ventilation
    assert all(said.endswith("Strategy: treatment policy, unless an analysis names another.") for said in (rescue, tube, ventilation))


SECTION = {
    "truth": {"kind": "named"},
    "intercurrent": [
        {"name": "rescue", "hazard": 0.03, "hazard_per_point": -0.05, "afterwards": {"slope": 0.3}, "strategy": "hypothetical"},
        {"name": "tracheostomy", "hazard": 0.02, "score_below": 25, "afterwards": {"ends_scores": True}},
    ],
    "effects": [{"name": "slower", "slowing": 0.25, "hazard_ratio_of": {"rescue": 0.6}}],
    "analyses": [{"kind": "mmrm"}, {"kind": "cox", "strategies": {"tracheostomy": "composite"}}],
}


def test_a_study_file_says_the_same_and_survives_writing() -> None:
    settings = decode(TrialSettings, SECTION)
    assert settings.intercurrent == (
        Intercurrent(name="rescue", hazard=0.03, hazard_per_point=-0.05, afterwards=Afterwards(slope=0.3), strategy="hypothetical"),
        Intercurrent(name="tracheostomy", hazard=0.02, score_below=25, afterwards=Afterwards(ends_scores=True)),
    )
    assert settings.analyses == (MMRM(), Cox(strategies={"tracheostomy": "composite"}))
    assert decode(TrialSettings, encode(settings)) == settings


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"analyses": [{"kind": "mmrm", "strategies": {"rescue": "composite"}}]},
            "MMRM.* cannot express 'composite' for rescue: a failure",
        ),
        ({"analyses": [{"kind": "mmrm", "strategies": {"rescue": "while on treatment"}}]}, "Choose treatment policy or hypothetical"),
        ({"analyses": [{"kind": "responder"}]}, "cannot express 'hypothetical' for rescue: without a score"),
        ({"analyses": [{"kind": "win", "strategies": {"rescue": "while on treatment"}}]}, "treatment policy, hypothetical or composite"),
        ({"analyses": [{"kind": "rmst", "strategies": {"rescue": "while on treatment"}}]}, "are those of the composite strategy"),
        ({"analyses": [{"kind": "mmrm", "strategies": {"rescue": "principal stratum"}}]}, "nobody is seen under both"),
        ({"analyses": [{"kind": "mmrm", "strategies": {"resque": "hypothetical"}}]}, "Did you mean rescue"),
        ({"analyses": [{"kind": "mmrm", "strategies": {"rescue": "hypothetic"}}]}, "hypothetical"),
        ({"effects": [{"name": "x", "hazard_ratio_of": {"resque": 0.5}}]}, "Did you mean rescue"),
        ({"effects": [{"name": "x", "hazard_ratio_of": {"rescue": 0}}]}, "hazard_ratio_of.rescue must be above 0"),
        ({"intercurrent": [{"name": "a", "hazard": 0.1, "strategy": "principal stratum"}]}, "nobody is seen under both"),
        ({"intercurrent": [{"name": "a", "hazard": 0.0}]}, "above 0; got 0"),
        ({"intercurrent": [{"name": " ", "hazard": 0.1}]}, "needs a name"),
        ({"intercurrent": [{"name": "rescue", "hazard": 0.1}] * 2}, "share a name"),
        ({"intercurrent": [{"name": "rescue", "hazard": 0.1, "from_month": 12.0}]}, "cannot come within the follow-up"),
        ({"intercurrent": [{"name": "a", "hazard": 0.1, "afterwards": {"hazard_ratio": -1}}]}, "hazard_ratio must be above 0"),
        ({"intercurrent": [{"name": "a", "hazard": 0.1, "afterwards": {"slop": 1}}]}, "slope"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        decode(TrialSettings, SECTION | change)


def test_the_sharp_null_has_no_effect_on_events_and_real_trials_take_no_strategies() -> None:
    assert not Effect(name="fewer rescues", hazard_ratio_of={"rescue": 0.5}).is_null
    assert Effect(name="null", hazard_ratio_of={"rescue": 1.0}).is_null
    with pytest.raises(ValueError, match="strategies are for virtual trials"):
        ComparisonPlan(control="a", active=("b",), visits=(0.0, 3.0), analyses=(ANCOVA(strategies={"rescue": "hypothetical"}),))
