"""How the score declines: the shape of everybody's own path, and what moves its level and slope."""

import math
from dataclasses import dataclass
from typing import Literal, final


@final
@dataclass(frozen=True, kw_only=True)
class Linear:
    """A straight line for everyone: random intercept and slope, around a mean line.

    Attributes
    ----------
    covariates : tuple of str
        Baseline covariates of the slope.
    level : tuple of str
        Baseline covariates of the mean at time zero.
    by : str or None
        A text covariate whose levels have mean lines of their own: it enters level and slope both.
    residual_by : str or None
        A text covariate, such as "arm", whose levels have residual SDs of their own, each with the prior of `sd_residual`.
    """

    kind: Literal["linear"] = "linear"
    covariates: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    by: str | None = None
    residual_by: str | None = None

    def __post_init__(self) -> None:
        _as_tuples(self)


@final
@dataclass(frozen=True, kw_only=True)
class Quadratic:
    """A parabola: as `Linear`, with a quadratic term on plain time.

    Attributes
    ----------
    covariates, level, by, residual_by
        As in `Linear`.
    mean : bool
        The mean path bends.
    random : bool
        Every participant's own path bends.
    """

    kind: Literal["quadratic"] = "quadratic"
    covariates: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    by: str | None = None
    residual_by: str | None = None
    mean: bool = True
    random: bool = True

    def __post_init__(self) -> None:
        _as_tuples(self)
        if not (self.mean or self.random):
            raise ValueError("Quadratic with neither mean nor random is a straight line; use Linear.")


MOST_RANDOM_KNOTS = 3  # five random effects: more would make the grid that they are integrated over too large
MOST_KNOTS = 10


@final
@dataclass(frozen=True, kw_only=True)
class NaturalSpline:
    """A smooth curve: as `Linear`, bent by a natural cubic spline on plain time, straight before its first and beyond its last knot.

    Attributes
    ----------
    covariates, level, by, residual_by
        As in `Linear`.
    knots : int or tuple of float
        Number of inner knots, which are then quantiles of the visit times; or the knots, in the model's time unit.
    boundary : tuple of float or None
        First and last knot; the first and the last visit when left out.
    mean : bool
        The mean path bends.
    random : bool
        Every participant's own path bends: a random effect for each inner knot, of which there may then be three.
    """

    kind: Literal["natural-spline"] = "natural-spline"
    covariates: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    by: str | None = None
    residual_by: str | None = None
    knots: int | tuple[float, ...] = 2
    boundary: tuple[float, float] | None = None
    mean: bool = True
    random: bool = True

    def __post_init__(self) -> None:
        _as_tuples(self)
        if not isinstance(self.knots, int):
            object.__setattr__(self, "knots", tuple(float(k) for k in self.knots))
        if self.boundary is not None:
            object.__setattr__(self, "boundary", tuple(float(k) for k in self.boundary))
        if faults := _spline_faults(self):
            raise ValueError(" ".join(faults))

    @property
    def terms(self) -> int:
        """Number of inner knots, each with a bending term."""
        return self.knots if isinstance(self.knots, int) else len(self.knots)


def _spline_faults(part: NaturalSpline) -> list[str]:
    faults = []
    most = MOST_RANDOM_KNOTS if part.random else MOST_KNOTS
    if not (part.mean or part.random):
        faults.append("NaturalSpline with neither mean nor random is a straight line; use Linear.")
    if not 1 <= part.terms <= most:
        why = "" if not part.random else "; each is a random effect to integrate out, so set random = False for more"
        faults.append(f"knots are between 1 and {most} inner knots in number{why}; got {part.terms}. A spline without any is Linear.")
    inner = part.knots if isinstance(part.knots, tuple) else ()
    if not all(math.isfinite(k) for k in inner) or list(inner) != sorted(set(inner)):
        faults.append(f"knots must be finite and increasing; got {list(inner)}.")
    if part.boundary is not None:
        if len(part.boundary) != 2 or not (math.isfinite(sum(part.boundary)) and part.boundary[0] < part.boundary[-1]):
            faults.append(f"boundary is a first and a later last knot; got {list(part.boundary)}.")
        elif inner and not (part.boundary[0] < inner[0] and inner[-1] < part.boundary[1]):
            faults.append(f"knots must lie between the boundary knots; got {list(inner)} and {list(part.boundary)}.")
    return faults


@final
@dataclass(frozen=True, kw_only=True)
class Sigmoid:
    """A sigmoid from the full score to zero over the time since symptom onset, each participant with a D50 and a dx of their own.

    The score is top / (1 + exp{(u - D50) / dx}), u the time since onset: D50 is the time at which half of the score is gone, dx the time
    constant of the loss. Log D50 and log dx are jointly normal between participants (`alsmodel.clinical.d50` has the model's sources).

    Attributes
    ----------
    covariates : tuple of str
        Baseline covariates of log D50.
    steepness : tuple of str
        Baseline covariates of log dx.
    by : str or None
        A text covariate whose levels have mean curves of their own: it enters log D50 and log dx both.
    residual_by : str or None
        As in `Linear`.
    top : float
        Full score, 48 points for an ALSFRS-R total.
    """

    kind: Literal["sigmoid"] = "sigmoid"
    covariates: tuple[str, ...] = ()
    steepness: tuple[str, ...] = ()
    by: str | None = None
    residual_by: str | None = None
    top: float = 48.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "covariates", tuple(self.covariates))
        object.__setattr__(self, "steepness", tuple(self.steepness))
        if not (self.top > 0 and math.isfinite(self.top)):
            raise ValueError(f"top is the score of somebody without the disease and must be above 0; got {self.top}.")


Decline = Linear | Quadratic | NaturalSpline | Sigmoid
#: What the two parts of a decline are called in the names of parameters.
STEMS = {"intercept": "log_d50", "slope": "log_dx"}


def level_covariates(decline: Decline) -> tuple[str, ...]:
    """Covariates of the mean at time zero (of log D50), those of `by` first."""
    return _joined(decline.by, decline.covariates if isinstance(decline, Sigmoid) else decline.level)


def slope_covariates(decline: Decline) -> tuple[str, ...]:
    """Covariates of the slope (of log dx), those of `by` first."""
    return _joined(decline.by, decline.steepness if isinstance(decline, Sigmoid) else decline.covariates)


def _joined(by: str | None, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*([by] if by else []), *names)))


def _as_tuples(part: Linear | Quadratic | NaturalSpline) -> None:
    """Lists are taken too, so that a specification can be written with brackets."""
    object.__setattr__(part, "covariates", tuple(part.covariates))
    object.__setattr__(part, "level", tuple(part.level))
