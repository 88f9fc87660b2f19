"""A draft as TOML that is read and edited by people: ordered, aligned, commented."""

import textwrap
from collections.abc import Iterable, Iterator

from alsmodel.cohort.forms.kinds import KINDS
from alsmodel.cohort.propose.draft import Choice, Draft, DraftForm, Question, Value
from alsmodel.settings.writing import dump_toml

_WIDTH = 130
_HEAD = """\
Mapping of {source}, proposed by `alsmodel map` from the names and values of the columns. It is a draft: read it through.
Left of = stands a column of the file, right of it what it is taken for. Names are explained in data_schemas/README.md.
Columns under set_aside are not read; move a line to where it belongs if you need it."""
_ASK = """\
What cannot be known from the files is asked, and never guessed: nothing is read until each "?" below is an answer, in quotation marks."""


def written(draft: Draft) -> str:
    """Return the mapping as TOML text."""
    source = draft.sheets[0].file if len({sheet.file for sheet in draft.sheets}) == 1 else f"the files of {draft.source}"
    lines = [*_comment(_HEAD.format(source=source).splitlines()), "", f"source = {_text(draft.source)}"]
    if draft.delimiter:
        lines.append(f"delimiter = {_text(draft.delimiter)}")
    if draft.questions:
        lines += ["", *_comment([_ASK]), "[questions]"]
        for question in draft.questions.values():
            lines += [*_question(question)]
    if draft.time:
        lines += ["", *_comment([draft.time_comment] if draft.time_comment else []), "[time]"]
        for name, value in draft.time.items():
            shown = f"[{', '.join(_value(one) for one in value)}]" if isinstance(value, list) else _value(value)
            lines.append(f"{name} = {shown}")
    for form in draft.forms:
        lines += ["", *_form(form)]
    return "\n".join(lines) + "\n"


def _question(question: Question) -> Iterator[str]:
    yield ""
    yield from _comment(question.ask)
    alone = [answer for answer, meaning in question.answers.items() if not meaning]
    if alone:
        yield from _comment([f"  {' | '.join(_text(answer) for answer in alone)}"])
    for answer, meaning in question.answers.items():
        if meaning:
            yield from _comment([f"  {_text(answer)}: {meaning}"])
    yield f'{_key(question.name)} = "?"'


def _form(form: DraftForm) -> Iterator[str]:
    path = f"tables.{_key(form.name)}"
    yield from _comment([KINDS[form.kind].meaning])
    yield f"[{path}]"
    yield f"kind = {_text(form.kind)}"
    yield f"file = {_text(form.sheet.file)}"
    if form.sheet.sheet:
        yield f"sheet = {_text(form.sheet.sheet)}"
    for name, value in form.settings.items():
        yield f"{name} = {_value(value)}"
    if form.set_aside:
        yield "set_aside = ["
        yield from _aligned((f"    {_text(name)},", why) for name, why in form.set_aside.items())
        yield "]"
    for section, values in (("constants", form.constants), ("units", form.units), ("columns", _in_order(form))):
        if values:
            yield ""
            yield f"[{path}.{section}]"
            yield from _settings(values, form.comments if section == "columns" else {})
    for name, words in form.words.items():
        if words:
            yield ""
            yield f"[{path}.words.{_key(name)}]"
            yield from _settings(words, {})


def _settings(values: dict[str, Value] | dict[str, str], comments: dict[str, str]) -> Iterator[str]:
    wide = min(max((len(_key(name)) for name in values), default=0), 40)
    yield from _aligned((f"{_key(name):<{wide}} = {_value(value)}", comments.get(name, "")) for name, value in values.items())


def _in_order(form: DraftForm) -> dict[str, Value]:
    """Return the columns with the participant and the day first, the others as they stand in the file."""
    first = {"participant_id": -2, "day": -1}
    place = {column.name: i for i, column in enumerate(form.sheet.columns)}
    return dict(sorted(form.columns.items(), key=lambda entry: first.get(str(entry[1]), place[entry[0]])))


def _aligned(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield lines with their comments beneath each other."""
    rows = list(rows)
    wide = min(max((len(text) for text, comment in rows if comment), default=0), 60)
    for text, comment in rows:
        yield f"{text:<{wide}}  # {_plain(comment)}" if comment else text


def _comment(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        indent = "# " + " " * (len(line) - len(line.lstrip(" ")))
        yield from textwrap.wrap(_plain(line), _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)


def _plain(text: str) -> str:
    """Return text on one line: a name from a file must not end a comment."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _value(value: Value) -> str:
    if isinstance(value, Choice):
        offers = ", ".join(f"{_key(answer)} = {_text(one)}" for answer, one in value.offers.items())
        return f'{{ "?" = {_text(value.question)}, {offers} }}'
    return _text(value)


def _text(text: str) -> str:
    return dump_toml({"x": text}).removeprefix("x = ").rstrip("\n")


def _key(name: str) -> str:
    return dump_toml({name: 0}).rstrip("\n").removesuffix(" = 0")
