"""Operating characteristics against what theory says, and wrong analyses are found out.

Seeds were fixed before the runs. Bounds are 3.3 Monte Carlo standard errors: one false alarm in 1,000 seeds each.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pytest
from scipy.stats import nct, norm, t

import alsmodel.trials.run
from alsmodel.trials import Analysed, Decision, Effect, LogRank, NamedTruth, ParallelDesign, RandomSlope, Trial
from alsmodel.trials.analyses import AbstractAnalysis

DESIGN = ParallelDesign(visits=(0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0), duration=12.0, dropout_per_month=0.0, missing_visit_probability=0.0)
ALIVE = NamedTruth(hazard=(1e-12,), association_value=0.0, slope_skew=0.0)
BOUND = 3.3
#: True values from a tenth of the usual twins, which is enough at these bounds.
simulate = partial(alsmodel.trials.run.simulate, twins=100_000)


@pytest.fixture(scope="module")
def null():
    trial = Trial(truth=NamedTruth(), effects=(Effect(name="null"),), n_per_arm=(30, 100), replicates=4000, seed=101)
    return simulate(trial).table


def test_type_one_error_is_nominal(null):
    expected = np.sqrt(0.05 * 0.95 / 4000)
    for row in null.iter_rows(named=True):
        assert abs(row["power"] - 0.05) < BOUND * expected, row["scenario"] + row["analysis"]
        assert row["benefit"] < row["power"]


def test_slope_estimates_are_unbiased_and_intervals_cover_at_the_null(null):
    slope = null.filter(pl.col("analysis") == "random slope")
    assert (slope["bias"].abs() < BOUND * slope["bias_mcse"]).all()
    assert ((slope["coverage"] - 0.95).abs() < BOUND * np.sqrt(0.05 * 0.95 / 4000)).all()
    assert slope["mean_se"].to_numpy() == pytest.approx(slope["empirical_sd"].to_numpy(), rel=0.05)


def slope_standard_error(truth, design, n):
    """SE of the slope difference with known variances: the inverse of the sum of X'V^-1X over n participants."""
    months = np.array(design.visits)
    z = np.column_stack([np.ones_like(months), months])
    sd0, sd1, r = truth.intercept_sd, truth.slope_sd, truth.correlation
    d = np.array([[sd0**2, r * sd0 * sd1], [r * sd0 * sd1, sd1**2]])
    inverse = np.linalg.inv(z @ d @ z.T + truth.residual_sd**2 * np.eye(months.size))
    total = sum(x.T @ inverse @ x for x in (np.column_stack([z, a * months]) for a in design.arms(n)))
    return float(np.sqrt(np.linalg.inv(total)[2, 2]))


def test_power_agrees_with_the_closed_form():
    effect = Effect(name="30% slowing", slowing=0.3)
    trial = Trial(truth=ALIVE, design=DESIGN, analyses=(RandomSlope(),), effects=(effect,), n_per_arm=(60,), seed=102, replicates=2000)
    row = simulate(trial).table.row(0, named=True)
    se = slope_standard_error(ALIVE, DESIGN, 120)
    df = 120 - 2  # one slope per participant, two mean slopes
    noncentral = 0.3 * 1.03 / se
    wanted = nct.sf(t.ppf(0.975, df), df, noncentral) + nct.cdf(t.ppf(0.025, df), df, noncentral)
    assert 0.3 < wanted < 0.9
    assert abs(row["power"] - wanted) < BOUND * row["mcse"]
    assert row["mean_se"] == pytest.approx(se, rel=0.02)
    assert abs(row["bias"]) < BOUND * row["bias_mcse"]


def test_log_rank_power_agrees_with_schoenfeld():
    truth = NamedTruth(hazard=(0.05,), association_value=0.0)
    effect = Effect(name="hazard ratio 0.6", hazard_ratio=0.6)
    trial = Trial(truth=truth, design=DESIGN, analyses=(LogRank(),), effects=(effect,), n_per_arm=(150,), seed=103, replicates=2000)
    row = simulate(trial).table.row(0, named=True)
    events = 150 * (2 - np.exp(-0.05 * 12) - np.exp(-0.05 * 0.6 * 12))
    wanted = norm.cdf(abs(np.log(0.6)) * np.sqrt(events) / 2 - norm.ppf(0.975))
    # Schoenfeld's formula is an approximation for small effects; 0.02 is allowed for it.
    assert abs(row["power"] - wanted) < BOUND * row["mcse"] + 0.02


@dataclass(frozen=True, kw_only=True)
class Wrong(AbstractAnalysis):
    """A random-slope analysis with a planted mistake."""

    measure: ClassVar[Literal["slope difference"]] = "slope difference"
    mistake: Literal["doubled standard error", "normal instead of t"] = "doubled standard error"

    @property
    def label(self):
        return self.mistake

    def analyse(self, data):
        right = RandomSlope().analyse(data)
        se = right.standard_error * (2 if self.mistake == "doubled standard error" else 1)
        df = right.df if self.mistake == "doubled standard error" else np.full(right.df.shape, np.inf)
        p = 2 * t.sf(np.abs(right.estimate / se), df)
        return Analysed(estimate=right.estimate, standard_error=se, df=df, p_value=p, benefit=right.benefit, failed=right.failed)


@pytest.mark.parametrize(("mistake", "n"), [("doubled standard error", 30), ("normal instead of t", 6)])
def test_a_wrong_analysis_fails_the_type_one_error_check(mistake, n):
    trial = Trial(
        truth=ALIVE, design=DESIGN, analyses=(Wrong(mistake=mistake),), effects=(Effect(name="null"),), n_per_arm=(n,),
        seed=104, replicates=4000,
    )  # fmt: skip
    row = simulate(trial).table.row(0, named=True)
    assert abs(row["power"] - 0.05) > BOUND * np.sqrt(0.05 * 0.95 / 4000)
    assert abs(row["coverage"] - 0.95) > BOUND * np.sqrt(0.05 * 0.95 / 4000)


def test_one_sided_alpha_of_half_has_the_same_benefit_bound():
    effect = (Effect(name="slower", slowing=0.25),)
    trial = Trial(truth=ALIVE, design=DESIGN, analyses=(RandomSlope(),), effects=effect, n_per_arm=(40,), seed=105, replicates=300)
    two = simulate(trial).table.row(0, named=True)
    one = Trial(**{f: getattr(trial, f) for f in trial.__dataclass_fields__} | {"decision": Decision(alpha=0.025, side="one-sided")})
    assert simulate(one).table.row(0, named=True)["power"] == two["benefit"]
