"""What a command shows: tables and sentences on stdout, progress on stderr, or one JSON object."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

from alsmodel.study.progress import Advance

if TYPE_CHECKING:
    from rich.console import Console

#: Characters of a text that is shown on one line, and between columns.
_SHORT, _GAP = 20, 2
#: Seconds between two lines of progress where no line can move.
_LOGGED_EVERY = 30.0


@final
class Output:
    """Where a command's words go.

    Parameters
    ----------
    as_json : bool
        One JSON object on stdout and nothing else there.
    quiet : bool
        Nothing but errors.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet

    # Rich is imported where it is used: --help, which shows only Typer's own words, is twice as quick for it.
    @cached_property
    def _out(self) -> "Console":
        from rich.console import Console

        return Console(highlight=False, soft_wrap=True)

    @cached_property
    def _progress_console(self) -> "Console":
        from rich.console import Console

        return Console(stderr=True, highlight=False)

    @property
    def talks(self) -> bool:
        """Whether sentences and tables are wanted."""
        return not (self.as_json or self.quiet)

    def say(self, text: str) -> None:
        """Print a sentence."""
        if self.talks:
            self._out.print(text, markup=False)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table; numbers to the right, thousands separated."""
        if not self.talks:
            return
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        cells = [[_cell(row[place]) for row in rows] for place in range(len(columns))]
        widest = [max(map(len, column), default=0) for column in cells]
        numeric = [bool(rows) and all(isinstance(row[place], int | float) for row in rows) for place in range(len(columns))]
        # A number that is cut short is another number: those columns keep their width, heads and long texts fold. So do names in the
        # first column, as long as the other texts keep room enough to be read.
        fixed = [numeric[place] or widest[place] <= _SHORT for place in range(len(columns))]
        least = [max(*map(len, column.split(" ")), widest[k] if fixed[k] else _SHORT) for k, column in enumerate(columns)]
        if not all(fixed[1:]) and not fixed[0] and sum(least) - least[0] + widest[0] + _GAP * len(columns) <= self._out.width:
            least[0] = max(least[0], widest[0])
        for place, column in enumerate(columns):
            table.add_column(column, justify="right" if numeric[place] else "left", min_width=least[place], overflow="fold")
        for row in zip(*cells, strict=True):
            table.add_row(*map(Text, row))
        # Where even that is too wide, the table goes beyond the edge rather than losing digits.
        if (needed := sum(least) + _GAP * len(columns) + _GAP) > self._out.width:
            table.width = needed
        self._out.print(table, soft_wrap=False, crop=False)

    def result(self, **values: Any) -> None:
        """Print the command's JSON object, when JSON was asked for."""
        if self.as_json:
            sys.stdout.write(json.dumps(values, indent=2, default=str, allow_nan=False) + "\n")
            sys.stdout.flush()

    def note(self, text: str) -> None:
        """Print a sentence on stderr at once: why nothing is there yet."""
        if self.talks:
            self._progress_console.print(text, markup=False, soft_wrap=True)

    def _logged(self, title: str) -> Advance:
        """Progress for where no line can move."""
        started: list[tuple[float, float]] = []
        last = [time.monotonic()]

        def advance(done: float, total: float) -> None:
            now = time.monotonic()
            started[:] = started or [(now, done)]
            if now - last[0] >= _LOGGED_EVERY:
                last[0] = now
                tail = pace(done - started[0][1], total - done, now - started[0][0])
                self.note(f"{title}: {done:,.0f} of {total:,.0f}{tail}")

        return advance

    @contextmanager
    def stage(self, title: str) -> Iterator[Advance]:
        """Show that `title` is under way; the callable takes the work done and the work in all.

        On a terminal a line that moves; elsewhere, such as in the log of a batch job, a line every half minute.
        """
        if not self.talks:
            yield _ignore
            return
        if not self._progress_console.is_terminal:
            yield self._logged(title)
            return
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._progress_console, transient=True) as progress:
            task = progress.add_task(title, total=None, count="")
            started: list[tuple[float, float]] = []

            def advance(done: float, total: float) -> None:
                now = time.monotonic()
                started[:] = started or [(now, done)]  # what an earlier run had done is no work of this one
                count = f"{done:,.0f} of {total:,.0f}{pace(done - started[0][1], total - done, now - started[0][0])}"
                progress.update(task, completed=done, total=total, count=count)

            yield advance


def pace(done: float, left: float, seconds: float) -> str:
    """Work per second and the time left, as a tail of a progress line; empty while nothing is known.

    Examples
    --------
    >>> pace(1000, 4000, 10)
    ', 100 per s, 0:40 left'
    >>> pace(30, 3600, 60)
    ', 0.5 per s, 2:00:00 left'
    >>> pace(0, 10, 3)
    ''
    """
    if done <= 0 or seconds <= 0:
        return ""
    rate, remaining = done / seconds, round(left * seconds / done)
    minutes, rest = divmod(remaining, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    return f", {rate:,.0f} per s, {clock} left" if rate >= 10 else f", {rate:,.1f} per s, {clock} left"


def plain(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Replace numbers that JSON cannot say (nan, infinity) by None, at any depth."""
    return {key: _plain(value) for key, value in mapping.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not (float("-inf") < value < float("inf")):
        return None
    return value


def _ignore(done: float, total: float) -> None:
    """Take progress and show nothing."""


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    return str(value)
