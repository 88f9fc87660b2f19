"""A cohort to ADaM data sets: ADSL (a row per participant), ADQS (ALSFRS-R by item and total), ADTTE (end points).

A cohort holds no calendar dates, so that none are written: days are analysis days (ADY, DTHADY, ...), of which day 1 is the cohort's
day 0 and the day before it is day -1. The time of an end point (AVAL of ADTTE) is the number of days from entry to the event, the day
of entry being the first. CNSR is 0 where the event happened.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl

from alsmodel.clinical.events import EVENT_COMPONENTS, EVENT_DEFINITIONS, supports
from alsmodel.cohort.between import between
from alsmodel.cohort.cdisc.data_sets import CREATED, MOST_NAME, SUFFIX, DataSet, Files, faults_of, write_data_set
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.endpoints import RECORDS, end_point, recorded_events
from alsmodel.cohort.export import write_together
from alsmodel.errors import Fault, InvalidInput

#: Tag of a definition -> PARAMCD.
END_POINT_CODES = {
    "death, any cause": "DEATH",
    "tracheostomy": "TRACH",
    "PAV > 22 h/day for > 7 days": "PAV22",
    "PAV, hours not recorded": "PAV",
    "NIV > 23 h/day": "NIV23",
    "NIV started, hours not recorded": "NIV",
    "invasive ventilation, hours not recorded": "INVVENT",
    "gastrostomy": "GASTROST",
    "death or tracheostomy": "DTHTRACH",
    "death or PAV > 22 h/day for > 7 days": "DTHPAV22",
    "death, tracheostomy or NIV > 23 h/day": "DTHENCAL",
    "death, tracheostomy or PAV": "DTHCENTA",
}
#: Column of the assessments -> number and words of the item.
_ITEMS = {
    "item_1": ("01", "Speech"),
    "item_2": ("02", "Salivation"),
    "item_3": ("03", "Swallowing"),
    "item_4": ("04", "Handwriting"),
    "item_5": ("05", "Cutting Food and Handling Utensils"),
    "item_5a": ("05A", "Cutting without Gastrostomy"),
    "item_5b": ("05B", "Cutting with Gastrostomy"),
    "item_6": ("06", "Dressing and Hygiene"),
    "item_7": ("07", "Turning in Bed"),
    "item_8": ("08", "Walking"),
    "item_9": ("09", "Climbing Stairs"),
    "item_10": ("10", "Dyspnea"),
    "item_11": ("11", "Orthopnea"),
    "item_12": ("12", "Respiratory Insufficiency"),
    "item_10_original": ("10", "Respiratory"),
}
_REVISED_ONLY = ("item_10", "item_11", "item_12")
#: Scale and column of the assessments -> PARAMCD, PARAM; the ten-item scale has parameters of its own.
PARAMETERS = {
    **{("ALSFRS-R", name): (f"ALSFR{n}", f"ALSFRS-R{n}-{text}") for name, (n, text) in _ITEMS.items() if name != "item_10_original"},
    **{("ALSFRS", name): (f"ALSFO{n}", f"ALSFRS{n}-{text}") for name, (n, text) in _ITEMS.items() if name not in _REVISED_ONLY},
    ("ALSFRS-R", "total_48"): ("ALSFRT48", "ALSFRS-R Total Score"),
    ("ALSFRS", "total_40"): ("ALSFOT40", "ALSFRS Total Score"),
}
_SEX = {"female": "F", "male": "M"}
_ADSL = {
    "STUDYID": "Study Identifier", "USUBJID": "Unique Subject Identifier", "SITEID": "Study Site Identifier", "AGE": "Age",
    "AGEU": "Age Units", "SEX": "Sex", "TRT01P": "Planned Treatment for Period 01", "TRT01A": "Actual Treatment for Period 01",
    "DTHFL": "Subject Death Flag", "DTHADY": "Relative Day of Death", "LSTALVDY": "Relative Day Last Known Alive",
    "DISONSDY": "Relative Day of Disease Onset", "DIAGDY": "Relative Day of Diagnosis", "ONSETLOC": "Site of Disease Onset",
    "EXCLREAS": "Reason Not to Be Analyzed",
}  # fmt: skip
_ADQS = {
    "STUDYID": "Study Identifier", "USUBJID": "Unique Subject Identifier", "TRTP": "Planned Treatment", "PARCAT1": "Parameter Category 1",
    "PARAM": "Parameter", "PARAMCD": "Parameter Code", "PARAMN": "Parameter (N)", "ADY": "Analysis Relative Day", "AVAL": "Analysis Value",
    "ABLFL": "Baseline Record Flag", "BASE": "Baseline Value", "CHG": "Change from Baseline",
}  # fmt: skip
_ADTTE = {
    "STUDYID": "Study Identifier", "USUBJID": "Unique Subject Identifier", "TRTP": "Planned Treatment", "PARAM": "Parameter",
    "PARAMCD": "Parameter Code", "AVAL": "Analysis Value", "AVALU": "Analysis Value Unit", "ASTDY": "Analysis Start Relative Day",
    "ADY": "Analysis Relative Day", "CNSR": "Censor", "EVNTDESC": "Event or Censoring Description",
}  # fmt: skip


def write_adam(
    cohort: Cohort,
    folder: Path | str,
    files: Files = "xpt",
    end_points: Sequence[str] | None = None,
    *,
    created: str = CREATED,
    round_days: bool = False,
) -> list[Path]:
    """Write ADSL, ADQS and ADTTE; all of them appear at once or none does.

    Parameters
    ----------
    cohort : Cohort
    folder : path
        Created if absent; data sets of these names there are replaced.
    files : {"xpt", "dataset-json", "ndjson"}
    end_points : sequence of str, optional
        Tags of definitions. Without it every end point that the cohort's source supports; none where the cohort does not say what its
        source records.
    created : str
        Creation date that the files carry, such as "2026-03-01T12:00:00"; a fixed one without it, since outputs have no time stamp.
    round_days : bool
        Round days that are not whole; refused without it.

    Returns
    -------
    list of Path
        ADSL, ADQS and, where there are end points, ADTTE.

    Raises
    ------
    InvalidInput
        For everything that cannot be written, at once: end points that the source does not support, days that are not whole, text of
        more than 200 bytes in a transport file.
    """
    faults: list[Fault] = []
    if files not in SUFFIX:
        raise InvalidInput([Fault("files", f"expected one of {', '.join(SUFFIX)}.")])
    try:
        datetime.fromisoformat(created)
    except ValueError:
        faults.append(Fault("created", "is no date and time, such as 2026-03-01T12:00:00.", "Correct it."))
    days = _Days(round_days)
    sets = [_subjects(cohort, days), _scores(cohort, days)]
    times = _times(cohort, end_points, days, faults)
    if times is not None:
        sets.append(times)
    faults += days.faults
    for data in sets:
        faults += faults_of(data, files)
    if faults:
        raise InvalidInput(faults)
    names = {f"{data.name.lower()}{SUFFIX[files]}": data for data in sets}
    folder = Path(folder)
    write_together(folder, {name: _writer(data, files, created) for name, data in names.items()})
    return [folder / name for name in names]


def _writer(data: DataSet, files: Files, created: str) -> Callable[[Path], None]:
    return lambda path: write_data_set(data, path, files, created)


class _Days:
    """Days from the time origin to analysis days, which are whole and have no 0."""

    def __init__(self, round_days: bool) -> None:
        self._round = round_days
        self.faults: list[Fault] = []

    def analysis(self, days: pl.Series, place: str) -> pl.Series:
        """Return analysis days; add a fault where days are not whole."""
        broken = int((days != days.round(0)).sum())
        if broken and not self._round:
            message = f"{broken} days are not whole, and analysis days are."
            self.faults.append(Fault(place, message, "Round them (round_days = true, --round-days)."))
        whole = days.round(0)
        return (whole + (whole >= 0).cast(pl.Float64)).cast(pl.Int64)


def _data_set(name: str, label: str, frame: pl.DataFrame, labels: dict[str, str]) -> DataSet:
    """Put the columns in order, as String, Int64 or Float64."""
    return DataSet(name, label, frame.select(*labels), labels)


def _subjects(cohort: Cohort, days: _Days) -> DataSet:
    people = cohort.participants
    death = cohort.events.filter(pl.col("kind") == "death").select("participant_id", "day", dead=pl.lit("Y"))
    actual = cohort.covariates.filter(pl.col("name") == "actual_arm").select("participant_id", actual="text")
    frame = people.join(death, on="participant_id", how="left", maintain_order="left")
    frame = frame.join(actual, on="participant_id", how="left", maintain_order="left")
    frame = frame.select(
        STUDYID=_study(),
        USUBJID="participant_id",
        SITEID="site",
        AGE="age",
        AGEU=pl.when(pl.col("age").is_not_null()).then(pl.lit("YEARS")),
        SEX=pl.col("sex").replace_strict(_SEX, default=None, return_dtype=pl.String),
        TRT01P="arm",
        TRT01A="actual",
        DTHFL="dead",
        DTHADY=days.analysis(frame["day"], "events:day"),
        LSTALVDY=days.analysis(frame["last_contact_day"], "participants:last_contact_day"),
        DISONSDY=days.analysis(frame["onset_day"], "participants:onset_day"),
        DIAGDY=days.analysis(frame["diagnosis_day"], "participants:diagnosis_day"),
        ONSETLOC="onset_site",
        EXCLREAS="exclusion",
    )
    frame, labels = _with_covariates(frame, cohort)
    return _data_set("ADSL", "Subject-Level Analysis Dataset", frame, labels)


def _study() -> pl.Expr:
    return pl.col("source").fill_null("UNKNOWN")


def _with_covariates(frame: pl.DataFrame, cohort: Cohort) -> tuple[pl.DataFrame, dict[str, str]]:
    """Add covariates whose names fit a variable of eight characters and are not taken."""
    labels = dict(_ADSL)
    for name in cohort.covariates["name"].unique().sort():
        variable = name.upper()
        fits = variable.isascii() and variable.isidentifier() and len(variable) <= MOST_NAME
        if not fits or variable in labels:
            continue
        mine = cohort.covariates.filter(pl.col("name") == name)
        # A covariate is a number for everyone, or text for everyone.
        value = pl.col("number") if mine["text"].null_count() == mine.height else pl.coalesce("text", pl.col("number").cast(pl.String))
        cells = mine.select(value.alias(variable), USUBJID="participant_id")
        frame = frame.join(cells, on="USUBJID", how="left", maintain_order="left")
        labels[variable] = f"Covariate {name}"
    return frame, labels


def _scores(cohort: Cohort, days: _Days) -> DataSet:
    """A row per participant, parameter and day; the baseline is the last value on or before day 1."""
    tube = pl.col("gastrostomy")
    wide = cohort.assessments.with_columns(
        item_5a=pl.when(~tube).then("item_5"), item_5b=pl.when(tube).then("item_5"), item_5=pl.when(tube.is_null()).then("item_5")
    )
    wide = wide.with_columns(ADY=days.analysis(wide["day"], "assessments:day"))
    scored = [*_ITEMS, "total_48", "total_40"]
    index = ["participant_id", "ADY", "scale"]
    long = wide.select(*index, *(pl.col(name).cast(pl.Int64) for name in scored))
    long = long.unpivot(scored, index=index, variable_name="_name", value_name="AVAL").drop_nulls("AVAL")
    told = [(scale, name, number, *words) for number, ((scale, name), words) in enumerate(PARAMETERS.items(), 1)]
    known = pl.DataFrame(told, schema=["PARCAT1", "_name", "PARAMN", "PARAMCD", "PARAM"], orient="row")
    # Totals and the tenth item belong to a scale whatever else the assessment has.
    of_one = {name: scale for scale, name in PARAMETERS if sum(other == name for _, other in PARAMETERS) == 1}
    long = long.with_columns(PARCAT1=pl.coalesce(pl.col("_name").replace_strict(of_one, default=None, return_dtype=pl.String), "scale"))
    frame = long.join(known, on=["PARCAT1", "_name"], how="left", maintain_order="left")
    frame = frame.join(_arms(cohort), on="participant_id", how="left", maintain_order="left")
    order = cohort.participants["participant_id"]
    frame = frame.sort(pl.col("participant_id").cast(pl.Enum(order)).to_physical(), "PARAMN", "ADY", maintain_order=True)
    group = ("participant_id", "PARAMCD")
    before = pl.col("ADY") <= 1
    last = pl.col("ADY").filter(before).max().over(group)
    frame = frame.with_columns(_baseline=(before & (pl.col("ADY") == last)).fill_null(False))
    base = pl.col("AVAL").filter("_baseline").first().over(group)
    frame = frame.with_columns(
        USUBJID="participant_id",
        ABLFL=pl.when("_baseline").then(pl.lit("Y")),
        BASE=base,
        CHG=pl.when(pl.col("ADY") > 1).then(pl.col("AVAL") - base),
    )
    return _data_set("ADQS", "ALSFRS-R Analysis Dataset", frame, _ADQS)


def _arms(cohort: Cohort) -> pl.DataFrame:
    return cohort.participants.select("participant_id", STUDYID=_study(), TRTP="arm")


def _times(cohort: Cohort, end_points: Sequence[str] | None, days: _Days, faults: list[Fault]) -> DataSet | None:
    if count := between(cohort.events)["participant_id"].n_unique():
        fault = f"{count} participants have an event known only to lie between two days; ADTTE has one."
        faults.append(Fault("events:free_until_day", fault, "Take one day for each, by alsmodel.cohort.between.with_days, and say so."))
    tags = _supported(cohort) if end_points is None else list(dict.fromkeys(end_points))
    parts = []
    for number, tag in enumerate(tags, 1):
        try:
            found = end_point(cohort, tag)
        except InvalidInput as error:
            faults += error.faults
            continue
        parts.append(_of_end_point(found, tag, END_POINT_CODES.get(tag, f"EVENT{number:02d}"), days))
    if not parts:
        return None
    order = cohort.participants["participant_id"]
    frame = pl.concat(parts).join(_arms(cohort), on="participant_id", how="left", maintain_order="left")
    # By end point in the order asked for, then as the participants are ordered.
    codes = pl.Enum(frame["PARAMCD"].unique(maintain_order=True))
    person = pl.col("participant_id").cast(pl.Enum(order)).to_physical()
    frame = frame.sort(pl.col("PARAMCD").cast(codes).to_physical(), person).with_columns(USUBJID="participant_id")
    return _data_set("ADTTE", "Time-to-Event Analysis Dataset", frame, _ADTTE)


def _supported(cohort: Cohort) -> list[str]:
    """Return what the source records, then the composites that can be made of it."""
    if cohort.provenance.get(RECORDS) is None:
        return []
    recorded = recorded_events(cohort)
    made = [tag for tag, definition in EVENT_DEFINITIONS.items() if supports(recorded, definition).yes]
    return list(dict.fromkeys([*recorded, *made]))


def _of_end_point(found: pl.DataFrame, tag: str, code: str, days: _Days) -> pl.DataFrame:
    """An event on an unknown day has CNSR 0 and no time: it is neither censored nor dated."""
    entry = days.analysis(found["entry_day"], f"{tag}:entry_day")
    end = days.analysis(found["end_day"], f"{tag}:end_day")
    unknown = pl.col("undated") & ~pl.col("happened") & ~pl.col("at_entry")
    words = {component: component.upper() for component in EVENT_COMPONENTS}
    described = pl.col("component").replace_strict(words, default=pl.col("component"), return_dtype=pl.String)
    elapsed = (pl.col("end_day").round(0) - pl.col("entry_day").round(0)).cast(pl.Int64) + 1
    return found.with_columns(_entry=entry, _end=end).select(
        "participant_id",
        PARAM=pl.lit(tag),
        PARAMCD=pl.lit(code),
        AVAL=pl.when(~unknown).then(elapsed),
        AVALU=pl.lit("DAYS"),
        ASTDY="_entry",
        ADY=pl.when(~unknown).then("_end"),
        CNSR=pl.when(pl.col("happened") | unknown).then(0).when("at_entry").then(2).otherwise(1).cast(pl.Int64),
        EVNTDESC=pl.when("happened")
        .then(described)
        .when(unknown)
        .then(pl.format("{}, DAY UNKNOWN", described))
        .when("at_entry")
        .then(pl.lit("EVENT ON OR BEFORE ENTRY"))
        .when(pl.col("end_day").is_null())
        .then(pl.lit("NO CONTACT"))
        .otherwise(pl.lit("LAST CONTACT")),
    )
