"""Departures from missing at random: closed forms, a known truth, and controls where nothing can tip."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from alsmodel.cohort.arrays import joint_data
from alsmodel.cohort.selection import Covariate
from alsmodel.errors import InvalidInput
from alsmodel.inference import Sampling, fit_data
from alsmodel.inference.tipping import tipping_point
from alsmodel.models import Exponential, JointModel, Linear, NoAssociation

pytestmark = pytest.mark.xdist_group("nuts")
literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
SPEC = JointModel(
    outcome="score", decline=Linear(covariates=("arm",)), survival=Exponential(), association=NoAssociation(),
    covariates={"arm": Covariate(reference="placebo")},
)  # fmt: skip
HORIZON, EFFECT = 12.0, "slope:arm[active]"


def fit_of(ends: np.ndarray, events: np.ndarray, mean: float = 0.2, sd: float = 0.05, draws: int = 4000) -> Any:
    """A posterior of the difference in slope that is exactly normal in its quantiles, every other participant treated."""
    n = ends.size
    slope = stats.norm(mean, sd).ppf((np.random.default_rng(1).permutation(draws) + 0.5) / draws)
    data = SimpleNamespace(people=n, event=events, event_time=ends, columns={"arm[active]": np.arange(n) % 2 * 1.0})
    own = {EFFECT: slope[None]}
    return SimpleNamespace(spec=SPEC, data=data, draws=own, flat=lambda name: own[name].ravel(), time_unit="month")


def test_the_point_is_the_quantile_of_the_effect_over_the_time_lost() -> None:
    fit = fit_of(np.where(np.arange(100) % 2, 3.0, 12.0), np.zeros(100))  # all of the treated leave at 3, nobody of the others
    found = tipping_point(fit, EFFECT, HORIZON, [0.0, 0.1, 0.5])
    gain = HORIZON * stats.norm(0.2, 0.05).ppf(0.025)
    # 4,000 evenly spaced quantiles: the 2.5% one is known to a hundredth of an SD.
    assert found.treated_alone == pytest.approx(gain / 9, abs=0.01 * 0.6 / 9 * 3)
    assert found.both == found.treated_alone
    assert (found.left, found.lost_time) == ((50, 0), (9.0, 0.0))
    row = found.table.filter((found.table["delta_treated"] == 0.1) & (found.table["delta_control"] == 0)).row(0, named=True)
    assert row["difference"] == pytest.approx(12 * 0.2 - 0.9, abs=1e-3)
    assert row["sd"] == pytest.approx(0.6, rel=0.01)
    assert row["p_benefit"] == pytest.approx(stats.norm.cdf(1.5 / 0.6), abs=5e-4)
    assert found.table["holds"].to_list() == [p >= 0.975 for p in found.table["p_benefit"]]
    assert "0.14 points per month" in str(found)


def test_who_left_is_uncertain_too() -> None:
    ends = np.where(np.arange(80) % 4 == 1, 4.0, 12.0)  # half of the treated leave at 4
    found = tipping_point(fit_of(ends, np.zeros(80), draws=8000), EFFECT, HORIZON, [1.0], draws=8000)
    alone = found.table.row(0, named=True)
    share = stats.beta(20, 20)  # of a flat Dirichlet over 40 participants
    assert alone["difference"] == pytest.approx(2.4 - 8 * share.mean(), abs=5 * 0.86 / np.sqrt(8000))
    assert alone["sd"] == pytest.approx(np.hypot(0.6, 8 * share.std()), rel=0.04)


def test_nothing_tips_where_nobody_who_was_treated_left_alive() -> None:
    n = np.arange(60)
    control_only = fit_of(np.where(n % 2, 12.0, 5.0), np.zeros(60))
    found = tipping_point(control_only, EFFECT, HORIZON, [0.0, 2.0])
    assert (found.treated_alone, found.both) == (np.inf, np.inf)
    assert found.table["difference"].max() == pytest.approx(2.4 + 2.0 * 7, abs=1e-3)
    # The dead have not left, whatever the mask says.
    died = fit_of(np.where(n % 2, 5.0, 12.0), n % 2 * 1.0)
    for mask in (None, np.ones(60, bool)):
        assert tipping_point(died, EFFECT, HORIZON, [3.0], left=mask).table["difference"].to_list() == pytest.approx([2.4, 2.4], abs=1e-3)
    # Nothing was concluded to begin with.
    weak = tipping_point(fit_of(np.full(60, 6.0), np.zeros(60), mean=0.05), EFFECT, HORIZON, [0.0])
    assert weak.treated_alone == 0
    assert "not concluded" in str(weak)


def people(n: int, delta: float) -> tuple[tuple[Any, ...], np.ndarray]:
    """Half treated, of whom two in five leave early and decline `delta` faster from then on; and everybody's true score at the horizon."""
    out, at_end = [], np.empty(n)
    for i in range(n):
        rng = np.random.default_rng([9, i])
        active = i % 2
        b, rate = 38 + 4 * rng.normal(), -0.9 + 0.4 * active + 0.3 * rng.normal()
        leaves = float(rng.uniform(3, 6)) if active and rng.random() < 0.4 else HORIZON + 0.1
        times = np.arange(0, min(leaves, HORIZON) + 1e-9, 1.5)
        at_end[i] = b + rate * HORIZON - delta * max(HORIZON - leaves, 0)
        visits = tuple(zip(times.tolist(), (b + rate * times + rng.normal(0, 1.2, times.size)).tolist(), strict=True))
        # A few controls die, after the horizon: a hazard has to be there.
        died = not active and i < 20
        out.append(literal.Person(name=f"{i:03d}", visits=visits, end=leaves, died=died, arm="active" if active else "placebo"))
    return tuple(out), at_end


def test_the_true_departure_gives_the_true_difference_and_missing_at_random_does_not() -> None:
    delta = 1.5
    persons, at_end = people(160, delta)
    truth = at_end[1::2].mean() - at_end[::2].mean()
    data = joint_data(literal.cohort(persons), SPEC.selection)
    fit = fit_data(SPEC, data, Sampling(cores=1), method="psis", seed=3)
    found = tipping_point(fit, EFFECT, HORIZON, [0.0, delta])
    rows = {(row["delta_treated"], row["delta_control"]): row for row in found.table.iter_rows(named=True)}
    right, wrong = rows[delta, 0.0], rows[0.0, 0.0]
    # The truth is a mean of 80 people against 80, whose lines have an SD of 5.5 points at the horizon: 0.87 points of its own.
    assert abs(right["difference"] - truth) < 2.5 * np.hypot(right["sd"], 0.87)
    assert wrong["difference"] - truth > 2.5 * np.hypot(wrong["sd"], 0.87)
    assert wrong["holds"]
    assert 0 < found.treated_alone < 3


def test_what_is_no_effect_of_a_treatment_is_refused() -> None:
    fit = fit_of(np.full(20, 6.0), np.zeros(20))
    with pytest.raises(InvalidInput, match="no treatment and no 0/1"):
        tipping_point(fit, "slope:age", HORIZON, [0.0])
    with pytest.raises(ValueError, match="at least 0"):
        tipping_point(fit, EFFECT, HORIZON, [-1.0])
    with pytest.raises(ValueError, match="horizon"):
        tipping_point(fit, EFFECT, -2.0, [1.0])
    one_arm = SimpleNamespace(**{**vars(fit), "data": SimpleNamespace(**{**vars(fit.data), "columns": {"arm[active]": np.ones(20)}})})
    with pytest.raises(InvalidInput, match="arms is empty"):
        tipping_point(one_arm, EFFECT, HORIZON, [0.0])  # type: ignore[arg-type]
    logged = SimpleNamespace(**{**vars(fit), "spec": replace(SPEC, outcome="serBilir", transform="log")})
    with pytest.raises(InvalidInput, match="Deltas are points"):
        tipping_point(logged, EFFECT, HORIZON, [0.0])  # type: ignore[arg-type]


def test_a_randomised_drug_is_followed_from_its_start() -> None:
    spec = literal.SPECS["arm on the clock"]
    data = joint_data(literal.cohort(), spec.selection)
    draws = {"slope difference:active": np.full((1, 50), 0.25)}
    fit: Any = SimpleNamespace(spec=spec, data=data, draws=draws, flat=lambda name: draws[name].ravel(), time_unit="month")
    found = tipping_point(fit, "active", HORIZON, [0.0])
    assert found.table["difference"].to_list() == pytest.approx([0.25 * HORIZON])
    assert sum(found.left) == 1  # "d" alone was censored before the horizon
