"""Multiplicity procedures against R's p.adjust, a published graph, the closure principle and simulated trials."""

from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alsmodel.trials.multiplicity import Graph, bonferroni, fixed_sequence, graphical, hochberg, holm

REFERENCE = pl.read_csv(Path(__file__).parents[1] / "goldens" / "multiplicity" / "reference.csv")

#: Two doses, two end points: a primary hands half to the other primary and half to its own secondary.
TWO_DOSES = Graph(
    weights=(0.5, 0.5, 0.0, 0.0),
    transitions=((0.0, 0.5, 0.5, 0.0), (0.5, 0.0, 0.0, 0.5), (0.0, 1.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)),
)


def complete(m):
    share = 0.0 if m == 1 else 1.0 / (m - 1)
    return Graph(weights=(1.0 / m,) * m, transitions=tuple(tuple(0.0 if i == j else share for j in range(m)) for i in range(m)))


@pytest.mark.parametrize(("name", "procedure"), [("bonferroni", bonferroni), ("holm", holm), ("hochberg", hochberg)])
def test_adjusted_p_values_agree_with_r(name, procedure):
    rows = REFERENCE.filter(pl.col("method") == name).sort("trial", "hypothesis")
    p, adjusted = (rows[column].to_numpy().reshape(-1, 4) for column in ("p", "adjusted"))
    # R printed twelve digits.
    np.testing.assert_allclose(procedure(p), adjusted, rtol=1e-11)
    np.testing.assert_array_equal(procedure(p[3]), procedure(p)[3])


def weights_of_subset(graph, kept):
    """Weights of an intersection hypothesis: the graph after all others are removed, by matrices and one at a time."""
    w, g = np.array(graph.weights), np.array(graph.transitions)
    left = list(range(len(w)))
    for j in [i for i in left if i not in kept]:
        left.remove(j)
        new_w, new_g = w.copy(), np.zeros_like(g)
        for a in left:
            new_w[a] = w[a] + w[j] * g[j, a]
            for b in left:
                loop = g[a, j] * g[j, a]
                if a != b and loop < 1:
                    new_g[a, b] = (g[a, b] + g[a, j] * g[j, b]) / (1 - loop)
        w, g = new_w, new_g
    return {i: w[i] for i in kept}


def closed(p, graph):
    """Adjusted p values by closure: the largest over all intersections that hold the hypothesis."""
    m, adjusted = len(p), np.zeros(len(p))
    for size in range(1, m + 1):
        for kept in combinations(range(m), size):
            weights = weights_of_subset(graph, kept)
            local = min((p[i] / weights[i] for i in kept if weights[i] > 0), default=1.0)
            for i in kept:
                adjusted[i] = max(adjusted[i], min(local, 1.0))
    return adjusted


@pytest.mark.parametrize(
    "graph", [TWO_DOSES, complete(4), Graph(weights=(0.3, 0.0, 0.7), transitions=((0, 1.0, 0), (0.2, 0, 0.8), (0, 0, 0)))]
)
def test_graph_is_its_closed_test(graph):
    rng = np.random.default_rng(9)
    p = rng.beta(0.4, 4.0, size=(60, len(graph.weights)))
    np.testing.assert_allclose(graphical(p, graph), [closed(row, graph) for row in p], rtol=1e-10)


P_VALUES = [0.0121, 0.0337, 0.0084, 0.0160]  # of the example of generatePvals in gMCP: Bretz and others 2011, section 3


def test_gatekeeping_graph_hands_alpha_on_as_worked_out_by_hand():
    # The parallel gatekeeping of Dmitrienko, Offen & Westfall (Stat Med 2003;22:2387) as R's gMCP draws it (parallelGatekeeping).
    graph = Graph(
        weights=(0.5, 0.5, 0.0, 0.0),
        transitions=((0.0, 0.0, 0.5, 0.5), (0.0, 0.0, 0.5, 0.5), (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 0.0)),
    )
    adjusted = graphical(P_VALUES, graph)
    # By hand: 0.0121 / (1/2); 0.0337 / (1/2); 0.0084 / (1/4); the fourth has 1/4 + 1/4, but waits for the third.
    np.testing.assert_allclose(adjusted, [0.0242, 0.0674, 0.0336, 0.0336], rtol=1e-12)
    np.testing.assert_allclose(adjusted, closed(P_VALUES, graph), rtol=1e-12)


def test_successive_graph_hands_alpha_on_as_worked_out_by_hand():
    # gMCP's graph of that example: each primary hypothesis hands to its secondary, each secondary to the other primary.
    graph = Graph(weights=(0.5, 0.5, 0.0, 0.0), transitions=((0, 0, 1.0, 0), (0, 0, 0, 1.0), (0, 1.0, 0, 0), (1.0, 0, 0, 0)))
    adjusted = graphical(P_VALUES, graph)
    # By hand: 0.0121 / (1/2); the third with 1/2 waits for the first; the second then has all, and hands it to the fourth.
    np.testing.assert_allclose(adjusted, [0.0242, 0.0337, 0.0242, 0.0337], rtol=1e-12)
    np.testing.assert_allclose(adjusted, closed(P_VALUES, graph), rtol=1e-12)


def test_special_graphs_are_the_named_procedures():
    rng = np.random.default_rng(2)
    p = rng.beta(0.5, 3.0, size=(200, 3))
    np.testing.assert_allclose(graphical(p, complete(3)), holm(p), rtol=1e-12)
    chain = Graph(weights=(1.0, 0.0, 0.0), transitions=((0, 1.0, 0), (0, 0, 1.0), (0, 0, 0)))
    np.testing.assert_allclose(graphical(p, chain), fixed_sequence(p), rtol=1e-12)
    np.testing.assert_array_equal(fixed_sequence(p, [2, 0, 1])[:, 2], p[:, 2])
    apart = Graph(weights=(1 / 3,) * 3, transitions=((0.0,) * 3,) * 3)
    np.testing.assert_allclose(graphical(p, apart), bonferroni(p), rtol=1e-12)


def test_family_wise_error_is_kept_and_without_adjustment_is_not():
    rng = np.random.default_rng(4)
    n = 40_000
    shared = rng.normal(size=(n, 1))
    p = np.empty((n, 4))
    from scipy.special import ndtr

    p[:] = ndtr(-(np.sqrt(0.3) * shared + np.sqrt(0.7) * rng.normal(size=(n, 4))))
    room = 3 * np.sqrt(0.025 * 0.975 / n)
    for adjusted in (bonferroni(p), holm(p), hochberg(p), fixed_sequence(p), graphical(p, TWO_DOSES)):
        assert (adjusted <= 0.025).any(axis=1).mean() < 0.025 + room
    assert (p <= 0.025).any(axis=1).mean() > 0.025 + room  # the negative control


def test_a_failed_analysis_is_never_rejected_and_stays_in_the_family():
    p = np.array([[0.01, np.nan, 0.02]])
    assert holm(p).tolist() == [[0.03, 1.0, 0.04]]
    assert graphical(p, complete(3))[0, 1] == 1.0


def test_impossible_graphs_and_p_values_are_refused():
    with pytest.raises(ValueError, match="sum to at most 1"):
        Graph(weights=(0.6, 0.6), transitions=((0, 1.0), (1.0, 0)))
    with pytest.raises(ValueError, match="diagonal"):
        Graph(weights=(0.5, 0.5), transitions=((0.5, 0.5), (1.0, 0)))
    with pytest.raises(ValueError, match="rows of 2"):
        Graph(weights=(0.5, 0.5), transitions=((0, 1.0),))
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.2, 1.2])
    with pytest.raises(ValueError, match="each of the 2"):
        fixed_sequence([0.1, 0.2], [0, 0])
    with pytest.raises(ValueError, match="2 hypotheses; got 3"):
        graphical([0.1, 0.2, 0.3], complete(2))
