"""From what the readers made to a checked `Cohort`: order, issue table, flow, provenance, strictness."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl

from alsmodel.cohort.accounts import participants_through
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.files.table import TextTable
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.tables import conform, distinct, empty
from alsmodel.errors import Fault, InvalidInput

_SORTED_BY = {
    "covariates": ["name"],
    "assessments": ["day"],
    "measurements": ["name", "day"],
    "events": ["kind"],
    "exposures": ["drug", "start_day", "stop_day"],
}


def ordered(participants: pl.Series) -> pl.Series:
    """Return the distinct participants: whole numbers by size, then the others by name."""
    ids = participants.drop_nulls().unique().alias("participant_id").to_frame()
    number = pl.col("participant_id").cast(pl.Int64, strict=False)
    return ids.sort(number, "participant_id", nulls_last=True)["participant_id"]


def assemble(
    tables: dict[str, pl.DataFrame],
    ledgers: Sequence[Ledger],
    files: Sequence[TextTable],
    *,
    provenance: Mapping[str, Any],
    strict: bool,
) -> Cohort:
    """Join the parts into a cohort.

    Parameters
    ----------
    tables : dict
        Canonical tables by name, `participants` in its final order. It is emptied, so that no table is held twice.
    ledgers : sequence of Ledger
        One per file.
    files : sequence of TextTable
    provenance : mapping
        Source format and settings; files and package version are added.
    strict : bool
        Refuse data with an issue of severity "error".

    Raises
    ------
    InvalidInput
        When `strict` and there is such an issue.
    """
    issues = pl.concat([empty("issues"), *(ledger.issues() for ledger in ledgers)])
    if strict:
        refuse_errors(issues)
    counted = ("participants", "assessments", "measurements")
    flow = participants_through({**{name: conform(name, tables.get(name, empty(name))) for name in counted}, "issues": issues})
    people = tables["participants"]["participant_id"]
    done = {name: _in_order(name, conform(name, tables.pop(name)), people) for name in list(tables)}
    done["participant_flow"] = conform("participant_flow", flow)
    record = {
        **provenance,
        "files": [{"name": file.name, "sha256": file.sha256} for file in files],
        "alsmodel": version("alsmodel"),
    }
    rows = pl.concat([empty("flow"), *(ledger.flow() for ledger in ledgers if ledger.file in {file.name for file in files})])
    return Cohort(**done, issues=issues, flow=rows, provenance=record)


def _in_order(name: str, frame: pl.DataFrame, people: pl.Series) -> pl.DataFrame:
    """Sort by participant (in the order of `people`), then by the table's own columns."""
    if name not in _SORTED_BY or frame.height == 0:
        return frame
    # An Enum sorts by its code, which is quicker than by text and keeps participant 9 before 10.
    if name == "measurements":
        return _measurements_in_order(frame, people)
    person = pl.col("participant_id").cast(pl.Enum(people)).to_physical()
    return frame.with_columns(_person=person).sort("_person", *_SORTED_BY[name], maintain_order=True).drop("_person")


def _measurements_in_order(frame: pl.DataFrame, people: pl.Series) -> pl.DataFrame:
    """Sort the longest table stably by person, name and day, two columns at a time."""
    schema, names = frame.columns, distinct(frame["name"]).sort()
    with ThreadPoolExecutor(2) as pool:
        person, name = pool.map(_codes, (frame["participant_id"], frame["name"]), (people, names))
        frame = frame.drop("participant_id", "name")
        order = _order(pl.DataFrame({"person": person, "name": name, "day": frame["day"]}))
        # In order the codes are runs, and looking text up by them is quicker than moving it.
        coded = pool.map(lambda codes, text: text.gather(codes.gather(order)), (person, name), (people, names))
        done = dict(zip(("participant_id", "name"), coded, strict=True))
        del person, name
        columns = frame.columns
        done |= zip(columns, pool.map(lambda column: frame[column].gather(order), columns), strict=True)
    return pl.DataFrame([series.alias(column) for column, series in done.items()]).select(schema)


def _codes(text: pl.Series, categories: pl.Series) -> pl.Series:
    """Return the place of each text among `categories`; looked up once for each run of equal text."""
    runs = text.rle().struct.unnest()
    codes = runs["value"].cast(pl.Enum(categories)).to_physical().cast(pl.UInt32)
    return pl.Series(np.repeat(codes.to_numpy(), runs["len"].to_numpy()))


def _order(coded: pl.DataFrame) -> pl.Series:
    """Return the stable order by person, name and day; whole days go into one integer with the codes, which is quicker."""
    if not (coded["day"] == coded["day"].round(0)).all():
        return coded.select(pl.arg_sort_by("person", "name", "day", maintain_order=True)).to_series()
    low, high, most = coded.select(
        pl.col("day").min().cast(pl.Int64).alias("low"), pl.col("day").max().cast(pl.Int64).alias("high"), pl.col("name").max()
    ).row(0)
    names, span = most + 1, high - low + 1
    code = pl.col("person").cast(pl.Int64) * names + pl.col("name").cast(pl.Int64)
    key = coded.select((code * span + (pl.col("day") - low).cast(pl.Int64)).alias("key")).to_series()
    # Readers give one measure after another, each by person: numpy's stable sort merges such runs.
    return pl.Series(np.argsort(key.to_numpy(), kind="stable")).cast(pl.UInt32)


def refuse_errors(issues: pl.DataFrame) -> None:
    """Raise InvalidInput when an issue has severity "error": one fault per file, rule and column."""
    errors = (
        issues.filter(pl.col("severity") == "error")
        .group_by("file", "rule", "column", maintain_order=True)
        .agg(pl.col("row").min(), pl.col("detail").first(), pl.len().alias("n"))
    )
    faults = [
        Fault(
            ":".join(str(part) for part in (e["file"], e["row"], e["column"]) if part is not None),
            f"{e['detail']} ({e['rule']}" + (f", and {e['n'] - 1} more)." if e["n"] > 1 else ")."),
            "Correct the data, or read without --strict.",
        )
        for e in errors.iter_rows(named=True)
    ]
    if faults:
        raise InvalidInput(faults)
