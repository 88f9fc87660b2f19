"""Participants who enter late: survival alone beside lifelines, beside a likelihood written for SciPy, and what goes wrong without it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from lifelines import KaplanMeierFitter, WeibullAFTFitter
from numpy.typing import NDArray
from scipy.optimize import minimize

from alsmodel.cohort.arrays import JointData
from alsmodel.inference import Fit
from alsmodel.inference.mode import find_mode
from alsmodel.inference.predict import event_check, kaplan_meier, observed_survival
from alsmodel.models.priors import Normal, Priors
from alsmodel.models.program import program
from alsmodel.models.spec import Exponential, JointModel, Weibull

SHAPE, SCALE, EFFECT, AT = 1.4, 20.0, 0.5, 10.0
FLAT = Priors(
    log_hazard=Normal(mean=0.0, sd=1e3), log_shape=Normal(mean=0.0, sd=1e3), hazard_covariates=Normal(mean=0.0, sd=1e3),
)  # fmt: skip
ALONE = JointModel(outcome="score", association=(), survival=Weibull(covariates=("x",), at=AT, nodes=40), priors=FLAT)


def entered(people: int, rng: np.random.Generator) -> JointData:
    """Weibull times of those who were alive when they entered, up to two years after time zero; scores that have nothing to do with it."""
    size = 4 * people
    x, entry, time = rng.normal(size=size), rng.uniform(0.0, 24.0, size), rng.exponential(size=size)
    time = SCALE * (time * np.exp(-EFFECT * x)) ** (1 / SHAPE)
    seen = np.flatnonzero(time > entry)[:people]
    assert seen.size == people
    x, entry, time = x[seen], entry[seen], time[seen]
    censoring = entry + rng.uniform(6.0, 24.0, people)
    person = np.repeat(np.arange(people), 2)
    nothing, nobody = np.zeros(0), np.zeros(0, np.int64)
    return JointData(
        participant_ids=tuple(f"P{i}" for i in range(people)), time_unit="month", outcome_name="score", transform="identity", upper=None,
        visit_person=person, visit_time=np.tile([-1.0, 0.0], people) + entry[person], outcome=rng.normal(size=2 * people),
        entry_time=entry, event_time=np.minimum(time, censoring), event=(time <= censoring).astype(float), onset_shift=np.zeros(people),
        columns={"x": x}, missing={}, terms={"x": ("x",)}, groups={}, exposure_person=nobody, exposure_drug=nobody, exposure_start=nothing,
        exposure_stop=nothing, exposures=(), steps=pl.DataFrame(),
    )  # fmt: skip


def at_mode(data: JointData) -> dict[str, tuple[float, float]]:
    """Mode and its standard error by parameter."""
    made = program(ALONE, data)
    mode = find_mode(made.density, made.start)
    spread = np.sqrt(np.diag(mode.scale @ mode.scale.T))
    return {label: (float(mode.at[k]), float(spread[k])) for k, label in enumerate(made.labels)}


def by_scipy(data: JointData) -> dict[str, float]:
    """Maximum likelihood by hand: log h(T) where the event was seen, less the hazard from entry to the end."""

    def loss(point: NDArray[np.float64]) -> float:
        level, log_shape, effect = point
        shape, factor = np.exp(log_shape), np.exp(level + effect * data.columns["x"])
        mass = factor * AT / shape * ((data.event_time / AT) ** shape - (data.entry_time / AT) ** shape)
        return float((mass - data.event * (np.log(factor) + (shape - 1.0) * np.log(data.event_time / AT))).sum())

    found = minimize(loss, np.array([-3.0, 0.0, 0.0]), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000})
    assert found.success
    return dict(zip(("log_level", "log_shape", "hazard:x"), found.x, strict=True))


def test_survival_from_entry_is_that_of_lifelines_and_of_scipy() -> None:
    data = entered(600, np.random.default_rng(3))
    found, hand = at_mode(data), by_scipy(data)
    for label, value in hand.items():
        assert found[label][0] == pytest.approx(value, abs=2e-4), label  # Newton steps end below a thousandth of a standard error
    frame = pd.DataFrame({"end": data.event_time, "event": data.event, "entry": data.entry_time, "x": data.columns["x"]})
    theirs = WeibullAFTFitter().fit(frame, "end", "event", entry_col="entry")
    shape, scale = float(np.exp(theirs.params_["rho_", "Intercept"])), float(theirs.params_["lambda_", "Intercept"])
    # lifelines stops its climb at a relative change of about 1e-6 in the likelihood.
    assert found["log_shape"][0] == pytest.approx(np.log(shape), abs=2e-3)
    assert found["hazard:x"][0] == pytest.approx(-shape * theirs.params_["lambda_", "x"], abs=2e-3)
    assert found["log_level"][0] == pytest.approx(np.log(shape) - shape * scale + (shape - 1.0) * np.log(AT), abs=5e-3)
    assert found["log_shape"][1] == pytest.approx(theirs.standard_errors_["rho_", "Intercept"], rel=0.02)


def test_truth_is_found_from_entry_and_missed_from_time_zero() -> None:
    data = entered(1000, np.random.default_rng(7))
    truth = {
        "log_level": np.log(SHAPE) - SHAPE * np.log(SCALE) + (SHAPE - 1.0) * np.log(AT),
        "log_shape": np.log(SHAPE),
        "hazard:x": EFFECT,
    }
    found = at_mode(data)
    for label, value in truth.items():
        assert abs(found[label][0] - value) < 3.0 * found[label][1], label
    # As if everybody had been watched from time zero: those who died before they could enter are missing, so that few die early.
    naive = at_mode(replace(data, entry_time=np.zeros(data.people)))
    assert (naive["log_shape"][0] - truth["log_shape"]) / naive["log_shape"][1] > 4.0


def test_observed_survival_counts_people_from_entry_on_as_lifelines_does() -> None:
    data = entered(400, np.random.default_rng(5))
    at = np.array([1.3, 5.0, 11.0, 17.5, 26.0])
    theirs = KaplanMeierFitter().fit(data.event_time, data.event, entry=data.entry_time).survival_function_at_times(at).to_numpy()
    # Two products of the same factors: rounding alone.
    np.testing.assert_allclose(observed_survival(data, at), theirs, rtol=1e-12)
    # Control: with everybody at risk from time zero, those who could not have been seen to die are counted as alive.
    assert (kaplan_meier(data.event_time, data.event, at)[1:] - theirs[1:] > 0.05).all()


def test_observed_survival_from_intervals_takes_who_enters_late_for_late() -> None:
    data = entered(400, np.random.default_rng(6))
    at = np.array([5.1, 11.1, 17.6, 26.1])
    exact = kaplan_meier(data.event_time, data.event, at, data.entry_time)
    hardly = replace(data, free_until=np.where(data.event > 0, np.maximum(data.event_time - 1e-9, data.entry_time), data.event_time))
    # Cells of a two-hundredth of follow-up (a quarter of a month): entry and event within one cell cannot be told apart.
    np.testing.assert_allclose(observed_survival(hardly, at), exact, atol=0.02)
    blind = observed_survival(replace(hardly, entry_time=np.zeros(data.people)), at)
    assert (blind - exact > 0.05).all()


def test_the_check_of_events_replicates_late_entry_and_looks_at_it_the_same_way() -> None:
    # The hazard is constant and known; entry is up to two years late. Replicates at the truth surround the data, and the mean over
    # replicates is the true curve, which a Kaplan-Meier estimate from time zero on misses by far.
    people, rng = 600, np.random.default_rng(7)
    data = entered(people, rng)
    time = data.entry_time + rng.exponential(20.0, people)
    censoring = data.entry_time + rng.uniform(6.0, 24.0, people)
    data = replace(data, event_time=np.minimum(time, censoring), event=(time <= censoring).astype(float), free_until=np.zeros(0))
    spec = JointModel(outcome="score", association=(), survival=Exponential())
    draws = {"log_hazard[1]": np.full((1, 100), np.log(1 / 20.0)), "sd:intercept": np.ones((1, 100)), "sd:slope": np.ones((1, 100))}
    draws |= {"sd:residual": np.ones((1, 100))}
    fitted = Fit(
        spec=spec, data=data, x=np.zeros((1, 100, 0)), draws=draws, summary=pl.DataFrame(), checks=(), provenance={"seed": 1, "knots": []},
    )  # fmt: skip
    frame = event_check(fitted).filter(pl.col("time") > 4)  # before, few have entered
    inside = (frame["kaplan_meier"] >= frame["lower"]) & (frame["kaplan_meier"] <= frame["upper"])
    assert inside.mean() > 0.9
    # Standard error of a Kaplan-Meier estimate here 0.03 and less, over the root of 100 replicates.
    np.testing.assert_allclose(frame["mean"], np.exp(-frame["time"].to_numpy() / 20.0), atol=0.01)
    assert frame["n_at_risk"][0] == int(((data.entry_time <= frame["time"][0]) & (data.event_time >= frame["time"][0])).sum())
