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

import polars as pl

from alsmodel.trials.functionals import unstated
from alsmodel.trials.tally import Tally, proportion
from alsmodel.trials.trial import Scenario, Trial

__all__ = ["CODE", "COLUMNS", "PACKAGES", "PAIRED_COLUMNS", "OperatingCharacteristics", "Tally", "collect", "proportion"]

#: Code that decides the records, and libraries beside the compilers.
CODE = (
    "alsmodel.trials", "alsmodel.estimators", "alsmodel.patients", "alsmodel.kernels.foresight", "alsmodel.clinical.prognosis",
    "alsmodel.clinical.units",
)  # fmt: skip
PACKAGES = ("numba", "numpy", "scipy")

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
    "adjusted_power": "share with a claim after adjustment for the family of hypotheses; null outside one",
    "adjusted_mcse": "its Monte Carlo standard error, Jeffreys-smoothed",
    "mean_estimate": "mean over the virtual trials with an estimate",
    "mean_se": "mean standard error over them",
    "empirical_sd": "standard deviation of the estimates",
    "true_value": "true value of the estimand; null where the analysis has none stated",
    "no_true_value": "why none is stated; null where one is",
    "true_value_mcse": "its Monte Carlo standard error over the twins; null from too few",
    "bias": "mean of estimate minus true value",
    "bias_mcse": "its Monte Carlo standard error",
    "coverage": "share of all virtual trials whose confidence interval holds the true value",
    "coverage_mcse": "its Monte Carlo standard error, Jeffreys-smoothed",
    "median_events": "median number of events, all arms",
    "rmse": "root of the mean squared error against the true value",
    "rmse_mcse": "its Monte Carlo standard error (delta method)",
    "mean_participants": "mean number randomised when the trial stopped",
    "participants_mcse": "its Monte Carlo standard error",
    "participants_p10": "number randomised that a tenth of the virtual trials does not exceed",
    "participants_p50": "that half of them does not exceed",
    "participants_p90": "that nine tenths of them do not exceed",
    "enlarged": "share of all virtual trials that re-estimation made larger than planned; null without it",
    "enlarged_mcse": "its Monte Carlo standard error, Jeffreys-smoothed",
    "at_most": "share of all virtual trials at the largest size allowed",
    "mean_screened": "mean number of candidates screened for them",
    "mean_duration": "mean calendar months to the data of the last analysis",
    "duration_mcse": "its Monte Carlo standard error",
    "stopped_efficacy": "share of all virtual trials stopped early with a claim",
    "stopped_futility": "share of all virtual trials stopped early without one",
    "records": "address of the records in the results folder",
}


def axes_of(table: pl.DataFrame) -> dict[str, str]:
    """Columns of a table of operating characteristics that are axes of its grid, with a short name each."""
    return {name: name.rpartition(".")[2] for name in table.columns if name not in COLUMNS}


def unstated_of(table: pl.DataFrame) -> dict[str, str]:
    """Analyses of a table of operating characteristics without a true value, with the reason."""
    if "no_true_value" not in table.columns:
        return {}
    rows = table.filter(pl.col("no_true_value").is_not_null()).unique("analysis", keep="first", maintain_order=True)
    return dict(rows.select("analysis", "no_true_value").iter_rows())


#: Columns of `OperatingCharacteristics.family`.
FAMILY_COLUMNS = {
    "scenario": "effect and size",
    "n_per_arm": "randomised to control",
    "effect": "name of the treatment effect",
    "procedure": "how the hypotheses share alpha",
    "hypotheses": "how many",
    "true_nulls": "how many of them compare arms that the effect leaves exchangeable",
    "at_least_one": "share of all virtual trials that reject at least one hypothesis (disjunctive power)",
    "at_least_one_mcse": "its Monte Carlo standard error, Jeffreys-smoothed",
    "all": "share that rejects all of them (conjunctive power)",
    "all_mcse": "its Monte Carlo standard error, Jeffreys-smoothed",
    "family_wise_error": "share that rejects at least one true null; null where there is none",
    "family_wise_error_mcse": "its Monte Carlo standard error, Jeffreys-smoothed",
    "mean_rejected": "mean number of hypotheses rejected",
    "mean_rejected_mcse": "its Monte Carlo standard error",
}

#: Columns of `OperatingCharacteristics.by_look`.
BY_LOOK_COLUMNS = {
    "scenario": "effect and size",
    "n_per_arm": "randomised to control",
    "effect": "name of the treatment effect",
    "hypothesis": "name of the analysis; at least one, and all of the family",
    "look": "from 1, the final analysis last",
    "rejected": "share of all virtual trials that reject it at this look",
    "rejected_mcse": "its Monte Carlo standard error, Jeffreys-smoothed",
    "by_then": "share that has rejected it by this look",
    "by_then_mcse": "its Monte Carlo standard error, Jeffreys-smoothed",
}

#: Columns of `OperatingCharacteristics.intercurrent`.
INTERCURRENT_COLUMNS = {
    "scenario": "effect and size",
    "n_per_arm": "randomised to control",
    "effect": "name of the treatment effect",
    "event": "name of the intercurrent event",
    "strategy": "strategy for it unless an analysis names another",
    "arm": "number of the arm, 0 for control",
    "mean_number": "mean number of participants of the arm who were seen to have it by the data of the last analysis",
    "number_mcse": "its Monte Carlo standard error",
    "share": "mean share of the arm's participants",
    "share_mcse": "its Monte Carlo standard error",
}

#: Columns of `OperatingCharacteristics.paired`.
PAIRED_COLUMNS = {
    "scenario": "effect and size",
    "analysis": "first analysis",
    "other": "second analysis",
    "difference": "power of the first minus power of the second, on the same virtual trials",
    "difference_mcse": "its Monte Carlo standard error, from the trials in which they disagree",
    "only_first": "share of virtual trials with a claim by the first alone",
    "only_second": "share of virtual trials with a claim by the second alone",
}


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class OperatingCharacteristics:
    """What `simulate` found.

    Attributes
    ----------
    table : polars.DataFrame
        One row per scenario and analysis; columns as in `COLUMNS`, and one per axis of the grid.
    paired : polars.DataFrame
        One row per scenario and pair of analyses; columns as in `PAIRED_COLUMNS`.
    family : polars.DataFrame
        One row per scenario when the hypotheses share alpha, else none; columns as in `FAMILY_COLUMNS`, and one per axis of the grid.
    by_look : polars.DataFrame
        One row per scenario, hypothesis and look when a family is tested at looks, else none; columns as in `BY_LOOK_COLUMNS`, and one
        per axis of the grid.
    intercurrent : polars.DataFrame
        One row per scenario, intercurrent event and arm; columns as in `INTERCURRENT_COLUMNS`, and one per axis of the grid.
    settings : dict
        Everything that was simulated, as plain values.
    provenance : dict
        Versions, code digest and stream address; no times and no paths, so that the same run saves the same bytes.
    """

    table: pl.DataFrame
    paired: pl.DataFrame
    family: pl.DataFrame
    by_look: pl.DataFrame
    intercurrent: pl.DataFrame
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
        self.paired.write_parquet(fresh / "paired.parquet", compression="zstd")
        self.family.write_parquet(fresh / "family.parquet", compression="zstd")
        self.by_look.write_parquet(fresh / "by_look.parquet", compression="zstd")
        self.intercurrent.write_parquet(fresh / "intercurrent.parquet", compression="zstd")
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
        rest = {name: pl.read_parquet(source / f"{name}.parquet") for name in ("paired", "family", "by_look", "intercurrent")}
        return cls(table=table, **rest, settings=manifest["settings"], provenance=manifest["provenance"])

    def _shown(self) -> list[tuple[str, ...]]:
        family = self.family.height > 0
        heads = ("effect", "n per arm", "analysis", "power (MCSE)", *["adjusted (MCSE)"] * family, "bias (MCSE)", "coverage", "failures")
        rows: list[tuple[str, ...]] = [heads]
        for row in self.table.iter_rows(named=True):
            bias = "–" if row["bias"] is None else f"{row['bias']:+.3f} ({row['bias_mcse']:.3f})"
            coverage = "–" if row["coverage"] is None else f"{row['coverage']:.3f}"
            power = [_share(row["power"], row["mcse"])] + [_share(row["adjusted_power"], row["adjusted_mcse"])] * family
            failures = f"{row['failures']} of {row['replicates']}"
            rows.append((row["effect"], str(row["n_per_arm"]), row["analysis"], *power, bias, coverage, failures))
        return rows

    def _caption(self) -> str:
        rule = self.settings["decision"]
        return f"{self.settings['name']}: {self.settings['replicates']} virtual trials, alpha {rule['alpha']} {rule['side']}"

    def __repr__(self) -> str:
        rows = self._shown()
        widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        more = (self._unstated_lines(), self._family_lines(), self._look_lines(), self._intercurrent_lines())
        return "\n".join([self._caption(), *lines, *(line for part in more for line in part)])

    def _unstated_lines(self) -> list[str]:
        """Why an analysis has no true value, a line each."""
        reasons = unstated_of(self.table)
        return [f"{analysis} has no true value: {reason}" for analysis, reason in reasons.items()]

    def _family_lines(self) -> list[str]:
        """What the family of hypotheses does, a line per scenario."""
        return [
            f"{row['scenario']}, {row['procedure']}: at least one {_share(row['at_least_one'], row['at_least_one_mcse'])}, "
            f"all {_share(row['all'], row['all_mcse'])}, "
            f"family-wise error {_share(row['family_wise_error'], row['family_wise_error_mcse'])}"
            for row in self.family.iter_rows(named=True)
        ]

    def _look_lines(self) -> list[str]:
        """Which hypothesis is rejected by when, a line per scenario and hypothesis."""
        lines = []
        for (scenario, name), rows in self.by_look.group_by("scenario", "hypothesis", maintain_order=True):
            shares = ", ".join(f"{_share(row['by_then'], row['by_then_mcse'])} by look {row['look']}" for row in rows.iter_rows(named=True))
            lines.append(f"{scenario}, {name}: {shares}")
        return lines

    def _intercurrent_lines(self) -> list[str]:
        """How many had each intercurrent event, a line per scenario and event."""
        lines = []
        for (scenario, event), rows in self.intercurrent.group_by("scenario", "event", maintain_order=True):
            shares = ", ".join(
                f"{row['share']:.1%} of {_arm(row['arm'])}" for row in rows.iter_rows(named=True) if row["share"] is not None
            )
            lines.append(f"{scenario}, {event} ({rows['strategy'][0]}): {shares}")
        return lines

    def _repr_html_(self) -> str:
        head, *rows = self._shown()
        cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        caption = html.escape(self._caption())
        return f"<table><caption>{caption}</caption><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _arm(number: int) -> str:
    return "control" if number == 0 else f"arm {number}"


def _share(value: float | None, mcse: float | None) -> str:
    return "–" if value is None else f"{value:.3f} ({mcse:.3f})"


def collect(trial: Trial, tallies: list[tuple[Scenario, str, Tally]], code: str) -> OperatingCharacteristics:
    """Turn the tallies of all scenarios, with the address of their records, into operating characteristics."""
    rows, pairs, families, looks, happened = [], [], [], [], []
    why = {analysis.label: unstated(analysis) or None for analysis in trial.analyses}
    for scenario, digest, tally in tallies:
        head = {
            "scenario": scenario.name,
            "n_per_arm": scenario.n_per_arm,
            "n_total": scenario.participants,
            "effect": scenario.effect.name,
        }
        at = {path: value if isinstance(value, bool | int | float | str) else str(value) for path, value in scenario.at}
        rows += [head | {"analysis": label, "no_true_value": why[label]} | row | {"records": digest} | at for label, row in tally.rows()]
        pairs += [{"scenario": scenario.name, **pair} for pair in tally.pairs()]
        whole = tally.family.row()
        families += [] if whole is None else [head | whole | at]
        looks += [head | row | at for row in tally.family.by_look.rows()]
        happened += [head | row | at for row in tally.happened.rows()]
    kinds: dict[str, Any] = dict.fromkeys(COLUMNS, pl.Float64)
    kinds |= dict.fromkeys(("scenario", "effect", "analysis", "no_true_value", "records"), pl.String)
    kinds |= dict.fromkeys(("n_per_arm", "n_total", "replicates", "failures"), pl.Int64)
    axes = {path: [row[path] for row in rows] for path in trial.axes}
    table = pl.DataFrame([{name: row[name] for name in COLUMNS} for row in rows], schema=kinds)
    table = table.with_columns(pl.Series(path, values, strict=False) for path, values in axes.items())
    family = _grid(families, FAMILY_COLUMNS, _FAMILY_KINDS, trial)
    paired: dict[str, Any] = dict.fromkeys(PAIRED_COLUMNS, pl.Float64) | dict.fromkeys(("scenario", "analysis", "other"), pl.String)
    return OperatingCharacteristics(
        table=table,
        paired=pl.DataFrame(pairs, schema=paired),
        family=family,
        by_look=_grid(looks, BY_LOOK_COLUMNS, _BY_LOOK_KINDS, trial),
        intercurrent=_grid(happened, INTERCURRENT_COLUMNS, _INTERCURRENT_KINDS, trial),
        settings=trial.plain(),
        provenance=_provenance(trial, code),
    )


def _grid(rows: list[dict[str, Any]], columns: dict[str, str], kinds: dict[str, Any], trial: Trial) -> pl.DataFrame:
    """A table of a grid with the columns that are documented, and one per axis."""
    frame = pl.DataFrame([{name: row[name] for name in columns} for row in rows], schema=kinds)
    return frame.with_columns(pl.Series(path, [row[path] for row in rows], strict=False) for path in trial.axes)


_FAMILY_KINDS: dict[str, Any] = (
    dict.fromkeys(FAMILY_COLUMNS, pl.Float64)
    | dict.fromkeys(("scenario", "effect", "procedure"), pl.String)
    | dict.fromkeys(("n_per_arm", "hypotheses", "true_nulls"), pl.Int64)
)

_BY_LOOK_KINDS: dict[str, Any] = (
    dict.fromkeys(BY_LOOK_COLUMNS, pl.Float64)
    | dict.fromkeys(("scenario", "effect", "hypothesis"), pl.String)
    | dict.fromkeys(("n_per_arm", "look"), pl.Int64)
)

_INTERCURRENT_KINDS: dict[str, Any] = (
    dict.fromkeys(INTERCURRENT_COLUMNS, pl.Float64)
    | dict.fromkeys(("scenario", "effect", "event", "strategy"), pl.String)
    | dict.fromkeys(("n_per_arm", "arm"), pl.Int64)
)


def _provenance(trial: Trial, code: str) -> dict[str, Any]:
    return {
        "alsmodel": version("alsmodel"),
        "python": ".".join(map(str, sys.version_info[:3])),
        "packages": {name: version(name) for name in ("numba", "numpy", "polars", "scipy")},
        "code_digest": code,
        "seed": trial.seed,
        "population_words": list(trial.population_words()),
    }
