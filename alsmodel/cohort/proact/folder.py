"""Finding, opening and checking the files of a PRO-ACT folder; every structural fault is reported at once."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import polars as pl

from alsmodel.cohort.cells import need_day, need_participant
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.proact.mapping import ProactMap, TableMap
from alsmodel.cohort.raw import RawFile, collapsed, open_raw
from alsmodel.errors import Fault, InvalidInput


@final
@dataclass(frozen=True)
class Loaded:
    """One table under reading: its rows, its ledger and its mapping.

    Attributes
    ----------
    table : TableMap
    mapping : ProactMap
    frame : polars.DataFrame
        Text under the names that the reader knows; columns that the file lacks are null.
    ledger : Ledger
    written : dict
        Name that the reader knows -> column as the file spells it.
    """

    table: TableMap
    mapping: ProactMap
    frame: pl.DataFrame
    ledger: Ledger
    written: dict[str, str]

    def with_participants(self) -> "Loaded":
        """Reject rows without a participant."""
        return replace(self, frame=need_participant(self.frame, self.ledger, self.written["participant_id"]))

    def with_days(self) -> "Loaded":
        """Reject rows without a participant or a usable day."""
        loaded = self.with_participants()
        return replace(loaded, frame=need_day(loaded.frame, self.ledger, self.written["day"]))


@final
@dataclass(frozen=True)
class Opened:
    """A table whose file could be opened, with the columns found in it."""

    table: TableMap
    raw: RawFile
    targets: dict[str, str]
    unknown: tuple[str, ...]
    set_aside: tuple[str, ...]

    def load(self, mapping: ProactMap) -> Loaded:
        """Read the mapped columns as text and list the columns that are not."""
        frame, ledger = self.raw.table(self.targets, mapping.nulls)
        for rule, names in (("column_unknown", self.unknown), ("column_set_aside", self.set_aside)):
            for name in names:
                ledger.note(rule, column=name)
        absent = [t for t in self.table.columns.values() if t not in frame.columns]
        frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(target) for target in absent)
        written = {target: name for name, target in self.targets.items()}
        spelled = {target: self.table.spelled[key] for key, target in self.table.columns.items()}
        return Loaded(self.table, mapping, frame, ledger, spelled | written)


@final
@dataclass(frozen=True)
class Folder:
    """What a folder holds: opened tables, tables that it lacks, and files of no known table."""

    opened: dict[str, Opened]
    absent: tuple[str, ...]
    unknown_files: tuple[str, ...]


def open_folder(folder: Path, mapping: ProactMap) -> Folder:
    """Open every table of the folder and check what must be there.

    Raises
    ------
    InvalidInput
        With all faults: a required table missing or without rows, two files for one table, undecodable bytes, another
        delimiter, a needed column missing.
    """
    faults: list[Fault] = []
    by_stem: dict[str, list[Path]] = {}
    unknown: list[str] = []
    stems = {stem: table for table in mapping.tables for stem in table.stems}
    for path in sorted(folder.iterdir()):
        stem = mapping.stem(path.name)
        if stem is None or not path.is_file():
            continue
        if stem in stems:
            by_stem.setdefault(stems[stem].name, []).append(path)
        else:
            unknown.append(path.name)
    opened: dict[str, Opened] = {}
    for table in mapping.tables:
        one = _open_table(table, by_stem.get(table.name, []), faults)
        if one is not None:
            opened[table.name] = one
    if faults:
        raise InvalidInput(faults)
    absent = tuple(table.name for table in mapping.tables if table.name not in by_stem)
    return Folder(opened, absent, tuple(unknown))


def _open_table(table: TableMap, paths: list[Path], faults: list[Fault]) -> Opened | None:
    if not paths:
        if table.required:
            expected = f"F_PROACT_{table.name}.csv or PROACT_{table.name}.csv"
            faults.append(Fault(table.name, f"is missing: expected a file {expected}.", "Give the whole PRO-ACT folder."))
        return None
    if len(paths) > 1:
        names = " and ".join(path.name for path in paths)
        faults.append(Fault(names, f"are both the table {table.name}.", "Keep one of them in the folder."))
        return None
    raw = open_raw(paths[0], faults)
    if raw is None:
        return None
    opened = _match_columns(table, raw, faults)
    if not raw.has_rows() and table.required:
        faults.append(Fault(raw.name, "has no rows; the table is required.", "Give a file with data."))
    return opened


def _match_columns(table: TableMap, raw: RawFile, faults: list[Fault]) -> Opened:
    targets: dict[str, str] = {}
    unknown, set_aside = [], []
    for name in raw.header:
        key = collapsed(name)
        target = table.columns.get(key)
        if target is not None and target in targets.values():
            faults.append(Fault(f"{raw.name}:1:{name}", "is in the header twice, in two spellings.", "Rename or remove one."))
        elif target is not None:
            targets[name] = target
        elif key in table.set_aside:
            set_aside.append(name)
        elif key:
            unknown.append(name)
    found = {collapsed(name) for name in raw.header}
    for name in table.needs:
        if collapsed(name) not in found:
            faults.append(Fault(f"{raw.name}:1:{name}", "the file has no such column.", "Give PRO-ACT's own file."))
    return Opened(table, raw, targets, tuple(unknown), tuple(set_aside))
