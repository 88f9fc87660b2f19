"""The few kinds of block that a section is made of, as the template takes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Paragraph:
    """A sentence or more; `tone` "quiet" for what was not run or is only a remark."""

    text: str
    tone: str = ""
    kind: str = "paragraph"


@final
@dataclass(frozen=True)
class Table:
    """A table of printed cells.

    Attributes
    ----------
    head : sequence of str
        Column headings with units; empty for a table of label and text.
    rows : sequence of sequences of str
        Cells. A row of one cell is a heading within the table.
    caption, note : str
        Above and below.
    text_columns : int
        The first so many columns hold words and are set to the left; numbers stand at the right.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    note: str = ""
    text_columns: int = 1
    kind: str = "table"


@final
@dataclass(frozen=True)
class Figure:
    """A drawing with its legend and the numbers behind it."""

    svg: str
    title: str
    legend: str
    numbers: Table
    kind: str = "figure"


@final
@dataclass(frozen=True)
class Code:
    """Lines in a fixed-width face."""

    lines: Sequence[str]
    kind: str = "code"


@final
@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    texts: Sequence[str]
    kind: str = "items"


@final
@dataclass(frozen=True)
class Pairs:
    """Names and what they stand for."""

    rows: Sequence[tuple[str, str]]
    kind: str = "pairs"


@final
@dataclass(frozen=True)
class Badges:
    """One line per check: whether it passed, its name and its words."""

    rows: Sequence[tuple[bool, str, str]]
    kind: str = "badges"


Block = Paragraph | Table | Figure | Code | Items | Pairs | Badges


@final
@dataclass(frozen=True)
class Section:
    """A part of the page; `shown` is false where nothing was run."""

    id: str
    title: str
    blocks: Sequence[Block]
    shown: bool = True
