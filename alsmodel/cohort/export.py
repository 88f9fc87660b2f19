"""Tables for people: text that a spreadsheet cannot take for a formula, whole files or none, and no participant in them."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from alsmodel.cohort.keys import participant_keys
from alsmodel.cohort.tables import distinct

#: Columns of the issue table that leave the cohort folder; the value joins them only when it is asked for.
ISSUE_COLUMNS = ("severity", "rule", "file", "row", "column", "participant_key", "action", "detail")

#: A cell that begins with one of these, after blank space or not, may be run as a formula; full-width forms and the true minus sign too.
_STARTERS = "=+\\-@＝＋－＠−"
_BEGINS = rf"^(?:[\s\p{{C}}\p{{Z}}]*[{_STARTERS}]|[\t\r\n])"
#: The same after what some settings of a spreadsheet take for the end of a cell.
_WITHIN = rf"([;\t\r\n][\s\p{{C}}\p{{Z}}]*)([{_STARTERS}])"


def spreadsheet_safe(frame: pl.DataFrame) -> pl.DataFrame:
    """Put an apostrophe before every text that a spreadsheet could run as a formula.

    Such a text begins with = + - @ or a relative of these (full-width, the true minus sign), or
    with a tab or line end. The same goes for the part of a text that follows a semicolon, tab or line end, because a
    spreadsheet set to that delimiter begins a cell there. Numbers, dates and truth values stay as they are, negative or not.

    Parameters
    ----------
    frame : polars.DataFrame
        Text, categories and column names are treated.

    Notes
    -----
    OWASP, CSV Injection, https://owasp.org/www-community/attacks/CSV_Injection.

    Examples
    --------
    >>> spreadsheet_safe(pl.DataFrame({"a": ["=1+1", "-3", "fine"], "b": [-1, 2, 3]})).rows()
    [("'=1+1", -1), ("'-3", 2), ('fine', 3)]
    """
    textual = [name for name, kind in frame.schema.items() if kind in (pl.String, pl.Categorical, pl.Enum)]
    safe = frame.with_columns(_safe_series(frame[name].cast(pl.String)) for name in textual)
    names = pl.Series(frame.columns, dtype=pl.String).to_frame("name").select(_safe(pl.col("name"))).to_series()
    safe.columns = names.to_list()
    return safe


def _safe_series(text: pl.Series) -> pl.Series:
    """Treat each distinct text once; most columns hold few, and most of them none that is at risk."""
    few = distinct(text).to_frame()
    changed = few.with_columns(_safe(pl.col(text.name)).alias("_safe")).filter(pl.col(text.name) != pl.col("_safe"))
    return text if changed.is_empty() else text.replace(changed[text.name], changed["_safe"])


def _safe(text: pl.Expr) -> pl.Expr:
    inner = text.str.replace_all(_WITHIN, "${1}'${2}")
    return pl.when(inner.str.contains(_BEGINS)).then("'" + inner).otherwise(inner)


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write `frame` as a comma-separated UTF-8 file that is safe to open in a spreadsheet; whole or not at all."""
    write_together(path.parent, {path.name: csv_writer(frame)})


def csv_writer(frame: pl.DataFrame) -> Callable[[Path], object]:
    """Return what writes `frame` as a spreadsheet-safe CSV file to a path, for `write_together`."""
    return lambda path: spreadsheet_safe(frame).write_csv(path)


def write_together(folder: Path, writers: Mapping[str, Callable[[Path], object]]) -> None:
    """Write several files; older ones stay as they are unless all of the new ones could be written.

    Parameters
    ----------
    folder : path
        Created if absent.
    writers : mapping
        File name -> what writes that file to the path it is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as temporary:
        new = {}
        for name, write in writers.items():
            new[name] = Path(temporary.enter_context(tempfile.TemporaryDirectory(prefix=f".{name}.", dir=folder))) / name
            write(new[name])
        for name, path in new.items():
            os.replace(path, folder / name)


def issue_table(issues: pl.DataFrame, key: bytes, *, with_values: bool = False) -> pl.DataFrame:
    """Return the issues as they may leave the cohort folder: participants by their key, and no cell.

    Parameters
    ----------
    issues : polars.DataFrame
        Canonical issues.
    key : bytes
        Of the cohort folder.
    with_values : bool
        Add the cell as it was, in a last column.
    """
    keyed = issues.with_columns(participant_keys(issues["participant_id"], key))
    return keyed.select(*ISSUE_COLUMNS, *(["value"] if with_values else []))
