"""Commands about words: what a cohort holds, and what the package knows of treatments, definitions, signs and rules."""

from enum import StrEnum
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from alsmodel.cli.guard import Exit
from alsmodel.cli.options import Json, Quiet
from alsmodel.cli.output import Output

if TYPE_CHECKING:
    import polars as pl


_MOST_COLUMNS = 5


class Topic(StrEnum):
    """Tables of the package's vocabulary."""

    treatments = "treatments"
    effects = "effects"
    definitions = "definitions"
    signs = "signs"
    phenotypes = "phenotypes"
    genes = "genes"
    rules = "rules"


SavedCohort = Annotated[Path, typer.Argument(metavar="COHORT", help="Cohort folder written by ingest.", show_default=False)]
Wanted = Annotated[Topic, typer.Argument(metavar="TOPIC", help="treatments, effects, definitions, signs, phenotypes, genes or rules.")]


def describe(cohort: SavedCohort, as_json: Json = False, quiet: Quiet = False) -> Exit:
    """Say what a cohort holds: end points that it supports, criteria, phenotypes, stages, genes and drugs."""
    output = Output(as_json=as_json, quiet=quiet)
    with output.stage(f"Reading {cohort}"):
        from alsmodel.cohort import read
        from alsmodel.study.describe import describe as described

        sections = described(read(cohort, "cohort"))
    for section in sections:
        _print(output, section.title, section.rows)
    output.result(**{section.name: section.rows.to_dicts() for section in sections})
    return Exit.DONE


def vocabulary(topic: Wanted, as_json: Json = False, quiet: Quiet = False) -> Exit:
    """Print a table of what the package knows, with sources."""
    output = Output(as_json=as_json, quiet=quiet)
    from alsmodel.study.vocabulary import vocabulary_table

    table = vocabulary_table(topic.value)
    _print(output, topic.value.capitalize(), table)
    if as_json and topic is Topic.effects:
        from alsmodel.clinical.published import effects_table

        table = effects_table()
    output.result(**{topic.value: table.to_dicts()})
    return Exit.DONE


class Parameter(StrEnum):
    """Parameters of the joint model that a published effect may inform."""

    theta = "theta"
    additive = "additive"
    direct = "direct"
    total_log_hazard_ratio = "total_log_hazard_ratio"


Key = Annotated[str, typer.Argument(metavar="EFFECT", help="Key of a published effect; see: alsmodel vocabulary effects.")]
Informs = Annotated[Parameter, typer.Option("--parameter", help="What it is to inform; an estimate informs only what it estimates.")]
Discount = Annotated[
    float, typer.Option("--discount", min=0.0, max=1.0, help="Power of the evidence: 1 at its word, 0.5 as half its size.")
]
Events = Annotated[
    str | None, typer.Option("--events", help="Definition of the analysis's end point, for a hazard ratio.", show_default=False)
]


def prior(
    effect: Key,
    parameter: Informs,
    discount: Discount,
    events: Events = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Make a prior from a published effect, with its effective sample size and what it must not be used for."""
    output = Output(as_json=as_json, quiet=quiet)
    from alsmodel.study.vocabulary import prior_account

    account = prior_account(effect, parameter.value, discount, events)
    for line in account.lines:
        output.say(line)
    output.result(**account.record)
    return Exit.DONE


def _print(output: Output, title: str, rows: "pl.DataFrame") -> None:
    """Print a narrow table as one, and a wide one row by row, since a terminal cannot show many columns of text."""
    names = [name.replace("_", " ") for name in rows.columns]
    if len(names) <= _MOST_COLUMNS:
        output.table(title, names, [["" if cell is None else cell for cell in row] for row in rows.rows()])
        return
    output.say(title)
    for row in rows.rows():
        output.say(f"\n{row[0]}")
        for name, cell in zip(names[1:], row[1:], strict=True):
            if cell not in (None, ""):
                output.say(fill(f"{name}: {cell}", width=100, initial_indent="  ", subsequent_indent="    "))
