"""The cohort: canonical tables that belong together, with the record of how they were read."""

import contextlib
import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, final

import dataframely as dy
import numpy as np
import polars as pl

from alsmodel.cohort.keys import KEY_FILE, new_key, read_key, write_key
from alsmodel.cohort.tables import SCHEMAS, conform, distinct, empty
from alsmodel.errors import Fault, InvalidInput

#: The tables that hold data; the other three say how the data were read.
DATA_TABLES = ("participants", "covariates", "assessments", "measurements", "events", "exposures", "signs", "genotypes", "classifications")
MANIFEST = "manifest.json"
FORMAT_VERSION = 2
#: Columns that came after the first cohorts were saved. One that says nothing enters no digest, so that those keep theirs.
LATER_COLUMNS = ("free_until_day",)
#: Where the account of the reading lies when it is written into a cohort folder, and what it consists of. It describes
#: the tables beside it, so it goes when they are replaced.
ACCOUNT_FOLDER = "validation"
ACCOUNT_FILES = ("validation.html", "issues.parquet", "issues.csv", "flow.csv")


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Cohort:
    """Canonical tables of one cohort.

    Attributes
    ----------
    participants, covariates, assessments, measurements, events, exposures, signs, genotypes, classifications : polars.DataFrame
        The data; columns and units in :mod:`alsmodel.cohort.tables`. Days are counted from the time
        origin of the source.
    issues : polars.DataFrame
        What reading met, one row per fault, with what was done and the cell as it was. Its columns `value` and
        `participant_id` are for the holder of the data: :mod:`alsmodel.cohort.export` leaves them out.
    flow : polars.DataFrame
        Rows read, kept, repaired, rejected and set aside, per file; they add up.
    participant_flow : polars.DataFrame
        Participants after each step of reading.
    provenance : dict
        Source format, files with SHA-256, package version. No time stamps and no absolute paths.
    """

    participants: pl.DataFrame = field(default_factory=partial(empty, "participants"))
    covariates: pl.DataFrame = field(default_factory=partial(empty, "covariates"))
    assessments: pl.DataFrame = field(default_factory=partial(empty, "assessments"))
    measurements: pl.DataFrame = field(default_factory=partial(empty, "measurements"))
    events: pl.DataFrame = field(default_factory=partial(empty, "events"))
    exposures: pl.DataFrame = field(default_factory=partial(empty, "exposures"))
    signs: pl.DataFrame = field(default_factory=partial(empty, "signs"))
    genotypes: pl.DataFrame = field(default_factory=partial(empty, "genotypes"))
    classifications: pl.DataFrame = field(default_factory=partial(empty, "classifications"))
    issues: pl.DataFrame = field(default_factory=partial(empty, "issues"))
    flow: pl.DataFrame = field(default_factory=partial(empty, "flow"))
    participant_flow: pl.DataFrame = field(default_factory=partial(empty, "participant_flow"))
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every table against its schema and that every row belongs to a known participant.

        Raises
        ------
        dataframely.exc.ValidationError, dataframely.exc.SchemaError
            When a table breaks its schema: a fault of the caller, since readers report faults of data.
        """
        known = self.participants["participant_id"] if "participant_id" in self.participants.columns else None
        for name in SCHEMAS:
            # Column order is part of the contract, so that saved tables and digests do not depend on it.
            checked = SCHEMAS[name].validate(getattr(self, name)).select(list(SCHEMAS[name].columns()))
            object.__setattr__(self, name, checked)
            if known is None or name not in DATA_TABLES[1:]:
                continue
            unknown = distinct(checked["participant_id"]).to_frame().join(known.to_frame(), on="participant_id", how="anti")
            if unknown.height:
                raise ValueError(f"Table {name} names {unknown.height} participants who are not in participants.")

    @classmethod
    def of(cls, provenance: dict[str, Any] | None = None, **tables: pl.DataFrame) -> "Cohort":
        """Build a cohort from some tables, filling the columns and tables that are not given with nothing.

        Parameters
        ----------
        provenance : dict, optional
        **tables : polars.DataFrame
            By table name; missing columns become null and types are cast.

        Examples
        --------
        >>> Cohort.of(participants=pl.DataFrame({"participant_id": ["1"], "age": [61]})).participants.height
        1
        """
        filled = {name: conform(name, frame) for name, frame in tables.items()}
        return cls(**filled, provenance=provenance or {})

    def of_participants(self, participants: pl.Series) -> "Cohort":
        """Return the cohort of some participants; issues and flows stay those of the whole source."""
        wanted = participants.alias("participant_id").to_frame()
        fewer = {name: getattr(self, name).join(wanted, on="participant_id", how="semi", maintain_order="left") for name in DATA_TABLES}
        return replace(self, **fewer)

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Name -> table, all of them, in the canonical order."""
        return {name: getattr(self, name) for name in SCHEMAS}

    @cached_property
    def table_digests(self) -> dict[str, str]:
        """SHA-256 of the content of each table: names, types, nulls and values, in order."""
        with ThreadPoolExecutor(2) as pool:
            return dict(zip(self.tables, pool.map(table_digest, self.tables.values()), strict=True))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the data tables: equal for equal data, on any machine, saved or not."""
        joined = "".join(f"{name}:{self.table_digests[name]}\n" for name in DATA_TABLES)
        return hashlib.sha256(joined.encode()).hexdigest()

    def save(self, folder: Path | str) -> Path:
        """Write the tables as Parquet with a manifest; all of it appears at once or not at all.

        Parameters
        ----------
        folder : path
            Created. An older saved cohort there is replaced; a folder that holds anything else is refused. The key that
            gives participants their names in pages (:mod:`alsmodel.cohort.keys`) is made the first time and kept.

        Returns
        -------
        Path

        Raises
        ------
        InvalidInput
            When `folder` exists and is not a saved cohort, or its key cannot be read.
        """
        folder = Path(folder)
        if folder.exists() and not _replaceable(folder):
            raise InvalidInput([Fault(folder.name, "exists and is not a saved cohort.", "Choose another --out folder.")])
        key = read_key(folder) or new_key()
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
        shutil.rmtree(new, ignore_errors=True)
        try:
            new.mkdir()
            with ThreadPoolExecutor(1) as pool:
                digests = pool.submit(lambda: self.table_digests)
                for name, frame in self.tables.items():
                    frame.write_parquet(new / f"{name}.parquet", compression="lz4")
                digests.result()
            write_key(new, key)
            (new / MANIFEST).write_text(json.dumps(self._manifest(), indent=1, sort_keys=True) + "\n")
            _swap(new, folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return folder

    def _manifest(self) -> dict[str, Any]:
        return {
            "format": "alsmodel cohort",
            "version": FORMAT_VERSION,
            "digest": self.digest,
            "tables": {name: {"rows": frame.height, "sha256": self.table_digests[name]} for name, frame in self.tables.items()},
            "provenance": self.provenance,
        }

    @classmethod
    def load(cls, folder: Path | str) -> "Cohort":
        """Read a saved cohort back, bit for bit, and check it against its manifest.

        Raises
        ------
        InvalidInput
            When the folder is no saved cohort, a table is missing or unreadable, or a digest differs; all
            of these at once.
        """
        folder = Path(folder)
        manifest = _read_manifest(folder)
        faults: list[Fault] = []
        tables = {name: _read_table(folder, name, manifest, faults) for name in SCHEMAS}
        if faults:
            raise InvalidInput(faults)
        cohort = cls(**tables, provenance=manifest.get("provenance", {}))
        changed = [n for n, d in cohort.table_digests.items() if d != manifest["tables"][n].get("sha256")]
        if changed:
            raise InvalidInput(
                [Fault(f"{folder.name}/{name}.parquet", "has changed since it was saved.", "Ingest again.") for name in changed]
            )
        return cohort

    def __repr__(self) -> str:
        rows = ", ".join(f"{n} {f.height:,}" for n, f in self.tables.items() if f.height)
        return f"Cohort({rows or 'empty'})"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{n}</td><td>{f.height:,}</td></tr>" for n, f in self.tables.items())
        return f"<table><thead><tr><th>table</th><th>rows</th></tr></thead><tbody>{rows}</tbody></table>"


def table_digest(frame: pl.DataFrame) -> str:
    """Return the SHA-256 of a table's content: column names, types, nulls and values, in row order.

    Text goes in as the distinct values in order of appearance and the runs of their codes, which makes long sorted
    tables of few names quick to digest.
    """
    sha = hashlib.sha256(f"{frame.height}\n".encode())
    for series in frame:
        if series.name in LATER_COLUMNS and series.null_count() == series.len():
            continue
        sha.update(f"{series.name}\t{series.dtype}\n".encode())
        if series.null_count():
            sha.update(np.packbits(series.is_null().to_numpy()).tobytes())
        if series.dtype == pl.String:
            runs = series.rle().struct.unnest()
            sha.update(runs["len"].cast(pl.UInt64).to_numpy().tobytes())
            values = runs["value"].drop_nulls().unique(maintain_order=True)
            sha.update(json.dumps(values.to_list(), ensure_ascii=False).encode())
            series = runs["value"].cast(pl.Enum(values)).to_physical().cast(pl.UInt32)
        elif series.dtype == pl.Boolean:
            series = series.cast(pl.UInt8)
        sha.update(np.ascontiguousarray(series.fill_null(0).to_numpy()).data)
    return sha.hexdigest()


def is_saved_cohort(folder: Path) -> bool:
    """Say whether `folder` looks like one that `Cohort.save` wrote."""
    return (folder / MANIFEST).is_file() and (folder / f"{next(iter(SCHEMAS))}.parquet").is_file()


def _replaceable(folder: Path) -> bool:
    """Say whether nothing in `folder` would be missed: it is empty, or holds a cohort and the page about it only."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    known = {MANIFEST, KEY_FILE, ACCOUNT_FOLDER, *(f"{name}.parquet" for name in SCHEMAS)}
    account = folder / ACCOUNT_FOLDER
    told = {path.name for path in account.iterdir()} if account.is_dir() else set()
    return not names or (MANIFEST in names and names <= known and told <= set(ACCOUNT_FILES))


def _swap(new: Path, folder: Path) -> None:
    """Put `new` where `folder` is, keeping the old folder until the new one is in place."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        with contextlib.suppress(OSError):
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _read_manifest(folder: Path) -> dict[str, Any]:
    remedy = "Make one with: alsmodel ingest DIR --format proact --out FOLDER"
    path = folder / MANIFEST
    if not path.is_file():
        raise InvalidInput([Fault(folder.name, f"is no saved cohort: it has no {MANIFEST}.", remedy)])
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["version"] != FORMAT_VERSION or set(manifest["tables"]) != set(SCHEMAS):
            raise ValueError
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput([Fault(f"{folder.name}/{MANIFEST}", "is not the manifest of a saved cohort.", remedy)]) from error
    return dict(manifest)


def _read_table(folder: Path, name: str, manifest: dict[str, Any], faults: list[Fault]) -> pl.DataFrame:
    path = folder / f"{name}.parquet"
    place = f"{folder.name}/{path.name}"
    if not path.is_file():
        faults.append(Fault(place, "is missing.", "Ingest again."))
        return empty(name)
    try:
        frame = pl.read_parquet(path, memory_map=False)
        later = [column for column in SCHEMAS[name].columns() if column in LATER_COLUMNS and column not in frame.columns]
        frame = frame.with_columns(pl.lit(None, pl.Float64).alias(column) for column in later)
        SCHEMAS[name].validate(frame)
    except (pl.exceptions.PolarsError, dy.exc.SchemaError, dy.exc.ValidationError, OSError):
        faults.append(Fault(place, "cannot be read as the canonical table.", "Ingest again."))
        return empty(name)
    return frame
