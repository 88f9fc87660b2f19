"""Changes between consecutive ALSFRS-R assessments that are hardly the disease: flagged, never removed.

Small reversals are part of ALS: 14% of 1,343 PRO-ACT participants had a half-year with a slope above zero, and 25% of
3,132 did not decline over six months, while fewer than 1% ever gained 4 points that lasted a year (Bedlack et al. 2016,
doi 10.1212/WNL.0000000000002251). So a rise alone is no error, and no published rule says when a change is. The
thresholds here are a convention of this package, computed from published spreads:

.. math:: noise = 3.29 \\times \\sqrt{2} \\times 1.77 = 8.2 \\; points, \\qquad fastest = 1.03 + 3.29 \\times 0.76 = 3.5 \\; points/month

with the residual SD 1.77 and the slopes 1.03 (SD 0.76) of 2,175 PRO-ACT placebo participants (HEALEY M-SAP v3.0, 2023,
appendix I), and 3.29 the normal quantile of one in a thousand, two-sided. Residuals and slopes have heavier tails than a
normal, so flagged changes ask for a look at the source, not for deletion.
"""

from dataclasses import dataclass
from typing import Literal, final

import polars as pl

from alsmodel.clinical.alsfrs import ITEM_COLUMNS, ITEM_COLUMNS_ORIGINAL
from alsmodel.clinical.units import DAYS_PER_MONTH

type Kind = Literal["item rose", "total rose", "total fell", "item 5 back to 5a"]


@final
@dataclass(frozen=True)
class JumpCriteria:
    """What counts as implausible between two consecutive assessments.

    Attributes
    ----------
    item_rise : int
        Points by which one item rises. Three of its four steps is regained function from "unable" or "needs help"
        to nearly normal; a convention of this package.
    total_noise : float
        Points by which a total may change between two assessments without any true change.
    fastest : float
        Points lost per month beyond which a decline is implausible, on top of `total_noise`.
    """

    item_rise: int = 3
    total_noise: float = 8.2
    fastest: float = 3.5

    def __post_init__(self) -> None:
        if not (1 <= self.item_rise <= 4 and self.total_noise > 0 and self.fastest > 0):
            raise ValueError(
                "item_rise is 1 to 4 points, total_noise and fastest are above 0; "
                f"got {self.item_rise}, {self.total_noise} and {self.fastest}."
            )


_COLUMNS = ("participant_id", "day_before", "day", "kind", "column", "change", "months")
_TOTALS = ("total_48", "total_40")


def _changes(assessments: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Return each scored value against the previous scored value of the same column and participant."""
    ordered = assessments.sort("participant_id", "day").with_columns(pl.col("participant_id").rle_id().alias("_person"))
    return pl.concat([_changes_of(ordered, column) for column in columns])


def _changes_of(ordered: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the changes of one column in rows that are sorted by person and day; rows without a value are passed over."""
    return (
        ordered.lazy()
        .select(
            "participant_id", "_person", "day", "gastrostomy", pl.lit(column).alias("column"), pl.col(column).cast(pl.Int16).alias("value")
        )
        .drop_nulls("value")
        .with_columns(pl.col("_person", "day", "value", "gastrostomy").shift().name.suffix("_before"))
        .filter(pl.col("_person") == pl.col("_person_before"))
        .with_columns(change=pl.col("value") - pl.col("value_before"), months=(pl.col("day") - pl.col("day_before")) / DAYS_PER_MONTH)
        .collect()
    )


def jumps(assessments: pl.DataFrame, criteria: JumpCriteria | None = None) -> pl.DataFrame:
    """Return the implausible changes between consecutive assessments; nothing is changed or removed.

    Parameters
    ----------
    assessments : polars.DataFrame
        The canonical ``assessments`` table.
    criteria : JumpCriteria, optional
        Thresholds; those of this package when left out.

    Returns
    -------
    polars.DataFrame
        participant_id, day_before, day, kind ("item rose", "total rose", "total fell", "item 5 back to 5a"), column,
        change (points), months. Totals on 48 and on 40 are each held against their own kind. Item 5 is not compared
        across a change of its form: 5a and 5b are different questions.
    """
    how = criteria or JumpCriteria()
    items = _changes(assessments, list(dict.fromkeys((*ITEM_COLUMNS, *ITEM_COLUMNS_ORIGINAL))))
    totals = _changes(assessments, list(_TOTALS))
    same_form = (pl.col("column") != "item_5") | pl.col("gastrostomy").eq_missing(pl.col("gastrostomy_before"))
    change = pl.col("change")
    flagged = [
        items.filter(same_form, change >= how.item_rise).with_columns(kind=pl.lit("item rose")),
        totals.filter(change > how.total_noise).with_columns(kind=pl.lit("total rose")),
        totals.filter(-change > how.total_noise + how.fastest * pl.col("months")).with_columns(kind=pl.lit("total fell")),
        items.filter(pl.col("column") == "item_5", pl.col("gastrostomy_before"), ~pl.col("gastrostomy")).with_columns(
            kind=pl.lit("item 5 back to 5a")
        ),
    ]
    return pl.concat([frame.select(_COLUMNS) for frame in flagged]).sort("participant_id", "day", "column", "kind")
