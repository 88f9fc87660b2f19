"""The fit of a study, whichever model it is of: one outcome or several."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from alsmodel.models.domain import DomainModel
from alsmodel.models.spec import JointModel
from alsmodel.study.spec import Study

if TYPE_CHECKING:
    from alsmodel.cohort import Cohort
    from alsmodel.cohort.arrays import JointData
    from alsmodel.inference import DomainFit, Fit

    type AnyFit = Fit | DomainFit


def fitted_model(study: Study, cohort: "Cohort", progress: Callable[[float, float], None] | None = None) -> "AnyFit":
    """Fit the study's model to a cohort by the method that it asks for.

    Raises
    ------
    InvalidInput
        When the cohort lacks what the model asks for.
    FitFailed
        When no mode is found or the sampler returns nothing finite.
    """
    from alsmodel import inference

    model, plan = study.model, study.fit
    if isinstance(model, DomainModel):
        return inference.fit_domains(model, cohort, study.sampling, method=plan.method, seed=study.seed, progress=progress)
    return inference.fit(model, cohort, study.sampling, method=plan.method, seed=study.seed, progress=progress)


def load_fit(folder: Path) -> "AnyFit":
    """Read a saved fit."""
    from alsmodel import inference

    return inference.DomainFit.load(folder) if _saved_kind(folder) == "domains" else inference.Fit.load(folder)


def _saved_kind(folder: Path) -> str | None:
    facts = folder / "fit.json"
    if not facts.is_file():
        return None
    return cast("str | None", json.loads(facts.read_text(encoding="utf-8"))["spec"].get("kind"))


def is_of_domains(fit: "AnyFit") -> bool:
    """Whether a fit is of several outcomes."""
    return isinstance(fit.spec, DomainModel)


def participants_of(fit: "AnyFit") -> "JointData":
    """Participants, follow-up and covariates of a fit."""
    return cast("JointData", getattr(fit.data, "base", fit.data))


def joint_model(study: Study) -> JointModel:
    """The model of a study of one outcome."""
    assert isinstance(study.model, JointModel)
    return study.model


def of_one_outcome(fit: "AnyFit") -> "Fit":
    """A fit that a simulated trial can take; loading has refused every other."""
    assert not is_of_domains(fit)
    return cast("Fit", fit)
