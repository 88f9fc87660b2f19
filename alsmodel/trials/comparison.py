"""What a protocol says about the analysis of a real trial: arms, visits and their windows, end point, analyses, subgroups."""

import itertools
from dataclasses import dataclass, field
from typing import ClassVar, Literal, final

from alsmodel.cohort.selection import EventDays
from alsmodel.trials.analyses import AbstractAnalysis, LogRank, RandomSlope
from alsmodel.trials.designs import Decision, Side
from alsmodel.trials.endpoints import ANCOVA, MMRM, Cox, JointRank, Win
from alsmodel.trials.settings import AnyAnalysis

Transformation = Literal["log", "sqrt"]


@final
@dataclass(frozen=True, kw_only=True)
class ComparisonPlan:
    """How the arms of a real trial are compared; day 0 is randomisation, arms are as assigned.

    Attributes
    ----------
    control : str
        Label of the control arm, as recorded in the cohort; upper and lower case are the same.
    active : tuple of str
        Labels of the active arms; an analysis with ``arm = 2`` compares the second of them.
    visits : tuple of float
        Months of the planned visits, from 0, which is the baseline.
    window_days : tuple of float
        How many days either side of its plan a visit counts: one number for all visits after baseline, or one for each. Empty:
        half way to the neighbouring visits, and as far after the last visit as before it.
    ties : "earlier" or "later"
        Which of two assessments equally near to a planned visit is taken.
    outcome : str
        Name in the measurements table; higher is better.
    events : tuple of str
        Kinds of event that end the follow-up, whichever comes first.
    end_point : str or None
        Tag of a survival end point in place of `events`; refused when the source does not record all that it is made of.
    event_days : {"between", "middle", "first known"}
        Day of an event known only to lie between two: the middle or the later of them. "between" keeps both, and is refused where
        there are such events, since the analyses take one day.
    duration : float or None
        Months of planned follow-up; events after it are not counted. None: as long as anybody was followed.
    covariates, strata : tuple of str
        Baseline columns (or, for strata, conditions) that every analysis adjusts for which can and names none itself.
        ``baseline`` is the outcome at baseline.
    transforms : dict
        Covariate to "log" or "sqrt", taken before a missing value gets the pooled mean.
    subgroups : tuple of str
        Baseline columns of words, or conditions such as ``age >= 65``.
    responder_points : tuple of float
        Points lost since baseline below which somebody counts as a responder, for the table of responders.
    analyses : tuple
        As in ``[trial.analyses]``.
    alpha : float
        Significance level.
    side : "two-sided" or "one-sided"
        One-sided: all of alpha on benefit of the active arm.
    """

    control: str
    active: tuple[str, ...]
    visits: tuple[float, ...]
    window_days: tuple[float, ...] = ()
    ties: Literal["earlier", "later"] = "earlier"
    outcome: str = "alsfrs_r_total"
    events: tuple[str, ...] = ("death",)
    end_point: str | None = None
    event_days: EventDays = "between"
    duration: float | None = None
    covariates: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    transforms: dict[str, Transformation] = field(default_factory=dict)
    subgroups: tuple[str, ...] = ()
    responder_points: tuple[float, ...] = (6.0,)
    analyses: tuple[AnyAnalysis, ...] = (MMRM(), ANCOVA(), RandomSlope(time="actual"), LogRank(method="cox"), Cox(), JointRank(), Win())
    alpha: float = 0.05
    side: Side = "two-sided"

    def __post_init__(self) -> None:
        faults = [*self._arm_faults(), *self._visit_faults()]
        if not self.events and self.end_point is None:
            faults.append("events is empty and no end_point is given; name what ends the follow-up, such as death.")
        if self.duration is not None and not 0 < self.duration < float("inf"):
            faults.append(f"duration is months of follow-up, above 0; got {self.duration}.")
        elif self.duration is not None:
            faults += self._follow_up_faults(self.duration)
        if any(not 0 < points < float("inf") for points in self.responder_points):
            faults.append(f"responder_points are points lost since baseline, above 0; got {list(self.responder_points)}.")
        labels = [a.label for a in self.analyses]
        if not labels:
            faults.append("analyses is empty; give at least one.")
        if len(set(labels)) < len(labels):
            faults.append(f"Two analyses share a name: {labels}. Leave one out or set them apart.")
        for analysis in self.analyses:
            if analysis.until is not None:
                faults.append(f"{analysis.label}: until is for virtual trials; of a real one give duration and visits.")
            if analysis.outcome:
                faults.append(
                    f"{analysis.label}: outcome is for biomarkers of virtual trials; of a real one name it as the plan's outcome."
                )
            if analysis.strategies:
                faults.append(f"{analysis.label}: strategies are for virtual trials; of a real one name what ends the follow-up in events.")
            if not 1 <= analysis.arm <= len(self.active):
                faults.append(f"{analysis.label} compares arm {analysis.arm}; the plan has active arms 1 to {len(self.active)}.")
        try:
            self.decision  # noqa: B018  (its own check)
        except ValueError as error:
            faults.append(str(error))
        if faults:
            raise ValueError(" ".join(faults))

    def _arm_faults(self) -> list[str]:
        labels = [label.strip().lower() for label in (self.control, *self.active)]
        faults = [] if self.active else ["active names no arm; a comparison needs two."]
        if len(set(labels)) < len(labels) or not all(labels):
            faults.append(f"control and active must be different labels; got {[self.control, *self.active]}.")
        return faults

    def _visit_faults(self) -> list[str]:
        faults = []
        months = self.visits
        if len(months) < 2 or months[0] != 0 or any(not a < b < float("inf") for a, b in itertools.pairwise(months)):
            faults.append(f"visits are months in rising order from 0, at least two; got {list(months)}.")
        if len(self.window_days) not in (0, 1, max(len(months) - 1, 1)):
            faults.append(
                f"window_days has {len(self.window_days)} numbers; give one for all, or one for each of {len(months) - 1} visits."
            )
        if any(not 0 < days < float("inf") for days in self.window_days):
            faults.append(f"window_days are days above 0; got {list(self.window_days)}.")
        return faults

    def _follow_up_faults(self, duration: float) -> list[str]:
        """Visits and horizons beyond the planned follow-up, one sentence each."""
        late = [month for month in self.visits if month > duration]
        faults = [f"visits {late} lie beyond the duration of {duration:g} months. Lengthen duration or drop them."] if late else []
        for analysis in self.analyses:
            if (getattr(analysis, "horizon", None) or 0.0) > duration:
                faults.append(f"{analysis.label}: its horizon lies beyond the duration of {duration:g} months.")
        return faults

    @property
    def decision(self) -> Decision:
        """Alpha and side as one rule."""
        return Decision(alpha=self.alpha, side=self.side)

    @property
    def follows(self) -> str:
        """What ends the follow-up, in words."""
        return self.end_point or " or ".join(self.events)


@final
class AtDeath:
    """What each analysis makes of death: the strategy of its estimand in the words of ICH E9(R1)."""

    HYPOTHETICAL: ClassVar[str] = "hypothetical: scores had nobody died or left"
    WORDS: ClassVar[dict[str, str]] = {
        "mmrm": HYPOTHETICAL,
        "reference_based": "hypothetical: scores had nobody died; whoever left is imputed only while alive",
        "random_slope": HYPOTHETICAL,
        "ancova": "while alive: those seen at the last visit only",
        "responder": "composite: death and absence are no response",
        "joint_rank": "composite: death ranks below every score",
        "win": "composite: survival decides first",
        "time_to_drop": "composite: death counts as a drop",
        "participant_slopes": "while alive: a line through the scores that there are",
    }

    @classmethod
    def of(cls, analysis: AbstractAnalysis, plan: ComparisonPlan) -> str:
        """The words for one analysis; those of survival depend on the end point."""
        kind = str(getattr(analysis, "kind", ""))
        if kind in cls.WORDS:
            return cls.WORDS[kind]
        return "part of the end point" if "death" in plan.follows.lower() else "censored at death: not a probability of the event"
