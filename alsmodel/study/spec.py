"""One study as one frozen object, and the way from a TOML file to it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, final

from alsmodel.errors import Fault, InvalidInput
from alsmodel.models.spec import JointModel
from alsmodel.settings import Document, decode, load_toml
from alsmodel.settings.reading import in_file_order
from alsmodel.settings.toml import SettingPath, line_of
from alsmodel.study.data import Source, file_faults
from alsmodel.study.sampling import Sampling
from alsmodel.trials.settings import TrialSettings


@final
@dataclass(frozen=True, kw_only=True)
class IntercurrentEvent:
    """Something after the time origin that changes what a score means, and how the estimand treats it.

    Attributes
    ----------
    event : str
        Such as ``death`` or ``permanent ventilation``.
    strategy : str
        In words; ICH E9(R1) names treatment policy, hypothetical, composite, while on treatment, principal stratum.
    """

    event: str
    strategy: str


@final
@dataclass(frozen=True, kw_only=True)
class Estimand:
    """What is estimated, in the words of ICH E9(R1).

    Attributes
    ----------
    population, treatment, variable, summary : str
        Who, under what, measured how, and the number that sums it up.
    intercurrent_events : tuple of IntercurrentEvent
        Death among them, always.
    """

    population: str
    treatment: str = "none is compared"
    variable: str
    summary: str
    intercurrent_events: tuple[IntercurrentEvent, ...]

    def __post_init__(self) -> None:
        if not any("death" in each.event.lower() for each in self.intercurrent_events):
            raise ValueError("intercurrent_events must say how death is treated.")


@final
@dataclass(frozen=True, kw_only=True)
class BaselinePlan:
    """Classical survival analyses beside the fit.

    Attributes
    ----------
    run : bool
        Whether to run them.
    by : tuple of str
        Text covariates whose levels get a Kaplan-Meier curve of their own.
    """

    run: bool = True
    by: tuple[str, ...] = ()


@final
@dataclass(frozen=True, kw_only=True)
class ReportPlan:
    """What the report puts first.

    Attributes
    ----------
    by : str or None
        Text covariate whose levels get a trajectory and a survival curve each.
    parameter : str or None
        The parameter that answers the question, such as ``slope:onset_site[bulbar]``.
    meaningful : float or None
        Smallest benefit of a drug that matters to somebody: a share of the slope (0.2 is 20% slower decline) on the clock,
        points per unit of time for an additive effect.
    success : float or None
        Probability of any benefit of a randomised treatment from which the study calls it a success.
    horizon : float or None
        Time, in the model's unit, at which survival is told in words and where curves end; without it the end of the
        follow-up that a tenth of the participants reach.
    synthetic : bool
        Say at the top that no participant exists.
    small_cells : bool
        Print counts of 1 to 4 people in descriptive tables as they are.
    """

    by: str | None = None
    parameter: str | None = None
    meaningful: float | None = None
    success: float | None = None
    horizon: float | None = None
    synthetic: bool = False
    small_cells: bool = False

    def __post_init__(self) -> None:
        faults = []
        if self.success is not None and not 0.5 <= self.success < 1:
            faults.append(f"success is a probability from 0.5 and below 1; got {self.success}.")
        if self.horizon is not None and not 0 < self.horizon < float("inf"):
            faults.append(f"horizon is a time above 0; got {self.horizon}.")
        if faults:
            raise ValueError(" ".join(faults))


@final
@dataclass(frozen=True, kw_only=True)
class Study:
    """Everything that a study's results depend on, but the data themselves.

    Attributes
    ----------
    title, question : str
        For the report's first page.
    seed : int
        All randomness comes from it.
    data : TablesSource, ProactSource or CohortSource
        Where the data are; told apart by ``format``.
    model : JointModel
        Decline and survival.
    estimand : Estimand
        What is estimated.
    sampling : Sampling
        Chains and draws.
    baselines : BaselinePlan
        Classical analyses.
    trial : TrialSettings or None
        A trial to simulate.
    report : ReportPlan
        What the report puts first.
    """

    title: str
    question: str
    seed: int = 1
    data: Source
    estimand: Estimand
    model: JointModel = field(default_factory=JointModel)
    sampling: Sampling = field(default_factory=Sampling)
    baselines: BaselinePlan = field(default_factory=BaselinePlan)
    trial: TrialSettings | None = None
    report: ReportPlan = field(default_factory=ReportPlan)

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be from 0 to {2**32 - 1}; got {self.seed}.")


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
        path = tuple(fault.place.split("."))
        if path[0] not in {each.name for each in fields(Study)}:
            return fault
        line = line_of(self.lines, path)
        place = self.path.name if line is None else f"{self.path.name}:{line}"
        return replace(fault, place=place, message=f"{fault.place}: {fault.message}")

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
    if need_data:
        faults += _data_faults(document, Path(path).parent)
    if study is not None:
        faults += [_at(document, setting, Fault("", message)) for setting, message in _contradictions(study)]
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


@final
@dataclass(frozen=True, kw_only=True)
class _OnlyData:
    data: Source


def _at(document: Document, setting: SettingPath, fault: Fault) -> Fault:
    line = line_of(document.lines, setting)
    return replace(fault, place=document.where if line is None else f"{document.where}:{line}")


def _contradictions(study: Study) -> list[tuple[SettingPath, str]]:
    """Settings that are each possible and do not fit together."""
    found: list[tuple[SettingPath, Any]] = []
    model = study.model
    texts = {*model.intercept, *model.slope, *model.hazard}
    for setting, names in ((("report", "by"), (study.report.by,)), (("baselines", "by"), study.baselines.by)):
        for name in names:
            if name is not None and name not in {*texts, *_CURVES}:
                known = ", ".join(sorted(texts | _CURVES))
                found.append((setting, f"{'.'.join(setting)}: {name!r} is no covariate of the model. Known: {known}."))
    return found


#: Groups that the analysis keeps for curves, covariate or not.
_CURVES = {"arm", "phenotype", "onset_site"}
