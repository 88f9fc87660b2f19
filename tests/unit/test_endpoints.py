"""End points of survival from the events of a cohort."""

import random
from typing import Any

import polars as pl
import pytest

from alsmodel.clinical.events import (
    COMPOSITE_CENTAUR,
    COMPOSITE_ENCALS,
    DEATH,
    DIED,
    EVENT_DEFINITIONS,
    NIV_23,
    NIV_STARTED,
    PAV_22,
    PAV_HEALEY,
    PAV_RECORDED,
    TRACHEOSTOMY,
    TRACHEOSTOMY_FREE,
    EventComponent,
    EventDefinition,
)
from alsmodel.clinical.ventilation import pav_from_ventilation, ventilation_events
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.endpoints import COLUMNS, end_point, end_point_counts, end_point_table, recorded_events
from alsmodel.errors import InvalidInput

Event = tuple[str, EventComponent, float | None]
ALL = (DIED, TRACHEOSTOMY, PAV_22, PAV_RECORDED, NIV_23, NIV_STARTED)


def declared(*components: EventComponent) -> dict[str, Any]:
    return {"records_events": [{"kind": c.kind, "definition": c.tag} for c in components]}


def cohort(
    people: dict[str, tuple[float | None, float | None]], events: list[Event], *components: EventComponent, **tables: pl.DataFrame
) -> Cohort:
    """Participants as id -> (entry day, last contact)."""
    return Cohort.of(
        declared(*components),
        participants=pl.DataFrame(
            {
                "participant_id": list(people),
                "entry_day": [entry for entry, _ in people.values()],
                "last_contact_day": [last for _, last in people.values()],
            },
            schema_overrides={"entry_day": pl.Float64, "last_contact_day": pl.Float64},
        ),
        events=pl.DataFrame(
            [(who, c.kind, day, c.tag) for who, c, day in events],
            schema={"participant_id": pl.String, "kind": pl.String, "day": pl.Float64, "definition": pl.String},
            orient="row",
        ),
        **tables,
    )


def one(events: list[tuple[EventComponent, float | None]], definition: EventDefinition, entry: float | None = 0.0) -> dict[str, Any]:
    """The single row of a participant last seen on day 300."""
    data = cohort({"1": (entry, 300.0)}, [("1", c, day) for c, day in events], *ALL)
    return end_point(data, definition).row(0, named=True)


# events -> end day, happened, component, and the flags that are set. Last contact is day 300, entry day 0.
WORKED: list[tuple[str, list[tuple[EventComponent, float | None]], EventDefinition, float, bool, str | None, set[str]]] = [
    ("nothing recorded", [], DEATH, 300, False, None, set()),
    ("death", [(DIED, 200)], DEATH, 200, True, DIED.tag, set()),
    ("death after last contact", [(DIED, 400)], DEATH, 400, True, DIED.tag, {"after_last_contact"}),
    ("death on an unknown day", [(DIED, None)], DEATH, 300, False, DIED.tag, {"undated"}),
    ("death on the day of entry", [(DIED, 0)], DEATH, 0, False, DIED.tag, {"at_entry"}),
    ("tracheostomy is no death", [(TRACHEOSTOMY, 100)], DEATH, 300, False, None, set()),
    ("tracheostomy, then death", [(TRACHEOSTOMY, 100), (DIED, 200)], TRACHEOSTOMY_FREE, 100, True, TRACHEOSTOMY.tag, set()),
    ("on the same day death is named", [(TRACHEOSTOMY, 200), (DIED, 200)], TRACHEOSTOMY_FREE, 200, True, DIED.tag, set()),
    ("unknown tracheostomy before death", [(TRACHEOSTOMY, None), (DIED, 200)], TRACHEOSTOMY_FREE, 200, True, DIED.tag, {"undated"}),
    ("unknown death after tracheostomy", [(TRACHEOSTOMY, 100), (DIED, None)], TRACHEOSTOMY_FREE, 100, True, TRACHEOSTOMY.tag, set()),
    ("both unknown", [(TRACHEOSTOMY, None), (DIED, None)], TRACHEOSTOMY_FREE, 300, False, TRACHEOSTOMY.tag, {"undated"}),
    ("PAV at baseline is censored there", [(PAV_22, -5), (DIED, 90)], PAV_HEALEY, 0, False, PAV_22.tag, {"at_entry"}),
    ("PAV without hours is none of HEALEY's", [(PAV_RECORDED, 50), (DIED, 90)], PAV_HEALEY, 90, True, DIED.tag, set()),
    ("a tracheostomy is none of HEALEY's", [(TRACHEOSTOMY, 50), (DIED, 90)], PAV_HEALEY, 90, True, DIED.tag, set()),
    ("NIV above 23 hours ends ENCALS", [(NIV_23, 50), (TRACHEOSTOMY, 60), (DIED, 90)], COMPOSITE_ENCALS, 50, True, NIV_23.tag, set()),
    ("the start of NIV does not", [(NIV_STARTED, 50), (DIED, 90)], COMPOSITE_ENCALS, 90, True, DIED.tag, set()),
    ("PAV by hours is taken before PAV as recorded", [(PAV_RECORDED, 40), (PAV_22, 50)], COMPOSITE_CENTAUR, 50, True, PAV_22.tag, set()),
]


@pytest.mark.parametrize(
    ("events", "definition", "end", "happened", "component", "flags"), [w[1:] for w in WORKED], ids=[w[0] for w in WORKED]
)
def test_worked_cases(
    events: list[tuple[EventComponent, float | None]],
    definition: EventDefinition,
    end: float,
    happened: bool,
    component: str | None,
    flags: set[str],
) -> None:
    row = one(events, definition)
    assert (row["end_day"], row["happened"], row["component"]) == (end, happened, component)
    assert {name for name in ("undated", "at_entry", "after_last_contact") if row[name]} == flags
    assert row["definition"] == definition.tag


def test_a_later_death_is_kept_for_illness_death() -> None:
    events: list[tuple[EventComponent, float | None]] = [(TRACHEOSTOMY, 100.0), (DIED, 200.0)]
    assert one(events, TRACHEOSTOMY_FREE)["later_death_day"] == 200
    assert one(events, DEATH)["later_death_day"] is None
    assert one([(PAV_22, -5), (DIED, 90)], PAV_HEALEY)["later_death_day"] == 90
    data = cohort({"1": (0.0, 300.0)}, [("1", c, day) for c, day in events], *ALL)
    before = data.digest
    end_point(data, TRACHEOSTOMY_FREE)
    assert data.events.height == 2
    assert data.digest == before


def test_follow_up_begins_at_entry_and_at_day_0_where_the_source_does_not_say() -> None:
    assert one([], DEATH, entry=-14.0)["entry_day"] == -14
    assert one([], DEATH, entry=None)["entry_day"] == 0
    assert one([(DIED, 20)], DEATH, entry=30.0)["end_day"] == 30
    late = one([], DEATH, entry=400.0)
    assert (late["entry_day"], late["end_day"]) == (400, 400)


def test_last_contact_is_the_latest_of_what_was_recorded_and_nobody_without_any_is_followed() -> None:
    visits = pl.DataFrame({"participant_id": ["seen"], "day": [350.0], "scale": ["ALSFRS-R"]})
    lab = pl.DataFrame({"participant_id": ["seen", "lab"], "day": [20.0, 70.0], "name": ["x", "x"], "value": [1.0, 1.0]})
    data = cohort({"seen": (0.0, 300.0), "lab": (0.0, None), "never": (0.0, None)}, [], *ALL, assessments=visits, measurements=lab)
    table = end_point(data, DEATH)
    assert dict(table.select("participant_id", "end_day").iter_rows()) == {"lab": 70.0, "never": None, "seen": 350.0}
    assert table["happened"].to_list() == [False, False, False]


def test_an_event_of_someone_never_seen_counts_after_last_contact() -> None:
    row = end_point(cohort({"1": (0.0, None)}, [("1", DIED, 50.0)], DIED), DEATH).row(0, named=True)
    assert (row["end_day"], row["happened"], row["after_last_contact"]) == (50, True, True)


def by_hand(entry: float, last: float | None, events: dict[str, float | None], tags: tuple[str, ...]) -> tuple[float | None, bool]:
    """End and event of one participant, written out."""
    dated = [day for tag, day in events.items() if tag in tags and day is not None]
    if dated:
        first = min(dated)
        return (entry, False) if first <= entry else (first, True)
    if last is None:
        return None, False
    death = events.get(DIED.tag)
    return max(entry, last if death is None else min(last, death)), False


def test_end_points_agree_with_the_rule_written_out_for_random_cohorts() -> None:
    rng = random.Random(4)
    people: dict[str, tuple[float | None, float | None]] = {}
    events: list[Event] = []
    held: dict[str, dict[str, float | None]] = {}
    for i in range(600):
        who = f"{i:03d}"
        people[who] = (float(rng.choice([-10, 0, 0, 30])), rng.choice([None, *map(float, range(-5, 400, 7))]))
        mine = rng.sample(ALL, rng.randint(0, len(ALL)))
        held[who] = {c.tag: rng.choice([None, *map(float, range(-20, 500, 11))]) for c in mine}
        events += [(who, c, held[who][c.tag]) for c in mine]
    data = cohort(people, events, *ALL)
    uses = {
        DEATH: (DIED.tag,),
        TRACHEOSTOMY_FREE: (DIED.tag, TRACHEOSTOMY.tag),
        PAV_HEALEY: (DIED.tag, PAV_22.tag),
        COMPOSITE_ENCALS: (DIED.tag, TRACHEOSTOMY.tag, NIV_23.tag),
        COMPOSITE_CENTAUR: (DIED.tag, TRACHEOSTOMY.tag, PAV_22.tag),
    }
    assert set(uses) == set(EVENT_DEFINITIONS.values())
    for definition, tags in uses.items():
        table = end_point(data, definition)
        assert table["participant_id"].to_list() == list(people)
        told = {who: (end, happened) for who, end, happened in table.select("participant_id", "end_day", "happened").iter_rows()}
        assert told == {who: by_hand(people[who][0] or 0.0, people[who][1], held[who], tags) for who in people}
        assert table.filter(pl.col("end_day") < pl.col("entry_day")).is_empty()
        counts = end_point_counts(table)
        assert counts.filter(pl.col("part_of") == "everyone")["participants"].sum() == len(people)
        undated = {
            w for w, e in held.items() if any(t in tags and e[t] is None for t in e) and not any(e[t] is not None for t in e if t in tags)
        }
        assert set(table.filter("undated", ~pl.col("happened"), ~pl.col("at_entry"))["participant_id"]) == undated


def test_the_counts_name_each_fate() -> None:
    people: dict[str, tuple[float | None, float | None]] = dict.fromkeys("abcdefg", (0.0, 300.0)) | {"h": (0.0, None)}
    events: list[Event] = [
        ("a", DIED, 10.0), ("b", DIED, None), ("c", TRACHEOSTOMY, -1.0), ("d", DIED, 400.0), ("e", DIED, 50.0), ("e", TRACHEOSTOMY, None),
    ]  # fmt: skip
    counts = end_point_counts(end_point(cohort(people, events, *ALL), TRACHEOSTOMY_FREE))
    assert counts.rows() == [
        ("happened", "everyone", 3),
        ("censored", "everyone", 2),
        ("on an unknown day: censored at last contact", "everyone", 1),
        ("on or before entry: censored at entry", "everyone", 1),
        ("no contact", "everyone", 1),
        ("happened after last contact", "happened", 1),
        ("happened, perhaps earlier on an unknown day", "happened", 1),
    ]


def test_pav_of_ventilation_intervals_reaches_the_end_point() -> None:
    intervals = pl.DataFrame(
        {
            "participant_id": ["base", "short", "long"],
            "start_day": [-4.0, 60.0, 60.0],
            "stop_day": [40.0, 66.0, 67.0],
            "hours_per_day": [23.0, 23.0, 23.0],
        }
    )
    rows = ventilation_events(pav_from_ventilation(intervals))
    people = {"base": (0.0, 300.0), "long": (0.0, 300.0), "short": (0.0, 300.0)}
    data = cohort(people, [(who, PAV_22, day) for who, day in rows.select("participant_id", "day").iter_rows()], DIED, PAV_22)  # type: ignore[arg-type]
    told = end_point(data, PAV_HEALEY).select("participant_id", "end_day", "happened").rows()
    assert told == [("base", 0.0, False), ("long", 60.0, True), ("short", 300.0, False)]


def test_a_source_that_records_death_alone_supports_death_alone() -> None:
    # As PRO-ACT: DEATHDATA, and no table of tracheostomy or ventilation.
    data = cohort({"1": (0.0, 300.0)}, [("1", DIED, 100.0)], DIED)
    table = end_point_table(data)
    assert table.filter("supported")["definition"].to_list() == [DEATH.tag]
    assert table["definition"].to_list() == list(EVENT_DEFINITIONS)
    assert table.filter("supported")["happened"].to_list() == [1]
    assert table.filter(~pl.col("supported"))["reason"].null_count() == 0
    for definition in EVENT_DEFINITIONS.values():
        if definition is not DEATH:
            with pytest.raises(InvalidInput):
                end_point(data, definition)


def test_a_refusal_names_every_missing_component() -> None:
    with pytest.raises(InvalidInput) as refused:
        end_point(cohort({"1": (0.0, 300.0)}, [], DIED), COMPOSITE_CENTAUR, where="study.toml: outcome.events")
    assert len(refused.value.faults) == 2
    assert {f.place for f in refused.value.faults} == {"study.toml: outcome.events"}
    assert all("Or choose an end point that the source supports: death, any cause." in f.remedy for f in refused.value.faults)


def test_rows_of_a_component_do_not_show_that_it_was_recorded_of_everyone() -> None:
    data = cohort({"1": (0.0, 300.0)}, [("1", TRACHEOSTOMY, 100.0)], DIED)
    with pytest.raises(InvalidInput, match='1 events are of "tracheostomy", but the source is not declared'):
        end_point(data, TRACHEOSTOMY_FREE)


def test_no_rows_of_a_component_that_is_recorded_mean_that_nobody_had_it() -> None:
    data = cohort({"1": (0.0, 300.0)}, [("1", DIED, 100.0)], DIED, TRACHEOSTOMY)
    assert end_point(data, TRACHEOSTOMY_FREE)["happened"].to_list() == [True]


def test_a_cohort_that_does_not_say_what_it_records_supports_nothing() -> None:
    data = Cohort.of({}, participants=pl.DataFrame({"participant_id": ["1"]}))
    with pytest.raises(InvalidInput, match="does not say which events"):
        end_point(data, DEATH)
    table = end_point_table(data)
    assert not table["supported"].any()
    assert table["reason"].unique().to_list() == [
        "The cohort does not say which events its source records of everyone, and missing rows do not show it."
    ]


@pytest.mark.parametrize("wrong", ["death", {"kind": "death"}, [{"kind": "death"}], ["death"], [{"definition": 1}]])
def test_a_declaration_of_another_form_is_refused(wrong: object) -> None:
    data = Cohort.of({"records_events": wrong}, participants=pl.DataFrame({"participant_id": ["1"]}))
    with pytest.raises(InvalidInput, match="A list of kind and definition was expected"):
        recorded_events(data)


def test_a_definition_in_the_sources_own_words_is_usable_as_such() -> None:
    own = EventComponent("gastrostomy or death, as recorded", "own", "", "", "")
    data = cohort({"1": (0.0, 300.0)}, [("1", own, 40.0)], own)
    assert end_point(data, own.tag)["end_day"].to_list() == [40.0]
    assert end_point_table(data).filter("supported")["definition"].to_list() == [own.tag]
    with pytest.raises(InvalidInput, match="No end point is called 'deth'"):
        end_point(data, "deth")


def test_the_time_to_a_component_alone_stops_at_death() -> None:
    data = cohort({"1": (0.0, 300.0)}, [("1", DIED, 100.0)], DIED, TRACHEOSTOMY)
    assert end_point(data, TRACHEOSTOMY.tag).select("end_day", "happened").row(0) == (100.0, False)


def test_declarations_outlive_saving_and_an_empty_cohort_has_an_empty_table(tmp_path: Any) -> None:
    data = cohort({"1": (0.0, 300.0)}, [("1", DIED, 100.0)], DIED)
    data.save(tmp_path / "cohort")
    assert end_point(Cohort.load(tmp_path / "cohort"), DEATH).equals(end_point(data, DEATH))
    empty = end_point(Cohort.of(declared(DIED)), DEATH)
    assert empty.height == 0
    assert dict(empty.schema) == COLUMNS
