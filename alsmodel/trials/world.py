"""From a truth and a design to what a block of virtual trials observed. Analyses never see this module."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

from alsmodel.clinical.units import DAYS_PER_MONTH
from alsmodel.patients.allocation import minimise, permuted_blocks
from alsmodel.patients.course import Leaving, Nature, Schedule, Treatments, draws, follow, hidden_block, nobody, true_paths
from alsmodel.patients.intercurrent import Kinds
from alsmodel.trials.biomarkers import Biomarker, at_screening, measured, true_values
from alsmodel.trials.conditions import Categories, Column, holds, parse
from alsmodel.trials.designs import ParallelDesign
from alsmodel.trials.effects import Effect
from alsmodel.trials.intercurrent import Intercurrent, kinds_of
from alsmodel.trials.population import Population, candidates
from alsmodel.trials.prognosis import PREDICTED, foreseen
from alsmodel.trials.randomisation import Alternating, Minimisation, factors_of
from alsmodel.trials.resampled import Drawn
from alsmodel.trials.truth import PosteriorTruth, Untreated

if TYPE_CHECKING:
    from alsmodel.trials.trial import Trial

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]

PURPOSE_ARRIVAL = 103
PURPOSE_SITE = 104
#: More candidates than this per participant wanted are not screened: the rules admit too few.
MOST_SCREENED = 500
#: Trials that are screened at once.
AT_ONCE = 25


@final
@dataclass(frozen=True, kw_only=True)
class Enrolled:
    """The participants of R trials at randomisation, in order of arrival.

    Attributes
    ----------
    person : array of int, shape (R, n)
        Number of each in the trial's random streams.
    group : array of int, shape (R, n)
        Phenotype.
    nature : Nature
        How they would go untreated.
    centre_value, centre_slope : array, shape (R,)
        The truth's means, points and points per month.
    draw : array of int, shape (R,)
        Posterior draw.
    columns : dict
        What screening knows, each (R, n); empty where nothing is drawn.
    month : array, shape (R, n)
        Calendar month of randomisation.
    screened : array of int, shape (R, n)
        Candidates screened until each was found.
    record : Drawn or None
        Who they are in the record that they are drawn from.
    causes : tuple of str
        Names of the further hazards of `nature`.
    """

    person: Integers
    group: Integers
    nature: Nature
    centre_value: Floats
    centre_slope: Floats
    draw: Integers
    columns: dict[str, Column]
    month: Floats
    screened: Integers
    record: Drawn | None = None
    causes: tuple[str, ...] = ()


@final
@dataclass(frozen=True, kw_only=True)
class Observed:
    """Everything that happens in R trials to the end of everyone's follow-up; see `alsmodel.patients.course.follow`.

    ``intercurrent`` has the months of each intercurrent event by name, (R, n), infinite where it was not seen to come; ``biomarkers`` the
    values of each by name, (R, n, V), whether or not the participant was seen then.
    """

    scores: Floats
    months: Floats
    event_time: Floats
    event: Integers
    left: Floats
    intercurrent: dict[str, Floats] = field(default_factory=dict)
    biomarkers: dict[str, Floats] = field(default_factory=dict)


def enrol(trial: "Trial", keys: Keys, n: int) -> Enrolled:
    """Screen candidates of each trial until `n` are eligible, and let them arrive.

    Raises
    ------
    ValueError
        When the rules admit so few that a trial cannot be filled.
    """
    design = trial.design
    if trial.truth_has_columns or (trial.population.plain and not _needs_columns(trial)):
        untreated = trial.truth.block(keys, n)
        person = np.tile(np.arange(n), (keys.size, 1))
        group = np.zeros(person.shape, dtype=np.int64) if untreated.record is None else untreated.record.group
        found = _Screened(person, group, untreated.nature, untreated.columns)
    else:
        # A few trials at a time: many candidates are looked at where few are admitted.
        slices = [_screen(trial, keys[a : a + AT_ONCE], n) for a in range(0, keys.size, AT_ONCE)]
        untreated = trial.truth.block(keys, 1)
        found = _Screened.joined(slices, untreated.nature)
    month, columns = np.zeros((keys.size, n)), dict(found.columns)
    if design.recruitment is not None:
        month = design.recruitment.arrivals(np.cumsum(-np.log(draws(keys, 0, n, PURPOSE_ARRIVAL, False)), axis=1))
        site = design.recruitment.site(month, draws(keys, 0, n, PURPOSE_SITE, False))
        columns["site"] = Categories(site, design.sites)
    return Enrolled(
        person=found.person,
        group=found.group,
        nature=found.nature,
        centre_value=untreated.centre_value,
        centre_slope=untreated.centre_slope,
        draw=untreated.draw,
        columns=columns,
        month=month,
        screened=found.person + 1,
        record=untreated.record,
        causes=trial.truth.causes,
    )


@final
@dataclass(frozen=True)
class _Screened:
    """Who was found eligible, in order."""

    person: Integers
    group: Integers
    nature: Nature
    columns: dict[str, Column]

    @staticmethod
    def joined(slices: "list[_Screened]", nature: Nature) -> "_Screened":
        """All slices below each other; `nature` has what is the same for every participant of a trial."""

        def rows(arrays: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
            return np.concatenate(arrays, axis=0)

        parts: dict[str, Any] = {name: rows([getattr(s.nature, name) for s in slices]) for name in _own_parts(nature)}
        own_nature = nature._replace(**parts)
        columns: dict[str, Column] = {}
        for name, column in slices[0].columns.items():
            own = [s.columns[name] for s in slices]
            if isinstance(column, Categories):
                columns[name] = Categories(rows([c.codes for c in own if isinstance(c, Categories)]), column.levels)
            else:
                columns[name] = rows([c for c in own if not isinstance(c, Categories)])
        return _Screened(rows([s.person for s in slices]), rows([s.group for s in slices]), own_nature, columns)


def _screen(trial: "Trial", keys: Keys, n: int) -> _Screened:
    population = trial.population
    size = n
    while True:
        nature, centre = (untreated := trial.truth.block(keys, size)).nature, untreated.centre_value
        each = nature.intercept, nature.slope, nature.log_hazard, nature.spread
        intercept, slope, log_hazard, spread = (np.broadcast_to(a, (keys.size, size)) for a in each)
        b0, b1 = hidden_block(keys, 0, size, nature.cholesky, nature.skew)
        drawn = candidates(population, keys, size, intercept, slope, b0, b1 * spread, centre)
        if population.screened:
            own = nature._replace(
                intercept=np.ascontiguousarray(intercept + drawn.intercept),
                slope=np.ascontiguousarray(slope + drawn.slope),
                log_hazard=np.ascontiguousarray(log_hazard + drawn.log_hazard),
                spread=np.ascontiguousarray(spread),
            )
            drawn.columns.update(_screened_biomarkers(trial, keys, own, drawn.group, untreated))
        if population.prognosis is not None and trial.prediction is not None:
            # What screening knows alone: neither the path ahead nor the own deviations.
            record = trial.truth.known if isinstance(trial.truth, PosteriorTruth) else None
            ahead = population.screening_months, population.run_in_months
            drawn.columns[PREDICTED] = foreseen(population.prognosis, trial.prediction, drawn.columns, ahead, record, untreated.rows)
        admitted = population.admits(drawn.columns)
        fewest = int(admitted.sum(axis=1).min())
        if fewest >= n:
            break
        if size >= MOST_SCREENED * n:
            raise ValueError(
                f"eligibility admits {admitted.mean():.2%} of candidates: {n} participants were not found among {size:,}. "
                "Loosen a rule of population.eligibility."
            )
        # Grows by what the rules seem to admit; whoever is drawn stays the same, so the size decides nothing.
        size = min(max(2 * size, int(1.1 * n * size / max(fewest, 1))), MOST_SCREENED * n, 16 * size)
    order = np.argsort(~admitted, axis=1, kind="stable")[:, :n]
    more: dict[str, Any] = {name: np.take_along_axis(getattr(nature, name), order[..., None], axis=1) for name in _further_parts(nature)}
    nature = nature._replace(
        **more,
        intercept=np.take_along_axis(intercept + drawn.intercept, order, axis=1),
        slope=np.take_along_axis(slope + drawn.slope, order, axis=1),
        log_hazard=np.take_along_axis(log_hazard + drawn.log_hazard, order, axis=1),
        spread=np.take_along_axis(spread, order, axis=1),
    )
    columns = {name: _take(column, order) for name, column in drawn.columns.items()}
    return _Screened(np.ascontiguousarray(order), np.take_along_axis(drawn.group, order, axis=1), nature, columns)


def _own_parts(nature: Nature) -> tuple[str, ...]:
    """Parts of a nature that each participant has for himself."""
    return ("intercept", "slope", "log_hazard", "spread", *_further_parts(nature))


def _further_parts(nature: Nature) -> tuple[str, ...]:
    """Those that only some natures have, with an axis more."""
    curved, several = nature.curve.shape[1] > 0, nature.clock.size > 0
    return (*(("curve",) if curved else ()), *(("offsets",) if several else ()))


def _screened_biomarkers(trial: "Trial", keys: Keys, nature: Nature, group: Integers, untreated: Untreated) -> dict[str, Column]:
    """Biomarkers of candidates as the screening visit measures them, by name, each (R, n)."""
    population, design, shape = trial.population, trial.design, group.shape
    everybody = Enrolled(
        person=np.tile(np.arange(shape[1]), (shape[0], 1)), group=group, nature=nature, centre_value=untreated.centre_value,
        centre_slope=untreated.centre_slope, draw=untreated.draw, columns={}, month=np.zeros(shape),
        screened=np.zeros(shape, dtype=np.int64),
    )  # fmt: skip
    wanted = [each for each in trial.biomarkers if each.name in population.screened]
    true = markers(design, population, everybody, Effect(name="none"), np.zeros(shape, dtype=np.int64), keys, wanted)
    months = population.screening_months, design.visits[0]
    return {each.name: at_screening(each, true[each.name][..., 0], months, everybody.person, keys) for each in wanted}


def _needs_columns(trial: "Trial") -> bool:
    """Whether assignment or an analysis reads a baseline column, which screening then has to draw."""
    read = [*factors_of(trial.design.randomisation), *(name for a in trial.analyses for name in (*a.strata, *a.covariates))]
    return any(name != "site" for name in read)


def _take(column: Column, order: Integers) -> Column:
    if isinstance(column, Categories):
        return Categories(np.take_along_axis(column.codes, order, axis=1), column.levels)
    return np.take_along_axis(column, order, axis=1)


def first(enrolled: Enrolled, n: int) -> Enrolled:
    """The same trials with their first `n` participants only."""
    if n == enrolled.person.shape[1]:
        return enrolled
    nature = enrolled.nature
    if nature.slope.shape[1] > 1:
        parts: dict[str, Any] = {name: _head(getattr(nature, name), n) for name in _own_parts(nature)}
        nature = nature._replace(**parts)
    columns: dict[str, Column] = {
        name: Categories(_head(c.codes, n), c.levels) if isinstance(c, Categories) else _head(c, n) for name, c in enrolled.columns.items()
    }
    return Enrolled(
        person=_head(enrolled.person, n),
        group=_head(enrolled.group, n),
        nature=nature,
        centre_value=enrolled.centre_value,
        centre_slope=enrolled.centre_slope,
        draw=enrolled.draw,
        columns=columns,
        month=_head(enrolled.month, n),
        screened=_head(enrolled.screened, n),
        record=None if enrolled.record is None else enrolled.record.first(n),
        causes=enrolled.causes,
    )


def _head[Kind: np.generic](array: npt.NDArray[Kind], n: int) -> npt.NDArray[Kind]:
    return np.ascontiguousarray(array[:, :n])


def assign(design: ParallelDesign, enrolled: Enrolled, keys: Keys) -> Integers:
    """Arm of each participant, shape (R, n); who came first does not depend on how many follow."""
    trials, n = enrolled.person.shape
    rule = design.randomisation
    if isinstance(rule, Alternating):
        return np.tile(design.arms(n), (trials, 1))
    coded = [factor_codes(factor, enrolled.columns) for factor in factors_of(rule)]
    if isinstance(rule, Minimisation):
        factors = np.ascontiguousarray(np.stack([codes for codes, _ in coded], axis=2))
        levels = np.array([size for _, size in coded], dtype=np.int64)
        arm: Integers = minimise(keys, factors, levels, np.array(design.allocation, dtype=np.int64), float(rule.probability))
        return arm
    stratum, strata = np.zeros((trials, n), dtype=np.int64), 1
    for codes, size in coded:
        stratum, strata = stratum * size + codes, strata * size
    blocks: Integers = permuted_blocks(keys, stratum, np.tile(design.block, rule.block), strata)
    return blocks


def factor_codes(factor: str, columns: dict[str, Column]) -> tuple[Integers, int]:
    """Levels of a stratification factor, a column of words or a condition, and how many there can be."""
    column = columns.get(factor)
    if isinstance(column, Categories):
        return column.codes.astype(np.int64), len(column.levels)
    return holds(parse(factor), columns).astype(np.int64), 2


def observe(
    design: ParallelDesign,
    population: Population,
    enrolled: Enrolled,
    effect: Effect,
    arm: Integers,
    keys: Keys,
    *,
    events: Sequence[Intercurrent] = (),
    biomarkers: Sequence[Biomarker] = (),
    twins: bool = False,
) -> Observed:
    """Follow the participants of a block of trials under an effect.

    Parameters
    ----------
    design, population
        When they are seen; how they leave.
    enrolled : Enrolled
        Who they are.
    effect : Effect
        What the active arms do.
    arm : array of int, shape (R, n)
        Assigned arms.
    keys : array of uint64, shape (R,)
        Stream keys.
    events : sequence of Intercurrent
        Intercurrent events that may come.
    biomarkers : sequence of Biomarker
        What is measured beside the score.
    twins : bool
        Counterfactual twins for a true value: nobody leaves, no visit is missed and nothing ends the scores but death.
    """
    nature, treatments, kinds = _bent(design, population, enrolled, effect, events)
    if twins:
        kinds = kinds._replace(ends_scores=np.zeros_like(kinds.ends_scores))
    rate = 0.0 if twins or population.leaving is not None else design.dropout_rate
    leaving = Leaving(
        float(np.log(rate)) if rate > 0 else -np.inf,
        float(population.leaving_per_point),
        float(population.leaving_per_slope),
        np.ascontiguousarray(enrolled.centre_value),
        np.ascontiguousarray(enrolled.centre_slope),
        -1 if twins or population.leaving is None else enrolled.causes.index(population.leaving),
    )
    phone = np.isin(design.visits, design.phone_visits)
    schedule = Schedule(
        np.array(design.visits, dtype=np.float64),
        np.full(len(design.visits), 0.0 if twins else design.visit_window_days / DAYS_PER_MONTH),
        np.where(phone, float(design.phone_sd), 0.0),
        float(design.duration),
        0.0 if twins else float(design.missing_visit_probability),
        bool(design.vital_status_after_leaving),
    )
    own = nobody() if enrolled.record is None else enrolled.record.own(keys, schedule.months, twins=twins)
    scores, months, event_time, event, left, happened = follow(
        keys, enrolled.person, arm, enrolled.group, nature, treatments, leaving, schedule, own, kinds
    )
    values = markers(design, population, enrolled, effect, arm, keys, biomarkers)
    taken = {each.name: measured(each, values[each.name], enrolled.person, keys, each.sampled(design)) for each in biomarkers}
    return Observed(
        scores=scores, months=months, event_time=event_time, event=event, left=left, intercurrent=_by_name(events, happened),
        biomarkers=taken,
    )  # fmt: skip


def markers(
    design: ParallelDesign,
    population: Population,
    enrolled: Enrolled,
    effect: Effect,
    arm: Integers,
    keys: Keys,
    biomarkers: Sequence[Biomarker],
) -> dict[str, Floats]:
    """True values of biomarkers at the planned visits by name, each (R, n, V), whatever becomes of the participant."""
    months = np.array(design.visits, dtype=np.float64)
    faster = np.zeros(arm.shape)
    if any(each.per_slope for each in biomarkers):
        path = paths(design, population, enrolled, Effect(name="none"), np.zeros_like(arm), keys)
        faster = (path[..., -1] - path[..., 0]) / (months[-1] - months[0]) - enrolled.centre_slope[:, None]
    groups = population.groups if enrolled.record is None else enrolled.record.truth.groups
    found = {}
    for each in biomarkers:
        added = effect.on_biomarker(each.name, months, groups, len(design.allocation), design.delayed_start)
        found[each.name] = true_values(each, months, enrolled.person, faster, keys, added[np.maximum(arm, 0), enrolled.group])
    return found


def _by_name(events: Sequence[Intercurrent], happened: Floats) -> dict[str, Floats]:
    return {event.name: np.ascontiguousarray(happened[:, :, k]) for k, event in enumerate(events)}


def paths(design: ParallelDesign, population: Population, enrolled: Enrolled, effect: Effect, arm: Integers, keys: Keys) -> Floats:
    """True scores at the planned visits, death set aside and without intercurrent events; shape (R, n, V)."""
    return undying(design, population, enrolled, effect, arm, keys, ())[0]


def undying(
    design: ParallelDesign,
    population: Population,
    enrolled: Enrolled,
    effect: Effect,
    arm: Integers,
    keys: Keys,
    events: Sequence[Intercurrent],
) -> tuple[Floats, dict[str, Floats]]:
    """True scores at the planned visits (R, n, V) and months of intercurrent events up to the last (R, n), death set aside."""
    nature, treatments, kinds = _bent(design, population, enrolled, effect, events)
    months = np.array(design.visits, dtype=np.float64)
    own = nobody() if enrolled.record is None else enrolled.record.own(keys, months, twins=True)
    centre = np.ascontiguousarray(enrolled.centre_value), np.ascontiguousarray(enrolled.centre_slope)
    values, happened = true_paths(keys, enrolled.person, arm, enrolled.group, nature, treatments, months, own, kinds, *centre)
    return values, _by_name(events, happened)


def _bent(
    design: ParallelDesign, population: Population, enrolled: Enrolled, effect: Effect, events: Sequence[Intercurrent]
) -> tuple[Nature, Treatments, Kinds]:
    nature = split(enrolled.nature, effect.changes_after(design.delayed_start), design.duration)
    groups = population.groups if enrolled.record is None else enrolled.record.truth.groups
    where = nature.edges, groups, len(design.allocation), design.delayed_start
    tables = Treatments(*(np.ascontiguousarray(table) for table in effect.tables(*where)))
    return nature, tables, kinds_of(events, effect.ratios_of(*where) if events else {}, tables.log_ratio.shape, enrolled.causes)


def split(nature: Nature, changes: tuple[float, ...], duration: float) -> Nature:
    """The same nature with edges wherever an effect changes during follow-up."""
    added = [month for month in changes if 0 < month < duration and month not in nature.edges]
    # A plain trial has the arrays that it was given, contiguous and writable: one compiled version serves all.
    fields = {name: np.array(getattr(nature, name), dtype=np.float64, order="C") for name in nature._fields if name not in ("skew", "top")}
    edges = np.unique(np.concatenate([fields["edges"], added]))
    level = np.searchsorted(fields["edges"], edges[:-1], side="right") - 1
    for name in ("log_baseline", *(("bends",) if nature.bends.size else ()), *(("bases",) if nature.clock.size else ())):
        fields[name] = np.ascontiguousarray(fields[name][..., level])
    fields["edges"] = edges
    if nature.bends.size or nature.curve.size:
        # Chords beyond the end of follow-up decide nothing and cost time.
        upto = int(np.searchsorted(edges, duration))
        fields["edges"] = edges[: upto + 1].copy()
        for name in ("log_baseline", "bends", "bases"):
            fields[name] = np.ascontiguousarray(fields[name][..., :upto])
    return Nature(**fields, skew=float(nature.skew), top=float(nature.top))
