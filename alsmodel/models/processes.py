"""The hazards of a model one by one: that of each cause, and of what comes after a cause, each as a model of a single cause.

With one cause there is one process, and it is the model itself. With several, each cause is the model with that cause's hazard and
association, on the data in which only that cause counts as an event; so everything that is known of one hazard serves all.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.models.baseline import hazard_knots as knots_of_one
from alsmodel.models.causes import AfterEvent, Cause
from alsmodel.models.spec import JointModel
from alsmodel.models.survival import Survival

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Process:
    """One hazard.

    Attributes
    ----------
    suffix : str
        What its parameters' names end with; empty for the main cause.
    kind : {"main", "cause", "after"}
    place : int
        Its row of linear predictors: 0 is the main cause.
    spec : JointModel
        With this one cause.
    data : JointData
        With this cause's events alone; for what comes after a cause, of those who had it alone, from it on.
    people : int array
        Places of those participants in the whole data.
    knots : array
    """

    suffix: str
    kind: Literal["main", "cause", "after"]
    place: int
    spec: JointModel
    data: JointData
    people: Ints
    knots: Floats


def hazard_knots(spec: JointModel, data: JointData) -> Floats:
    """Knots of every baseline, as `alsmodel.models.baseline.hazard_knots` gives them for one; with several causes those of each, after
    their number."""
    if not spec.causes:
        return knots_of_one(spec, data)
    return packed([knots_of_one(one, own) for _, _, one, own, _ in _parts(spec, data)])


def packed(knots: list[Floats]) -> Floats:
    """Several arrays in one, each after its size."""
    return np.concatenate([np.concatenate([[float(own.size)], own]) for own in knots])


def unpacked(knots: Floats) -> list[Floats]:
    """The arrays that `packed` took."""
    out, k = [], 0
    while k < knots.size:
        size = int(knots[k])
        out.append(knots[k + 1 : k + 1 + size])
        k += 1 + size
    return out


def processes(spec: JointModel, data: JointData, knots: Floats) -> tuple[Process, ...]:
    """Every hazard of a model, the main cause first, then the further ones in order, then what comes after them.

    Parameters
    ----------
    spec : JointModel
    data : JointData
    knots : array
        From `hazard_knots`.
    """
    everyone = np.arange(data.people)
    if not spec.causes:
        return (Process(suffix="", kind="main", place=0, spec=spec, data=data, people=everyone, knots=knots),)
    parts = zip(_parts(spec, data), unpacked(knots), strict=True)
    return tuple(
        Process(suffix=suffix, kind=kind, place=k, spec=one, data=own, people=people, knots=of_one)
        for k, ((suffix, kind, one, own, people), of_one) in enumerate(parts)
    )


type _Part = tuple[str, Literal["main", "cause", "after"], JointModel, JointData, Ints]


def _parts(spec: JointModel, data: JointData) -> list[_Part]:
    everyone = np.arange(data.people)
    out: list[_Part] = [("", "main", main_cause(spec), of_cause(data, 0), everyone)]
    for k, cause in enumerate(spec.causes, start=1):
        out.append((cause.suffix, "cause", single(spec, cause), of_cause(data, k), everyone))
    for after in spec.after:
        people, own = afterwards(spec, data, after)
        out.append((after.suffix, "after", single(spec, after), own, people))
    return out


def main_cause(spec: JointModel) -> JointModel:
    """The model with its main cause alone."""
    kept = {name: how for name, how in spec.covariates.items() if name in {*spec.intercept, *spec.slope, *spec.survival.covariates}}
    return replace(spec, causes=(), after=(), covariates=kept)


def single(spec: JointModel, part: Cause | AfterEvent) -> JointModel:
    """The model with a further cause, or with what comes after one, in place of its main cause."""
    return replace(
        spec,
        events=part.events,
        survival=part.survival,
        association=part.association if isinstance(part, Cause) else (),
        treatments=spec.treatments if isinstance(part, Cause) else (),
        hierarchy=(),
        priors=spec.priors if part.priors is None else part.priors,
        causes=(),
        after=(),
        covariates={},
    )


def with_nodes(spec: JointModel, nodes: Callable[[Survival], int]) -> JointModel:
    """The model with other numbers of Gauss-Legendre nodes on the pieces of every hazard."""

    def changed(survival: Survival) -> Survival:
        return replace(survival, nodes=nodes(survival))

    return replace(
        spec,
        survival=changed(spec.survival),
        causes=tuple(replace(cause, survival=changed(cause.survival)) for cause in spec.causes),
        after=tuple(replace(after, survival=changed(after.survival)) for after in spec.after),
    )


def of_cause(data: JointData, place: int) -> JointData:
    """`data` with one cause as the only event; all others end follow-up as censoring does."""
    return replace(data, event=data.event * (data.cause == place))


def afterwards(spec: JointModel, data: JointData, after: AfterEvent) -> tuple[Ints, JointData]:
    """Those who are followed after a cause, and their data from it on: no scores, no exposure."""
    place = [cause.name for cause in spec.causes].index(after.cause) + 1
    people = np.flatnonzero((data.event > 0) & (data.cause == place) & (data.later_time > data.event_time))
    own = data.of_people(people)
    begin = own.event_time if after.clock == "study" else np.zeros(people.size)
    end, nothing = begin + own.later_time - own.event_time, np.zeros(0)
    return people, replace(
        own,
        visit_person=np.zeros(0, np.int64),
        visit_time=nothing,
        outcome=nothing,
        entry_time=begin,
        event_time=end,
        free_until=end,
        event=own.later_event,
        cause=np.zeros(people.size, np.int64),
        later_time=end,
        later_event=np.zeros(people.size),
        exposure_person=np.zeros(0, np.int64),
        exposure_drug=np.zeros(0, np.int64),
        exposure_start=nothing,
        exposure_stop=nothing,
    )
