"""Text cells to numbers, days and known words, with a flag on each cell that does not fit."""

from collections.abc import Mapping, Sequence

import polars as pl

from alsmodel.cohort.ledger import LINE, POSITION, Ledger

#: Days beyond this distance from the time origin are placeholders or mistakes (100 years).
FARTHEST_DAY = 36525.0
DAY_RANGE = (-FARTHEST_DAY, FARTHEST_DAY)


def as_numbers(frame: pl.DataFrame, names: Sequence[str], ledger: Ledger, written: Mapping[str, str]) -> pl.DataFrame:
    """Turn text columns into Float64; text that is no finite number is flagged and becomes null.

    Parameters
    ----------
    frame : polars.DataFrame
    names : sequence of str
        Columns to turn.
    ledger : Ledger
    written : mapping
        Column -> as the file spells it.
    """
    numbers = pl.DataFrame([finite_series(frame[name]) for name in names])
    for name in names:
        # Every missing cell is a missing number, so that equal counts mean that no cell was lost.
        if numbers[name].null_count() != frame[name].null_count():
            lost = frame.filter(frame[name].is_not_null() & numbers[name].is_null())
            ledger.flag("not_a_number", lost, column=written.get(name, name))
    return frame.with_columns(numbers)


def finite(text: pl.Expr) -> pl.Expr:
    """Return text as Float64, null where it is not a finite number."""
    number = text.str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def finite_series(text: pl.Series) -> pl.Series:
    """Return text as Float64, null where it is not a finite number; the cells must have no blank space around them."""
    number = text.cast(pl.Float64, strict=False)
    if number.is_finite().all():
        return number
    return number.set(number.is_infinite() | number.is_nan(), None)


def within(frame: pl.DataFrame, ranges: Mapping[str, tuple[float, float]], ledger: Ledger, written: Mapping[str, str]) -> pl.DataFrame:
    """Flag numbers outside their range [low, high] as implausible and make them null."""
    if not ranges:
        return frame
    limits = frame.select(
        pl.struct(pl.col(name).min().alias("least"), pl.col(name).max().alias("most")).alias(name) for name in ranges
    ).row(0, named=True)
    for name, (low, high) in ranges.items():
        least, most = limits[name]["least"], limits[name]["most"]
        if least is None or (least >= low and most <= high):
            continue
        for beyond, kind in ((pl.col(name) < low, f"below {low:g}"), (pl.col(name) > high, f"above {high:g}")):
            detail = f"{kind}; the cell counts as missing"
            ledger.flag("value_implausible", frame, beyond, column=written.get(name, name), detail=detail)
        frame = frame.with_columns(pl.when(pl.col(name).is_between(low, high)).then(pl.col(name)))
    return frame


def need_participant(frame: pl.DataFrame, ledger: Ledger, written: str) -> pl.DataFrame:
    """Reject rows without a participant."""
    if frame["participant_id"].null_count():
        blank = pl.all_horizontal(pl.exclude(POSITION, LINE).is_null())
        if ledger.flag("blank_row", frame, blank):
            frame = ledger.usable(frame)
        ledger.flag("participant_missing", frame, pl.col("participant_id").is_null(), column=written)
        frame = ledger.usable(frame)
    return frame


def need_day(frame: pl.DataFrame, ledger: Ledger, written: str, days_per_unit: float = 1.0) -> pl.DataFrame:
    """Turn the text column `day` into days and reject rows without a usable one."""
    text = frame["day"]
    day, bad = finite_series(text) * days_per_unit, 0
    frame = frame.with_columns(day)
    if text.null_count():
        bad += ledger.flag("day_missing", frame.filter(text.is_null()), column=written)
    if day.null_count() != text.null_count():
        bad += ledger.flag("day_not_a_number", frame.filter(text.is_not_null() & day.is_null()), column=written)
    bad += ledger.flag("day_out_of_range", frame.filter(day.abs() > FARTHEST_DAY), column=written)
    return ledger.usable(frame) if bad else frame


def reject_copies(frame: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Reject rows that repeat an earlier row in all columns that were read."""
    return ledger.usable(frame) if flag_copies(frame, ledger) else frame


def flag_copies(frame: pl.DataFrame, ledger: Ledger) -> int:
    """Flag rows that repeat an earlier row; compared by hash first, then the few with equal hashes in full."""
    content = frame.drop(POSITION, LINE)
    hashes = content.hash_rows()
    # Sorting finds equal hashes quicker than grouping does.
    in_order = hashes.sort()
    later = in_order.filter(in_order == in_order.shift(1)).unique()
    if not len(later):
        return 0
    alike = frame.filter(hashes.is_in(later.implode()))
    return ledger.flag("duplicate_row", alike, ~pl.struct(content.columns).is_first_distinct())


def known_word(
    frame: pl.DataFrame,
    name: str,
    words: Mapping[str, str],
    ledger: Ledger,
    written: str | None = None,
) -> pl.DataFrame:
    """Translate the words of column `name` (any case); other words are flagged and become null."""
    word = pl.col(name).str.strip_chars().str.to_lowercase()
    known = word.replace_strict(dict(words), default=None, return_dtype=pl.String)
    ledger.flag("unknown_word", frame, pl.col(name).is_not_null() & known.is_null(), column=written or name)
    return frame.with_columns(known.alias(name))
