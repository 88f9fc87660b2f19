r"""What a treatment does to survival in all: everybody treated from time zero against nobody, in the same people.

A hazard ratio beside an association is the *direct* effect: what is left once the path of the score is held. Treatment also moves the path,
and the path moves the hazard. The total effect at one posterior draw is

.. math:: \Delta S(t) = E_b\big[S(t \mid b, x \equiv 1) - S(t \mid b, x \equiv 0)\big], \qquad
          \Delta R(h) = \int_0^h \Delta S(t)\, dt

over the random effects and covariates of the population, both arms with the same people and the same random effects. With several causes
the same is done to the cumulative incidence of each. Conditional hazard ratios cannot be averaged in this way; differences of survival can
(Robins & Greenland 1992, doi 10.1097/00001648-199203000-00013, on direct and total effects; Royston & Parmar 2013, doi
10.1186/1471-2288-13-152, on the restricted mean).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.clinical.units import DAYS_PER_MONTH, DAYS_PER_UNIT
from alsmodel.cohort.arrays import JointData
from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.domain_fit import DomainFit
from alsmodel.inference.domain_paths import draw_lines
from alsmodel.inference.incidence import first_causes
from alsmodel.inference.paths import draw_paths, grid_at
from alsmodel.inference.predict import CELLS, DRAWS, INTERVAL, chosen_draws, require_enrolled, seed_of, sized
from alsmodel.models.causes import cause_names
from alsmodel.models.treatments import Treatment

if TYPE_CHECKING:
    from alsmodel.inference.fit import Fit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STREAM = 11
SURVIVAL, MEAN_TIME, INCIDENCE = "survival", "restricted mean", "cumulative incidence"
COLUMNS = {
    "treatment": pl.String, "label": pl.String, "quantity": pl.String, "cause": pl.String, "time": pl.Float64, "treated": pl.Float64,
    "untreated": pl.Float64, "mean": pl.Float64, "sd": pl.Float64, "lower": pl.Float64, "upper": pl.Float64,
}  # fmt: skip


def total_effect(
    fit: "Fit | DomainFit",
    treatment: str,
    times: Sequence[float] | Floats,
    horizon: float | None = None,
    *,
    people: Ints | None = None,
    draws: int = DRAWS,
) -> pl.DataFrame:
    """Differences in survival, restricted mean and cumulative incidence between everybody treated from time zero and nobody.

    Parameters
    ----------
    fit : Fit or DomainFit
    treatment : str
        Name of one of its treatments. Others stay as they were.
    times : array
        Where survival and cumulative incidence are compared, in the fit's time unit from time zero. Beyond the last follow-up they are the
        model's alone.
    horizon : float, optional
        Up to where the restricted mean is taken; the last of `times` without it.
    people : int array, optional
        Whose covariates are averaged over, as places among those fitted; everybody without it.
    draws : int
        Posterior draws, taken evenly.

    Returns
    -------
    polars.DataFrame
        treatment; label ("effect" of an assigned arm, "association" of a drug that was taken); quantity ("survival", which is freedom from
        all causes, "restricted mean", in the fit's time unit, "cumulative incidence"); cause (null but for the last); time; treated,
        untreated (posterior means of the two worlds); mean, sd, lower, upper: posterior mean, SD and 95% interval of their difference.

    Raises
    ------
    InvalidInput
        For another treatment, an incident population, times before zero, or a drug for carriers of a mutation without `people`.
    """
    at = np.unique(np.asarray(times, float))
    end = horizon if horizon is not None else (float(at[-1]) if at.size else float("nan"))
    _require(fit, treatment, at, end, people)
    chosen = sized(np.arange(_people(fit)) if people is None else np.asarray(people, np.int64))
    if isinstance(fit, DomainFit):
        pairs = list(_domain_worlds(fit, at, end, chosen, draws))
    else:
        pairs = list(_joint_worlds(fit, treatment, at, end, chosen, draws))
    both = [np.array([pair[arm].flat for pair in pairs]) for arm in (0, 1)]
    names: list[tuple[str, str | None, float]] = [*((SURVIVAL, None, float(t)) for t in at), (MEAN_TIME, None, end)]
    causes = () if isinstance(fit, DomainFit) or not fit.spec.causes else cause_names(fit.spec)
    names += [(INCIDENCE, cause, float(t)) for cause in causes for t in at]
    label = "effect" if _assigned(fit, treatment) else "association"
    rows = []
    for k, (quantity, cause, time) in enumerate(names):
        treated, untreated = both[0][:, k], both[1][:, k]
        difference = treated - untreated
        spread = float(difference.std(ddof=1)) if difference.size > 1 else float("nan")
        told = (float(treated.mean()), float(untreated.mean()), float(difference.mean()), spread)
        rows.append((treatment, label, quantity, cause, time, *told, *(float(q) for q in np.quantile(difference, INTERVAL))))
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def acts_on_survival(fit: "Fit | DomainFit", treatment: str) -> bool:
    """Whether a treatment may change survival in this model: by a hazard of its own, or through the path."""
    if isinstance(fit, DomainFit):
        drug = fit.spec.treatment
        return drug is not None and (drug.hazard != "none" or bool(fit.spec.association))
    one = _drug(fit, treatment)
    through = bool(fit.spec.association) or any(cause.association for cause in fit.spec.causes)
    return one.hazard != "none" or (through and one.score != "none")


def total_effects(fit: "Fit | DomainFit", horizon: float) -> pl.DataFrame | None:
    """`total_effect` of every treatment at half of a horizon and at the horizon, where each can be computed; None where none can.

    Left out are drugs that only carriers of a mutation may have, whose population the arrays of a fit do not name, and those that cannot
    change survival in the model.
    """
    if isinstance(fit, DomainFit):
        names = [] if fit.spec.treatment is None else [fit.spec.treatment.name]
    else:
        names = [t.name for t in fit.spec.treatments if t.gene is None] if fit.spec.population == "enrolled" else []
    frames = [total_effect(fit, name, [horizon / 2, horizon], horizon) for name in names if acts_on_survival(fit, name)]
    return pl.concat(frames) if frames else None


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class _World:
    """One arm at one draw: survival at the times, restricted mean, cumulative incidence of each cause at the times."""

    alive: Floats
    mean_time: float
    first: Floats

    @property
    def flat(self) -> Floats:
        return np.concatenate([self.alive, [self.mean_time], self.first.ravel()])


def _joint_worlds(fit: "Fit", name: str, at: Floats, end: float, people: Ints, draws: int) -> Iterator[tuple[_World, _World]]:
    spec, knots = fit.spec, np.array(fit.provenance["knots"])
    drug, which = _drug(fit, name), [t.name for t in spec.treatments].index(name)
    start = drug.onset_delay_months * DAYS_PER_MONTH / DAYS_PER_UNIT[spec.time_unit]
    arms = [_exposed(fit.data, which, start, everybody=everybody) for everybody in (True, False)]
    edges = _edges(at, end, (start, *drug.hazard_periods))
    grids = [grid_at(spec, data, people, edges) for data in arms]
    for k, draw in enumerate(chosen_draws(fit, draws)):
        pair = []
        for data, grid in zip(arms, grids, strict=True):
            # The same stream twice: both arms are the same people.
            paths = draw_paths(spec, data, draw, grid, people, knots, np.random.default_rng([*seed_of(fit), STREAM, k]))
            first = first_causes(paths, at) if spec.causes else np.zeros((0, at.size))
            pair.append(_world(paths.cumulative, edges, at, end, first))
        yield pair[0], pair[1]


def _domain_worlds(fit: DomainFit, at: Floats, end: float, people: Ints, draws: int) -> Iterator[tuple[_World, _World]]:
    total = next(iter(fit.draws.values())).size
    base, knots = fit.data.base, np.array(fit.provenance["knots"])
    arms = [replace(fit.data, base=_exposed(base, 0, 0.0, everybody=everybody)) for everybody in (True, False)]
    edges = _edges(at, end, ())
    for k, one in enumerate(np.linspace(0, total - 1, min(draws, total)).astype(np.int64)):
        pair = []
        for data in arms:
            rng = np.random.default_rng([int(fit.provenance["seed"]), 1, STREAM, k])
            lines = draw_lines(fit.spec, data, fit.draws, knots, np.array([one]), people, rng)
            pair.append(_world(lines.cumulative(edges)[0], edges, at, end, np.zeros((0, at.size))))
        yield pair[0], pair[1]


def _world(cumulative: Floats, edges: Floats, at: Floats, end: float, first: Floats) -> _World:
    """Sum up cumulative hazards of shape (people, E) at `edges`; within a cell hazards are constant."""
    alive, steps = np.exp(-cumulative), np.diff(cumulative, axis=1)
    spent = np.divide(-np.expm1(-steps), steps, out=np.ones_like(steps), where=steps > 1e-12) * alive[:, :-1] * np.diff(edges)
    inside = edges[1:] <= end * (1 + 1e-12)
    return _World(alive=np.interp(at, edges, alive.mean(axis=0)), mean_time=float(spent[:, inside].sum() / len(alive)), first=first)


def _edges(at: Floats, end: float, breaks: tuple[float, ...]) -> Floats:
    """Cells from zero to the last time that is asked for, with an edge at every time asked for and wherever the treatment changes."""
    last = max(end, float(at[-1]) if at.size else 0.0)
    within = [b for b in breaks if 0 < b < last]
    return np.unique(np.concatenate([np.linspace(0.0, last, CELLS + 1), at, [end], within]))


def _exposed(data: JointData, which: int, start: float, *, everybody: bool) -> JointData:
    """The same participants with everybody exposed to one treatment from `start` on, or nobody at all."""
    other = data.exposure_drug != which
    person, drug = data.exposure_person[other], data.exposure_drug[other]
    begin, stop = data.exposure_start[other], data.exposure_stop[other]
    if everybody:
        person = np.concatenate([person, np.arange(data.people)])
        drug = np.concatenate([drug, np.full(data.people, which)])
        begin = np.concatenate([begin, np.full(data.people, start)])
        stop = np.concatenate([stop, np.full(data.people, np.inf)])
    order = np.lexsort((begin, drug, person))
    return replace(
        data, exposure_person=person[order], exposure_drug=drug[order], exposure_start=begin[order], exposure_stop=stop[order]
    )  # fmt: skip


def _people(fit: "Fit | DomainFit") -> int:
    return fit.data.base.people if isinstance(fit, DomainFit) else fit.data.people


def _drug(fit: "Fit", name: str) -> Treatment:
    return next(t for t in fit.spec.treatments if t.name == name)


def _assigned(fit: "Fit | DomainFit", name: str) -> bool:
    return isinstance(fit, DomainFit) or _drug(fit, name).source == "arm"


def _require(fit: "Fit | DomainFit", name: str, at: Floats, end: float, people: Ints | None) -> None:
    if isinstance(fit, DomainFit):
        known = [] if fit.spec.treatment is None else [fit.spec.treatment.name]
    else:
        require_enrolled(fit)
        known = [t.name for t in fit.spec.treatments]
    faults = []
    if name not in known:
        faults.append(Fault("treatment", f"No treatment of this fit is called {name!r}.", f"It has {', '.join(known) or 'none'}."))
    elif not isinstance(fit, DomainFit) and (gene := _drug(fit, name).gene) is not None and people is None:
        fault = f"{name} is for carriers of a {gene} mutation alone, and an effect in everybody would be one in nobody who may have it."
        faults.append(Fault("people", fault, "Give the places of those who carry one by people."))
    if (at < 0).any() or not np.isfinite(at).all():
        faults.append(Fault("times", "Times are 0 or later."))
    if not 0 < end < np.inf:
        faults.append(Fault("horizon", f"A restricted mean needs a horizon above 0; got {end:g}.", "Give horizon, or a time above 0."))
    if people is not None and (np.size(people) == 0 or np.min(people) < 0 or np.max(people) >= _people(fit)):
        faults.append(Fault("people", f"people are places among the {_people(fit)} fitted, from 0 on, at least one."))
    if faults:
        raise InvalidInput(faults)
