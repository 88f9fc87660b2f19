"""Conditions over baseline columns, such as ``delta_frs >= 0.3 and onset_months < 24``: a small typed tree, never Python.

    condition   = both ("or" both)*            both     = single ("and" single)*
    single      = "not" single | "(" condition ")" | name | comparison | name ["not"] "in" "(" value ("," value)* ")"
    comparison  = side (("<" | "<=" | ">" | ">=" | "==" | "!=") side)+      side = name | number | 'text'

A chain such as ``0.3 <= delta_frs < 2`` holds when every link does. A missing value fails every comparison.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from alsmodel.settings.names import nearest

Bools = npt.NDArray[np.bool_]

#: Word of a participant whose baseline word is missing: a level of its own.
NOT_RECORDED = "not recorded"

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_]\w*)|('[^']*'|\"[^\"]*\")|(<=|>=|==|!=|<|>|\(|\)|,|-))")
_WORDS = ("and", "or", "not", "in")
#: Brackets and "not" within each other, at most.
DEEPEST = 50


@final
@dataclass(frozen=True)
class Categories:
    """A column of words: `codes` index into `levels`."""

    codes: npt.NDArray[np.int64]
    levels: tuple[str, ...]


type Column = npt.NDArray[np.float64] | Categories
#: What a name stands for: None is a number, a tuple lists the words that a column of words may hold.
type Vocabulary = Mapping[str, tuple[str, ...] | None]


@final
@dataclass(frozen=True)
class Name:
    """A column."""

    name: str


@final
@dataclass(frozen=True)
class Value:
    """A number or a text."""

    value: float | str


type Side = Name | Value


@final
@dataclass(frozen=True)
class Comparison:
    """Neighbouring sides compared in a chain."""

    sides: tuple[Side, ...]
    signs: tuple[str, ...]


@final
@dataclass(frozen=True)
class Member:
    """A column's value is one of a list."""

    name: Name
    values: tuple[Value, ...]


@final
@dataclass(frozen=True)
class Flag:
    """A column that is 0 or 1 taken as no or yes."""

    name: Name


@final
@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: "Condition"


@final
@dataclass(frozen=True)
class All:
    """Every part holds."""

    parts: tuple["Condition", ...]


@final
@dataclass(frozen=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple["Condition", ...]


type Condition = Comparison | Member | Flag | Not | All | AnyOf


def parse(text: str) -> Condition:
    """Read a condition.

    Raises
    ------
    ValueError
        Where it stops making sense, in words.
    """
    reader = _Reader(text)
    found = reader.either()
    if reader.token is not None:
        raise reader.fault("the end")
    return found


def is_name(text: str) -> bool:
    """Whether a condition can read a column of this name."""
    return text.isidentifier() and text.isascii() and text not in _WORDS


def names_of(condition: Condition) -> Iterator[str]:
    """Every column that a condition reads, repeats included."""
    match condition:
        case Comparison(sides=sides):
            yield from (side.name for side in sides if isinstance(side, Name))
        case Member(name=name) | Flag(name=name):
            yield name.name
        case Not(part=part):
            yield from names_of(part)
        case All(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from names_of(part)


def check(text: str, vocabulary: Vocabulary, absent: Mapping[str, str] | None = None) -> list[str]:
    """What is wrong with a condition, one sentence each: grammar, unknown names and words, numbers against words.

    Parameters
    ----------
    text : str
    vocabulary : mapping
    absent : mapping of str to str, optional
        Names that would be known with another setting, and a sentence that says which.
    """
    try:
        condition = parse(text)
    except ValueError as error:
        return [str(error)]
    unknown = [name for name in dict.fromkeys(names_of(condition)) if name not in vocabulary]
    if unknown:
        return [f"{text!r}: {name} is not known. {nearest_name(name, vocabulary, absent)}" for name in unknown]
    return [f"{text!r}: {fault}" for fault in _kind_faults(condition, vocabulary)]


def holds(condition: Condition, columns: Mapping[str, Column]) -> Bools:
    """Say for every participant whether the condition holds; the shape of the columns."""
    match condition:
        case Comparison(sides=sides, signs=signs):
            links = [_compare(a, sign, b, columns) for a, sign, b in zip(sides, signs, sides[1:], strict=False)]
            return np.asarray(np.logical_and.reduce(links))
        case Member(name=name, values=values):
            return np.asarray(np.logical_or.reduce([_compare(name, "==", value, columns) for value in values]))
        case Flag(name=name):
            return np.asarray(_number(columns[name.name]) == 1.0)
        case Not(part=part):
            return ~holds(part, columns)
        case All(parts=parts):
            return np.asarray(np.logical_and.reduce([holds(part, columns) for part in parts]))
        case AnyOf(parts=parts):
            return np.asarray(np.logical_or.reduce([holds(part, columns) for part in parts]))


def _number(column: Column) -> npt.NDArray[np.float64]:
    return column.codes.astype(np.float64) if isinstance(column, Categories) else column


def _compare(left: Side, sign: str, right: Side, columns: Mapping[str, Column]) -> Bools:
    a, b = _operand(left, right, columns), _operand(right, left, columns)
    with np.errstate(invalid="ignore"):
        match sign:
            case "<":
                return np.asarray(a < b)
            case "<=":
                return np.asarray(a <= b)
            case ">":
                return np.asarray(a > b)
            case ">=":
                return np.asarray(a >= b)
            case "==":
                return np.asarray(a == b)
            case _:
                return np.asarray((a != b) & ~np.isnan(a) & ~np.isnan(b))


def _operand(side: Side, other: Side, columns: Mapping[str, Column]) -> npt.NDArray[np.float64]:
    if isinstance(side, Name):
        return _number(columns[side.name])
    if isinstance(side.value, str):
        words = columns[other.name] if isinstance(other, Name) else None
        return np.asarray(words.levels.index(side.value) if isinstance(words, Categories) else np.nan, dtype=np.float64)
    return np.asarray(side.value, dtype=np.float64)


def _kind_faults(condition: Condition, vocabulary: Vocabulary) -> Iterator[str]:
    match condition:
        case Comparison(sides=sides, signs=signs):
            for a, sign, b in zip(sides, signs, sides[1:], strict=False):
                yield from _link_faults(a, sign, b, vocabulary)
        case Member(name=name, values=values):
            for value in values:
                yield from _link_faults(name, "==", value, vocabulary)
        case Flag(name=name):
            if vocabulary[name.name] is not None:
                yield f"{name.name} holds words and is no yes or no. Write {name.name} == '...'."
        case Not(part=part):
            yield from _kind_faults(part, vocabulary)
        case All(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _kind_faults(part, vocabulary)


def _link_faults(left: Side, sign: str, right: Side, vocabulary: Vocabulary) -> Iterator[str]:
    for name, value in ((left, right), (right, left)):
        if not isinstance(name, Name):
            continue
        words = vocabulary[name.name]
        if words is not None and sign not in ("==", "!="):
            yield f"{name.name} holds words; they can be equal or not, and have no order."
            return
        if isinstance(value, Value) and (words is not None) != isinstance(value.value, str):
            yield f"{name.name} holds {'words' if words is not None else 'numbers'}; got {value.value!r}."
        elif words is not None and isinstance(value, Value) and value.value not in words:
            yield f"{name.name} is never {value.value!r}. {_nearest(str(value.value), words)}"


def nearest_name(name: str, vocabulary: Vocabulary, absent: Mapping[str, str] | None = None) -> str:
    """What may have been meant by a name that is not known, or how it becomes known; arguments as of `check`."""
    later = {word: how for word, how in (absent or {}).items() if word not in vocabulary}
    if name in later:
        return later[name]
    told = nearest(name.lower(), (*vocabulary, *later), otherwise=f"Known: {', '.join(vocabulary)}.")
    return " ".join([told, *(how for word, how in later.items() if told == f"Did you mean {word}?")])


def _nearest(word: str, known: tuple[str, ...]) -> str:
    return nearest(word.lower(), known, otherwise=f"Known: {', '.join(known)}.")


class _Reader:
    """Reads one token ahead, by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text, self.place, self.depth = text, 0, 0
        self.token: str | None = None
        self.kind = 0
        self.step()

    def step(self) -> str:
        taken = self.token or ""
        if not self.text[self.place :].strip():
            self.token = None
            return taken
        found = _TOKEN.match(self.text, self.place)
        if found is None:
            strange = self.text[self.place :].strip()[0]
            known = "Use names, numbers, 'text', < <= > >= == != and or not in ( )."
            raise ValueError(f"{self.text!r}: {strange!r} has no meaning here. {known}")
        self.kind = found.lastindex or 0
        self.token, self.place = found[self.kind], found.end()
        return taken

    def fault(self, wanted: str) -> ValueError:
        came = "the end" if self.token is None else repr(self.token)
        return ValueError(f"{self.text!r}: expected {wanted}, got {came}.")

    def either(self) -> Condition:
        parts = [self.both()]
        while self.token == "or":
            self.step()
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def both(self) -> Condition:
        parts = [self.single()]
        while self.token == "and":
            self.step()
            parts.append(self.single())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def single(self) -> Condition:
        if self.token in ("not", "("):
            self.depth += 1
            if self.depth > DEEPEST:
                raise ValueError(f"{self.text[:40]!r}...: more than {DEEPEST} 'not' and brackets within each other. Write it flatter.")
        if self.token == "not":
            self.step()
            opposite = Not(self.single())
            self.depth -= 1
            return opposite
        if self.token == "(":
            self.step()
            inside = self.either()
            self.depth -= 1
            if self.token != ")":
                raise self.fault("')'")
            self.step()
            return inside
        first = self.side()
        if isinstance(first, Name) and self.token in ("in", "not"):
            return self.member(first)
        sides, signs = [first], []
        while self.token in ("<", "<=", ">", ">=", "==", "!="):
            signs.append(self.step())
            sides.append(self.side())
        if signs:
            return Comparison(tuple(sides), tuple(signs))
        if isinstance(first, Name):
            return Flag(first)
        raise self.fault("a comparison such as delta_frs >= 0.3")

    def member(self, name: Name) -> Condition:
        opposite = self.token == "not"
        if opposite:
            self.step()
        if self.token != "in":
            raise self.fault("'in'")
        self.step()
        if self.token != "(":
            raise self.fault("'(' and a list")
        values: list[Value] = []
        while not values or self.token == ",":
            self.step()
            side = self.side()
            if not isinstance(side, Value):
                raise ValueError(f"{self.text!r}: a list after 'in' holds numbers or 'text', not the name {side.name}.")
            values.append(side)
        if self.token != ")":
            raise self.fault("')'")
        self.step()
        found = Member(name, tuple(values))
        return Not(found) if opposite else found

    def side(self) -> Side:
        if self.token == "-":
            self.step()
            if self.kind != 1 or self.token is None:
                raise self.fault("a number after '-'")
            return Value(-float(self.step()))
        if self.token is None or (self.kind == 2 and self.token in _WORDS) or self.kind == 4:
            raise self.fault("a name, a number or a 'text'")
        kind, token = self.kind, self.step()
        if kind == 1:
            return Value(float(token))
        return Name(token) if kind == 2 else Value(token[1:-1])
