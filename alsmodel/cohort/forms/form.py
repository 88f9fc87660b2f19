"""One form under reading, and the finding, opening and checking of a source's files; structural faults come all at once."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import polars as pl

from alsmodel.cohort.cells import DAY_RANGE, as_numbers, flag_copies, known_word, need_day, need_participant, within
from alsmodel.cohort.files.table import TextTable, open_table
from alsmodel.cohort.forms.clock import Clock
from alsmodel.cohort.forms.kinds import KINDS
from alsmodel.cohort.forms.mapping import FormMap, SourceMap
from alsmodel.cohort.forms.shared import FormLedger
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.raw import collapsed
from alsmodel.cohort.tables import distinct
from alsmodel.errors import Fault, InvalidInput


@final
@dataclass(frozen=True)
class Form:
    """One form: its rows, its ledger and its mapping.

    Attributes
    ----------
    name : str
        As in the mapping.
    map : FormMap
    source : SourceMap
    clock : Clock
    frame : polars.DataFrame
        Text under the names that the kind knows; names that the file lacks are null.
    ledger : Ledger
    written : dict
        Name that the kind knows -> column as the file spells it.
    given : frozenset of str
        Names that the mapping gives the form.
    named : polars.Series
        Participants named in any row of the file.
    """

    name: str
    map: FormMap
    source: SourceMap
    clock: Clock
    frame: pl.DataFrame
    ledger: Ledger
    written: dict[str, str]
    given: frozenset[str]
    named: pl.Series

    def with_participants(self) -> "Form":
        """Reject rows without a participant."""
        return replace(self, frame=need_participant(self.frame, self.ledger, self.written["participant_id"]))

    def with_days(self) -> "Form":
        """Reject rows without a participant or a usable day; `day` becomes days from the time origin."""
        if isinstance(self.ledger, FormLedger):
            self.ledger.dated = True
        form = self._done()
        written = self.written["day"]
        if self.clock.is_plain:
            return replace(form, frame=need_day(form.frame, self.ledger, written))
        if self.ledger.flag("day_missing", form.frame, pl.col("day").is_null(), column=written):
            form = replace(form, frame=self.ledger.usable(form.frame))
        frame = self.clock.days(form.frame, ("day",), self.ledger, self.written)
        # What was no time has been flagged with its reason; the row goes with it.
        if self.ledger.flag("day_unusable", frame, pl.col("day").is_null(), column=written):
            frame = self.ledger.usable(frame)
        return replace(form, frame=frame)

    def _done(self) -> "Form":
        """Reject rows without a participant, and those of a form that was not done: neither a day nor anything else in it."""
        form = self.with_participants()
        said = [name for name in self.map.columns.values() if name in form.frame.columns and name != "participant_id"]
        silent = pl.all_horizontal(pl.col(said).is_null())
        if len(said) > 1 and self.ledger.flag("nothing_recorded", form.frame, silent, detail="neither a day nor a value in the row"):
            form = replace(form, frame=self.ledger.usable(form.frame))
        return form

    def days(self, frame: pl.DataFrame, *names: str) -> pl.DataFrame:
        """Turn columns of time into days from the time origin; unusable cells are flagged and count as missing."""
        if self.clock.is_plain:
            return self.numbers(frame, dict.fromkeys(names, DAY_RANGE))
        return self.clock.days(frame, names, self.ledger, self.written)

    def numbers(self, frame: pl.DataFrame, limits: Mapping[str, tuple[float, float] | None]) -> pl.DataFrame:
        """Turn columns into numbers; cells that are none or lie outside the limits are flagged and count as missing."""
        frame = as_numbers(frame, tuple(limits), self.ledger, self.written)
        return within(frame, {name: limit for name, limit in limits.items() if limit is not None}, self.ledger, self.written)

    def words(self, name: str) -> dict[str, str]:
        """Return the known words for `name`, the form's own before the source's; in lower case."""
        words = self.source.words.get(name, {}) | self.map.words.get(name, {})
        return {word.lower(): canonical for word, canonical in words.items()}

    def known(self, frame: pl.DataFrame, column: str, words: str = "") -> pl.DataFrame:
        """Translate the words of `column`; others are flagged and count as missing."""
        return known_word(frame, column, self.words(words or column), self.ledger, self.written[column])

    def open_names(self, prefix: str) -> tuple[str, ...]:
        """Return the names of the form that begin with `prefix`, such as "value:", in the mapping's order, whatever the file's."""
        mapped = (*self.map.columns.values(), *self.map.variants.values(), *self.frame.columns)
        return tuple(name for name in dict.fromkeys(mapped) if name.startswith(prefix) and name in self.frame.columns)


@final
@dataclass(frozen=True)
class Opened:
    """A form whose file could be opened, with the columns found in it."""

    name: str
    map: FormMap
    raw: TextTable
    targets: dict[str, str]
    filters: dict[str, str]
    unknown: tuple[str, ...]
    set_aside: tuple[str, ...]

    def load(self, source: SourceMap, clock: Clock, *, note_columns: bool = True, shared: bool = False) -> Form:
        """Read the mapped columns as text and list the columns that are not; keep the rows that belong to the form."""
        wanted = self.targets | {written: f"where:{key}" for written, key in self.filters.items() if written not in self.targets}
        frame, ledger = self.raw.table(wanted, source.nulls)
        if shared:
            ledger = FormLedger.over(ledger)
        if note_columns:
            for rule, names in (("column_unknown", self.unknown), ("column_set_aside", self.set_aside)):
                for name in names:
                    ledger.note(rule, column=name)
        written = self.map.spelled | {target: name for name, target in self.targets.items()}
        named = distinct(frame["participant_id"]).drop_nulls()
        frame = self._belonging(frame, ledger)
        if isinstance(ledger, FormLedger):
            said = [name for name in self.targets.values() if name not in ("participant_id", "day")]
            # A form of a day alone says nothing in a row without one.
            said = said or [name for name in self.targets.values() if name == "day"]
            silent = pl.all_horizontal(pl.col(said).is_null()) if said else pl.lit(False)
            ledger.leave(frame.filter(silent))
            frame = ledger.usable(frame)
            # A row that repeats another is found before its cells are read, so that no form takes it for a row of its own.
            if flag_copies(frame.filter(pl.col("participant_id").is_not_null()), ledger):
                frame = ledger.usable(frame)
        spec = KINDS[self.map.kind]
        constant = {target: pl.lit(cell) for target, cell in self.map.constants.items()}
        absent = [name for name in (*spec.needs, *spec.knows) if name not in frame.columns and name not in constant]
        frame = frame.with_columns(**constant, **{name: pl.lit(None, dtype=pl.String) for name in absent})
        written = {name: name for name in (*absent, *constant)} | written
        given = frozenset((*self.map.columns.values(), *constant))
        return Form(self.name, self.map, source, clock, frame, ledger, written, given, named)

    def _belonging(self, frame: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
        """Keep the rows whose cells the form's `where` names."""
        if not self.filters:
            return frame
        conditions = []
        for written, key in self.filters.items():
            cells = [cell.lower() for cell in self.map.where[key]]
            conditions.append(pl.col(self.targets.get(written, f"where:{key}")).str.to_lowercase().is_in(cells).fill_null(False))
        mine = pl.all_horizontal(conditions)
        if isinstance(ledger, FormLedger):
            ledger.leave(frame.filter(~mine))
        else:
            ledger.flag("row_set_aside", frame, ~mine, detail="rows of another form")
        return frame.filter(mine).drop(*(c for c in frame.columns if c.startswith("where:")))


@final
@dataclass(frozen=True)
class Folder:
    """What a folder holds: opened forms, forms that it lacks, and files of no known form."""

    opened: dict[str, Opened]
    absent: tuple[str, ...]
    unknown_files: tuple[str, ...]


def open_folder(folder: Path, source: SourceMap, prepared: Callable[[TextTable], TextTable] | None = None) -> Folder:
    """Open every form of the folder and check what must be there.

    Parameters
    ----------
    folder : Path
    source : SourceMap
    prepared : callable, optional
        What is done to each table before its columns are matched, where a mapping cannot say it.

    Raises
    ------
    InvalidInput
        With all faults: a required form missing or without rows, two files for one form, undecodable bytes, another
        delimiter, a needed column missing.
    """
    faults: list[Fault] = []
    paths, unknown = _matched(folder, source)
    opened: dict[str, Opened] = {}
    wanted = {(paths[name][0], form.sheet): None for name, form in source.tables.items() if len(paths.get(name, [])) == 1}
    with ThreadPoolExecutor(2) as pool:
        read = dict(zip(wanted, pool.map(lambda key: _open_table(key[0], key[1], source.delimiter), wanted), strict=True))
    tables: dict[tuple[str, str], TextTable | None] = {}
    for name, form in source.tables.items():
        one = _open_form(name, form, source, paths.get(name, []), tables, read, faults, prepared)
        if one is not None:
            opened[name] = one
    if faults:
        raise InvalidInput(faults)
    # A file that several forms read is named once, by the first of them.
    first = {form.stems or (name,): name for name, form in reversed(source.tables.items())}.values()
    absent = tuple(name for name in source.tables if name not in paths and name in first)
    return Folder(_columns_noted_once(opened), absent, tuple(unknown))


def _columns_noted_once(opened: Mapping[str, Opened]) -> dict[str, Opened]:
    """Leave each file's unread columns to its first form: those that no form of the file reads."""
    of_file: dict[str, list[Opened]] = {}
    for one in opened.values():
        of_file.setdefault(one.raw.name, []).append(one)
    result = dict(opened)
    for forms in of_file.values():
        read = {column for form in forms for column in (*form.targets, *form.filters)}
        aside = {column for form in forms for column in form.set_aside} - read
        for place, form in enumerate(forms):
            unknown = tuple(column for column in form.unknown if column not in read | aside) if place == 0 else ()
            set_aside = tuple(column for column in form.raw.header if column in aside) if place == 0 else ()
            result[form.name] = replace(form, unknown=unknown, set_aside=set_aside)
    return result


def _matched(folder: Path, source: SourceMap) -> tuple[dict[str, list[Path]], list[str]]:
    """Return the files of each form, by name or stem, and the names of the files of none."""
    stems: dict[str, list[str]] = {}
    named: dict[str, list[str]] = {}
    for name, form in source.tables.items():
        for known in form.stems:
            stems.setdefault(known, []).append(name)
        if form.file:
            named.setdefault(form.file.lower(), []).append(name)
    paths: dict[str, list[Path]] = {}
    unknown: list[str] = []
    for path in sorted(folder.iterdir()):
        stem = source.stem(path.name)
        if not path.is_file():
            continue
        forms = named.get(path.name.lower(), []) or ([] if stem is None else stems.get(stem, []))
        for name in forms:
            paths.setdefault(name, []).append(path)
        if not forms and stem is not None and not named:
            unknown.append(path.name)
    return paths, unknown


def _open_table(path: Path, sheet: str, delimiter: str) -> tuple[TextTable | None, list[Fault]]:
    faults: list[Fault] = []
    return open_table(path, faults, sheet=sheet, delimiter=delimiter), faults


def _open_form(
    name: str,
    form: FormMap,
    source: SourceMap,
    paths: Sequence[Path],
    tables: dict[tuple[str, str], TextTable | None],
    read: Mapping[tuple[Path, str], tuple[TextTable | None, list[Fault]]],
    faults: list[Fault],
    prepared: Callable[[TextTable], TextTable] | None,
) -> Opened | None:
    if not paths:
        if form.required or form.file:
            faults.append(_absent(name, form, source))
        return None
    if len(paths) > 1:
        names = " and ".join(path.name for path in paths)
        faults.append(Fault(names, f"are both the table {name}.", "Keep one of them in the folder."))
        return None
    key = (paths[0].name, form.sheet)
    if key not in tables:
        table, found = read[paths[0], form.sheet]
        faults += found
        tables[key] = prepared(table) if table is not None and prepared is not None else table
    raw = tables[key]
    if raw is None:
        return None
    opened = match_columns(name, form, raw, faults)
    if not raw.has_rows() and form.required:
        faults.append(Fault(raw.name, "has no rows; the table is required.", "Give a file with data."))
    return opened


def _absent(name: str, form: FormMap, source: SourceMap) -> Fault:
    if form.file:
        return Fault(form.file, f"is missing; the mapping reads the form {name} from it.", "Give the file, or take the form out.")
    spelled = " or ".join(f"{prefix.upper()}{name}.{source.extension}" for prefix in source.prefixes[::-1]) or f"{name}.{source.extension}"
    if source.source == "PRO-ACT":
        spelled = f"F_PROACT_{name}.csv or PROACT_{name}.csv"
    return Fault(name, f"is missing: expected a file {spelled}.", f"Give the whole {source.source} folder.")


def match_columns(name: str, form: FormMap, raw: TextTable, faults: list[Fault]) -> Opened:
    """Find the form's columns in the header of `raw`; add to `faults` what must be there and is not."""
    found = {collapsed(written) for written in raw.header}
    mapped = _with_variants(form, found)
    wanted = {collapsed(written): written for written in form.where}
    aside = {collapsed(written) for written in form.set_aside}
    targets: dict[str, str] = {}
    filters: dict[str, str] = {}
    unknown, set_aside = [], []
    for written in raw.header:
        key = collapsed(written)
        target = mapped.get(key)
        if key in wanted:
            filters[written] = wanted[key]
        if target is not None and target in targets.values():
            faults.append(Fault(f"{raw.name}:1:{written}", "is in the header twice, in two spellings.", "Rename or remove one."))
        elif target is not None:
            targets[written] = target
        elif key in aside:
            set_aside.append(written)
        elif key and key not in wanted:
            unknown.append(written)
    # A mapping written for this very file means every column that it names.
    for written in (*form.needs, *form.where, *(form.columns if form.file else ())):
        if collapsed(written) not in found and form.columns.get(written) not in targets.values():
            faults.append(Fault(f"{raw.name}:1:{written}", "the file has no such column.", _remedy(form)))
    return Opened(name, form, raw, targets, filters, tuple(unknown), tuple(set_aside))


def _with_variants(form: FormMap, found: set[str]) -> dict[str, str]:
    """Return collapsed column -> name; a variant stands in for a column that the file does not have."""
    mapped = form.targets
    for written, target in form.variants.items():
        key = collapsed(written)
        if key in found and not any(column in found and name == target for column, name in mapped.items()):
            mapped[key] = target
    return mapped


def _remedy(form: FormMap) -> str:
    return "Correct the mapping, or give the file that it was written for." if form.file else "Give the source's own file."
