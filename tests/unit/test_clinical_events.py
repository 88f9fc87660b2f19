"""Survival events: components, end points, what supports what, and PAV from ventilation intervals."""

import datetime
import itertools
import random
from pathlib import Path

import polars as pl
import pytest

from alsmodel.clinical.events import (
    COMPOSITE_CENTAUR,
    COMPOSITE_ENCALS,
    DEATH,
    DIED,
    EVENT_COMPONENTS,
    EVENT_DEFINITIONS,
    INVASIVE,
    NIV_23,
    NIV_STARTED,
    PAV_22,
    PAV_HEALEY,
    PAV_RECORDED,
    TRACHEOSTOMY,
    TRACHEOSTOMY_FREE,
    EventDefinition,
    require,
    supports,
)
from alsmodel.clinical.ventilation import date_by_month, niv_from_ventilation, pav_from_ventilation, ventilation_events
from alsmodel.errors import InvalidInput

# What each end point counts: HEALEY M-SAP v3.0 (2023); Westeneng 2018; Lacomblez 1996; CENTAUR (Paganoni 2022); LiCALS (2013).
CASES: list[tuple[set[str], EventDefinition, bool]] = [
    ({DIED.tag}, DEATH, True),
    (set(), DEATH, False),
    ({TRACHEOSTOMY.tag}, DEATH, False),
    ({DIED.tag}, TRACHEOSTOMY_FREE, False),
    ({DIED.tag, TRACHEOSTOMY.tag}, TRACHEOSTOMY_FREE, True),
    ({DIED.tag, INVASIVE.tag}, TRACHEOSTOMY_FREE, False),
    ({DIED.tag, PAV_22.tag}, PAV_HEALEY, True),
    ({DIED.tag, PAV_RECORDED.tag}, PAV_HEALEY, False),
    ({DIED.tag, TRACHEOSTOMY.tag}, PAV_HEALEY, False),
    ({DIED.tag, NIV_23.tag}, PAV_HEALEY, False),
    ({DIED.tag, TRACHEOSTOMY.tag, NIV_23.tag}, COMPOSITE_ENCALS, True),
    ({DIED.tag, TRACHEOSTOMY.tag, NIV_STARTED.tag}, COMPOSITE_ENCALS, False),
    ({DIED.tag, TRACHEOSTOMY.tag, PAV_22.tag}, COMPOSITE_ENCALS, False),
    ({DIED.tag, TRACHEOSTOMY.tag, PAV_22.tag}, COMPOSITE_CENTAUR, True),
    ({DIED.tag, TRACHEOSTOMY.tag, PAV_RECORDED.tag}, COMPOSITE_CENTAUR, True),
    ({DIED.tag, PAV_RECORDED.tag}, COMPOSITE_CENTAUR, False),
]


@pytest.mark.parametrize(("recorded", "definition", "yes"), CASES, ids=lambda v: getattr(v, "tag", None))
def test_an_end_point_is_supported_exactly_when_each_component_is_recorded(
    recorded: set[str], definition: EventDefinition, yes: bool
) -> None:
    assert supports(recorded, definition).yes is yes


def test_support_agrees_with_the_definition_spelt_out_over_every_set_of_components() -> None:
    tags = list(EVENT_COMPONENTS)
    for size in range(len(tags) + 1):
        for held in map(set, itertools.combinations(tags, size)):
            dead, cut = DIED.tag in held, TRACHEOSTOMY.tag in held
            told = {
                DEATH: dead,
                TRACHEOSTOMY_FREE: dead and cut,
                PAV_HEALEY: dead and PAV_22.tag in held,
                COMPOSITE_ENCALS: dead and cut and NIV_23.tag in held,
                COMPOSITE_CENTAUR: dead and cut and bool(held & {PAV_22.tag, PAV_RECORDED.tag}),
            }
            assert {d: supports(held, d).yes for d in EVENT_DEFINITIONS.values()} == told


def test_a_refusal_names_every_missing_component_and_what_to_do() -> None:
    with pytest.raises(InvalidInput) as refused:
        require([DIED.tag, NIV_STARTED.tag], COMPOSITE_ENCALS)
    assert [f.message for f in refused.value.faults] == [
        '"death, tracheostomy or NIV > 23 h/day" needs tracheostomy: tracheostomy is not recorded.',
        '"death, tracheostomy or NIV > 23 h/day" needs NIV > 23 h/day: NIV > 23 h/day is not recorded; '
        "the start of NIV does not show its hours.",
    ]
    assert [f.remedy.split(".")[0] for f in refused.value.faults] == [TRACHEOSTOMY.remedy[:-1], NIV_23.remedy.split(".")[0]]
    assert all(f.remedy.endswith("Or choose an end point that the source supports: death, any cause.") for f in refused.value.faults)


def test_a_source_that_records_the_composite_itself_supports_it_and_not_its_parts() -> None:
    assert require([PAV_HEALEY.tag], PAV_HEALEY) == (PAV_HEALEY.tag,)
    assert not supports([PAV_HEALEY.tag], DEATH).yes


def test_words_of_the_users_own_are_supported_only_by_themselves() -> None:
    own = EventDefinition("gastrostomy or death", "own", "own")
    assert supports([own.tag], own).yes
    assert not supports(list(EVENT_COMPONENTS), own).yes


def test_tags_and_kinds_are_distinct() -> None:
    assert all(tag == component.tag for tag, component in EVENT_COMPONENTS.items())
    # One row per participant and kind: two components of one kind could not stand side by side.
    assert len({c.kind for c in EVENT_COMPONENTS.values()}) == len(EVENT_COMPONENTS)
    accepted = {tag for d in EVENT_DEFINITIONS.values() for need in d.needs for tag in need.accepted}
    assert accepted <= set(EVENT_COMPONENTS)


def ventilated(*rows: tuple[float | None, float | None, float | None], entry: float = 0.0, who: str = "1") -> pl.DataFrame:
    names = ("start_day", "stop_day", "hours_per_day")
    frame = pl.DataFrame([dict(zip(names, row, strict=True)) for row in rows], schema=dict.fromkeys(names, pl.Float64))
    return frame.with_columns(participant_id=pl.lit(who), entry_day=pl.lit(entry))


# HEALEY: > 22 h/day for > 7 consecutive days, dated on the first day; PAV at baseline is set apart.
RUNS: list[tuple[str, list[tuple[float | None, float | None, float | None]], str, float | None]] = [
    ("seven days are not more than seven", [(10, 16, 23)], "none", None),
    ("eight days are", [(10, 17, 23)], "pav", 10.0),
    ("22 hours are not more than 22", [(10, 40, 22)], "none", None),
    ("22.1 hours are", [(10, 40, 22.1)], "pav", 10.0),
    ("intervals that touch are one run", [(10, 13, 23), (14, 17, 24)], "pav", 10.0),
    ("a day without ends the run", [(10, 13, 23), (15, 18, 24)], "none", None),
    ("a day of 20 hours ends the run", [(10, 13, 23), (14, 14, 20), (15, 18, 23)], "none", None),
    ("overlapping intervals count once", [(10, 14, 23), (12, 16, 23)], "none", None),
    ("an interval inside another changes nothing", [(10, 20, 23), (12, 13, 23), (21, 22, 23)], "pav", 10.0),
    ("the first long run counts", [(10, 12, 23), (30, 40, 23), (50, 60, 23)], "pav", 30.0),
    ("rows in any order", [(14, 17, 24), (10, 13, 23)], "pav", 10.0),
    ("two devices of 12 hours are not added", [(10, 40, 12), (10, 40, 12)], "none", None),
    ("begun before entry", [(-3, 20, 23)], "pav at baseline", -3.0),
    ("begun on the day of entry", [(0, 20, 23)], "pav at baseline", 0.0),
    ("a short spell before entry is no PAV", [(-9, -5, 23), (3, 20, 23)], "pav", 3.0),
    ("fractions are cut to the calendar day", [(10.9, 17.1, 23)], "pav", 10.0),
    ("unknown hours hide it", [(10, 40, None)], "cannot be determined", None),
    ("unknown end hides it", [(10, None, 23)], "cannot be determined", None),
    ("unknown start hides it", [(None, 40, 23)], "cannot be determined", None),
    ("unknown hours of seven days hide nothing", [(10, 16, None)], "none", None),
    ("unknown hours that bridge a gap hide it", [(10, 13, 23), (14, 14, None), (15, 18, 23)], "cannot be determined", None),
    ("no hours above the limit, end unknown", [(10, None, 8)], "none", None),
]


@pytest.mark.parametrize(("rows", "outcome", "day"), [case[1:] for case in RUNS], ids=[case[0] for case in RUNS])
def test_pav_by_the_rule_of_consecutive_days(
    rows: list[tuple[float | None, float | None, float | None]], outcome: str, day: float | None
) -> None:
    found = pav_from_ventilation(ventilated(*rows)).row(0, named=True)
    assert (found["outcome"], found["day"]) == (outcome, day)


def test_the_date_is_uncertain_when_unknown_hours_could_make_it_earlier() -> None:
    rows = pl.concat(
        [
            ventilated((10, 20, 23), who="certain"),
            ventilated((8, 9, None), (10, 20, 23), who="uncertain"),
            ventilated((2, 3, None), (10, 20, 23), who="apart"),
        ]
    )
    assert dict(pav_from_ventilation(rows).select("participant_id", "day_certain").iter_rows()) == {
        "apart": True,
        "certain": True,
        "uncertain": False,
    }


def by_hand(rows: list[tuple[int, int, float]], *, hours: float, days: int) -> int | None:
    """First day of the first run, by walking through the calendar."""
    on = {day for start, stop, held in rows if held > hours for day in range(start, stop + 1)}
    for first in range(-40, 80):
        if first in on and first - 1 not in on and all(first + k in on for k in range(days + 1)):
            return first
    return None


def test_runs_agree_with_a_walk_through_the_calendar() -> None:
    rng = random.Random(20260103)
    people: dict[str, list[tuple[int, int, float]]] = {}
    for i in range(400):
        starts = [rng.randint(-20, 50) for _ in range(rng.randint(1, 6))]
        people[f"{i:03d}"] = [(s, s + rng.randint(0, 9), rng.choice([12.0, 22.0, 22.5, 23.0, 23.5, 24.0])) for s in starts]
    frame = pl.concat([ventilated(*[(float(a), float(b), h) for a, b, h in rows], who=who) for who, rows in people.items()])
    pav = {who: by_hand(rows, hours=22, days=7) for who, rows in people.items()}
    niv = {who: by_hand(rows, hours=23, days=0) for who, rows in people.items()}
    assert sum(day is not None for day in pav.values()) > 50
    assert sum(day is None for day in pav.values()) > 50
    assert dict(pav_from_ventilation(frame).select("participant_id", "day").iter_rows()) == pav
    assert dict(niv_from_ventilation(frame.with_columns(invasive=False)).select("participant_id", "day").iter_rows()) == niv
    baseline = {who for who, day in pav.items() if day is not None and day <= 0}
    told = pav_from_ventilation(frame).filter(pl.col("outcome") == "pav at baseline")["participant_id"]
    assert set(told) == baseline


def test_unknown_hours_are_bracketed_by_every_value_they_could_have() -> None:
    rng = random.Random(7)
    for _ in range(300):
        starts = [rng.randint(1, 14) for _ in range(3)]
        rows = [(s, s + rng.randint(0, 6), rng.choice([None, 23.0])) for s in starts]
        fills = itertools.product(*[(12.0, 23.0) if h is None else (h,) for _, _, h in rows])
        days = {by_hand([(a, b, h) for (a, b, _), h in zip(rows, fill, strict=True)], hours=22, days=7) for fill in fills}
        found = pav_from_ventilation(ventilated(*[(float(a), float(b), h) for a, b, h in rows])).row(0, named=True)
        if days == {None}:
            assert found["outcome"] == "none"
        elif None in days and by_hand([(a, b, h or 12.0) for a, b, h in rows], hours=22, days=7) is None:
            assert found["outcome"] == "cannot be determined"
        else:
            assert found["outcome"] == "pav"
            assert found["day_certain"] == (len(days) == 1)


def test_invasive_ventilation_is_no_niv() -> None:
    frame = ventilated((10, 20, 24)).with_columns(invasive=True)
    assert niv_from_ventilation(frame)["outcome"].to_list() == ["none"]
    assert niv_from_ventilation(frame.with_columns(invasive=pl.lit(None, pl.Boolean)))["outcome"].to_list() == ["cannot be determined"]
    assert pav_from_ventilation(frame)["outcome"].to_list() == ["pav"]


def test_a_known_first_day_above_23_hours_is_enough_for_niv() -> None:
    frame = ventilated((10, None, 24)).with_columns(invasive=False)
    assert niv_from_ventilation(frame).row(0) == ("1", "niv", 10.0, True)


def test_outcomes_become_rows_of_the_events_table() -> None:
    frame = pl.concat([ventilated((10, 20, 23), who="a"), ventilated((-1, 20, 23), who="b"), ventilated((1, 2, 23), who="c")])
    events = ventilation_events(pav_from_ventilation(frame))
    assert events.rows() == [("a", "pav_22h", 10.0, PAV_22.tag), ("b", "pav_22h", -1.0, PAV_22.tag)]


def test_broken_intervals_are_refused_all_at_once_without_a_value() -> None:
    frame = ventilated((10, 9, 23), (1, 2, 25), (1, float("inf"), 3))
    with pytest.raises(InvalidInput) as refused:
        pav_from_ventilation(frame)
    assert len(refused.value.faults) == 3
    assert "25" not in str(refused.value)
    with pytest.raises(InvalidInput) as refused:
        pav_from_ventilation(frame.select("participant_id"))
    assert len(refused.value.faults) == 3
    with pytest.raises(InvalidInput, match="invasive"):
        niv_from_ventilation(frame)


def test_a_date_known_by_its_month_is_the_15th() -> None:
    # HEALEY M-SAP v3.0 (2023): the 15th when only the month is known.
    frame = pl.DataFrame({"y": [2021, 2021, None], "m": [2, 2, 3], "d": [None, 28, 4]}, schema=dict.fromkeys("ymd", pl.Int64))
    dates = frame.select(date_by_month(pl.col("y"), pl.col("m"), pl.col("d"))).to_series().to_list()
    assert dates == [datetime.date(2021, 2, 15), datetime.date(2021, 2, 28), None]


def test_the_page_prints_every_definition_and_what_supports_what() -> None:
    page = Path(__file__).parents[2] / "docs" / "clinical" / "treatments_and_events.md"
    if not page.is_file():
        pytest.skip("installed without the checkout")
    text = page.read_text(encoding="utf-8")
    for component in EVENT_COMPONENTS.values():
        assert f"| {component.tag} | {component.kind} | {component.meaning} | {component.source} |" in text
    for definition in EVENT_DEFINITIONS.values():
        needs = "; ".join(" or ".join(need.accepted) for need in definition.needs)
        assert f"| {definition.tag} | {needs} | {definition.source} |" in text
    words = {
        "death": DIED, "tracheostomy": TRACHEOSTOMY, "tracheostomy alone": TRACHEOSTOMY, "PAV > 22 h/day for > 7 days": PAV_22,
        "PAV without hours": PAV_RECORDED, "NIV started": NIV_STARTED, "NIV > 23 h/day": NIV_23,
    }  # fmt: skip
    table = text.split("| recorded | death |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(table) == 8
    for line in table:
        recorded, *told = (cell.strip() for cell in line.strip("|").split("|"))
        held = [words[word].tag for word in recorded.split(", ")]
        assert told == ["yes" if supports(held, d).yes else "refused" for d in EVENT_DEFINITIONS.values()]
