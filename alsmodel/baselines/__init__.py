"""Classical survival analyses of the same arrays as the Bayesian fit: Kaplan-Meier, Cox, Weibull AFT."""

from alsmodel.baselines.result import Baselines
from alsmodel.baselines.run import fit, run

__all__ = ["Baselines", "fit", "run"]
