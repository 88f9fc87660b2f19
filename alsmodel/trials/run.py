"""Run a trial many times: blocks of virtual trials, on one worker or several, with the same result.

Every number of replicate r comes from the stream key ``SeedSequence(seed, spawn_key=(stream, population words, r))``,
so the result does not depend on workers, block size or order.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from alsmodel.patients.streams import stream_key
from alsmodel.patients.trial import simulate_trial
from alsmodel.trials.analyses import Analysed, TrialData
from alsmodel.trials.effects import Effect
from alsmodel.trials.results import FIELDS, OperatingCharacteristics, summarise
from alsmodel.trials.trial import Trial
from alsmodel.trials.truth import Participants

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

#: First word of every spawn key of this room; other rooms use other numbers.
TRIAL_STREAM = 2


def simulate(
    trial: Trial, *, workers: int = 1, progress: Callable[[int, int], None] | None = None, block: int = 250
) -> OperatingCharacteristics:
    """Simulate every scenario of a trial and summarise its analyses.

    Parameters
    ----------
    trial : Trial
        What to simulate.
    workers : int
        Processes; the result is the same for any number.
    progress : callable, optional
        Called with (virtual trials done, virtual trials in all) after each block; one virtual trial is one
        replicate in all its scenarios.
    block : int
        Replicates per block, which bounds memory; the result is the same for any size.

    Returns
    -------
    OperatingCharacteristics

    Raises
    ------
    ValueError
        When `workers` or `block` is below 1.
    """
    if workers < 1 or block < 1:
        raise ValueError(f"workers and block must be at least 1; got {workers} and {block}.")
    spans = [(a, min(a + block, trial.replicates)) for a in range(0, trial.replicates, block)]
    parts = []
    for part in _parts(trial, spans, min(workers, len(spans))):
        parts.append(part)
        if progress is not None:
            progress(sum(p.shape[3] for p in parts), trial.replicates)
    return summarise(trial, np.concatenate(parts, axis=3))


def _parts(trial: Trial, spans: list[tuple[int, int]], workers: int) -> Iterator[Floats]:
    if workers == 1:
        yield from (run_block(trial, start, stop) for start, stop in spans)
        return
    from joblib import Parallel, delayed

    # One virtual trial here first: the workers then load compiled code instead of all compiling it.
    run_block(replace(trial, n_per_arm=trial.n_per_arm[:1]), 0, 1)
    yield from Parallel(n_jobs=workers, return_as="generator")(delayed(run_block)(trial, *span) for span in spans)


def run_block(trial: Trial, start: int, stop: int) -> Floats:
    """Simulate and analyse replicates `start` to `stop` (exclusive).

    Returns
    -------
    array, shape (effects, sizes, analyses, stop - start, fields)
        One record per virtual trial, fields as in `alsmodel.trials.results.FIELDS`.
    """
    design = trial.design
    sizes = [design.randomised(n) for n in trial.n_per_arm]
    arm = design.arms(max(sizes))
    words = trial.population_words()
    keys = [stream_key(trial.seed, TRIAL_STREAM, *words, r) for r in range(start, stop)]
    people = [trial.truth.draw(key, max(sizes)) for key in keys]
    slopes = np.array([one.population_slope for one in people])
    out = np.empty((len(trial.effects), len(sizes), len(trial.analyses), stop - start, len(FIELDS)))
    for e, effect in enumerate(trial.effects):
        observed = [observe(trial, one, effect, arm, key) for one, key in zip(people, keys, strict=True)]
        scores, event_time, event = (np.stack(column) for column in zip(*observed, strict=True))
        for s, n in enumerate(sizes):
            data = TrialData(
                months=np.array(design.visits),
                scores=np.ascontiguousarray(scores[:, :n]),
                arm=arm[:n],
                event_time=np.ascontiguousarray(event_time[:, :n]),
                event=np.ascontiguousarray(event[:, :n]),
            )
            for a, analysis in enumerate(trial.analyses):
                _record(analysis.analyse(data), data, out[e, s, a])
                if analysis.measure == "slope difference":
                    out[e, s, a, :, FIELDS.index("true_value")] = effect.slope(slopes) - slopes
    return out


def observe(trial: Trial, people: Participants, effect: Effect, arm: Integers, key: np.uint64) -> tuple[Floats, Floats, Integers]:
    """Scores (n, V), event times (n,) and event indicators (n,) of one virtual trial under an effect."""
    active = arm == 1
    slope = np.where(active, effect.slope(people.slope), people.slope)
    log_hazard = people.log_hazard + np.where(active, np.log(effect.hazard_ratio), 0.0)
    control = _generate(trial, people, slope, log_hazard, people.random_cholesky, key)
    if effect.deviation_factor == 1.0:
        return control
    scaled = people.random_cholesky * np.array([[1.0], [effect.deviation_factor]])
    treated = _generate(trial, people, slope, log_hazard, scaled, key)
    return (
        np.where(active[:, None], treated[0], control[0]),
        np.where(active, treated[1], control[1]),
        np.where(active, treated[2], control[2]),
    )


def _generate(
    trial: Trial, people: Participants, slope: Floats, log_hazard: Floats, cholesky: Floats, key: np.uint64
) -> tuple[Floats, Floats, Integers]:
    design = trial.design
    return simulate_trial(
        people.intercept,
        slope,
        log_hazard,
        cholesky,
        people.residual_sd,
        people.knots,
        people.log_baseline_hazard,
        people.association_value,
        people.association_slope,
        np.array(design.visits),
        float(design.duration),
        design.dropout_rate,
        key,
        people.slope_skew,
        float(design.missing_visit_probability),
    )


def _record(result: Analysed, data: TrialData, out: Floats) -> None:
    columns: dict[str, npt.ArrayLike] = {
        "estimate": result.estimate,
        "standard_error": result.standard_error,
        "df": result.df,
        "p_value": result.p_value,
        "benefit": result.benefit,
        "failed": result.failed,
        "events": data.event.sum(axis=1),
        "true_value": np.nan,
    }
    for f, name in enumerate(FIELDS):
        out[:, f] = np.asarray(columns[name], dtype=np.float64)
