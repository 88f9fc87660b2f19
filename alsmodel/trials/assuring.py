"""Assurance: power averaged over what is believed of the treatment effect (O'Hagan, Stevens and Campbell, Pharm Stat 2005;4:187,
doi 10.1002/pst.175), from a stated prior or from the posterior draws of a fit.

The distribution of the effect is cut into strata of equal probability and every stratum is simulated by itself, so that the average is
exact over the strata and power is known along the effect. A success is a claim in favour of the active arm.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
import numpy.typing as npt
import polars as pl

from alsmodel.trials.beliefs import EffectPrior
from alsmodel.trials.effects import Effect
from alsmodel.trials.families import adjusted
from alsmodel.trials.parts import Parts
from alsmodel.trials.run import simulate
from alsmodel.trials.tally import claims_of, proportion
from alsmodel.trials.trial import Trial
from alsmodel.trials.truth import PosteriorTruth

if TYPE_CHECKING:
    from alsmodel.inference import Fit

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: How a virtual trial can end, in the order of tables; the shares sum to one.
CAUSES = (
    "success at an interim look",
    "success at the end",
    "claim of harm",
    "stopped for futility",
    "analysis failed",
    "no claim at the end",
)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class EffectDraws:
    """Posterior draws of an effect, each with its own population.

    Attributes
    ----------
    slowing, log_hazard_ratio : array, shape (D,)
    truth : PosteriorTruth or None
        The populations of the same draws, in the same order; None leaves the trial's own truth.
    strata : int
        Groups of draws of neighbouring slowing (of log hazard ratio where slowing does not vary) that are simulated together.
    """

    slowing: Floats
    log_hazard_ratio: Floats
    truth: PosteriorTruth | None = None
    strata: int = 20

    def __post_init__(self) -> None:
        sizes = {np.shape(self.slowing), np.shape(self.log_hazard_ratio)}
        if self.truth is not None:
            sizes.add((self.truth.slope.shape[0],))
        if len(sizes) != 1 or len(next(iter(sizes))) != 1:
            raise ValueError(f"slowing, log_hazard_ratio and truth need as many draws; got {sorted(map(str, sizes))}.")
        if not (np.isfinite(self.slowing).all() and np.isfinite(self.log_hazard_ratio).all()):
            raise ValueError("Draws of the effect hold missing or infinite values.")
        if not 2 <= self.strata <= np.size(self.slowing):
            raise ValueError(f"strata must be from 2 to the {np.size(self.slowing)} draws; got {self.strata}.")

    @classmethod
    def of(cls, fit: "Fit", treatment: str, *, draws: int = 400, seed: int = 1, strata: int = 20) -> Self:
        """Take the effect of a fit's randomised treatment, with the population of the same draws.

        Raises
        ------
        ValueError
            When the fit has no such treatment, it was not randomised, or its effect has a form that a trial's effect has not.
        """
        known = {each.name: each for each in fit.spec.treatments}
        if treatment not in known:
            raise ValueError(f"the model has no treatment {treatment!r}. Known: {', '.join(known) or 'none'}.")
        drug, theta, ratio = known[treatment], f"theta:{treatment}", f"hazard:{treatment}"
        if drug.source != "arm":
            raise ValueError(f"{treatment} was taken, not assigned: what the fit has is an association, and no effect to plan a trial on.")
        unfound = drug.score == "clock" and theta not in fit.draws
        if drug.score == "additive" or drug.hazard == "clock" or drug.hazard_periods or drug.by is not None or unfound:
            raise ValueError(f"{treatment}: assurance needs one effect on the clock and a constant hazard ratio for everybody.")
        if fit.spec.causes and drug.hazard != "none":
            raise ValueError(
                f"{treatment} has a hazard ratio for each cause of this fit, and assurance from a fit takes one. Give what is believed as "
                "a prior, with hazard_ratio_of in the effect."
            )
        if drug.score == "clock" and (fit.spec.bends or fit.spec.decline.kind == "sigmoid"):
            raise ValueError(clock_words(treatment, fit.spec.decline.kind))
        from alsmodel.inference.population import chosen_draws

        chosen = chosen_draws(fit, draws, seed)
        clock = np.ravel(fit.draws[theta])[chosen] if theta in fit.draws else np.zeros(draws)
        hazard = np.ravel(fit.draws[ratio])[chosen] if ratio in fit.draws else np.zeros(draws)
        truth = PosteriorTruth.of(fit.population(draws, seed))
        return cls(
            slowing=1 - np.exp(clock), log_hazard_ratio=clock if drug.hazard == "DRR" else hazard, truth=truth, strata=strata
        )  # fmt: skip

    def groups(self) -> list[npt.NDArray[np.int64]]:
        """Draws of each stratum, in order of the effect, most beneficial last."""
        key = self.slowing if np.ptp(self.slowing) > 0 else -self.log_hazard_ratio
        return list(np.array_split(np.argsort(key, kind="stable"), self.strata))


def clock_words(treatment: str, decline: str) -> str:
    """Why an effect on the clock of paths that are no lines is not taken from a fit."""
    does = "slows the straight part of this fit's paths and leaves their bend"
    if decline == "sigmoid":
        does = "runs the clock of a sigmoid slower, so that whoever it slows is later at each point of the curve"
    return (
        f"{treatment} {does}. A trial's effect takes a share of the slope that the path has at the time: give what is believed as a prior, "
        "or fit straight lines."
    )


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Assurance:
    """What `assurance` found.

    Attributes
    ----------
    table : polars.DataFrame
        One row per size and analysis: ``assurance`` (probability of success) and ``mcse``; ``true_benefit``, the probability of a
        beneficial effect; ``success_and_benefit``, that of both.
    strata : polars.DataFrame
        Power along the effect: ``quantile``, ``slowing``, ``hazard_ratio``, ``power`` and ``mcse`` per size and analysis.
    causes : polars.DataFrame
        How virtual trials end: unconditional ``share`` and ``mcse`` per size, analysis and ``cause``; the shares sum to one.
    """

    table: pl.DataFrame
    strata: pl.DataFrame
    causes: pl.DataFrame

    def save(self, folder: Path | str) -> None:
        """Write the three tables as Parquet to `folder`."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        for name in ("table", "strata", "causes"):
            getattr(self, name).write_parquet(target / f"assurance_{name}.parquet", compression="zstd")

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what `save` wrote."""
        source = Path(folder)
        return cls(**{name: pl.read_parquet(source / f"assurance_{name}.parquet") for name in ("table", "strata", "causes")})


def assurance(
    trial: Trial,
    effect: EffectPrior | EffectDraws,
    *,
    workers: int = 1,
    folder: Path | str | None = None,
    block: int = 250,
    progress: Callable[[float, float], None] | None = None,
) -> Assurance:
    """Average the power of a trial over what is believed of its effect.

    Parameters
    ----------
    trial : Trial
        Its `effects` are not used, but for the timing and the shares of the last one (``from_month``, ``by_arm``, ...); its replicates
        are those of each stratum. A `multiplicity` makes a success a rejection after adjustment.
    effect : EffectPrior or EffectDraws
        Under a prior all strata share their participants; draws of a fit bring a population each.
    workers, folder, block, progress
        As in `alsmodel.trials.simulate`.

    Raises
    ------
    ValueError
        When the trial has axes or a target_mcse.
    """
    if trial.axes or trial.target_mcse is not None:
        raise ValueError("assurance is of one design with a fixed number of replicates: leave axes and target_mcse out.")
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(folder) if folder is not None else Path(temporary)
        parts = _strata(trial, effect)
        rows: list[dict[str, Any]] = []
        done = 0
        for part in parts:
            advance = None if progress is None else (lambda d, t, b=done: progress(b + d, t * len(parts)))
            found = simulate(part, workers=workers, folder=place, block=block, twins=1000, progress=advance)
            done += trial.replicates
            for scenario, address in zip(part.scenarios, found.table["records"].to_list()[:: len(trial.analyses)], strict=True):
                records = Parts(place).records(address, trial.replicates)
                rows += [{"size": scenario.n_per_arm, "effect": scenario.effect, **one} for one in _ends(part, scenario.most, records)]
        return _averaged(trial, rows, shared=len(parts) == 1)


def _strata(trial: Trial, effect: EffectPrior | EffectDraws) -> list[Trial]:
    """The trials to simulate: one with an effect per stratum, or one per group of draws."""
    like = trial.effects[-1]

    def made(k: int, slowing: float, log_ratio: float) -> Effect:
        plain = replace(like, points_per_month=0.0, hazard_ratio_periods=())
        return replace(plain, name=f"stratum {k + 1}", slowing=float(slowing), hazard_ratio=float(np.exp(log_ratio)))

    if isinstance(effect, EffectPrior):
        effects = tuple(made(k, s, h) for k, (s, h) in enumerate(zip(*effect.values(), strict=True)))
        return [replace(trial, effects=effects)]
    found = []
    for k, group in enumerate(effect.groups()):
        one = made(k, np.clip(effect.slowing[group].mean(), -5, 1), effect.log_hazard_ratio[group].mean())
        truth = trial.truth if effect.truth is None else effect.truth.some(group)
        found.append(replace(trial, effects=(one,), truth=truth))
    return found if effect.truth is not None else [replace(trial, effects=tuple(each.effects[0] for each in found))]


def _ends(trial: Trial, most: int, records: pl.DataFrame) -> list[dict[str, Any]]:
    """For each analysis of one scenario, how its virtual trials ended, as numbers of `CAUSES`."""
    parts = {a.label: records.filter(pl.col("analysis") == a.label).sort("replicate") for a in trial.analyses}
    claims = {label: claims_of(trial, rows, number == 0) for number, (label, rows) in enumerate(parts.items())}
    if trial.multiplicity is not None and not trial.design.looks:
        p_values = {label: trial.decision.sided(rows["p_value"].to_numpy(), rows["benefit"].to_numpy()) for label, rows in parts.items()}
        claims |= {name: p <= trial.decision.alpha for name, p in adjusted(trial.multiplicity, p_values).items()}
    found = []
    for label, rows in parts.items():
        benefit, failed, stop = (rows[name].to_numpy() for name in ("benefit", "failed", "stop"))
        success, early = claims[label] & benefit, stop != "end"
        tests = (success & early, success, claims[label], stop == "futility", failed)
        found.append({"analysis": label, "end": np.select(tests, range(len(tests)), len(tests)), "success": success})
    return found


def _averaged(trial: Trial, rows: list[dict[str, Any]], *, shared: bool) -> Assurance:
    tables: dict[str, list[dict[str, Any]]] = {"table": [], "strata": [], "causes": []}
    for size in trial.n_per_arm:
        for analysis in trial.analyses:
            mine = [row for row in rows if row["size"] == size and row["analysis"] == analysis.label]
            head = {"n_per_arm": size, "analysis": analysis.label}
            good = np.array([row["effect"].slowing > 0 or row["effect"].hazard_ratio < 1 for row in mine])
            success = np.stack([row["success"] for row in mine])
            mean, mcse = _mean(success, shared)
            both, both_mcse = _mean(success & good[:, None], shared)
            tables["table"].append(
                head | {"assurance": mean, "mcse": mcse, "true_benefit": float(good.mean()), "success_and_benefit": both}
                | {"success_and_benefit_mcse": both_mcse, "strata": len(mine), "replicates": success.shape[1]}
            )  # fmt: skip
            for k, row in enumerate(mine):
                power, error = proportion(int(row["success"].sum()), row["success"].size)
                where = {"quantile": (k + 0.5) / len(mine), "slowing": row["effect"].slowing, "hazard_ratio": row["effect"].hazard_ratio}
                tables["strata"].append(head | where | {"power": power, "mcse": error})
            ends = np.stack([row["end"] for row in mine])
            for number, cause in enumerate(CAUSES):
                share, error = _mean(ends == number, shared)
                tables["causes"].append(head | {"cause": cause, "share": share, "mcse": error})
    return Assurance(**{name: pl.DataFrame(found) for name, found in tables.items()})


def _mean(hits: Bools, shared: bool) -> tuple[float, float]:
    """Mean over strata (rows) and replicates, and its Monte Carlo error; rows are independent of each other only where not shared."""
    strata, replicates = hits.shape
    floor = np.sqrt(0.5 / (replicates * strata + 1) / (replicates * strata))  # no hit does not claim an error of zero
    if shared:
        error = hits.mean(axis=0).std(ddof=1) / np.sqrt(replicates) if replicates > 1 else np.nan
    else:
        error = np.sqrt(sum(proportion(int(row.sum()), replicates)[1] ** 2 for row in hits)) / strata
    return float(hits.mean()), float(max(error, floor))
