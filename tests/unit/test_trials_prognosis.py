"""Eligibility by a fit's own prediction of survival: brute force, inference/dynamic, calibration, and what may decide it."""

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
from alsmodel.inference import Fit
from alsmodel.inference.dynamic import futures
from alsmodel.inference.screening import taken_at_entry
from alsmodel.inference.summary import named_draws
from alsmodel.models.decline import Quadratic
from alsmodel.models.program import program
from alsmodel.settings import decode, encode
from alsmodel.study.loading import _of_a_prediction
from alsmodel.study.steps import built_trial
from alsmodel.trials import (
    BaselineCovariate,
    Effect,
    NamedTruth,
    ParallelDesign,
    Phenotype,
    Population,
    PosteriorTruth,
    Predictor,
    Prognosis,
    ResampledSettings,
    Trial,
    TrialSettings,
    build,
    resampled_truth,
)
from alsmodel.trials.block import Task, run_task, trial_keys
from alsmodel.trials.prognosis import with_predictions
from alsmodel.trials.run import check_eligibility
from alsmodel.trials.world import enrol, observe

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
MONTHS = 12.0
NONE = Effect(name="null")


@cache
def fit_of(name: str, draws: int = 3000) -> Fit:
    """A posterior that is one point, repeated."""
    spec = literal.SPECS[name]
    people = tuple(replace(p, age=55.0 + 3 * k) for k, p in enumerate(literal.PEOPLE))
    data = joint_data(literal.cohort(people), spec.selection)
    made = program(spec, data)
    x = np.repeat(literal.unconstrained(made)[None, None], draws, axis=1)
    named = named_draws(spec, data, made, x)
    return Fit(spec=spec, data=data, x=x, draws=named, summary=pl.DataFrame(), checks=(), provenance={"knots": made.knots.tolist()})


#: Known at screening: one score or two, or more; on a drug for long, or not.
CANDIDATES = tuple(
    literal.Person(name=name, visits=visits, end=20.0, died=True, arm=arm, age=age, drugs={"x": drug})
    for name, visits, arm, age, drug in (
        ("a", ((-1, 41),), "placebo", 60.0, ()),
        ("b", ((-4, 36), (-1, 30)), "active", 71.0, ((-100.0, np.inf),)),
        ("c", ((-1, 22),), "placebo", 45.0, ((-100.0, np.inf),)),
        ("d", ((-4, 44), (-1, 43.5)), "active", 66.0, ()),
    )
)
MODELS = (
    "piecewise, value and slope", "weibull, value and slope", "m-spline, value and slope", "royston-parmar", "no association",
    "clock, own clock free", "clock, own clock scaled", "additive", "DRR", "covariates everywhere, imputed",
)  # fmt: skip


def known_of(fit: Fit, people: tuple[Any, ...]) -> tuple[Any, np.ndarray]:
    """People as a fit sees them, and their predicted survival at screening."""
    data = joint_data(literal.cohort(people), fit.spec.selection)
    times = np.array([-4.0, -1.0])
    scores = np.full((2, len(people)), np.nan)
    scores[np.searchsorted(times, data.visit_time.round(6)), data.visit_person] = data.outcome
    predictor = Predictor.of(fit, Prognosis(months=MONTHS, draws=1))
    return data, predictor.predict(data.columns, taken_at_entry(replace(fit, data=data)), times, scores)


@pytest.mark.parametrize("name", MODELS)
def test_prediction_is_that_of_brute_force(name: str) -> None:
    fit = fit_of(name)
    predicted = known_of(fit, CANDIDATES)[1]
    for person, found in zip(CANDIDATES, predicted, strict=True):
        age = (person.age - literal.AGE.centre) / literal.AGE.scale
        cut = literal.Literal(spec=fit.spec, person=replace(person, end=1e-9, died=False), v=literal.VALUES, age=age)
        sd = np.sqrt(np.diag(cut.covariance()))
        b = np.stack([g.ravel() for g in np.meshgrid(*(np.linspace(-5, 5, 201) * one for one in sd), indexing="ij")], axis=1)
        log_weight = cut.log_integrand(b)
        weight = np.exp(log_weight - log_weight.max())
        alive = float((np.exp(-cut.cumulative(0.0, MONTHS, b)) * weight).sum() / weight.sum())
        # 9 nodes for each random effect: the error is that of the quadrature, below a tenth of a percentage point.
        assert found == pytest.approx(alive, abs=1e-3), (name, person.name)


@pytest.mark.parametrize("name", ["piecewise, value and slope", "clock, own clock free"])
def test_prediction_is_that_of_inference_dynamic(name: str) -> None:
    fit = fit_of(name)
    data, predicted = known_of(fit, CANDIDATES)
    drawn = futures(fit, 0.0, [MONTHS], data=data, draws=3000).survival[:, :, 0]
    # One draw of the effects for each of 3,000: five standard errors of their mean.
    assert (np.abs(predicted - drawn.mean(axis=0)) < 5 * drawn.std(axis=0) / np.sqrt(3000) + 1e-3).all()
    assert np.ptp(predicted) > 0.2


# A truth without a history of its own: the screening visit is the baseline visit, with the residual SD of the fit.
TRUTH = NamedTruth(
    intercept_mean=36, intercept_sd=6, slope_mean=-1, slope_sd=0.6, slope_skew=0, correlation=0.2, residual_sd=1.8,
    hazard=(0.02,), association_value=-0.1,
)  # fmt: skip
DESIGN = ParallelDesign(visits=(0.0, 6.0, 12.0), duration=MONTHS, dropout_per_month=0.0)
PROGNOSIS = Prognosis(months=MONTHS, draws=3)


@cache
def true_fit() -> Fit:
    """The posterior of somebody who knows the truth."""
    from alsmodel.models.spec import JointModel, PiecewiseExponential

    spec = JointModel(outcome="score", survival=PiecewiseExponential(knots=0))
    values = {
        "intercept": 36.0, "slope": -1.0, "sd:intercept": 6.0, "sd:slope": 0.6, "corr:intercept,slope": 0.2, "sd:residual": 1.8,
        "association:value": -0.1, "log_hazard[1]": np.log(0.02) + 0.1 * 36,
    }  # fmt: skip
    data = joint_data(literal.cohort(), spec.selection)
    draws = {name: np.full((1, 5), value) for name, value in values.items()}
    return Fit(
        spec=spec, data=data, x=np.zeros((1, 5, 0)), draws=draws, summary=pl.DataFrame(), checks=(), provenance={"seed": 1, "knots": []}
    )


def trial_of(rule: str | None, **changes: Any) -> Trial:
    population = Population(
        eligibility=() if rule is None else (rule,), prognosis=PROGNOSIS, screening_months=0.0, screening_sd=1.8, history_sd=0.3
    )
    settings: dict[str, Any] = {"prediction": Predictor.of(true_fit(), PROGNOSIS), "design": DESIGN, "n_per_arm": (50,)} | changes
    return Trial(truth=TRUTH, population=population, **settings)


def followed(trial: Trial, trials: int = 60, n: int = 100) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted survival of those enrolled, whether they lived, and how many were screened."""
    keys = trial_keys(trial, 0, trials)
    enrolled = enrol(trial, keys, n)
    seen = observe(DESIGN, trial.population, enrolled, NONE, np.zeros(enrolled.person.shape, dtype=np.int64), keys)
    column = enrolled.columns["predicted_survival"]
    assert isinstance(column, np.ndarray)
    return column, seen.event == 0, enrolled.screened


def test_the_eligible_live_as_long_as_predicted() -> None:
    found = {}
    for rule in ("predicted_survival >= 0", "predicted_survival >= 0.75", "predicted_survival < 0.75"):
        predicted, alive, screened = followed(trial_of(rule))
        # 6,000 people: four standard errors of a share; rounding of the screening score adds an SD of 0.3 to one of 1.8.
        assert alive.mean() == pytest.approx(predicted.mean(), abs=4 * 0.5 / np.sqrt(alive.size) + 0.003), rule
        found[rule] = alive.mean(), 100 / screened[:, -1].mean()
        for low, high in ((0.3, 0.6), (0.6, 0.75), (0.75, 0.85), (0.85, 1.0)):
            own = (predicted >= low) & (predicted < high)
            if own.sum() > 200:
                assert alive[own].mean() == pytest.approx(predicted[own].mean(), abs=4 * 0.5 / np.sqrt(own.sum()) + 0.003)
    everyone, above, below = found.values()
    assert above[0] > everyone[0] + 0.15
    assert below[0] < everyone[0] - 0.04
    # Those above and those below are everybody.
    assert everyone[1] == 1
    assert above[1] + below[1] == pytest.approx(1, abs=0.05)


def test_shuffled_predictions_select_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from alsmodel.trials import world

    honest = world.foreseen

    def shuffled(*given: Any) -> np.ndarray:
        return np.random.default_rng(1).permuted(honest(*given), axis=1)

    everyone = followed(trial_of("predicted_survival >= 0"))[1].mean()
    monkeypatch.setattr(world, "foreseen", shuffled)
    predicted, alive, _ = followed(trial_of("predicted_survival >= 0.75"))
    # They live as everybody does, and not as the numbers say that they carry.
    assert alive.mean() == pytest.approx(everyone, abs=4 * 0.7 / np.sqrt(alive.size))
    assert predicted.mean() > alive.mean() + 0.08


def test_who_is_eligible_depends_on_nobody_else() -> None:
    trial = trial_of("predicted_survival >= 0.75")
    keys = trial_keys(trial, 0, 30)
    whole = enrol(trial, keys, 60)
    for part, n in ((slice(0, 1), 60), (slice(7, 30), 60), (slice(3, 5), 17)):
        other = enrol(trial, keys[part], n)
        assert (other.person == whole.person[part, :n]).all()
        assert (other.columns["predicted_survival"] == whole.columns["predicted_survival"][part, :n]).all()  # type: ignore[index]


def test_the_path_ahead_is_no_argument() -> None:
    """Two truths that screening cannot tell apart give the same predictions."""
    trial = trial_of("predicted_survival >= 0.75")
    worse = replace(trial, truth=replace(TRUTH, hazard=(0.2,), association_value=0.0), seed=trial.seed)
    keys = trial_keys(trial, 0, 5)
    a, b = enrol(trial, keys, 40), enrol(worse, keys, 40)
    assert (a.columns["predicted_survival"] == b.columns["predicted_survival"]).all()  # type: ignore[attr-defined]
    assert trial.scenarios[0].identity()["prediction"] == worse.scenarios[0].identity()["prediction"]
    other = replace(trial, prediction=replace(trial.prediction, hazard_by=trial.prediction.hazard_by, slope=trial.prediction.slope - 0.1))  # type: ignore[union-attr]
    assert other.scenarios[0].digest("") != trial.scenarios[0].digest("")


def test_results_say_who_was_screened() -> None:
    trial = trial_of("predicted_survival >= 0.75", replicates=20, effects=(NONE,))
    whole = run_task(Task(trial.scenarios, 0, 20))[0]
    parts = [run_task(Task(trial.scenarios, a, b))[0] for a, b in ((0, 7), (7, 20))]
    for name, column in whole.items():
        assert np.array_equal(column, np.concatenate([part[name] for part in parts]), equal_nan=column.dtype.kind == "f"), name
    # 100 participants: about as many are turned away.
    assert (whole["screened"] > 130).all()


def population_of(*covariates: BaselineCovariate, **settings: Any) -> Population:
    return Population(covariates=covariates, prognosis=PROGNOSIS, eligibility=("predicted_survival >= 0.2",), **settings)


def test_named_truth_has_the_covariates_of_the_fit() -> None:
    fit = fit_of("covariates everywhere, imputed")
    prediction = Predictor.of(fit, PROGNOSIS)
    age, arm = BaselineCovariate(name="age", mean=60, sd=10), BaselineCovariate(name="arm_active", probability=0.5)
    trial = Trial(truth=TRUTH, population=population_of(age, arm), prediction=prediction, design=DESIGN)
    found = enrol(trial, trial_keys(trial, 0, 3), 30).columns
    column, score = found["predicted_survival"], found["screening_score"]
    assert isinstance(column, np.ndarray)
    assert isinstance(score, np.ndarray)
    design = {"age": (found["age"] - 60) / 10, "arm[active]": found["arm_active"]}  # type: ignore[operator]
    again = prediction.predict({k: v.ravel() for k, v in design.items()}, {}, np.array([-1.0]), score.reshape(1, -1))  # type: ignore[union-attr]
    assert (again == column.ravel()).all()
    with pytest.raises(ValueError, match=r"predicts from age.*Did you mean ages\?"):
        Trial(truth=TRUTH, population=population_of(replace(age, name="ages"), arm), prediction=prediction, design=DESIGN)
    with pytest.raises(ValueError, match="give yes/no covariates arm_active"):
        Trial(truth=TRUTH, population=population_of(age), prediction=prediction, design=DESIGN)
    drug = Predictor.of(fit_of("additive"), PROGNOSIS)
    with pytest.raises(ValueError, match="x, a background drug that the population has not"):
        Trial(truth=TRUTH, population=population_of(), prediction=drug, design=DESIGN)
    assert Trial(truth=TRUTH, population=population_of(BaselineCovariate(name="x", probability=0.5)), prediction=drug, design=DESIGN)
    kinds = (Phenotype(name="actve", share=0.5), Phenotype(name="placebo", share=0.5))
    words = replace(prediction, words={"phenotype": ("active", "placebo")}, numbers={}, columns=("phenotype[active]",))
    with pytest.raises(ValueError, match=r"'actve' was not in the data of the fit. Did you mean active\?"):
        Trial(truth=TRUTH, population=population_of(phenotypes=kinds), prediction=words, design=DESIGN)


def test_posterior_truth_has_the_spread_of_those_who_take_a_drug() -> None:
    found = fit_of("clock, own clock free", draws=4).population(4, seed=1)
    expected = np.where(found["taken:x"] == 1, np.exp(literal.VALUES["psi:x"]), 1.0)
    assert 0 < found["taken:x"].sum() < found["taken:x"].size
    np.testing.assert_allclose(found["slope_spread"], np.tile(expected, (4, 1)))


def test_posterior_truth_lends_its_covariates() -> None:
    fit = fit_of("covariates everywhere, imputed", draws=4)
    truth = PosteriorTruth.of(fit.population(4, seed=1))
    prediction = Predictor.of(fit, PROGNOSIS)
    trial = Trial(truth=truth, population=population_of(), prediction=prediction, design=DESIGN)
    keys = trial_keys(trial, 0, 3)
    found = enrol(trial, keys, 30)
    score, rows = found.columns["screening_score"], truth.block(keys, 400).rows
    assert isinstance(score, np.ndarray)
    assert rows is not None
    own = np.take_along_axis(rows, found.person, axis=1)
    design = {name: truth.known[f"column:{name}"][own].ravel() for name in prediction.columns}
    again = prediction.predict(design, {}, np.array([-1.0]), score.reshape(1, -1))
    assert (again == found.columns["predicted_survival"].ravel()).all()  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="the participants of the truth have no age"):
        replace(trial, truth=replace(truth, known={}))


def test_people_of_a_record_have_the_dynamic_prediction() -> None:
    made = fit_of("piecewise, value", draws=40)
    cohort = literal.cohort(tuple(replace(p, entry=0.0, age=60.0) for p in literal.PEOPLE))
    added = with_predictions(cohort, made, Prognosis(months=6.0)).covariates.filter(pl.col("name") == "predicted_survival")
    data = joint_data(cohort, made.spec.selection)
    wanted = futures(made, 0.0, [6.0], data=data).survival[:, :, 0].mean(axis=0)
    by_name = dict(zip((data.participant_ids[i] for i in range(data.people)), wanted, strict=True))
    # The one who has no score up to day 0 has no prediction.
    assert sorted(added["participant_id"]) == ["a", "b", "c", "d", "e"]
    assert dict(added.select("participant_id", "number").rows()) == pytest.approx({name: by_name[name] for name in "abcde"}, abs=1e-12)
    plan = ResampledSettings(outcome="score", prognosis=Prognosis(months=6.0), eligibility=("predicted_survival >= 0.01",))
    assert resampled_truth(cohort, plan, fit=made).columns["predicted_survival"].shape == (5,)  # type: ignore[union-attr]
    with pytest.raises(InvalidInput, match="no fit that predicts"):
        resampled_truth(cohort, plan)
    with pytest.raises(InvalidInput, match="0 of 5 people of the record are eligible"):
        resampled_truth(cohort, replace(plan, eligibility=("predicted_survival >= 1",)), fit=made)
    with pytest.raises(InvalidInput, match=r"No covariate is called 'predicted_surviva'.*predicted_survival, sex"):
        resampled_truth(cohort, replace(plan, eligibility=("predicted_surviva > 0.5",)), fit=made)


def test_faults_come_before_work() -> None:
    with pytest.raises(ValueError, match="months must be above 0"):
        Prognosis(months=0.0)
    with pytest.raises(ValueError, match="draws must be at least 1"):
        Prognosis(draws=0)
    with pytest.raises(ValueError, match="predicted_survival is not known"):
        Population(eligibility=("predicted_survival >= 0.5",))
    with pytest.raises(ValueError, match="needs a fit that predicts"):
        trial_of("predicted_survival >= 0.5", prediction=None)
    with pytest.raises(ValueError, match="asks for 12 months by 3 draws; the prediction given is of 6 months"):
        trial_of("predicted_survival >= 0.5", prediction=Predictor.of(true_fit(), Prognosis(months=6.0, draws=3)))
    with pytest.raises(ValueError, match=r"eligibility admits 0\.00%"):
        check_eligibility(trial_of("predicted_survival >= 1"))
    # What no probability can be is refused before there is a fit.
    for rule in ("predicted_survival >= 1.5", "predicted_survival < 0"):
        said = f"eligibility: '{rule}' admits nobody: predicted_survival lies between 0 and 1"
        for section in (
            {"truth": {"kind": "named"}, "population": {"eligibility": [rule], "prognosis": {"months": 6}}},
            {"truth": {"kind": "resampled", "outcome": "score", "eligibility": [rule], "prognosis": {"months": 6}}},
        ):
            with pytest.raises(InvalidInput) as caught:
                decode(TrialSettings, section)
            assert said in str(caught.value)
    with pytest.raises(InvalidInput, match="the paths of this fit bend"):
        Predictor.of(replace(true_fit(), spec=replace(true_fit().spec, decline=Quadratic())))
    settings = TrialSettings(truth=TRUTH, population=population_of(), design=DESIGN)
    assert settings.needs_fit
    assert not replace(settings, population=Population()).needs_fit
    with pytest.raises(ValueError, match="needs a fit that predicts"):
        build(settings, None, seed=1)
    assert build(settings, None, seed=1, prediction=Predictor.of(true_fit(), PROGNOSIS)).scenarios


def test_study_takes_the_prediction_of_its_own_fit() -> None:
    section = {
        "truth": {"kind": "named"},
        "population": {"eligibility": ["predicted_survival >= 0.6"], "prognosis": {"months": 6, "scores": "run-in", "draws": 2}},
    }
    settings = decode(TrialSettings, section)
    assert decode(TrialSettings, encode(settings)) == settings
    study: Any = SimpleNamespace(trial=settings, seed=3, model=true_fit().spec)
    trial = built_trial(study, true_fit(), None)
    assert trial.prediction is not None
    assert trial.prediction.months == 6
    column = enrol(trial, trial_keys(trial, 0, 2), 20).columns["predicted_survival"]
    assert isinstance(column, np.ndarray)
    assert column.min() >= 0.6
    with pytest.raises(InvalidInput, match="needs a fit that predicts"):
        built_trial(study, None, None)
    with pytest.raises(InvalidInput, match="Did you mean months"):
        decode(TrialSettings, {"truth": {"kind": "named"}, "population": {"prognosis": {"month": 6}}})
    assert not _of_a_prediction(study)
    bent: Any = SimpleNamespace(trial=settings, seed=3, model=replace(true_fit().spec, decline=Quadratic(), population="incident"))
    assert [fault for _, fault in _of_a_prediction(bent) if "bend" in fault]
