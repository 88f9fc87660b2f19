"""Several causes side by side: the layout of each put into one, and the arrays that their baselines and what comes after them need."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.kernels.causes import Further, Later
from alsmodel.kernels.layout import Layout
from alsmodel.models.baseline import shape_size, strata
from alsmodel.models.effects import Acting, exposed
from alsmodel.models.processes import Process
from alsmodel.models.reach import further_labels, reach
from alsmodel.models.spec import JointModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def acting_of(spec: JointModel, data: JointData) -> tuple[Acting, ...]:
    """What acts, in the order of the columns of exposure: with several causes first what acts on the score, then on each cause's hazard."""
    acting = exposed(spec, data).acting
    if not spec.causes:
        return acting
    suffixes = ("", *(cause.suffix for cause in spec.causes))
    on_score = [replace(one, ratio="") for one in acting]
    return (*on_score, *(Acting(drug=one.drug, ratio=f"{one.ratio}{suffix}") for suffix in suffixes for one in acting if one.ratio))


def through(spec: JointModel, data: JointData) -> tuple[tuple[str, ...], ...]:
    """Labels of the rows of association: those of the main cause, then one for each further cause."""
    names = ("association:value", "association:slope", *further_labels(spec))
    further = [tuple(f"{name}{cause.suffix}" for name in names) for cause in spec.causes]
    return (*reach(spec, data).labels, *further)


def starts_of(processes: Sequence[Process], layouts: Sequence[Layout | None]) -> Ints:
    """Where the log baseline hazards of each process begin among those of all."""
    return np.cumsum([0, *(_length(one, layout) for one, layout in zip(processes, layouts, strict=True))])


def _length(one: Process, layout: Layout | None) -> int:
    if one.spec.survival.kind in ("exponential", "piecewise"):
        return shape_size(one.spec, one.knots) * (len(strata(one.spec, one.data)[0]) or 1)
    return 0 if layout is None else layout.node_time.size + layout.event_time.size


def merged(spec: JointModel, data: JointData, causes: Sequence[Process], layouts: Sequence[Layout]) -> Layout:
    """The layouts of all causes as one, in which the segments and nodes of a participant stand together, cause by cause."""
    first, people = layouts[0], data.people
    each, starts = first.seg_ref.size, starts_of(causes, layouts)
    acting = exposed(spec, data).acting
    ratio = np.array([bool(one.ratio) for one in acting], bool)
    rows = len(reach(spec, data).labels)
    person = np.concatenate([layout.seg_person for layout in layouts])
    order = np.argsort(person, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    node_person = np.concatenate([np.repeat(np.arange(people), np.diff(layout.node_ptr)) for layout in layouts])
    nodes = np.argsort(node_person, kind="stable")

    def together(name: str) -> NDArray[np.float64]:
        return np.ascontiguousarray(np.concatenate([getattr(layout, name) for layout in layouts])[order])

    exposure, alpha, cross = [], [], []
    for k, layout in enumerate(layouts):
        own = [layout.exposed[:, ratio] * float(j == k) for j in range(len(layouts))]
        exposure.append(np.column_stack([layout.exposed, *own]))
        alpha.append(layout.seg_alpha if k == 0 else np.full(each, rows + k - 1))
        cross.append(layout.cross if k == 0 else np.zeros_like(layout.cross))
    ended = np.where(data.event > 0, data.cause, 0)
    everyone = np.arange(people)
    event_seg = np.stack([place[layout.event_seg + k * each] for k, layout in enumerate(layouts)])
    event_piece = np.stack([layout.event_piece + starts[k] for k, layout in enumerate(layouts)])
    return Layout(
        seg_ptr=first.seg_ptr * len(layouts),
        seg_person=person[order],
        seg_row=np.concatenate([layout.seg_person + k * people for k, layout in enumerate(layouts)])[order],
        seg_start=together("seg_start"),
        seg_end=together("seg_end"),
        seg_ref=together("seg_ref"),
        seg_alpha=np.concatenate(alpha)[order],
        noise=first.noise,
        exposed=np.ascontiguousarray(np.concatenate(exposure)[order]),
        cross=np.ascontiguousarray(np.concatenate(cross)[order]),
        bend_knots=first.bend_knots,
        node_ptr=np.sum([layout.node_ptr for layout in layouts], axis=0),
        node_seg=place[np.concatenate([layout.node_seg + k * each for k, layout in enumerate(layouts)])[nodes]],
        node_time=np.concatenate([layout.node_time for layout in layouts])[nodes],
        node_logw=np.concatenate([layout.node_logw for layout in layouts])[nodes],
        node_piece=np.concatenate([layout.node_piece + starts[k] for k, layout in enumerate(layouts)])[nodes],
        event_seg=np.ascontiguousarray(event_seg[ended, everyone]),
        event_time=first.event_time,
        event_piece=np.ascontiguousarray(event_piece[ended, everyone]),
        event=data.event.copy(),
        node_gap=np.sum([layout.node_gap for layout in layouts], axis=0),
        pieces=first.pieces,
        causes=len(layouts),
        of_causes=tuple(layouts),
    )


def further_of(indices: Sequence[Ints], others: Sequence[tuple[int, Floats]]) -> Further:
    """Baselines of further hazards: the place of each coefficient, shape (strata, C); and kind and reference of each."""
    empty = np.zeros(0, np.int64)
    return Further(
        kind=np.array([kind for kind, _ in others], np.int64),
        shape=np.array([index.shape for index in indices], np.int64).reshape(-1, 2),
        places=np.concatenate([empty, *(index.ravel() for index in indices)]),
        reference=np.concatenate([np.zeros(0), *(reference for _, reference in others)]),
        places_ptr=np.cumsum([0, *(index.size for index in indices)]),
        reference_ptr=np.cumsum([0, *(reference.size for _, reference in others)]),
    )


def basis_of(others: Sequence[tuple[Floats, Ints]]) -> tuple[Floats, Ints, Ints]:
    """Bases and strata of further baselines, one after the other, and where each begins: shapes (B,), (R,), (F + 1, 2)."""
    ptr = np.zeros((len(others) + 1, 2), np.int64)
    for f, (basis, stratum) in enumerate(others):
        ptr[f + 1] = ptr[f] + [stratum.size, basis.size]
    flat = np.concatenate([np.zeros(0), *(basis.ravel() for basis, _ in others)])
    return flat, np.concatenate([np.zeros(0, np.int64), *(stratum for _, stratum in others)]), ptr


def later_of(after: Sequence[Process], layouts: Sequence[Layout | None], starts: Ints, people: int) -> Later:
    """Nodes and events after causes, sorted by participant; `starts` as `starts_of` gives them for the processes in `after`."""
    person, row, place, logw, happened = (
        [np.zeros(0, np.int64)],
        [np.zeros(0, np.int64)],
        [np.zeros(0, np.int64)],
        [np.zeros(0)],
        [np.zeros(0, bool)],
    )
    for one, layout, start in zip(after, layouts, starts, strict=True):
        if layout is None:
            continue
        at_node = one.people[np.repeat(np.arange(one.people.size), np.diff(layout.node_ptr))]
        events = np.flatnonzero(layout.event > 0)
        who = np.concatenate([at_node, one.people[events]])
        person.append(who)
        row.append(who + one.place * people)
        place.append(start + np.concatenate([layout.node_piece, layout.event_piece[events]]))
        logw.append(np.concatenate([layout.node_logw, np.zeros(events.size)]))
        happened.append(np.concatenate([np.zeros(at_node.size, bool), np.ones(events.size, bool)]))
    order = np.argsort(np.concatenate(person), kind="stable")
    return Later(*(np.concatenate(column)[order] for column in (person, row, place, logw, happened)))
