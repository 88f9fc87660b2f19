"""What a posterior says about new participants: survival, trajectories, and predictive checks.

Curves average over the covariates of the participants who were fitted, so they describe a population like theirs. Scores are given
alive, with the probability of being alive beside them: a mean over people who would be dead describes nobody.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.fit import Fit
from alsmodel.inference.paths import THE_CLASS, Draw, Paths, draw_of, draw_paths, grid_of
from alsmodel.inference.replicate import follow, planned_follow_up, visit_bins
from alsmodel.inference.summary import slope_over_classes
from alsmodel.models.evaluation import draw_prior
from alsmodel.models.noise import RESIDUAL
from alsmodel.models.parameters import parameters
from alsmodel.models.priors import data_scales
from alsmodel.models.spec import JointModel
from alsmodel.models.structure import hazard_knots

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DRAWS = 200  # posterior draws behind a curve
MOST_PEOPLE = 400  # participants whose covariates are averaged over; more are thinned evenly
LEAST_PEOPLE = 200  # a small group's covariates are repeated, so that the average over random effects is not itself noise
LATENT = "latent class"  # curves of each class in turn
CELLS = 96
INTERVAL = (0.025, 0.975)
CELLS_OBSERVED, MOST_TURNBULL = 200, 1000  # of the observed estimate where events lie between two times


def survival_curve(fit: Fit, times: Sequence[float] | Floats, by: str | None = None) -> pl.DataFrame:
    """Probability of being free of the event, for everyone or for each level of a text covariate.

    Parameters
    ----------
    fit : Fit
    times : array
        In the fit's time unit, from the time origin.
    by : str, optional
        A text covariate, or arm, phenotype, onset_site or sex where recorded; or "latent class": everybody's covariates, once in each class
        of a model that has them.

    Returns
    -------
    polars.DataFrame
        group, time, mean, lower, upper: posterior mean and 95% interval of the population's curve.
    """
    frames = []
    for group, people, fixed in _dealt(fit, by):
        curves = _curves(fit, people, np.asarray(times, float), fixed)[1]
        frames.append(bands(group, np.asarray(times, float), curves))
    return pl.concat(frames)


def trajectory(fit: Fit, times: Sequence[float] | Floats, by: str | None = None) -> pl.DataFrame:
    """Mean true outcome of those alive, on the modelled scale, with the probability of being alive.

    Parameters and columns as in `survival_curve`, with ``p_alive`` (posterior mean) added.
    """
    frames = []
    for group, people, fixed in _dealt(fit, by):
        means, alive = _curves(fit, people, np.asarray(times, float), fixed)
        band = bands(group, np.asarray(times, float), means)
        frames.append(band.with_columns(p_alive=pl.Series(alive.mean(axis=0))))
    return pl.concat(frames)


def can_predict(spec: JointModel) -> bool:
    """Whether new participants can be drawn: only where the random effects describe the people who were enrolled.

    From onset, people who reach enrolment are a selection whose random effects are not those of the population.
    """
    return spec.population == "enrolled"


def require_enrolled(fit: Fit) -> None:
    """Refuse a fit from which new participants cannot be drawn."""
    if not can_predict(fit.spec):
        raise InvalidInput(
            [
                Fault(
                    "model.population",
                    'Curves and predictive checks describe people as enrolled; this fit has population = "incident".',
                    'Fit with population = "enrolled" for them.',
                )
            ]
        )


def enrolled_groups(fit: Fit, by: str | None) -> list[tuple[str, Ints]]:
    """`groups_of` of a fit from which new participants can be drawn."""
    require_enrolled(fit)
    return groups_of(fit.data, by)


def _dealt(fit: Fit, by: str | None) -> list[tuple[str, Ints, int | None]]:
    """Groups with their participants, and the latent class that is dealt to all of them, if one is."""
    if by == LATENT and fit.spec.classes is not None:
        require_enrolled(fit)
        return [(name, np.arange(fit.data.people), k) for k, name in enumerate(fit.spec.classes.names, start=1)]
    return [(group, people, None) for group, people in enrolled_groups(fit, by)]


def groups_of(data: JointData, by: str | None) -> list[tuple[str, Ints]]:
    """Levels of a text covariate with their participants, the largest first; everybody without one."""
    everyone = np.arange(data.people)
    if by is None:
        return [("all", everyone)]
    if by not in data.groups:
        raise ValueError(f"{by!r} is not a text covariate of this fit; it has {', '.join(sorted(data.groups)) or 'none'}.")
    labels = np.array([label or "unknown" for label in data.groups[by]])
    sizes = {str(label): int((labels == label).sum()) for label in np.unique(labels)}
    return [(label, everyone[labels == label]) for label in sorted(sizes, key=lambda label: (-sizes[label], label))]


def sized(people: Ints) -> Ints:
    """Thin a large group evenly; repeat a small one."""
    if people.size > MOST_PEOPLE:
        return people[np.linspace(0, people.size - 1, MOST_PEOPLE).astype(np.int64)]
    return np.tile(people, -(-LEAST_PEOPLE // people.size))


def chosen_draws(fit: Fit, most: int = DRAWS) -> list[Draw]:
    """Posterior draws behind a curve, taken evenly."""
    total = next(iter(fit.draws.values())).size
    return [draw_of(fit.draws, int(k)) for k in np.linspace(0, total - 1, min(most, total)).astype(np.int64)]


def _curves(fit: Fit, people: Ints, times: Floats, fixed: int | None = None) -> tuple[Floats, Floats]:
    """Mean outcome given alive, and survival, for each draw; both (draws, times). Of one latent class where `fixed` names it."""
    means, alive = [], []
    for paths in new_paths(fit, people, times, fixed):
        survival = np.exp(-paths.cumulative)
        weight = survival.mean(axis=0)
        mean = (paths.value * survival).mean(axis=0) / np.maximum(weight, 1e-300)
        means.append(np.interp(times, paths.edges, mean))
        alive.append(np.interp(times, paths.edges, weight))
    return np.array(means), np.array(alive)


def new_paths(fit: Fit, people: Ints, times: Floats, fixed: int | None = None) -> Iterator[Paths]:
    """Paths of new participants like these up to the last of `times`, at one posterior draw after the other."""
    people = sized(people)
    grid = grid_of(fit.spec, fit.data, people, max(float(times.max()), 1e-9), CELLS)
    rng, knots = np.random.default_rng(seed_of(fit)), np.array(fit.provenance["knots"])
    for draw in chosen_draws(fit):
        draw = draw if fixed is None else Draw(values=draw.values | {THE_CLASS: float(fixed)})
        yield draw_paths(fit.spec, fit.data, draw, grid, people, knots, rng)


def seed_of(fit: Fit) -> list[int]:
    """Seed of what is drawn from a fit."""
    return [int(fit.provenance["seed"]), 1]


def bands(group: str, times: Floats, curves: Floats) -> pl.DataFrame:
    """Posterior mean and 95% interval of curves of shape (draws, times)."""
    lower, upper = np.quantile(curves, INTERVAL, axis=0)
    return pl.DataFrame({"group": [group] * times.size, "time": times, "mean": curves.mean(axis=0), "lower": lower, "upper": upper})


def event_check(fit: Fit, points: int = 25) -> pl.DataFrame:
    """Kaplan-Meier estimate beside the 95% range of Kaplan-Meier estimates of data sets replicated from the posterior.

    Each replicate draws a new participant with the covariates, exposures and planned follow-up of everyone fitted. Where events lie between
    two times, the observed estimate is Turnbull's; those of replicates, whose events have times, stay those of Kaplan and Meier. Who
    enters after time zero is at risk from entry on in all of them.

    Returns
    -------
    polars.DataFrame
        time, kaplan_meier, mean, lower, upper, n_at_risk.
    """
    data = fit.data
    times = np.linspace(0.0, float(np.quantile(data.event_time, 0.95)), points)
    planned = planned_follow_up(data, seed_of(fit))
    curves = []
    for draw, rng in _replicates(fit):
        end, event, _ = follow(fit, draw, planned, rng)
        curves.append(kaplan_meier(end, event, times, data.entry_time))
    lower, upper = np.quantile(np.array(curves), INTERVAL, axis=0)
    return pl.DataFrame(
        {
            "time": times,
            "kaplan_meier": observed_survival(data, times),
            "mean": np.mean(curves, axis=0),
            "lower": lower,
            "upper": upper,
            "n_at_risk": followed(data, times),
        }
    )


def score_check(fit: Fit) -> pl.DataFrame:
    """Mean and SD of the scores in bins of visit time, beside the 95% range over replicated data sets.

    Visits of a replicate are those that were planned and lie before its own event, so that the observed and the replicated scores
    have both lost the people who died.

    Returns
    -------
    polars.DataFrame
        time, n, observed_mean, predicted_mean, lower, upper, observed_sd, predicted_sd, sd_lower, sd_upper.
    """
    data = fit.data
    planned = planned_follow_up(data, seed_of(fit))
    edges = visit_bins(data)
    observed = binned(data.visit_time, data.outcome, edges)
    replicated = []
    for draw, rng in _replicates(fit):
        _, _, visits = follow(fit, draw, planned, rng)
        replicated.append(binned(visits[0], visits[1], edges))
    means, sds = np.array([r[1] for r in replicated]), np.array([r[2] for r in replicated])
    low, high = np.nanquantile(means, INTERVAL, axis=0)
    sd_low, sd_high = np.nanquantile(sds, INTERVAL, axis=0)
    return pl.DataFrame(
        {
            "time": (edges[1:] + edges[:-1]) / 2,
            "n": observed[0].astype(np.int64),
            "observed_mean": observed[1],
            "predicted_mean": np.nanmean(means, axis=0),
            "lower": low,
            "upper": high,
            "observed_sd": observed[2],
            "predicted_sd": np.nanmean(sds, axis=0),
            "sd_lower": sd_low,
            "sd_upper": sd_high,
        }
    )


def _replicates(fit: Fit) -> list[tuple[Draw, np.random.Generator]]:
    require_enrolled(fit)
    return [(draw, np.random.default_rng([*seed_of(fit), k])) for k, draw in enumerate(chosen_draws(fit, 100))]


def binned(time: Floats, value: Floats, edges: Floats) -> tuple[Floats, Floats, Floats]:
    """Count, mean and SD in each bin; NaN where fewer than two scores lie."""
    where = np.clip(np.searchsorted(edges, time, side="right") - 1, 0, edges.size - 2)
    count = np.bincount(where, minlength=edges.size - 1).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(where, value, minlength=edges.size - 1) / count
        spread = np.bincount(where, (value - mean[where]) ** 2, minlength=edges.size - 1) / (count - 1)
    few = count < 2
    mean[few], spread[few] = np.nan, np.nan
    return count, mean, np.sqrt(spread)


def kaplan_meier(time: Floats, event: Floats, at: Floats, entry: Floats | None = None) -> Floats:
    """Kaplan-Meier estimate (Kaplan & Meier 1958, doi 10.1080/01621459.1958.10501452) at the times `at`.

    Everyone is at risk from time zero, or from their own `entry` on (left truncation).
    """
    deaths = np.sort(time[event > 0])
    unique, count = np.unique(deaths, return_counts=True)
    risk = time.size - np.searchsorted(np.sort(time), unique, side="left")
    if entry is not None:
        # Whoever has the event was at risk of it, though entry and event may be one number after rounding.
        risk = np.maximum(risk - (time.size - np.searchsorted(np.sort(entry), unique, side="left")), count)
    steps = np.cumprod(1 - count / risk)
    return np.concatenate([[1.0], steps])[np.searchsorted(unique, at, side="right")]


def followed(data: JointData, times: Floats) -> list[int]:
    """How many have entered by each time and are still followed then."""
    return [int(((data.entry_time <= t) & (data.event_time >= t)).sum()) for t in times]


def observed_survival(data: JointData, at: Floats) -> Floats:
    """Kaplan-Meier estimate of those fitted, or Turnbull's where an event lies between two times, on a grid of 1/200 of follow-up.

    Turnbull (1976), J R Stat Soc B 38:290: the share of each cell is the mean, over participants, of the chance that their event lies in it
    given that it lies where it is known to, until the shares no longer change. A participant who was seen from a later time on stands for
    others like them whose event came before it and who were never seen: their expected number is added to each cell before it.
    """
    if not data.interval_censored.any():
        return kaplan_meier(data.event_time, data.event, at, data.entry_time)
    edges = np.linspace(0.0, float(data.event_time.max()), CELLS_OBSERVED + 1)
    happened = data.event > 0
    low = np.where(happened, np.minimum(data.free_until, data.event_time), data.event_time)
    first = np.clip(np.searchsorted(edges, low, side="right") - 1, 0, CELLS_OBSERVED)
    last = np.where(happened, np.maximum(np.searchsorted(edges, data.event_time, side="left") - 1, first), CELLS_OBSERVED)
    entered = np.minimum(np.clip(np.searchsorted(edges, data.entry_time, side="right") - 1, 0, CELLS_OBSERVED), first)
    cell = np.arange(CELLS_OBSERVED + 1)  # the last one holds what comes after all follow-up
    allowed = ((first[:, None] <= cell) & (cell <= last[:, None])).astype(float)
    # Few enter in different cells, so that those who do so together are counted together.
    starts, people = np.unique(entered, return_counts=True)
    share = np.full(cell.size, 1.0 / cell.size)
    for _ in range(MOST_TURNBULL):
        new = share * (allowed / (allowed @ share)[:, None]).sum(axis=0)
        beyond = np.cumsum(share[::-1])[::-1][starts]  # chance of an event after entry
        new += share * ((cell < starts[:, None]) * (people / beyond)[:, None]).sum(axis=0)
        new /= new.sum()
        moved, share = float(np.abs(new - share).max()), new
        if moved < 1e-7:
            break
    return np.asarray(np.interp(at, edges, np.concatenate([[1.0], 1.0 - np.cumsum(share[:-1])])))


def prior_check(spec: JointModel, data: JointData, draws: int = 1000, seed: int = 1) -> pl.DataFrame:
    """What the priors alone expect, beside what was seen: a prior that excludes the data shows here before any fit.

    Returns
    -------
    polars.DataFrame
        quantity, unit, q2_5, median, q97_5 (prior), observed.
    """
    rng = np.random.default_rng(seed)
    knots = hazard_knots(spec, data)
    values: dict[str, Floats] = {}
    for block in parameters(spec, data, data_scales(data), knots):
        for label, a, b in zip(block.labels, block.a, block.b, strict=True):
            if block.kind == "beta":
                values[label] = 2 * rng.beta(a, a, draws) - 1
            elif block.mixture:
                values[label] = np.array([draw_prior(block, rng)[0] for _ in range(draws)])
            else:
                drawn = rng.normal(a, b, draws)
                values[label] = np.abs(drawn) if block.kind == "half-normal" else drawn
    first = data.visit_time <= np.quantile(data.visit_time, 0.2)
    unit = spec.time_unit
    rows = (
        _sigmoid_rows(spec.decline.top, data, values, unit)
        if spec.decline.kind == "sigmoid"
        else [
            ("mean at time zero", "outcome units", values["intercept"], float(data.outcome[first].mean())),
            ("mean slope", f"outcome units/{unit}", slope_over_classes(spec, data, values), _crude_slope(data)),
            ("SD between participants at time zero", "outcome units", values["sd:intercept"], float(data.outcome[first].std(ddof=1))),
        ]
    )
    for name in (name for name in values if name.startswith(RESIDUAL)):
        rows.append((f"residual SD{name.removeprefix(RESIDUAL)}", "outcome units", values[name], float("nan")))
    for name in [name for name in values if name.startswith(("theta:", "association:"))]:
        rows.append((name, "log ratio" if name.startswith("theta") else "log hazard per unit", values[name], float("nan")))
    return pl.DataFrame(
        [
            {
                "quantity": what,
                "unit": unit,
                **dict(zip(("q2_5", "median", "q97_5"), np.quantile(v, [0.025, 0.5, 0.975]), strict=True)),
                "observed": seen,
            }
            for what, unit, v, seen in rows
        ]
    )


def _sigmoid_rows(top: float, data: JointData, values: dict[str, Floats], unit: str) -> list[tuple[str, str, Floats, float]]:
    """Typical curve under the priors; D50 and the SDs are not seen in any data before a fit."""
    unknown = float("nan")
    first = data.visit_time <= np.quantile(data.visit_time, 0.2)
    since = float(np.median((data.visit_time + data.since_onset[data.visit_person])[first]))
    with np.errstate(over="ignore"):
        score = top / (1.0 + np.exp((since - np.exp(values["log_d50"])) / np.exp(values["log_dx"])))
    return [
        ("median D50", f"{unit}s", np.exp(values["log_d50"]), unknown),
        ("median dx", f"{unit}s", np.exp(values["log_dx"]), unknown),
        (f"typical score {since:.3g} {unit}s after onset, at first visits", "outcome units", score, float(data.outcome[first].mean())),
        ("SD between participants of log D50", "log ratio", values["sd:log_d50"], unknown),
        ("SD between participants of log dx", "log ratio", values["sd:log_dx"], unknown),
    ]


def _crude_slope(data: JointData) -> float:
    """Least-squares slope within participants, pooled."""
    counts = np.maximum(np.bincount(data.visit_person, minlength=data.people), 1)
    time = data.visit_time - (np.bincount(data.visit_person, data.visit_time, minlength=data.people) / counts)[data.visit_person]
    score = data.outcome - (np.bincount(data.visit_person, data.outcome, minlength=data.people) / counts)[data.visit_person]
    return float((time * score).sum() / max(float((time**2).sum()), 1e-300))
