"""Through what a participant's own path reaches the hazard."""

from dataclasses import dataclass
from typing import Literal, final

Association = Literal["value", "slope"]


@final
@dataclass(frozen=True, kw_only=True)
class ByGroup:
    """An association that differs between the levels of a text covariate, with partial pooling.

    Attributes
    ----------
    kind : {"value", "slope"}
    by : str
        The text covariate, such as "phenotype". Each level's association is normal about a common one.
    at : float or None
        Value of the (transformed) score at which the levels' deviations do nothing, so that what else the groups differ by in hazard is
        of that score; amid the data. None: the mean over visits, to two digits. Of "value" only.
    """

    kind: Association
    by: str
    at: float | None = None

    def __post_init__(self) -> None:
        if self.kind == "slope" and self.at is not None:
            raise ValueError(f"at is a value of the score and goes with the current value, not with the slope; got {self.at:g}.")


Term = Association | ByGroup
Associations = tuple[Term, ...]


def CurrentValue(*, by: str | None = None, at: float | None = None) -> Associations:
    """The true score at the time: log hazard per point. Adds to others, as in ``CurrentValue() + Slope()``.

    Parameters
    ----------
    by : str, optional
        A text covariate, such as "phenotype", each level of which has an association of its own, drawn towards a common one.
    at : float, optional
        With `by`: the score at which the groups' hazards are compared; the mean over visits unless given.

    Raises
    ------
    ValueError
        When `at` comes without `by`.
    """
    if by is None and at is not None:
        raise ValueError(f"at is the score at which groups are compared and needs by; got {at:g}.")
    return ("value",) if by is None else (ByGroup(kind="value", by=by, at=at),)


def Slope(*, by: str | None = None) -> Associations:
    """The slope of the true score at the time: log hazard per point per time unit.

    Parameters
    ----------
    by : str, optional
        As in `CurrentValue`.
    """
    return ("slope",) if by is None else (ByGroup(kind="slope", by=by),)


def NoAssociation() -> Associations:
    """Nothing: decline and survival share covariates and treatments only."""
    return ()


def kinds(association: Associations) -> dict[Association, str | None]:
    """What reaches the hazard, and by what it differs (None: the same for all)."""
    out: dict[Association, str | None] = {}
    for term in association:
        if isinstance(term, ByGroup):
            out[term.kind] = term.by
        else:
            out[term] = None
    return out
