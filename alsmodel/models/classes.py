"""Latent classes of participants, such as slow and fast decliners: a model to compare others with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from alsmodel.cohort.arrays import JointData
from alsmodel.cohort.derived import OF_SCORES
from alsmodel.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from alsmodel.models.spec import JointModel

MOST = 4
#: Where the log hazard of a class stands among the coefficients of the hazard.
OF_CLASS = "class:hazard"


@final
@dataclass(frozen=True, kw_only=True)
class LatentClasses:
    """Classes that nobody is seen to belong to, each with a mean level, a mean slope and a level of the hazard of its own.

    Given the class, score and event are independent (the joint latent class model of Lin et al. 2002, doi 10.1198/016214502753479220, and
    Proust-Lima et al. 2014, doi 10.1177/0962280212445839). Covariance of the random effects, residual SD, shape of the baseline hazard and
    the effects of covariates and treatments are common to the classes. Classes are told apart by their slopes, which increase: the first
    has the lowest, so that for a score that falls it is the fastest.

    Attributes
    ----------
    number : int
        1 to 4; 1 is the model without classes, for comparisons.
    covariates : tuple of str
        Baseline covariates of the log odds of each class against the first.
    hazard : bool
        Whether each class has its own level of the hazard. Without, classes are of the decline alone (a latent class mixed model).
    """

    number: int = 2
    covariates: tuple[str, ...] = ()
    hazard: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "covariates", tuple(self.covariates))
        faults = []
        if not 1 <= self.number <= MOST:
            faults.append(f"number of classes must be between 1 and {MOST}; got {self.number}.")
        if self.number == 1 and self.covariates:
            faults.append("covariates move participants between classes, and there is only one; leave them out.")
        if faults:
            raise ValueError("classes: " + " ".join(faults))

    @property
    def names(self) -> tuple[str, ...]:
        """Printed name of each class, in the order of their slopes."""
        return tuple(f"class {k + 1}" for k in range(self.number))


def class_covariates(spec: "JointModel") -> tuple[str, ...]:
    """Covariates of the classes; none without classes."""
    return spec.classes.covariates if spec.classes is not None else ()


def class_faults(spec: "JointModel") -> list[str]:
    """What classes do not go with."""
    if spec.classes is None:
        return []
    faults = []
    if spec.association:
        faults.append(
            "classes stand in the place of an association: given the class, score and hazard are independent, and whether the one or the "
            "other joins them is what is to be compared. Set association = []."
        )
    if spec.decline.kind != "linear":
        faults.append(f'classes are of straight lines, each with its own level and slope; got decline.kind = "{spec.decline.kind}".')
    if spec.population == "incident":
        faults.append('classes need population = "enrolled": their shares are those among the people who were enrolled.')
    if spec.causes or spec.after:
        faults.append("classes go with one cause of the end of follow-up; leave out causes and after, or name an end point.")
    if clocked := [t.name for t in spec.treatments if t.hazard == "clock"]:
        faults.append(f'classes share the time of the hazard; treatment {clocked[0]!r} has hazard = "clock". Choose hazard = "ratio".')
    for name in sorted({*OF_SCORES} & {*spec.classes.covariates}):
        faults.append(f"{name} is made of the score, whose decline defines the classes; it may not be a covariate of them.")
    return faults


def class_labels(spec: "JointModel", what: str) -> tuple[str, ...]:
    """Names of the parameters of the classes but the first: "intercept", "log_step", "hazard" or "odds"."""
    return tuple(f"class:{what}[{k}]" for k in range(2, spec.classes.number + 1)) if spec.classes is not None else ()


def class_design(spec: "JointModel", data: JointData) -> tuple[tuple[str, ...], "NDArray[np.float64]"]:
    """Columns of the covariates of the classes, shape (N, columns).

    Raises
    ------
    InvalidInput
        When a covariate of somebody is not recorded and is to be imputed inside the model.
    """
    names, design = data.design(class_covariates(spec))
    if absent := [name for name in names if name in data.missing and data.missing[name].any()]:
        fault = f"{', '.join(absent)} is not recorded for everybody, and a covariate of the classes cannot be imputed inside the model."
        raise InvalidInput([Fault("model.classes.covariates", fault, 'Choose missing = "complete-case" or "indicator" for it.')])
    return names, np.ascontiguousarray(design)


def class_odds(spec: "JointModel", data: JointData) -> list[list[str]]:
    """Names of the coefficients of the log odds of each class but the first: constant, then covariates."""
    names = class_design(spec, data)[0]
    return [[label, *(f"{label}:{name}" for name in names)] for label in class_labels(spec, "odds")]
