"""Where paths bend: the knots of a natural spline, and the names of what is random."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.errors import Fault, InvalidInput
from alsmodel.models.spec import JointModel

Floats = NDArray[np.float64]


def bend_knots(spec: JointModel, data: JointData) -> Floats:
    """Knots of a natural spline, boundaries included, on the score's clock; none where paths are lines or parabolas.

    Knots given by their number are quantiles of the visit times; boundaries left out are the first and the last visit.

    Raises
    ------
    InvalidInput
        When the visits lie at too few times for the knots asked for, or outside which the knots given lie.
    """
    part = spec.decline
    if part.kind != "natural-spline":
        return np.empty(0)
    given = isinstance(part.knots, tuple)
    if (part.boundary is None or not given) and data.visit_time.size == 0:
        raise InvalidInput([Fault("model.decline.knots", "No visit says where the knots lie.", "Give knots and boundary.")])
    low, high = part.boundary or (float(data.visit_time.min()), float(data.visit_time.max()))
    if isinstance(part.knots, tuple):
        inner = np.array(part.knots, float)
    else:
        inner = np.quantile(data.visit_time, np.arange(1, part.knots + 1) / (part.knots + 1))
    knots = np.concatenate([[low], inner, [high]])
    if not (np.diff(knots) > 0).all():
        asked = "given" if given else f"asked for, quantiles of the visit times ({', '.join(f'{k:.4g}' for k in inner)}),"
        fault = f"The {inner.size} inner knots {asked} do not lie apart between {low:.4g} and {high:.4g}, where the spline ends."
        raise InvalidInput([Fault("model.decline.knots", fault, "Ask for fewer knots, or give knots and boundary.")])
    return knots


def settled(spec: JointModel, data: JointData) -> JointModel:
    """The same model with the knots of its paths written out, so that other data are read along the same curves."""
    if spec.decline.kind != "natural-spline":
        return spec
    knots = [float(f"{k:.6g}") for k in bend_knots(spec, data)]
    return replace(spec, decline=replace(spec.decline, knots=tuple(knots[1:-1]), boundary=(knots[0], knots[-1])))


def pairs_of(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pairs of random effects in the order of their partial correlations: row after row of the lower triangle."""
    return [(names[j], names[i]) for i in range(len(names)) for j in range(i)]


def correlations(partial: Mapping[str, Any]) -> dict[str, Any]:
    """Correlations "corr:a,b" from canonical partial correlations "partial:a,b", numbers or arrays of one shape."""
    names = list(dict.fromkeys(name for label in partial for name in label.removeprefix("partial:").split(",")))
    rows: list[list[Any]] = []
    for i, name in enumerate(names):
        row, left = [], 1.0
        for other in names[:i]:
            z = partial[f"partial:{other},{name}"]
            row.append(z * left)
            left = left * np.sqrt(1.0 - z**2)
        rows.append([*row, left])
    return {
        f"corr:{a},{b}": sum(x * y for x, y in zip(rows[names.index(a)], rows[names.index(b)], strict=False))
        for a, b in pairs_of((*names,))
    }
