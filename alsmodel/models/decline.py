"""How the score declines: the shape of everybody's own path, and what moves its level and slope."""

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


Decline = Linear | Quadratic


def level_covariates(decline: Decline) -> tuple[str, ...]:
    """Covariates of the mean at time zero, those of `by` first."""
    return _joined(decline.by, decline.level)


def slope_covariates(decline: Decline) -> tuple[str, ...]:
    """Covariates of the slope, those of `by` first."""
    return _joined(decline.by, decline.covariates)


def _joined(by: str | None, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*([by] if by else []), *names)))


def _as_tuples(part: Decline) -> None:
    """Lists are taken too, so that a specification can be written with brackets."""
    object.__setattr__(part, "covariates", tuple(part.covariates))
    object.__setattr__(part, "level", tuple(part.level))
