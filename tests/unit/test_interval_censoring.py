"""Events known only to lie between two times: the density against other hands, its limits, and what goes wrong without it.

The brute-force integral of one such data set is the row ``interval`` of `tests.calibration.test_density`.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from lifelines import WeibullAFTFitter

from alsmodel.cohort.arrays import JointData
from alsmodel.errors import InvalidInput
from alsmodel.inference.effects import draw_given, path_at
from alsmodel.inference.mode import find_mode
from alsmodel.inference.predict import kaplan_meier, observed_survival
from alsmodel.models.joint import build
from alsmodel.models.priors import Normal, Priors
from alsmodel.models.program import Program, program
from alsmodel.models.spec import Exponential, JointModel, Weibull
from alsmodel.models.structure import hazard_knots
from tests.calibration import literal
from tests.calibration.rows import Floats, Row, arrays, merged, read_models, read_rows, simulate, stream, unconstrained
from tests.calibration.test_density import differenced
from tests.unit.declared import declared

ROWS = read_rows()
SEED = 20261130


def of_row(name: str, people: int = 6, **changes: Any) -> tuple[Row, dict[str, float], list[literal.Person]]:
    """A row of the evidence, with a contact every four months at which half learn of the event."""
    row = ROWS[name]
    row = replace(row, design={**row.design, "contacts": 4.0, "participants": people, "missing": 0, **changes})
    for number in range(50):
        truth, drawn = simulate(row, stream(SEED, name, number))
        if sum(person.free is not None for person in drawn) >= 2:
            return row, truth, drawn
    raise AssertionError("nobody drawn has an event between two contacts")


def fine(row: Row, data: JointData) -> Program:
    """The program with so many nodes that only rounding is left."""
    return program(replace(row.spec, hermite=15, survival=replace(row.spec.survival, nodes=30)), data)


# The density ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["weibull", "association_both", "drug_clock", "incident", "m_spline"])
def test_every_baseline_and_path_is_the_literal_integral(name: str) -> None:
    row, truth, people = of_row(name)
    chosen = [k for k, person in enumerate(people) if person.free is not None][:2]
    made = fine(row, arrays(row, people))
    found = made.loglik(unconstrained(row, made, truth))[chosen]
    expected = [literal.loglik(row.model, truth, people[k]) for k in chosen]
    # The literal integral adds hazards up over cells of 0.01 month, which leaves errors of about 1e-5.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["random_quadratic", "drug_clock"])
def test_gradient_is_the_differenced_density(name: str) -> None:
    row, truth, people = of_row(name)
    made = program(replace(row.spec, hermite=9), arrays(row, people))
    x = unconstrained(row, made, truth)
    # Nine nodes leave a little of the quadrature's error in Fisher's identity.
    np.testing.assert_allclose(made.density(x)[1], differenced(made, x), rtol=1e-3, atol=1e-3)
    assert made.value(x) == pytest.approx(made.density(x)[0], abs=1e-9)


def moments(row: Row, truth: dict[str, float], person: literal.Person) -> tuple[Floats, Floats]:
    """Mean and covariance of a participant's effects given the data, on a grid of the literal density."""
    course, prior = literal.Course(row.model, truth, person), literal.covariance(row.model, truth)
    edges = np.union1d(np.linspace(0.0, person.end, 400), [] if person.free is None else [person.free])
    middle, spread = literal._from_scores(course, prior, truth["sd:residual"], person)
    side = np.linspace(-5.0, 5.0, 25)
    grid = np.stack([g.ravel() for g in np.meshgrid(side, side, indexing="ij")], axis=1)
    for _ in range(2):
        points = middle + grid @ np.linalg.cholesky(spread).T
        weight = np.array([literal._log_joint(course, prior, truth["sd:residual"], person, edges, b) for b in points])
        weight = np.exp(weight - weight.max())
        middle = weight @ points / weight.sum()
        spread = (points - middle).T @ ((points - middle) * weight[:, None]) / weight.sum()
    return middle, spread


def test_drawn_effects_are_those_given_an_event_between_two_times() -> None:
    row, truth, people = of_row("base")
    # An association so strong that knowing of the event moves the effects.
    truth = truth | {"association:value": -0.2, **{f"log_hazard[{k}]": -3.0 for k in range(1, 5)}}
    made = program(row.spec, data := arrays(row, people))
    path, shared = path_at(made, made.constrained(unconstrained(row, made, truth)), made.segments, made.cuts)
    draws, rng = np.empty((4000, len(people), 2)), np.random.default_rng(3)
    tries = sum(draw_given(path, shared, made.cuts, made.weibull, rng, out) for out in draws)
    assert tries < 4 * draws.shape[0] * len(people)
    ignored = 0.0
    for k in np.flatnonzero(data.interval_censored):
        mean, covariance = moments(row, truth, people[k])
        sd = np.sqrt(np.diag(covariance))
        # Five standard errors of 4,000 independent draws.
        np.testing.assert_allclose((draws[:, k].mean(axis=0) - mean) / sd, 0, atol=5 / 4000**0.5)
        np.testing.assert_allclose(draws[:, k].std(axis=0) / sd, 1, atol=5 / 8000**0.5)
        # Negative control: as if still without the event at the end of the interval.
        other, _ = moments(row, truth, replace(people[k], free=None, event=False))
        ignored = max(ignored, float(np.abs((draws[:, k].mean(axis=0) - other) / sd).max()))
    assert ignored > 10 / 4000**0.5


def test_limits_are_an_event_with_a_time_and_censoring() -> None:
    row, truth, people = of_row("base")
    exact = [replace(person, free=None) for person in people]
    data = arrays(row, exact)
    someone = data.event > 0
    made = fine(row, data)
    x = unconstrained(row, made, truth)
    at = made.loglik(x)
    for width in (1e-2, 1e-4, 1e-7):
        near = replace(data, free_until=np.where(someone, data.event_time - width, data.event_time))
        found = fine(row, near).loglik(x)[someone] - np.log(width)
        # The density of an event at the end of the gap, up to how far the log hazard moves on half of it.
        np.testing.assert_allclose(found, at[someone], rtol=0, atol=0.5 * width + 1e-8)
    # Where nobody's path improves for ever, the event has happened for certain in the end: the hazard of the last interval goes on.
    x = unconstrained(row, made, truth | {"association:value": 0.0})
    censored = fine(row, replace(data, event=np.zeros(data.people))).loglik(x)
    far = replace(data, free_until=data.event_time, event_time=np.where(someone, 20_000.0, data.event_time))
    np.testing.assert_allclose(fine(row, far).loglik(x)[someone], censored[someone], rtol=0, atol=1e-6)


def test_without_association_it_comes_apart_in_closed_form() -> None:
    row, truth, people = of_row("base")
    spec = replace(row.spec, association=(), survival=Exponential())
    data = arrays(row, people)
    made = program(spec, data)
    x = unconstrained(row, made, truth | {"log_hazard[1]": -3.2})
    rate, gap = np.exp(-3.2), data.interval_censored
    alone = program(spec, replace(data, event_time=np.full(data.people, 1e-9), event=np.zeros(data.people))).loglik(x)
    low = np.where(gap, data.free_until, data.event_time)
    own = -rate * low + np.where(data.event > 0, -3.2, 0.0)
    own[gap] = -rate * low[gap] + np.log(-np.expm1(-rate * (data.event_time - low)[gap]))
    np.testing.assert_allclose(made.loglik(x), alone + own, atol=1e-7)
    np.testing.assert_allclose(made.density(x)[1], differenced(made, x), rtol=2e-5, atol=2e-5)


def test_extreme_hazards_leave_density_and_gradient_finite() -> None:
    row, truth, people = of_row("base", 8)
    data = arrays(row, people)
    data = replace(data, free_until=np.where(data.interval_censored, np.maximum(data.event_time - 1e-9, 0.0), data.free_until))
    made = program(row.spec, data)
    for height in (-60.0, -20.0, 3.0):
        x = unconstrained(row, made, truth | {f"log_hazard[{k}]": height for k in range(1, 5)})
        total, gradient = made.density(x)
        assert np.isfinite(total)
        assert np.isfinite(gradient).all()


def test_declared_model_is_the_same_density() -> None:
    row, truth, people = of_row("base", 12)
    data = arrays(row, people)
    made, model = program(row.spec, data), build(row.spec, data)
    x = unconstrained(row, made, truth)
    value, gradient = declared(model, [model.logp(), model.dlogp()])(x)
    found, slope = made.density(x)
    # The same formula in two places: only rounding separates them.
    assert found == pytest.approx(float(value), abs=1e-9)
    np.testing.assert_allclose(slope, gradient, rtol=1e-8, atol=1e-7)


# Against lifelines, and without it -----------------------------------------------------------------------------------


def survival_only(people: int, every: float, rng: np.random.Generator) -> JointData:
    """Weibull times of which half are learnt at contacts, a number on the hazard, and scores that have nothing to do with either."""
    x = rng.normal(size=people)
    time = 20.0 * (rng.exponential(size=people) * np.exp(-0.5 * x)) ** (1 / 1.4)
    censoring = rng.uniform(12.0, 36.0, people)
    event = (time <= censoring).astype(float)
    end = np.minimum(time, censoring)
    asked = (rng.uniform(size=people) < 0.5) & (event > 0)
    low = np.where(asked, np.floor(end / every) * every, end)
    end = np.where(asked, np.minimum(np.floor(end / every) * every + every, censoring), end)
    person = np.repeat(np.arange(people), 2)
    return JointData(
        participant_ids=tuple(f"P{i}" for i in range(people)), time_unit="month", outcome_name="score", transform="identity", upper=None,
        visit_person=person, visit_time=np.tile([-1.0, 0.0], people), outcome=rng.normal(size=2 * people),
        entry_time=np.zeros(people), event_time=end, event=event, onset_shift=np.zeros(people), columns={"x": x}, missing={},
        terms={"x": ("x",)}, groups={}, exposure_person=np.zeros(0, np.int64), exposure_drug=np.zeros(0, np.int64),
        exposure_start=np.zeros(0), exposure_stop=np.zeros(0), exposures=(), steps=pl.DataFrame(), free_until=low,
    )  # fmt: skip


FLAT = Priors(
    log_hazard=Normal(mean=0.0, sd=1e3), log_shape=Normal(mean=0.0, sd=1e3), hazard_covariates=Normal(mean=0.0, sd=1e3),
)  # fmt: skip
ALONE = JointModel(outcome="score", association=(), survival=Weibull(covariates=("x",), at=10.0, nodes=40), priors=FLAT)


def at_mode(spec: JointModel, data: JointData) -> dict[str, tuple[float, float]]:
    """Mode and its standard error by parameter."""
    made = program(spec, data)
    mode = find_mode(made.density, made.start)
    spread = np.sqrt(np.diag(mode.scale @ mode.scale.T))
    return {label: (float(mode.at[k]), float(spread[k])) for k, label in enumerate(made.labels)}


def test_survival_alone_is_lifelines() -> None:
    data = survival_only(400, 6.0, np.random.default_rng(5))
    found = at_mode(ALONE, data)
    high = np.where(data.event > 0, data.event_time, np.inf)
    low = np.where(data.event > 0, data.free_until, data.event_time)
    frame = pd.DataFrame({"low": low, "high": high, "x": data.columns["x"]})
    theirs = WeibullAFTFitter().fit_interval_censoring(frame, "low", "high")
    shape = float(np.exp(theirs.params_["rho_", "Intercept"]))
    scale = float(theirs.params_["lambda_", "Intercept"])
    # lifelines stops its climb at a relative change of about 1e-6 in the likelihood.
    assert found["log_shape"][0] == pytest.approx(np.log(shape), abs=2e-3)
    assert found["hazard:x"][0] == pytest.approx(-shape * theirs.params_["lambda_", "x"], abs=2e-3)
    # h(t) = (shape / scale) (t / scale)^(shape - 1), held at ten months.
    assert found["log_level"][0] == pytest.approx(np.log(shape) - shape * scale + (shape - 1.0) * np.log(10.0), abs=5e-3)
    error = theirs.standard_errors_["rho_", "Intercept"]
    assert found["log_shape"][1] == pytest.approx(error, rel=0.02)


def test_truth_is_recovered_and_the_first_day_known_is_not_the_day() -> None:
    data = survival_only(1000, 9.0, np.random.default_rng(11))
    level = np.log(1.4) - 1.4 * np.log(20.0) + 0.4 * np.log(10.0)
    truth = {"log_level": level, "log_shape": np.log(1.4), "hazard:x": 0.5}
    kept = at_mode(ALONE, data)
    for label, value in truth.items():
        assert abs(kept[label][0] - value) < 3.0 * kept[label][1], label
    exact = at_mode(ALONE, replace(data, free_until=data.event_time))
    # Half of the events put off by half of nine months: fewer early ones, and so a shape that is too steep.
    assert (exact["log_shape"][0] - truth["log_shape"]) / exact["log_shape"][1] > 4.0


def test_observed_survival_is_turnbulls() -> None:
    data = survival_only(200, 6.0, np.random.default_rng(2))
    at = np.array([4.0, 9.0, 15.0, 22.0])
    found = observed_survival(data, at)
    points, share = turnbull(data)
    upper = np.array([share[points > t].sum() for t in at])
    # Where within a gap of six months the mass lies cannot be told, and a cell of a two-hundredth of follow-up smears a little.
    early = np.array([share[(points > t) & (points - 6.0 > t)].sum() for t in at])
    assert ((found > early - 0.01) & (found < upper + 0.01)).all()
    # The other hand is the Kaplan-Meier estimate where every event has a time.
    known = replace(data, free_until=data.event_time)
    np.testing.assert_array_equal(observed_survival(known, at), kaplan_meier(known.event_time, known.event, at))
    off = np.array([4.3, 9.3, 15.3, 22.3])
    hardly = replace(data, event_time=data.event_near, free_until=data.event_near - 1e-9)
    exact = kaplan_meier(hardly.event_time, hardly.event, off)
    np.testing.assert_allclose(observed_survival(hardly, off), exact, atol=0.01)
    points, share = turnbull(hardly)
    np.testing.assert_allclose([share[points > t].sum() for t in off], exact, atol=1e-6)


def turnbull(data: JointData) -> tuple[Floats, Floats]:
    """Turnbull's estimate with mass at the ends of what is known of each event: places, infinity among them, and mass."""
    happened = data.event > 0
    points = np.append(np.unique(data.event_time[happened]), np.inf)
    known = np.where(happened, data.event_time, np.inf)
    low = np.where(happened & (data.free_until == data.event_time), data.event_time - 1e-9, data.free_until)
    low = np.where(happened, low, data.event_time)
    allowed = (low[:, None] < points) & (points <= known[:, None])
    share = np.full(points.size, 1.0 / points.size)
    for _ in range(3_000):
        share = share * (allowed / (allowed @ share)[:, None]).mean(axis=0)
    return points, share


def test_knots_and_risk_sets_take_no_day_for_known() -> None:
    data = survival_only(50, 6.0, np.random.default_rng(3))
    gap = np.flatnonzero(data.interval_censored & (data.free_until > 0))[0]
    inside = 0.5 * (data.free_until[gap] + data.event_time[gap])
    assert data.event_near[gap] == inside
    assert not data.at_risk(inside)[gap]
    assert data.at_risk(data.free_until[gap] - 1e-9)[gap]
    near = replace(ALONE, survival=Weibull())
    moved = replace(data, event_time=data.event_near, free_until=data.event_near)
    np.testing.assert_array_equal(hazard_knots(near, data), hazard_knots(near, moved))


def test_accuracy_at_a_horizon_is_refused() -> None:
    from alsmodel.inference.folds import FoldFits, _outcome

    data = survival_only(30, 6.0, np.random.default_rng(4))
    model = FoldFits(spec=ALONE, data=data, fold=np.zeros(30, np.int64), fits=())
    with pytest.raises(InvalidInput, match="between two days"):
        _outcome(model, np.arange(3))


def test_evidence_row_has_such_events() -> None:
    base = read_models()
    assert merged(base["design"], {"contacts": 4.0})["contacts"] == ROWS["interval"].design["contacts"]
    _, people = simulate(ROWS["interval"], stream(SEED, "interval", 0))
    assert sum(person.free is not None for person in people) >= 5
