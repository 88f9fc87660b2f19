"""Virtual trials: a truth, a design, analyses, and the operating characteristics over a grid of scenarios.

The names below are loaded on first use: reading the `[trial]` section of a study file loads no numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alsmodel.trials.analyses import Analysed, LogRank, RandomSlope, TrialData
    from alsmodel.trials.assuring import Assurance, EffectDraws, assurance
    from alsmodel.trials.beliefs import EffectPrior
    from alsmodel.trials.biomarkers import Biomarker
    from alsmodel.trials.compared import Compared, compare
    from alsmodel.trials.comparison import ComparisonPlan
    from alsmodel.trials.designs import Decision, ParallelDesign
    from alsmodel.trials.effects import BiomarkerEffect, Effect
    from alsmodel.trials.endpoints import ANCOVA, MMRM, RMST, Cox, JointRank, Responder, Win
    from alsmodel.trials.families import Bonferroni, FixedSequence, Hochberg, Holm
    from alsmodel.trials.family_looks import FamilyLooks, OwnLooks
    from alsmodel.trials.fractions import planned_fractions
    from alsmodel.trials.further import MaxCombo, ParticipantSlopes, TimeToDrop, WeightedLogRank
    from alsmodel.trials.imputed import ReferenceBased
    from alsmodel.trials.information import RealisedInformation
    from alsmodel.trials.intercurrent import Afterwards, Intercurrent
    from alsmodel.trials.looks import FixedBounds, Look
    from alsmodel.trials.multiplicity import Graph
    from alsmodel.trials.observed import observed_trial
    from alsmodel.trials.population import BaselineCovariate, Phenotype, Population
    from alsmodel.trials.randomisation import Alternating, Minimisation, PermutedBlocks
    from alsmodel.trials.recruitment import Recruitment
    from alsmodel.trials.reestimation import BlindedEvents, BlindedVariance, PromisingSize
    from alsmodel.trials.resampled import ResampledTruth
    from alsmodel.trials.resampling import resampled_truth
    from alsmodel.trials.results import OperatingCharacteristics
    from alsmodel.trials.run import simulate, simulate_shard
    from alsmodel.trials.searching import Found, FoundSetting, planned_information, search, search_setting
    from alsmodel.trials.settings import PosteriorSettings, ResampledSettings, TrialSettings, build
    from alsmodel.trials.telling import Told, example
    from alsmodel.trials.trial import Scenario, Trial
    from alsmodel.trials.truth import NamedTruth, PosteriorTruth

__all__ = [
    "ANCOVA",
    "MMRM",
    "RMST",
    "Afterwards",
    "Alternating",
    "Analysed",
    "Assurance",
    "BaselineCovariate",
    "Biomarker",
    "BiomarkerEffect",
    "BlindedEvents",
    "BlindedVariance",
    "Bonferroni",
    "Compared",
    "ComparisonPlan",
    "Cox",
    "Decision",
    "Effect",
    "EffectDraws",
    "EffectPrior",
    "FamilyLooks",
    "FixedBounds",
    "FixedSequence",
    "Found",
    "FoundSetting",
    "Graph",
    "Hochberg",
    "Holm",
    "Intercurrent",
    "JointRank",
    "LogRank",
    "Look",
    "MaxCombo",
    "Minimisation",
    "NamedTruth",
    "OperatingCharacteristics",
    "OwnLooks",
    "ParallelDesign",
    "ParticipantSlopes",
    "PermutedBlocks",
    "Phenotype",
    "Population",
    "PosteriorSettings",
    "PosteriorTruth",
    "PromisingSize",
    "RandomSlope",
    "RealisedInformation",
    "Recruitment",
    "ReferenceBased",
    "ResampledSettings",
    "ResampledTruth",
    "Responder",
    "Scenario",
    "TimeToDrop",
    "Told",
    "Trial",
    "TrialData",
    "TrialSettings",
    "WeightedLogRank",
    "Win",
    "assurance",
    "build",
    "compare",
    "example",
    "observed_trial",
    "planned_fractions",
    "planned_information",
    "resampled_truth",
    "search",
    "search_setting",
    "simulate",
    "simulate_shard",
]

_HOMES = {
    "Compared": "compared",
    "compare": "compared",
    "ComparisonPlan": "comparison",
    "observed_trial": "observed",
    "search": "searching",
    "search_setting": "searching",
    "FoundSetting": "searching",
    "planned_fractions": "fractions",
    "planned_information": "searching",
    "Found": "searching",
    "example": "telling",
    "Told": "telling",
    "ANCOVA": "endpoints",
    "MMRM": "endpoints",
    "RMST": "endpoints",
    "MaxCombo": "further",
    "ParticipantSlopes": "further",
    "TimeToDrop": "further",
    "WeightedLogRank": "further",
    "Cox": "endpoints",
    "JointRank": "endpoints",
    "ReferenceBased": "imputed",
    "Responder": "endpoints",
    "Win": "endpoints",
    "BaselineCovariate": "population",
    "Phenotype": "population",
    "Population": "population",
    "Predictor": "prognosis",
    "Prognosis": "prognosis",
    "Recruitment": "recruitment",
    "Alternating": "randomisation",
    "PermutedBlocks": "randomisation",
    "Minimisation": "randomisation",
    "Look": "looks",
    "FixedBounds": "looks",
    "RealisedInformation": "information",
    "Afterwards": "intercurrent",
    "Intercurrent": "intercurrent",
    "BlindedEvents": "reestimation",
    "BlindedVariance": "reestimation",
    "PromisingSize": "reestimation",
    "Assurance": "assuring",
    "EffectDraws": "assuring",
    "EffectPrior": "beliefs",
    "assurance": "assuring",
    "Bonferroni": "families",
    "FixedSequence": "families",
    "Hochberg": "families",
    "Holm": "families",
    "Graph": "multiplicity",
    "FamilyLooks": "family_looks",
    "OwnLooks": "family_looks",
    "simulate_shard": "run",
    "Analysed": "analyses",
    "LogRank": "analyses",
    "RandomSlope": "analyses",
    "TrialData": "analyses",
    "Decision": "designs",
    "ParallelDesign": "designs",
    "Effect": "effects",
    "BiomarkerEffect": "effects",
    "Biomarker": "biomarkers",
    "OperatingCharacteristics": "results",
    "ResampledTruth": "resampled",
    "ResampledSettings": "settings",
    "resampled_truth": "resampling",
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
