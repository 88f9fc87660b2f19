"""Sigmoid decline: the integral over D50 and dx, the curve against least squares, what is drawn and predicted, and what is refused."""

import runpy
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel.clinical.d50 import fit_d50, score_at
from alsmodel.clinical.units import DAYS_PER_MONTH
from alsmodel.cohort.arrays import JointData, joint_data
from alsmodel.inference.dynamic import futures
from alsmodel.inference.effects import participant_effects, path_at
from alsmodel.inference.fit import Fit, fit_data
from alsmodel.inference.predict import prior_check, score_check, trajectory
from alsmodel.inference.prior_predictive import prior_predictive
from alsmodel.inference.refine import prepare
from alsmodel.inference.sampling import Sampling
from alsmodel.kernels.sigmoid import mode_of
from alsmodel.kernels.sigmoid_effects import draw_sigmoid_effects
from alsmodel.models.decline import Linear, Sigmoid
from alsmodel.models.joint import build
from alsmodel.models.priors import HalfNormal, Normal, Priors
from alsmodel.models.program import Program, program
from alsmodel.models.spec import Cause, JointModel, Treatment
from alsmodel.models.survival import Exponential, Weibull
from alsmodel.settings import decode, encode
from tests.calibration import literal_sigmoid
from tests.unit.declared import declared

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
TRUTH = {
    "log_d50": 3.4, "log_dx": 2.1, "sd:log_d50": 0.4, "sd:log_dx": 0.3, "corr:log_d50,log_dx": 0.5, "sd:residual": 1.5,
    "association:value": -0.1, "log_hazard[1]": -1.2,
}  # fmt: skip
SPEC = JointModel(outcome="score", decline=Sigmoid(), survival=Exponential())
MODEL = {"decline": {"kind": "sigmoid"}, "survival": {"kind": "exponential"}, "association": ["value"], "priors": {}, "treatments": []}
DESIGN = {
    "participants": 90, "longest": 18.0, "shortest": 12.0, "every": 3.0, "screening": 0.0, "drug": "none", "onset": [6.0, 24.0],
}  # fmt: skip


@cache
def people() -> tuple[Any, ...]:
    """Participants drawn by the literal hand."""
    return tuple(literal_sigmoid.draw_people(MODEL, DESIGN, TRUTH, np.random.default_rng(4)))


@cache
def drawn() -> JointData:
    """The same as arrays, through a cohort."""
    persons = tuple(
        literal.Person(
            name=f"{i:03d}", visits=tuple(zip(p.visits.tolist(), p.scores.tolist(), strict=True)), end=p.end, died=p.event, onset=p.onset
        )
        for i, p in enumerate(people())
    )
    return joint_data(literal.cohort(persons), SPEC.selection)


@cache
def fitted() -> Fit:
    return fit_data(SPEC, drawn(), Sampling(cores=1), seed=1, method="psis")


def small(count: int, spec: JointModel = SPEC) -> Program:
    return program(spec, drawn().of_people(np.arange(count)))


def at_truth(made: Program) -> np.ndarray:
    values = TRUTH | {"partial:log_d50,log_dx": TRUTH["corr:log_d50,log_dx"]}
    x = np.array([values[label] for label in made.labels])
    for k, label in enumerate(made.labels):
        if label.startswith("sd:"):
            x[k] = np.log(x[k])
        elif label.startswith("partial:"):
            x[k] = np.log((1 + x[k]) / (1 - x[k]))
    return x


# The integral --------------------------------------------------------------------------------------------------------


def test_effects_are_integrated_wherever_their_mass_lies() -> None:
    # Two who hardly left the ceiling, seen at two visits, under a wide prior: a plateau that ends at a cliff. And one well followed.
    persons = (
        literal.Person(name="a", visits=((0, 48.1), (3, 47.8)), end=4.0, died=False, onset=6),
        literal.Person(name="b", visits=((0, 47.0), (3, 47.6), (6, 47.9)), end=7.0, died=True, onset=20),
        literal.Person(name="c", visits=((0, 40), (3, 36), (6, 31), (9, 27), (12, 20)), end=13.0, died=True, onset=18),
    )  # fmt: skip
    data = joint_data(literal.cohort(persons), SPEC.selection)
    made = program(SPEC, data).with_hermite(9)
    truth = TRUTH | {"sd:log_d50": 0.8, "sd:log_dx": 0.9, "sd:residual": 0.6}
    x = at_truth(made)
    for name in ("sd:log_d50", "sd:log_dx", "sd:residual"):
        x[made.labels.index(name)] = np.log(truth[name])
    expected = []
    for person in persons:
        one = literal_sigmoid.Patient(covariates={}, onset=person.onset, end=person.end, event=person.died)
        one.visits, one.scores = (np.array(column, float) for column in zip(*person.visits, strict=True))
        expected.append(literal_sigmoid.loglik(MODEL, truth, one))
    # The literal sum takes the cumulative hazard over cells of 0.01 month; the kernel's panels are good to a few thousandths.
    np.testing.assert_allclose(made.loglik(x), expected, rtol=0, atol=5e-3)


def test_gradient_is_the_differenced_density_for_drug_hazards_and_both_associations() -> None:
    drug = Treatment(name="drug", source="arm", level="active", own_clock="scaled")
    spec = replace(SPEC, survival=Weibull(at=6.0), association=("value", "slope"), treatments=(drug,), hermite=9)
    data = joint_data(literal.cohort(), spec.selection)
    made = program(spec, data)
    x = made.start + np.random.default_rng(2).normal(0.0, 0.1, made.size)
    step = 1e-4 * np.eye(made.size)
    differenced = [(made.value(x + h) - made.value(x - h)) / 2e-4 for h in step]
    # The gradient is that of the integral, the difference that of the rule.
    np.testing.assert_allclose(made.density(x)[1], differenced, rtol=2e-3, atol=5e-3)
    assert made.value(x) == pytest.approx(made.density(x)[0], rel=1e-13)


def test_pymc_declares_the_density_that_is_sampled() -> None:
    drug = Treatment(name="drug", source="arm", level="active", own_clock="scaled")
    spec = replace(SPEC, decline=Sigmoid(covariates=("arm",)), association=("value", "slope"), treatments=())
    clock = replace(SPEC, survival=Weibull(at=6.0), treatments=(drug,))
    for one in (spec, clock):
        data = joint_data(literal.cohort(), one.selection)
        made, model = program(one, data), build(one, data)
        x = made.start + 0.05
        value, gradient = declared(model, [model.logp(), model.dlogp()])(x)
        found, slope = made.density(x)
        # The same formula in two places: only rounding separates them.
        assert found == pytest.approx(float(value), rel=1e-10)
        np.testing.assert_allclose(slope, gradient, rtol=1e-7, atol=1e-7)


def test_many_visits_give_the_least_squares_curve() -> None:
    months = np.arange(2.0, 62.0, 1.5)
    scores = score_at(months, 28.0, 6.5) + np.random.default_rng(3).normal(0.0, 1.0, months.size)
    rows = pl.DataFrame({"participant_id": "a", "day": months * DAYS_PER_MONTH, "total_48": scores})
    least = fit_d50(rows, pl.DataFrame({"participant_id": ["a"], "onset_day": [0.0]}))
    points = months.size + 1
    work = (*(np.zeros(points) for _ in range(4)), np.empty(points))
    target = (
        months.size, points, 48.0, np.log(30.0), np.log(8.0), 0.0, 0.0, 1.0, False, 1e-12 * np.eye(2), np.append(months, 0.0),
        np.ones(points), np.full(points, -50.0), scores, (*work, work[-1].view(np.int64)),
    )  # fmt: skip
    mode, scale = np.empty(2), np.empty((2, 2))
    assert mode_of(target, mode, scale)
    # Two searches for the same minimum, either to a gradient of 1e-6 of its scale.
    assert 30.0 * np.exp(mode[0]) == pytest.approx(least["d50"].item(), rel=1e-4)
    assert 8.0 * np.exp(mode[1]) == pytest.approx(least["dx"].item(), rel=1e-4)


def test_effects_drawn_have_the_moments_of_the_integral() -> None:
    made = small(6)
    value = made.constrained(at_truth(made)[None])[0]
    path, shared = path_at(made, value, made.segments, made.cuts)
    rng, draws = np.random.default_rng(1), np.empty((3000, 6, 2))
    for out in draws:
        draw_sigmoid_effects(path, shared, made.cuts, made.weibull, rng, out)
    prior = literal_sigmoid.covariance(MODEL, TRUTH)
    for i in range(6):
        course, person = literal_sigmoid.Course(MODEL, TRUTH, people()[i]), people()[i]
        edges = np.linspace(0.0, person.end, 200)
        centre, spread = draws[:, i].mean(axis=0), draws[:, i].std(axis=0)
        axes = [np.linspace(m - 6 * s, m + 6 * s, 41) for m, s in zip(centre, spread, strict=True)]
        grid = np.array([[a, b] for a in axes[0] for b in axes[1]])
        weight = np.array([literal_sigmoid._log_joint(course, prior, TRUTH["sd:residual"], person, edges, point) for point in grid])
        weight = np.exp(weight - weight.max())
        mean = weight @ grid / weight.sum()
        sd = np.sqrt(weight @ np.square(grid - mean) / weight.sum())
        # 3,000 draws: a mean is off by at most 4.5 / sqrt(3000) SDs, an SD by about as much.
        assert np.abs((centre - mean) / sd).max() < 4.5 / np.sqrt(3000)
        np.testing.assert_allclose(spread, sd, rtol=0.1)


# A fit ---------------------------------------------------------------------------------------------------------------


def test_a_sigmoid_truth_is_found_again() -> None:
    found = {row["parameter"]: row for row in fitted().summary.iter_rows(named=True)}
    for name, true in TRUTH.items():
        # Eight parameters, one data set: beyond four and a half posterior SDs is no chance.
        assert abs(found[name]["mean"] - true) < 4.5 * found[name]["sd"], name
    assert found["d50"]["unit"] == found["dx"]["unit"] == "months"
    assert found["d50"]["mean"] == pytest.approx(np.exp(found["log_d50"]["mean"]), rel=0.01)


def test_the_rule_is_fine_enough_over_the_posterior() -> None:
    made = fitted().program
    fine = made.with_hermite(2 * fitted().spec.hermite)
    points = fitted().x[0, :: max(fitted().x.shape[1] // 8, 1)][:8]
    gap = [fine.loglik(x).sum() - made.loglik(x).sum() for x in points]
    assert np.std(gap) < 0.02


def test_lines_fitted_to_sigmoid_paths_and_parameters_swapped_are_told_from_them() -> None:
    made = fitted()
    lines = prepare(replace(made.spec, decline=Linear(), hermite=3), made.data)
    k = lines.program.labels.index("sd:residual")
    sd = np.sqrt((lines.mode.scale @ lines.mode.scale.T)[k, k])
    # What a line misses over a year or so goes into the residuals; those of the sigmoid were found above.
    assert (lines.mode.at[k] - np.log(TRUTH["sd:residual"])) / sd > 3
    x = made.x[0].mean(axis=0)
    assert made.program.loglik(x).sum() > lines.program.loglik(lines.mode.at).sum() + 20
    swapped = x.copy()
    a, b = (made.program.labels.index(name) for name in ("log_d50", "log_dx"))
    swapped[a], swapped[b] = x[b], x[a]
    assert made.program.loglik(x).sum() > made.program.loglik(swapped).sum() + 100


def test_what_follows_a_fit_reads_the_curve(tmp_path: Path) -> None:
    made = fitted()
    made.save(tmp_path / "fit")
    again = Fit.load(tmp_path / "fit")
    assert again.spec == made.spec
    np.testing.assert_array_equal(again.loglik(most=2), made.loglik(most=2))
    assert participant_effects(made, 5)[1].shape == (5, made.data.people, 2)
    ahead = futures(made, 9.0, (15.0,), draws=100, cores=1)
    low, high = np.quantile(ahead.value[:, :, 0], [0.025, 0.975], axis=0)
    true = np.array([
        literal_sigmoid.Course(MODEL, TRUTH, people()[i]).value(np.array([15.0]), people()[i].effects)[0] for i in ahead.people
    ])  # fmt: skip
    assert 0.88 < float(((low < true) & (true < high)).mean()) <= 1.0
    path = trajectory(made, [0.0, 6.0, 12.0])["mean"].to_numpy()
    assert (np.diff(path) < 0).all()
    assert ((path > 0) & (path < 48)).all()
    check = score_check(made)
    assert ((check["lower"] < check["observed_mean"]) & (check["observed_mean"] < check["upper"])).mean() > 0.7
    assert "median D50" in prior_check(made.spec, made.data)["quantity"].to_list()
    assert made.population(5, seed=1)["since_onset"].shape == (made.data.people,)


# The grammar ---------------------------------------------------------------------------------------------------------


def test_a_sigmoid_reads_and_prints_as_a_sentence_and_survives_the_way_through_settings() -> None:
    spec = JointModel(decline=Sigmoid(covariates=["age"], steepness=["onset_site"], residual_by="arm"))
    assert decode(JointModel, encode(spec)) == spec
    assert decode(JointModel, {"decline": {"kind": "sigmoid"}}) == JointModel(decline=Sigmoid())
    text = str(spec)
    assert "falls along a sigmoid from 48 to 0 over the time since symptom onset" in text
    assert "D50 differs by age and dx differs by onset site." in text
    assert "m(t) = 48 / (1 + exp{(u - D50) / dx})" in text
    assert "log D50 = β0 + x'β + b0,   log dx = γ0 + w'γ + b1" in text
    assert spec.effects == ("log_d50", "log_dx")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"transform": "log"}, "own scale"),
        ({"outcome": "alsfrs_total"}, "full score of alsfrs_total is 40"),
        ({"population": "incident"}, "incident"),
        ({"causes": (Cause(name="left", events=("dropout",)),)}, "several causes"),
        ({"hierarchy": ("site",)}, "hierarchy"),
        ({"treatments": (Treatment(name="x", score="additive"),)}, "no slope to add"),
        ({"treatments": (Treatment(name="x", source="arm", level="active"),)}, "scaled"),
        ({"treatments": (Treatment(name="x", own_clock="scaled"),)}, "randomised arm"),
        ({"decline": Sigmoid(covariates=("delta_frs",))}, "may not enter log D50"),
        ({"decline": Sigmoid(steepness=("delta_frs",))}, "may not enter log dx"),
    ],
)
def test_what_a_sigmoid_does_not_go_with_is_refused_with_a_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        JointModel(**{"decline": Sigmoid(), **changes})


def test_a_full_score_is_above_zero() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Sigmoid(top=0.0)


def test_participants_without_an_onset_are_left_out_and_counted() -> None:
    made = literal.cohort()
    onset = made.participants["onset_day"].to_list()
    onset[0], onset[1] = None, 200.0
    made = replace(made, participants=made.participants.with_columns(onset_day=pl.Series(onset, dtype=pl.Float64)))
    data = joint_data(made, SPEC.selection)
    assert data.people == len(literal.PEOPLE) - 2
    reasons = " ".join(reason for reason in data.steps["reason"].to_list() if reason)
    assert "1 without a day of symptom onset left out" in reasons
    assert "1 with an onset after entry or the first score left out" in reasons
    np.testing.assert_allclose(data.since_onset, [p.onset for p in literal.PEOPLE[2:]], rtol=1e-12)


def test_priors_name_their_sources_and_expect_scores_on_the_scale() -> None:
    made = literal.cohort()
    cohort = replace(made, measurements=made.measurements.with_columns(name=pl.lit("alsfrs_r_total")))
    spec = replace(SPEC, outcome="alsfrs_r_total")
    blocks = {block.name: block for block in program(spec, joint_data(cohort, spec.selection)).blocks}
    assert blocks["log_d50"].a[0] == pytest.approx(np.log(31.0), abs=0.006)
    assert blocks["log_dx"].a[0] == pytest.approx(np.log(9.2), abs=0.006)
    assert "HEALEY" in blocks["log_d50"].reason
    assert "Dreger" in blocks["sd:log_d50"].reason
    weeks = replace(spec, time_unit="week")
    per = {block.name: block for block in program(weeks, joint_data(cohort, weeks.selection)).blocks}
    assert per["log_d50"].a[0] == pytest.approx(np.log(31.0 * DAYS_PER_MONTH / 7), abs=0.006)
    tight = replace(spec, priors=Priors(log_d50=Normal(mean=3.3, sd=0.1), sd_log_d50=HalfNormal(scale=0.2)))
    found = prior_predictive(tight, cohort, draws=50)
    assert found.below == found.above == found.rising == 0.0
    assert score_at(21.9, 31.0, 9.2) == pytest.approx(35.1, abs=0.3)
