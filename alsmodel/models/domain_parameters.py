"""The parameters of a model of several outcomes with their priors, in the order of the unconstrained vector."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.outcome_arrays import OutcomeData
from alsmodel.models.domain import DomainModel, Outcome
from alsmodel.models.parameters import SPREAD, WEAK, Block
from alsmodel.models.priors import HalfNormal, Normal, normal_prior

Floats = NDArray[np.float64]
CHOSEN = "set for this study"
LKJ = "by default uniform over correlation matrices"
RATIO = "by default a ratio of slopes between 0.38 and 2.7"
DIRECT = "by default hazard ratios of 0.14 to 7"


@final
@dataclass(frozen=True, kw_only=True)
class OutcomeScales:
    """Units that weak priors are scaled by.

    Attributes
    ----------
    centre, spread : tuple of float
        Mean of each outcome's rows; their SD, or a sixth of the outcome's range if that is larger.
    length : float
        Longest follow-up.
    log_rate : float
        Log of events per person-time.
    columns : dict of str to float
        SD of each design column.
    """

    centre: tuple[float, ...]
    spread: tuple[float, ...]
    length: float
    log_rate: float
    columns: dict[str, float]


def outcome_scales(spec: DomainModel, data: OutcomeData) -> OutcomeScales:
    """Read the units off the data, rounded to two significant digits so that a prior prints as it is used."""
    base = data.base
    centre, spread = [], []
    for k, outcome in enumerate(spec.outcomes):
        rows = data.values(k)
        low, high = outcome.bounds if outcome.likelihood == "censored" else (None, None)
        least = (high - low) / 6 if low is not None and high is not None else 0.0
        centre.append(_rounded(float(rows.mean())))
        spread.append(_rounded(max(float(rows.std()), least) or 1.0))
    follow_up = float((base.event_time - base.entry_time).sum())
    return OutcomeScales(
        centre=tuple(centre),
        spread=tuple(spread),
        length=_rounded(float(max(base.event_time.max(), data.row_time.max()))),
        log_rate=_rounded(float(np.log(max(float(base.event.sum()), 0.5) / follow_up))),
        columns={name: _rounded(float(column.std()) or 1.0) for name, column in base.columns.items()},
    )


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


def residual_groups(spec: DomainModel, data: OutcomeData) -> tuple[str, ...]:
    """Arms with residual SDs of their own; one unnamed group otherwise."""
    if not spec.residual_by_arm:
        return ("",)
    return tuple(sorted({str(arm) for arm in data.base.groups["arm"]}))


def effect_names(spec: DomainModel) -> tuple[str, ...]:
    """Names of the random effects, as in correlations: intercept and slope of every outcome."""
    return tuple(f"{name}.{part}" for name in spec.names for part in ("intercept", "slope"))


def outcome_parameters(spec: DomainModel, data: OutcomeData, pieces: int) -> tuple[Block, ...]:
    """List the parameters of `spec` on `data`."""
    scales = outcome_scales(spec, data)
    blocks: list[Block] = []
    for k, outcome in enumerate(spec.outcomes):
        blocks += _lines(spec, outcome, data, scales, k)
    blocks += _spread(spec, data, scales)
    blocks += _hazard(spec, data, scales, pieces)
    return (*blocks, *_treatment(spec))


def _one(name: str, kind: Literal["normal", "half-normal", "beta"], a: float, b: float, reason: str) -> Block:
    return Block(name=name, labels=(name,), kind=kind, a=np.array([a]), b=np.array([b]), reason=reason)


def _normal(name: str, prior: Normal, why: str = "") -> Block:
    return _one(name, "normal", prior.mean, prior.sd, prior.reason or why)


def _given(name: str, prior: Normal | None, weak: Normal) -> Block:
    """The prior that the specification gives, or the weak one."""
    return _normal(name, weak, WEAK) if prior is None else _normal(name, prior, CHOSEN)


def _half_normal(name: str, prior: HalfNormal | None, scale: float) -> Block:
    if prior is None:
        return _one(name, "half-normal", 0.0, normal_prior(0.0, scale).sd, WEAK)
    return _one(name, "half-normal", 0.0, prior.scale, prior.reason or CHOSEN)


def _lines(spec: DomainModel, outcome: Outcome, data: OutcomeData, scales: OutcomeScales, k: int) -> list[Block]:
    pri, s, length = spec.priors, scales.spread[k], scales.length
    blocks = [
        _given(f"{outcome.name}.intercept", pri.intercept, normal_prior(scales.centre[k], 10 * s)),
        _given(f"{outcome.name}.slope", pri.slope, normal_prior(0.0, 10 * s / length)),
    ]
    for part, terms, prior, wide in (
        ("intercept", outcome.intercept, pri.intercept_covariates, 2.5 * s),
        ("slope", outcome.slope, pri.slope_covariates, 10 * s / length),
    ):
        for column in data.base.design(terms)[0]:
            blocks.append(_given(f"{outcome.name}.{part}:{column}", prior, normal_prior(0.0, wide / scales.columns[column])))
    return blocks


def _spread(spec: DomainModel, data: OutcomeData, scales: OutcomeScales) -> list[Block]:
    """SDs, and canonical partial correlations that make the matrix LKJ (Lewandowski et al. 2009, doi 10.1016/j.jmva.2009.04.008)."""
    pri, blocks = spec.priors, []
    for name, s in zip(spec.names, scales.spread, strict=True):
        blocks.append(_half_normal(f"sd:{name}.intercept", pri.half_normal("sd_intercept"), 2.5 * s))
        blocks.append(_half_normal(f"sd:{name}.slope", pri.half_normal("sd_slope"), 10 * s / scales.length))
    effects = effect_names(spec)
    for i in range(len(effects)):
        for j in range(i):
            blocks.append(_one(f"partial:{effects[j]},{effects[i]}", "beta", pri.correlation + (len(effects) - 2 - j) / 2, 1.0, LKJ))
    for group in residual_groups(spec, data):
        for name, s in zip(spec.names, scales.spread, strict=True):
            label = f"sd:{name}.residual" + (f"[{group}]" if group else "")
            blocks.append(_half_normal(label, pri.half_normal("sd_residual"), 2.5 * s))
    if spec.student:
        blocks.append(_normal("log_df", pri.log_df, "by default between 2 and 48 degrees of freedom, median 10"))
    return blocks


def _hazard(spec: DomainModel, data: OutcomeData, scales: OutcomeScales, pieces: int) -> list[Block]:
    pri = spec.priors
    whole = float(np.sqrt(sum((o.weight * s) ** 2 for o, s in zip(spec.outcomes, scales.spread, strict=True))))
    blocks = []
    if "value" in spec.association:
        blocks.append(_given("association:value", pri.association_value, normal_prior(0.0, 2.5 / whole)))
    if "slope" in spec.association:
        blocks.append(_given("association:slope", pri.association_slope, normal_prior(0.0, 2.5 * scales.length / whole)))
    for column in data.base.design(spec.hazard)[0]:
        blocks.append(_given(f"hazard:{column}", pri.hazard_covariates, normal_prior(0.0, 2.5 / scales.columns[column])))
    level = normal_prior(scales.log_rate, 10.0)
    return [*blocks, *(_given(f"log_hazard[{k + 1}]", pri.log_hazard, level) for k in range(pieces))]


def _treatment(spec: DomainModel) -> list[Block]:
    drug, pri = spec.treatment, spec.priors
    if drug is None:
        return []
    blocks = [_normal(f"theta:{drug.name}", pri.theta, RATIO)] if drug.across != "separate" else []
    if drug.across == "pooled":
        spread = pri.half_normal("spread")
        assert spread is not None
        why = spread.reason or "by default most outcomes lie within 40% of the common ratio"
        blocks.append(_one(f"sd:theta:{drug.name}", "half-normal", 0.0, spread.scale, why))
        # Non-centred: with few outcomes the centred density has no mode.
        blocks += [_normal(f"z:{drug.name},{name}", Normal(mean=0.0, sd=1.0), SPREAD) for name in spec.names]
    if drug.across == "separate":
        blocks += [_normal(f"theta:{drug.name},{name}", pri.theta, RATIO) for name in spec.names]
    if drug.hazard == "ratio":
        blocks.append(_normal(f"hazard:{drug.name}", pri.direct, DIRECT))
    return blocks
