"""Posterior draws by printed name, derived quantities, and the summary table."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.estimators.psis import weighted_quantile
from alsmodel.inference.checks import Diagnostics
from alsmodel.models.bends import correlations
from alsmodel.models.causes import suffixes
from alsmodel.models.class_words import class_label, class_unit
from alsmodel.models.classes import class_design, class_labels, class_odds
from alsmodel.models.effects import exposed
from alsmodel.models.evaluation import AbstractProgram
from alsmodel.models.program import Program
from alsmodel.models.spec import JointModel

Floats = NDArray[np.float64]
COLUMNS = (
    "parameter", "label", "unit", "mean", "sd", "q2_5", "median", "q97_5", "r_hat", "ess_bulk", "ess_tail", "prior", "prior_sd", "reason",
    "informed",
)  # fmt: skip
INFORMED = 0.9  # posterior SD over prior SD above which the data are said not to inform a parameter


def named_draws(spec: JointModel, data: JointData, made: Program, x: Floats) -> dict[str, Floats]:
    """Draws of shape (chains, draws) by printed name: parameters, correlations, and what treatments amount to."""
    values = made.constrained(x)
    plain = {label: values[..., k] for k, label in enumerate(made.labels)}
    draws = {label: value for label, value in plain.items() if not label.startswith("partial:")}
    draws |= correlations({label: 2 * value - 1 for label, value in plain.items() if label.startswith("partial:")})
    draws |= made.derived_values(values)
    if spec.decline.kind == "sigmoid":
        return draws | _sigmoid_values(spec, data, draws)
    return draws | _treatment_effects(spec, data, draws) | _class_values(spec, data, draws)


def mean_slope(spec: JointModel, data: JointData, draws: dict[str, Floats]) -> Floats:
    """Population mean slope at the mean of the covariates, without treatment."""
    names, design = data.design(spec.slope)
    over = slope_over_classes(spec, data, draws)
    return over + sum((draws[f"slope:{n}"] * m for n, m in zip(names, design.mean(axis=0), strict=True)), start=0.0)


def slope_over_classes(spec: JointModel, data: JointData, draws: dict[str, Floats]) -> Floats:
    """Population mean slope with all covariates of the slope at zero: the mean over the latent classes, where there are any."""
    if spec.classes is None or spec.classes.number == 1:
        return draws["slope"]
    behind = np.cumsum([np.zeros_like(draws["slope"]), *(np.exp(draws[name]) for name in class_labels(spec, "log_step"))], axis=0)
    return np.asarray(draws["slope"] + (class_shares(spec, data, draws) * behind).sum(axis=0))


def _sigmoid_values(spec: JointModel, data: JointData, draws: dict[str, Floats]) -> dict[str, Floats]:
    """Median D50 and dx at the mean of the covariates, and the rate of the disease clock under each drug that acts on it."""
    out: dict[str, Floats] = {}
    for part, name in (("intercept", "d50"), ("slope", "dx")):
        stem = spec.stem(part)
        columns, design = data.design(getattr(spec, part))
        out[name] = np.exp(draws[stem] + sum(draws[f"{stem}:{c}"] * m for c, m in zip(columns, design.mean(axis=0), strict=True)))
    acting = (one.theta for one in exposed(spec, data).acting if one.theta)
    return out | {f"clock ratio:{theta.removeprefix('theta:')}": np.exp(draws[theta]) for theta in acting}


def _treatment_effects(spec: JointModel, data: JointData, draws: dict[str, Floats]) -> dict[str, Floats]:
    """Ratio of slopes, and the same in outcome units per time unit, of each drug on the disease clock; ratio for an additive one."""
    out: dict[str, Floats] = {}
    base = mean_slope(spec, data, draws)
    for one in exposed(spec, data).acting:
        if one.theta:
            name = one.theta.removeprefix("theta:")
            ratio = np.exp(draws[one.theta])
            out[f"slope ratio:{name}"] = ratio
            out[f"slope difference:{name}"] = base * (ratio - 1)
        elif one.additive:
            out[f"slope ratio:{one.additive.removeprefix('slope:')}"] = 1 + draws[one.additive] / base
    return out


def _class_values(spec: JointModel, data: JointData, draws: dict[str, Floats]) -> dict[str, Floats]:
    """Mean at time zero and slope of each latent class but the first, whose they are as they stand; and the share of each."""
    out: dict[str, Floats] = {}
    if spec.classes is None or spec.classes.number == 1:
        return out
    slope = draws["slope"]
    for k in range(2, spec.classes.number + 1):
        slope = slope + np.exp(draws[f"class:log_step[{k}]"])
        out[f"class intercept[{k}]"] = draws["intercept"] + draws[f"class:intercept[{k}]"]
        out[f"class slope[{k}]"] = slope
    for k, share in enumerate(class_shares(spec, data, draws), start=1):
        out[f"class share[{k}]"] = share
    return out


def class_shares(spec: JointModel, data: JointData, draws: dict[str, Floats]) -> Floats:
    """Share of each class in a population like the one fitted, before anything is observed, shape (K, ...)."""
    design = class_design(spec, data)[1]
    rows, counts = np.unique(design, axis=0, return_counts=True)
    total: Any = 0.0
    for row, count in zip(rows, counts, strict=True):
        odds = [np.zeros_like(draws["slope"])]
        for names in class_odds(spec, data):
            odds.append(draws[names[0]] + sum((draws[name] * x for name, x in zip(names[1:], row, strict=True)), start=0.0))
        logs = np.array(odds)
        total = total + count / design.shape[0] * np.exp(logs - np.logaddexp.reduce(logs, axis=0))
    return np.asarray(total)


def summarise(
    spec: JointModel,
    draws: dict[str, Floats],
    names: list[str],
    measured: Diagnostics,
    priors: dict[str, tuple[str, float]],
    reasons: dict[str, str] | None = None,
    weight: Floats | None = None,
) -> pl.DataFrame:
    """One row per parameter and derived value; `reasons` says why each prior is what it is, `weight` (summing to one) weights the draws."""
    rows = [
        row | {"label": label_of(name, spec), "unit": unit_of(name, spec), "reason": (reasons or {}).get(name, "")}
        for name, row in zip(names, summary_rows(draws, names, measured, priors, weight), strict=True)
    ]
    return pl.DataFrame(rows).select(COLUMNS)


def summary_rows(
    draws: dict[str, Floats],
    names: list[str],
    measured: Diagnostics,
    priors: dict[str, tuple[str, float]],
    weight: Floats | None = None,
) -> list[dict[str, Any]]:
    """Moments, quantiles, diagnostics and prior of each of `names`, whatever the model."""
    rows: list[dict[str, Any]] = []
    for k, name in enumerate(names):
        mean, sd, quantiles = _moments(draws[name].ravel(), weight)
        text, prior_sd = priors.get(name, ("", float("nan")))
        rows.append(
            {
                "parameter": name,
                "mean": mean,
                "sd": sd,
                "q2_5": float(quantiles[0]),
                "median": float(quantiles[1]),
                "q97_5": float(quantiles[2]),
                "r_hat": float(measured.r_hat[k]),
                "ess_bulk": float(measured.ess_bulk[k]),
                "ess_tail": float(measured.ess_tail[k]),
                "prior": text,
                "prior_sd": prior_sd,
                "informed": not sd > INFORMED * prior_sd,
            }
        )
    return rows


def summary_html(summary: pl.DataFrame) -> str:
    """A summary as a plain table for notebooks."""
    columns = ["parameter", "unit", "mean", "sd", "q2_5", "q97_5", "r_hat", "ess_bulk"]
    head = "".join(f"<th>{name}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{v:.4g}</td>" if isinstance(v, float) else f"<td>{v}</td>" for v in row) + "</tr>"
        for row in summary.select(columns).iter_rows()
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def prior_reasons(made: AbstractProgram) -> dict[str, str]:
    """Why each parameter's prior is what it is; that of correlations stands with their partial ones."""
    found = {label: block.reason for block in made.blocks for label in block.labels}
    return found | {label.replace("partial:", "corr:"): reason for label, reason in found.items() if label.startswith("partial:")}


def _moments(value: Floats, weight: Floats | None) -> tuple[float, float, Floats]:
    """Mean, SD, and the 2.5%, 50% and 97.5% quantiles."""
    at = np.array([0.025, 0.5, 0.975])
    if weight is None:
        return float(value.mean()), float(value.std(ddof=1)), np.quantile(value, at)
    mean = float(weight @ value)
    return mean, float(np.sqrt(weight @ np.square(value - mean))), weighted_quantile(value, weight, at)


def prior_texts(spec: JointModel, made: Program) -> dict[str, tuple[str, float]]:
    """Prior of each parameter as text, and its SD on the parameter's own scale."""
    lkj = lkj_text(spec.priors.correlation, len(spec.effects))
    pairs = (label for label in made.labels if label.startswith("partial:"))
    return block_texts(made) | {label.replace("partial:", "corr:"): lkj for label in pairs}


def block_texts(made: AbstractProgram) -> dict[str, tuple[str, float]]:
    """Normal and half-normal priors as text, and their SD."""
    out = {}
    for block in made.blocks:
        for k, label in enumerate(block.labels):
            if block.kind != "beta":
                sd = block.b[k] if block.kind == "normal" else block.b[k] * np.sqrt(1 - 2 / np.pi)
                out[label] = (block.text(k), float(sd))
    return out


def lkj_text(shape: float, random: int) -> tuple[str, float]:
    """Prior of a correlation of `random` effects as text, and its SD: a beta on (-1, 1) with both shapes `shape` + (q - 2) / 2."""
    words = f"LKJ({shape:g})" + (", uniform over correlation matrices" if shape == 1 else "")
    return words, float(1 / np.sqrt(2 * (shape + (random - 2) / 2) + 1))


_PARTS = {"intercept": "mean at time zero", "slope": "mean slope", "hazard": "log hazard", "log_d50": "log D50", "log_dx": "log dx"}
_SIGMOID = {
    "log_d50": "Mean log D50",
    "log_dx": "Mean log dx",
    "d50": "Median D50, half of the score gone",
    "dx": "Median dx, time constant of the loss",
    "sd:log_d50": "SD between participants, log D50",
    "sd:log_dx": "SD between participants, log dx",
    "corr:log_d50,log_dx": "Correlation of log D50 and log dx",
}


def label_of(name: str, spec: JointModel) -> str:
    """A parameter in words."""
    plain, _, of_cause = name.partition("@")
    if of_cause and f"@{of_cause}" in suffixes(spec):
        return f"{label_of(plain, spec)}, {of_cause}"
    if name.startswith("class"):
        return class_label(name)
    first = f", class 1 of {spec.classes.number}" if spec.classes is not None and spec.classes.number > 1 else ""
    part, _, rest = name.partition(":")
    drugs = {drug.name: drug for drug in spec.treatments}
    if name in _SIGMOID:
        return _SIGMOID[name]
    if name in ("intercept", "slope", "quadratic"):
        return {"intercept": "Mean at time zero", "slope": "Mean slope", "quadratic": "Mean quadratic coefficient"}[name] + first
    if name.startswith("quadratic["):
        return f"Mean quadratic coefficient at knot {name[10:-1]}"
    base, _, of = rest.partition("[")
    if part == "hazard" and base in drugs and drugs[base].hazard_periods:
        return f"{base}: direct log hazard ratio, period {of.rstrip(']')}"
    if part in _PARTS and base in drugs and (rest in drugs or drugs[base].by is not None):
        return f"{rest}: direct log hazard ratio" if part == "hazard" else f"{rest}: added to the slope"
    if part in _PARTS:
        attenuated = " (attenuated: made of the baseline score)" if rest == "delta_frs" and spec.delta_frs == "attenuated" else ""
        return f"{rest} on {_PARTS[part]}{attenuated}"
    words = {
        "theta": f"{rest}: log ratio of {'the disease clock' if spec.decline.kind == 'sigmoid' else 'slopes'}",
        "psi": f"{rest}: log ratio of the participant's own clock",
        "slope ratio": f"{rest}: ratio of slopes",
        "clock ratio": f"{rest}: rate of the disease clock",
        "slope difference": f"{rest}: change in slope",
        "sd": f"Residual SD{f', {of.removesuffix(chr(93))}' if of else ''}" if base == "residual" else f"SD between participants, {rest}",
        "corr": f"Correlation of {rest.replace(',', ' and ')}",
        "association": _association_label(rest),
        "imputed": f"Imputed {rest}",
    }
    if part in words:
        return words[part]
    if name.startswith("log_hazard["):
        piece, _, stratum = name[11:].partition("]|")
        return f"Log baseline hazard, piece {piece.rstrip(']')}{f', {stratum}' if stratum else ''}"
    return _more_labels(name)


def _association_label(rest: str) -> str:
    """An association, of which `rest` says what it goes through and of which group."""
    if rest.startswith("shared:"):
        return f"Log hazard per unit of the participant's own {rest.removeprefix('shared:')}"
    base, _, of = rest.partition("[")
    through = "mean since time zero" if base == "area" else f"current {base}"
    return f"Log hazard per unit of the {through}{f', {of.removesuffix(chr(93))}' if of else ''}"


def _more_labels(name: str) -> str:
    """Baseline hazards other than pieces, and groups."""
    kind, _, rest = name.partition(":")
    base, _, stratum = name.partition("|")
    within = f", {stratum}" if stratum else ""
    if base in ("log_level", "log_shape"):
        return {"log_level": "Log baseline hazard, level", "log_shape": "Weibull log shape"}[base] + within
    if base.startswith("log_slope["):
        return f"Log slope of log cumulative baseline hazard in log time, {base[10:-1]}{within}"
    if base.startswith(("log_weight[", "z:")):
        words = "Log weight of baseline spline" if base.startswith("log_weight[") else "Standardised deviation"
        return f"{words} {base.partition(':')[2] or base[10:]}{within}"
    if kind == "group_sd":
        return f"SD between groups, {rest.replace(':', ' of ').replace('_', ' ')}"
    return name


def unit_of(name: str, spec: JointModel) -> str:
    """Unit of a parameter, time in the study's own unit."""
    if "@" in name and name.endswith(suffixes(spec)):
        name = name.partition("@")[0]
    part, _, rest = name.partition(":")
    t = spec.time_unit
    y = {"identity": "points" if spec.outcome.startswith("alsfrs") else "outcome units", "log": "log units", "logit": "logits"}[
        spec.transform
    ]
    if name.startswith("class"):
        return class_unit(name, y, t)
    if name.partition("[")[0] in ("quadratic", "sd:quadratic"):
        return f"{y}/{t}²"
    if part == "group_sd":
        return unit_of(rest, spec) if rest.startswith(("intercept", "slope", "theta", "hazard", "association")) else "log ratio"
    if part in ("slope", "slope difference") or name == "sd:slope":
        return f"{y}/{t}"
    if part == "intercept" or name.partition("[")[0] in ("sd:intercept", "sd:residual"):
        return y
    if part == "association":
        if rest.startswith("shared:quadratic"):
            return f"log hazard per {y}/{t}²"
        return f"log hazard per {y}/{t}" if rest.partition("[")[0] in ("slope", "shared:slope") else f"log hazard per {y}"
    if part in ("hazard", "theta", "psi"):
        return "log ratio"
    if name.startswith(("log_hazard", "log_level")):
        return f"log of events per {t}"
    if name in ("d50", "dx"):
        return f"{t}s"
    if part in ("log_d50", "log_dx") or name.startswith("sd:log_d"):
        return f"log {t}s" if part in ("log_d50", "log_dx") and not rest else "log ratio"
    return "ratio" if part in ("slope ratio", "clock ratio") else ""
