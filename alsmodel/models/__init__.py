"""Models as frozen specifications, and what turns a specification and data into a density."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from alsmodel.cohort.selection import Covariate
from alsmodel.models.association import Area, CurrentValue, NoAssociation, SharedEffects, Slope
from alsmodel.models.causes import AfterEvent, Cause
from alsmodel.models.classes import LatentClasses
from alsmodel.models.decline import Linear, NaturalSpline, Quadratic, Sigmoid
from alsmodel.models.domain import ArmEffect, DomainModel, DomainPriors, Outcome, domains
from alsmodel.models.priors import HalfNormal, Mixture, Normal, Priors, als_priors
from alsmodel.models.spec import JointModel
from alsmodel.models.survival import Exponential, MSpline, PiecewiseExponential, RoystonParmar, Weibull
from alsmodel.models.treatments import AMX0035, Edaravone, Riluzole, Tofersen, Treatment

if TYPE_CHECKING:
    from alsmodel.models.joint import build
    from alsmodel.models.program import program

__all__ = [
    "AMX0035",
    "AfterEvent",
    "Area",
    "ArmEffect",
    "Cause",
    "Covariate",
    "CurrentValue",
    "DomainModel",
    "DomainPriors",
    "Edaravone",
    "Exponential",
    "HalfNormal",
    "JointModel",
    "LatentClasses",
    "Linear",
    "MSpline",
    "Mixture",
    "NaturalSpline",
    "NoAssociation",
    "Normal",
    "Outcome",
    "PiecewiseExponential",
    "Priors",
    "Quadratic",
    "Riluzole",
    "RoystonParmar",
    "SharedEffects",
    "Sigmoid",
    "Slope",
    "Tofersen",
    "Treatment",
    "Weibull",
    "als_priors",
    "build",
    "domains",
    "program",
]

_LATER = {"build": "joint", "program": "program"}  # PyMC and numba are loaded when they are asked for


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
