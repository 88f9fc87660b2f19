"""Baseline covariates computed from a cohort: against their definitions worked by hand, and refused when they need follow-up."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel.clinical.units import DAYS_PER_MONTH
from alsmodel.cohort import Cohort
from alsmodel.cohort.arrays import joint_data
from alsmodel.cohort.derived import prognostic_inputs
from alsmodel.cohort.selection import Covariate, Selection
from alsmodel.errors import InvalidInput

ITEMS = {f"item_{i}": 4 for i in range(1, 13)}


def assessment(who: str, day: float, **items: int) -> dict[str, Any]:
    return {"participant_id": who, "day": day, "scale": "ALSFRS-R", "gastrostomy": False, **ITEMS, **items}


def cohort(**tables: Any) -> Cohort:
    """Three participants with totals at screening, entry and later, everything that ENCALS needs, and what `tables` changes."""
    people = pl.DataFrame(
        {
            "participant_id": ["a", "b", "c"],
            "age": [61.0, 50.0, 70.0],
            "onset_day": [-12 * DAYS_PER_MONTH, -24 * DAYS_PER_MONTH, None],
            "diagnosis_day": [-2 * DAYS_PER_MONTH, -DAYS_PER_MONTH, None],
            "onset_site": ["limb", "bulbar", "limb and bulbar"],
            "el_escorial": ["definite", "probable", None],
            "ftd": [False, True, None],
            "entry_day": [0.0, 0.0, 0.0],
            "last_contact_day": [300.0, 300.0, 300.0],
        }
    )
    totals = [(who, day, 42.0 - day / 100) for who in "abc" for day in (-20.0, 0.0, 90.0, 300.0)]
    measurements = pl.DataFrame(totals, schema=["participant_id", "day", "value"], orient="row").with_columns(name=pl.lit("alsfrs_r_total"))
    capacity = pl.DataFrame(
        {"participant_id": ["a", "a", "b", "b"], "day": [10.0, -1.0, -44.0, 46.0], "value": [80.0, 95.0, 70.0, 60.0]}
    ).with_columns(name=pl.Series(["svc_percent", "fvc_percent", "fvc_percent", "svc_percent"]))
    given: dict[str, Any] = {
        "participants": people,
        "measurements": pl.concat([measurements, capacity], how="diagonal"),
        "genotypes": pl.DataFrame({"participant_id": ["a"], "gene": ["C9orf72"], "result": ["no mutation"]}),
        "events": pl.DataFrame({"participant_id": ["c"], "kind": ["death"], "day": [310.0], "definition": ["death, any cause"]}),
        "provenance": {"records_events": [{"kind": "death", "definition": "death, any cause"}]},
    }
    return Cohort.of(**{**given, **tables})


def test_inputs_of_the_prognostic_scores_are_what_was_known_at_baseline() -> None:
    made = cohort()
    frame = prognostic_inputs(made, Selection(), made.participants)
    a, b, c = frame.rows(named=True)
    # 12 months from onset to entry; the screening score of 42.2 was taken 20 days before.
    assert a["progression_rate"] == pytest.approx((48 - 42.2) / (12 - 20 / DAYS_PER_MONTH))
    assert a["age_at_onset"] == pytest.approx(60.0)
    assert a["diagnostic_delay"] == pytest.approx(10.0)
    # Slow before forced, though the forced one is nearer; beyond 45 days it is not the baseline's.
    assert (a["vital_capacity"], b["vital_capacity"], c["vital_capacity"]) == (80.0, 70.0, None)
    assert (a["bulbar_onset"], b["bulbar_onset"], c["bulbar_onset"]) == (False, True, None)
    assert (a["definite"], b["definite"], c["definite"]) == (True, False, None)
    # Not tested is unknown, never "no".
    assert (a["c9orf72"], b["c9orf72"]) == (False, None)


def covariate(made: Cohort, name: str, **chosen: Any) -> list[float | None]:
    policy = Covariate(missing=chosen.pop("missing", "indicator"))
    data = joint_data(made, Selection(covariates={name: policy}, **chosen))
    column = data.columns[name]
    absent = data.columns.get(f"{name} missing")
    return [None if absent is not None and absent[i] else float(column[i]) for i in range(len(column))]


def literal_encals(a: float, d: float, r: float, v: float, b: int, e: int, f: int, c: int) -> float:
    """The linear predictor as its authors coded it (rpavaneijk/Basics, Source_Basics.R, MyLP), written out once more."""
    delay = (d / 10) ** -0.5 + np.log(d / 10)
    capacity = (v / 100) ** -1 + (v / 100) ** -0.5
    plain = -1.83665700485301 * (r + 0.1) ** -0.5 - 2.37341404599814 * delay - 0.266972062796289 * (a / 100) ** -2
    return float(
        plain + 0.476853332498141 * capacity + 0.268874087566745 * b + 0.232783007891563 * e + 0.388313226407 * f + 0.256078493763062 * c
    )


def test_prognostic_scores_are_covariates_and_null_where_an_input_is_unknown() -> None:
    rate = (48 - 42.2) / (12 - 20 / DAYS_PER_MONTH)
    encals = covariate(cohort(), "encals_score")
    assert encals[0] == pytest.approx(literal_encals(60, 10, rate, 80, 0, 1, 0, 0))
    assert encals[1:] == [None, None]  # C9orf72 of b is not known
    tricals = covariate(cohort(), "tricals_score")
    assert tricals[1] is not None
    assert tricals[2] is None


def test_scores_made_of_delta_frs_take_its_score_out_of_the_outcomes() -> None:
    with_score = joint_data(cohort(), Selection(covariates={"tricals_score": Covariate(missing="indicator")}))
    without = joint_data(cohort(), Selection())
    assert len(without.outcome) == 12
    assert len(with_score.outcome) == 9  # the screening score of each is gone
    attenuated = joint_data(cohort(), Selection(covariates={"tricals_score": Covariate(missing="indicator")}, delta_frs="attenuated"))
    assert len(attenuated.outcome) == 12


def test_stages_are_those_of_the_baseline_assessment() -> None:
    rows = [
        assessment("a", 0, item_1=3, item_8=2),  # two regions
        assessment("a", 90, item_10=0),  # later: not baseline
        assessment("b", 10, item_3=1, item_6=1),  # MiToS: swallowing and movement lost
        assessment("c", 60, item_1=0),  # beyond two weeks
    ]
    made = cohort(assessments=pl.DataFrame(rows))
    assert covariate(made, "kings_stage") == [2.0, 1.0, None]  # item 6 is no King's region
    assert covariate(made, "mitos_stage") == [0.0, 2.0, None]


def sign(who: str, day: float, region: str, neuron: str, state: str = "present") -> dict[str, Any]:
    return {"participant_id": who, "day": day, "region": region, "neuron": neuron, "sign": f"clinical_{neuron.lower()}", "state": state}


SIGNS = [
    *(sign("a", 0, region, "UMN", "present" if region == "bulbar" else "absent") for region in ("bulbar", "cervical", "lumbosacral")),
    *(sign("a", 0, region, "LMN") for region in ("bulbar", "cervical")),
    sign("a", 60, "cervical", "UMN"),  # after entry: not known at baseline
    sign("b", 0, "bulbar", "UMN", "not examined"),
]


def test_burdens_are_shares_of_what_was_examined_by_entry() -> None:
    made = cohort(signs=pl.DataFrame(SIGNS))
    assert covariate(made, "umn_burden_share") == [pytest.approx(1 / 3), None, None]
    assert covariate(made, "lmn_burden_share") == [pytest.approx(1.0), None, None]
    assert covariate(made, "motor_neuron_balance") == [pytest.approx((1 / 3 - 1) / (1 / 3 + 1)), None, None]


def phenotypes(*rows: tuple[str, float | None, str]) -> pl.DataFrame:
    frame = pl.DataFrame(list(rows), schema={"participant_id": pl.String, "day": pl.Float64, "category": pl.String}, orient="row")
    return frame.with_columns(scheme=pl.lit("phenotype"), origin=pl.lit("recorded"))


@pytest.mark.parametrize(
    ("rows", "needs"),
    [
        ([("a", 200.0, "flail arm"), ("b", 0.0, "classic"), ("c", 0.0, "classic")], "12 months"),
        ([("a", None, "PLS"), ("b", 0.0, "classic"), ("c", 0.0, "classic")], "48 months"),
        ([("a", 1.0, "classic"), ("b", 0.0, "bulbar"), ("c", 0.0, "classic")], "later examination"),
    ],
)
def test_a_phenotype_that_had_to_be_lived_for_is_refused_as_a_baseline_covariate(rows: list[Any], needs: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        joint_data(cohort(classifications=phenotypes(*rows)), Selection(covariates={"phenotype": Covariate()}))
    (fault,) = refusal.value.faults
    assert fault.place == "model.covariates.phenotype"
    assert needs in fault.message
    assert "landmark" in fault.remedy


def test_a_phenotype_recorded_without_a_day_counts_only_when_it_needs_no_follow_up() -> None:
    people = cohort().participants.with_columns(phenotype=pl.Series(["classic", "bulbar", "classic"]))
    data = joint_data(cohort(participants=people), Selection(covariates={"phenotype": Covariate()}))
    assert data.columns["phenotype[bulbar]"].tolist() == [0.0, 1.0, 0.0]
    for word in ("Flail arm", "flail-leg", "PLS", "primary lateral sclerosis", "PUMN", "pma"):
        flail = cohort().participants.with_columns(phenotype=pl.Series(["classic", "bulbar", word]))
        with pytest.raises(InvalidInput, match="no baseline covariate"):
            joint_data(cohort(participants=flail), Selection(covariates={"phenotype": Covariate()}))


def test_a_phenotype_dated_at_or_before_entry_is_used() -> None:
    rows = [("a", -30.0, "flail arm"), ("b", 0.0, "classic"), ("c", -400.0, "classic")]
    data = joint_data(cohort(classifications=phenotypes(*rows)), Selection(covariates={"phenotype": Covariate()}))
    assert data.columns["phenotype[flail arm]"].tolist() == [1.0, 0.0, 0.0]


def test_follow_up_can_be_to_a_defined_end_point() -> None:
    rows = pl.DataFrame(
        {
            "participant_id": ["a", "a", "c"],
            "kind": ["tracheostomy", "death", "death"],
            "day": [120.0, 200.0, 310.0],
            "definition": ["tracheostomy", "death, any cause", "death, any cause"],
        }
    )
    recorded = [{"kind": "death", "definition": "death, any cause"}, {"kind": "tracheostomy", "definition": "tracheostomy"}]
    made = cohort(events=rows, provenance={"records_events": recorded})
    data = joint_data(made, Selection(end_point="death or tracheostomy", time_unit="day"))
    assert data.event_time.tolist() == [120.0, 300.0, 310.0]
    assert data.event.tolist() == [1.0, 0.0, 1.0]
    assert len(data.outcome) == 11  # the score of a after tracheostomy is gone
    plain = joint_data(made, Selection(events=("death",), time_unit="day"))
    assert plain.event_time.tolist() == [200.0, 300.0, 310.0]


def test_an_end_point_that_the_source_does_not_record_is_refused() -> None:
    with pytest.raises(InvalidInput) as refusal:
        joint_data(cohort(), Selection(end_point="death or tracheostomy"))
    assert refusal.value.faults[0].place.startswith("model.end_point")
    assert "tracheostomy" in refusal.value.faults[0].message


def test_computed_criteria_are_covariates() -> None:
    data = joint_data(
        cohort(signs=pl.DataFrame([*SIGNS, sign("b", 0, "cervical", "LMN"), sign("b", 0, "bulbar", "LMN")])),
        Selection(covariates={"computed_gold_coast": Covariate(missing="own level")}),
    )
    levels = [name for name in data.columns if name.startswith("computed_gold_coast")]
    assert levels


def test_a_text_covariate_that_names_a_phenotype_of_follow_up_is_refused_too() -> None:
    text = pl.DataFrame({"participant_id": ["a", "b", "c"], "name": ["kind"] * 3, "text": ["classic", "PLS", "bulbar"]})
    with pytest.raises(InvalidInput, match="48 months"):
        joint_data(cohort(covariates=text), Selection(covariates={"kind": Covariate()}))


def test_the_phenotype_at_entry_is_what_was_known_by_then() -> None:
    rows = [("a", -30.0, "classic"), ("a", 300.0, "flail arm"), ("b", 0.0, "bulbar"), ("c", 500.0, "PLS"), ("c", 0.0, "UMN-predominant")]
    chosen = {"phenotype_at_entry": Covariate(reference="classic")}
    data = joint_data(cohort(classifications=phenotypes(*rows)), Selection(covariates=chosen))
    assert data.columns["phenotype_at_entry[bulbar]"].tolist() == [0.0, 1.0, 0.0]
    assert "phenotype_at_entry[flail arm]" not in data.columns


def test_statements_computed_later_do_not_spoil_a_phenotype_recorded_at_entry() -> None:
    later = phenotypes(("a", 400.0, "PLS")).with_columns(origin=pl.lit("computed"))
    recorded = phenotypes(("a", 0.0, "classic"), ("b", 0.0, "bulbar"), ("c", 0.0, "classic"))
    data = joint_data(cohort(classifications=pl.concat([recorded, later])), Selection(covariates={"phenotype": Covariate()}))
    assert data.columns["phenotype[bulbar]"].tolist() == [0.0, 1.0, 0.0]
