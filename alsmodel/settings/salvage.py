"""What else is wrong with settings that were refused: checks that a first fault kept from being made.

A section is checked when its values have been read, and the sections around it when they have; so a first fault would hide those
that lie beyond it. Here a refused file is read once more without any check: what cannot be read is `UNREAD`, and every check is then
made by itself, from the inside outwards. A check that needs what is not there is left out.
"""

import dataclasses
import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Final, NoReturn, final

from pydantic_core import SchemaValidator, ValidationError

from alsmodel.settings.toml import SettingPath

type Check = Callable[[], Iterable[str]]

#: Errors of a check that was given what its author could not expect.
_SENSELESS = (ArithmeticError, LookupError, TypeError, AttributeError)


def insist(checks: Iterable[Check]) -> None:
    """Make all checks of a settings object, for its ``__post_init__``.

    A class whose checks touch several sections lists them in a method ``cross_checks``, each by itself, so that one which cannot be
    made of a faulty file does not take the others along.

    Raises
    ------
    ValueError
        With every sentence that they give.
    """
    faults = list(dict.fromkeys(fault for check in checks for fault in _said(check)))
    if faults:
        raise ValueError(" ".join(faults))


def _said(check: Check) -> list[str]:
    try:
        return list(check())
    except ValueError as error:  # of something that the check makes
        return [str(error)]


class _Missed(Exception):
    """A check came upon a value that could not be read."""


def _missed(*_: object, **__: object) -> NoReturn:
    raise _Missed


@final
class Unread:
    """A value that could not be read: whatever is done with it, but handing it on, ends the check that does it."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise _Missed


# Operators look at the class and not at the instance.
for _name in (
    *("__bool__", "__len__", "__iter__", "__contains__", "__getitem__", "__call__", "__hash__", "__str__", "__repr__", "__format__"),
    *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__float__", "__int__", "__index__", "__array__", "__neg__", "__abs__"),
    *(f"__{side}{op}__" for op in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow") for side in ("", "r")),
):
    setattr(Unread, _name, _missed)

UNREAD: Final = Unread()


def salvage(core_schema: Any, cls: Hashable, mapping: Mapping[str, Any]) -> Any:
    """Read settings without checks.

    Parameters
    ----------
    core_schema : dict
        pydantic's schema of a tuple around `cls`, as strict as `decode` is.
    cls : type
        What it makes; the same class always has the same schema.
    mapping : mapping
        What the file says.

    Returns
    -------
    object
        A `cls` whose checks were not made, with `UNREAD` in places; None where not even that could be made.
    """
    try:
        return _reader(_Schema(core_schema, cls)).validate_json(json.dumps([mapping], default=str))[0]
    except ValidationError:
        return None


def attempt[T](check: Callable[[], Iterable[T]]) -> list[T]:
    """What a check of salvaged settings finds; nothing where it cannot be made."""
    try:
        return list(check())
    except (_Missed, *_SENSELESS):
        return []


def hidden(made: Any, path: SettingPath = ()) -> Iterator[tuple[SettingPath, str]]:
    """Sentences of all checks of salvaged settings with the place of each, from the inside outwards."""
    if type(made) is Unread:
        return
    if isinstance(made, Mapping):
        for key, entry in made.items():
            yield from hidden(entry, (*path, key))
    elif isinstance(made, list | tuple):
        for index, entry in enumerate(made):
            yield from hidden(entry, (*path, index))
    elif dataclasses.is_dataclass(made) and not isinstance(made, type):
        for field in dataclasses.fields(made):
            yield from hidden(getattr(made, field.name, None), (*path, field.name))
        for check in _checks_of(made):
            for sentence in attempt(partial(_said, check)):
                yield path, sentence


def _checks_of(made: Any) -> Sequence[Check]:
    if hasattr(type(made), "cross_checks"):
        listed: Sequence[Check] = made.cross_checks()
        return listed
    if not hasattr(type(made), "__post_init__"):
        return ()

    def own() -> Iterable[str]:
        made.__post_init__()
        return ()

    return (own,)


@dataclasses.dataclass(frozen=True)
class _Schema:
    """A schema under the name of what it makes."""

    core: Any = dataclasses.field(compare=False)
    cls: Hashable


@lru_cache(maxsize=16)
def _reader(schema: _Schema) -> SchemaValidator:
    return SchemaValidator(_lenient(schema.core))


def _lenient(schema: Any) -> Any:
    """The same schema without checks of dataclasses: unknown names are passed over and unreadable values are `UNREAD`."""
    if isinstance(schema, list):
        return [_lenient(entry) for entry in schema]
    if isinstance(schema, tuple):  # a member of a union with its label
        return tuple(_lenient(entry) for entry in schema)
    if not isinstance(schema, dict):
        return schema
    made = {name: entry if name in ("metadata", "default") else _lenient(entry) for name, entry in schema.items()}
    kind = made.get("type")
    if kind == "dataclass":
        made |= {"post_init": False, "config": {**made.get("config", {}), "extra_fields_behavior": "ignore"}}
    elif kind == "dataclass-field" and not _tells_apart(made["schema"]):
        made["schema"] = _or_unread(made["schema"])
    elif kind == "tuple":
        made["items_schema"] = [_or_unread(s) if s["type"] in _SECTIONS else s for s in made["items_schema"]]
    return made


_SECTIONS = ("dataclass", "definition-ref", "tagged-union", "union")


def _tells_apart(schema: Any) -> bool:
    """Whether it is the field that tells the members of a union apart: a literal of one value."""
    inner = schema["schema"] if schema["type"] == "default" else schema
    return inner["type"] == "literal" and len(inner["expected"]) == 1


def _or_unread(schema: Any) -> dict[str, Any]:
    """The same schema, with `UNREAD` for what it cannot read and for what is absent without a default."""
    safe = {"type": "default", "schema": schema, "default_factory": _unread, "on_error": "default"}
    if schema["type"] != "default":
        return safe
    return {**schema, "schema": {**safe, "schema": schema["schema"]}}


def _unread() -> Unread:
    return UNREAD
