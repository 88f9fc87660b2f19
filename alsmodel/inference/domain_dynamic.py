r"""Prediction of single participants from a fit of several outcomes: score paths, survival and restricted mean from a landmark on.

Only what lies before the landmark is used. A participant's lines given the scores so far have no closed form where scores sit at an end
of a scale, so they are drawn by importance sampling: candidates from a multivariate t that three rounds have fitted to the posterior at
the mean parameters (adaptive importance sampling: Oh and Berger, J Stat Comput Simul 1992;41:143, doi 10.1080/00949659208810398), the
same candidates for every draw of the parameters,

.. math:: w_{dn} \propto N(a_n; \mu_d, D_d) \prod_r p_d(y_r \mid a_n) \, e^{-H_d(L; a_n)} / q(a_n), \qquad \sum_n w_{dn} = 1.

No code is shared with the compiled density, which integrates the same lines out by quadrature.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import gammaln, log_ndtr

from alsmodel.cohort.outcome_arrays import OutcomeData
from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.domain_fit import DomainFit
from alsmodel.inference.domain_paths import Lines, covariances, lines_at, mean_lines
from alsmodel.inference.domain_predict import on_scale, scored
from alsmodel.inference.dynamic import finer, people_at, restricted_mean, times_after
from alsmodel.inference.sampling import evenly
from alsmodel.models.domain import Outcome

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STREAM = 7
DEGREES = 8.0
CANDIDATES, MOST_CANDIDATES = 2_000, 32_000
LEAST_ESS = 20.0  # candidates that a draw of the parameters is worth; more are drawn where it is not reached
PATHS = 20  # lines kept of each draw
BLOCK = 20
INTERVAL = (0.025, 0.975)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class _Seen:
    """Scores of one participant up to the landmark, and when follow-up began."""

    outcome: Ints
    time: Floats
    value: Floats
    entry: float
    landmark: float


def predict_participants_domains(
    fit: DomainFit,
    landmark: float,
    times: Sequence[float] | Floats,
    *,
    data: OutcomeData | None = None,
    draws: int = 200,
    seed: int = 1,
) -> pl.DataFrame:
    """What is to be expected of each participant who is in follow-up and free of the event at a landmark.

    Parameters
    ----------
    fit : DomainFit
    landmark : float
        In the fit's time unit, from the time origin.
    times : array, shape (T,)
        Increasing, after the landmark.
    data : OutcomeData, optional
        Other participants than those fitted, with the same outcomes, unit and covariates.
    draws : int
        Posterior draws of the parameters, taken evenly.
    seed : int
        Same seed, same numbers.

    Returns
    -------
    polars.DataFrame
        participant_id, outcome, time; score: mean of what would be recorded if alive, with score_lower and score_upper: 95% of what would
        be recorded, noise included and on the scale (transformed outcomes as they are modelled). p_alive with lower and upper (95% over
        draws of parameters and of the participant's own lines), and restricted_mean, the expected time without the event from the
        landmark on, with lower and upper; the same for every outcome. ess: the smallest effective sample size of the candidates over
        draws; below 20 the numbers are rough. beyond_follow_up: whether the time lies past the longest follow-up of those fitted.

    Raises
    ------
    ValueError
        When the times do not increase from the landmark on.
    InvalidInput
        When nobody is at risk, or the new data are of another kind than those fitted.
    """
    at = times_after(landmark, times)
    source = fit.data if data is None else data
    _require_alike(fit, source)
    people = people_at(source.base, landmark)
    chosen = evenly(next(iter(fit.draws.values())).size, draws)
    return pl.concat([_one(fit, source, int(person), landmark, at, chosen, seed) for person in people])


def _one(fit: DomainFit, data: OutcomeData, person: int, landmark: float, at: Floats, chosen: Ints, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng([seed, STREAM, person])
    mine = (data.row_person == person) & (data.row_time <= landmark)
    seen = _Seen(
        outcome=data.row_outcome[mine],
        time=data.row_time[mine],
        value=data.row_value[mine],
        entry=float(data.base.entry_time[person]),
        landmark=landmark,
    )
    size = CANDIDATES
    while True:
        line, log_q = _candidates(fit, data, person, seen, size, rng)
        found = [_ahead(fit, data, person, seen, line, log_q, at, part, rng) for part in np.array_split(chosen, -(-chosen.size // BLOCK))]
        ess = min(each.ess for each in found)
        if ess >= LEAST_ESS or 4 * size > MOST_CANDIDATES:
            return _frame(fit, data.base.participant_ids[person], at, found, ess)
        size *= 4


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class _Ahead:
    """Paths of one block of draws, PATHS of each: survival and restricted mean (paths, T); mean and recorded scores (paths, K, T)."""

    ess: float
    alive: Floats
    restricted: Floats
    mean: Floats
    recorded: Floats


def _ahead(
    fit: DomainFit,
    data: OutcomeData,
    person: int,
    seen: _Seen,
    line: Floats,
    log_q: Floats,
    at: Floats,
    chosen: Ints,
    rng: np.random.Generator,
) -> _Ahead:
    lines = _lines(fit, fit.draws, data, person, line, chosen)
    weight = _weights(fit, fit.draws, data, person, seen, lines, log_q, chosen)
    # Systematic resampling: PATHS candidates of each draw, all of equal weight.
    where = (np.arange(PATHS) + rng.uniform(size=(chosen.size, 1))) / PATHS
    reached = np.cumsum(weight, axis=1)
    kept = np.stack([np.searchsorted(up, u * up[-1], side="right") for up, u in zip(reached, where, strict=True)])
    kept = np.minimum(kept, line.shape[0] - 1)
    own = replace(lines, line=line[kept], residual=lines.residual[:, :PATHS], log_level=lines.log_level[:, :PATHS])
    fine, asked = finer(seen.landmark, at)
    passed = own.cumulative(np.concatenate([[seen.landmark], fine]))
    alive = np.exp(passed[..., :1] - passed[..., 1:]).reshape(-1, fine.size)
    mean, recorded = [], []
    for k, outcome in enumerate(fit.spec.outcomes):
        value = own.value(k, at)
        mean.append(scored(own, k, outcome, value))
        recorded.append(on_scale(outcome, value + own.residual[..., [k]] * _noise(own, value.shape, rng)))
    return _Ahead(
        ess=float((1 / np.square(weight).sum(axis=1)).min()),
        alive=alive[:, asked],
        restricted=restricted_mean(alive, seen.landmark, fine, asked),
        mean=np.stack(mean, axis=2).reshape(-1, len(mean), at.size),
        recorded=np.stack(recorded, axis=2).reshape(-1, len(mean), at.size),
    )


def _noise(lines: Lines, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    if lines.df is None:
        return rng.normal(size=shape)
    return rng.standard_t(np.broadcast_to(lines.df[:, None, None], shape))


def _lines(fit: DomainFit, draws: dict[str, Floats], data: OutcomeData, person: int, line: Floats, chosen: Ints) -> Lines:
    """The candidates as if each were a participant with this one's covariates, at every chosen draw."""
    people = np.full(line.shape[0], person)
    everywhere = np.broadcast_to(line, (chosen.size, *line.shape))
    return lines_at(fit.spec, data, draws, np.array(fit.provenance["knots"]), chosen, people, everywhere)


def _weights(
    fit: DomainFit,
    draws: dict[str, Floats],
    data: OutcomeData,
    person: int,
    seen: _Seen,
    lines: Lines,
    log_q: Floats,
    chosen: Ints,
) -> Floats:
    """Weights of the candidates at each draw, shape (D, N), summing to one over the candidates."""
    line = lines.line[0]
    mean = mean_lines(fit.spec, data, draws, chosen, np.array([person]))[:, 0]
    total = -(lines.cumulative(np.array([seen.landmark])) - lines.cumulative(np.array([seen.entry])))[..., 0] - log_q
    for d, covariance in enumerate(covariances(fit.spec, draws, chosen)):
        root = np.linalg.cholesky(covariance)
        z = solve_triangular(root, (line - mean[d]).T, lower=True)
        total[d] -= 0.5 * np.square(z).sum(axis=0) + np.log(np.diag(root)).sum()
    for k, outcome in enumerate(fit.spec.outcomes):
        mine = seen.outcome == k
        if mine.any():
            total += _scores(outcome, k, lines, seen.time[mine], seen.value[mine])
    weight = np.exp(total - total.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _scores(outcome: Outcome, number: int, lines: Lines, time: Floats, value: Floats) -> Floats:
    """Log density of one outcome's scores given every candidate at every draw, shape (D, N), up to a constant."""
    sd = lines.residual[:, :1, number]  # one participant: the same for every candidate
    true = lines.line[0][:, [2 * number]] + lines.line[0][:, [2 * number + 1]] * time  # (N, rows)
    if lines.df is not None:
        df = lines.df[:, None, None]
        z = (value - true)[None] / sd[..., None]
        constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(df)
        return np.asarray((constant - (df + 1) / 2 * np.log1p(z * z / df)).sum(axis=2) - time.size * np.log(sd))
    low, high = outcome.bounds if outcome.likelihood == "censored" else (None, None)
    over = np.zeros(time.size, bool) if high is None else value >= high
    under = np.zeros(time.size, bool) if low is None else value <= low
    inside = ~(over | under)
    squares = np.square(value[inside] - true[:, inside]).sum(axis=1)
    total = -0.5 * squares / np.square(sd) - inside.sum() * np.log(sd)
    for chosen, excess in ((over, true - (high or 0.0)), (under, (low or 0.0) - true)):
        if chosen.any():
            total = total + log_ndtr(excess[None][:, :, chosen] / sd[..., None]).sum(axis=2)
    return np.asarray(total)


def _candidates(fit: DomainFit, data: OutcomeData, person: int, seen: _Seen, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Lines from a t that is fitted to the posterior of this participant's lines at the mean parameters, and their log densities."""
    means = {name: np.array([value.mean()]) for name, value in fit.draws.items()}
    one = np.zeros(1, np.int64)
    centre = mean_lines(fit.spec, data, means, one, np.array([person]))[0, 0]
    prior = covariances(fit.spec, means, one)[0]
    shape = prior
    for _ in range(3):
        line, log_q = _from_t(centre, shape, size, rng)
        lines = _lines(fit, means, data, person, line, one)
        weight = _weights(fit, means, data, person, seen, lines, log_q, one)[0]
        if 1 / np.square(weight).sum() < 20 * centre.size:  # a few candidates may not decide the shape
            weight = np.sqrt(weight)
            weight = weight / weight.sum()
        centre = weight @ line
        away = line - centre
        # Wider than the posterior at the mean parameters, whose place differs between draws; never flat.
        shape = 1.3 * (away * weight[:, None]).T @ away + 1e-3 * np.diag(np.diag(prior))
    return _from_t(centre, shape, size, rng)


def _from_t(centre: Floats, shape: Floats, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    root = np.linalg.cholesky(shape)
    z = rng.normal(size=(size, centre.size)) / np.sqrt(rng.chisquare(DEGREES, size=(size, 1)) / DEGREES)
    log_density = -0.5 * (DEGREES + centre.size) * np.log1p(np.square(z).sum(axis=1) / DEGREES) - np.log(np.diag(root)).sum()
    return centre + z @ root.T, log_density


def _frame(fit: DomainFit, name: str, at: Floats, found: list[_Ahead], ess: float) -> pl.DataFrame:
    parts = ("alive", "restricted", "mean", "recorded")
    alive, restricted, mean, recorded = (np.concatenate([getattr(each, part) for each in found]) for part in parts)
    low, high = np.quantile(alive, INTERVAL, axis=0)
    low_mean, high_mean = np.quantile(restricted, INTERVAL, axis=0)
    frames = []
    for k, outcome in enumerate(fit.spec.names):
        bands = np.array([_weighted_interval(recorded[:, k, t], alive[:, t]) for t in range(at.size)])
        frames.append(
            pl.DataFrame(
                {
                    "participant_id": [name] * at.size,
                    "outcome": [outcome] * at.size,
                    "time": at,
                    "score": (mean[:, k] * alive).sum(axis=0) / np.maximum(alive.sum(axis=0), 1e-300),
                    "score_lower": bands[:, 0],
                    "score_upper": bands[:, 1],
                    "p_alive": alive.mean(axis=0),
                    "p_alive_lower": low,
                    "p_alive_upper": high,
                    "restricted_mean": restricted.mean(axis=0),
                    "restricted_mean_lower": low_mean,
                    "restricted_mean_upper": high_mean,
                    "beyond_follow_up": at > fit.data.base.event_time.max(),
                    "ess": np.full(at.size, ess),
                }
            )
        )
    return pl.concat(frames)


def _weighted_interval(value: Floats, weight: Floats) -> Floats:
    """2.5% and 97.5% points; of scores that can only be recorded as they are, nothing is interpolated."""
    order = np.argsort(value, kind="stable")
    reached = np.cumsum(weight[order]) / max(float(weight.sum()), 1e-300)
    return np.asarray(value[order][np.minimum(np.searchsorted(reached, INTERVAL), value.size - 1)])


def _require_alike(fit: DomainFit, data: OutcomeData) -> None:
    faults = []
    if data.names != fit.data.names:
        faults.append(Fault("data.names", f"Expected the outcomes fitted: {', '.join(fit.data.names)}; got {', '.join(data.names)}."))
    if data.base.time_unit != fit.data.base.time_unit:
        faults.append(Fault("data.time_unit", f"Expected {fit.data.base.time_unit!r} as fitted; got {data.base.time_unit!r}."))
    if set(data.base.columns) != set(fit.data.base.columns):
        faults.append(Fault("data.columns", f"Expected the covariates fitted: {', '.join(sorted(fit.data.base.columns))}."))
    if data.base.missing:
        faults.append(Fault("data.missing", "New participants need every covariate recorded.", "Leave out those without."))
    if faults:
        raise InvalidInput(faults)


def of_participants(data: OutcomeData, people: Ints) -> OutcomeData:
    """The rows and the follow-up of some participants alone, in their old order."""
    place = np.full(data.people, -1)
    place[people] = np.arange(people.size)
    kept = place[data.row_person] >= 0
    rows = {name: getattr(data, name)[kept] for name in ("row_outcome", "row_time", "row_value")}
    return replace(data, base=data.base.of_people(people), row_person=place[data.row_person[kept]], **rows)
