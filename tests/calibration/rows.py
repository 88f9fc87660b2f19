"""The rows of ``docs/evidence/models.toml``, and the step from a literal data set to the arrays that a fit takes."""

import copy
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.cohort.outcome_arrays import OutcomeData
from alsmodel.inference import Sampling
from alsmodel.models.classes import class_covariates
from alsmodel.models.domain import DomainModel
from alsmodel.models.domain_program import DomainProgram
from alsmodel.models.program import Program
from alsmodel.models.spec import JointModel
from alsmodel.settings import code_digest, decode, digest_of
from tests.calibration import literal, literal_causes, literal_classes, literal_domains, literal_groups, literal_sigmoid
from tests.calibration.literal import Mapping, Person
from tests.unit import domain_data

Floats = NDArray[np.float64]

ROOT = Path(__file__).parents[2]
EVIDENCE = ROOT / "docs" / "evidence"
MODELS = EVIDENCE / "models.toml"
RANKS = EVIDENCE / "ranks"

#: Kernels of every row.
KERNELS = (
    "baseline", "bends", "causes", "classes", "correlations", "joint", "joint_apart", "joint_block", "joint_gap", "joint_general",
    "joint_grid", "joint_linear", "joint_reach", "joint_scores", "joint_sigmoid", "layout", "posterior", "records", "sigmoid",
    "sigmoid_nodes", "smallmat", "vectors",
)  # fmt: skip
#: What runs between the arrays and the draws, by NUTS and by the route that `fit` takes unless told otherwise.
NUTS_ROUTE = [
    *(f"alsmodel.kernels.{name}" for name in KERNELS),
    "alsmodel.models",
    "alsmodel.inference.class_starts",
    "alsmodel.inference.mode",
    "alsmodel.inference.modes",
    "alsmodel.inference.refine",
    "alsmodel.inference.sampling",
]
AUTO_ROUTE = [
    *NUTS_ROUTE,
    "alsmodel.inference.checks",
    "alsmodel.inference.importance",
    "alsmodel.estimators.laplace",
    "alsmodel.estimators.psis",
]
#: The same for several outcomes, which have a likelihood of their own: what it is made of, without specifications that only print.
DOMAIN_KERNELS = (
    "correlations", "layout", "normal_tail", "outcome_records", "outcome_sites", "outcomes", "posterior", "records", "smallmat", "vectors",
)  # fmt: skip
DOMAIN_ROUTE = [
    *(f"alsmodel.kernels.{name}" for name in DOMAIN_KERNELS),
    *(f"alsmodel.models.{name}" for name in ("domain", "domain_parameters", "domain_program", "evaluation", "priors")),
    *(f"alsmodel.inference.{name}" for name in ("domain_draws", "domain_fit", "mode", "refine", "sampling", "checks", "importance")),
    "alsmodel.estimators.laplace",
    "alsmodel.estimators.psis",
]
METHODS = ("auto", "nuts")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model of the family.

    Attributes
    ----------
    name, part : str
    recovery, sbc : {"proven", "rejected", "partial", "stale", "not run"}
        What is claimed; the tests hold it to the files.
    model, design : mapping
        As read, the row's changes merged into the base.
    spec : JointModel or DomainModel
    """

    name: str
    part: str
    recovery: str
    sbc: str
    model: Mapping
    design: Mapping
    spec: JointModel | DomainModel

    @property
    def digests(self) -> dict[str, str]:
        """What the ranks of this row depend on: code (with numba and numpy), specification and settings, generator."""
        return self.digests_by("auto")

    def digests_by(self, method: str) -> dict[str, str]:
        """The same for a method of inference."""
        own = {"model": self.model, "design": self.design, "rule": read_models()["rule"]}
        return {
            "code": code_digest(DOMAIN_ROUTE if of_domains(self.model) else NUTS_ROUTE if method == "nuts" else AUTO_ROUTE),
            "spec": digest_of(own),
            "generator": digest_of("".join(Path(str(hand.__file__)).read_text(encoding="utf-8") for hand in hands(self.model))),
        }


def of_domains(model: Mapping) -> bool:
    """Whether a model is one of several outcomes."""
    return bool(model["kind"] == "domains")


def hands(model: Mapping) -> list[ModuleType]:
    """Modules that write a model out literally; the last draws its data and integrates its likelihood."""
    if of_domains(model):
        return [literal_domains.hand, literal_domains]
    if model.get("causes"):
        return [literal, literal_causes]
    if model["decline"]["kind"] == "sigmoid":
        return [literal, literal_sigmoid]
    if model.get("classes"):
        return [literal, literal_classes]
    return [literal, literal_groups] if literal_groups.differs(model) else [literal]


def generator_of(model: Mapping) -> ModuleType:
    """The module with `draw_truth`, `draw_people` and `loglik` for a model."""
    return hands(model)[-1]


def read_models() -> Mapping:
    """The whole file, as plain values."""
    return tomllib.loads(MODELS.read_text(encoding="utf-8"))


def read_rows() -> dict[str, Row]:
    """Rows by name, in the order of the file."""
    whole = read_models()
    rows = {}
    for entry in whole["row"]:
        base = whole[entry["of"]] if "of" in entry else whole
        model, design = merged(base["model"], entry.get("model", {})), merged(base["design"], entry.get("design", {}))
        spec = decode(DomainModel if of_domains(model) else JointModel, model, where=f"models.toml:{entry['name']}")
        own = {key: entry[key] for key in ("name", "part", "recovery", "sbc")}
        rows[entry["name"]] = Row(**own, model=model, design=design, spec=spec)
    return rows


def merged(base: Mapping, changes: Mapping) -> Mapping:
    """`base` with `changes` put in, table by table; a table of another kind replaces the old one."""
    out = copy.deepcopy(base)
    for key, value in changes.items():
        old = out.get(key)
        same_kind = isinstance(old, dict) and isinstance(value, dict) and old.get("kind") == value.get("kind", old.get("kind"))
        out[key] = merged(old, value) if same_kind else copy.deepcopy(value)
    return out


def sampling() -> Sampling:
    """Settings of the sampler, from the file."""
    return decode(Sampling, read_models()["rule"]["sampling"], where="models.toml:rule.sampling")


def arrays(row: Row, people: list[Any]) -> JointData | OutcomeData:
    """A literal data set as arrays."""
    if isinstance(row.spec, DomainModel):
        return domain_data.outcome_arrays(people, row.spec.names)
    return joint_arrays(row, people)


def joint_arrays(row: Row, people: list[Person]) -> JointData:
    """Participants with one score as arrays."""
    assert isinstance(row.spec, JointModel)
    names = dict.fromkeys((*row.spec.intercept, *row.spec.slope, *row.spec.hazard_of_any, *class_covariates(row.spec)))
    terms = {name: (literal.column_of(name),) for name in names}
    absent = np.array([not person.recorded for person in people])
    columns: dict[str, Floats] = {}
    for column in (column for group in terms.values() for column in group):
        values = np.array([person.covariates[column] for person in people])
        columns[column] = np.where(absent, values[~absent].mean(), values)
    intervals = [(i, start, stop) for i, person in enumerate(people) for start, stop in sorted(person.intervals)]
    visits = [(i, t, y) for i, person in enumerate(people) for t, y in zip(person.visits, person.scores, strict=True)]
    return JointData(
        participant_ids=tuple(f"L{i:04d}" for i in range(len(people))),
        time_unit="month",
        outcome_name=row.spec.outcome,
        transform="identity",
        upper=None,
        visit_person=np.array([v[0] for v in visits], np.int64),
        visit_time=np.array([v[1] for v in visits], float),
        outcome=np.array([v[2] for v in visits], float),
        entry_time=np.zeros(len(people)),
        event_time=np.array([person.end for person in people]),
        event=np.array([float(person.event) for person in people]),
        onset_shift=np.array([person.shift for person in people]),
        cause=np.array([getattr(person, "cause", 0) for person in people], np.int64),
        later_time=np.array([getattr(person, "later", person.end) for person in people]),
        later_event=np.array([float(getattr(person, "later_event", False)) for person in people]),
        free_until=np.array([person.end if person.free is None else person.free for person in people]),
        since_onset=np.array([getattr(person, "onset", 0.0) for person in people]),
        columns=columns,
        missing=dict.fromkeys(columns, absent) if absent.any() else {},
        terms=terms,
        groups={name: tuple(person.cohort for person in people) for name in row.spec.groups},
        exposure_person=np.array([i for i, _, _ in intervals], np.int64),
        exposure_drug=np.zeros(len(intervals), np.int64),
        exposure_start=np.array([start for _, start, _ in intervals], float),
        exposure_stop=np.array([stop for _, _, stop in intervals], float),
        exposures=(),
        steps=pl.DataFrame(),
    )


def with_imputed(truth: dict[str, float], row: Row, people: list[Person]) -> dict[str, float]:
    """Truth with the covariates that were hidden from the fit."""
    hidden = [person for person in people if not person.recorded]
    columns = [c for name in (*row.spec.slope, *row.spec.hazard) for c in [literal.column_of(name)]] if hidden else []
    return truth | {f"imputed:{c}[{k + 1}]": person.covariates[c] for c in dict.fromkeys(columns) for k, person in enumerate(hidden)}


def unconstrained(row: Row, made: Program | DomainProgram, truth: dict[str, float]) -> Floats:
    """The vector at which the program's density stands for `truth`."""
    if isinstance(made, DomainProgram):
        return domain_data.unconstrained(made, truth, row.spec)
    values = dict(truth)
    for label in made.labels:
        if label.startswith("partial:"):
            values[label] = _partial(label.removeprefix("partial:"), truth)
    x = np.array([values[label] for label in made.labels])
    for k, block in enumerate(b for b in made.blocks for _ in range(b.size)):
        if block.kind == "half-normal":
            x[k] = np.log(x[k])
        elif block.kind == "beta":
            x[k] = np.log((1.0 + x[k]) / (1.0 - x[k]))
    return x


def _partial(pair: str, truth: dict[str, float]) -> float:
    """Partial correlation of two random effects given those before the first of them."""
    first = ["log_d50", "log_dx"] if "sd:log_d50" in truth else ["intercept", "slope"]
    names = [*first, *(name.removeprefix("sd:") for name in truth if name.startswith("sd:quadratic"))]
    first, second = (names.index(name) for name in pair.split(","))
    chosen = [*range(first), first, second]
    matrix = np.array([[1.0 if a == b else truth[f"corr:{names[min(a, b)]},{names[max(a, b)]}"] for a in chosen] for b in chosen])
    precision = np.linalg.inv(matrix)
    return float(-precision[-2, -1] / np.sqrt(precision[-2, -2] * precision[-1, -1]))


def stream(seed: int, row: str, simulation: int) -> np.random.SeedSequence:
    """Seed of one simulation: the same alone, resumed, or among others."""
    return np.random.SeedSequence(seed, spawn_key=(*row.encode(), simulation))


def simulate(row: Row, seed: np.random.SeedSequence, **design: Any) -> tuple[dict[str, float], list[Any]]:
    """Truth from the priors and a data set from the truth."""
    rng = np.random.default_rng(seed)
    generator = generator_of(row.model)
    truth = generator.draw_truth(row.model, row.design, rng)
    people = list(generator.draw_people(row.model, {**row.design, **design}, truth, rng))
    return truth if of_domains(row.model) else with_imputed(truth, row, people), people
