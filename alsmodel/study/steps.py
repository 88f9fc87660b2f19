"""The steps of a study: what each one depends on, how it is made, and how it is read back."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from alsmodel.errors import Fault, InvalidInput
from alsmodel.settings import code_digest, digest_of, encode
from alsmodel.study.data import content_digest, read_source
from alsmodel.study.fitted import fitted_model, load_fit, of_one_outcome, participants_of
from alsmodel.study.methods import start_words
from alsmodel.study.progress import Progress, working
from alsmodel.study.runs import RunFolder
from alsmodel.study.spec import Study

if TYPE_CHECKING:
    from alsmodel.baselines import Baselines
    from alsmodel.cohort import Cohort
    from alsmodel.inference import Fit
    from alsmodel.inference.start_limits import StartLimits
    from alsmodel.study.comparing import ModelsCompared
    from alsmodel.study.fitted import AnyFit
    from alsmodel.trials import Assurance, EffectDraws, EffectPrior, OperatingCharacteristics, Trial
    from alsmodel.trials.executors import Executor
    from alsmodel.trials.settings import TrialSettings

#: The code that each step runs, beyond that of the steps before it.
ROOMS = {
    "cohort": ["alsmodel.cohort", "alsmodel.clinical"],
    "fit": ["alsmodel.inference", "alsmodel.models", "alsmodel.kernels"],
    "starts": ["alsmodel.inference", "alsmodel.models", "alsmodel.kernels"],
    "baselines": ["alsmodel.baselines"],
    "compare": ["alsmodel.inference", "alsmodel.models", "alsmodel.kernels", "alsmodel.study.comparing", "alsmodel.study.alternatives"],
    "trial": ["alsmodel.trials", "alsmodel.estimators", "alsmodel.patients"],
    "assurance": ["alsmodel.trials", "alsmodel.estimators", "alsmodel.patients"],
}
#: Folder in the run folder that keeps the records of virtual trials, part by part.
REPLICATES = "replicates"
#: The libraries whose version may change each step's numbers.
LIBRARIES = {
    "cohort": ("polars",),
    "fit": ("numba", "numpy", "pymc", "pytensor", "nutpie", "arviz"),
    "starts": ("numba", "numpy", "pymc", "pytensor", "nutpie", "arviz"),
    "baselines": ("lifelines", "pandas", "numpy"),
    "compare": ("numba", "numpy", "pymc", "pytensor", "nutpie", "arviz"),
    "trial": ("numba", "numpy", "scipy"),
    "assurance": ("numba", "numpy", "scipy"),
}


def code_of(step: str) -> str:
    """Digest of the code that a step runs and of the libraries under it."""
    return code_digest(ROOMS[step], packages=LIBRARIES[step])


@final
@dataclass(frozen=True, kw_only=True)
class Job:
    """One study being run.

    Attributes
    ----------
    study : Study
        What to do.
    base : Path
        Folder from which the study's paths start.
    run : RunFolder
        Where results go.
    progress : Progress
        Whom to tell.
    workers : int
        Processes for the trial.
    force : bool
        Make every step again.
    reused : list of str
        Steps that were read back so far.
    executor : {"local", "dask"}
        Where the trial runs.
    scheduler : str or None
        Address of a dask scheduler.
    """

    study: Study
    base: Path
    run: RunFolder
    progress: Progress
    workers: int
    force: bool
    reused: list[str]
    executor: "Executor" = "local"
    scheduler: str | None = None

    def step[T](
        self,
        name: str,
        title: str,
        inputs: Mapping[str, Any],
        *,
        make: Callable[[], T],
        save: Callable[[T, Path], object],
        load: Callable[[Path], T],
        code: str | None = None,
    ) -> T:
        """Run or reuse one step, and remember which it was; `code` names the code it runs where that is not its name."""
        inputs = {**inputs, "code": code_of(code or name)}
        result, reused = self.run.step(name, inputs, make=make, save=save, load=load, force=self.force)
        if reused:
            self.reused.append(name)
        self.progress.say(f"{title}: {'unchanged, reused' if reused else 'done'}")
        return result

    def present[T](self, name: str, inputs: Mapping[str, Any], *, load: Callable[[Path], T]) -> T | None:
        """Read a step's result if it is in the run folder and of the present settings and code; it is not made."""
        digest = digest_of({**inputs, "code": code_of(name)})
        return load(self.run.path / name) if self.run.holds(name, digest) else None


def ingest(job: Job) -> "Cohort":
    """Read the study's data into canonical tables."""
    from alsmodel.cohort import Cohort

    def make() -> "Cohort":
        with job.progress.stage("Reading the data"):
            return read_source(job.study.data, job.base)

    inputs = {"data": encode(job.study.data), "content": content_digest(job.study.data, job.base)}
    # Where the files lie does not matter once their content is known.
    for section in (inputs["data"], *(part for part in inputs["data"].values() if isinstance(part, dict))):
        section.pop("folder", None)
        section.pop("file", None)
    return job.step("cohort", "Data", inputs, make=make, save=lambda cohort, to: cohort.save(to), load=Cohort.load)


def fit(job: Job, cohort: "Cohort") -> "AnyFit":
    """Fit the study's model to its cohort."""
    study = job.study
    sampling = encode(study.sampling)
    del sampling["cores"]  # the draws do not depend on it
    plan = {"method": study.fit.method}  # start_limits is a step of its own
    inputs = {"cohort": cohort.digest, "model": encode(study.model), "fit": plan, "sampling": sampling, "seed": study.seed}

    def make() -> "AnyFit":
        with working(job.progress, "Fitting the joint model") as advance:
            return fitted_model(study, cohort, advance)

    fitted = job.step("fit", "Model", inputs, make=make, save=lambda made, to: made.save(to), load=load_fit)
    job.progress.say(fitted.route)
    for sentence in start_words(study, participants_of(fitted)):
        job.progress.say(sentence)
    return fitted


def start_limits(job: Job, fitted: "AnyFit", cohort: "Cohort") -> "StartLimits | None":
    """Fit again with unknown days of starting a drug as late as they can have been; nothing where every day is known."""
    from alsmodel.inference.start_limits import both_limits, unknown_starts
    from alsmodel.inference.start_limits import start_limits as fitted_late

    earliest, study = of_one_outcome(fitted), job.study
    if not unknown_starts(earliest.data):
        job.progress.say("Limits of unknown days of starting: every day is known.")
        return None

    def make() -> "Fit":
        with working(job.progress, "Fitting with late starts") as advance:
            return fitted_late(earliest, cohort, study.sampling, method=study.fit.method, seed=study.seed, progress=advance).latest

    inputs = {"cohort": cohort.digest, "fit": job.run.records().get("fit")}
    latest = job.step("starts", "Late starts", inputs, make=make, save=lambda made, to: made.save(to), load=_of_late_starts)
    return both_limits(earliest, latest)


def _of_late_starts(folder: Path) -> "Fit":
    return of_one_outcome(load_fit(folder))


def present_start_limits(job: Job, fitted: "AnyFit | None", cohort: "Cohort | None") -> "StartLimits | None":
    """Both limits where the fit with late starts is in the run folder and of the present settings."""
    from alsmodel.inference.start_limits import both_limits

    if not job.study.fit.start_limits or cohort is None or fitted is None:
        return None
    latest = job.present("starts", {"cohort": cohort.digest, "fit": job.run.records().get("fit")}, load=_of_late_starts)
    return None if latest is None else both_limits(of_one_outcome(fitted), latest)


def comparison(job: Job, fitted: "AnyFit", cohort: "Cohort") -> "ModelsCompared":
    """Compare the study's model with the others that it names."""
    from alsmodel.study.comparing import ModelsCompared, compared

    def make() -> "ModelsCompared":
        return compared(job, of_one_outcome(fitted), cohort)

    inputs = _comparison_inputs(job, cohort)
    return job.step("compare", "Models compared", inputs, make=make, save=lambda made, to: made.save(to), load=ModelsCompared.load)


def _comparison_inputs(job: Job, cohort: "Cohort") -> dict[str, Any]:
    study = job.study
    return {"cohort": cohort.digest, "model": encode(study.model), "compare": encode(study.compare), "fit": job.run.records().get("fit")}


def present_comparison(job: Job, cohort: "Cohort | None") -> "ModelsCompared | None":
    """The comparison of models in the run folder, if it is of the present settings."""
    from alsmodel.study.comparing import ModelsCompared

    if job.study.compare is None or cohort is None:
        return None
    return job.present("compare", _comparison_inputs(job, cohort), load=ModelsCompared.load)


def baselines(job: Job, fitted: "AnyFit", cohort: "Cohort") -> "Baselines":
    """Run the classical survival analyses on the arrays that the fit took."""
    study = job.study
    inputs = {"cohort": cohort.digest, "model": encode(study.model), "by": study.baselines.by, "report": study.report.by}

    def make() -> "Baselines":
        with job.progress.stage("Classical survival analyses"):
            from alsmodel.study.classical import classical_baselines

            return classical_baselines(study, fitted)

    return job.step("baselines", "Baselines", inputs, make=make, save=lambda made, to: made.save(to), load=load_baselines)


def load_baselines(folder: Path) -> "Baselines":
    """Read saved classical analyses."""
    from alsmodel.baselines import Baselines

    return Baselines.load(folder)


def trial(job: Job, fitted: "AnyFit | None", cohort: "Cohort | None") -> "OperatingCharacteristics":
    """Simulate the study's trial, from the fit, the people of the cohort, or named numbers."""
    plan = job.study.trial
    if plan is None:
        raise ValueError("The study has no trial section.")
    inputs = _trial_inputs(job, plan, cohort)

    def make() -> "OperatingCharacteristics":
        with working(job.progress, "Simulating the trial") as advance:
            from alsmodel.trials import simulate

            folder = job.run.path / REPLICATES
            if job.force:
                shutil.rmtree(folder, ignore_errors=True)
            return simulate(
                built_trial(job.study, fitted, cohort),
                workers=job.workers,
                progress=advance,
                folder=folder,
                executor=job.executor,
                scheduler=job.scheduler,
            )

    return job.step("trial", "Trial", inputs, make=make, save=lambda made, to: made.save(to), load=load_trial)


def _trial_inputs(job: Job, plan: "TrialSettings", cohort: "Cohort | None") -> dict[str, Any]:
    """What the results of a simulation depend on."""
    inputs: dict[str, Any] = {"plan": encode(plan), "seed": job.study.seed}
    if plan.needs_fit:
        inputs["fit"] = job.run.records().get("fit")
    if plan.truth.kind == "resampled" and cohort is not None:
        inputs["cohort"] = cohort.digest
    return inputs


def _assurance_inputs(job: Job, plan: "TrialSettings", cohort: "Cohort | None") -> dict[str, Any]:
    inputs = _trial_inputs(job, plan, cohort)
    if plan.assurance is not None and plan.assurance.kind == "posterior":
        inputs["fit"] = job.run.records().get("fit")
    return inputs


def assurance(job: Job, fitted: "AnyFit | None", cohort: "Cohort | None") -> "Assurance":
    """Average the power of the study's trial over what is believed of its effect.

    Raises
    ------
    InvalidInput
        When the fit has no such effect, or the trial is no single design.
    """
    plan = job.study.trial
    if plan is None or plan.assurance is None:
        raise ValueError("The study says nothing of the effect.")

    def make() -> "Assurance":
        from alsmodel.trials import assurance as averaged

        simulated = built_trial(job.study, fitted, cohort)
        try:
            effect = _believed(job.study, fitted)
            with working(job.progress, "Simulating the trial along the effect") as advance:
                return averaged(simulated, effect, workers=job.workers, folder=job.run.path / REPLICATES, progress=advance)
        except InvalidInput:
            raise
        except ValueError as error:
            raise InvalidInput([Fault("trial.assurance", str(error))]) from None

    inputs = _assurance_inputs(job, plan, cohort)
    return job.step("assurance", "Assurance", inputs, make=make, save=lambda made, to: made.save(to), load=load_assurance)


def _believed(study: Study, fitted: "AnyFit | None") -> "EffectPrior | EffectDraws":
    from alsmodel.trials import EffectDraws

    assert study.trial is not None
    believed = study.trial.assurance
    assert believed is not None
    if believed.kind == "prior":
        return believed
    assert fitted is not None
    return EffectDraws.of(of_one_outcome(fitted), believed.treatment, draws=believed.draws, seed=study.seed, strata=believed.strata)


def present_assurance(job: Job, cohort: "Cohort | None") -> "Assurance | None":
    """The assurance in the run folder, if it is of the present settings."""
    plan = job.study.trial
    if plan is None or plan.assurance is None:
        return None
    return job.present("assurance", _assurance_inputs(job, plan, cohort), load=load_assurance)


def load_assurance(folder: Path) -> "Assurance":
    """Read a saved assurance."""
    from alsmodel.trials import Assurance

    return Assurance.load(folder)


def trial_shard(job: Job, fitted: "AnyFit | None", cohort: "Cohort | None", shard: tuple[int, int]) -> int:
    """Run one task of an array job; how many replicates of scenarios are in the run folder then."""
    from alsmodel.trials import simulate_shard

    with working(job.progress, f"Simulating shard {shard[0]} of {shard[1]}"):
        made, folder = built_trial(job.study, fitted, cohort), job.run.path / REPLICATES
        return simulate_shard(made, shard, folder, workers=job.workers, executor=job.executor, scheduler=job.scheduler)


def built_trial(study: Study, fitted: "AnyFit | None", cohort: "Cohort | None") -> "Trial":
    """The trial that the study describes.

    Raises
    ------
    InvalidInput
        When its parts do not fit together, or nobody is eligible.
    """
    from alsmodel.trials.run import check_eligibility
    from alsmodel.trials.settings import build

    plan = study.trial
    if plan is None:
        raise ValueError("The study has no trial section.")
    record = None
    if plan.truth.kind == "resampled" and cohort is not None:
        from alsmodel.trials.resampling import resampled_truth

        record = resampled_truth(cohort, plan.truth, fit=None if plan.prognosis is None or fitted is None else of_one_outcome(fitted))
    population = prediction = None
    if plan.truth.kind == "posterior" and fitted is not None:
        population = of_one_outcome(fitted).population(plan.truth.draws, study.seed)
    if plan.population.prognosis is not None and fitted is not None:
        from alsmodel.trials.prognosis import Predictor

        prediction = Predictor.of(of_one_outcome(fitted), plan.population.prognosis)
    try:
        made = build(plan, population, study.seed, record=record, prediction=prediction)
        check_eligibility(made)
    except ValueError as error:
        raise InvalidInput([Fault("trial", str(error))]) from None
    return made


def load_trial(folder: Path) -> "OperatingCharacteristics":
    """Read saved operating characteristics."""
    from alsmodel.trials import OperatingCharacteristics

    return OperatingCharacteristics.load(folder)
