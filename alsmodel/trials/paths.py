"""Changing one setting of a trial by its path, such as ``design.dropout_per_month``: the axes of a grid of scenarios."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from alsmodel.settings.names import nearest

#: Short names of settings that a study file writes without their section.
SHORT = {"alpha": "decision.alpha", "side": "decision.side"}


def with_setting[T](thing: T, path: str, value: Any) -> T:
    """Return `thing`, a frozen dataclass, with the setting at `path` replaced; entries of a list are found by name or, from 0, by number.

    Raises
    ------
    ValueError
        When there is no such setting, with the nearest that there is, or `value` has another type than what it replaces.
    """
    made: T = _put(thing, SHORT.get(path, path).split("."), value, path)
    return made


def _put(thing: Any, parts: list[str], value: Any, path: str) -> Any:
    if not parts:
        return _like(thing, value, path)
    if isinstance(thing, tuple) and (at := _entry(thing, parts)) is not None:
        return (*thing[:at], _put(thing[at], parts[1:], value, path), *thing[at + 1 :])
    name, *rest = parts
    here = getattr(thing, _known(thing, name, path))
    if rest:
        return replace(thing, **{name: _put(here, rest, value, path)})
    return replace(thing, **{name: _like(here, value, path)})


def fits(thing: Any, parts: list[str], value: Any, path: str) -> None:
    """Find out whether `thing` has a setting at `parts` that `value` is like, without making anything.

    Raises
    ------
    ValueError
        As `with_setting`, but for what the changed object says itself.
    """
    if not parts:
        _like(thing, value, path)
        return
    if isinstance(thing, tuple) and (at := _entry(thing, parts)) is not None:
        fits(thing[at], parts[1:], value, path)
        return
    fits(getattr(thing, _known(thing, parts[0], path)), parts[1:], value, path)


def _entry(thing: tuple[Any, ...], parts: list[str]) -> int | None:
    """Place of the entry that the first of `parts` names, or numbers; None where there is none."""
    names = [getattr(entry, "name", None) for entry in thing]
    if len(parts) > 1 and parts[0] in names:
        return names.index(parts[0])
    return int(parts[0]) if parts[0].isdecimal() and int(parts[0]) < len(thing) else None


def _known(thing: Any, name: str, path: str) -> str:
    """The name of a setting that `thing` has."""
    if not is_dataclass(thing) or isinstance(thing, type):
        raise ValueError(f"axis {path!r}: nothing below {name!r} can be set. Name one number or word of the trial.")
    known = [field.name for field in fields(thing) if field.init]
    if name not in known:
        remedy = nearest(name, known, otherwise=f"Known: {', '.join(known)}.")
        raise ValueError(f"axis {path!r}: {name} is not a setting. {remedy}")
    return name


def _like(here: Any, value: Any, path: str) -> Any:
    value = _tuples(value)
    if is_dataclass(here):
        if type(value) is type(here):
            return value
        inner = ", ".join(f"{path}.{field.name}" for field in fields(here))
        raise ValueError(f"axis {path!r} is a section; name one of {inner}.")
    kinds: tuple[type, ...] = (int, float) if isinstance(here, int | float) and not isinstance(here, bool) else (type(here),)
    if here is not None and (not isinstance(value, kinds) or isinstance(value, bool) != isinstance(here, bool)):
        raise ValueError(f"axis {path!r}: expected a value like {here!r}, got {value!r}.")
    return float(value) if isinstance(here, float) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(entry) for entry in value) if isinstance(value, list | tuple) else value
