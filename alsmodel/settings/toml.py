"""Read a TOML file and remember on which line each setting stands."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from alsmodel.errors import Fault, InvalidInput

#: Names and list positions from the top of the file down to one setting.
SettingPath = tuple[str | int, ...]

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED = re.compile(rf"[ \t]*({_KEY}(?:[ \t]*\.[ \t]*{_KEY})*)[ \t]*")
_PART = re.compile(_KEY)
# What may stand inside a value: strings first, so that their brackets and hashes are not taken for structure.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}\n]"
    r"|[^\[\]{}\n\"'\#]+",
    re.DOTALL,
)
_AT = re.compile(r"^(?P<what>.*?)\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$", re.DOTALL)


@final
@dataclass(frozen=True)
class Document:
    """The content of one settings file.

    Attributes
    ----------
    values : dict
        What the file says.
    lines : mapping of setting path to int
        Line of each key and section, counted from 1.
    where : str
        The file's name, for messages.
    """

    values: dict[str, Any]
    lines: Mapping[SettingPath, int] = field(default_factory=dict)
    where: str = "settings"


def load_toml(path: Path | str) -> Document:
    """Read `path`.

    Raises
    ------
    InvalidInput
        When the file is absent, is no UTF-8 text or is not TOML; the place names line and column.
    """
    path = Path(path)
    return parse_toml(_text(path), where=path.name)


def parse_toml(text: str, *, where: str = "settings") -> Document:
    """Read TOML from `text`; `where` names it in messages."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput([_syntax_fault(str(error), where, text)]) from None
    except (RecursionError, ValueError) as error:  # nesting or a number beyond what Python's parser takes
        raise InvalidInput([Fault(where, f"not readable as TOML: {error}.")]) from None
    return Document(values, dict(_lines(text)), where)


def line_of(lines: Mapping[SettingPath, int] | None, path: SettingPath) -> int | None:
    """Line of the setting at `path`, or of the nearest enclosing one that has a line."""
    for length in range(len(path), 0, -1):
        if lines and path[:length] in lines:
            return lines[path[:length]]
    return None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InvalidInput([Fault(str(path), "no such file.", "Give the path of a settings file.")]) from None
    except IsADirectoryError:
        raise InvalidInput([Fault(str(path), "expected a TOML file, got a folder.")]) from None
    except OSError as error:
        raise InvalidInput([Fault(str(path), f"cannot be read: {error.strerror}.")]) from None
    except UnicodeDecodeError as error:
        message = f"expected UTF-8 text; byte {error.start} is not."
        raise InvalidInput([Fault(str(path), message, "Save the file as UTF-8.")]) from None


def _syntax_fault(message: str, where: str, text: str) -> Fault:
    found = _AT.match(message)
    if found is None:
        return Fault(where, f"not valid TOML: {message}.")
    line = found["line"] or str(text.count("\n") + 1)
    place = f"{where}:{line}:{found['column']}" if found["column"] else f"{where}:{line}"
    return Fault(place, f"not valid TOML: {found['what'].rstrip('.')}.")


def _lines(text: str) -> Iterator[tuple[SettingPath, int]]:
    """Yield every key and section header of valid TOML with its line."""
    text = text.replace("\r\n", "\n")
    arrays: dict[SettingPath, int] = {}
    section: SettingPath = ()
    position, line = 0, 1
    while position < len(text):
        if text.startswith("[[", position):
            section, position = _header(text, position + 2, arrays, repeated=True)
            yield section, line
        elif text[position] == "[":
            section, position = _header(text, position + 1, arrays, repeated=False)
            yield section, line
        elif (found := _DOTTED.match(text, position)) and text.startswith("=", found.end()):
            keys = _parts(found[1])
            for length in range(1, len(keys) + 1):
                yield (*section, *keys[:length]), line
            position = found.end() + 1
        elif text[position] in " \t":
            position += 1
            continue
        end = _end_of_statement(text, position)
        line += text.count("\n", position, end)
        position = end


def _header(text: str, start: int, arrays: dict[SettingPath, int], *, repeated: bool) -> tuple[SettingPath, int]:
    found = _DOTTED.match(text, start)
    keys = _parts(found[1]) if found else []
    path: SettingPath = ()
    for place, key in enumerate(keys, start=1):
        path = (*path, key)
        if repeated and place == len(keys):
            arrays[path] = arrays.get(path, -1) + 1
        if path in arrays:
            path = (*path, arrays[path])
    position = found.end() if found else start
    return path, position + (2 if repeated else 1)


def _parts(dotted: str) -> list[str]:
    return [tomllib.loads(f"key = {part}")["key"] if part[0] in "\"'" else part for part in _PART.findall(dotted)]


def _end_of_statement(text: str, position: int) -> int:
    depth = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            return len(text)
        position = token.end()
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        elif token[0] == "\n" and depth <= 0:
            break
    return position
