"""What is computed from counterfactual twins: one functional per measure of an analysis.

A functional keeps something of each block of twins, and settles the value from all blocks. Outcomes of ranks and wins come from
**independent** participants, never from a participant and the own twin: every active twin is compared with every control twin of
another participant of the block. Twins are followed to the event or to the horizon and miss no visit, so the hierarchy
of `alsmodel.estimators.joint_rank` is a plain order (the dead by their time, below the living by their change at the last
visit) and all pairs are counted by sorting.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

from alsmodel.trials.analyses import AbstractAnalysis, TrialData
from alsmodel.trials.conditions import names_of, parse
from alsmodel.trials.further import MaxCombo, TimeToDrop, WeightedLogRank
from alsmodel.trials.hazard_limits import Times, cox_limit, grouped_limit, weighted_limit
from alsmodel.trials.twins import Twin

if TYPE_CHECKING:
    from alsmodel.trials.trial import Scenario
    from alsmodel.trials.world import Observed

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
#: Fewer blocks than this say nothing about the Monte Carlo error.
FEWEST = 4


type Gather = Callable[["Scenario", AbstractAnalysis, Twin, Twin], Any]
type Settle = Callable[[list[Any]], float]


@final
@dataclass(frozen=True)
class Functional:
    """How a true value is made.

    Attributes
    ----------
    gather : callable
        What is kept of each block of twins, under control and under the active arm.
    settle : callable
        The value from some blocks.
    hypothetical : bool
        Made of true paths, death set aside.
    scored : bool
        Made of scores as observed, with their error.
    leaving : bool
        Asks also when the same people would leave.
    """

    gather: Gather
    settle: Settle
    hypothetical: bool = False
    scored: bool = False
    leaving: bool = False


def monte_carlo_error(settle: Settle, parts: list[Any]) -> float:
    """Standard error of the value from all parts, by the spread of the values of single parts; NaN from fewer than four."""
    if len(parts) < FEWEST:
        return float("nan")
    single = np.array([settle([part]) for part in parts])
    return float(single.std(ddof=1) / np.sqrt(single.size))


def per_draw(settle: Settle, parts: dict[int, list[Any]], draws: int) -> tuple[list[float], list[float]]:
    """Value of each posterior draw from its own twins and its standard error; the mean of the others for a draw without a value."""
    values, errors = np.full(draws, np.nan), np.full(draws, np.nan)
    for draw, mine in parts.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            values[draw], errors[draw] = settle(mine), monte_carlo_error(settle, mine)
    known = np.isfinite(values)
    rest = values[known].mean() if known.any() else np.nan
    return np.where(known, values, rest).tolist(), np.where(known & np.isfinite(errors), errors, np.nan).tolist()


def _mean(parts: list[Floats]) -> float:
    return float(np.concatenate([part.mean(axis=1) for part in parts]).mean())


def _gained(control: Twin, active: Twin) -> Floats:
    """Difference of the true paths, shape (R, n, V)."""
    gained: Floats = np.asarray(active.path) - np.asarray(control.path)
    return gained


def _compared(scenario: "Scenario", analysis: AbstractAnalysis, twin: Twin) -> tuple[Floats, Floats]:
    """True path (R, n, V) of the score, or of the biomarker that an analysis compares where it is taken, and its months."""
    months = np.array(scenario.trial.design.visits, dtype=np.float64)
    if not analysis.outcome:
        path = np.asarray(twin.path)
        return path, months[: path.shape[-1]]
    values = twin.markers[analysis.outcome]
    (marker,) = (each for each in scenario.trial.biomarkers if each.name == analysis.outcome)
    kept = marker.sampled(scenario.trial.design)[: values.shape[-1]]
    return values[..., kept], months[: values.shape[-1]][kept]


def _slope(scenario: "Scenario", analysis: AbstractAnalysis, control: Twin, active: Twin) -> Floats:
    (before, months), (after, _) = (_compared(scenario, analysis, twin) for twin in (control, active))
    gained = after - before
    if np.isnan(gained).any():
        return _slopes(after, months) - _slopes(before, months)
    weights = (months - months.mean()) / ((months - months.mean()) ** 2).sum()
    return np.asarray(gained @ weights)


def _slopes(path: Floats, months: Floats) -> Floats:
    """Least-squares slope of each through the visits on treatment; the mean of the arm for who has fewer than two of them."""
    there = np.isfinite(path)
    count = there.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        away = np.where(there, months - ((there * months).sum(axis=-1) / count)[..., None], 0.0)
        own = np.where(count > 1, (away * np.where(there, path, 0.0)).sum(axis=-1) / (away**2).sum(axis=-1), 0.0)
        mean = own.sum(axis=-1, keepdims=True) / (count > 1).sum(axis=-1, keepdims=True)
    return np.where(count > 1, own, mean)


def _two_points(scenario: "Scenario", _: AbstractAnalysis, control: Twin, active: Twin) -> Floats:
    gained = _gained(control, active)
    months = scenario.trial.design.visits[: gained.shape[-1]]
    return np.asarray((gained[..., -1] - gained[..., 0]) / (months[-1] - months[0]))


def _change(scenario: "Scenario", analysis: AbstractAnalysis, control: Twin, active: Twin) -> Floats:
    before, after = (_compared(scenario, analysis, twin)[0] for twin in (control, active))
    return np.asarray(after[..., -1] - before[..., -1])


def _by_reference(strategy: str) -> Gather:
    """Difference at the last visit where those of the active arm who leave alive go on by reference to control.

    With d the last visit up to leaving, g the difference of the own two paths, and S the covariance of control's scores after the first
    given the first, who leaves has at the last visit V, beside the own path under control,

        jump to reference   nothing of what was gained
        copy increments     g_d: what was gained stays, and from then on the path is parallel to that under control
        copy reference      S[V, 1..d] S[1..d, 1..d]^-1 g_1..d: what was gained goes on as a deviation from the mean does
    """

    def gather(scenario: "Scenario", _: AbstractAnalysis, control: Twin, active: Twin) -> Floats:
        gained = _gained(control, active)
        visits = gained.shape[-1]
        months = np.array(scenario.trial.design.visits, dtype=np.float64)[:visits]
        left, death = active.leaving["left"], active.leaving["death"]
        leaves = (left < months[-1]) & ~(death <= months[-1])
        last = np.searchsorted(months, left, side="right") - 1
        carried = np.zeros((visits, visits))  # row d: what stays at the last visit of the gain at each visit up to d
        if strategy == "copy increments":
            carried = np.eye(visits)
        elif strategy == "copy reference":
            carried[1:, 1:] = _going_on(_covariance(scenario, control, visits))
        return np.where(leaves, (gained * carried[np.clip(last, 0, visits - 1)]).sum(axis=-1), gained[..., -1])

    return gather


def _covariance(scenario: "Scenario", control: Twin, visits: int) -> Floats:
    """Covariance of control's scores after the first visit, given the first."""
    design, path = scenario.trial.design, np.asarray(control.path)
    phone = np.isin(np.array(design.visits[:visits]), design.phone_visits)
    noise = control.residual_sd**2 + np.where(phone, design.phone_sd, 0.0) ** 2
    whole = np.cov(path.reshape(-1, visits), rowvar=False) + np.diag(noise)
    return np.asarray(whole[1:, 1:] - np.outer(whole[1:, 0], whole[0, 1:]) / whole[0, 0])


def _going_on(covariance: Floats) -> Floats:
    """Row d: coefficients of the last visit on the visits up to d."""
    size = covariance.shape[0]
    found = np.zeros((size, size))
    for d in range(size):
        found[d, : d + 1] = np.linalg.solve(covariance[: d + 1, : d + 1], covariance[: d + 1, -1])
    return found


def _months_alive(scenario: "Scenario", analysis: AbstractAnalysis, control: Twin, active: Twin) -> Floats:
    horizon = float(getattr(analysis, "horizon", None) or scenario.trial.design.duration)
    alive = [np.minimum(twin.followed.event_time, horizon) for twin in (control, active)]
    return np.asarray(alive[1] - alive[0])


def _responds(_: "Scenario", analysis: AbstractAnalysis, control: Twin, active: Twin) -> Floats:
    """Alive at the last visit and fewer than `threshold` points lost, as the score there says; a missing score is no response."""
    threshold = float(analysis.settings()["threshold"])
    with np.errstate(invalid="ignore"):
        shares = [(t.followed.scores[..., 0] - t.followed.scores[..., -1] < threshold).astype(np.float64) for t in (control, active)]
    return np.asarray(shares[1] - shares[0])


def _times(scenario: "Scenario", analysis: AbstractAnalysis, control: Twin, active: Twin) -> Times:
    both = [twin.followed for twin in (control, active)]
    size = both[0].event_time.size
    allocation = scenario.trial.design.allocation
    data = _baseline(control)
    covariates = data.covariates(analysis.covariates)
    flat = np.zeros((size, 0)) if covariates is None else covariates.reshape(size, -1)
    return Times(
        time=np.concatenate([seen.event_time.ravel() for seen in both]),
        event=np.concatenate([seen.event.ravel() for seen in both]).astype(np.float64),
        arm=np.repeat([0.0, 1.0], size),
        # Where hazards are not proportional the limit depends on how many of the arms are at risk.
        weight=np.repeat([1.0, allocation[analysis.arm] / allocation[0]], size),
        covariates=np.tile(flat, (2, 1)),
        stratum=np.tile(_strata(analysis, data), 2),
    )


def _drops(scenario: "Scenario", analysis: AbstractAnalysis, control: Twin, active: Twin) -> Times:
    """As `_times`, of the time to a drop of the score or death."""
    assert isinstance(analysis, TimeToDrop)

    def dropped(twin: Twin) -> Twin:
        seen = twin.followed
        months = np.array(scenario.trial.design.visits, dtype=np.float64)[: seen.scores.shape[-1]]
        found = analysis.dropped(seen.scores, months, seen.event_time, seen.event)
        return replace(twin, seen=replace(seen, event_time=found.time, event=found.event))

    return _times(scenario, analysis, dropped(control), dropped(active))


def _baseline(twin: Twin) -> TrialData:
    """The baseline columns as analyses read them."""
    seen = twin.followed
    return TrialData(
        months=np.zeros(0), scores=seen.scores, arm=seen.event, event_time=seen.event_time, event=seen.event, columns=twin.columns
    )


def _strata(analysis: AbstractAnalysis, data: TrialData) -> Integers:
    """Stratum of each twin; sites are left out, since who comes where decides nothing."""
    kept = tuple(name for name in analysis.strata if not by_site(name))
    codes = data.strata(kept)
    return np.zeros(data.event_time.size, dtype=np.int64) if codes is None else codes.ravel()


def by_site(stratum: str) -> bool:
    """True of a stratum or condition that reads the site."""
    return "site" in names_of(parse(stratum))


@final
@dataclass(frozen=True)
class _Ranked:
    """Outcomes of twins on one scale, higher is better, under control and active; the same person has the same place in both."""

    control: Floats
    active: Floats
    stratum: Integers


def _outcomes(scenario: "Scenario", analysis: AbstractAnalysis, control: Twin, active: Twin) -> _Ranked:
    stratum = _strata(analysis, _baseline(control))
    return _Ranked(_outcome(control.followed), _outcome(active.followed), stratum)


def _outcome(seen: "Observed") -> Floats:
    """One number that puts participants in the order of the hierarchy: the dead by time, then the living by change."""
    change = (seen.scores[..., -1] - seen.scores[..., 0]).ravel()
    # Changes are squeezed into (1, 2) above times of death squeezed into (0, 1): only their order counts.
    alive = 1.5 + change / (2.0 * (1.0 + np.abs(change)))
    time = seen.event_time.ravel()
    return np.where(seen.event.ravel() == 1, time / (1.0 + time), alive)


def _shares(parts: list[_Ranked]) -> tuple[float, float]:
    """Shares of pairs of different participants that the active twin wins and loses, over strata by their size."""
    won = lost = total = 0.0
    for part in parts:
        for s in np.unique(part.stratum):
            mine = part.stratum == s
            active, control = part.active[mine], part.control[mine]
            if mine.sum() < 2:
                continue
            order = np.sort(control)
            below = np.searchsorted(order, active, side="left")
            upto = np.searchsorted(order, active, side="right")
            # A participant is no opponent of the own twin.
            wins = float(below.sum() - (control < active).sum())
            losses = float((control.size - upto).sum() - (control > active).sum())
            weight = 1.0 / (control.size - 1)  # pairs over opponents: the stratum counts by its size
            won, lost, total = won + weight * wins, lost + weight * losses, total + control.size
    return won / total, lost / total


def _win(scale: str) -> Settle:
    def settle(parts: list[_Ranked]) -> float:
        won, lost = _shares(parts)
        tied = 1.0 - won - lost
        with np.errstate(divide="ignore", invalid="ignore"):
            if scale == "win ratio":
                return float(np.log(np.float64(won) / np.float64(lost)))
            if scale == "win odds":
                return float(np.log(np.float64(won + tied / 2) / np.float64(lost + tied / 2)))
        return won - lost

    return settle


def _half_benefit(parts: list[_Ranked]) -> float:
    """Difference in mean rank per participant ranked: P(active fares better) - 1/2, ties halved."""
    won, lost = _shares(parts)
    return (won - lost) / 2


#: Measure -> its functional; win statistics by their scale.
FUNCTIONALS: dict[str, Functional] = {
    "slope difference": Functional(_slope, _mean, hypothetical=True),
    "change difference": Functional(_change, _mean, hypothetical=True),
    "log hazard ratio": Functional(_times, cox_limit),
    "log hazard ratio of a drop": Functional(_drops, grouped_limit, scored=True),
    "RMST difference": Functional(_months_alive, _mean),
    "responder difference": Functional(_responds, _mean, scored=True),
    "joint rank difference": Functional(_outcomes, _half_benefit, scored=True),
    **{scale: Functional(_outcomes, _win(scale), scored=True) for scale in ("win ratio", "win odds", "net benefit")},
}


def unstated(analysis: AbstractAnalysis) -> str:
    """Why no true value is stated for an analysis, in words; empty where there is one."""
    if isinstance(analysis, MaxCombo):
        return "a test alone: its estimate is the most extreme of several weighted averages, and has no estimand"
    if analysis.measure == "log hazard ratio of a drop" and analysis.covariates:
        return "the limit of the time to a drop is not worked out with covariates, since visits make ties"
    mixed = any(by_site(name) and set(names_of(parse(name))) != {"site"} for name in analysis.strata)
    own = getattr(analysis, "strategy", "missing at random") != "missing at random" or getattr(analysis, "line", None) == "two points"
    return "a stratum mixes the site, which twins have not, with other columns" if mixed and not own else ""


def functional_of(analysis: AbstractAnalysis) -> Functional | None:
    """The functional of an analysis; None where no true value is stated (`unstated` says why).

    An analysis that imputes by reference asks what would be if those who leave went on by reference to control, so its twins may leave.
    """
    strategy = getattr(analysis, "strategy", "missing at random")
    if strategy != "missing at random":
        return Functional(_by_reference(strategy), _mean, hypothetical=True, leaving=True)
    if getattr(analysis, "line", None) == "two points":
        return Functional(_two_points, _mean, hypothetical=True)
    if unstated(analysis):
        return None
    if isinstance(analysis, WeightedLogRank):
        return Functional(_times, weighted_limit(analysis.rho, analysis.gamma))
    return FUNCTIONALS.get(str(getattr(analysis, "scale", analysis.measure)))


def multiplier(scenario: "Scenario", analysis: AbstractAnalysis) -> float:
    """What a functional is multiplied by to be on the scale of the analysis: ranks grow with the participants compared."""
    if analysis.measure != "joint rank difference":
        return 1.0
    allocation = scenario.trial.design.allocation
    return scenario.n_per_arm * (allocation[0] + allocation[analysis.arm]) / allocation[0]
