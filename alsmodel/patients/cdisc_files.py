"""SAS transport files (version 5), Dataset-JSON 1.1 and its form by lines, written from columns without any table library."""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np

Files = Literal["xpt", "dataset-json", "ndjson"]
SUFFIXES: dict[str, str] = {"xpt": ".xpt", "dataset-json": ".json", "ndjson": ".ndjson"}
_MADE = "2000-01-01T00:00:00"
_MADE_SAS = b"01JAN00:00:00:00"
_SAS_EPOCH = date(1960, 1, 1)
Cell = str | float | date | None


@dataclass(frozen=True)
class Variable:
    """One column: name of at most eight letters, label, and what its cells are."""

    name: str
    label: str
    kind: Literal["text", "number", "date"] = "text"


def write_data_set(
    name: str, label: str, variables: Sequence[Variable], rows: Sequence[Sequence[Cell]], folder: Path, files: Files
) -> Path:
    """Write one data set as ``<name>.xpt``, ``.json`` or ``.ndjson``; the same rows give the same bytes."""
    path = folder / f"{name.lower()}{SUFFIXES[files]}"
    if files == "xpt":
        path.write_bytes(_transport(name, label, variables, rows))
        return path
    about = {
        "datasetJSONCreationDateTime": _MADE,
        "datasetJSONVersion": "1.1.0",
        "itemGroupOID": f"IG.{name}",
        "records": len(rows),
        "name": name,
        "label": label,
        "columns": [_column(name, variable, [row[place] for row in rows]) for place, variable in enumerate(variables)],
    }
    cells = [[_json_cell(cell) for cell in row] for row in rows]
    if files == "ndjson":
        path.write_text("".join(json.dumps(line) + "\n" for line in (about, *cells)), encoding="utf-8")
    else:
        path.write_text(json.dumps(about | {"rows": cells}), encoding="utf-8")
    return path


def _column(name: str, variable: Variable, cells: list[Cell]) -> dict[str, object]:
    whole = all(cell is None or (isinstance(cell, int | float) and float(cell).is_integer()) for cell in cells)
    kind = {"text": "string", "date": "date"}.get(variable.kind, "integer" if whole else "float")
    column: dict[str, object] = {"itemOID": f"IT.{name}.{variable.name}", "name": variable.name, "label": variable.label, "dataType": kind}
    return column | ({"targetDataType": "integer", "displayFormat": "DATE9."} if variable.kind == "date" else {})


def _json_cell(cell: Cell) -> str | float | int | None:
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() else cell
    return cell


def ibm_double(number: float | None) -> bytes:
    """Return a number as an IBM hexadecimal floating-point number of eight bytes; None is SAS's missing number.

    The number is 16**(c - 64) times a fraction of 56 bits in [1/16, 1), where c is the low seven bits of the first byte.

    Examples
    --------
    >>> ibm_double(1.0).hex(), ibm_double(-118.625).hex()
    ('4110000000000000', 'c276a00000000000')
    """
    if number is None:
        return b"." + bytes(7)
    if number == 0:
        return bytes(8)
    fraction, exponent = np.frexp(abs(float(number)))
    sixteens = -(-int(exponent) // 4)
    bits = int(float(fraction) * 2.0**53) << 3 >> (4 * sixteens - int(exponent))
    return bytes([(0x80 if number < 0 else 0) | (sixteens + 64)]) + bits.to_bytes(7, "big")


def _transport(name: str, label: str, variables: Sequence[Variable], rows: Sequence[Sequence[Cell]]) -> bytes:
    columns = [[row[place] for row in rows] for place in range(len(variables))]
    packed, widths = [], []
    for variable, cells in zip(variables, columns, strict=True):
        if variable.kind == "text":
            raw = [str(cell).encode() if cell is not None else b"" for cell in cells]
            width = max([1, *(len(cell) for cell in raw)])
            packed.append([cell.ljust(width) for cell in raw])
        else:
            width = 8
            packed.append([ibm_double(_sas_number(cell)) for cell in cells])
        widths.append(width)
    described = b""
    place = 0
    for number, (variable, width) in enumerate(zip(variables, widths, strict=True), 1):
        described += _described(number, variable, width, place)
        place += width
    member = b"SAS     " + name.upper().encode().ljust(8) + b"SASDATA 9.4     " + b"Linux".ljust(8) + b" " * 24 + _MADE_SAS
    parts = (
        _header("LIBRARY") + b"0" * 30 + b"  ",
        b"SAS     SAS     SASLIB  9.4     " + b"Linux".ljust(8) + b" " * 24 + _MADE_SAS,
        _MADE_SAS.ljust(80),
        _header("MEMBER") + b"000000000000000001600000000140  ",
        _header("DSCRPTR") + b"0" * 30 + b"  ",
        member,
        _MADE_SAS + b" " * 16 + label.encode().ljust(40)[:40] + b" " * 8,
        _header("NAMESTR") + b"000000" + f"{len(variables):04d}".encode() + b"0" * 20 + b"  ",
        _padded(described),
        _header("OBS") + b"0" * 30 + b"  ",
        _padded(b"".join(b"".join(row) for row in zip(*packed, strict=True))),
    )
    return b"".join(parts)


def _header(what: str) -> bytes:
    return b"HEADER RECORD*******" + what.encode().ljust(8) + b"HEADER RECORD!!!!!!!"


def _padded(data: bytes) -> bytes:
    return data + b" " * (-len(data) % 80)


def _described(number: int, variable: Variable, width: int, place: int) -> bytes:
    """Return the 140 bytes that describe a column: type, length, number, name, label, formats, place in the row."""
    shown = (b"DATE    ", 9) if variable.kind == "date" else (b" " * 8, 0)
    return struct.pack(
        ">hhhh8s40s8shhh2s8shhl52s",
        2 if variable.kind == "text" else 1,
        0,
        width,
        number,
        variable.name.encode().ljust(8),
        variable.label.encode().ljust(40),
        shown[0],
        shown[1],
        0,
        0,
        bytes(2),
        b" " * 8,
        0,
        0,
        place,
        bytes(52),
    )


def _sas_number(cell: Cell) -> float | None:
    if isinstance(cell, date):
        return float((cell - _SAS_EPOCH).days)
    return None if cell is None or isinstance(cell, str) else float(cell)
