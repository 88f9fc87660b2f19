"""King's and MiToS stages from the items of the ALSFRS-R, told only where the missing items cannot change them.

King's (Roche et al., Brain 2012;135:847, doi 10.1093/brain/awr351; items as in the HEALEY M-SAP v3.0, page 16):

- regions involved: bulbar, any of items 1 to 3 below 4; upper limb, item 4 or item 5 (asked as 5a) below 4; lower limb, item 8 below 4;
- stages 1 to 3: the number of regions; stage 0: none of the three (one public coding calls this stage 1: here it is 0);
- stage 4: gastrostomy (4a), or item 10 at 0 or item 12 below 4 (4b); stage 5: death.

MiToS (Chio et al., J Neurol Neurosurg Psychiatry 2015;86:38, doi 10.1136/jnnp-2013-306589): the number of domains lost, 5 at death:

- moving: item 8 or item 6 at or below 1; swallowing: item 3 at or below 1; communicating: item 1 **and** item 4 at or
  below 1; breathing: item 10 at or below 1 or item 12 at or below 2.

A public coding joins the items of communicating by *or*; `mitos` offers that variant by name.

A null item is unknown. Each stage is bounded by its lowest and its highest value over all scores that the unknown items could have;
where the two differ there is no stage. Rows of the ten-item ALSFRS have no items 10 to 12, and its own item 10 never stands in for them.
"""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Literal

import polars as pl

KINGS = "King's"
MITOS = "MiToS"

#: King's region -> items that show it, each when below 4; item 5 in the form 5a.
KINGS_REGIONS: dict[str, tuple[int, ...]] = {"bulbar": (1, 2, 3), "upper limb": (4, 5), "lower limb": (8,)}

_ALIVE = pl.lit(value=False)


def _item(number: int) -> pl.Expr:
    return pl.col(f"item_{number}")


def _count(flags: Sequence[pl.Expr], *, unknown: bool) -> pl.Expr:
    """Number of true `flags`, a null counting as `unknown`."""
    return pl.sum_horizontal([flag.fill_null(unknown).cast(pl.Int8) for flag in flags])


def _agreed(bounds: tuple[pl.Expr, pl.Expr]) -> pl.Expr:
    low, high = bounds
    return pl.when(low == high).then(low)


def kings_regions() -> dict[str, pl.Expr]:
    """Return region -> whether the scale shows it involved; null where unknown items could change that.

    Item 5 asked with a gastrostomy (5b) is a different question: the upper limb then rests on item 4. The stage is 4 either way.
    """
    asked_as_5b = pl.col("gastrostomy").fill_null(value=False)
    found = {}
    for region, items in KINGS_REGIONS.items():
        # `|` on nulls is three-valued: true wins, and a null stays open.
        scores = [pl.when(~asked_as_5b).then(_item(i)) if i == 5 else _item(i) for i in items]
        found[region] = reduce(or_, [score < 4 for score in scores])
    return found


def kings_4a() -> pl.Expr:
    """Return nutritional failure: gastrostomy."""
    return pl.col("gastrostomy")


def kings_4b() -> pl.Expr:
    """Return respiratory failure: item 10 at 0 or item 12 below 4; null where unknown items could change that."""
    return (_item(10) == 0) | (_item(12) < 4)


def kings_bounds(*, dead: pl.Expr = _ALIVE) -> tuple[pl.Expr, pl.Expr]:
    """Return the lowest and the highest King's stage, 0 to 5, over all values of the unknown items.

    Parameters
    ----------
    dead : polars.Expr
        Whether the participant has died; someone who is assessed has not. Null is unknown.
    """

    def bound(*, unknown: bool) -> pl.Expr:
        regions = _count(list(kings_regions().values()), unknown=unknown)
        failure = (kings_4a() | kings_4b()).fill_null(unknown)
        five, four = pl.lit(5, dtype=pl.Int8), pl.lit(4, dtype=pl.Int8)
        return pl.when(dead.fill_null(unknown)).then(five).when(failure).then(four).otherwise(regions).cast(pl.Int8)

    return bound(unknown=False), bound(unknown=True)


def kings(*, dead: pl.Expr = _ALIVE) -> pl.Expr:
    """Return King's stage, 0 to 5, over the columns item_1 to item_12 and ``gastrostomy``; null where it cannot be told.

    A null ``gastrostomy`` is unknown. Fill it with False first where the source would have said so.
    """
    return _agreed(kings_bounds(dead=dead))


def mitos_domains(*, communicating: Literal["and", "or"] = "and") -> dict[str, pl.Expr]:
    """Return MiToS domain -> whether it is lost; null where unknown items could change that.

    Parameters
    ----------
    communicating : {"and", "or"}
        "and" as published; "or" as in one public coding, which loses the domain earlier.
    """
    speech, writing = _item(1) <= 1, _item(4) <= 1
    return {
        "moving": (_item(8) <= 1) | (_item(6) <= 1),
        "swallowing": _item(3) <= 1,
        "communicating": speech & writing if communicating == "and" else speech | writing,
        "breathing": (_item(10) <= 1) | (_item(12) <= 2),
    }


def mitos_bounds(*, communicating: Literal["and", "or"] = "and", dead: pl.Expr = _ALIVE) -> tuple[pl.Expr, pl.Expr]:
    """Return the lowest and the highest MiToS stage, 0 to 5, over all values of the unknown items."""
    flags = list(mitos_domains(communicating=communicating).values())

    def bound(*, unknown: bool) -> pl.Expr:
        lost = _count(flags, unknown=unknown)
        return pl.when(dead.fill_null(unknown)).then(pl.lit(5, dtype=pl.Int8)).otherwise(lost).cast(pl.Int8)

    return bound(unknown=False), bound(unknown=True)


def mitos(*, communicating: Literal["and", "or"] = "and", dead: pl.Expr = _ALIVE) -> pl.Expr:
    """Return the MiToS stage, 0 to 5, over the columns item_1 to item_12; null where it cannot be told."""
    return _agreed(mitos_bounds(communicating=communicating, dead=dead))


def _names(flags: dict[str, pl.Expr]) -> pl.Expr:
    told = [pl.when(flag).then(pl.lit(name)) for name, flag in flags.items()]
    return pl.concat_str(told, separator=", ", ignore_nulls=True)


def classify_stages(assessments: pl.DataFrame, deaths: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the stages of every assessment, and stage 5 on the day of death, as rows of ``classifications``.

    Parameters
    ----------
    assessments : polars.DataFrame
        Canonical ``assessments``. Items 10 to 12 count only on rows whose ``scale`` is ALSFRS-R.
    deaths : polars.DataFrame, optional
        participant_id and day of death; a death on an unknown day gives a row without a day.

    Returns
    -------
    polars.DataFrame
        participant_id, day, scheme ("King's" or "MiToS"), category ("0" to "5"), origin, decided_by. No row where the stage cannot be told.
    """
    revised = pl.col("scale") == "ALSFRS-R"
    rows = assessments.with_columns(pl.when(revised).then(pl.col(f"item_{i}")).alias(f"item_{i}") for i in (10, 11, 12))
    failures = {"gastrostomy": kings_4a(), "respiratory failure": kings_4b()}
    parts = [
        _rows(rows, KINGS, kings(), _names(kings_regions() | failures)),
        _rows(rows, MITOS, mitos(), _names(mitos_domains())),
    ]
    if deaths is not None:
        for scheme in (KINGS, MITOS):
            parts.append(_rows(deaths, scheme, pl.lit(5, dtype=pl.Int8), pl.lit("death")))
    return pl.concat(parts).sort("participant_id", "day", "scheme", maintain_order=True)


def _rows(frame: pl.DataFrame, scheme: str, stage: pl.Expr, why: pl.Expr) -> pl.DataFrame:
    rows = frame.select(
        "participant_id",
        pl.col("day").cast(pl.Float64),
        scheme=pl.lit(scheme),
        category=stage.cast(pl.String),
        origin=pl.lit("computed"),
        decided_by=why.replace("", "none"),
    )
    return rows.filter(pl.col("category").is_not_null())
