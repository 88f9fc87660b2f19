"""The onset-anchored line: where the anchor goes, what it predicts, and when it helps."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel.cohort.arrays import JointData, joint_data
from alsmodel.errors import InvalidInput
from alsmodel.inference.folds import FoldFits, assign_folds, fit_folds
from alsmodel.inference.onset_anchored import (
    Anchored,
    anchored,
    anchored_spec,
    compare_scores,
    fit_anchored_folds,
    onset_times,
    predicted_scores,
)
from alsmodel.models import JointModel

pytestmark = pytest.mark.xdist_group("nuts")
literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
SPEC = anchored_spec(JointModel(outcome="score"))
FULL, LANDMARK, HORIZON = 48.0, 0.5, 12.0


def people(n: int = 60) -> tuple[Any, ...]:
    """Straight lines from the full score at onset, seen at enrolment and every second month after."""
    out = []
    for i in range(n):
        rng = np.random.default_rng([5, i])
        onset, rate = rng.uniform(10, 30), rng.gamma(2, 0.35)
        end = float(rng.uniform(8, 14))
        times = np.arange(0, end, 2.0)
        scores = FULL - rate * (onset + times) + rng.normal(0, 1.0, times.size)
        visits = tuple(zip(times.tolist(), scores.tolist(), strict=True))
        out.append(literal.Person(name=f"{i:03d}", visits=visits, end=end, died=bool(i % 3 == 0), arm="placebo", age=60.0, onset=onset))
    return tuple(out)


@pytest.fixture(scope="module")
def cohort() -> Any:
    return literal.cohort(people())


@pytest.fixture(scope="module")
def data(cohort: Any) -> JointData:
    return joint_data(cohort, SPEC.selection)


def test_the_anchor_is_the_full_score_on_the_day_of_onset(cohort: Any, data: JointData) -> None:
    onset = onset_times(cohort, data)
    np.testing.assert_allclose(onset, [-p.onset for p in people()], atol=1e-9)
    made = anchored(data, onset, FULL)
    assert made.outcome.size == data.outcome.size + data.people
    own, before = made.visit_person == 7, data.visit_person == 7
    expected = [(0.0, FULL), *zip(data.visit_time[before] - onset[7], data.outcome[before], strict=True)]
    assert list(zip(made.visit_time[own], made.outcome[own], strict=True)) == expected
    np.testing.assert_allclose(made.event_time - made.entry_time, data.event_time - data.entry_time)


def test_the_full_score_of_a_known_scale_is_its_upper_bound(cohort: Any, data: JointData) -> None:
    onset = onset_times(cohort, data)
    total = anchored(replace(data, outcome_name="alsfrs_total"), onset)
    assert total.outcome[0] == 40.0
    for changes, where, words in (
        ({}, onset, "full score of 'score'"),
        ({"outcome_name": "alsfrs_r_total"}, onset + 40, "on or before the day of onset"),
        ({"outcome_name": "alsfrs_r_total"}, onset[:3], "one time per participant"),
        ({"outcome_name": "alsfrs_r_total"}, np.where(onset < -20, np.nan, onset), "have no onset day"),
        ({"outcome_name": "alsfrs_r_total", "transform": "log"}, onset, "on its own scale"),
    ):
        with pytest.raises(InvalidInput, match=words):
            anchored(replace(data, **changes), where)


def test_a_prediction_is_the_conditional_mean_given_scores_and_anchor(cohort: Any, data: JointData) -> None:
    """At one point of the parameters the future of a normal line is linear in the past: the joint covariance of both gives it."""
    onset = onset_times(cohort, data)
    values = {"intercept": 47.0, "slope": -0.6, "sd:intercept": 2.0, "sd:slope": 0.4, "corr:intercept,slope": 0.2, "sd:residual": 1.6}
    fit: Any = SimpleNamespace(flat=lambda name: np.full(3, values[name]))
    refits = FoldFits(spec=SPEC, data=anchored(data, onset, FULL), fold=np.zeros(data.people, np.int64), fits=(fit,))
    frame = predicted_scores(Anchored(refits=refits, data=data, onset=onset), 2.5, HORIZON)
    d = np.array([[4.0, 0.16], [0.16, 0.16]])
    for person in (0, 7, 21):
        known = (data.visit_person == person) & (data.visit_time <= 2.5)
        ahead = (data.visit_person == person) & (data.visit_time > 2.5) & (data.visit_time <= HORIZON)
        t = np.concatenate([[0.0], data.visit_time[known] - onset[person], data.visit_time[ahead] - onset[person]])
        past = np.arange(t.size) <= known.sum()
        z = np.column_stack([np.ones(t.size), t])
        whole, mean = z @ d @ z.T + 1.6**2 * np.eye(t.size), 47.0 - 0.6 * t
        y = np.concatenate([[FULL], data.outcome[known]])
        expected = mean[~past] + whole[np.ix_(~past, past)] @ np.linalg.solve(whole[np.ix_(past, past)], y - mean[past])
        own = frame.filter(pl.col("person") == person)
        np.testing.assert_allclose(own["predicted"], expected, rtol=1e-10)
        np.testing.assert_array_equal(own["observed"], data.outcome[ahead])


def test_the_anchor_helps_where_decline_began_at_onset_and_harms_where_it_did_not(cohort: Any, data: JointData) -> None:
    fold, onset = assign_folds(data, 2, seed=1), onset_times(cohort, data)
    wrong = np.random.default_rng(2).permutation(onset)
    models: dict[str, Any] = {
        "line": fit_folds(SPEC, data, fold, method="psis"),
        "anchored": fit_anchored_folds(SPEC, data, onset, fold, full_score=FULL, method="psis"),
        "somebody else's onset": fit_anchored_folds(SPEC, data, wrong, fold, full_score=FULL, method="psis"),
    }
    table = compare_scores(models, LANDMARK, HORIZON)
    rows = {row["model"]: row for row in table.iter_rows(named=True)}
    assert rows["line"]["difference"] == 0
    assert len({(row["participants"], row["scores"]) for row in rows.values()}) == 1
    # Each participant's true line goes through the anchor, and one score at enrolment says little about a slope.
    assert rows["anchored"]["difference"] < -2 * rows["anchored"]["standard_error"]
    assert rows["anchored"]["mae"] < rows["line"]["mae"]
    # Control: an anchor on the wrong day.
    other = rows["somebody else's onset"]
    assert other["difference"] > 2 * other["standard_error"]
    frame = predicted_scores(models["line"], LANDMARK, HORIZON)
    e = (frame["predicted"] - frame["observed"]).to_numpy()
    assert rows["line"]["mse"] == pytest.approx(float((e**2).mean()))
    with pytest.raises(InvalidInput, match="folds differ"):
        compare_scores({"one": models["line"], "two": replace(models["line"], fold=fold[::-1].copy())}, LANDMARK, HORIZON)
    with pytest.raises(InvalidInput, match="between 20 and 21"):
        predicted_scores(models["line"], 20.0, 21.0)
