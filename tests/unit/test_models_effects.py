"""Who a drug acts on and when: groups and periods, delayed onset, washout, and eligibility."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.models import Tofersen, Treatment
from alsmodel.models.effects import exposed
from alsmodel.models.groups import members, small_groups

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
X = Treatment(name="x")


def data_of(**choices: Any) -> Any:
    spec = replace(literal.BASE, treatments=(replace(X, **choices),))
    return spec, joint_data(literal.cohort(), spec.selection)


def within(start: np.ndarray, stop: np.ndarray) -> float:
    """Exposed time between -50 and 50 months."""
    return float((np.clip(stop, -50, 50) - np.clip(start, -50, 50)).sum())


def test_groups_and_periods_share_out_the_same_exposure() -> None:
    _, plain = data_of()
    total = within(plain.exposure_start, plain.exposure_stop)
    by = exposed(*data_of(by="arm"))
    assert [one.theta for one in by.acting] == ["theta:x[active]", "theta:x[placebo]"]
    assert {one.ratio for one in by.acting} == {"hazard:x"}
    assert within(by.start, by.stop) == pytest.approx(total)
    periods = exposed(*data_of(hazard_periods=(3.0, 5.0)))
    assert [one.ratio for one in periods.acting] == ["", "hazard:x[1]", "hazard:x[2]", "hazard:x[3]"]
    late = periods.which > 0
    assert within(periods.start[late], periods.stop[late]) == pytest.approx(total)
    assert within(periods.start[~late], periods.stop[~late]) == pytest.approx(total)
    assert (np.diff(periods.person) >= 0).all()


def test_an_effect_starts_late_and_outlasts_exposure() -> None:
    _, plain = data_of()
    _, later = data_of(onset_delay_months=1.5, washout_months=0.5)
    finite = np.isfinite(plain.exposure_start) & np.isfinite(plain.exposure_stop)
    np.testing.assert_allclose(later.exposure_start[finite], plain.exposure_start[finite] + 1.5, atol=1e-12)
    np.testing.assert_allclose(later.exposure_stop[finite], plain.exposure_stop[finite] + 0.5, atol=1e-12)
    # Somebody exposed for 4 months whose effect takes 5 to come never has it.
    _, never = data_of(onset_delay_months=5.0)
    a = never.participant_ids.index("a")
    assert not (never.exposure_person == a).any()


def sod1(result: str = "mutation") -> Any:
    cohort = literal.cohort()
    exposures = cohort.exposures.with_columns(drug=pl.when(pl.col("drug") == "x").then(pl.lit("tofersen")).otherwise("drug"))
    tests = pl.DataFrame({"participant_id": ["a", "b"], "gene": ["SOD1"] * 2, "result": ["mutation", result], "variant": ["A5V", None]})
    return replace(cohort, exposures=exposures, genotypes=tests)


def test_exposure_of_those_who_are_not_eligible_is_refused_or_counted() -> None:
    spec = replace(literal.BASE, treatments=(Tofersen(),))
    with pytest.raises(InvalidInput, match="1 participants are exposed to tofersen without a SOD1 mutation"):
        joint_data(sod1(), spec.selection)  # a and b carry a mutation; d takes the drug and was never tested
    excluding = replace(spec, treatments=(Tofersen(ineligible="exclude"),))
    data = joint_data(sod1(), excluding.selection)
    assert "d" not in data.participant_ids
    assert "without a SOD1 mutation on record: 1 left out" in " ".join(data.steps["reason"].drop_nulls().to_list())
    data = joint_data(sod1("uncertain"), excluding.selection)  # an uncertain variant is no mutation
    assert not {"b", "d"} & set(data.participant_ids)


def test_sites_lie_within_their_cohort_and_nothing_recorded_is_a_level() -> None:
    _, data = data_of()
    groups = {"cohort": ("P", "P", "Q", "Q", "Q", "P"), "site": ("1", "2", "1", None, "1", "1")}
    data = replace(data, groups=groups)
    levels, index = members(data, ("cohort", "site"), where="model.hierarchy")
    assert levels == ("P/1", "P/2", "Q/1", "Q/unknown")
    np.testing.assert_array_equal(index, [0, 1, 2, 3, 2, 0])
    assert small_groups(data, ("cohort",), where="x") == ("P", "Q")  # fewer than ten in each
