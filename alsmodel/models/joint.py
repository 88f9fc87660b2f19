"""The joint model with random effects integrated out, as a `pm.Model`.

`build` joins a specification with the arrays of a cohort. `alsmodel.models.program` evaluates the same density without compiling a
graph, and is what `fit` samples; the tests hold the two together.
"""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.kernels.layout import Layout, hermite_grid, legendre_panel
from alsmodel.models.baseline import coefficient_labels, reference, strata
from alsmodel.models.joint_classes import Along, mixed_loglik
from alsmodel.models.merging import acting_of, later_of, starts_of, through
from alsmodel.models.noise import noise
from alsmodel.models.op import DATA, JointLogLikelihood
from alsmodel.models.parameters import Block, columns_of, derived, hazard_columns, parameters
from alsmodel.models.priors import data_scales
from alsmodel.models.processes import Process, processes
from alsmodel.models.spec import JointModel
from alsmodel.models.structure import (
    PIECES,
    PRIOR_HERMITE,
    ROYSTON_PARMAR,
    SPLINE,
    WEIBULL_CLOCK,
    baseline_kind,
    hazard_knots,
    later_layouts,
    layout_of,
    node_baseline,
    segment_lengths,
)

Floats = NDArray[np.float64]


def build(spec: JointModel, data: JointData) -> pm.Model:
    """Declare `spec` on `data`; samples nothing and prints nothing.

    Parameters
    ----------
    spec : JointModel
    data : JointData
        From `alsmodel.cohort.arrays.joint_data` with ``spec.selection``.

    Notes
    -----
    Score of participant i: :math:`y = \\beta_0 + x^\\top\\beta + b_0 + \\mu_i \\tau(t;\\theta) + b_1 \\tau(t;\\psi) + \\epsilon` with
    :math:`\\mu_i = \\gamma_0 + w^\\top\\gamma` and :math:`\\tau(t;\\theta) = \\int_0^t \\exp\\{\\sum_d \\theta_d x_d(s)\\} ds`.
    Of a sigmoid decline the first two parts are log D50 and log dx (`alsmodel.kernels.sigmoid`).
    """
    knots = hazard_knots(spec, data)
    layout = layout_of(spec, data, knots)
    with pm.Model() as model:
        values = _declare(parameters(spec, data, data_scales(data), knots))
        for one in derived(spec, data, knots):
            values[one.label] = (values[one.common] if one.common else 0.0) + values[one.scale] * values[one.deviation]
        parts = _Parts(spec, data, values, knots)
        if spec.classes is not None:
            pm.Potential("loglik", mixed_loglik(spec, data, values, layout, parts, _along(parts, layout)).sum())
            return model
        total = _likelihood(spec, parts, layout, spec.hermite, "")
        if spec.population == "incident":
            before = layout_of(spec, data, knots, before_entry=True)
            total = total - _likelihood(spec, parts, before, max(spec.hermite, PRIOR_HERMITE), "before_entry_")
        pm.Potential("loglik", total)
    return model


def _declare(blocks: tuple[Block, ...]) -> dict[str, Any]:
    """Declare every block; parameters by printed name."""
    values: dict[str, Any] = {}
    for block in blocks:
        a, b = (block.a[0], block.b[0]) if block.scalar else (block.a, block.b)
        shape = {} if block.scalar else {"shape": block.size}
        if block.mixture:
            weight, mean, sd = np.array(block.mixture).T
            variable = pm.NormalMixture(block.name, weight, mean, sd)
        elif block.kind == "normal":
            variable = pm.Normal(block.name, a, b, **shape)
        elif block.kind == "half-normal":
            variable = pm.HalfNormal(block.name, b, **shape)
        else:
            variable = pm.Beta(block.name, a, a, **shape)
        values |= {block.labels[0]: variable} if block.scalar else {label: variable[k] for k, label in enumerate(block.labels)}
    return values


class _Parts:
    """The model's parts as tensors of the parameters."""

    def __init__(self, spec: JointModel, data: JointData, values: dict[str, Any], knots: Floats) -> None:
        zero = pt.as_tensor(0.0)
        self.spec, self.data, self.values, self.knots = spec, data, values, knots
        self.processes = processes(spec, data, knots)
        self.intercept = values[spec.stem("intercept")] + self._linear("intercept")
        self.slope = values[spec.stem("slope")] + self._linear("slope")
        self.hazard = self._linear("hazard")
        self.bends = [values.get(name, zero) for name in spec.bends or ("quadratic",)]
        self.alpha = pt.stack([pt.stack([values.get(label, zero) for label in labels]) for labels in through(spec, data)])
        self.sigmas = [values[label] for label in noise(spec, data).labels]
        self.covariance = self._covariance()
        self.acting = acting_of(spec, data)

    def _linear(self, part: str) -> Any:
        """Linear predictor of one part, shape (N,), of the hazards one after the other; zero without covariates."""
        if part == "hazard":
            labels, design = hazard_columns(self.spec, self.data, self.knots)
        else:
            labels, design = columns_of(self.spec, self.data, part)
        linear = pt.zeros(design.shape[0] if part == "hazard" else self.data.people)
        rows = {one.suffix: one.place * self.data.people for one in self.processes}
        for label, column in zip(labels, design.T, strict=True):
            x = pt.as_tensor(column)
            name, mark, of = label.removeprefix(f"{self.spec.stem(part)}:").partition("@")
            if name in self.data.missing:
                people = np.flatnonzero(self.data.missing[name]) + rows[mark + of]
                numbers = [self.values[f"imputed:{name}[{k + 1}]"] for k in range(people.size)]
                x = pt.set_subtensor(x[people], pt.stack(numbers))
            linear = linear + x * self.values[label]
        return linear

    def base(self, layout: Layout) -> Any:
        """Log hazards that the likelihood reads, of all processes one after the other."""
        layouts = [*(layout.of_causes or (layout,)), *later_layouts(self.spec, self.data, self.knots)]
        parts = [self._base_of(one, own) for one, own in zip(self.processes, layouts, strict=True) if own is not None]
        return parts[0] if len(parts) == 1 else pt.concatenate(parts)

    def _base_of(self, one: Process, layout: Layout) -> Any:
        """Those of one: of pieces, of every node and end of follow-up, or a Weibull's scale and shape."""
        levels = strata(one.spec, one.data)[0]
        zero = pt.as_tensor(0.0)
        named = coefficient_labels(one.spec, one.knots, levels)
        rows = [[self.values[f"{name}{one.suffix}"] if name else zero for name in names] for names in named]
        kind, fixed = baseline_kind(one.spec), reference(one.spec, one.knots)
        if kind == PIECES:
            return pt.stack([value for row in rows for value in row])
        if kind == WEIBULL_CLOCK:
            level, shape = rows[0]
            return pt.stack([level - shape - (pt.exp(shape) - 1.0) * fixed[0], shape])
        basis, stratum = node_baseline(one.spec, one.data, one.knots, layout)
        level = pt.stack([row[0] for row in rows])[stratum]
        if kind == SPLINE:
            weight = pt.exp(pt.stack([pt.stack(row[1:]) for row in rows]))
            return level + pt.log((basis * weight[stratum]).sum(axis=1) / pt.dot(weight, fixed)[stratum])
        if kind == ROYSTON_PARMAR:
            weight, size = pt.exp(pt.stack([pt.stack(row[1:]) for row in rows]))[stratum], len(rows[0])
            risen, rise = (basis[:, 1:size] * weight).sum(axis=1), (basis[:, size:] * weight).sum(axis=1)
            return level + basis[:, 0] + risen + pt.log(rise)
        return level + (pt.exp(pt.stack([row[1] for row in rows]))[stratum] - 1.0) * basis[:, 0]

    def later(self, layout: Layout) -> Any:
        """Log-likelihood of what is followed after causes; zero without."""
        after = [one for one in self.processes if one.kind == "after"]
        if not after:
            return pt.as_tensor(0.0)
        layouts = later_layouts(self.spec, self.data, self.knots)
        starts = starts_of(self.processes, [*layout.of_causes, *layouts])
        rows = later_of(after, layouts, starts[len(layout.of_causes) : -1], self.data.people)
        eta = self.hazard[rows.row] + self.base(layout)[rows.place]
        return pt.switch(rows.happened, eta, -pt.exp(eta + rows.logw)).sum()

    def value(self, label: str) -> Any:
        """A parameter or derived value; zero for an empty label."""
        return self.values[label] if label else pt.as_tensor(0.0)

    def _covariance(self) -> Any:
        """D from SDs and canonical partial correlations."""
        names, factor = self.spec.effects, []
        for i, name in enumerate(names):
            row, left = [], pt.as_tensor(1.0)
            for other in names[:i]:
                r = 2.0 * self.values[f"partial:{other},{name}"] - 1.0
                row.append(r * left)
                left = left * pt.sqrt(1.0 - r * r)
            factor.append([*row, left, *[pt.as_tensor(0.0)] * (len(names) - i - 1)])
        sds = pt.stack([self.values[f"sd:{name}"] for name in names])
        lower = pt.stack([pt.stack(row) for row in factor]) * sds[:, None]
        return pt.dot(lower, lower.T)


def _likelihood(spec: JointModel, part: _Parts, layout: Layout, hermite: int, prefix: str) -> Any:
    along = _along(part, layout)
    shift = part.data.onset_shift[layout.seg_person]
    abscissae, grid, logw = hermite_grid(hermite, len(spec.effects))
    if layout.top > 0:
        abscissae = legendre_panel(hermite)
    arrays = {**vars(layout), "abscissae": abscissae, "grid": np.ascontiguousarray(grid.T), "grid_logw": logw}
    shared = [pm.Data(f"{prefix}{name}", arrays[name]) for name in DATA]
    op = JointLogLikelihood(baseline_kind(spec) == WEIBULL_CLOCK, layout.causes, layout.top)
    outputs: Any = op(
        along.level, along.rate, along.own_gain, along.own_rate, shift + along.clock_gain, along.clock_rate, along.offset,
        part.base(layout), part.alpha, pt.stack([*part.bends, *part.sigmas]), part.covariance, *shared,
    )  # fmt: skip
    return outputs[0] + part.later(layout) if spec.after else outputs[0]


def _along(part: _Parts, layout: Layout) -> Along:
    """Mean path, clocks and log hazard ratio on each segment."""
    person = layout.seg_person
    mean_rate, mean_gain = _clock(layout, [part.value(one.theta) for one in part.acting])
    own_rate, own_gain = _clock(layout, [part.value(one.psi) for one in part.acting])
    clock_rate, clock_gain = _clock(layout, [part.value(one.clock) for one in part.acting])
    slope, start = part.slope[person], part.intercept[person]
    level, rate = start + slope * mean_gain, slope * mean_rate
    offset = part.hazard[layout.seg_row]
    for k, one in enumerate(part.acting):
        x = pt.as_tensor(layout.exposed[:, k])
        if one.additive:
            rate = rate + part.value(one.additive) * x
            level = level + part.value(one.additive) * _gain(layout, x)
        if one.ratio:
            offset = offset + part.value(one.ratio) * x
    return Along(
        level=level, rate=rate, gain=mean_gain, speed=mean_rate, own_gain=own_gain, own_rate=own_rate, clock_gain=clock_gain,
        clock_rate=clock_rate, offset=offset + pt.log(clock_rate),
    )  # fmt: skip


def _clock(layout: Layout, effects: list[Any]) -> tuple[Any, Any]:
    """Rate of a clock on each segment, and its reading at the segment's reference time."""
    log_rate = pt.zeros(layout.seg_ref.size)
    for k, effect in enumerate(effects):
        log_rate = log_rate + effect * layout.exposed[:, k]
    rate = pt.exp(log_rate)
    return rate, _gain(layout, rate)


def _gain(layout: Layout, rate: Any) -> Any:
    """Integral of a rate that is constant on segments, from time zero to each segment's reference time."""
    inside, before = segment_lengths(layout)
    person = layout.seg_row
    same = person[:, None] == person[None, :]
    earlier = same & (np.arange(person.size)[None, :] < np.arange(person.size)[:, None])
    return pt.dot(np.where(earlier, inside[None, :], 0.0) - np.where(same, before[None, :], 0.0), rate)
