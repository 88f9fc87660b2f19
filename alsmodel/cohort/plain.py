"""Reader of plain long and survival CSV files: any outcome, any time unit, columns named by the study."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import polars as pl

from alsmodel.cohort.assemble import assemble, ordered
from alsmodel.cohort.between import checked_free_until
from alsmodel.cohort.cells import as_numbers, finite, known_word, need_day, need_participant, reject_copies, within
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.ledger import LINE, POSITION, Ledger
from alsmodel.cohort.raw import RawFile, open_raw
from alsmodel.cohort.sources import LongitudinalTable, SurvivalTable, TablesSource
from alsmodel.cohort.tables import ONSET_SITES, empty
from alsmodel.errors import Fault, InvalidInput

SEX_WORDS = {"male": "male", "m": "male", "female": "female", "f": "female"}
_ONE_SECOND = 1 / 86400


@final
@dataclass(frozen=True)
class _Part:
    """One table of the study: its rows under the names of the study's own columns."""

    frame: pl.DataFrame
    ledger: Ledger


@final
@dataclass
class _Wanted:
    """Columns wanted of one file."""

    raw: RawFile | None
    columns: list[str] = field(default_factory=list)


def read_tables(folder: Path, source: TablesSource, *, strict: bool = False) -> Cohort:
    """Read plain CSV files.

    Parameters
    ----------
    folder : Path
        Folder that the file names of `source` start from.
    source : TablesSource
        Files, columns and units.
    strict : bool
        Refuse data with an issue of severity "error".

    Raises
    ------
    InvalidInput
        For every structural fault at once: missing or unreadable files, wrong delimiter, missing columns,
        no rows; and for row errors when `strict`.
    """
    from alsmodel.settings import encode  # its schema library takes a third of a second to load

    wanted = _open(folder, source)
    parts = _load(wanted, source)
    longitudinal, survival = source.longitudinal, source.survival
    measured, people = _measurements(parts[longitudinal.file], source)
    tables = {"measurements": measured}
    if survival is not None:
        alone = survival.file != longitudinal.file
        persons = _persons(parts[survival.file], survival, source.days_per_unit, alone=alone)
        _compare(persons, measured, people, parts[longitudinal.file], parts[survival.file].ledger)
    else:
        persons = pl.DataFrame({"participant_id": people}).with_columns(
            _time=pl.lit(None, dtype=pl.Float64), _event=pl.lit(None, dtype=pl.Boolean), _free=pl.lit(None, dtype=pl.Float64)
        )
    tables |= _tables_of_persons(persons, measured, people, survival, parts[(survival or longitudinal).file].ledger)
    return assemble(
        tables,
        [part.ledger for part in parts.values()],
        [want.raw for want in wanted.values() if want.raw is not None],
        provenance={"format": "tables", "settings": encode(source)},
        strict=strict,
    )


def _open(folder: Path, source: TablesSource) -> dict[str, _Wanted]:
    faults: list[Fault] = []
    wanted: dict[str, _Wanted] = {}
    for setting, table in (("data.longitudinal", source.longitudinal), ("data.survival", source.survival)):
        if table is None:
            continue
        if table.file not in wanted:
            wanted[table.file] = _Wanted(open_raw(folder / table.file, faults))
            raw = wanted[table.file].raw
            if raw is not None and not raw.has_rows():
                faults.append(Fault(raw.name, "has no rows.", "Give a file with data."))
        want = wanted[table.file]
        for name in _columns_of(table):
            if want.raw is not None and name not in want.raw.header:
                faults.append(_missing_column(want.raw, name, setting))
            elif name not in want.columns:
                want.columns.append(name)
    if faults:
        raise InvalidInput(faults)
    return wanted


def _columns_of(table: LongitudinalTable | SurvivalTable) -> list[str]:
    if isinstance(table, LongitudinalTable):
        names = [table.participant, table.time, *table.outcomes]
    else:
        between = [] if table.free_until is None else [table.free_until]
        names = [table.participant, table.time, table.event, *between, *table.covariates, *table.participants.values()]
    return list(dict.fromkeys(names))


def _missing_column(raw: RawFile, name: str, setting: str) -> Fault:
    near = difflib.get_close_matches(name, raw.header, n=1)
    remedy = f"Did you mean {near[0]}?" if near else f"Name a column of the file under [{setting}]."
    return Fault(f"{raw.name}:1:{name}", f"has no such column, which [{setting}] names.", remedy)


def _load(wanted: dict[str, _Wanted], source: TablesSource) -> dict[str, _Part]:
    parts: dict[str, _Part] = {}
    faults: list[Fault] = []
    for file, want in wanted.items():
        assert want.raw is not None
        try:
            # The prefix keeps the columns of a file apart from those of the reader.
            frame, ledger = want.raw.table({name: f"c:{name}" for name in want.columns}, source.nulls)
        except InvalidInput as error:
            faults += error.faults
            continue
        parts[file] = _Part(frame, ledger)
    if faults:
        raise InvalidInput(faults)
    return parts


def _measurements(part: _Part, source: TablesSource) -> tuple[pl.DataFrame, pl.Series]:
    """Return the measurements (with `_position` and `_line`) and the participants of the longitudinal table."""
    table, ledger = source.longitudinal, part.ledger
    frame = part.frame.with_columns(pl.col(f"c:{table.participant}").alias("participant_id"), pl.col(f"c:{table.time}").alias("day"))
    frame = need_participant(frame, ledger, table.participant)
    people = frame["participant_id"].unique(maintain_order=True)
    frame = need_day(frame, ledger, table.time, source.days_per_unit)
    outcomes = [f"c:{name}" for name in table.outcomes]
    frame = as_numbers(frame, outcomes, ledger, {f"c:{name}": name for name in table.outcomes})
    frame = reject_copies(frame, ledger)
    if ledger.flag("nothing_recorded", frame, pl.all_horizontal(pl.col(outcomes).is_null())):
        frame = ledger.usable(frame)
    long = frame.unpivot(outcomes, index=[POSITION, LINE, "participant_id", "day"], variable_name="name")
    return long.drop_nulls("value").with_columns(pl.col("name").str.strip_prefix("c:")), people


def _persons(part: _Part, table: SurvivalTable, days_per_unit: float, *, alone: bool) -> pl.DataFrame:
    """Return one row per participant: `_time` and `_free` in days, `_event`, and the baseline columns as text."""
    ledger = part.ledger
    columns = [f"c:{name}" for name in _columns_of(table)[1:]]
    frame = part.frame.with_columns(pl.col(f"c:{table.participant}").alias("participant_id"))
    if alone:
        frame = need_participant(frame, ledger, table.participant)
    frame = frame.drop_nulls("participant_id").select(POSITION, LINE, "participant_id", *columns)
    if alone:
        frame = reject_copies(frame, ledger)
    first = frame.unique("participant_id", keep="first", maintain_order=True)
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).first().over("participant_id")) for name in columns)
    if alone:
        detail = "another row of this participant differs; the first was used"
        ledger.flag("conflicting_row", frame, differs, detail=detail)
    else:
        ledger.flag("survival_conflict", frame, differs)
    return _followed(first, table, ledger, days_per_unit)


def _followed(first: pl.DataFrame, table: SurvivalTable, ledger: Ledger, days_per_unit: float) -> pl.DataFrame:
    time, event = pl.col(f"c:{table.time}"), pl.col(f"c:{table.event}")
    number = finite(time)
    ledger.flag("event_time_missing", first, time.is_null(), column=table.time)
    ledger.flag("event_time_not_a_number", first, time.is_not_null() & number.is_null(), column=table.time)
    ledger.flag("event_time_not_positive", first, number <= 0, column=table.time)
    ledger.flag("event_missing", first, event.is_null(), column=table.event)
    done = first.with_columns(
        pl.when(number > 0).then(number * days_per_unit).alias("_time"),
        _counts_as(event, table.event_values).alias("_event"),
        _free=pl.lit(None, pl.Float64),
    )
    if table.free_until is None:
        return done
    free = pl.col(f"c:{table.free_until}")
    known = checked_free_until(
        done, ledger, given=free.is_not_null(), free=finite(free) * days_per_unit,
        day=pl.col("_time"), happened=pl.col("_event"), column=table.free_until,
    )  # fmt: skip
    return done.with_columns(known.alias("_free"))


def _counts_as(event: pl.Expr, values: Sequence[str | int | float | bool]) -> pl.Expr:
    texts = [str(v).lower() if isinstance(v, bool) else str(v) for v in values]
    text = pl.when(event.str.to_lowercase().is_in(["true", "false"])).then(event.str.to_lowercase())
    hit = text.otherwise(event).is_in(texts)
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return hit | finite(event).is_in(numbers).fill_null(False) if numbers else hit


def _compare(persons: pl.DataFrame, measured: pl.DataFrame, people: pl.Series, part: _Part, survival: Ledger) -> None:
    """Flag measurements after follow-up, and participants who are in one table only."""
    dated = measured.join(persons.select("participant_id", "_time", "_free"), on="participant_id")
    late = pl.col("day") > pl.col("_time") + _ONE_SECOND
    part.ledger.flag("measurement_after_event", dated.filter(late).unique(POSITION, maintain_order=True))
    within_gap = dated.filter((pl.col("day") > pl.col("_free") + _ONE_SECOND) & ~late).unique(POSITION, maintain_order=True)
    part.ledger.flag("measurement_before_event_known", within_gap)
    known = persons["participant_id"]
    for rule, who in (
        ("participant_without_assessments", known.filter(~known.is_in(measured["participant_id"].implode()))),
        ("participant_without_follow_up", people.filter(~people.is_in(known.implode()))),
    ):
        if len(who):
            survival.note(rule, participants=who)


def _tables_of_persons(
    persons: pl.DataFrame, measured: pl.DataFrame, people: pl.Series, table: SurvivalTable | None, ledger: Ledger
) -> dict[str, pl.DataFrame]:
    everyone = pl.DataFrame({"participant_id": ordered(pl.concat([people, persons["participant_id"]]))})
    last = measured.group_by("participant_id").agg(pl.col("day").max().alias("_last"))
    for more in (persons, last):
        everyone = everyone.join(more, on="participant_id", how="left", maintain_order="left")
    everyone = everyone.with_columns(entry_day=pl.lit(0.0), last_contact_day=pl.max_horizontal("_time", "_last"))
    if table is None:
        return {"participants": everyone}
    events = persons.filter("_event").select(
        "participant_id",
        pl.lit(table.event_name).alias("kind"),
        pl.col("_time").alias("day"),
        pl.lit(table.definition).alias("definition"),
        pl.col("_free").alias("free_until_day"),
    )
    covariates = [_covariate(persons, name) for name in table.covariates]
    return {
        "participants": _baseline(everyone, table, ledger),
        "events": events,
        "covariates": pl.concat([empty("covariates"), *covariates]),
    }


def _baseline(everyone: pl.DataFrame, table: SurvivalTable, ledger: Ledger) -> pl.DataFrame:
    """Copy the columns that the study names for participants, checked where the words or range are fixed."""
    named = [pl.col(f"c:{written}").alias(target) for target, written in table.participants.items()]
    frame = everyone.with_columns(named)
    if written := table.participants.get("age"):
        frame = within(as_numbers(frame, ("age",), ledger, {"age": written}), {"age": (0.0, 130.0)}, ledger, {"age": written})
    if written := table.participants.get("sex"):
        frame = known_word(frame, "sex", SEX_WORDS, ledger, written)
    if written := table.participants.get("onset_site"):
        frame = known_word(frame, "onset_site", {site: site for site in ONSET_SITES}, ledger, written)
    return frame


def _covariate(persons: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return one baseline column as long rows: numbers when every cell is one, else text."""
    text = persons.select("participant_id", pl.lit(name).alias("name"), pl.col(f"c:{name}").alias("text"))
    text = text.drop_nulls("text").with_columns(finite(pl.col("text")).alias("number"))
    if text["number"].null_count() == 0:
        text = text.with_columns(pl.lit(None, dtype=pl.String).alias("text"))
    else:
        text = text.with_columns(pl.lit(None, dtype=pl.Float64).alias("number"))
    return text.select("participant_id", "name", "number", "text")
