"""A joint model on data as the arrays that the compiled density reads: no compilation when a model is declared."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.kernels.layout import Layout, hermite_grid
from alsmodel.kernels.posterior import BETA, HALF_NORMAL, IDENTITY, LOG, LOGODDS, NORMAL, Priors, Segments, Wiring, log_posterior
from alsmodel.kernels.records import Cuts, Rule
from alsmodel.models.parameters import Block, parameters
from alsmodel.models.priors import Scales, data_scales
from alsmodel.models.spec import JointModel, Treatment
from alsmodel.models.structure import PRIOR_HERMITE, hazard_knots, layout_of, segment_lengths

Floats = NDArray[np.float64]
_KINDS = {"normal": (NORMAL, IDENTITY), "half-normal": (HALF_NORMAL, LOG), "beta": (BETA, LOGODDS)}


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """A model on data, ready to evaluate.

    Attributes
    ----------
    blocks : tuple of Block
        Parameters in the order of the unconstrained vector.
    knots : array
        Inner knots of a piecewise baseline.
    priors, wiring, segments, cuts, rule
        Arguments of `alsmodel.kernels.posterior.log_posterior`.
    weibull, incident : bool
    early : tuple
        Segments, cuts and rule of the stretch before entry.
    start : array, shape (P,)
        A point to climb from, in the data's own units whatever the priors.
    """

    blocks: tuple[Block, ...]
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

    @property
    def labels(self) -> tuple[str, ...]:
        """Printed name of each parameter."""
        return tuple(label for block in self.blocks for label in block.labels)

    @property
    def size(self) -> int:
        """Number of parameters, P."""
        return self.priors.a.size

    def density(self, x: Floats) -> tuple[float, Floats]:
        """Log posterior density (up to a constant) and gradient at an unconstrained vector of shape (P,)."""
        total, gradient, _ = self._evaluate(x)
        return total, gradient

    def loglik(self, x: Floats) -> Floats:
        """Log-likelihood of each participant, random effects integrated out; shape (N,)."""
        return self._evaluate(x)[2]

    def _evaluate(self, x: Floats) -> tuple[float, Floats, Floats]:
        result: tuple[float, Floats, Floats] = log_posterior(
            x, self.priors, self.wiring, self.segments, self.cuts, self.rule, self.weibull, self.incident, *self.early
        )
        return result

    def constrained(self, x: Floats) -> Floats:
        """Parameters on their own scale, from unconstrained vectors of shape (..., P)."""
        out = x.copy()
        log, odds = self.priors.transform == LOG, self.priors.transform == LOGODDS
        out[..., log] = np.exp(x[..., log])
        out[..., odds] = 1.0 / (1.0 + np.exp(-x[..., odds]))
        return out


def program(spec: JointModel, data: JointData) -> Program:
    """Turn `spec` on `data` into arrays.

    Parameters
    ----------
    spec : JointModel
    data : JointData
        From `alsmodel.cohort.arrays.joint_data` with ``spec.selection``.
    """
    knots = hazard_knots(spec, data)
    layout = layout_of(spec, data, knots)
    scales = data_scales(data)
    blocks = parameters(spec, data, scales, layout.pieces)
    incident = spec.population == "incident"
    early_layout = layout_of(spec, data, knots, before_entry=True) if incident else layout
    random = 2 if spec.random_effects == "linear" else 3
    early_hermite = max(spec.hermite, PRIOR_HERMITE) if incident else spec.hermite
    return Program(
        blocks=blocks,
        knots=knots,
        priors=_priors(blocks),
        wiring=_wiring(spec, data, blocks),
        segments=_segments(layout),
        cuts=_cuts(layout),
        rule=_rule(spec.hermite, random),
        weibull=spec.baseline_hazard.kind == "weibull",
        incident=incident,
        early=(_segments(early_layout), _cuts(early_layout), _rule(early_hermite, random)),
        start=np.concatenate([_start(block, scales) for block in blocks]),
    )


def _start(block: Block, scales: Scales) -> Floats:
    """Where a block starts, unconstrained: crude values for what has a unit, prior means for the rest."""
    crude = {
        "intercept": scales.centre,
        "log_hazard": scales.log_rate,
        "log_scale": scales.log_rate,
        "sd:intercept": np.log(0.8 * scales.spread),
        "sd:slope": np.log(scales.spread / scales.length),
        "sd:quadratic": np.log(0.5 * scales.spread / scales.length**2),
        "sd:residual": np.log(0.4 * scales.spread),
    }
    if block.name in crude:
        return np.full(block.size, crude[block.name])
    return np.zeros(block.size) if block.kind == "beta" else block.a.copy()


def _rule(hermite: int, random: int) -> Rule:
    x, grid, logw = hermite_grid(hermite, random)
    return Rule(x, np.ascontiguousarray(grid.T), logw)


def _segments(layout: Layout) -> Segments:
    inside, before = segment_lengths(layout)
    return Segments(layout.seg_person, layout.exposed, inside, before)


def _cuts(layout: Layout) -> Cuts:
    return Cuts(*(getattr(layout, name) for name in Cuts._fields))


def _priors(blocks: tuple[Block, ...]) -> Priors:
    kinds = [_KINDS[block.kind] for block in blocks for _ in range(block.size)]
    return Priors(
        np.array([transform for _, transform in kinds], np.int64),
        np.array([kind for kind, _ in kinds], np.int64),
        np.concatenate([block.a for block in blocks]),
        np.concatenate([block.b for block in blocks]),
    )


def _wiring(spec: JointModel, data: JointData, blocks: tuple[Block, ...]) -> Wiring:
    where: dict[str, int] = {}
    for label in (label for block in blocks for label in block.labels):
        where[label] = len(where)

    def find(*labels: str) -> NDArray[np.int64]:
        return np.array([where.get(label, -1) for label in labels], np.int64)

    designs = {part: data.design(getattr(spec, part)) for part in ("intercept", "slope", "hazard")}
    coefficients = {part: find(*(f"{part}:{column}" for column in names)) for part, (names, _) in designs.items()}
    random = ("intercept", "slope") if spec.random_effects == "linear" else ("intercept", "slope", "quadratic")
    pairs = [("intercept", "slope"), ("intercept", "quadratic"), ("slope", "quadratic")][: 1 if len(random) == 2 else 3]
    base = [label for label in where if label.startswith("log_hazard[")] or ["log_scale", "log_shape"]
    return Wiring(
        one=find("intercept", "slope", "quadratic", "sd:residual"),
        alpha=find("association:value", "association:slope"),
        sds=find(*(f"sd:{name}" for name in random)),
        partials=find(*(f"partial:{a},{b}" for a, b in pairs)),
        base=find(*base),
        drugs=np.array([_drug(t, where) for t in spec.treatments], np.int64).reshape(-1, 5),
        intercept=coefficients["intercept"],
        slope=coefficients["slope"],
        hazard=coefficients["hazard"],
        x_intercept=np.ascontiguousarray(designs["intercept"][1]),
        x_slope=np.ascontiguousarray(designs["slope"][1]),
        x_hazard=np.ascontiguousarray(designs["hazard"][1]),
        imputed=_imputed(data, where, [names for names, _ in designs.values()]),
        shift=data.onset_shift,
    )


def _drug(treatment: Treatment, where: dict[str, int]) -> tuple[int, ...]:
    name = treatment.name
    theta = where.get(f"theta:{name}", -1)
    psi = theta if treatment.own_clock == "scaled" else where.get(f"psi:{name}", -1)
    ratio = theta if treatment.hazard == "DRR" else where.get(f"hazard:{name}", -1)
    clock = theta if treatment.hazard == "clock" else -1
    return theta, psi, where.get(f"slope:{name}", -1), ratio, clock


def _imputed(data: JointData, where: dict[str, int], designs: list[tuple[str, ...]]) -> NDArray[np.int64]:
    rows = []
    for column, absent in data.missing.items():
        columns = [names.index(column) if column in names else -1 for names in designs]
        for k, person in enumerate(np.flatnonzero(absent)):
            rows.append((where[f"imputed:{column}[{k + 1}]"], person, *columns))
    return np.array(rows, np.int64).reshape(-1, 5)
