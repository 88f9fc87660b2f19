"""What models on data share whatever they are models of: parameters with their priors, and a density over unconstrained vectors."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alsmodel.kernels.posterior import BETA, HALF_NORMAL, IDENTITY, LOG, LOGODDS, NORMAL, Priors
from alsmodel.models.parameters import Block

Floats = NDArray[np.float64]
_KINDS = {"normal": (NORMAL, IDENTITY), "half-normal": (HALF_NORMAL, LOG), "beta": (BETA, LOGODDS)}


class AbstractProgram(ABC):
    """A model on data, ready to evaluate.

    Attributes
    ----------
    blocks : tuple of Block
        Parameters in the order of the unconstrained vector.
    priors : Priors
    """

    blocks: tuple[Block, ...]
    priors: Priors

    @abstractmethod
    def _evaluate(self, x: Floats, gradient: bool = True) -> tuple[float, Floats, Floats]:
        """Log posterior density (up to a constant), its gradient (P,) where wanted, and each participant's log-likelihood (N,)."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Printed name of each parameter."""
        return tuple(labels_of(self.blocks))

    @property
    def size(self) -> int:
        """Number of parameters, P."""
        return self.priors.a.size

    def density(self, x: Floats) -> tuple[float, Floats]:
        """Log posterior density (up to a constant) and gradient at an unconstrained vector of shape (P,)."""
        total, gradient, _ = self._evaluate(x)
        if self.mixtures:
            more, slope = self.mixture_terms(x)
            return total + more, gradient + slope
        return total, gradient

    def value(self, x: Floats) -> float:
        """Log posterior density alone, which takes less time."""
        return float(self.values(x[None])[0])

    def values(self, points: Floats) -> Floats:
        """Log posterior density alone at each row of `points`, shape (n, P)."""
        found = self._values(points)
        return found + np.array([self.mixture_terms(x)[0] for x in points]) if self.mixtures else found

    def _values(self, points: Floats) -> Floats:
        return np.array([self._evaluate(x, gradient=False)[0] for x in points])

    @cached_property
    def mixtures(self) -> tuple[tuple[int, Block], ...]:
        """Place and block of each parameter whose prior is a mixture."""
        found, place = [], 0
        for block in self.blocks:
            if block.mixture:
                found.append((place, block))
            place += block.size
        return tuple(found)

    def mixture_terms(self, x: Floats) -> tuple[float, Floats]:
        """What mixtures add to the log prior of the normals with their mean and SD, which the compiled density takes; and its gradient."""
        total, gradient = 0.0, np.zeros(x.size)
        for k, block in self.mixtures:
            weight, mean, sd = np.array(block.mixture).T
            z = (x[k] - mean) / sd
            parts = np.log(weight) - 0.5 * z * z - np.log(sd)
            whole = float(np.logaddexp.reduce(parts))
            plain = (x[k] - block.a[0]) / block.b[0]
            total += whole + 0.5 * plain**2 + float(np.log(block.b[0]))
            gradient[k] = plain / block.b[0] - float(np.exp(parts - whole) @ (z / sd))
        return total, gradient

    def loglik(self, x: Floats) -> Floats:
        """Log-likelihood of each participant, random effects integrated out; shape (N,)."""
        return self._evaluate(x, gradient=False)[2]

    def constrained(self, x: Floats) -> Floats:
        """Parameters on their own scale, from unconstrained vectors of shape (..., P)."""
        out = x.copy()
        log, odds = self.priors.transform == LOG, self.priors.transform == LOGODDS
        out[..., log] = np.exp(x[..., log])
        out[..., odds] = 1.0 / (1.0 + np.exp(-x[..., odds]))
        return out


def labels_of(blocks: tuple[Block, ...]) -> Iterable[str]:
    """Printed names of the parameters, in order."""
    return (label for block in blocks for label in block.labels)


def draw_prior(block: Block, rng: np.random.Generator) -> Floats:
    """One draw of every element of a block, on the scale of its prior."""
    if block.kind == "beta":
        return np.asarray(rng.beta(block.a, block.a))
    if block.mixture:
        weight, mean, sd = np.array(block.mixture).T
        chosen = rng.choice(weight.size, p=weight / weight.sum())
        return np.array([rng.normal(mean[chosen], sd[chosen])])
    drawn = rng.normal(block.a, block.b)
    return np.abs(drawn) if block.kind == "half-normal" else drawn


def priors_of(blocks: tuple[Block, ...]) -> Priors:
    """Transformation and prior of each parameter, as the kernels take them."""
    kinds = [_KINDS[block.kind] for block in blocks for _ in range(block.size)]
    return Priors(
        np.array([transform for _, transform in kinds], np.int64),
        np.array([kind for kind, _ in kinds], np.int64),
        np.concatenate([block.a for block in blocks]),
        np.concatenate([block.b for block in blocks]),
    )
