"""Settings that are those of another object but for what is said anew."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from alsmodel.settings.kinds import label_of, teller_of
from alsmodel.settings.names import default_of, fields_of, sections_of
from alsmodel.settings.writing import encode


def overlay(base: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of `base`, changed, as plain values for `decode`.

    Sections are merged at every depth and lists replaced. A section that changes its kind keeps what was chosen for the former one, as far
    as the new one knows it: with ``survival = {kind = "exponential"}`` the covariates of a piecewise hazard stay and its knots go.

    Parameters
    ----------
    base : dataclass
        Frozen settings.
    changes : mapping
        What is said anew, with the names that `base` has.
    """
    hints = fields_of(type(base))
    made = chosen(base)
    for name, change in changes.items():
        made[name] = _merged(hints.get(name), getattr(base, name, None), change)
    return made


def chosen(base: Any) -> dict[str, Any]:
    """The settings of `base` that are not their defaults, and its kind."""
    made = {}
    for field in dataclasses.fields(base):
        value = getattr(base, field.name)
        default = default_of(field)
        if field.name == "kind" or type(value) is not type(default) or value != default:
            made[field.name] = chosen(value) if dataclasses.is_dataclass(value) else encode(value)
    return made


def _merged(hint: Any, value: Any, change: Any) -> Any:
    if not isinstance(change, Mapping):
        return change
    if isinstance(value, Mapping):
        return {**encode(value), **{name: _merged(None, value.get(name), entry) for name, entry in change.items()}}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return change
    sections = sections_of(hint)
    teller = teller_of(sections)
    if teller is None or change.get(teller, label_of(type(value), teller)) == label_of(type(value), teller):
        return overlay(value, change)
    other = next((section for section in sections if label_of(section, teller) == change[teller]), None)
    known = {} if other is None else fields_of(other)
    return {name: entry for name, entry in chosen(value).items() if name in known} | dict(change)
