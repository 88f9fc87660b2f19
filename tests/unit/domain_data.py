"""From literal participants to the arrays that `fit_domain_data` takes, and a truth to the vector of its parameters."""

from typing import Any

import numpy as np
import polars as pl

from alsmodel.cohort.arrays import JointData
from alsmodel.cohort.outcome_arrays import OutcomeData
from alsmodel.models.domain import DomainModel
from alsmodel.models.domain_parameters import effect_names
from alsmodel.models.domain_program import DomainProgram


def outcome_arrays(people: list[dict[str, Any]], names: tuple[str, ...]) -> OutcomeData:
    """Arrays of literal participants; the covariate is called x."""
    rows = [(i, o, t, y) for i, person in enumerate(people) for o, t, y in sorted(person["rows"])]
    person, outcome = np.array([r[0] for r in rows], np.int64), np.array([r[1] for r in rows], np.int64)
    time, value = np.array([r[2] for r in rows]), np.array([r[3] for r in rows])
    first = outcome == 0
    none, nothing, n = np.zeros(0, np.int64), np.zeros(0), len(people)
    base = JointData(
        participant_ids=tuple(f"L{i:04d}" for i in range(n)), time_unit="month", outcome_name=names[0], transform="identity", upper=None,
        visit_person=person[first], visit_time=time[first], outcome=value[first], entry_time=np.zeros(n),
        event_time=np.array([p["end"] for p in people]), event=np.array([float(p["event"]) for p in people]), onset_shift=np.zeros(n),
        columns={"x": np.array([p["x"] for p in people])}, missing={}, terms={"x": ("x",)}, groups={},
        exposure_person=none, exposure_drug=none, exposure_start=nothing, exposure_stop=nothing, exposures=(), steps=pl.DataFrame(),
    )  # fmt: skip
    return OutcomeData(base=base, names=names, row_person=person, row_outcome=outcome, row_time=time, row_value=value)


def named_truth(truth: dict[str, Any], spec: DomainModel) -> dict[str, float]:
    """A literal truth by printed name."""
    out: dict[str, float] = {}
    sd = np.sqrt(np.diag(truth["covariance"]))
    corr = truth["covariance"] / np.outer(sd, sd)
    effects = effect_names(spec)
    for k, name in enumerate(spec.names):
        out |= {f"{name}.intercept": truth["start"][k], f"{name}.slope": truth["slope"][k], f"sd:{name}.residual": truth["sigma"][k]}
        if "x" in spec.outcomes[k].intercept:
            out[f"{name}.intercept:x"] = truth["start_x"][k]
        if "x" in spec.outcomes[k].slope:
            out[f"{name}.slope:x"] = truth["slope_x"][k]
    out |= {f"sd:{effect}": sd[i] for i, effect in enumerate(effects)}
    out |= {f"corr:{effects[j]},{effects[i]}": corr[i, j] for i in range(len(effects)) for j in range(i)}
    out |= {f"log_hazard[{k + 1}]": value for k, value in enumerate(truth["log_hazard"])}
    for k, kind in enumerate(("value", "slope")):
        if kind in spec.association:
            out[f"association:{kind}"] = truth["alpha"][k]
    if "x" in spec.hazard:
        out["hazard:x"] = truth["hazard_x"]
    if truth["df"]:
        out |= {"log_df": np.log(truth["df"]), "df": truth["df"]}
    return {name: float(value) for name, value in out.items()}


def unconstrained(made: DomainProgram, values: dict[str, float], spec: DomainModel) -> np.ndarray:
    """The vector at which the program stands for a truth."""
    effects = effect_names(spec)
    corr = np.eye(len(effects))
    for i in range(len(effects)):
        for j in range(i):
            corr[i, j] = corr[j, i] = values[f"corr:{effects[j]},{effects[i]}"]
    factor, partials = np.linalg.cholesky(corr), {}
    for i in range(len(effects)):
        left = 1.0
        for j in range(i):
            z = factor[i, j] / left
            partials[f"partial:{effects[j]},{effects[i]}"] = (z + 1) / 2
            left *= np.sqrt(1 - z * z)
    out = []
    for block in made.blocks:
        for label in block.labels:
            value = partials[label] if label.startswith("partial:") else values[label]
            if block.kind == "half-normal":
                value = np.log(value)
            elif block.kind == "beta":
                value = np.log(value) - np.log1p(-value)
            out.append(value)
    return np.array(out)
