"""Data sets written as SAS transport files of version 5, as Dataset-JSON 1.1, or as its form by lines; the same data, the same bytes."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, final

import polars as pl

from alsmodel.errors import Fault

Files = Literal["xpt", "dataset-json", "ndjson"]
SUFFIX: dict[str, str] = {"xpt": ".xpt", "dataset-json": ".json", "ndjson": ".ndjson"}
#: Creation date of every file, unless another is given: a fixed one, so that the same cohort gives the same bytes.
CREATED = "2000-01-01T00:00:00"
#: Limits of version 5 of the transport format (SAS technical paper TS-140).
MOST_NAME, MOST_LABEL, MOST_TEXT = 8, 40, 200
_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,7}")
_DATA_TYPES = {pl.String(): "string", pl.Int64(): "integer", pl.Float64(): "float"}
#: Where a transport file of one data set has the time of its making, and of its last change: 16 bytes each.
_MADE_AT = (144, 160, 464, 480)


@final
@dataclass(frozen=True)
class DataSet:
    """One data set to write.

    Attributes
    ----------
    name, label : str
        Such as ADSL; at most 8 and 40 characters.
    frame : polars.DataFrame
        Columns of type String, Int64 or Float64.
    labels : mapping
        Column -> label, at most 40 characters.
    """

    name: str
    label: str
    frame: pl.DataFrame
    labels: dict[str, str]


def faults_of(data: DataSet, files: Files) -> list[Fault]:
    """Return everything that the files cannot hold; nothing is ever cut short."""
    faults = []
    for name in data.frame.columns:
        if not _NAME.fullmatch(name):
            faults.append(Fault(f"{data.name}:{name}", f"a name has at most {MOST_NAME} letters, digits and underscores.", "Rename it."))
        if len(data.labels.get(name, "")) > MOST_LABEL:
            faults.append(Fault(f"{data.name}:{name}", f"a label has at most {MOST_LABEL} characters.", "Shorten it."))
    if files != "xpt":
        return faults
    for name, kind in data.frame.schema.items():
        if kind != pl.String:
            continue
        text = data.frame[name]
        long = (text.str.len_bytes() > MOST_TEXT).fill_null(False)
        padded = (text != text.str.strip_chars_end(" ")).fill_null(False) | (text == "").fill_null(False)
        for rows, message, remedy in (
            (long, f"text of more than {MOST_TEXT} bytes", 'Write Dataset-JSON (--files "dataset-json"), or shorten it in the source.'),
            (
                padded,
                "text that is empty or ends in a blank, which a transport file cannot say",
                "Write Dataset-JSON, or correct the source.",
            ),
        ):
            where = rows.arg_true()
            if len(where):
                more = f" ({len(where)} rows)" if len(where) > 1 else ""
                faults.append(Fault(f"{data.name}:{where[0] + 1}:{name}", f"{message}{more}.", remedy))
    return faults


def write_data_set(data: DataSet, path: Path, files: Files, created: str) -> None:
    """Write one data set to `path`."""
    if files == "xpt":
        _write_transport(data, path, created)
        return
    about = about_data_set(data, created)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        if files == "ndjson":
            file.write(_json(about) + "\n")
            file.writelines(row + "\n" for row in _rows(data.frame))
            return
        file.write(_json(about)[:-1] + ', "rows": [')
        for place, row in enumerate(_rows(data.frame)):
            file.write(("," if place else "") + "\n" + row)
        file.write("\n]}\n" if data.frame.height else "]}\n")


def about_data_set(data: DataSet, created: str) -> dict[str, Any]:
    """Return what Dataset-JSON says of a data set before its rows."""
    columns = []
    for name, kind in data.frame.schema.items():
        column: dict[str, Any] = {"itemOID": f"IT.{data.name}.{name}", "name": name, "label": data.labels.get(name, name)}
        column["dataType"] = _DATA_TYPES[kind]
        if kind == pl.String:
            column["length"] = max([1, *data.frame[name].str.len_bytes().drop_nulls().unique()])
        columns.append(column)
    return {
        "datasetJSONCreationDateTime": created,
        "datasetJSONVersion": "1.1.0",
        "originator": "alsmodel",
        "itemGroupOID": f"IG.{data.name}",
        "records": data.frame.height,
        "name": data.name,
        "label": data.label,
        "columns": columns,
    }


def _rows(frame: pl.DataFrame) -> Iterator[str]:
    for row in frame.iter_rows():
        yield _json([int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in row])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _write_transport(data: DataSet, path: Path, created: str) -> None:
    # Slow to import, and needed for these files only.
    import pyreadstat

    pyreadstat.write_xport(
        data.frame,
        path,
        file_label=data.label,
        column_labels=[data.labels.get(name, name) for name in data.frame.columns],
        table_name=data.name,
        file_format_version=5,
    )
    made = datetime.fromisoformat(created).strftime("%d%b%y:%H:%M:%S").upper().encode("ascii")
    content = bytearray(path.read_bytes())
    for place in _MADE_AT:
        content[place : place + len(made)] = made
    path.write_bytes(bytes(content))
