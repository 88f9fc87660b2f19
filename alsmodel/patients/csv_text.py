"""Fast CSV writing without a table library: columns of text, joined by rows."""

from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.object_]
BOM = "\ufeff"
_MOST_TABULATED = 500_000


def decimals(values: NDArray[Any], digits: int = 0, suffix: str = "") -> Column:
    """Format numbers with a fixed number of decimals; NaN becomes the empty cell.

    Numbers are formatted once per distinct value in their range, since a cohort has few distinct values and many
    cells.
    """
    numbers = np.asarray(values, dtype=float)
    missing = np.isnan(numbers)
    scaled = np.round(np.where(missing, 0.0, numbers) * 10.0**digits).astype(np.int64)
    if scaled.size == 0:
        return np.empty(0, dtype=object)
    low, high = int(scaled.min()), int(scaled.max())
    if high - low > _MOST_TABULATED:
        text = np.array([f"{k / 10**digits:.{digits}f}{suffix}" for k in scaled.tolist()], dtype=object)
    else:
        table = [f"{k / 10**digits:.{digits}f}{suffix}" for k in range(low, high + 1)]
        text = np.array(table, dtype=object)[scaled - low]
    text[missing] = ""
    return text


def labels(choices: tuple[str, ...] | list[str], index: NDArray[Any]) -> Column:
    """Look labels up by index; -1 becomes the empty cell."""
    cells: Column = np.array([*choices, ""], dtype=object)[index]
    return cells


def quoted(cell: str) -> str:
    """Quote a cell that holds a comma or a quote."""
    return '"' + cell.replace('"', '""') + '"' if "," in cell or '"' in cell else cell


class Table:
    """A table of text in the making: named columns of equal length, empty unless set.

    Parameters
    ----------
    header : tuple of str
        Column names, in file order.
    rows : int
        Number of rows.
    """

    def __init__(self, header: tuple[str, ...], rows: int) -> None:
        self.header = header
        self.rows = rows
        self._columns: dict[str, Column] = {}

    def __setitem__(self, name: str, values: Column | str) -> None:
        if name not in self.header:
            raise KeyError(f"{name} is not a column of this table.")
        column = np.full(self.rows, values, dtype=object) if isinstance(values, str) else values.astype(object)
        if column.size != self.rows:
            raise ValueError(f"{name} has {column.size} cells for {self.rows} rows.")
        self._columns[name] = column

    def __getitem__(self, name: str) -> Column:
        if name not in self._columns:
            self[name] = ""
        return self._columns[name]

    def keep(self, wanted: NDArray[np.bool_]) -> None:
        """Keep the wanted rows only."""
        self._columns = {name: column[wanted] for name, column in self._columns.items()}
        self.rows = int(wanted.sum())

    def duplicate(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Repeat these rows right after themselves; returns where the copies are."""
        source = np.sort(np.concatenate([np.arange(self.rows), np.sort(index)]), kind="stable")
        self._columns = {name: column[source] for name, column in self._columns.items()}
        self.rows = source.size
        return np.flatnonzero(np.diff(source, prepend=-1) == 0)

    def write(self, path: Path) -> None:
        """Write the table as UTF-8 with a byte order mark and line feeds."""
        cells = [self._columns[name].tolist() if name in self._columns else repeat("", self.rows) for name in self.header]
        body = "\n".join(map(",".join, zip(*cells))) if self.rows else ""
        text = BOM + ",".join(self.header) + "\n" + body + ("\n" if self.rows else "")
        path.write_bytes(text.encode("utf-8"))


def plant(order: NDArray[np.int64], rates: dict[str, float]) -> dict[str, NDArray[np.int64]]:
    """Share rows out among quirks so that no row has two.

    Parameters
    ----------
    order : array of int
        Row numbers in random order.
    rates : dict
        Share of rows for each quirk; a positive rate plants at least one while rows last.

    Returns
    -------
    dict
        Sorted row numbers of each quirk.
    """
    planted, used = {}, 0
    for name, rate in rates.items():
        wanted = max(1, round(rate * order.size)) if rate > 0 else 0
        planted[name] = np.sort(order[used : used + wanted])
        used += wanted
    return planted
