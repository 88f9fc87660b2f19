"""Commands `size slope`, `size change`, `size events`: closed-form sample sizes, with the formula and its source."""

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from alsmodel.cli.guard import Exit, guarded
from alsmodel.cli.options import Json, Quiet
from alsmodel.cli.output import Output
from alsmodel.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from alsmodel.trials.closed_form import Plan, SampleSize

app = typer.Typer(help="Sample size in closed form, with the formula, the numbers put in, and the source.", no_args_is_help=True)


class Side(StrEnum):
    """Sides of a test."""

    two_sided = "two-sided"
    one_sided = "one-sided"


class ScoreAnalysis(StrEnum):
    """Analyses of a score at one visit."""

    ancova = "ancova"
    change = "change"
    final = "final"


Alpha = Annotated[float, typer.Option("--alpha", help="Significance level.")]
Sides = Annotated[Side, typer.Option("--side", help="Two-sided alpha is halved for each side.")]
Power = Annotated[float, typer.Option("--power", help="Wanted power.")]
Ratio = Annotated[float, typer.Option("--ratio", help="Active participants per control participant.")]
Margin = Annotated[float, typer.Option("--margin", help="Non-inferiority margin in points (per month), at least 0; needs one-sided.")]
HazardMargin = Annotated[float, typer.Option("--margin", help="Non-inferiority margin, a hazard ratio above 1; needs one-sided.")]
Difference = Annotated[float, typer.Option("--difference", help="True difference, positive for benefit.", show_default=False)]
Dropout = Annotated[float, typer.Option("--dropout", help="Share no longer seen at the last visit.")]
YearlyDropout = Annotated[float, typer.Option("--dropout", help="Share that would leave by 12 months.")]


def slope(
    difference: Difference,
    slope_sd: Annotated[float, typer.Option("--slope-sd", help="SD of slopes between participants, points per month.", show_default=False)],
    residual_sd: Annotated[float, typer.Option("--residual-sd", help="SD of the residual, points.", show_default=False)],
    visits: Annotated[str, typer.Option("--visits", help="Months of the visits.")] = "0,3,6,9,12,15,18",
    intercept_sd: Annotated[float, typer.Option("--intercept-sd", help="SD of the level, points.")] = 6.46,
    correlation: Annotated[float, typer.Option("--correlation", help="Of level and slope.")] = 0.0,
    arms_differ_at_baseline: Annotated[bool, typer.Option("--arm-main-effect", help="Each arm has its own mean at baseline.")] = False,
    dropout: Dropout = 0.0,
    alpha: Alpha = 0.05,
    side: Sides = Side.two_sided,
    power: Power = 0.8,
    ratio: Ratio = 1.0,
    margin: Margin = 0.0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Size a trial of the difference in slope, under a random-slope model with visits and dropout."""

    months, fault = _months(visits)

    def size(plan: "Plan") -> "SampleSize":
        from alsmodel.trials.closed_form import size_slope

        return size_slope(
            plan, difference=difference, months=months, slope_sd=slope_sd, residual_sd=residual_sd, intercept_sd=intercept_sd,
            correlation=correlation, dropout=dropout, common_baseline=not arms_differ_at_baseline,
        )  # fmt: skip

    return _answer(size, alpha, side, power, ratio, margin, as_json, quiet, fault)


def change(
    difference: Difference,
    sd: Annotated[float, typer.Option("--sd", help="SD of the score within an arm, points.", show_default=False)],
    correlation: Annotated[float, typer.Option("--correlation", help="Of the score at baseline and at the visit.")] = 0.0,
    analysis: Annotated[ScoreAnalysis, typer.Option("--analysis", help="ancova, change, or final.")] = ScoreAnalysis.ancova,
    dropout: Dropout = 0.0,
    alpha: Alpha = 0.05,
    side: Sides = Side.two_sided,
    power: Power = 0.8,
    ratio: Ratio = 1.0,
    margin: Margin = 0.0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Size a trial of a score at one visit, or of its change from baseline."""

    def size(plan: "Plan") -> "SampleSize":
        from alsmodel.trials.closed_form import size_change

        return size_change(plan, difference=difference, sd=sd, correlation=correlation, analysis=analysis.value, dropout=dropout)

    return _answer(size, alpha, side, power, ratio, margin, as_json, quiet)


def events(
    hazard_ratio: Annotated[float, typer.Option("--hazard-ratio", help="Active against control; below 1 is benefit.", show_default=False)],
    control_median: Annotated[float, typer.Option("--control-median", help="Median of the control arm, months.", show_default=False)],
    accrual: Annotated[float, typer.Option("--accrual", help="Months of recruitment.", show_default=False)],
    follow_up: Annotated[float, typer.Option("--follow-up", help="Months from the last entry to the end.", show_default=False)],
    dropout: YearlyDropout = 0.0,
    alpha: Alpha = 0.05,
    side: Sides = Side.two_sided,
    power: Power = 0.8,
    ratio: Ratio = 1.0,
    margin: HazardMargin = 0.0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Size a trial of the time to an event: events needed, and participants to expect them from."""

    def size(plan: "Plan") -> "SampleSize":
        from alsmodel.trials.closed_form import size_events

        return size_events(
            plan, hazard_ratio=hazard_ratio, control_median=control_median, accrual=accrual, follow_up=follow_up, dropout=dropout
        )

    return _answer(size, alpha, side, power, ratio, margin, as_json, quiet)


for _command in (slope, change, events):
    app.command(name=_command.__name__)(guarded(_command))


def _months(visits: str) -> tuple[list[float], str | None]:
    """Months of the visits, or any that are possible with what is wrong with those given."""
    try:
        return [float(part) for part in visits.split(",")], None
    except ValueError:
        return [0.0, 1.0], f"--visits needs months separated by commas, such as 0,3,6; got {visits!r}."


def _answer(
    size: "Callable[[Plan], SampleSize]",
    alpha: float,
    side: Side,
    power: float,
    ratio: float,
    margin: float,
    as_json: bool,
    quiet: bool,
    fault: str | None = None,
) -> Exit:
    from alsmodel.trials.closed_form import Plan

    output = Output(as_json=as_json, quiet=quiet)
    faults = [] if fault is None else [fault]
    try:
        plan = Plan(alpha=alpha, side=side.value, power=power, ratio=ratio, margin=margin)
    except ValueError as error:
        faults.append(str(error))
        # A possible plan in its place, so that what is wrong with the rest is found as well.
        plan = Plan(side="one-sided", margin=margin) if 0 < margin < float("inf") else Plan()
    try:
        found = size(plan)
    except ValueError as error:
        faults.append(str(error))
    if faults:
        raise InvalidInput([Fault("size", each) for each in faults])
    needed = f"{found.events:,} events, from " if found.events is not None else ""
    output.say(f"{found.endpoint}: {needed}{found.total:,} participants ({found.control:,} control, {found.active:,} active)")
    output.say(f"power at that size: {found.power:.4f}\n")
    output.say(f"formula      {found.formula}")
    output.say(f"with numbers {found.numbers}")
    output.say(f"source       {found.source}\n")
    for line in found.assumptions:
        output.say(f"- {line}")
    output.result(**asdict(found))
    return Exit.DONE
