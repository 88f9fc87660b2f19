"""Points to climb from for a model with latent classes: different sizes of the classes, different distances between them."""

import numpy as np
from numpy.typing import NDArray

from alsmodel.models.program import Program

Floats = NDArray[np.float64]

#: Log odds of each other class, distance of slopes as a multiple of where the program starts, log hazard ratio of each further class.
CORNERS = ((0.0, 1.0, -0.5), (1.5, 1.0, -0.5), (-1.5, 1.0, -0.5), (0.0, 0.3, 0.0), (0.0, 1.0, 0.5))
#: Share of the spread between participants that is left within classes where a climb starts.
WITHIN = 0.6


def class_starts(made: Program) -> tuple[Floats, ...]:
    """Starts for `made`, the first in the middle; one where there are no classes to tell apart.

    Each keeps the mean slope of all classes together where the program alone would start, the first class below it.
    """
    if made.classes is None or made.classes.step.size == 0:
        return (made.start,)
    count = made.classes.step.size + 1
    out = []
    for odds, width, ratio in CORNERS:
        x = made.start.copy()
        share = np.exp(odds * (np.arange(count) > 0))
        share /= share.sum()
        x[made.classes.step] += np.log(width)
        behind = np.concatenate([[0.0], np.cumsum(np.exp(x[made.classes.step]))])
        x[made.wiring.one[1]] -= share @ behind
        x[made.wiring.sds] += np.log(WITHIN)
        x[made.classes.odds[:, 0]] = odds
        if made.classes.hazard.min() >= 0:
            x[made.classes.hazard] = ratio * np.arange(1, count)
        out.append(x)
    return tuple(out)
