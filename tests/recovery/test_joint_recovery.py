"""Parameters that generated a cohort come back: one fit each, known truth."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel.cohort import Cohort
from alsmodel.cohort.arrays import joint_data
from alsmodel.cohort.selection import Covariate
from alsmodel.inference import Fit, Sampling, fit_data
from alsmodel.models.spec import JointModel, PiecewiseExponential, Treatment
from alsmodel.patients import VirtualCohort, simulate
from alsmodel.patients.spec import DAYS_PER_MONTH, Phenotype

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nuts")]
generator = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "unit" / "literal_generator.py")))
SAMPLING = Sampling(draws=500, tune=200)

#: One phenotype, no background drugs, no hidden rounding, clamping, dropout or skew: exactly the model's assumptions.
PLAIN = VirtualCohort(
    phenotypes=(Phenotype(name="classic", share=1.0),),
    drugs=(),
    slope_skew=0.0,
    rounding=False,
    clamping=False,
    dropout=0.0,
    arm_log_slope_ratio=float(np.log(0.75)),
)


def cohort_of(spec: VirtualCohort, n: int, seed: int) -> Cohort:
    """The generator's arrays as canonical tables; exact event times, visits on whole days."""
    people = simulate(spec, n=n, seed=seed)
    ids = [f"{i:05d}" for i in range(n)]
    rows, columns = np.nonzero(~np.isnan(people.score))
    died = np.flatnonzero(people.event)
    return Cohort.of(
        participants=pl.DataFrame(
            {
                "participant_id": ids,
                "arm": np.where(people.arm == 1, "active", "placebo").tolist(),
                "age": people.age,
                "phenotype": people.phenotype.tolist(),
                "last_contact_day": people.end_month * DAYS_PER_MONTH,
            }
        ),
        measurements=pl.DataFrame(
            {
                "participant_id": [ids[i] for i in rows],
                "day": people.visit_day[rows, columns],
                "name": ["score"] * rows.size,
                "value": people.score[rows, columns],
            }
        ),
        events=pl.DataFrame(
            {
                "participant_id": [ids[i] for i in died],
                "kind": ["death"] * died.size,
                "day": people.end_month[died] * DAYS_PER_MONTH,
                "definition": ["simulated"] * died.size,
            }
        ),
    )


def model(score: str, **choices: Any) -> JointModel:
    """The randomised comparison with one way for the treatment to act on the score."""
    drug = Treatment(name="active", source="arm", level="active", score=score, hazard="ratio", **choices)
    return JointModel(
        outcome="score",
        covariates={"age": Covariate(centre=57.2)},
        treatments=(drug,),
        survival=PiecewiseExponential(knots=(6.0, 12.0), covariates=("age",)),
    )


def fit_of(spec: JointModel, cohort: Cohort, sampling: Sampling = SAMPLING) -> Fit:
    return fit_data(spec, joint_data(cohort, spec.selection), sampling, seed=1, method="nuts")


def z_scores(fit: Fit, truth: dict[str, float]) -> dict[str, float]:
    return {name: float((fit.flat(name).mean() - value) / fit.flat(name).std()) for name, value in truth.items()}


@pytest.fixture(scope="module", params=["additive", "multiplicative"])
def generated(request: pytest.FixtureRequest) -> tuple[str, Cohort]:
    return request.param, cohort_of(replace(PLAIN, treatment=request.param), n=500, seed=11)


def test_every_parameter_of_the_generator_comes_back(generated: tuple[str, Cohort]) -> None:
    kind, cohort = generated
    # The model that makes the generator's assumptions: one clock for mean and deviation, or points added to everyone.
    spec = model("clock", own_clock="scaled") if kind == "multiplicative" else model("additive")
    fit = fit_of(spec, cohort)
    assert fit.passed, [c for c in fit.checks if not c.passed]
    truth = {
        "intercept": 35.0, "slope": -1.03, "sd:intercept": 6.46, "sd:slope": 0.76, "corr:intercept,slope": 0.2, "sd:residual": 1.77,
        "association:value": -0.08, "hazard:age": float(np.log(1.03)), "hazard:active": 0.0, "log_hazard[1]": -2.0,
        "log_hazard[2]": -1.8, "log_hazard[3]": -1.7,
    }  # fmt: skip
    truth |= {"theta:active": float(np.log(0.75))} if kind == "multiplicative" else {"slope:active": 0.25 * 1.03}
    z = z_scores(fit, truth)
    assert max(abs(v) for v in z.values()) < 3.5, z
    # Thirteen scores under the truth: their mean square is about 1; 2.8 is the 0.999 quantile were they independent.
    assert np.mean(np.square(list(z.values()))) < 2.8, z


def test_the_free_clock_gives_the_slope_ratio_under_both_generators(generated: tuple[str, Cohort]) -> None:
    # Rule 2: an additive 25% slowing came out as 0.875 with the deviation forced onto the same clock, as 0.750 with its own.
    kind, cohort = generated
    free = fit_of(model("clock"), cohort)
    ratio = free.flat("slope ratio:active")
    assert abs(ratio.mean() - 0.75) < 3.0 * ratio.std()
    assert abs(free.flat("slope difference:active").mean() - 0.25 * 1.03) < 3.0 * free.flat("slope difference:active").std()
    psi = free.flat("psi:active")
    expected = 0.0 if kind == "additive" else float(np.log(0.75))
    assert abs(psi.mean() - expected) < 3.5 * psi.std()
    if kind == "additive":  # the named fault of the scaled clock, kept in sight
        scaled = fit_of(model("clock", own_clock="scaled"), cohort)
        assert scaled.flat("slope ratio:active").mean() > ratio.mean() + 0.02


def test_a_null_drug_that_fast_decliners_stop_early_does_nothing_as_assigned() -> None:
    # Rule 1: by exposure taken the ratio came out at 0.89, as assigned at 1.01.
    people = generator.draw(21, 400, association=-0.04, log_hazard=-3.0)
    arms = Treatment(name="active", source="arm", level="active")
    spec = JointModel(outcome="score", treatments=(arms,), survival=PiecewiseExponential(knots=1))

    def stopping(person: Any) -> tuple[tuple[float, float], ...]:
        """The active arm takes it from time zero; whoever falls faster than most stops after a month."""
        t, y = np.array(person.visits).T
        fast = t.size > 1 and np.polyfit(t, y, 1)[0] < -1.0
        return ((0.0, 1.0 if fast else np.inf),) if person.arm == "active" else ()

    people = tuple(replace(p, drugs={"x": stopping(p)}) for p in people)
    cohort = generator.literal.cohort(people)
    assigned = fit_of(spec, cohort)
    ratio = assigned.flat("slope ratio:active")
    assert abs(ratio.mean() - 1.0) < 3.0 * ratio.std()
    assert ratio.std() < 0.09  # narrow enough to see the ratio by exposure taken, 0.89
    observational = replace(spec, treatments=(Treatment(name="x"),))
    taken = fit_of(observational, cohort).flat("slope ratio:x")
    assert taken.mean() < ratio.mean() - 0.05  # what the rule warns of is there to be seen


def test_association_through_the_slope_comes_back() -> None:
    spec = replace(PLAIN, association_value=0.0, association_slope=-0.6, log_baseline_hazard=(-4.6, -4.4, -4.4))
    cohort = cohort_of(replace(spec, treatment="additive", arm_log_slope_ratio=0.0), n=500, seed=5)
    both = JointModel(outcome="score", association=("value", "slope"), survival=PiecewiseExponential(knots=(6.0, 12.0)))
    fit = fit_of(both, cohort)
    z = z_scores(fit, {"association:value": 0.0, "association:slope": -0.6, "sd:slope": 0.76, "slope": -1.03})
    assert max(abs(v) for v in z.values()) < 3.5, z
