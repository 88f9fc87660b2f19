"""What a study says about its data: one frozen spec per source format."""

from dataclasses import dataclass, field
from typing import Literal, final

from alsmodel.clinical.units import DAYS_PER_UNIT

TimeUnit = Literal["day", "week", "month", "year"]

#: Canonical participant columns that a plain table may fill.
PARTICIPANT_TARGETS = ("arm", "sex", "age", "onset_site", "phenotype")


def _refuse_twice(setting: str, names: tuple[str, ...]) -> None:
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise ValueError(f"{setting} names {twice[0]} twice.")


@final
@dataclass(frozen=True, kw_only=True)
class LongitudinalTable:
    """Where the repeated measurements are.

    Attributes
    ----------
    file : str
        CSV file, relative to the study file.
    participant, time : str
        Column names.
    outcomes : tuple of str
        Numeric columns; each becomes a measurement of that name.
    """

    file: str
    participant: str
    time: str
    outcomes: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.outcomes:
            raise ValueError("outcomes needs at least one column name.")
        _refuse_twice("outcomes", self.outcomes)


@final
@dataclass(frozen=True, kw_only=True)
class SurvivalTable:
    """Where follow-up and the event are: one row per participant, or the first row of each.

    Attributes
    ----------
    file : str
        CSV file, relative to the study file; may be the longitudinal file.
    participant, time, event : str
        Column names; `time` is the time of the event or of the end of follow-up.
    free_until : str or None
        Column of the last time known free of the event, where the event is known only to have happened after it and by `time`;
        an empty cell means that `time` is that of the event. None: that it is for all.
    event_values : tuple
        Values of `event` that count as the event; every other value means none by `time`.
    event_name : str
        Kind of event in the cohort.
    definition : str
        Its definition in words, carried with every event.
    covariates : tuple of str
        Baseline columns to keep, numbers or text.
    participants : dict
        Canonical participant column (arm, sex, age, onset_site, phenotype) -> column of the file.
    """

    file: str
    participant: str
    time: str
    event: str
    event_values: tuple[str | int | float | bool, ...]
    free_until: str | None = None
    event_name: str = "event"
    definition: str = "as recorded"
    covariates: tuple[str, ...] = ()
    participants: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.event_values:
            raise ValueError("event_values needs at least one value that counts as the event.")
        _refuse_twice("covariates", self.covariates)
        unknown = sorted(set(self.participants) - set(PARTICIPANT_TARGETS))
        if unknown:
            raise ValueError(f"participants.{unknown[0]} is not a participant column; known are {', '.join(PARTICIPANT_TARGETS)}.")


@final
@dataclass(frozen=True, kw_only=True)
class TablesSource:
    """Plain long and survival CSV files of any outcome, read by naming their columns.

    Attributes
    ----------
    time_unit : {"day", "week", "month", "year"}
        Unit of every time column.
    longitudinal : LongitudinalTable
    survival : SurvivalTable, optional
    nulls : tuple of str
        Cells that mean missing.
    """

    format: Literal["tables"] = "tables"
    time_unit: TimeUnit
    longitudinal: LongitudinalTable
    survival: SurvivalTable | None = None
    nulls: tuple[str, ...] = ("", "NA", ".", "-")

    @property
    def days_per_unit(self) -> float:
        """Days in one `time_unit`; a month is 365.25/12 days, a year 365.25."""
        return DAYS_PER_UNIT[self.time_unit]


@final
@dataclass(frozen=True, kw_only=True)
class ProactSource:
    """A folder of PRO-ACT's own CSV files.

    Attributes
    ----------
    folder : str
        Relative to the study file.
    """

    format: Literal["proact"] = "proact"
    folder: str


@final
@dataclass(frozen=True, kw_only=True)
class CohortSource:
    """A folder written by `alsmodel ingest`.

    Attributes
    ----------
    folder : str
        Relative to the study file.
    """

    format: Literal["cohort"] = "cohort"
    folder: str


@final
@dataclass(frozen=True, kw_only=True)
class FolderSource:
    """A folder in a layout that the package knows without being told the columns.

    Attributes
    ----------
    format : {"dream", "answer-als", "all-als", "sdtm", "adam"}
    folder : str
        Relative to the study file.
    """

    format: Literal["dream", "answer-als", "all-als", "sdtm", "adam"]
    folder: str


@final
@dataclass(frozen=True, kw_only=True)
class MappedSource:
    """Files of any layout, read by a mapping file such as `alsmodel map` proposes.

    Attributes
    ----------
    path : str
        Folder, or one file, relative to the study file.
    mapping : str
        Mapping file, relative to the study file.
    """

    format: Literal["mapped"] = "mapped"
    path: str
    mapping: str
