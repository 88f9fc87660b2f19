"""What a proposal consists of before it is written: forms, choices, questions, and what becomes of every column."""

from dataclasses import dataclass, field
from typing import final

from alsmodel.cohort.propose.columns import Column, Sheet


@final
@dataclass(frozen=True)
class Choice:
    """A value that depends on the answer to a question: answer -> value, "" to leave the setting out."""

    question: str
    offers: dict[str, str]


Value = str | Choice


@final
@dataclass(frozen=True)
class Question:
    """What only the author can know.

    Attributes
    ----------
    name : str
    ask : tuple of str
        The question in words, a line each.
    answers : mapping
        Answer -> what it means.
    """

    name: str
    ask: tuple[str, ...]
    answers: dict[str, str]


@final
@dataclass
class DraftForm:
    """A form under construction; fields as in `alsmodel.cohort.forms.mapping.FormMap`."""

    name: str
    kind: str
    sheet: Sheet
    columns: dict[str, Value] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Value] = field(default_factory=dict)
    constants: dict[str, Value] = field(default_factory=dict)
    words: dict[str, dict[str, Value]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)

    def targets(self) -> set[str]:
        """Return the names that the form's columns may come to."""
        given = [*self.columns.values(), *self.constants]
        return {one for value in given for one in (value.offers.values() if isinstance(value, Choice) else (value,))}

    def put(self, column: Column, target: Value, comment: str = "") -> None:
        """Map a column."""
        self.columns[column.name] = target
        if comment:
            self.comments[column.name] = comment


@final
@dataclass
class Draft:
    """The whole proposal under construction.

    Attributes
    ----------
    source : str
    sheets : list of Sheet
    forms : list of DraftForm
    questions : dict of str to Question
    time : dict
        Settings of [time].
    time_comment : str
    delimiter : str
    notes : list of str
        What the author should know, in sentences.
    aside : dict
        (sheet, column) -> why it is not mapped.
    """

    source: str
    sheets: list[Sheet]
    forms: list[DraftForm] = field(default_factory=list)
    questions: dict[str, Question] = field(default_factory=dict)
    time: dict[str, Value | list[Value]] = field(default_factory=dict)
    time_comment: str = ""
    delimiter: str = ""
    notes: list[str] = field(default_factory=list)
    aside: dict[tuple[str, str], str] = field(default_factory=dict)

    def ask(self, question: Question) -> str:
        """Add a question once, and return its name."""
        self.questions.setdefault(question.name, question)
        return question.name

    def form(self, kind: str, sheet: Sheet, name: str = "") -> DraftForm:
        """Add a form with a name of its own."""
        wanted = name or kind
        taken = {form.name for form in self.forms}
        base = wanted if wanted not in taken else f"{slug(sheet.sheet or sheet.file.rsplit('.', 1)[0])}_{wanted}"
        unique, number = base, 2
        while unique in taken:
            unique, number = f"{base}_{number}", number + 1
        form = DraftForm(unique, kind, sheet)
        if sheet.participant is not None:
            form.put(sheet.participant, "participant_id")
        self.forms.append(form)
        return form

    def is_used(self, sheet: Sheet, column: Column) -> bool:
        """Say whether a form reads the column."""
        return any(form.sheet is sheet and column.name in form.columns for form in self.forms)

    def leave(self, sheet: Sheet, column: Column, why: str) -> None:
        """Note why a column is not mapped; the first reason stands."""
        self.aside.setdefault((sheet.name, column.name), why)

    def free(self, sheet: Sheet) -> list[Column]:
        """Return the columns of which nothing has been said yet."""
        return [c for c in sheet.columns if not self.is_used(sheet, c) and (sheet.name, c.name) not in self.aside]


def slug(name: str) -> str:
    """Return a name as one lower-case word of letters, digits and underscores."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.lower())
    return "_".join(part for part in kept.split("_") if part) or "x"
