"""Through what a participant's own path reaches the hazard."""

from dataclasses import dataclass
from typing import Literal, final

#: What may differ between groups, and what several outcomes together have.
Association = Literal["value", "slope"]
Through = Literal["value", "slope", "area", "shared"]


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
        if self.kind not in ("value", "slope"):
            raise ValueError(f"an association by group is one through the current value or the slope; got {self.kind!r}.")
        if self.kind == "slope" and self.at is not None:
            raise ValueError(f"at is a value of the score and goes with the current value, not with the slope; got {self.at:g}.")


Term = Through | ByGroup
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


def Area() -> Associations:
    r"""The mean of the true score from time zero to the time: log hazard per point.

    This is the area under the path divided by the time, so that its coefficient is in the units of the current value's: a score that was
    low for long counts, not only one that is low now. Time zero is everybody's own start of follow-up (population "enrolled").

    .. math:: \alpha_A \frac{1}{t} \int_0^t m_i(s) \, ds

    References
    ----------
    Cumulative effects: Mauff, Steyerberg, Nijpels, van der Heijden, Rizopoulos 2017, Stat Med 36:3746, doi 10.1002/sim.7385, with
    weights that are equal and add up to one.
    """
    return ("area",)


def SharedEffects() -> Associations:
    r"""The participant's own random effects: log hazard per point of the intercept, per point per time unit of the slope, and so on.

    The hazard depends on how a participant differs from the mean path of people with the same covariates, all along; what covariates and
    treatment do to the path does not reach it.

    .. math:: \lambda_0 b_{i0} + \lambda_1 b_{i1} + \dots

    References
    ----------
    Shared random effects: Henderson, Diggle, Dobson 2000, Biostatistics 1:465, doi 10.1093/biostatistics/1.4.465;
    Wu and Carroll 1988, Biometrics 44:175, doi 10.2307/2531905.
    """
    return ("shared",)


def NoAssociation() -> Associations:
    """Nothing: decline and survival share covariates and treatments only."""
    return ()


def kinds(association: Associations) -> dict[Through, str | None]:
    """What reaches the hazard, and by what it differs (None: the same for all)."""
    out: dict[Through, str | None] = {}
    for term in association:
        if isinstance(term, ByGroup):
            out[term.kind] = term.by
        else:
            out[term] = None
    return out


def shared_labels(effects: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the coefficients of shared random effects."""
    return tuple(f"association:shared:{effect}" for effect in effects)


def reaches_further(*associations: Associations) -> bool:
    """Whether any of these goes through more than the current value and the slope."""
    return any(kind in ("area", "shared") for association in associations for kind in kinds(association))
