"""Prediction of single participants: brute force, what may be used, and how accuracy is judged."""

import runpy
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.inference.accuracy import accuracy, calibration, censoring_weights, concordance
from alsmodel.inference.dynamic import futures, predict_participants
from alsmodel.models.program import program

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
LANDMARK, TIMES = 3.5, (5.0, 8.0, 12.0)


def fit_of(name: str, draws: int = 3000) -> Any:
    """A posterior that is one point, repeated."""
    spec = literal.SPECS[name]
    data = joint_data(literal.cohort(), spec.selection)
    made = program(spec, data)
    x = np.repeat(literal.unconstrained(made)[None, None], draws, axis=1)
    return SimpleNamespace(spec=spec, data=data, program=made, x=x, provenance={"knots": made.knots.tolist()}, time_unit="month")


@cache
def grid_of(name: str, who: str) -> tuple[Any, np.ndarray, np.ndarray]:
    """One participant as known at the landmark, random effects on a grid, and their weight given what is known."""
    spec, person = literal.SPECS[name], next(p for p in literal.PEOPLE if p.name == who)
    cut = replace(person, end=LANDMARK, died=False, visits=tuple(v for v in person.visits if v[0] <= LANDMARK))
    drugs = {d: tuple((a, np.inf if b >= LANDMARK else b) for a, b in rows if a <= LANDMARK) for d, rows in person.drugs.items()}
    missing = [p.name for p in literal.PEOPLE if p.age is None]
    if person.age is None:
        age = literal.VALUES[f"imputed:age[{missing.index(person.name) + 1}]"]
    else:
        age = (person.age - literal.AGE.centre) / literal.AGE.scale
    known = literal.Literal(spec=spec, person=replace(cut, drugs=drugs), v=literal.VALUES, age=age)
    sd = np.sqrt(np.diag(known.covariance()))
    side = np.linspace(-4, 4, 121 if known.size == 2 else 51)
    b = np.stack([g.ravel() for g in np.meshgrid(*(side * one for one in sd), indexing="ij")], axis=1)
    log_weight = known.log_integrand(b)
    return known, b, np.exp(log_weight - log_weight.max())


def brute(name: str, person: Any, time: float) -> tuple[float, float]:
    """P(alive at `time` | data before the landmark) and the mean score then of the living, on a grid over the random effects."""
    known, b, weight = grid_of(name, person.name)
    alive = np.exp(-known.cumulative(LANDMARK, time, b)) * weight
    value = known.mean(time) + b @ known.design(time)
    return float(alive.sum() / weight.sum()), float((alive * value).sum() / alive.sum())


#: Every hazard, alone and in strata, every way in which a drug reaches it, groups, and both populations.
HAZARDS = (
    "piecewise, value and slope", "weibull, value and slope", "clock, own clock free", "additive", "exponential",
    "exponential, pooled strata", "m-spline, value and slope", "m-spline, pooled strata", "m-spline of degree 2, incident",
    "piecewise, strata", "piecewise, pooled strata", "weibull, strata, incident", "weibull, pooled strata", "hazard on the clock",
    "hazard ratio in periods", "hazard ratio by group", "DRR by group", "clock by group", "hierarchy", "incident",
    "random and fixed quadratic, weibull", "covariates everywhere, imputed", "value and slope by group", "slope by group, drug, incident",
    "residual SD by group", "natural spline of one knot, weibull, two drugs", "royston-parmar, pooled strata",
    "area and random effects, clock", "value and area of a spline, weibull, two drugs",
)  # fmt: skip


@pytest.mark.parametrize("name", HAZARDS)
def test_predictions_are_those_of_brute_force(name: str) -> None:
    made = futures(fit_of(name), LANDMARK, (5.0, 12.0), draws=3000)
    at_risk = [p for p in literal.PEOPLE if p.end > LANDMARK and p.entry <= LANDMARK]
    assert [literal.PEOPLE[k].name for k in made.people] == [p.name for p in at_risk]
    for r, person in enumerate(at_risk):
        for j, time in enumerate((5.0, 12.0)):
            survival, value = made.survival[:, r, j], made.value[:, r, j]
            alive, score = brute(name, person, time)
            # 3,000 draws: five standard errors of a probability whose spread over people is at most 0.3, and of a score of SD 6.
            assert survival.mean() == pytest.approx(alive, abs=0.028), (person.name, time)
            assert (survival * value).sum() / survival.sum() == pytest.approx(score, abs=0.6), (person.name, time)


def test_the_table_holds_means_and_intervals_of_the_futures() -> None:
    fit = fit_of("piecewise, value and slope", draws=500)
    frame, made = predict_participants(fit, LANDMARK, (5.0, 12.0), draws=500), futures(fit, LANDMARK, (5.0, 12.0), draws=500)
    assert frame["participant_id"].unique(maintain_order=True).to_list() == [fit.data.participant_ids[k] for k in made.people]
    # Survival is integrated over shorter stretches for the table, whose nodes lie elsewhere.
    np.testing.assert_allclose(frame["p_alive"].to_numpy().reshape(-1, 2), made.survival.mean(axis=0), rtol=1e-4)
    score = (made.survival * made.value).sum(axis=0) / made.survival.sum(axis=0)
    np.testing.assert_allclose(frame["score"].to_numpy().reshape(-1, 2), score, rtol=1e-4)
    assert ((frame["p_alive_lower"] < frame["p_alive"]) & (frame["p_alive"] < frame["p_alive_upper"])).all()
    assert ((frame["score_lower"] < frame["score"]) & (frame["score"] < frame["score_upper"])).all()
    ahead = frame.filter(frame["time"] == 12.0)
    assert ((ahead["restricted_mean"] > 0) & (ahead["restricted_mean"] < 12.0 - LANDMARK)).all()


def test_a_restricted_mean_is_the_integral_however_few_times_are_asked_for() -> None:
    spec = replace(literal.SPECS["exponential"], association=())
    data = joint_data(literal.cohort(), spec.selection)
    made = program(spec, data)
    x = np.repeat(literal.unconstrained(made, literal.VALUES | {"log_hazard[1]": np.log(0.2)})[None, None], 5, axis=1)
    fit = SimpleNamespace(spec=spec, data=data, program=made, x=x, provenance={"knots": made.knots.tolist()}, time_unit="month")
    for times in ([18.5], [4.0, 18.5], [4.0, 6.0, 9.0, 18.5]):
        last = predict_participants(fit, LANDMARK, times).filter(pl.col("time") == 18.5)  # 15 months on
        # Simpson's rule on steps of 15 / 8 months: the error is the fourth power of step times hazard, 0.375, over 180.
        np.testing.assert_allclose(last["restricted_mean"], (1 - np.exp(-0.2 * 15)) / 0.2, rtol=1.5e-4)
        assert last["beyond_follow_up"].all()  # the longest follow-up is 17 months
    assert not predict_participants(fit, LANDMARK, [16.0])["beyond_follow_up"].any()


def test_nothing_after_the_landmark_is_used() -> None:
    fit = fit_of("clock, own clock free", draws=50)
    other = replace(
        fit.data,
        outcome=np.where(fit.data.visit_time > LANDMARK, 0.0, fit.data.outcome),
        event_time=np.where(fit.data.event_time > LANDMARK, fit.data.event_time + 5.0, fit.data.event_time),
        event=1.0 - fit.data.event,
        exposure_stop=np.where(fit.data.exposure_stop > LANDMARK, fit.data.exposure_stop + 1.0, fit.data.exposure_stop),
    )
    one, two = futures(fit, LANDMARK, TIMES), futures(fit, LANDMARK, TIMES, data=other)
    assert np.array_equal(one.survival, two.survival)
    assert np.array_equal(one.value, two.value)
    # Control: a score before it does change the prediction.
    early = replace(fit.data, outcome=np.where(fit.data.visit_time <= 0, fit.data.outcome - 8.0, fit.data.outcome))
    assert not np.array_equal(one.survival, futures(fit, LANDMARK, TIMES, data=early).survival)


def test_policy_for_later_exposure_and_cores() -> None:
    fit = fit_of("clock, own clock free", draws=50)
    on, off = futures(fit, 5.0, [9.0], later_exposure="continue"), futures(fit, 5.0, [9.0], later_exposure="stop")
    taking = [fit.data.participant_ids[p] in ("a",) for p in on.people]
    assert (np.abs(on.value - off.value).max(axis=(0, 2)) > 0).tolist() == taking  # "d" has ended follow-up; nobody else takes it at 5
    assert np.array_equal(on.survival, futures(fit, 5.0, [9.0], cores=1).survival)


def test_policy_is_about_what_is_taken_where_effects_are_delayed_or_last() -> None:
    # The participant's own deviation takes no effect, so that the policies differ by the mean path alone. "a" takes x from 4.2 to
    # 8.1, "b" took it to 2.5.
    def both(name: str, **choices: float) -> tuple[np.ndarray, np.ndarray]:
        spec = replace(literal.BASE, treatments=(literal.drug(own_clock="none", hazard="none", **choices),), association=())
        data = joint_data(literal.cohort(), spec.selection)
        made = program(spec, data)
        x = np.repeat(literal.unconstrained(made)[None, None], 5, axis=1)
        fit = SimpleNamespace(spec=spec, data=data, program=made, x=x, provenance={"knots": made.knots.tolist()}, time_unit="month")
        found = [futures(fit, 5.0, [9.0], later_exposure=policy) for policy in ("continue", "stop")]
        row = [data.participant_ids[p] for p in found[0].people].index(name)
        return found[0].value[:, row, 0], found[1].value[:, row, 0]

    change = literal.VALUES["slope"] * (np.exp(literal.VALUES["theta:x"]) - 1.0)  # points a month while it acts
    on, off = both("a", onset_delay_months=3.0)  # would act from 7.2 on
    np.testing.assert_allclose(on - off, change * (9.0 - 7.2))
    on, off = both("a", washout_months=3.0)  # acts until 8 if nothing is taken after 5
    np.testing.assert_allclose(on - off, change * (9.0 - 8.0))
    on, off = both("b", washout_months=3.0)  # acts until 5.5 whatever the policy
    np.testing.assert_array_equal(on, off)


@pytest.mark.parametrize(
    "name", ["hierarchy", "m-spline, pooled strata", "weibull, pooled strata", "hazard ratio by group", "value and slope by group"]
)
def test_participants_of_one_group_alone_are_predicted(name: str) -> None:
    fit = fit_of(name, draws=4)
    alone = tuple(p for p in literal.PEOPLE if p.arm == "placebo")
    data = joint_data(literal.cohort(alone), fit.spec.selection)
    made = futures(fit_of(name), LANDMARK, [8.0], data=data, draws=3000)
    assert made.people.size
    for r, k in enumerate(made.people):
        assert made.survival[:, r, 0].mean() == pytest.approx(brute(name, alone[k], 8.0)[0], abs=0.028)
    with pytest.raises(InvalidInput, match="Nothing was fitted for 1 of the levels of arm"):
        futures(fit, LANDMARK, TIMES, data=replace(data, groups={**data.groups, "arm": ("other",) * data.people}))


def test_what_cannot_be_predicted_is_refused() -> None:
    fit = fit_of("piecewise, value and slope", draws=5)
    with pytest.raises(ValueError, match="increase"):
        futures(fit, 5.0, [4.0])
    with pytest.raises(InvalidInput, match="Nobody"):
        futures(fit, 40.0, [41.0])
    with pytest.raises(InvalidInput, match="as fitted"):
        futures(fit, 5.0, [6.0], data=replace(fit.data, time_unit="day"))


# Accuracy.


def test_weights_by_hand() -> None:
    # Censored at 2 (of 4 at risk, one event at the same time first: 3), at 4 (of 2).
    time, event = np.array([1.0, 2.0, 2.0, 4.0, 5.0]), np.array([1.0, 1.0, 0.0, 0.0, 1.0])
    np.testing.assert_allclose(censoring_weights(time, event, 3.0), [1, 1, 0, 1.5, 1.5])
    np.testing.assert_allclose(censoring_weights(time, event, 4.5), [1, 1, 0, 0, 3.0])
    # In groups of their own, one of them without any censoring.
    np.testing.assert_allclose(censoring_weights(time, event, 3.0, ["a", "a", "b", "b", "a"]), [1, 1, 0, 2, 1])


def test_accuracy_without_censoring_is_counting() -> None:
    rng = np.random.default_rng(1)
    risk, time = rng.uniform(0.05, 0.95, 300).round(1), rng.exponential(5, 300) + 1e-9
    found = accuracy(risk, time, np.ones(300), landmark=0.0, horizon=4.0)
    case = time <= 4
    pairs = [(a > b) + (a == b) / 2 for a in risk[case] for b in risk[~case]]
    assert found.auc == pytest.approx(np.mean(pairs), abs=1e-12)
    assert found.brier == pytest.approx(np.mean((case - risk) ** 2), abs=1e-12)
    assert found.observed == pytest.approx(case.mean())
    assert (found.events, found.censored) == (case.sum(), 0)
    assert np.isnan(concordance(risk, np.zeros(300), np.ones(300)))


def simulated(n: int, dependent: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """True risk by time 2, observed time and event, true event time, and a group on which censoring may depend."""
    rng = np.random.default_rng(5)
    group = rng.integers(0, 2, n)
    rate = np.where(group == 1, 0.5, 0.15) * rng.gamma(4, 0.25, n)
    death = rng.exponential(1 / rate)
    censoring = rng.exponential(np.where(group == 1, 1.5, 20.0) if dependent else 5.0, n)
    return 1 - np.exp(-2 * rate), np.minimum(death, censoring), (death <= censoring).astype(float), death, group


def test_weights_undo_censoring() -> None:
    risk, time, event, death, group = simulated(40_000, dependent=True)
    truth = accuracy(risk, death, np.ones_like(death), landmark=0.0, horizon=2.0)
    plain = accuracy(risk, time, event, landmark=0.0, horizon=2.0)
    grouped = accuracy(risk, time, event, landmark=0.0, horizon=2.0, groups=group.tolist())
    # 40,000 people: standard errors near 0.003; the plain weights are off where censoring depends on the group.
    for name in ("auc", "brier", "observed"):
        assert getattr(grouped, name) == pytest.approx(getattr(truth, name), abs=0.012), name
    assert abs(plain.observed - truth.observed) > 0.03


def test_calibration_sees_risks_that_are_too_high() -> None:
    risk, time, event, _, group = simulated(20_000, dependent=False)
    settings: dict[str, Any] = {"landmark": 0.0, "horizon": 2.0}
    right = calibration(risk, time, event, **settings)
    assert (((right["observed"] - right["expected"]) / right["standard_error"]).abs() < 4).all()
    assert right["n"].sum() == 20_000
    wrong = calibration(np.minimum(1.3 * risk, 1.0), time, event, **settings)
    assert (((wrong["observed"] - wrong["expected"]) / wrong["standard_error"]).abs() > 4).sum() >= 4
    del group


def test_accuracy_is_judged_among_those_at_risk() -> None:
    with pytest.raises(ValueError, match="at risk"):
        accuracy(np.array([0.5, 0.5]), np.array([1.0, 3.0]), np.ones(2), landmark=1.0, horizon=2.0)
    with pytest.raises(ValueError, match="after the landmark"):
        accuracy(np.array([0.5]), np.array([3.0]), np.ones(1), landmark=2.0, horizon=2.0)
    with pytest.raises(ValueError, match="probabilities"):
        accuracy(np.array([1.5]), np.array([3.0]), np.ones(1), landmark=1.0, horizon=2.0)
