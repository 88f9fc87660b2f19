"""One data set under preparation: columns put where the forms expect them, and what was met on the way.

The forms read one column for one thing. CDISC says one thing in several columns (a number, a text and the result as collected;
a study day and a date), so that each data set is prepared first. What preparing it meets is flagged in the same ledger, row by row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import final

import polars as pl

from alsmodel.cohort.cells import finite_series
from alsmodel.cohort.files.table import FrameTable, TextTable, open_table
from alsmodel.cohort.forms.form import Folder, Opened
from alsmodel.cohort.forms.kinds import is_known
from alsmodel.cohort.forms.mapping import FormMap, SourceMap
from alsmodel.cohort.ledger import POSITION, Ledger
from alsmodel.cohort.raw import NULLS
from alsmodel.errors import Fault, InvalidInput

#: Ends of the names of files that hold data sets.
KINDS_OF_FILE = (".xpt", ".json", ".ndjson")
PARTICIPANT = "USUBJID"


@final
@dataclass(frozen=True)
class Flag:
    """A rule that some rows fell under while the data set was prepared."""

    rule: str
    rows: pl.Series
    column: str | None = None
    detail: str | None = None


@final
@dataclass(frozen=True)
class PreparedTable:
    """A data set whose columns the forms can read, with the flags that its rows have from preparing it."""

    inner: FrameTable
    flags: tuple[Flag, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Base name of the file."""
        return self.inner.name

    @property
    def sha256(self) -> str:
        """Of the bytes of the file."""
        return self.inner.sha256

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the prepared columns."""
        return self.inner.header

    @property
    def size(self) -> int:
        """Bytes of the frame."""
        return self.inner.size

    def has_rows(self) -> bool:
        """Say whether there is any row."""
        return self.inner.has_rows()

    def without_text(self) -> "PreparedTable":
        """Return the same table without its rows."""
        return PreparedTable(self.inner.without_text())

    def table(self, columns: Mapping[str, str], nulls: Sequence[str] = NULLS) -> tuple[pl.DataFrame, Ledger]:
        """Read some columns as text, and give their rows the flags of the preparation."""
        frame, ledger = self.inner.table(columns, nulls)
        for rule, column in self.notes:
            ledger.note(rule, column=column)
        for flag in self.flags:
            hits = frame.filter(flag.rows.gather(frame[POSITION].cast(pl.UInt32)))
            ledger.flag(flag.rule, hits, column=flag.column, detail=flag.detail)
        return ledger.usable(frame), ledger


@final
@dataclass
class Domain:
    """A data set while it is prepared.

    Attributes
    ----------
    code : str
        Two letters before the names of its variables, such as QS; for ADaM the name of the data set.
    table : FrameTable
        As read.
    frame : polars.DataFrame
        Its columns by their names in capitals, missing cells null, all text.
    """

    code: str
    table: FrameTable
    frame: pl.DataFrame
    flags: list[Flag] = field(default_factory=list)
    spelled: dict[str, str] = field(default_factory=dict)
    made: dict[str, pl.Series] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    aside: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.Boolean))

    def __post_init__(self) -> None:
        self.aside = pl.repeat(False, self.frame.height, dtype=pl.Boolean, eager=True)

    def named(self, name: str) -> str:
        """Return the name of a variable with the letters of the data set: "--DTC" is QSDTC in QS."""
        return name.replace("--", self.code, 1)

    def has(self, name: str) -> bool:
        """Say whether the data set has the variable."""
        return self.named(name) in self.frame.columns

    def get(self, name: str) -> pl.Series:
        """Return a variable as text, null throughout where the data set lacks it."""
        name = self.named(name)
        self.used.add(name)
        return self.frame[name] if name in self.frame.columns else pl.repeat(None, self.frame.height, dtype=pl.String, eager=True)

    def first(self, *names: str) -> pl.Series:
        """Return the first of some variables that says something, row by row."""
        cells = [self.get(name) for name in names]
        return pl.DataFrame({str(place): cell for place, cell in enumerate(cells)}).select(pl.coalesce(pl.all())).to_series()

    def upper(self, name: str) -> pl.Series:
        """Return a variable in capitals."""
        return self.get(name).str.to_uppercase()

    def number(self, name: str) -> pl.Series:
        """Return a variable as numbers, null where it is none."""
        return finite_series(self.get(name))

    def put(self, name: str, cells: pl.Series, *, seen_as: str = "") -> None:
        """Set the column that a form reads as `name`; faults in it are said to be in `seen_as`."""
        name, shown = self.named(name), self.named(seen_as or name)
        self.spelled[name] = shown
        self.made[shown] = cells.cast(pl.String)

    def flag(self, rule: str, rows: pl.Series, *, column: str | None = None, detail: str | None = None) -> None:
        """Remember that some rows fell under a rule; null counts as no."""
        rows = rows.fill_null(False) & ~self.aside
        if rows.any():
            self.flags.append(Flag(rule, rows, None if column is None else self.named(column), detail))

    def set_aside(self, rows: pl.Series, detail: str) -> None:
        """Set some rows aside for a reason; those already aside keep theirs."""
        self.flag("row_set_aside", rows, detail=detail)
        self.aside = self.aside | rows.fill_null(False)

    def prepared(self, known: Sequence[str]) -> PreparedTable:
        """Return what the forms read; columns neither used nor among `known` are listed."""
        frame = pl.DataFrame(self.made) if self.made else self.frame.select(PARTICIPANT)
        placed = {self.named(name) for name in known}
        notes: list[tuple[str, str]] = []
        for name in self.frame.columns:
            if name not in self.used:
                notes.append(("column_set_aside" if name in placed else "column_unknown", name))
        return PreparedTable(replace(self.table, frame=frame, labels={}), tuple(self.flags), tuple(notes))

    def form(self, map_: FormMap, raw: TextTable, name: str, **changes: object) -> Opened:
        """Return a form over this data set, with the variables of its mapping under their own names."""
        columns = {shown: target for written, target in map_.columns.items() if (shown := self.shown(written)) in raw.header}
        where = {self.shown(written): cells for written, cells in map_.where.items()}
        mine = replace(map_, columns=columns, where=where, **changes)  # type: ignore[arg-type]
        return Opened(name, mine, raw, columns, {written: written for written in where}, (), ())

    def shown(self, name: str) -> str:
        """Return the name under which a prepared column stands in the table."""
        return self.spelled.get(self.named(name), self.named(name))


def read_domains(folder: Path, source: str) -> tuple[dict[str, Domain], list[str], list[Fault]]:
    """Open every data set of a folder.

    Returns
    -------
    domains : dict
        Stem of the file in lower case -> data set.
    others : list of str
        Names of files that hold no data set about participants.
    faults : list of Fault
    """
    faults: list[Fault] = []
    if not folder.is_dir():
        raise InvalidInput([Fault(folder.name, "is not a folder.", f"Give the folder that holds the {source} data sets.")])
    found: dict[str, Domain] = {}
    others: list[str] = []
    for path in sorted(folder.iterdir()):
        stem = path.stem.lower()
        if not path.is_file() or path.name.startswith("."):
            continue
        if path.suffix.lower() not in KINDS_OF_FILE:
            others.append(path.name)
            continue
        if stem in found:
            names = f"{found[stem].table.name} and {path.name}"
            faults.append(Fault(names, f"are both the data set {stem}.", "Keep one of them in the folder."))
            continue
        domain = _open(path, stem, faults)
        if domain is None:
            others.append(path.name)
        else:
            found[stem] = domain
    if not found and not faults:
        faults.append(
            Fault(folder.name, f"holds no data set: expected files ending in {', '.join(KINDS_OF_FILE)}.", f"Give a {source} folder.")
        )
    return found, others, faults


def _open(path: Path, stem: str, faults: list[Fault]) -> Domain | None:
    table = open_table(path, faults)
    if not isinstance(table, FrameTable):
        return None
    names = [name.upper() for name in table.header]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        faults += [Fault(f"{path.name}:{name}", "is the name of two columns, in two spellings.", "Rename or remove one.") for name in twice]
        return None
    if PARTICIPANT not in names:
        return None
    frame = table.frame.rename(dict(zip(table.header, names, strict=True)))
    text = [pl.col(name).str.strip_chars() for name in names]
    frame = frame.select(text).with_columns(pl.when(~pl.col(name).is_in(["", "."])).then(pl.col(name)) for name in names)
    return Domain(stem[:2].upper(), table, frame)


def known_variables(source: SourceMap) -> list[str]:
    """Return the variables that the source knows and has no place for."""
    return [name for table in source.tables.values() for name in table.set_aside]


def forms_over(domain: Domain, raw: TextTable, maps: Mapping[str, FormMap], extra: Mapping[str, str]) -> list[Opened]:
    """Return the forms over one prepared data set.

    Parameters
    ----------
    domain : Domain
    raw : TextTable
        The prepared data set.
    maps : mapping
        Name of the form -> its mapping.
    extra : mapping
        Column -> fact that the user names: of the first form where its kind knows the fact, else of the history.
    """
    opened = [domain.form(map_, raw, name) for name, map_ in maps.items()]
    if not extra:
        return opened
    first = opened[0]
    own = {column: fact for column, fact in extra.items() if is_known(first.map.kind, fact)}
    # What the user says of a fact counts before what the package knows.
    kept = {column: fact for column, fact in first.map.columns.items() if fact not in own.values()}
    opened[0] = domain.form(replace(first.map, columns={**kept, **own}), raw, first.name)
    rest = {column: fact for column, fact in extra.items() if column not in own}
    if rest:
        history = FormMap(kind="history", columns={PARTICIPANT: "participant_id", **rest})
        opened.append(domain.form(history, raw, f"HISTORY:{first.name}"))
    return opened


def folder_of(forms: Sequence[Opened], source: SourceMap, others: Sequence[str], absent: Sequence[str]) -> tuple[Folder, SourceMap]:
    """Return the opened forms as a folder, and the source's mapping with exactly these forms."""
    opened = {form.name: form for form in forms}
    return Folder(opened, tuple(absent), tuple(others)), replace(source, tables={form.name: form.map for form in forms})
