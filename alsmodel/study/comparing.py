"""A study's models compared: all fitted to the same participants, and judged on those whom they have not seen."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData, joint_data
from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.compare import Split, compare
from alsmodel.inference.fit import Fit, fit_data
from alsmodel.inference.folds import assign_folds, compare_folds, fit_folds
from alsmodel.models.spec import JointModel
from alsmodel.reports.words import count
from alsmodel.settings import encode
from alsmodel.study.alternatives import ModelComparison, differing, models_of, slug
from alsmodel.study.fitted import joint_model
from alsmodel.study.progress import working

if TYPE_CHECKING:
    from alsmodel.cohort import Cohort
    from alsmodel.study.steps import Job

Floats = NDArray[np.float64]
#: Below this a difference is small whatever its standard error, which is then too low (Sivula and others, arXiv 2008.10296).
SMALL: Final = 4.0


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ModelsCompared:
    """Which of several models predicts new participants better.

    Attributes
    ----------
    table : polars.DataFrame
        As `alsmodel.inference.compare.compare` gives it, with ``differs``: what each model does differently, in words. ``high_k`` is null
        where nothing was weighted.
    method : {"marginal", "kfold"}
    folds : int
        Of "kfold".
    participants, events, visits : int
        That all models were judged on.
    left_out : int
        Participants of the study's own fit who lack what another model asks for; no model was judged on them.
    """

    table: pl.DataFrame
    method: str
    folds: int
    participants: int
    events: int
    visits: int
    left_out: int = 0

    @property
    def words(self) -> tuple[str, ...]:
        """How the models were compared, and what came of it; nothing of any participant."""
        how = "by smoothed importance weights, one participant left out at a time"
        if self.method == "kfold":
            how = f"by refits without each of {self.folds} parts of the participants"
        told = [
            "Models are judged by the log density that they expect of the scores and the follow-up of somebody whom they have not seen, "
            f"random effects integrated out, {how}: {self.participants:,} participants, {self.visits:,} scores and {count(self.events)} "
            "events."
        ]
        if self.left_out:
            told.append(f"Left out of the comparison: {count(self.left_out)} participants who lack what one of the models asks for.")
        best, *others = self.table.iter_rows(named=True)
        return (*told, *(_verdict(best["model"], row) for row in others))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of it cannot be trusted."""
        told = []
        for row in self.table.iter_rows(named=True):
            if not row["passed"]:
                fits = "a fit" if self.method == "kfold" else "the fit"
                told.append(f"{fits} of {row['model']}, which is compared, did not pass its checks")
        many = [f"{count(row['high_k'])} under {row['model']}" for row in self.table.iter_rows(named=True) if row["high_k"]]
        if many:
            told.append(f'weights of participants cannot be trusted (k-hat), {", ".join(many)}; compare by refits, method = "kfold"')
        return tuple(told)

    def save(self, folder: Path) -> None:
        """Write ``models.parquet`` and ``comparison.json`` to `folder`."""
        folder.mkdir(parents=True)
        self.table.write_parquet(folder / "models.parquet", compression="zstd")
        facts = {name: value for name, value in vars(self).items() if name != "table"}
        (folder / "comparison.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
        return cls(table=pl.read_parquet(folder / "models.parquet"), **facts)


def _verdict(best: str, row: dict[str, Any]) -> str:
    away, error = -row["difference"], row["standard_error"]
    apart = f"difference {away:.1f}, standard error {error:.1f}"
    if away < SMALL or away < 2 * error:
        return f"These data do not tell whether {best} or {row['model']} predicts better ({apart})."
    scores, events = -row["difference_scores"], -row["difference_events"]
    share = "the events given the scores" if events > abs(scores) else "the scores" if scores > abs(events) else "scores and events"
    return f"{best[:1].upper()}{best[1:]} predicts better than {row['model']} ({apart}), above all {share}."


def compared(job: "Job", fitted: Fit, cohort: "Cohort") -> ModelsCompared:
    """Fit every model that the study names, and compare them with its own. Each fit is a step that is kept.

    Raises
    ------
    InvalidInput
        When the cohort lacks what a model asks for, or the models do not describe the same scores and events.
    """
    plan = job.study.compare
    assert plan is not None
    models = models_of(joint_model(job.study), plan)
    data = common_data(models, cohort, plan)
    one = data[plan.name]
    table = _by_folds(job, models, data, plan) if plan.method == "kfold" else _by_weights(job, models, data, plan, fitted)
    told = {plan.name: "The model fitted above."} | {
        name: " ".join(sentences) for name, sentences in differing(models[plan.name], plan).items()
    }
    table = table.with_columns(
        pl.col("model").replace_strict(told, return_dtype=pl.String).alias("differs"),
        (pl.col("high_k") if "high_k" in table.columns else pl.lit(None)).cast(pl.Int64).alias("high_k"),
    )
    return ModelsCompared(
        table=table, method=plan.method, folds=plan.folds, participants=one.people, events=int(one.event.sum()),
        visits=int(one.outcome.size), left_out=fitted.data.people - one.people,
    )  # fmt: skip


def common_data(models: dict[str, JointModel], cohort: "Cohort", plan: ModelComparison) -> dict[str, JointData]:
    """The arrays of each model for the participants who have what all of them ask for.

    Raises
    ------
    InvalidInput
        When the cohort lacks what a model asks for, or nobody has what all of them do.
    """
    data, faults = {}, []
    for name, model in models.items():
        try:
            data[name] = joint_data(cohort, model.selection)
        except InvalidInput as error:
            faults += [
                replace(each, place=f"compare.alternatives.{name}", message=f"{each.place}: {each.message}") for each in error.faults
            ]
    if faults:
        raise InvalidInput(faults)
    shared = set.intersection(*(set(each.participant_ids) for each in data.values()))
    if not shared:
        raise InvalidInput(
            [Fault("compare", "no participant has what every one of the models asks for.", "Compare fewer covariates at once.")]
        )
    if plan.method == "kfold" and plan.folds > len(shared):
        raise InvalidInput([Fault("compare.folds", f"{plan.folds} folds are more than the {len(shared)} participants.", "Choose fewer.")])
    kept = {name: np.array([k for k, person in enumerate(each.participant_ids) if person in shared]) for name, each in data.items()}
    return {name: each if len(kept[name]) == each.people else each.of_people(kept[name]) for name, each in data.items()}


def _inputs(job: "Job", model: JointModel, data: JointData) -> dict[str, Any]:
    """What the fit of one model depends on."""
    study, sampling = job.study, encode(job.study.sampling)
    del sampling["cores"]
    people = list(data.participant_ids)
    cohort = job.run.records().get("cohort")
    plan = {"method": study.fit.method}
    return {"cohort": cohort, "people": people, "model": encode(model), "fit": plan, "sampling": sampling, "seed": study.seed}


def _by_weights(job: "Job", models: dict[str, JointModel], data: dict[str, JointData], plan: ModelComparison, fitted: Fit) -> pl.DataFrame:
    fits = {}
    for name, model in models.items():
        if name == plan.name and data[name].people == fitted.data.people:
            fits[name] = fitted
            continue

        def make(name: str = name, model: JointModel = model) -> Fit:
            with working(job.progress, f"Fitting {name!r}") as advance:
                how = job.study.fit.method
                return fit_data(model, data[name], job.study.sampling, seed=job.study.seed, method=how, progress=advance)

        kept = f"fit-{slug(name)}"
        fits[name] = job.step(
            kept, f"Model {name!r}", _inputs(job, model, data[name]), make=make, save=lambda made, to: made.save(to), load=Fit.load,
            code="fit",
        )  # fmt: skip
    with job.progress.stage("Comparing the models"):
        return compare(fits, plan.draws)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class _Kept:
    """What is kept of a model's refits."""

    data: JointData
    fold: NDArray[np.int64]
    expected: Split
    passed: bool


def _by_folds(job: "Job", models: dict[str, JointModel], data: dict[str, JointData], plan: ModelComparison) -> pl.DataFrame:
    fold = assign_folds(data[plan.name], plan.folds, seed=job.study.seed)
    kept = {}
    for name, model in models.items():

        def make(name: str = name, model: JointModel = model) -> tuple[Split, bool]:
            with working(job.progress, f"Refitting {name!r} without each of {plan.folds} folds") as advance:
                study = job.study
                refits = fit_folds(
                    model, data[name], fold, study.sampling, method=study.fit.method, seed=study.seed, progress=advance,
                )  # fmt: skip
            return refits.expected, refits.passed

        inputs = {**_inputs(job, model, data[name]), "folds": plan.folds}
        expected, passed = job.step(
            f"folds-{slug(name)}", f"Refits of {name!r}", inputs, make=make, save=_save_expected, load=_load_expected, code="compare"
        )
        kept[name] = _Kept(data=data[name], fold=fold, expected=expected, passed=passed)
    return compare_folds(kept)


def _save_expected(made: tuple[Split, bool], folder: Path) -> None:
    expected, passed = made
    folder.mkdir(parents=True)
    pl.DataFrame({"scores": expected.scores[0], "events": expected.events[0]}).write_parquet(folder / "expected.parquet")
    (folder / "refits.json").write_text(json.dumps({"passed": passed}) + "\n", encoding="utf-8")


def _load_expected(folder: Path) -> tuple[Split, bool]:
    frame = pl.read_parquet(folder / "expected.parquet")
    expected = Split(scores=frame["scores"].to_numpy()[None], events=frame["events"].to_numpy()[None])
    return expected, bool(json.loads((folder / "refits.json").read_text(encoding="utf-8"))["passed"])
