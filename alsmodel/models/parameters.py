"""The parameters of a joint model, with their priors: one list that PyMC and the compiled density both read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.models.association import Through, kinds, shared_labels
from alsmodel.models.baseline import shape_size, strata
from alsmodel.models.bends import pairs_of
from alsmodel.models.classes import class_design, class_labels, class_odds
from alsmodel.models.effects import levels_of, varies
from alsmodel.models.groups import members
from alsmodel.models.noise import RESIDUAL, noise
from alsmodel.models.priors import HalfNormal, Mixture, Normal, Scales, log_rate_of, mixture_text, normal_prior
from alsmodel.models.processes import Process, processes
from alsmodel.models.reach import centring, levels_of_association
from alsmodel.models.sigmoid import default_coefficients, default_means, default_spreads
from alsmodel.models.spec import JointModel
from alsmodel.models.treatments import Treatment

Floats = NDArray[np.float64]

WEAK = "weak, in units of the data"
SPREAD = "non-centred deviation of a group"
APART = "classes that decline alike would be one class twice; in units of the data"


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Parameters that are declared together.

    Attributes
    ----------
    name : str
        Name in the PyMC model.
    labels : tuple of str
        Printed name of each element.
    kind : {"normal", "half-normal", "beta"}
        normal(a, b); half-normal with scale b; beta with both shapes a.
    a, b : array, shape (elements,)
    scalar : bool
        Declared without a shape.
    reason : str
        Why this prior.
    mixture : tuple of (weight, mean, SD)
        Components of a prior that is a mixture of normals; `a` and `b` are then its mean and SD. Of a scalar normal block only.
    """

    name: str
    labels: tuple[str, ...]
    kind: Literal["normal", "half-normal", "beta"]
    a: Floats
    b: Floats
    scalar: bool = True
    reason: str = ""
    mixture: tuple[tuple[float, float, float], ...] = ()

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.a.size

    def text(self, k: int) -> str:
        """Prior of element `k` in a formula."""
        if self.mixture:
            return mixture_text(self.mixture)
        if self.kind == "half-normal":
            return f"half-normal({self.b[k]:g})"
        if self.kind == "beta":
            return f"(1 + r) / 2 ~ beta({self.a[k]:g}, {self.a[k]:g})"
        return f"N({self.a[k]:g}, {self.b[k]:g}^2)"


@final
@dataclass(frozen=True, kw_only=True)
class Derived:
    """A value made of parameters: common + scale * deviation, each by label.

    An empty `common` stands for zero; an empty `scale` for one. `common` may be a derived value that was listed before.
    """

    label: str
    common: str
    scale: str
    deviation: str


def _normal(name: str, given: Normal | Mixture | None, weak: Normal | None = None) -> Block:
    prior = given or weak
    assert prior is not None
    reason = prior.reason or ("given in the specification" if given else WEAK)
    mixture = prior.components if isinstance(prior, Mixture) else ()
    a, b = np.array([prior.mean]), np.array([prior.sd])
    return Block(name=name, labels=(name,), kind="normal", a=a, b=b, reason=reason, mixture=mixture)


def _half_normal(name: str, given: HalfNormal | None, scale: float = 1.0) -> Block:
    used = normal_prior(0.0, given.scale if given else scale).sd
    reason = (given.reason or "given in the specification") if given else WEAK
    return Block(name=name, labels=(name,), kind="half-normal", a=np.zeros(1), b=np.array([used]), reason=reason)


def _beta(name: str, shape: float) -> Block:
    reason = "partial correlations that make the matrix LKJ"
    return Block(name=name, labels=(name,), kind="beta", a=np.array([shape]), b=np.ones(1), reason=reason)


def _vector(name: str, labels: Sequence[str], mean: Floats, sd: Floats, reason: str) -> Block:
    return Block(name=name, labels=tuple(labels), kind="normal", a=mean, b=sd, scalar=False, reason=reason)


def _deviations(name: str, labels: Sequence[str]) -> Block:
    return _vector(name, labels, np.zeros(len(labels)), np.ones(len(labels)), SPREAD)


def parameters(spec: JointModel, data: JointData, scales: Scales, knots: Floats) -> tuple[Block, ...]:
    """List the parameters of `spec` on `data`, in the order of the unconstrained vector; those of further causes come last."""
    first, *others = processes(spec, data, knots)
    if not others:
        return _of_one(spec, data, scales, knots)
    own = _of_one(first.spec, first.data, replace(scales, log_rate=log_rate_of(first.data)), first.knots)
    further = (block for other in others for block in _of_further(other, data, scales))
    return (*own, *further)


def _of_further(other: Process, data: JointData, scales: Scales) -> list[Block]:
    """Parameters of a further hazard: covariates, association, baseline, direct effects of drugs."""
    spec, s = other.spec, replace(scales, log_rate=log_rate_of(other.data))
    blocks = _coefficients("hazard", data.design(spec.hazard)[0], spec.priors.hazard_covariates, 2.5, s)
    for kind in kinds(spec.association):
        blocks += _association(spec, data, s, kind)
    blocks += _baseline(spec, other.data, s, other.knots)
    for t in spec.treatments:
        blocks += _direct(t, spec.priors.direct)
    named = [
        replace(block, name=f"{block.name}{other.suffix}", labels=tuple(f"{label}{other.suffix}" for label in block.labels))
        for block in blocks
    ]
    return named


def _of_one(spec: JointModel, data: JointData, scales: Scales, knots: Floats) -> tuple[Block, ...]:
    """Parameters of a model with one cause."""
    pri, s = spec.priors, scales
    wide = 10 * s.spread / s.length
    blocks = (
        _sigmoid_means(spec)
        if spec.decline.kind == "sigmoid"
        else [
            _normal("intercept", pri.intercept, normal_prior(s.centre, 10 * s.spread)),
            _normal("slope", pri.slope, normal_prior(0.0, wide)),
        ]
    )
    if spec.fixed_quadratic:
        blocks += [_normal(name, pri.quadratic, normal_prior(0.0, wide / s.length)) for name in spec.bends]
    for part, terms, prior, spread in (
        ("intercept", spec.intercept, pri.intercept_covariates, 2.5 * s.spread),
        ("slope", spec.slope, pri.slope_covariates, wide),
        ("hazard", spec.hazard, pri.hazard_covariates, 2.5),
    ):
        columns = data.design(terms)[0]
        if part != spec.stem(part):
            blocks += _sigmoid_coefficients(spec, spec.stem(part), columns, s)
        else:
            blocks += _coefficients(part, columns, prior, spread, s)
    for kind in kinds(spec.association):
        blocks += _association(spec, data, s, kind)
    blocks += [*_random_effects(spec, data, s), *_baseline(spec, data, s, knots), *_drugs(spec, data, wide)]
    blocks += [*_hierarchy(spec, data, s), *_imputed(data), *_classes(spec, data, s)]
    return tuple(blocks)


def _sigmoid_means(spec: JointModel) -> list[Block]:
    """Means of log D50 and log dx."""
    weak = default_means(spec)
    return [_normal("log_d50", spec.priors.log_d50, weak[0]), _normal("log_dx", spec.priors.log_dx, weak[1])]


def _sigmoid_coefficients(spec: JointModel, stem: str, columns: tuple[str, ...], s: Scales) -> list[Block]:
    """Coefficients on log D50 or log dx."""
    weak, given = default_coefficients(), getattr(spec.priors, f"{stem}_covariates")
    return [replace(block, reason=block.reason if given else weak.reason) for block in _coefficients(stem, columns, given, weak.sd, s)]


def derived(spec: JointModel, data: JointData, knots: Floats) -> tuple[Derived, ...]:
    """Values made of parameters that take the place of parameters: those of groups, strata and spline weights."""
    first, *others = processes(spec, data, knots)
    made = (*_derived_baseline(first.spec, data, first.knots), *_derived_effects(spec, data), *_derived_hierarchy(spec, data))
    further = (_suffixed(one, other.suffix) for other in others for one in _derived_baseline(other.spec, other.data, other.knots))
    return (*made, *_derived_association(spec, data), *further)


def _suffixed(one: Derived, suffix: str) -> Derived:
    """The same value of a further hazard."""
    return Derived(**{name: f"{label}{suffix}" if label else "" for name, label in vars(one).items()})


def _association(spec: JointModel, data: JointData, s: Scales, kind: Through) -> list[Block]:
    """The association of one kind; where it differs between groups, the SD between them and their deviations."""
    pri, length = spec.priors, s.length if kind == "slope" else 1.0
    if kind == "shared":
        given = (
            pri.association_shared_intercept,
            pri.association_shared_slope,
            *[pri.association_shared_quadratic] * len(spec.effects[2:]),
        )
        return [
            _normal(label, prior, normal_prior(0.0, 2.5 * s.length ** min(k, 2) / s.spread))
            for k, (label, prior) in enumerate(zip(shared_labels(spec.effects), given, strict=True))
        ]
    what = f"association:{kind}"
    blocks = [_normal(what, getattr(pri, f"association_{kind}"), normal_prior(0.0, 2.5 * length / s.spread))]
    if levels := levels_of_association(spec, data, kind):
        blocks.append(_half_normal(f"group_sd:{what}", pri.half_normal(f"sd_association_{kind}"), 0.2 * length / s.spread))
        blocks.append(_deviations(f"z:{what}", [f"z:{what}[{level}]" for level in levels]))
    return blocks


def _derived_association(spec: JointModel, data: JointData) -> list[Derived]:
    out = []
    for kind in kinds(spec.association):
        what = f"association:{kind}"
        for level in levels_of_association(spec, data, kind):
            out.append(Derived(label=f"{what}[{level}]", common=what, scale=f"group_sd:{what}", deviation=f"z:{what}[{level}]"))
    return out


def _coefficients(part: str, columns: tuple[str, ...], prior: Normal | None, spread: float, s: Scales) -> list[Block]:
    if not columns:
        return []
    mean = np.full(len(columns), prior.mean if prior else 0.0)
    sd = np.array([prior.sd if prior else normal_prior(0.0, spread / s.columns[c]).sd for c in columns])
    reason = (prior.reason or "given in the specification") if prior else WEAK
    return [_vector(f"{part}_coefficients", [f"{part}:{column}" for column in columns], mean, sd, reason)]


def _random_effects(spec: JointModel, data: JointData, s: Scales) -> list[Block]:
    """SDs, and canonical partial correlations that make the matrix LKJ (Lewandowski et al. 2009, doi 10.1016/j.jmva.2009.04.008)."""
    pri, wide = spec.priors, 10 * s.spread / s.length
    spreads = default_spreads()
    blocks = (
        [
            _half_normal("sd:log_d50", pri.half_normal("sd_log_d50") or spreads[0]),
            _half_normal("sd:log_dx", pri.half_normal("sd_log_dx") or spreads[1]),
        ]
        if spec.decline.kind == "sigmoid"
        else [
            _half_normal("sd:intercept", pri.half_normal("sd_intercept"), 2.5 * s.spread),
            _half_normal("sd:slope", pri.half_normal("sd_slope"), wide),
        ]
    )
    names = spec.effects
    blocks += [_half_normal(f"sd:{name}", pri.half_normal("sd_quadratic"), wide / s.length) for name in names[2:]]
    for first, second in pairs_of(names):
        blocks.append(_beta(f"partial:{first},{second}", pri.correlation + 0.5 * (len(names) - 2 - names.index(first))))
    residual, labels = _half_normal(RESIDUAL, pri.half_normal("sd_residual"), 2.5 * s.spread), noise(spec, data).labels
    if spec.decline.residual_by is not None:
        residual = replace(residual, labels=labels, a=np.zeros(len(labels)), b=np.repeat(residual.b, len(labels)), scalar=False)
    return [*blocks, residual]


# Baseline hazard -----------------------------------------------------------------------------------------------------


def _baseline(spec: JointModel, data: JointData, s: Scales, knots: Floats) -> list[Block]:
    """Coefficients of the baseline: of each stratum alone, or of one that strata are drawn towards."""
    levels = strata(spec, data)[0]
    pooled = spec.survival.pooling == "partial"
    size = shape_size(spec, knots)
    spline = spec.survival.kind == "m-spline" or (spec.survival.kind == "royston-parmar" and size > 1)
    blocks = [_half_normal("group_sd:spline", spec.priors.half_normal("sd_spline"))] if spline else []
    for suffix in [""] if pooled or not levels else [f"|{level}" for level in levels]:
        blocks += _one_baseline(spec, s, size, suffix)
    if pooled:
        blocks.append(_half_normal("group_sd:baseline_level", spec.priors.half_normal("sd_baseline_level")))
        blocks.append(_deviations("z:baseline_level", [f"z:baseline_level|{level}" for level in levels]))
        if _shapes(spec, size):
            blocks.append(_half_normal("group_sd:baseline_shape", spec.priors.half_normal("sd_baseline_shape")))
            labels = [f"z:baseline_shape[{k}]|{level}" for level in levels for k in _shapes(spec, size)]
            blocks.append(_deviations("z:baseline_shape", labels))
    return blocks


def _one_baseline(spec: JointModel, s: Scales, size: int, suffix: str) -> list[Block]:
    pri = spec.priors
    prior = pri.log_hazard or normal_prior(s.log_rate, 10.0)
    reason = prior.reason or ("given in the specification" if pri.log_hazard else WEAK)
    if spec.survival.kind in ("exponential", "piecewise"):
        labels = [f"log_hazard[{k + 1}]{suffix}" for k in range(size)]
        return [_vector(f"log_hazard{suffix}", labels, np.full(size, prior.mean), np.full(size, prior.sd), reason)]
    level = _vector(f"log_level{suffix}", [f"log_level{suffix}"], np.array([prior.mean]), np.array([prior.sd]), reason)
    if spec.survival.kind == "weibull":
        shape = pri.log_shape
        named = _vector(f"log_shape{suffix}", [f"log_shape{suffix}"], np.array([shape.mean]), np.array([shape.sd]), shape.reason or WEAK)
        return [level, named]
    if spec.survival.kind == "royston-parmar":
        shape, label = pri.log_shape, f"log_slope[1]{suffix}"
        first = _vector(f"log_slope{suffix}", [label], np.array([shape.mean]), np.array([shape.sd]), shape.reason or WEAK)
        steps = [f"z:spline[{k}]{suffix}" for k in range(2, size + 1)]
        return [level, first, *([_deviations(f"z:spline{suffix}", steps)] if steps else [])]
    return [level, _deviations(f"z:spline{suffix}", [f"z:spline[{k + 1}]{suffix}" for k in range(1, size)])]


def _shapes(spec: JointModel, size: int) -> list[int]:
    """Numbers of the coefficients that differ in shape between pooled strata; an exponential has none."""
    if spec.survival.kind == "exponential":
        return []
    return list(range(2, size + 1)) if spec.survival.kind == "m-spline" else list(range(1, size + 1))


def _derived_baseline(spec: JointModel, data: JointData, knots: Floats) -> list[Derived]:
    levels = strata(spec, data)[0]
    pooled = spec.survival.pooling == "partial"
    size, kind = shape_size(spec, knots), spec.survival.kind
    out = []
    if kind in ("m-spline", "royston-parmar"):
        name, first = ("log_weight", "") if kind == "m-spline" else ("log_slope", "log_slope[1]")
        for suffix in [""] if pooled or not levels else [f"|{level}" for level in levels]:
            for k in range(2, size + 1):
                start = f"{first}{suffix}" if first else ""
                before, step = (f"{name}[{k - 1}]{suffix}" if k > 2 else start), f"z:spline[{k}]{suffix}"
                out.append(Derived(label=f"{name}[{k}]{suffix}", common=before, scale="group_sd:spline", deviation=step))
    if not pooled:
        return out
    for level in levels:
        out += _pooled_stratum(kind, size, f"|{level}", _shapes(spec, size))
    return out


def _pooled_stratum(kind: str, size: int, suffix: str, shapes: list[int]) -> list[Derived]:
    """One stratum: a level of its own, and deviations of its shape from the common one."""
    level = {"scale": "group_sd:baseline_level", "deviation": f"z:baseline_level{suffix}"}

    def shape(label: str, common: str, k: int) -> Derived:
        return Derived(label=label, common=common, scale="group_sd:baseline_shape", deviation=f"z:baseline_shape[{k}]{suffix}")

    if kind == "exponential":
        return [Derived(label=f"log_hazard[1]{suffix}", common="log_hazard[1]", **level)]
    if kind == "piecewise":
        out = []
        for k in shapes:
            out.append(Derived(label=f"common shape[{k}]{suffix}", common=f"log_hazard[{k}]", **level))
            out.append(shape(f"log_hazard[{k}]{suffix}", f"common shape[{k}]{suffix}", k))
        return out
    own = [Derived(label=f"log_level{suffix}", common="log_level", **level)]
    if kind == "weibull":
        return [*own, shape(f"log_shape{suffix}", "log_shape", 1)]
    if kind == "royston-parmar":
        return [*own, *(shape(f"log_slope[{k}]{suffix}", f"log_slope[{k}]", k) for k in shapes)]
    return [*own, *(shape(f"log_weight[{k}]{suffix}", f"log_weight[{k}]", k) for k in shapes)]


# Treatments and groups -----------------------------------------------------------------------------------------------


def _drugs(spec: JointModel, data: JointData, wide: float) -> list[Block]:
    pri = spec.priors
    blocks = []
    for t in spec.treatments:
        if t.score == "clock":
            blocks.append(_normal(f"theta:{t.name}", pri.theta))
            if t.own_clock == "free":
                blocks.append(_normal(f"psi:{t.name}", pri.psi))
        if t.score == "additive":
            blocks.append(_normal(f"slope:{t.name}", pri.additive, normal_prior(0.0, wide)))
        blocks += _direct(t, pri.direct)
        if levels := levels_of(spec, data, t):
            what = f"{varies(t)}:{t.name}"
            blocks.append(_half_normal(f"group_sd:{what}", pri.half_normal("sd_effect")))
            blocks.append(_deviations(f"z:{what}", [f"z:{what}[{level}]" for level in levels]))
    return blocks


def _direct(t: Treatment, prior: Normal | Mixture) -> list[Block]:
    """Log hazard ratio of a drug, one for each period."""
    if t.hazard != "ratio":
        return []
    periods = range(len(t.hazard_periods) + 1) if t.hazard_periods else []
    return [_normal(f"hazard:{t.name}{f'[{p + 1}]' if periods else ''}", prior) for p in periods or [0]]


def _derived_effects(spec: JointModel, data: JointData) -> list[Derived]:
    out = []
    for t in spec.treatments:
        what = f"{varies(t)}:{t.name}"
        for level in levels_of(spec, data, t):
            out.append(Derived(label=f"{what}[{level}]", common=what, scale=f"group_sd:{what}", deviation=f"z:{what}[{level}]"))
    return out


def nested(spec: JointModel) -> list[tuple[str, ...]]:
    """Each level of the hierarchy with those that it lies within, such as (cohort,) and (cohort, site)."""
    return [spec.hierarchy[: k + 1] for k in range(len(spec.hierarchy))]


def _hierarchy(spec: JointModel, data: JointData, s: Scales) -> list[Block]:
    blocks = []
    for names in nested(spec):
        levels = members(data, names, where="model.hierarchy")[0]
        for part, prior, scale in (("intercept", "sd_level_groups", 0.5 * s.spread), ("slope", "sd_slope_groups", s.spread / s.length)):
            what = f"{part}:{names[-1]}"
            blocks.append(_half_normal(f"group_sd:{what}", spec.priors.half_normal(prior), scale))
            blocks.append(_deviations(f"z:{what}", [f"z:{what}[{level}]" for level in levels]))
    return blocks


def _derived_hierarchy(spec: JointModel, data: JointData) -> list[Derived]:
    out = []
    for names in nested(spec):
        for part in ("intercept", "slope"):
            what = f"{part}:{names[-1]}"
            for level in members(data, names, where="model.hierarchy")[0]:
                out.append(Derived(label=f"{what}[{level}]", common="", scale=f"group_sd:{what}", deviation=f"z:{what}[{level}]"))
    return out


def columns_of(spec: JointModel, data: JointData, part: str) -> tuple[tuple[str, ...], Floats]:
    """Labels of the coefficients of one part and their design, shape (N, columns): covariates, then groups."""
    names, design = data.design(getattr(spec, part))
    labels, columns = [f"{spec.stem(part)}:{name}" for name in names], [design]
    if part != "hazard":
        for group in nested(spec):
            levels, index = members(data, group, where="model.hierarchy")
            labels += [f"{part}:{group[-1]}[{level}]" for level in levels]
            columns.append(np.eye(len(levels))[index])
    else:
        fixed = centring(spec, data)
        labels += fixed[0]
        columns.append(fixed[1])
    return tuple(labels), np.ascontiguousarray(np.concatenate(columns, axis=1))


def hazard_columns(spec: JointModel, data: JointData, knots: Floats) -> tuple[tuple[str, ...], Floats]:
    """Labels of the coefficients of every hazard and their design, N rows for each hazard; of one as `columns_of` gives them."""
    first, *others = processes(spec, data, knots)
    labels, design = columns_of(first.spec, data, "hazard")
    if not others:
        return labels, design
    designs = [design]
    for other in others:
        names, own = data.design(other.spec.hazard)
        labels = (*labels, *(f"hazard:{name}{other.suffix}" for name in names))
        designs.append(own)
    whole = np.zeros((len(designs) * data.people, len(labels)))
    column = 0
    for k, own in enumerate(designs):
        whole[k * data.people : (k + 1) * data.people, column : column + own.shape[1]] = own
        column += own.shape[1]
    return labels, whole


def _imputed(data: JointData) -> list[Block]:
    """One parameter per missing number: normal around the mean of those recorded, with their SD."""
    blocks = []
    for column, absent in data.missing.items():
        seen = data.columns[column][~absent]
        labels = [f"imputed:{column}[{k + 1}]" for k in range(int(absent.sum()))]
        mean, sd = np.full(len(labels), seen.mean()), np.full(len(labels), seen.std(ddof=1))
        blocks.append(_vector(f"imputed:{column}", labels, mean, sd, "mean and SD of the numbers recorded"))
    return blocks


def _classes(spec: JointModel, data: JointData, s: Scales) -> list[Block]:
    """What sets the latent classes apart, and how likely each is."""
    labels, pri = class_labels(spec, "log_step"), spec.priors
    if not labels or spec.classes is None:
        return []
    apart = normal_prior(float(np.log(2 * s.spread / s.length)), 0.75)
    step = pri.class_log_step or Normal(mean=float(f"{apart.mean:.2g}"), sd=apart.sd, reason=APART)
    blocks = [
        _alike("class:intercept", class_labels(spec, "intercept"), pri.class_intercept or normal_prior(0.0, 2.5 * s.spread)),
        _alike("class:log_step", labels, step),
        *([_alike("class:hazard", class_labels(spec, "hazard"), pri.class_hazard)] if spec.classes.hazard else []),
        _alike("class:odds", class_labels(spec, "odds"), pri.class_odds),
    ]
    for k, column in enumerate(class_design(spec, data)[0], start=1):
        prior = pri.class_covariates or normal_prior(0.0, 1.5 / s.columns[column])
        blocks.append(_alike(f"class:odds:{column}", [names[k] for names in class_odds(spec, data)], prior))
    return blocks


def _alike(name: str, labels: Sequence[str], prior: Normal) -> Block:
    return _vector(name, labels, np.full(len(labels), prior.mean), np.full(len(labels), prior.sd), prior.reason or WEAK)
