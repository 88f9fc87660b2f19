"""Sampling in coordinates where the posterior is nearly a unit Gaussian: start at the mode, scale by its curvature.

The model is compiled once; the mode is found with the compiled density itself, then mode and scale are swapped in as data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.replace import graph_replace
from scipy.optimize import minimize

from alsmodel.errors import FitFailed

Floats = NDArray[np.float64]
Density = Callable[[Floats], tuple[float, Floats]]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Flattened:
    """Where each free variable of a model lies in one flat unconstrained vector.

    Attributes
    ----------
    names : tuple of str
        Free variables in order.
    slices : tuple of slice
    shapes : tuple of tuple of int
    transforms : tuple of str or None
        "log", "logodds" or None.
    start : array, shape (P,)
        PyMC's initial point.
    """

    names: tuple[str, ...]
    slices: tuple[slice, ...]
    shapes: tuple[tuple[int, ...], ...]
    transforms: tuple[str | None, ...]
    start: Floats

    def constrained(self, x: Floats) -> dict[str, Floats]:
        """Each variable on its own scale, from unconstrained vectors of shape (..., P)."""
        out = {}
        for name, where, shape, transform in zip(self.names, self.slices, self.shapes, self.transforms, strict=True):
            value = x[..., where].reshape((*x.shape[:-1], *shape))
            if transform == "log":
                value = np.exp(value)
            elif transform == "logodds":
                value = 1.0 / (1.0 + np.exp(-value))
            out[name] = value
        return out


_TRANSFORMS = {"LogTransform": "log", "LogOddsTransform": "logodds"}


def flatten(model: pm.Model) -> Flattened:
    """Lay the free variables of `model` out in one vector."""
    point = model.initial_point()
    names, slices, shapes, transforms, start = [], [], [], [], []
    used = 0
    for rv in model.free_RVs:
        value = np.asarray(point[model.rvs_to_values[rv].name], float)
        transform = model.rvs_to_transforms.get(rv)
        names.append(rv.name)
        slices.append(slice(used, used + value.size))
        shapes.append(value.shape)
        transforms.append(None if transform is None else _TRANSFORMS[type(transform).__name__])
        start.append(value.ravel())
        used += value.size
    return Flattened(
        names=tuple(names),
        slices=tuple(slices),
        shapes=tuple(shapes),
        transforms=tuple(transforms),
        start=np.concatenate(start),
    )


def whitened(model: pm.Model, flat: Flattened) -> pm.Model:
    """The same density as a function of z, where the unconstrained vector is ``whiten_mode + whiten_scale z``."""
    size = flat.start.size
    logp = model.logp()
    with pm.Model() as white:
        z = pm.Flat("z", shape=size)
        mode = pm.Data("whiten_mode", flat.start)
        scale = pm.Data("whiten_scale", np.eye(size))
        x = mode + pt.dot(scale, z)
        values = [model.rvs_to_values[rv] for rv in model.free_RVs]
        parts = {
            value: x[where].reshape(shape) if shape else x[where.start]
            for value, where, shape in zip(values, flat.slices, flat.shapes, strict=True)
        }
        pm.Potential("target", graph_replace(logp, parts))
    return white


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Mode:
    """Mode of the unconstrained density.

    Attributes
    ----------
    at : array, shape (P,)
    scale : array, shape (P, P)
        Lower Cholesky factor of the inverse curvature.
    evaluations : int
    """

    at: Floats
    scale: Floats
    evaluations: int


def find_mode(density: Density, start: Floats, *, most_steps: int = 60) -> Mode:
    """Climb to the mode: quasi-Newton first, then Newton steps on a differenced gradient, and the curvature there.

    Raises
    ------
    FitFailed
        When the density is not finite at the start, or no point with positive curvature in every direction is reached.
    """
    count = 0

    def down(x: Floats) -> tuple[float, Floats]:
        nonlocal count
        count += 1
        value, gradient = density(x)
        if not np.isfinite(value) or not np.isfinite(gradient).all():
            return 1e12, np.zeros_like(x)
        return -float(value), -np.asarray(gradient)

    if down(start)[0] >= 1e12:
        raise FitFailed("The density is not finite at the starting point; check the units of the outcome and the priors.")
    x = start
    for _ in range(3):  # restarts shed a stale curvature estimate
        x = minimize(down, x, jac=True, method="L-BFGS-B", options={"maxiter": 500, "maxcor": 30, "ftol": 1e-10}).x
    value, gradient = down(x)
    for _ in range(most_steps):
        factor = _curvature(down, x)
        step = factor @ (factor.T @ -gradient)
        drop = float(-gradient @ step)  # squared length of the step in posterior SDs
        if drop < 1e-6:
            return Mode(at=x, scale=factor, evaluations=count)
        size = 1.0
        while size > 1e-6:
            trial_value, trial_gradient = down(x + size * step)
            if trial_value <= value + 1e-9 * abs(value):
                break
            size /= 2
        else:
            return Mode(at=x, scale=factor, evaluations=count)
        x, value, gradient = x + size * step, trial_value, trial_gradient
    raise FitFailed("The search for the mode did not settle; the data may not identify the model.")


def _curvature(down: Callable[[Floats], tuple[float, Floats]], x: Floats) -> Floats:
    """Cholesky factor of the inverse Hessian by central differences of the gradient; flat directions are held at SD 10."""
    size = x.size
    hessian = np.empty((size, size))
    for k in range(size):
        h = 1e-4 * max(1.0, abs(x[k]))
        up, low = x.copy(), x.copy()
        up[k] += h
        low[k] -= h
        hessian[k] = (down(up)[1] - down(low)[1]) / (2 * h)
    hessian = (hessian + hessian.T) / 2
    weight = np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-8))
    scaled = hessian / np.outer(weight, weight)
    values, vectors = np.linalg.eigh(scaled)
    floor = 1e-10
    values = np.maximum(values, floor)
    covariance = (vectors / values) @ vectors.T / np.outer(weight, weight)
    return np.linalg.cholesky((covariance + covariance.T) / 2)


def density_of(compiled: Any) -> Density:
    """The compiled log density and its gradient, as a plain function of one vector."""

    def density(x: Floats) -> tuple[float, Floats]:
        value, gradient = compiled.logp_func(x)
        return float(value), np.asarray(gradient)

    return density
