"""Baseline hazards as numbers at given times: coefficients, basis functions, and the log hazard that they make.

.. math:: h_0(u) = e^{\\eta} (U - L) \\sum_k w_k M_k(u), \\qquad w_k \\propto w^0_k e^{a_k}, \\quad a_1 = 0

with M-splines :math:`M_k` that integrate to one over [L, U] (Ramsay 1988, doi 10.1214/ss/1177012761), so that :math:`e^\\eta` is the mean
hazard over that range, and weights :math:`w^0` that give a constant hazard. Weights drawn towards those of a constant hazard are the
prior of survextrap (Jackson 2023, doi 10.1186/s12874-023-02094-1); steps of a random walk keep neighbours alike. The Weibull is
:math:`h_0(u) = e^{\\eta} (u / u_0)^{\\rho - 1}`. On the scale of Royston & Parmar (2002, doi 10.1002/sim.1203)

.. math:: \\log H_0(u) = \\eta + \\log u_0 + s(\\log u), \\qquad s'(x) = \\sum_k e^{a_k} N_k(x), \\quad s(\\log u_0) = 0

with quadratic B-splines :math:`N_k` of log time that add up to one, the first two and the last two of them taken together, so that
:math:`s'` has no slope at the boundary knots and is held beyond them: Weibull tails, where a natural spline has lines. Their natural
cubic spline is not bound to rise; positive weights make it so (as in monotone splines, Ramsay 1988). All :math:`a_k` equal: a Weibull.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from alsmodel.cohort.arrays import JointData
from alsmodel.models.groups import members
from alsmodel.models.spec import JointModel
from alsmodel.models.survival import RoystonParmar

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SMALLEST = 1e-12  # a Weibull hazard has no value at time zero itself


def strata(spec: JointModel, data: JointData) -> tuple[tuple[str, ...], Ints]:
    """Levels of the baseline's strata and the stratum of each participant; no levels when there is one baseline."""
    if spec.survival.strata is None:
        return (), np.zeros(data.people, np.int64)
    return members(data, (spec.survival.strata,), where="model.survival.strata")


def hazard_knots(spec: JointModel, data: JointData) -> Floats:
    """What the baseline needs besides its coefficients, on the hazard's clock.

    Inner knots of a piecewise hazard; the time at which a Weibull's level is held; lower boundary, inner knots and upper boundary of an
    M-spline; the time at which the level is held, first, inner and last knots of a Royston-Parmar curve; nothing for an exponential. Those
    not given are taken from the event times.
    """
    part = spec.survival
    end = data.event_near + data.onset_shift
    happened = end[data.event > 0]
    if part.kind == "exponential":
        return np.empty(0)
    amid = float(np.median(happened)) if happened.size else float(end.max()) / 2
    if part.kind == "weibull":
        return np.array([part.at if part.at is not None else float(f"{amid:.2g}")])
    if part.kind == "royston-parmar":
        at = part.at if part.at is not None else float(f"{amid:.2g}")
        return np.concatenate([[at], _curve_knots(part, happened[happened > 0], float(end.max()))])
    inner = inner_knots(part.knots, happened)
    if part.kind == "piecewise":
        return inner
    begin = -data.onset_shift if spec.population == "incident" else data.entry_time
    lower = min(0.0, float((begin + data.onset_shift).min()))
    upper = float(end.max()) if part.upper is None else part.upper
    inner = inner[(inner > lower) & (inner < upper)]
    return np.concatenate([[lower], inner, [upper]])


def _curve_knots(part: RoystonParmar, happened: Floats, longest: float) -> Floats:
    """First, inner and last knots; inner ones that do not lie between the others are left out."""
    apart = happened.size > 1 and happened.min() < happened.max()
    low, high = part.boundary or ((float(happened.min()), float(happened.max())) if apart else (longest / 4, longest))
    inner = inner_knots(part.knots, happened)
    return np.concatenate([[low], inner[(inner > low) & (inner < high)], [high]])


def inner_knots(knots: int | tuple[float, ...], happened: Floats) -> Floats:
    """The knots given, or as many quantiles of the times at which events happened as their number says."""
    if isinstance(knots, tuple):
        return np.array(knots, float)
    if happened.size == 0:
        return np.empty(0)
    return np.unique(np.quantile(happened, np.arange(1, knots + 1) / (knots + 1)))


def cuts_of(spec: JointModel, knots: Floats) -> Floats:
    """Knots at which follow-up is cut, so that nothing that is integrated has a kink."""
    if spec.survival.kind == "m-spline":
        return knots[1:]  # beyond the upper boundary the hazard is held, which bends it there
    if spec.survival.kind == "royston-parmar":
        return knots[1:]
    return knots if spec.survival.kind == "piecewise" else np.empty(0)


def shape_size(spec: JointModel, knots: Floats) -> int:
    """Number of coefficients of the baseline that carry its shape: pieces, the Weibull's one, or the spline's log weights."""
    part = spec.survival
    if part.kind == "m-spline":
        return knots.size + part.degree - 1
    if part.kind == "royston-parmar":
        return knots.size - 2
    return 1 if part.kind == "weibull" else knots.size + 1


def coefficient_labels(spec: JointModel, knots: Floats, levels: Sequence[str]) -> list[list[str]]:
    """Labels of the coefficients of each stratum, in the order that the kernel reads them; "" stands for zero."""
    return [_labels(spec, knots, suffix) for suffix in ([f"|{level}" for level in levels] or [""])]


def _labels(spec: JointModel, knots: Floats, suffix: str) -> list[str]:
    size = shape_size(spec, knots)
    if spec.survival.kind == "weibull":
        return [f"log_level{suffix}", f"log_shape{suffix}"]
    if spec.survival.kind == "royston-parmar":
        return [f"log_level{suffix}", *(f"log_slope[{k + 1}]{suffix}" for k in range(size))]
    if spec.survival.kind == "m-spline":
        return [f"log_level{suffix}", "", *(f"log_weight[{k + 1}]{suffix}" for k in range(1, size))]
    return [f"log_hazard[{k + 1}]{suffix}" for k in range(size)]


def basis(spec: JointModel, knots: Floats, time: Floats) -> Floats:
    """Basis at the times `time` (on the hazard's clock): log(time / at), or the M-splines scaled to one for a constant hazard."""
    if spec.survival.kind == "weibull":
        return np.asarray(np.log(np.maximum(time, SMALLEST) / knots[0])[:, None])
    if spec.survival.kind == "m-spline":
        degree = spec.survival.degree
        return np.asarray(m_splines(time, knots, degree) * constant_weights(knots, degree) * (knots[-1] - knots[0]))
    if spec.survival.kind == "royston-parmar":
        logs = np.log(np.maximum(time, SMALLEST))
        return np.column_stack([np.log(knots[0]) - logs, *curve_terms(logs, knots)])
    return np.zeros((time.size, 0))


def curve_terms(logs: Floats, knots: Floats) -> tuple[Floats, Floats]:
    """Integrals from the log of knots[0], and values, of the B-splines of log time; both of shape (times, inner knots + 1)."""
    place = np.log(knots[1:])
    size = place.size + 1
    together = np.zeros((size, size - 2))
    together[np.arange(size), np.clip(np.arange(size) - 1, 0, size - 3)] = 1.0
    splines = BSpline(_extended(place, 2), together, 2)
    sums = splines.antiderivative()
    inside, held = np.clip(logs, place[0], place[-1]), np.clip(np.log(knots[0]), place[0], place[-1])
    value = splines(inside)
    start = sums(held) + (np.log(knots[0]) - held) * splines(held)
    return sums(inside) + (logs - inside)[:, None] * value - start, value


def log_cumulative(knots: Floats, c: Floats, time: Floats) -> Floats:
    """Log cumulative baseline hazard of a Royston-Parmar curve at `time`, from its coefficients in the order of the labels."""
    return np.asarray(c[0] + np.log(knots[0]) + curve_terms(np.log(np.maximum(time, SMALLEST)), knots)[0] @ np.exp(c[1:]))


def reference(spec: JointModel, knots: Floats) -> Floats:
    """Weights of a constant hazard for an M-spline; the log of the time at which the level is held for a Weibull."""
    if spec.survival.kind == "m-spline":
        return constant_weights(knots, spec.survival.degree)
    return np.log(knots) if spec.survival.kind == "weibull" else np.zeros(0)


def _extended(knots: Floats, degree: int) -> Floats:
    return np.concatenate([np.full(degree, knots[0]), knots, np.full(degree, knots[-1])])


def constant_weights(knots: Floats, degree: int) -> Floats:
    """Weights, adding up to one, with which the M-splines add up to a constant."""
    t = _extended(knots, degree)
    size = knots.size + degree - 1
    width: Floats = t[degree + 1 : degree + 1 + size] - t[:size]
    return np.asarray(width / ((degree + 1) * (knots[-1] - knots[0])))


def m_splines(time: Floats, knots: Floats, degree: int) -> Floats:
    """M-splines of `degree` at `time` (held at the boundaries), shape (times, knots + degree - 1); each integrates to one.

    By the recursion of Ramsay (1988); `knots` hold both boundaries.
    """
    t = _extended(knots, degree)
    x = np.clip(time, knots[0], knots[-1])
    # The last interval holds its right end, so that the upper boundary has a value.
    cell = np.clip(np.searchsorted(t, x, side="right") - 1, degree, t.size - degree - 2)
    values = np.zeros((x.size, t.size - 1))
    values[np.arange(x.size), cell] = 1.0 / (t[cell + 1] - t[cell])
    for order in range(2, degree + 2):
        higher = np.zeros((x.size, t.size - order))
        for k in range(t.size - order):
            width = t[k + order] - t[k]
            if width > 0:
                rise, fall = x - t[k], t[k + order] - x
                higher[:, k] = order * (rise * values[:, k] + fall * values[:, k + 1]) / ((order - 1) * width)
        values = higher
    return values


def log_baseline(spec: JointModel, knots: Floats, get: Callable[[str], float], time: Floats, suffix: str = "") -> Floats:
    """Log baseline hazard at `time` on the hazard's clock, any shape, from parameters by label; `suffix` is "|level" of a stratum."""
    labels = _labels(spec, knots, suffix)
    c = np.array([get(label) if label else 0.0 for label in labels])
    if spec.survival.kind == "weibull":
        log_ratio = np.log(np.maximum(time, SMALLEST) / knots[0])
        return np.asarray(c[0] + np.expm1(c[1]) * log_ratio)
    if spec.survival.kind == "royston-parmar":
        terms, weights = basis(spec, knots, time.ravel()), np.exp(c[1:])
        risen, rise = terms[:, 1 : c.size] @ weights, terms[:, c.size :] @ weights
        return np.asarray(c[0] + terms[:, 0] + risen + np.log(rise)).reshape(time.shape)
    if spec.survival.kind == "m-spline":
        weights = np.exp(c[1:])
        total = basis(spec, knots, time.ravel()) @ weights / (reference(spec, knots) @ weights)
        return np.asarray(c[0] + np.log(total)).reshape(time.shape)
    return np.asarray(c[np.searchsorted(knots, time, side="left")])
