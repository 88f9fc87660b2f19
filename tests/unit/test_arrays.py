"""From a cohort to arrays: nothing is dropped silently, nothing missing is defaulted, no score is used twice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel.clinical.units import DAYS_PER_UNIT
from alsmodel.cohort import Cohort
from alsmodel.cohort.arrays import JointData, joint_data
from alsmodel.cohort.selection import Covariate, Exposure, Selection
from alsmodel.errors import InvalidInput

MONTH = DAYS_PER_UNIT["month"]
ODD = 917.25  # a value that no message may repeat


def small(**changes: Any) -> Cohort:
    """Four participants, a to d; deaths of b (dated) and d (undated)."""
    tables: dict[str, pl.DataFrame] = {
        "participants": pl.DataFrame(
            {
                "participant_id": ["a", "b", "c", "d"],
                "arm": ["Active", "Placebo", "Active", "Placebo"],
                "age": [60.0, None, 70.0, 50.0],
                "sex": ["female", "male", None, "male"],
                "onset_day": [-300.0, -600.0, -900.0, -450.0],
                "last_contact_day": [400.0, None, 365.25, 250.0],
            }
        ),
        "measurements": pl.DataFrame(
            [
                {"participant_id": p, "day": float(d), "name": "alsfrs_r_total", "value": float(v)}
                for p, rows in {
                    "a": [(-20, 41), (0, 40), (90, 38)],
                    "b": [(-25, 34), (0, 33), (60, 30), (200, 20)],
                    "c": [(-15, 45), (0, 45), (180, 44), (365.25, 43)],
                    "d": [(-30, 37), (0, 36), (240, 25)],
                }.items()
                for d, v in rows
            ]
        ),
        "events": pl.DataFrame(
            {"participant_id": ["b", "d"], "kind": ["death", "death"], "day": [150.0, None], "definition": ["any", "any"]}
        ),
        "exposures": pl.DataFrame(
            {
                "participant_id": ["a", "a", "b", "c"],
                "drug": ["riluzole"] * 4,
                "taken": [True, True, False, True],
                "start_day": [-100.0, 20.0, None, 50.0],
                "stop_day": [30.0, 80.0, None, None],
            }
        ),
    }
    return Cohort.of(**(tables | changes))


def taken(**choices: Any) -> JointData:
    return joint_data(small(), Selection(**choices))


def faults(call: Callable[[], Any]) -> str:
    with pytest.raises(InvalidInput) as caught:
        call()
    text = str(caught.value)
    assert str(ODD) not in text
    return text


def test_times_are_in_the_asked_unit_and_sorted_by_participant() -> None:
    for unit, days in DAYS_PER_UNIT.items():
        data = taken(time_unit=unit)
        assert data.participant_ids == ("a", "b", "c", "d")
        np.testing.assert_allclose(data.event_time * days, [400.0, 150.0, 365.25, 250.0], rtol=1e-12)
        np.testing.assert_allclose(data.visit_time[:3] * days, [-20.0, 0.0, 90.0], rtol=1e-12)
    assert np.all(np.diff(data.visit_person) >= 0)


def test_scores_after_the_event_are_dropped_and_counted() -> None:
    data = taken()
    assert data.visit_time[data.visit_person == 1].max() * MONTH == pytest.approx(60)
    assert "1 scores dated after the event left out" in data.steps["reason"].to_list()


def test_a_death_on_an_unknown_day_is_censored_at_last_contact_and_counted() -> None:
    data = taken()
    assert data.event.tolist() == [0.0, 1.0, 0.0, 0.0]
    assert data.event_time[3] * MONTH == pytest.approx(250)
    assert any("unknown day" in reason for reason in data.steps["reason"])


def test_no_row_about_events_never_means_a_death() -> None:
    data = joint_data(small(events=small().events.clear()), Selection())
    assert data.event.sum() == 0


def test_follow_up_ends_at_the_later_of_last_contact_and_last_score() -> None:
    people = small().participants.with_columns(last_contact_day=pl.lit(100.0))
    data = joint_data(small(participants=people, events=small().events.clear()), Selection())
    np.testing.assert_allclose(data.event_time * MONTH, [100.0, 200.0, 365.25, 240.0], rtol=1e-12)


def test_participants_without_follow_up_are_left_out_and_counted() -> None:
    rows = small().events.with_columns(day=pl.when(pl.col("participant_id") == "b").then(-5.0).otherwise("day"))
    data = joint_data(small(events=rows), Selection())
    assert data.participant_ids == ("a", "c", "d")
    assert ("followed after entry", 3) in data.steps.select("step", "participants").rows()
    assert data.steps["participants"].to_list()[-1] == 3


def test_steps_end_at_what_is_analysed() -> None:
    data = taken(covariates={"age": Covariate(missing="complete-case"), "sex": Covariate(missing="complete-case")})
    assert data.participant_ids == ("a", "d")
    assert data.steps.row(-1)[:3] == ("analysed", 2, data.outcome.size)
    reasons = " ".join(data.steps["reason"].to_list())
    assert "complete-case analysis chosen for age: 1 left out" in reasons
    assert "complete-case analysis chosen for sex: 1 left out" in reasons


# Missing covariates (rule 7).


def test_missing_text_is_refused_until_something_is_chosen() -> None:
    text = faults(lambda: taken(covariates={"sex": Covariate()}))
    assert "model.covariates.sex.missing" in text
    assert "1 of 4" in text


def test_refuse_is_a_choice_for_numbers_too() -> None:
    assert "model.covariates.age.missing" in faults(lambda: taken(covariates={"age": Covariate(missing="refuse")}))


def test_observational_fits_impute_numbers_inside_the_model() -> None:
    data = taken(covariates={"age": Covariate(centre=60, scale=10)})
    assert data.missing["age"].tolist() == [False, True, False, False]
    assert data.terms["age"] == ("age",)
    np.testing.assert_allclose(data.columns["age"], [0.0, 0.0, 1.0, -1.0], atol=1e-12)


def test_randomised_comparisons_use_the_pooled_mean_and_an_indicator() -> None:
    arm = Exposure(name="active", source="arm", level="Active")
    data = taken(covariates={"age": Covariate(centre=50, scale=10), "sex": Covariate(reference="female")}, exposures=(arm,))
    assert data.terms["age"] == ("age", "age missing")
    np.testing.assert_allclose(data.columns["age"], [1.0, 1.0, 2.0, 0.0], atol=1e-12)
    assert data.columns["age missing"].tolist() == [0.0, 1.0, 0.0, 0.0]
    assert data.terms["sex"] == ("sex[male]", "sex missing")
    np.testing.assert_allclose(data.columns["sex[male]"], [0, 1, 2 / 3, 1], atol=1e-12)
    assert not data.missing


def test_missing_text_can_be_a_level_of_its_own() -> None:
    data = taken(covariates={"sex": Covariate(missing="own level", reference="female")})
    assert data.terms["sex"] == ("sex[male]", "sex[unknown]")
    assert data.columns["sex[unknown]"].tolist() == [0.0, 0.0, 1.0, 0.0]


def test_imputation_is_refused_for_text() -> None:
    assert "own level" in faults(lambda: taken(covariates={"sex": Covariate(missing="impute")}))


def test_a_level_of_its_own_is_refused_for_numbers() -> None:
    # A number has no "unknown" level; a column with NaN must never reach the density.
    assert "age" in faults(lambda: taken(covariates={"age": Covariate(missing="own level")}))


def test_every_design_column_is_finite_under_every_policy() -> None:
    for policy in ("complete-case", "indicator", "impute"):
        data = taken(covariates={"age": Covariate(missing=policy)})
        assert all(np.isfinite(column).all() for column in data.columns.values())


def test_a_covariate_of_the_long_table_enters_as_number_or_text() -> None:
    extra = pl.DataFrame(
        [{"participant_id": p, "name": "marker", "number": float(k), "text": None} for k, p in enumerate("abcd")]
        + [{"participant_id": p, "name": "drug", "number": None, "text": t} for p, t in zip("abcd", ("A", "B", "A", "A"))],
        schema={"participant_id": pl.String, "name": pl.String, "number": pl.Float64, "text": pl.String},
    )
    data = joint_data(small(covariates=extra), Selection(covariates={"marker": Covariate(), "drug": Covariate()}))
    assert data.columns["marker"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert data.terms["drug"] == ("drug[B]",)  # the commonest level is the reference
    assert data.groups["drug"] == ("A", "B", "A", "A")


def test_constant_unknown_and_wholly_missing_covariates_are_named_together() -> None:
    people = small().participants.with_columns(phenotype=pl.lit(None, pl.String), gene=pl.lit("SOD1"))
    covariates = {"phenotype": Covariate(), "weight": Covariate(), "sex": Covariate(missing="own level", reference="x")}
    text = faults(lambda: joint_data(small(participants=people), Selection(covariates=covariates)))
    assert "model.covariates.phenotype" in text
    assert "model.covariates.weight" in text
    lone = Selection(covariates={"gene": Covariate(), "sex": Covariate(missing="own level", reference="x")})
    text = faults(lambda: joint_data(small(participants=people), lone))
    assert "one level only" in text
    assert "is not a level of sex" in text


# Exposure (rules 1, 3 and 7).


def test_assigned_arm_counts_from_time_zero_to_the_end_whatever_was_taken() -> None:
    data = taken(exposures=(Exposure(name="active", source="arm", level="active"),))
    assert data.exposure_person.tolist() == [0, 2]
    assert data.exposure_start.tolist() == [0.0, 0.0]
    assert np.isinf(data.exposure_stop).all()
    count = data.exposures[0]
    assert (count.randomised, count.starts_or_stops, count.prevalent, count.unknown) == (4, 0, 0, 0)


def test_overlapping_records_of_a_drug_are_one_interval() -> None:
    data = taken(exposures=(Exposure(name="riluzole", unknown="unexposed"),))
    assert data.exposure_person.tolist() == [0, 2]
    np.testing.assert_allclose(data.exposure_start * MONTH, [-100.0, 50.0], rtol=1e-12)
    np.testing.assert_allclose(data.exposure_stop[:1] * MONTH, [80.0], rtol=1e-12)
    assert np.isinf(data.exposure_stop[1])


def test_unknown_exposure_is_not_no() -> None:
    assert "unknown is not no" in faults(lambda: taken(exposures=(Exposure(name="riluzole"),)))


@pytest.mark.parametrize(("policy", "people", "exposed"), [("exclude", 3, [0, 2]), ("unexposed", 4, [0, 2]), ("exposed", 4, [0, 2, 3])])
def test_policies_for_unknown_exposure(policy: Any, people: int, exposed: list[int]) -> None:
    data = taken(exposures=(Exposure(name="riluzole", unknown=policy),))
    assert data.people == people
    assert sorted(set(data.exposure_person.tolist())) == exposed
    assert np.all(np.diff(data.exposure_person) >= 0)


def test_who_informs_a_drug_is_counted() -> None:
    rows = pl.DataFrame(
        {
            "participant_id": ["a", "b", "c", "d"],
            "drug": ["riluzole"] * 4,
            "taken": [True, False, True, True],
            "start_day": [-100.0, None, 50.0, None],
            "stop_day": [None, None, None, 100.0],
        }
    )
    count = joint_data(small(exposures=rows), Selection(exposures=(Exposure(name="riluzole"),))).exposures[0]
    assert (count.randomised, count.starts_or_stops, count.prevalent, count.unexposed, count.unknown) == (0, 2, 1, 1, 0)


def spans(data: JointData) -> list[tuple[str, float, float]]:
    """Who is exposed from which day to which."""
    ids = [data.participant_ids[i] for i in data.exposure_person]
    days = zip(ids, data.exposure_start * MONTH, data.exposure_stop * MONTH, strict=True)
    return [(name, round(float(start), 6), round(float(stop), 6)) for name, start, stop in days]


def test_an_unknown_start_is_counted_told_and_has_two_limits() -> None:
    # a stops on day 100, b never; the start of c is known; d has an unknown interval and a known one.
    rows = pl.DataFrame(
        {
            "participant_id": ["a", "b", "c", "d", "d"],
            "drug": ["riluzole"] * 5,
            "taken": [True] * 5,
            "start_day": [None, None, 50.0, None, 120.0],
            "stop_day": [100.0, None, None, 80.0, None],
        }
    )
    drug = Exposure(name="riluzole", onset_delay_months=1.0)
    early = joint_data(small(exposures=rows), Selection(exposures=(drug,)))
    late = joint_data(small(exposures=rows), Selection(exposures=(replace(drug, unknown_start="latest"),)))
    ever, c, d = float("inf"), round(50 + MONTH, 6), round(120 + MONTH, 6)
    assert spans(early) == [("a", -ever, 100.0), ("b", -ever, ever), ("c", c, ever), ("d", -ever, 80.0), ("d", d, ever)]
    # b from the end of follow-up on, the day of death; a and the first of d not at all.
    assert spans(late) == [("b", round(150 + MONTH, 6), ever), ("c", c, ever), ("d", d, ever)]
    assert (early.exposures[0].unknown_start, early.exposures[0].unexposed) == (3, 0)
    assert (late.exposures[0].unknown_start, late.exposures[0].unexposed) == (3, 2)
    for data, words in ((early, "before time zero"), (late, "as late as can be")):
        row = data.steps.row(by_predicate=pl.col("step") == "days of starting riluzole, 3 unknown", named=True)
        assert (row["participants"], row["reason"].startswith("3 took riluzole from an unknown day on")) == (4, True)
        assert words in row["reason"]
    dated = rows.filter(pl.col("start_day").is_not_null())
    known = joint_data(small(exposures=dated), Selection(exposures=(replace(drug, unknown="unexposed"),)))
    assert known.exposures[0].unknown_start == 0
    assert known.steps.filter(pl.col("step").str.contains("starting")).is_empty()


def test_an_interval_outside_follow_up_informs_nothing_but_is_kept() -> None:
    rows = small().exposures.with_columns(start_day=pl.lit(-500.0), stop_day=pl.lit(-400.0))
    data = joint_data(small(exposures=rows), Selection(exposures=(Exposure(name="riluzole", unknown="unexposed"),)))
    assert data.exposures[0].unexposed == 3
    assert data.exposure_person.size == 2


def test_wrong_arm_and_unrecorded_drug_are_named_with_what_there_is() -> None:
    selection = Selection(exposures=(Exposure(name="active", source="arm", level="drug Z"), Exposure(name="edaravone")))
    text = faults(lambda: joint_data(small(), selection, where="model"))
    assert "Arms: Active, Placebo" in text
    assert "The cohort has riluzole" in text


# Bounds, delta-FRS, populations, transformations (rules 4, 10 and 11).


def bounded(value: float) -> Cohort:
    rows = small().measurements
    return small(measurements=rows.with_columns(name=pl.lit("bulbar"), value=pl.lit(value)))


def test_scores_at_their_bound_are_refused_unless_accepted_by_name() -> None:
    text = faults(lambda: joint_data(bounded(12.0), Selection(outcome="bulbar")))
    assert "15%" in text
    assert "gaussian_at_bounds" in text
    assert joint_data(bounded(12.0), Selection(outcome="bulbar", gaussian_at_bounds=True)).people == 4
    assert joint_data(bounded(7.0), Selection(outcome="bulbar")).people == 4


@pytest.mark.parametrize("source", ["screening", "conditioned", "attenuated"])
def test_delta_frs_comes_from_the_score_that_was_chosen(source: Any) -> None:
    data = taken(covariates={"delta_frs": Covariate()}, delta_frs=source)
    days = (-20, -25, -15, -30) if source == "screening" else (0, 0, 0, 0)
    scores = (41, 34, 45, 37) if source == "screening" else (40, 33, 45, 36)
    expected = [(48 - v) / ((d - o) / MONTH) for v, d, o in zip(scores, days, (-300, -600, -900, -450))]
    np.testing.assert_allclose(data.columns["delta_frs"], expected, rtol=1e-12)


@pytest.mark.parametrize("source", ["screening", "conditioned"])
def test_the_score_that_delta_frs_is_made_of_is_no_outcome(source: Any) -> None:
    # Rule 10: computed from a score that is also an outcome row it is double use.
    data = taken(covariates={"delta_frs": Covariate()}, delta_frs=source)
    used = {0: -20, 1: -25, 2: -15, 3: -30} if source == "screening" else dict.fromkeys(range(4), 0)
    for person, day in used.items():
        assert not np.isclose(data.visit_time[data.visit_person == person] * MONTH, day).any()


@pytest.mark.parametrize("outcome", ["bulbar", "alsfrs_total"])
def test_a_part_of_the_score_that_delta_frs_is_made_of_is_no_outcome_either(outcome: str) -> None:
    # The total behind delta-FRS holds the same items: a region's score of that day would be used twice as well.
    part = small().measurements.with_columns(name=pl.lit(outcome), value=pl.col("value") / 5)
    rows = pl.concat([small().measurements, part])
    for source, kept in (("conditioned", 0), ("attenuated", 4)):
        asked = Selection(outcome=outcome, covariates={"delta_frs": Covariate()}, delta_frs=source)
        data = joint_data(small(measurements=rows), asked)
        assert np.isclose(data.visit_time, 0).sum() == kept


def test_a_baseline_score_dated_some_days_late_is_conditioned_on_all_the_same() -> None:
    # The baseline score may lie within 14 days of the origin; on day 3 it is after it, and still no outcome once conditioned on.
    rows = small().measurements.with_columns(day=pl.when(pl.col("day") == 0).then(3.0).otherwise("day"))
    rows = rows.filter(pl.col("day") >= 0)
    data = joint_data(small(measurements=rows), Selection(covariates={"delta_frs": Covariate()}, delta_frs="conditioned"))
    assert not np.isclose(data.visit_time * MONTH, 3.0).any()


def test_attenuated_delta_frs_keeps_the_baseline_row() -> None:
    data = taken(covariates={"delta_frs": Covariate()}, delta_frs="attenuated")
    assert np.isclose(data.visit_time, 0).sum() == 4


def test_incident_populations_count_from_onset() -> None:
    data = taken(population="incident")
    np.testing.assert_allclose(data.onset_shift * MONTH, [300.0, 600.0, 900.0, 450.0], rtol=1e-12)
    assert taken().onset_shift.tolist() == [0.0] * 4


def test_incident_populations_need_an_onset_before_entry_for_everyone() -> None:
    people = small().participants.with_columns(onset_day=pl.Series([-300.0, None, 20.0, -450.0]))
    text = faults(lambda: joint_data(small(participants=people), Selection(population="incident")))
    assert "1 participants have no onset day" in text
    assert "1 participants have it after" in text


def test_transformations() -> None:
    np.testing.assert_allclose(taken(transform="log").outcome, np.log(taken().outcome), rtol=1e-15)
    share = taken().outcome / 48
    np.testing.assert_allclose(taken(transform="logit", upper=48).outcome, np.log(share / (1 - share)), rtol=1e-13)


def test_values_outside_a_transformation_are_counted_and_never_shown() -> None:
    rows = small().measurements.with_columns(value=pl.when(pl.col("day") == 0).then(-ODD).otherwise("value"))
    assert "4 rows" in faults(lambda: joint_data(small(measurements=rows), Selection(transform="log")))
    rows = small().measurements.with_columns(value=pl.when(pl.col("day") == 0).then(ODD).otherwise("value"))
    assert "4 rows" in faults(lambda: joint_data(small(measurements=rows), Selection(transform="logit", upper=48)))


def test_unknown_outcome_and_event_are_named_together() -> None:
    text = faults(lambda: joint_data(small(), Selection(outcome="fvc", events=("tracheostomy",)), where="study"))
    assert "study.outcome" in text
    assert "alsfrs_r_total" in text
    assert "study.events" in text


def test_the_first_of_several_events_ends_follow_up() -> None:
    rows = pl.DataFrame(
        {
            "participant_id": ["a", "a", "b"],
            "kind": ["death", "tracheostomy", "death"],
            "day": [350.0, 95.0, 150.0],
            "definition": ["x"] * 3,
        }
    )
    data = joint_data(small(events=rows), Selection(events=("death", "tracheostomy")))
    np.testing.assert_allclose(data.event_time[:2] * MONTH, [95.0, 150.0], rtol=1e-12)
    assert data.event.tolist() == [1.0, 1.0, 0.0, 0.0]


def test_order_of_the_cohort_does_not_matter() -> None:
    cohort = small()
    shuffled = small(**{name: getattr(cohort, name).reverse() for name in ("participants", "measurements", "events", "exposures")})
    choices = Selection(covariates={"age": Covariate()}, exposures=(Exposure(name="riluzole", unknown="exposed"),))
    first, second = joint_data(cohort, choices), joint_data(shuffled, choices)
    assert first.participant_ids == second.participant_ids
    for name in ("visit_time", "outcome", "event_time", "exposure_start", "exposure_person"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
