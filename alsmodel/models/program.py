"""A joint model on data as the arrays that the compiled density reads: no compilation when a model is declared."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.cohort.between import require_days
from alsmodel.kernels.classes import Classes, class_log_posterior, memberships
from alsmodel.kernels.joint_sigmoid import sigmoid_log_posterior
from alsmodel.kernels.layout import Layout, hermite_grid, legendre_panel
from alsmodel.kernels.posterior import Priors, Segments, Wiring, log_posterior
from alsmodel.kernels.records import Cuts, Rule
from alsmodel.models.baseline import coefficient_labels, reference, strata
from alsmodel.models.bends import pairs_of
from alsmodel.models.classes import OF_CLASS, class_design, class_labels, class_odds
from alsmodel.models.evaluation import AbstractProgram, labels_of, priors_of
from alsmodel.models.merging import acting_of, basis_of, further_of, later_of, starts_of, through
from alsmodel.models.noise import noise
from alsmodel.models.parameters import Block, Derived, columns_of, derived, hazard_columns, parameters
from alsmodel.models.priors import Scales, data_scales
from alsmodel.models.processes import processes
from alsmodel.models.spec import JointModel
from alsmodel.models.structure import (
    PRIOR_HERMITE,
    WEIBULL_CLOCK,
    baseline_kind,
    hazard_knots,
    later_layouts,
    layout_of,
    node_baseline,
    segment_lengths,
)

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Program(AbstractProgram):
    """A model on data, ready to evaluate.

    Attributes
    ----------
    blocks : tuple of Block
        Parameters in the order of the unconstrained vector.
    derived : tuple of Derived
        Values of groups, strata and spline weights, made of parameters.
    knots : array
        As `alsmodel.models.baseline.hazard_knots` gives them.
    priors, wiring, segments, cuts, rule
        Arguments of `alsmodel.kernels.posterior.log_posterior`.
    weibull, incident : bool
    early : tuple
        Segments, cuts and rule of the stretch before entry.
    start : array, shape (P,)
        A point to climb from, in the data's own units whatever the priors.
    classes : Classes or None
        Which parameter makes which latent class.
    """

    blocks: tuple[Block, ...]
    derived: tuple[Derived, ...]
    knots: Floats
    priors: Priors
    wiring: Wiring
    segments: Segments
    cuts: Cuts
    rule: Rule
    weibull: bool
    incident: bool
    early: tuple[Segments, Cuts, Rule]
    start: Floats
    classes: Classes | None = None

    def _evaluate(self, x: Floats, gradient: bool = True) -> tuple[float, Floats, Floats]:
        if self.classes is not None:
            given = (self.priors, self.wiring, self.segments, self.cuts, self.weibull, self.classes)
            result: tuple[float, Floats, Floats] = class_log_posterior(x, *given, gradient)
            return result
        density, slope, loglik = self._evaluate_all(x[None], gradient)
        return density[0], slope[0], loglik

    def _values(self, points: Floats) -> Floats:
        return super()._values(points) if self.classes is not None else self._evaluate_all(np.ascontiguousarray(points), gradient=False)[0]

    def _evaluate_all(self, points: Floats, gradient: bool) -> tuple[Floats, Floats, Floats]:
        """Densities and gradients at the rows of `points`, and each participant's log-likelihood at the last, in one compiled call."""
        given = (points, self.priors, self.wiring, self.segments, self.cuts, self.rule, self.weibull)
        result: tuple[Floats, Floats, Floats] = (
            sigmoid_log_posterior(*given, gradient) if self.cuts.top > 0 else log_posterior(*given, self.incident, *self.early, gradient)
        )
        return result

    def with_hermite(self, nodes: int) -> "Program":
        """The same model on the same data with another number of Gauss-Hermite nodes, where any are needed."""
        if self.rule.abscissae.size == 0:
            return self
        random = self.rule.grid.shape[0]
        early = self.early[2] if not self.incident else _rule(max(nodes, PRIOR_HERMITE), random)
        return replace(self, rule=_rule(nodes, random, self.cuts.top > 0), early=(*self.early[:2], early))

    def memberships(self, x: Floats) -> Floats:
        """Probability of each latent class for each participant given everything observed, shape (K, N)."""
        if self.classes is None:
            return np.ones((1, self.wiring.shift.size))
        given = (self.priors, self.wiring, self.segments, self.cuts, self.weibull, self.classes)
        return np.asarray(memberships(x, *given))

    def derived_values(self, values: Floats) -> dict[str, Floats]:
        """Derived values by printed name, from parameters on their own scale of shape (..., P)."""
        known = {label: values[..., k] for k, label in enumerate(self.labels)}
        for one in self.derived:
            common = known[one.common] if one.common else 0.0
            known[one.label] = common + known[one.scale] * known[one.deviation]
        return {one.label: known[one.label] for one in self.derived if not one.label.startswith("common shape")}


def program(spec: JointModel, data: JointData, knots: Floats | None = None) -> Program:
    """Turn `spec` on `data` into arrays.

    Parameters
    ----------
    spec : JointModel
    data : JointData
        From `alsmodel.cohort.arrays.joint_data` with ``spec.selection``.
    knots : array, optional
        Those of a fit, so that other data get the baseline that was fitted; else taken from the specification and the data.
    """
    for part, name in ((spec.classes, "latent classes"), (spec.decline.kind == "sigmoid" or None, "a sigmoid decline")):
        if part is not None:
            require_days(data, f"with {name} every event needs its day.")
    knots = hazard_knots(spec, data) if knots is None else knots
    layout = layout_of(spec, data, knots)
    scales = data_scales(data)
    blocks = parameters(spec, data, scales, knots)
    incident = spec.population == "incident"
    early_layout = layout_of(spec, data, knots, before_entry=True) if incident else layout
    random = len(spec.effects)
    early_hermite = max(spec.hermite, PRIOR_HERMITE) if incident else spec.hermite
    # Without any of these, scores and survival come apart, in closed form, unless an event lies somewhere on a stretch of time.
    reached = bool(spec.association) or any(cause.association for cause in spec.causes)
    between = bool(data.interval_censored.any())
    needed = reached or between or random > 2 or layout.bend_knots.size > 0 or layout.top > 0
    return Program(
        blocks=blocks,
        derived=derived(spec, data, knots),
        knots=knots,
        priors=priors_of(blocks),
        wiring=_wiring(spec, data, blocks, knots),
        segments=segments_of(spec, data, knots, layout),
        cuts=cuts_of_layout(layout),
        rule=_rule(spec.hermite if needed else 0, random, layout.top > 0),
        weibull=baseline_kind(spec) == WEIBULL_CLOCK,
        incident=incident,
        early=(segments_of(spec, data, knots, early_layout), cuts_of_layout(early_layout), _rule(early_hermite if needed else 0, random)),
        start=np.concatenate([_start(block, scales) for block in blocks]),
        classes=_classes(spec, data, blocks, knots),
    )


def _start(block: Block, scales: Scales) -> Floats:
    """Where a block starts, unconstrained: crude values for what has a unit, prior means for the rest."""
    crude = {
        "intercept": scales.centre,
        "log_hazard": scales.log_rate,
        "log_level": scales.log_rate,
        "sd:intercept": np.log(0.8 * scales.spread),
        "sd:slope": np.log(scales.spread / scales.length),
        "sd:log_d50": np.log(0.4),
        "sd:log_dx": np.log(0.4),
        "sd:quadratic": np.log(0.5 * scales.spread / scales.length**2),
        "sd:residual": np.log(0.4 * scales.spread),
    }
    name = block.name.partition("|")[0].partition("[")[0]
    if name in crude:
        return np.full(block.size, crude[name])
    if name == "class:log_step":
        return np.full(block.size, np.log(2 * scales.spread / scales.length))
    if name.startswith("group_sd:"):
        return np.log(0.3 * block.b)
    return np.zeros(block.size) if block.kind == "beta" else block.a.copy()


def _rule(hermite: int, random: int, sigmoid: bool = False) -> Rule:
    if hermite == 0:
        return Rule(np.zeros(0), np.zeros((random, 0)), np.zeros(0))
    x, grid, logw = hermite_grid(hermite, random)
    if sigmoid:
        x = legendre_panel(hermite)
    return Rule(x, np.ascontiguousarray(grid.T), logw)


def segments_of(spec: JointModel, data: JointData, knots: Floats, layout: Layout) -> Segments:
    """Exposure, lengths and baseline of the segments of `layout`."""
    inside, before = segment_lengths(layout)
    row = layout.seg_row
    walk = np.concatenate([[0], np.flatnonzero(row[1:] != row[:-1]) + 1, [row.size]])
    first, *others = processes(spec, data, knots)
    after = [one for one in others if one.kind == "after"]
    of_causes: tuple[Layout, ...] = layout.of_causes or (layout,)
    layouts = [*of_causes, *later_layouts(spec, data, knots)]
    first_after = len(layouts) - len(after)
    starts = starts_of([first, *others], layouts) if others else np.zeros(1, np.int64)
    bases = [
        (np.zeros((0, 0)), np.zeros(0, np.int64)) if own is None else node_baseline(one.spec, one.data, one.knots, own)
        for one, own in zip(others, layouts[1:], strict=True)
    ]
    basis, stratum = node_baseline(first.spec, first.data, first.knots, of_causes[0])
    further_basis, further_stratum, further_ptr = basis_of(bases)
    later = later_of(after, layouts[first_after:], starts[first_after : len(layouts)], data.people)
    return Segments(
        layout.seg_person, row, walk, layout.exposed, inside, before, basis, stratum, further_basis, further_stratum, further_ptr, later
    )  # fmt: skip


def cuts_of_layout(layout: Layout) -> Cuts:
    """`layout` as the kernels take it."""
    return Cuts(*(getattr(layout, name) for name in Cuts._fields))


def _places(spec: JointModel, data: JointData, blocks: tuple[Block, ...], knots: Floats) -> dict[str, int]:
    """Place of each parameter and derived value, by label; that of the log hazard of a class comes last."""
    names = (*labels_of(blocks), *(one.label for one in derived(spec, data, knots)), *([OF_CLASS] if spec.classes is not None else []))
    where: dict[str, int] = {}
    for label in names:
        where[label] = len(where)
    return where


def _classes(spec: JointModel, data: JointData, blocks: tuple[Block, ...], knots: Floats) -> Classes | None:
    if spec.classes is None:
        return None
    where = _places(spec, data, blocks, knots)
    odds, design = class_odds(spec, data), class_design(spec, data)[1]

    def find(what: str) -> NDArray[np.int64]:
        return np.array([where.get(name, -1) for name in class_labels(spec, what)], np.int64)

    return Classes(
        slots=np.array([where["intercept"], where["slope"], where[OF_CLASS]], np.int64),
        intercept=find("intercept"),
        hazard=find("hazard"),
        step=find("log_step"),
        odds=np.array([[where[name] for name in names] for names in odds], np.int64).reshape(len(odds), 1 + design.shape[1]),
        design=design,
    )


def _wiring(spec: JointModel, data: JointData, blocks: tuple[Block, ...], knots: Floats) -> Wiring:
    made = derived(spec, data, knots)
    where = _places(spec, data, blocks, knots)

    def find(*labels: str) -> NDArray[np.int64]:
        return np.array([where.get(label, -1) for label in labels], np.int64)

    first, *others = processes(spec, data, knots)
    indices = [
        np.array(
            [
                find(*(f"{label}{one.suffix}" if label else "" for label in labels))
                for labels in coefficient_labels(one.spec, one.knots, strata(one.spec, one.data)[0])
            ]
        )
        for one in others
    ]
    designs = {part: columns_of(spec, data, part) for part in ("intercept", "slope")} | {"hazard": hazard_columns(spec, data, knots)}
    if spec.classes is not None:
        labels, design = designs["hazard"]
        designs["hazard"] = ((*labels, OF_CLASS), np.column_stack([design, np.ones(data.people)]))
    return Wiring(
        one=find(spec.stem("intercept"), spec.stem("slope"), *(spec.bends or ("quadratic",))),
        sigma=find(*noise(spec, data).labels),
        alpha=np.array([find(*labels) for labels in through(spec, data)]),
        sds=find(*(f"sd:{name}" for name in spec.effects)),
        partials=find(*(f"partial:{a},{b}" for a, b in pairs_of(spec.effects))),
        base=np.array([find(*labels) for labels in coefficient_labels(first.spec, first.knots, strata(spec, data)[0])]),
        base_kind=baseline_kind(spec),
        base_reference=reference(first.spec, first.knots),
        derived=np.array([find(one.common, one.scale, one.deviation) for one in made], np.int64).reshape(-1, 3),
        drugs=np.array([find(*one.labels) for one in acting_of(spec, data)], np.int64).reshape(-1, 5),
        intercept=find(*designs["intercept"][0]),
        slope=find(*designs["slope"][0]),
        hazard=find(*designs["hazard"][0]),
        x_intercept=designs["intercept"][1],
        x_slope=designs["slope"][1],
        x_hazard=designs["hazard"][1],
        imputed=_imputed(data, where, {spec.stem(part): labels for part, (labels, _) in designs.items()}, [one.suffix for one in others]),
        shift=data.onset_shift,
        further=further_of(indices, [(baseline_kind(one.spec), reference(one.spec, one.knots)) for one in others]),
    )


def _imputed(data: JointData, where: dict[str, int], designs: dict[str, tuple[str, ...]], suffixes: list[str]) -> NDArray[np.int64]:
    rows = []
    for column, absent in data.missing.items():
        columns = [labels.index(f"{part}:{column}") if f"{part}:{column}" in labels else -1 for part, labels in designs.items()]
        for k, person in enumerate(np.flatnonzero(absent)):
            rows.append((where[f"imputed:{column}[{k + 1}]"], person, *columns))
            for f, suffix in enumerate(suffixes, start=1):  # the same number on the hazard of a further cause, which has rows of its own
                if (label := f"hazard:{column}{suffix}") in designs["hazard"]:
                    rows.append((rows[-1][0], f * data.people + person, -1, -1, designs["hazard"].index(label)))
    return np.array(rows, np.int64).reshape(-1, 5)
