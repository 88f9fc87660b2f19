"""Analyses of one trial, batched over replicates: arrays in, one record per replicate out."""

from alsmodel.estimators.ancova import AncovaFits, fit_ancova
from alsmodel.estimators.logrank import LogRankFits, fit_log_rank
from alsmodel.estimators.random_slope import RandomSlopeFits, fit_random_slope
from alsmodel.estimators.responder import ResponderFits, fit_responder, responders
from alsmodel.estimators.threshold import ThresholdEvents, threshold_events
from alsmodel.estimators.two_point_slope import fit_two_point_slope, participant_slopes

__all__ = [
    "AncovaFits",
    "LogRankFits",
    "RandomSlopeFits",
    "ResponderFits",
    "ThresholdEvents",
    "fit_ancova",
    "fit_log_rank",
    "fit_random_slope",
    "fit_responder",
    "fit_two_point_slope",
    "participant_slopes",
    "responders",
    "threshold_events",
]
