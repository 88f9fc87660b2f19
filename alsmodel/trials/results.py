"""Operating characteristics: what a design does over many virtual trials, each figure with its Monte Carlo error."""

import html
import json
import os
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import ndtri, stdtrit

from alsmodel.settings import code_digest
from alsmodel.trials.trial import Trial

Floats = npt.NDArray[np.float64]

#: Fields of one record per virtual trial, scenario and analysis.
FIELDS = ("estimate", "standard_error", "df", "p_value", "benefit", "failed", "events", "true_value")

#: Rooms whose code decides the numbers.
CODE = ("alsmodel.trials", "alsmodel.estimators", "alsmodel.patients")

#: Columns of `OperatingCharacteristics.table`, with what each means.
COLUMNS = {
    "scenario": "effect and size",
    "n_per_arm": "randomised to control",
    "n_total": "randomised in all",
    "effect": "name of the treatment effect",
    "analysis": "name of the analysis",
    "replicates": "virtual trials, failed ones included",
    "failures": "virtual trials whose analysis gave no valid result; they count as no claim",
    "power": "share of all virtual trials with a claim (type I error where there is no effect)",
    "mcse": "Monte Carlo standard error of power, Jeffreys-smoothed",
    "benefit": "share of all virtual trials with a claim in favour of the active arm",
    "mean_estimate": "mean over the virtual trials with an estimate",
    "mean_se": "mean standard error over them",
    "empirical_sd": "standard deviation of the estimates",
    "true_value": "true value of the estimand; null where the analysis has none stated",
    "bias": "mean of estimate minus true value",
    "bias_mcse": "its Monte Carlo standard error",
    "coverage": "share of all virtual trials whose confidence interval holds the true value",
    "coverage_mcse": "its Monte Carlo standard error, Jeffreys-smoothed",
    "median_events": "median number of events, both arms",
}


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class OperatingCharacteristics:
    """What `simulate` found.

    Attributes
    ----------
    table : polars.DataFrame
        One row per scenario and analysis; columns as in `COLUMNS`.
    settings : dict
        Everything that was simulated, as plain values.
    provenance : dict
        Versions, code digest and stream address; no times and no paths, so that the same run saves the same bytes.
    """

    table: pl.DataFrame
    settings: dict[str, Any]
    provenance: dict[str, Any]

    def save(self, folder: Path | str) -> None:
        """Write the table (Parquet) and the rest (JSON) to `folder`, replacing what is there."""
        target = Path(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh, old = (target.with_name(f".{target.name}.{what}-{os.getpid()}") for what in ("new", "old"))
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh.mkdir()
        self.table.write_parquet(fresh / "operating_characteristics.parquet", compression="zstd")
        manifest = {"settings": self.settings, "provenance": self.provenance}
        text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        (fresh / "operating_characteristics.json").write_text(text, encoding="utf-8")
        if target.exists():
            target.rename(old)
        fresh.rename(target)
        shutil.rmtree(old, ignore_errors=True)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        FileNotFoundError
            When `folder` holds no operating characteristics.
        """
        source = Path(folder)
        manifest = json.loads((source / "operating_characteristics.json").read_text(encoding="utf-8"))
        table = pl.read_parquet(source / "operating_characteristics.parquet")
        return cls(table=table, settings=manifest["settings"], provenance=manifest["provenance"])

    def _shown(self) -> list[tuple[str, ...]]:
        heads = ("effect", "n per arm", "analysis", "power (MCSE)", "bias (MCSE)", "coverage", "failures")
        rows: list[tuple[str, ...]] = [heads]
        for row in self.table.iter_rows(named=True):
            bias = "–" if row["bias"] is None else f"{row['bias']:+.3f} ({row['bias_mcse']:.3f})"
            coverage = "–" if row["coverage"] is None else f"{row['coverage']:.3f}"
            power = f"{row['power']:.3f} ({row['mcse']:.3f})"
            failures = f"{row['failures']} of {row['replicates']}"
            rows.append((row["effect"], str(row["n_per_arm"]), row["analysis"], power, bias, coverage, failures))
        return rows

    def _caption(self) -> str:
        rule = self.settings["decision"]
        return f"{self.settings['name']}: {self.settings['replicates']} virtual trials, alpha {rule['alpha']} {rule['side']}"

    def __repr__(self) -> str:
        rows = self._shown()
        widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([self._caption(), *lines])

    def _repr_html_(self) -> str:
        head, *rows = self._shown()
        cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        caption = html.escape(self._caption())
        return f"<table><caption>{caption}</caption><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def proportion(hits: int, of: int) -> tuple[float, float]:
    """Share and its Monte Carlo standard error, smoothed so that no hit in 1000 does not claim an error of zero.

    .. math:: \\sqrt{\\tilde p (1 - \\tilde p) / R}, \\qquad \\tilde p = (hits + 1/2) / (R + 1)
    """
    smooth = (hits + 0.5) / (of + 1)
    return hits / of, float(np.sqrt(smooth * (1 - smooth) / of))


def summarise(trial: Trial, records: Floats) -> OperatingCharacteristics:
    """Turn records (effects, sizes, analyses, replicates, fields) into operating characteristics."""
    rows = []
    for e, effect in enumerate(trial.effects):
        for s, n in enumerate(trial.n_per_arm):
            for a, analysis in enumerate(trial.analyses):
                head = {
                    "scenario": f"{effect.name}, {n} per arm",
                    "n_per_arm": n,
                    "n_total": trial.design.randomised(n),
                    "effect": effect.name,
                    "analysis": analysis.label,
                }
                rows.append(head | _row(trial, dict(zip(FIELDS, records[e, s, a].T, strict=True))))
    kinds: dict[str, Any] = dict.fromkeys(COLUMNS, pl.Float64)
    kinds |= dict.fromkeys(("scenario", "effect", "analysis"), pl.String)
    kinds |= dict.fromkeys(("n_per_arm", "n_total", "replicates", "failures"), pl.Int64)
    return OperatingCharacteristics(table=pl.DataFrame(rows, schema=kinds), settings=trial.plain(), provenance=_provenance(trial))


def _row(trial: Trial, record: dict[str, Floats]) -> dict[str, Any]:
    total = record["estimate"].size
    benefit = record["benefit"] == 1
    claims = trial.decision.rejects(record["p_value"], benefit)
    power, mcse = proportion(int(claims.sum()), total)
    estimate = record["estimate"][np.isfinite(record["estimate"])]
    error = (record["estimate"] - record["true_value"])[np.isfinite(record["estimate"])]
    stated = bool(np.isfinite(record["true_value"]).all())
    level = 0.5 + 0.5 * trial.decision.interval
    with np.errstate(invalid="ignore"):
        reach = np.where(np.isinf(record["df"]), ndtri(level), stdtrit(record["df"], level)) * record["standard_error"]
        covered = np.abs(record["estimate"] - record["true_value"]) <= reach
    coverage, coverage_mcse = proportion(int(covered.sum()), total)
    return {
        "replicates": total,
        "failures": int((record["failed"] == 1).sum()),
        "power": power,
        "mcse": mcse,
        "benefit": float((claims & benefit).mean()),
        "mean_estimate": _mean(estimate),
        "mean_se": _mean(record["standard_error"][np.isfinite(record["standard_error"])]),
        "empirical_sd": float(estimate.std(ddof=1)) if estimate.size > 1 else None,
        "true_value": _mean(record["true_value"]) if stated else None,
        "bias": _mean(error) if stated else None,
        "bias_mcse": float(error.std(ddof=1) / np.sqrt(error.size)) if stated and error.size > 1 else None,
        "coverage": coverage if stated else None,
        "coverage_mcse": coverage_mcse if stated else None,
        "median_events": float(np.median(record["events"])),
    }


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if values.size else None


def _provenance(trial: Trial) -> dict[str, Any]:
    return {
        "alsmodel": version("alsmodel"),
        "python": ".".join(map(str, sys.version_info[:3])),
        "packages": {name: version(name) for name in ("numba", "numpy", "polars", "scipy")},
        "code_digest": code_digest(CODE),
        "seed": trial.seed,
        "population_words": list(trial.population_words()),
    }
