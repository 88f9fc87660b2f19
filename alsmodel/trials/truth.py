"""Nature in a virtual trial: how participants decline and die. No design and no analysis sees it."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from alsmodel.patients.course import Nature
    from alsmodel.trials.conditions import Column
    from alsmodel.trials.resampled import Drawn, ResampledTruth

Floats = npt.NDArray[np.float64]

# Purposes of random numbers, apart from those of the generator of scores and events.
PURPOSE_DRAW = 101
PURPOSE_ROW = 102
PURPOSE_CLASS = 107
#: Gauss-Hermite nodes for each random effect of a sigmoid, where its mean is wanted.
NODES = 9


@final
@dataclass(frozen=True)
class Untreated:
    """The untreated candidates of a block of trials, as the generator takes them.

    Attributes
    ----------
    nature : Nature
        See `alsmodel.patients.course.Nature`.
    centre_value, centre_slope : array, shape (R,)
        Mean score at month 0 (points) and mean slope (points per month) of the population they come from.
    draw : array of int, shape (R,)
        Which posterior draw each trial has; 0 when the truth is given by numbers.
    columns : dict of str to column
        Baseline columns that come with a record, each (R, n).
    record : Drawn or None
        Who was drawn from a record.
    rows : array of int or None, shape (R, n)
        Which participant of the fitted cohort lends each candidate the covariates.
    """

    nature: "Nature"
    centre_value: Floats
    centre_slope: Floats
    draw: npt.NDArray[np.int64]
    columns: "dict[str, Column]" = field(default_factory=dict)
    record: "Drawn | None" = None
    rows: npt.NDArray[np.int64] | None = None


@final
@dataclass(frozen=True, kw_only=True)
class NamedTruth:
    """A population given by numbers.

    Attributes
    ----------
    intercept_mean, intercept_sd : float
        True score at month 0, points. 35 and an *observed* SD of 6.7 in HEALEY's shared placebo group; with the
        residual SD below, the SD of the true score is 6.46.
    slope_mean, slope_sd : float
        Points per month. -1.03 and 0.76: HEALEY's simulation inputs from PRO-ACT placebo (N = 2,175), who had at
        least three scores over 24 weeks, so a population of survivors.
    slope_skew : float
        Log SD of the reversed log-normal from which slope deviations come (mean and SD unchanged; 0 is normal). A
        normal slope leaves 9% of people improving; 0.66 = sqrt(log(1 + (0.76/1.03)^2)) leaves about 1%.
    correlation : float
        Between intercept and slope deviations; 0.2, as 0.21 in a simulator built on van Eijk's 2018 joint model.
    residual_sd : float
        Points; 1.77 (HEALEY's inputs).
    hazard : tuple of float
        Events per month in each interval of `hazard_knots`, for a participant whose true score stays at
        `intercept_mean` and whose slope is `slope_mean`. *Chosen*: with the other defaults 5% have died at 24
        weeks (HEALEY's base case).
    hazard_knots : tuple of float
        Months where the hazard changes, from 0; as many as `hazard`, the last level holds on.
    association_value : float
        Log hazard per point of the current true score; -0.08 (van Eijk 2022).
    association_slope : float
        Log hazard per point per month of the participant's slope.
    """

    intercept_mean: float = 35.0
    intercept_sd: float = 6.46
    slope_mean: float = -1.03
    slope_sd: float = 0.76
    slope_skew: float = 0.66
    correlation: float = 0.2
    residual_sd: float = 1.77
    hazard: tuple[float, ...] = (0.0062,)
    hazard_knots: tuple[float, ...] = (0.0,)
    association_value: float = -0.08
    association_slope: float = 0.0
    kind: Literal["named"] = "named"

    def __post_init__(self) -> None:
        faults = [
            f"{name} must be above 0; got {getattr(self, name)}." for name in ("intercept_sd", "residual_sd") if not getattr(self, name) > 0
        ]
        if not self.slope_sd >= 0 or not self.slope_skew >= 0:
            faults.append(f"slope_sd and slope_skew must not be negative; got {self.slope_sd} and {self.slope_skew}.")
        if not -1 < self.correlation < 1:
            faults.append(f"correlation must lie between -1 and 1; got {self.correlation}.")
        if not self.hazard or min(self.hazard) <= 0:
            faults.append(f"hazard is events per month, each above 0; got {list(self.hazard)}. Use 1e-9 for none.")
        knots = self.hazard_knots
        if len(knots) != len(self.hazard) or list(knots[:1]) != [0] or list(knots) != sorted(set(knots)):
            faults.append(
                f"hazard_knots are the increasing starts of the {len(self.hazard)} hazard levels, the first 0; got {list(knots)}."
            )
        numbers = [v for v in asdict(self).values() if isinstance(v, int | float)]
        if not np.isfinite([*numbers, *self.hazard, *knots]).all():
            faults.append("every number must be finite.")
        if faults:
            raise ValueError(" ".join(faults))

    @property
    def causes(self) -> tuple[str, ...]:
        """Further causes than the end point: none."""
        return ()

    def identity(self) -> dict[str, object]:
        """Everything that decides who the participants are, as plain values."""
        return asdict(self)

    def block(self, keys: npt.NDArray[np.uint64], n: int) -> Untreated:
        """Give the candidates of the virtual trials with these stream keys; all `n` of a trial are alike."""
        from alsmodel.patients.course import Nature

        size = keys.size
        sd0, sd1, r = self.intercept_sd, self.slope_sd, self.correlation
        level = np.log(self.hazard) - self.association_value * self.intercept_mean - self.association_slope * self.slope_mean
        nature = Nature(
            intercept=np.full((size, 1), float(self.intercept_mean)),
            slope=np.full((size, 1), float(self.slope_mean)),
            log_hazard=np.zeros((size, 1)),
            cholesky=np.tile(np.array([[sd0, 0.0], [r * sd1, np.sqrt(1 - r * r) * sd1]]), (size, 1, 1)),
            residual_sd=np.full(size, float(self.residual_sd)),
            edges=np.array([*self.hazard_knots, np.inf], dtype=np.float64),
            log_baseline=np.tile(level, (size, 1)),
            association_value=np.full(size, float(self.association_value)),
            association_slope=np.full(size, float(self.association_slope)),
            spread=np.ones((size, 1)),
            skew=float(self.slope_skew),
        )
        return Untreated(nature, nature.intercept[:, 0], nature.slope[:, 0], np.zeros(size, dtype=np.int64))


_SHAPES = {
    "intercept": "DN",
    "slope": "DN",
    "log_hazard": "DN",
    "random_cholesky": "DEE",
    "residual_sd": "D",
    "knots": "L",
    "log_baseline_hazard": "DK",
    "association_value": "D",
    "association_slope": "D",
    "slope_spread": "DN",
}
#: Of a fit whose paths bend.
_BENT = {"bend": "DB", "bend_months": "M", "bend_rates": "BM"}
#: Of each further cause, its name behind "@", and of the end point after one, with "after " before the name.
_HAZARD = {"log_hazard": "DN", "log_baseline_hazard": "DK", "association_value": "D", "association_slope": "D"}
_AFTER = "@after "
#: Of sigmoid paths and of latent classes.
_SIGMOID = {"since_onset": "N", "top": "1"}
_CLASSES = {"class_share": "DNC", "class_intercept": "DC", "class_slope": "DNC", "class_log_hazard": "DC"}


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class PosteriorTruth:
    """A population given by the posterior draws of a fitted joint model: power becomes assurance.

    Each virtual trial takes one draw, and its participants' covariates from the fitted cohort with replacement; their
    deviations are new (predicted participants, not the fitted ones). Beyond the last knot the last
    hazard level goes on, and so does the straight line, or the tangent of a bent path at the longest follow-up.

    Attributes
    ----------
    intercept, slope, log_hazard : array, shape (D, N)
        Mean score at month 0, mean slope per month and log hazard of each cohort participant under each draw.
    random_cholesky : array, shape (D, 2 + B, 2 + B)
        Lower Cholesky factor of the random effects' covariance: of score and slope at month 0 and of B bending terms, none for lines.
    residual_sd : array, shape (D,)
    knots : array, shape (K + 1,)
        Months.
    log_baseline_hazard : array, shape (D, K)
        Per month.
    association_value, association_slope : array, shape (D,)
    slope_spread : array, shape (D, N)
        Factor of the own deviation of the slope: other than 1 where a background drug acts on it. 1 for everybody where left out.
    bend : array, shape (D, B)
        Coefficients of the bending terms in the mean path.
    bend_months : array, shape (M,)
        Months from 0 between which a term's slope is constant; the last one holds on.
    bend_rates : array, shape (B, M)
        What a unit of a term adds to the slope there, points per month.
    further : mapping of array
        Further causes beside the end point, such as tracheostomy: ``log_hazard@tracheostomy`` and so on as for the end point, on the same
        knots. What comes after one: ``log_hazard@after tracheostomy`` (D, N), ``log_baseline_hazard@after tracheostomy`` (D, K) and
        ``clock@after tracheostomy`` (1,), which is 1 where its months count from the event and 2 where they count from month 0. And of C
        latent classes, ``class_share`` (D, N, C), the chance of each for a participant, and what each adds: ``class_intercept`` (D, C),
        ``class_slope`` (D, N, C) and ``class_log_hazard`` (D, C). And of sigmoid paths ``top`` (1,), the full score, and ``since_onset``
        (N,), months from onset to month 0: ``intercept`` and ``slope`` are then the means of log D50 and log dx, months.
    known : mapping of array, each shape (N,)
        Baseline values of the cohort's participants that a prediction at screening may use: design columns (``column:age``) and background
        drugs (``taken:riluzole``).
    """

    intercept: Floats
    slope: Floats
    log_hazard: Floats
    random_cholesky: Floats
    residual_sd: Floats
    knots: Floats
    log_baseline_hazard: Floats
    association_value: Floats
    association_slope: Floats
    slope_spread: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    bend: Floats = field(default_factory=lambda: np.zeros((1, 0)))
    bend_months: Floats = field(default_factory=lambda: np.zeros(1))
    bend_rates: Floats = field(default_factory=lambda: np.zeros((0, 1)))
    further: Mapping[str, Floats] = field(default_factory=dict)
    known: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        draws, people = np.shape(self.slope) if np.ndim(self.slope) == 2 else (-1, -1)
        levels = np.shape(self.log_baseline_hazard)[-1] if np.ndim(self.log_baseline_hazard) == 2 else -1
        terms = np.shape(self.bend_rates)[0] if np.ndim(self.bend_rates) == 2 else -1
        classes = np.shape(self.further.get("class_share", ()))[-1:]
        sizes = {
            "1": 1,
            "C": classes[0] if classes else 0,
            "D": draws,
            "N": people,
            "K": levels,
            "L": levels + 1,
            "E": 2 + terms,
            "B": terms,
            "M": np.size(self.bend_months),
        }
        faults = []
        if np.size(self.slope_spread) == 0:
            object.__setattr__(self, "slope_spread", np.ones(np.shape(self.slope)))
        object.__setattr__(self, "further", {k: np.ascontiguousarray(v, dtype=np.float64) for k, v in self.further.items()})
        for name, letters in self._shapes(terms).items():
            if name not in self.further:
                object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name, np.zeros(0)), dtype=np.float64))
            array = self._array(name)
            wanted = tuple(sizes[letter] for letter in letters)
            if array.shape != wanted or array.size == 0:
                faults.append(f"{name} has shape {array.shape}, expected ({', '.join(letters)}) = {wanted}.")
            elif np.isnan(array).any() or (name != "knots" and not np.isfinite(array).all()):
                faults.append(f"{name} holds missing or infinite values.")
        if any(np.shape(value) != (people,) for value in self.known.values()):
            faults.append(f"known holds one value per participant, {people}.")
        if not faults and ((self.residual_sd <= 0).any() or self.knots[0] != 0 or (np.diff(self.knots) <= 0).any()):
            faults.append("residual_sd must be above 0, and knots must increase from 0.")
        if not faults and (self.bend_months[0] != 0 or (np.diff(self.bend_months) <= 0).any()):
            faults.append("bend_months must increase from 0.")
        if faults:
            raise ValueError("The posterior draws cannot make participants: " + " ".join(faults))

    @classmethod
    def of(cls, population: Mapping[str, Floats]) -> "PosteriorTruth":
        """Make the truth from what a fit's `population` returns.

        Raises
        ------
        ValueError
            When an array is absent or has the wrong shape.
        """
        absent = [name for name in _SHAPES if name not in population and name != "slope_spread"]
        if absent:
            raise ValueError(f"The population lacks {', '.join(absent)}; it has {', '.join(sorted(population))}.")
        known = {name: np.asarray(value) for name, value in population.items() if name.startswith(("column:", "taken:"))}
        further = {k: np.asarray(v) for k, v in population.items() if k in (*_CLASSES, *_SIGMOID) or ("@" in k and ":" not in k)}
        plain = {name: np.asarray(population[name]) for name in (*_SHAPES, *_BENT) if name in population}
        return cls(**plain, further=further, known=known)

    @property
    def causes(self) -> tuple[str, ...]:
        """Further causes than the end point."""
        return tuple(name.partition("@")[2] for name in self.further if name.startswith("log_hazard@") and _AFTER not in name)

    @property
    def curved(self) -> bool:
        """Whether paths are sigmoids, which have no mean slope apart from each participant's own."""
        return "top" in self.further

    def _shapes(self, terms: int) -> dict[str, str]:
        """Arrays that decide who the participants are, with a letter for each of their axes; where paths bend in so many terms."""
        found = _SHAPES | (_BENT if terms else {}) | (_CLASSES if "class_share" in self.further else {})
        if self.curved:
            found |= _SIGMOID | {"bend_months": _BENT["bend_months"]}
        for cause in self.causes:
            found |= {f"{name}@{cause}": letters for name, letters in _HAZARD.items()}
            if f"clock{_AFTER}{cause}" in self.further:
                found |= {f"log_hazard{_AFTER}{cause}": "DN", f"log_baseline_hazard{_AFTER}{cause}": "DK", f"clock{_AFTER}{cause}": "1"}
        return found

    def _array(self, name: str) -> Floats:
        return self.further[name] if name in self.further else np.asarray(getattr(self, name))

    def some(self, which: npt.NDArray[np.int64]) -> "PosteriorTruth":
        """The populations of some of the draws."""
        drawn = [name for name, letters in self._shapes(self.bend.shape[1]).items() if letters.startswith("D")]
        further = {name: value[which] if name in drawn else value for name, value in self.further.items()}
        return replace(self, **{name: getattr(self, name)[which] for name in drawn if name not in further}, further=further)

    def identity_of_known(self) -> str:
        """Digest of what a prediction at screening may use; no part of `identity`, since it decides nothing without one."""
        digest = hashlib.sha256()
        for name, value in sorted(self.known.items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value, dtype="<f8").tobytes())
        return digest.hexdigest()

    def identity(self) -> dict[str, object]:
        """Everything that decides who the participants are, as plain values (arrays by their digest)."""
        digest = hashlib.sha256()
        for name in self._shapes(self.bend.shape[1]):
            array = self._array(name)
            if name == "slope_spread" and (array == 1.0).all():
                continue  # then the people are those of a truth that knows of no such factor
            digest.update(f"{name}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        draws, people = self.slope.shape
        return {"kind": "posterior", "draws": draws, "participants": people, "sha256": digest.hexdigest()}

    def block(self, keys: npt.NDArray[np.uint64], n: int) -> Untreated:
        """Give the first `n` candidates of the virtual trials with these stream keys."""
        from alsmodel.patients.course import Nature, draws, hidden_block  # here: reading a study file must not wait for numba

        total, people = self.slope.shape
        d = (draws(keys, 0, 1, PURPOSE_DRAW, False)[:, 0] * total).astype(np.int64)
        rows = (draws(keys, 0, n, PURPOSE_ROW, False) * people).astype(np.int64)
        intercept, slope, log_hazard = (array[d[:, None], rows] for array in (self.intercept, self.slope, self.log_hazard))
        if "class_share" in self.further:
            level, steeper, hazard = self._classes(d, rows, draws(keys, 0, n, PURPOSE_CLASS, False))
            intercept, slope, log_hazard = intercept + level, slope + steeper, log_hazard + hazard
        curve: dict[str, Any] = {}
        cholesky = np.ascontiguousarray(self.random_cholesky[d])
        if self.curved:
            b0, b1 = hidden_block(keys, 0, n, cholesky, 0.0)
            intercept, slope, curve = self._sigmoid(intercept + b0, slope + b1, self.further["since_onset"][rows])
            cholesky = np.zeros_like(cholesky)  # what a participant has of his own is in the curve
        edges = np.unique(np.concatenate([self.knots[:-1], self.bend_months]))
        piece = np.searchsorted(self.knots[:-1], edges, side="right") - 1
        nature = Nature(
            intercept=intercept,
            slope=slope,
            log_hazard=log_hazard,
            cholesky=cholesky,
            residual_sd=self.residual_sd[d],
            edges=np.append(edges, np.inf),
            log_baseline=np.ascontiguousarray(self.log_baseline_hazard[d][:, piece]),
            association_value=self.association_value[d],
            association_slope=self.association_slope[d],
            spread=self.slope_spread[d[:, None], rows],
            skew=0.0,
            bend=np.ascontiguousarray(self.bend[d]) if self.bend.size else self.bend,
            bends=np.ascontiguousarray(self.bend_rates[:, np.searchsorted(self.bend_months, edges, side="right") - 1]),
            **self._further_hazards(d, rows, piece),
            **curve,
        )
        value, rate = self._centres
        return Untreated(nature, value[d], rate[d], d, rows=rows)

    def _sigmoid(self, log_d50: Floats, log_dx: Floats, since: Floats) -> tuple[Floats, Floats, dict[str, Any]]:
        """Score and slope at month 0, and the part of `alsmodel.patients.course.Nature` about the curve."""
        from scipy.special import expit

        top, scale = float(self.further["top"][0]), np.exp(log_dx)
        centre = np.exp(log_d50) - since
        share = expit(centre / scale)
        return top * share, -top * share * (1.0 - share) / scale, {"curve": np.stack([centre, scale], axis=-1), "top": top}

    @cached_property
    def _centres(self) -> tuple[Floats, Floats]:
        """Mean score and mean slope at month 0 under each draw, over participants and their classes; (D,) each."""
        value, slope = self.intercept.mean(axis=1), self.slope.mean(axis=1)
        if self.curved:
            x, weight = np.polynomial.hermite_e.hermegauss(NODES)
            weight, value, slope = weight / weight.sum(), np.zeros_like(value), np.zeros_like(slope)
            for j, k in product(range(NODES), repeat=2):
                b0, b1 = np.einsum("dij,j->id", self.random_cholesky, np.array([x[j], x[k]]))[..., None]
                found = self._sigmoid(self.intercept + b0, self.slope + b1, self.further["since_onset"])
                value, slope = (old + weight[j] * weight[k] * new.mean(axis=1) for old, new in zip((value, slope), found[:2], strict=True))
        if "class_share" in self.further:
            share = self.further["class_share"]
            value = value + (share.mean(axis=1) * self.further["class_intercept"]).sum(axis=1)
            slope = slope + (share * self.further["class_slope"]).sum(axis=2).mean(axis=1)
        return value, slope

    def _classes(self, d: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], uniform: Floats) -> tuple[Floats, Floats, Floats]:
        """What the latent class of each candidate adds to score and slope at month 0 and to the log hazard, (R, n) each."""
        which = d[:, None]
        upto = np.cumsum(self.further["class_share"][which, rows], axis=2)
        own = (uniform[..., None] > upto[..., :-1]).sum(axis=2)
        steeper = self.further["class_slope"][which, rows, own]
        return self.further["class_intercept"][which, own], steeper, self.further["class_log_hazard"][which, own]

    def _further_hazards(self, d: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], piece: npt.NDArray[np.int64]) -> dict[str, Any]:
        """The part of `alsmodel.patients.course.Nature` about further causes and what comes after them; nothing for one hazard alone."""
        if not self.causes:
            return {}
        nobody = {"log_hazard": np.zeros(self.slope.shape), "log_baseline_hazard": np.zeros(self.log_baseline_hazard.shape)}

        def each(part: str) -> list[Floats]:
            here = [self.further[f"{part}@{cause}"] for cause in self.causes]
            return here + [self.further.get(f"{part}{_AFTER}{cause}", nobody[part]) for cause in self.causes]

        reach = [np.column_stack([self.further[f"association_{kind}@{cause}"][d] for kind in ("value", "slope")]) for cause in self.causes]
        clock = [float(self.further.get(f"clock{_AFTER}{cause}", np.zeros(1))[0]) for cause in self.causes]
        return {
            "offsets": np.stack([one[d[:, None], rows] for one in each("log_hazard")], axis=2),
            "bases": np.stack([one[d][:, piece] for one in each("log_baseline_hazard")], axis=1),
            "reach": np.stack([*reach, *(np.zeros_like(one) for one in reach)], axis=1),
            "clock": np.array(clock),
        }


type Truth = NamedTruth | PosteriorTruth | ResampledTruth
