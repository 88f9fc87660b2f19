"""Virtual trials as they went, before anybody opens the data: what tests of interim looks read one participant at a time."""

import numpy as np
import numpy.typing as npt

from alsmodel.trials import Trial
from alsmodel.trials.block import trial_keys
from alsmodel.trials.opening import final_month
from alsmodel.trials.world import Enrolled, Observed, assign, enrol, observe

Looked = tuple[Enrolled, npt.NDArray[np.int64], Observed, npt.NDArray[np.float64]]


def followed(trial: Trial, trials: int) -> Looked:
    """Who they are, their arms, all that happens to them, and when the last is followed to the end."""
    keys, scenario = trial_keys(trial, 0, trials), trial.scenarios[0]
    enrolled = enrol(trial, keys, scenario.participants)
    arm = assign(trial.design, enrolled, keys)
    seen = observe(trial.design, trial.population, enrolled, scenario.effect, arm, keys, events=trial.intercurrent)
    return enrolled, arm, seen, final_month(trial.design, enrolled)
