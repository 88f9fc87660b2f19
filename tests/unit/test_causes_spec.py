"""The grammar of several causes: what is refused, what is printed, what is taken from a cohort."""

import tomllib
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel.cohort import Cohort
from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.models import (
    AfterEvent,
    Cause,
    CurrentValue,
    Exponential,
    HalfNormal,
    JointModel,
    PiecewiseExponential,
    Priors,
    Slope,
    Treatment,
    Weibull,
)
from alsmodel.settings import decode, encode

TRACHEOSTOMY = Cause(name="tracheostomy", events=("tracheostomy", "pav_22h"), association=CurrentValue() + Slope())
DROPOUT = Cause(name="dropout", events=("dropout",), survival=Exponential(covariates=("age",)), association=())
SPEC = JointModel(causes=(TRACHEOSTOMY, DROPOUT), after=(AfterEvent(cause="tracheostomy", survival=Weibull()),))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"after": (AfterEvent(cause="x"),)}, "no further causes"),
        ({"causes": (DROPOUT,), "after": (AfterEvent(cause="x"),)}, "no cause; the causes are dropout"),
        ({"causes": (DROPOUT, DROPOUT)}, "cause 'dropout' is listed twice"),
        ({"causes": (DROPOUT,), "events": ("death", "dropout")}, "belongs to two causes"),
        ({"causes": (TRACHEOSTOMY,), "after": (AfterEvent(cause="tracheostomy"),) * 2}, "after lists 'tracheostomy' twice"),
        ({"causes": (DROPOUT,), "end_point": "death or tracheostomy"}, "end_point and causes do not go together"),
        ({"causes": (DROPOUT,), "population": "incident"}, 'causes need population = "enrolled"'),
        ({"causes": (DROPOUT,), "treatments": (Treatment(name="x", hazard="clock"),), "survival": Weibull()}, "a ratio for each cause"),
        ({"causes": (DROPOUT,), "treatments": (Treatment(name="x", hazard="DRR"),), "association": ()}, "a ratio for each cause"),
        ({"causes": (DROPOUT,), "treatments": (Treatment(name="x", score="none", by="sex"),)}, "ratio by group"),
        ({"causes": (DROPOUT,), "treatments": (Treatment(name="age"),)}, "reaches the hazard of dropout both"),
        ({"causes": (replace(DROPOUT, priors=Priors(sd_slope=HalfNormal(scale=2.0))),)}, "sets sd_slope, which is no prior of a hazard"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        JointModel(**settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"events": ()}, "at least one event"),
        ({"name": "left@home"}, "must not be empty nor contain"),
        ({"survival": PiecewiseExponential(strata="sex", pooling="partial")}, "main cause alone"),
        ({"association": CurrentValue(by="sex")}, "main cause alone"),
        ({"association": ("value", "value")}, "twice"),
    ],
)
def test_what_a_further_cause_cannot_have_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Cause(**{"name": "dropout", "events": ("dropout",), **settings})


def test_a_specification_goes_to_toml_and_back() -> None:
    text = """
    events = ["death"]
    [[causes]]
    name = "tracheostomy"
    events = ["tracheostomy", "pav_22h"]
    association = ["value", "slope"]
    [[causes]]
    name = "dropout"
    events = ["dropout"]
    survival = { kind = "exponential", covariates = ["age"] }
    association = []
    [[after]]
    cause = "tracheostomy"
    survival = { kind = "weibull" }
    """
    assert decode(JointModel, tomllib.loads(text)) == SPEC
    assert decode(JointModel, encode(SPEC)) == SPEC


def test_it_prints_as_sentences_and_formulas() -> None:
    text = str(SPEC)
    assert "The hazard of tracheostomy (tracheostomy or pav_22h)" in text
    assert "depends on the current value and the current slope of the path." in text
    assert "The hazard of dropout is constant over time; it is multiplied by effects of age; it does not depend on the path." in text
    assert "After tracheostomy the hazard of death is of Weibull form, over the time since tracheostomy" in text
    assert "h_dropout(t) = h0_dropout(t) exp{z'δ}" in text
    assert "h0_after_tracheostomy(u) = exp(λ) (u / t*)^(ρ - 1)" in text
    assert SPEC.event_words == "death or tracheostomy or dropout"
    assert SPEC.main_words == "death"
    assert SPEC.selection.causes[0].then == ("death",)
    assert "age" in SPEC.selection.covariates


def cohort(events: list[tuple[str, str, float | None]]) -> Cohort:
    names = ["a", "b", "c"]
    return Cohort.of(
        participants=pl.DataFrame({"participant_id": names, "last_contact_day": [400.0] * 3, "age": [60.0] * 3}),
        measurements=pl.DataFrame(
            [{"participant_id": n, "day": d, "name": "alsfrs_r_total", "value": v} for n in names for d, v in ((0.0, 40.0), (90.0, 37.0))]
        ),
        events=pl.DataFrame(
            [{"participant_id": n, "kind": k, "day": d, "definition": "invented"} for n, k, d in events],
            schema={"participant_id": pl.String, "kind": pl.String, "day": pl.Float64, "definition": pl.String},
        ),
    )


def test_the_first_cause_counts_and_on_one_day_the_main_one() -> None:
    events = [
        ("a", "tracheostomy", 120.0),
        ("a", "death", 300.0),
        ("b", "death", 200.0),
        ("b", "tracheostomy", 200.0),
        ("c", "dropout", 150.0),
    ]
    data = joint_data(cohort(events), SPEC.selection)
    np.testing.assert_array_equal(data.cause, [1, 0, 2])
    per = 365.25 / 12
    np.testing.assert_allclose(data.event_time * per, [120, 200, 150])
    np.testing.assert_allclose(data.later_time * per, [300, 200, 150])
    np.testing.assert_array_equal(data.later_event, [1, 0, 0])


def test_a_cause_that_the_source_does_not_record_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidInput) as refusal:
        joint_data(cohort([("a", "death", 300.0)]), SPEC.selection)
    told = str(refusal.value)
    assert "causes.tracheostomy.events" in told
    assert "No event is of kind dropout." in told
    assert "a kind of its own such as dropout" in told


def test_people_and_folds_keep_their_causes() -> None:
    events = [("a", "tracheostomy", 120.0), ("a", "death", 300.0), ("b", "death", 200.0), ("c", "dropout", 150.0)]
    part = joint_data(cohort(events), SPEC.selection).of_people(np.array([0, 2]))
    np.testing.assert_array_equal(part.cause, [1, 2])
    np.testing.assert_array_equal(part.later_event, [1, 0])
