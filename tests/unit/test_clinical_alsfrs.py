"""ALSFRS-R arithmetic and units."""

import polars as pl
import pytest

from alsmodel.clinical import alsfrs
from alsmodel.clinical.events import EVENT_DEFINITIONS
from alsmodel.clinical.units import (
    CM_PER_INCH,
    DAYS_PER_MONTH,
    KG_PER_LB,
    celsius_from_fahrenheit,
    centimetres_from_inches,
    kilograms_from_pounds,
    months,
)


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


def test_units() -> None:
    # Exact by definition: NIST SP 811 (2008), appendix B.8.
    assert (KG_PER_LB, CM_PER_INCH, DAYS_PER_MONTH) == (0.45359237, 2.54, 30.4375)
    assert one(kilograms_from_pounds(pl.col("x")), x=100.0) == pytest.approx(45.359237)
    assert one(centimetres_from_inches(pl.col("x")), x=70.0) == pytest.approx(177.8)
    assert one(celsius_from_fahrenheit(pl.col("x")), x=98.6) == pytest.approx(37.0)
    assert one(months(pl.col("x")), x=365.25) == pytest.approx(12.0)


def test_event_definitions_are_found_by_their_tag() -> None:
    assert all(tag == definition.tag for tag, definition in EVENT_DEFINITIONS.items())
