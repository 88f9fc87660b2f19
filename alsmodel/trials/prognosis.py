"""A fit's own prediction of survival as a column that eligibility may read: from what screening knows, never from the truth.

`Prognosis` says what is predicted; a `Predictor` holds the fit's parameters as arrays. A candidate brings covariates, background drugs
and scores with errors of their own; neither the path ahead nor its deviations are arguments of anything here.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
import numpy.typing as npt

from alsmodel.settings.names import nearest
from alsmodel.trials.conditions import Categories, Column

if TYPE_CHECKING:
    from alsmodel.cohort import Cohort
    from alsmodel.inference import Fit

Floats = npt.NDArray[np.float64]

#: The name that conditions use.
PREDICTED = "predicted_survival"
#: Gauss-Hermite nodes for each random effect.
HERMITE = 9
#: Random draws per participant of a record, where the prediction is that of `alsmodel.inference.dynamic` itself.
RECORD_DRAWS = 400
_WHERE = "population.prognosis"
_PLAIN = ("months", "draws", "columns", "numbers", "words", "drugs")
_DRAWN = ("log_onset_months",)  # made of a screening column


@final
@dataclass(frozen=True, kw_only=True)
class Prognosis:
    """Predict each candidate's survival at screening by a fitted joint model; conditions read it as ``predicted_survival``.

    Attributes
    ----------
    months : float
        The probability is that of no event within so many months of baseline, of somebody who is free of it there.
    scores : "screening" or "run-in"
        What is known of the score: that of the screening visit, or that of the start of the run-in as well.
    draws : int
        Posterior draws that it is averaged over, taken evenly; 1 is a plug-in.
    """

    months: float = 12.0
    scores: Literal["screening", "run-in"] = "screening"
    draws: int = 10

    def __post_init__(self) -> None:
        faults = []
        if not (np.isfinite(self.months) and self.months > 0):
            faults.append(f"months must be above 0; got {self.months}.")
        if self.scores not in ("screening", "run-in"):
            faults.append(f"scores is 'screening' or 'run-in'; got {self.scores!r}.")
        if self.draws < 1:
            faults.append(f"draws must be at least 1; got {self.draws}. 10 follow the posterior mean to about 0.01.")
        if faults:
            raise ValueError(" ".join(faults))


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Predictor:
    """Parameters of a prediction at screening, as `alsmodel.inference.screening.at_screening` gives and describes them."""

    months: float
    draws: int = 10
    columns: tuple[str, ...] = ()
    numbers: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    drugs: tuple[str, ...] = ()
    intercept: Floats
    slope: Floats
    intercept_by: Floats
    slope_by: Floats
    hazard_by: Floats
    log_ratio: Floats
    own: Floats
    added: Floats
    log_hazard_ratio: Floats
    random_covariance: Floats
    residual_sd: Floats
    association_value: Floats
    association_slope: Floats
    node: Floats
    log_mass: Floats

    @classmethod
    def of(cls, fit: "Fit", prognosis: Prognosis | None = None) -> "Predictor":
        """Take from a fit what the prediction needs.

        Raises
        ------
        InvalidInput
            When the model is of a shape for which this prediction is not made.
        """
        from alsmodel.inference.screening import at_screening

        asked = prognosis or Prognosis()
        return cls(draws=asked.draws, **at_screening(fit, asked.months, asked.draws))

    @classmethod
    def stand_in(cls, prognosis: Prognosis) -> "Predictor":
        """One without parameters, for checks of settings before there is a fit."""
        arrays: dict[str, Any] = {each.name: np.zeros(0) for each in fields(cls) if each.name not in _PLAIN}
        return cls(months=prognosis.months, draws=prognosis.draws, **arrays)

    def identity(self) -> dict[str, object]:
        """Everything that decides the predictions, as plain values (arrays by their digest)."""
        digest = hashlib.sha256()
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray):
                digest.update(f"{each.name}{value.shape}".encode())
                digest.update(np.ascontiguousarray(value, dtype="<f8").tobytes())
            else:
                digest.update(repr((each.name, sorted(value.items()) if isinstance(value, Mapping) else value)).encode())
        return {"months": self.months, "draws": self.draws, "sha256": digest.hexdigest()}

    def predict(self, design: Mapping[str, Floats], taken: Mapping[str, Floats], times: Floats, scores: Floats) -> Floats:
        """Probability of no event within `months` of baseline.

        Parameters
        ----------
        design : mapping of array, each shape (N,)
            Design columns by name.
        taken : mapping of array, each shape (N,)
            Whether each background drug is taken, 0 or 1; it is taken for good.
        times : array, shape (V,)
            Months of the known scores from baseline, at or before 0.
        scores : array, shape (V, N)
            NaN where there is none.

        Returns
        -------
        array, shape (N,)
            Mean over the draws; NaN where a covariate or every score is missing.
        """
        from alsmodel.kernels.foresight import add_survival

        people = scores.shape[1]
        x = np.zeros((len(self.columns), people))
        for row, name in zip(x, self.columns, strict=True):
            row[:] = design[name]
        drug = np.zeros((len(self.drugs), people))
        for row, name in zip(drug, self.drugs, strict=True):
            row[:] = taken[name]
        total, (z, weight) = np.zeros(people), _normal_nodes()
        for d in range(self.intercept.size):
            own = np.exp(_sum(self.own[d], drug))
            slope = (self.slope[d] + _sum(self.slope_by[d], x)) * np.exp(_sum(self.log_ratio[d], drug)) + _sum(self.added[d], drug)
            add_survival(
                self.intercept[d] + _sum(self.intercept_by[d], x), slope, _sum(self.hazard_by[d], x) + _sum(self.log_hazard_ratio[d], drug),
                own, np.argsort(own, kind="stable"), np.ascontiguousarray(scores, dtype=np.float64), np.array(times, dtype=np.float64),
                np.array(self.random_covariance[d]), float(self.residual_sd[d]),
                np.array([self.association_value[d], self.association_slope[d]]), np.array(self.node), np.array(self.log_mass[d]),
                z, weight, total,
            )  # fmt: skip
        known = ~np.isnan(x).any(axis=0) & ~np.isnan(drug).any(axis=0) & ~np.isnan(scores).all(axis=0)
        return np.where(known, total / self.intercept.size, np.nan)


def _sum(weights: Floats, rows: Floats) -> Floats:
    """Weighted sum of rows, one after the other, so that a column's sum does not depend on how many there are."""
    out = np.zeros(rows.shape[1])
    for weight, row in zip(weights, rows, strict=True):
        out += weight * row
    return out


def _normal_nodes() -> tuple[Floats, Floats]:
    x, w = np.polynomial.hermite_e.hermegauss(HERMITE)
    w = w / w.sum()
    z = np.stack([side.ravel() for side in np.meshgrid(x, x, indexing="ij")], axis=1)
    return np.ascontiguousarray(z), np.ascontiguousarray(np.outer(w, w).ravel())


def prognosis_faults(
    prognosis: Prognosis | None,
    predictor: Predictor | None,
    vocabulary: Mapping[str, tuple[str, ...] | None],
    record: Mapping[str, Floats] | None,
) -> list[str]:
    """What a prediction at screening lacks, one sentence each.

    Parameters
    ----------
    prognosis, predictor
        Of the trial.
    vocabulary : mapping
        What screening knows of drawn candidates.
    record : mapping of array or None
        Columns that the participants of a posterior truth bring; None for drawn candidates.
    """
    if prognosis is None:
        return []
    if predictor is None:
        return [f"{_WHERE} needs a fit that predicts; give prediction = Predictor.of(fit, prognosis)."]
    if (predictor.months, predictor.draws) != (prognosis.months, prognosis.draws):
        return [
            f"{_WHERE} asks for {prognosis.months:g} months by {prognosis.draws} draws; the prediction given is of "
            f"{predictor.months:g} months by {predictor.draws}. Make it with Predictor.of(fit, prognosis); it cannot be an axis."
        ]
    if record is not None:
        wanted = [*(f"column:{name}" for name in predictor.columns), *(f"taken:{name}" for name in predictor.drugs)]
        lacking = [name.split(":", 1)[1] for name in wanted if name not in record]
        if lacking:
            return [f"{_WHERE}: the participants of the truth have no {', '.join(lacking)}, which the fit that predicts asks for."]
        return []
    faults = []
    known = [name for name, words in vocabulary.items() if words is None and name != PREDICTED]
    for name in [*(n for n in predictor.numbers if n not in _DRAWN), *predictor.drugs]:
        if name not in known:
            what = "a background drug" if name in predictor.drugs else "a covariate"
            remedy = nearest(name, known, otherwise=f"Known: {', '.join(known)}.")
            faults.append(
                f"{_WHERE}: the fit predicts from {name}, {what} that the population has not. {remedy} Or add it to population.covariates."
            )
    for name, levels in predictor.words.items():
        faults += _word_faults(name, levels, predictor, vocabulary, known)
    return faults


def _word_faults(
    name: str, levels: tuple[str, ...], predictor: Predictor, vocabulary: Mapping[str, tuple[str, ...] | None], known: list[str]
) -> list[str]:
    own = vocabulary.get(name)
    if own is not None:
        strange = [word for word in own if word not in levels]
        return [
            f"{_WHERE}: {name} {word!r} was not in the data of the fit. {nearest(word, levels, otherwise=f'Known: {", ".join(levels)}.')}"
            for word in strange
        ]
    lacking = [flag for flag in (_flag(column) for column in predictor.columns if column.startswith(f"{name}[")) if flag not in known]
    if not lacking:
        return []
    remedy = nearest(lacking[0], known, otherwise=f"Known: {', '.join(known)}.")
    return [f"{_WHERE}: the fit predicts from {name}, words; give yes/no covariates {', '.join(lacking)} of the population. {remedy}"]


def _flag(column: str) -> str:
    """Name of the yes/no covariate that stands for an indicator of a level: ``sex[female]`` is ``sex_female``."""
    return column.replace("[", "_").replace("]", "").replace(" ", "_").replace("-", "_")


def foreseen(
    prognosis: Prognosis,
    predictor: Predictor,
    columns: Mapping[str, Column],
    months: tuple[float, float],
    record: Mapping[str, Floats] | None,
    rows: npt.NDArray[np.int64] | None,
) -> Floats:
    """Predicted survival of candidates.

    Parameters
    ----------
    prognosis, predictor
        Of the trial.
    columns : mapping
        What screening knows, each (R, n).
    months : (float, float)
        From screening to month 0, and of the run-in.
    record : mapping of array or None
        Columns that the participants of a posterior truth bring, each (N,), and
    rows : int array or None, shape (R, n)
        which of them each candidate is.
    """
    score = _numbers(columns, "screening_score")
    shape = score.shape
    known, times = [score.ravel()], [-months[0]]
    if prognosis.scores == "run-in":
        known.insert(0, (score + _numbers(columns, "run_in_decline") * months[1]).ravel())
        times.insert(0, -months[0] - months[1])
    if record is not None and rows is not None:
        design = {name: record[f"column:{name}"][rows].ravel() for name in predictor.columns}
        taken = {name: record[f"taken:{name}"][rows].ravel() for name in predictor.drugs}
    else:
        design = {name: _column(predictor, name, columns).ravel() for name in predictor.columns}
        taken = {name: _numbers(columns, name).ravel() for name in predictor.drugs}
    return predictor.predict(design, taken, np.array(times), np.stack(known)).reshape(shape)


def _numbers(columns: Mapping[str, Column], name: str) -> Floats:
    column = columns[name]
    assert not isinstance(column, Categories)
    return column


def _column(predictor: Predictor, column: str, columns: Mapping[str, Column]) -> Floats:
    """A design column of the fit made of what screening knows."""
    shape = _numbers(columns, "screening_score").shape
    if column in predictor.numbers:
        centre, scale = predictor.numbers[column]
        value = np.log(_numbers(columns, "onset_months")) if column in _DRAWN else _numbers(columns, column)
        return np.asarray((value - centre) / scale)
    if column.endswith(" missing"):
        return np.zeros(shape)
    name, level = column[:-1].split("[", 1)
    own = columns.get(name)
    if isinstance(own, Categories):
        return np.asarray(own.codes == (own.levels.index(level) if level in own.levels else -1), dtype=np.float64)
    return _numbers(columns, _flag(column))


def with_predictions(cohort: "Cohort", fit: "Fit", prognosis: Prognosis) -> "Cohort":
    """Add to a cohort the covariate ``predicted_survival``, as `alsmodel.inference.dynamic` predicts it at day 0.

    Known are the scores up to day 0. Whoever lacks a score or covariate by then, or is not in follow-up there, has no prediction, which
    fails every comparison.

    Raises
    ------
    InvalidInput
        When the cohort lacks what the model asks for, or has a covariate of that name.
    """
    import polars as pl

    from alsmodel.clinical.units import DAYS_PER_UNIT
    from alsmodel.cohort.arrays import joint_data
    from alsmodel.errors import Fault, InvalidInput
    from alsmodel.inference.dynamic import predict_participants

    if cohort.covariates.filter(pl.col("name") == PREDICTED).height:
        raise InvalidInput([Fault("trial.truth.prognosis", f"The cohort has a covariate {PREDICTED} of its own.", "Give it another name.")])
    data = joint_data(cohort, fit.spec.selection, where="model")
    ahead = prognosis.months * DAYS_PER_UNIT["month"] / DAYS_PER_UNIT[fit.spec.time_unit]
    found = predict_participants(fit, 0.0, [ahead], data=data, draws=RECORD_DRAWS)
    scored = {data.participant_ids[i] for i in data.visit_person[data.visit_time <= 0]}
    rows = found.filter(pl.col("participant_id").is_in(scored)).select(
        "participant_id", name=pl.lit(PREDICTED), number="p_alive", text=pl.lit(None, dtype=pl.String)
    )
    return replace(cohort, covariates=pl.concat([cohort.covariates, rows.select(cohort.covariates.columns)], how="vertical_relaxed"))
