"""The parameters of a joint model, with their priors: one list that PyMC and the compiled density both read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.models.priors import Scales, normal_prior
from alsmodel.models.spec import JointModel, Normal

Floats = NDArray[np.float64]


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
    """

    name: str
    labels: tuple[str, ...]
    kind: Literal["normal", "half-normal", "beta"]
    a: Floats
    b: Floats
    scalar: bool = True

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.a.size


def _normal(name: str, prior: Normal) -> Block:
    return Block(name=name, labels=(name,), kind="normal", a=np.array([prior.mean]), b=np.array([prior.sd]))


def _half_normal(name: str, scale: float) -> Block:
    return Block(name=name, labels=(name,), kind="half-normal", a=np.zeros(1), b=np.array([normal_prior(0.0, scale).sd]))


def _beta(name: str, shape: float) -> Block:
    return Block(name=name, labels=(name,), kind="beta", a=np.array([shape]), b=np.ones(1))


def _vector(name: str, labels: Sequence[str], mean: Floats, sd: Floats) -> Block:
    return Block(name=name, labels=tuple(labels), kind="normal", a=mean, b=sd, scalar=False)


def parameters(spec: JointModel, data: JointData, scales: Scales, pieces: int) -> tuple[Block, ...]:
    """List the parameters of `spec` on `data`, in the order of the unconstrained vector."""
    pri, s = spec.priors, scales
    wide = 10 * s.spread / s.length
    blocks = [
        _normal("intercept", pri.intercept or normal_prior(s.centre, 10 * s.spread)),
        _normal("slope", pri.slope or normal_prior(0.0, wide)),
    ]
    if spec.fixed_quadratic:
        blocks.append(_normal("quadratic", pri.quadratic or normal_prior(0.0, wide / s.length)))
    for part, terms, prior, spread in (
        ("intercept", spec.intercept, pri.intercept_covariates, 2.5 * s.spread),
        ("slope", spec.slope, pri.slope_covariates, wide),
        ("hazard", spec.hazard, pri.hazard_covariates, 2.5),
    ):
        blocks += _coefficients(part, data.design(terms)[0], prior, spread, s)
    if "value" in spec.association:
        blocks.append(_normal("association:value", pri.association_value or normal_prior(0.0, 2.5 / s.spread)))
    if "slope" in spec.association:
        blocks.append(_normal("association:slope", pri.association_slope or normal_prior(0.0, 2.5 * s.length / s.spread)))
    blocks += [*_random_effects(spec, s), *_baseline(spec, s, pieces), *_drugs(spec, wide), *_imputed(data)]
    return tuple(blocks)


def _coefficients(part: str, columns: tuple[str, ...], prior: Normal | None, spread: float, s: Scales) -> list[Block]:
    if not columns:
        return []
    mean = np.full(len(columns), prior.mean if prior else 0.0)
    sd = np.array([prior.sd if prior else normal_prior(0.0, spread / s.columns[c]).sd for c in columns])
    return [_vector(f"{part}_coefficients", [f"{part}:{column}" for column in columns], mean, sd)]


def _random_effects(spec: JointModel, s: Scales) -> list[Block]:
    """SDs, and canonical partial correlations that make the matrix LKJ (Lewandowski et al. 2009, doi 10.1016/j.jmva.2009.04.008)."""
    pri, wide = spec.priors, 10 * s.spread / s.length
    blocks = [
        _half_normal("sd:intercept", pri.sd_intercept or 2.5 * s.spread),
        _half_normal("sd:slope", pri.sd_slope or wide),
    ]
    if spec.random_effects == "linear":
        blocks.append(_beta("partial:intercept,slope", pri.correlation))
    else:
        blocks.append(_half_normal("sd:quadratic", pri.sd_quadratic or wide / s.length))
        blocks.append(_beta("partial:intercept,slope", pri.correlation + 0.5))
        blocks.append(_beta("partial:intercept,quadratic", pri.correlation + 0.5))
        blocks.append(_beta("partial:slope,quadratic", pri.correlation))
    blocks.append(_half_normal("sd:residual", pri.sd_residual or 2.5 * s.spread))
    return blocks


def _baseline(spec: JointModel, s: Scales, pieces: int) -> list[Block]:
    prior = spec.priors.log_hazard or normal_prior(s.log_rate, 10.0)
    if spec.baseline_hazard.kind == "weibull":
        return [_normal("log_scale", prior), _normal("log_shape", spec.priors.log_shape)]
    labels = [f"log_hazard[{k + 1}]" for k in range(pieces)]
    return [_vector("log_hazard", labels, np.full(pieces, prior.mean), np.full(pieces, prior.sd))]


def _drugs(spec: JointModel, wide: float) -> list[Block]:
    pri = spec.priors
    blocks = []
    for t in spec.treatments:
        if t.score == "clock":
            blocks.append(_normal(f"theta:{t.name}", pri.theta))
            if t.own_clock == "free":
                blocks.append(_normal(f"psi:{t.name}", pri.psi))
        if t.score == "additive":
            blocks.append(_normal(f"slope:{t.name}", pri.additive or normal_prior(0.0, wide)))
        if t.hazard == "ratio":
            blocks.append(_normal(f"hazard:{t.name}", pri.direct))
    return blocks


def _imputed(data: JointData) -> list[Block]:
    """One parameter per missing number: normal around the mean of those recorded, with their SD."""
    blocks = []
    for column, absent in data.missing.items():
        seen = data.columns[column][~absent]
        labels = [f"imputed:{column}[{k + 1}]" for k in range(int(absent.sum()))]
        blocks.append(_vector(f"imputed:{column}", labels, np.full(len(labels), seen.mean()), np.full(len(labels), seen.std(ddof=1))))
    return blocks
