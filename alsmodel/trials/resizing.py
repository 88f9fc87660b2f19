"""A block of virtual trials whose size is set anew at a look: who is in at the end, and the statistic of two stages.

Trials are followed at their largest possible size; who comes after the size that was set is taken out again. A trial
that keeps its size is therefore the same trial as without re-estimation, person by person.
"""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
import numpy.typing as npt

from alsmodel.trials.adaptation import final_statistic, reestimate
from alsmodel.trials.analyses import Analysed
from alsmodel.trials.indicators import analysed
from alsmodel.trials.looks import Look
from alsmodel.trials.opening import Opened, open_data, timed, z_of
from alsmodel.trials.reestimation import AbstractBlinded, PromisingSize
from alsmodel.trials.trial import Scenario, Trial
from alsmodel.trials.world import Enrolled, Integers, Observed

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@final
@dataclass(frozen=True, kw_only=True)
class Resized:
    """R trials after their look.

    Attributes
    ----------
    enrolled, arm, seen
        The trial at its final size; arm -1 and nothing seen for those who are not in it.
    opened : Opened
        The data at the look.
    looked : array of bool, shape (R,)
        The look came before the trial's end.
    participants : array of int, shape (R,)
        Final size.
    value : array, shape (R,)
        Pooled SD, pooled event rate, or conditional power; NaN without a look.
    first : Analysed or None
        The comparison at an unblinded look.
    calendar : array, shape (R, n)
        Calendar month of randomisation of everyone who might be in the trial, with the pause of recruitment before the look.
    """

    enrolled: Enrolled
    arm: Integers
    seen: Observed
    opened: Opened
    looked: Bools
    participants: Integers
    value: Floats
    first: Analysed | None
    calendar: Floats

    def month_of(self, look: Look, trial: Trial, planned: int, final_month: Floats) -> Floats:
        """Calendar month of another look in each trial; shape (R,).

        Shares are of the planned number until the size is set anew, and of the new number from then on; a look that the new number would
        put before that comes with it.
        """
        observed = timed(trial, self.seen)
        inside = np.where(self.arm >= 0, self.calendar, np.inf)
        if look.when in ("month", "events"):
            return look.cutoff(inside, *observed, final_month)
        as_planned = look.cutoff(self.calendar[:, :planned], *observed, np.full(final_month.shape, np.inf))
        anew = look.cutoff(inside, *observed, np.full(final_month.shape, np.inf), self.participants)
        set_at = self.opened.month
        month = np.where(as_planned <= set_at, as_planned, np.maximum(anew, set_at))
        return np.asarray(np.minimum(month, final_month))


def resize(scenario: Scenario, enrolled: Enrolled, arm: Integers, seen: Observed) -> Resized:
    """Set the size of every trial of a block, which comes at its largest."""
    design, planned = scenario.trial.design, scenario.participants
    rule = design.reestimation
    assert rule is not None
    trials, most = arm.shape
    end = enrolled.month[:, :planned].max(axis=1) + design.duration
    time, event = timed(scenario.trial, seen)
    month = rule.look.cutoff(enrolled.month[:, :planned], time[:, :planned], event[:, :planned], end)
    looked = month < end
    # Recruitment stops at the planned size and is taken up again at the look: nobody beyond it comes before.
    pause = np.maximum(month - enrolled.month[:, planned - 1], 0.0)
    later = np.arange(most) >= planned
    enrolled = replace(enrolled, month=enrolled.month + np.where(later, pause[:, None], 0.0))
    at_look = _only(enrolled, arm, seen, np.full(trials, planned))
    opened = open_data(scenario.trial, *at_look, month)
    value, factor, first = np.full(trials, np.nan), np.full(trials, np.nan), None
    if isinstance(rule, AbstractBlinded):
        value = np.where(looked, rule.pooled(opened.data.under(scenario.trial.analyses[0])), np.nan)
        factor = rule.factor(value, design.duration)
    elif isinstance(rule, PromisingSize):
        first = analysed(scenario.trial.analyses[0], opened.data)
        found = reestimate(rule.zone(scenario.trial.decision.bound), z_of(first))
        value = np.where(looked, found.conditional_power, np.nan)
        factor = np.where(looked & np.isfinite(value), found.maximum, np.nan)
    came = (enrolled.month[:, :planned] <= month[:, None]).sum(axis=1)
    size = np.minimum(np.maximum(rule.sizes(factor, planned, sum(design.allocation)), came), most)
    kept = _only(enrolled, arm, seen, np.where(looked, size, planned))
    return Resized(
        enrolled=kept[0], arm=kept[1], seen=kept[2], opened=opened, looked=looked, participants=np.where(looked, size, planned),
        value=value, first=first, calendar=enrolled.month,
    )  # fmt: skip


def statistic(scenario: Scenario, resized: Resized, last: Analysed) -> Floats:
    """Final z of the analysis that decides: of two stages where the rule says so, and the ordinary one elsewhere.

    Information is taken as planned: `fraction` of it at the look, and in proportion to the participants at the end, so that the share
    at the look is w = fraction x planned / final size. The second stage is z2 = (z - sqrt(w) z1) / sqrt(1 - w), and a trial that keeps
    its size keeps the ordinary test.
    """
    rule, ordinary = scenario.trial.design.reestimation, z_of(last)
    first = resized.first
    if not isinstance(rule, PromisingSize) or rule.statistic == "ordinary" or first is None:
        return ordinary
    before = z_of(first)
    share = rule.fraction * scenario.participants / resized.participants
    second = (ordinary - np.sqrt(share) * before) / np.sqrt(1 - share)
    combined = final_statistic(rule.zone(scenario.trial.decision.bound), before, second, np.ones(before.shape))
    return np.where(resized.looked & np.isfinite(before), combined, ordinary)


def _only(enrolled: Enrolled, arm: Integers, seen: Observed, size: Integers) -> tuple[Enrolled, Integers, Observed]:
    """The first participants of each trial; of the others nothing is left."""
    out = np.arange(arm.shape[1]) >= size[:, None]
    if not out.any():
        return enrolled, arm, seen
    observed = Observed(
        scores=np.where(out[..., None], np.nan, seen.scores),
        months=seen.months,
        event_time=np.where(out, 0.0, seen.event_time),
        event=np.where(out, 0, seen.event),
        left=np.where(out, np.inf, seen.left),
        intercurrent={name: np.where(out, np.inf, when) for name, when in seen.intercurrent.items()},
        biomarkers=seen.biomarkers,  # nothing is opened of who has no score
    )
    return replace(enrolled, month=np.where(out, 0.0, enrolled.month)), np.where(out, -1, arm), observed
