"""Analyses of one trial, batched over replicates: arrays in, one record per replicate out."""

from alsmodel.estimators.ancova import AncovaFits, fit_ancova
from alsmodel.estimators.cox import CoxFits, fit_cox
from alsmodel.estimators.imputed_rank import fit_imputed_joint_rank
from alsmodel.estimators.joint_rank import JointRankFits, fit_joint_rank, joint_ranks
from alsmodel.estimators.kaplan_meier import KaplanMeierCurves, kaplan_meier
from alsmodel.estimators.logrank import LogRankFits, fit_log_rank
from alsmodel.estimators.max_combo import MaxComboFits, fit_max_combo
from alsmodel.estimators.mmrm import MmrmFits, fit_mmrm
from alsmodel.estimators.random_slope import RandomSlopeFits, fit_random_slope
from alsmodel.estimators.reference_based import ReferenceBasedFits, fit_reference_based
from alsmodel.estimators.responder import ResponderFits, fit_responder, responders
from alsmodel.estimators.rmst import RmstFits, fit_rmst
from alsmodel.estimators.threshold import ThresholdEvents, threshold_events
from alsmodel.estimators.two_point_slope import fit_two_point_slope, participant_slopes
from alsmodel.estimators.weighted_logrank import WeightedLogRankFits, fit_weighted_log_rank
from alsmodel.estimators.win import WinFits, fit_win

__all__ = [
    "AncovaFits",
    "CoxFits",
    "JointRankFits",
    "KaplanMeierCurves",
    "LogRankFits",
    "MaxComboFits",
    "MmrmFits",
    "RandomSlopeFits",
    "ReferenceBasedFits",
    "ResponderFits",
    "RmstFits",
    "ThresholdEvents",
    "WeightedLogRankFits",
    "WinFits",
    "fit_ancova",
    "fit_cox",
    "fit_imputed_joint_rank",
    "fit_joint_rank",
    "fit_log_rank",
    "fit_max_combo",
    "fit_mmrm",
    "fit_random_slope",
    "fit_reference_based",
    "fit_responder",
    "fit_rmst",
    "fit_two_point_slope",
    "fit_weighted_log_rank",
    "fit_win",
    "joint_ranks",
    "kaplan_meier",
    "participant_slopes",
    "responders",
    "threshold_events",
]
