"""Paths of new participants under every baseline and group structure, against the model written out literally; and pooling."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from alsmodel.cohort.arrays import joint_data
from alsmodel.inference.paths import Draw, draw_paths, grid_of
from alsmodel.inference.shrinkage import effects_by_group
from alsmodel.inference.summary import label_of, unit_of
from alsmodel.models.baseline import hazard_knots
from alsmodel.models.parameters import derived, parameters
from alsmodel.models.priors import data_scales
from alsmodel.models.spec import JointModel, Treatment

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
END, CELLS = 10.0, 3000
NAMES = [
    "exponential, pooled strata", "m-spline, value and slope", "m-spline, pooled strata", "piecewise, strata", "weibull, pooled strata",
    "hazard ratio in periods", "clock by group", "hazard ratio by group", "hierarchy", "hazard on the clock", "value and slope by group",
    "natural spline", "natural spline of one knot, weibull, two drugs",
    "area and random effects, clock", "value and area of a spline, weibull, two drugs", "royston-parmar", "royston-parmar, pooled strata",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_predicted_paths_and_hazards_are_those_of_the_literal_model(name: str) -> None:
    spec: JointModel = literal.SPECS[name]
    data = joint_data(literal.cohort(), spec.selection)
    knots = hazard_knots(spec, data)
    labels = [label for block in parameters(spec, data, data_scales(data), knots) for label in block.labels]
    values = {label: literal.VALUES[label] for label in labels} | {f"sd:{name}": 1e-9 for name in spec.effects}
    for one in derived(spec, data, knots):
        values[one.label] = (values[one.common] if one.common else 0.0) + values[one.scale] * values[one.deviation]
    people = np.arange(data.people)
    grid = grid_of(spec, data, people, END, CELLS)
    paths = draw_paths(spec, data, Draw(values=values), grid, people, knots, np.random.default_rng(1))
    plain = [literal.Literal(spec=spec, person=p, v=literal.VALUES, age=0.0) for p in literal.PEOPLE]
    zero = np.zeros((1, len(spec.effects)))
    # Cells of 1/300 month: exposure that starts inside one is spread over it, and the midpoint rule has an error of its own.
    np.testing.assert_allclose(paths.value[:, -1], [p.mean(END) for p in plain], rtol=1e-4)
    np.testing.assert_allclose(paths.cumulative[:, -1], [p.cumulative(0.0, END, zero)[0] for p in plain], rtol=2e-3)


def known(deviations: np.ndarray) -> SimpleNamespace:
    """A fit with draws given: one drug whose effect differs between the arms."""
    drug = Treatment(name="x", by="arm")
    spec = replace(literal.BASE, treatments=(drug,))
    common = np.zeros((1, deviations.shape[1]))
    levels = {f"theta:x[{level}]": row[None] for level, row in zip(("active", "placebo"), deviations, strict=True)}
    return SimpleNamespace(spec=spec, data=joint_data(literal.cohort(), spec.selection), draws={"theta:x": common, **levels})


def test_the_pooling_factor_tells_groups_that_differ_from_groups_that_do_not() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0.0, 0.1, (2, 4000))
    apart = effects_by_group(known(noise + np.array([[0.5], [-0.5]])))
    alike = effects_by_group(known(noise))
    # By hand: means of 0.5 and -0.5 have variance 0.5, against 0.01 within.
    within = float((noise + np.array([[0.5], [-0.5]])).var(axis=0, ddof=1).mean())
    assert apart["pooling"][0] == pytest.approx(1 - 0.5 / within, abs=0.01)
    assert alike["pooling"][0] == pytest.approx(1.0, abs=0.01)
    assert apart["mean"].to_list() == pytest.approx([0.5, -0.5], abs=0.01)
    assert apart["n_exposed"].to_list() == [2, 1]  # b and d; a
    assert apart["prior_driven"].all()  # fewer than ten in each


def test_without_groups_there_is_nothing_to_pool() -> None:
    fit = known(np.zeros((2, 10)))
    fit.spec = replace(fit.spec, treatments=(Treatment(name="x"),))
    assert effects_by_group(fit).height == 0


def test_parameters_of_groups_and_periods_have_names_and_units_of_their_own() -> None:
    drugs = (Treatment(name="x", by="arm"), Treatment(name="y", hazard_periods=(6.0,)), Treatment(name="w", score="none", by="arm"))
    spec = JointModel(treatments=drugs, hierarchy=("site",))
    assert label_of("theta:x[active]", spec) == "x[active]: log ratio of slopes"
    assert label_of("hazard:y[2]", spec) == "y: direct log hazard ratio, period 2"
    assert label_of("hazard:w[active]", spec) == "w[active]: direct log hazard ratio"
    assert label_of("log_hazard[3]|A", spec) == "Log baseline hazard, piece 3, A"
    assert label_of("log_level|A", spec) == "Log baseline hazard, level, A"
    assert unit_of("group_sd:slope:site", spec) == "points/month"
    assert unit_of("group_sd:theta:x", spec) == "log ratio"
    assert unit_of("group_sd:baseline_shape", spec) == "log ratio"
