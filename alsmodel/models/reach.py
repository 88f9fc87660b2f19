"""Whom the association differs between: a row of parameters for each group of participants, and everybody's row."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.models.association import ByGroup, Through, kinds, reaches_further, shared_labels
from alsmodel.models.groups import members
from alsmodel.models.priors import data_scales
from alsmodel.models.spec import JointModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
WHERE = "model.association"


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Reach:
    """Labels of the association for each group, and the group of each participant.

    Attributes
    ----------
    labels : tuple of tuple of str
        Printed names of the association through value and through slope, and where any hazard of the model is reached by more
        (`is_wide`), through the mean since time zero and each random effect. One that the model does not have is found nowhere and stands
        for zero.
    row : int array, shape (N,)
    """

    labels: tuple[tuple[str, ...], ...]
    row: Ints


def levels_of_association(spec: JointModel, data: JointData, kind: Through) -> tuple[str, ...]:
    """Levels between which an association differs; none when it is the same for all."""
    by = kinds(spec.association).get(kind)
    return () if by is None else members(data, (by,), where=WHERE)[0]


def centre_of(spec: JointModel, data: JointData) -> float:
    """Score at which the deviations of groups do nothing: as given; that of the fit, for other participants; or the data's own mean."""
    given = next((term.at for term in spec.association if isinstance(term, ByGroup) and term.kind == "value"), None)
    if given is not None:
        return given
    return data_scales(data).centre if data.centre is None else data.centre


def centring(spec: JointModel, data: JointData) -> tuple[tuple[str, ...], Floats]:
    r"""What takes deviations of the current value's association to act on the score less `centre_of`, c.

    With association :math:`\alpha_g` in group g and :math:`\alpha` common, the log hazard has
    :math:`\alpha m + (\alpha_g - \alpha)(m - c) = \alpha_g m - c \alpha_g + c \alpha`.

    Returns
    -------
    labels : tuple of str
        Of every level's association and of the common one; none when it is the same for all.
    design : array, shape (N, labels)
    """
    levels = levels_of_association(spec, data, "value")
    if not levels:
        return (), np.zeros((data.people, 0))
    by = kinds(spec.association)["value"]
    assert by is not None
    own = members(data, (by,), where=WHERE)[1]
    design = centre_of(spec, data) * np.column_stack([-np.eye(len(levels))[own], np.ones(data.people)])
    return (*(f"association:value[{level}]" for level in levels), "association:value"), design


def is_wide(spec: JointModel) -> bool:
    """Whether any hazard of the model is reached by more than value and slope."""
    return reaches_further(spec.association, *(cause.association for cause in spec.causes))


def further_labels(spec: JointModel) -> tuple[str, ...]:
    """Names of the association through the mean since time zero and each random effect; none where no hazard has them."""
    return ("association:area", *shared_labels(spec.effects)) if is_wide(spec) else ()


def reach(spec: JointModel, data: JointData) -> Reach:
    """Every combination of levels that value and slope differ by, in the order of the levels.

    Raises
    ------
    InvalidInput
        When a covariate has one level only, or a level is not among those known from a fit.
    """
    suffixes, index = [], []
    each: tuple[Through, ...] = ("value", "slope")
    for kind in each:
        by = kinds(spec.association).get(kind)
        levels, own = ((), np.zeros(data.people, np.int64)) if by is None else members(data, (by,), where=WHERE)
        suffixes.append([f"association:{kind}[{level}]" for level in levels] or [f"association:{kind}"])
        index.append(own)
    more = further_labels(spec)
    if kinds(spec.association).get("value") == kinds(spec.association).get("slope"):
        return Reach(labels=tuple((*both, *more) for both in zip(*suffixes, strict=True)), row=index[0])
    labels = tuple((value, slope, *more) for value in suffixes[0] for slope in suffixes[1])
    return Reach(labels=labels, row=index[0] * len(suffixes[1]) + index[1])
