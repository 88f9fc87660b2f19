"""Models are compared on what a new participant's scores and events would be, and only on the same data."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.inference.compare import compare, split_likelihood
from alsmodel.models.program import program

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))


def fit_of(name: str, spread: float = 0.0, draws: int = 40, **values: float) -> Any:
    """A posterior around one point."""
    spec = literal.SPECS[name]
    data = joint_data(literal.cohort(), spec.selection)
    made = program(spec, data)
    x = literal.unconstrained(made, literal.VALUES | values) + spread * np.random.default_rng(1).normal(size=(1, draws, made.size))
    return SimpleNamespace(
        spec=spec, data=data, program=made, x=x, provenance={"knots": made.knots.tolist()}, time_unit="month", passed=True
    )


@pytest.mark.parametrize(
    "name",
    [
        "piecewise, value and slope",
        "weibull",
        "clock, own clock free",
        "m-spline, pooled strata",
        "hierarchy",
        "area and random effects, clock",
    ],
)
def test_scores_alone_are_a_multivariate_normal(name: str) -> None:
    from scipy import stats

    split = split_likelihood(fit_of(name))
    for i, person in enumerate(literal.PEOPLE):
        one = literal.Literal(spec=literal.SPECS[name], person=person, v=literal.VALUES, age=0.0)
        design = np.array([one.design(t) for t, _ in person.visits])
        mean = np.array([one.mean(t) for t, _ in person.visits])
        covariance = design @ one.covariance() @ design.T + literal.VALUES["sd:residual"] ** 2 * np.eye(len(mean))
        exact = stats.multivariate_normal(mean, covariance).logpdf([y for _, y in person.visits])
        assert split.scores[0, i] == pytest.approx(float(exact), abs=1e-8)
        assert split.joint[0, i] == pytest.approx(one.loglik(), abs=1e-4)  # brute force


def test_the_likelihood_of_an_incident_population_is_not_split() -> None:
    with pytest.raises(InvalidInput, match="enrolled"):
        split_likelihood(fit_of("incident"))


def test_the_model_that_explains_the_events_wins_on_the_events() -> None:
    right = fit_of("piecewise, value", 0.01)
    wrong = fit_of("piecewise, value", 0.01, **{"log_hazard[1]": 5.0})
    table = compare({"right": right, "wrong": wrong})
    assert table["model"].to_list() == ["right", "wrong"]
    assert table["difference"][0] == 0
    assert table["elpd_events"][0] > table["elpd_events"][1] + 5
    assert table["elpd_scores"][0] == pytest.approx(table["elpd_scores"][1], abs=0.5)
    assert (table["elpd"] - table["elpd_scores"] - table["elpd_events"]).abs().max() < 1e-9


def test_models_of_different_data_are_refused() -> None:
    one = fit_of("piecewise, value")
    for changes, words in (
        ({"outcome_name": "other"}, "outcome_name"),
        ({"transform": "log"}, "transform"),
        ({"event": 1 - one.data.event}, "events"),
        ({"visit_person": one.data.visit_person[::-1].copy()}, "visit persons"),
        ({"entry_time": one.data.entry_time - 0.5}, "entry times"),
        # The same events, of which one is another cause: a density of more than the time; and what came after it.
        ({"cause": np.arange(one.data.people) % 2}, "causes"),
        ({"later_time": one.data.later_time + 1.0}, "later times"),
        ({"participant_ids": tuple("uvwxyz")}, "other participants"),
    ):
        other = SimpleNamespace(**{**vars(one), "data": replace(one.data, **changes)})
        with pytest.raises(InvalidInput, match=words):
            compare({"one": one, "other": other})
    with pytest.raises(InvalidInput, match="two models"):
        compare({"one": one})
