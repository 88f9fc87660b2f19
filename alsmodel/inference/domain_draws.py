"""Draws of a model of several outcomes by printed name, what each is called, its unit, and the summary table."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.inference.checks import Diagnostics
from alsmodel.inference.summary import COLUMNS, block_texts, lkj_text, prior_reasons, summary_rows
from alsmodel.kernels.correlations import partial_factor
from alsmodel.models.domain import DomainModel, Outcome
from alsmodel.models.domain_parameters import effect_names
from alsmodel.models.domain_program import DomainProgram
from alsmodel.models.domain_words import outcome_words

Floats = NDArray[np.float64]


def named_domain_draws(spec: DomainModel, made: DomainProgram, x: Floats) -> dict[str, Floats]:
    """Draws by printed name: parameters, correlations, ratios of slopes."""
    values = made.constrained(x)
    draws = {name: values[..., k] for k, name in enumerate(made.labels) if not name.startswith(("partial:", "z:"))}
    if spec.student:
        draws["df"] = np.exp(draws["log_df"])
    effects = effect_names(spec)
    flat = values.reshape(-1, values.shape[-1])
    factors = np.array([partial_factor(2.0 * row[made.places.partials] - 1.0, len(effects)) for row in flat])
    matrices = factors @ factors.transpose(0, 2, 1)
    for i in range(len(effects)):
        for j in range(i):
            draws[f"corr:{effects[j]},{effects[i]}"] = matrices[:, i, j].reshape(values.shape[:-1])
    drug = spec.treatment
    if drug is not None:
        where = {name: k for k, name in enumerate(made.labels)}
        for outcome in spec.names:
            log_ratio = draws.get(f"theta:{drug.name}", np.zeros(values.shape[:-1]))
            if drug.across == "pooled":
                log_ratio = log_ratio + draws[f"sd:theta:{drug.name}"] * values[..., where[f"z:{drug.name},{outcome}"]]
            elif drug.across == "separate":
                log_ratio = draws[f"theta:{drug.name},{outcome}"]
            if drug.across != "common":
                draws[f"slope ratio:{drug.name},{outcome}"] = np.exp(log_ratio)
        if drug.across != "separate":
            draws[f"slope ratio:{drug.name}"] = np.exp(draws[f"theta:{drug.name}"])
    return draws


def summarise_domains(
    spec: DomainModel, made: DomainProgram, draws: dict[str, Floats], measured: Diagnostics, weight: Floats | None = None
) -> pl.DataFrame:
    """One row per parameter and derived value; `weight` (summing to one) weights the draws."""
    effects, eta = effect_names(spec), spec.priors.correlation
    pairs = [f"corr:{effects[j]},{effects[i]}" for i in range(len(effects)) for j in range(i)]
    priors = block_texts(made) | dict.fromkeys(pairs, lkj_text(eta, len(effects)))
    reasons = prior_reasons(made)
    rows = [
        row | {"label": label_of(name, spec), "unit": unit_of(name, spec), "reason": reasons.get(name, "")}
        for name, row in zip(draws, summary_rows(draws, list(draws), measured, priors, weight), strict=True)
    ]
    return pl.DataFrame(rows).select(COLUMNS)


_PLAIN = {"df": "Degrees of freedom of the residuals", "log_df": "Log degrees of freedom of the residuals"}


def label_of(name: str, spec: DomainModel) -> str:
    """A parameter in words."""
    kind, _, rest = name.partition(":")
    drug = spec.treatment
    if name in _PLAIN:
        return _PLAIN[name]
    if kind == "corr":
        return f"Correlation of {' and '.join(_effect(one, spec) for one in rest.split(','))}"
    if kind == "association":
        return f"Log hazard per unit of the current {rest} of what enters it"
    if name.startswith("log_hazard["):
        return f"Log baseline hazard, piece {name[11:-1]}"
    if kind == "hazard":
        return f"{rest}: direct log hazard ratio" if drug is not None and rest == drug.name else f"{rest} on log hazard"
    if name.startswith("sd:theta:"):
        return f"{name[9:]}: SD of log ratios between outcomes"
    if kind in ("theta", "slope ratio"):
        who, _, outcome = rest.partition(",") if drug is None or rest != drug.name else (rest, "", "")
        what = "log ratio of slopes" if kind == "theta" else "ratio of slopes"
        return f"{who}: {what}{f', {_called(outcome, spec)}' if outcome else ''}"
    return _line_label(name, spec)


def _line_label(name: str, spec: DomainModel) -> str:
    """A parameter of an outcome's lines or noise."""
    plain = name.removeprefix("sd:")
    outcome = next(o for o in spec.outcomes if plain.startswith(f"{o.name}."))
    part, _, term = plain.removeprefix(f"{outcome.name}.").partition(":")
    called = outcome_words(outcome)
    called = called[:1].upper() + called[1:]
    if name.startswith("sd:"):
        part, _, arm = part.partition("[")
        words = {"intercept": "SD between participants at time zero", "slope": "SD between participants, slope", "residual": "residual SD"}
        return f"{called}: {words[part]}{f', {arm[:-1]}' if arm else ''}"
    words = {"intercept": "mean at time zero", "slope": "mean slope"}
    return f"{called}: {f'{term} on ' if term else ''}{words[part]}"


def _called(outcome: str, spec: DomainModel) -> str:
    return next(outcome_words(o) for o in spec.outcomes if o.name == outcome)


def _effect(effect: str, spec: DomainModel) -> str:
    outcome, _, part = effect.rpartition(".")
    return f"{_called(outcome, spec)} {'level' if part == 'intercept' else part}"


def outcome_unit(outcome: Outcome) -> str:
    """Unit of an outcome as it is modelled."""
    if outcome.transform == "log":
        return "log units"
    if outcome.name.endswith("_percent"):
        return "%"
    return "points" if outcome.bounds != (None, None) else "outcome units"


def unit_of(name: str, spec: DomainModel) -> str:
    """Unit of a parameter of this model, time in its own unit."""
    t = spec.time_unit
    if name.startswith(("corr:", "z:")):
        return ""
    if name.startswith(("theta", "hazard", "sd:theta")):
        return "log ratio"
    if name.startswith("slope ratio"):
        return "ratio"
    if name.startswith("log_hazard"):
        return f"log of events per {t}"
    if name == "association:value":
        return "log hazard per unit of the projection"
    if name == "association:slope":
        return f"log hazard per unit of the projection per {t}"
    if name in ("df", "log_df"):
        return ""
    outcome = next(o for o in spec.outcomes if name.removeprefix("sd:").startswith(f"{o.name}."))
    y = outcome_unit(outcome)
    return f"{y}/{t}" if name.removeprefix(f"sd:{outcome.name}.").removeprefix(f"{outcome.name}.").startswith("slope") else y
