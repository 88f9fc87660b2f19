"""Strategies for intercurrent events (ICH E9(R1), 2019), and what each makes of the data that an analysis is given.

    treatment policy     everything counts, whether the event came or not
    hypothetical         had the event not come: scores after it are set missing, and time to the end point is censored at it
    composite            the event is a failure: it joins the end point, so that it ranks below every score and is no response
    while on treatment   what was seen up to the event: later scores are set aside, or, where an analysis compares one visit, the last score
                         up to the event stands for it; time to the end point is censored at it

Hypothetical and while on treatment may see the same data and still ask for different numbers: true values follow the question. An analysis
names the strategies that it can express; the others are refused with the reason.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from alsmodel.settings.names import nearest

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Strategy = Literal["treatment policy", "hypothetical", "composite", "while on treatment", "principal stratum"]

HYPOTHETICAL: Strategy = "hypothetical"
COMPOSITE: Strategy = "composite"
WHILE: Strategy = "while on treatment"
PRINCIPAL = (
    "a principal stratum is those who would have the event, or would not, under either arm; nobody is seen under both, and no "
    "analysis here models who they are. Choose another strategy."
)

# Why an analysis cannot express a strategy.
_NO_SCORE = "a failure has no score in points"
_NO_CARRYING = "a model of all visits has no last value to carry; ANCOVA has"
NO_FAILURE: dict[str, str] = {COMPOSITE: _NO_SCORE}
NO_FAILURE_NOR_LAST: dict[str, str] = {COMPOSITE: _NO_SCORE, WHILE: _NO_CARRYING}
ABSENCE_FAILS: dict[str, str] = {
    HYPOTHETICAL: "without a score nobody is a responder, so that setting scores missing makes the event a failure"
}
SAME_AS_COMPOSITE: dict[str, str] = {WHILE: "months free of the end point up to the event are those of the composite strategy"}
NO_LAST_RANK: dict[str, str] = {WHILE: "those who are compared are ranked at a visit that both have, not each at the own last one"}


def first_of(months: Mapping[str, Floats], chosen: Mapping[str, Strategy], strategy: Strategy) -> Floats | None:
    """Month of the first of the events that are handled by `strategy`, infinite without one; None when no event is."""
    found = [month for name, month in months.items() if chosen[name] == strategy]
    return np.minimum.reduce(found) if found else None


def counted(event_time: Floats, event: Integers, months: Mapping[str, Floats], chosen: Mapping[str, Strategy]) -> tuple[Floats, Integers]:
    """Time to the end point under the strategies.

    Parameters
    ----------
    event_time, event : array, shape (R, n)
        Months to the end point or the end of observation, and which.
    months : mapping of str to array, shape (R, n)
        Months of the intercurrent events, infinite where none is known.
    chosen : mapping of str to str
        Strategy of each.

    Returns
    -------
    event_time, event
        A composite event is the end point where it comes first; a hypothetical one, or one that ends the time on treatment, censors.
    """
    failed = first_of(months, chosen, COMPOSITE)
    if failed is not None:
        first = failed <= event_time
        event_time, event = np.where(first, failed, event_time), np.where(first, 1, event)
    for strategy in (HYPOTHETICAL, WHILE):
        ended = first_of(months, chosen, strategy)
        if ended is not None:
            first = ended < event_time
            event_time, event = np.where(first, ended, event_time), np.where(first, 0, event)
    return event_time, event


def kept(scores: Floats, made: Floats, months: Mapping[str, Floats], chosen: Mapping[str, Strategy], *, carried: bool) -> Floats:
    """Scores under the strategies.

    Parameters
    ----------
    scores : array, shape (R, n, V)
        NaN when not observed.
    made : array, shape (V,) or (R, n, V)
        Months of the visits.
    months, chosen
        As in `counted`.
    carried : bool
        Let the last score up to the end of the time on treatment stand for the later visits; otherwise they are set aside.
    """
    failed, ended, held = (first_of(months, chosen, s) for s in (COMPOSITE, HYPOTHETICAL, WHILE))
    out, made = scores, np.broadcast_to(made, scores.shape)
    for month in (failed, ended):
        if month is not None:
            out = np.where(made > month[..., None], np.nan, out)
    if held is not None:
        after = made > held[..., None]
        out = np.where(after, np.nan, out)
        if carried:
            # Whoever has a hypothetical event or a failure before the time on treatment ends has no later value to carry.
            before = [month for month in (failed, ended) if month is not None]
            open_until = np.minimum.reduce(before) if before else np.inf
            out = np.where(after & (held <= open_until)[..., None], last_value(out)[..., None], out)
    return np.ascontiguousarray(out)


def last_value(scores: Floats) -> Floats:
    """Last score that is there, shape (R, n); NaN without one."""
    place = scores.shape[-1] - 1 - np.argmax(np.isfinite(scores)[..., ::-1], axis=-1)
    return np.asarray(np.take_along_axis(scores, place[..., None], axis=-1)[..., 0])


def strategy_faults(
    defaults: Mapping[str, Strategy], label: str, admitted: tuple[str, ...], reasons: Mapping[str, str], own: Mapping[str, Strategy]
) -> list[str]:
    """What one analysis cannot make of the intercurrent events, one sentence each.

    Parameters
    ----------
    defaults : mapping
        Strategy of each event unless an analysis names another.
    label : str
        Name of the analysis.
    admitted : tuple of str
        Strategies that it can express.
    reasons : mapping
        Why it cannot express another.
    own : mapping
        Strategies that it names itself.
    """
    faults = []
    for name in own:
        if name not in defaults:
            known = f"Known: {', '.join(defaults)}." if defaults else "The trial has none; add [[trial.intercurrent]]."
            remedy = nearest(name, list(defaults), otherwise=known)
            faults.append(f"{label}: strategies names {name!r}, which is no intercurrent event of the trial. {remedy}")
    for name, default in defaults.items():
        strategy = own.get(name, default)
        if strategy == "principal stratum":
            faults.append(f"{label}: {name}: {PRINCIPAL}")
        elif strategy not in admitted:
            why = reasons.get(strategy, "")
            faults.append(
                f"{label} cannot express {strategy!r} for {name}{': ' + why if why else ''}. Choose {_or(admitted)}: "
                f'strategies = {{ "{name}" = "{admitted[0]}" }} in this analysis.'
            )
    return faults


def _or(words: Iterable[str]) -> str:
    *some, last = words
    return f"{', '.join(some)} or {last}" if some else last
