"""The density of latent classes: against the brute-force integral of each class, the PyMC declaration, and the symmetries it must have."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from alsmodel.cohort.arrays import joint_data
from alsmodel.cohort.selection import Covariate
from alsmodel.inference.compare import split_likelihood
from alsmodel.models.classes import LatentClasses, class_labels
from alsmodel.models.joint import build
from alsmodel.models.program import program
from alsmodel.models.spec import JointModel
from tests.unit.declared import declared

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
APART = replace(literal.BASE, association=(), hermite=3)
TWO, THREE = LatentClasses(), LatentClasses(number=3)
SPECS: dict[str, JointModel] = {
    "two classes": replace(APART, classes=TWO),
    "three classes, weibull, a drug on the clock": replace(APART, classes=THREE, survival=literal.WEIBULL, treatments=(literal.drug(),)),
    "classes of decline alone": replace(APART, classes=replace(TWO, hazard=False), treatments=(literal.drug("y", score="additive"),)),
}
VALUES = literal.VALUES | {
    "class:intercept[2]": 2.0, "class:intercept[3]": -1.5, "class:log_step[2]": -0.5, "class:log_step[3]": 0.1,
    "class:hazard[2]": -0.8, "class:hazard[3]": 0.6, "class:odds[2]": 0.4, "class:odds[3]": -0.7,
}  # fmt: skip


def of_class(values: dict[str, float], k: int) -> dict[str, float]:
    """Values by which the participants of class k live."""
    out = dict(values)
    if k > 1:
        out["intercept"] += values[f"class:intercept[{k}]"]
        out["slope"] += sum(np.exp(values[f"class:log_step[{j}]"]) for j in range(2, k + 1))
        for name in values:
            if name.startswith(("log_hazard[", "log_level")):
                out[name] += values[f"class:hazard[{k}]"]
    return out


def brute(spec: JointModel, values: dict[str, float]) -> np.ndarray:
    """Log of share times likelihood of each class (rows) and participant, every class by the literal integral."""
    assert spec.classes is not None
    count = spec.classes.number
    odds = np.array([0.0, *(values[f"class:odds[{k}]"] for k in range(2, count + 1))])
    if not spec.classes.hazard:
        values = values | {f"class:hazard[{k}]": 0.0 for k in range(2, count + 1)}
    plain = replace(spec, classes=None)
    return (
        np.array(
            [
                [literal.Literal(spec=plain, person=person, v=of_class(values, k + 1), age=0.0).loglik() for person in literal.PEOPLE]
                for k in range(count)
            ]
        )
        + (odds - np.logaddexp.reduce(odds))[:, None]
    )


@pytest.mark.parametrize("name", SPECS)
def test_likelihood_is_the_sum_over_classes_of_the_literal_integrals(name: str) -> None:
    spec = SPECS[name]
    made = program(spec, joint_data(literal.cohort(), spec.selection))
    x = literal.unconstrained(made, VALUES)
    each = brute(spec, VALUES)
    whole = np.logaddexp.reduce(each, axis=0)
    np.testing.assert_allclose(made.loglik(x), whole, atol=1e-4)  # the literal quadrature's own error
    np.testing.assert_allclose(made.memberships(x), np.exp(each - whole), atol=1e-4)
    # The value alone, which weighted draws take, is that which comes with the gradient.
    assert made.value(x) == pytest.approx(made.density(x)[0], rel=1e-12)


@pytest.mark.parametrize("name", SPECS)
def test_sampled_density_is_the_one_that_pymc_declares(name: str) -> None:
    spec = SPECS[name]
    data = joint_data(literal.cohort(), spec.selection)
    compiled, model = program(spec, data), build(spec, data)
    at = declared(model, model.logp(sum=False))
    for x in (literal.unconstrained(compiled, VALUES), compiled.start):
        value = float(sum(np.sum(term) for term in at(x)))
        # The same formula in two places: only rounding separates them.
        np.testing.assert_allclose(compiled.density(x)[0], value, rtol=1e-11, atol=1e-9)


def test_one_class_is_the_model_without_classes() -> None:
    spec = replace(APART, classes=LatentClasses(number=1))
    data = joint_data(literal.cohort(), spec.selection)
    one, none = program(spec, data), program(APART, data)
    assert one.labels == none.labels
    x = literal.unconstrained(one, VALUES)
    for found, expected in zip(one.density(x), none.density(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_classes_that_are_alike_are_one_whatever_their_shares() -> None:
    spec = SPECS["two classes"]
    data = joint_data(literal.cohort(), spec.selection)
    two, none = program(spec, data), program(APART, data)
    alike = VALUES | {"class:intercept[2]": 0.0, "class:log_step[2]": -40.0, "class:hazard[2]": 0.0}
    expected = none.loglik(literal.unconstrained(none, VALUES))
    for odds in (-2.0, 3.0):
        np.testing.assert_allclose(two.loglik(literal.unconstrained(two, alike | {"class:odds[2]": odds})), expected, rtol=1e-12)


def test_a_mirrored_score_gives_the_mirrored_classes() -> None:
    # Minus the score turns the order of the slopes round: class 1 becomes class 2 and nothing else may change.
    spec = SPECS["two classes"]
    data = joint_data(literal.cohort(), spec.selection)
    made, mirrored = program(spec, data), program(spec, replace(data, outcome=-data.outcome))
    last = of_class(VALUES, 2)
    turned = VALUES | {
        "intercept": -last["intercept"], "slope": -last["slope"], "class:intercept[2]": VALUES["class:intercept[2]"],
        "class:hazard[2]": -VALUES["class:hazard[2]"], "class:odds[2]": -VALUES["class:odds[2]"],
    } | {name: last[name] for name in VALUES if name.startswith("log_hazard[")}  # fmt: skip
    x, y = literal.unconstrained(made, VALUES), literal.unconstrained(mirrored, turned)
    np.testing.assert_allclose(mirrored.loglik(y), made.loglik(x), rtol=1e-12)
    np.testing.assert_allclose(mirrored.memberships(y)[::-1], made.memberships(x), atol=1e-12)


def test_scores_alone_are_the_mixture_of_their_densities() -> None:
    spec = SPECS["two classes"]
    data = joint_data(literal.cohort(), spec.selection)
    made = program(spec, data)
    x = literal.unconstrained(made, VALUES)
    fit: Any = SimpleNamespace(spec=spec, data=data, program=made, x=x[None, None])
    split = split_likelihood(fit)
    alone = replace(spec, classes=None)
    plain = program(alone, data)
    each = []
    for k in (1, 2):
        own: Any = SimpleNamespace(spec=alone, data=data, program=plain, x=literal.unconstrained(plain, of_class(VALUES, k))[None, None])
        each.append(split_likelihood(own).scores[0])
    odds = np.array([0.0, VALUES["class:odds[2]"]])
    expected = np.logaddexp.reduce(np.array(each) + (odds - np.logaddexp.reduce(odds))[:, None], axis=0)
    np.testing.assert_allclose(split.scores[0], expected, rtol=1e-12)
    np.testing.assert_allclose(split.joint[0], made.loglik(x), rtol=1e-12)


def test_gradient_is_the_difference_of_the_density_with_a_covariate_of_the_classes() -> None:
    classes = LatentClasses(number=3, covariates=("arm",))
    spec = replace(APART, classes=classes, covariates={"arm": Covariate(reference="placebo")})
    made = program(spec, joint_data(literal.cohort(), spec.selection))
    assert set(made.labels) > {f"{label}:arm[active]" for label in class_labels(spec, "odds")}
    rng = np.random.default_rng(3)
    x = made.start + 0.3 * rng.normal(size=made.size)
    steps = 1e-5 * np.eye(x.size)
    differenced = [(made.value(x + step) - made.value(x - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(made.density(x)[1], differenced, rtol=1e-6, atol=1e-5)
