"""`alsmodel validate`: what would become of every row of a source, on the console and, when asked for, as a page and tables."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alsmodel.cli.data_commands import (
    Layout,
    Mapping,
    Source,
    SourceFormat,
    Strict,
    account_of,
    layout_of,
    read_source,
    refuse_overwriting,
    show_account,
)
from alsmodel.cli.guard import Exit, UsageFault
from alsmodel.cli.options import Force, Json, Quiet
from alsmodel.cli.output import Output

if TYPE_CHECKING:
    from alsmodel.cohort import Cohort

Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Folder for validation.html, issues.csv, issues.parquet and flow.csv.", show_default=False),
]
WithValues = Annotated[bool, typer.Option("--with-values", help="Show the cells at fault, here and in what is written.")]
#: Cells that --with-values prints.
MOST_CELLS = 20


def validate(
    source: Source,
    layout: Layout = SourceFormat.proact,
    mapping: Mapping = None,
    out: Out = None,
    with_values: WithValues = False,
    strict: Strict = False,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Read a source and say what would become of its rows; with --out also as a page and tables."""
    output = Output(as_json=as_json, quiet=quiet)
    folder = None if out is None else _target(out, force=force)
    layout = layout_of(layout, mapping)
    cohort = read_source(source, layout, False, output, mapping)
    written: dict[str, Any] = {}
    if out is not None and folder is not None:
        key, whose = _key(source, layout, out)
        with output.stage("Writing the account"):
            files = _write(cohort, folder, key, source=source.resolve().name, layout=layout.value, whose=whose, with_values=with_values)
        written = {"folder": str(folder), "files": files, "participant_key": whose}
    show_account(cohort, output)
    cells = _cells(cohort) if with_values else []
    if cells:
        output.table("First cells at fault", list(cells[0]), [list(cell.values()) for cell in cells])
    if written:
        output.say(f"Account written to {folder}: {', '.join(written['files'])}. Participant keys: {whose}")
    else:
        output.say("Nothing was written. For the page and the table of issues, give --out DIR.")
    if strict:
        from alsmodel.cohort.assemble import refuse_errors

        refuse_errors(cohort.issues)
    if output.as_json:
        output.result(**account_of(cohort), **written, **({"cells": cells} if with_values else {}))
    return Exit.DONE


def _target(out: Path, *, force: bool) -> Path:
    """Return the folder to write into: `out`, or a folder within it when `out` is a saved cohort.

    Raises
    ------
    UsageFault
        When an older account is there and `force` is not set, or `out` is a file.
    """
    from alsmodel.cohort.cohort import ACCOUNT_FILES, ACCOUNT_FOLDER, is_saved_cohort

    if out.exists() and not out.is_dir():
        raise UsageFault(f"{out} is a file. Give a folder as --out.")
    folder = out / ACCOUNT_FOLDER if is_saved_cohort(out) else out
    for name in ACCOUNT_FILES:
        refuse_overwriting(folder / name, force=force)
    return folder


def _key(source: Path, layout: SourceFormat, out: Path) -> tuple[bytes, str]:
    """Return the key that names participants, and whose it is: the cohort's that is read or written to, or this run's."""
    from alsmodel.cohort.keys import new_key, read_key

    for folder in ([source] if layout.value == "cohort" else []) + [out]:
        key = read_key(folder)
        if key is not None:
            return key, f"made with the key kept in {folder.name}, so they are the same each time."
    return new_key(), "made for this run only; another run gives others. Give a cohort folder as --out to keep them."


def _write(cohort: "Cohort", folder: Path, key: bytes, *, source: str, layout: str, whose: str, with_values: bool) -> list[str]:
    from alsmodel.cohort.export import csv_writer, issue_table, write_together

    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(lambda: cohort.digest)  # the page names it; meanwhile the rest is made ready
        from alsmodel.reports.validation import validation_page

        issues = issue_table(cohort.issues, key, with_values=with_values)
        digest.result()
    page = validation_page(cohort, source=source, layout=layout, key_words=f"Here they are {whose}", with_values=with_values)
    writers = {
        "issues.parquet": issues.write_parquet,
        "issues.csv": csv_writer(issues),
        "flow.csv": csv_writer(cohort.flow),
        "validation.html": lambda path: path.write_text(page, encoding="utf-8", newline="\n"),
    }
    write_together(folder, writers)
    return list(writers)


def _cells(cohort: "Cohort") -> list[dict[str, Any]]:
    """Return the first cells at fault, errors before others, without characters by which a text could command a terminal."""
    import polars as pl

    from alsmodel.cohort.tables import SEVERITIES

    at_fault = cohort.issues.drop_nulls("value").sort(pl.col("severity").cast(pl.Enum(SEVERITIES)), maintain_order=True).head(MOST_CELLS)
    at_fault = at_fault.select("rule", "file", "row", "column", "value")
    return at_fault.with_columns(pl.col("file", "column", "value").str.replace_all(r"\p{C}", "\ufffd")).to_dicts()
