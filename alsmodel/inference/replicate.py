"""Data sets replicated from a posterior: the same people, plan and censoring, new random effects, events and residuals."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.inference.paths import Draw, draw_paths, grid_of
from alsmodel.kernels.bends import bends_over
from alsmodel.models.bends import bend_knots
from alsmodel.models.noise import noise

if TYPE_CHECKING:
    from alsmodel.inference.fit import Fit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CELLS = 96


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Planned:
    """When each participant would have been seen, had nothing happened.

    Attributes
    ----------
    censoring : array, shape (N,)
        End of follow-up without an event.
    visit_person, visit_time : array
        Planned visits up to there.
    """

    censoring: Floats
    visit_person: Ints
    visit_time: Floats


def planned_follow_up(data: JointData, seed: list[int]) -> Planned:
    """Plan that the observed data are a cut-off version of.

    Those who were censored keep their time. For those with an event the end is drawn from the observed censoring times beyond it
    (the longest follow-up where none is), and visits go on at the cohort's median interval.
    """
    rng = np.random.default_rng([*seed, 999])
    observed = np.sort(data.event_time[data.event == 0])
    longest = float(data.event_time.max())
    censoring = data.event_time.copy()
    person, time = [data.visit_person], [data.visit_time]
    gaps = np.diff(data.visit_time)[np.diff(data.visit_person) == 0]
    gap = float(np.median(gaps)) if gaps.size else longest
    last = np.zeros(data.people)
    np.maximum.at(last, data.visit_person, data.visit_time)
    for i in np.flatnonzero(data.event > 0):
        later = observed[np.searchsorted(observed, data.event_time[i], side="right") :]
        censoring[i] = rng.choice(later) if later.size else longest
        extra = np.arange(last[i] + gap, censoring[i] + 1e-9, gap) if gap > 0 else np.empty(0)
        person.append(np.full(extra.size, i))
        time.append(extra)
    return Planned(censoring=censoring, visit_person=np.concatenate(person), visit_time=np.concatenate(time))


def follow(fit: "Fit", draw: Draw, planned: Planned, rng: np.random.Generator) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
    """One replicated data set: end of follow-up, event indicator, and (visit time, score) of the visits before the end."""
    data = fit.data
    people = np.arange(data.people)
    grid = grid_of(fit.spec, data, people, float(planned.censoring.max()), CELLS)
    paths = draw_paths(fit.spec, data, draw, grid, people, np.array(fit.provenance["knots"]), rng)
    target = rng.exponential(size=people.size) + _at(paths.cumulative, grid.edges, people, data.entry_time)
    event_time = np.array([np.interp(t, c, grid.edges, right=np.inf) for t, c in zip(target, paths.cumulative, strict=True)])
    end = np.minimum(event_time, planned.censoring)
    event = (event_time <= planned.censoring).astype(float)
    seen = planned.visit_time <= end[planned.visit_person]
    person, time = planned.visit_person[seen], planned.visit_time[seen]
    value = _at(paths.value, grid.edges, person, time)
    # Before the grid the path goes on backwards, under what was taken just before time zero.
    bent = (paths.bend[person] * bends_over(time, bend_knots(fit.spec, data))[0]).sum(axis=1)
    value = np.where(time < 0, paths.value[person, 0] + paths.slope_before[person] * time + bent, value)
    apart = noise(fit.spec, data)
    sds = np.array([draw.get(label) for label in apart.labels])[apart.row]
    return end, event, (time, value + rng.normal(0.0, sds[person], time.size))


def _at(rows: Floats, edges: Floats, person: Ints, time: Floats) -> Floats:
    """Linear interpolation of each person's row at that person's time."""
    step = edges[1] - edges[0]
    place = np.clip(time / step, 0.0, edges.size - 1 - 1e-9)
    left = place.astype(np.int64)
    share = place - left
    return np.asarray(rows[person, left] * (1 - share) + rows[person, left + 1] * share)


def visit_bins(data: JointData, most: int = 8, least: int = 20) -> Floats:
    """Edges of visit-time bins with about the same number of scores each, at least `least`."""
    bins = int(np.clip(data.visit_time.size // least, 1, most))
    edges = np.unique(np.quantile(data.visit_time, np.linspace(0, 1, bins + 1)))
    if edges.size < 2:
        edges = np.array([edges[0] - 0.5, edges[0] + 0.5])
    return edges
