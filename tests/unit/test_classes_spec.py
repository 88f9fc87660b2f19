"""Latent classes as a specification: what it says, what it refuses, and that it goes to TOML and back."""

import pytest

from alsmodel.models.classes import LatentClasses
from alsmodel.models.spec import Cause, JointModel, Linear, NaturalSpline, Quadratic, Treatment, Weibull
from alsmodel.settings import decode, encode


def classed(**settings: object) -> JointModel:
    return JointModel(**({"association": [], "classes": LatentClasses()} | settings))  # type: ignore[arg-type]


def test_specification_goes_to_plain_values_and_back() -> None:
    spec = classed(classes=LatentClasses(number=3, covariates=("age",), hazard=False))
    plain = encode(spec)
    assert plain["classes"] == {"number": 3, "covariates": ["age"], "hazard": False}
    assert decode(JointModel, plain, where="test") == spec


def test_model_says_what_its_classes_share_and_what_they_do_not() -> None:
    text = str(classed(classes=LatentClasses(number=3, covariates=("onset_site", "age"))))
    for words in (
        "one of three latent classes",
        "each has a mean level, a mean slope and a level of the hazard of its own",
        "Common to the classes are the covariance of the random effects",
        "class 1 has the lowest",
        "Given the class, score and event are independent.",
        "The chance of each class depends on onset site and age.",
        "γ0[k] = γ0[k - 1] + exp(s_k)",
        "joined by the latent class alone",
    ):
        assert words in text
    assert "hazard of its own" not in str(classed(classes=LatentClasses(hazard=False)))
    assert "one class" in str(classed(classes=LatentClasses(number=1)))
    assert "latent" not in str(JointModel())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"association": ["value"]}, "in the place of an association"),
        ({"decline": Quadratic()}, "straight lines"),
        ({"decline": NaturalSpline()}, "straight lines"),
        ({"population": "incident"}, 'population = "enrolled"'),
        ({"causes": [Cause(name="dropout", events=["dropout"], association=[])]}, "one cause"),
        ({"classes": LatentClasses(covariates=("delta_frs",))}, "delta_frs"),
        ({"survival": Weibull(), "treatments": [Treatment(name="x", hazard="clock")]}, 'hazard = "clock"'),
    ],
)
def test_what_classes_do_not_go_with_is_refused_before_any_work(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        classed(**settings)


@pytest.mark.parametrize(
    ("settings", "words"), [({"number": 5}, "between 1 and 4; got 5"), ({"number": 1, "covariates": ("age",)}, "only one")]
)
def test_numbers_of_classes_that_make_no_sense_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LatentClasses(**settings)  # type: ignore[arg-type]


def test_covariates_of_the_classes_are_taken_from_the_cohort() -> None:
    spec = classed(decline=Linear(covariates=["sex"]), classes=LatentClasses(covariates=("age",)))
    assert set(spec.selection.covariates) == {"sex", "age"}
