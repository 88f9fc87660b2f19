"""Settings to plain values, and plain values to TOML text that reads back as the same values."""

import dataclasses
import datetime as dt
import math
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


def encode(instance: Any) -> Any:
    """Turn a settings dataclass into plain dictionaries, lists, text and numbers.

    Every value is written, defaults included, so that a file of merged settings says what was used. A field whose
    value is None is left out, since TOML has no null.

    Raises
    ------
    ValueError
        When a field is None although its default is not: leaving it out would change the meaning.
    """
    if dataclasses.is_dataclass(instance) and not isinstance(instance, type):
        return {field.name: value for field in dataclasses.fields(instance) if (value := _field(instance, field)) is not None}
    if isinstance(instance, Mapping):
        return {str(key): encode(value) for key, value in instance.items() if value is not None}
    if isinstance(instance, list | tuple):
        return [encode(value) for value in instance]
    if isinstance(instance, set | frozenset):
        return sorted(encode(value) for value in instance)
    if isinstance(instance, PurePath):
        return instance.as_posix()
    if isinstance(instance, Enum):
        return encode(instance.value)
    return instance


def _field(instance: Any, field: "dataclasses.Field[Any]") -> Any:
    value = getattr(instance, field.name)
    if not field.init:
        return None
    if value is None and field.default not in (None, dataclasses.MISSING):
        raise ValueError(f"{type(instance).__name__}.{field.name} is None, its default is {field.default!r}: TOML cannot say so.")
    return encode(value)


def dump_toml(values: Mapping[str, Any], *, header: str = "") -> str:
    """Write `values` as TOML; the same values give the same bytes.

    Parameters
    ----------
    values : mapping
        What `encode` returns: text, numbers, booleans, dates, lists and mappings with text keys.
    header : str
        Comment lines for the top, without the ``#``.
    """
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    if lines:
        lines.append("")
    _table(values, (), lines)
    return "\n".join(lines).strip("\n") + "\n"


def _table(values: Mapping[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    for key, value in values.items():
        if not _is_section(value):
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in values.items():
        if isinstance(value, Mapping):
            inner = (*path, key)
            if not value or any(not _is_section(child) for child in value.values()):
                lines += ["", f"[{_dotted(inner)}]"]
            _table(value, inner, lines)
        elif _is_section(value):
            for entry in value:
                lines += ["", f"[[{_dotted((*path, key))}]]"]
                _table(entry, (*path, key), lines)


def _is_section(value: Any) -> bool:
    """A mapping, or a list that holds mappings only: both get a header of their own."""
    if isinstance(value, Mapping):
        return True
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(entry, Mapping) for entry in value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(entry) for entry in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(entry)}" for key, entry in value.items()) + "}"
    raise TypeError(f"TOML has no form for {type(value).__name__}.")


def _number(value: float) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(float(value))


def _text(text: str) -> str:
    escaped = (_ESCAPES.get(char) or (f"\\u{ord(char):04x}" if ord(char) < 32 or ord(char) == 127 else char) for char in text)
    return '"' + "".join(escaped) + '"'


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(_key(part) for part in path)
