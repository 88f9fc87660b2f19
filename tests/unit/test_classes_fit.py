"""Fits of latent classes: against an EM algorithm, in comparisons that they must win and must not win, and in what is told of them."""

import csv
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel.cohort.arrays import JointData
from alsmodel.errors import InvalidInput
from alsmodel.inference.class_starts import class_starts
from alsmodel.inference.classes import class_table, memberships, relative_entropy
from alsmodel.inference.compare import compare
from alsmodel.inference.dynamic import futures
from alsmodel.inference.effects import participant_effects
from alsmodel.inference.fit import Fit, fit_data
from alsmodel.inference.modes import climb_all
from alsmodel.inference.population import population
from alsmodel.inference.predict import LATENT, survival_curve, trajectory
from alsmodel.inference.prior_predictive import prior_predictive
from alsmodel.inference.sampling import Sampling
from alsmodel.models.classes import LatentClasses
from alsmodel.models.program import program
from alsmodel.models.spec import Exponential, JointModel, Normal, Priors

GOLDEN = Path(__file__).parents[1] / "goldens" / "latent_classes"
ONE = JointModel(survival=Exponential(), association=())
TWO = JointModel(survival=Exponential(), association=(), classes=LatentClasses())
QUICK = Sampling(chains=2, draws=200, tune=100, cores=1)


def arrays(person: np.ndarray, time: np.ndarray, score: np.ndarray, end: np.ndarray, event: np.ndarray) -> JointData:
    """Scores and follow-up, nothing else."""
    people = end.size
    return JointData(
        participant_ids=tuple(f"L{i:04d}" for i in range(people)), time_unit="month", outcome_name="alsfrs_r_total", transform="identity",
        upper=None, visit_person=person.astype(np.int64), visit_time=time.astype(float), outcome=score.astype(float),
        entry_time=np.zeros(people), event_time=end.astype(float), event=event.astype(float), onset_shift=np.zeros(people),
        cause=np.zeros(people, np.int64), later_time=end.astype(float), later_event=np.zeros(people), columns={}, missing={}, terms={},
        groups={}, exposure_person=np.zeros(0, np.int64), exposure_drug=np.zeros(0, np.int64), exposure_start=np.zeros(0),
        exposure_stop=np.zeros(0), exposures=(), steps=pl.DataFrame(),
    )  # fmt: skip


@cache
def golden() -> tuple[JointData, dict[str, float]]:
    """Two classes drawn by the script in the folder, and what its EM algorithm found."""
    people, scores = (pl.read_csv(GOLDEN / f"{name}.csv") for name in ("people", "scores"))
    with (GOLDEN / "reference.csv").open() as file:
        found = {row["quantity"]: float(row["value"]) for row in csv.DictReader(file)}
    columns = [scores[name].to_numpy() for name in ("person", "time", "score")]
    return arrays(*columns, people["end"].to_numpy(), people["event"].to_numpy()), found


@cache
def one_class() -> JointData:
    """Participants of one population, with an exponential hazard."""
    rng = np.random.default_rng(5)
    end = np.minimum(rng.exponential(40.0, 80), rng.uniform(10.0, 18.0, 80))
    event = (end < 10.0) | (rng.uniform(size=80) < 0.1)
    lines = np.array([38.0, -1.0]) + rng.normal(size=(80, 2)) * [3.0, 0.5]
    rows = [(i, t, lines[i, 0] + lines[i, 1] * t + rng.normal(0.0, 1.5)) for i in range(80) for t in np.arange(0.0, end[i], 3.0)]
    return arrays(*np.array(rows).T, end, event)


@cache
def fitted(classes: bool) -> Fit:
    return fit_data(TWO if classes else ONE, golden()[0], QUICK, seed=1)


def at_em(labels: tuple[str, ...], found: dict[str, float]) -> np.ndarray:
    """The vector at which a program has the estimates of the EM algorithm."""
    r = found["corr:intercept,slope"]
    known = {
        "intercept": found["intercept 1"], "slope": found["slope 1"], "log_hazard[1]": found["log rate 1"],
        "partial:intercept,slope": np.log((1 + r) / (1 - r)), "class:intercept[2]": found["intercept 2"] - found["intercept 1"],
        "class:log_step[2]": np.log(found["slope 2"] - found["slope 1"]), "class:hazard[2]": found["log rate 2"] - found["log rate 1"],
        "class:odds[2]": np.log(found["share 2"] / found["share 1"]),
    }  # fmt: skip
    return np.array([known[label] if label in known else np.log(found[label]) for label in labels])


def test_likelihood_at_the_estimates_of_an_em_algorithm_is_that_of_the_em_algorithm() -> None:
    data, found = golden()
    made = program(TWO, data)
    # Estimates on file have seven decimals; the likelihood is flat to first order there.
    assert made.loglik(at_em(made.labels, found)).sum() == pytest.approx(found["loglik"], abs=1e-5)


def test_mode_under_wide_priors_is_the_maximum_likelihood_of_the_em_algorithm() -> None:
    data, found = golden()
    wide = Normal(mean=0.0, sd=30.0)
    own = dict.fromkeys(("class_intercept", "class_log_step", "class_hazard", "class_odds", "log_hazard", "slope"), wide)
    made = program(JointModel(survival=Exponential(), association=(), classes=LatentClasses(), priors=Priors(**own)), data)
    climbed = climb_all(made, class_starts(made))
    spread = np.sqrt(np.square(climbed.mode.scale).sum(axis=1))
    # What is left are the half-normal and LKJ priors and the Jacobians of SDs: well within half a standard error.
    assert np.max(np.abs(climbed.mode.at - at_em(made.labels, found)) / spread) < 0.25
    assert made.loglik(climbed.mode.at).sum() == pytest.approx(found["loglik"], abs=0.3)
    assert climbed.check.passed


def test_two_classes_are_found_where_there_are_two() -> None:
    fit = fitted(True)
    assert fit.passed
    truth = {
        "intercept": 36.0, "slope": -1.8, "class intercept[2]": 40.0, "class slope[2]": -0.5, "class share[1]": 0.4,
        "log_hazard[1]": np.log(0.06), "class:hazard[2]": np.log(0.01 / 0.06), "sd:intercept": 3.0, "sd:slope": 0.25, "sd:residual": 1.5,
    }  # fmt: skip
    away = {name: abs(fit.flat(name).mean() - value) / fit.flat(name).std() for name, value in truth.items()}
    assert max(away.values()) < 3.5  # ten quantities of one data set: 0.5% of data sets lie beyond


def test_comparison_prefers_two_classes_where_there_are_two() -> None:
    table = compare({"one": fitted(False), "two": fitted(True)}, draws=200)
    assert table["model"][0] == "two"
    assert table["difference"][1] < -4 * table["standard_error"][1]


def test_comparison_does_not_prefer_two_classes_where_there_is_one() -> None:
    # The negative control. One population is a mixture of two as well, so that two classes may do as well, not better.
    data = one_class()
    table = compare({name: fit_data(spec, data, QUICK, seed=1) for name, spec in (("one", ONE), ("two", TWO))}, draws=200)
    one, two = (table.filter(pl.col("model") == name).row(0, named=True) for name in ("one", "two"))
    gain, error = two["elpd"] - one["elpd"], max(one["standard_error"], two["standard_error"])
    assert gain < 2 * error


def test_what_is_told_of_the_classes_adds_up() -> None:
    fit = fitted(True)
    table, membership = class_table(fit, 50), memberships(fit, 50)
    np.testing.assert_allclose(membership.sum(axis=0), 1.0)
    assert table["class"].to_list() == ["class 1", "class 2"]
    assert table["share"].sum() == pytest.approx(1.0)
    assert table["assigned"].sum() == fit.data.people
    assert table["entropy"][0] == relative_entropy(membership)
    assert 0.5 < table["entropy"][0] < 1.0
    assert relative_entropy(np.array([[1.0, 0.0], [0.0, 1.0]])) == pytest.approx(1.0)
    assert relative_entropy(np.full((3, 4), 1 / 3)) == pytest.approx(0.0)


def test_curves_of_a_class_are_those_of_its_parameters_and_mix_to_that_of_all() -> None:
    fit, times = fitted(True), np.array([0.0, 6.0, 12.0])
    alive = survival_curve(fit, times, by=LATENT)
    for k in (1, 2):
        rate = np.exp(fit.flat("log_hazard[1]") + (fit.flat("class:hazard[2]") if k == 2 else 0.0))
        expected = np.exp(-rate[:, None] * times).mean(axis=0)
        # The curve takes 200 of the draws.
        np.testing.assert_allclose(alive.filter(pl.col("group") == f"class {k}")["mean"], expected, atol=0.01)
    share = fit.flat("class share[1]").mean()
    first, second = (alive.filter(pl.col("group") == f"class {k}")["mean"].to_numpy() for k in (1, 2))
    np.testing.assert_allclose(survival_curve(fit, times)["mean"], share * first + (1 - share) * second, atol=0.02)
    paths = trajectory(fit, times, by=LATENT)
    fast = paths.filter(pl.col("group") == "class 1")["mean"].to_numpy()
    # Given the class, being alive says nothing of the score: the mean of those alive is the line of the class.
    line = (fit.flat("intercept")[:, None] + fit.flat("slope")[:, None] * times).mean(axis=0)
    np.testing.assert_allclose(fast, line, atol=0.25)


def test_priors_alone_give_paths_of_classes() -> None:
    found = prior_predictive(TWO, golden()[0], draws=20, people=10)
    assert 0 <= found.impossible <= 1


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda fit: participant_effects(fit, 10), "Random effects of participants"),
        (lambda fit: futures(fit, 3.0, [6.0]), "Predictions of single participants"),
    ],
)
def test_what_needs_one_population_is_refused_in_words(ask: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        ask(fitted(True))
    assert ask(fitted(False)) is not None


def test_a_trial_is_drawn_from_every_class() -> None:
    found = population(fitted(True), 10, 1)
    assert found["class_share"].shape == (10, fitted(True).data.people, fitted(True).spec.classes.number)
    np.testing.assert_allclose(found["class_share"].sum(axis=2), 1.0)


def two_peaks(heights: tuple[float, float]) -> Any:
    """A density with two normal peaks of SD 1 at -5 and 5."""

    def density(x: np.ndarray) -> tuple[float, np.ndarray]:
        each = np.log(heights) - 0.5 * np.array([(x[0] + 5.0) ** 2, (x[0] - 5.0) ** 2])
        whole = np.logaddexp.reduce(each)
        return float(whole), np.array([np.exp(each - whole) @ [-(x[0] + 5.0), -(x[0] - 5.0)]])

    return SimpleNamespace(density=density, value=lambda x: density(x)[0])


def test_a_second_mode_of_weight_fails_the_gate_and_one_of_none_does_not() -> None:
    starts = (np.array([-4.0]), np.array([4.0]), np.array([6.0]))
    even = climb_all(two_peaks((0.4, 0.6)), starts)
    assert (even.found, even.check.passed) == (2, False)
    assert even.elsewhere == pytest.approx(0.4, abs=1e-6)
    assert even.mode.at[0] == pytest.approx(5.0, abs=1e-4)
    assert climb_all(two_peaks((0.001, 0.999)), starts).check.passed
