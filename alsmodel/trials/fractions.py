"""Planned information fractions of analyses of which 1/SE² is no information: squared correlations of z, from pilot trials.

Boundaries take the correlation of z at two looks for the root of the ratio of their information. Where 1/SE² does not measure that, as
with ranks and wins, whose spread hardly changes while their meaning grows with follow-up, the correlations themselves say what the
fractions are.
"""

import numpy as np
import numpy.typing as npt

from alsmodel.trials.analyses import AbstractAnalysis
from alsmodel.trials.block import CONFIRM_STREAM, trial_keys
from alsmodel.trials.indicators import analysed
from alsmodel.trials.information import LEAST_GAIN
from alsmodel.trials.opening import final_month, open_data, timed, z_of
from alsmodel.trials.trial import Trial
from alsmodel.trials.world import assign, enrol, observe

Floats = npt.NDArray[np.float64]

#: Pilot trials that are followed at once.
AT_ONCE = 250


def planned_fractions(trial: Trial, *, replicates: int = 1000, analysis: str | None = None) -> tuple[float, ...]:
    """Fractions for ``sequential``: squared correlations of z at each look with z of the final analysis, the last 1.

    They come from pilot trials under the first effect and the first size, on streams of their own, that nothing stops; with 1,000 of them
    a fraction has a standard error of 0.01 to 0.03.

    Parameters
    ----------
    trial : Trial
        With looks; a size that is set anew has no fractions beforehand.
    replicates : int
        Pilot trials.
    analysis : str, optional
        Label of the analysis; the first by default.

    Raises
    ------
    ValueError
        Without looks, with re-estimation, for an unknown analysis, where fewer than 100 pilot trials have a result at every look, or
        where a look brings nothing beyond the one before.
    """
    chosen = trial.analysis_called(analysis)
    if not trial.design.looks:
        raise ValueError("fractions are of looks; give design.looks first.")
    if trial.design.reestimation is not None:
        raise ValueError("a trial whose size is set anew has no fractions beforehand; leave design.reestimation out.")
    blocks = [_z_at_looks(trial, chosen, a, min(a + AT_ONCE, replicates)) for a in range(0, replicates, AT_ONCE)]
    z = np.concatenate(blocks)
    z = z[np.isfinite(z).all(axis=1)]
    if len(z) < 100:
        raise ValueError(
            f"{chosen.label} has a result at every look in {len(z)} of {replicates} pilot trials. Look later, or enlarge the trial."
        )
    fractions = np.round([np.corrcoef(z[:, k], z[:, -1])[0, 1] ** 2 for k in range(z.shape[1] - 1)] + [1.0], 2)
    if fractions[0] <= 0 or (np.diff(fractions) < LEAST_GAIN).any():
        raise ValueError(
            f"{chosen.label}: a look brings nothing beyond the one before; its fractions are {fractions.tolist()}. Leave it out."
        )
    return tuple(fractions.tolist())


def _z_at_looks(trial: Trial, analysis: AbstractAnalysis, start: int, stop: int) -> Floats:
    """z of an analysis at every look and at the end of trials that nothing stops, shape (R, looks + 1)."""
    scenario, design = trial.scenarios[0], trial.design
    keys = trial_keys(trial, start, stop, CONFIRM_STREAM)
    enrolled = enrol(trial, keys, scenario.participants)
    arm = assign(design, enrolled, keys)
    events, markers = trial.intercurrent, trial.biomarkers
    seen = observe(design, trial.population, enrolled, scenario.effect, arm, keys, events=events, biomarkers=markers)
    end = final_month(design, enrolled)
    months = [*(look.cutoff(enrolled.month, *timed(trial, seen), end) for look in design.looks), None]
    return np.stack([z_of(analysed(analysis, open_data(trial, enrolled, arm, seen, month).data)) for month in months], axis=1)
