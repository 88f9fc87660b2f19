"""`alsmodel map`: a mapping proposed for files of any layout."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alsmodel.cli.guard import Exit
from alsmodel.cli.options import Force, Json, Quiet
from alsmodel.cli.output import Output

if TYPE_CHECKING:
    from alsmodel.cohort.propose import Proposal

Data = Annotated[Path, typer.Argument(metavar="FILE|DIR", help="A file of data, or the folder that holds them.", show_default=False)]
Out = Annotated[Path | None, typer.Option("--out", metavar="MAPPING.TOML", help="File to write; printed without it.", show_default=False)]
Participant = Annotated[
    str, typer.Option("--participant", metavar="COLUMN", help="Column that names participants, if its name hides it.", show_default=False)
]


def map(
    data: Data,
    out: Out = None,
    participant: Participant = "",
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Look at the columns of any files and propose a mapping, to be completed by hand and given to ingest."""
    output = Output(as_json=as_json, quiet=quiet)
    if out is not None:
        from alsmodel.cli.data_commands import refuse_overwriting

        refuse_overwriting(out, force=force)
    with output.stage(f"Looking at {data}"):
        from alsmodel.cohort.propose import propose

        proposal = propose(data, participant)
    if out is None:
        output.say(proposal.text.rstrip("\n"))
    else:
        out.write_text(proposal.text, encoding="utf-8", newline="\n")
        _show(proposal, output)
        _say_what_next(proposal, data, out, output)
    output.result(**proposal.as_json(), file=None if out is None else str(out))
    return Exit.DONE


def _show(proposal: "Proposal", output: Output) -> None:
    mapped = [column for column in proposal.columns if column[2]]
    several = len({column[0] for column in proposal.columns}) > 1
    # The participant is in every form.
    rows = [
        [*([table] if several else []), column, target, "" if target == "participant_id" else forms]
        for table, column, target, forms in mapped
    ]
    output.table("Recognised", [*(["table"] if several else []), "column", "taken for", "in the form"], rows)
    aside = len(proposal.columns) - len(mapped)
    if aside:
        output.say(f"{aside} of {len(proposal.columns)} columns set aside, each with the reason in the mapping.")
    for note in proposal.notes:
        output.say(f"Note: {note}")


def _say_what_next(proposal: "Proposal", data: Path, out: Path, output: Output) -> None:
    if proposal.questions:
        output.table("Questions", ["question", "answers"], [[name, " | ".join(answers)] for name, answers in proposal.questions.items()])
    output.say(f"Mapping written to {out}.")
    n = len(proposal.questions)
    first = f'answer its {"question" if n == 1 else f"{n} questions"} (each is a "?" at the top), then' if n else "read it through, then"
    output.say(f"Next: {first}\n  alsmodel ingest {data} --mapping {out} --out COHORT")
