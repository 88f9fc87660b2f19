"""Forms that share a file: each has a ledger of its own, and the file one account in which every row counts once."""

from collections.abc import Sequence
from typing import final

import numpy as np
import polars as pl

from alsmodel.cohort.ledger import FATES, LINE, POSITION, Ledger

_KEPT, _REPAIRED, _SET_ASIDE, _REJECTED = (FATES.index(fate) for fate in ("kept", "repaired", "set aside", "rejected"))

#: Rules by which a row says nothing to one form, though it may to another.
_NOT_MINE = ("nothing_recorded", "duplicate_row", "row_set_aside")


class FormLedger(Ledger):
    """The ledger of one form among several of a file; rows that are not the form's are left to the others."""

    def __init__(self, file: str, height: int) -> None:
        super().__init__(file, height)
        self._left = np.zeros(height, dtype=np.bool_)
        self._copies: list[pl.DataFrame] = []
        #: Whether a row of the form is of a participant and a day, so that every row should say something of its own.
        self.dated = False

    @classmethod
    def over(cls, ledger: Ledger) -> "FormLedger":
        """Return a form's ledger that goes on from what reading the file's text has flagged."""
        form = cls(ledger.file, ledger.height)
        form.__dict__.update(ledger.__dict__)
        form._left = np.zeros(ledger.height, dtype=np.bool_)
        form._copies = []
        form.dated = False
        return form

    def leave(self, frame: pl.DataFrame) -> None:
        """Leave the rows of `frame` to other forms."""
        self._left[frame[POSITION].to_numpy()] = True

    def flag(
        self,
        rule: str,
        frame: pl.DataFrame,
        where: pl.Expr | None = None,
        *,
        column: str | None = None,
        detail: str | pl.Expr | None = None,
    ) -> int:
        """Apply `rule`; a row with nothing in it, or nothing new, for this form is left to the others without an issue."""
        if rule not in _NOT_MINE:
            return super().flag(rule, frame, where, column=column, detail=detail)
        hits = frame if where is None else frame.filter(where)
        # A row in which something was wrong is this form's; what is left of it after that is nothing.
        faulty = pl.Series(self._fate[hits[POSITION].to_numpy()] > 0, dtype=pl.Boolean)
        super().flag(rule, hits.filter(faulty), column=column, detail=detail)
        self.leave(hits.filter(~faulty))
        if rule == "duplicate_row":
            self._copies.append(hits.select(POSITION, LINE, "participant_id"))
        return hits.height

    def usable(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of `frame` that are the form's and so far neither rejected nor set aside."""
        mine = ~self._left[frame[POSITION].to_numpy()]
        return super().usable(frame if mine.all() else frame.filter(pl.Series(mine)))

    def used(self) -> int:
        """Count the rows of the form that are kept or repaired."""
        return int(((self._fate <= _REPAIRED) & ~self._left).sum())

    @property
    def left(self) -> np.ndarray:
        """Which rows are not this form's."""
        return self._left

    @property
    def copies(self) -> pl.DataFrame:
        """The rows that repeat an earlier row of the form: position, line, participant."""
        schema = {POSITION: pl.UInt32, LINE: pl.Int64, "participant_id": pl.String}
        return pl.concat([pl.DataFrame(schema=schema), *self._copies], how="vertical_relaxed")

    @property
    def fates(self) -> np.ndarray:
        """The fate of every row."""
        return self._fate


@final
class FileLedger(Ledger):
    """The account of a file that several forms read: a row used by any form is used, a row of no form is set aside.

    Parameters
    ----------
    forms : sequence of FormLedger
        All of one file.
    """

    def __init__(self, forms: Sequence[FormLedger]) -> None:
        super().__init__(forms[0].file, forms[0].height)
        fates = np.stack([form.fates for form in forms])
        mine = ~np.stack([form.left for form in forms])
        used = mine & (fates <= _REPAIRED)
        repaired = (used & (fates == _REPAIRED)).any(axis=0)
        rejected = (mine & (fates == _REJECTED)).any(axis=0)
        # Used by one form and faulty in another: repaired, since something of the row was lost and said so.
        self._fate = np.where(
            used.any(axis=0), np.where(repaired | rejected, _REPAIRED, _KEPT), np.where(rejected, _REJECTED, _SET_ASIDE)
        ).astype(np.uint8)
        seen: dict[tuple[str, str | None, str], None] = {}
        for form in forms:
            for issue in form._issues:
                # What belongs to the text of the file is in every form's ledger; it is said once.
                for part in issue.partition_by("rule", maintain_order=True):
                    key = (part["rule"][0], str(part["column"][0]), part.hash_rows().implode().to_list().__repr__())
                    if key not in seen:
                        seen[key] = None
                        self._issues.append(part)
        nobody = (~mine).all(axis=0)
        copies = _copies(forms)
        copies = copies.filter(pl.Series(nobody[copies[POSITION].to_numpy()], dtype=pl.Boolean))
        nobody[copies[POSITION].to_numpy()] = False
        if nobody.any():
            self.note("row_set_aside", detail=f"{int(nobody.sum())} rows: rows that no form of the mapping reads")
        self.flag("duplicate_row", copies)


def _copies(forms: Sequence[FormLedger]) -> pl.DataFrame:
    """Return the rows that repeat an earlier one.

    Facts of a participant may stand in each of their rows, so that only forms of a participant and a day tell, where there are any.
    """
    telling = [form for form in forms if form.dated] or forms
    return pl.concat([form.copies for form in telling]).unique(POSITION, keep="first", maintain_order=True).sort(POSITION)
