"""Assessments with a row per item, turned into a row per assessment; every row of the file keeps its own fate."""

from dataclasses import replace
from typing import final

import numpy as np
import polars as pl

from alsmodel.cohort.cells import reject_copies
from alsmodel.cohort.forms.form import Form
from alsmodel.cohort.forms.kinds import KINDS
from alsmodel.cohort.forms.scores import score
from alsmodel.cohort.ledger import LINE, POSITION, Ledger


def read_long_scores(form: Form) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the assessments and the contacts of a form with a row per item.

    The item of a row is known by the words of the mapping under "item" (such as "speech" = "item_1").
    """
    form = form.with_days()
    ledger = form.ledger
    frame = reject_copies(form.frame, ledger)
    contacts = frame.select("participant_id", "day")
    words = pl.col("item").str.strip_chars().str.to_lowercase()
    frame = frame.with_columns(words.replace_strict(form.words("item"), default=None, return_dtype=pl.String).alias("item"))
    if ledger.flag("item_unknown", frame, pl.col("item").is_null(), column=form.written["item"]):
        frame = ledger.usable(frame)
    if ledger.flag("nothing_recorded", frame, pl.col("score").is_null(), column=form.written["score"]):
        frame = ledger.usable(frame)
    again = frame.filter(~pl.struct("participant_id", "day", "item").is_first_distinct())
    detail = "another row of this participant, day and item differs; the first was used"
    if ledger.flag("conflicting_row", again, detail=detail):
        frame = ledger.usable(frame)
    wide, members = _wide(frame)
    spec = KINDS["assessments"]
    absent = [name for name in (*spec.needs, *spec.knows) if name not in wide.columns]
    wide = wide.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    within = WideLedger(ledger, members, form.written["score"], wide.height)
    # Each item's cell stands in the score column of its own row.
    written = {name: name for name in wide.columns} | {"day": form.written["day"]}
    given = frozenset(name for name in wide.columns if name not in absent)
    assessments, _ = score(replace(form, frame=wide, ledger=within, written=written, given=given))
    return assessments, contacts


def _wide(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return a row per participant and day with a column per item, and which rows of the file went into each."""
    keys = ["participant_id", "day"]
    groups = frame.select(keys).unique(maintain_order=True).with_row_index("_group")
    members = frame.join(groups, on=keys, maintain_order="left").select("_group", POSITION, LINE, "item")
    first = frame.group_by(keys, maintain_order=True).agg(pl.col("mode", "respondent").first(ignore_nulls=True))
    cells = frame.pivot("item", index=keys, values="score", aggregate_function="first") if frame.height else frame.select(keys)
    lines = members.group_by("_group", maintain_order=True).agg(pl.col(LINE).first())
    wide = groups.join(first, on=keys, maintain_order="left").join(cells, on=keys, maintain_order="left")
    wide = wide.join(lines, on="_group", maintain_order="left").rename({"_group": POSITION})
    return wide, members


@final
class WideLedger(Ledger):
    """The ledger of rows made of several rows of a file; what it flags goes to the rows of the file that they were made of.

    Parameters
    ----------
    file : Ledger
        Of the file.
    members : polars.DataFrame
        `_group` (position of the made row), `_position`, `_line`, item: the rows of the file.
    written : str
        Column of the file in which the values stand.
    height : int
        Rows made.
    """

    def __init__(self, file: Ledger, members: pl.DataFrame, written: str, height: int) -> None:
        super().__init__(file.file, height)
        self._file, self._members, self._score = file, members, written

    def flag(
        self,
        rule: str,
        frame: pl.DataFrame,
        where: pl.Expr | None = None,
        *,
        column: str | None = None,
        detail: str | pl.Expr | None = None,
    ) -> int:
        """Apply `rule` to assessments: to the one row that holds `column`, else to all rows of each."""
        hits = frame if where is None else frame.filter(where)
        if hits.height == 0:
            return 0
        if isinstance(detail, pl.Expr):
            hits = hits.with_columns(detail.alias("_detail"))
        carried = [name for name in ("_detail", "participant_id") if name in hits.columns]
        rows = hits.select(pl.col(POSITION).alias("_group"), *carried).join(self._members, on="_group", maintain_order="left")
        of_item = rows.filter(pl.col("item") == column) if column is not None else rows.clear()
        # A row of the form that lacks the item, such as one whose value was computed, has it from all of its rows.
        others = rows.join(of_item.select("_group"), on="_group", how="anti", maintain_order="left") if of_item.height else rows
        text = pl.col("_detail") if isinstance(detail, pl.Expr) else detail
        self._file.flag(rule, of_item, column=self._score, detail=text)
        self._file.flag(rule, others, detail=text)
        # The assessment itself is used or not as the rule says.
        Ledger.flag(self, rule, hits, column=column)
        return hits.height

    def note(self, rule: str, *, column: str | None = None, detail: str | None = None, participants: pl.Series | None = None) -> None:
        """Add an issue of the file."""
        self._file.note(rule, column=column, detail=detail, participants=participants)

    def rejected(self) -> np.ndarray:
        """Return which assessments are not used."""
        return np.asarray(self._fate > 1)
