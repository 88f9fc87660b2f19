"""Knots, segments and nodes that a model needs on a data set; shared by every way to evaluate it."""

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.errors import Fault, InvalidInput
from alsmodel.kernels.layout import Layout, lay_out
from alsmodel.models.spec import JointModel

Floats = NDArray[np.float64]
PRIOR_HERMITE = 9  # nodes per random effect where they come from the prior, which is far wider than any score posterior


def hazard_knots(spec: JointModel, data: JointData) -> Floats:
    """Inner knots of a piecewise baseline: as given, or quantiles of the observed event times on the hazard's clock."""
    if spec.baseline_hazard.kind == "weibull":
        return np.empty(0)
    if spec.baseline_hazard.knots is not None:
        return np.array(spec.baseline_hazard.knots)
    happened = (data.event_time + data.onset_shift)[data.event > 0]
    if happened.size == 0:
        return np.empty(0)
    shares = np.arange(1, spec.baseline_hazard.intervals) / spec.baseline_hazard.intervals
    return np.unique(np.quantile(happened, shares))


def layout_of(spec: JointModel, data: JointData, knots: Floats, *, before_entry: bool = False) -> Layout:
    """Cut the data for this model; `before_entry` gives the stretch from the hazard's origin to entry, without scores."""
    early = int((data.entry_time + data.onset_shift < 0).sum())
    if spec.baseline_hazard.kind == "weibull" and early:
        fault = f"A Weibull hazard starts at time zero; {early} participants enter before it."
        raise InvalidInput([Fault("model.baseline_hazard", fault, 'Choose kind = "piecewise".')])
    nothing = np.zeros(0)
    return lay_out(
        people=data.people,
        visit_person=np.zeros(0, np.int64) if before_entry else data.visit_person,
        visit_time=nothing if before_entry else data.visit_time,
        outcome=nothing if before_entry else data.outcome,
        begin=-data.onset_shift if spec.population == "incident" else data.entry_time,
        end=data.entry_time if before_entry else data.event_time,
        event=np.zeros(data.people) if before_entry else data.event,
        shift=data.onset_shift,
        knots=knots,
        nodes=spec.baseline_hazard.nodes,
        weibull=spec.baseline_hazard.kind == "weibull",
        exposure_person=data.exposure_person,
        exposure_drug=data.exposure_drug,
        exposure_start=data.exposure_start,
        exposure_stop=data.exposure_stop,
        drugs=len(spec.treatments),
    )


def segment_lengths(layout: Layout) -> tuple[Floats, Floats]:
    """Time from each segment's reference time to the next one's, and the part of it before time zero; both shape (S,)."""
    person, ref = layout.seg_person, layout.seg_ref
    final = np.append(person[1:] != person[:-1], True)
    ahead = np.where(final, ref, np.append(ref[1:], 0.0))
    before = np.clip(np.minimum(np.where(final, np.inf, ahead), 0.0) - ref, 0.0, None)
    return ahead - ref, before
