"""What a joint model refuses, and what it makes of a study's choices."""

from dataclasses import replace
from typing import Any

import pytest

from alsmodel.cohort.selection import Covariate
from alsmodel.errors import InvalidInput
from alsmodel.models import (
    AfterEvent,
    Cause,
    CurrentValue,
    DomainModel,
    Edaravone,
    Exponential,
    HalfNormal,
    JointModel,
    LatentClasses,
    Linear,
    MSpline,
    Normal,
    PiecewiseExponential,
    Priors,
    Quadratic,
    Riluzole,
    Sigmoid,
    Slope,
    Tofersen,
    Treatment,
    Weibull,
    domains,
)
from alsmodel.settings import decode, encode

ARM = Treatment(name="active", source="arm", level="active", score="additive")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"treatments": (ARM, ARM)}, "listed twice"),
        ({"treatments": (ARM,), "decline": Linear(covariates=("arm",))}, "enters once"),
        ({"treatments": (ARM,), "decline": Linear(level=("arm",))}, "enters once"),
        ({"treatments": (Treatment(name="riluzole"),), "decline": Linear(covariates=("riluzole",))}, "enters once"),
        ({"treatments": (Treatment(name="x", hazard="DRR"),)}, "hazard twice"),
        ({"treatments": (Treatment(name="x", hazard="clock"),)}, "weibull"),
        ({"transform": "logit"}, "upper"),
        ({"transform": "logit", "upper": -1.0}, "upper"),
        ({"events": ()}, "at least one event"),
        ({"association": ("value", "value")}, "twice"),
        ({"hermite": 0}, "hermite"),
        ({"hermite": 16}, "hermite"),
        ({"covariates": {"age": Covariate()}}, "no part"),
        ({"decline": Linear(level=("delta_frs",))}, "delta_frs"),
        ({"decline": Linear(by="site"), "hierarchy": ("site",)}, "counted twice"),
        ({"hierarchy": ("site", "site")}, "twice"),
        ({"survival": Exponential(strata="sex", covariates=("sex",))}, "choose one"),
        ({"treatments": (Treatment(name="x", hazard="clock"),), "survival": Weibull(strata="sex")}, "without strata"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        JointModel(**settings)


def test_all_contradictions_are_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"(?s)listed twice.*upper.*hermite"):
        JointModel(treatments=(ARM, ARM), transform="logit", hermite=0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Treatment(name="x", source="arm"), "level"),
        (lambda: Treatment(name="x", score="additive", hazard="DRR"), "clock"),
        (lambda: Treatment(name="x", score="none", hazard="clock"), "clock"),
        (lambda: PiecewiseExponential(knots=-1), "number of inner knots"),
        (lambda: PiecewiseExponential(knots=(3.0, 2.0)), "increasing"),
        (lambda: PiecewiseExponential(knots=(0.0, 2.0)), "positive"),
        (lambda: PiecewiseExponential(nodes=0), "nodes"),
        (lambda: Weibull(nodes=2), "nodes"),
        (lambda: Weibull(at=0.0), "after zero"),
        (lambda: MSpline(knots=(3.0,), upper=3.0), "after the last knot"),
        (lambda: MSpline(degree=0), "degree"),
        (lambda: Exponential(pooling="partial"), "needs strata"),
        (lambda: Quadratic(mean=False, random=False), "straight line"),
        (lambda: Treatment(name="x", hazard="none", hazard_periods=(3.0,)), "ratio"),
        (lambda: Treatment(name="x", hazard_periods=(3.0, 2.0)), "increasing"),
        (lambda: Treatment(name="x", score="none", hazard="none", by="sex"), "may differ"),
        (lambda: Treatment(name="x", washout_months=-1.0), "lengths of time"),
        (lambda: Tofersen(eligible="fus"), "SOD1"),
        (lambda: HalfNormal(scale=0.0), "above 0"),
        (lambda: Normal(mean=0, sd=0), "above 0"),
        (lambda: Priors(sd_slope=-1.0), "sd_slope"),
        (lambda: Priors(correlation=0), "LKJ"),
        (lambda: Covariate(scale=0), "scale"),
    ],
)
def test_parts_refuse_impossible_values(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_a_treatment_effect_on_the_hazard_stands_there_once() -> None:
    # The arm as a covariate of the hazard beside the treatment's own direct effect: two coefficients on one column.
    with pytest.raises(ValueError):
        JointModel(treatments=(ARM,), survival=Exponential(covariates=("arm",)))


def test_selection_carries_the_choices() -> None:
    spec = JointModel(
        decline=Linear(covariates=("arm",)),
        survival=Exponential(covariates=("arm", "age")),
        covariates={"age": Covariate(centre=60)},
        time_unit="year",
    )
    assert set(spec.selection.covariates) == {"arm", "age"}
    assert spec.selection.covariates["age"].centre == 60
    assert spec.selection.time_unit == "year"
    assert not spec.randomised
    assert JointModel(treatments=(ARM,)).randomised


def test_a_model_survives_the_way_through_settings() -> None:
    spec = JointModel(
        outcome="serBilir", transform="log", time_unit="year", treatments=(ARM,), survival=Weibull(nodes=20, covariates=("age",)),
        priors=Priors(theta=Normal(mean=-0.1, sd=0.2), sd_slope=2.0), covariates={"age": Covariate(missing="indicator")},
    )  # fmt: skip
    assert decode(JointModel, encode(spec)) == spec


@pytest.mark.parametrize(
    ("section", "made"),
    [
        ({"survival": {"covariates": ["age"]}}, JointModel(survival=PiecewiseExponential(covariates=("age",)))),
        ({"survival": {"strata": "sex", "pooling": "partial"}}, JointModel(survival=PiecewiseExponential(strata="sex", pooling="partial"))),
        ({"survival": {"kind": "exponential", "covariates": ["age"]}}, JointModel(survival=Exponential(covariates=("age",)))),
        ({"decline": {"covariates": ["age"]}}, JointModel(decline=Linear(covariates=("age",)))),
        ({"decline": {"steepness": ["age"]}}, JointModel(decline=Sigmoid(steepness=("age",)))),
        ({"after": [{"cause": "x", "survival": {"covariates": ["age"]}}], "causes": [{"name": "x", "events": ["x"]}]}, JointModel(
            causes=(Cause(name="x", events=("x",)),), after=(AfterEvent(cause="x", survival=Exponential(covariates=("age",))),),
        )),
    ],
)  # fmt: skip
def test_a_covariate_alone_does_not_change_the_shape_of_decline_or_hazard(section: dict[str, Any], made: JointModel) -> None:
    assert decode(JointModel, section) == made
    assert decode(JointModel, encode(made)) == made


def test_a_hazard_that_might_be_of_two_shapes_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r'at is known to kind = "weibull" and kind = "royston-parmar"'):
        decode(JointModel, {"survival": {"at": 6.0}})


SENTENCE = JointModel(
    decline=Linear(covariates=["phenotype", "age", "log_nfl"], by="phenotype"),
    survival=PiecewiseExponential(knots=6, covariates=["phenotype", "age", "delta_frs"]),
    association=CurrentValue() + Slope(),
    treatments=[Riluzole(), Edaravone(by="phenotype"), Tofersen(eligible="sod1", onset_delay_months=3)],
    hierarchy=["cohort", "site"],
)


def test_a_model_reads_and_prints_as_a_sentence() -> None:
    text = str(SENTENCE)
    for words in (
        "its level differs by phenotype and its slope differs by phenotype, age and log nfl",
        "constant within 7 intervals",
        "the current value and the current slope",
        "the effect starts 3 months after exposure",
        "only carriers of a SOD1 mutation",
        "Every site within cohort",
        "m(t) = β0 + x'β + b0 + u_cohort + u_site",
        "α m(t) + α' dm(t)/dt",
    ):
        assert words in text, words
    assert SENTENCE.intercept == ("phenotype",)
    assert SENTENCE.slope == ("phenotype", "age", "log_nfl")
    assert SENTENCE.groups == ("cohort", "site", "phenotype")


@pytest.mark.parametrize(
    "survival",
    [Exponential(), Weibull(at=6.0, strata="sex", pooling="partial"), MSpline(knots=(3.0, 6.0), upper=18.0), PiecewiseExponential(knots=3)],
)
def test_every_part_survives_the_way_through_settings(survival: Any) -> None:
    spec = replace(SENTENCE, survival=survival, priors=Priors(sd_slope=HalfNormal(scale=0.4, reason="as in a register")))
    assert decode(JointModel, encode(spec)) == spec
    assert hash(spec.survival) == hash(decode(JointModel, encode(spec)).survival)


def test_a_flat_specification_is_told_where_its_settings_went() -> None:
    with pytest.raises(TypeError, match=r"slope is now decline = Linear\(covariates"):
        JointModel(slope=("age",))
    with pytest.raises(InvalidInput, match=r"It is now survival = PiecewiseExponential"):
        decode(JointModel, {"baseline_hazard": {"kind": "piecewise"}})


def test_tofersen_is_for_carriers_of_a_sod1_mutation_however_it_is_named() -> None:
    assert Treatment(name="tofersen").gene == "SOD1"
    assert Tofersen().gene == "SOD1"
    assert Riluzole().gene is None


@pytest.mark.parametrize("name", ["delta_frs", "encals_score", "tricals_score", "kings_stage", "mitos_stage"])
def test_what_is_made_of_the_score_may_not_explain_its_level(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is made of the score itself and may not enter the level"):
        JointModel(decline=Linear(level=(name,)))
    assert JointModel(decline=Linear(covariates=(name,)), survival=PiecewiseExponential(covariates=(name,))).slope == (name,)
    assert JointModel(outcome="svc_percent", decline=Linear(level=(name,))).intercept == (name,)  # not made of this one
    with pytest.raises(ValueError, match=f"{name} is made of scores that are outcomes here"):
        domains(intercept=(name,))
    with pytest.raises(ValueError, match=f"{name} is made of scores that are outcomes here.*Take it out of survival"):
        DomainModel(outcomes=domains(), survival=PiecewiseExponential(covariates=(name,)))
    with pytest.raises(ValueError, match=f"{name} is made of the score, whose decline defines the classes"):
        JointModel(association=(), classes=LatentClasses(covariates=(name,)))
