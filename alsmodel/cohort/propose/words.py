"""Words and codes of a column: what the vocabulary knows, what has to be asked, and what is too rare to be shown."""

import re
from collections.abc import Sequence

import polars as pl

from alsmodel.cohort.propose.columns import Column
from alsmodel.cohort.propose.draft import Choice, Draft, DraftForm, Question, Value, slug
from alsmodel.cohort.schema_files import load_vocabulary

_YES = ("true", "t", "ja", "oui", "si", "sí")
_NO = ("false", "f", "nein", "non")
_YES_NO = dict.fromkeys(_YES, "yes") | dict.fromkeys(_NO, "no")
_DEAD = dict.fromkeys(("dead", "died", "deceased"), "yes") | dict.fromkeys(("alive", "living", "not died", "not dead"), "no")
_LIMBS = ("upper limb", "lower limb", "upper limbs", "lower limbs", "limbs", "arm", "leg", "arms", "legs", "hand", "foot")
#: Words that leave no doubt which of the canonical ones is meant.
_SURE = {
    "onset_site": {
        **dict.fromkeys((*_LIMBS, "upper extremity", "lower extremity", "limb onset", "limb-onset"), "limb"),
        **dict.fromkeys(("bulbar onset", "bulbar-onset"), "bulbar"),
        **dict.fromkeys(("respiratory onset", "respiratory-onset"), "respiratory"),
        **dict.fromkeys(("bulbar and limb", "limb/bulbar", "bulbar/limb"), "limb and bulbar"),
    },
    "sex": {"woman": "female", "man": "male", "girl": "female", "boy": "male", "femme": "female", "homme": "male"},
}
_NUMBER = re.compile(r"-?\d+(?:\.0)?")
#: Most single words that are asked about one by one.
_MOST_ASKED = 8


def put_words(draft: Draft, form: DraftForm, column: Column, target: str, name: str, canonical: Sequence[str], subject: str = "") -> None:
    """Map a column of words: known ones need nothing, two codes are one question, other words a question each.

    Parameters
    ----------
    draft, form, column, target
    name : str
        Name of the words in the vocabulary.
    canonical : sequence of str
        What each word may mean; the first is what is asked about where there are two codes.
    subject : str
        What the column says, for the question.
    """
    form.put(column, target)
    known = {word.lower() for word in load_vocabulary()["words"].get(name, {})}
    sure = {word: meaning for word, meaning in _SURE.get(name, {}).items() if word in column.levels and word not in known}
    if sure:
        form.words.setdefault(name, {}).update(sure)
    unknown = [word for word in column.levels if word not in known and word not in sure]
    if not column.levels and column.filled:
        form.comments[column.name] = f"many different words: those that the vocabulary lacks go under [tables.{form.name}.words.{name}]"
        return
    if not unknown:
        return
    shown = [word for word in unknown if word in column.shown_levels(_participants(form))]
    if len(canonical) == 2 and len(unknown) <= 2 and len(column.levels) <= 2 and len(shown) == len(unknown):
        _pair(draft, form, column, name, canonical, shown, subject)
        return
    for word in shown[:_MOST_ASKED]:
        _single(draft, form, column, name, canonical, word)
    left = len(unknown) - len(shown[:_MOST_ASKED])
    if left:
        what = "1 word" if left == 1 else f"{left} words"
        form.comments[column.name] = f"{what} of few participants, not shown here: to be added under [tables.{form.name}.words.{name}]"
        draft.notes.append(
            f"{column.name} has {what} that the vocabulary lacks and that stand for few participants, so they are not shown; "
            f"add them to the mapping by hand, or they count as missing."
        )


def put_yes_no(draft: Draft, form: DraftForm, column: Column, target: str) -> None:
    """Map a column of yes and no; one question serves all columns with the same codes."""
    words = _plain_words(column, _YES_NO)
    codes = _codes(column)
    said = form.words.get("yes_no", {})
    if codes and set(codes) & set(said) and not set(codes) <= set(said):
        why = f"its codes differ from those of other columns of yes and no: {target} needs a form of its own"
        draft.leave(form.sheet, column, why)
        return
    form.put(column, target)
    if codes:
        low, high = codes
        ask = (f"In columns of yes and no that hold {low} and {high} ({column.name} is one), which code means yes?",)
        question = draft.ask(Question(f"yes_{low}{high}", ask, {low: f"{high} is then no", high: f"{low} is then no"}))
        words = {low: Choice(question, {low: "yes", high: "no"}), high: Choice(question, {low: "no", high: "yes"})}
    if words:
        form.words.setdefault("yes_no", {}).update(words)


def put_death(draft: Draft, form: DraftForm, column: Column) -> None:
    """Map whether a participant died; codes are asked about, and so is a column that speaks of being alive."""
    form.put(column, "died")
    codes = _codes(column) or (("no", "yes") if "alive" in column.flat and set(column.levels) <= {"yes", "no"} else None)
    if codes is None:
        form.words["yes_no"] = _plain_words(column, _YES_NO | _DEAD)
        return
    low, high = codes
    ask = (f"The column {column.name} holds {low} and {high}. Which of the two means that the participant DIED?",)
    question = draft.ask(Question("died", ask, {low: f"{high} is then not died", high: f"{low} is then not died"}))
    form.words["yes_no"] = {low: Choice(question, {low: "yes", high: "no"}), high: Choice(question, {low: "no", high: "yes"})}


def put_unit(draft: Draft, form: DraftForm, quantity: str, beside: Column | None, named: str | None, units: dict[str, str]) -> None:
    """Say the unit of a quantity: by the column beside it, by the quantity's name, or by asking."""
    target = f"{quantity}_unit"
    if beside is not None:
        put_words(draft, form, beside, target, target, tuple(units), f"the unit of {quantity}")
    elif named is not None:
        form.constants[target] = named
    else:
        ask = (f"In which unit is the {quantity}?",)
        question = draft.ask(Question(target, ask, units))
        form.constants[target] = Choice(question, {unit: unit for unit in units})


def _pair(draft: Draft, form: DraftForm, column: Column, name: str, canonical: Sequence[str], words: Sequence[str], subject: str) -> None:
    first, second = canonical
    both = list(words)
    if len(both) == 1:
        code = both[0]
        other = {"0": "1", "1": "2", "2": "1"}.get(code)
        if other is None or len(column.levels) > 1:
            _single(draft, form, column, name, canonical, code)
            return
        both = sorted([code, other])
    low, high = both
    ask = (f"The column {column.name} holds {low} and {high}. Which of the two means {first}{f' ({subject})' if subject else ''}?",)
    question = draft.ask(Question(slug(first), ask, {low: f"{high} is then {second}", high: f"{low} is then {second}"}))
    form.words.setdefault(name, {}).update(
        {low: Choice(question, {low: first, high: second}), high: Choice(question, {low: second, high: first})}
    )


def _single(draft: Draft, form: DraftForm, column: Column, name: str, canonical: Sequence[str], word: str) -> None:
    ask = (f"In the column {column.name}, what does {word} mean?",)
    meanings = dict.fromkeys(canonical, "") | {"missing": "not known; it counts as missing"}
    question = draft.ask(Question(f"{slug(column.name)}_{slug(word)}", ask, meanings))
    form.words.setdefault(name, {})[word] = Choice(question, {meaning: meaning for meaning in canonical} | {"missing": ""})


def _plain_words(column: Column, meanings: dict[str, str]) -> dict[str, Value]:
    return {word: meanings[word] for word in column.levels if word in meanings}


def _codes(column: Column) -> tuple[str, str] | None:
    """Return the two codes of a column of codes, also where only one of them occurs."""
    levels = set(column.levels)
    if not levels or not all(_NUMBER.fullmatch(word) for word in levels):
        return None
    for low, high in (("0", "1"), ("1", "2")):
        if levels <= {low, high}:
            return low, high
    return tuple(sorted(levels)) if len(levels) == 2 else None  # type: ignore[return-value]


def _participants(form: DraftForm) -> pl.Series | None:
    return None if form.sheet.participant is None else form.sheet.participant.text
