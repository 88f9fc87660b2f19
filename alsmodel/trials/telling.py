"""One virtual trial told look by look, as its own committee would see it."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from alsmodel.trials.analyses import Analysed
from alsmodel.trials.block import family_errors, family_looks_of, family_z, looks_of, trial_keys
from alsmodel.trials.families import adjusted
from alsmodel.trials.family_watch import FamilyWatch, family_names, family_watch
from alsmodel.trials.indicators import analysed
from alsmodel.trials.information import watch
from alsmodel.trials.intercurrent import strategies_of
from alsmodel.trials.opening import Opened, open_data, z_of
from alsmodel.trials.reestimation import PromisingSize
from alsmodel.trials.resizing import Resized, resize, statistic
from alsmodel.trials.trial import Scenario, Trial
from alsmodel.trials.world import Enrolled, Integers, Observed, assign, enrol, observe

_RESIZING = "blinded re-estimation"


@final
@dataclass(frozen=True, kw_only=True)
class Told:
    """One analysis of one virtual trial.

    Attributes
    ----------
    look : int
        From 1; the final analysis is the last.
    month : float
        Calendar month at which the data were opened.
    arm, participants, events, left, scores : tuple of int
        By arm: number of the arm, randomised, events, left, scores taken.
    analysis : str
    estimate, standard_error, p_value, z : float
        NaN when failed.
    efficacy, futility : float
        Bounds on the z scale; infinite where none is.
    adjusted_p : float
        P value after adjustment for the family of hypotheses, of the decision's side; NaN outside one.
    intercurrent : tuple of (str, str, tuple of int)
        Intercurrent events: name, strategy in this analysis, and participants who had it by arm.
    level : float
        Level at which a hypothesis of a family was tested at this look; NaN without one.
    information : float
        Information fraction of an interim look, where alpha is spent by it; NaN otherwise.
    status : str
        How the fit ended, in words.
    decision : str
        "goes on", "stops for efficacy", "stops for futility", "ends with all of alpha spent", "claim", "no claim".
    """

    look: int
    month: float
    arm: tuple[int, ...]
    participants: tuple[int, ...]
    events: tuple[int, ...]
    left: int
    scores: tuple[int, ...]
    analysis: str
    estimate: float
    standard_error: float
    p_value: float
    z: float
    efficacy: float
    futility: float
    decision: str
    adjusted_p: float = np.nan
    level: float = np.nan
    information: float = np.nan
    intercurrent: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
    status: str = "ok"

    def __str__(self) -> str:
        counts = "; ".join(
            f"arm {a}: {n} randomised, {e} with the event, {s} scores"
            for a, n, e, s in zip(self.arm, self.participants, self.events, self.scores, strict=True)
        )
        bounds = [f"{name} {bound:.3f}" for name, bound in (("efficacy", self.efficacy), ("futility", self.futility)) if np.isfinite(bound)]
        held = f" against {', '.join(bounds)}" if bounds else ""
        held += f" at information {self.information:.3f}" if np.isfinite(self.information) else ""
        adjusted = f" ({self.adjusted_p:.4f} adjusted)" if np.isfinite(self.adjusted_p) else ""
        result = f"{self.estimate:.3f} (SE {self.standard_error:.3f}), p = {self.p_value:.4f}{adjusted}, z = {self.z:.2f}{held}"
        if np.isnan(self.p_value) and np.isnan(self.standard_error):
            result = f"pooled value {self.estimate:.4g}" if np.isfinite(self.estimate) else f"no result ({self.status}){held}"
        happened = "".join(
            f" {name} in {' and '.join(f'{n} of arm {a}' for a, n in zip(self.arm, numbers, strict=True))} ({strategy})."
            for name, strategy, numbers in self.intercurrent
        )
        return (
            f"Month {self.month:.1f}, look {self.look}. {counts}; {self.left} left.{happened} {self.analysis}: {result}: {self.decision}."
        )


def example(trial: Trial, *, replicate: int = 0, seed: int | None = None) -> list[Told]:
    """Tell one virtual trial of a trial's first scenario, look by look and, at its end, analysis by analysis.

    Parameters
    ----------
    trial : Trial
    replicate : int
        Which virtual trial; the same one that a simulation counts under this number.
    seed : int, optional
        In place of the trial's own.
    """
    trial = trial if seed is None else replace(trial, seed=seed)
    scenario = trial.scenarios[0]
    trial = scenario.trial
    keys = trial_keys(trial, replicate, replicate + 1)
    enrolled = enrol(trial, keys, scenario.most)
    arm = assign(trial.design, enrolled, keys)
    events, biomarkers = trial.intercurrent, trial.biomarkers
    seen = observe(trial.design, trial.population, enrolled, scenario.effect, arm, keys, events=events, biomarkers=biomarkers)
    told, month = [], None
    resized = None
    if trial.design.reestimation is not None:
        resized = resize(scenario, enrolled, arm, seen)
        enrolled, arm, seen = resized.enrolled, resized.arm, resized.seen
        told += _retold(scenario, resized)
    watched, family = watch(trial.design, scenario.participants, 1), family_watch(scenario, 1)
    if family is not None:
        told += _told_family(scenario, enrolled, arm, seen, family, resized)
        return _in_order(told) if resized is not None else told
    for at in looks_of(scenario, enrolled, arm, seen, watched, resized):
        if not at.running[0]:
            continue
        stopped = "stops for efficacy" if at.efficacy[0] else "stops for futility" if at.futility[0] else "goes on"
        stopped = "ends with all of alpha spent" if at.ended[0] else stopped
        bounds = float(at.bounds.efficacy[0]), float(at.bounds.futility[0])
        one = _told(scenario, at.number, at.opened, trial.analyses[0].label, at.result, bounds, stopped)
        told.append(replace(one, information=float(at.bounds.fraction[0])))
        if stopped != "goes on":
            month = at.opened.month
            break
    opened = open_data(trial, enrolled, arm, seen, month)
    found = {analysis.label: analysed(analysis, opened.data) for analysis in trial.analyses}
    shared = _adjusted(trial, found)
    final = np.inf
    z = z_of(found[trial.analyses[0].label])
    two_stages = isinstance(trial.design.reestimation, PromisingSize)
    if resized is not None and isinstance(trial.design.reestimation, PromisingSize):
        z, final = statistic(scenario, resized, found[trial.analyses[0].label]), trial.decision.bound
    if trial.design.looks and month is None:
        final = float(watched.final(np.ones(1, dtype=np.bool_), found[trial.analyses[0].label].standard_error)[0])
    for number, (label, result) in enumerate(found.items()):
        if month is not None and number == 0:
            continue
        decides = number == 0 and (bool(trial.design.looks) or two_stages)
        claim = bool((z >= final)[0]) if decides else bool(trial.decision.rejects(result.p_value, result.benefit)[0])
        if label in shared:
            claim = shared[label] <= trial.decision.alpha
        bounds = (final, -np.inf) if decides else (np.inf, -np.inf)
        look = told[-1].look if month is not None else len(trial.design.looks) + (2 if resized is not None else 1)
        last = _told(scenario, look, opened, label, result, bounds, "claim" if claim else "no claim")
        last = replace(last, z=float(z[0])) if decides else last
        told.append(replace(last, adjusted_p=shared.get(label, np.nan)))
    return _in_order(told) if resized is not None and trial.design.looks else told


def _in_order(told: list[Told]) -> list[Told]:
    """Looks numbered as they came; the one that sets the size is left out of a trial that had ended by then."""
    ended = max(one.month for one in told if one.analysis != _RESIZING)
    kept = sorted((one for one in told if one.analysis != _RESIZING or one.month < ended), key=lambda one: one.month)
    looks: list[Told] = []
    for before, one in zip([None, *kept], kept, strict=False):
        same = before is not None and before.look == one.look and _RESIZING not in (before.analysis, one.analysis)
        looks.append(replace(one, look=looks[-1].look + (not same) if looks else 1))
    return looks


def _told_family(
    scenario: Scenario, enrolled: Enrolled, arm: Integers, seen: Observed, family: FamilyWatch, resized: Resized | None = None
) -> list[Told]:
    """A trial whose hypotheses share alpha over its looks: every hypothesis at every look, the other analyses at the end."""
    trial, names = scenario.trial, family_names(scenario.trial)
    told: list[Told] = []

    def tell(look: int, opened: Opened, results: dict[str, Analysed], ends: str) -> None:
        for place, name in enumerate(names):
            at = int(family.rejected_at[0, place])
            said = f"rejected at look {at}" if at else "not rejected"
            if at in (0, look):
                said = f"{'rejected' if at else 'not rejected'} at level {family.level[0, place]:.4g}"
            bounds = float(family.bound[0, place]), float(family.lower[0, place]) if look <= len(trial.design.looks) else -np.inf
            one = _told(scenario, look, opened, name, results[name], bounds, f"{said}; {ends}")
            fraction = float(family.fraction[0, place])
            told.append(replace(one, level=float(family.level[0, place]), information=fraction))

    month = None
    for at in family_looks_of(scenario, enrolled, arm, seen, family, resized):
        if not at.running[0]:
            continue
        ends = "the trial stops for efficacy" if at.efficacy[0] else "the trial stops for futility" if at.futility[0] else "goes on"
        ends = "the trial ends with all of alpha spent" if at.ended[0] else ends
        tell(at.number, at.opened, at.results, ends)
        if ends != "goes on":
            month = at.opened.month
            break
    opened = open_data(trial, enrolled, arm, seen, month)
    found = {analysis.label: analysed(analysis, opened.data) for analysis in trial.analyses}
    look = told[-1].look if month is not None else len(trial.design.looks) + 1
    if month is None:
        family.test(look, np.ones(1, dtype=np.bool_), family_z(names, found), family_errors(names, found), last=True)
        tell(look, opened, found, "end")
    for label, result in found.items():
        if label not in names:
            claim = bool(trial.decision.rejects(result.p_value, result.benefit)[0])
            told.append(_told(scenario, look, opened, label, result, (np.inf, -np.inf), "claim" if claim else "no claim"))
    return told


def _retold(scenario: Scenario, resized: Resized) -> list[Told]:
    """The look at which the size is set anew; none when it would come at the trial's end."""
    if not resized.looked[0]:
        return []
    blank = np.full(1, np.nan)
    nobody = Analysed(
        estimate=resized.value, standard_error=blank, df=blank, p_value=blank, benefit=np.zeros(1, bool), failed=np.ones(1, bool)
    )
    label = _RESIZING if resized.first is None else scenario.trial.analyses[0].label
    decision = f"goes on to {int(resized.participants[0])} participants, planned were {scenario.participants}"
    if resized.first is not None:
        decision += f" (conditional power {resized.value[0]:.3f})"
    return [_told(scenario, 1, resized.opened, label, resized.first or nobody, (np.inf, -np.inf), decision)]


def _adjusted(trial: Trial, found: dict[str, Analysed]) -> dict[str, float]:
    """Adjusted p values of the family of hypotheses, by label."""
    if trial.multiplicity is None:
        return {}
    p_values = {label: trial.decision.sided(result.p_value, result.benefit) for label, result in found.items()}
    return {label: float(p[0]) for label, p in adjusted(trial.multiplicity, p_values).items()}


def _told(scenario: Scenario, look: int, opened: Opened, label: str, result: Analysed, bounds: tuple[float, float], decision: str) -> Told:
    data = opened.data
    arms = tuple(range(len(scenario.trial.design.allocation)))
    mine = [data.arm[0] == a for a in arms]
    named = {analysis.label: analysis for analysis in scenario.trial.analyses}
    # A blinded look belongs to no analysis: it is told as the first sees it.
    chosen = strategies_of(scenario.trial.intercurrent, named.get(label, scenario.trial.analyses[0]))
    return Told(
        look=look,
        month=float(opened.month[0]),
        arm=arms,
        participants=tuple(int(m.sum()) for m in mine),
        events=tuple(int(data.event[0][m].sum()) for m in mine),
        left=int(opened.left[0]),
        scores=tuple(int(np.isfinite(data.scores[0][m]).sum()) for m in mine),
        analysis=label,
        estimate=float(result.estimate[0]),
        standard_error=float(result.standard_error[0]),
        p_value=float(result.p_value[0]),
        z=float(z_of(result)[0]),
        status="failed" if result.status is None else str(result.status[0]),
        efficacy=bounds[0],
        futility=bounds[1],
        decision=decision,
        intercurrent=tuple(
            (name, chosen[name], tuple(int(np.isfinite(when[0][m]).sum()) for m in mine)) for name, when in data.intercurrent.items()
        ),
    )
