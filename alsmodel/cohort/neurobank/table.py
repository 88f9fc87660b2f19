"""NeuroBANK's cells made readable: codes without a word in the mapping, and columns made of several."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import polars as pl

from alsmodel.cohort.files.table import TextTable
from alsmodel.cohort.ledger import LINE, POSITION, Ledger
from alsmodel.cohort.raw import NULLS, collapsed

#: What a set check box holds.
SET = "1"
#: What stands for a gene's result that cannot be one.
NO_MEANING, NOT_DONE_TOO = "code without a published meaning", "a result although marked as not tested"


@final
@dataclass(frozen=True)
class Made:
    """A column made of others, under a name of its own or in place of one of them.

    Attributes
    ----------
    of : tuple of str
        Columns that it is made of; one that the file lacks has no cells.
    cells : callable
        Takes an expression per column and returns the cells as text.
    """

    of: tuple[str, ...]
    cells: Callable[..., pl.Expr]


@final
@dataclass(frozen=True)
class CodedTable:
    """A table whose codes are read: 5 where a program has written 5.0, words for codes, and made columns.

    Attributes
    ----------
    raw : TextTable
    key : str
        The participant's column, as written; its cells are left alone.
    codes : mapping
        Column, collapsed -> (code -> cell, None for a code that means unknown).
    made : mapping
        Name -> made column, those of this file only.
    hidden : frozenset of str
        Columns, collapsed, that only go into made ones.
    """

    raw: TextTable
    key: str
    codes: Mapping[str, Mapping[str, str | None]]
    made: Mapping[str, Made]
    hidden: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Base name of the file."""
        return self.raw.name

    @property
    def sha256(self) -> str:
        """Of the bytes of the file."""
        return self.raw.sha256

    @property
    def size(self) -> int:
        """Bytes, or a measure of them."""
        return self.raw.size

    @property
    def header(self) -> tuple[str, ...]:
        """Columns of the file that say something by themselves, then the made ones whose parts are there."""
        there = {collapsed(column) for column in self.raw.header}
        new = [name for name, made in self.made.items() if collapsed(name) not in there and there & {collapsed(c) for c in made.of}]
        return (*(column for column in self.raw.header if collapsed(column) not in self.hidden), *new)

    def has_rows(self) -> bool:
        """Say whether anything follows the header."""
        return self.raw.has_rows()

    def without_text(self) -> "CodedTable":
        """Return the same table without its text."""
        return replace(self, raw=self.raw.without_text())

    def table(self, columns: Mapping[str, str], nulls: Sequence[str] = NULLS) -> tuple[pl.DataFrame, Ledger]:
        """Read some columns as text; see `alsmodel.cohort.raw.RawFile.table`."""
        as_written = {collapsed(column): column for column in self.raw.header}
        made = {collapsed(name): one for name, one in self.made.items()}
        needed = [written for written in columns if collapsed(written) in as_written]
        parts = [as_written[collapsed(c)] for w in columns if (one := made.get(collapsed(w))) for c in one.of if collapsed(c) in as_written]
        read = dict.fromkeys([*needed, *parts])
        frame, ledger = self.raw.table({written: f"\0{collapsed(written)}" for written in read}, nulls)
        frame = frame.with_columns(self._decoded(written) for written in read if written != self.key)
        result = [pl.col(POSITION), pl.col(LINE)]
        for written, name in columns.items():
            if (one := made.get(collapsed(written))) is not None:
                cells = one.cells(*(_part(frame, column) for column in one.of))
            else:
                cells = pl.col(f"\0{collapsed(written)}")
            result.append(cells.alias(name))
        return frame.select(result), ledger

    def _decoded(self, written: str) -> pl.Expr:
        column = collapsed(written)
        cell = pl.col(f"\0{column}").str.replace(r"^(-?\d+)\.0+$", "$1")
        return cell.replace(dict(self.codes[column])) if column in self.codes else cell


def _part(frame: pl.DataFrame, column: str) -> pl.Expr:
    name = f"\0{collapsed(column)}"
    return pl.col(name) if name in frame.columns else pl.lit(None, dtype=pl.String)


def any_set(*flags: pl.Expr) -> pl.Expr:
    """Return the mark of a set flag where any of several is set."""
    return pl.when(pl.any_horizontal(flag == SET for flag in flags)).then(pl.lit(SET))


def told(*cells: pl.Expr) -> pl.Expr:
    """Return "yes" where any of several cells has something in it."""
    return pl.when(pl.any_horizontal(cell.is_not_null() for cell in cells)).then(pl.lit("yes"))


def first_of(*cells: pl.Expr) -> pl.Expr:
    """Return the first cell that has something in it."""
    return pl.coalesce(cells)


def elsewhere(axial: pl.Expr, neck: pl.Expr, trunk: pl.Expr, breathing: pl.Expr, generalized: pl.Expr, other: pl.Expr) -> pl.Expr:
    """Return the mark of an onset elsewhere than in bulb, limbs and breathing muscles.

    Breathing is a part of the trunk, and the trunk of the axis: their marks beside it name no further place.
    """
    further = ((axial == SET) | (trunk == SET)).fill_null(False) & ~(breathing == SET).fill_null(False)
    return pl.when(pl.any_horizontal(further, neck == SET, generalized == SET, other == SET)).then(pl.lit(SET))


def coded_result(known: Sequence[str]) -> Callable[..., pl.Expr]:
    """Return what reads a gene's result: takes it and, where there is one, the mark that it was not tested.

    A number that is no known code would be read as a repeat length; it becomes `NO_MEANING`, and a result beside the mark of a
    test not done `NOT_DONE_TOO`. Both are words that no vocabulary knows, so that they are never a mutation.
    """

    def cells(result: pl.Expr, *not_done: pl.Expr) -> pl.Expr:
        number = result.str.contains(r"^[+-]?[\d.]+$") & ~result.is_in(list(known))
        both = result.is_not_null() & pl.any_horizontal(pl.lit(False), *((mark == SET).fill_null(False) for mark in not_done))
        return pl.when(both).then(pl.lit(NOT_DONE_TOO)).when(number).then(pl.lit(NO_MEANING)).otherwise(result)

    return cells


def named_in_free_text(other: pl.Expr) -> pl.Expr:
    """Return the result of a mutation that only free text names."""
    return pl.when(other == SET).then(pl.lit("uncertain"))


def relative_with_als(als: pl.Expr) -> pl.Expr:
    """Return the disease of a relative who has ALS."""
    return pl.when(als == SET).then(pl.lit("ALS"))


def mutation_of_relative(names: Sequence[str]) -> Callable[..., pl.Expr]:
    """Return what lists the genes marked for a relative who has ALS: takes the mark of ALS, then those of the genes."""

    def cells(als: pl.Expr, *genes: pl.Expr) -> pl.Expr:
        marked = [pl.when(gene == SET).then(pl.lit(name)) for name, gene in zip(names, genes, strict=True)]
        listed = pl.concat_str(marked, separator=", ", ignore_nulls=True)
        return pl.when((als == SET) & (listed != "")).then(listed)

    return cells
