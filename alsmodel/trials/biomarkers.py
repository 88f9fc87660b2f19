"""Biomarkers of a virtual trial, such as neurofilament: how they run untreated, what treatment does to them, when they are measured.

    value_i(t) = mean + sd Z_i + per_slope (slope_i - mean slope) + trend t + effect_i(t),   measured with N(0, residual_sd^2) at visits

on whatever scale is named, for neurofilament the log of its concentration. slope_i is the participant's own untreated slope of the score
from the first planned visit to the last, so that a biomarker may tell fast decliners from slow ones. The effect of treatment is a change of
its own, apart from that on the score: a drug may lower a biomarker and leave decline alone, or the other way round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from alsmodel.settings.names import nearest
from alsmodel.settings.salvage import Check
from alsmodel.trials.analyses import AbstractAnalysis

if TYPE_CHECKING:
    from alsmodel.trials.designs import ParallelDesign
    from alsmodel.trials.effects import Effect
    from alsmodel.trials.population import Population

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]

#: First purpose of their random numbers; each has 1,024 of its own, by its name.
PURPOSE_BIOMARKER = 2**44
_OWN_LEVEL, _MISSED, _FIRST_VISIT, _SCREENING, _PURPOSES = 0, 512, 1, 1023, 1024


@final
@dataclass(frozen=True, kw_only=True)
class Biomarker:
    """One biomarker, measured at visits at which the participant is seen.

    Attributes
    ----------
    name : str
        As analyses, effects and tables call it.
    mean, sd : float
        Mean and SD between participants of the own level at month 0, on the scale of the analysis.
    residual_sd : float
        SD within a participant from visit to visit, assay included.
    per_slope : float
        Units per point per month that the own untreated slope lies above the truth's mean; negative where fast decliners have more of it.
    trend : float
        Units per month, untreated.
    better : "lower" or "higher"
        Which difference is a benefit of the active arm.
    visits : tuple of float
        Those of the design's visits at which it is taken, the first among them; empty is all that are not by phone.
    missing_probability : float
        Chance that a sample which should be there is not, at visits after the first.
    """

    name: str
    mean: float
    sd: float
    residual_sd: float
    per_slope: float = 0.0
    trend: float = 0.0
    better: Literal["lower", "higher"] = "lower"
    visits: tuple[float, ...] = ()
    missing_probability: float = 0.0

    def __post_init__(self) -> None:
        faults = []
        if not self.name.strip():
            faults.append("it needs a name, e.g. 'neurofilament'.")
        for name in ("mean", "per_slope", "trend"):
            if not np.isfinite(getattr(self, name)):
                faults.append(f"{name} must be finite; got {getattr(self, name)}.")
        if not (np.isfinite(self.sd) and self.sd >= 0):
            faults.append(f"sd must be at least 0; got {self.sd}.")
        if not (np.isfinite(self.residual_sd) and self.residual_sd > 0):
            faults.append(f"residual_sd must be above 0; got {self.residual_sd}.")
        if not 0 <= self.missing_probability < 1:
            faults.append(f"missing_probability is a probability in [0, 1); got {self.missing_probability}.")
        if faults:
            raise ValueError(f"Biomarker {self.name!r}: " + " ".join(faults))

    def sampled(self, design: "ParallelDesign") -> npt.NDArray[np.bool_]:
        """Which of the design's visits it is taken at, shape (V,)."""
        visits = self.visits or tuple(visit for visit in design.visits if visit not in design.phone_visits)
        return np.isin(design.visits, visits)


class Marked(Protocol):
    """What of a trial has to do with biomarkers."""

    @property
    def design(self) -> "ParallelDesign": ...
    @property
    def population(self) -> "Population": ...
    @property
    def biomarkers(self) -> tuple[Biomarker, ...]: ...
    @property
    def analyses(self) -> tuple[AbstractAnalysis, ...]: ...
    @property
    def effects(self) -> "tuple[Effect, ...]": ...


def biomarker_checks(trial: Marked) -> list[Check]:
    """What does not fit together between the biomarkers and the rest of a trial, check by check."""
    return [
        lambda: _own_faults(trial.biomarkers, trial.design),
        lambda: _outcome_faults(trial),
        lambda: [fault for name in trial.population.screened for fault in _unknown("population.screened names", name, trial.biomarkers)],
        lambda: [
            fault
            for effect in trial.effects
            for name in effect.biomarkers
            for fault in _unknown(f"effect {effect.name!r}: biomarkers names", name, trial.biomarkers)
        ],
    ]


def _own_faults(biomarkers: Sequence[Biomarker], design: "ParallelDesign") -> list[str]:
    names = [each.name for each in biomarkers]
    faults = [f"Two biomarkers share a name: {names}. Give each its own."] if len(set(names)) < len(names) else []
    for each in biomarkers:
        strange = [visit for visit in each.visits if visit not in design.visits]
        if strange:
            faults.append(f"biomarker {each.name!r}: visits are some of the design's; {strange} are not among {list(design.visits)}.")
        elif not each.sampled(design)[0] or each.sampled(design).sum() < 2:
            faults.append(f"biomarker {each.name!r} needs a sample at the first visit, month {design.visits[0]:g}, and one after it.")
    return faults


def _outcome_faults(trial: Marked) -> list[str]:
    known = {each.name: each for each in trial.biomarkers}
    faults = []
    for analysis in trial.analyses:
        if not analysis.outcome:
            continue
        faults += _unknown(f"{analysis.label}: outcome is", analysis.outcome, trial.biomarkers)
        if analysis.outcome in known:
            taken = known[analysis.outcome].sampled(trial.design)
            if sum(visit <= (analysis.until or np.inf) for visit in np.array(trial.design.visits)[taken]) < 2:
                faults.append(f"{analysis.label}: {analysis.outcome} is taken once only by then.")
    return faults


def _unknown(said: str, name: str, biomarkers: Sequence[Biomarker]) -> list[str]:
    names = [each.name for each in biomarkers]
    if name in names:
        return []
    known = f"Known: {', '.join(names)}." if names else "The trial has none; add [[trial.biomarkers]]."
    return [f"{said} {name!r}, which is no biomarker of the trial. {nearest(name, names, otherwise=known)}"]


def true_values(biomarker: Biomarker, months: Floats, person: Integers, faster: Floats, keys: Keys, gained: Floats) -> Floats:
    """Values without the error of measurement, shape (R, n, V).

    Parameters
    ----------
    biomarker : Biomarker
    months : array, shape (V,)
    person : array of int, shape (R, n)
        Numbers in the random streams of each trial.
    faster : array, shape (R, n)
        By how much the own untreated slope lies above the truth's mean.
    keys : array of uint64, shape (R,)
    gained : array, shape (R, n, V)
        What treatment adds.
    """
    own = biomarker.mean + biomarker.sd * _numbers(biomarker, person, keys, _OWN_LEVEL) + biomarker.per_slope * faster
    return np.asarray(own[..., None] + biomarker.trend * months + gained)


def measured(biomarker: Biomarker, values: Floats, person: Integers, keys: Keys, sampled: npt.NDArray[np.bool_]) -> Floats:
    """Values as they are measured, NaN at visits at which none is; shape (R, n, V)."""
    found = np.full(values.shape, np.nan)
    for v in np.flatnonzero(sampled):
        found[..., v] = values[..., v] + biomarker.residual_sd * _numbers(biomarker, person, keys, _FIRST_VISIT + int(v))
        if biomarker.missing_probability and v:
            missed = _numbers(biomarker, person, keys, _MISSED + int(v), gaussian=False) < biomarker.missing_probability
            found[..., v] = np.where(missed, np.nan, found[..., v])
    return found


def at_screening(biomarker: Biomarker, values: Floats, months: tuple[float, float], person: Integers, keys: Keys) -> Floats:
    """A biomarker as the screening visit measures it, shape (R, n): its untreated run backwards, with an error of its own.

    Parameters
    ----------
    biomarker : Biomarker
    values : array, shape (R, n)
        True untreated values at the first planned visit.
    months : (float, float)
        From screening to month 0, and from there to the first planned visit.
    person : array of int, shape (R, n)
    keys : array of uint64, shape (R,)
    """
    earlier = values - biomarker.trend * sum(months)
    return np.asarray(earlier + biomarker.residual_sd * _numbers(biomarker, person, keys, _SCREENING))


def _numbers(biomarker: Biomarker, person: Integers, keys: Keys, which: int, *, gaussian: bool = True) -> Floats:
    """Numbers of these participants, addressed by the name of the biomarker and their use."""
    from alsmodel.patients.course import draws

    purpose = PURPOSE_BIOMARKER + crc32(biomarker.name.encode()) * _PURPOSES + which
    return np.take_along_axis(draws(keys, 0, int(person.max()) + 1, purpose, gaussian), person, axis=1)


def words_of(biomarkers: Sequence[Biomarker]) -> list[str]:
    """How each runs and is measured, a sentence each."""
    return [
        f"Biomarker {each.name}: {each.mean:g} (SD {each.sd:g} between participants, {each.residual_sd:g} within), {each.trend:+g} a month "
        f"and {each.per_slope:+g} per point per month of the own untreated slope above the mean; {each.better} is better."
        for each in biomarkers
    ]
