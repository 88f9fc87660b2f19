"""Participant keys: names for participants in pages and exported tables that do not tell who they are.

A key is the HMAC-SHA256 of the participant's identifier under 32 random bytes that stay in the cohort folder, cut to
64 bits. Without those bytes nobody can find the key of an identifier by trying identifiers; with them, whoever holds
the cohort folder can look a participant up. Among 100,000 participants two share a key with a probability below 1e-9.

Krawczyk H, Bellare M, Canetti R (1997). HMAC: Keyed-Hashing for Message Authentication. RFC 2104.
"""

import hmac
import os
import secrets
from pathlib import Path

import polars as pl

from alsmodel.errors import Fault, InvalidInput

KEY_FILE = "participant.key"
#: Bytes of the random key, and hexadecimal digits (4 bits each) of a participant key.
KEY_BYTES, DIGITS = 32, 16


def new_key() -> bytes:
    """Return 32 bytes from the operating system's source of randomness."""
    return secrets.token_bytes(KEY_BYTES)


def read_key(folder: Path) -> bytes | None:
    """Return the key of a cohort folder, or None when it has none.

    Raises
    ------
    InvalidInput
        When the file is there and holds no key.
    """
    path = folder / KEY_FILE
    if not path.is_file():
        return None
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (ValueError, OSError):
        key = b""
    if len(key) != KEY_BYTES:
        remedy = "Put the right file back, or remove it: a new key is made then, and older participant keys no longer match."
        raise InvalidInput([Fault(f"{folder.name}/{KEY_FILE}", f"is no key of {2 * KEY_BYTES} hexadecimal digits.", remedy)])
    return key


def write_key(folder: Path, key: bytes) -> None:
    """Write `key` into `folder`, readable by its owner only."""
    handle = os.open(folder / KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")


def participant_keys(participants: pl.Series, key: bytes) -> pl.Series:
    """Return the key of each participant: ``p`` and 16 hexadecimal digits; null stays null.

    Parameters
    ----------
    participants : polars.Series
        Identifiers, repeated or not.
    key : bytes

    Notes
    -----
    The first letter keeps spreadsheets from reading a key as a number.

    Examples
    --------
    >>> participant_keys(pl.Series(["1", None]), bytes(32)).to_list()
    ['p41e0a9448f91edba', None]
    """
    known = participants.drop_nulls().unique(maintain_order=True)
    named = [f"p{hmac.digest(key, name.encode(), 'sha256').hex()[:DIGITS]}" for name in known]
    keys = participants.replace_strict(known, pl.Series(named, dtype=pl.String), default=None, return_dtype=pl.String)
    return keys.alias("participant_key")
