"""Plain values to a settings dataclass: everything wrong is reported at once, each with its place and a remedy."""

import difflib
import json
import math
from collections.abc import Hashable, Iterator, Mapping
from functools import lru_cache
from types import GenericAlias
from typing import Any, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from alsmodel.errors import Fault, InvalidInput
from alsmodel.settings.describe import expectation, got
from alsmodel.settings.kinds import with_kinds
from alsmodel.settings.names import moved_at, names_at, sections_with
from alsmodel.settings.salvage import hidden, salvage
from alsmodel.settings.toml import SettingPath, line_of
from alsmodel.settings.unions import Problem, settle_unions


def decode[T](
    cls: type[T],
    mapping: Mapping[str, Any],
    *,
    where: str = "settings",
    lines: Mapping[SettingPath, int] | None = None,
) -> T:
    """Build `cls` from the values of a settings file.

    Types are checked strictly (the text ``"5"`` is no number), names that `cls` does not have are refused, and so are
    numbers that are not a number. A section that does not say its kind has that of the setting's default.

    Parameters
    ----------
    cls : type
        A frozen dataclass. Its fields may be dataclasses, unions of dataclasses told apart by a ``Literal`` field,
        tuples, mappings and scalars.
    mapping : mapping
        What the file says, as from `load_toml`.
    where : str
        The file's name, for messages.
    lines : mapping, optional
        Line of each setting, as from `load_toml`.

    Raises
    ------
    InvalidInput
        With one fault for each thing wrong.
    """
    faults = [Fault(_place(where, lines, path), message) for path, message in _not_numbers(mapping, ())]
    mapping, doubts = with_kinds(cls, mapping)
    faults += [Fault(_place(where, lines, path), f"{dotted(path)} {message}", remedy) for path, message, remedy in doubts]
    try:
        made: T = _adapter(cast(Hashable, cls)).validate_json(json.dumps([mapping], default=str))[0]
    except ValidationError as error:
        problems = [Problem.of(cast("Mapping[str, Any]", entry), mapping) for entry in error.errors(include_url=False)]
        settled = list(settle_unions(problems))
        faults += [_fault(cls, problem, where, lines) for problem in settled]
        meant = _as_meant(cls, mapping, [problem for problem in settled if problem.unknown_name])
        faults += _hidden_faults(cls, meant, where, lines, [fault.message for fault in faults])
        raise InvalidInput(in_file_order(faults, where)) from None
    if faults:
        raise InvalidInput(faults)
    return made


def undecided[T](cls: type[T], mapping: Mapping[str, Any]) -> T | None:
    """Read settings that `decode` refuses as far as they can be read, without checks; see `alsmodel.settings.salvage`."""
    made: T | None = salvage(_adapter(cast(Hashable, cls)).core_schema, cast(Hashable, cls), with_kinds(cls, mapping)[0])
    return made


def _as_meant(cls: type, mapping: Mapping[str, Any], misspelt: list[Problem]) -> Mapping[str, Any]:
    """The settings with misspelt names as they were meant, so that a check does not miss what stands under one."""
    meant: Mapping[str, Any] = json.loads(json.dumps(mapping, default=str))
    for problem in misspelt:
        *above, wrong = problem.path
        close = _close_name(cls, problem)
        section: Any = meant
        for part in above:
            section = section[part]
        if close and close not in section:
            section[close] = section.pop(wrong)
    return meant


def _hidden_faults(
    cls: type, mapping: Mapping[str, Any], where: str, lines: Mapping[SettingPath, int] | None, said: list[str]
) -> Iterator[Fault]:
    """Faults of checks that were not made because of others; what has been `said` in a message is not said again."""
    for path, sentence in hidden(undecided(cls, mapping)):
        if not any(sentence in message for message in said):
            said.append(sentence)
            name = dotted(path)
            yield Fault(_place(where, lines, path), f"{name}: {sentence}" if name else sentence)


@lru_cache(maxsize=64)
def _adapter(cls: Hashable) -> TypeAdapter[Any]:
    # A plain dataclass takes no configuration of its own here, but it inherits that of the tuple around it.
    around: Any = GenericAlias(tuple, (cls,))
    return TypeAdapter(around, config=ConfigDict(extra="forbid", strict=True))


def _fault(cls: type, problem: Problem, where: str, lines: Mapping[SettingPath, int] | None) -> Fault:
    place = _place(where, lines, problem.path)
    name = dotted(problem.path)
    if problem.unknown_name:
        message = f"{name} is not a known setting."
        return Fault(place, message, _nearest_name(cls, problem))
    if problem.kind == "missing":
        return Fault(place, f"{name} is needed and absent.", f"Add {problem.path[-1]} = ...")
    if problem.kind == "value_error":
        subject = f"{name}: " if name else ""
        return Fault(place, f"{subject}{problem.context.get('error', problem.message)}")
    expected = expectation(problem)
    message = f"{name or 'the file'}: expected {expected}, got {got(problem.value)}."
    return Fault(place, message, _nearest_choice(problem))


def _nearest_name(cls: type, problem: Problem) -> str:
    *_, wrong = problem.path
    moved = moved_at(cls, problem.loc[:-1], str(wrong))
    if moved is not None:
        return f"It is now {moved}."
    if close := _close_name(cls, problem):
        return f"Did you mean {close}?"
    homes = [home for home in sections_with(cls, str(wrong)) if home != problem.path[:-1]]
    if homes:
        return f"It belongs {f'under [{dotted(homes[0])}]' if homes[0] else 'at the top of the file'}."
    known = names_at(cls, problem.loc[:-1])
    return f"Known here: {', '.join(known)}." if known else ""


def _close_name(cls: type, problem: Problem) -> str:
    close = difflib.get_close_matches(str(problem.path[-1]).lower(), names_at(cls, problem.loc[:-1]), n=1, cutoff=0.6)
    return close[0] if close else ""


def _nearest_choice(problem: Problem) -> str:
    close = difflib.get_close_matches(str(problem.value), problem.choices, n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else ""


def dotted(path: SettingPath) -> str:
    """Write a setting's path as ``a.b[0].c``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text


def _place(where: str, lines: Mapping[SettingPath, int] | None, path: SettingPath) -> str:
    line = line_of(lines, path)
    return where if line is None else f"{where}:{line}"


def in_file_order(faults: list[Fault], where: str) -> list[Fault]:
    """Sort faults by their line in the file `where`; those without a line come first."""

    def line(fault: Fault) -> int:
        tail = fault.place.removeprefix(f"{where}:")
        return int(tail) if tail.isdigit() else 0

    return sorted(dict.fromkeys(faults), key=line)


def _not_numbers(value: Any, path: SettingPath) -> Iterator[tuple[SettingPath, str]]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _not_numbers(entry, (*path, key))
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            yield from _not_numbers(entry, (*path, index))
    elif isinstance(value, float) and math.isnan(value):
        yield path, f"{dotted(path)}: expected a number, got nan."
