"""Baseline hazards, and what multiplies them.

Every form can be stratified by a text covariate, and every form holds for participants who enter late (left truncation) and for an
incident population, since a hazard is only ever integrated over the time in which somebody was followed.
"""

from dataclasses import dataclass
from typing import Literal, final

Pooling = Literal["none", "partial"]


@final
@dataclass(frozen=True, kw_only=True)
class Exponential:
    """Baseline hazard that does not change with time.

    Attributes
    ----------
    covariates : tuple of str
        Baseline covariates of the log hazard.
    strata : str or None
        A text covariate ("cohort" is the study or register) whose levels have baseline hazards of their own.
    pooling : {"none", "partial"}
        "none": every stratum stands alone. "partial": strata are drawn towards a common baseline, in level and in shape, as far as
        the data allow; SDs half-normal, non-centred.
    nodes : int
        Gauss-Legendre nodes on each piece of a participant's follow-up.
    """

    kind: Literal["exponential"] = "exponential"
    covariates: tuple[str, ...] = ()
    strata: str | None = None
    pooling: Pooling = "none"
    nodes: int = 5

    def __post_init__(self) -> None:
        _check(self, 1, 30)


@final
@dataclass(frozen=True, kw_only=True)
class PiecewiseExponential:
    """Baseline hazard that is constant between knots.

    Attributes
    ----------
    covariates, strata, pooling, nodes
        As in `Exponential`.
    knots : int or tuple of float
        Number of inner knots, which are then quantiles of the observed event times; or the knots, in the model's time unit.
    """

    kind: Literal["piecewise"] = "piecewise"
    covariates: tuple[str, ...] = ()
    knots: int | tuple[float, ...] = 6
    strata: str | None = None
    pooling: Pooling = "none"
    nodes: int = 2

    def __post_init__(self) -> None:
        _check(self, 1, 30)
        _check_knots(self)


@final
@dataclass(frozen=True, kw_only=True)
class Weibull:
    """Baseline hazard of Weibull form, exp(log_level) (t / at)^(shape - 1).

    Level and shape are nearly independent in the posterior when the level is that of a time amid the events; the usual scale, the
    hazard's factor at time one, is strongly correlated with the shape.

    Attributes
    ----------
    covariates, strata, pooling
        As in `Exponential`.
    at : float or None
        Time at which the level is held; the median event time when left out.
    nodes : int
        Gauss-Legendre nodes on a participant's follow-up, after the substitution t = T v**4.
    """

    kind: Literal["weibull"] = "weibull"
    covariates: tuple[str, ...] = ()
    at: float | None = None
    strata: str | None = None
    pooling: Pooling = "none"
    nodes: int = 15

    def __post_init__(self) -> None:
        _check(self, 5, 60)
        if self.at is not None and not self.at > 0:
            raise ValueError(f"at is a time after zero; got {self.at}.")


@final
@dataclass(frozen=True, kw_only=True)
class MSpline:
    """Smooth baseline hazard: a weighted sum of M-splines, its weights drawn towards those of a constant hazard.

    The log weights, less those that give a constant hazard, are a random walk whose SD is estimated (half-normal prior
    ``sd_spline``): 0 is a constant hazard, large values follow the data.

    Attributes
    ----------
    covariates, strata, pooling, nodes
        As in `Exponential`.
    knots : int or tuple of float
        Number of inner knots, at quantiles of the observed event times; or the knots.
    upper : float or None
        Upper boundary; the longest follow-up when left out. Beyond it the hazard is held at its last value.
    degree : int
        3 is cubic.
    """

    kind: Literal["m-spline"] = "m-spline"
    covariates: tuple[str, ...] = ()
    knots: int | tuple[float, ...] = 4
    upper: float | None = None
    degree: int = 3
    strata: str | None = None
    pooling: Pooling = "none"
    nodes: int = 5

    def __post_init__(self) -> None:
        _check(self, 1, 30)
        _check_knots(self)
        if not 1 <= self.degree <= 5:
            raise ValueError(f"degree must be between 1 and 5; got {self.degree}.")
        last = self.knots[-1] if isinstance(self.knots, tuple) and self.knots else 0.0
        if self.upper is not None and not self.upper > last:
            raise ValueError(f"upper must lie after the last knot; got {self.upper} after {last}.")


@final
@dataclass(frozen=True, kw_only=True)
class RoystonParmar:
    """Smooth baseline on the scale of log time and log cumulative hazard, where a Weibull is a straight line.

    The slope of that curve is a weighted sum of B-splines with positive weights, so the cumulative hazard cannot fall; before the first
    and beyond the last knot it is constant, so the tails are those of a Weibull. The log weights are a random walk whose SD is estimated
    (half-normal prior ``sd_spline``): 0 is a Weibull, large values follow the data.

    Attributes
    ----------
    covariates, strata, pooling
        As in `Exponential`.
    knots : int or tuple of float
        Number of inner knots, at quantiles of the observed event times; or the knots, as times.
    boundary : tuple of float or None
        First and last knot; the first and the last event time when left out.
    at : float or None
        Time at which the level is held; the median event time when left out.
    nodes : int
        Gauss-Legendre nodes on each piece of a participant's follow-up, after the substitution t = T v**4 on the first one.
    """

    kind: Literal["royston-parmar"] = "royston-parmar"
    covariates: tuple[str, ...] = ()
    knots: int | tuple[float, ...] = 2
    boundary: tuple[float, float] | None = None
    at: float | None = None
    strata: str | None = None
    pooling: Pooling = "none"
    nodes: int = 7

    def __post_init__(self) -> None:
        _check(self, 5, 60)
        _check_knots(self)
        inner = self.knots if isinstance(self.knots, tuple) else ()
        if not (len(inner) or self.knots):
            raise ValueError("knots must be at least one inner knot; without any the curve is a line, and the hazard Weibull.")
        if self.at is not None and not self.at > 0:
            raise ValueError(f"at is a time after zero; got {self.at}.")
        if self.boundary is not None:
            object.__setattr__(self, "boundary", tuple(self.boundary))
            ends = self.boundary
            if len(ends) != 2 or not 0 < ends[0] < ends[1] or (inner and not (ends[0] < inner[0] and inner[-1] < ends[1])):
                raise ValueError(f"boundary is a first and a last knot after zero, with the knots between; got {list(ends)}.")


Survival = Exponential | PiecewiseExponential | Weibull | MSpline | RoystonParmar


def _check(part: Survival, fewest: int, most: int) -> None:
    object.__setattr__(part, "covariates", tuple(part.covariates))
    if not fewest <= part.nodes <= most:
        raise ValueError(f"nodes must be between {fewest} and {most}; got {part.nodes}.")
    if part.pooling == "partial" and part.strata is None:
        raise ValueError('pooling = "partial" needs strata, the text covariate whose levels are pooled.')


def _check_knots(part: PiecewiseExponential | MSpline | RoystonParmar) -> None:
    if isinstance(part.knots, int):
        if part.knots < 0:
            raise ValueError(f"knots is a number of inner knots, or the knots; got {part.knots}.")
        return
    object.__setattr__(part, "knots", tuple(part.knots))
    if list(part.knots) != sorted({k for k in part.knots if k > 0}):
        raise ValueError(f"knots must be positive and increasing; got {list(part.knots)}.")
