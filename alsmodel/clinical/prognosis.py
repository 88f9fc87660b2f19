"""The ENCALS survival score and the TRICALS risk profile, as coded by their authors.

For stratification and simulation, never for the prognosis of one person: the coefficients are those of the public
code of the models' authors (repositories rpavaneijk/Basics and rpavaneijk/Precision-ALS) and were not checked
against the appendix of the paper, Westeneng et al., Lancet Neurol 2018;17:423,
doi 10.1016/S1474-4422(18)30089-9. Times are months **from onset**; the event is `EVENT`: non-invasive
ventilation more than 23 hours a day, tracheostomy or death.

Linear predictor, higher is worse, without intercept and without centring:

    LP = b1 (R + 0.1)^-0.5 + b2 {(D/10)^-0.5 + ln(D/10)} + b3 (A/100)^-2 + b4 {(V/100)^-1 + (V/100)^-0.5}
         + b5 bulbar + b6 definite + b7 FTD [+ b8 C9orf72]

with A the age at onset (years), D the delay from onset to diagnosis (months), R the points of the ALSFRS-R lost per
month since onset, V the vital capacity (% predicted). A diagnosis in less than 2.5 months *lowers* the score again,
because the delay's transform has its minimum there: such rows carry a warning.

Survival is a spline on the log odds scale (Royston and Parmar, Stat Med 2002;21:2175, doi 10.1002/sim.1203), x = ln t, u+ = max(u, 0):

    S(t | LP) = 1 / {1 + exp(s(x) + LP)},   s(x) = g0 + g1 x + g2 v1(x) + g3 v2(x)
    vj(x) = (x - kj)+^3 - lj (x - kmin)+^3 - (1 - lj) (x - kmax)+^3,   lj = (kmax - kj) / (kmax - kmin)

(the published script forgets the last cube, which shows after month 371 only).
"""

from dataclasses import dataclass
from typing import Final, Literal, final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from alsmodel.clinical.events import COMPOSITE_ENCALS, EventDefinition

Floats = NDArray[np.float64]

LABEL: Final = "score as coded by its authors, for stratification and simulation"
#: What the survival curve counts as the event.
EVENT: EventDefinition = COMPOSITE_ENCALS


@final
@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """Weights of one published linear predictor; ``c9orf72`` is None when the score does not ask for it."""

    name: str
    rate: float
    delay: float
    age: float
    vital_capacity: float
    bulbar: float
    definite: float
    ftd: float
    c9orf72: float | None


#: rpavaneijk/Basics, Source_Basics.R, function MyLP: full precision.
ENCALS = Coefficients(
    name="ENCALS",
    rate=-1.83665700485301,
    delay=-2.37341404599814,
    age=-0.266972062796289,
    vital_capacity=0.476853332498141,
    bulbar=0.268874087566745,
    definite=0.232783007891563,
    ftd=0.388313226407,
    c9orf72=0.256078493763062,
)
#: rpavaneijk/Precision-ALS, "ENCALS risk modelling.R": without C9orf72.
TRICALS = Coefficients(
    name="TRICALS", rate=-1.839, delay=-2.376, age=-0.264, vital_capacity=0.474, bulbar=0.271, definite=0.238, ftd=0.415, c9orf72=None
)
#: Eligible risk profiles, both ends included: the same code, and MAGNET (Trials 2022, doi 10.1186/s13063-022-06906-5).
TRICALS_WINDOW = (-6.0, -2.0)

#: Where the transform of the diagnostic delay has its minimum, in months: d/dD {(D/10)^-0.5 + ln(D/10)} = 0.
DELAY_OF_HIGHEST_SCORE = 2.5

#: Input -> plausible range; outside it there is no score. Limits of plausibility are choices of this package.
RANGES: dict[str, tuple[float, float]] = {
    "age_at_onset": (18.0, 100.0),
    "diagnostic_delay": (0.0, 360.0),  # zero itself is excluded: the transform is undefined there
    "progression_rate": (0.0, 10.0),
    "vital_capacity": (5.0, 200.0),
}
FLAGS: tuple[str, ...] = ("bulbar_onset", "definite", "ftd")

# rpavaneijk/Precision-ALS, "ENCALS risk modelling.R".
_G0, _G1, _G2, _G3 = -6.409, 2.643, -0.546, 0.585
_K_MIN, _K_1, _K_2, _K_MAX = 0.081, 3.108, 3.638, 5.917


def linear_predictor(weights: Coefficients) -> pl.Expr:
    """Return the linear predictor over the columns of `risk_scores`, null when one that it needs is null.

    Checks no ranges: use `risk_scores`, which does.
    """
    delay, vital_capacity = pl.col("diagnostic_delay") / 10, pl.col("vital_capacity") / 100
    score = (
        weights.rate * (pl.col("progression_rate") + 0.1) ** -0.5
        + weights.delay * (delay**-0.5 + delay.log())
        + weights.age * (pl.col("age_at_onset") / 100) ** -2.0
        + weights.vital_capacity * (vital_capacity**-1.0 + vital_capacity**-0.5)
    )
    for weight, flag in zip((weights.bulbar, weights.definite, weights.ftd), FLAGS):
        score = score + weight * pl.col(flag).cast(pl.Float64)
    return score if weights.c9orf72 is None else score + weights.c9orf72 * pl.col("c9orf72").cast(pl.Float64)


def risk_scores(
    frame: pl.DataFrame,
    *,
    c9orf72_unknown: Literal["TRICALS", "null"] = "TRICALS",
    short_delay: Literal["as coded", "clamp"] = "as coded",
) -> pl.DataFrame:
    """Add the ENCALS and TRICALS scores to `frame`, or the reason why there is none.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns ``age_at_onset`` (years), ``diagnostic_delay`` (months from onset to diagnosis), ``progression_rate``
        (points lost per month since onset, at or above 0), ``vital_capacity`` (% predicted) and the Booleans
        ``bulbar_onset``, ``definite`` (revised El Escorial), ``ftd``, ``c9orf72``. Nulls are unknown, never no.
    c9orf72_unknown : {"TRICALS", "null"}
        What ``score`` is where ``c9orf72`` is null: the TRICALS risk profile, as in the authors' code, or nothing.
    short_delay : {"as coded", "clamp"}
        A delay below 2.5 months is taken as it is, with a warning, or raised to 2.5 months, with another.

    Returns
    -------
    polars.DataFrame
        `frame` with ``encals``, ``tricals``, ``score`` and ``score_set`` (which of the two ``score`` is), ``tricals_eligible``,
        ``reason`` (why a score is null; several joined by "; ") and ``warning``.
    """
    given = pl.col("diagnostic_delay")
    short = (given > 0) & (given < DELAY_OF_HIGHEST_SCORE)
    source = frame.with_columns(given.clip(lower_bound=DELAY_OF_HIGHEST_SCORE)) if short_delay == "clamp" else frame
    usable = pl.col("reason_inputs") == ""
    scored = frame.with_columns(
        reason_inputs=pl.concat_str(_reasons(), separator="; ", ignore_nulls=True),
        encals_raw=source.select(linear_predictor(ENCALS)).to_series(),
        tricals_raw=source.select(linear_predictor(TRICALS)).to_series(),
    ).with_columns(encals=pl.when(usable).then("encals_raw"), tricals=pl.when(usable).then("tricals_raw"))
    fallback = usable & pl.col("c9orf72").is_null()
    unknown = "C9orf72 unknown: " + ("the TRICALS risk profile is used" if c9orf72_unknown == "TRICALS" else "no ENCALS score")
    delay = "diagnosis within 2.5 months of onset: " + ("taken as 2.5" if short_delay == "clamp" else "a shorter delay lowers the score")
    score = pl.coalesce("encals", "tricals") if c9orf72_unknown == "TRICALS" else pl.col("encals")
    scored = scored.with_columns(
        score=score,
        score_set=pl.when(score.is_null()).then(None).when(pl.col("encals").is_null()).then(pl.lit("TRICALS")).otherwise(pl.lit("ENCALS")),
        tricals_eligible=pl.col("tricals").is_between(*TRICALS_WINDOW),
        reason=pl.when(~usable).then("reason_inputs").when(fallback).then(pl.lit(unknown)),
        warning=pl.when(usable & short).then(pl.lit(delay)),
    )
    return scored.drop("reason_inputs", "encals_raw", "tricals_raw")


def _reasons() -> list[pl.Expr]:
    """One expression per input that both scores need: the reason against it, or null."""
    reasons: list[pl.Expr] = []
    for name, (low, high) in RANGES.items():
        value = pl.col(name).cast(pl.Float64)
        outside = ~value.is_between(low, high, closed="right" if name == "diagnostic_delay" else "both") | ~value.is_finite()
        bounds = f"above {low:g}, at most {high:g}" if name == "diagnostic_delay" else f"{low:g} to {high:g}"
        reasons.append(pl.when(value.is_null()).then(pl.lit(f"{name} missing")).when(outside).then(pl.lit(f"{name} outside {bounds}")))
    reasons += [pl.when(pl.col(flag).is_null()).then(pl.lit(f"{flag} unknown")) for flag in FLAGS]
    return reasons


def log_odds(months: ArrayLike) -> Floats:
    """Return s(ln t), the log odds of the event by month t from onset at a linear predictor of 0; -inf at t = 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return _spline(np.log(np.asarray(months, dtype=np.float64)))


def _spline(x: Floats) -> Floats:
    s = _G0 + _G1 * x
    for weight, knot in ((_G2, _K_1), (_G3, _K_2)):
        share = (_K_MAX - knot) / (_K_MAX - _K_MIN)
        cubes = [np.maximum(x - k, 0.0) ** 3 for k in (knot, _K_MIN, _K_MAX)]
        s = s + weight * (cubes[0] - share * cubes[1] - (1 - share) * cubes[2])
    return np.asarray(s, dtype=np.float64)


def survival(months: ArrayLike, score: ArrayLike, *, alive_at: ArrayLike = 0.0) -> Floats:
    """Return the probability of being free of `EVENT` at `months` from onset, given free of it at `alive_at`.

    Parameters
    ----------
    months : array_like
        Months **from onset**, at or above 0; broadcast with the others. After month 371 the curve is extrapolated.
    score : array_like
        Linear predictor, ``score`` of `risk_scores`; NaN gives NaN.
    alive_at : array_like
        Months from onset at which the participant is known to be free of the event, such as entry into a trial:
        S(t) / S(t0). Before that time the answer is 1.
    """
    t, lp, t0 = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (months, score, alive_at)))
    with np.errstate(invalid="ignore"):
        # log(1 + e^z) rather than 1/(1 + e^z): the ratio stays exact where both are tiny.
        log_s = np.logaddexp(0.0, log_odds(t0) + lp) - np.logaddexp(0.0, log_odds(t) + lp)
        known = np.isfinite(lp) & (t >= 0) & (t0 >= 0)
        return np.where(known, np.exp(np.minimum(log_s, 0.0)), np.nan)


def months_until(probability: ArrayLike, score: ArrayLike, *, alive_at: ArrayLike = 0.0) -> Floats:
    """Return the month from onset at which `survival` has fallen to `probability`.

    The spline is inverted by 80 halvings of e^-20 to e^20 months: deterministic, exact to rounding.

    Parameters
    ----------
    probability : array_like
        Between 0 and 1, both excluded; 0.5 is the median.
    score, alive_at : array_like
        As in `survival`.
    """
    q, lp, t0 = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (probability, score, alive_at)))
    known = (q > 0) & (q < 1) & np.isfinite(lp) & (t0 >= 0) & np.isfinite(t0)
    q, lp, start = np.where(known, q, 0.5), np.where(known, lp, 0.0), np.where(known, t0, 0.0)
    # S(t) = q S(t0)  <=>  1 + e^z = (1 + e^z0) / q, with z = s(ln t) + LP.
    target = np.logaddexp(np.log1p(-q), log_odds(start) + lp) - np.log(q) - lp
    low, high = np.full(q.shape, -20.0), np.full(q.shape, 20.0)
    for _ in range(80):
        middle = 0.5 * (low + high)
        early = _spline(middle) < target
        low, high = np.where(early, middle, low), np.where(early, high, middle)
    return np.where(known, np.exp(0.5 * (low + high)), np.nan)


def median_survival(score: ArrayLike, *, alive_at: ArrayLike = 0.0) -> Floats:
    """Return the median months **from onset** to `EVENT`, given free of it at `alive_at`."""
    return months_until(0.5, score, alive_at=alive_at)
