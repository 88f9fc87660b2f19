"""From the columns of a source to a proposed mapping: what was recognised, what has to be asked, what is set aside and why."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from alsmodel.cohort.propose.columns import Column, Sheet
from alsmodel.cohort.propose.draft import Choice, Draft, slug
from alsmodel.cohort.propose.facts import add_facts
from alsmodel.cohort.propose.measures import add_measures
from alsmodel.cohort.propose.opening import open_all
from alsmodel.cohort.propose.scores import add_scores
from alsmodel.cohort.propose.times import put_day, settle_time
from alsmodel.cohort.propose.toml import written

#: Order of the forms in a mapping.
_ORDER = ("participants", "history", "el_escorial", "assessments", "capacity", "vitals", "neurofilament", "drug_use", "death", "event")
_REDCAP = re.compile(r"^redcap_|_timestamp$|_complete$")


@final
@dataclass(frozen=True)
class Proposal:
    """A mapping as far as it can be known from names and values of columns.

    Attributes
    ----------
    text : str
        The mapping, as TOML with comments.
    columns : tuple of (str, str, str, str)
        Table, column, what it is taken for and the forms that read it (both empty when it is set aside).
    questions : mapping
        Question -> answers; each is "?" in the text.
    notes : tuple of str
        What its author should know.
    """

    text: str
    columns: tuple[tuple[str, str, str, str], ...]
    questions: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the proposal as plain values."""
        names = ("table", "column", "target", "forms")
        columns = [dict(zip(names, column, strict=True)) for column in self.columns]
        questions = {name: list(answers) for name, answers in self.questions.items()}
        return {"mapping": self.text, "columns": columns, "questions": questions, "notes": list(self.notes)}


def propose(path: Path | str, participant: str = "") -> Proposal:
    """Propose a mapping for a file, or for the files of a folder.

    Nothing that a participant said or had is in the proposal: it holds names of columns, and words that are categories (codes, and
    words that stand for at least five participants each in a column of at most twelve). What names and values leave open is a
    question in it, and reading refuses the mapping until it is answered.

    Parameters
    ----------
    path : path
    participant : str
        The column that names participants, where its name does not say so.

    Raises
    ------
    InvalidInput
        With every file that cannot be read, or when no column names participants.
    """
    path = Path(path)
    sheets, delimiter, notes = open_all(path, participant)
    draft = Draft(source=slug(path.stem if path.is_file() else path.resolve().name), sheets=sheets, delimiter=delimiter, notes=notes)
    for sheet in sheets:
        _look_at(draft, sheet)
    settle_time(draft)
    _drop_empty(draft)
    for sheet in sheets:
        _set_aside(draft, sheet)
    draft.forms.sort(key=lambda form: _ORDER.index(form.kind) if form.kind in _ORDER else len(_ORDER))
    asked = _asked(draft)
    draft.questions = {name: question for name, question in draft.questions.items() if name in asked}
    columns = tuple((sheet.name, column.name, *_taken_for(draft, sheet, column)) for sheet in sheets for column in sheet.columns)
    answers = {name: tuple(question.answers) for name, question in draft.questions.items()}
    return Proposal(written(draft), columns, answers, tuple(dict.fromkeys(draft.notes)))


def _look_at(draft: Draft, sheet: Sheet) -> None:
    for column in sheet.columns:
        if _REDCAP.search(column.key) and column.key != "redcap_data_access_group":
            draft.leave(sheet, column, "REDCap's own")
    form = add_scores(draft, sheet)
    if form is not None and not put_day(draft, form):
        draft.forms.remove(form)
        draft.notes.append(f"{sheet.name} has ALSFRS-R scores, but no column that says when they were given: they are not mapped.")
        for column in sheet.columns:
            if column.name in form.columns and column is not sheet.participant:
                draft.leave(sheet, column, "no column says when it was scored")
    add_measures(draft, sheet)
    add_facts(draft, sheet)


def _drop_empty(draft: Draft) -> None:
    """Take out forms that lost what they were for; a form of kind participants may name participants alone."""
    for form in list(draft.forms):
        said = [name for name in form.columns if form.sheet.participant is None or name != form.sheet.participant.name]
        dated = form.kind in ("assessments", "capacity", "vitals", "neurofilament")
        lost = (dated and "day" not in form.targets()) or not said
        if not lost:
            continue
        draft.forms.remove(form)
        for column in form.sheet.columns:
            if column.name in said:
                draft.leave(form.sheet, column, "the column that would date it could not be used")
    for sheet in draft.sheets:
        if not any(form.sheet is sheet for form in draft.forms):
            draft.form("participants", sheet)


def _set_aside(draft: Draft, sheet: Sheet) -> None:
    """List every column that no form reads under the sheet's first form, with the reason."""
    for column in sheet.columns:
        if not draft.is_used(sheet, column):
            draft.leave(sheet, column, _kind_of(column))
    first = min((form for form in draft.forms if form.sheet is sheet), key=lambda form: _ORDER.index(form.kind))
    for column in sheet.columns:
        why = draft.aside.get((sheet.name, column.name))
        if why is not None and not draft.is_used(sheet, column):
            first.set_aside[column.name] = why


def _kind_of(column: Column) -> str:
    if not column.filled:
        return "empty"
    if column.has_short_years:
        return "dates with two-digit years, which no century can be given: write the years in full"
    if column.is_date:
        return "dates"
    if column.is_number:
        return "numbers"
    return f"words, {len(column.levels)} different" if column.levels else "text"


def _asked(draft: Draft) -> set[str]:
    """Return the questions on which some value depends."""
    values: list[Any] = [*draft.time.values()]
    for form in draft.forms:
        values += [*form.columns.values(), *form.settings.values(), *form.constants.values()]
        values += [value for words in form.words.values() for value in words.values()]
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return {value.question for value in flat if isinstance(value, Choice)}


def _taken_for(draft: Draft, sheet: Sheet, column: Column) -> tuple[str, str]:
    """Return what a column is taken for, and the forms that read it, in words."""
    readers = [form for form in draft.forms if form.sheet is sheet and column.name in form.columns]
    values = [form.columns[column.name] for form in readers]
    targets = [_asked_for(value) if isinstance(value, Choice) else value for value in values]
    return ", ".join(dict.fromkeys(targets)), ", ".join(form.name for form in readers)


def _asked_for(choice: Choice) -> str:
    targets = list(dict.fromkeys(target for target in choice.offers.values() if target))
    return f"{' or '.join(targets)} ?" if len(targets) <= 2 else f"asked: {choice.question}"
