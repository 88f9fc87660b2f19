"""Commands about a study: look, run all of it, or run one step of it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alsmodel.cli.guard import Exit
from alsmodel.cli.options import Again, Json, Quiet, RunOut, StudyFile, Workers
from alsmodel.cli.output import Output, plain

if TYPE_CHECKING:
    from alsmodel.study import Outcome
    from alsmodel.study.pipeline import Step

_POWER = ["analysis", "effect", "n_per_arm", "power", "mcse", "replicates", "failures"]


def check(study: StudyFile, as_json: Json = False, quiet: Quiet = False) -> Exit:
    """Look a study file over without running anything; name everything wrong at once."""
    output = Output(as_json=as_json, quiet=quiet)
    from alsmodel.settings import digest_of, encode
    from alsmodel.study import load

    loaded = load(study)
    settings = encode(loaded.study)
    output.say(f"{study}: a valid study, {loaded.study.title!r}.")
    output.result(study=str(study), title=loaded.study.title, settings_digest=digest_of(settings), settings=plain(settings))
    return Exit.DONE


def run(
    study: StudyFile,
    out: RunOut = None,
    workers: Workers = None,
    force: Again = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Run a study: ingest, fit, baselines, trial, report. Unchanged steps are reused."""
    return _steps("report", study, out, workers, force, as_json, quiet)


def fit(study: StudyFile, out: RunOut = None, force: Again = False, as_json: Json = False, quiet: Quiet = False) -> Exit:
    """Run a study as far as the fit, and print its estimates."""
    return _steps("fit", study, out, 1, force, as_json, quiet)


def simulate(
    study: StudyFile,
    out: RunOut = None,
    workers: Workers = None,
    force: Again = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Run a study as far as its trial needs, and print the power."""
    return _steps("trial", study, out, workers, force, as_json, quiet)


def report(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of an earlier run.", show_default=False)],
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Write report.html again from the finished steps of a run; fits and simulates nothing."""
    output = Output(as_json=as_json, quiet=quiet)
    from alsmodel.study import report_again

    return _finish(report_again(run_folder, progress=output), output)


def warmup(as_json: Json = False, quiet: Quiet = False) -> Exit:
    """Compile everything once, so that the next commands start at once."""
    output = Output(as_json=as_json, quiet=quiet)
    from alsmodel.study.warm import warm

    seconds = warm(output)
    output.say(f"Compiled code is ready ({seconds:.0f} s).")
    output.result(seconds=round(seconds, 1))
    return Exit.DONE


def _steps(last: "Step", study: Path, out: Path | None, workers: int | None, force: bool, as_json: bool, quiet: bool) -> Exit:
    output = Output(as_json=as_json, quiet=quiet)
    from alsmodel.study import run as run_study

    return _finish(run_study(study, out, until=last, workers=workers or os.cpu_count() or 1, force=force, progress=output), output)


def _finish(outcome: "Outcome", output: Output) -> Exit:
    shown: dict[str, Callable[[Outcome, Output], None]] = {"fit": _show_fit, "trial": _show_trial, "report": _show_effects}
    shown[outcome.last](outcome, output)
    for sentence in outcome.failed:
        output.say(f"check failed: {sentence}")
    if outcome.report is not None:
        output.say(f"Report: {outcome.report}")
    else:
        output.say(f"Results: {outcome.folder}")
    output.result(**plain(_as_values(outcome)))
    return Exit.CHECK_FAILED if outcome.failed else Exit.DONE


def _show_fit(outcome: "Outcome", output: Output) -> None:
    if outcome.fit is None:
        return
    # Imputed values are parameters too, and nobody's estimates: --json has them.
    named = [row for row in outcome.fit.summary.iter_rows(named=True) if not row["parameter"].startswith("imputed:")]
    rows = [
        [
            row["parameter"],
            row["mean"],
            f"{row['q2_5']:.3g} to {row['q97_5']:.3g}",
            row["unit"] if row["informed"] else f"{row['unit']} *",
        ]
        for row in named
    ]
    output.table("Posterior", ["parameter", "mean", "95% interval", "unit"], rows)
    if not all(row["informed"] for row in named):
        output.say("* the data say little beyond the prior")


def _show_effects(outcome: "Outcome", output: Output) -> None:
    _show_fit(outcome, output)
    _show_trial(outcome, output)


def _show_trial(outcome: "Outcome", output: Output) -> None:
    if outcome.trial is not None:
        rows = [[row[name] for name in _POWER] for row in outcome.trial.table.iter_rows(named=True)]
        heads = ["analysis", "effect", "per arm", "power", "MCSE", "replicates", "failed"]
        output.table("Power", heads, rows)


def _as_values(outcome: "Outcome") -> dict[str, Any]:
    return {
        "folder": str(outcome.folder),
        "report": None if outcome.report is None else str(outcome.report),
        "reused": list(outcome.reused),
        "checks_passed": not outcome.failed,
        "failed_checks": list(outcome.failed),
        "estimates": None if outcome.fit is None else outcome.fit.summary.to_dicts(),
        "power": None if outcome.trial is None else outcome.trial.table.to_dicts(),
    }
