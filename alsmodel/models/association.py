"""Through what a participant's own path reaches the hazard."""

from typing import Literal

Association = Literal["value", "slope"]
Associations = tuple[Association, ...]


def CurrentValue() -> Associations:
    """The true score at the time: log hazard per point. Adds to others, as in ``CurrentValue() + Slope()``."""
    return ("value",)


def Slope() -> Associations:
    """The slope of the true score at the time: log hazard per point per time unit."""
    return ("slope",)


def NoAssociation() -> Associations:
    """Nothing: decline and survival share covariates and treatments only."""
    return ()
