"""Bayesian models of ALS progression and survival, and simulation of ALS trials.

The names below are loaded on first use: importing `alsmodel` costs milliseconds and imports no PyMC.

>>> import alsmodel
>>> cohort = alsmodel.read("cohort/", format="cohort")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from alsmodel.settings.cache import use_code_cache

if TYPE_CHECKING:
    from alsmodel.cohort import Cohort, read
    from alsmodel.cohort.selection import Covariate
    from alsmodel.errors import AlsmodelError, Fault, FitFailed, InvalidInput
    from alsmodel.inference import Fit, fit
    from alsmodel.inference.prior_predictive import PriorPredictive, prior_predictive
    from alsmodel.models import (
        AMX0035,
        AfterEvent,
        Cause,
        CurrentValue,
        Edaravone,
        Exponential,
        HalfNormal,
        JointModel,
        Linear,
        Mixture,
        MSpline,
        NaturalSpline,
        NoAssociation,
        Normal,
        PiecewiseExponential,
        Priors,
        Quadratic,
        Riluzole,
        RoystonParmar,
        Sigmoid,
        Slope,
        Tofersen,
        Treatment,
        Weibull,
        als_priors,
    )
    from alsmodel.study import Study, run
    from alsmodel.trials import OperatingCharacteristics, Trial, simulate

__version__ = "0.1.0"

#: Public name -> the room that holds it.
_HOMES = {
    "AlsmodelError": "errors",
    "Fault": "errors",
    "FitFailed": "errors",
    "InvalidInput": "errors",
    "Cohort": "cohort",
    "read": "cohort",
    "Covariate": "cohort.selection",
    "JointModel": "models",
    "Treatment": "models",
    "AMX0035": "models",
    "AfterEvent": "models",
    "Cause": "models",
    "CurrentValue": "models",
    "Edaravone": "models",
    "Exponential": "models",
    "HalfNormal": "models",
    "LatentClasses": "models",
    "Linear": "models",
    "MSpline": "models",
    "NaturalSpline": "models",
    "Mixture": "models",
    "NoAssociation": "models",
    "Normal": "models",
    "PiecewiseExponential": "models",
    "Priors": "models",
    "Quadratic": "models",
    "RoystonParmar": "models",
    "Sigmoid": "models",
    "Riluzole": "models",
    "Slope": "models",
    "Tofersen": "models",
    "Weibull": "models",
    "als_priors": "models",
    "PriorPredictive": "inference.prior_predictive",
    "prior_predictive": "inference.prior_predictive",
    "Fit": "inference",
    "fit": "inference",
    "Trial": "trials",
    "OperatingCharacteristics": "trials",
    "simulate": "trials",
    "Study": "study",
    "run": "study",
}

__all__ = [
    "AMX0035",
    "AfterEvent",
    "AlsmodelError",
    "Cause",
    "Cohort",
    "Covariate",
    "CurrentValue",
    "Edaravone",
    "Exponential",
    "Fault",
    "Fit",
    "FitFailed",
    "HalfNormal",
    "InvalidInput",
    "JointModel",
    "LatentClasses",
    "Linear",
    "MSpline",
    "Mixture",
    "NaturalSpline",
    "NoAssociation",
    "Normal",
    "OperatingCharacteristics",
    "PiecewiseExponential",
    "PriorPredictive",
    "Priors",
    "Quadratic",
    "Riluzole",
    "RoystonParmar",
    "Sigmoid",
    "Slope",
    "Study",
    "Tofersen",
    "Treatment",
    "Trial",
    "Weibull",
    "als_priors",
    "fit",
    "prior_predictive",
    "read",
    "run",
    "simulate",
]

use_code_cache()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
