"""Models as frozen specifications, and what turns a specification and data into a density."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from alsmodel.cohort.selection import Covariate
from alsmodel.models.domain import ArmEffect, DomainModel, DomainPriors, Outcome, domains
from alsmodel.models.spec import JointModel, Normal, PiecewiseHazard, Priors, Treatment, WeibullHazard

if TYPE_CHECKING:
    from alsmodel.models.joint import build
    from alsmodel.models.program import program

__all__ = [
    "ArmEffect",
    "Covariate",
    "DomainModel",
    "DomainPriors",
    "JointModel",
    "Normal",
    "Outcome",
    "PiecewiseHazard",
    "Priors",
    "Treatment",
    "WeibullHazard",
    "build",
    "domains",
    "program",
]

_LATER = {"build": "joint", "program": "program"}  # PyMC and numba are loaded when they are asked for


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
