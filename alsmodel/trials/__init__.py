"""Virtual trials: a truth, a design, analyses, and the operating characteristics over a grid of scenarios.

The names below are loaded on first use: reading the `[trial]` section of a study file loads no numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alsmodel.trials.analyses import Analysed, LogRank, RandomSlope, TrialData
    from alsmodel.trials.designs import Decision, ParallelDesign
    from alsmodel.trials.effects import Effect
    from alsmodel.trials.results import OperatingCharacteristics
    from alsmodel.trials.run import simulate
    from alsmodel.trials.settings import PosteriorSettings, TrialSettings, build
    from alsmodel.trials.trial import Scenario, Trial
    from alsmodel.trials.truth import NamedTruth, PosteriorTruth

__all__ = [
    "Analysed",
    "Decision",
    "Effect",
    "LogRank",
    "NamedTruth",
    "OperatingCharacteristics",
    "ParallelDesign",
    "PosteriorSettings",
    "PosteriorTruth",
    "RandomSlope",
    "Scenario",
    "Trial",
    "TrialData",
    "TrialSettings",
    "build",
    "simulate",
]

_HOMES = {
    "Analysed": "analyses",
    "LogRank": "analyses",
    "RandomSlope": "analyses",
    "TrialData": "analyses",
    "Decision": "designs",
    "ParallelDesign": "designs",
    "Effect": "effects",
    "OperatingCharacteristics": "results",
    "simulate": "run",
    "PosteriorSettings": "settings",
    "TrialSettings": "settings",
    "build": "settings",
    "Scenario": "trial",
    "Trial": "trial",
    "NamedTruth": "truth",
    "PosteriorTruth": "truth",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
