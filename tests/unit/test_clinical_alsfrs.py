"""ALSFRS-R arithmetic, prorating, precision of onset, implausible changes, and units."""

import calendar
import datetime as dt
from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsmodel.clinical import alsfrs, onset
from alsmodel.clinical.events import EVENT_DEFINITIONS
from alsmodel.clinical.jumps import JumpCriteria, jumps
from alsmodel.clinical.units import (
    CM_PER_INCH,
    DAYS_PER_MONTH,
    KG_PER_LB,
    celsius_from_fahrenheit,
    centimetres_from_inches,
    kilograms_from_pounds,
    months,
)
from alsmodel.cohort import tables


def one(expression: pl.Expr, **columns: float | None) -> object:
    return pl.DataFrame({name: [value] for name, value in columns.items()}).select(expression).item()


def items(score: int | None = 4, **changed: int | None) -> dict[str, int | None]:
    return {**dict.fromkeys((*alsfrs.ITEM_COLUMNS, "item_10_original"), score), **changed}


def test_domains_are_a_partition_of_the_twelve_items() -> None:
    assert sorted(i for parts in alsfrs.DOMAINS.values() for i in parts) == list(alsfrs.ITEMS) == list(range(1, 13))


def test_full_scores_are_the_maxima() -> None:
    assert one(alsfrs.total_48(), **items()) == alsfrs.MAX_TOTAL == 48
    assert one(alsfrs.total_40(), **items()) == alsfrs.MAX_TOTAL_ORIGINAL == 40
    assert [one(alsfrs.domain(name), **items()) for name in alsfrs.DOMAINS] == [alsfrs.MAX_DOMAIN] * 4


def test_the_original_item_10_is_no_part_of_the_revised_total() -> None:
    assert one(alsfrs.total_48(), **items(item_10_original=0)) == 48
    assert one(alsfrs.total_40(), **items(item_10=0, item_11=0, item_12=0)) == 40


@pytest.mark.parametrize("missing", ["item_1", "item_12"])
def test_a_missing_item_leaves_no_total(missing: str) -> None:
    assert one(alsfrs.total_48(), **items(**{missing: None})) is None


def test_delta_frs_is_points_lost_per_month_since_onset() -> None:
    # By hand: 12 points in 24 months of 365.25/12 days.
    rate = one(alsfrs.delta_frs(pl.col("total"), pl.col("day")), total=36.0, day=24 * DAYS_PER_MONTH)
    assert rate == pytest.approx(0.5, rel=1e-15)


@pytest.mark.parametrize("day", [0.0, -30.0, None])
def test_delta_frs_needs_an_onset_before(day: float | None) -> None:
    assert one(alsfrs.delta_frs(pl.col("total"), pl.col("day").cast(pl.Float64)), total=36.0, day=day) is None


# 5a, 5b -> item 5, and whether it was asked in its form for people with a gastrostomy.
@pytest.mark.parametrize(
    ("without", "with_tube", "score", "tube"),
    [(3, None, 3, False), (None, 2, 2, True), (2, 2, 2, True), (3, 2, None, None), (None, None, None, None), (0, None, 0, False)],
)
def test_item_5_is_the_form_that_was_answered(without: int | None, with_tube: int | None, score: int | None, tube: bool | None) -> None:
    frame = pl.DataFrame({"a": [without], "b": [with_tube]}, schema={"a": pl.Int8, "b": pl.Int8})
    assert frame.select(alsfrs.item_5(pl.col("a"), pl.col("b"))).item() == score
    assert frame.select(alsfrs.form_5b(pl.col("a"), pl.col("b"))).item() is tube


def scored(**changed: int | None) -> dict[str, int | None]:
    """A person with 4, 3, 2 in the items of every domain."""
    return {**{f"item_{i}": 4 - (i - 1) % 3 for i in range(1, 13)}, "item_10_original": 0, **changed}


# Missing items -> total with items made up as the mean of the other two of their domain, by hand; items made up.
PRORATED_CASES = [
    ((), 36.0, 0),
    ((1,), 36 - 4 + 2.5, 1),
    ((3,), 36 - 2 + 3.5, 1),
    ((2,), 36.0, 1),
    ((1, 4, 9, 10), 36 - 4 + 2.5 - 4 + 2.5 - 2 + 3.5 - 4 + 2.5, 4),
    ((1, 2), None, None),
    ((10, 11, 12), None, None),
    (tuple(range(1, 13)), None, None),
]


@pytest.mark.parametrize(("missing", "total", "made_up"), PRORATED_CASES, ids=str)
def test_prorating_makes_up_at_most_one_item_of_a_domain(missing: tuple[int, ...], total: float | None, made_up: int | None) -> None:
    frame = pl.DataFrame([scored(**{f"item_{i}": None for i in missing})], schema=dict.fromkeys(scored(), pl.Int8))
    assert frame.select(alsfrs.prorated_total()).item() == total
    assert frame.select(alsfrs.prorated_items()).item() == made_up
    # Prorating is no part of the total itself.
    assert frame.select(alsfrs.total_48()).item() == (None if missing else 36)


def test_a_prorated_domain_is_not_rounded_and_never_uses_the_original_item_10() -> None:
    frame = pl.DataFrame([scored(item_10=None, item_10_original=4)], schema=dict.fromkeys(scored(), pl.Int8))
    assert frame.select(alsfrs.prorated_domain("respiratory")).item() == 7.5
    assert frame.select(alsfrs.prorated_domain("bulbar")).item() == 9.0


def test_prorating_complete_items_gives_the_total() -> None:
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({name: rng.integers(0, 5, 500).astype(np.int8) for name in alsfrs.ITEM_COLUMNS})
    assert (frame.select(alsfrs.prorated_total()).to_series() == frame.select(alsfrs.total_48()).to_series()).all()


# Year, month, day as known -> date that stands in, precision, earliest, latest. Source of the 15th: HEALEY M-SAP v3.0.
ONSET_CASES = [
    ((2020, 2, 10), dt.date(2020, 2, 10), "day", dt.date(2020, 2, 10), dt.date(2020, 2, 10)),
    ((2020, 2, None), dt.date(2020, 2, 15), "month", dt.date(2020, 2, 1), dt.date(2020, 2, 29)),
    ((2021, 12, None), dt.date(2021, 12, 15), "month", dt.date(2021, 12, 1), dt.date(2021, 12, 31)),
    ((2021, None, None), dt.date(2021, 7, 1), "year", dt.date(2021, 1, 1), dt.date(2021, 12, 31)),
    ((2021, None, 9), dt.date(2021, 7, 1), "year", dt.date(2021, 1, 1), dt.date(2021, 12, 31)),
    ((None, 3, 9), None, None, None, None),
    ((2021, 2, 30), None, "day", None, None),
    ((2021, 13, None), None, "month", None, None),
]


@pytest.mark.parametrize(("known", "date", "precision", "earliest", "latest"), ONSET_CASES, ids=str)
def test_the_date_that_stands_in_for_onset(
    known: tuple[int | None, ...], date: dt.date | None, precision: str | None, earliest: dt.date | None, latest: dt.date | None
) -> None:
    frame = pl.DataFrame([known], schema=dict.fromkeys(("y", "m", "d"), pl.Int32), orient="row")
    result = frame.select(onset.onset_date(pl.col("y"), pl.col("m"), pl.col("d")).alias("o")).unnest("o")
    assert result.row(0) == (date, precision, earliest, latest)


@pytest.mark.parametrize("year", [2019, 2020])
def test_the_widths_without_a_calendar_cover_every_month_and_year(year: int) -> None:
    for month in range(1, 13):
        last = calendar.monthrange(year, month)[1]
        assert onset.WIDTH["month"][0] >= 15 - 1
        assert last - 15 <= onset.WIDTH["month"][1]
    assert (dt.date(year, 7, 1) - dt.date(year, 1, 1)).days <= onset.WIDTH["year"][0]
    assert (dt.date(year, 12, 31) - dt.date(year, 7, 1)).days <= onset.WIDTH["year"][1]


def interval(total: int, onset_day: float, precision: str | None) -> dict[str, float | None]:
    frame = pl.DataFrame({"total": [total], "onset": [onset_day], "precision": [precision]}, schema_overrides={"precision": pl.String})
    bounds = onset.onset_window(pl.col("onset"), pl.col("precision"))
    result: dict[str, float | None] = frame.select(
        onset.delta_frs_interval(pl.col("total"), pl.lit(0.0), pl.col("onset"), *bounds).alias("d")
    ).item()
    return result


def test_delta_frs_known_to_the_month_lies_between_the_first_and_the_last_of_it() -> None:
    # By hand: 12 points, onset 365 days before, between 379 (1st) and 349 (31st) days before.
    assert interval(36, -365.0, "month") == pytest.approx(
        {"value": 12 / (365 / DAYS_PER_MONTH), "low": 12 / (379 / DAYS_PER_MONTH), "high": 12 / (349 / DAYS_PER_MONTH)}
    )


# Total, day of onset, precision -> which of value, low and high exist.
@pytest.mark.parametrize(
    ("total", "day", "precision", "exist"),
    [
        (36, -200.0, "day", (True, True, True)),
        (36, -10.0, "month", (True, True, False)),
        (36, 5.0, "month", (False, True, False)),
        (36, 20.0, "month", (False, False, False)),
        (48, -10.0, "month", (True, True, True)),
        (36, -200.0, None, (True, False, False)),
    ],
)
def test_a_bound_that_onset_does_not_allow_is_null(total: int, day: float, precision: str | None, exist: tuple[bool, ...]) -> None:
    assert tuple(value is not None for value in interval(total, day, precision).values()) == exist


@settings(deadline=None)
@given(st.integers(0, 48), st.floats(-4000, 100), st.sampled_from(onset.PRECISIONS), st.floats(0, 1))
def test_every_onset_within_the_window_gives_a_delta_frs_within_the_interval(total: int, day: float, precision: str, share: float) -> None:
    found = interval(total, day, precision)
    before, after = onset.WIDTH[precision]
    true_day = day - before + share * (before + after)
    true = one(alsfrs.delta_frs(pl.col("total"), pl.col("days")), total=float(total), days=-true_day)
    if true is not None:
        assert isinstance(true, float)
        low, high = found["low"], found["high"]
        assert low is not None
        # Rounding of days as large as 4,000 divides by time since onset.
        slack = 1 + 1e-9 + 1e-9 / -true_day
        assert low <= true * slack
        assert high is None or true <= high * slack


def assessed(*visits: Mapping[str, object]) -> pl.DataFrame:
    """Assessments of one participant, full scores but for what is given; totals summed from the items."""
    rows = [
        {"participant_id": "a", "scale": "ALSFRS-R", "gastrostomy": False, "total_48": None, "total_40": None}
        | dict.fromkeys(alsfrs.ITEM_COLUMNS, 4)
        | dict(visit)
        for visit in visits
    ]
    return tables.conform("assessments", pl.DataFrame(rows, infer_schema_length=None))


# Two visits 91 days apart: what is scored before and after -> flagged kinds.
JUMP_CASES: list[tuple[dict[str, object], dict[str, object], list[str]]] = [
    ({}, {}, []),
    ({"item_8": 1}, {"item_8": 4}, ["item rose"]),
    ({"item_8": 2}, {"item_8": 4}, []),
    ({"item_8": 4}, {"item_8": 0}, []),
    ({"total_48": 30}, {"total_48": 38}, []),
    ({"total_48": 30}, {"total_48": 39}, ["total rose"]),
    # Noise 8.2 and 3.5 points a month for 91 days (2.99 months): 18.7 points are allowed.
    ({"total_48": 40}, {"total_48": 22}, []),
    ({"total_48": 40}, {"total_48": 21}, ["total fell"]),
    # Item 5 is another question with a gastrostomy.
    ({"item_5": 0}, {"item_5": 4, "gastrostomy": True}, []),
    ({"item_5": 4, "gastrostomy": True}, {"item_5": 4}, ["item 5 back to 5a"]),
]


@pytest.mark.parametrize(("before", "after", "kinds"), JUMP_CASES, ids=str)
def test_implausible_changes_are_flagged(before: dict[str, object], after: dict[str, object], kinds: list[str]) -> None:
    flagged = jumps(assessed({"day": 0.0, **before}, {"day": 91.0, **after}))
    assert flagged["kind"].to_list() == kinds
    for row in flagged.iter_rows(named=True):
        assert (row["participant_id"], row["day_before"], row["day"]) == ("a", 0.0, 91.0)


def test_a_change_is_held_against_the_last_scored_value_of_the_same_participant() -> None:
    table = assessed({"day": 0.0, "item_8": 1}, {"day": 30.0, "item_8": None}, {"day": 60.0, "item_8": 4})
    assert jumps(table).select("day_before", "day", "column", "change").rows() == [(0.0, 60.0, "item_8", 3)]
    other = assessed({"day": 0.0, "item_8": 0}, {"day": 60.0, "participant_id": "b"})
    assert jumps(other).height == 0


def test_totals_on_40_are_held_against_their_own_kind() -> None:
    old = {"scale": "ALSFRS", "item_10": None, "item_11": None, "item_12": None}
    table = assessed({"day": 0.0, **old, "total_40": 20}, {"day": 30.0, "total_48": 47}, {"day": 60.0, **old, "total_40": 30})
    assert jumps(table).select("kind", "column", "change").rows() == [("total rose", "total_40", 10)]


def test_flagging_changes_and_removes_nothing() -> None:
    table = assessed({"day": 0.0, "item_8": 0}, {"day": 30.0})
    copy = table.clone()
    assert jumps(table).height == 1
    assert table.equals(copy)


def test_the_thresholds_are_the_published_spreads() -> None:
    # HEALEY M-SAP v3.0, appendix I: residual SD 1.77; slope 1.03, SD 0.76; 3.29 is the 0.9995 quantile of the normal.
    assert JumpCriteria().total_noise == pytest.approx(3.29 * 2**0.5 * 1.77, abs=0.05)
    assert JumpCriteria().fastest == pytest.approx(1.03 + 3.29 * 0.76, abs=0.05)


def test_few_are_flagged_when_nothing_is_wrong() -> None:
    # Negative control: linear decline with the published spreads, rounded; at most about one change in a thousand is flagged.
    rng = np.random.default_rng(11)
    n, days = 2000, np.arange(7) * 28.0
    slope = np.clip(rng.normal(1.03, 0.76, n), 0, None)
    score = 40 - slope[:, None] * days / DAYS_PER_MONTH + rng.normal(0, 1.77, (n, len(days)))
    total = np.clip(np.rint(score), 0, 48).astype(np.int16)
    who = np.repeat([f"{i:04}" for i in range(n)], len(days))
    frame = pl.DataFrame({"participant_id": who, "day": np.tile(days, n), "total_48": total.ravel(), "scale": "ALSFRS-R"})
    assert jumps(tables.conform("assessments", frame)).height / (n * (len(days) - 1)) < 0.001


@pytest.mark.parametrize("bad", [{"item_rise": 0}, {"item_rise": 5}, {"total_noise": 0.0}, {"fastest": -1.0}])
def test_impossible_thresholds_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        JumpCriteria(**bad)  # type: ignore[arg-type]


def test_units() -> None:
    # Exact by definition: NIST SP 811 (2008), appendix B.8.
    assert (KG_PER_LB, CM_PER_INCH, DAYS_PER_MONTH) == (0.45359237, 2.54, 30.4375)
    assert one(kilograms_from_pounds(pl.col("x")), x=100.0) == pytest.approx(45.359237)
    assert one(centimetres_from_inches(pl.col("x")), x=70.0) == pytest.approx(177.8)
    assert one(celsius_from_fahrenheit(pl.col("x")), x=98.6) == pytest.approx(37.0)
    assert one(months(pl.col("x")), x=365.25) == pytest.approx(12.0)


def test_event_definitions_are_found_by_their_tag() -> None:
    assert all(tag == definition.tag for tag, definition in EVENT_DEFINITIONS.items())
