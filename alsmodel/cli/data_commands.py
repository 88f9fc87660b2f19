"""Commands about data: read a source, look whether it can be read, make a synthetic one."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alsmodel.cli.guard import Exit, UsageFault
from alsmodel.cli.options import Force, Json, Quiet
from alsmodel.cli.output import Output

if TYPE_CHECKING:
    from alsmodel.cohort import Cohort


class SourceFormat(StrEnum):
    """Layouts that a folder on the command line may have."""

    proact = "proact"
    dream = "dream"
    answer_als = "answer-als"
    all_als = "all-als"
    sdtm = "sdtm"
    adam = "adam"
    mapped = "mapped"
    cohort = "cohort"


class MadeFormat(StrEnum):
    """Layouts that can be synthesised."""

    proact = "proact"


Source = Annotated[
    Path, typer.Argument(metavar="SOURCE", help="Folder with the source's files; with --mapping also one file.", show_default=False)
]
Layout = Annotated[SourceFormat, typer.Option("--format", help="Layout of the source; --mapping implies mapped.")]
Mapping = Annotated[
    Path | None, typer.Option("--mapping", metavar="MAPPING.TOML", help="Read files of any layout by this mapping.", show_default=False)
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 3 when any row has an error.")]


def ingest(
    source: Source,
    out: Annotated[Path, typer.Option("--out", metavar="COHORT", help="Folder to write.", show_default=False)],
    layout: Layout = SourceFormat.proact,
    mapping: Mapping = None,
    strict: Strict = False,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Read a source into a cohort folder, and account for every row."""
    output = Output(as_json=as_json, quiet=quiet)
    refuse_overwriting(out, force=force)
    cohort = read_source(source, layout_of(layout, mapping), strict, output, mapping)
    cohort.save(out)
    show_account(cohort, output)
    output.say(f"Cohort of {cohort.participants.height:,} participants written to {out}")
    if output.as_json:
        output.result(cohort=str(out), **account_of(cohort))
    return Exit.DONE


def synthesize(
    participants: Annotated[int, typer.Option("--participants", min=1, help="How many people.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write.", show_default=False)],
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same files.")] = 1,
    layout: Annotated[MadeFormat, typer.Option("--format", help="Layout to write.")] = MadeFormat.proact,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Write a synthetic cohort in a source's own files, with the truth that it was made from."""
    output = Output(as_json=as_json, quiet=quiet)
    refuse_overwriting(out, force=force)
    from alsmodel.study.synthetic import write_proact

    with output.stage(f"Writing {participants:,} synthetic participants"):
        files = write_proact(participants, seed, out)
    output.say(f"{participants:,} synthetic participants in {len(files)} files written to {out} (truth in truth.json)")
    output.result(folder=str(out), participants=participants, seed=seed, files=files)
    return Exit.DONE


def refuse_overwriting(out: Path, *, force: bool) -> None:
    """Stop before anything is read when `out` is there and was not given up.

    Raises
    ------
    UsageFault
        When `out` exists, is not an empty folder and `force` is not set.
    """
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() and not force:
        raise UsageFault(f"{out} exists. Give --force to replace it, or another --out.")


def layout_of(layout: SourceFormat, mapping: Path | None) -> SourceFormat:
    """Return the layout that is read: "mapped" where a mapping is given.

    Raises
    ------
    UsageFault
        When a mapping is given for a layout that has its own.
    """
    if mapping is None:
        return layout
    if layout not in (SourceFormat.proact, SourceFormat.mapped):
        raise UsageFault(f"--mapping is for files of any layout, and --format {layout.value} knows its own. Give one of them.")
    return SourceFormat.mapped


def read_source(source: Path, layout: SourceFormat, strict: bool, output: Output, mapping: Path | None = None) -> "Cohort":
    """Read `source`, showing that it is under way."""
    with output.stage(f"Reading {source}"):
        from alsmodel.cohort import read

        return read(source, layout.value, mapping=mapping, strict=strict)


def show_account(cohort: "Cohort", output: Output) -> None:
    """Print the counts of rows and issues: never a cell, never an identifier."""
    counts = ["read", "kept", "repaired", "rejected", "set_aside"]
    rows = [[row["file"], *(row[name] for name in counts)] for row in cohort.flow.iter_rows(named=True)]
    if len(rows) > 1:
        rows.append(["all files", *(sum(row[place] for row in rows) for place in range(1, len(counts) + 1))])
    output.table("Rows", ["file", "read", "kept", "repaired", "rejected", "set aside"], rows)
    issues = count_issues(cohort)
    if issues:
        output.table("Issues", ["severity", "rule", "action", "count"], [list(issue.values()) for issue in issues])


def count_issues(cohort: "Cohort") -> list[dict[str, Any]]:
    """Return the number of issues of each rule, the most frequent first."""
    by = ["severity", "rule", "action"]
    counted = cohort.issues.group_by(by, maintain_order=True).len(name="rows").sort("rows", descending=True, maintain_order=True)
    return counted.to_dicts()


def account_of(cohort: "Cohort") -> dict[str, Any]:
    """Return the same counts, and the participants at each step, for the JSON object."""
    from alsmodel.cohort.accounts import participants_through

    return {
        "digest": cohort.digest,
        "participants": cohort.participants.height,
        "flow": cohort.flow.to_dicts(),
        "participant_flow": participants_through(cohort.tables).to_dicts(),
        "issues": count_issues(cohort),
    }
