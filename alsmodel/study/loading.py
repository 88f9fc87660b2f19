"""From a study file to a study: everything wrong with it is found without running it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import final

from alsmodel.errors import Fault, InvalidInput
from alsmodel.models.domain import DomainModel
from alsmodel.models.spec import JointModel
from alsmodel.settings import Document, decode, load_toml
from alsmodel.settings.reading import in_file_order, undecided
from alsmodel.settings.salvage import attempt
from alsmodel.settings.toml import SettingPath, line_of
from alsmodel.study.alternatives import ModelComparison, alternative_faults
from alsmodel.study.data import Source, file_faults
from alsmodel.study.spec import Study


@final
@dataclass(frozen=True)
class LoadedStudy:
    """A study with the file that it came from.

    Attributes
    ----------
    study : Study
        The settings.
    path : Path
        The file; relative paths in it start from its folder.
    lines : mapping
        Line of each setting.
    """

    study: Study
    path: Path
    lines: Mapping[SettingPath, int] = field(default_factory=dict)

    def placed(self, fault: Fault) -> Fault:
        """Give a fault whose place is a setting, such as ``model.outcome``, the file and line of that setting."""
        if fault.place.partition(".")[0] not in {each.name for each in fields(Study)}:
            return fault
        path = self._path_of(fault.place)
        line = line_of(self.lines, path)
        place = self.path.name if line is None else f"{self.path.name}:{line}"
        return replace(fault, place=place, message=f"{fault.place}: {fault.message}")

    def _path_of(self, place: str) -> SettingPath:
        """A setting's path; a table among several of a kind, which a fault names, is found by its place in the file."""
        path: list[str | int] = []
        here: object = self.study
        for part in place.split("."):
            if isinstance(here, tuple):
                found = next((i for i, each in enumerate(here) if getattr(each, "name", None) == part), None)
                if found is None:
                    break
                path.append(found)
                here = here[found]
            else:
                path.append(part)
                here = getattr(here, part, None)
        return tuple(path)

    @property
    def base(self) -> Path:
        """Folder from which the study's paths start."""
        return self.path.parent

    @property
    def name(self) -> str:
        """Name of the study's run folder: the file's name, or its folder's when the file is called study.toml."""
        stem = self.path.stem if self.path.stem != "study" else self.path.absolute().parent.name
        return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.") or "study"


def load(path: Path | str, *, need_data: bool = True) -> LoadedStudy:
    """Read and check a study file without running it.

    Parameters
    ----------
    path : path
        TOML file.
    need_data : bool
        Whether the data that it names must be there.

    Raises
    ------
    InvalidInput
        With everything that is wrong: misspelt and missing settings, impossible values, files that are not there.
    """
    document = load_toml(path)
    faults: list[Fault] = []
    study: Study | None = None
    try:
        study = decode(Study, document.values, where=document.where, lines=document.lines)
    except InvalidInput as error:
        faults += error.faults
    faults += _faults_of_comparison(document)
    if need_data:
        faults += _data_faults(document, Path(path).parent)
    # What does not fit together is said of a file with other faults too, as far as it can be read.
    known = study or undecided(Study, document.values)
    if known is not None:
        found = attempt(lambda: _contradictions(known))
        faults += [_at(document, setting, Fault("", message)) for setting, message in found]
    if study is None or faults:
        raise InvalidInput(in_file_order(faults, document.where))
    return LoadedStudy(study, Path(path), document.lines)


def _data_faults(document: Document, base: Path) -> list[Fault]:
    """Faults of the files named in the data section, even when other sections cannot be decoded."""
    section = document.values.get("data")
    if not isinstance(section, Mapping):
        return []
    try:
        only = decode(_OnlyData, {"data": section})
    except InvalidInput:
        return []  # reported with the rest of the study
    return [_at(document, setting, fault) for setting, fault in file_faults(only.data, base).items()]


def _faults_of_comparison(document: Document) -> list[Fault]:
    """Faults of the models that the study's own is compared with, even when other sections cannot be decoded."""
    if "compare" not in document.values:
        return []
    try:
        only = decode(_OnlyCompared, {name: document.values[name] for name in ("model", "compare") if name in document.values})
    except InvalidInput:
        return []  # reported with the rest of the study
    return list(alternative_faults(only.model, only.compare, document))


@final
@dataclass(frozen=True, kw_only=True)
class _OnlyCompared:
    compare: ModelComparison
    model: JointModel | DomainModel = field(default_factory=JointModel)


@final
@dataclass(frozen=True, kw_only=True)
class _OnlyData:
    data: Source


def _at(document: Document, setting: SettingPath, fault: Fault) -> Fault:
    line = line_of(document.lines, setting)
    return replace(fault, place=document.where if line is None else f"{document.where}:{line}")


def _contradictions(study: Study) -> list[tuple[SettingPath, str]]:
    """Settings that are each possible and do not fit together."""
    found: list[tuple[SettingPath, str]] = []
    model = study.model
    if isinstance(model, DomainModel):
        texts = {*model.terms}
        found += _of_one_outcome(study)
        if study.fit.start_limits:
            fault = 'no drug that was taken enters a model with model.kind = "domains", so that every start is known. Leave it out.'
            found.append((("fit", "start_limits"), f"fit.start_limits: {fault}"))
    else:
        texts = {*model.intercept, *model.slope, *model.hazard, *model.groups}
        found += _of_a_line(study)
        found += _of_causes(study)
        found += _of_a_prediction(study)
    for setting, names in ((("report", "by"), (study.report.by,)), (("baselines", "by"), study.baselines.by)):
        for name in names:
            if name is not None and name not in {*texts, *_CURVES}:
                known = ", ".join(sorted(texts | _CURVES))
                found.append((setting, f"{'.'.join(setting)}: {name!r} is no covariate of the model. Known: {known}."))
    return found


def _of_a_line(study: Study) -> list[tuple[SettingPath, str]]:
    """What a decline other than linear cannot give to a simulated trial."""
    plan, model = study.trial, study.model
    if plan is None or not isinstance(model, JointModel) or model.decline.kind == "linear":
        return []
    from alsmodel.trials.assuring import clock_words
    from alsmodel.trials.checks import spread_faults

    found: list[tuple[SettingPath, str]] = []
    believed = plan.assurance if plan.assurance is not None and plan.assurance.kind == "posterior" else None
    if model.decline.kind == "sigmoid" and (plan.truth.kind == "posterior" or believed is not None):
        found += [(("trial", "effects"), f"trial.effects: {fault}") for fault in spread_faults(plan.effects)]
    if believed is not None:
        clocked = [t.name for t in model.treatments if t.score == "clock" and t.name == believed.treatment]
        place = ("trial", "assurance", "treatment")
        found += [(place, f"{'.'.join(place)}: {clock_words(name, model.decline.kind)}") for name in clocked]
    return found


def _of_causes(study: Study) -> list[tuple[SettingPath, str]]:
    """What does not fit between the causes of a model and the places that its trial has for them."""
    plan = study.trial
    if plan is None or not isinstance(study.model, JointModel):
        return []
    from alsmodel.trials.intercurrent import cause_faults

    causes = [cause.name for cause in study.model.causes] if plan.truth.kind == "posterior" else []
    return [(("trial", "truth", "kind"), fault) for fault in cause_faults(causes, plan.intercurrent, plan.population.leaving)]


def _of_a_prediction(study: Study) -> list[tuple[SettingPath, str]]:
    """Models that make no prediction of survival at screening."""
    plan = study.trial
    # People of a record have the prediction of `inference.dynamic`, which knows more shapes.
    if plan is None or plan.population.prognosis is None or not isinstance(study.model, JointModel):
        return []
    from alsmodel.inference.screening import refusals

    place = ("trial", "population", "prognosis")
    return [(place, f"{'.'.join(place)}: {fault} {remedy}") for fault, remedy in refusals(study.model)]


def _of_one_outcome(study: Study) -> list[tuple[SettingPath, str]]:
    """What a model of several outcomes cannot give to a simulated trial."""
    plan = study.trial
    if plan is None:
        return []
    found: list[tuple[SettingPath, str]] = []
    other = 'a simulated trial follows one score, and model.kind = "domains" has several'
    if plan.truth.kind == "posterior":
        remedy = 'Choose "resampled" or "named", or a study of its own with model.kind = "joint".'
        found.append((("trial", "truth", "kind"), f'trial.truth.kind: "posterior" takes the population of the fit; {other}. {remedy}'))
    if plan.prognosis is not None:
        section = "truth" if plan.truth.kind == "resampled" else "population"
        remedy = 'Leave the section out, or give a study of its own with model.kind = "joint".'
        found.append((("trial", section, "prognosis"), f"trial.{section}.prognosis predicts survival by the fit; {other}. {remedy}"))
    if plan.assurance is not None and plan.assurance.kind == "posterior":
        remedy = 'Choose "prior", or a study of its own with model.kind = "joint".'
        place = ("trial", "assurance", "kind")
        found.append((place, f'trial.assurance.kind: "posterior" takes the effect of the fit; {other}. {remedy}'))
    return found


#: Groups that the analysis keeps for curves, covariate or not.
_CURVES = {"arm", "phenotype", "onset_site"}
