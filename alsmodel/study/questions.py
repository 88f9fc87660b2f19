"""What is asked of a study's trial beside its operating characteristics: one virtual trial told, a size or a threshold sought."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from alsmodel.errors import Fault, InvalidInput
from alsmodel.study import steps
from alsmodel.study.data import read_source
from alsmodel.study.loading import LoadedStudy, load
from alsmodel.study.pipeline import run
from alsmodel.study.progress import Progress, Silent, working
from alsmodel.study.runs import RunFolder

if TYPE_CHECKING:
    from alsmodel.trials import Found, FoundSetting, Told
    from alsmodel.trials.searching import Quantity
    from alsmodel.trials.settings import TrialSettings


def tell(
    path: Path | str, out: Path | str | None = None, *, replicate: int = 0, seed: int | None = None, progress: Progress | None = None
) -> "list[Told]":
    """Tell one virtual trial of a study's first scenario, look by look; fits first when the truth is the posterior.

    Raises
    ------
    InvalidInput
        When the study file or its data cannot be used, or it has no trial.
    """
    from alsmodel.trials import example

    progress = progress or Silent()
    loaded, plan = _planned(path, "tell")
    fitted = run(path, out, until="fit", progress=progress).fit if plan.needs_fit else None
    try:
        cohort = read_source(loaded.study.data, loaded.base) if plan.truth.kind == "resampled" else None
        with working(progress, "Simulating one trial"):
            return example(steps.built_trial(loaded.study, fitted, cohort), replicate=replicate, seed=seed)
    except InvalidInput as error:
        raise InvalidInput([loaded.placed(fault) for fault in error.faults]) from None


@final
@dataclass(frozen=True, kw_only=True)
class Sought:
    """What a search of a study's trial is to find.

    Attributes
    ----------
    target : float
    analysis, effect : str or None
        The row that counts; the first analysis and the last effect without them.
    smallest, largest : int
        Sizes of the control arm to search between, where no setting is sought.
    setting : str or None
        Path of a setting in place of the size.
    between : tuple of float or None
        Values of it to search between.
    quantity, keep : str
        As of `alsmodel.trials.search_setting`.
    tolerance : float or None
        Width at which the search for a setting ends.
    """

    target: float = 0.8
    analysis: str | None = None
    effect: str | None = None
    smallest: int = 10
    largest: int = 2000
    setting: str | None = None
    between: tuple[float, float] | None = None
    quantity: "Quantity" = "power"
    keep: Literal["at least", "at most"] = "at least"
    tolerance: float | None = None


def seek(
    path: Path | str,
    out: Path | str | None = None,
    *,
    sought: Sought,
    workers: int = 1,
    progress: Progress | None = None,
    replicates: int | None = None,
) -> "Found | FoundSetting":
    """Search for the size of a study's trial, or for the threshold of a setting; fits first when the truth is the posterior.

    Virtual trials are kept in the run folder, so that a search which was stopped goes on. The axes of the study are left out, and a
    search for a setting is at its first size.

    Returns
    -------
    Found or FoundSetting

    Raises
    ------
    InvalidInput
        When the study file or its data cannot be used, or the search has no answer.
    """
    from alsmodel.trials import search, search_setting

    progress = progress or Silent()
    loaded, plan = _planned(path, "search")
    if (sought.setting is None) != (sought.between is None):
        raise InvalidInput([Fault("search", "a setting and the values to search between go together; give both, or neither for the size.")])
    fitted = run(path, out, until="fit", progress=progress).fit if plan.needs_fit else None
    folder = RunFolder.open(Path(out) if out is not None else Path("runs") / loaded.name).path / steps.REPLICATES
    sizes = plan.n_per_arm[:1]
    plan = replace(plan, axes={}, target_mcse=None, n_per_arm=sizes, replicates=replicates or plan.replicates)
    study = replace(loaded.study, trial=plan)

    def told(tried: dict[str, object]) -> None:
        at = f"{tried['n_per_arm']} per arm" if sought.setting is None else f"{sought.setting} = {tried['value']:g}"
        figure = tried.get("power", tried.get("figure"))
        progress.note(f"{at}: {sought.quantity.replace('_', ' ')} {figure:.4g} (MCSE {tried['mcse']:.2g}), {tried['streams']}")

    try:
        cohort = read_source(loaded.study.data, loaded.base) if plan.truth.kind == "resampled" else None
        trial = steps.built_trial(study, fitted, cohort)
        with working(progress, "Searching") as advance:
            shared: dict[str, Any] = {"workers": workers, "folder": folder, "progress": advance, "tell": told}
            shared |= {"target": sought.target, "analysis": sought.analysis, "effect": sought.effect}
            if sought.setting is None or sought.between is None:
                return search(trial, smallest=sought.smallest, largest=sought.largest, **shared)
            more: dict[str, Any] = {"quantity": sought.quantity, "keep": sought.keep, "tolerance": sought.tolerance}
            return search_setting(trial, sought.setting, sought.between, **more, **shared)
    except InvalidInput as error:
        raise InvalidInput([loaded.placed(fault) for fault in error.faults]) from None
    except ValueError as error:
        raise InvalidInput([Fault("search", str(error))]) from None


def _planned(path: Path | str, what: str) -> "tuple[LoadedStudy, TrialSettings]":
    """A study and its trial; refused without one."""
    loaded = load(path, need_data=False)
    if loaded.study.trial is None:
        raise InvalidInput([Fault(loaded.path.name, f"the study has no trial to {what}.", "Add a [trial] section.")])
    return loaded, loaded.study.trial
