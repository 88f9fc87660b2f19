"""What is known of virtual trials when their data are opened."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from alsmodel.patients.course import cut
from alsmodel.trials.analyses import Analysed, Measured, TrialData, normal_size
from alsmodel.trials.designs import ParallelDesign
from alsmodel.trials.intercurrent import strategies_of
from alsmodel.trials.strategies import counted
from alsmodel.trials.trial import Trial
from alsmodel.trials.world import Enrolled, Integers, Observed

Floats = npt.NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True)
class Opened:
    """The data of R trials at one analysis, and when that was.

    Attributes
    ----------
    data : TrialData
    month : array, shape (R,)
        Calendar month.
    left : array of int, shape (R,)
        Participants who had left.
    """

    data: TrialData
    month: Floats
    left: Integers


def open_data(trial: Trial, enrolled: Enrolled, arm: Integers, seen: Observed, month: Floats | None) -> Opened:
    """What is known of each trial at a calendar month; None is the end of everyone's follow-up."""
    design = trial.design
    end = final_month(design, enrolled)
    actual = seen.months if design.visit_window_days > 0 else None
    shared: dict[str, Any] = {"months": np.array(design.visits, dtype=np.float64), "actual": actual, "columns": enrolled.columns}
    shared["strategies"] = {event.name: event.strategy for event in trial.intercurrent}
    if month is None:
        data = TrialData(
            scores=seen.scores, arm=arm, event_time=seen.event_time, event=seen.event, intercurrent=seen.intercurrent,
            biomarkers=_measured(trial, seen, seen.scores), **shared,
        )  # fmt: skip
        return Opened(data=data, month=end, left=np.isfinite(seen.left).sum(axis=1))
    scores, time, event, who = cut(seen.scores, seen.months, seen.event_time, seen.event, arm, enrolled.month, month)
    # By the calendar alone, so that nobody's own course decides who is counted.
    due = enrolled.month[..., None] + seen.months <= month[:, None, None]
    known = {name: np.where(enrolled.month + when <= month[:, None], when, np.inf) for name, when in seen.intercurrent.items()}
    data = TrialData(
        scores=scores, arm=who, event_time=time, event=event, intercurrent=known, biomarkers=_measured(trial, seen, scores), due=due,
        **shared,
    )  # fmt: skip
    return Opened(data=data, month=month, left=(enrolled.month + seen.left <= month[:, None]).sum(axis=1))


def _measured(trial: Trial, seen: Observed, scores: Floats) -> dict[str, Measured]:
    """Biomarkers by name at the visits at which somebody was seen, as far as they are opened."""
    return {
        each.name: Measured(
            values=np.where(np.isfinite(scores), seen.biomarkers[each.name], np.nan),
            sampled=each.sampled(trial.design),
            lower_is_better=each.better == "lower",
        )
        for each in trial.biomarkers
    }


def timed(trial: Trial, seen: Observed) -> tuple[Floats, Integers]:
    """Times and events that a look by events counts: those of the analysis that decides, where it has the event as an end point."""
    first = trial.analyses[0]
    if "composite" not in first.admits or first.measure == "responder difference":
        return seen.event_time, seen.event
    return counted(seen.event_time, seen.event, seen.intercurrent, strategies_of(trial.intercurrent, first))


def final_month(design: ParallelDesign, enrolled: Enrolled) -> Floats:
    """Calendar month at which the last participant has been followed to the end."""
    return np.asarray(enrolled.month.max(axis=1) + design.duration)


def z_of(result: Analysed) -> Floats:
    """Result on the normal scale, positive in favour of the active arm; NaN where failed."""
    size = normal_size(result.p_value)
    return np.asarray(np.where(result.failed, np.nan, np.where(result.benefit, size, -size)))
