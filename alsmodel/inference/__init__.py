"""From a model and a cohort to a checked posterior, and predictions from it."""

from alsmodel.inference.checks import Check
from alsmodel.inference.domain_fit import DomainFit, fit_domains
from alsmodel.inference.fit import Fit, fit, fit_data
from alsmodel.inference.sampling import Sampling

__all__ = ["Check", "DomainFit", "Fit", "Sampling", "fit", "fit_data", "fit_domains"]
