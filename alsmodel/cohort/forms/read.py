"""A source's forms to a cohort: each form by its kind, then participants, contacts and their checks."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl

from alsmodel.clinical.events import DEATH
from alsmodel.clinical.genes import known_gene
from alsmodel.cohort.assemble import assemble, ordered
from alsmodel.cohort.cells import reject_copies
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.forms import clinical, measured, outcomes, people
from alsmodel.cohort.forms.clock import Clock
from alsmodel.cohort.forms.covariates import is_said, read_covariates
from alsmodel.cohort.forms.form import Folder, Form, Opened, open_folder
from alsmodel.cohort.forms.long import read_long_scores
from alsmodel.cohort.forms.mapping import SourceMap
from alsmodel.cohort.forms.origin import origins
from alsmodel.cohort.forms.parts import Parts
from alsmodel.cohort.forms.person import merged
from alsmodel.cohort.forms.scores import measures, read_scores
from alsmodel.cohort.forms.shared import FileLedger, FormLedger
from alsmodel.cohort.forms.statements import computed_statements, note_disagreements, recorded_phenotypes
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.tables import conform, empty
from alsmodel.errors import Fault, InvalidInput

#: Tables that forms fill row by row.
_FILLED = ("assessments", "measurements", "events", "exposures", "covariates", "signs", "genotypes", "classifications")


def read_folder(folder: Path, source: SourceMap, *, provenance: Mapping[str, Any], strict: bool = False) -> Cohort:
    """Read a folder of files by a mapping.

    Parameters
    ----------
    folder : Path
    source : SourceMap
    provenance : mapping
        What the cohort's record says of the format; files and versions are added.
    strict : bool
        Refuse data with an issue of severity "error".

    Raises
    ------
    InvalidInput
        For every structural fault at once; for row errors when `strict`.
    """
    return read_opened(open_folder(folder, source), source, provenance=provenance, strict=strict)


def read_opened(
    found: Folder, source: SourceMap, *, provenance: Mapping[str, Any], strict: bool = False, clock: Clock | None = None
) -> Cohort:
    """Read forms that have been opened, by the clock of the mapping or by `clock`; see `read_folder`."""
    clock = clock if clock is not None else origins(found.opened, source)
    parts = _read_forms(found.opened, source, clock)
    _add_participants_of_origin(clock, parts)
    _note_folder(found, parts)
    return joined(parts, source, provenance=provenance, strict=strict)


def joined(parts: Parts, source: SourceMap, *, provenance: Mapping[str, Any], strict: bool = False) -> Cohort:
    """Join what the forms of a source gave into a cohort; see `read_folder`."""
    participants = _participants(parts, source)
    _note_participants(participants, parts)
    if parts.later:
        parts.add("covariates", _last_of_all(participants, parts))
    if parts.tables.get("signs"):
        parts.add("classifications", computed_statements(parts.of("signs"), participants))
        note_disagreements(parts.of("classifications"), next(iter(parts.ledgers.values())))
    tables = {name: parts.of(name) for name in _FILLED}
    parts.tables.clear()
    tables["covariates"] = tables["covariates"].unique(["participant_id", "name"], keep="first", maintain_order=True)
    tables["events"] = tables["events"].sort("day", nulls_last=True, maintain_order=True)
    tables["events"] = tables["events"].unique(["participant_id", "kind"], keep="first", maintain_order=True)
    tables["participants"] = participants
    record = {**provenance, "records_events": [{"kind": kind, "definition": tag} for kind, tag in dict.fromkeys(parts.recorded)]}
    files = list({file.name: file for file in parts.files}.values())
    return assemble(tables, _accounts(parts.ledgers), files, provenance=record, strict=strict)


def _read_forms(opened: dict[str, Opened], source: SourceMap, clock: Clock) -> Parts:
    """Read all forms, two at a time; deaths last, since they are compared with the last assessment."""
    largest_first = sorted(opened, key=lambda name: opened[name].raw.size, reverse=True)
    late = [name for name in largest_first if opened[name].map.kind == "death"]
    names = [one.raw.name for one in opened.values()]
    shared = {name: names.count(one.raw.name) > 1 for name, one in opened.items()}
    first = {one.raw.name: name for name, one in reversed(opened.items())}
    done: dict[str, Parts] = {}
    faults: list[Fault] = []
    with ThreadPoolExecutor(2) as pool:
        # Popped, so that the text of a table can be let go once it has been read.
        futures = {
            name: pool.submit(_read_form, opened.pop(name), source, clock, Parts(), shared[name], name in first.values())
            for name in largest_first
            if name not in late
        }
        for name, future in futures.items():
            try:
                done[name] = future.result()
            except InvalidInput as error:
                faults += error.faults
    # In the order of the mapping, whichever was ready first.
    parts = Parts()
    for name in source.tables:
        if name in done:
            parts.take(done.pop(name))
    for name in late:
        try:
            _read_form(opened.pop(name), source, clock, parts, shared[name], name in first.values())
        except InvalidInput as error:
            faults += error.faults
    if faults:
        raise InvalidInput(faults)
    return parts


def _read_form(opened: Opened, source: SourceMap, clock: Clock, parts: Parts, shared: bool, first: bool) -> Parts:
    """Read one form into `parts` and return them."""
    form = opened.load(source, clock, note_columns=first, shared=shared)
    parts.ledgers[form.name] = form.ledger
    parts.files.append(opened.raw.without_text())
    parts.seen.append(form.named)
    del opened
    read_into(form, parts)
    form.ledger.release()
    return parts


def read_into(form: Form, parts: Parts) -> None:
    """Read a form whose rows have been loaded into `parts`, its columns without a canonical place included."""
    _READERS[form.map.kind](form, parts)
    parts.add("covariates", read_covariates(form))


_Measured = Callable[[Form], tuple[pl.DataFrame, pl.DataFrame]]


def _measured(read: _Measured) -> Callable[[Form, Parts], None]:
    def reader(form: Form, parts: Parts) -> None:
        values, contacts = read(form)
        parts.add("measurements", values)
        parts.contacts.append(_last(contacts))

    return reader


def _scored(read: _Measured) -> Callable[[Form, Parts], None]:
    def reader(form: Form, parts: Parts) -> None:
        assessments, contacts = read(form)
        parts.add("assessments", assessments)
        parts.add("measurements", measures(assessments))
        parts.contacts.append(_last(contacts))
        kept = form.ledger.used()
        if form.map.kind == "assessments" and kept != assessments.height:
            raise RuntimeError(f"{kept} rows of {form.ledger.file} are used, but there are {assessments.height} assessments.")

    return reader


def _baseline(form: Form, parts: Parts) -> None:
    facts = people.read_participants(form)
    if "phenotype" in facts.columns:
        parts.add("classifications", recorded_phenotypes(facts))
        facts = facts.drop("phenotype_day", strict=False)
    parts.add_facts(form, facts)
    parts.baseline.append(facts["participant_id"])


def _history(form: Form, parts: Parts) -> None:
    facts, covariates = people.read_history(form)
    parts.add_facts(form, facts)
    parts.add("covariates", covariates)


def _arm(form: Form, parts: Parts) -> None:
    arms, started = people.read_arm(form)
    parts.add_facts(form, arms)
    parts.add("covariates", started)


def _el_escorial(form: Form, parts: Parts) -> None:
    facts, stated = people.read_el_escorial(form)
    parts.add_facts(form, facts)
    parts.add("classifications", clinical.recorded_criteria(stated))


def _family(form: Form, parts: Parts) -> None:
    history, mutations = people.read_family(form)
    parts.add_facts(form, history)
    parts.add("covariates", mutations)


def _deaths(form: Form, parts: Parts) -> None:
    last = parts.of("assessments").group_by("participant_id").agg(pl.col("day").max().alias("last_visit"))
    events, recorded = outcomes.read_deaths(form, last)
    parts.add("events", events)
    parts.add("covariates", recorded)
    parts.recorded.append(("death", form.map.definition or DEATH.tag))


def _event(form: Form, parts: Parts) -> None:
    parts.add("events", outcomes.read_event(form))
    parts.recorded.append((form.map.event, form.map.definition))


def _exposed(read: Callable[[Form], pl.DataFrame]) -> Callable[[Form, Parts], None]:
    def reader(form: Form, parts: Parts) -> None:
        parts.add("exposures", read(form))

    return reader


def _medications(form: Form, parts: Parts) -> None:
    exposures, how, days = outcomes.read_medications(form)
    parts.add("exposures", exposures)
    parts.add("covariates", how)
    parts.later.append(_last(days))


def _adverse_events(form: Form, parts: Parts) -> None:
    parts.later.append(_last(outcomes.read_adverse_events(form)))


def _signs(form: Form, parts: Parts) -> None:
    signs, contacts = clinical.read_signs(form)
    parts.add("signs", signs)
    parts.contacts.append(_last(contacts))


def _genes(form: Form, parts: Parts) -> None:
    parts.add("genotypes", clinical.read_genes(form))


def _covariates(form: Form, parts: Parts) -> None:
    """Reject copies, rows with nothing in them, and further rows of a participant; the others are read with every form's."""
    frame = reject_copies(form.with_participants().frame, form.ledger)
    if form.ledger.flag("nothing_recorded", frame, ~is_said(form)):
        frame = form.ledger.usable(frame)
    again = frame.filter(~pl.col("participant_id").is_first_distinct())
    form.ledger.flag("conflicting_row", again, detail="another row of this participant differs; the first was used")


def _nothing(form: Form, parts: Parts) -> None:
    frame = form.with_participants().frame
    form.ledger.flag("row_set_aside", frame, detail="the canonical tables have no place for this table")


_READERS: dict[str, Callable[[Form, Parts], None]] = {
    "participants": _baseline,
    "history": _history,
    "arm": _arm,
    "el_escorial": _el_escorial,
    "family": _family,
    "genes": _genes,
    "assessments": _scored(read_scores),
    "assessments_long": _scored(read_long_scores),
    "capacity": _measured(measured.read_capacity),
    "vitals": _measured(measured.read_vitals),
    "labs": _measured(measured.read_labs),
    "neurofilament": _measured(measured.read_neurofilament),
    "strength": _measured(measured.read_strength),
    "measurements": _measured(measured.read_measurements),
    "contacts": _measured(measured.read_contacts),
    "signs": _signs,
    "death": _deaths,
    "event": _event,
    "drug_use": _exposed(outcomes.read_drug_use),
    "medications": _medications,
    "adverse_events": _adverse_events,
    "exposures": _exposed(outcomes.read_exposures),
    "covariates": _covariates,
    "none": _nothing,
}


def _last(contacts: pl.DataFrame) -> pl.DataFrame:
    return contacts.group_by("participant_id").agg(pl.col("day").max())


def _add_participants_of_origin(clock: Clock, parts: Parts) -> None:
    if clock.origin is not None:
        parts.seen.append(clock.origin["participant_id"])


def _participants(parts: Parts, source: SourceMap) -> pl.DataFrame:
    contacts = pl.concat([empty("measurements").select("participant_id", "day"), *parts.contacts])
    everyone = ordered(pl.concat([*parts.seen, contacts["participant_id"]]))
    frame = merged(everyone, parts.personal, parts.ledgers)
    last = _last(contacts).rename({"day": "last_contact_day"})
    heights = parts.of("measurements").filter(pl.col("name") == "height")
    height = heights.sort("day", maintain_order=True).group_by("participant_id").agg(pl.col("value").first().alias("_height"))
    for facts in (last, height, known_gene(parts.of("genotypes")).rename({"gene": "_gene"})):
        frame = frame.join(facts, on="participant_id", how="left", maintain_order="left")
    given = {name: (pl.col(name) if name in frame.columns else pl.lit(None)) for name in ("source", "entry_day", "height_cm", "gene")}
    frame = frame.with_columns(
        source=pl.coalesce(given["source"], pl.lit(source.source)),
        entry_day=pl.coalesce(given["entry_day"], pl.lit(0.0)),
        height_cm=pl.coalesce(given["height_cm"], "_height"),
        gene=pl.coalesce(given["gene"], "_gene"),
    )
    return conform("participants", frame)


def _last_of_all(participants: pl.DataFrame, parts: Parts) -> pl.DataFrame:
    """Return the last day of any table as a covariate; it bounds follow-up less surely than the last contact does.

    The end of a medication or of an adverse event may lie after the participant was last seen.
    """
    seen = participants.select("participant_id", pl.col("last_contact_day").alias("day")).drop_nulls()
    last = _last(pl.concat([seen, *(frame.select("participant_id", "day") for frame in parts.later)]))
    return last.select("participant_id", pl.lit("last_contact_all_tables").alias("name"), pl.col("day").alias("number"))


def _accounts(ledgers: Mapping[str, Ledger]) -> list[Ledger]:
    """Return one ledger per file: that of its form, or the account of the several forms that share it."""
    result: list[Ledger] = []
    shared: dict[str, list[FormLedger]] = {}
    for ledger in ledgers.values():
        if isinstance(ledger, FormLedger):
            shared.setdefault(ledger.file, []).append(ledger)
        else:
            result.append(ledger)
    return [*result, *(FileLedger(forms) for forms in shared.values())]


def _note_folder(found: Folder, parts: Parts) -> None:
    """List the tables that are absent and the files of no known table; neither has rows."""
    for rule, names in (("file_absent", found.absent), ("file_unknown", found.unknown_files)):
        for name in names:
            ledger = Ledger(name, 0)
            ledger.note(rule)
            parts.ledgers[f"{rule}:{name}"] = ledger


def _note_participants(participants: pl.DataFrame, parts: Parts) -> None:
    ids = participants["participant_id"]
    kinds = {name: ledger for name, ledger in parts.ledgers.items() if ledger.height}
    some = next(iter(kinds.values()), Ledger("source", 0))
    scored = parts.of("assessments")["participant_id"].unique()
    scores = next((parts.ledgers[name] for name in ("ALSFRS",) if name in parts.ledgers), some)
    _note_missing("participant_without_assessments", ids, scored, scores)
    if parts.baseline:
        named = next((parts.ledgers[name] for name in ("DEMOGRAPHICS",) if name in parts.ledgers), some)
        _note_missing("participant_not_in_demographics", ids, pl.concat(parts.baseline), named)
    no = parts.of("exposures").filter(~pl.col("taken"))
    if no.height:
        outcomes.flag_contradictions(parts.ledgers.get("CONMEDS", some), no, parts.of("exposures").filter("taken"))


def _note_missing(rule: str, everyone: pl.Series, there: pl.Series, ledger: Ledger) -> None:
    lacking = everyone.filter(~everyone.is_in(there.implode()))
    if len(lacking):
        ledger.note(rule, participants=lacking)
