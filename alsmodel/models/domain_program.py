"""A model of several outcomes on data, ready to evaluate: log posterior density, gradient, and log-likelihood of each participant."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.outcome_arrays import OutcomeData
from alsmodel.kernels.correlations import partial_factor, partial_gradient
from alsmodel.kernels.layout import lay_out
from alsmodel.kernels.outcome_records import Grid, Population, Risk, Rows, Slopes, Work, plane_grid, room
from alsmodel.kernels.outcomes import outcomes_loglik
from alsmodel.kernels.posterior import Priors, constrain
from alsmodel.models.baseline import inner_knots
from alsmodel.models.domain import DomainModel
from alsmodel.models.domain_parameters import effect_names, outcome_parameters, outcome_scales, residual_groups
from alsmodel.models.evaluation import AbstractProgram, labels_of, priors_of
from alsmodel.models.parameters import Block

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TOLERANCE = 1e-2
EVENT_NODES = 3


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """Where parameters stand in the vector, and the designs that multiply them.

    Attributes
    ----------
    lines : tuple of int array
        Coefficients of each random effect's mean, in the order of `effect_names`.
    designs : tuple of array, shape (N, columns)
        First column 1.
    sds, partials, log_hazard, hazard : int array
    residual : int array, shape (G, K)
    alpha : int array, shape (2,)
        -1 where absent.
    df : int
    theta, theta_sd, direct : int
        Common log ratio of slopes, SD between outcomes, direct log hazard ratio; -1 where absent.
    by_outcome : int array, shape (K,)
        Deviations (pooled) or log ratios (separate) of each outcome; empty for a common ratio.
    x_hazard : array, shape (N, columns)
    treated : array, shape (N,)
    """

    lines: tuple[Ints, ...]
    designs: tuple[Floats, ...]
    sds: Ints
    partials: Ints
    residual: Ints
    alpha: Ints
    df: int
    log_hazard: Ints
    hazard: Ints
    x_hazard: Floats
    theta: int
    theta_sd: int
    by_outcome: Ints
    direct: int
    treated: Floats


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class DomainProgram(AbstractProgram):
    """A model on data, ready to evaluate.

    Attributes
    ----------
    blocks : tuple of Block
        Parameters in the order of the unconstrained vector.
    knots : array
        Inner knots of the baseline hazard.
    priors : Priors
    places : Places
    rows, risk : Rows, Risk
        The data.
    grid, event_grid : Grid
    weights : array, shape (K,)
    tolerance : float
        Of expectation propagation, in SDs.
    start : array, shape (P,)
        A point to climb from.
    """

    blocks: tuple[Block, ...]
    knots: Floats
    priors: Priors
    places: Places
    rows: Rows
    risk: Risk
    grid: Grid
    event_grid: Grid
    weights: Floats
    tolerance: float
    start: Floats

    def population(self, value: Floats) -> Population:
        """Parameters on their own scale as the kernel takes them."""
        p = self.places
        mean = np.empty((p.treated.size, len(p.lines)))
        for k, (index, design) in enumerate(zip(p.lines, p.designs, strict=True)):
            mean[:, k] = design @ value[index]
        mean[:, 1::2] *= np.exp(np.outer(p.treated, self._theta(value)))
        offset = p.x_hazard @ value[p.hazard] + (p.treated * value[p.direct] if p.direct >= 0 else 0.0)
        lower = value[p.sds][:, None] * partial_factor(2.0 * value[p.partials] - 1.0, p.sds.size)
        return Population(
            mean=mean,
            offset=np.ascontiguousarray(offset),
            covariance=lower @ lower.T,
            sigma=np.ascontiguousarray(value[p.residual]),
            base=value[p.log_hazard],
            alpha=np.where(p.alpha >= 0, value[p.alpha], 0.0),
            weights=self.weights,
            df=float(np.exp(min(value[p.df], 300.0))) if p.df >= 0 else 1e6,
        )

    def _theta(self, value: Floats) -> Floats:
        """Log ratio of slopes of each outcome."""
        p, k = self.places, self.weights.size
        common = np.full(k, value[p.theta] if p.theta >= 0 else 0.0)
        if p.by_outcome.size == 0:
            return common
        return common + value[p.by_outcome] * (value[p.theta_sd] if p.theta_sd >= 0 else 1.0)

    def room(self) -> Work:
        """Room for one evaluation; evaluations in several threads each need their own."""
        times = int(np.diff(self.risk.node_ptr).max(initial=0))
        rows = int(np.diff(self.rows.ptr).max(initial=0))
        nodes = max(self.grid.x.size, self.event_grid.x.size)
        return room(nodes, max(self.grid.along.size, self.event_grid.along.size), times, rows)

    def _evaluate(self, x: Floats, gradient: bool = True) -> tuple[float, Floats, Floats]:  # the gradient costs little more
        value, slope, pull = np.empty(x.size), np.empty(x.size), np.zeros(x.size)
        prior = constrain(x, self.priors, value, slope, pull)
        pop = self.population(value)
        loglik, g = outcomes_loglik(pop, self.rows, self.risk, self.grid, self.event_grid, self.tolerance, self.room())
        pull += slope * self._pull_back(value, pop, g)
        total = float(prior + loglik.sum())
        return (total if np.isfinite(total) else -np.inf), pull, loglik

    def _pull_back(self, value: Floats, pop: Population, g: Slopes) -> Floats:
        """From the gradient in `Population` to that in the parameters."""
        p, d = self.places, np.zeros(value.size)
        ratio = np.exp(np.outer(p.treated, self._theta(value)))
        for k, (index, design) in enumerate(zip(p.lines, p.designs, strict=True)):
            pull = g.mean[:, k] * ratio[:, k // 2] if k % 2 else g.mean[:, k]
            d[index] += design.T @ pull
        if p.theta >= 0 or p.by_outcome.size:
            by_theta = p.treated @ (g.mean[:, 1::2] * pop.mean[:, 1::2])
            if p.theta >= 0:
                d[p.theta] += by_theta.sum()
            if p.by_outcome.size:
                d[p.by_outcome] += by_theta * (value[p.theta_sd] if p.theta_sd >= 0 else 1.0)
            if p.theta_sd >= 0:
                d[p.theta_sd] += by_theta @ value[p.by_outcome]
        d[p.hazard] += p.x_hazard.T @ g.offset
        if p.direct >= 0:
            d[p.direct] += p.treated @ g.offset
        partials = 2.0 * value[p.partials] - 1.0
        factor, sd = partial_factor(partials, p.sds.size), value[p.sds]
        d_lower = np.tril(2.0 * g.covariance @ (sd[:, None] * factor))
        d[p.sds] += (d_lower * factor).sum(axis=1)
        d[p.partials] += 2.0 * partial_gradient(sd[:, None] * d_lower, partials)
        np.add.at(d, p.residual, g.sigma)
        d[p.log_hazard] += g.base
        for k in range(2):
            if p.alpha[k] >= 0:
                d[p.alpha[k]] += g.alpha[k]
        if p.df >= 0:
            d[p.df] += g.alpha[2] * pop.df
        return d


def domain_program(
    spec: DomainModel,
    data: OutcomeData,
    *,
    tolerance: float = TOLERANCE,
    event_nodes: int = EVENT_NODES,
    more_time_nodes: int = 0,
) -> DomainProgram:
    """Turn `spec` on `data` into arrays.

    Parameters
    ----------
    spec : DomainModel
    data : OutcomeData
        From `alsmodel.cohort.outcome_arrays.outcome_data` with ``spec.selection``.
    tolerance : float
        Of expectation propagation, in SDs of a participant's lines.
    event_nodes : int
        Nodes along each axis of the projection's plane.
    more_time_nodes : int
        Added to the nodes of each piece of the hazard, to judge them.
    """
    knots = inner_knots(spec.survival.knots, data.base.event_time[data.base.event > 0])
    blocks = outcome_parameters(spec, data, knots.size + 1)
    return DomainProgram(
        blocks=blocks,
        knots=knots,
        priors=priors_of(blocks),
        places=_places(spec, data, blocks),
        rows=_rows(spec, data),
        risk=_risk(data, knots, spec.survival.nodes + more_time_nodes),
        grid=plane_grid(*spec.nodes),
        event_grid=plane_grid(event_nodes, event_nodes, negligible=0.0),
        weights=np.array([outcome.weight for outcome in spec.outcomes]),
        tolerance=tolerance,
        start=_start(spec, data, blocks),
    )


def _rows(spec: DomainModel, data: OutcomeData) -> Rows:
    n, k = data.people, len(spec.outcomes)
    y, t = data.row_value.copy(), data.row_time
    side = np.full(y.size, np.nan)  # NaN: a row with Gaussian noise
    for number, outcome in enumerate(spec.outcomes):
        mine = data.row_outcome == number
        if outcome.likelihood == "student":
            side[mine] = 0.0
        elif outcome.likelihood == "censored":
            low, high = outcome.bounds
            if high is not None:
                side[mine & (y >= high)] = 1.0
            if low is not None:
                side[mine & (y <= low)] = -1.0
    plain = np.isnan(side)
    cross = np.zeros((n, k, 6))
    where = (data.row_person[plain], data.row_outcome[plain])
    for q, product in enumerate((np.ones_like(t), t, t * t, y, t * y, y * y)):
        np.add.at(cross[:, :, q], where, product[plain])
    other = ~plain
    cell = data.row_person[other] * k + data.row_outcome[other]
    order = np.argsort(cell, kind="stable")
    count = np.bincount(cell, minlength=n * k)
    middle = np.bincount(cell, weights=t[other], minlength=n * k) / np.maximum(count, 1)
    groups = residual_groups(spec, data)
    place = {group: g for g, group in enumerate(groups)}
    group = np.array([place[str(arm)] for arm in data.base.groups["arm"]], np.int64) if len(groups) > 1 else np.zeros(n, np.int64)
    return Rows(
        cross=cross,
        ptr=np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        time=t[other][order],
        value=y[other][order],
        side=side[other][order],
        middle=middle.reshape(n, k),
        group=group,
    )


def _risk(data: OutcomeData, knots: Floats, nodes: int) -> Risk:
    base, none, nothing = data.base, np.zeros(0, np.int64), np.zeros(0)
    layout = lay_out(
        people=base.people, visit_person=none, visit_time=nothing, outcome=nothing,
        begin=base.entry_time, end=base.event_time, event=base.event, shift=np.zeros(base.people), knots=knots, nodes=nodes,
        weibull=False, exposure_person=none, exposure_drug=none, exposure_start=nothing, exposure_stop=nothing, drugs=0,
    )  # fmt: skip
    return Risk(*(getattr(layout, name) for name in Risk._fields))


def _places(spec: DomainModel, data: OutcomeData, blocks: tuple[Block, ...]) -> Places:
    where: dict[str, int] = {}
    for label in labels_of(blocks):
        where[label] = len(where)

    def find(labels: list[str]) -> Ints:
        return np.array([where.get(label, -1) for label in labels], np.int64)

    lines, designs = [], []
    for outcome in spec.outcomes:
        for part in ("intercept", "slope"):
            names, design = data.base.design(getattr(outcome, part))
            lines.append(find([f"{outcome.name}.{part}", *(f"{outcome.name}.{part}:{name}" for name in names)]))
            designs.append(np.ascontiguousarray(np.column_stack([np.ones(data.people), design])))
    effects, drug = effect_names(spec), spec.treatment
    name = drug.name if drug else ""
    treated = np.zeros(data.people)
    if drug:
        treated[data.base.exposure_person] = 1.0
    across = {"pooled": "z", "separate": "theta"}.get(drug.across) if drug else None
    hazard_names, x_hazard = data.base.design(spec.hazard)
    groups = residual_groups(spec, data)
    return Places(
        lines=tuple(lines),
        designs=tuple(designs),
        sds=find([f"sd:{effect}" for effect in effects]),
        partials=find([f"partial:{effects[j]},{effects[i]}" for i in range(len(effects)) for j in range(i)]),
        residual=np.stack([find([f"sd:{o}.residual" + (f"[{g}]" if g else "") for o in spec.names]) for g in groups]),
        alpha=find(["association:value", "association:slope"]),
        df=where.get("log_df", -1),
        log_hazard=np.array([k for label, k in where.items() if label.startswith("log_hazard[")], np.int64),
        hazard=find([f"hazard:{column}" for column in hazard_names]),
        x_hazard=np.ascontiguousarray(x_hazard),
        theta=where.get(f"theta:{name}", -1),
        theta_sd=where.get(f"sd:theta:{name}", -1),
        by_outcome=find([f"{across}:{name},{o}" for o in spec.names]) if across else np.zeros(0, np.int64),
        direct=where.get(f"hazard:{name}", -1) if drug else -1,
        treated=treated,
    )


def _start(spec: DomainModel, data: OutcomeData, blocks: tuple[Block, ...]) -> Floats:
    """Crude values for what has a unit, prior means for the rest."""
    scales = outcome_scales(spec, data)
    crude: dict[str, float] = {}
    for name, centre, spread in zip(spec.names, scales.centre, scales.spread, strict=True):
        crude[f"{name}.intercept"] = centre
        crude[f"sd:{name}.intercept"] = np.log(0.8 * spread)
        crude[f"sd:{name}.slope"] = np.log(0.5 * spread / scales.length)
    out = []
    for block in blocks:
        for label, a in zip(block.labels, block.a, strict=True):
            if ".residual" in label:
                of = spec.names.index(label.removeprefix("sd:").split(".residual")[0])
                out.append(float(np.log(0.4 * scales.spread[of])))
            elif label.startswith("log_hazard["):
                out.append(scales.log_rate)
            elif block.kind == "beta":
                out.append(0.0)
            elif label.startswith("sd:theta"):
                out.append(float(np.log(0.1)))
            else:
                out.append(crude.get(label, float(a)))
    return np.array(out)
