"""Kaplan-Meier against hand counts."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from alsmodel import baselines
from alsmodel.errors import InvalidInput

TIME = np.array([1.0, 2.0, 2.0, 3.0, 4.0, 5.0])
EVENT = np.array([1, 1, 0, 0, 1, 0])


def everybody(result: baselines.Baselines) -> pl.DataFrame:
    return result.kaplan_meier.filter(pl.col("by") == "all")


def test_survival_and_risk_sets_match_hand_counts() -> None:
    # Risk sets 6, 5, 3, 2, 1: S = 5/6, 5/6 * 4/5, the same at 3 (censored only), times 1/2 at 4.
    curve = everybody(baselines.fit(TIME, EVENT))
    assert curve["time"].to_list() == [0, 1, 2, 3, 4, 5]
    assert curve["at_risk"].to_list() == [6, 6, 5, 3, 2, 1]
    assert curve["events"].to_list() == [0, 1, 1, 0, 1, 0]
    np.testing.assert_allclose(curve["survival"], [1, 5 / 6, 2 / 3, 2 / 3, 1 / 3, 1 / 3], rtol=1e-12)


def test_limits_are_greenwood_on_the_log_log_scale() -> None:
    curve = everybody(baselines.fit(TIME, EVENT)).row(2, named=True)
    s = 2 / 3
    se = np.sqrt(1 / (6 * 5) + 1 / (5 * 4)) / np.log(s)
    limits = sorted(s ** np.exp(sign * 1.959963984540054 * se) for sign in (-1, 1))
    np.testing.assert_allclose([curve["lower"], curve["upper"]], limits, rtol=1e-9)


def test_limits_are_the_estimate_where_nobody_or_everybody_has_died() -> None:
    curve = everybody(baselines.fit(np.array([1.0, 2.0]), np.array([1, 1])))
    assert curve.row(0)[3:6] == (1.0, 1.0, 1.0)
    assert curve.row(-1)[3:6] == (0.0, 0.0, 0.0)


def test_delayed_entry_counts_only_those_already_followed() -> None:
    # At 2 the one who enters at 2 is not yet at risk; S = 1 * (1 - 1/2) at 2, then * (1 - 1/2) at 4.
    end, event, entry = np.array([2.0, 4.0, 6.0]), np.array([1, 1, 0]), np.array([0.0, 1.0, 2.0])
    curve = everybody(baselines.fit(end, event, entry_time=entry)).filter(pl.col("events") > 0)
    assert curve["at_risk"].to_list() == [2, 2]
    np.testing.assert_allclose(curve["survival"], [0.5, 0.25], rtol=1e-12)


def test_each_group_gets_its_own_curve_and_missing_labels_a_note() -> None:
    groups = {"phenotype": np.array(["bulbar", "limb", "limb", None, "bulbar", "limb"], dtype=object)}
    result = baselines.fit(TIME, EVENT, groups=groups)
    grouped = result.kaplan_meier.filter(pl.col("by") == "phenotype")
    start = grouped.filter(pl.col("time") == 0)
    assert dict(start.select("group", "at_risk").iter_rows()) == {"bulbar": 2, "limb": 3}
    assert "Kaplan-Meier by phenotype leaves out 1 participants without a value." in result.notes


def test_run_takes_the_arrays_of_the_fit() -> None:
    data = SimpleNamespace(event_time=TIME, event=EVENT)
    result = baselines.run(data, time_unit="year")
    assert (result.n, result.events, result.time_unit) == (6, 3, "year")


def test_all_faults_in_the_times_come_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        baselines.fit(np.array([np.nan, -1.0, 2.0]), np.array([0, 2, 1]), entry_time=np.array([0.0, 0.0, 3.0]))
    assert [fault.place for fault in caught.value.faults] == [
        "event",
        "event_time",
        "event_time",
        "entry_time",
    ]
