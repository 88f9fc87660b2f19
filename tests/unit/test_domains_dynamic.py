"""Single participants predicted from several outcomes: against brute force, and what must not reach a prediction."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel.errors import InvalidInput
from alsmodel.inference import DomainFit
from alsmodel.inference.domain_dynamic import of_participants, predict_participants_domains
from alsmodel.models.domain import DomainModel, Outcome
from alsmodel.models.spec import PiecewiseExponential

HERE = Path(__file__).parent
literal = SimpleNamespace(**runpy.run_path(str(HERE / "literal_domains.py")))
arrays = SimpleNamespace(**runpy.run_path(str(HERE / "domain_data.py")))

TWO = DomainModel(
    outcomes=tuple(Outcome(name=name, intercept=("x",), slope=("x",)) for name in ("bulbar", "respiratory")),
    survival=PiecewiseExponential(knots=(6.0, 12.0), covariates=("x",)),
    association=("value", "slope"),
)
STUDENT = replace(TWO, outcomes=(replace(TWO.outcomes[0], name="score", likelihood="student"),), association=("value",))
LANDMARK, TIMES = 6.5, np.array([7.0, 10.0, 15.0])


def two_truth() -> dict[str, Any]:
    truth = literal.domain_truth()
    keep = [0, 1, 6, 7]
    truth |= {key: truth[key][[0, 3]] for key in ("lower", "upper", "weights", "start", "start_x", "slope", "slope_x", "sigma")}
    return truth | {"covariance": truth["covariance"][np.ix_(keep, keep)], "alpha": np.array([-0.15, -0.8])}


def made_of(truth: dict[str, Any], spec: DomainModel, people: list[dict[str, Any]], spread: float = 0.0) -> DomainFit:
    """A posterior that stands at the truth, or at two places about it."""
    draws = {name: np.full((1, 40), value) for name, value in arrays.named_truth(truth, spec).items()}
    if spread:
        draws["bulbar.slope"] = draws["bulbar.slope"] + spread * np.where(np.arange(40) % 2, 1.0, -1.0)
    return DomainFit(
        spec=spec, data=arrays.outcome_arrays(people, spec.names), x=np.zeros((1, 40, 1)), draws=draws, summary=pl.DataFrame(), checks=(),
        provenance={"seed": 5, "knots": [6.0, 12.0]},
    )  # fmt: skip


def cases() -> list[dict[str, Any]]:
    """Everything at 12; falling fast; at 0 and at 12; a single visit."""
    times = (0.0, 3.0, 6.0)
    scores = {
        "ceiling": [(o, t, 12.0) for o in (0, 1) for t in times],
        "falling": [(0, t, 9.0 - 0.5 * t) for t in times] + [(1, t, 12.0 - 0.2 * t) for t in times],
        "floor": [(0, 0.0, 2.0), (0, 3.0, 0.0), (0, 6.0, 0.0), (1, 0.0, 12.0), (1, 3.0, 12.0)],
        "once": [(0, 0.0, 8.0)],
    }
    return [{"x": float(k > 0), "end": 18.0, "event": False, "rows": rows} for k, rows in enumerate(scores.values())]


def brute_force(truth: dict[str, Any], person: dict[str, Any], n: int = 400_000) -> tuple[np.ndarray, np.ndarray, float]:
    """Survival (T,) and mean recorded scores (K, T) by lines from the population, weighted by what was seen; and what those are worth."""
    rng, size = np.random.default_rng(12), truth["covariance"].shape[0]
    lines = literal.prior_mean(truth, person["x"]) + rng.normal(size=(n, size)) @ np.linalg.cholesky(truth["covariance"]).T
    before = {**person, "rows": [row for row in person["rows"] if row[1] <= LANDMARK], "end": LANDMARK, "event": False}
    log_w = literal.log_terms(truth, before, lines)
    w = np.exp(log_w - log_w.max())
    projection = (lines[:, ::2] @ truth["weights"], lines[:, 1::2] @ truth["weights"])
    start = literal.cumulative(truth, person["x"], projection, np.array(LANDMARK))
    survival, scores = [], []
    for t in TIMES:
        alive = np.exp(start - literal.cumulative(truth, person["x"], projection, np.array(t)))
        survival.append((w @ alive) / w.sum())
        row = []
        for k in range(size // 2):
            noise = rng.normal(size=n) if not truth["df"] else 0.0
            y = np.clip(lines[:, 2 * k] + lines[:, 2 * k + 1] * t + truth["sigma"][k] * noise, truth["lower"][k], truth["upper"][k])
            row.append((w * alive) @ y / (w @ alive))
        scores.append(row)
    return np.array(survival), np.array(scores).T, float(w.sum() ** 2 / (w @ w))


def test_paths_and_survival_agree_with_brute_force() -> None:
    truth, people = two_truth(), cases()
    found = predict_participants_domains(made_of(truth, TWO, people), LANDMARK, TIMES, draws=40)
    assert found.height == 4 * 2 * 3
    for i, person in enumerate(people):
        survival, scores, worth = brute_force(truth, person)
        assert worth > 2000  # a mean of scores with an SD below 3 has an error below 0.07 then
        mine = found.filter(pl.col("participant_id") == f"L{i:04d}")
        assert mine["ess"].min() > 20  # type: ignore[operator]
        for k, name in enumerate(TWO.names):
            rows = mine.filter(pl.col("outcome") == name)
            # Eight hundred paths of some hundreds of candidates' worth: errors of 0.01 and 0.1.
            np.testing.assert_allclose(rows["p_alive"], survival, atol=0.03)
            np.testing.assert_allclose(rows["score"], scores[k], atol=0.3)
            assert (rows["score_lower"] <= rows["score_upper"]).all()
            assert rows["score_lower"].min() >= 0.0  # type: ignore[operator]
            assert rows["score_upper"].max() <= 12.0  # type: ignore[operator]
            assert rows["p_alive"].is_sorted(descending=True)
            np.testing.assert_array_less(rows["restricted_mean"], TIMES - LANDMARK + 1e-9)


def test_a_score_at_an_end_taken_as_exact_gives_another_prediction() -> None:
    truth, people = two_truth(), cases()[:1]
    right = predict_participants_domains(made_of(truth, TWO, people), LANDMARK, TIMES, draws=40)
    naive = replace(TWO, outcomes=tuple(replace(outcome, likelihood="gaussian") for outcome in TWO.outcomes))
    wrong = predict_participants_domains(made_of(truth, naive, people), LANDMARK, TIMES, draws=40)
    survival, _, _ = brute_force(truth, people[0])
    assert abs(wrong["p_alive"][2] - survival[2]) > 3 * 0.02 > 3 * abs(right["p_alive"][2] - survival[2])


def test_a_student_score_agrees_with_brute_force() -> None:
    truth = literal.total_truth(df=4.0)
    people = [{"x": 0.0, "end": 18.0, "event": False, "rows": [(0, 0.0, 38.0), (0, 3.0, 20.0), (0, 6.0, 33.0)]}]
    found = predict_participants_domains(made_of(truth, STUDENT, people), LANDMARK, TIMES, draws=40)
    survival, scores, worth = brute_force(truth, people[0])
    assert worth > 2000
    np.testing.assert_allclose(found["p_alive"], survival, atol=0.02)
    np.testing.assert_allclose(found["score"], scores[0], atol=0.3)  # an SD of 3 to 6 points


def test_intervals_hold_what_is_recorded_later() -> None:
    truth = two_truth()
    people = [person for person in literal.draw_people(truth, 130, np.random.default_rng(21)) if person["end"] > 10.0][:60]
    found = predict_participants_domains(made_of(truth, TWO, people), LANDMARK, [9.0], draws=10)
    held, seen = 0, 0
    for i, person in enumerate(people):
        for o, t, y in person["rows"]:
            if t == 9.0:
                row = found.filter((pl.col("participant_id") == f"L{i:04d}") & (pl.col("outcome") == TWO.names[o])).row(0, named=True)
                held, seen = held + (row["score_lower"] - 1e-9 <= y <= row["score_upper"] + 1e-9), seen + 1
    # At least 95% of what is recorded, more where an end of the scale is part of the interval; 120 scores: three SEs are 6 points.
    assert held / seen > 0.89
    # The negative control: predictions of the wrong person.
    ids = [f"L{(i + 7) % len(people):04d}" for i in range(len(people))]
    wrong = [
        row["score_lower"] - 1e-9 <= y <= row["score_upper"] + 1e-9
        for i, person in enumerate(people)
        for o, t, y in person["rows"]
        if t == 9.0
        for row in found.filter((pl.col("participant_id") == ids[i]) & (pl.col("outcome") == TWO.names[o])).iter_rows(named=True)
    ]
    assert np.mean(wrong) < 0.8


def test_nothing_after_the_landmark_is_used_and_the_number_of_people_does_not_matter() -> None:
    truth, people = two_truth(), cases()
    later = [{**person, "rows": [*person["rows"], (0, 9.0, 1.0)], "end": 14.0, "event": True} for person in people]
    fit, other = made_of(truth, TWO, people), made_of(truth, TWO, later)
    known = predict_participants_domains(fit, LANDMARK, TIMES, draws=5)
    assert predict_participants_domains(other, LANDMARK, TIMES, draws=5).drop("beyond_follow_up").equals(known.drop("beyond_follow_up"))
    first = of_participants(fit.data, np.array([0]))
    assert predict_participants_domains(fit, LANDMARK, TIMES, data=first, draws=5).equals(known.head(6))


def test_uncertain_parameters_widen_the_interval_of_survival() -> None:
    truth, people = two_truth(), cases()[1:2]
    sure = predict_participants_domains(made_of(truth, TWO, people), LANDMARK, TIMES)
    unsure = predict_participants_domains(made_of(truth, TWO, people, spread=0.3), LANDMARK, TIMES)
    assert unsure["ess"].min() > 20  # type: ignore[operator]
    width = [float(frame["p_alive_upper"][2] - frame["p_alive_lower"][2]) for frame in (sure, unsure)]
    assert width[1] > width[0]


def test_what_cannot_be_predicted_is_refused() -> None:
    fit = made_of(two_truth(), TWO, cases())
    with pytest.raises(ValueError, match="must increase and lie after the landmark"):
        predict_participants_domains(fit, 6.0, [5.0, 7.0])
    with pytest.raises(InvalidInput, match="Nobody is in follow-up"):
        predict_participants_domains(fit, 40.0, [41.0])
    wrong = replace(fit.data, names=("bulbar", "fine_motor"), base=replace(fit.data.base, time_unit="year", columns={}))
    with pytest.raises(InvalidInput, match=r"(?s)outcomes fitted: bulbar, respiratory.*'month' as fitted.*covariates fitted: x"):
        predict_participants_domains(fit, 6.0, [7.0], data=wrong)
