"""What a joint model refuses, and what it makes of a study's choices."""

from typing import Any

import pytest

from alsmodel.cohort.selection import Covariate
from alsmodel.models.spec import JointModel, Normal, PiecewiseHazard, Priors, Treatment, WeibullHazard
from alsmodel.settings import decode, encode

ARM = Treatment(name="active", source="arm", level="active", score="additive")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"treatments": (ARM, ARM)}, "listed twice"),
        ({"treatments": (ARM,), "slope": ("arm",)}, "enters once"),
        ({"treatments": (ARM,), "intercept": ("arm",)}, "enters once"),
        ({"treatments": (Treatment(name="riluzole"),), "slope": ("riluzole",)}, "enters once"),
        ({"treatments": (Treatment(name="x", hazard="DRR"),)}, "hazard twice"),
        ({"treatments": (Treatment(name="x", hazard="clock"),)}, "weibull"),
        ({"transform": "logit"}, "upper"),
        ({"transform": "logit", "upper": -1.0}, "upper"),
        ({"events": ()}, "at least one event"),
        ({"association": ("value", "value")}, "twice"),
        ({"hermite": 0}, "hermite"),
        ({"hermite": 16}, "hermite"),
        ({"covariates": {"age": Covariate()}}, "no part"),
        ({"intercept": ("delta_frs",)}, "delta_frs"),
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
        (lambda: PiecewiseHazard(intervals=0), "intervals"),
        (lambda: PiecewiseHazard(knots=(3.0, 2.0)), "increasing"),
        (lambda: PiecewiseHazard(knots=(0.0, 2.0)), "positive"),
        (lambda: PiecewiseHazard(nodes=0), "nodes"),
        (lambda: WeibullHazard(nodes=2), "nodes"),
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
        JointModel(treatments=(ARM,), hazard=("arm",))


def test_selection_carries_the_choices() -> None:
    spec = JointModel(slope=("arm",), hazard=("arm", "age"), covariates={"age": Covariate(centre=60)}, time_unit="year")
    assert set(spec.selection.covariates) == {"arm", "age"}
    assert spec.selection.covariates["age"].centre == 60
    assert spec.selection.time_unit == "year"
    assert not spec.randomised
    assert JointModel(treatments=(ARM,)).randomised


def test_a_model_survives_the_way_through_settings() -> None:
    spec = JointModel(
        outcome="serBilir", transform="log", time_unit="year", treatments=(ARM,), baseline_hazard=WeibullHazard(nodes=20),
        priors=Priors(theta=Normal(mean=-0.1, sd=0.2), sd_slope=2.0), hazard=("age",), covariates={"age": Covariate(missing="indicator")},
    )  # fmt: skip
    assert decode(JointModel, encode(spec)) == spec
