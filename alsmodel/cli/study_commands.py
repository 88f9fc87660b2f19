"""Commands about a study: look, run all of it, or run one step of it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from alsmodel.cli.guard import Exit, UsageFault
from alsmodel.cli.options import Again, Executor, Json, Quiet, Replicates, RunOut, Scheduler, ShardOption, StudyFile, Workers
from alsmodel.cli.output import Output, plain

if TYPE_CHECKING:
    from alsmodel.study import Outcome
    from alsmodel.study.pipeline import Step
    from alsmodel.trials.searching import Quantity

_POWER = {
    "n_per_arm": "per arm",
    "power": "power",
    "mcse": "MCSE",
    "adjusted_power": "adjusted",
    "adjusted_mcse": "its MCSE",
    "mean_participants": "mean n",
    "participants_p90": "90% of n",
    "enlarged": "enlarged",
    "replicates": "replicates",
    "failures": "failed",
}
_HAPPENED = {"event": "event", "arm": "arm", "mean_number": "participants", "share": "share"}
_BY_LOOK = {"hypothesis": "hypothesis", "look": "look", "by_then": "by then", "by_then_mcse": "MCSE"}
_FAMILY = {
    "n_per_arm": "per arm",
    "at_least_one": "at least one",
    "at_least_one_mcse": "MCSE",
    "all": "all",
    "all_mcse": "its MCSE",
    "family_wise_error": "family-wise error",
    "family_wise_error_mcse": "error's MCSE",
}


def check(study: StudyFile, as_json: Json = False, quiet: Quiet = False) -> Exit:
    """Look a study file over without running anything; name everything wrong at once, or say its model and its trial in words."""
    output = Output(as_json=as_json, quiet=quiet)
    from alsmodel.settings import digest_of, encode
    from alsmodel.study import load
    from alsmodel.study.alternatives import differing
    from alsmodel.study.fitted import joint_model
    from alsmodel.study.methods import trial_words

    loaded = load(study)
    settings = encode(loaded.study)
    words, trial = loaded.study.model.words(), trial_words(loaded.study)
    output.say(f"{study}: a valid study, {loaded.study.title!r}.")
    for sentence in words:
        output.say(sentence)
    compared = {} if loaded.study.compare is None else differing(joint_model(loaded.study), loaded.study.compare)
    for name, sentences in compared.items():
        output.say(f"Compared with {name!r}: {' '.join(sentences)}")
    for sentence in trial:
        output.say(sentence)
    output.result(
        study=str(study),
        title=loaded.study.title,
        settings_digest=digest_of(settings),
        settings=plain(settings),
        model=words,
        compared=compared,
        trial=trial,
    )
    return Exit.DONE


def run(
    study: StudyFile,
    out: RunOut = None,
    workers: Workers = None,
    force: Again = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Run a study: ingest, fit, comparison of models, baselines, trial, report. Unchanged steps are reused."""
    return _steps("report", study, out, workers, force, as_json, quiet)


def fit(study: StudyFile, out: RunOut = None, force: Again = False, as_json: Json = False, quiet: Quiet = False) -> Exit:
    """Run a study as far as the fit, and print its estimates."""
    return _steps("fit", study, out, 1, force, as_json, quiet)


def compare(study: StudyFile, out: RunOut = None, force: Again = False, as_json: Json = False, quiet: Quiet = False) -> Exit:
    """Fit the models that a study compares its own with, and say which of them predicts new participants better."""
    return _steps("compare", study, out, 1, force, as_json, quiet)


def simulate(
    study: StudyFile,
    out: RunOut = None,
    workers: Workers = None,
    replicates: Replicates = None,
    executor: Executor = "local",
    scheduler: Scheduler = None,
    shard: ShardOption = None,
    force: Again = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Run a study as far as its trial needs, and print the power. Finished blocks of an interrupted run are kept."""
    output = Output(as_json=as_json, quiet=quiet)
    from alsmodel.study import run as run_study
    from alsmodel.trials.executors import check_executor

    if executor not in ("local", "dask"):
        raise UsageFault(f"--executor is local or dask; got {executor!r}.")
    check_executor("dask" if executor == "dask" else "local", scheduler)
    outcome = run_study(
        study,
        out,
        until="trial",
        workers=workers or os.cpu_count() or 1,
        force=force,
        progress=output,
        replicates=replicates,
        executor="dask" if executor == "dask" else "local",
        scheduler=scheduler,
        shard=None if shard is None else _shard(shard),
    )
    if outcome.shard is None:
        return _finish(outcome, output)
    made = outcome.shard
    output.say(f"Shard {made.number} of {made.of}: {made.done:,} replicates of scenarios are in {made.folder}.")
    output.say("When every shard is done: alsmodel merge RUN SHARD_RUN ..., then alsmodel simulate with --out RUN.")
    output.result(folder=str(outcome.folder), shard=made.number, of=made.of, replicates=made.done)
    return Exit.DONE


def example(
    study: StudyFile,
    replicate: Annotated[int, typer.Option("--replicate", min=0, help="Which virtual trial, as a simulation counts them.")] = 0,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="In place of the study's seed.", show_default=False)] = None,
    out: RunOut = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Tell one virtual trial of the study's first scenario, look by look."""
    output = Output(as_json=as_json, quiet=quiet)
    from alsmodel.study import tell

    told = tell(study, out, replicate=replicate, seed=seed, progress=output)
    for at in told:
        output.say(str(at))
    output.result(replicate=replicate, looks=[plain(vars(at)) for at in told])
    return Exit.DONE


def search(
    study: StudyFile,
    target: Annotated[float, typer.Option("--target", help="What the power, or --quantity, is to reach.")] = 0.8,
    setting: Annotated[
        str | None,
        typer.Option("--setting", metavar="PATH", help="A number of the trial in place of its size, or effect.NAME.", show_default=False),
    ] = None,
    between: Annotated[
        str | None, typer.Option("--between", metavar="LOW,HIGH", help="Values of the setting to search between.", show_default=False)
    ] = None,
    quantity: Annotated[
        str,
        typer.Option("--quantity", help="power, stopped_efficacy, stopped_futility, mean_participants or mean_duration; with --setting."),
    ] = "power",
    keep: Annotated[str, typer.Option("--keep", metavar="least|most", help="At least or at most the target; with --setting.")] = "least",
    tolerance: Annotated[float | None, typer.Option("--tolerance", help="A hundredth of the range by default.", show_default=False)] = None,
    smallest: Annotated[int, typer.Option("--smallest", min=1, help="Smallest size of the control arm.")] = 10,
    largest: Annotated[int, typer.Option("--largest", min=1, help="Largest size of the control arm.")] = 2000,
    analysis: Annotated[
        str | None, typer.Option("--analysis", help="By its name in the tables; the first by default.", show_default=False)
    ] = None,
    effect: Annotated[str | None, typer.Option("--effect", help="By its name; the last by default.", show_default=False)] = None,
    out: RunOut = None,
    workers: Workers = None,
    replicates: Replicates = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Find the size of a study's trial, or the threshold of a setting, for a target; confirmed on fresh virtual trials."""
    output = Output(as_json=as_json, quiet=quiet)
    from alsmodel.study import Sought, seek
    from alsmodel.trials import Found
    from alsmodel.trials.searching import QUANTITIES

    if keep not in ("least", "most"):
        raise UsageFault(f"--keep is least or most; got {keep!r}.")
    if quantity not in QUANTITIES:
        raise UsageFault(f"--quantity is one of {', '.join(QUANTITIES)}; got {quantity!r}.")
    if setting is None and (quantity, keep, tolerance) != ("power", "least", None):
        raise UsageFault("--quantity, --keep and --tolerance go with --setting; the size is searched for its power.")
    sought = Sought(
        target=target, analysis=analysis, effect=effect, smallest=smallest, largest=largest, setting=setting, tolerance=tolerance,
        between=None if between is None else _range(between), quantity=cast("Quantity", quantity),
        keep="at least" if keep == "least" else "at most",
    )  # fmt: skip
    found = seek(study, out, sought=sought, workers=workers or os.cpu_count() or 1, progress=output, replicates=replicates)
    output.table("Tried", [name.replace("_", " ") for name in found.tried.columns], found.tried.rows())
    if isinstance(found, Found):
        output.say(f"{found.n_per_arm:,} in the control arm: power {found.power:.3f} (MCSE {found.mcse:.3f}) on fresh virtual trials.")
        output.result(n_per_arm=found.n_per_arm, power=found.power, mcse=found.mcse, tried=found.tried.to_dicts())
    else:
        words = quantity.replace("_", " ")
        output.say(f"{found.setting} = {found.value:g}: {words} {found.figure:.4g} (MCSE {found.mcse:.2g}) on fresh virtual trials.")
        output.result(
            setting=found.setting, value=found.value, quantity=quantity, figure=found.figure, mcse=found.mcse, tried=found.tried.to_dicts()
        )
    return Exit.DONE


def assurance(
    study: StudyFile,
    out: RunOut = None,
    workers: Workers = None,
    replicates: Replicates = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Average the power of a study's trial over what is believed of the effect, and say how its trials end."""
    output = Output(as_json=as_json, quiet=quiet)
    from alsmodel.study import assure

    folder, found = assure(study, out, workers=workers or os.cpu_count() or 1, progress=output, replicates=replicates)
    for title, frame in (("Assurance", found.table), ("Power along the effect", found.strata), ("How trials end", found.causes)):
        names = [name for name in frame.columns if name not in ("strata", "replicates")]
        output.table(title, [name.replace("_", " ") for name in names], frame.select(names).rows())
    output.say(f"Results: {folder}")
    output.say(f"Report: {folder.parent / 'report.html'}")
    output.result(
        folder=str(folder),
        report=str(folder.parent / "report.html"),
        **{name: getattr(found, name).to_dicts() for name in ("table", "strata", "causes")},
    )
    return Exit.DONE


def merge(
    target: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder that gets everything.", show_default=False)],
    shards: Annotated[list[Path], typer.Argument(metavar="SHARD_RUN...", help="Run folders of the shards.", show_default=False)],
    as_json: Json = False,
    quiet: Quiet = False,
) -> Exit:
    """Gather the replicates of a sharded simulation into one run folder."""
    output = Output(as_json=as_json, quiet=quiet)
    from alsmodel.study import merge_shards

    counts = merge_shards(target, shards)
    output.say(f"{counts['parts']:,} parts copied, {counts['present']:,} there already; {counts['scenarios']:,} scenarios in {target}.")
    output.say(f"Next: alsmodel simulate STUDY.TOML --out {target}, which computes only what is still missing.")
    output.result(folder=str(target), **counts)
    return Exit.DONE


def _range(text: str) -> tuple[float, float]:
    parts = text.split(",")
    try:
        # Two whole numbers search among whole numbers.
        low, high = ((int(part) if part.strip().lstrip("-").isdecimal() else float(part)) for part in parts)
    except ValueError:
        raise UsageFault(f"--between is two numbers, such as 0.1,0.5; got {text!r}.") from None
    return low, high


def _shard(text: str) -> tuple[int, int]:
    number, _, of = text.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise UsageFault(f"--shard is number/of, such as 2/5 for the second of five; got {text!r}.")
    return int(number), int(of)


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
    shown: dict[str, Callable[[Outcome, Output], None]] = {
        "fit": _show_fit, "compare": _show_comparison, "trial": _show_trial, "report": _show_effects,
    }  # fmt: skip
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
    _show_totals(outcome, output)
    _show_comparison(outcome, output)
    _show_trial(outcome, output)


def _show_totals(outcome: "Outcome", output: Output) -> None:
    if outcome.total_effects is None:
        return
    rows = [
        [
            row["treatment"],
            row["quantity"] if row["cause"] is None else f"{row['quantity']} of {row['cause']}",
            *(row[name] for name in ("time", "treated", "untreated", "mean")),
            f"{row['lower']:.3g} to {row['upper']:.3g}",
            row["label"],
        ]
        for row in outcome.total_effects.iter_rows(named=True)
    ]
    head = ["treatment", "", "time", "everybody treated", "nobody", "difference", "95% interval", "to be read as"]
    output.table("Total effect on survival", head, rows)


def _show_comparison(outcome: "Outcome", output: Output) -> None:
    if outcome.compare is None:
        return
    rows = [
        [row["model"], f"{row['elpd']:,.1f}"]
        + [f"{row[f'difference{part}']:,.1f} ({row[f'standard_error{part}']:,.1f})" for part in ("", "_scores", "_events")]
        for row in outcome.compare.table.iter_rows(named=True)
    ]
    output.table("Models compared", ["model", "expected log density", "difference (SE)", "of scores", "of events"], rows)
    for sentence in outcome.compare.words:
        output.say(sentence)


def _show_trial(outcome: "Outcome", output: Output) -> None:
    if outcome.trial is not None:
        from alsmodel.trials.results import axes_of

        table = outcome.trial.table
        shown = {"analysis": "analysis", "effect": "effect", **axes_of(table), **_POWER}
        family = outcome.trial.family
        if not family.height:
            del shown["adjusted_power"], shown["adjusted_mcse"]
        if table["enlarged"].is_null().all():
            del shown["mean_participants"], shown["participants_p90"], shown["enlarged"]
        output.table("Power", list(shown.values()), [[row[name] for name in shown] for row in table.iter_rows(named=True)])
        if family.height:
            wide = {"effect": "effect", **axes_of(table), **_FAMILY}
            output.table(f"Family by {family['procedure'][0]}", list(wide.values()), [[row[k] for k in wide] for row in family.to_dicts()])
        looks = outcome.trial.by_look
        if looks.height:
            names = {"effect": "effect", "n_per_arm": "per arm", **axes_of(table), **_BY_LOOK}
            output.table("Rejected by look", list(names.values()), [[row[name] for name in names] for row in looks.to_dicts()])
        happened = outcome.trial.intercurrent
        if happened.height:
            names = {"effect": "effect", "n_per_arm": "per arm", **axes_of(table), **_HAPPENED}
            output.table("Intercurrent events", list(names.values()), [[row[name] for name in names] for row in happened.to_dicts()])


def _as_values(outcome: "Outcome") -> dict[str, Any]:
    return {
        "folder": str(outcome.folder),
        "report": None if outcome.report is None else str(outcome.report),
        "reused": list(outcome.reused),
        "checks_passed": not outcome.failed,
        "failed_checks": list(outcome.failed),
        "method": None if outcome.fit is None else outcome.fit.method,
        "fallback": None if outcome.fit is None else outcome.fit.provenance.get("fallback"),
        "estimates": None if outcome.fit is None else outcome.fit.summary.to_dicts(),
        "total_effects": None if outcome.total_effects is None else outcome.total_effects.to_dicts(),
        "models_compared": None if outcome.compare is None else outcome.compare.table.to_dicts(),
        "power": None if outcome.trial is None else outcome.trial.table.to_dicts(),
        "family": None if outcome.trial is None else outcome.trial.family.to_dicts(),
        "by_look": None if outcome.trial is None else outcome.trial.by_look.to_dicts(),
        "intercurrent": None if outcome.trial is None else outcome.trial.intercurrent.to_dicts(),
    }
