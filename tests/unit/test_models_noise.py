"""Residual SDs that differ between groups: how they are written, what is refused, and that two of them come back from one data set."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.inference import Fit, Sampling, fit_data
from alsmodel.inference.paths import draw_of
from alsmodel.inference.population import population
from alsmodel.inference.predict import prior_check
from alsmodel.inference.replicate import follow, planned_follow_up
from alsmodel.inference.summary import label_of, unit_of
from alsmodel.models import Exponential, JointModel, Linear
from alsmodel.models.program import program
from alsmodel.settings import decode, encode

generator = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_generator.py"))))
literal = generator.literal
SPEC = JointModel(outcome="score", decline=Linear(residual_by="arm"), survival=Exponential())
TRUTH = {"sd:residual[active]": 3.8, "sd:residual[placebo]": 1.9}


def test_it_reads_prints_and_survives_the_way_through_settings() -> None:
    assert "independent normal residuals whose SD is each arm's own." in str(SPEC)
    assert "ε ~ N(0, σ[arm]²)" in str(SPEC)
    assert SPEC.groups == ("arm",)
    assert decode(JointModel, encode(SPEC)) == SPEC
    assert label_of("sd:residual[active]", SPEC) == "Residual SD, active"
    assert unit_of("sd:residual[active]", SPEC) == "outcome units"


def test_each_level_has_the_prior_of_the_residual_sd_and_one_level_is_refused() -> None:
    data = joint_data(literal.cohort(), SPEC.selection)
    made, plain = program(SPEC, data), program(replace(SPEC, decline=Linear()), data)
    scale = dict(zip(made.labels, made.priors.b))
    assert {scale[name] for name in TRUTH} == {dict(zip(plain.labels, plain.priors.b))["sd:residual"]}
    assert [made.labels[made.wiring.sigma[k]] for k in made.cuts.noise] == [f"sd:residual[{p.arm}]" for p in literal.PEOPLE]
    with pytest.raises(InvalidInput, match="arm has one level only"):
        program(SPEC, replace(data, groups={"arm": ("placebo",) * data.people}))
    assert {"residual SD[active]", "residual SD[placebo]"} <= set(prior_check(SPEC, data, draws=10)["quantity"])


@pytest.fixture(scope="module")
def people() -> tuple:
    """Scores of one arm twice as noisy."""
    return generator.draw(21, 200, arm_residual=2.0)


@pytest.fixture(scope="module")
def fit(people: tuple) -> Fit:
    return fit_data(SPEC, joint_data(literal.cohort(people), SPEC.selection), Sampling(cores=1), seed=3, method="psis")


def test_two_residual_sds_come_back(fit: Fit) -> None:
    assert fit.passed, fit.checks
    # Largest of two standardised errors; 3 is exceeded by chance in 1 of 200 data sets, and this one is fixed.
    assert max(abs(fit.flat(name).mean() - value) / fit.flat(name).std() for name, value in TRUTH.items()) < 3


def test_one_sd_for_all_misses_both(people: tuple) -> None:
    spec = replace(SPEC, decline=Linear())  # negative control
    common = fit_data(spec, joint_data(literal.cohort(people), spec.selection), Sampling(cores=1), seed=3, method="psis")
    found = common.flat("sd:residual")
    assert min(abs(found.mean() - value) / found.std() for value in TRUTH.values()) > 3


def test_replicated_scores_are_as_noisy_as_their_group(fit: Fit) -> None:
    planned = planned_follow_up(fit.data, [1, 1])
    draw = draw_of(fit.draws, 0)
    quiet = replace(draw, values={**draw.values, **dict.fromkeys(TRUTH, 0.0)})
    loud, still = (follow(fit, one, planned, np.random.default_rng(5))[2] for one in (draw, quiet))
    np.testing.assert_array_equal(loud[0], still[0])
    noise = loud[1] - still[1]  # the same draws, with and without residuals
    end, _, _ = follow(fit, draw, planned, np.random.default_rng(5))
    person = planned.visit_person[planned.visit_time <= end[planned.visit_person]]
    for name in TRUTH:
        mine = np.array(fit.data.groups["arm"])[person] == name[12:-1]
        # Some 700 residuals: four standard errors of an SD.
        assert noise[mine].std() / draw.get(name) == pytest.approx(1, abs=4 / (2 * mine.sum()) ** 0.5)


def test_a_trial_is_not_drawn_from_sds_that_differ(fit: Fit) -> None:
    with pytest.raises(InvalidInput, match="one residual SD"):
        population(fit, 10, seed=1)
