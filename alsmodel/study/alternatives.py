"""Models that a study compares its own with: what the study file says of them, and the models that it makes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, final

from alsmodel.errors import Fault, InvalidInput
from alsmodel.models.domain import DomainModel
from alsmodel.models.spec import JointModel
from alsmodel.settings import decode
from alsmodel.settings.overlay import overlay
from alsmodel.settings.toml import Document, line_of

#: What says which scores and events a model is of.
_SAME = ("outcome", "transform", "upper", "time_unit", "events", "end_point", "event_days", "population", "delta_frs")


@final
@dataclass(frozen=True, kw_only=True)
class Alternative:
    """A model that differs from the study's own in what is said here.

    Attributes
    ----------
    name : str
        As printed.
    model : dict
        Settings of ``[model]`` that are others; sections are merged with those of the study's model, lists replaced, and a section of
        another ``kind`` keeps what that kind knows.
    """

    name: str
    model: dict[str, Any]

    def __post_init__(self) -> None:
        faults = []
        if not slug(self.name):
            faults.append(f"name must hold letters or digits; got {self.name!r}.")
        if not self.model:
            faults.append(f"alternative {self.name!r} changes nothing; give it a table model with what differs.")
        if faults:
            raise ValueError(" ".join(faults))


@final
@dataclass(frozen=True, kw_only=True)
class ModelComparison:
    """Other models that the study's own is compared with, by what they expect of participants whom they have not seen.

    Attributes
    ----------
    method : {"marginal", "kfold"}
        "marginal": one participant left out at a time by smoothed importance weights on the likelihood with random effects integrated
        out; one fit for each model. "kfold": refits without each fold of the participants, which cost as many fits as there are folds
        and need no weights.
    folds : int
        Of "kfold".
    draws : int
        Posterior draws that "marginal" takes, evenly.
    name : str
        What the study's own model is called beside the others.
    alternatives : tuple of Alternative
    """

    method: Literal["marginal", "kfold"] = "marginal"
    folds: int = 10
    draws: int = 1000
    name: str = "the study's model"
    alternatives: tuple[Alternative, ...] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        faults = []
        if not self.alternatives:
            faults.append("alternatives must name at least one other model; add [[compare.alternatives]].")
        if self.folds < 2:
            faults.append(f"folds must be at least 2; got {self.folds}.")
        if self.draws < 100:
            faults.append(f"draws must be at least 100, so that weights can be smoothed; got {self.draws}.")
        names = [self.name, *(each.name for each in self.alternatives)]
        for name in sorted({n for n in names if [slug(m) for m in names].count(slug(n)) > 1}):
            faults.append(f"two models are called {name!r}, or nearly so; their results could not be told apart.")
        if faults:
            raise ValueError(" ".join(faults))


def slug(name: str) -> str:
    """A model's name as the name of a folder."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def models_of(model: JointModel, plan: ModelComparison) -> dict[str, JointModel]:
    """Every model that is compared by name, the study's own first.

    Raises
    ------
    InvalidInput
        When an alternative is no model.
    """
    return {plan.name: model} | {each.name: _built(model, each) for each in plan.alternatives}


@final
@dataclass(frozen=True, kw_only=True)
class _OnlyModel:
    model: JointModel


def _built(base: JointModel, alternative: Alternative, where: str = "study", lines: Mapping[Any, int] | None = None) -> JointModel:
    merged = overlay(base, alternative.model)
    own = alternative.model.get("covariates", {})
    if "covariates" in merged and isinstance(own, Mapping):
        # How a covariate enters is said once for all models; those that this one has no use for would be refused.
        try:
            bare = decode(_OnlyModel, {"model": {**merged, "covariates": {}}}).model
        except InvalidInput:
            bare = None
        used = set(merged["covariates"]) if bare is None else {*bare.selection.covariates, *bare.groups, *own}
        merged["covariates"] = {name: entry for name, entry in merged["covariates"].items() if name in used}
    return decode(_OnlyModel, {"model": merged}, where=where, lines=lines).model


def alternative_faults(model: JointModel | DomainModel, plan: ModelComparison, document: Document) -> Iterator[Fault]:
    """Everything that keeps a study's models from being compared, at the line of the setting."""

    def at(*path: str | int) -> str:
        line = line_of(document.lines, ("compare", *path))
        return document.where if line is None else f"{document.where}:{line}"

    if isinstance(model, DomainModel):
        fault = 'compare: the models of several outcomes (model.kind = "domains") cannot be compared.'
        yield Fault(at(), fault, 'Leave [compare] out, or give a study of its own with model.kind = "joint".')
        return
    if model.population == "incident":
        fault = 'compare: scores and events come apart only for model.population = "enrolled"; this study has "incident".'
        yield Fault(at(), fault, "Leave [compare] out, or choose the other population.")
    known: dict[str, JointModel] = {plan.name: model}
    for k, each in enumerate(plan.alternatives):
        inside = ("compare", "alternatives", k)
        # What was not written in the file is of the alternative's own table.
        lines = {("model", *path[4:]): line for path, line in document.lines.items() if path[:4] == (*inside, "model")}
        lines[("model",)] = lines.get(("model",)) or line_of(document.lines, inside) or 1
        try:
            made = _built(model, each, document.where, lines)
        except InvalidInput as error:
            yield from (replace(fault, message=f"compare.alternatives[{k}], {each.name!r}: {fault.message}") for fault in error.faults)
            continue
        for name in (name for name in _SAME if getattr(made, name) != getattr(model, name)):
            fault = f"compare.alternatives[{k}].model.{name} may not differ: models are compared on the same scores and events."
            yield Fault(at("alternatives", k, "model", name), fault, "Give it a study of its own.")
        if [(c.name, c.events) for c in made.causes] != [(c.name, c.events) for c in model.causes]:
            fault = f"compare.alternatives[{k}].model.causes must have the same names and events: models are compared on the same events."
            yield Fault(at("alternatives", k, "model", "causes"), fault, "Give it a study of its own.")
        for name in (name for name, other in known.items() if other == made):
            fault = f"compare.alternatives[{k}], {each.name!r}, is the same model as {name!r}."
            yield Fault(at("alternatives", k), fault, "Change it or take it out.")
        known[each.name] = made


def differences(model: JointModel, other: JointModel, changes: Mapping[str, Any]) -> list[str]:
    """What another model does differently, in sentences; the settings changed, where words do not show it."""
    same = set(model.words())
    told = [sentence for sentence in other.words() if sentence not in same]
    return told or [f"{'.'.join(path)} = {value}" for path, value in _flat(changes, ())]


def differing(model: JointModel, plan: ModelComparison) -> dict[str, list[str]]:
    """`differences` of every other model from the study's own, by name."""
    models = models_of(model, plan)
    return {each.name: differences(model, models[each.name], each.model) for each in plan.alternatives}


def _flat(changes: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in changes.items():
        if isinstance(value, Mapping):
            yield from _flat(value, (*path, name))
        else:
            yield (*path, name), value
