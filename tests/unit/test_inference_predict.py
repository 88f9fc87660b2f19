"""Predictions at parameters that are known, without sampling: who enters late or from onset, and what a prior is said to be."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.inference import Fit
from alsmodel.inference.paths import draw_of
from alsmodel.inference.predict import event_check, score_check, survival_curve, trajectory
from alsmodel.inference.replicate import follow, planned_follow_up
from alsmodel.inference.summary import prior_texts
from alsmodel.models.decline import Quadratic
from alsmodel.models.program import program
from alsmodel.models.spec import JointModel, PiecewiseExponential
from alsmodel.models.treatments import Treatment

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
TRUTH = {
    "intercept": 36.0, "slope": -1.0, "sd:intercept": 5.0, "sd:slope": 0.7, "corr:intercept,slope": 0.0, "sd:residual": 1.5,
    "association:value": -0.15, "log_hazard[1]": 1.2,
}  # fmt: skip


def known(people: tuple, spec: JointModel) -> Fit:
    """A posterior that is the truth."""
    data = joint_data(literal.cohort(people), spec.selection)
    draws = {name: np.full((2, 50), value) for name, value in TRUTH.items()}
    nothing = np.zeros((2, 50, 0))
    return Fit(spec=spec, data=data, x=nothing, draws=draws, summary=pl.DataFrame(), checks=(), provenance={"seed": 1, "knots": []})


def enrolled_alive(n: int, seed: int, since_onset: float, horizon: float = 18.0) -> tuple:
    """People followed from onset by the truth, of whom those alive at enrolment are seen; time zero is enrolment."""
    people = []
    step = 0.02
    grid = np.arange(-since_onset, horizon, step)
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        start, slope = 36 + 5 * rng.normal(), -1 + 0.7 * rng.normal()
        cumulative = np.cumsum(np.exp(1.2 - 0.15 * (start + slope * (grid + step / 2))) * step)
        died_at = float(np.interp(rng.exponential(), cumulative, grid + step, right=np.inf))
        if died_at <= 0:
            continue
        end = min(died_at, horizon)
        times = np.arange(0, end, 3.0)
        visits = tuple(zip(times.tolist(), (start + slope * times + 1.5 * rng.normal(size=times.size)).tolist(), strict=True))
        people.append(literal.Person(name=f"{i:04d}", visits=visits, end=end, died=died_at <= horizon, onset=since_onset))
    return tuple(people)


SPEC = JointModel(outcome="score", survival=PiecewiseExponential(knots=0))


def share_inside(fitted: Fit) -> float:
    frame = event_check(fitted).filter(pl.col("time") > 1)
    return float(((frame["kaplan_meier"] >= frame["lower"]) & (frame["kaplan_meier"] <= frame["upper"])).mean())


def test_replicates_of_enrolled_people_at_the_truth_look_like_the_data() -> None:
    assert share_inside(known(enrolled_alive(500, 1, 0.0), SPEC)) > 0.9


def test_curves_of_incident_people_are_refused() -> None:
    # Rule 4: the random effects describe people from onset, and whoever enters has survived to entry. New participants drawn without
    # that condition would be other people, so nothing is drawn.
    fitted = known(enrolled_alive(200, 2, 24.0), replace(SPEC, population="incident"))
    for ask in (
        lambda: event_check(fitted),
        lambda: score_check(fitted),
        lambda: survival_curve(fitted, [6.0]),
        lambda: trajectory(fitted, [6.0]),
    ):
        with pytest.raises(InvalidInput, match="as enrolled"):
            ask()


def test_exposure_of_a_small_group_reaches_all_copies_of_its_people() -> None:
    # Covariates of a group below 200 people are repeated; each copy has the exposure of its original. Hazards are constant, so that curves
    # are exp(-h t), and mean scores straight lines but for the mean of 200 random slopes (0.7 / sqrt(200) over 10 months: 0.5).
    arms = ("active", "placebo", "active", "placebo", "placebo")
    people = tuple(
        literal.Person(name=f"{k}", visits=((0.0, 36.0), (3.0, 33.0)), end=12.0, died=k == 4, onset=6.0, arm=arm)
        for k, arm in enumerate(arms)
    )
    drug = Treatment(name="drug", source="arm", level="active", own_clock="none")
    fitted = known(people, replace(SPEC, association=(), treatments=(drug,)))
    fitted.draws.update({name: np.full((2, 50), value) for name, value in {"theta:drug": -1.0, "hazard:drug": -1.2}.items()})
    fitted.draws.update({"log_hazard[1]": np.full((2, 50), np.log(0.05)), "association:value": np.zeros((2, 50))})
    alive, path = survival_curve(fitted, [10.0], by="arm"), trajectory(fitted, [10.0], by="arm")
    for arm, log_ratio, slope in (("active", -1.2, -np.exp(-1.0)), ("placebo", 0.0, -1.0)):
        assert alive.filter(pl.col("group") == arm)["mean"].item() == pytest.approx(np.exp(-0.5 * np.exp(log_ratio)), rel=1e-6)
        assert path.filter(pl.col("group") == arm)["mean"].item() == pytest.approx(36.0 + 10.0 * slope, abs=0.5)


def test_scores_before_time_zero_are_those_of_the_path_before_it() -> None:
    # An arm acts from time zero on; what was taken acted before it too; a parabola bends on both sides.
    def person(name: str, arm: str, taken: tuple) -> object:
        visits = ((-2.0, 38.0), (0.0, 36.0), (3.0, 33.0))
        return literal.Person(name=name, visits=visits, end=12.0, died=name == "c", onset=6.0, arm=arm, drugs={"x": taken})

    always = ((literal.NEVER, literal.FOREVER),)
    people = (person("a", "active", ()), person("b", "placebo", always), person("c", "active", ((1.0, 9.0),)))
    drugs = (Treatment(name="drug", source="arm", level="active", own_clock="none"), Treatment(name="x", own_clock="none"))
    fitted = known(people, replace(SPEC, association=(), decline=Quadratic(random=False), treatments=drugs))
    values = {"theta:drug": -1.0, "theta:x": -0.5, "quadratic": 0.1, "log_hazard[1]": -9.0, "association:value": 0.0}
    values |= {"sd:intercept": 1e-9, "sd:slope": 1e-9, "sd:residual": 1e-9}
    fitted.draws.update({name: np.full((2, 50), value) for name, value in values.items()})
    planned = planned_follow_up(fitted.data, [1])
    _, _, (time, score) = follow(fitted, draw_of(fitted.draws, 0), planned, np.random.default_rng(1))
    np.testing.assert_allclose(score[time < 0], 36.0 + 2.0 * np.array([1.0, np.exp(-0.5), 1.0]) + 0.1 * 4.0, atol=1e-6)


def test_prior_of_each_correlation_is_the_marginal_one() -> None:
    # LKJ in three dimensions: every correlation has the same marginal, Beta(shape + 1/2) on (-1, 1), SD 1 / sqrt(2 shape + 2); the
    # canonical partial correlation that the sampler holds has another one.
    spec = replace(literal.SPECS["random quadratic"])
    texts = prior_texts(spec, program(spec, joint_data(literal.cohort(), spec.selection)))
    for pair in ("intercept,slope", "intercept,quadratic", "slope,quadratic"):
        assert texts[f"corr:{pair}"][1] == pytest.approx(0.5, rel=1e-12), pair
