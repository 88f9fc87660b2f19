"""Independence of increments of the analyses of a trial at its looks, under the sharp null, and what boundaries that assume it claim.

Cells, seed, number of replicates and the rule below were fixed before the first run. Every cell is a trial of the engine: participants
arrive one after the other, the data are opened at the looks as `alsmodel simulate` opens them, and every analysis is made on the same
trials. The score is S_k = z_k sqrt(I_k), I_k = 1/SE² of the analysis at look k; its increments S_1, S_2 - S_1, S_3 - S_2 are to be
uncorrelated. Planned information fractions are those of 1,000 pilot trials on other random streams. The joint rank is taken per
participant: its estimate in ranks grows with the number of participants, so that 1/SE² of it falls as a trial grows.

Rule: an analysis keeps its level where the share of claims is below 0.025 + 3 Monte Carlo SE in every cell, and has independent
increments where no correlation is more than 4 of its standard errors from 0. Negative controls are beside them.

    python -m tests.calibration.increments
    python -m tests.calibration.increments responder     # rows of one kind of analysis again, those of the others kept
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsmodel.settings import code_digest
from alsmodel.trials import (
    ANCOVA,
    MMRM,
    RMST,
    Decision,
    Effect,
    JointRank,
    LogRank,
    Look,
    NamedTruth,
    ParallelDesign,
    ParticipantSlopes,
    RandomSlope,
    Recruitment,
    Responder,
    TimeToDrop,
    Trial,
    WeightedLogRank,
    Win,
)  # fmt: skip
from alsmodel.trials.analyses import AbstractAnalysis, TrialData, normal_size
from alsmodel.trials.block import CONFIRM_STREAM, TRIAL_STREAM, trial_keys
from alsmodel.trials.indicators import analysed
from alsmodel.trials.information import LEAST_GAIN, PlannedWatch, RealisedWatch, Watch
from alsmodel.trials.looks import planned_bounds
from alsmodel.trials.opening import final_month, open_data, z_of
from alsmodel.trials.results import PACKAGES
from alsmodel.trials.sequential import GroupSequential
from alsmodel.trials.spending import PocockSpending
from alsmodel.trials.world import assign, enrol, observe

Floats = NDArray[np.float64]

OUT = Path(__file__).parent / "increments.json"
SEED, REPLICATES, PILOT, BLOCK, ALPHA = 20261130, 20000, 1000, 500, 0.025
#: Negative controls: information that falls as a trial grows, an estimate whose meaning changes with follow-up, and z of the time to a
#: drop with fractions of the information that nobody has measured.
IN_RANKS, TO_LAST, MADE_UP = "control: joint rank, 1/SE² in ranks", "control: change up to the last score", "control: information made up"
CLAIMED = (0.9, 0.95, 1.0)
#: Fractions that a study file is likely to name; looks in pairs.
THIRDS, PAIRS = (0.33, 0.67, 1.0), ((0, 1), (1, 2), (0, 2))
#: Analyses whose bounds are found at the information that came as well.
BY_INFORMATION = (RandomSlope(), MMRM(), ANCOVA(), Responder(), LogRank(), TimeToDrop(), RMST(horizon=6.0), RMST(horizon=12.0))
#: Trials that a test goes through again, and the code that decides all of them.
AGAIN = 20
CODE = (
    "alsmodel.estimators", "alsmodel.patients",
    *(f"alsmodel.trials.{name}" for name in (
        "analyses", "designs", "endpoints", "further", "information", "looks", "opening", "recruitment", "recursion", "sequential",
        "sequential_batch", "spending", "truth", "world",
    )),
)  # fmt: skip

EARLY = (
    RandomSlope(),
    ParticipantSlopes(),
    LogRank(),
    WeightedLogRank(),
    TimeToDrop(),
    RMST(horizon=6.0),
    JointRank(),
    Win(),
    Win(scale="win odds"),
    Win(scale="net benefit"),
)
EVERY = (MMRM(), ANCOVA(), Responder(), RMST(horizon=12.0), *EARLY)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One trial: its size, recruitment, hazard, looks and analyses."""

    name: str
    per_arm: int
    per_month: float
    hazard: float
    looks: tuple[Look, ...]
    analyses: tuple[AbstractAnalysis, ...]

    @property
    def trial(self) -> Trial:
        """The trial under the sharp null; its bounds are never met here."""
        recruitment, planned = Recruitment(per_month=(self.per_month,)), GroupSequential(fractions=(1 / 3, 2 / 3, 1.0), alpha=ALPHA)
        design = ParallelDesign(recruitment=recruitment, looks=self.looks, sequential=planned)
        return Trial(
            truth=NamedTruth(hazard=(self.hazard,)), design=design, analyses=self.analyses, effects=(Effect(name="null"),),
            decision=Decision(alpha=ALPHA, side="one-sided"), n_per_arm=(self.per_arm,), seed=SEED,
        )  # fmt: skip


def thirds(after: float) -> tuple[Look, ...]:
    """Looks when a third and two thirds have been followed for so long."""
    return tuple(Look(when="followed", at=share, after=after) for share in (1 / 3, 2 / 3))


def months(*at: float) -> tuple[Look, ...]:
    """Looks in calendar months."""
    return tuple(Look(when="month", at=month) for month in at)


CELLS = (
    Cell(name="thirds followed to the end, 100 per arm", per_arm=100, per_month=10.0, hazard=0.02, looks=thirds(12.0), analyses=EVERY),
    Cell(name="thirds followed to the end, 50 per arm", per_arm=50, per_month=5.0, hazard=0.02, looks=thirds(12.0), analyses=EVERY),
    Cell(name="months 15 and 19 of 25, 100 per arm", per_arm=100, per_month=16.0, hazard=0.02, looks=months(15.0, 19.0), analyses=EVERY),
    Cell(name="months 9 and 14 of 25, 100 per arm", per_arm=100, per_month=16.0, hazard=0.02, looks=months(9.0, 14.0), analyses=EARLY),
    Cell(name="months 15 and 19 of 25, 200 per arm", per_arm=200, per_month=32.0, hazard=0.01, looks=months(15.0, 19.0), analyses=EVERY),
)


def last_change(data: TrialData) -> tuple[Floats, Floats]:
    """z and information of the difference in mean change up to everybody's last score: what it estimates changes with follow-up."""
    seen = np.isfinite(data.scores)
    last = np.take_along_axis(data.scores, (seen.shape[2] - 1 - seen[:, :, ::-1].argmax(axis=2))[:, :, None], axis=2)[:, :, 0]
    change, arm = last - data.scores[:, :, 0], np.broadcast_to(data.arm, last.shape)
    means, variances = [], []
    for code in (0, 1):
        own = np.where((arm == code) & np.isfinite(change), change, np.nan)
        means.append(np.nanmean(own, axis=1))
        variances.append(np.nanvar(own, axis=1, ddof=1) / np.isfinite(own).sum(axis=1))
    variance = variances[0] + variances[1]
    return (means[1] - means[0]) / np.sqrt(variance), 1 / variance


def follow(cell: Cell, start: int, stop: int, stream: int = TRIAL_STREAM) -> dict[str, tuple[Floats, Floats]]:
    """z and information at every look of trials `start` to `stop`, by analysis; shape (R, 3) each."""
    trial = cell.trial
    scenario, keys = trial.scenarios[0], trial_keys(trial, start, stop, stream)
    enrolled = enrol(trial, keys, scenario.participants)
    arm = assign(trial.design, enrolled, keys)
    seen = observe(trial.design, trial.population, enrolled, scenario.effect, arm, keys)
    end = final_month(trial.design, enrolled)
    found: dict[str, list[tuple[Floats, Floats]]] = {}
    for number, look in enumerate((*cell.looks, None)):
        month = None if look is None else look.cutoff(enrolled.month, seen.event_time, seen.event, end)
        data = open_data(trial, enrolled, arm, seen, month).data
        for analysis in cell.analyses:
            result = analysed(analysis, data)
            with np.errstate(divide="ignore"):
                z, information = z_of(result), 1 / result.standard_error**2
            if isinstance(analysis, JointRank):
                found.setdefault(IN_RANKS, []).append((z, information))
                information = information * (np.broadcast_to(data.arm, data.event.shape) >= 0).sum(axis=1) ** 2
            elif isinstance(analysis, TimeToDrop):
                found.setdefault(MADE_UP, []).append((z, np.full(z.shape, CLAIMED[number])))
            found.setdefault(analysis.label, []).append((z, information))
        found.setdefault(TO_LAST, []).append(last_change(data))
    return {name: (np.stack([z for z, _ in at], axis=1), np.stack([i for _, i in at], axis=1)) for name, at in found.items()}


def correlation(a: Floats, b: Floats) -> tuple[float, Floats]:
    """Correlation and the influence of every trial on it, which needs no normal distribution."""
    a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    r = float((a * b).mean())
    return r, a * b - r / 2 * (a**2 + b**2)


def error_of(influence: Floats) -> float:
    """Standard error of an estimate of which every trial has this influence."""
    return round(float(influence.std() / np.sqrt(influence.size)), 4)


def left_over(z: Floats) -> tuple[float, float]:
    """What the correlation of the first look and the last has beside the product of those between neighbours, and its SE.

    It is 0 exactly where there is some scale of information on which increments are uncorrelated: then the correlation of two looks is
    the root of the ratio of their information.
    """
    (r12, i12), (r23, i23), (r13, i13) = (correlation(z[:, a], z[:, b]) for a, b in PAIRS)
    return round(r13 - r12 * r23, 4), error_of(i13 - r12 * i23 - r23 * i12)


def fractions_of(z: Floats, information: Floats) -> dict[str, Floats]:
    """Planned fractions by mean 1/SE², where they rise, and by the squared correlation of z with the last look."""
    whole = (np.isfinite(z) & np.isfinite(information)).all(axis=1)
    mean = information[whole].mean(axis=0)
    squared = np.array([correlation(z[whole, k], z[whole, -1])[0] ** 2 for k in range(z.shape[1] - 1)] + [1.0])
    found = {"information": mean / mean[-1], "correlation": squared, "thirds": np.array(THIRDS)}
    return {name: rounded for name, t in found.items() if (np.diff(rounded := np.round(t, 2)) >= LEAST_GAIN).all() and rounded[0] > 0}


def claims(watch: Watch, z: Floats, information: Floats) -> int:
    """Trials that cross an efficacy bound at any look."""
    running, won = np.ones(z.shape[0], dtype=np.bool_), 0
    with np.errstate(invalid="ignore"):
        for k in range(z.shape[1] - 1):
            at = watch.look(k + 1, running & np.isfinite(z[:, k]), 1 / np.sqrt(information[:, k]))
            wins = running & (z[:, k] >= at.efficacy)
            won += int(wins.sum())
            running = running & ~wins & ~at.spent
        return won + int((running & (z[:, -1] >= watch.final(running, 1 / np.sqrt(information[:, -1])))).sum())


def judged(z: Floats, information: Floats, pilot: tuple[Floats, Floats], realised: bool) -> dict[str, Any]:
    """One row of results; `pilot` has z and information of other trials, `realised` asks for bounds at the information that came."""
    fractions = fractions_of(*pilot)
    designs = {name: GroupSequential(fractions=tuple(t.tolist()), alpha=ALPHA) for name, t in fractions.items()}
    whole = (np.isfinite(z) & np.isfinite(information)).all(axis=1)
    score = z[whole] * np.sqrt(information[whole])
    steps = (score[:, 0], score[:, 1] - score[:, 0], score[:, 2] - score[:, 1])
    increments = [correlation(steps[a], steps[b]) for a, b in PAIRS]
    mean = information[whole].mean(axis=0)
    maximum = float(np.nanmean(pilot[1][:, -1]))
    return {
        "replicates": len(z),
        "failed": (~np.isfinite(z)).sum(axis=0).tolist(),
        "increments": [round(r, 4) for r, _ in increments],
        "increments_se": [error_of(influence) for _, influence in increments],
        "z": [round(correlation(z[whole, a], z[whole, b])[0], 4) for a, b in PAIRS],
        "roots": [round(float(np.sqrt(mean[a] / mean[b])), 4) for a, b in PAIRS],
        "left_over": left_over(z[whole]),
        "fractions": {name: t.tolist() for name, t in fractions.items()},
        "claims": {name: claims(PlannedWatch(*planned_bounds(design)), z, information) for name, design in designs.items()},
        "claims_pocock": {
            name: claims(PlannedWatch(*planned_bounds(replace(design, efficacy=PocockSpending()))), z, information)
            for name, design in designs.items()
        },
        "claims_one_look": int((z[:, -1] >= normal_size(np.array(2 * ALPHA))).sum()),
        "claims_by_information": claims(RealisedWatch(designs["information"], maximum, len(z)), z, information)
        if realised and "information" in designs
        else None,
        "first": [round(float(np.nansum(z[:AGAIN, k])), 5) for k in range(z.shape[1])],
    }


def joined(blocks: Iterator[dict[str, tuple[Floats, Floats]]]) -> dict[str, tuple[Floats, Floats]]:
    """Blocks below each other, analysis by analysis."""
    parts = list(blocks)
    return {name: (np.concatenate([p[name][0] for p in parts]), np.concatenate([p[name][1] for p in parts])) for name in parts[0]}


def run(cell: Cell, replicates: int, told: Callable[[str], None] = lambda line: None) -> list[dict[str, Any]]:
    """Rows of one cell."""
    pilot = joined(follow(cell, a, a + BLOCK, CONFIRM_STREAM) for a in range(0, PILOT, BLOCK))
    main = joined(follow(cell, a, min(a + BLOCK, replicates)) for a in range(0, replicates, BLOCK))
    rows = []
    for name, (z, information) in main.items():
        rows.append({"cell": cell.name, "analysis": name, **judged(z, information, pilot[name], name in {a.label for a in BY_INFORMATION})})
        told(json.dumps(rows[-1], ensure_ascii=False))
    return rows


def again(kinds: list[str], told: Callable[[str], None] = lambda line: None) -> list[dict[str, Any]]:
    """The rows that are there, those of some kinds of analysis anew."""
    rows: list[dict[str, Any]] = json.loads(OUT.read_text(encoding="utf-8"))["rows"]
    for cell in CELLS:
        chosen = tuple(analysis for analysis in cell.analyses if getattr(analysis, "kind", "") in kinds)
        labels = {analysis.label for analysis in chosen}
        found = {row["analysis"]: row for row in run(replace(cell, analyses=chosen), REPLICATES, told)} if chosen else {}
        rows = [found[row["analysis"]] if row["cell"] == cell.name and row["analysis"] in labels else row for row in rows]
    return rows


def write(rows: list[dict[str, Any]], out: Path) -> None:
    """One line per row."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    head = {"seed": SEED, "alpha": ALPHA, "side": "one-sided", "code": code_digest(CODE, packages=PACKAGES)}
    out.write_text(f'{json.dumps(head)[:-1]}, "rows": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    tell = partial(print, flush=True)
    write(again(sys.argv[1:], tell) if sys.argv[1:] else [row for cell in CELLS for row in run(cell, REPLICATES, tell)], OUT)
