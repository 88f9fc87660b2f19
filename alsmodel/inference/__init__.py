"""From a model and a cohort to a checked posterior, and predictions from it."""

from alsmodel.inference.checks import Check
from alsmodel.inference.fit import Fit, fit, fit_data
from alsmodel.inference.sampling import Sampling

__all__ = ["Check", "Fit", "Sampling", "fit", "fit_data"]
