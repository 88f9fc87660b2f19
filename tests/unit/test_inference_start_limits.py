"""Unknown days of starting a drug: both limits of the fit, against fits of cohorts in which the day is written down."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from alsmodel.cohort import Cohort
from alsmodel.errors import InvalidInput
from alsmodel.inference import Fit, fit
from alsmodel.inference.start_limits import StartLimits, both_limits, start_limits
from alsmodel.models.spec import Exponential, JointModel, Treatment
from alsmodel.reports import tables
from alsmodel.settings import dump_toml
from alsmodel.study import load, report_again, run
from alsmodel.study.methods import start_words

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
MONTH = literal.MONTH
SPEC = JointModel(
    outcome="score", association=(), survival=Exponential(), treatments=(Treatment(name="x", score="additive", hazard="none"),),
)  # fmt: skip


def people() -> tuple[object, ...]:
    """A third without the drug, a third from a known day on, a third from an unknown one; half of the last stop at six months.

    The drug adds 0.6 points a month, and those of the unknown day have it from before time zero.
    """
    made, rng = [], np.random.default_rng(3)
    for i in range(150):
        kind, stops = i % 3, i % 2 == 1
        spell = {0: (), 1: ((4.0, literal.FOREVER),), 2: ((literal.NEVER, 6.0 if stops else literal.FOREVER),)}[kind]
        start, slope = 36 + 4 * rng.normal(), -1 + 0.4 * rng.normal()
        times = np.arange(0.0, 12.1, 2.0)
        on = {0: 0 * times, 1: np.clip(times - 4.0, 0, None), 2: np.minimum(times, 6.0) if stops else times}[kind]
        scores = start + slope * times + 0.6 * on + rng.normal(size=times.size)
        visits = tuple(zip(times.tolist(), scores.tolist(), strict=True))
        made.append(literal.Person(name=f"{i:03d}", visits=visits, end=12.5, died=i % 7 == 0, drugs={"x": spell}))
    return tuple(made)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return literal.cohort(people())


@pytest.fixture(scope="module")
def limits(cohort: Cohort) -> StartLimits:
    return start_limits(fit(SPEC, cohort, seed=2), cohort)


def with_days(cohort: Cohort, day: pl.Expr) -> Cohort:
    """The same cohort with a day in place of every unknown one."""
    unknown = pl.col("taken") & pl.col("start_day").is_null()
    exposures = cohort.exposures.with_columns(start_day=pl.when(unknown).then(day).otherwise("start_day"))
    return Cohort.of(**{**{name: cohort.tables[name] for name in cohort.tables}, "exposures": exposures})


def test_each_limit_is_the_fit_of_a_cohort_in_which_that_day_is_written(cohort: Cohort, limits: StartLimits) -> None:
    early = fit(SPEC, with_days(cohort, pl.lit(-1e5)), seed=2)
    late = fit(SPEC, with_days(cohort, pl.coalesce("stop_day", pl.lit(12.5 * MONTH))), seed=2)
    # The same arrays within follow-up, the same seed: the same draws.
    for name in ("slope", "slope:x", "sd:slope", "log_hazard[1]"):
        row = limits.table.row(by_predicate=pl.col("parameter") == name, named=True)
        for which, other in (("earliest", early), ("latest", late)):
            theirs = other.summary.row(by_predicate=pl.col("parameter") == name, named=True)
            assert row[which] == pytest.approx(theirs["mean"], rel=1e-6, abs=1e-9), (name, which)
            assert row[f"{which}_upper"] == pytest.approx(theirs["q97_5"], rel=1e-6, abs=1e-9)


def test_what_depends_on_the_day_is_told_and_what_does_not_is_not(limits: StartLimits) -> None:
    assert limits.people == {"x": 50}
    drug = limits.table.row(by_predicate=pl.col("parameter") == "slope:x", named=True)
    assert drug["earliest_lower"] < 0.6 < drug["earliest_upper"]  # the truth here
    spread = limits.earliest.summary.row(by_predicate=pl.col("parameter") == "slope:x", named=True)["sd"]
    assert drug["shift"] == pytest.approx((drug["latest"] - drug["earliest"]) / spread)
    hazard = limits.table.row(by_predicate=pl.col("parameter") == "log_hazard[1]", named=True)
    assert abs(hazard["shift"]) < 0.25 < abs(drug["shift"])  # nothing of the drug reaches the hazard
    assert str(limits).startswith("Days of starting unknown: 50 of x. ")
    assert "x: added to the slope is" in str(limits)
    shown = limits.of_drugs["parameter"].to_list()
    assert "slope:x" in shown
    assert "log_hazard[1]" not in shown
    table = tables.start_limits(limits.of_drugs)
    assert len(table.rows) == len(shown)
    same = both_limits(limits.earliest, limits.earliest)
    assert str(same).endswith("No parameter moves by more than 0.25 posterior SDs between the two limits.")


def test_limits_of_another_cohort_or_of_known_days_are_refused(cohort: Cohort, limits: StartLimits) -> None:
    known = with_days(cohort, pl.lit(0.0))
    with pytest.raises(InvalidInput, match="not the cohort that was fitted"):
        start_limits(limits.earliest, known)
    data = replace(limits.earliest.data, exposures=tuple(replace(e, unknown_start=0) for e in limits.earliest.data.exposures))
    with pytest.raises(InvalidInput, match="no limits"):
        start_limits(replace(limits.earliest, data=data), cohort)


def test_a_study_reports_both_limits_and_keeps_them(tmp_path: Path, cohort: Cohort) -> None:
    cohort.save(tmp_path / "cohort")
    study = tmp_path / "study.toml"
    values = {
        "title": "Unknown starts",
        "question": "Does x go with slower decline?",
        "data": {"format": "cohort", "folder": "cohort"},
        "estimand": {
            "population": "everybody", "variable": "score", "summary": "slope",
            "intercurrent_events": [{"event": "death", "strategy": "while alive"}],
        },
        "model": {
            "outcome": "score", "association": [], "survival": {"kind": "exponential"},
            "treatments": [{"name": "x", "score": "additive", "hazard": "none"}],
        },
        "fit": {"method": "psis", "start_limits": True},
        "baselines": {"run": False},
    }  # fmt: skip
    study.write_text(dump_toml(values))
    first = run(study, tmp_path / "run")
    assert isinstance(first.fit, Fit)
    (sentence,) = start_words(load(study).study, first.fit.data)
    assert sentence.startswith("50 of 150 participants took x from an unknown day on")
    assert sentence.endswith("is fitted too.")
    assert first.report is not None
    page = first.report.read_text(encoding="utf-8")
    for words in ("50 of 150 participants took x", "As late as can be", "Days of starting unknown: 50 of x.", "Day of starting unknown"):
        assert words in page
    assert run(study, tmp_path / "run").reused == ("cohort", "fit", "starts")
    again = report_again(tmp_path / "run")
    assert again.starts is not None
    assert again.starts.table.equals(first.starts.table)  # type: ignore[union-attr]
    # Without the setting nothing else is made again, and the page says that there is another limit.
    study.write_text(dump_toml(values | {"fit": {"method": "psis"}}))
    without = run(study, tmp_path / "run")
    assert (without.reused, without.starts) == (("cohort", "fit"), None)
    assert without.report is not None
    assert "is another fit: start_limits = true in [fit]." in without.report.read_text(encoding="utf-8")
    study.write_text(dump_toml(values | {"model": {"kind": "domains", "outcomes": [{"name": "score"}]}}))
    with pytest.raises(InvalidInput, match=r"study.toml:\d+: error: fit.start_limits: no drug"):
        load(study)
