"""The command that writes a cohort in the layout of others."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alsmodel.cli.data_commands import refuse_overwriting
from alsmodel.cli.guard import Exit
from alsmodel.cli.options import Force, Json, Quiet
from alsmodel.cli.output import Output

if TYPE_CHECKING:
    from alsmodel.cohort.cdisc.data_sets import Files


class Layout(StrEnum):
    """Layouts that can be written."""

    adam = "adam"


class FileKind(StrEnum):
    """Kinds of file that a data set can be written as."""

    xpt = "xpt"
    dataset_json = "dataset-json"
    ndjson = "ndjson"


def export(
    cohort: Annotated[Path, typer.Argument(metavar="COHORT", help="Folder written by `alsmodel ingest`.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write.", show_default=False)],
    layout: Annotated[Layout, typer.Option("--format", help="Layout to write: ADSL, ADQS and ADTTE of ADaM.")] = Layout.adam,
    files: Annotated[FileKind, typer.Option("--files", help="SAS transport (version 5), Dataset-JSON 1.1, or by lines.")] = FileKind.xpt,
    end_point: Annotated[
        list[str] | None,
        typer.Option("--end-point", metavar="DEFINITION", help="End point for ADTTE, by its definition; all that the source supports."),
    ] = None,
    created: Annotated[
        str | None,
        typer.Option("--created", metavar="DATETIME", help="Creation date in the files; 2000-01-01T00:00:00, so that outputs repeat."),
    ] = None,
    round_days: Annotated[bool, typer.Option("--round-days", help="Round days that are not whole; refused otherwise.")] = False,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Write a cohort as CDISC ADaM data sets."""
    output = Output(as_json=as_json, quiet=quiet)
    refuse_overwriting(out, force=force)
    with output.stage(f"Writing {out}"):
        from alsmodel.cohort import Cohort
        from alsmodel.cohort.cdisc import write_adam
        from alsmodel.cohort.cdisc.data_sets import CREATED

        loaded = Cohort.load(cohort)
        kind: Files = files.value
        written = write_adam(loaded, out, kind, end_point or None, created=created or CREATED, round_days=round_days)
    output.say(f"{', '.join(path.name for path in written)} of {loaded.participants.height:,} participants written to {out}")
    output.result(folder=str(out), files=[path.name for path in written], participants=loaded.participants.height, digest=loaded.digest)
    return Exit.DONE
