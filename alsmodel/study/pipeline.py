"""A study from its file to its report."""

import json
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from alsmodel.errors import Fault, InvalidInput
from alsmodel.settings import digest_of, dump_toml, encode, installed_version
from alsmodel.study import steps
from alsmodel.study.data import rebased
from alsmodel.study.fitted import load_fit
from alsmodel.study.loading import LoadedStudy, load
from alsmodel.study.progress import Progress, Silent
from alsmodel.study.runs import SETTINGS, RunFolder
from alsmodel.study.spec import Study

if TYPE_CHECKING:
    import polars as pl

    from alsmodel.baselines import Baselines
    from alsmodel.cohort import Cohort
    from alsmodel.inference.start_limits import StartLimits
    from alsmodel.study.comparing import ModelsCompared
    from alsmodel.study.fitted import AnyFit
    from alsmodel.trials import Assurance, OperatingCharacteristics
    from alsmodel.trials.executors import Executor

Step = Literal["fit", "compare", "trial", "report"]
_REPORTED = ("alsmodel", "pymc", "pytensor", "nutpie", "arviz", "numba", "numpy", "polars", "lifelines")


@final
@dataclass(frozen=True, kw_only=True)
class Shard:
    """One task of an array job.

    Attributes
    ----------
    number, of : int
        Which of how many.
    done : int
        Replicates of scenarios that are in the run folder now.
    folder : Path
        The results folder that `alsmodel merge` takes.
    """

    number: int
    of: int
    done: int
    folder: Path


@final
@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What running a study gave.

    Attributes
    ----------
    folder : Path
        The run folder.
    last : {"fit", "compare", "trial", "report"}
        How far it went.
    report : Path or None
        The report, if it was written.
    cohort, fit, starts, compare, baselines, trial, assurance
        Results of the steps; None where a step was not run.
    reused : tuple of str
        Steps that were read back.
    failed : tuple of str
        Statistical checks that failed, in words.
    total_effects : polars.DataFrame or None
        What treating everybody rather than nobody does to survival, where the report tells it.
    shard : Shard or None
        What one task of an array job did instead of a whole simulation.
    """

    folder: Path
    last: Step
    report: Path | None = None
    cohort: "Cohort | None" = None
    fit: "AnyFit | None" = None
    starts: "StartLimits | None" = None
    compare: "ModelsCompared | None" = None
    baselines: "Baselines | None" = None
    trial: "OperatingCharacteristics | None" = None
    assurance: "Assurance | None" = None
    reused: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    total_effects: "pl.DataFrame | None" = None
    shard: "Shard | None" = None


def run(
    path: Path | str,
    out: Path | str | None = None,
    *,
    until: Step = "report",
    workers: int = 1,
    force: bool = False,
    progress: Progress | None = None,
    replicates: int | None = None,
    executor: "Executor" = "local",
    scheduler: str | None = None,
    shard: tuple[int, int] | None = None,
) -> Outcome:
    """Run a study, reusing the steps whose settings, data and code are unchanged.

    Parameters
    ----------
    path : path
        The study file.
    out : path, optional
        Run folder; ``runs/<study>`` by default.
    until : {"fit", "compare", "trial", "report"}
        Where to stop. "compare" stops after the models are compared. "trial" does not fit when the truth is named in the study or
        resampled from its cohort.
    workers : int
        Processes for the trial; the results do not depend on it.
    force : bool
        Make every step again.
    progress : Progress, optional
        Whom to tell.
    replicates : int, optional
        Virtual trials per scenario instead of what the study says.
    executor : {"local", "dask"}
        Where the trial runs: processes of this machine, or an existing dask.distributed cluster.
    scheduler : str, optional
        Address of its scheduler.
    shard : (int, int), optional
        Run only this task of an array job, such as (2, 5), and summarise nothing; with `until` "trial".

    Raises
    ------
    InvalidInput
        When the study file or its data cannot be used; nothing is written then but finished steps.
    """
    loaded = load(path)
    if until == "trial" and loaded.study.trial is None:
        raise InvalidInput([Fault(loaded.path.name, "the study has no trial to simulate.", "Add a [trial] section.")])
    if until == "compare" and loaded.study.compare is None:
        remedy = "Add a [compare] section with [[compare.alternatives]]."
        raise InvalidInput([Fault(loaded.path.name, "the study names no models to compare.", remedy)])
    if shard is not None and until != "trial":
        raise ValueError('a shard runs the trial alone: until must be "trial".')
    if replicates is not None and loaded.study.trial is not None:
        loaded = replace(loaded, study=replace(loaded.study, trial=replace(loaded.study.trial, replicates=replicates)))
    folder = RunFolder.open(Path(out) if out is not None else Path("runs") / loaded.name)
    job = steps.Job(
        study=loaded.study,
        base=loaded.base,
        run=folder,
        progress=progress or Silent(),
        workers=workers,
        force=force,
        reused=[],
        executor=executor,
        scheduler=scheduler,
    )
    _write_settings(folder, loaded)
    folder.write_json("provenance.json", {"study": loaded.name, "seed": loaded.study.seed, "versions": _versions()})
    try:
        return _run(job, loaded.name, until) if shard is None else _run_shard(job, shard)
    except InvalidInput as error:
        raise InvalidInput([loaded.placed(fault) for fault in error.faults]) from None


def _run(job: steps.Job, name: str, until: Step) -> Outcome:
    plan = job.study.trial
    cohort = fit = starts = compare = baselines = trial = None
    if until != "trial" or plan is None or plan.needs_fit:
        cohort = steps.ingest(job)
        fit = steps.fit(job, cohort)
    elif plan.truth.kind == "resampled":
        cohort = steps.ingest(job)
    if until == "report" and fit is not None and cohort is not None and job.study.fit.start_limits:
        starts = steps.start_limits(job, fit, cohort)
    if until in ("compare", "report") and fit is not None and cohort is not None and job.study.compare is not None:
        compare = steps.comparison(job, fit, cohort)
    if until == "report" and fit is not None and cohort is not None and job.study.baselines.run:
        baselines = steps.baselines(job, fit, cohort)
    if until in ("trial", "report") and plan is not None:
        trial = steps.trial(job, fit, cohort)
    averaged = steps.present_assurance(job, cohort) if until == "report" else None
    results = {
        "cohort": cohort, "fit": fit, "starts": starts, "compare": compare, "baselines": baselines, "trial": trial, "assurance": averaged,
    }  # fmt: skip
    return _finish(job.study, name, job.run, job.progress, until, results, tuple(job.reused))


def _run_shard(job: steps.Job, shard: tuple[int, int]) -> Outcome:
    plan = job.study.trial
    fit = cohort = None
    if plan is not None and (plan.truth.kind != "named" or plan.needs_fit):
        cohort = steps.ingest(job)
        fit = steps.fit(job, cohort) if plan.needs_fit else None
    done = steps.trial_shard(job, fit, cohort, shard)
    made = Shard(number=shard[0], of=shard[1], done=done, folder=job.run.path / steps.REPLICATES)
    return Outcome(folder=job.run.path, last="trial", fit=fit, reused=tuple(job.reused), shard=made)


def assure(
    path: Path | str,
    out: Path | str | None = None,
    *,
    workers: int = 1,
    progress: Progress | None = None,
    replicates: int | None = None,
) -> "tuple[Path, Assurance]":
    """Average the power of a study's trial over what its ``[trial.assurance]`` believes of the effect.

    Fits first when the truth or the effect is the posterior. The tables are saved, and the report of the run folder is written with
    them and with every other step that is there.

    Returns
    -------
    tuple of (Path, Assurance)
        Folder of the tables, and what is in them.

    Raises
    ------
    InvalidInput
        When the study file or its data cannot be used, or it says nothing of the effect.
    """
    progress = progress or Silent()
    loaded = load(path, need_data=False)
    plan = loaded.study.trial
    if plan is None or plan.assurance is None:
        raise InvalidInput([Fault(loaded.path.name, "the study says nothing of the effect.", "Add a [trial.assurance] section.")])
    needs_data = plan.assurance.kind == "posterior" or plan.truth.kind == "resampled" or plan.needs_fit
    before = run(path, out, until="fit", progress=progress) if needs_data else None
    fitted, cohort = (None, None) if before is None else (before.fit, before.cohort)
    if replicates is not None:
        plan = replace(plan, replicates=replicates)
    loaded = replace(loaded, study=replace(loaded.study, trial=plan))
    folder = RunFolder.open(Path(out) if out is not None else Path("runs") / loaded.name)
    _write_settings(folder, loaded)
    folder.write_json("provenance.json", {"study": loaded.name, "seed": loaded.study.seed, "versions": _versions()})
    job = steps.Job(
        study=loaded.study, base=loaded.base, run=folder, progress=progress, workers=workers, force=False, reused=[],
    )  # fmt: skip
    try:
        found = steps.assurance(job, fitted, cohort)
    except InvalidInput as error:
        raise InvalidInput([loaded.placed(fault) for fault in error.faults]) from None
    report_again(folder.path, progress=progress)
    return folder.path / "assurance", found


def report_again(folder: Path | str, *, progress: Progress | None = None) -> Outcome:
    """Write the report of a run again from what is in its folder; fits and simulates nothing.

    Raises
    ------
    InvalidInput
        When `folder` is no run folder, or a result in it is damaged.
    """
    from alsmodel.cohort import Cohort

    run_folder = RunFolder.existing(Path(folder))
    loaded = load(run_folder.path / SETTINGS, need_data=False)
    done = {step for step in run_folder.records() if (run_folder.path / step).exists()}
    loaders = {"cohort": Cohort.load, "fit": load_fit, "baselines": steps.load_baselines, "trial": steps.load_trial}
    results: dict[str, Any] = {step: loader(run_folder.path / step) if step in done else None for step, loader in loaders.items()}
    job = steps.Job(
        study=loaded.study, base=loaded.base, run=run_folder, progress=progress or Silent(), workers=1, force=False, reused=[],
    )  # fmt: skip
    results["assurance"] = steps.present_assurance(job, results["cohort"])
    results["compare"] = steps.present_comparison(job, results["cohort"])
    results["starts"] = steps.present_start_limits(job, results["fit"], results["cohort"])
    return _finish(loaded.study, _name(run_folder), run_folder, progress or Silent(), "report", results, tuple(sorted(done)))


def _name(folder: RunFolder) -> str:
    """Name of the study that made the run, from its provenance; the folder's name where that was lost."""
    try:
        return str(json.loads((folder.path / "provenance.json").read_text(encoding="utf-8"))["study"])
    except (OSError, ValueError, KeyError, TypeError):
        return folder.path.absolute().name


def _finish(
    study: Study, name: str, folder: RunFolder, progress: Progress, until: Step, results: dict[str, Any], reused: tuple[str, ...]
) -> Outcome:
    digests = _digests(study, results)
    folder.write_json("provenance.json", {"study": name, "seed": study.seed, "versions": _versions(), "digests": digests})
    written = totals = None
    if until == "report":
        with progress.stage("Writing the report"):
            from alsmodel.reports import study_report
            from alsmodel.study.reporting import content

            facts = _facts(study, name, digests)
            told = content(study, name=name, **results, reproducibility=facts)
            written, totals = folder.write_text("report.html", study_report(told)), told.total_effects
    failed = _failed(results["fit"], results["compare"])
    return Outcome(folder=folder.path, last=until, report=written, **results, reused=reused, failed=failed, total_effects=totals)


def _failed(fit: "AnyFit | None", compare: "ModelsCompared | None") -> tuple[str, ...]:
    sentences: list[str] = [] if compare is None else list(compare.warnings)
    if fit is not None:
        sentences += [
            f"{check.name} is {check.value:.3g}, the limit is {check.limit:.3g} ({check.meaning})"
            for check in fit.checks
            if not check.passed
        ]
        if not fit.passed and all(check.passed for check in fit.checks):
            sentences.append("the fit did not pass its checks")
    return tuple(sentences)


def _write_settings(folder: RunFolder, loaded: LoadedStudy) -> None:
    """Write the merged settings so that they run as a study themselves, from the run folder."""
    values = encode(loaded.study)
    values["data"] = encode(rebased(loaded.study.data, loaded.base, folder.path))
    header = "Every setting that this run used, defaults included. It is a study file: alsmodel run takes it."
    folder.write_text(SETTINGS, dump_toml(values, header=header))


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{package: installed_version(package) for package in _REPORTED}}


def _digests(study: Study, results: dict[str, Any]) -> dict[str, str]:
    settings = encode(study)
    settings.pop("data")  # where the data lie is no part of what they are
    digests = {"settings": digest_of(settings)}
    if results["cohort"] is not None:
        digests["data"] = results["cohort"].digest
    return {**digests, **{f"code of {step}": steps.code_of(step) for step in steps.ROOMS if results.get(step) is not None}}


def _facts(study: Study, name: str, digests: dict[str, str]) -> dict[str, str]:
    versions = ", ".join(f"{package} {version}" for package, version in _versions().items())
    named = {f"Digest of {key}" if not key.startswith("code") else key.capitalize(): value for key, value in digests.items()}
    return {"Command": f"alsmodel run runs/{name}/{SETTINGS}", "Seed": str(study.seed), **named, "Versions": versions}
