"""Segments and nodes that a model needs on a data set; shared by every way to evaluate it."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.errors import Fault, InvalidInput
from alsmodel.kernels.layout import Layout, lay_out
from alsmodel.models.association import kinds
from alsmodel.models.baseline import basis, cuts_of, strata
from alsmodel.models.bends import bend_knots
from alsmodel.models.effects import exposed
from alsmodel.models.merging import merged
from alsmodel.models.noise import noise
from alsmodel.models.processes import hazard_knots, processes
from alsmodel.models.reach import reach
from alsmodel.models.spec import JointModel

__all__ = ["PRIOR_HERMITE", "baseline_kind", "hazard_knots", "later_layouts", "layout_of", "node_baseline", "segment_lengths"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PRIOR_HERMITE = 9  # nodes per random effect where they come from the prior, which is far wider than any score posterior
#: As in `alsmodel.kernels.baseline`.
PIECES, WEIBULL, SPLINE, WEIBULL_CLOCK, ROYSTON_PARMAR = 0, 1, 2, 3, 4


def baseline_kind(spec: JointModel) -> int:
    """How the kernel makes the baseline; a Weibull on the disease clock is read inside the likelihood, everything else at fixed times."""
    if spec.survival.kind == "m-spline":
        return SPLINE
    if spec.survival.kind == "royston-parmar":
        return ROYSTON_PARMAR
    if spec.survival.kind == "weibull":
        return WEIBULL_CLOCK if any(t.hazard == "clock" for t in spec.treatments) else WEIBULL
    return PIECES


def layout_of(spec: JointModel, data: JointData, knots: Floats, *, before_entry: bool = False) -> Layout:
    """Cut the data for this model; `before_entry` gives the stretch from the hazard's origin to entry, without scores.

    Where every time has a baseline of its own (Weibull, M-spline, Royston-Parmar), each node and then each end of follow-up is a piece
    of its own. With several causes the time of every participant is laid out once for each.
    """
    if not spec.causes:
        return _layout_of_one(spec, data, knots, before_entry=before_entry)
    ours = [one for one in processes(spec, data, knots) if one.kind != "after"]
    return merged(spec, data, ours, [_layout_of_one(one.spec, one.data, one.knots) for one in ours])


def _layout_of_one(spec: JointModel, data: JointData, knots: Floats, *, before_entry: bool = False) -> Layout:
    early = int((data.entry_time + data.onset_shift < 0).sum())
    weibull = spec.survival.kind in ("weibull", "royston-parmar")  # powers of time near zero
    if weibull and early:
        name = "Weibull" if spec.survival.kind == "weibull" else "Royston-Parmar"
        fault = f"A {name} hazard starts at time zero; {early} participants enter before it."
        raise InvalidInput([Fault("model.survival", fault, 'Choose kind = "piecewise".')])
    nothing = np.zeros(0)
    acting = exposed(spec, data)
    bends = bend_knots(spec, data)
    layout = lay_out(
        people=data.people,
        visit_person=np.zeros(0, np.int64) if before_entry else data.visit_person,
        visit_time=nothing if before_entry else data.visit_time,
        outcome=nothing if before_entry else data.outcome,
        begin=-data.onset_shift if spec.population == "incident" else data.entry_time,
        end=data.entry_time if before_entry else data.event_time,
        event=np.zeros(data.people) if before_entry else data.event,
        shift=data.onset_shift,
        knots=cuts_of(spec, knots),
        nodes=spec.survival.nodes,
        weibull=weibull,
        exposure_person=acting.person,
        exposure_drug=acting.which,
        exposure_start=acting.start,
        exposure_stop=acting.stop,
        drugs=len(acting.acting),
        bend_knots=bends,
        top=spec.decline.top if spec.decline.kind == "sigmoid" else 0.0,
        origin=data.since_onset,
        kinks=bends if "slope" in kinds(spec.association) else nothing,  # the slope of a spline bends at its knots
        free_until=None if before_entry else data.free_until,
    )
    layout = replace(layout, seg_alpha=reach(spec, data).row[layout.seg_person], noise=noise(spec, data).row)
    kind = baseline_kind(spec)
    if kind == PIECES:
        own = strata(spec, data)[1]
        at_nodes = layout.node_piece + own[_node_person(layout)] * layout.pieces
        return replace(layout, node_piece=at_nodes, event_piece=layout.event_piece + own * layout.pieces)
    if kind == WEIBULL_CLOCK:
        return layout
    nodes = layout.node_time.size
    return replace(layout, node_piece=np.arange(nodes), event_piece=nodes + np.arange(data.people))


def _node_person(layout: Layout) -> Ints:
    return np.repeat(np.arange(layout.node_ptr.size - 1), np.diff(layout.node_ptr))


def node_baseline(spec: JointModel, data: JointData, knots: Floats, layout: Layout) -> tuple[Floats, Ints]:
    """Basis and stratum at every node and then at every end of follow-up; empty where pieces are shared."""
    if baseline_kind(spec) in (PIECES, WEIBULL_CLOCK):
        return np.zeros((0, 0)), np.zeros(0, np.int64)
    person = _node_person(layout)
    time = np.concatenate([layout.node_time + data.onset_shift[person], layout.event_time + data.onset_shift])
    return np.ascontiguousarray(basis(spec, knots, time)), strata(spec, data)[1][np.concatenate([person, np.arange(data.people)])]


def segment_lengths(layout: Layout) -> tuple[Floats, Floats]:
    """Time from each segment's reference time to the next one's, and the part of it before time zero; both shape (S,)."""
    row, ref = layout.seg_row, layout.seg_ref
    final = np.append(row[1:] != row[:-1], True)
    ahead = np.where(final, ref, np.append(ref[1:], 0.0))
    before = np.clip(np.minimum(np.where(final, np.inf, ahead), 0.0) - ref, 0.0, None)
    return ahead - ref, before


def later_layouts(spec: JointModel, data: JointData, knots: Floats) -> list[Layout | None]:
    """Layout of what is followed after each cause of `spec.after`; None where nobody is."""
    after = [one for one in processes(spec, data, knots) if one.kind == "after"]
    return [_layout_of_one(one.spec, one.data, one.knots) if one.people.size else None for one in after]
