"""The joint model with random effects integrated out, as a `pm.Model`.

`build` joins a specification with the arrays of a cohort. What a treatment does is written here once, as the level and rate of the
mean path and of the participant's own clock on each segment; the kernel knows nothing of drugs.
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.kernels.layout import Layout, hermite_grid, lay_out
from alsmodel.models.op import DATA, JointLogLikelihood
from alsmodel.models.priors import Scales, data_scales, normal_prior
from alsmodel.models.spec import JointModel

Floats = NDArray[np.float64]
PRIOR_HERMITE = 9  # nodes per random effect where the nodes come from the prior, which is far wider than any score posterior


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Built:
    """A model declared on data.

    Attributes
    ----------
    model : pm.Model
    layout : Layout
        Segments and nodes of the data.
    knots : array
        Inner knots of the baseline hazard.
    scales : Scales
        Units of the outcome, time and covariates that weak priors are scaled by.
    names : dict
        Variable to the printed names of its elements, in order.
    """

    model: pm.Model
    layout: Layout
    knots: Floats
    scales: Scales
    names: dict[str, tuple[str, ...]]


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
    nobody = np.zeros(0)
    return lay_out(
        people=data.people,
        visit_person=np.zeros(0, np.int64) if before_entry else data.visit_person,
        visit_time=nobody if before_entry else data.visit_time,
        outcome=nobody if before_entry else data.outcome,
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


def build(spec: JointModel, data: JointData) -> Built:
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
    """
    knots = hazard_knots(spec, data)
    layout = layout_of(spec, data, knots)
    scales = data_scales(data)
    names: dict[str, tuple[str, ...]] = {}
    with pm.Model() as model:
        part = _Declared(spec, data, scales, names)
        total = _likelihood(spec, part, layout, spec.hermite, "")
        if spec.population == "incident":
            before = layout_of(spec, data, knots, before_entry=True)
            total = total - _likelihood(spec, part, before, max(spec.hermite, PRIOR_HERMITE), "before_entry_")
        pm.Potential("loglik", total)
    return Built(model=model, layout=layout, knots=knots, scales=scales, names=names)


class _Declared:
    """Parameters with their priors, as tensors."""

    def __init__(self, spec: JointModel, data: JointData, scales: Scales, names: dict[str, tuple[str, ...]]) -> None:
        self.spec, self.data, self.scales, self.names = spec, data, scales, names
        pri, s = spec.priors, scales
        self.imputed = _impute(data, names)
        mean = self.normal("intercept", pri.intercept or normal_prior(s.centre, 10 * s.spread))
        slope = self.normal("slope", pri.slope or normal_prior(0.0, 10 * s.spread / s.length))
        self.intercept = mean + self.covariates("intercept", spec.intercept, pri.intercept_covariates, 2.5 * s.spread)
        self.slope = slope + self.covariates("slope", spec.slope, pri.slope_covariates, 10 * s.spread / s.length)
        self.hazard = self.covariates("hazard", spec.hazard, pri.hazard_covariates, 2.5)
        self.quadratic = pt.as_tensor(0.0)
        if spec.fixed_quadratic:
            self.quadratic = self.normal("quadratic", pri.quadratic or normal_prior(0.0, 10 * s.spread / s.length**2))
        self.alpha = self.association()
        self.covariance = self.random_covariance()
        self.sigma = self.half_normal("sd:residual", pri.sd_residual or 2.5 * s.spread)
        self.base = self.baseline()
        self.drugs = self.treatments()

    def normal(self, name: str, prior: Any, size: int | None = None) -> Any:
        return pm.Normal(name, prior.mean, prior.sd, **({} if size is None else {"shape": size}))

    def half_normal(self, name: str, scale: float) -> Any:
        return pm.HalfNormal(name, scale)

    def covariates(self, part: str, terms: tuple[str, ...], prior: Any, spread: float) -> Any:
        """Linear predictor of one part, shape (N,); zero without covariates."""
        columns, design = self.data.design(terms)
        if not columns:
            return pt.zeros(self.data.people)
        self.names[f"{part}_coefficients"] = tuple(f"{part}:{column}" for column in columns)
        sd = np.full(len(columns), prior.sd) if prior else spread / np.array([self.scales.columns[c] for c in columns])
        coefficients = pm.Normal(f"{part}_coefficients", prior.mean if prior else 0.0, sd, shape=len(columns))
        x = pm.Data(f"{part}_design", np.ascontiguousarray(design))
        linear = pt.dot(x, coefficients)
        for k, column in enumerate(columns):
            if column in self.imputed:
                people, value = self.imputed[column]
                gap = (value - float(design[people[0], k])) * coefficients[k]
                linear = pt.inc_subtensor(linear[people], gap)
        return linear

    def association(self) -> Any:
        pri, s = self.spec.priors, self.scales
        zero = pt.as_tensor(0.0)
        value = slope = zero
        if "value" in self.spec.association:
            value = self.normal("association:value", pri.association_value or normal_prior(0.0, 2.5 / s.spread))
        if "slope" in self.spec.association:
            slope = self.normal("association:slope", pri.association_slope or normal_prior(0.0, 2.5 * s.length / s.spread))
        return pt.stack([value, slope])

    def random_covariance(self) -> Any:
        """D from SDs and canonical partial correlations, which are LKJ when each is a shifted beta (Lewandowski et al. 2009)."""
        pri, s = self.spec.priors, self.scales
        sds = [
            self.half_normal("sd:intercept", pri.sd_intercept or 2.5 * s.spread),
            self.half_normal("sd:slope", pri.sd_slope or 10 * s.spread / s.length),
        ]
        if self.spec.random_effects == "linear":
            r = 2.0 * pm.Beta("partial:intercept,slope", pri.correlation, pri.correlation) - 1.0
            factor = [[pt.as_tensor(1.0), pt.as_tensor(0.0)], [r, pt.sqrt(1.0 - r * r)]]
        else:
            sds.append(self.half_normal("sd:quadratic", pri.sd_quadratic or 10 * s.spread / s.length**2))
            outer = pri.correlation + 0.5
            a = 2.0 * pm.Beta("partial:intercept,slope", outer, outer) - 1.0
            b = 2.0 * pm.Beta("partial:intercept,quadratic", outer, outer) - 1.0
            c = 2.0 * pm.Beta("partial:slope,quadratic", pri.correlation, pri.correlation) - 1.0
            zero, left = pt.as_tensor(0.0), pt.sqrt(1.0 - b * b)
            factor = [
                [pt.as_tensor(1.0), zero, zero],
                [a, pt.sqrt(1.0 - a * a), zero],
                [b, c * left, left * pt.sqrt(1.0 - c * c)],
            ]
        lower = pt.stack([pt.stack(row) for row in factor]) * pt.stack(sds)[:, None]
        return pt.dot(lower, lower.T)

    def baseline(self) -> Any:
        """Log hazard of each piece, or (log scale, log shape). The prior is centred on the crude rate at the mean score."""
        pri, s = self.spec.priors, self.scales
        prior = pri.log_hazard or normal_prior(s.log_rate, 10.0)
        if self.spec.baseline_hazard.kind == "weibull":
            scale = self.normal("log_scale", prior)
            return pt.stack([scale, self.normal("log_shape", pri.log_shape)])
        pieces = hazard_knots(self.spec, self.data).size + 1
        self.names["log_hazard"] = tuple(f"log_hazard[{k + 1}]" for k in range(pieces))
        return self.normal("log_hazard", prior, size=pieces)

    def treatments(self) -> list[dict[str, Any]]:
        pri, s = self.spec.priors, self.scales
        drugs = []
        for t in self.spec.treatments:
            zero = pt.as_tensor(0.0)
            theta = self.normal(f"theta:{t.name}", pri.theta) if t.score == "clock" else zero
            psi = zero
            if t.score == "clock" and t.own_clock != "none":
                psi = theta if t.own_clock == "scaled" else self.normal(f"psi:{t.name}", pri.psi)
            additive = zero
            if t.score == "additive":
                additive = self.normal(f"slope:{t.name}", pri.additive or normal_prior(0.0, 10 * s.spread / s.length))
            ratio = zero
            if t.hazard == "ratio":
                ratio = self.normal(f"hazard:{t.name}", pri.direct)
            elif t.hazard == "DRR":
                ratio = theta
            clock = theta if t.hazard == "clock" else zero
            drugs.append({"theta": theta, "psi": psi, "additive": additive, "ratio": ratio, "clock": clock})
        return drugs


def _impute(data: JointData, names: dict[str, tuple[str, ...]]) -> dict[str, tuple[Any, Any]]:
    """One parameter per missing number, normal around the mean of those recorded with their SD."""
    imputed: dict[str, tuple[Any, Any]] = {}
    for column, absent in data.missing.items():
        people = np.flatnonzero(absent)
        seen = data.columns[column][~absent]
        names[f"imputed:{column}"] = tuple(f"imputed:{column}[{k + 1}]" for k in range(people.size))
        imputed[column] = (people, pm.Normal(f"imputed:{column}", seen.mean(), seen.std(ddof=1), shape=people.size))
    return imputed


def _likelihood(spec: JointModel, part: _Declared, layout: Layout, hermite: int, prefix: str) -> Any:
    person = layout.seg_person
    mean_rate, mean_gain = _rates(layout, [d["theta"] for d in part.drugs], [t.score == "clock" for t in spec.treatments])
    own_rate, own_gain = _rates(layout, [d["psi"] for d in part.drugs], [t.score == "clock" and t.own_clock != "none" for t in spec.treatments])
    clocks = [t.hazard == "clock" for t in spec.treatments]
    clock_rate, clock_gain = _rates(layout, [d["clock"] for d in part.drugs], clocks)
    slope, start = part.slope[person], part.intercept[person]
    level, rate = start + slope * mean_gain, slope * mean_rate
    offset = part.hazard[person]
    for k, (t, drug) in enumerate(zip(spec.treatments, part.drugs, strict=True)):
        x = layout.exposed[:, k]
        if t.score == "additive":
            rate = rate + drug["additive"] * x
            level = level + drug["additive"] * _gain(layout, x)
        if t.hazard in ("ratio", "DRR"):
            offset = offset + drug["ratio"] * x
    if any(clocks):
        offset = offset + pt.log(clock_rate)
    shift = part.data.onset_shift[person]
    random = 2 if spec.random_effects == "linear" else 3
    x, grid, logw = hermite_grid(hermite, random)
    arrays = {**vars(layout), "abscissae": x, "grid": grid, "grid_logw": logw}
    shared = [pm.Data(f"{prefix}{name}", arrays[name]) for name in DATA]
    op = JointLogLikelihood(spec.baseline_hazard.kind == "weibull")
    outputs = op(
        level, rate, own_gain, own_rate, shift + clock_gain, clock_rate, offset, part.base, part.alpha,
        pt.stack([part.quadratic, part.sigma]), part.covariance, *shared,
    )  # fmt: skip
    return outputs[0]


def _rates(layout: Layout, effects: list[Any], active: list[bool]) -> tuple[Any, Any]:
    """Rate of a clock on each segment, and its reading at the segment's reference time; plain arrays when nothing acts on it."""
    log_rate: Any = 0.0
    for k, effect in enumerate(effects):
        if active[k]:
            log_rate = log_rate + effect * layout.exposed[:, k]
    if not any(active):
        return pt.as_tensor(np.ones(layout.seg_ref.size)), pt.as_tensor(layout.seg_ref)
    rate = pt.exp(log_rate)
    return rate, _gain(layout, rate)


def _gain(layout: Layout, rate: Any) -> Any:
    """Integral of a rate that is constant on segments, from time zero to each segment's reference time."""
    inside, before, row, column = _lengths(layout)
    if not inside.any():
        return rate * 0.0
    if isinstance(rate, np.ndarray):
        padded = np.zeros(inside.shape)
        padded[row, column] = rate
        reading = np.cumsum(padded * inside, axis=1) - (padded * before).sum(axis=1, keepdims=True)
        return (reading - padded * inside)[row, column]
    padded = pt.set_subtensor(pt.zeros(inside.shape)[row, column], rate)
    steps = padded * inside
    reading = pt.cumsum(steps, axis=1) - steps - (padded * before).sum(axis=1, keepdims=True)
    return reading[row, column]


def _lengths(layout: Layout) -> tuple[Floats, Floats, Any, Any]:
    """Length of each segment between reference times, and the part of it before time zero, padded to (N, most segments)."""
    ptr, person = layout.seg_ptr, layout.seg_person
    column = np.arange(person.size) - ptr[person]
    most = int(np.diff(ptr).max())
    inside, before = np.zeros((ptr.size - 1, most)), np.zeros((ptr.size - 1, most))
    final = np.append(person[1:] != person[:-1], True)
    ahead = np.where(final, layout.seg_ref, np.append(layout.seg_ref[1:], 0.0))
    inside[person, column] = ahead - layout.seg_ref
    before[person, column] = np.clip(np.minimum(np.where(final, np.inf, ahead), 0.0) - layout.seg_ref, 0.0, None)
    return inside, before, person, column
