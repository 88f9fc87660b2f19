"""Implausible changes between consecutive assessments, flagged at the rows where they show; nothing is changed."""

import polars as pl

from alsmodel.clinical.alsfrs import ITEM_COLUMNS, ITEM_COLUMNS_ORIGINAL
from alsmodel.clinical.jumps import JumpCriteria, jumps
from alsmodel.cohort.ledger import Ledger

_ITEMS = tuple(dict.fromkeys((*ITEM_COLUMNS, *ITEM_COLUMNS_ORIGINAL)))
_TOTALS = ("total_48", "total_40")
_MEANING = {
    "item rose": "an item rose by 3 points or more since the assessment before",
    "total rose": "the total rose more than measurement error since the assessment before",
    "total fell": "the total fell faster since the assessment before than the disease does in all but a few",
    "item 5 back to 5a": "item 5 is asked without gastrostomy after it was asked with one",
}


def flag_jumps(frame: pl.DataFrame, ledger: Ledger) -> int:
    """Flag the later assessment of each implausible change; see :mod:`alsmodel.clinical.jumps`.

    Parameters
    ----------
    frame : polars.DataFrame
        Assessments under `ledger`, one per participant and day.
    ledger : Ledger
    """
    asked = frame.filter(pl.col("participant_id").is_in(_candidates(frame).implode()))
    if asked.is_empty():
        return 0
    found = jumps(asked.select("participant_id", "day", "gastrostomy", *_ITEMS, *_TOTALS))
    kinds = found.select("participant_id", "day", "kind").unique(maintain_order=True)
    hits = asked.join(kinds, on=["participant_id", "day"], how="inner", maintain_order="left")
    return ledger.flag("implausible_jump", hits, detail=pl.col("kind").replace_strict(_MEANING, return_dtype=pl.String))


def _candidates(frame: pl.DataFrame) -> pl.Series:
    """Return the participants who may have such a change: all who have one, and few others.

    Neighbouring rows are compared as they stand. Where a cell is missing before the next score, or a score is missing, the
    participant is looked at more closely.
    """
    how = JumpCriteria()
    ordered = frame.sort("participant_id", "day")
    later = pl.col("participant_id") == pl.col("participant_id").shift()
    suspect = pl.col("gastrostomy").shift() & ~pl.col("gastrostomy")
    for name in (*_ITEMS, *_TOTALS):
        cell, before = pl.col(name).cast(pl.Int16), pl.col(name).cast(pl.Int16).shift()
        change = cell - before
        odd = change.abs() > how.total_noise if name in _TOTALS else change >= how.item_rise
        suspect = suspect.fill_null(False) | odd.fill_null(False) | (cell.is_not_null() & before.is_null())
    return ordered.filter(later & suspect)["participant_id"].unique()
