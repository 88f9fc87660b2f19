"""Upper and lower motor neuron burden: how many of the examined places of the body show a sign, and their balance.

A burden is a count *with its denominator*: places with a sign present out of places examined. A place is a region, or
a region on one side where sides are counted. Nothing examined gives null, never zero.

.. math:: balance = \\frac{u / n_u - l / n_l}{u / n_u + l / n_l}

with u of n_u examined places showing an upper and l of n_l a lower motor neuron sign: +1 is purely UMN, -1 purely
LMN, 0 balanced, null when either neuron was not examined or neither shows a sign. The counts, their denominator and
this balance are definitions of this package; they are not the Penn or the MGH score, which grade signs.
"""

from typing import Literal

import polars as pl

from alsmodel.clinical.regions import LIMBS, REGIONS, SIDES
from alsmodel.clinical.sign_table import Evidence
from alsmodel.clinical.signs import seen, sign_names

type Places = Literal["region", "region and side"]

#: Places of each counting: the bulbar and thoracic regions are one place each, a limb region has two sides.
PLACES: dict[Places, int] = {"region": len(REGIONS), "region and side": len(REGIONS) + len(LIMBS)}

_CLINICAL: tuple[Evidence, ...] = ("clinical",)


def _counted(found_signs: pl.DataFrame, names: tuple[str, ...], count: Places) -> pl.DataFrame:
    """Return per participant the number of places where any of `names` is present, and of places examined."""
    counting = found_signs.filter(pl.col("sign").is_in(list(names)))
    present, side = pl.col("present"), pl.col("side")
    found, examined = present.any().cast(pl.Int8), pl.lit(1, dtype=pl.Int8)
    if count == "region and side":
        # A record without a side covers both limbs; when present it names none of them, and counts as one at least.
        sided = pl.max_horizontal(side.filter(present).drop_nulls().n_unique(), found)
        limb = pl.col("region").is_in(list(LIMBS))
        found = pl.when(limb.first()).then(sided).otherwise(found)
        whole = pl.when(side.is_null().any()).then(len(SIDES)).otherwise(side.n_unique())
        examined = pl.when(limb.first()).then(whole).otherwise(examined)
    regions = counting.group_by("participant_id", "region").agg(found=found, examined=examined)
    return regions.group_by("participant_id").agg(pl.col("found", "examined").sum().cast(pl.Int8))


def burden(
    signs: pl.DataFrame, day: float | None = None, *, count: Places = "region", evidence: tuple[Evidence, ...] = _CLINICAL
) -> pl.DataFrame:
    """Return UMN and LMN burden, their denominators and their balance.

    Parameters
    ----------
    signs : polars.DataFrame
        The canonical ``signs`` table.
    day : float, optional
        As of this day: the latest examined state of each sign on or before it. Without it, everything recorded.
    count : {"region", "region and side"}
        What is counted: four regions, or six places with left and right arm and leg apart.
    evidence : tuple of {"clinical", "EMG", "conduction", "TMS"}
        Which examinations count; clinical signs by default.

    Returns
    -------
    polars.DataFrame
        One row per participant of `signs`: participant_id, umn_burden, umn_examined, lmn_burden, lmn_examined (counts
        of places; a burden is null when nothing was examined), balance (-1 to 1).
    """
    result, found = signs.select(pl.col("participant_id").unique().sort()), seen(signs, day)
    for neuron, column in (("UMN", "umn"), ("LMN", "lmn")):
        names = sign_names("UMN" if neuron == "UMN" else "LMN", evidence)
        counted = _counted(found, names, count).rename({"found": f"{column}_burden", "examined": f"{column}_examined"})
        result = result.join(counted, on="participant_id", how="left", maintain_order="left")
        result = result.with_columns(pl.col(f"{column}_examined").fill_null(0))
    return result.with_columns(balance=balance())


def balance() -> pl.Expr:
    """Return the balance from the four columns of `burden`: +1 purely UMN, -1 purely LMN, null when undefined."""
    umn = pl.col("umn_burden") / pl.col("umn_examined")
    lmn = pl.col("lmn_burden") / pl.col("lmn_examined")
    return pl.when(umn + lmn > 0).then((umn - lmn) / (umn + lmn))
