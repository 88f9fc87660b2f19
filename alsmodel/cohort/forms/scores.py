"""ALSFRS and ALSFRS-R rows to assessments, totals and domains."""

import polars as pl

from alsmodel.clinical import alsfrs
from alsmodel.cohort.cells import finite, finite_series, reject_copies
from alsmodel.cohort.forms.form import Form
from alsmodel.cohort.forms.jump_flags import flag_jumps
from alsmodel.cohort.ledger import LINE, POSITION, Ledger
from alsmodel.cohort.tables import measured

_ITEM_5 = ("item_5a", "item_5b", "item_5")
_READ = (*(c for c in alsfrs.ITEM_COLUMNS if c != "item_5"), *_ITEM_5, "item_10_original")
_ITEMS = (*alsfrs.ITEM_COLUMNS, "item_10_original")
_TOTALS = (("total_48", alsfrs.MAX_TOTAL), ("total_40", alsfrs.MAX_TOTAL_ORIGINAL))
_REVISED = ("item_10", "item_11", "item_12")
_MEASURES = {"total_48": "alsfrs_r_total", "total_40": "alsfrs_total"}


def read_scores(form: Form) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the assessments and the contacts (participant, day) of the table."""
    form = form.with_days()
    return score(form)


def score(form: Form) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the assessments and the contacts of a form whose participants and days have been read."""
    ledger, written = form.ledger, form.written
    contacts = form.frame.select("participant_id", "day")
    frame = _scores(form.frame, ledger, written)
    frame = reject_copies(frame, ledger)
    frame = _item_5(frame, form)
    for total, most in _TOTALS:
        frame = _total(frame, total, most, ledger, written[total])
    frame = frame.with_columns(_scale(form))
    empty = pl.all_horizontal(pl.col(*_ITEMS, "total_48", "total_40").is_null())
    if ledger.flag("nothing_recorded", frame, empty):
        frame = ledger.usable(frame)
    frame = _one_per_day(frame, ledger)
    flag_jumps(frame, ledger)
    ten = frame.filter(pl.col("scale") == "ALSFRS").height
    if ten:
        ledger.note("ten_item_scale", detail=f"{ten} rows of the ten-item ALSFRS: total on 40, never rescaled")
    return frame, contacts


def measures(assessments: pl.DataFrame) -> pl.DataFrame:
    """Return totals and domains as measurements; the totals on 40 and on 48 have names of their own."""
    named = {name: pl.col(total) for total, name in _MEASURES.items()} | {name: alsfrs.domain(name) for name in alsfrs.DOMAINS}
    return pl.concat([measured(assessments, value, name, "point") for name, value in named.items()])


def _scores(frame: pl.DataFrame, ledger: Ledger, written: dict[str, str]) -> pl.DataFrame:
    """Turn the items into Int8; a cell that is no score counts as missing and spoils the row's stored total."""
    numbers = pl.DataFrame([finite_series(frame[item]) for item in _READ])
    good = numbers.select(
        pl.when(pl.col(item).is_between(0, alsfrs.MAX_ITEM) & (pl.col(item) == pl.col(item).round(0))).then(pl.col(item)).cast(pl.Int8)
        for item in _READ
    )
    spoilt = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)
    for item in _READ:
        if good[item].null_count() == frame[item].null_count():
            continue
        lost = good[item].is_null() & frame[item].is_not_null()
        spoilt = spoilt | lost
        _flag_scores(frame.with_columns(numbers[item].alias("_number")).filter(lost), ledger, written[item])
    return frame.with_columns(good).with_columns(spoilt.alias("_spoilt"))


def _flag_scores(lost: pl.DataFrame, ledger: Ledger, written: str) -> None:
    number = pl.col("_number")
    outside = (number < 0) | (number > alsfrs.MAX_ITEM)
    ledger.flag("score_text", lost, number.is_null(), column=written)
    kind = pl.when(number < 0).then(pl.lit("below 0")).otherwise(pl.lit("above 4"))
    detail = pl.format("score {}; item and total count as missing", kind)
    ledger.flag("score_out_of_range", lost, outside, column=written, detail=detail)
    ledger.flag("score_not_integer", lost, ~outside, column=written)


def _item_5(frame: pl.DataFrame, form: Form) -> pl.DataFrame:
    """Join 5a and 5b; a filled 5b marks a gastrostomy, unless the form says of the gastrostomy itself."""
    ledger, written = form.ledger, form.written
    frame = form.known(frame, "gastrostomy", "yes_no")
    without, tube, merged = (pl.col(name) for name in _ITEM_5)
    both = without.is_not_null() & tube.is_not_null()
    differ = both & (without != tube)
    ledger.flag("item_5_both_equal", frame, both & (without == tube), column=written["item_5b"])
    ledger.flag("item_5_both_differ", frame, differ, column=written["item_5b"])
    said = pl.col("gastrostomy") == "yes"
    against = (said & without.is_not_null() & tube.is_null()) | (~said & tube.is_not_null() & without.is_null())
    ledger.flag("gastrostomy_differs", frame, against, column=written["gastrostomy"])
    return frame.with_columns(
        pl.when(~differ).then(pl.coalesce(tube, without, merged)).alias("item_5"),
        pl.when(differ)
        .then(said)
        .when(tube.is_not_null())
        .then(pl.lit(True))
        .when(without.is_not_null())
        .then(pl.lit(False))
        .otherwise(said)
        .alias("gastrostomy"),
    )


def _total(frame: pl.DataFrame, total: str, most: int, ledger: Ledger, written: str) -> pl.DataFrame:
    """Use the sum of the items; a stored total stands in where items are missing, unless one was no score."""
    text, stored = pl.col(total), pl.col("_stored")
    frame = frame.with_columns(finite(text).alias("_stored"))
    ledger.flag("not_a_number", frame, text.is_not_null() & stored.is_null(), column=written)
    impossible = ~(stored.is_between(0, most) & (stored == stored.round(0)))
    ledger.flag("total_out_of_range", frame, impossible, column=written)
    added = alsfrs.total_48() if total == "total_48" else alsfrs.total_40()
    ledger.flag("total_differs", frame, ~impossible & (stored != added), column=written)
    # A total that holds an impossible score, or an item 5 that cannot be told, cannot be trusted either.
    trusted = pl.when(~impossible & ~pl.col("_spoilt")).then(stored).cast(pl.Int16)
    return frame.with_columns(pl.coalesce(added, trusted).alias(total)).drop("_stored")


def _scale(form: Form) -> pl.Expr:
    """Return the scale of each row; a form without columns of the ten-item scale alone holds the revised one."""
    if not {"item_10_original", "total_40"} & form.given:
        return pl.lit("ALSFRS-R").alias("scale")
    revised = pl.any_horizontal(pl.col(*_REVISED, "total_48").is_not_null())
    return pl.when(revised).then(pl.lit("ALSFRS-R")).otherwise(pl.lit("ALSFRS")).alias("scale")


def _one_per_day(frame: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Keep the fullest row of each participant and day, then the first."""
    several = frame.filter(frame.select("participant_id", "day").is_duplicated())
    filled = pl.sum_horizontal(pl.col(*_ITEMS, "total_48", "total_40").is_not_null())
    ranked = several.with_columns(filled.alias("_filled")).sort("_filled", descending=True, maintain_order=True)
    again = ranked.filter(~pl.struct("participant_id", "day").is_first_distinct()).select(POSITION, LINE, "participant_id")
    if ledger.flag("conflicting_row", again):
        frame = ledger.usable(frame)
    return frame
