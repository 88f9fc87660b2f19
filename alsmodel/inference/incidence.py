r"""Cumulative incidence of each cause and occupation of states over time, from a posterior, with the Aalen-Johansen estimate beside them.

With cause-specific hazards :math:`h_k(t \mid b)`, the chance that cause k has ended follow-up by t is

.. math:: F_k(t) = E_b \int_0^t h_k(s \mid b) \exp\Big\{-\sum_l H_l(s \mid b)\Big\} ds

over the random effects and covariates of the population (Putter, Fiocco & Geskus 2007, doi 10.1002/sim.2712). One minus the survival of a
single cause, which takes the others for censoring, is never given: it is larger.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.cohort.between import require_days
from alsmodel.errors import Fault, InvalidInput
from alsmodel.estimators.aalen_johansen import aalen_johansen
from alsmodel.inference.paths import Paths
from alsmodel.inference.predict import bands, enrolled_groups, new_paths
from alsmodel.models.causes import cause_names
from alsmodel.models.spec import JointModel

if TYPE_CHECKING:
    from alsmodel.inference.fit import Fit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NORMAL = 1.959963984540054


@final
@dataclass(frozen=True, kw_only=True)
class States:
    """The states of a model with several causes.

    Attributes
    ----------
    names : tuple of str
        First that of nobody having left, then one for each cause; a cause that something comes after is that of still being there, and
        what came after it stands last.
    after : tuple of int
        The cause's state that each of the last ones comes after.
    """

    names: tuple[str, ...]
    after: tuple[int, ...]


def states_of(spec: JointModel) -> States:
    """Name the states of a model."""
    causes = cause_names(spec)
    place = {name: k for k, name in enumerate(causes)}
    after = tuple(place[one.cause] + 1 for one in spec.after)
    names = [f"{name}, no {' or '.join(_then(spec, k))} since" if k in after else name for k, name in enumerate(causes, start=1)]
    last = [f"{' or '.join(one.events)} after {one.cause}" for one in spec.after]
    return States(names=("none of these", *names, *last), after=after)


def _then(spec: JointModel, state: int) -> tuple[str, ...]:
    name = cause_names(spec)[state - 1]
    return next(one.events for one in spec.after if one.cause == name)


def cumulative_incidence(fit: "Fit", times: Sequence[float] | Floats, by: str | None = None) -> pl.DataFrame:
    """Chance that each cause has been the first by each time, integrated over random effects.

    Curves average over the covariates of those who were fitted, or of each level of `by`, from time zero.

    Parameters
    ----------
    fit : Fit
        Of one cause or of several.
    times : array
        In the fit's time unit, from the time origin.
    by : str, optional
        A text covariate, or arm, phenotype, onset_site or sex where recorded.

    Returns
    -------
    polars.DataFrame
        group, cause, time, mean, lower, upper (posterior mean and 95% interval), observed, observed_lower, observed_upper
        (Aalen-Johansen with its 95% limits; null past the last follow-up of the group).

    Raises
    ------
    InvalidInput
        For an incident population.
    ValueError
        When `by` is no text covariate of the fit.
    """
    spec, at = fit.spec, np.asarray(times, float)
    names = cause_names(spec)
    frames = []
    for group, people in enrolled_groups(fit, by):
        curves = np.array([first_causes(paths, at) for paths in _drawn(fit, people, at)])
        found = aalen_johansen(*_spells(spec, fit.data, people, after=False), at, 1 + len(names))
        last = float(fit.data.event_time[people].max())
        for k, name in enumerate(names):
            frames.append(
                _beside(group, "cause", name, at, curves[:, k], found.probability[:, k + 1], found.standard_error[:, k + 1], last)
            )
    return pl.concat(frames)


def state_occupation(fit: "Fit", times: Sequence[float] | Floats, by: str | None = None) -> pl.DataFrame:
    """Chance of being in each state at each time: none of the causes, each cause, and what came after one.

    Parameters
    ----------
    fit, times, by
        As in `cumulative_incidence`.

    Returns
    -------
    polars.DataFrame
        group, state and the other columns of `cumulative_incidence`. The means of all states add up to one.
    """
    spec, at = fit.spec, np.asarray(times, float)
    states = states_of(spec)
    frames = []
    for group, people in enrolled_groups(fit, by):
        curves = np.array([occupied(spec, paths, at) for paths in _drawn(fit, people, at)])
        found = aalen_johansen(*_spells(spec, fit.data, people, after=True), at, len(states.names))
        last = float(fit.data.later_time[people].max())
        for k, name in enumerate(states.names):
            frames.append(_beside(group, "state", name, at, curves[:, k], found.probability[:, k], found.standard_error[:, k], last))
    return pl.concat(frames)


def _beside(
    group: str, column: str, name: str, times: Floats, curves: Floats, observed: Floats, error: Floats, last: float
) -> pl.DataFrame:
    known = times <= last
    low, high = np.clip(observed - NORMAL * error, 0, 1), np.clip(observed + NORMAL * error, 0, 1)
    found = pl.DataFrame(
        {
            "observed": np.where(known, observed, np.nan),
            "observed_lower": np.where(known, low, np.nan),
            "observed_upper": np.where(known, high, np.nan),
        }
    )
    model = bands(group, times, curves).insert_column(1, pl.Series(column, [name] * times.size))
    return model.hstack(found.fill_nan(None))


def _drawn(fit: "Fit", people: Ints, times: Floats) -> Iterator[Paths]:
    """Paths of new participants at each of the chosen draws."""
    if times.size == 0 or times.min() < 0:
        raise InvalidInput([Fault("times", "Times of a cumulative incidence are 0 or later, at least one.")])
    return new_paths(fit, people, times)


def _firsts(paths: Paths) -> Floats:
    """Chance that each cause happens first in each cell, shape (causes, people, G); hazards are constant in a cell."""
    steps, total = np.diff(paths.by_cause, axis=2), np.diff(paths.cumulative, axis=1)
    share = steps / np.where(total > 0, total, 1.0)
    return np.asarray(share * (np.exp(-paths.cumulative[:, :-1]) * -np.expm1(-total)))


def first_causes(paths: Paths, times: Floats) -> Floats:
    """Cumulative incidence of each cause at `times`, averaged over people; shape (causes, T)."""
    return np.array([np.interp(times, paths.edges, row) for row in _reached(_firsts(paths))])


def _reached(firsts: Floats) -> Floats:
    """Chance that each cause has come first by each edge, averaged over people; shape (causes, G + 1)."""
    return np.concatenate([np.zeros((firsts.shape[0], 1)), np.cumsum(firsts.mean(axis=1), axis=1)], axis=1)


def occupied(spec: JointModel, paths: Paths, times: Floats) -> Floats:
    """Occupation of each of `states_of` at `times`, averaged over people; shape (states, T)."""
    firsts = _firsts(paths)
    states = states_of(spec)
    rows = [np.exp(-paths.cumulative).mean(axis=0), *_reached(firsts)]
    for one, state, hazard in zip(spec.after, states.after, paths.after, strict=True):
        ended = _after(firsts[state - 1], hazard, since_event=one.clock == "since event")
        rows[state] = rows[state] - ended
        rows.append(ended)
    return np.array([np.interp(times, paths.edges, row) for row in rows])


def _after(first: Floats, hazard: Floats, *, since_event: bool) -> Floats:
    """Chance of what comes after a cause by each edge; the cause is taken to fall in the middle of its cell."""
    people, cells = first.shape
    # Participants with the same covariates share a hazard there, so that their chances are added up beforehand.
    hazard, which = np.unique(hazard, axis=0, return_inverse=True)
    alike = np.zeros((hazard.shape[0], cells))
    np.add.at(alike, which.ravel(), first)
    first, out = alike, np.zeros(cells + 1)
    middle = (hazard[:, 1:] + hazard[:, :-1]) / 2
    for g in range(cells):
        gone = -np.expm1(-middle[:, : cells - g]) if since_event else -np.expm1(-(hazard[:, g + 1 :] - middle[:, g : g + 1]))
        out[g + 1 :] += (first[:, g : g + 1] * gone).sum(axis=0)
    return np.asarray(out / people)


def _spells(spec: JointModel, data: JointData, people: Ints, *, after: bool) -> tuple[Floats, Floats, Ints, Ints]:
    """Spells of these participants as `alsmodel.estimators.aalen_johansen` takes them."""
    require_days(data, "cumulative incidence counts who is at risk on each day.")
    entry, end, event = data.entry_time[people], data.event_time[people], data.event[people] > 0
    cause, later = data.cause[people], data.later_time[people]
    start, stop = [np.maximum(entry, 0.0)], [end]
    origin, target = [np.zeros(people.size, np.int64)], [np.where(event, cause + 1, -1)]
    states = states_of(spec)
    first = 1 + len(cause_names(spec))
    for k, state in enumerate(states.after if after else ()):
        mine = event & (cause + 1 == state) & (later > end)
        start.append(end[mine])
        stop.append(later[mine])
        origin.append(np.full(int(mine.sum()), state))
        target.append(np.where(data.later_event[people][mine] > 0, first + k, -1))
    a, b = np.concatenate(start), np.concatenate(stop)
    kept = b > a  # whose follow-up ended before time zero tells nothing from there on
    return a[kept], b[kept], np.concatenate(origin)[kept], np.concatenate(target)[kept]
