"""Participants of a real cohort, resampled with replacement: their own lines, residuals, event times, with an effect on top.

Each person of the record has a least-squares line through the own scores, the residuals about it, and a time of event or of
last contact. In a virtual trial

    score at visit v     line_i(v) bent by the effect + residual: that of the own assessment in the window of the visit, or else one drawn
                         from all residuals of the record, each times sqrt(n_i / (n_i - 2)) for the two coefficients of its line
    event                where the cumulative hazard along the path reaches the own mass: m_i = H_i(T_i) of a person who had the event
                         at T_i, H_i(C_i) + E, E ~ Exp(1), of one who was last seen without it at C_i

so that without an effect scores in their windows and event times are those of the record, a direct hazard ratio r moves T_i to
H_i^-1(m_i / r), and the effect scales the fitted change and never the noise. H_i is a piecewise exponential hazard fitted to
the record, times exp(g . (own level, own slope)) where there are ten events per coefficient; the factor cancels for those
who had the event. Nobody can have died before having scores enough for a line, so its first piece, to the first time that
anybody's follow-up ended, is all but zero.

**Horizon.** Who is slowed or rescued outlives the record. "continue" (the default): lines go straight on and the fitted hazard takes
over where a record ends; nobody is censored but by the design. "end of record": a record has a length and nothing is known
beyond it. It is C_i of those who were last seen without the event; of those who had it the length is drawn from the Kaplan-Meier curve
of lengths, beyond T_i. Twins behind a true value never leave, so they are continued under either.
"""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
import numpy.typing as npt

from alsmodel.trials.conditions import NOT_RECORDED, Categories, Column, check, holds, parse
from alsmodel.trials.truth import PURPOSE_ROW, Untreated

if TYPE_CHECKING:
    from alsmodel.patients.course import Own

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Horizon = Literal["continue", "end of record"]

PURPOSE_LENGTH = 105
PURPOSE_POOLED = 106
#: Events per coefficient below which own level and slope do not enter the fitted hazard.
EVENTS_PER_COEFFICIENT = 10
#: Log hazard of a record without events.
NEVER = -30.0


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ResampledTruth:
    """A population given by the people of a record, drawn with replacement.

    Attributes
    ----------
    month, score : array, shape (N, W)
        Months of each person's assessments and the scores, from the baseline on; NaN where there is no further one.
    end_month : array, shape (N,)
        Month of the event or of last contact, above 0.
    died : array of bool, shape (N,)
        Whether `end_month` is the event.
    columns : dict of str to column
        Baseline columns, each (N,).
    eligibility : tuple of str
        Conditions over the columns that all must hold; a missing value fails every comparison.
    phenotype : str or None
        Column of words whose levels are the phenotypes of effects; everybody eligible has a level in it, of which "not recorded" is one.
    horizon : "continue" or "end of record"
        What becomes of a participant who outlives the record; see the module.
    association_value : float
        Log hazard per point of the own line: how far a slower decline lowers the hazard. 0: an effect on the slope leaves the event
        times alone.
    hazard_pieces : int
        Pieces of the fitted hazard, between quantiles of the event times.
    """

    month: Floats
    score: Floats
    end_month: Floats
    died: npt.NDArray[np.bool_]
    columns: dict[str, Column] = field(default_factory=dict)
    eligibility: tuple[str, ...] = ()
    phenotype: str | None = None
    horizon: Horizon = "continue"
    association_value: float = 0.0
    hazard_pieces: int = 4
    people: "Lines" = field(init=False, repr=False)
    kept: Integers = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("month", "score", "end_month"):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype=np.float64))
        object.__setattr__(self, "died", np.asarray(self.died, dtype=np.bool_))
        faults = self._faults()
        if not faults:
            kept = self._eligible()
            faults += self._phenotype_faults(kept)
            if int(kept.sum()) < 2:
                faults.append(f"{int(kept.sum())} of {kept.size} people of the record are eligible. Loosen a rule of eligibility.")
        if faults:
            raise ValueError("The record cannot be resampled: " + " ".join(faults))
        made = lines_of(
            self.month[kept], self.score[kept], self.end_month[kept], self.died[kept], self.association_value, self.hazard_pieces
        )
        object.__setattr__(self, "people", made)
        object.__setattr__(self, "kept", np.flatnonzero(kept))

    def _faults(self) -> list[str]:
        faults = []
        shape = self.score.shape
        if self.score.ndim != 2 or self.month.shape != shape or self.end_month.shape != shape[:1] or self.died.shape != shape[:1]:
            shapes = f"{self.month.shape}, {shape}, {self.end_month.shape}, {self.died.shape}"
            return [f"month and score must be (N, W), end_month and died (N,); got {shapes}."]
        seen = np.isfinite(self.score)
        if (seen.sum(axis=1) < 3).any() or not np.isfinite(self.month[seen]).all():
            few = int((seen.sum(axis=1) < 3).sum())
            faults.append(f"every person needs three scores, each with its month, for a line and its residuals; {few} have fewer.")
        elif (np.where(seen, self.month, -np.inf).max(axis=1) - np.where(seen, self.month, np.inf).min(axis=1) <= 0).any():
            faults.append("every person needs scores of different months.")
        if not (np.isfinite(self.end_month) & (self.end_month > 0)).all():
            faults.append("end_month must be above 0 months for everyone.")
        if self.horizon not in ("continue", "end of record"):
            faults.append(f"horizon is 'continue' or 'end of record'; got {self.horizon!r}.")
        if not np.isfinite(self.association_value) or self.hazard_pieces < 1:
            faults.append(
                f"association_value must be finite and hazard_pieces at least 1; got {self.association_value}, {self.hazard_pieces}."
            )
        for condition in self.eligibility:
            faults += [f"eligibility: {fault}" for fault in check(condition, self.vocabulary)]
        return faults

    def _phenotype_faults(self, kept: npt.NDArray[np.bool_]) -> list[str]:
        if self.phenotype is None:
            return []
        column = self.columns.get(self.phenotype)
        if not isinstance(column, Categories):
            known = [name for name, each in self.columns.items() if isinstance(each, Categories)]
            listed = f"Columns of words: {', '.join(known)}." if known else "The record has no column of words."
            return [f"phenotype is a column of words; {self.phenotype!r} is none. {listed}"]
        lost = int((column.codes[kept] < 0).sum())
        return [f"{self.phenotype} is missing for {lost} eligible people; give them the level {NOT_RECORDED!r}."] if lost else []

    @property
    def causes(self) -> tuple[str, ...]:
        """Further causes than the end point: none."""
        return ()

    @property
    def phenotypes(self) -> dict[str, int]:
        """How many of the eligible people are of each phenotype; empty without a column of them."""
        if self.phenotype is None:
            return {}
        column = self.columns[self.phenotype]
        assert isinstance(column, Categories)
        counts = np.bincount(column.codes[self.kept], minlength=len(column.levels))
        return dict(zip(column.levels, counts.tolist(), strict=True))

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the phenotypes, or one empty name."""
        return tuple(self.phenotypes) or ("",)

    def _eligible(self) -> npt.NDArray[np.bool_]:
        rules = [holds(parse(text), self.columns) for text in self.eligibility]
        return np.asarray(np.logical_and.reduce([np.ones(self.end_month.size, dtype=np.bool_), *rules]))

    @property
    def vocabulary(self) -> dict[str, tuple[str, ...] | None]:
        """Names that conditions may use."""
        return {name: column.levels if isinstance(column, Categories) else None for name, column in self.columns.items()}

    def identity(self) -> dict[str, object]:
        """Everything that decides who the participants are, as plain values (arrays by their digest)."""
        digest = hashlib.sha256()
        parts: dict[str, npt.NDArray[Any]] = {
            "month": self.month,
            "score": self.score,
            "end_month": self.end_month,
            "died": self.died.astype(np.float64),
        }
        parts |= {f"column {k}": c.codes if isinstance(c, Categories) else c for k, c in sorted(self.columns.items())}
        for name, array in parts.items():
            digest.update(f"{name}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        digest.update(repr(sorted(self.vocabulary.items())).encode())
        # Without phenotypes the people, and their random numbers, are those of a truth that knows of none.
        by = {} if self.phenotype is None else {"phenotype": self.phenotype}
        return {
            **by,
            "kind": "resampled",
            "participants": self.people.intercept.size,
            "of": self.end_month.size,
            "eligibility": list(self.eligibility),
            "horizon": self.horizon,
            "association_value": self.association_value,
            "hazard_pieces": self.hazard_pieces,
            "sha256": digest.hexdigest(),
        }

    def block(self, keys: npt.NDArray[np.uint64], n: int) -> Untreated:
        """Draw the first `n` participants of the virtual trials with these stream keys."""
        from alsmodel.patients.course import Nature, draws

        people, size = self.people, keys.size
        rows = (draws(keys, 0, n, PURPOSE_ROW, False) * people.intercept.size).astype(np.int64)
        nature = Nature(
            intercept=people.intercept[rows],
            slope=np.full((size, n), people.slope.mean()),
            log_hazard=people.log_hazard[rows],
            cholesky=np.zeros((size, 2, 2)),
            residual_sd=np.full(size, people.pooled.std()),
            edges=np.append(people.knots, np.inf),
            log_baseline=np.tile(people.log_baseline, (size, 1)),
            association_value=np.full(size, float(self.association_value)),
            association_slope=np.zeros(size),
            spread=np.ones((size, n)),
            skew=0.0,
        )
        kept = self.kept[rows]
        columns: dict[str, Column] = {
            name: Categories(column.codes[kept], column.levels) if isinstance(column, Categories) else column[kept]
            for name, column in self.columns.items()
        }
        centre = np.full(size, people.intercept.mean()), np.full(size, people.slope.mean())
        return Untreated(nature, *centre, np.zeros(size, dtype=np.int64), columns, Drawn(self, rows))


@final
@dataclass(frozen=True, eq=False)
class Drawn:
    """Who was drawn: rows of the eligible people of a record, shape (R, n)."""

    truth: ResampledTruth
    rows: Integers

    def first(self, n: int) -> "Drawn":
        """The first `n` of each trial."""
        return Drawn(self.truth, np.ascontiguousarray(self.rows[:, :n]))

    @property
    def group(self) -> Integers:
        """Phenotype of each, a place in `ResampledTruth.groups`."""
        if self.truth.phenotype is None:
            return np.zeros(self.rows.shape, dtype=np.int64)
        column = self.truth.columns[self.truth.phenotype]
        assert isinstance(column, Categories)
        return np.ascontiguousarray(column.codes[self.truth.kept[self.rows]], dtype=np.int64)

    def own(self, keys: npt.NDArray[np.uint64], visits: Floats, *, twins: bool) -> "Own":
        """What they bring from the record to these visits; twins do not end with it."""
        from alsmodel.patients.course import PURPOSE_EVENT, Own, draws, draws_by_visit

        people, n = self.truth.people, self.rows.shape[1]
        more = np.where(people.died[self.rows], 0.0, -np.log(draws(keys, 0, n, PURPOSE_EVENT, False)))
        limit = np.full(self.rows.shape, np.inf)
        if self.truth.horizon == "end of record" and not twins:
            limit = people.lengths(self.rows, draws(keys, 0, n, PURPOSE_LENGTH, False))
        noise = people.residual_at(visits)[self.rows]
        pooled = people.pooled[(draws_by_visit(keys, n, PURPOSE_POOLED, visits.size) * people.pooled.size).astype(np.int64)]
        return Own(
            deviation=people.slope[self.rows] - people.slope.mean(),
            mass=people.mass[self.rows] + more,
            limit=limit,
            noise=np.where(np.isnan(noise), pooled, noise),
        )


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Lines:
    """The eligible people of a record: lines, residuals, and the hazard fitted to them.

    Attributes
    ----------
    intercept, slope : array, shape (N,)
        Of the own least-squares line, points and points per month.
    month, residual : array, shape (N, W)
        Of each assessment.
    pooled : array, shape (n residuals,)
        All residuals, each widened for the coefficients of its line.
    end_month, died
        As given.
    knots, log_baseline : array, shape (K,)
        Months where pieces of the hazard begin, and its log per month for a score of 0.
    log_hazard : array, shape (N,)
        Own log hazard beside it.
    mass : array, shape (N,)
        Cumulative hazard along the untreated line to `end_month`.
    """

    intercept: Floats
    slope: Floats
    month: Floats
    residual: Floats
    pooled: Floats
    end_month: Floats
    died: npt.NDArray[np.bool_]
    knots: Floats
    log_baseline: Floats
    log_hazard: Floats
    mass: Floats

    def residual_at(self, visits: Floats) -> Floats:
        """Residual of the assessment nearest to each planned visit, within half the way to the next; shape (N, V), NaN without one."""
        gap = np.diff(visits) / 2
        below, above = np.append(gap[:1], gap), np.append(gap, gap[-1:])
        found = np.full((self.intercept.size, visits.size), np.nan)
        for v, visit in enumerate(visits):
            away = np.where(np.isnan(self.residual), np.nan, self.month - visit)
            with np.errstate(invalid="ignore"):
                size = np.where((away >= -below[v] - 1e-9) & (away < above[v] - 1e-9), np.abs(away), np.inf)
            nearest = size.argmin(axis=1)
            place = np.arange(nearest.size), nearest
            found[:, v] = np.where(np.isfinite(size[place]), self.residual[place], np.nan)
        return found

    def lengths(self, rows: Integers, uniform: Floats) -> Floats:
        """Length of each record: as observed, or beyond the event drawn from the Kaplan-Meier curve of lengths."""
        lost = np.unique(self.end_month[~self.died])
        # At risk of being last seen at c: everyone followed to c who has not had the event by then.
        at_risk = np.array([(np.where(self.died, self.end_month > c, self.end_month >= c)).sum() for c in lost], dtype=np.float64)
        leaving = np.array([(self.end_month[~self.died] == c).sum() for c in lost], dtype=np.float64)
        curve = np.append(1.0, np.cumprod(1.0 - leaving / at_risk)) if lost.size else np.ones(1)
        times = np.append(lost, self.end_month.max())
        end = self.end_month[rows]
        target = uniform * curve[np.searchsorted(lost, end, side="right")]
        drawn = times[np.searchsorted(-curve[1:], -target, side="left")]
        return np.where(self.died[rows], drawn, end)


def lines_of(month: Floats, score: Floats, end_month: Floats, died: npt.NDArray[np.bool_], association: float, pieces: int) -> Lines:
    """Fit lines and hazard to a record; arrays as in `ResampledTruth`."""
    seen = np.isfinite(score)
    count = seen.sum(axis=1)
    t, y = np.where(seen, month, 0.0), np.where(seen, score, 0.0)
    centre, level = t.sum(axis=1) / count, y.sum(axis=1) / count
    apart = np.where(seen, month - centre[:, None], 0.0)
    slope = (apart * y).sum(axis=1) / (apart**2).sum(axis=1)
    intercept = level - slope * centre
    residual = np.where(seen, score - intercept[:, None] - slope[:, None] * t, np.nan)
    widened = residual * np.sqrt(count / (count - 2))[:, None]
    knots = _knots(end_month, died, pieces)
    own = np.column_stack([intercept - intercept.mean(), slope - slope.mean()])
    base, factors = _hazard(knots, intercept, slope, own, end_month, died, association)
    log_hazard = own @ factors
    mass = exposures(knots, intercept, slope, end_month, association) @ np.exp(base) * np.exp(log_hazard)
    return Lines(
        intercept=intercept,
        slope=slope,
        month=month,
        residual=residual,
        pooled=widened[seen],
        end_month=end_month,
        died=died,
        knots=knots,
        log_baseline=base,
        log_hazard=log_hazard,
        mass=mass,
    )


def _knots(end: Floats, died: npt.NDArray[np.bool_], pieces: int) -> Floats:
    """Starts of the pieces: 0, the end of the time that nobody can have died in, quantiles of the event times."""
    events = end[died]
    inner = np.quantile(events, np.arange(1, pieces) / pieces) if events.size >= pieces else np.zeros(0)
    # Whoever is in the record lived to have the scores of a line: no hazard can be fitted to those months.
    return np.unique(np.concatenate([[0.0, end.min() * (1 - 1e-9)], inner]))


def exposures(knots: Floats, intercept: Floats, slope: Floats, end: Floats, association: float) -> Floats:
    """Integral of exp(association x own line) over each piece up to `end`, in months; shape (N, K)."""
    start = np.minimum(knots[None, :], end[:, None])
    stop = np.minimum(np.append(knots[1:], np.inf)[None, :], end[:, None])
    growth = association * slope[:, None] * (stop - start)
    safe = np.where(np.abs(growth) < 1e-12, 1.0, growth)
    mean = np.where(np.abs(growth) < 1e-12, 1.0, np.expm1(safe) / safe)
    return np.asarray(np.exp(association * (intercept[:, None] + slope[:, None] * start)) * (stop - start) * mean)


def _hazard(
    knots: Floats, intercept: Floats, slope: Floats, own: Floats, end: Floats, died: npt.NDArray[np.bool_], association: float
) -> tuple[Floats, Floats]:
    """Maximum likelihood of a piecewise exponential hazard with proportional factors, levels profiled out; Newton's method."""
    factors = np.zeros(own.shape[1])
    if not died.any():
        return np.full(knots.size, NEVER), factors
    # An event on a boundary belongs to the piece that ends there.
    events = np.bincount(np.maximum(np.searchsorted(knots, end[died], side="left") - 1, 0), minlength=knots.size)
    exposed = exposures(knots, intercept, slope, end, association)
    if events.sum() >= EVENTS_PER_COEFFICIENT * (own.shape[1] + knots.size):
        for _step in range(50):
            weight = exposed * np.exp(own @ factors)[:, None]
            total = weight.sum(axis=0)
            mean = weight.T @ own / total[:, None]
            score = own[died].sum(axis=0) - events @ mean
            second = np.einsum("nk,na,nb->kab", weight, own, own) / total[:, None, None]
            information = np.einsum("k,kab->ab", events, second) - (mean * events[:, None]).T @ mean
            step = np.linalg.solve(information, score)
            factors = factors + np.clip(step, -1.0, 1.0)
            if np.abs(step).max() < 1e-10:
                break
    with np.errstate(divide="ignore"):
        base = np.log(events) - np.log((exposed * np.exp(own @ factors)[:, None]).sum(axis=0))
    return np.maximum(base, NEVER), factors
