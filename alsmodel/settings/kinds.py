"""What a section is of that does not say its kind.

Alternatives are a union of dataclasses told apart by a field such as ``kind``. pydantic would take the first one that knows the names
written, whatever the default of the setting is; here a section that says no kind has the default's, as a setting left out would.
"""

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from alsmodel.settings.names import default_of, fields_of, members_of, sections_of
from alsmodel.settings.toml import SettingPath

type Doubt = tuple[SettingPath, str, str]


def with_kinds(annotation: Any, value: Any) -> tuple[Any, list[Doubt]]:
    """Write into every section the kind that it has without saying so.

    Of a setting with a default, a section without a kind is of the default's kind where that knows every name in it. Where it does not,
    the section is of the one kind that does; names that several others know, and the default not, leave it in doubt. Sections with names
    that nothing knows, and those of settings without a default, stay as they are.

    Parameters
    ----------
    annotation : type
        What the value is to become.
    value : object
        As the file has it; left as it was.

    Returns
    -------
    value : object
        A copy with the kinds.
    doubts : list of (path, message, remedy)
        Sections whose kind nothing tells.
    """
    doubts: list[Doubt] = []
    return _completed(annotation, value, None, (), doubts), doubts


def _completed(annotation: Any, value: Any, default: type | None, path: SettingPath, doubts: list[Doubt]) -> Any:
    if isinstance(value, list | tuple):
        inner = _inner(annotation, sequence=True)
        return [_completed(inner, entry, None, (*path, k), doubts) for k, entry in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    sections = sections_of(annotation)
    if not sections:
        inner = _inner(annotation, sequence=False)
        return {key: _completed(inner, entry, None, (*path, key), doubts) for key, entry in value.items()}
    chosen, added = _chosen(sections, value, default, path, doubts)
    made = {**value, **added}
    if chosen is not None:
        defaults, hints = _defaults(chosen), fields_of(chosen)
        made |= {
            key: _completed(hints[key], entry, defaults.get(key), (*path, key), doubts) for key, entry in value.items() if key in hints
        }
    return made


def _chosen(
    sections: list[type], value: Mapping[str, Any], default: type | None, path: SettingPath, doubts: list[Doubt]
) -> tuple[type | None, dict[str, str]]:
    """The class that a section is of, None where that is not known, and the kind to be written into it."""
    fitting = [section for section in sections if set(value) <= set(fields_of(section))]
    teller = teller_of(sections)
    if teller is None:
        return (fitting[0] if len(fitting) == 1 else None), {}
    label = {section: label_of(section, teller) for section in sections}
    if teller in value:
        return next((section for section in sections if label[section] == value[teller]), None), {}
    if default in fitting:
        return default, {teller: label[default]}
    if len(fitting) == 1:
        return fitting[0], {teller: label[fitting[0]]}
    if default is not None and fitting:
        own = [name for name in value if name not in fields_of(default)]
        known = " and ".join(f'{teller} = "{label[section]}"' for section in fitting)
        choices = " or ".join(f'"{label[section]}"' for section in fitting)
        doubts.append((path, f"does not say its {teller}, and {', '.join(own)} is known to {known}.", f"Add {teller} = {choices}."))
    return None, {}


def teller_of(sections: list[type]) -> str | None:
    """The field that tells the classes apart: a literal of one text in each, of another in every one."""
    if len(sections) < 2:
        return None
    for name in _labels(sections[0]):
        texts = [_labels(section).get(name) for section in sections]
        if None not in texts and len(set(texts)) == len(texts):
            return name
    return None


def label_of(section: type, teller: str) -> str:
    """The text by which the field `teller` tells a class apart."""
    return _labels(section)[teller]


@lru_cache(maxsize=512)
def _labels(section: type) -> dict[str, str]:
    found = {name: get_args(hint) for name, hint in fields_of(section).items() if get_origin(hint) is Literal}
    return {name: texts[0] for name, texts in found.items() if len(texts) == 1 and isinstance(texts[0], str)}


@lru_cache(maxsize=512)
def _defaults(section: type) -> dict[str, type]:
    """Class of each field's default, for those that are dataclasses."""
    defaults = {field.name: default_of(field) for field in dataclasses.fields(section)}
    return {name: type(default) for name, default in defaults.items() if dataclasses.is_dataclass(default)}


def _inner(annotation: Any, *, sequence: bool) -> Any:
    """What the entries of a list, or of a mapping, are to become; None where the setting is no such thing."""
    for member in members_of(annotation):
        origin, arguments = get_origin(member), get_args(member)
        if isinstance(origin, type) and arguments and issubclass(origin, Mapping) != sequence:
            return arguments[0] if sequence else arguments[-1]
    return None
