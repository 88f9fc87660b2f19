"""NeuroBANK exports to a cohort: Answer ALS, and the two arms of ALL ALS.

What each file and column means stands in the mappings (`data_schemas/sources/answer_als.toml`, `all_als.toml`). Here is what a
mapping cannot say: columns made of several, codes kept as words, who is no participant with ALS, and what day 0 is in a
source that has dates, and participants without an assessment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from alsmodel.cohort.assemble import refuse_errors
from alsmodel.cohort.cells import DAY_RANGE
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.files.table import TextTable
from alsmodel.cohort.forms.clock import Clock
from alsmodel.cohort.forms.form import Folder, Opened, open_folder
from alsmodel.cohort.forms.mapping import SourceMap, TimeMap, authored_map
from alsmodel.cohort.forms.origin import origins
from alsmodel.cohort.forms.read import read_opened
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.neurobank.codes import ALL_ALS, ANSWER_ALS, GROUPS, UNKNOWN_GROUP, Reading
from alsmodel.cohort.neurobank.table import NO_MEANING, NOT_DONE_TOO, CodedTable
from alsmodel.cohort.raw import collapsed
from alsmodel.cohort.tables import conform
from alsmodel.errors import Fault, InvalidInput

#: The participant's column, the first that a file has.
_KEYS = ("SubjectUID", "Participant_ID", "Neurostamp")
#: Beginning of the files of the natural history study, which have Answer ALS's columns.
_NATURAL_HISTORY = "v_nb_clin_"
#: How the curated release marks controls in Participant_ID.
_CONTROL = "CTRL-"
#: Kinds of form that tell of a visit.
_VISITS = ("vitals", "capacity", "measurements")
_TRIAL = r"^(strength:.+):\d$"
_WHOLE = r"^[+-]?\d+$"
#: Part of ALL ALS without symptoms -> why its participants are not to be analysed.
_AT_RISK = "no ALS at the time origin: carrier or relative (PREVENT)"


def read_answer_als(folder: Path, *, strict: bool = False) -> Cohort:
    """Read a folder of Answer ALS as NeuroBANK exports it, raw or curated, or of the ALS natural history study.

    Parameters
    ----------
    folder : Path
    strict : bool
        Refuse data with an issue of severity "error".

    Returns
    -------
    Cohort
        Days from the participant's screening, the release's own day 0. Controls, carriers without symptoms and people with
        another motor neuron disease have `participants.exclusion`.

    Raises
    ------
    InvalidInput
        For every structural fault at once; for row errors when `strict`.
    """
    source = _with_strength(authored_map("answer_als"))
    found = _opened(folder, source, ANSWER_ALS)
    if all(one.raw.name.lower().startswith(_NATURAL_HISTORY) for one in found.opened.values()):
        source = replace(source, source="ALS natural history")
    labels = _control_labels(found, source)
    cohort = read_opened(found, source, provenance={"format": "answer-als", "time_origin": "screening"}, strict=strict)
    group = cohort.covariates.filter(pl.col("name") == "group").select("participant_id", "text", "number")
    said = pl.coalesce("text", pl.col("number").cast(pl.String))
    reasons = group.select("participant_id", said.replace_strict(GROUPS, default=UNKNOWN_GROUP, return_dtype=pl.String).alias("exclusion"))
    unknown = reasons.filter(pl.col("exclusion") == UNKNOWN_GROUP)["participant_id"]
    reasons = pl.concat([reasons.drop_nulls("exclusion"), labels]).unique("participant_id", keep="first", maintain_order=True)
    cohort = _noted(cohort, "subjects", "subject_group_id", unknown, "no known group; kept, and not to be analysed")
    return _finished(cohort, "als_gene_mutations", reasons, strict)


def read_all_als(folder: Path, *, strict: bool = False, dates: Sequence[str] = ()) -> Cohort:
    """Read a folder of ALL ALS as NeuroBANK exports it: ASSESS, PREVENT or both.

    Parameters
    ----------
    folder : Path
    strict : bool
        Refuse data with an issue of severity "error".
    dates : sequence of str
        Formats of dates beside ISO 8601, as in strftime: ``("%m/%d/%Y",)``. None is guessed.

    Returns
    -------
    Cohort
        Days from the participant's first ALSFRS-R assessment; from the first dated visit of those without one, named by the
        covariate ``time_origin``. Participants of PREVENT alone have `participants.exclusion`.

    Raises
    ------
    InvalidInput
        For every structural fault at once; for row errors when `strict`.
    """
    source = _with_strength(authored_map("all_als"))
    found = _opened(folder, source, ALL_ALS)
    source = replace(source, time=_time(found, source, tuple(dates)))
    clock, of_visit = _clock(found, source)
    people = {arm: _named(found, source, arm) for arm in ("AS_", "PR_")}
    record = {"format": "all-als", "time_origin": "first assessment, else first visit"}
    cohort = read_opened(found, source, provenance=record, strict=strict, clock=clock)
    at_risk = people["PR_"].filter(~people["PR_"].is_in(people["AS_"].implode()))
    reasons = at_risk.to_frame("participant_id").with_columns(exclusion=pl.lit(_AT_RISK))
    origin = of_visit.filter(of_visit.is_in(cohort.participants["participant_id"].implode())).to_frame("participant_id")
    origin = conform("covariates", origin.with_columns(name=pl.lit("time_origin"), text=pl.lit("first visit")))
    return _finished(replace(cohort, covariates=pl.concat([cohort.covariates, origin])), "pralsgentst", reasons, strict)


def _opened(folder: Path, source: SourceMap, reading: Reading) -> Folder:
    """Open the folder with the source's codes and made columns; refuse files that name participants differently."""
    keys: dict[str, str] = {}

    def prepared(raw: TextTable) -> TextTable:
        stem = source.stem(raw.name)
        forms = {name: form for name, form in source.tables.items() if stem in form.stems}
        made = {name: one for form in forms for name, one in reading.made.get(form, {}).items()}
        asked = {column for form in forms.values() for column in form.targets}
        asked |= {collapsed(column) for form in forms.values() for column in (*form.where, *form.set_aside)}
        hidden = frozenset(collapsed(part) for one in made.values() for part in one.of) - asked
        key = next((column for wanted in _KEYS for column in raw.header if collapsed(column) == collapsed(wanted)), "")
        keys[raw.name] = key.lower()
        return CodedTable(raw, key, reading.codes, made, hidden)

    found = open_folder(folder, source, prepared)
    if not found.opened:
        raise InvalidInput([Fault(folder.name, f"holds no file of {source.source}.", "Give the folder with its CSV files.")])
    if len({keys[one.raw.name] for one in found.opened.values()}) > 1:
        named = ", ".join(f"{name} by {key}" for name, key in sorted(keys.items()))
        raise InvalidInput([Fault(folder.name, f"its files name participants differently: {named}.", "Give files of one release.")])
    return found


def _with_strength(source: SourceMap) -> SourceMap:
    """Give every test of strength the range of strength."""
    names = [target.removeprefix("value:") for form in source.tables.values() for target in form.columns.values()]
    ranges = {name: source.ranges["strength"] for name in names if name.startswith("strength:")}
    return replace(source, ranges=source.ranges | ranges)


def _column(one: Opened, target: str) -> str | None:
    return next((written for written, name in one.targets.items() if name == target), None)


def _cells(one: Opened, source: SourceMap, columns: Mapping[str, str]) -> pl.DataFrame:
    """Return columns of a file beside its participants; a file read here is read again as a form."""
    key = _column(one, "participant_id")
    if key is None:
        return pl.DataFrame(schema=dict.fromkeys(("participant_id", *columns.values()), pl.String))
    frame, _ = one.raw.table({key: "participant_id", **columns}, source.nulls)
    return frame.drop_nulls("participant_id")


def _named(found: Folder, source: SourceMap, arm: str) -> pl.Series:
    """Return the participants of the files of one arm."""
    ids = [_cells(one, source, {})["participant_id"] for name, one in found.opened.items() if name.startswith(arm) and "-" not in name]
    return pl.concat([pl.Series("participant_id", [], dtype=pl.String), *ids]).unique(maintain_order=True)


def _control_labels(found: Folder, source: SourceMap) -> pl.DataFrame:
    """Return the participants whom the curated release marks as controls, by Demographics and subjects."""
    parts = [pl.DataFrame(schema={"participant_id": pl.String, "label": pl.String})]
    for name in ("Demographics", "subjects"):
        one = found.opened.get(name)
        label = next((c for c in one.raw.header if collapsed(c) == "participant_id"), None) if one is not None else None
        if one is not None and label is not None:
            same = label == _column(one, "participant_id")
            cells = _cells(one, source, {} if same else {label: "label"})
            parts.append(cells.select("participant_id", pl.col("participant_id" if same else "label").alias("label")))
    marked = pl.concat(parts).filter(pl.col("label").str.starts_with(_CONTROL)).unique("participant_id", maintain_order=True)
    return marked.select("participant_id", pl.lit(GROUPS["healthy control"]).alias("exclusion"))


def _time(found: Folder, source: SourceMap, formats: tuple[str, ...]) -> TimeMap:
    """Return how the export counts time: whole days where more of its cells of days are whole numbers than not, else dates.

    Raises
    ------
    InvalidInput
        When it has dates and none is of a known format.
    """
    cells = [pl.Series("day", [], dtype=pl.String)]
    for one in found.opened.values():
        day = _column(one, "day")
        if day is not None:
            cells.append(_cells(one, source, {day: "day"})["day"].drop_nulls())
    days = pl.concat(cells)
    if 2 * int(days.str.contains(_WHOLE).sum()) > len(days):
        return TimeMap(unit="day", origin="first assessment")
    time = TimeMap(unit="date", origin="first assessment", formats=formats)
    if len(days) and Clock(time).own(days).null_count() == len(days):
        remedy = "Write dates as year-month-day, or pass their format to read_all_als, such as dates=['%m/%d/%Y']."
        raise InvalidInput([Fault(source.source, "none of its dates is of a known format.", remedy)])
    return time


def _clock(found: Folder, source: SourceMap) -> tuple[Clock, pl.Series]:
    """Return the clock, and the participants whose day 0 is no assessment but their first visit."""
    clock = origins(found.opened, source)
    plain = Clock(source.time)
    visits = []
    for one in found.opened.values():
        day = _column(one, "day") if one.map.kind in _VISITS else None
        day = next((c for c in one.raw.header if collapsed(c) == "dmdat"), None) if one.map.kind == "participants" else day
        if day is not None:
            cells = _cells(one, source, {day: "day"})
            visits.append(cells.select("participant_id", plain.own(cells["day"]).alias("origin")))
    empty = pl.DataFrame(schema={"participant_id": pl.String, "origin": pl.Float64})
    assessed = empty if clock.origin is None else clock.origin
    days = pl.concat([empty, *visits]).filter(pl.col("origin").is_between(*DAY_RANGE))
    first = days.group_by("participant_id", maintain_order=True).agg(pl.col("origin").min())
    first = first.join(assessed, on="participant_id", how="anti")
    return plain.at(pl.concat([assessed, first])), first["participant_id"]


def _noted(cohort: Cohort, file: str, column: str, participants: pl.Series, detail: str) -> Cohort:
    """Add an issue for participants whose cell of `column` is no known code."""
    if not len(participants):
        return cohort
    ledger = Ledger(next((name for name in cohort.flow["file"] if file in name.lower()), file), 0)
    ledger.note("unknown_word", column=column, detail=detail, participants=participants)
    return replace(cohort, issues=pl.concat([cohort.issues, ledger.issues()]))


def _finished(cohort: Cohort, genes: str, reasons: pl.DataFrame, strict: bool) -> Cohort:
    """Give participants the reasons not to analyse them, genes' unreadable results an issue, strength's trials one name."""
    odd = cohort.genotypes.filter(pl.col("variant").is_in([NO_MEANING, NOT_DONE_TOO]))
    for (gene, kind), rows in odd.group_by("gene", "variant", maintain_order=True):
        cohort = _noted(cohort, genes, str(gene), rows["participant_id"], f"{kind}; the result counts as uncertain")
    people = cohort.participants.join(reasons, on="participant_id", how="left", maintain_order="left", suffix="_found")
    people = people.with_columns(pl.coalesce("exclusion", "exclusion_found").alias("exclusion"))
    measured = cohort.measurements.with_columns(pl.col("name").str.replace(_TRIAL, "$1"))
    if strict:
        refuse_errors(cohort.issues)
    return replace(cohort, participants=conform("participants", people), measurements=measured)
