"""The D50 model: one sigmoid per participant from full function to none.

    score(t) = 48 / {1 + exp((t - D50) / dx)},   t = months from onset

D50 is the month at which half of the function is gone (24 points), dx the time constant of the loss (months): a short D50 is aggressive
disease (Stubendorff et al. 2017, abstract P 48; Gaur et al., ENCALS 2017, abstract; Steinbach et al.,
NeuroImage Clin 2020;25:102094, doi 10.1016/j.nicl.2019.102094). The abstracts give the two end states, D50 and dx; the logistic form is
that of public code for the model, fitted to ALSFRS-R totals in months. Aggressiveness is high below 20 months, low above 40 and
intermediate between (Dreger et al., Front Neurosci 2021;15:651651, doi 10.3389/fnins.2021.651651).

The course is divided into four phases: early semi-stable, early progressive, late progressive, late semi-stable. Those between early and
late part where half of the function is gone, t = D50. The limits of the semi-stable phases could not be confirmed from a source that
could be read, so there is no default for them: `phases` tells early from late, and all four when given the limits.
"""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from alsmodel.clinical.alsfrs import MAX_TOTAL
from alsmodel.clinical.units import DAYS_PER_MONTH

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Fewest totals after onset for a fit: two parameters and one degree of freedom. A choice of this package.
MIN_VISITS: Final = 3
#: Bounds of D50 and dx in months; a fit that ends on one has not converged. Choices of this package.
D50_BOUNDS: Final = (0.5, 1200.0)
DX_BOUNDS: Final = (0.05, 600.0)

#: Scores determine a fit when one point of noise moves neither ln D50 nor ln dx by more than this standard error. A choice of this package.
LARGEST_SE: Final = 1.0

_ROUNDS = (12, 188)
_TOLERANCE = 1e-6


def score_at(months: ArrayLike, d50: ArrayLike, dx: ArrayLike) -> Floats:
    """Return the ALSFRS-R total of the model, 0 to 48 points, `months` after onset."""
    t, middle, scale = (np.asarray(a, dtype=np.float64) for a in (months, d50, dx))
    # 1/(1 + e^u) as a hyperbolic tangent: no overflow.
    return np.asarray(MAX_TOTAL * 0.5 * (1.0 - np.tanh(0.5 * (t - middle) / scale)), dtype=np.float64)


def aggressiveness(d50: pl.Expr) -> pl.Expr:
    """Return high (D50 below 20 months), intermediate (20 to 40) or low (above 40): Dreger 2021, doi 10.3389/fnins.2021.651651."""
    return pl.when(d50 < 20).then(pl.lit("high")).when(d50 <= 40).then(pl.lit("intermediate")).when(d50 > 40).then(pl.lit("low"))


def phases(months: pl.Expr, d50: pl.Expr, *, limits: tuple[float, float] | None = None) -> pl.Expr:
    """Return the phase of the course at `months` from onset.

    Parameters
    ----------
    months, d50 : polars.Expr
        Months from onset; null before onset gives null.
    limits : tuple of float, optional
        End of the early semi-stable and start of the late semi-stable phase as multiples of D50, below and above 1. Name your source:
        this package has none. Without them the phases are "early" and "late".

    Raises
    ------
    ValueError
        When `limits` do not lie on both sides of 1.
    """
    share = pl.when(months >= 0).then(months / d50)
    if limits is None:
        return pl.when(share < 1).then(pl.lit("early")).when(share >= 1).then(pl.lit("late"))
    first, last = limits
    if not 0 < first < 1 < last:
        raise ValueError("limits are multiples of D50: the first between 0 and 1, the second above 1.")
    early = pl.when(share < first).then(pl.lit("early semi-stable")).when(share < 1).then(pl.lit("early progressive"))
    return early.when(share < last).then(pl.lit("late progressive")).when(share >= last).then(pl.lit("late semi-stable"))


def fit_d50(assessments: pl.DataFrame, onset: pl.DataFrame) -> pl.DataFrame:
    """Fit the model to each participant's ALSFRS-R totals by bounded non-linear least squares.

    Parameters
    ----------
    assessments : polars.DataFrame
        participant_id, day, total_48; rows without a total or before onset do not count.
    onset : polars.DataFrame
        participant_id, onset_day.

    Returns
    -------
    polars.DataFrame
        One row per participant of `onset`: participant_id, onset_day, n (totals used), d50 and dx (months), residual_sd (points),
        converged, reason (why there are no estimates, or why they are not to be used). Estimates of a fit that ended on
        a bound are given, with converged False. Onset itself is no observation: the curve need not pass through 48 at month 0.
    """
    people = onset.select("participant_id", pl.col("onset_day").cast(pl.Float64))
    rows = (
        assessments.select("participant_id", "day", "total_48")
        .join(people, on="participant_id", how="inner")
        .with_columns(month=(pl.col("day") - pl.col("onset_day")) / DAYS_PER_MONTH)
        .filter(pl.col("total_48").is_not_null() & (pl.col("month") >= 0))
    )
    score, month = pl.col("total_48").cast(pl.Float64), pl.col("month")
    counts = rows.group_by("participant_id").agg(n=pl.len(), days=month.n_unique(), decline=-pl.cov(month, score))
    people = people.join(counts, on="participant_id", how="left", maintain_order="left").with_columns(pl.col("n", "days").fill_null(0))
    reason = (
        pl.when(pl.col("onset_day").is_null()).then(pl.lit("onset unknown"))
        .when(pl.col("days") < MIN_VISITS).then(pl.lit(f"totals on fewer than {MIN_VISITS} days since onset"))
        .when(pl.col("decline") <= 0).then(pl.lit("scores do not fall"))
    )  # fmt: skip
    people = people.with_columns(reason=reason)
    wanted = people.filter(pl.col("reason").is_null()).select("participant_id").with_row_index("who")
    rows = rows.join(wanted, on="participant_id", how="inner").sort("who", "month")
    fitted = _fit(
        rows["who"].to_numpy().astype(np.int64), rows["month"].to_numpy(), rows["total_48"].cast(pl.Float64).to_numpy(), wanted.height
    )
    joined = people.join(wanted.drop("who").hstack(fitted), on="participant_id", how="left", maintain_order="left")
    joined = joined.with_columns(converged=pl.col("converged") & pl.col("determined"))
    failed = (
        pl.when(~pl.col("determined")).then(pl.lit("the scores do not determine D50 and dx"))
        .when(~pl.col("converged")).then(pl.lit("the fit ended on a bound or did not settle"))
    )  # fmt: skip
    return joined.select(
        "participant_id", "onset_day", pl.col("n").cast(pl.Int64), "d50", "dx", "residual_sd",
        pl.col("converged").fill_null(value=False), reason=pl.coalesce("reason", failed),
    )  # fmt: skip


def d50_phases(assessments: pl.DataFrame, fits: pl.DataFrame, *, limits: tuple[float, float] | None = None) -> pl.DataFrame:
    """Return the phase at each assessment of the participants whose fit converged: participant_id, day, month, phase.

    D50 uses scores from all of follow-up: a phase is no baseline covariate.
    """
    usable = fits.filter("converged").select("participant_id", "onset_day", "d50")
    rows = assessments.select("participant_id", "day").join(usable, on="participant_id", how="inner", maintain_order="left")
    rows = rows.with_columns(month=(pl.col("day") - pl.col("onset_day")) / DAYS_PER_MONTH)
    return rows.select("participant_id", "day", "month", phase=phases(pl.col("month"), pl.col("d50"), limits=limits))


def _fit(who: Ints, t: Floats, y: Floats, n: int) -> pl.DataFrame:
    """Least squares for all participants at once; `who` is the participant's index of each row."""
    low, high = np.log(np.array([D50_BOUNDS, DX_BOUNDS])).T
    theta, flat = np.clip(_start(who, t, y, n), low + 1e-9, high - 1e-9), np.zeros(n, dtype=np.bool_)
    for rounds in _ROUNDS:
        # Most settle in a few rounds; the rest go on among themselves.
        going = np.flatnonzero(~flat)
        index = np.full(n, -1)
        index[going] = np.arange(going.size)
        rows = index[who] >= 0
        theta[going], flat[going] = _descend(theta[going], index[who[rows]], t[rows], y[rows], rounds)
    _, a, b, c = _normal_equations(theta, who, t, y, n)
    inside = ((theta > low + 1e-6) & (theta < high - 1e-6)).all(axis=1)
    spread = np.sqrt(_sse(theta, who, t, y, n) / np.maximum(np.bincount(who, minlength=n) - 2, 1))
    columns = {
        "d50": np.exp(theta[:, 0]),
        "dx": np.exp(theta[:, 1]),
        "residual_sd": spread,
        "converged": flat & inside,
        "determined": np.maximum(a, c) < LARGEST_SE**2 * (a * c - b * b),
    }
    return pl.DataFrame(columns)


def _descend(theta: Floats, who: Ints, t: Floats, y: Floats, rounds: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Levenberg-Marquardt on (ln D50, ln dx) within the bounds; returns the parameters and who has settled."""
    n = len(theta)
    low, high = np.log(np.array([D50_BOUNDS, DX_BOUNDS])).T
    damping, flat, sse = np.full(n, 1e-3), np.zeros(n, dtype=np.bool_), _sse(theta, who, t, y, n)
    for _ in range(rounds):
        gradient, a, b, c = _normal_equations(theta, who, t, y, n)
        # The residual stands at right angles to both derivatives, or there is none left. Settled participants are left alone.
        cosine = np.abs(gradient) / np.sqrt(np.maximum(np.stack([a, c], axis=1) * sse[:, None], 1e-300))
        flat |= (cosine < _TOLERANCE).all(axis=1) | (sse < _TOLERANCE**2 * MAX_TOTAL**2)
        if flat.all():
            break
        da, dc = a * (1 + damping) + 1e-12, c * (1 + damping) + 1e-12
        step = np.stack([dc * gradient[:, 0] - b * gradient[:, 1], da * gradient[:, 1] - b * gradient[:, 0]], axis=1)
        step /= np.maximum(da * dc - b * b, 1e-300)[:, None]
        proposal = np.clip(theta + np.clip(step, -2.0, 2.0), low, high)
        new = _sse(proposal, who, t, y, n)
        better = (new <= sse) & ~flat
        theta = np.where(better[:, None], proposal, theta)
        sse = np.where(better, new, sse)
        damping = np.clip(np.where(better, damping / 4, damping * 6), 1e-12, 1e12)
    return theta, flat


def _start(who: Ints, t: Floats, y: Floats, n: int) -> Floats:
    """ln D50 and ln dx from the straight line through the logits, which is exact without noise."""
    share = np.clip(y / MAX_TOTAL, 0.01, 0.99)
    z = np.log(1 / share - 1)  # = (t - D50) / dx
    count = np.bincount(who, minlength=n)
    mean_t, mean_z = (np.bincount(who, v, n) / count for v in (t, z))
    within = t - mean_t[who]
    slope = np.bincount(who, within * (z - mean_z[who]), n) / np.maximum(np.bincount(who, within**2, n), 1e-12)
    dx = 1 / np.maximum(slope, 1 / DX_BOUNDS[1])
    return np.log(np.stack([np.maximum(mean_t - dx * mean_z, D50_BOUNDS[0]), dx], axis=1))


def _sse(theta: Floats, who: Ints, t: Floats, y: Floats, n: int) -> Floats:
    d50, dx = np.exp(theta[who]).T
    return np.bincount(who, (y - score_at(t, d50, dx)) ** 2, n)


def _normal_equations(theta: Floats, who: Ints, t: Floats, y: Floats, n: int) -> tuple[Floats, Floats, Floats, Floats]:
    """J'r and the three distinct entries of J'J, with J the derivatives of the score in ln D50 and ln dx."""
    d50, dx = np.exp(theta[who]).T
    p = score_at(t, d50, dx) / MAX_TOTAL
    steep = MAX_TOTAL * p * (1 - p)
    j1, j2, r = steep * d50 / dx, steep * (t - d50) / dx, y - MAX_TOTAL * p
    gradient = np.stack([np.bincount(who, j1 * r, n), np.bincount(who, j2 * r, n)], axis=1)
    return gradient, np.bincount(who, j1 * j1, n), np.bincount(who, j1 * j2, n), np.bincount(who, j2 * j2, n)
