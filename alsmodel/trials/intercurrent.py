"""Intercurrent events of a trial: how each arises, what it does, and the strategy of the estimand for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from alsmodel.settings.names import nearest
from alsmodel.settings.salvage import Check
from alsmodel.trials.analyses import AbstractAnalysis
from alsmodel.trials.strategies import PRINCIPAL, Strategy, strategy_faults

if TYPE_CHECKING:
    from alsmodel.patients.intercurrent import Kinds
    from alsmodel.trials.designs import ParallelDesign
    from alsmodel.trials.effects import Effect

Floats = npt.NDArray[np.float64]

#: Purposes of the random numbers of events lie from here on, at a place given by the event's name: adding one moves no other.
PURPOSE_INTERCURRENT = 1000


@final
@dataclass(frozen=True, kw_only=True)
class Afterwards:
    """What an intercurrent event does from then on; by default nothing.

    Attributes
    ----------
    points : float
        Added to the true score at once, e.g. -3 where a procedure lowers items.
    slope : float
        Points per month added to the slope: 0.3 for a rescue treatment that slows decline.
    hazard_ratio : float
        Multiplier of the hazard of the end point at a given trajectory, e.g. 0.6 for ventilation that prolongs life.
    ends_treatment : bool
        The assigned treatment is given up: its effect on slope and hazards ends, and what was gained is kept.
    ends_scores : bool
        No score is taken afterwards, as after a tracheostomy; the participant stays in follow-up for the end point.
    """

    points: float = 0.0
    slope: float = 0.0
    hazard_ratio: float = 1.0
    ends_treatment: bool = False
    ends_scores: bool = False

    def __post_init__(self) -> None:
        faults = [
            f"{name} must be finite; got {getattr(self, name)}." for name in ("points", "slope") if not np.isfinite(getattr(self, name))
        ]
        if not (np.isfinite(self.hazard_ratio) and self.hazard_ratio > 0):
            faults.append(f"hazard_ratio must be above 0, with 1 for no change; got {self.hazard_ratio}.")
        if faults:
            raise ValueError("afterwards: " + " ".join(faults))


@final
@dataclass(frozen=True, kw_only=True)
class Intercurrent:
    """One kind of intercurrent event, such as ventilation, gastrostomy, tracheostomy or rescue treatment; once at most in each participant.

    Attributes
    ----------
    name : str
        As analyses, effects and tables call it.
    hazard : float or "fit"
        Events per month for a participant whose true score and slope are the truth's means, above 0; or "fit": the hazard of the cause of
        this name in the fit that the truth is taken from, and after the event what the fit says comes after that cause.
    hazard_per_point : float
        Log hazard per point that the *true* current score lies above the truth's mean at month 0; negative makes those who are worse have
        it sooner, so that the event is informative through what nobody sees.
    hazard_per_slope : float
        Log hazard per point per month that the own current slope lies above the truth's mean.
    score_below : float or None
        It comes only while the true score is below this: a threshold of the guideline. None is no threshold.
    from_month : float
        Month after randomisation before which it cannot come.
    afterwards : Afterwards
        What it does from then on.
    strategy : "treatment policy", "hypothetical", "composite" or "while on treatment"
        Of every analysis that names none in its own `strategies`; see `alsmodel.trials.strategies`.
    """

    name: str
    hazard: float | Literal["fit"]
    hazard_per_point: float = 0.0
    hazard_per_slope: float = 0.0
    score_below: float | None = None
    from_month: float = 0.0
    afterwards: Afterwards = field(default_factory=Afterwards)
    strategy: Strategy = "treatment policy"

    def __post_init__(self) -> None:
        faults = []
        if not self.name.strip():
            faults.append("an intercurrent event needs a name, e.g. 'gastrostomy'.")
        if isinstance(self.hazard, str):
            if self.hazard_per_point != 0 or self.hazard_per_slope != 0:
                faults.append('hazard = "fit" brings its own association: leave out hazard_per_point and hazard_per_slope.')
        elif not (np.isfinite(self.hazard) and self.hazard > 0):
            faults.append(f"hazard is events per month, above 0; got {self.hazard}. Leave the event out for none.")
        for name in ("hazard_per_point", "hazard_per_slope", "score_below"):
            value = getattr(self, name)
            if value is not None and not np.isfinite(value):
                faults.append(f"{name} must be finite; got {value}.")
        if not (np.isfinite(self.from_month) and self.from_month >= 0):
            faults.append(f"from_month is months after randomisation, at least 0; got {self.from_month}.")
        if self.strategy == "principal stratum":
            faults.append(f"strategy: {PRINCIPAL}")
        if faults:
            raise ValueError(f"Intercurrent event {self.name!r}: " + " ".join(faults))


class Planned(Protocol):
    """What of a trial has to do with intercurrent events."""

    @property
    def design(self) -> "ParallelDesign": ...
    @property
    def intercurrent(self) -> tuple[Intercurrent, ...]: ...
    @property
    def analyses(self) -> tuple[AbstractAnalysis, ...]: ...
    @property
    def effects(self) -> "tuple[Effect, ...]": ...


def intercurrent_checks(trial: Planned) -> list[Check]:
    """What does not fit together between the intercurrent events and the rest of a trial, check by check."""
    return [
        lambda: _event_faults(trial.intercurrent, trial.design.duration),
        lambda: _strategy_faults(trial.intercurrent, trial.analyses),
        lambda: _ratio_faults([event.name for event in trial.intercurrent], trial.effects),
    ]


def _event_faults(events: Sequence[Intercurrent], duration: float) -> list[str]:
    names, faults = [event.name for event in events], []
    if len(set(names)) < len(names):
        faults.append(f"Two intercurrent events share a name: {names}. Give each its own.")
    late = [event.name for event in events if event.from_month >= duration]
    faults += [f"intercurrent event {name!r} cannot come within the follow-up of {duration:g} months; lower from_month." for name in late]
    return faults


def _strategy_faults(events: Sequence[Intercurrent], analyses: Sequence[AbstractAnalysis]) -> list[str]:
    defaults = {event.name: event.strategy for event in events}
    return [fault for a in analyses for fault in strategy_faults(defaults, a.label, a.admits, a.refuses, a.strategies)]


def _ratio_faults(names: list[str], effects: "Sequence[Effect]") -> list[str]:
    faults = []
    for effect in effects:
        for name in effect.hazard_ratio_of:
            if name not in names:
                known = f"Known: {', '.join(names)}." if names else "The trial has none; add [[trial.intercurrent]]."
                remedy = nearest(name, names, otherwise=known)
                faults.append(f"effect {effect.name!r}: hazard_ratio_of names {name!r}, which is no intercurrent event. {remedy}")
    return faults


def cause_faults(causes: Sequence[str], events: Sequence[Intercurrent], leaving: str | None) -> list[str]:
    """What does not fit between the further causes of a truth and the places that a trial has for them."""
    places = [event.name for event in events if isinstance(event.hazard, str)] + ([] if leaving is None else [leaving])
    known = f"Its causes beside the main one: {', '.join(causes)}." if causes else "The truth has one hazard alone."
    faults = []
    for name in dict.fromkeys(places):
        if name not in causes:
            where = "population.leaving" if name == leaving else 'an intercurrent event with hazard = "fit"'
            remedy = nearest(name, list(causes), otherwise=known)
            faults.append(f"{where} names {name!r}, which is no further cause of the fit that the truth is taken from. {remedy}")
    faults += [f"cause {name!r} of the fit has two places in the trial; keep one." for name in causes if places.count(name) > 1]
    faults += [
        f"cause {name!r} of the fit has no place in the trial. If it is how people leave, name it in population.leaving; otherwise add "
        f'[[trial.intercurrent]] with name = "{name}", hazard = "fit" and the strategy for it.'
        for name in causes
        if name not in places
    ]
    return faults


def strategies_of(events: Sequence[Intercurrent], analysis: AbstractAnalysis) -> dict[str, Strategy]:
    """Strategy of each event in an analysis: its own, or that of the event."""
    return {event.name: analysis.strategies.get(event.name, event.strategy) for event in events}


def words_of(events: Sequence[Intercurrent]) -> list[str]:
    """What may happen and how it is answered, a sentence each."""
    found = []
    for event in events:
        after = event.afterwards
        does = [f"{after.points:+g} points at once"] * (after.points != 0) + [f"{after.slope:+g} points per month"] * (after.slope != 0)
        does += [f"the hazard times {after.hazard_ratio:g}"] * (after.hazard_ratio != 1)
        does += ["the end of treatment"] * after.ends_treatment + ["the end of scores"] * after.ends_scores
        limit = f" once the true score is below {event.score_below:g}" if event.score_below is not None else ""
        then = f"; it means {', '.join(does)} from then on" if does else ""
        rate = "at the fit's hazard" if isinstance(event.hazard, str) else f"{event.hazard:g} per month at the mean score and slope"
        found.append(f"Intercurrent event {event.name}: {rate}{limit}{then}. Strategy: {event.strategy}, unless an analysis names another.")
    return found


def kinds_of(
    events: Sequence[Intercurrent], log_ratio: Mapping[str, Floats], shape: tuple[int, int, int], causes: Sequence[str] = ()
) -> "Kinds":
    """The events as the generator takes them.

    Parameters
    ----------
    events : sequence of Intercurrent
    log_ratio : mapping of str to array, shape (A, G, S)
        Log hazard ratio by arm, group and segment, see `alsmodel.trials.effects.Effect.ratios_of`; none for an event without one.
    shape : tuple of int
        A, G, S.
    causes : sequence of str
        Names of the fit's further causes.
    """
    from alsmodel.patients.intercurrent import Kinds, no_kinds

    if not events:
        return no_kinds()

    def numbers(values: Sequence[float]) -> Floats:
        return np.array(values, dtype=np.float64)

    after = [event.afterwards for event in events]
    return Kinds(
        purpose=np.array([PURPOSE_INTERCURRENT + crc32(event.name.encode()) for event in events], dtype=np.int64),
        log_rate=np.log(numbers([1.0 if isinstance(event.hazard, str) else event.hazard for event in events])),
        per_point=numbers([event.hazard_per_point for event in events]),
        per_slope=numbers([event.hazard_per_slope for event in events]),
        below=numbers([np.inf if event.score_below is None else event.score_below for event in events]),
        from_month=numbers([event.from_month for event in events]),
        log_ratio=np.ascontiguousarray(np.stack([np.broadcast_to(log_ratio.get(event.name, np.float64(0.0)), shape) for event in events])),
        points=numbers([each.points for each in after]),
        slope=numbers([each.slope for each in after]),
        log_hazard=np.log(numbers([each.hazard_ratio for each in after])),
        ends_treatment=np.array([each.ends_treatment for each in after], dtype=np.int64),
        ends_scores=np.array([each.ends_scores for each in after], dtype=np.int64),
        cause=np.array([causes.index(event.name) if isinstance(event.hazard, str) else -1 for event in events], dtype=np.int64),
    )
