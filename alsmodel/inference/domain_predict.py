"""What a posterior of several outcomes says about new participants: mean recorded scores, survival, and predictive checks.

Curves average over the covariates of the participants who were fitted. Scores are given alive, with the probability of being alive
beside them, and on their scale: the mean of what would be recorded, which no latent value beyond an end of the scale takes out of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.inference.domain_draws import outcome_unit
from alsmodel.inference.domain_fit import DomainFit
from alsmodel.inference.domain_paths import Lines, draw_lines, expected_score
from alsmodel.inference.predict import CELLS, DRAWS, INTERVAL, bands, binned, followed, groups_of, kaplan_meier, sized
from alsmodel.inference.replicate import planned_follow_up, visit_bins
from alsmodel.models.domain import Outcome
from alsmodel.models.domain_parameters import outcome_parameters
from alsmodel.models.domain_words import outcome_words
from alsmodel.models.evaluation import draw_prior

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
REPLICATES = 100
BLOCK = 20  # draws at once, so that memory stays small


def survival_curve(fit: DomainFit, times: Sequence[float] | Floats, by: str | None = None) -> pl.DataFrame:
    """Probability of being free of the event, for everyone or for each level of a text covariate.

    Parameters
    ----------
    fit : DomainFit
    times : array
        In the fit's time unit, from the time origin.
    by : str, optional
        A text covariate, or arm, phenotype, onset_site or sex where recorded.

    Returns
    -------
    polars.DataFrame
        group, time, mean, lower, upper: posterior mean and 95% interval of the population's curve.
    """
    at = np.asarray(times, float)
    return pl.concat([bands(group, at, _curves(fit, people, at)[1]) for group, people in groups_of(fit.data.base, by)])


def trajectory(fit: DomainFit, times: Sequence[float] | Floats, by: str | None = None) -> pl.DataFrame:
    """Mean recorded score of those alive, for every outcome, with the probability of being alive.

    Parameters and columns as in `survival_curve`, with ``outcome`` (its name) and ``p_alive`` (posterior mean) added. Outcomes without
    ends of a scale, and transformed ones, are given as they are modelled.
    """
    at, frames = np.asarray(times, float), []
    for group, people in groups_of(fit.data.base, by):
        means, alive = _curves(fit, people, at)
        for k, name in enumerate(fit.spec.names):
            band = bands(group, at, means[:, k])
            frames.append(band.select(pl.lit(name).alias("outcome"), pl.all(), pl.Series("p_alive", alive.mean(axis=0))))
    return pl.concat(frames)


def _curves(fit: DomainFit, people: Ints, times: Floats) -> tuple[Floats, Floats]:
    """Mean scores given alive, shape (draws, K, times), and survival, shape (draws, times)."""
    rng = np.random.default_rng(_seed(fit))
    means, alive = [], []
    for lines in _drawn(fit, sized(people), DRAWS, rng):
        survival = np.exp(-lines.cumulative(times))
        weight = survival.mean(axis=1)
        alive.append(weight)
        per_outcome = [
            (scored(lines, k, outcome, lines.value(k, times)) * survival).mean(axis=1) / np.maximum(weight, 1e-300)
            for k, outcome in enumerate(fit.spec.outcomes)
        ]
        means.append(np.stack(per_outcome, axis=1))
    return np.concatenate(means), np.concatenate(alive)


def scored(lines: Lines, number: int, outcome: Outcome, value: Floats) -> Floats:
    """Mean of what is recorded of true values of shape (D, P, T)."""
    if outcome.likelihood != "censored":
        return value
    return expected_score(value, lines.residual[:, :, [number]], *outcome.bounds)


def _drawn(fit: DomainFit, people: Ints, most: int, rng: np.random.Generator) -> Iterator[Lines]:
    """New participants at evenly spaced draws, some draws at a time."""
    total = next(iter(fit.draws.values())).size
    chosen = np.linspace(0, total - 1, min(most, total)).astype(np.int64)
    knots = np.array(fit.provenance["knots"])
    for start in range(0, chosen.size, BLOCK):
        yield draw_lines(fit.spec, fit.data, fit.draws, knots, chosen[start : start + BLOCK], people, rng)


def _seed(fit: DomainFit) -> list[int]:
    return [int(fit.provenance["seed"]), 1]


def predictive_checks(fit: DomainFit, points: int = 25) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Scores, ends of scales and events of the data beside those of data sets replicated from the posterior.

    Each replicate draws new participants with everybody's covariates, arm, planned visits and planned follow-up. Visits end at the
    replicate's own event, so that observed and replicated scores have both lost the people who died.

    Returns
    -------
    tuple of polars.DataFrame
        Of every outcome, mean and SD in bins of visit time: outcome, time, n, observed_mean, predicted_mean, lower, upper, observed_sd,
        predicted_sd, sd_lower, sd_upper. Share of scores at each end of a scale: outcome, end, n, observed, predicted, lower, upper.
        Kaplan-Meier estimates: time, kaplan_meier, mean, lower, upper, n_at_risk. Intervals are of 95% of the replicates.
    """
    base, spec = fit.data.base, fit.spec
    views = [_rows_of(fit, k) for k in range(len(spec.outcomes))]
    plans = [planned_follow_up(view, _seed(fit)) for view in views]  # the same follow-up in each
    edges = [visit_bins(view) for view in views]
    times = np.linspace(0.0, float(np.quantile(base.event_time, 0.95)), points)
    grid = np.linspace(0.0, float(plans[0].censoring.max()), CELLS + 1)
    rng = np.random.default_rng([*_seed(fit), 0])
    scores: list[list[tuple[Floats, Floats, Floats]]] = [[] for _ in views]
    ends: list[list[list[float]]] = [[] for _ in views]
    curves = []
    for lines in _drawn(fit, np.arange(base.people), REPLICATES, rng):
        cumulative = lines.cumulative(grid)
        entered = lines.cumulative(base.entry_time)[:, np.arange(base.people), np.arange(base.people)]
        target = rng.exponential(size=entered.shape) + entered
        for d in range(target.shape[0]):
            happened = np.array([np.interp(t, c, grid, right=np.inf) for t, c in zip(target[d], cumulative[d], strict=True)])
            end = np.minimum(happened, plans[0].censoring)
            curves.append(kaplan_meier(end, (happened <= plans[0].censoring).astype(float), times, base.entry_time))
            for k, (outcome, plan) in enumerate(zip(spec.outcomes, plans, strict=True)):
                seen = plan.visit_time <= end[plan.visit_person]
                person, time = plan.visit_person[seen], plan.visit_time[seen]
                noise = rng.normal(size=time.size) if lines.df is None else rng.standard_t(lines.df[d], size=time.size)
                value = lines.line[d, person, 2 * k] + lines.line[d, person, 2 * k + 1] * time + lines.residual[d, person, k] * noise
                value = on_scale(outcome, value)
                scores[k].append(binned(time, value, edges[k]))
                ends[k].append(_at_ends(outcome, value))
    lower, upper = np.quantile(np.array(curves), INTERVAL, axis=0)
    events = pl.DataFrame(
        {
            "time": times,
            "kaplan_meier": kaplan_meier(base.event_time, base.event, times, base.entry_time),
            "mean": np.mean(curves, axis=0),
            "lower": lower,
            "upper": upper,
            "n_at_risk": followed(base, times),
        }
    )
    seen_scores = pl.concat([_score_rows(spec.names[k], views[k], edges[k], scores[k]) for k in range(len(views))])
    seen_ends = [row for k, outcome in enumerate(spec.outcomes) for row in _end_rows(outcome, views[k].outcome, ends[k])]
    return seen_scores, pl.DataFrame(seen_ends, schema=_ENDS, orient="row"), events


_ENDS = {"outcome": pl.String, "end": pl.Float64, "n": pl.Int64, "observed": pl.Float64}
_ENDS |= dict.fromkeys(("predicted", "lower", "upper"), pl.Float64)


def _rows_of(fit: DomainFit, outcome: int) -> JointData:
    """Participants with the rows of one outcome as their visits."""
    data, mine = fit.data, fit.data.row_outcome == outcome
    return replace(data.base, visit_person=data.row_person[mine], visit_time=data.row_time[mine], outcome=data.row_value[mine])


def on_scale(outcome: Outcome, value: Floats) -> Floats:
    """What is recorded of values with their noise: the end of the scale where they lie beyond it."""
    if outcome.likelihood != "censored":
        return value
    low, high = outcome.bounds
    return np.clip(value, -np.inf if low is None else low, np.inf if high is None else high)


def _ends_of(outcome: Outcome) -> list[float]:
    return [end for end in outcome.bounds if end is not None] if outcome.likelihood == "censored" else []


def _at_ends(outcome: Outcome, value: Floats) -> list[float]:
    low, _ = outcome.bounds
    return [float((value <= end if end == low else value >= end).mean()) if value.size else np.nan for end in _ends_of(outcome)]


def _end_rows(
    outcome: Outcome, observed: Floats, replicated: list[list[float]]
) -> list[tuple[str, float, int, float, float, float, float]]:
    shares = np.array(replicated)
    rows = []
    for number, (end, share) in enumerate(zip(_ends_of(outcome), _at_ends(outcome, observed), strict=True)):
        lower, upper = np.nanquantile(shares[:, number], INTERVAL)
        rows.append((outcome.name, end, observed.size, share, float(np.nanmean(shares[:, number])), float(lower), float(upper)))
    return rows


def _score_rows(name: str, view: JointData, edges: Floats, replicated: list[tuple[Floats, Floats, Floats]]) -> pl.DataFrame:
    observed = binned(view.visit_time, view.outcome, edges)
    means, sds = np.array([r[1] for r in replicated]), np.array([r[2] for r in replicated])
    columns = {"n": observed[0].astype(np.int64), "observed_mean": observed[1], "observed_sd": observed[2]}
    for values, mean, low, high in ((means, "predicted_mean", "lower", "upper"), (sds, "predicted_sd", "sd_lower", "sd_upper")):
        columns[mean] = np.nanmean(values, axis=0)
        columns[low], columns[high] = np.nanquantile(values, INTERVAL, axis=0)
    return pl.DataFrame({"outcome": [name] * (edges.size - 1), "time": (edges[1:] + edges[:-1]) / 2, **columns})


def prior_check(fit: DomainFit, draws: int = 1000, seed: int = 1) -> pl.DataFrame:
    """What the priors alone expect of each outcome, beside what was seen.

    Returns
    -------
    polars.DataFrame
        quantity, unit, q2_5, median, q97_5 (prior), observed.
    """
    rng, spec, data = np.random.default_rng(seed), fit.spec, fit.data
    blocks = {block.name: block for block in outcome_parameters(spec, data, len(fit.provenance["knots"]) + 1)}
    rows = []

    def row(quantity: str, unit: str, name: str, seen: float) -> None:
        drawn = np.array([draw_prior(blocks[name], rng)[0] for _ in range(draws)])
        low, middle, high = np.quantile(drawn, [0.025, 0.5, 0.975])
        rows.append((quantity, unit, float(low), float(middle), float(high), seen))

    for k, outcome in enumerate(spec.outcomes):
        y, view, called = outcome_unit(outcome), _rows_of(fit, k), outcome_words(outcome)
        called = called[:1].upper() + called[1:]
        early = view.outcome[view.visit_time <= np.quantile(view.visit_time, 0.2)]
        row(f"{called}: mean at time zero", y, f"{outcome.name}.intercept", float(early.mean()))
        row(f"{called}: mean slope", f"{y}/{spec.time_unit}", f"{outcome.name}.slope", float("nan"))
        row(f"{called}: SD between participants at time zero", y, f"sd:{outcome.name}.intercept", _sd(early))
    for name in ("association:value", "association:slope", *([] if spec.treatment is None else [f"theta:{spec.treatment.name}"])):
        if name in blocks:
            row(name.replace(":", ", "), "log ratio" if name.startswith("theta") else "log hazard per unit", name, float("nan"))
    return pl.DataFrame(rows, schema=["quantity", "unit", "q2_5", "median", "q97_5", "observed"], orient="row")


def _sd(values: Floats) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else float("nan")
