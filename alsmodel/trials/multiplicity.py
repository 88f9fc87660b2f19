"""Several hypotheses, one type I error: adjusted p values of many trials at once.

Every function takes p values of shape (R, m), or (m,) for one trial, and returns adjusted p values of the same shape: a
hypothesis is rejected at family-wise level alpha when its adjusted p value is at most alpha. A failed analysis has p = NaN and
counts as p = 1: it is never rejected and stays in the family.
"""

from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np
import numpy.typing as npt

from alsmodel.trials.family_looks import FamilyLooks, hand_on

Floats = npt.NDArray[np.float64]


def bonferroni(p_values: npt.ArrayLike) -> Floats:
    """Bonferroni: m p, at most 1. Any dependence.

    Examples
    --------
    >>> bonferroni([0.01, 0.04]).tolist()
    [0.02, 0.08]
    """
    p, shape = _checked(p_values)
    return np.asarray(np.minimum(p.shape[1] * p, 1.0)).reshape(shape)


def holm(p_values: npt.ArrayLike) -> Floats:
    """Holm's step-down procedure (Scand J Stat 1979;6:65). Any dependence; never less powerful than Bonferroni.

    Examples
    --------
    >>> holm([0.01, 0.04]).tolist()
    [0.02, 0.04]
    """
    p, shape = _checked(p_values)
    order = np.argsort(p, axis=1, kind="stable")
    factors = np.arange(p.shape[1], 0, -1)
    stepped = np.minimum(np.maximum.accumulate(np.take_along_axis(p, order, axis=1) * factors, axis=1), 1.0)
    return _back(stepped, order).reshape(shape)


def hochberg(p_values: npt.ArrayLike) -> Floats:
    """Hochberg's step-up procedure (Biometrika 1988;75:800). Needs independent or positively dependent statistics.

    Examples
    --------
    >>> hochberg([0.03, 0.04]).tolist()
    [0.04, 0.04]
    """
    p, shape = _checked(p_values)
    order = np.argsort(-p, axis=1, kind="stable")
    factors = np.arange(1, p.shape[1] + 1)
    stepped = np.minimum(np.minimum.accumulate(np.take_along_axis(p, order, axis=1) * factors, axis=1), 1.0)
    return _back(stepped, order).reshape(shape)


def fixed_sequence(p_values: npt.ArrayLike, order: npt.ArrayLike | None = None) -> Floats:
    """Test in an order named beforehand, each at full alpha, until one fails. Any dependence.

    Parameters
    ----------
    p_values : array, shape (R, m) or (m,)
    order : array of int, shape (m,), optional
        Position of the hypotheses to test first, second, ...; default as they stand.

    Raises
    ------
    ValueError
        An order that does not name every hypothesis once.

    Examples
    --------
    >>> fixed_sequence([0.01, 0.2, 0.03]).tolist()
    [0.01, 0.2, 0.2]
    """
    p, shape = _checked(p_values)
    places = np.arange(p.shape[1]) if order is None else np.asarray(order)
    if sorted(places.tolist()) != list(range(p.shape[1])):
        raise ValueError(f"order must name each of the {p.shape[1]} hypotheses once, from 0; got {places.tolist()}.")
    places = np.broadcast_to(places, p.shape)
    return _back(np.maximum.accumulate(np.take_along_axis(p, places, axis=1), axis=1), places).reshape(shape)


@final
@dataclass(frozen=True, kw_only=True)
class Graph:
    """Bonferroni tests whose alpha moves on when a hypothesis is rejected (Bretz and others, Stat Med 2009;28:586).

    Attributes
    ----------
    weights : tuple of float
        Share of alpha that each hypothesis starts with; together at most 1.
    transitions : tuple of tuples of float
        Row i: the shares of its alpha that hypothesis i hands to the others when it is rejected; zero to itself, together
        at most 1.
    hypotheses : tuple of str
        Names of the analyses that test them, in the order of `weights`; empty is all analyses of the trial, in their order.
    looks : FamilyLooks
        What it does at interim looks.
    """

    weights: tuple[float, ...]
    transitions: tuple[tuple[float, ...], ...]
    hypotheses: tuple[str, ...] = ()
    looks: FamilyLooks = field(default_factory=FamilyLooks, hash=False)
    kind: Literal["graph"] = "graph"

    def __post_init__(self) -> None:
        m, faults = len(self.weights), []
        if m == 0:
            faults.append("there is no hypothesis; give one weight per hypothesis.")
        if len(self.transitions) != m or any(len(row) != m for row in self.transitions):
            faults.append(f"{m} hypotheses need {m} rows of {m} transitions.")
        elif any(self.transitions[i][i] != 0.0 for i in range(m)):
            faults.append("a hypothesis cannot hand alpha to itself: the diagonal must be 0.")
        for label, row in (("weights", self.weights), *((f"transitions of hypothesis {i + 1}", r) for i, r in enumerate(self.transitions))):
            if not all(0.0 <= value <= 1.0 for value in row) or sum(row) > 1.0 + 1e-9:
                faults.append(f"{label} must lie between 0 and 1 and sum to at most 1; got {row}.")
        if self.hypotheses and len(self.hypotheses) != m:
            faults.append(f"{len(self.hypotheses)} hypotheses are named and {m} weights given.")
        if faults:
            raise ValueError("Graphical procedure: " + " ".join(faults))

    def adjust(self, p_values: npt.ArrayLike) -> Floats:
        """Adjusted p values; see `graphical`."""
        return graphical(p_values, self)

    @property
    def words(self) -> str:
        """The procedure in words."""
        return "a weighted graph"


def graphical(p_values: npt.ArrayLike, graph: Graph) -> Floats:
    """Adjusted p values of the sequentially rejective graphical procedure.

    At each step the hypothesis with the smallest p / weight goes, its adjusted p value is the largest ratio so far, and its
    weight moves along the graph (Bretz and others 2009, algorithms 1 and 2; `alsmodel.trials.family_looks.hand_on`). Strong control
    under any dependence.

    Parameters
    ----------
    p_values : array, shape (R, m) or (m,)
    graph : Graph

    Returns
    -------
    array
        As `p_values`.

    Raises
    ------
    ValueError
        Another number of p values than of hypotheses.

    Examples
    --------
    Two hypotheses that hand their whole share to each other are Holm's procedure.

    >>> graphical([0.01, 0.04], Graph(weights=(0.5, 0.5), transitions=((0.0, 1.0), (1.0, 0.0)))).tolist()
    [0.02, 0.04]
    """
    p, shape = _checked(p_values)
    replicates, m = p.shape
    if m != len(graph.weights):
        raise ValueError(f"The graph has {len(graph.weights)} hypotheses; got {m} p values per trial.")
    weights = np.tile(np.asarray(graph.weights, dtype=np.float64), (replicates, 1))
    moves = np.tile(np.asarray(graph.transitions, dtype=np.float64), (replicates, 1, 1))
    left, adjusted, highest = np.ones(p.shape, dtype=bool), np.ones(p.shape), np.zeros(replicates)
    rows = np.arange(replicates)
    for _ in range(m):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(weights > 0.0, p / weights, np.inf)
        ratio = np.where(left, ratio, np.nan)
        # Where nothing has weight any more, whichever is left goes with an adjusted p value of 1.
        gone = np.nanargmin(np.where(np.isinf(ratio), 1e300, ratio), axis=1)
        highest = np.minimum(np.maximum(highest, ratio[rows, gone]), 1.0)
        adjusted[rows, gone] = highest
        left[rows, gone] = False
        weights, moves = hand_on(weights, moves, left, gone)
    return adjusted.reshape(shape)


def _checked(p_values: npt.ArrayLike) -> tuple[Floats, tuple[int, ...]]:
    """P values as (R, m), failures as 1, and the shape they came in."""
    given = np.asarray(p_values, dtype=np.float64)
    if given.ndim not in (1, 2) or given.shape[-1] == 0:
        raise ValueError(f"p values need the shape (R, m) or (m,); got {given.shape}.")
    if ((given < 0.0) | (given > 1.0)).any():
        raise ValueError("p values must lie between 0 and 1. NaN marks a failed analysis.")
    return np.where(np.isnan(given), 1.0, given).reshape(-1, given.shape[-1]), given.shape


def _back(values: Floats, order: npt.NDArray[np.int64]) -> Floats:
    """Put values in `order` back to where they came from."""
    out = np.empty_like(values)
    np.put_along_axis(out, order, values, axis=1)
    return out
