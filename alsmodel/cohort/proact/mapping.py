"""The authored PRO-ACT mapping as frozen objects: which file is which table, which column is what."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, final

from alsmodel.cohort.raw import collapsed
from alsmodel.cohort.schema_files import load_mapping


@final
@dataclass(frozen=True, kw_only=True)
class TableMap:
    """One PRO-ACT table.

    Attributes
    ----------
    name : str
        As in the mapping file.
    reader : str
        What kind of table it is.
    required : bool
        Without it the folder cannot be read.
    stems : tuple of str
        File names without prefix, extension and underscores, lower case.
    needs : tuple of str
        Columns without which the table cannot be read, as PRO-ACT spells them.
    columns : mapping
        Collapsed column name -> name that the reader knows.
    spelled : mapping
        Collapsed column name -> as PRO-ACT spells it.
    set_aside : frozenset of str
        Collapsed names of known columns that have no place.
    measure, drug : str
        Prefix of the measurements, or the drug, of tables that need one.
    """

    name: str
    reader: str
    required: bool
    stems: tuple[str, ...]
    needs: tuple[str, ...]
    columns: Mapping[str, str]
    spelled: Mapping[str, str]
    set_aside: frozenset[str]
    measure: str
    drug: str


@final
@dataclass(frozen=True, kw_only=True)
class ProactMap:
    """The whole mapping: tables, words, plausible ranges, units, drugs and placeholders."""

    tables: tuple[TableMap, ...]
    prefixes: tuple[str, ...]
    extension: str
    nulls: tuple[str, ...]
    words: Mapping[str, Mapping[str, str]]
    ranges: Mapping[str, tuple[float, float]]
    units: Mapping[str, str]
    drugs: Mapping[str, tuple[str, ...]]
    stop_sentinels: tuple[float, ...]

    def stem(self, file: str) -> str | None:
        """Return the stem by which a file's name is matched, or None for another extension."""
        name = file.lower()
        if not name.endswith(f".{self.extension}"):
            return None
        name = name.removesuffix(f".{self.extension}")
        for prefix in self.prefixes:
            name = name.removeprefix(prefix)
        return name.replace("_", "")


@cache
def proact_map() -> ProactMap:
    """Load the mapping."""
    raw = load_mapping("proact")
    return ProactMap(
        tables=tuple(_table(name, entry) for name, entry in raw["tables"].items()),
        prefixes=tuple(raw["prefixes"]),
        extension=raw["extension"],
        nulls=tuple(raw["nulls"]),
        words=raw["words"],
        ranges={name: (float(low), float(high)) for name, (low, high) in raw["ranges"].items()},
        units=raw["units"],
        drugs={drug: tuple(names) for drug, names in raw["drugs"].items()},
        stop_sentinels=tuple(float(day) for day in raw["sentinels"]["stop_day"]),
    )


def _table(name: str, entry: Mapping[str, Any]) -> TableMap:
    return TableMap(
        name=name,
        reader=entry["reader"],
        required=entry["required"],
        stems=tuple(entry["stems"]),
        needs=tuple(entry["needs"]),
        columns={collapsed(written): target for written, target in entry["columns"].items()},
        spelled={collapsed(written): written for written in entry["columns"]},
        set_aside=frozenset(collapsed(written) for written in entry.get("set_aside", [])),
        measure=entry.get("measure", ""),
        drug=entry.get("drug", ""),
    )
