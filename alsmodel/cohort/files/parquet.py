"""Parquet files: typed columns become the text that a text file would hold."""

import io
from pathlib import Path

import polars as pl

from alsmodel.cohort.files.table import FrameTable, file_bytes
from alsmodel.cohort.files.typed import as_text
from alsmodel.errors import Fault


def open_parquet(path: Path, faults: list[Fault], sheet: str = "") -> FrameTable | None:
    """Read a Parquet file; add to `faults` and return None when that cannot be done.

    Parameters
    ----------
    path : Path
    faults : list of Fault
    sheet : str
        A Parquet file has no sheets: naming one is a fault.
    """
    if sheet:
        faults.append(Fault(path.name, "has no sheets.", "Take sheet = ... out of the mapping."))
        return None
    read = file_bytes(path, faults)
    if read is None:
        return None
    data, sha256 = read
    try:
        frame = pl.read_parquet(io.BytesIO(data))
        text = pl.DataFrame([as_text(column).alias(column.name.strip()) for column in frame])
    except pl.exceptions.DuplicateError:
        faults.append(Fault(path.name, "two columns have the same name apart from blanks.", "Rename or remove one."))
        return None
    except (KeyboardInterrupt, SystemExit):
        raise
    # Damage deep in a file makes the library panic, which is no Exception.
    except BaseException:
        faults.append(Fault(path.name, "cannot be read as Parquet: it is damaged or of another kind.", "Write it anew, or save it as CSV."))
        return None
    if not any(text.columns):
        faults.append(Fault(path.name, "has no columns.", "Give a file with data."))
        return None
    return FrameTable(path.name, sha256, text, first_line=1)
