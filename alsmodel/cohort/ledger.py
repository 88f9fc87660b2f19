"""Row accounting: each row of a file ends in exactly one of kept, repaired, rejected, set aside."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from alsmodel.cohort.rules import RULES
from alsmodel.cohort.tables import conform, empty

#: Names of the fates; a row keeps the last of those that rules gave it.
FATES = ("kept", "repaired", "set aside", "rejected")
_RANK = {fate: rank for rank, fate in enumerate(FATES)}

#: Columns that every frame under a ledger carries: position in the file and line of the file.
POSITION, LINE = "_position", "_line"


class Ledger:
    """The fates of the rows of one file, and the issues met in it.

    A frame under a ledger carries the columns `_position` (0-based row) and `_line` (line of the file,
    the header being line 1), so that any part of it can be flagged.

    Parameters
    ----------
    file : str
        Base name of the file.
    height : int
        Rows read.
    text : mapping of str to polars.Series, optional
        Column as the file spells it -> its cells as they were read, one per row of the file. An issue that names such
        a column carries the cell. Held until `release`; the issues keep only the cells at fault.
    """

    def __init__(self, file: str, height: int, text: Mapping[str, pl.Series] | None = None) -> None:
        self.file = file
        self.height = height
        self._fate = np.zeros(height, dtype=np.uint8)
        self._issues: list[pl.DataFrame] = []
        self._text = dict(text or {})

    def flag(
        self,
        rule: str,
        frame: pl.DataFrame,
        where: pl.Expr | None = None,
        *,
        column: str | None = None,
        detail: str | pl.Expr | None = None,
    ) -> int:
        """Apply `rule` to the rows of `frame` where `where` holds (all of them without it).

        Parameters
        ----------
        rule : str
            Rule id.
        frame : polars.DataFrame
            Rows of this file, with `_position` and `_line`.
        where : polars.Expr, optional
            Null counts as false.
        column : str, optional
            The column at fault, as the file spells it.
        detail : str or polars.Expr, optional
            Kind of fault; never a value. The rule's meaning without it.

        Returns
        -------
        int
            Rows flagged.
        """
        spec = RULES[rule]
        text = detail if isinstance(detail, pl.Expr) else pl.lit(detail or spec.meaning)
        # Of a wide table no more is moved than an issue tells.
        told = frame.lazy() if where is None else frame.lazy().filter(where)
        hits = told.select(POSITION, LINE, _participant(frame), text.alias("detail")).collect()
        if hits.height == 0:
            return 0
        positions = hits[POSITION].to_numpy()
        rank = _RANK[spec.action]
        self._fate[positions] = np.maximum(self._fate[positions], rank)
        if spec.action == "set aside":
            self.note(rule, column=column, detail=f"{hits.height} rows: {detail or spec.meaning}")
            return hits.height
        self._issues.append(
            conform(
                "issues",
                hits.select(
                    pl.lit(spec.severity).alias("severity"),
                    pl.lit(rule).alias("rule"),
                    pl.lit(self.file).alias("file"),
                    pl.col(LINE).alias("row"),
                    pl.lit(column, dtype=pl.String).alias("column"),
                    "participant_id",
                    pl.lit(spec.action).alias("action"),
                    "detail",
                    self._cells(column, hits[POSITION]).alias("value"),
                ),
            )
        )
        return hits.height

    def _cells(self, column: str | None, positions: pl.Series) -> pl.Series:
        """Return the cells of `column` at `positions` as they were read, null where they are not known."""
        cells = self._text.get(column) if column is not None else None
        if cells is None:
            return pl.Series([None], dtype=pl.String).new_from_index(0, len(positions))
        return cells.gather(positions).cast(pl.String)

    def release(self) -> None:
        """Let go of the text of the file, once no more of its rows will be flagged; its issues keep their cells."""
        self._text = {}

    def note(
        self,
        rule: str,
        *,
        column: str | None = None,
        detail: str | None = None,
        participants: pl.Series | None = None,
    ) -> None:
        """Add an issue that belongs to no row: of a column, of the file, or one per participant."""
        spec = RULES[rule]
        who = pl.Series([None], dtype=pl.String) if participants is None else participants
        self._issues.append(
            conform(
                "issues",
                pl.DataFrame({"participant_id": who}).with_columns(
                    severity=pl.lit(spec.severity),
                    rule=pl.lit(rule),
                    file=pl.lit(self.file),
                    column=pl.lit(column, dtype=pl.String),
                    action=pl.lit(spec.action),
                    detail=pl.lit(detail or spec.meaning),
                ),
            )
        )

    def usable(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of `frame` that are so far neither rejected nor set aside."""
        fine = self._fate[frame[POSITION].to_numpy()] < _RANK["set aside"]
        return frame if fine.all() else frame.filter(pl.Series(fine))

    def used(self) -> int:
        """Count the rows kept or repaired."""
        return int((self._fate < _RANK["set aside"]).sum())

    def issues(self) -> pl.DataFrame:
        """Return the issues of this file, by line, and release its text."""
        self.release()
        if not self._issues:
            return empty("issues")
        return pl.concat(self._issues).sort("row", maintain_order=True, nulls_last=False)

    def flow(self) -> pl.DataFrame:
        """Return the counts of this file: one row, whose parts add up.

        Raises
        ------
        RuntimeError
            When they do not: a fault of the reader.
        """
        counts = np.bincount(self._fate, minlength=len(FATES))
        if int(counts.sum()) != self.height or len(counts) != len(FATES):
            raise RuntimeError(f"{self.file}: {self.height} rows read but {counts.sum()} accounted for.")
        row = {"file": self.file, "read": self.height}
        row |= {fate.replace(" ", "_"): int(n) for fate, n in zip(FATES, counts, strict=True)}
        return conform("flow", pl.DataFrame([row]))


def _participant(frame: pl.DataFrame) -> pl.Expr:
    if "participant_id" in frame.columns:
        return pl.col("participant_id")
    return pl.lit(None, dtype=pl.String).alias("participant_id")
