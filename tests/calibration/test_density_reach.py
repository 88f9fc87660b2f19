"""What else of a path than value and slope reaches the hazard, in combinations that no row of the proof list has."""

from dataclasses import replace

import numpy as np
import pytest

from alsmodel.errors import FitFailed
from alsmodel.inference.mode import find_mode
from alsmodel.inference.refine import prepare
from alsmodel.models.program import Program, program
from alsmodel.models.spec import JointModel
from alsmodel.settings import decode
from tests.calibration.literal import Mapping, Person
from tests.calibration.rows import Row, arrays, generator_of, merged, read_rows, simulate, stream, unconstrained
from tests.calibration.test_density import differenced

ROWS = read_rows()
AREA = {"association_area": {"mean": -0.08, "sd": 0.03}}
SHARED = {
    "association_shared_intercept": {"mean": -0.08, "sd": 0.04},
    "association_shared_slope": {"mean": -0.5, "sd": 0.3},
    "association_shared_quadratic": {"mean": 0.0, "sd": 2.0},
}
#: Row that is changed, the changes, and participants whose likelihood is integrated literally.
CASES: dict[str, tuple[str, Mapping, int]] = {
    "spline": ("natural_spline", {"association": ["area", "shared"]}, 2),
    "quadratic": ("random_quadratic", {"association": ["value", "area"]}, 3),
    "quadratic mean": ("fixed_quadratic", {"association": ["area", "slope"]}, 4),
    "clock of the hazard": ("drug_hazard_clock", {"association": ["area", "shared"]}, 4),
    "added to the slope": ("drug_additive", {"association": ["area"]}, 4),
    "days not known": ("interval", {"association": ["area", "shared"]}, 6),
    "from onset": ("incident", {"association": ["shared"]}, 3),
    "strata": ("strata", {"association": ["shared", "slope"]}, 4),
    "several causes": ("causes", {"association": ["area"]}, 5),
}


def changed(name: str, **model: object) -> tuple[Row, dict[str, float], list[Person], Program]:
    """A row with other associations, a truth, participants and their program."""
    of, changes, people = CASES[name]
    base = ROWS[of]
    whole = merged(base.model, {**changes, "priors": {**AREA, **SHARED}})
    if name == "several causes":
        for cause, association in zip(whole["causes"], (["shared"], ["value", "area"]), strict=True):
            cause["association"] = association
    drug = {"drug": "starts"} if base.design["drug"] == "starts" or name == "added to the slope" else {}
    if name == "added to the slope":
        whole["treatments"][0] |= {"source": "exposure"}
        del whole["treatments"][0]["level"]
    row = replace(base, model=whole, design={**base.design, **drug}, spec=decode(JointModel, whole))
    truth, drawn = simulate(row, stream(3, row.name, 0), participants=people)
    fine = replace(row, spec=decode(JointModel, {**whole, **model}))
    return row, truth, drawn, program(fine.spec, arrays(fine, drawn))


@pytest.mark.parametrize("name", CASES)
def test_likelihood_is_the_literal_integral(name: str) -> None:
    nodes = {**ROWS[CASES[name][0]].model["survival"], "nodes": 30}
    row, truth, people, made = changed(name, hermite=9 if name == "spline" else 15, survival=nodes)
    found = made.loglik(unconstrained(row, made, truth))
    dense = {2: 15, 3: 9}.get(len(row.spec.effects), 5)
    people = people[:1] if dense == 5 else people
    expected = [generator_of(row.model).loglik(row.model, truth, person, dense) for person in people]
    # The literal integral adds hazards up over cells of 0.01 month, which leaves errors of about 1e-5.
    np.testing.assert_allclose(found[: len(people)], expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_the_differenced_density(name: str) -> None:
    row, truth, _, made = changed(name, hermite=9 if name == "spline" else 15)
    x = unconstrained(row, made, truth)
    np.testing.assert_allclose(made.density(x)[1], differenced(made, x), rtol=2e-5, atol=2e-5)


def test_a_hazard_without_its_area_is_another() -> None:
    """The control: the literal likelihood of the current value in the place of the mean since time zero is far off."""
    row, truth, people, made = changed("clock of the hazard", hermite=15)
    swapped = {name.replace("area", "value"): value for name, value in truth.items()}
    found = made.loglik(unconstrained(row, made, truth))
    other = [generator_of(row.model).loglik({**row.model, "association": ["value", "shared"]}, swapped, person) for person in people]
    assert np.abs(found - other).max() > 0.01


def test_a_density_too_rough_to_climb_is_climbed_with_more_nodes() -> None:
    """Shared slopes bend the random effects so far from a Gaussian that three nodes leave a density whose gradient jumps."""
    row = ROWS["association_shared"]
    data = arrays(row, simulate(row, stream(20250611, row.name, 97).spawn(2)[0])[1])
    rough = program(row.spec, data)
    with pytest.raises(FitFailed, match="did not settle"):
        find_mode(rough.density, rough.start)
    found = prepare(row.spec, data)
    assert found.spec.hermite > row.spec.hermite
    assert found.check.passed
