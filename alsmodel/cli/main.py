"""The `alsmodel` command. Heavy libraries are imported inside the commands, so that ``--help`` answers at once."""

import os

import typer

from alsmodel.cli import (
    analyse_command,
    data_commands,
    export_command,
    map_command,
    size_command,
    study_commands,
    validate_command,
    vocabulary_commands,
)
from alsmodel.cli.guard import guarded

# Polars gives memory back to the system half a second after its last use, only to ask for it again: a tenth of the time of reading a
# large source. Read when polars is first imported, which is after this; whoever sets it keeps their own.
os.environ.setdefault("_RJEM_MALLOC_CONF", "thp:always,dirty_decay_ms:4000")

app = typer.Typer(
    name="alsmodel",
    help="Bayesian models of ALS progression and survival, and simulation of ALS trials.",
    epilog="Exit codes: 0 done, 1 internal error, 2 usage, 3 invalid input, "
    "4 done but a statistical check failed, 130 stopped. ALSMODEL_TRACEBACK=1 shows tracebacks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

for panel, commands in (
    (
        "Study",
        (
            study_commands.run,
            study_commands.check,
            study_commands.fit,
            study_commands.compare,
            study_commands.simulate,
            study_commands.search,
            study_commands.assurance,
            analyse_command.analyse,
            study_commands.merge,
            study_commands.example,
            study_commands.report,
        ),
    ),
    ("Data", (map_command.map, data_commands.ingest, validate_command.validate, export_command.export, data_commands.synthesize)),
    ("Words", (vocabulary_commands.describe, vocabulary_commands.vocabulary, vocabulary_commands.prior)),
    ("Installation", (study_commands.warmup,)),
):
    for command in commands:
        app.command(name=command.__name__, rich_help_panel=panel)(guarded(command))
app.add_typer(size_command.app, name="size", rich_help_panel="Study")


@app.callback(invoke_without_command=True)
def front(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    """Bayesian models of ALS progression and survival, and simulation of ALS trials."""
    if version:
        from alsmodel.settings import installed_version

        typer.echo(f"alsmodel {installed_version('alsmodel')}")
        raise typer.Exit


def main() -> None:
    """Run the command line; the entry point of the installed `alsmodel`."""
    app()
