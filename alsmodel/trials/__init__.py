"""Virtual trials: a truth, a design, analyses, and the operating characteristics over a grid of scenarios.

The names below are loaded on first use: reading the `[trial]` section of a study file loads no numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alsmodel.trials.analyses import Analysed, LogRank, RandomSlope, TrialData
    from alsmodel.trials.compared import Compared, compare
    from alsmodel.trials.comparison import ComparisonPlan
    from alsmodel.trials.designs import Decision, ParallelDesign
    from alsmodel.trials.effects import Effect
    from alsmodel.trials.endpoints import ANCOVA, MMRM, RMST, Cox, JointRank, Responder, Win
    from alsmodel.trials.imputed import ReferenceBased
    from alsmodel.trials.looks import FixedBounds, Look
    from alsmodel.trials.observed import observed_trial
    from alsmodel.trials.population import BaselineCovariate, Phenotype, Population
    from alsmodel.trials.randomisation import Alternating, Minimisation, PermutedBlocks
    from alsmodel.trials.recruitment import Recruitment
    from alsmodel.trials.results import OperatingCharacteristics
    from alsmodel.trials.run import simulate, simulate_shard
    from alsmodel.trials.searching import Found, search
    from alsmodel.trials.settings import PosteriorSettings, TrialSettings, build
    from alsmodel.trials.telling import Told, example
    from alsmodel.trials.trial import Scenario, Trial
    from alsmodel.trials.truth import NamedTruth, PosteriorTruth

__all__ = [
    "ANCOVA",
    "MMRM",
    "RMST",
    "Alternating",
    "Analysed",
    "BaselineCovariate",
    "Compared",
    "ComparisonPlan",
    "Cox",
    "Decision",
    "Effect",
    "FixedBounds",
    "Found",
    "JointRank",
    "LogRank",
    "Look",
    "Minimisation",
    "NamedTruth",
    "OperatingCharacteristics",
    "ParallelDesign",
    "PermutedBlocks",
    "Phenotype",
    "Population",
    "PosteriorSettings",
    "PosteriorTruth",
    "RandomSlope",
    "Recruitment",
    "ReferenceBased",
    "Responder",
    "Scenario",
    "Told",
    "Trial",
    "TrialData",
    "TrialSettings",
    "Win",
    "build",
    "compare",
    "example",
    "observed_trial",
    "search",
    "simulate",
    "simulate_shard",
]

_HOMES = {
    "Compared": "compared",
    "compare": "compared",
    "ComparisonPlan": "comparison",
    "observed_trial": "observed",
    "search": "searching",
    "Found": "searching",
    "example": "telling",
    "Told": "telling",
    "ANCOVA": "endpoints",
    "MMRM": "endpoints",
    "RMST": "endpoints",
    "Cox": "endpoints",
    "JointRank": "endpoints",
    "ReferenceBased": "imputed",
    "Responder": "endpoints",
    "Win": "endpoints",
    "BaselineCovariate": "population",
    "Phenotype": "population",
    "Population": "population",
    "Recruitment": "recruitment",
    "Alternating": "randomisation",
    "PermutedBlocks": "randomisation",
    "Minimisation": "randomisation",
    "Look": "looks",
    "FixedBounds": "looks",
    "simulate_shard": "run",
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
