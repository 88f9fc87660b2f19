"""New participants drawn from a posterior: their true paths and cumulative hazards on a time grid.

"New" means that the random effects come from the population, not from the participant's own scores: what a model predicts before it
has seen somebody. Written apart from the kernels, so that the two check each other.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from alsmodel.cohort.arrays import JointData
from alsmodel.kernels.bends import bends_over
from alsmodel.models.baseline import log_baseline, strata
from alsmodel.models.bends import bend_knots
from alsmodel.models.classes import class_design, class_odds
from alsmodel.models.effects import exposed
from alsmodel.models.parameters import columns_of
from alsmodel.models.processes import Process, processes
from alsmodel.models.reach import reach
from alsmodel.models.spec import JointModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
THE_CLASS = "the class"


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Cells on which exposure and hazard are held constant; edges start at time zero.

    Attributes
    ----------
    edges : array, shape (G + 1,)
    exposed : array, shape (drugs, N, G)
        Share of each cell that is exposed, for each of `alsmodel.models.effects.exposed`.
    before : array, shape (drugs, N)
        Whether exposed just before time zero, 0 or 1.
    """

    edges: Floats
    exposed: Floats
    before: Floats

    @property
    def middle(self) -> Floats:
        """Midpoints of the cells, shape (G,)."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    @property
    def width(self) -> Floats:
        """Widths of the cells, shape (G,)."""
        return np.diff(self.edges)


def grid_of(spec: JointModel, data: JointData, people: Ints, end: float, cells: int) -> Grid:
    """Cut time from zero to `end` and spread exposure intervals over the cells; each of `people` may stand there several times."""
    return grid_at(spec, data, people, np.linspace(0.0, end, cells + 1))


def grid_at(spec: JointModel, data: JointData, people: Ints, edges: Floats) -> Grid:
    """`grid_of` with edges of one's own, which start at zero and increase."""
    acting, cells = exposed(spec, data), edges.size - 1
    once, place = np.unique(people, return_inverse=True)
    shares, before = np.zeros((len(acting.acting), once.size, cells)), np.zeros((len(acting.acting), once.size))
    row = {int(person): k for k, person in enumerate(once)}
    for person, which, start, stop in zip(acting.person, acting.which, acting.start, acting.stop, strict=True):
        if int(person) in row:
            overlap = np.clip(np.minimum(edges[1:], stop) - np.maximum(edges[:-1], start), 0.0, None)
            shares[which, row[int(person)]] += overlap / np.diff(edges)
            before[which, row[int(person)]] += float(start < 0.0 <= stop)
    return Grid(edges=edges, exposed=shares[:, place], before=before[:, place])


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Draw:
    """One posterior draw, by printed name."""

    values: dict[str, float]

    def get(self, name: str) -> float:
        """Value of a parameter; zero when the model does not have it."""
        return self.values.get(name, 0.0)

    def of(self, suffix: str) -> "Draw":
        """The parameters of a further hazard, by the names that they have with one cause."""
        return Draw(values={name.removesuffix(suffix): value for name, value in self.values.items() if name.endswith(suffix)})

    def linear(self, spec: JointModel, data: JointData, part: str, people: Ints) -> Floats:
        """Linear predictor of one part over `people`, groups of a hierarchy included."""
        labels, design = columns_of(spec, data, part)
        out = np.zeros(people.size)
        for k, label in enumerate(labels):
            out += design[people, k] * self.get(label)
        return out

    def covariance(self, names: tuple[str, ...]) -> Floats:
        """Covariance matrix of the random effects of these names."""
        sd = np.array([self.get(f"sd:{name}") for name in names])
        corr = np.eye(len(names))
        for k, a in enumerate(names):
            for m in range(k + 1, len(names)):
                corr[k, m] = corr[m, k] = self.get(f"corr:{a},{names[m]}")
        return corr * np.outer(sd, sd)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Paths:
    """True paths of drawn participants.

    Attributes
    ----------
    edges : array, shape (G + 1,)
    value : array, shape (people, G + 1)
        True transformed outcome at the edges.
    cumulative : array, shape (people, G + 1)
        Cumulative hazard from time zero, of all causes together.
    by_cause : array, shape (causes, people, G + 1)
        That of each cause.
    after : array, shape (A, people, G + 1)
        Cumulative hazard of what comes after a cause, for each of the specification's `after`: over time since the cause, or over time from
        zero where its clock is the study's.
    slope_before : array, shape (people,)
        Slope just before time zero, under what was taken then; an assigned arm begins at zero.
    bend : array, shape (people, K)
        Coefficients of the terms of `alsmodel.kernels.bends` that bend the path.
    """

    edges: Floats
    value: Floats
    cumulative: Floats
    by_cause: Floats
    after: Floats
    slope_before: Floats
    bend: Floats


def draw_of(draws: dict[str, Floats], flat_index: int) -> Draw:
    """One draw out of all chains."""
    return Draw(values={name: float(value.reshape(-1)[flat_index]) for name, value in draws.items()})


def _log_baseline(spec: JointModel, data: JointData, draw: Draw, knots: Floats, time: Floats, people: Ints) -> Floats:
    """Log baseline hazard of each of `people` at their own times, shape as `time`: (people, G)."""
    levels, own = strata(spec, data)
    out = np.empty(time.shape)
    for g, suffix in enumerate([f"|{level}" for level in levels] or [""]):
        mine = own[people] == g
        out[mine] = log_baseline(spec, knots, draw.get, time[mine], suffix)
    return out


def draw_paths(spec: JointModel, data: JointData, draw: Draw, grid: Grid, people: Ints, knots: Floats, rng: np.random.Generator) -> Paths:
    """Draw the random effects of new participants with the covariates and exposures of `people`, and follow their paths."""
    covariance = draw.covariance(spec.effects)
    b = rng.multivariate_normal(np.zeros(len(covariance)), covariance, size=people.size, method="cholesky")
    start = draw.get(spec.stem("intercept")) + draw.linear(spec, data, "intercept", people) + b[:, 0]
    slope = draw.get(spec.stem("slope")) + draw.linear(spec, data, "slope", people)
    of_class = np.zeros(people.size)
    if spec.classes is not None:
        level, steeper, of_class = class_shifts(spec, data, draw, people, rng)
        start, slope = start + level, slope + steeper

    log_rate = np.zeros((people.size, grid.width.size))
    own, clock, added = log_rate.copy(), log_rate.copy(), log_rate.copy()
    acting = exposed(spec, data).acting
    for x, one in zip(grid.exposed, acting, strict=True):
        log_rate += draw.get(one.theta) * x
        own += draw.get(one.psi) * x
        added += draw.get(one.additive) * x
        clock += draw.get(one.clock) * x
    tau = _running(np.exp(clock) * grid.width)
    if spec.decline.kind == "sigmoid":
        value, speed = _sigmoid(spec.decline.top, data.since_onset[people], np.exp(log_rate), grid, start, slope + b[:, 1])
        share = value[:, 0] / spec.decline.top
        ahead = -value[:, 0] * (1.0 - share) / np.exp(slope + b[:, 1])  # the tangent at time zero
        return _followed(
            spec, data, draw, grid, people, knots, (clock, tau), (value, speed, b), of_class, (ahead, np.zeros((people.size, 1)))
        )
    speed = slope[:, None] * np.exp(log_rate) + added + b[:, 1:2] * np.exp(own)
    log_ratio, own_ratio, more = (
        sum((draw.get(getattr(one, part)) * x for x, one in zip(grid.before, acting, strict=True)), start=np.zeros(people.size))
        for part in ("theta", "psi", "additive")
    )
    ahead = slope * np.exp(log_ratio) + more + b[:, 1] * np.exp(own_ratio)
    value = start[:, None] + _running(speed * grid.width)
    curve = bend_knots(spec, data)
    bend = np.array([[draw.get(name) for name in spec.bends or ("quadratic",)]]).repeat(people.size, axis=0)
    if b.shape[1] > 2:
        bend = bend + b[:, 2:]
    value = value + bend @ bends_over(grid.edges, curve)[0].T
    steepness = speed + bend @ bends_over(grid.middle, curve)[1].T
    return _followed(spec, data, draw, grid, people, knots, (clock, tau), (value, steepness, b), of_class, (ahead, bend))


def _sigmoid(top: float, since: Floats, rate: Floats, grid: Grid, log_d50: Floats, log_dx: Floats) -> tuple[Floats, Floats]:
    """Value at the edges and slope at the middle of the cells of a sigmoid path, the disease clock running at `rate`, shape (people, G)."""
    edge = since[:, None] + _running(rate * grid.width)
    d50, dx = np.exp(log_d50)[:, None], np.exp(log_dx)[:, None]
    share = expit((d50 - edge) / dx)
    middle = expit((d50 - (edge[:, 1:] + edge[:, :-1]) / 2) / dx)
    return top * share, -top * middle * (1.0 - middle) / dx * rate


def _followed(
    spec: JointModel, data: JointData, draw: Draw, grid: Grid, people: Ints, knots: Floats, clocks: tuple[Floats, Floats],
    path: tuple[Floats, Floats, Floats], of_class: Floats, early: tuple[Floats, Floats],
) -> Paths:  # fmt: skip
    """Add cumulative hazards to paths.

    `clocks` as `_log_hazard` takes them, `path` values at the edges, slopes amid the cells and random effects, `of_class` what the class of
    each adds to the log hazard, `early` the slope before time zero and the coefficients of the terms that bend.
    """
    value, steepness, effects = path
    middle = (value[:, 1:] + value[:, :-1]) / 2
    so_far = _mean_so_far(value, grid)
    hazards, after = [], []
    for process in processes(spec, data, knots):
        if process.kind == "after":
            after.append(_after(process, data, draw.of(process.suffix), grid, people))
            continue
        eta = (
            _log_hazard(process, data, draw.of(process.suffix), grid, people, clocks, (middle, steepness, so_far, effects))
            + of_class[:, None]
        )
        hazards.append(_running(np.exp(np.minimum(eta, 50.0)) * grid.width))
    whole = hazards[0] if len(hazards) == 1 else np.sum(hazards, axis=0)
    none = np.zeros((0, *whole.shape))
    return Paths(
        edges=grid.edges, value=value, cumulative=whole, by_cause=np.array(hazards), after=np.array(after) if after else none,
        slope_before=early[0], bend=early[1],
    )  # fmt: skip


def class_shifts(spec: JointModel, data: JointData, draw: Draw, people: Ints, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Deal a latent class to each of `people`; what it adds to level, slope and log hazard, each (people,).

    A draw that holds ``the class`` deals that one, counted from 1, to everybody.
    """
    share, level, steeper, hazard = class_parts(spec, data, draw, people)
    own = (rng.random((people.size, 1)) > np.cumsum(share, axis=1)[:, :-1]).sum(axis=1)
    if THE_CLASS in draw.values:
        own = np.full(people.size, int(draw.values[THE_CLASS]) - 1)
    return level[own], steeper[own], hazard[own]


def class_parts(spec: JointModel, data: JointData, draw: Draw, people: Ints) -> tuple[Floats, Floats, Floats, Floats]:
    """Chance of each latent class for each of `people` (people, C), and what each adds to level, slope and log hazard, (C,) each."""
    assert spec.classes is not None
    count = spec.classes.number
    odds = np.zeros((people.size, count))
    design = class_design(spec, data)[1][people]
    for k, names in enumerate(class_odds(spec, data), start=1):
        odds[:, k] = draw.get(names[0]) + design @ np.array([draw.get(name) for name in names[1:]])
    share = np.exp(odds - np.logaddexp.reduce(odds, axis=1, keepdims=True))
    others = range(2, count + 1)
    level = np.array([0.0, *(draw.get(f"class:intercept[{k}]") for k in others)])
    steeper = np.cumsum([0.0, *(np.exp(draw.get(f"class:log_step[{k}]")) for k in others)])
    hazard = np.array([0.0, *(draw.get(f"class:hazard[{k}]") for k in others)])
    return share, level, steeper, hazard


def _log_hazard(
    process: Process, data: JointData, draw: Draw, grid: Grid, people: Ints, clocks: tuple[Floats, Floats], path: tuple[Floats, ...]
) -> Floats:
    """Log hazard of one cause in each cell, shape (people, G).

    `clocks`: log rate and reading of the hazard's clock; `path`: value, slope and mean since time zero amid the cells, and random effects.
    """
    spec, (clock, tau), (middle, steepness, so_far, effects) = process.spec, clocks, path
    log_hazard = draw.linear(spec, data, "hazard", people)
    ratio = np.zeros((people.size, grid.width.size))
    for x, one in zip(grid.exposed, exposed(spec, data).acting, strict=True):
        ratio += draw.get(one.ratio) * x
    through = reach(spec, data)
    alpha = np.array([[draw.get(label) for label in labels] for labels in through.labels])[through.row[people]]
    value_effect, slope_effect = alpha[:, :1], alpha[:, 1:2]
    more = 0.0 if alpha.shape[1] == 2 else alpha[:, 2:3] * so_far + (alpha[:, 3:] * effects).sum(axis=1)[:, None]
    return (
        log_hazard[:, None] + ratio + clock
        + _log_baseline(spec, data, draw, process.knots, (tau[:, 1:] + tau[:, :-1]) / 2 + data.onset_shift[people][:, None], people)
        + value_effect * middle + slope_effect * steepness + more
    )  # fmt: skip


def _mean_so_far(value: Floats, grid: Grid) -> Floats:
    """Mean of a path from time zero to the middle of each cell, shape (people, G), from its values at the edges."""
    area = _running((value[:, 1:] + value[:, :-1]) / 2 * grid.width)[:, :-1]
    return (area + (3 * value[:, :-1] + value[:, 1:]) / 4 * grid.width / 2) / grid.middle


def _after(process: Process, data: JointData, draw: Draw, grid: Grid, people: Ints) -> Floats:
    """Cumulative hazard of what comes after a cause at each edge, for participants with these covariates."""
    names, design = data.design(process.spec.hazard)
    linear = sum((design[people, k] * draw.get(f"hazard:{name}") for k, name in enumerate(names)), start=np.zeros(people.size))
    height = log_baseline(process.spec, process.knots, draw.get, grid.middle)
    return _running(np.exp(np.minimum(linear[:, None] + height, 50.0)) * grid.width)


def _running(steps: Floats) -> Floats:
    """Running sums that start at zero; one column more than `steps`."""
    return np.concatenate([np.zeros((steps.shape[0], 1)), np.cumsum(steps, axis=1)], axis=1)
