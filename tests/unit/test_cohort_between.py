"""Events known only to lie between two days, from files to arrays: contract, bad rows, and who takes one day for them."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from alsmodel.baselines import fit as classical_fit
from alsmodel.cohort import Cohort, read
from alsmodel.cohort.arrays import joint_data
from alsmodel.cohort.between import between, with_days
from alsmodel.cohort.cdisc.write import write_adam
from alsmodel.cohort.outcome_arrays import outcome_data
from alsmodel.cohort.sources import LongitudinalTable, SurvivalTable, TablesSource
from alsmodel.errors import InvalidInput
from alsmodel.inference.store import read_data, write_data
from alsmodel.models.causes import Cause
from alsmodel.models.domain import DomainModel, Outcome
from alsmodel.models.spec import JointModel
from alsmodel.settings import decode
from alsmodel.study.methods import model_words
from alsmodel.study.spec import FitPlan
from alsmodel.trials.comparison import ComparisonPlan
from alsmodel.trials.observed import observed_trial

_FREE = "free_until_day"
_NAMED = 'event = "tracheostomy"\ndefinition = "tracheostomy"\n'
# id, months followed, dead, last known alive
PEOPLE = [
    ("a", "10", "1", "6"),
    ("b", "12", "1", ""),
    ("c", "14", "0", ""),
    ("d", "8", "1", "8"),
    ("e", "9", "1", "soon"),
    ("f", "9", "1", "-2"),
    ("g", "9", "1", "11"),
    ("h", "9", "0", "4"),
]
SOURCE = TablesSource(
    time_unit="month",
    longitudinal=LongitudinalTable(file="scores.csv", participant="id", time="month", outcomes=("score",)),
    survival=SurvivalTable(
        file="follow.csv", participant="id", time="month", event="dead", event_values=(1,), event_name="death", free_until="alive",
        definition="death",
    ),
)  # fmt: skip
SPEC = JointModel(outcome="score")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("between")
    rows = [f"{name},{month},{40 - month}" for name, *_ in PEOPLE for month in (0, 3, 7)]
    (folder / "scores.csv").write_text("\n".join(["id,month,score", *rows]) + "\n")
    (folder / "follow.csv").write_text("\n".join(["id,month,dead,alive", *(",".join(row) for row in PEOPLE)]) + "\n")
    return read(folder, "tables", SOURCE)


def test_good_rows_keep_both_days_and_bad_ones_the_truth_that_is_left(cohort: Cohort) -> None:
    month = 365.25 / 12
    days = dict(cohort.events.select("participant_id", "free_until_day").iter_rows())
    # Where the cell cannot be used, the participant was free of the event at time zero, and that is all.
    expected = {"a": 6 * month, "b": None, "d": None, "e": 0.0, "f": 0.0, "g": 0.0}
    assert days.keys() == expected.keys()
    for name, value in expected.items():
        assert days[name] == (None if value is None else pytest.approx(value)), name
    found = {(rule, person) for rule, person in cohort.issues.select("rule", "participant_id").iter_rows() if "free_until" in rule}
    assert found == {
        ("free_until_not_a_number", "e"), ("free_until_before_entry", "f"), ("free_until_after_event", "g"),
        ("free_until_without_event", "h"),
    }  # fmt: skip
    told = cohort.issues.filter(pl.col("rule") == "measurement_before_event_known")["participant_id"]
    assert set(told) == {"a", "e", "f", "g"}


def test_a_mapping_file_names_the_day_too(tmp_path: Path) -> None:
    (tmp_path / "visits.csv").write_text("ID,day,total\n1,0,40\n2,0,42\n3,0,44\n")
    (tmp_path / "trach.csv").write_text("ID,day,without\n1,240,170\n2,200,\n3,150,400\n")
    (tmp_path / "deaths.csv").write_text("ID,died,day,alive\n1,yes,400,390\n2,no,,300\n")
    forms = {
        "visits": ("measurements", "", {"ID": "participant_id", "day": "day", "total": "value:score"}),
        "trach": ("event", _NAMED, {"ID": "participant_id", "day": "day", "without": _FREE}),
        "deaths": ("death", "", {"ID": "participant_id", "died": "died", "day": "day", "alive": _FREE}),
    }
    text = 'source = "clinic"\nnulls = [""]\n[time]\nunit = "day"\norigin = "recorded"\n'
    for name, (kind, more, columns) in forms.items():
        text += f'[tables.{name}]\nkind = "{kind}"\nfile = "{name}.csv"\n{more}[tables.{name}.columns]\n'
        text += "".join(f'{column} = "{target}"\n' for column, target in columns.items())
    mapping = tmp_path / "map.toml"
    mapping.write_text(text)
    found = read(tmp_path, "mapped", mapping)
    days = {(person, kind): free for person, kind, free in found.events.select("participant_id", "kind", _FREE).iter_rows()}
    assert days == {
        ("1", "death"): 390.0, ("1", "tracheostomy"): 170.0, ("2", "tracheostomy"): None, ("3", "tracheostomy"): 0.0,
    }  # fmt: skip
    assert {"free_until_after_event", "free_until_without_event"} <= set(found.issues["rule"])


def test_contract_refuses_a_day_free_that_is_not_before_the_event(cohort: Cohort) -> None:
    wrong = cohort.events.with_columns(free_until_day=pl.col("day") + 1.0)
    with pytest.raises(Exception, match="free_before_the_event"):
        replace(cohort, events=wrong)


def test_a_saved_cohort_comes_back_and_one_saved_before_is_still_read(cohort: Cohort, tmp_path: Path) -> None:
    again = Cohort.load(cohort.save(tmp_path / "new"))
    assert again.digest == cohort.digest
    assert again.events.equals(cohort.events)
    plain = with_days(cohort, "first known")
    folder = plain.save(tmp_path / "old")
    pl.read_parquet(folder / "events.parquet").drop("free_until_day").write_parquet(folder / "events.parquet")
    assert Cohort.load(folder).digest == plain.digest
    assert plain.digest != cohort.digest


def test_arrays_keep_the_interval_and_only_scores_before_it(cohort: Cohort, tmp_path: Path) -> None:
    data = joint_data(cohort, SPEC.selection)
    place = {name: i for i, name in enumerate(data.participant_ids)}
    assert [name for name in place if data.interval_censored[place[name]]] == ["a", "e", "f", "g"]
    assert (data.free_until[place["a"]], data.event_time[place["a"]]) == pytest.approx((6.0, 10.0))
    np.testing.assert_allclose(data.visit_time[data.visit_person == place["a"]], [0.0, 3.0])
    np.testing.assert_allclose(data.visit_time[data.visit_person == place["b"]], [0.0, 3.0, 7.0])
    assert "4 have an event known only to lie between two days" in " ".join(data.steps["reason"].drop_nulls())
    assert "scores between the two days of an event left out" in " ".join(data.steps["reason"].drop_nulls())
    write_data(data, tmp_path)
    np.testing.assert_array_equal(read_data(tmp_path).free_until, data.free_until)
    np.testing.assert_array_equal(data.of_people(np.array([0, 2])).free_until, data.free_until[[0, 2]])


@pytest.mark.parametrize(("how", "day"), [("middle", 8.0), ("first known", 10.0)])
def test_one_day_is_taken_where_asked_and_said(cohort: Cohort, how: str, day: float) -> None:
    spec = decode(JointModel, {"outcome": "score", "event_days": how})
    data = joint_data(cohort, spec.selection)
    assert not data.interval_censored.any()
    assert data.event_time[0] == pytest.approx(day)
    assert ("the middle of the two was taken" in " ".join(data.steps["reason"].drop_nulls())) == (how == "middle")
    assert "An event known only to lie between two days counts as if it had happened" in str(spec)
    assert "between two days" not in str(SPEC)


def test_entry_is_free_of_the_event_and_of_several_kinds_the_first_counts() -> None:
    people = pl.DataFrame({"participant_id": ["a", "b"], "entry_day": [60.0, 0.0]})
    scores = pl.DataFrame({"participant_id": ["a", "a", "b"], "day": [0.0, 61.0, 0.0], "name": "score", "value": [40.0, 39.0, 41.0]})
    events = pl.DataFrame(
        {
            "participant_id": ["a", "b", "b"], "kind": ["death", "death", "tracheostomy"], "day": [200.0, 150.0, 180.0],
            "definition": ["death", "death", "tracheostomy"], "free_until_day": [10.0, None, 90.0],
        }
    )  # fmt: skip
    data = joint_data(
        Cohort.of(participants=people, measurements=scores, events=events),
        JointModel(outcome="score", events=("death", "tracheostomy"), time_unit="day").selection,
    )
    # Nobody had the event on entering; b died on day 150, and may have had the tracheostomy from day 90 on.
    np.testing.assert_allclose(data.free_until, [60.0, 90.0])
    np.testing.assert_allclose(data.event_time, [200.0, 150.0])
    np.testing.assert_allclose(data.visit_time, [0.0, 0.0])


def test_who_needs_one_day_refuses(cohort: Cohort, tmp_path: Path) -> None:
    left = replace(cohort, events=pl.concat([cohort.events, cohort.events.tail(1).with_columns(kind=pl.lit("dropout"))]))
    causes = JointModel(outcome="score", causes=(Cause(name="dropout", events=("dropout",)),))
    with pytest.raises(InvalidInput, match="several causes each needs a day"):
        joint_data(left, causes.selection)
    with pytest.raises(InvalidInput, match=r"takes the day of each component.*event_days"):
        joint_data(cohort, JointModel(outcome="score", end_point="death").selection)
    domain = DomainModel(outcomes=(Outcome(name="score", likelihood="gaussian"),))
    with pytest.raises(InvalidInput, match="several outcomes takes one day"):
        outcome_data(cohort, domain.selection, domain.outcomes, gaussian_at_bounds=True)
    one = DomainModel(outcomes=(Outcome(name="score", likelihood="gaussian"),), event_days="middle")
    assert not outcome_data(cohort, one.selection, one.outcomes, gaussian_at_bounds=True).base.interval_censored.any()
    arms = replace(cohort, participants=cohort.participants.with_columns(arm=pl.Series(["x", "y"] * 4)))
    plan = ComparisonPlan(control="x", active=("y",), visits=(0.0, 3.0), outcome="score")
    with pytest.raises(InvalidInput, match="analyses of a trial take one day"):
        observed_trial(arms, plan)
    taken = observed_trial(arms, replace(plan, event_days="first known"))
    assert "4 of the cohort with an event known only to lie between two days" in " ".join(taken.steps["reason"])
    with pytest.raises(InvalidInput, match="ADTTE has one"):
        write_adam(cohort, tmp_path)
    assert between(with_days(cohort, "middle").events).is_empty()


def test_report_says_how_many_events_lie_between_two_days(cohort: Cohort) -> None:
    study, fit = SimpleNamespace(model=SPEC, fit=FitPlan()), SimpleNamespace(data=joint_data(cohort, SPEC.selection))
    assert model_words(study, fit)[-1].startswith("4 of 6 events are known only to lie between two days")  # type: ignore[arg-type]
    assert model_words(study) == SPEC.words()  # type: ignore[arg-type]


def test_classical_analyses_say_what_they_took() -> None:
    rng = np.random.default_rng(9)
    x = rng.normal(size=300)
    time = 20.0 * (rng.exponential(size=300) * np.exp(-0.7 * x)) ** (1 / 1.5)
    end, event = np.minimum(time, 30.0), time <= 30.0
    low = np.where(event, np.floor(end / 8.0) * 8.0, end)
    end = np.where(event, np.floor(end / 8.0) * 8.0 + 8.0, end)
    found = classical_fit(end, event, {"x": x}, free_until=low)
    assert "Kaplan-Meier and Cox take the middle of the two" in found.notes[0]
    aft = {row["term"]: row for row in found.weibull_aft.iter_rows(named=True)}
    # Weibull AFT keeps the intervals, and so finds the shape; with the later day for each it would be far too steep.
    truth, shape = np.log(1.5), aft["(shape)"]
    late = {row["term"]: row for row in classical_fit(end, event, {"x": x}).weibull_aft.iter_rows(named=True)}["(shape)"]
    assert abs(shape["log_time_ratio"] - truth) < 3 * shape["se"]
    assert (late["log_time_ratio"] - truth) / late["se"] > 4
    middle = classical_fit(np.where(event, (low + end) / 2, end), event, {"x": x})
    assert found.cox.equals(middle.cox)
    assert found.kaplan_meier.equals(middle.kaplan_meier)
    with pytest.raises(InvalidInput, match="last free of it before entry or after"):
        classical_fit(end, event, {"x": x}, free_until=end + 1.0)
