"""What the priors expect of an ALSFRS-R total, against closed forms; and the table of priors with their reasons."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from scipy import stats

from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.inference.prior_predictive import prior_predictive
from alsmodel.models import Exponential, HalfNormal, JointModel, Normal, Priors, als_priors
from alsmodel.models.prior_table import prior_table

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
SPEC = JointModel(survival=Exponential())


def cohort() -> object:
    made = literal.cohort()
    return replace(made, measurements=made.measurements.with_columns(name=pl.lit("alsfrs_r_total")))


def narrow(intercept: Normal, slope: Normal) -> Priors:
    """Everybody is the same person, so that a path is a draw of intercept and slope."""
    tiny = HalfNormal(scale=1e-6)
    return Priors(intercept=intercept, slope=slope, sd_intercept=tiny, sd_slope=tiny, sd_residual=tiny, log_hazard=Normal(mean=-4, sd=0.1))


def test_shares_are_those_of_the_normal_distribution() -> None:
    # From 24 points, follow-up of at least 17 / 3 months and at most 17: a slope above 1 rises too fast before it could leave the scale
    # within 17 months at 24 / 17 = 1.41.
    spec = replace(SPEC, priors=narrow(Normal(mean=24, sd=1e-6), Normal(mean=0, sd=1)))
    found = prior_predictive(spec, cohort(), draws=2000)
    data = joint_data(cohort(), spec.selection)
    until = np.maximum(data.event_time, data.event_time.max() / 3)
    edges = np.linspace(0, data.event_time.max(), 25)
    last = np.array([edges[edges <= u].max() for u in until])
    below = float(stats.norm.sf(24 / last).mean())
    error = 4 * np.sqrt(0.25 / 2000)
    assert found.rising == pytest.approx(stats.norm.sf(1.0), abs=error)
    assert found.below == pytest.approx(below, abs=error)
    assert found.above == pytest.approx(below, abs=error)
    assert found.impossible == pytest.approx(below + stats.norm.sf(1.0), abs=error)


def test_named_priors_expect_fewer_impossible_paths_than_weak_ones() -> None:
    weak = prior_predictive(SPEC, cohort(), draws=200)
    named = prior_predictive(replace(SPEC, priors=als_priors()), cohort(), draws=200)
    assert weak.impossible > 0.8  # ten times the spread of the data: nearly every path leaves the scale
    assert named.impossible < 0.4
    assert "Of the true paths that the priors expect" in str(named)


def test_a_prior_of_recovery_is_seen() -> None:
    found = prior_predictive(replace(SPEC, priors=narrow(Normal(mean=30, sd=0.1), Normal(mean=2, sd=0.1))), cohort(), draws=50)
    assert found.rising == 1.0
    assert found.impossible == 1.0


def test_a_score_without_bounds_is_refused() -> None:
    with pytest.raises(InvalidInput, match="leaves its scale"):
        prior_predictive(replace(SPEC, outcome="score"), literal.cohort())


def test_every_prior_is_listed_with_its_reason() -> None:
    spec = replace(
        literal.SPECS["m-spline, pooled strata"], priors=replace(als_priors(), slope=Normal(mean=-1, sd=0.4, reason="our register"))
    )
    table = prior_table(spec, joint_data(literal.cohort(), spec.selection))
    rows = {row["parameters"]: row for row in table.iter_rows(named=True)}
    assert rows["slope"] == {"parameters": "slope", "prior": "N(-1, 0.4^2)", "reason": "our register"}
    assert rows["sd:slope"]["reason"].startswith("SD of slopes")
    assert rows["log_level"]["reason"] == "weak, in units of the data"
    assert all(row["reason"] for row in rows.values())
