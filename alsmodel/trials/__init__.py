"""Virtual trials: a truth, a design, analyses, and the operating characteristics over a grid of scenarios."""

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
