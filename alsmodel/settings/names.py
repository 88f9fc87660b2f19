"""The names that a settings dataclass knows at each place, for suggestions."""

import dataclasses
import difflib
import typing
from collections.abc import Collection, Iterator, Mapping
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from alsmodel.settings.toml import SettingPath


def names_at(cls: type, loc: tuple[str | int, ...]) -> list[str]:
    """Names valid at pydantic's location `loc` below `cls`, in order of declaration."""
    places: list[Any] = [cls]
    for part in loc:
        places = [child for place in places for child in _descend(place, part)]
    names = [field.name for place in places for member in sections_of(place) for field in dataclasses.fields(member)]
    return list(dict.fromkeys(names))


def moved_at(cls: type, loc: tuple[str | int, ...], name: str) -> str | None:
    """Where a setting of the class at `loc` has gone, when that class keeps a ``moved_settings`` with the name in it."""
    places: list[Any] = [cls]
    for part in loc:
        places = [child for place in places for child in _descend(place, part)]
    for member in (member for place in places for member in members_of(place)):
        moved: Mapping[str, str] = getattr(member, "moved_settings", {})
        if name in moved:
            return moved[name]
    return None


def nearest(word: str, known: Collection[str], *, otherwise: str) -> str:
    """Ask whether the nearest known word was meant; `otherwise` when none is near. A mapping says how each word is printed."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    if not close:
        return otherwise
    return f"Did you mean {known[close[0]] if isinstance(known, Mapping) else close[0]}?"


def sections_with(cls: type, name: str) -> list[SettingPath]:
    """Sections of `cls`, at any depth, that have a setting called `name`."""
    return [path for path, member in _sections(cls, (), 0) if name in fields_of(member)]


def _sections(annotation: Any, path: SettingPath, depth: int) -> Iterator[tuple[SettingPath, type]]:
    if depth > 4:
        return
    for member in sections_of(annotation):
        yield path, member
        for name, hint in fields_of(member).items():
            yield from _sections(hint, (*path, name), depth + 1)


def _descend(annotation: Any, part: str | int) -> Iterator[Any]:
    for member in members_of(annotation):
        if dataclasses.is_dataclass(member) and isinstance(member, type):
            fields = fields_of(member)
            if part in fields:
                yield fields[str(part)]
            elif part == member.__name__ or part in _labels(fields):
                yield member
            continue
        origin, arguments = get_origin(member), get_args(member)
        if isinstance(origin, type) and issubclass(origin, Mapping) and len(arguments) == 2:
            yield arguments[1]
        elif isinstance(part, int) and arguments:
            yield arguments[0] if len(arguments) == 1 or arguments[-1] is Ellipsis else arguments[part % len(arguments)]


def members_of(annotation: Any) -> list[Any]:
    """The alternatives of an annotation, one for anything that is no union."""
    if isinstance(annotation, typing.TypeAliasType):
        return members_of(annotation.__value__)
    origin = get_origin(annotation)
    if origin is typing.Annotated:
        return members_of(get_args(annotation)[0])
    if origin in (typing.Union, UnionType):
        return [inner for member in get_args(annotation) for inner in members_of(member)]
    return [annotation]


def sections_of(annotation: Any) -> list[type]:
    """The dataclasses among the alternatives of an annotation."""
    return [member for member in members_of(annotation) if dataclasses.is_dataclass(member) and isinstance(member, type)]


def default_of(field: "dataclasses.Field[Any]") -> Any:
    """A field's default; `dataclasses.MISSING` without one."""
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default


def fields_of(cls: type) -> dict[str, Any]:
    """Annotations of a dataclass's fields."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _labels(fields: Mapping[str, Any]) -> set[Any]:
    """Values of the fields that tell the members of a union apart."""
    return {value for hint in fields.values() if get_origin(hint) is Literal for value in get_args(hint)}
