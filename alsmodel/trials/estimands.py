"""True values: what an analysis aims at, as a functional on counterfactual twins, never a coefficient of the generator.

Every twin is followed under control and under the active arm with the same random numbers, nobody leaves, and follow-up ends
where the design's does. The functionals (`alsmodel.trials.functionals`), over the population that is eligible:

    slope difference       mean difference of the least-squares slopes of the true paths through the planned visits, death set aside
    change difference      mean difference of the true paths at the last planned visit, death set aside
    responder difference   difference of the shares who are alive at the last visit and score fewer than so many points below baseline
    log hazard ratio       Cox limit at the horizon: where the expected partial-likelihood score of both twins together is zero, arms
                           weighted by the allocation, adjusted and stratified as the analysis is
    log hazard ratio       the same of the time to a drop or death, as the scores at the planned visits show it
      of a drop
    weighted log hazard    the same with the weights of the analysis in the score, those of the curve of both arms together; none of
      ratio                max-combo, which is a test alone
    RMST difference        difference of the mean months without event, up to the horizon
    win ratio, win odds    log of the ratio of pairs won to pairs lost (ties halved in the odds), an active twin against the control
    net benefit            twin of somebody else; pairs won minus pairs lost
    joint rank difference  (P(an active twin fares better) + half of ties - 1/2) times the participants compared

The first two are hypothetical; the others count death as it comes. Under a posterior truth every draw is a population of its own, with
twins and a value of its own, and what is reported is their mean over the draws of the trials.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt

from alsmodel.settings import code_digest, digest_of
from alsmodel.trials.analyses import AbstractAnalysis
from alsmodel.trials.block import TWIN_STREAM, trial_keys
from alsmodel.trials.functionals import Functional, by_site, functional_of, monte_carlo_error, multiplier, per_draw
from alsmodel.trials.intercurrent import Intercurrent, strategies_of
from alsmodel.trials.parts import put_text
from alsmodel.trials.randomisation import Alternating
from alsmodel.trials.strategies import Strategy
from alsmodel.trials.trial import Scenario
from alsmodel.trials.truth import PosteriorTruth
from alsmodel.trials.twins import Twin
from alsmodel.trials.world import Enrolled, enrol, markers, observe, undying

Floats = npt.NDArray[np.float64]

#: Twins behind a true value; a smaller number is for tests that say so.
TWINS = 1_000_000
#: Twins that are followed at once.
AT_ONCE = 25_000
#: Keys of a block under a posterior, and batches into which the twins of a draw are cut for their Monte Carlo error.
KEYS, BATCHES = 500, 8
#: The code that decides a true value.
CODE = ("alsmodel.trials", "alsmodel.patients", "alsmodel.kernels.foresight")
#: Measures whose limit is the same whatever the analysis adjusts for.
UNADJUSTED = ("slope difference", "change difference", "responder difference", "RMST difference", "joint rank difference")


@final
@dataclass(frozen=True)
class TrueValues:
    """True value of each analysis' estimand by label: one number, or one per posterior draw; absent where none is stated.

    Attributes
    ----------
    values : dict of str to array
    errors : dict of str to array
        Monte Carlo standard errors, same shapes; NaN where too few twins were followed to say.
    """

    values: dict[str, Floats]
    errors: dict[str, Floats] = field(default_factory=dict)

    def of(self, label: str, draw: npt.NDArray[np.int64]) -> Floats:
        """True value in trials with these posterior draws; NaN where none is stated."""
        return _by_draw(self.values.get(label), draw)

    def error(self, label: str) -> float | None:
        """Monte Carlo standard error of the value, or of the mean of the values of all draws; None where none can be said."""
        errors = self.errors.get(label, np.zeros(0))
        kept = errors[np.isfinite(errors)]
        return float(np.sqrt((kept**2).mean() / errors.size)) if kept.size else None


def _by_draw(known: Floats | None, draw: npt.NDArray[np.int64]) -> Floats:
    if known is None:
        return np.full(draw.shape, np.nan)
    return np.asarray(known[draw] if known.size > 1 else np.full(draw.shape, known[0]))


def true_values(scenario: Scenario, folder: Path, twins: int) -> TrueValues:
    """True values of a scenario's estimands, from the folder's cache or from new twins.

    Parameters
    ----------
    scenario : Scenario
        Its size matters for ranks only; of its analyses, what decides what is estimated.
    folder : path
        Results folder; what is found is kept in its ``truth`` folder under a digest of everything it depends on.
    twins : int
        How many.
    """
    wanted = {_address(scenario, a): a for a in scenario.trial.analyses if _stated(scenario, a)}
    values: dict[str, Floats] = {}
    errors: dict[str, Floats] = {}
    if wanted:
        leaving = any(_functional(a).leaving for a in wanted.values())
        identity = {"scenario": _identity(scenario, leaving), "twins": twins, "wanted": sorted(wanted), "code": code_digest(CODE)}
        path = folder / "truth" / f"{digest_of(identity)}.json"
        known = _read(path)
        if known is None:
            known = _compute(scenario, wanted, twins)
            text = json.dumps({"identity": identity, **known}, indent=1, sort_keys=True) + "\n"
            put_text(path, text)
        for a in scenario.trial.analyses:
            if (address := _address(scenario, a)) in known["values"]:
                scale = multiplier(scenario, a)
                values[a.label], errors[a.label] = (scale * np.asarray(known[part][address]) for part in ("values", "errors"))
    return TrueValues(values, errors)


def _stated(scenario: Scenario, analysis: AbstractAnalysis) -> bool:
    """Whether an analysis has a true value."""
    return functional_of(analysis) is not None


def _identity(scenario: Scenario, leaving: bool) -> dict[str, Any]:
    identity = scenario.identity()
    for name in ("analyses", "n_per_arm"):
        del identity[name]
    told_apart_by_observation = ["missing_visit_probability", "information", "reestimation"]
    told_apart_by_observation += [] if leaving else ["dropout_per_month"]
    for name in ("randomisation", "recruitment", "looks", "boundary", "sequential", *told_apart_by_observation):
        del identity["design"][name]
    return identity


def _address(scenario: Scenario, analysis: AbstractAnalysis) -> str:
    """What of an analysis decides its true value: measure and arm, and what else of it decides, such as horizon, cut or strata.

    And the strategies for intercurrent events, with how the end of the time on treatment is taken.
    """
    options = [getattr(analysis, name, None) for name in ("horizon", "until", "threshold", "scale")]
    # Named where there, so that what others aim at keeps its address.
    options += [getattr(analysis, name) for name in ("drop", "rule", "confirmed", "line", "rho", "gamma") if hasattr(analysis, name)]
    adjusting = [list(analysis.covariates), list(analysis.strata)] if analysis.measure not in UNADJUSTED else []
    chosen = strategies_of(scenario.trial.intercurrent, analysis)
    imputed = getattr(analysis, "strategy", "missing at random")
    by = ([] if imputed == "missing at random" else [imputed]) + ([analysis.outcome] if analysis.outcome else [])
    return digest_of([analysis.measure, analysis.arm, *options, *adjusting, sorted(chosen.items()), analysis.carries, *by])


def _read(path: Path) -> dict[str, dict[str, list[float]]] | None:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return {part: dict(known[part]) for part in ("values", "errors")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _compute(scenario: Scenario, wanted: dict[str, AbstractAnalysis], twins: int) -> dict[str, dict[str, list[float]]]:
    truth = scenario.trial.truth
    gathered: dict[str, dict[int, list[Any]]] = {address: defaultdict(list) for address in wanted}
    unwatched = replace(scenario.trial.design, looks=(), boundary=None, sequential=None, information=None, reestimation=None)
    plain = replace(unwatched, recruitment=None, randomisation=Alternating())
    # What differs by the site alone is one analysis of twins.
    analyses = {analysis.label: analysis for analysis in map(_without_site, scenario.trial.analyses)}
    trial = replace(scenario.trial, design=plain, analyses=tuple(analyses.values()), multiplicity=None)
    for keys, size in _blocks(scenario, twins):
        enrolled = enrol(trial, keys, size)
        # Under a posterior each draw is a population of its own: its twins are kept apart, in some batches.
        drawn = {int(d): np.flatnonzero(enrolled.draw == d) for d in np.unique(enrolled.draw)}
        batches = [(d, rows) for d, mine in drawn.items() for rows in np.array_split(mine, min(BATCHES, mine.size))]
        for world, mine in _worlds(scenario, wanted).items():
            arms = {0, *(a.arm for a in mine.values())}
            seen = {arm: _followed(scenario, world, enrolled, keys, arm, list(mine.values())) for arm in arms}
            for address, analysis in mine.items():
                chosen, visits = strategies_of(scenario.trial.intercurrent, analysis), scenario.trial.design.visits
                both = [_under(seen[a], analysis, chosen, visits) for a in (0, analysis.arm)]
                for draw, rows in batches:
                    parts = both if rows.size == keys.size else [twin.rows(rows) for twin in both]
                    gathered[address][draw].append(_functional(analysis).gather(scenario, analysis, *parts))
    values, errors = {}, {}
    for address, analysis in wanted.items():
        found, settle = gathered[address], _functional(analysis).settle
        if isinstance(truth, PosteriorTruth):
            values[address], errors[address] = per_draw(settle, found, truth.slope.shape[0])
        else:
            values[address], errors[address] = [settle(found[0])], [monte_carlo_error(settle, found[0])]
    return {"values": values, "errors": errors}


def _blocks(scenario: Scenario, twins: int) -> Iterator[tuple[npt.NDArray[np.uint64], int]]:
    """Keys and twins per key of each block: by numbers, many under one key; from a posterior, some under each of many, draw by draw."""
    blocks = -(-twins // AT_ONCE)
    if not isinstance(scenario.trial.truth, PosteriorTruth):
        for b in range(blocks):
            yield trial_keys(scenario.trial, b, b + 1, TWIN_STREAM), AT_ONCE
        return
    keys = trial_keys(scenario.trial, 0, blocks * KEYS, TWIN_STREAM)
    keys = keys[np.argsort(scenario.trial.truth.block(keys, 1).draw, kind="stable")]
    for b in range(blocks):
        yield keys[b * KEYS : (b + 1) * KEYS], AT_ONCE // KEYS


def _worlds(scenario: Scenario, wanted: dict[str, AbstractAnalysis]) -> dict[tuple[Intercurrent, ...], dict[str, AbstractAnalysis]]:
    """Analyses by the intercurrent events that can happen in the world that each asks about: what is hypothetical does not."""
    worlds: dict[tuple[Intercurrent, ...], dict[str, AbstractAnalysis]] = defaultdict(dict)
    for address, analysis in wanted.items():
        chosen = strategies_of(scenario.trial.intercurrent, analysis)
        worlds[tuple(e for e in scenario.trial.intercurrent if chosen[e.name] != "hypothetical")][address] = analysis
    return worlds


def _under(twin: Twin, analysis: AbstractAnalysis, chosen: dict[str, Strategy], visits: tuple[float, ...]) -> Twin:
    """What of a twin an analysis asks about: up to its cut, under its strategies."""
    cut = twin.until(analysis.until, visits)
    return cut.under(analysis, chosen, tuple(visit for visit in visits if analysis.until is None or visit <= analysis.until))


def _functional(analysis: AbstractAnalysis) -> Functional:
    found = functional_of(analysis)
    if found is None:
        raise ValueError(f"{analysis.label} has no true value.")
    return found


def _without_site(analysis: AbstractAnalysis) -> AbstractAnalysis:
    """The same analysis for twins, who come from nowhere."""
    named = {part: getattr(analysis, part) for part in ("strata", "covariates")}
    kept = {part: tuple(name for name in names if not by_site(name)) for part, names in named.items()}
    changed = {part: names for part, names in kept.items() if names != named[part]}
    return replace(analysis, **changed) if changed and is_dataclass(analysis) else analysis


def _followed(
    scenario: Scenario,
    world: tuple[Intercurrent, ...],
    enrolled: Enrolled,
    keys: npt.NDArray[np.uint64],
    arm: int,
    analyses: list[AbstractAnalysis],
) -> Twin:
    """What happens to twins in an arm of a world, and their true paths at the planned visits with death set aside, as far as asked for."""
    trial, found = scenario.trial, [_functional(a) for a in analyses]
    arms = np.full(enrolled.person.shape, arm, dtype=np.int64)
    hypothetical = any(each.hypothetical for each in found)
    path, seen = None, None
    ended: dict[str, Floats] = {}
    if hypothetical:
        path, ended = undying(trial.design, trial.population, enrolled, scenario.effect, arms, keys, world)
    if not all(each.hypothetical for each in found):
        design = trial.design
        if not any(each.scored for each in found):
            # Survival alone needs no scores in between.
            design = replace(design, visits=(0.0, design.duration), phone_visits=())
        seen = observe(design, trial.population, enrolled, scenario.effect, arms, keys, events=world, twins=True)
    leaving = _leaving(scenario, world, enrolled, keys, arms) if any(each.leaving for each in found) else {}
    sd = float(np.sqrt((enrolled.nature.residual_sd**2).mean()))
    named = [each for each in trial.biomarkers if each.name in {a.outcome for a in analyses}]
    taken = markers(trial.design, trial.population, enrolled, scenario.effect, arms, keys, named)
    return Twin(seen=seen, path=path, columns=enrolled.columns, ended=ended, residual_sd=sd, leaving=leaving, markers=taken)


def _leaving(
    scenario: Scenario,
    world: tuple[Intercurrent, ...],
    enrolled: Enrolled,
    keys: npt.NDArray[np.uint64],
    arms: npt.NDArray[np.int64],
) -> dict[str, Floats]:
    """When twins leave, and the deaths that are known of them, if they may leave as participants do.

    What is hypothetical in the world of the paths happens here: who has such an event is imputed from then on as those who left, but the
    death after it is known.
    """
    trial = scenario.trial
    plain = replace(trial.design, visits=(0.0, trial.design.duration), phone_visits=(), visit_window_days=0.0)
    seen = observe(plain, trial.population, enrolled, scenario.effect, arms, keys, events=trial.intercurrent)
    ends = [seen.intercurrent[event.name] for event in trial.intercurrent if event not in world]
    return {"left": np.minimum.reduce([seen.left, *ends]), "death": np.where(seen.event == 1, seen.event_time, np.inf)}
