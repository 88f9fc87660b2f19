"""Analyses of one trial, batched over replicates: arrays in, one record per replicate out."""

from alsmodel.estimators.logrank import LogRankFits, fit_log_rank
from alsmodel.estimators.mmrm import MmrmFits, fit_mmrm
from alsmodel.estimators.random_slope import RandomSlopeFits, fit_random_slope

__all__ = ["LogRankFits", "MmrmFits", "RandomSlopeFits", "fit_log_rank", "fit_mmrm", "fit_random_slope"]
