"""Frozen dataclasses to TOML and back, and the digests that name what was run.

Everything here is generic: it knows no concrete study, model or trial. The public names are loaded on first use, so
that the front door may ask for `alsmodel.settings.cache` without paying for pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alsmodel.settings.digest import code_digest, digest_of, installed_version
    from alsmodel.settings.reading import decode
    from alsmodel.settings.toml import Document, load_toml
    from alsmodel.settings.writing import dump_toml, encode

__all__ = ["Document", "code_digest", "decode", "digest_of", "dump_toml", "encode", "installed_version", "load_toml"]

_ROOMS = {
    "decode": "reading",
    "code_digest": "digest",
    "digest_of": "digest",
    "installed_version": "digest",
    "dump_toml": "writing",
    "encode": "writing",
    "Document": "toml",
    "load_toml": "toml",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
