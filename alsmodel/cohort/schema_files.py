"""The one loader of `data_schemas/`, which lies beside the package in a checkout and inside it in a wheel."""

import tomllib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any


def schema_folder() -> Traversable:
    """Return the folder of the data contracts."""
    package = files("alsmodel")
    inside = package / "data_schemas"
    if inside.is_dir():
        return inside
    # An editable install: the package's parent is the checkout.
    return package.parent / "data_schemas"  # type: ignore[attr-defined, no-any-return]


def source_names() -> tuple[str, ...]:
    """Return the sources that have an authored mapping."""
    names = (entry.name for entry in (schema_folder() / "sources").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_mapping(source: str) -> dict[str, Any]:
    """Return the authored mapping of `source` as plain values.

    Raises
    ------
    FileNotFoundError
        When there is none.
    """
    return tomllib.loads((schema_folder() / "sources" / f"{source}.toml").read_text(encoding="utf-8"))


def load_vocabulary() -> dict[str, Any]:
    """Return the words, plausible ranges, units and drugs that every source shares."""
    return tomllib.loads((schema_folder() / "vocabulary.toml").read_text(encoding="utf-8"))
