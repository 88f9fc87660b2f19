"""A PRO-ACT folder to a cohort: each table by its reader, then participants, contacts and their checks."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import polars as pl

from alsmodel.cohort.assemble import assemble, ordered
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.proact import measured, outcomes, people
from alsmodel.cohort.proact.folder import Folder, Loaded, Opened, open_folder
from alsmodel.cohort.proact.mapping import ProactMap, proact_map
from alsmodel.cohort.proact.scores import measures, read_scores
from alsmodel.cohort.raw import RawFile
from alsmodel.cohort.tables import conform, empty, polars_schema
from alsmodel.errors import Fault, InvalidInput

_MEASURED = {
    "capacity": measured.read_capacity,
    "vitals": measured.read_vitals,
    "labs": measured.read_labs,
    "neurofilament": measured.read_neurofilament,
    "strength": measured.read_strength,
}
_PERSONAL = {
    "demographics": people.read_demographics,
    "history": people.read_history,
    "arm": people.read_arm,
    "el_escorial": people.read_el_escorial,
}


@final
@dataclass
class _Parts:
    """What the tables gave so far."""

    tables: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    personal: list[pl.DataFrame] = field(default_factory=list)
    contacts: list[pl.DataFrame] = field(default_factory=list)
    seen: list[pl.Series] = field(default_factory=list)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    files: list[RawFile] = field(default_factory=list)
    demographics: pl.Series = field(default_factory=lambda: pl.Series([], dtype=pl.String))

    def add(self, name: str, frame: pl.DataFrame) -> None:
        self.tables.setdefault(name, []).append(conform(name, frame))
        self.seen.append(frame["participant_id"].unique())

    def take(self, other: "_Parts") -> None:
        for name, frames in other.tables.items():
            self.tables.setdefault(name, []).extend(frames)
        self.personal += other.personal
        self.contacts += other.contacts
        self.seen += other.seen
        self.ledgers |= other.ledgers
        self.files += other.files
        if len(other.demographics):
            self.demographics = other.demographics

    def of(self, name: str) -> pl.DataFrame:
        return pl.concat([empty(name), *self.tables.get(name, [])])


def read_proact(folder: Path, *, strict: bool = False) -> Cohort:
    """Read PRO-ACT's own CSV files.

    Parameters
    ----------
    folder : Path
    strict : bool
        Refuse data with an issue of severity "error".

    Raises
    ------
    InvalidInput
        For every structural fault at once; for row errors when `strict`.
    """
    mapping = proact_map()
    found = open_folder(folder, mapping)
    parts = _read_tables(found.opened, mapping)
    participants = _participants(parts)
    _note_folder(found, parts)
    _note_participants(participants, parts)
    tables = {name: parts.of(name) for name in ("assessments", "measurements", "events", "exposures", "covariates")}
    tables |= {"participants": participants, "participant_flow": _participant_flow(participants, tables)}
    return assemble(tables, list(parts.ledgers.values()), parts.files, provenance={"format": "proact"}, strict=strict)


def _read_tables(opened: dict[str, Opened], mapping: ProactMap) -> _Parts:
    """Read all tables, two at a time; deaths last, since they are compared with the last assessment."""
    largest_first = sorted(opened, key=lambda name: opened[name].raw.size, reverse=True)
    late = [name for name in largest_first if opened[name].table.reader == "death"]
    done: dict[str, _Parts] = {}
    faults: list[Fault] = []
    with ThreadPoolExecutor(2) as pool:
        # Popped, so that the text of a table can be let go once it has been read.
        futures = {name: pool.submit(_read_table, opened.pop(name), mapping, _Parts()) for name in largest_first if name not in late}
        for name, future in futures.items():
            try:
                done[name] = future.result()
            except InvalidInput as error:
                faults += error.faults
    # In the order of the mapping, whichever was ready first.
    parts = _Parts()
    for table in mapping.tables:
        if table.name in done:
            parts.take(done.pop(table.name))
    for name in late:
        try:
            _read_table(opened.pop(name), mapping, parts)
        except InvalidInput as error:
            faults += error.faults
    if faults:
        raise InvalidInput(faults)
    return parts


def _read_table(opened: Opened, mapping: ProactMap, parts: _Parts) -> _Parts:
    """Read one table into `parts` and return them."""
    loaded = opened.load(mapping)
    parts.ledgers[opened.table.name] = loaded.ledger
    parts.files.append(opened.raw.without_text())
    del opened
    reader = loaded.table.reader
    if reader in _MEASURED:
        values, contacts = _MEASURED[reader](loaded)
        parts.add("measurements", values)
        parts.contacts.append(_last(contacts))
    elif reader in _PERSONAL:
        frame = _PERSONAL[reader](loaded)
        parts.personal.append(frame)
        parts.seen.append(frame["participant_id"])
        if reader == "demographics":
            parts.demographics = frame["participant_id"]
    else:
        _OTHER[reader](loaded, parts)
    return parts


def _scores(loaded: Loaded, parts: _Parts) -> None:
    assessments, contacts = read_scores(loaded)
    parts.add("assessments", assessments)
    parts.add("measurements", measures(assessments))
    parts.contacts.append(_last(contacts))
    kept = loaded.ledger.used()
    if kept != assessments.height:
        raise RuntimeError(f"{kept} rows of {loaded.ledger.file} are used, but there are {assessments.height} assessments.")


def _deaths(loaded: Loaded, parts: _Parts) -> None:
    last = parts.of("assessments").group_by("participant_id").agg(pl.col("day").max().alias("last_visit"))
    events, recorded = outcomes.read_deaths(loaded, last)
    parts.add("events", events)
    parts.add("covariates", recorded)


def _drug_use(loaded: Loaded, parts: _Parts) -> None:
    frame = outcomes.read_drug_use(loaded)
    parts.add("exposures", frame)


def _medications(loaded: Loaded, parts: _Parts) -> None:
    parts.add("exposures", outcomes.read_medications(loaded))


def _family(loaded: Loaded, parts: _Parts) -> None:
    history, mutations = people.read_family(loaded)
    parts.personal.append(history)
    parts.seen.append(history["participant_id"])
    parts.add("covariates", mutations)


def _nothing(loaded: Loaded, parts: _Parts) -> None:
    frame = loaded.with_participants().frame
    loaded.ledger.flag("row_set_aside", frame, detail="the canonical tables have no place for this table")


_OTHER = {
    "assessments": _scores,
    "death": _deaths,
    "drug_use": _drug_use,
    "medications": _medications,
    "family": _family,
    "none": _nothing,
}


def _last(contacts: pl.DataFrame) -> pl.DataFrame:
    return contacts.group_by("participant_id").agg(pl.col("day").max())


def _participants(parts: _Parts) -> pl.DataFrame:
    contacts = pl.concat(parts.contacts)
    everyone = ordered(pl.concat([*parts.seen, contacts["participant_id"]]))
    frame = everyone.to_frame()
    last = _last(contacts).rename({"day": "last_contact_day"})
    heights = parts.of("measurements").filter(pl.col("name") == "height")
    height = heights.sort("day", maintain_order=True).group_by("participant_id").agg(pl.col("value").first().alias("height_cm"))
    for facts in (*parts.personal, last, height):
        frame = frame.join(facts, on="participant_id", how="left", maintain_order="left")
    frame = frame.with_columns(source=pl.lit("PRO-ACT"), entry_day=pl.lit(0.0))
    return conform("participants", frame)


def _note_folder(found: Folder, parts: _Parts) -> None:
    """List the tables that are absent and the files of no known table; neither has rows."""
    for rule, names in (("file_absent", found.absent), ("file_unknown", found.unknown_files)):
        for name in names:
            ledger = Ledger(name, 0)
            ledger.note(rule)
            parts.ledgers[f"{rule}:{name}"] = ledger


def _note_participants(participants: pl.DataFrame, parts: _Parts) -> None:
    ids = participants["participant_id"]
    scored = parts.of("assessments")["participant_id"].unique()
    _note_missing("participant_without_assessments", ids, scored, parts.ledgers["ALSFRS"])
    _note_missing("participant_not_in_demographics", ids, parts.demographics, parts.ledgers["DEMOGRAPHICS"])
    no = parts.of("exposures").filter(~pl.col("taken"))
    if no.height and "CONMEDS" in parts.ledgers:
        outcomes.flag_contradictions(parts.ledgers["CONMEDS"], no, parts.of("exposures").filter("taken"))


def _note_missing(rule: str, everyone: pl.Series, there: pl.Series, ledger: Ledger) -> None:
    lacking = everyone.filter(~everyone.is_in(there.implode()))
    if len(lacking):
        ledger.note(rule, participants=lacking)


def _participant_flow(participants: pl.DataFrame, tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    scored = tables["assessments"]["participant_id"].n_unique()
    rows: list[tuple[str, int, int, str | None]] = [
        ("in any table", participants.height, 0, None),
        ("with an assessment", scored, participants.height - scored, "no usable assessment"),
    ]
    return pl.DataFrame(rows, schema=list(polars_schema("participant_flow")), orient="row")
