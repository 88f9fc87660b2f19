"""Sums over the records of one scenario, taken chunk by chunk, so that memory does not grow with the replicates."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt
import polars as pl

from alsmodel.trials.analyses import reach_of
from alsmodel.trials.estimands import TrueValues
from alsmodel.trials.families import adjusted, members, true_nulls
from alsmodel.trials.reestimation import PromisingSize
from alsmodel.trials.trial import Scenario, Trial

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


def proportion(hits: int, of: int) -> tuple[float, float]:
    """Share and its Monte Carlo standard error, smoothed so that no hit in 1000 does not claim an error of zero.

    .. math:: \\sqrt{\\tilde p (1 - \\tilde p) / R}, \\qquad \\tilde p = (hits + 1/2) / (R + 1)
    """
    smooth = (hits + 0.5) / (of + 1)
    return hits / of, float(np.sqrt(smooth * (1 - smooth) / of))


@final
@dataclass
class Moments:
    """Count, mean and sum of squared deviations, merged chunk by chunk.

    Chan, Golub and LeVeque, Am Stat 1983;37:242, doi 10.1080/00031305.1983.10483115.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: Floats) -> None:
        """Take in the finite ones of `values`."""
        kept = values[np.isfinite(values)]
        if not kept.size:
            return
        mean = float(kept.mean())
        squares = float(((kept - mean) ** 2).sum())
        total, apart = self.count + kept.size, mean - self.mean
        self.squares += squares + apart**2 * self.count * kept.size / total
        self.mean += apart * kept.size / total
        self.count = total

    @property
    def value(self) -> float | None:
        """Mean, or None of nothing."""
        return self.mean if self.count else None

    @property
    def sd(self) -> float | None:
        """Standard deviation, or None of fewer than two."""
        return float(np.sqrt(self.squares / (self.count - 1))) if self.count > 1 else None

    @property
    def mcse(self) -> float | None:
        """Standard error of the mean."""
        return None if self.sd is None else self.sd / float(np.sqrt(self.count))


@final
@dataclass
class _Analysis:
    """What is added up of one analysis."""

    replicates: int = 0
    failures: int = 0
    claims: int = 0
    benefits: int = 0
    covered: int = 0
    stated: bool = True
    estimate: Moments = field(default_factory=Moments)
    error: Moments = field(default_factory=Moments)
    squared: Moments = field(default_factory=Moments)
    standard_error: Moments = field(default_factory=Moments)
    true_value: Moments = field(default_factory=Moments)
    true_value_mcse: float | None = None
    participants: Moments = field(default_factory=Moments)
    screened: Moments = field(default_factory=Moments)
    duration: Moments = field(default_factory=Moments)
    events: Counter[int] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)


@final
class _Family:
    """What is added up of a family of hypotheses: rejections after adjustment."""

    def __init__(self, scenario: Scenario) -> None:
        trial = scenario.trial
        self.decision, self.multiplicity = trial.decision, trial.multiplicity
        labels = [analysis.label for analysis in trial.analyses]
        self.names = [] if trial.multiplicity is None else members(trial.multiplicity, labels)
        nulls = true_nulls(scenario.effect, trial.analyses)
        self.null = np.array([nulls[name] for name in self.names], dtype=np.bool_)
        self.replicates = self.any = self.all = self.false = 0
        self.count = Moments()
        self.rejected = dict.fromkeys(self.names, 0)
        self.looks = len(trial.design.looks) + 1 if trial.design.looks and self.names else 0
        self.by_look = _ByLook(self.names, self.looks)

    def add(self, p_values: dict[str, Floats], rejected_at: dict[str, Integers]) -> None:
        """Take in p values of the decision's side and, with looks, the look of each rejection, by label, of some replicates."""
        if self.multiplicity is None:
            return
        if self.looks:
            at = np.stack([rejected_at[name] for name in self.names], axis=1)
            self.by_look.add(at)
            rejected = at > 0
        else:
            rejected = np.stack(list(adjusted(self.multiplicity, p_values).values()), axis=1) <= self.decision.alpha
        self.replicates += rejected.shape[0]
        self.any += int(rejected.any(axis=1).sum())
        self.all += int(rejected.all(axis=1).sum())
        self.false += int(rejected[:, self.null].any(axis=1).sum())
        self.count.add(rejected.sum(axis=1).astype(np.float64))
        for name, hits in zip(self.names, rejected.sum(axis=0).tolist(), strict=True):
            self.rejected[name] += hits

    def share(self, label: str) -> dict[str, float | None]:
        """Columns of one analysis."""
        if label not in self.rejected:
            return {"adjusted_power": None, "adjusted_mcse": None}
        power, mcse = proportion(self.rejected[label], self.replicates)
        return {"adjusted_power": power, "adjusted_mcse": mcse}

    def row(self) -> dict[str, Any] | None:
        """Columns of the family; None where there is none."""
        if self.multiplicity is None:
            return None
        shares = {name: proportion(hits, self.replicates) for name, hits in (("at_least_one", self.any), ("all", self.all))}
        false = proportion(self.false, self.replicates) if self.null.any() else (None, None)
        return {
            "procedure": self.multiplicity.words,
            "hypotheses": len(self.names),
            "true_nulls": int(self.null.sum()),
            "at_least_one": shares["at_least_one"][0],
            "at_least_one_mcse": shares["at_least_one"][1],
            "all": shares["all"][0],
            "all_mcse": shares["all"][1],
            "family_wise_error": false[0],
            "family_wise_error_mcse": false[1],
            "mean_rejected": self.count.value,
            "mean_rejected_mcse": self.count.mcse,
        }

    @property
    def hits(self) -> list[int]:
        """Numbers of replicates behind every share."""
        return [self.any, self.all, *self.rejected.values()] if self.names else []


@final
class _ByLook:
    """How many replicates have rejected each hypothesis, the first and the last of them, by look."""

    def __init__(self, names: list[str], looks: int) -> None:
        self.names, self.looks, self.replicates = names, looks, 0
        self.counts = np.zeros((len(names) + 2, looks + 1), dtype=np.int64)

    def add(self, rejected_at: Integers) -> None:
        """Take in looks of rejection (R, m), 0 for none."""
        late = np.where(rejected_at > 0, rejected_at, self.looks + 1)
        for row, at in enumerate([*late.T, late.min(axis=1), late.max(axis=1)]):
            self.counts[row] += np.bincount(at - 1, minlength=self.looks + 1)
        self.replicates += rejected_at.shape[0]

    def rows(self) -> list[dict[str, Any]]:
        """One row per hypothesis and look, and those of at least one and of all."""
        found = []
        for name, counts in zip([*self.names, "at least one", "all"], self.counts, strict=True):
            for look in range(self.looks):
                here, upto = int(counts[look]), int(counts[: look + 1].sum())
                share, mcse = proportion(here, self.replicates)
                total, total_mcse = proportion(upto, self.replicates)
                found.append(
                    {
                        "hypothesis": name,
                        "look": look + 1,
                        "rejected": share,
                        "rejected_mcse": mcse,
                        "by_then": total,
                        "by_then_mcse": total_mcse,
                    }
                )
        return found


@final
class Happened:
    """What is added up of intercurrent events, by arm."""

    def __init__(self, scenario: Scenario) -> None:
        self.events = scenario.trial.intercurrent
        self.arms = len(scenario.trial.design.allocation) if self.events else 0
        cells = [(event.name, a) for event in self.events for a in range(self.arms)]
        self.counts, self.shares = ({cell: Moments() for cell in cells} for _ in range(2))

    def add(self, rows: pl.DataFrame) -> None:
        """Take in the records of one analysis of some replicates."""
        if not self.events or not rows.height:
            return
        table = np.array(rows["intercurrent"].to_list(), dtype=np.float64).reshape(rows.height, self.arms, 1 + len(self.events))
        for k, event in enumerate(self.events):
            for a in range(self.arms):
                count, people = table[:, a, 1 + k], table[:, a, 0]
                self.counts[event.name, a].add(count)
                with np.errstate(invalid="ignore", divide="ignore"):
                    self.shares[event.name, a].add(count / people)

    def rows(self) -> list[dict[str, Any]]:
        """One row per event and arm."""
        return [
            {
                "event": event.name,
                "strategy": event.strategy,
                "arm": a,
                "mean_number": self.counts[event.name, a].value,
                "number_mcse": self.counts[event.name, a].mcse,
                "share": self.shares[event.name, a].value,
                "share_mcse": self.shares[event.name, a].mcse,
            }
            for event in self.events
            for a in range(self.arms)
        ]


@final
class Tally:
    """Running sums over the records of one scenario."""

    #: Replicates that are added at once: sums do not depend on how the parts were cut.
    CHUNK: ClassVar[int] = 1000

    def __init__(self, scenario: Scenario, truth: TrueValues) -> None:
        self.scenario, self.truth = scenario, truth
        self.labels = [analysis.label for analysis in scenario.trial.analyses]
        self.sums = {label: _Analysis(true_value_mcse=truth.error(label)) for label in self.labels}
        self.apart: Counter[tuple[str, str]] = Counter()
        self.family = _Family(scenario)
        self.happened = Happened(scenario)

    def add(self, chunk: pl.DataFrame) -> None:
        """Take in the records of some replicates."""
        claims: dict[str, Bools] = {}
        p_values: dict[str, Floats] = {}
        rejected_at: dict[str, Integers] = {}
        for number, label in enumerate(self.labels):
            rows = chunk.filter(pl.col("analysis") == label).sort("replicate")
            claims[label] = self._add(self.sums[label], label, rows, number == 0)
            if number == 0:
                self.happened.add(rows)
            rejected_at[label] = rows["rejected_at"].to_numpy().astype(np.int64)
            p_values[label] = self.scenario.trial.decision.sided(rows["p_value"].to_numpy(), rows["benefit"].to_numpy())
        self.family.add(p_values, rejected_at)
        for a, b in combinations(self.labels, 2):
            self.apart[a, b] += int((claims[a] & ~claims[b]).sum())
            self.apart[b, a] += int((claims[b] & ~claims[a]).sum())

    def _add(self, sums: _Analysis, label: str, rows: pl.DataFrame, decides: bool) -> Bools:
        column = {name: rows[name].to_numpy() for name in rows.columns if rows[name].dtype not in (pl.String, pl.List)}
        estimate, error, df = column["estimate"], column["standard_error"], column["df"]
        claims = claims_of(self.scenario.trial, rows, decides)
        true = self.truth.of(label, column["draw"])
        decision = self.scenario.trial.decision
        with np.errstate(invalid="ignore"):
            reach = reach_of(decision.interval, df) * error
            sums.covered += int((np.abs(estimate - true) <= reach).sum())
        sums.replicates += rows.height
        sums.failures += int(column["failed"].sum())
        sums.claims += int(claims.sum())
        sums.benefits += int((claims & column["benefit"]).sum())
        sums.stated = sums.stated and bool(np.isfinite(true).all())
        sums.estimate.add(estimate)
        sums.error.add(estimate - true)
        sums.squared.add((estimate - true) ** 2)
        sums.standard_error.add(error)
        sums.true_value.add(true)
        for name in ("participants", "screened", "duration"):
            getattr(sums, name).add(column[name].astype(np.float64))
        sums.events.update(column["events"].tolist())
        sums.stops.update(rows["stop"].to_list())
        sums.sizes.update(column["participants"].tolist())
        return claims

    @property
    def worst_mcse(self) -> float:
        """Largest Monte Carlo standard error of a power."""
        total = self.sums[self.labels[0]].replicates
        return max(proportion(hits, total)[1] for hits in [*(sums.claims for sums in self.sums.values()), *self.family.hits])

    def rows(self) -> list[tuple[str, dict[str, Any]]]:
        """Operating characteristics of each analysis, by label."""
        return [(label, _row(sums) | self._resized(sums) | self.family.share(label)) for label, sums in self.sums.items()]

    def _resized(self, sums: _Analysis) -> dict[str, Any]:
        """What re-estimation does to the size; None without it."""
        if self.scenario.trial.design.reestimation is None:
            return dict.fromkeys(("enlarged", "enlarged_mcse", "at_most"), None)
        larger = sum(count for size, count in sums.sizes.items() if size > self.scenario.participants)
        share, mcse = proportion(larger, sums.replicates)
        return {"enlarged": share, "enlarged_mcse": mcse, "at_most": sums.sizes[self.scenario.most] / sums.replicates}

    def pairs(self) -> list[dict[str, Any]]:
        """Paired comparison of the analyses' powers."""
        found = []
        for a, b in combinations(self.labels, 2):
            total = self.sums[a].replicates
            first, second = self.apart[a, b] / total, self.apart[b, a] / total
            spread = (first + second - (first - second) ** 2 + 0.5 / (total + 1)) / total
            found.append(
                {
                    "analysis": a,
                    "other": b,
                    "difference": first - second,
                    "difference_mcse": float(np.sqrt(spread)),
                    "only_first": first,
                    "only_second": second,
                }
            )
        return found


def claims_of(trial: Trial, rows: pl.DataFrame, decides: bool) -> Bools:
    """Which records of one analysis are a claim: by alpha and side, by the boundary where it decides at looks, or by its family."""
    rejected_at = rows["rejected_at"].to_numpy()
    if rejected_at.size and rejected_at.max() >= 0:
        return np.asarray(rejected_at > 0)
    decides = decides and trial.multiplicity is None
    if not (decides and (trial.design.looks or isinstance(trial.design.reestimation, PromisingSize))):
        return trial.decision.rejects(rows["p_value"].to_numpy(), rows["benefit"].to_numpy())
    stop = rows["stop"].to_numpy()
    with np.errstate(invalid="ignore"):
        last = rows["z"].to_numpy() >= rows["bound"].to_numpy()
    return np.asarray((stop == "efficacy") | ((stop == "end") & last))


def _row(sums: _Analysis) -> dict[str, Any]:
    total = sums.replicates
    power, mcse = proportion(sums.claims, total)
    coverage, coverage_mcse = proportion(sums.covered, total)
    stated = sums.stated and sums.true_value.count > 0
    rmse = float(np.sqrt(sums.squared.mean)) if stated and sums.squared.count else None
    return {
        "replicates": total,
        "failures": sums.failures,
        "power": power,
        "mcse": mcse,
        "benefit": sums.benefits / total,
        "mean_estimate": sums.estimate.value,
        "mean_se": sums.standard_error.value,
        "empirical_sd": sums.estimate.sd,
        "true_value": sums.true_value.value if stated else None,
        "true_value_mcse": sums.true_value_mcse if stated else None,
        "bias": sums.error.value if stated else None,
        "bias_mcse": sums.error.mcse if stated else None,
        "coverage": coverage if stated else None,
        "coverage_mcse": coverage_mcse if stated else None,
        "median_events": _median(sums.events),
        "rmse": rmse,
        "rmse_mcse": sums.squared.mcse / (2 * rmse) if rmse and sums.squared.mcse is not None else None,
        "mean_participants": sums.participants.value,
        "participants_mcse": sums.participants.mcse,
        **{f"participants_p{p}": _quantile(sums.sizes, p / 100) for p in (10, 50, 90)},
        "mean_screened": sums.screened.value,
        "mean_duration": sums.duration.value,
        "duration_mcse": sums.duration.mcse,
        "stopped_efficacy": sums.stops["efficacy"] / total,
        "stopped_futility": sums.stops["futility"] / total,
    }


def _cumulated(counts: Counter[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Values in order, and how many are at most each."""
    values = np.array(sorted(counts))
    return values, np.cumsum([counts[value] for value in values.tolist()])


def _quantile(counts: Counter[int], share: float) -> float:
    """Smallest value that at least this share does not exceed."""
    values, upto = _cumulated(counts)
    return float(values[int(np.searchsorted(upto, share * upto[-1] - 1e-9, side="left"))])


def _median(counts: Counter[int]) -> float:
    values, upto = _cumulated(counts)
    low, high = (int(np.searchsorted(upto, place, side="right")) for place in ((upto[-1] - 1) // 2, upto[-1] // 2))
    return float(values[low] + values[high]) / 2
