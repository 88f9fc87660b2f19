"""From participants with several causes of leaving to a posterior, incidence and predictions; against truth that is known."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.estimators.aalen_johansen import aalen_johansen
from alsmodel.inference import Fit, fit
from alsmodel.inference.dynamic import futures
from alsmodel.inference.incidence import cumulative_incidence, state_occupation
from alsmodel.inference.predict import kaplan_meier, survival_curve
from alsmodel.inference.tipping import tipping_point
from alsmodel.models.program import program
from alsmodel.models.spec import AfterEvent, Cause, Exponential, JointModel, Treatment
from alsmodel.reports.blocks import Figure
from alsmodel.reports.content import StudyReport
from alsmodel.reports.sections import survival as survival_section
from alsmodel.study.classical import classical_baselines
from alsmodel.study.narrative import findings

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_illness.py"))))
shared = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))

SPEC = JointModel(
    outcome="score",
    survival=Exponential(),
    treatments=(Treatment(name="active", source="arm", level="active", own_clock="none"),),
    causes=(
        Cause(name="tracheostomy", events=("tracheostomy",), survival=Exponential()),
        Cause(name="dropout", events=("dropout",), survival=Exponential()),
    ),
    after=(AfterEvent(cause="tracheostomy"),),
)
DRAWN = literal.draw(500, 1)
TIMES = np.array([6.0, 12.0, 18.0])


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit(SPEC, literal.cohort(DRAWN), seed=3)


def known(spec: JointModel, cohort: object, truth: dict[str, float], size: int = 40) -> Fit:
    """A posterior that is the truth."""
    data = joint_data(cohort, spec.selection)
    made = program(spec, data)
    values = truth | {"partial:intercept,slope": (1 + truth["corr:intercept,slope"]) / 2}
    x = np.tile(shared.unconstrained(made, values), (1, size, 1))
    draws = {name: np.full((1, size), value) for name, value in truth.items()}
    facts = {"seed": 1, "knots": made.knots.tolist()}
    return Fit(spec=spec, data=data, x=x, draws=draws, summary=pl.DataFrame(), checks=(), provenance=facts)


def test_truth_is_recovered(fitted: Fit) -> None:
    assert fitted.passed, [check for check in fitted.checks if not check.passed]
    for name, value in literal.TRUTH.items():
        draws = fitted.flat(name)
        assert abs(draws.mean() - value) < 4 * draws.std(), name


def test_scores_after_tracheostomy_are_left_out_and_counted_and_the_later_death_is_kept(fitted: Fit) -> None:
    data = fitted.data
    assert data.outcome.max() < 100
    clean = joint_data(literal.cohort(DRAWN, after=False), SPEC.selection)
    np.testing.assert_array_equal(clean.outcome, data.outcome)
    steps = {row["step"]: row["reason"] for row in data.steps.iter_rows(named=True)}
    assert "scores dated after the event left out" in steps["scores up to the event"]
    had, died = int((DRAWN["cause"] == 1).sum()), int(DRAWN["died_later"].sum())
    assert steps["after tracheostomy"].startswith(f"{had} had tracheostomy first; ")
    assert data.later_event.sum() == died > 20
    np.testing.assert_allclose(data.later_time, DRAWN["later"], atol=1e-9)


def test_a_saved_fit_reads_back_equal(fitted: Fit, tmp_path: Path) -> None:
    fitted.save(tmp_path / "fit")
    again = Fit.load(tmp_path / "fit")
    assert again.spec == fitted.spec
    for name in ("cause", "later_time", "later_event", "event", "event_time"):
        np.testing.assert_array_equal(getattr(again.data, name), getattr(fitted.data, name))
    for name in fitted.draws:
        np.testing.assert_array_equal(again.draws[name], fitted.draws[name])
    point = fitted.x[0, 0]
    assert again.program.density(point)[0] == fitted.program.density(point)[0]
    np.testing.assert_array_equal(again.program.knots, fitted.program.knots)


def test_parameters_of_causes_are_told_apart_in_words_and_units(fitted: Fit) -> None:
    rows = {row["parameter"]: row for row in fitted.summary.iter_rows(named=True)}
    assert rows["hazard:active@dropout"]["label"] == "active: direct log hazard ratio, dropout"
    assert rows["log_hazard[1]@after tracheostomy"]["label"].endswith(", after tracheostomy")
    assert rows["association:value@tracheostomy"]["unit"] == rows["association:value"]["unit"] == "log hazard per outcome units"


def test_incidence_is_that_of_many_simulated_participants() -> None:
    truth = known(SPEC, literal.cohort(DRAWN), literal.TRUTH)
    many = literal.draw(300_000, 9, censored=(60.0, 60.1))
    found = cumulative_incidence(truth, TIMES)
    for k, cause in enumerate(("death", "tracheostomy", "dropout")):
        rows = found.filter(pl.col("cause") == cause)
        expected = [((many["cause"] == k) & (many["end"] <= t)).mean() for t in TIMES]
        # 40 draws of 400 random effects, and 300,000 participants: standard error below 0.003; the cells of the grid add less.
        np.testing.assert_allclose(rows["mean"], expected, atol=0.01)
        inside = (rows["observed_lower"].to_numpy() - 0.02 < expected) & (expected < rows["observed_upper"].to_numpy() + 0.02)
        assert inside.all()
    states = state_occupation(truth, TIMES, by="arm")
    total = states.group_by("group", "time").agg(pl.col("mean").sum(), pl.col("observed").sum())
    np.testing.assert_allclose(total["mean"], 1.0, atol=1e-12)
    np.testing.assert_allclose(total["observed"], 1.0, atol=1e-12)
    for arm in ("active", "placebo"):
        mine = many["active"] == (arm == "active")
        dead = [(many["died_later"] & (many["later"] <= t))[mine].mean() for t in TIMES]
        alive = [((many["cause"] == 1) & (many["end"] <= t))[mine].mean() - d for t, d in zip(TIMES, dead)]
        rows = states.filter(pl.col("group") == arm)
        np.testing.assert_allclose(rows.filter(pl.col("state") == "death after tracheostomy")["mean"], dead, atol=0.01)
        np.testing.assert_allclose(rows.filter(pl.col("state") == "tracheostomy, no death since")["mean"], alive, atol=0.01)


def test_one_minus_kaplan_meier_of_a_single_cause_overstates_its_incidence() -> None:
    # The negative control: dropout and death taken for independent censoring of tracheostomy.
    truth = known(SPEC, literal.cohort(DRAWN), literal.TRUTH)
    rows = cumulative_incidence(truth, TIMES).filter(pl.col("cause") == "tracheostomy")
    naive = 1 - kaplan_meier(DRAWN["end"], (DRAWN["cause"] == 1).astype(float), TIMES)
    assert (naive[1:] > rows["mean"].to_numpy()[1:] + 0.03).all()
    assert naive[-1] > rows["observed_upper"][-1]


def exponential_truth() -> tuple[JointModel, dict[str, float]]:
    causes = tuple(replace(cause, association=()) for cause in SPEC.causes)
    spec = replace(SPEC, association=(), causes=causes, treatments=())
    rates = {"": 0.03, "@tracheostomy": 0.05, "@dropout": 0.02, "@after tracheostomy": 0.15}
    kept = {name: value for name, value in literal.TRUTH.items() if name.startswith(("intercept", "slope", "sd:", "corr:"))}
    return spec, kept | {f"log_hazard[1]{suffix}": float(np.log(rate)) for suffix, rate in rates.items()}


def test_exponential_causes_have_their_closed_form() -> None:
    spec, truth = exponential_truth()
    fitted = known(spec, literal.cohort(DRAWN), truth, 5)
    found = state_occupation(fitted, TIMES)
    mean = {name: found.filter(pl.col("state") == name)["mean"].to_numpy() for name in found["state"].unique()}
    healthy, c = np.exp(-0.1 * TIMES), 0.15
    ill = 0.05 / (c - 0.1) * (healthy - np.exp(-c * TIMES))
    # Events are taken to fall amid cells of a fifth of a month: an error of the second order in their width.
    np.testing.assert_allclose(mean["none of these"], healthy, atol=1e-5)
    np.testing.assert_allclose(mean["death"], 0.3 * (1 - healthy), atol=1e-5)
    np.testing.assert_allclose(mean["dropout"], 0.2 * (1 - healthy), atol=1e-5)
    np.testing.assert_allclose(mean["tracheostomy, no death since"], ill, atol=1e-4)
    np.testing.assert_allclose(mean["death after tracheostomy"], 0.5 * (1 - healthy) - ill, atol=1e-4)
    study = known(replace(spec, after=(AfterEvent(cause="tracheostomy", clock="study"),)), literal.cohort(DRAWN), truth, 5)
    again = state_occupation(study, TIMES).filter(pl.col("state") == "tracheostomy, no death since")["mean"]
    np.testing.assert_allclose(again, ill, atol=1e-4)  # a constant hazard does not know its clock


def test_prediction_is_of_being_free_of_every_cause() -> None:
    spec, truth = exponential_truth()
    fitted = known(spec, literal.cohort(DRAWN), truth, 5)
    ahead = futures(fitted, 3.0, [6.0, 12.0], draws=5)
    np.testing.assert_allclose(ahead.survival, np.broadcast_to(np.exp(-0.1 * np.array([3.0, 9.0])), ahead.survival.shape), rtol=1e-10)
    assert set(ahead.people) == set(np.flatnonzero(fitted.data.event_time > 3.0))
    np.testing.assert_allclose(survival_curve(fitted, TIMES)["mean"], np.exp(-0.1 * TIMES), rtol=1e-5)


def test_the_study_report_tells_the_causes_apart(fitted: Fit) -> None:
    report = SimpleNamespace(by=None, parameter=None, meaningful=None, success=None)
    study = SimpleNamespace(model=SPEC, baselines=SimpleNamespace(by=()), report=report)
    classical = classical_baselines(study, fitted)
    assert classical.events == (DRAWN["cause"] == 0).sum()
    assert "Events are those of death" in classical.notes[0]
    everybody = classical.kaplan_meier.filter(pl.col("time") <= 12.0)["survival"][-1]
    assert everybody == pytest.approx(kaplan_meier(DRAWN["end"], (DRAWN["cause"] >= 0).astype(float), np.array([12.0]))[0], abs=1e-9)
    told = " ".join(findings(study, fitted, None))
    for cause in ("death", "tracheostomy", "dropout"):
        assert f"the hazard of {cause} is multiplied by" in told
    few = replace(fitted, draws={name: value[:, :10] for name, value in fitted.draws.items()})
    at = np.linspace(0.0, 18.0, 7)
    content = StudyReport(title="t", question="", incidence=few.cumulative_incidence(at), states=few.state_occupation(at))
    blocks = survival_section(content).blocks
    (figure,) = [block for block in blocks if isinstance(block, Figure)]
    assert figure.svg.count("Aalen-Johansen") >= 1
    assert any("death after tracheostomy" in row for block in blocks for row in getattr(block, "rows", []))


def test_tipping_point_starts_from_those_who_dropped_out(fitted: Fit) -> None:
    found = tipping_point(fitted, "active", 12.0, [0.1, 0.5], left="dropout")
    gone = (DRAWN["cause"] == 2) & (DRAWN["end"] < 12.0)
    assert found.left == (int((gone & DRAWN["active"]).sum()), int((gone & ~DRAWN["active"]).sum()))
    said = tipping_point(fitted, "active", 12.0, [0.1], left=DRAWN["cause"] >= 0)  # but for the dead
    assert sum(said.left) == int(((DRAWN["cause"] > 0) & (DRAWN["end"] < 12.0)).sum())
    with pytest.raises(InvalidInput, match="no further cause"):
        tipping_point(fitted, "active", 12.0, [0.1], left="death")
    # To take the dropouts for events, and so for nobody who left, would find that nothing tips.
    with pytest.raises(InvalidInput, match=r"several causes of leaving \(tracheostomy, dropout\)"):
        tipping_point(fitted, "active", 12.0, [0.1])


def test_a_trial_is_drawn_from_every_hazard(fitted: Fit) -> None:
    found = fitted.population(3, 1)
    people = fitted.data.people
    assert found["log_hazard@after tracheostomy"].shape == found["log_hazard@dropout"].shape == (3, people)
    draws = np.unique(fitted.draws["log_hazard[1]@tracheostomy"])
    assert np.isclose(found["log_baseline_hazard@tracheostomy"][:, :1], draws).any(axis=1).all()


def test_the_observed_estimate_is_that_of_the_same_people(fitted: Fit) -> None:
    few = replace(fitted, draws={name: value[:, :20] for name, value in fitted.draws.items()})
    rows = cumulative_incidence(few, TIMES).filter(pl.col("cause") == "death")
    target = DRAWN["cause"] + np.where(DRAWN["cause"] >= 0, 1, 0)
    own = aalen_johansen(np.zeros(500), DRAWN["end"], np.zeros(500, int), target, TIMES, 4)
    np.testing.assert_allclose(rows["observed"], own.probability[:, 1], atol=1e-9)
    late = cumulative_incidence(few, [30.0])
    assert late["observed"].null_count() == 3  # nobody is followed for so long
