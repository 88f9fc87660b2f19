"""Baseline hazards as functions of time: against scipy's splines, closed forms, and what each form promises."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import BSpline

from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.models.baseline import constant_weights, hazard_knots, log_baseline, m_splines
from alsmodel.models.parameters import derived, parameters
from alsmodel.models.priors import data_scales
from alsmodel.models.spec import JointModel
from alsmodel.models.survival import Exponential, MSpline, PiecewiseExponential, Weibull

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
KNOTS = np.array([-1.5, 2.0, 2.7, 9.0, 18.0])


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_m_splines_are_scipys_b_splines_over_their_integrals(degree: int) -> None:
    t = np.concatenate([np.full(degree, KNOTS[0]), KNOTS, np.full(degree, KNOTS[-1])])
    size = KNOTS.size + degree - 1
    at = np.linspace(KNOTS[0], KNOTS[-1] - 1e-9, 97)
    found = m_splines(at, KNOTS, degree)
    for k in range(size):
        spline = BSpline(t, np.eye(size)[k], degree)
        # Two recursions for one polynomial: only rounding separates them.
        np.testing.assert_allclose(found[:, k], spline(at) / spline.integrate(KNOTS[0], KNOTS[-1]), rtol=1e-11, atol=1e-13)


def test_constant_weights_give_a_constant_and_the_boundary_holds() -> None:
    at = np.array([-1.5, 0.0, 2.0, 5.0, 18.0, 30.0])
    height = m_splines(at, KNOTS, 3) @ constant_weights(KNOTS, 3) * (KNOTS[-1] - KNOTS[0])
    np.testing.assert_allclose(height, 1.0, rtol=1e-12)
    np.testing.assert_array_equal(m_splines(np.array([18.0]), KNOTS, 3), m_splines(np.array([40.0]), KNOTS, 3))


def test_the_level_of_a_spline_is_its_mean_hazard() -> None:
    spec = JointModel(survival=MSpline(knots=(4.0, 9.0), upper=18.0))
    values = {"log_level": -2.0, **{f"log_weight[{k}]": v for k, v in zip(range(2, 7), (0.5, -0.3, 0.9, 1.4, -0.2))}}
    area = quad(lambda u: np.exp(log_baseline(spec, np.array([0.0, 4.0, 9.0, 18.0]), values.__getitem__, np.array([u]))[0]), 0.0, 18.0)[0]
    assert area / 18.0 == pytest.approx(np.exp(-2.0), rel=1e-8)


def test_a_weibull_is_level_at_its_time_and_grows_by_its_shape() -> None:
    spec = JointModel(survival=Weibull(at=6.0))
    values = {"log_level": -3.0, "log_shape": np.log(1.7)}
    found = log_baseline(spec, np.array([6.0]), values.__getitem__, np.array([6.0, 12.0]))
    np.testing.assert_allclose(found, [-3.0, -3.0 + 0.7 * np.log(2.0)], rtol=1e-14)


def test_knots_come_from_the_event_times_on_the_clock_of_the_hazard() -> None:
    data = joint_data(literal.cohort(), literal.BASE.selection)  # events at 2.2, 6.3, 11.5 and 15; longest follow-up 17

    def knots(survival: object, **more: object) -> np.ndarray:
        return hazard_knots(replace(literal.BASE, survival=survival, **more), data)

    np.testing.assert_allclose(knots(PiecewiseExponential(knots=3)), np.quantile([2.2, 6.3, 11.5, 15.0], [0.25, 0.5, 0.75]))
    np.testing.assert_allclose(knots(Weibull()), [8.9])
    np.testing.assert_allclose(knots(MSpline(knots=1)), [0.0, 8.9, 17.0])
    assert knots(Exponential()).size == 0
    incident = replace(literal.BASE, survival=MSpline(knots=1), population="incident")
    np.testing.assert_allclose(hazard_knots(incident, joint_data(literal.cohort(), incident.selection)), [0.0, 20.9, 42.0])


def test_entry_before_time_zero_moves_the_lower_boundary_of_a_spline() -> None:
    people = (replace(literal.PEOPLE[0], entry=-1.5), *literal.PEOPLE[1:])
    spec = replace(literal.BASE, survival=MSpline(knots=(4.0,)))
    assert hazard_knots(spec, joint_data(literal.cohort(people), spec.selection))[0] == pytest.approx(-1.5)


def test_strata_of_one_level_are_refused() -> None:
    people = tuple(replace(p, arm="placebo") for p in literal.PEOPLE)
    spec = replace(literal.BASE, survival=Exponential(strata="arm"))
    data = joint_data(literal.cohort(people), spec.selection)
    with pytest.raises(InvalidInput, match="one level only"):
        parameters(spec, data, data_scales(data), np.empty(0))


#: Residual SDs are each level's own, without a common distribution.
POOLED = [name for name in literal.SPECS if ("pooled" in name or "hierarchy" in name or "group" in name) and "residual" not in name]


@pytest.mark.parametrize("name", POOLED)
def test_groups_are_never_centred(name: str) -> None:
    # Rule of the house: the centred joint density of groups and their SD has no mode, so groups are N(0, 1) times an SD.
    spec = literal.SPECS[name]
    data = joint_data(literal.cohort(), spec.selection)
    knots = hazard_knots(spec, data)
    blocks = {block.name: block for block in parameters(spec, data, data_scales(data), knots)}
    made = derived(spec, data, knots)
    assert made
    for block in blocks.values():
        if block.name.startswith("z:"):
            assert set(block.a) == {0.0}
            assert set(block.b) == {1.0}
        if block.name.startswith("group_sd:"):
            assert block.kind == "half-normal"
    assert all(one.scale.startswith("group_sd:") and one.deviation.startswith("z:") for one in made)
