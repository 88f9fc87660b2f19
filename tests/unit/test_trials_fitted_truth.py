"""A fit as the truth of a trial: the engine's participants beside the model's own formulas, one by one and on average."""

import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel.cohort import Cohort
from alsmodel.cohort.arrays import joint_data
from alsmodel.inference import Fit
from alsmodel.inference.incidence import state_occupation
from alsmodel.inference.population import population
from alsmodel.inference.predict import survival_curve, trajectory
from alsmodel.models.bends import settled
from alsmodel.models.classes import LatentClasses
from alsmodel.models.decline import NaturalSpline, Quadratic, Sigmoid
from alsmodel.models.spec import AfterEvent, Cause, Exponential, JointModel, PiecewiseExponential, Treatment, Weibull
from alsmodel.models.structure import hazard_knots
from alsmodel.patients.course import PURPOSE_BEND, PURPOSE_EVENT
from alsmodel.patients.streams import normal, uniform
from alsmodel.trials import (
    ANCOVA,
    RMST,
    Afterwards,
    Cox,
    Effect,
    EffectDraws,
    Intercurrent,
    LogRank,
    ParallelDesign,
    Population,
    PosteriorTruth,
    RandomSlope,
    Trial,
    assurance,
    example,
    simulate,
)
from alsmodel.trials.block import trial_keys
from alsmodel.trials.estimands import true_values
from alsmodel.trials.truth import PURPOSE_CLASS
from alsmodel.trials.world import Enrolled, enrol, observe, paths

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
illness = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_illness.py"))))

END = 18.0
VISITS = (0.0, 3.0, 6.0, 9.0, 12.0, 15.0, END)
DESIGN = ParallelDesign(visits=VISITS, duration=END, dropout_per_month=0.0, missing_visit_probability=0.0)
NULL, SLOWER = Effect(name="null"), Effect(name="slower", slowing=0.4, from_month=4.5)
HAZARD = {"log_hazard[1]": -1.0, "log_hazard[2]": -0.4, "log_hazard[3]": -0.8, "hazard:age": 0.4}


def people(n: int = 40) -> Cohort:
    return literal.cohort(
        tuple(
            literal.Person(
                name=f"{i:03d}",
                visits=((0.0, 38.0), (END - i % 5, 28.0)),
                end=END - i % 5,
                died=i % 3 == 0,
                age=45.0 + i,
                arm=("placebo", "active")[i % 2],
            )
            for i in range(n)
        )
    )


def known(spec: JointModel, values: dict[str, float], cohort: Cohort, size: int = 60) -> Fit:
    """A posterior that is one point, so that only what is made of it can be wrong."""
    data = joint_data(cohort, spec.selection)
    spec = settled(spec, data)
    draws = {name: np.full((1, size), value) for name, value in values.items()}
    facts = {"seed": 1, "knots": hazard_knots(spec, data).tolist()}
    return Fit(spec=spec, data=data, x=np.zeros((1, size, 1)), draws=draws, summary=pl.DataFrame(), checks=(), provenance=facts)


def drawn(truth: PosteriorTruth, n: int, design: ParallelDesign = DESIGN, **parts: Any) -> tuple[Trial, np.ndarray, Enrolled]:
    trial = Trial(truth=truth, design=design, seed=5, **({"effects": (NULL,)} | parts))
    keys = trial_keys(trial, 0, 1)
    return trial, keys, enrol(trial, keys, n)


# Paths that bend -------------------------------------------------------------------------------------------------------

BASE = JointModel(
    outcome="score",
    survival=PiecewiseExponential(knots=(4.0, 9.0), covariates=("age",)),
    association=("value", "slope"),
    covariates={"age": literal.AGE},
)
CURVE = NaturalSpline(knots=(3.0, 8.0), boundary=(-1.0, 14.0))
LINE = {"intercept": 38.0, "slope": -0.7, "sd:intercept": 5.0, "sd:slope": 0.5, "corr:intercept,slope": 0.2, "sd:residual": 1.5}
REACH = {"association:value": -0.08, "association:slope": -0.4}
PARABOLA = {"quadratic": -0.03, "sd:quadratic": 0.02, "corr:intercept,quadratic": 0.1, "corr:slope,quadratic": -0.3}
SPLINE = {
    "quadratic[1]": -0.06, "quadratic[2]": 0.03, "sd:quadratic[1]": 0.04, "sd:quadratic[2]": 0.03, "corr:slope,quadratic[1]": -0.3,
    "corr:quadratic[1],quadratic[2]": 0.4,
}  # fmt: skip
BENT: dict[str, tuple[JointModel, dict[str, float]]] = {
    "parabola": (replace(BASE, decline=Quadratic()), LINE | REACH | PARABOLA | HAZARD),
    "mean parabola": (replace(BASE, decline=Quadratic(random=False)), LINE | REACH | {"quadratic": -0.03} | HAZARD),
    "spline": (replace(BASE, decline=CURVE), LINE | REACH | SPLINE | HAZARD),
}


def terms(spec: JointModel, t: np.ndarray) -> np.ndarray:
    """Bending terms (T, B), by scipy."""
    part = spec.decline
    if not isinstance(part, NaturalSpline):
        return t[:, None] ** 2 if spec.bends else np.zeros((t.size, 0))
    cardinal, combination = literal.natural_splines((part.boundary[0], *part.knots, part.boundary[1]))
    at = np.clip(t, part.boundary[0], part.boundary[1])
    return np.asarray((cardinal(at) + (t - at)[:, None] * cardinal(at, 1)) @ combination)


class Course:
    """The literal path and hazard of one participant whose standard normal numbers and covariate are given."""

    def __init__(self, spec: JointModel, values: dict[str, float], z: np.ndarray, offset: float) -> None:
        names = spec.effects
        sd = np.array([values[f"sd:{name}"] for name in names])
        corr = np.array([[values.get(f"corr:{a},{b}", values.get(f"corr:{b},{a}", float(a == b))) for b in names] for a in names])
        b = np.linalg.cholesky(corr * np.outer(sd, sd)) @ z[: len(names)]
        self.own = np.append(b, np.zeros(2 + len(spec.bends) - b.size))
        self.mean = np.array([values["intercept"], values["slope"], *(values.get(name, 0.0) for name in spec.bends)])
        self.spec, self.values, self.offset = spec, values, offset

    def score(self, t: np.ndarray, effect: Effect = NULL) -> np.ndarray:
        """True score under an effect from its first month on: the mean path's rise (and a scaled own one) counts less from there."""
        x = np.column_stack([np.ones(t.size), t, terms(self.spec, t)])
        since = np.maximum(t, effect.from_month)
        late = np.column_stack([np.ones(t.size), since, terms(self.spec, since)])
        begin = np.append([1.0, effect.from_month], terms(self.spec, np.array([effect.from_month]))[0])
        lost = effect.slowing * ((late - begin) @ (self.mean + (self.own if effect.slope_spread == "scaled" else 0.0)))
        return np.asarray(x @ (self.mean + self.own) - lost + effect.points_per_month * (since - effect.from_month))

    def died(self, mass: float, effect: Effect = NULL) -> float:
        """Month at which the cumulative hazard reaches `mass`, on a fine grid with the slope by differences."""
        t = np.linspace(0.0, END, 9001)
        middle, step = (t[1:] + t[:-1]) / 2, t[1] - t[0]
        score = self.score(t, effect)
        level = np.array([self.values[f"log_hazard[{k}]"] for k in (1, 2, 3)])[np.searchsorted([4.0, 9.0], middle)]
        alpha = [self.values.get(f"association:{kind}", 0.0) for kind in ("value", "slope")]
        eta = level + self.offset + alpha[0] * (score[1:] + score[:-1]) / 2 + alpha[1] * np.diff(score) / step
        return float(np.interp(mass, np.append(0.0, np.cumsum(np.exp(eta) * step)), t, right=np.inf))


def courses(fit: Fit, values: dict[str, float], truth: PosteriorTruth, enrolled: Enrolled, key: np.uint64) -> list[Course]:
    """The literal course of each of the first trial's participants, by their own random numbers."""
    found = []
    for i in range(enrolled.person.shape[1]):
        z = np.array([normal(key, i, 0, 0), normal(key, i, 1, 0), *(normal(key, i, PURPOSE_BEND, k) for k in range(4))])
        found.append(Course(fit.spec, values, z, float(enrolled.nature.log_hazard[0, i])))
    return found


@pytest.mark.parametrize("name", BENT)
@pytest.mark.parametrize(
    "effect",
    [NULL, SLOWER, Effect(name="all", slowing=0.5, slope_spread="scaled"), Effect(name="points", points_per_month=0.3, from_month=2.0)],
    ids=lambda effect: effect.name,
)
def test_each_bent_participant_is_the_literal_one(name: str, effect: Effect) -> None:
    spec, values = BENT[name]
    fit = known(spec, values, people())
    truth = PosteriorTruth.of(population(fit, 3, seed=1))
    trial, keys, enrolled = drawn(truth, 60)
    arm = np.ones_like(enrolled.person)
    path = paths(DESIGN, trial.population, enrolled, effect, arm, keys)[0]
    seen = observe(DESIGN, trial.population, enrolled, effect, arm, keys)
    expected = courses(fit, values, truth, enrolled, keys[0])
    # Chords meet the curve where they end, and visits lie there: only rounding is allowed.
    np.testing.assert_allclose(path, [one.score(np.array(VISITS), effect) for one in expected], atol=1e-9)
    died = np.array([one.died(-np.log(uniform(keys[0], i, PURPOSE_EVENT, 0)), effect) for i, one in enumerate(expected)])
    time = np.where(seen.event[0] == 1, seen.event_time[0], np.inf)
    # Half a month's chord is off by up to (1/2)^2 / 8 of the second derivative, 0.003 points: a few thousandths of a month in time.
    np.testing.assert_allclose(np.minimum(time, END), np.minimum(died, END), atol=0.02)
    assert 10 < seen.event.sum() < 55
    straight = replace(truth, bend_rates=0 * truth.bend_rates)
    flat = observe(DESIGN, trial.population, drawn(straight, 60)[2], effect, arm, keys)
    # The negative control: whoever ignores the bend is wrong by months.
    assert np.abs(np.minimum(flat.event_time[0], END) - np.minimum(died, END)).max() > 1.0


@pytest.mark.parametrize("name", BENT)
def test_bent_participants_are_on_average_those_that_the_model_predicts(name: str) -> None:
    spec, values = BENT[name]
    fit = known(spec, values, people(), size=40)
    truth = PosteriorTruth.of(population(fit, 2, seed=1))
    n = 40_000
    trial, keys, enrolled = drawn(truth, n)
    arm, at = np.zeros_like(enrolled.person), np.array(VISITS)
    path = paths(DESIGN, trial.population, enrolled, NULL, arm, keys)[0]
    x = np.column_stack([np.ones(at.size), at, terms(fit.spec, at)])
    one = Course(fit.spec, values, np.zeros(5), 0.0)
    size = len(fit.spec.effects)
    sd = np.array([values[f"sd:{effect}"] for effect in fit.spec.effects])
    corr = np.eye(size)
    for j, a in enumerate(fit.spec.effects):
        for k, b in enumerate(fit.spec.effects[:j]):
            corr[j, k] = corr[k, j] = values.get(f"corr:{b},{a}", 0.0)
    variance = np.einsum("tj,jk,tk->t", x[:, :size], corr * np.outer(sd, sd), x[:, :size])
    # Closed form: four standard errors of a mean and of a variance of normal numbers.
    assert (np.abs(path.mean(axis=0) - x @ one.mean) < 4 * np.sqrt(variance / n)).all()
    assert (np.abs(path.var(axis=0) / variance - 1) < 4 * np.sqrt(2 / n)).all()
    seen = observe(DESIGN, trial.population, enrolled, NULL, arm, keys)
    alive = [(seen.event_time[0] > t - 1e-9).mean() if t == END else (seen.event_time[0] > t).mean() for t in at]
    assert seen.event.mean() > 0.3
    # The prediction's own draws, 40 of 400 people, have a standard error of 0.004, the engine's one of 0.0025.
    np.testing.assert_allclose(alive[:-1], survival_curve(fit, at)["mean"].to_numpy()[:-1], atol=0.02)
    left = trajectory(fit, at)["mean"].to_numpy()
    mean = np.array([np.nanmean(seen.scores[0, :, v]) for v in range(at.size)])
    # The prediction's 16,000 draws of paths, as far as they live, are the larger error by far.
    assert (np.abs(mean - left) < 4 * np.sqrt(variance / (16_000 * np.array(alive[:-1] + alive[-2:-1])))).all()
    straight, _, flat = drawn(replace(truth, bend_rates=0 * truth.bend_rates), n)
    ignored = observe(DESIGN, straight.population, flat, NULL, arm, keys)
    assert abs((ignored.event_time[0] > 15.0).mean() - survival_curve(fit, [15.0])["mean"][0]) > 0.05
    assert abs(np.nanmean(ignored.scores[0, :, -2]) - left[-2]) > 1.0


@pytest.mark.parametrize("name", BENT)
def test_true_values_of_bent_paths_have_their_closed_form(name: str, tmp_path: Path) -> None:
    spec, values = BENT[name]
    fit = known(spec, values, people())
    truth = PosteriorTruth.of(population(fit, 3, seed=1))
    analyses = (RandomSlope(), ANCOVA())
    trial = Trial(truth=truth, design=DESIGN, analyses=analyses, effects=(SLOWER,))
    found = true_values(trial.scenarios[0], tmp_path, 25_000)
    one, at = Course(fit.spec, values, np.zeros(5), 0.0), np.array(VISITS)
    gained = one.score(at, SLOWER) - one.score(at)  # the mean path is everybody's, so that the value has no Monte Carlo error
    slope = ((at - at.mean()) * gained).sum() / ((at - at.mean()) ** 2).sum()
    for draw in range(3):
        assert found.values[analyses[0].label][draw] == pytest.approx(slope, abs=1e-9)
        assert found.values[analyses[1].label][draw] == pytest.approx(gained[-1], abs=1e-9)
    assert gained[-1] > SLOWER.slowing * 0.7 * (END - SLOWER.from_month) + 0.5  # more than lines would give


def test_a_parabola_in_years_makes_the_same_people(tmp_path: Path) -> None:
    spec, values = BENT["parabola"]
    monthly = population(known(spec, values, people()), 2, seed=1)
    per = {"slope": 12.0, "sd:slope": 12.0, "quadratic": 144.0, "sd:quadratic": 144.0, "association:slope": 1 / 12}
    changed = {k: v * per.get(k, 1.0) + (np.log(12) if k.startswith("log_hazard") else 0.0) for k, v in values.items()}
    survival = replace(spec.survival, knots=(4 / 12, 9 / 12))
    yearly = population(known(replace(spec, time_unit="year", survival=survival), changed, people()), 2, seed=1)
    months = monthly.pop("bend_months")
    rates = [truth.pop("bend_rates") for truth in (monthly, yearly)]
    assert yearly.pop("bend_months").size == months.size
    np.testing.assert_allclose(monthly["bend"][0] * rates[0], yearly["bend"][0] * rates[1], rtol=1e-9)
    cholesky = [truth.pop("random_cholesky")[0, 2] * np.abs(rate[0, 3]) for truth, rate in zip((monthly, yearly), rates, strict=True)]
    np.testing.assert_allclose(cholesky[0], cholesky[1], rtol=1e-9)
    for part in ("intercept", "slope", "log_hazard", "log_baseline_hazard", "association_slope"):
        np.testing.assert_allclose(yearly[part], monthly[part], rtol=1e-9)


def whole(truth: PosteriorTruth, design: ParallelDesign, tmp_path: Path, **parts: Any) -> None:
    """A trial runs, is told, and gives the same result whatever the size of a block."""
    analyses = (RandomSlope(), LogRank())
    parts = {"effects": (SLOWER,)} | parts
    trial = Trial(truth=truth, design=design, analyses=analyses, n_per_arm=(40,), replicates=60, **parts)
    first, second = (simulate(trial, folder=tmp_path / str(block), block=block, twins=25_000).table for block in (60, 13))
    assert first.drop("records", strict=False).equals(second.drop("records", strict=False))
    assert first["power"].min() >= 0
    assert example(trial)


def test_a_trial_of_bent_paths_runs_and_has_its_assurance(tmp_path: Path) -> None:
    spec, values = BENT["spline"]
    drug = Treatment(name="z", source="arm", level="active", score="none")
    fit = known(replace(spec, treatments=(drug,)), values | {"hazard:z": -0.3}, people())
    whole(PosteriorTruth.of(population(fit, 3, seed=1)), DESIGN, tmp_path)
    belief = EffectDraws.of(fit, "z", draws=6, strata=2)
    assert belief.truth is not None
    assert belief.truth.some(np.array([1, 4])).bend.shape == (2, 2)
    trial = Trial(truth=belief.truth, design=DESIGN, analyses=(LogRank(),), n_per_arm=(40,), replicates=20)
    assert assurance(trial, belief).table["replicates"][0] == 20
    clocked = replace(
        fit, spec=replace(spec, treatments=(replace(drug, score="clock"),)), draws=fit.draws | {"theta:z": fit.draws["slope"]}
    )
    with pytest.raises(ValueError, match="leaves their bend"):
        EffectDraws.of(clocked, "z", draws=6, strata=2)


def refusal(change: Callable[[dict[str, Any]], dict[str, Any]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PosteriorTruth.of(change(population(known(*BENT["spline"], people()), 2, seed=1)))


def test_bending_terms_that_do_not_fit_are_refused() -> None:
    refusal(lambda given: given | {"bend": np.zeros((2, 3))}, r"bend has shape \(2, 3\)")
    refusal(lambda given: given | {"random_cholesky": given["random_cholesky"][:, :2, :2]}, r"random_cholesky has shape \(2, 2, 2\)")
    refusal(lambda given: given | {"bend_months": given["bend_months"][::-1]}, "bend_months must increase")


# Several causes of leaving ------------------------------------------------------------------------------------------------

ARM = Treatment(name="active", source="arm", level="active", own_clock="none")
CAUSES = JointModel(
    outcome="score",
    survival=Exponential(),
    treatments=(ARM,),
    causes=(
        Cause(name="tracheostomy", events=("tracheostomy",), survival=Exponential()),
        Cause(name="dropout", events=("dropout",), survival=Exponential()),
    ),
    after=(AfterEvent(cause="tracheostomy"),),
)
WATCHED = replace(DESIGN, vital_status_after_leaving=True)
TRACHEOSTOMY = Intercurrent(name="tracheostomy", hazard="fit", afterwards=Afterwards(ends_scores=True))
PLACES = {"intercurrent": (TRACHEOSTOMY,), "population": Population(leaving="dropout")}
PLAIN = illness.cohort(illness.draw(300, 1))
AGED = PLAIN.participants.with_columns(age=45.0 + pl.int_range(pl.len()) % 30)
ILLNESS = Cohort.of(participants=AGED, measurements=PLAIN.measurements, events=PLAIN.events)
STATES = ("none of these", "tracheostomy, no death since", "dropout", "death", "death after tracheostomy")


def states(truth: PosteriorTruth, n: int, effect: Effect, at: np.ndarray) -> np.ndarray:
    """Share of the engine's participants in each of `STATES` at each month, (STATES, T): what came first, and death after it."""
    trial, keys, enrolled = drawn(truth, n, WATCHED, **PLACES)
    arm = np.ones_like(enrolled.person)
    seen = observe(WATCHED, trial.population, enrolled, effect, arm, keys, events=trial.intercurrent)
    died = np.where(seen.event[0] == 1, seen.event_time[0], np.inf)
    opened, left = seen.intercurrent["tracheostomy"][0], seen.left[0]
    first = np.minimum(np.minimum(died, opened), left)
    with_tube = opened == first
    later = with_tube & (died[:, None] <= at).T
    found = [
        first > at[:, None], with_tube & (first <= at[:, None]) & ~later, (left == first) & (first <= at[:, None]),
        (died == first) & (first <= at[:, None]) & ~with_tube, later,
    ]  # fmt: skip
    return np.array([each.mean(axis=1) for each in found])


def test_each_cause_comes_as_to_the_literal_participants() -> None:
    values = illness.TRUTH
    truth = PosteriorTruth.of(population(known(CAUSES, values, ILLNESS), 2, seed=1))
    assert truth.causes == ("tracheostomy", "dropout")
    at = np.array([6.0, 12.0, END])
    many = illness.draw(300_000, 9, censored=(60.0, 60.1))
    treated = Effect(
        name="as fitted", slowing=1 - np.exp(values["theta:active"]), hazard_ratio=np.exp(values["hazard:active"]),
        hazard_ratio_of={"tracheostomy": np.exp(values["hazard:active@tracheostomy"])},
    )  # fmt: skip
    for active, effect in ((False, NULL), (True, treated)):
        mine = many["active"] == active
        end, cause, dead = many["end"][mine], many["cause"][mine], many["died_later"][mine]
        later = [(dead & (many["later"][mine] <= t)).mean() for t in at]
        expected = [
            [(end > t).mean() for t in at],
            [((cause == 1) & (end <= t)).mean() - d for t, d in zip(at, later, strict=True)],
            *([((cause == k) & (end <= t)).mean() for t in at] for k in (2, 0)),
            later,
        ]
        found = states(truth, 60_000, effect, at)
        # Shares of 60,000 and of 150,000: standard errors up to 0.0024; four of them.
        np.testing.assert_allclose(found, expected, atol=0.0095)
        assert found[1:].min(axis=0)[-1] > 0.03
    # Negative controls: tracheostomies that do not hang on the path, and a death after them that is none.
    still = replace(truth, further=truth.further | {"association_value@tracheostomy": np.zeros(2)})
    assert abs(states(still, 20_000, NULL, at)[1, -1] - states(truth, 20_000, NULL, at)[1, -1]) > 0.1
    spared = replace(truth, further=truth.further | {"log_hazard@after tracheostomy": np.full(truth.slope.shape, -20.0)})
    assert states(spared, 20_000, NULL, at)[4, -1] == 0 < states(truth, 20_000, NULL, at)[4, -1]


@pytest.mark.parametrize("clock", ["since event", "study"])
def test_states_are_occupied_as_the_model_predicts(clock: Any) -> None:
    age = {"covariates": ("age",)}
    spec = replace(
        CAUSES, treatments=(), survival=Weibull(at=6.0, **age), association=("value", "slope"), covariates={"age": literal.AGE},
        causes=(
            replace(CAUSES.causes[0], survival=PiecewiseExponential(knots=(5.0,), **age)),
            replace(CAUSES.causes[1], survival=Exponential(), association=("slope",)),
        ),
        after=(AfterEvent(cause="tracheostomy", clock=clock, survival=PiecewiseExponential(knots=(3.0, 10.0), **age)),),
    )  # fmt: skip
    values = LINE | REACH | {
        "log_level": -1.3, "log_shape": 0.4, "hazard:age": 0.4, "log_hazard[1]@tracheostomy": -0.2, "log_hazard[2]@tracheostomy": 0.3,
        "hazard:age@tracheostomy": -0.3, "association:value@tracheostomy": -0.1, "log_hazard[1]@dropout": -4.5,
        "association:slope@dropout": -0.6, "log_hazard[1]@after tracheostomy": -1.0, "log_hazard[2]@after tracheostomy": -3.0,
        "log_hazard[3]@after tracheostomy": -2.0, "hazard:age@after tracheostomy": 0.5,
    }  # fmt: skip
    fit = known(spec, values, ILLNESS, size=100)
    at = np.array([4.0, 8.0, 12.0, 17.0])
    table = state_occupation(fit, at)
    expected = np.array([table.filter(pl.col("state") == name)["mean"].to_numpy() for name in STATES])
    found = states(PosteriorTruth.of(population(fit, 2, seed=1)), 60_000, NULL, at)
    # The prediction's 40,000 paths err by up to 0.002 and its cells by as much, the engine by 0.002 and by the 24 pieces of the Weibull.
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert expected[1:].min(axis=0)[-1] > 0.02


def test_true_values_with_tracheostomy_have_their_closed_form(tmp_path: Path) -> None:
    rates = {"": 0.03, "@tracheostomy": 0.05, "@dropout": 0.02, "@after tracheostomy": 0.5}
    causes = tuple(replace(cause, association=()) for cause in CAUSES.causes)
    spec = replace(CAUSES, association=(), causes=causes, treatments=())
    fit = known(spec, LINE | {f"log_hazard[1]{suffix}": np.log(rate) for suffix, rate in rates.items()}, ILLNESS)
    truth = PosteriorTruth.of(population(fit, 2, seed=1))
    effect = Effect(name="fewer", hazard_ratio=0.5, hazard_ratio_of={"tracheostomy": 1.6})
    analyses = (Cox(strategies={"tracheostomy": "composite"}), RMST(horizon=END))
    trial = Trial(truth=truth, design=DESIGN, analyses=analyses, effects=(effect,), **PLACES)
    found = true_values(trial.scenarios[0], tmp_path, 50_000)

    def alive(death: float, tube: float) -> float:
        c, after = death + tube, rates["@after tracheostomy"]
        grown = [(1 - np.exp(-rate * END)) / rate for rate in (c, after)]
        return grown[0] + tube / (after - c) * (grown[0] - grown[1])

    both = np.log((0.5 * 0.03 + 1.6 * 0.05) / 0.08)
    for analysis, value in zip(analyses, (both, alive(0.015, 0.08) - alive(0.03, 0.05)), strict=True):
        error = found.error(analysis.label)
        assert error is not None
        assert found.values[analysis.label].mean() == pytest.approx(value, abs=6 * error)
        assert error < 0.1 * abs(value)
    # Whoever lets death go on as before the tracheostomy is off by more than that.
    deaf = (1 - np.exp(-0.015 * END)) / 0.015 - (1 - np.exp(-0.03 * END)) / 0.03
    assert abs(found.values[analyses[1].label].mean() - deaf) > 6 * found.error(analyses[1].label)


def test_a_trial_with_the_causes_of_a_fit_runs_and_says_what_is_missing(tmp_path: Path) -> None:
    truth = PosteriorTruth.of(population(known(CAUSES, illness.TRUTH, ILLNESS), 3, seed=1))
    admitted = replace(PLACES["population"], eligibility=("screening_score >= 34",))
    whole(truth, DESIGN, tmp_path, **(PLACES | {"population": admitted}))
    some = truth.some(np.array([2]))
    assert some.further["log_hazard@dropout"].shape == (1, truth.slope.shape[1])
    assert some.further["clock@after tracheostomy"].shape == (1,)
    for parts, words in (
        ({}, "cause 'tracheostomy' of the fit has no place.*cause 'dropout' of the fit has no place"),
        (PLACES | {"population": Population(leaving="tracheostomy")}, "has two places"),
        (PLACES | {"population": Population(leaving="dropuot")}, "Did you mean 'dropout'|dropout"),
    ):
        with pytest.raises(ValueError, match=words):
            Trial(truth=truth, design=DESIGN, **parts)
    with pytest.raises(ValueError, match="has one hazard alone"):
        Trial(truth=PosteriorTruth.of(population(known(*BENT["spline"], people()), 2, seed=1)), **PLACES)
    with pytest.raises(ValueError, match="brings its own association"):
        Intercurrent(name="tracheostomy", hazard="fit", hazard_per_point=-0.1)
    with pytest.raises(ValueError, match=r"log_hazard@dropout has shape"):
        replace(truth, further=truth.further | {"log_hazard@dropout": np.zeros((3, 2))})


# Latent classes ----------------------------------------------------------------------------------------------------------

TWO = replace(BASE, association=(), classes=LatentClasses(number=2, covariates=("age",)))
OF_CLASS = {
    "class:odds[2]": 0.4, "class:odds[2]:age": 0.8, "class:intercept[2]": 3.0, "class:log_step[2]": -0.7, "class:hazard[2]": -1.6,
    "log_hazard[1]": -2.6, "log_hazard[2]": -2.0, "log_hazard[3]": -2.4, "hazard:age": 0.4,
}  # fmt: skip


def test_each_participant_has_the_class_of_the_literal_one() -> None:
    values = LINE | OF_CLASS
    fit = known(TWO, values, people())
    truth = PosteriorTruth.of(population(fit, 2, seed=1))
    trial, keys, enrolled = drawn(truth, 200)
    arm, at = np.ones_like(enrolled.person), np.array(VISITS)
    path = paths(DESIGN, trial.population, enrolled, SLOWER, arm, keys)[0]
    seen = observe(DESIGN, trial.population, enrolled, SLOWER, arm, keys)
    rows = truth.block(keys, 200).rows
    assert rows is not None
    age = (fit.data.columns["age"])[rows[0]]
    slow = 0
    for i in range(200):
        second = uniform(keys[0], i, PURPOSE_CLASS, 0) > 1 / (1 + np.exp(0.4 + 0.8 * age[i]))
        slow += second
        own = values | {"intercept": 38.0 + 3.0 * second, "slope": -0.7 + np.exp(-0.7) * second}
        one = Course(replace(TWO, classes=None), own, np.array([normal(keys[0], i, k, 0) for k in (0, 1)]), 0.4 * age[i] - 1.6 * second)
        np.testing.assert_allclose(path[i], one.score(at, SLOWER), atol=1e-9)
        died = one.died(-np.log(uniform(keys[0], i, PURPOSE_EVENT, 0)), SLOWER)
        found = seen.event_time[0, i] if seen.event[0, i] else np.inf
        assert min(found, END) == pytest.approx(min(died, END), abs=0.003)  # the grid of the literal one is 0.002 months wide
    assert 60 < slow < 150


def test_classes_are_on_average_those_that_the_model_predicts(tmp_path: Path) -> None:
    fit = known(TWO, LINE | OF_CLASS, people(), size=100)
    truth = PosteriorTruth.of(population(fit, 2, seed=1))
    at = np.array(VISITS[:-1])

    def compared(truth: PosteriorTruth) -> tuple[float, float]:
        trial, keys, enrolled = drawn(truth, 40_000)
        seen = observe(DESIGN, trial.population, enrolled, NULL, np.zeros_like(enrolled.person), keys)
        alive = [(seen.event_time[0] > t).mean() for t in at]
        mean = np.nanmean(seen.scores[0, :, :-1], axis=0)
        off = alive - survival_curve(fit, at)["mean"].to_numpy(), mean - trajectory(fit, at)["mean"].to_numpy()
        return float(np.abs(off[0]).max()), float(np.abs(off[1]).max())

    survival, score = compared(truth)
    # 40,000 paths on both sides, half of them alive at the end: standard errors of 0.004 and of 9 / sqrt(20,000) = 0.06 points.
    assert survival < 0.015
    assert score < 0.35
    alike = replace(truth, further=truth.further | {"class_share": np.tile([1.0, 0.0], (*truth.slope.shape, 1))})
    survival, score = compared(alike)
    assert survival > 0.1
    assert score > 3.0
    effect = Effect(name="half", slowing=0.5)
    trial = Trial(truth=truth, design=DESIGN, analyses=(RandomSlope(),), effects=(effect,))
    found = true_values(trial.scenarios[0], tmp_path, 50_000)
    share = truth.further["class_share"][0, :, 1].mean()
    gained = 0.5 * (0.7 - share * np.exp(-0.7))
    # Classes of 50,000 twins: 0.5 exp(-0.7) sqrt(1/4 / 50,000) = 0.0014.
    assert found.values[RandomSlope().label].mean() == pytest.approx(gained, abs=0.006)
    np.testing.assert_allclose(truth.block(np.zeros(1, np.uint64), 1).centre_slope, -gained / 0.5)
    whole(truth, DESIGN, tmp_path)
    assert truth.some(np.array([1])).further["class_slope"].shape == (1, 40, 2)


# Sigmoid paths -----------------------------------------------------------------------------------------------------------

CURVED = replace(BASE, decline=Sigmoid(covariates=("age",)))
D50 = {
    "log_d50": 3.3, "log_dx": 2.1, "log_d50:age": -0.1, "sd:log_d50": 0.4, "sd:log_dx": 0.3, "corr:log_d50,log_dx": 0.5, "sd:residual": 1.5,
}  # fmt: skip


class Curve(Course):
    """The literal sigmoid of one participant."""

    def __init__(self, values: dict[str, float], z: np.ndarray, age: float, since: float) -> None:
        r = values["corr:log_d50,log_dx"]
        self.d50 = np.exp(values["log_d50"] + values["log_d50:age"] * age + values["sd:log_d50"] * z[0])
        self.dx = np.exp(values["log_dx"] + values["sd:log_dx"] * (r * z[0] + np.sqrt(1 - r * r) * z[1]))
        self.since, self.values, self.offset = since, values, values["hazard:age"] * age

    def score(self, t: np.ndarray, effect: Effect = NULL) -> np.ndarray:
        def untreated(s: np.ndarray | float) -> Any:
            return 48 / (1 + np.exp((s + self.since - self.d50) / self.dx))

        late, begin = np.maximum(t, effect.from_month), effect.from_month
        return untreated(t) - effect.slowing * (untreated(late) - untreated(begin)) + effect.points_per_month * (late - begin)


def test_each_sigmoid_participant_is_the_literal_one() -> None:
    values = D50 | REACH | HAZARD
    fit = known(CURVED, values, people())
    truth = PosteriorTruth.of(population(fit, 2, seed=1))
    trial, keys, enrolled = drawn(truth, 100)
    arm, at = np.ones_like(enrolled.person), np.array(VISITS)
    rows = truth.block(keys, 100).rows
    assert rows is not None
    age, since = fit.data.columns["age"][rows[0]], fit.data.since_onset[rows[0]]
    expected = [Curve(values, np.array([normal(keys[0], i, k, 0) for k in (0, 1)]), age[i], since[i]) for i in range(100)]
    for effect in (NULL, replace(SLOWER, slope_spread="scaled"), Effect(name="points", points_per_month=0.3, from_month=2.0)):
        path = paths(DESIGN, trial.population, enrolled, effect, arm, keys)[0]
        np.testing.assert_allclose(path, [one.score(at, effect) for one in expected], atol=1e-9)
        seen = observe(DESIGN, trial.population, enrolled, effect, arm, keys)
        died = np.array([one.died(-np.log(uniform(keys[0], i, PURPOSE_EVENT, 0)), effect) for i, one in enumerate(expected)])
        time = np.where(seen.event[0] == 1, seen.event_time[0], END)
        # A chord of half a month is off by 0.005 points at most.
        np.testing.assert_allclose(time, np.minimum(died, END), atol=0.02)
    straight = enrolled.nature._replace(curve=np.zeros((1, 0, 2)))
    path = paths(DESIGN, trial.population, replace(enrolled, nature=straight), NULL, arm, keys)[0]
    assert np.abs(path - [one.score(at) for one in expected]).max() > 2.0


def test_sigmoid_participants_are_on_average_those_that_the_model_predicts(tmp_path: Path) -> None:
    fit = known(CURVED, D50 | REACH | HAZARD, people(), size=100)
    truth = PosteriorTruth.of(population(fit, 2, seed=1))
    trial, keys, enrolled = drawn(truth, 40_000)
    arm, at = np.zeros_like(enrolled.person), np.array(VISITS[:-1])
    seen = observe(DESIGN, trial.population, enrolled, NULL, arm, keys)
    alive = [(seen.event_time[0] > t).mean() for t in at]
    # As for the classes above: 20,000 to 40,000 paths on both sides.
    np.testing.assert_allclose(alive, survival_curve(fit, at)["mean"], atol=0.015)
    np.testing.assert_allclose(np.nanmean(seen.scores[0, :, :-1], axis=0), trajectory(fit, at)["mean"], atol=0.5)
    path = paths(DESIGN, trial.population, enrolled, NULL, arm, keys)[0]
    assert enrolled.centre_value[0] == pytest.approx(path[:, 0].mean(), abs=4 * path[:, 0].std() / 200)
    half = Effect(name="half", slowing=0.5, slope_spread="scaled")
    found = true_values(replace(trial, analyses=(ANCOVA(),), effects=(half,)).scenarios[0], tmp_path, 50_000)
    lost = path[:, 0] - path[:, -1]
    assert found.values[ANCOVA().label].mean() == pytest.approx(0.5 * lost.mean(), abs=4 * 0.5 * lost.std() / 150)
    with pytest.raises(ValueError, match="have no mean slope apart"):
        Trial(truth=truth, design=DESIGN, effects=(SLOWER,))


def test_a_sigmoid_trial_with_rules_runs_and_is_the_same_in_years(tmp_path: Path) -> None:
    values = D50 | REACH | HAZARD
    monthly = population(known(CURVED, values, people()), 3, seed=1)
    ruled = Population(eligibility=("screening_score >= 30",))
    whole(PosteriorTruth.of(monthly), DESIGN, tmp_path, population=ruled, effects=(replace(SLOWER, slope_spread="scaled"),))
    moved = {k: v - np.log(12) if k in ("log_d50", "log_dx") else v + np.log(12) * k.startswith("log_hazard") for k, v in values.items()}
    moved["association:slope"] /= 12
    survival = replace(CURVED.survival, knots=(4 / 12, 9 / 12))
    yearly = population(known(replace(CURVED, time_unit="year", survival=survival), moved, people()), 3, seed=1)
    for name in ("intercept", "slope", "log_hazard", "random_cholesky", "log_baseline_hazard", "association_slope", "since_onset", "knots"):
        np.testing.assert_allclose(yearly[name], monthly[name], rtol=1e-9, err_msg=name)
