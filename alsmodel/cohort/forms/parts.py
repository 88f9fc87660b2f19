"""What the forms of a source gave so far, before it is joined into a cohort."""

from dataclasses import dataclass, field
from typing import final

import polars as pl

from alsmodel.cohort.files.table import TextTable
from alsmodel.cohort.forms.form import Form
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.tables import conform, distinct, empty


@final
@dataclass
class Parts:
    """What the forms gave so far.

    Attributes
    ----------
    tables : dict
        Canonical table -> its parts.
    personal : list of (str, polars.DataFrame)
        Form and its facts, one row per participant.
    contacts : list of polars.DataFrame
        participant_id, day of the last contact of a form.
    later : list of polars.DataFrame
        participant_id, last day of a form that is no assessment and no measurement, such as medications and adverse events.
    seen : list of polars.Series
        Participants named by each form.
    ledgers : dict
        Form -> ledger.
    files : list of TextTable
    baseline : polars.Series
        Participants of the forms of kind participants.
    recorded : list of (str, str)
        Kinds of event that the source records, each with the tag of its definition.
    """

    tables: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    personal: list[tuple[str, pl.DataFrame]] = field(default_factory=list)
    contacts: list[pl.DataFrame] = field(default_factory=list)
    later: list[pl.DataFrame] = field(default_factory=list)
    seen: list[pl.Series] = field(default_factory=list)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    files: list[TextTable] = field(default_factory=list)
    baseline: list[pl.Series] = field(default_factory=list)
    recorded: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, frame: pl.DataFrame) -> None:
        """Add rows of the canonical table `name`."""
        self.tables.setdefault(name, []).append(conform(name, frame))
        self.seen.append(distinct(frame["participant_id"]))

    def add_facts(self, form: Form, facts: pl.DataFrame) -> None:
        """Add facts of participants."""
        self.personal.append((form.name, facts))
        self.seen.append(facts["participant_id"])

    def take(self, other: "Parts") -> None:
        """Join what another set of forms gave."""
        for name, frames in other.tables.items():
            self.tables.setdefault(name, []).extend(frames)
        self.personal += other.personal
        self.contacts += other.contacts
        self.later += other.later
        self.seen += other.seen
        self.ledgers |= other.ledgers
        self.files += other.files
        self.baseline += other.baseline
        self.recorded += other.recorded

    def of(self, name: str) -> pl.DataFrame:
        """Return the canonical table `name`, all parts together."""
        return pl.concat([empty(name), *self.tables.get(name, [])])
