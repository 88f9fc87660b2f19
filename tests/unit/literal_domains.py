"""Participants with several outcomes drawn literally from the model's assumptions, one after the other, and their density by brute force.

Nothing of the package is imported: this is the second hand. A truth is a plain mapping of arrays; months throughout.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Truth = dict[str, Any]


def domain_truth(*, sigma: float = 0.8, alpha: float = -0.09) -> Truth:
    """Four domains on 0 to 12: bulbar onset (indicator x) has lost bulbar points and loses them faster; breathing is spared at first."""
    sd = np.array([3.0, 0.25, 2.6, 0.22, 2.8, 0.2, 2.5, 0.2])
    corr = np.eye(8)
    for i in range(8):
        for j in range(i):
            r = 0.35 if i % 2 == j % 2 else 0.15
            corr[i, j] = corr[j, i] = r
    return {
        "lower": np.zeros(4), "upper": np.full(4, 12.0), "weights": np.ones(4),
        "start": np.array([12.5, 9.5, 9.0, 14.0]), "start_x": np.array([-4.0, 1.5, 1.5, 0.0]),
        "slope": np.array([-0.2, -0.3, -0.25, -0.2]), "slope_x": np.array([-0.2, 0.0, 0.0, 0.0]),
        "covariance": corr * np.outer(sd, sd), "sigma": np.full(4, sigma),
        "knots": np.array([6.0, 12.0]), "log_hazard": np.array([-1.0, -0.9, -0.8]), "alpha": np.array([alpha, 0.0]), "hazard_x": 0.3,
        "df": None, "share_x": 0.3,
    }  # fmt: skip


def total_truth(*, sigma: float = 2.0, df: float | None = None, upper: float = 48.0, start: float = 38.0) -> Truth:
    """One outcome: a total score."""
    sd = np.array([6.0, 0.6])
    return {
        "lower": np.array([0.0 if df is None else -np.inf]), "upper": np.array([upper if df is None else np.inf]), "weights": np.ones(1),
        "start": np.array([start]), "start_x": np.array([-1.0]), "slope": np.array([-0.9]), "slope_x": np.array([-0.3]),
        "covariance": np.outer(sd, sd) * np.array([[1, 0.3], [0.3, 1]]), "sigma": np.array([sigma]),
        "knots": np.array([6.0, 12.0]), "log_hazard": np.array([-1.0, -0.9, -0.8]), "alpha": np.array([-0.09, 0.0]), "hazard_x": 0.3,
        "df": df, "share_x": 0.3,
    }  # fmt: skip


def log_baseline(truth: Truth, t: float) -> float:
    """Log baseline hazard at t; a knot belongs to the earlier piece."""
    return float(truth["log_hazard"][np.searchsorted(truth["knots"], t, side="left")])


def cumulative(truth: Truth, x: float, line: tuple[Floats, Floats], end: Floats) -> Floats:
    """Cumulative hazard to `end` for projections with this intercept and slope (all arrays): each piece has a closed form."""
    a1, a2 = truth["alpha"]
    s0, s1 = line
    rate = a1 * s1
    safe = np.where(np.abs(rate) < 1e-10, 1.0, rate)
    total = np.zeros(np.broadcast_shapes(np.shape(s0), np.shape(end)))
    edges = [0.0, *truth["knots"], np.inf]
    for piece in range(len(edges) - 1):
        left, right = edges[piece], np.clip(end, edges[piece], edges[piece + 1])
        level = np.exp(truth["log_hazard"][piece] + truth["hazard_x"] * x + a1 * s0 + a2 * s1)
        exact = (np.exp(safe * right) - np.exp(safe * left)) / safe
        total = total + level * np.where(np.abs(rate) < 1e-10, right - left, exact)
    return total


def draw_people(truth: Truth, n: int, rng: np.random.Generator, visits: Floats | None = None) -> list[dict[str, Any]]:
    """Participants one after the other; visits stop at the event or at censoring, uniform from 9 to 21 months."""
    k = truth["start"].size
    root = np.linalg.cholesky(truth["covariance"])
    visits = np.arange(0.0, 19.0, 3.0) if visits is None else visits
    people = []
    for _ in range(n):
        x = float(rng.uniform() < truth["share_x"])
        mean = np.empty(2 * k)
        mean[::2] = truth["start"] + truth["start_x"] * x
        mean[1::2] = truth["slope"] + truth["slope_x"] * x
        lines = mean + root @ rng.normal(size=2 * k)
        s0, s1 = truth["weights"] @ lines[::2], truth["weights"] @ lines[1::2]
        grid = np.linspace(0.0, 21.0, 2101)
        target, censoring = rng.exponential(), rng.uniform(9.0, 21.0)
        total = cumulative(truth, x, (np.array(s0), np.array(s1)), grid)
        died = np.interp(target, total, grid) if target < total[-1] else np.inf
        end = min(died, censoring)
        rows = []
        for o in range(k):
            for t in visits[visits <= end]:
                noise = rng.standard_t(truth["df"]) if truth["df"] else rng.normal()
                y = lines[2 * o] + lines[2 * o + 1] * t + truth["sigma"][o] * noise
                rows.append((o, float(t), float(np.clip(y, truth["lower"][o], truth["upper"][o]))))
        people.append({"x": x, "end": float(end), "event": bool(died <= censoring), "rows": rows, "lines": lines})
    return people


def log_terms(truth: Truth, person: dict[str, Any], lines: Floats, *, censored: bool = True) -> Floats:
    """Log density of scores and event given lines, shape (draws, 2 K)."""
    total = np.zeros(len(lines))
    for o, t, y in person["rows"]:
        m, sigma = lines[:, 2 * o] + lines[:, 2 * o + 1] * t, truth["sigma"][o]
        if truth["df"]:
            total += stats.t.logpdf((y - m) / sigma, truth["df"]) - np.log(sigma)
        elif censored and y >= truth["upper"][o]:
            total += stats.norm.logsf((truth["upper"][o] - m) / sigma)
        elif censored and y <= truth["lower"][o]:
            total += stats.norm.logcdf((truth["lower"][o] - m) / sigma)
        else:
            total += stats.norm.logpdf(y, m, sigma)
    line = (lines[:, ::2] @ truth["weights"], lines[:, 1::2] @ truth["weights"])
    total -= cumulative(truth, person["x"], line, np.array(person["end"]))
    if person["event"]:
        a1, a2 = truth["alpha"]
        total += log_baseline(truth, person["end"]) + truth["hazard_x"] * person["x"]
        total += a1 * (line[0] + line[1] * person["end"]) + a2 * line[1]
    return total


def prior_mean(truth: Truth, x: float) -> Floats:
    """Expected lines."""
    mean = np.empty(2 * truth["start"].size)
    mean[::2] = truth["start"] + truth["start_x"] * x
    mean[1::2] = truth["slope"] + truth["slope_x"] * x
    return mean


def loglik_plane(truth: Truth, person: dict[str, Any], points: int = 201) -> float:
    """Log-likelihood of a participant with one outcome: the trapezoid rule on a fine grid of the prior's plane, 8 SDs each way."""
    root, z = np.linalg.cholesky(truth["covariance"]), np.linspace(-8, 8, points)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(z, z, indexing="ij")], axis=1)
    terms = log_terms(truth, person, prior_mean(truth, person["x"]) + grid @ root.T) + stats.norm.logpdf(grid).sum(axis=1)
    top = terms.max()
    return float(top + np.log(np.exp(terms - top).sum()) + 2 * np.log(z[1] - z[0]))


def loglik_sampled(truth: Truth, person: dict[str, Any], draws: int, rng: np.random.Generator) -> tuple[float, float]:
    """Log-likelihood by importance sampling, and its Monte Carlo error.

    Student-t proposals with 8 degrees of freedom; place and shape come from three rounds that start at the prior.
    """
    size = truth["covariance"].shape[0]
    mean, cover = prior_mean(truth, person["x"]), truth["covariance"]
    centre, shape = mean, cover
    for final in (False, False, False, True):
        root = np.linalg.cholesky(shape)
        n = draws if final else max(draws // 5, 2000)
        z = rng.normal(size=(n, size)) / np.sqrt(rng.chisquare(8, n) / 8)[:, None]
        lines = centre + z @ root.T
        log_w = log_terms(truth, person, lines) + stats.multivariate_normal.logpdf(lines, mean, cover)
        log_w -= stats.multivariate_t.logpdf(lines, centre, shape, 8)
        w = np.exp(log_w - log_w.max())
        if not final:  # flattened weights in the early rounds, so that a few draws do not decide the shape
            w = np.exp(0.5 * (log_w - log_w.max())) if (w.sum() ** 2 / (w**2).sum()) < 20 * size else w
            centre = w @ lines / w.sum()
            shape = ((lines - centre) * w[:, None]).T @ (lines - centre) / w.sum() * 1.2 + 1e-3 * np.diag(np.diag(cover))
    return float(log_w.max() + np.log(w.mean())), float(w.std() / w.mean() / np.sqrt(draws))
