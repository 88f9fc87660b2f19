"""Refits without a fold: who is left out, what is expected of them, and which model wins."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from alsmodel.cohort.arrays import JointData, joint_data
from alsmodel.cohort.selection import Covariate
from alsmodel.errors import InvalidInput
from alsmodel.inference import Sampling
from alsmodel.inference.accuracy import accuracy
from alsmodel.inference.compare import split_likelihood
from alsmodel.inference.dynamic import futures
from alsmodel.inference.folds import FoldFits, assign_folds, compare_folds, fit_folds, validated_accuracy, validated_calibration
from alsmodel.models import Exponential, JointModel, Linear, NoAssociation
from alsmodel.models.program import program

pytestmark = pytest.mark.xdist_group("nuts")
literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
generator = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_generator.py"))))
ARM = {"arm": Covariate(reference="placebo")}
ALONE = JointModel(
    outcome="score", decline=Linear(covariates=("arm",)), survival=Exponential(), association=NoAssociation(), covariates=ARM
)
JOINT = replace(ALONE, association=("value",))


@pytest.fixture(scope="module")
def data() -> JointData:
    people = generator.draw(11, 60, association=-0.2, log_hazard=2.5, sd=(5.5, 0.7, 1.5))
    return joint_data(generator.literal.cohort(people), JOINT.selection)


@pytest.fixture(scope="module")
def models(data: JointData) -> dict[str, FoldFits]:
    fold = assign_folds(data, 3, seed=4)
    return {name: fit_folds(spec, data, fold, method="psis") for name, spec in (("alone", ALONE), ("joint", JOINT))}


def test_folds_share_out_everybody_and_the_events(data: JointData) -> None:
    fold = assign_folds(data, 5, seed=2)
    assert sorted(np.bincount(fold).tolist()) == [12, 12, 12, 12, 12]
    events = [int(data.event[fold == k].sum()) for k in range(5)]
    assert max(events) - min(events) <= 1
    assert np.array_equal(fold, assign_folds(data, 5, seed=2))
    assert not np.array_equal(fold, assign_folds(data, 5, seed=3))
    for wrong in (1, 61):
        with pytest.raises(ValueError, match="folds must be"):
            assign_folds(data, wrong)


@pytest.mark.parametrize(
    "name",
    [
        "piecewise, value and slope",
        "clock, own clock free",
        "m-spline, pooled strata",
        "hierarchy",
        "weibull, pooled strata",
        "area and random effects, clock",
    ],
)
def test_participants_taken_out_keep_their_likelihood(name: str) -> None:
    spec = literal.SPECS[name]
    data = joint_data(literal.cohort(), spec.selection)
    if any(absent.any() for absent in data.missing.values()):
        pytest.skip("an imputed covariate is refused")
    made = program(spec, data)
    x = literal.unconstrained(made)[None, None] + 0.01 * np.random.default_rng(1).normal(size=(1, 3, made.size))
    fit: Any = SimpleNamespace(spec=spec, data=data, program=made, x=x, time_unit="month", provenance={"knots": made.knots.tolist()})
    some = np.array([0, 2, 3])
    whole, part = split_likelihood(fit), split_likelihood(fit, data=data.of_people(some))
    # The same sums over the same visits and nodes.
    np.testing.assert_allclose(part.scores, whole.scores[:, some], atol=1e-10)
    np.testing.assert_allclose(part.events, whole.events[:, some], atol=1e-9)


def test_what_is_expected_is_that_of_brute_force_refits(data: JointData, models: dict[str, FoldFits]) -> None:
    """Refits by another sampler, and densities of those left out by hand: scores are multivariate normal, times exponential."""
    model = models["alone"]
    chains = fit_folds(ALONE, data, model.fold, Sampling(chains=2, draws=200, tune=100, cores=1), method="nuts")
    scores, events = np.empty(data.people), np.empty(data.people)
    for k, fit in enumerate(chains.fits):
        draws = {name: value.ravel()[::2] for name, value in fit.draws.items()}
        off = draws["corr:intercept,slope"] * draws["sd:intercept"] * draws["sd:slope"]
        d = np.array([[draws["sd:intercept"] ** 2, off], [off, draws["sd:slope"] ** 2]]).transpose(2, 0, 1)
        for i in np.flatnonzero(model.fold == k):
            own = data.visit_person == i
            t, y = data.visit_time[own], data.outcome[own]
            z = np.column_stack([np.ones(t.size), t])
            covariance = z @ d @ z.T + draws["sd:residual"][:, None, None] ** 2 * np.eye(t.size)
            slope = draws["slope"] + draws["slope:arm[active]"] * data.columns["arm[active]"][i]
            away = y - draws["intercept"][:, None] - slope[:, None] * t
            square = np.einsum("dj,djk,dk->d", away, np.linalg.inv(covariance), away)
            found = -0.5 * (square + np.linalg.slogdet(covariance)[1] + t.size * np.log(2 * np.pi))
            rate = draws["log_hazard[1]"]
            scores[i] = np.logaddexp.reduce(found) - np.log(rate.size)
            whole = found + rate * data.event[i] - np.exp(rate) * data.event_time[i]
            events[i] = np.logaddexp.reduce(whole) - np.log(rate.size) - scores[i]
    # 200 draws here and 500 effective there: a log density that varies by 0.3 over the posterior has a Monte Carlo error of 0.03.
    np.testing.assert_allclose(model.expected.scores[0], scores, atol=0.12)
    np.testing.assert_allclose(model.expected.events[0], events, atol=0.06)
    assert model.expected.scores.sum() == pytest.approx(scores.sum(), abs=0.6)


def test_the_model_without_the_association_loses_on_the_events(models: dict[str, FoldFits]) -> None:
    table = compare_folds(models)
    assert table["model"].to_list() == ["joint", "alone"]
    assert (table["elpd"] - table["elpd_scores"] - table["elpd_events"]).abs().max() < 1e-9
    loser = table.row(1, named=True)
    assert loser["difference"] == pytest.approx(loser["difference_scores"] + loser["difference_events"])
    assert loser["difference_events"] < -3 * loser["standard_error_events"]
    assert abs(loser["difference_scores"]) < abs(loser["difference_events"]) / 3
    away = (models["alone"].expected.joint - models["joint"].expected.joint).ravel()
    assert loser["standard_error"] == pytest.approx(np.sqrt(away.size) * away.std(ddof=1))
    assert loser["passed"] == models["alone"].passed


def test_predictions_come_from_the_fit_that_has_not_seen_the_participant(models: dict[str, FoldFits]) -> None:
    model = models["joint"]
    people, risk = model.risk(4.0, 10.0, draws=100)
    assert (model.data.event_time[people] > 4.0).all()
    first = people[model.fold[people] == 0]
    _, data = model.left_out(0)
    ahead = futures(model.fits[0], 4.0, [10.0], data=data, draws=100)
    np.testing.assert_array_equal(risk[np.isin(people, first)], 1 - ahead.survival[:, :, 0].mean(axis=0))
    table = validated_accuracy(model, 4.0, (10.0,), draws=100)
    by_hand = accuracy(risk, model.data.event_time[people], model.data.event[people], landmark=4.0, horizon=10.0)
    assert table.row(0, named=True)["auc"] == by_hand.auc
    assert table.row(0, named=True)["explained"] == by_hand.explained
    bins = validated_calibration(model, 4.0, 10.0, bins=3, draws=100, by="arm")
    assert bins["n"].sum() == people.size


def test_scores_tell_who_dies_only_with_an_association(models: dict[str, FoldFits]) -> None:
    found = {name: validated_accuracy(model, 4.0, (10.0,), draws=100).row(0, named=True) for name, model in models.items()}
    assert found["joint"]["auc"] > 0.7  # the generator's own scores explain most of its hazard
    assert found["joint"]["brier"] < found["joint"]["brier_null"]
    # Control: the same hazard for everybody tells nobody apart, up to the folds' own levels.
    assert abs(found["alone"]["auc"] - 0.5) < 0.2
    assert found["alone"]["brier"] > found["joint"]["brier"]


def test_what_cannot_be_compared_is_refused(data: JointData, models: dict[str, FoldFits]) -> None:
    one = models["alone"]
    with pytest.raises(InvalidInput, match="folds are not those"):
        compare_folds({"one": one, "two": replace(one, fold=one.fold[::-1].copy())})
    with pytest.raises(InvalidInput, match="two models"):
        compare_folds({"one": one})
    with pytest.raises(InvalidInput, match="transform"):
        compare_folds({"one": one, "two": replace(one, data=replace(data, transform="log"))})
    with pytest.raises(InvalidInput, match="enrolled"):
        fit_folds(replace(ALONE, population="incident"), data)
    absent = {"arm[active]": np.arange(data.people) < 2}
    with pytest.raises(InvalidInput, match="2 participants lack"):
        fit_folds(ALONE, replace(data, missing=absent))
    with pytest.raises(ValueError, match="from 0 on"):
        fit_folds(ALONE, data, np.zeros(data.people, int))
