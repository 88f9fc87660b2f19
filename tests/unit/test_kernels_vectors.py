"""The vectorised exponential and the small-matrix algebra against numpy."""

import numpy as np
import pytest

from alsmodel.kernels.layout import hermite_grid
from alsmodel.kernels.smallmat import cholesky, inverse_from_cholesky, invert_transpose, solve_cholesky
from alsmodel.kernels.vectors import exp_buffer, exp_into


def test_exponential_is_within_two_units_in_the_last_place() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-600, 600, 20_000), rng.normal(0, 3, 20_000), [0.0, -0.0, 1e-300, 600.0, -600.0, np.log(2) / 2]])
    out = np.empty(x.size)
    exp_into(x, x.size, out, *exp_buffer(x.size))
    # Source: the docstring's bound of 5e-16; numpy's own exponential is within one unit (2.2e-16).
    assert np.max(np.abs(out / np.exp(x) - 1)) < 1e-15


def test_exponential_is_held_within_its_limits_and_leaves_the_rest_alone() -> None:
    x = np.array([1e6, -1e6, np.inf, -np.inf, 1.0])
    out = np.full(5, 7.0)
    exp_into(x, 4, out, *exp_buffer(5))
    np.testing.assert_allclose(out[:4], np.exp([600.0, -600.0, 600.0, -600.0]), rtol=1e-14)
    assert out[4] == 7.0


@pytest.mark.parametrize("size", [2, 3])
def test_small_matrices_agree_with_numpy(size: int) -> None:
    rng = np.random.default_rng(size)
    for _ in range(50):
        root = rng.normal(size=(size, size))
        matrix = root @ root.T + 0.1 * np.eye(size)
        lower, upper, inverse, solved = np.empty((size, size)), np.empty((size, size)), np.empty((size, size)), np.empty(size)
        right = rng.normal(size=size)
        assert cholesky(matrix, size, lower)
        np.testing.assert_allclose(lower, np.linalg.cholesky(matrix), rtol=1e-10, atol=1e-12)
        invert_transpose(lower, size, upper)
        np.testing.assert_allclose(upper, np.linalg.inv(lower).T, rtol=1e-9, atol=1e-10)
        inverse_from_cholesky(lower, size, inverse, np.empty((3, 3)))
        np.testing.assert_allclose(inverse, np.linalg.inv(matrix), rtol=1e-9, atol=1e-9)
        solve_cholesky(lower, size, right, solved)
        np.testing.assert_allclose(solved, np.linalg.solve(matrix, right), rtol=1e-9, atol=1e-9)


def test_cholesky_refuses_what_is_not_positive_definite() -> None:
    for bad in ([[1.0, 2.0], [2.0, 1.0]], [[np.nan, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]], [[np.inf, 0.0], [0.0, 1.0]]):
        assert not cholesky(np.array(bad), 2, np.empty((2, 2)))


@pytest.mark.parametrize(("nodes", "dimensions"), [(1, 2), (2, 2), (3, 2), (4, 3), (9, 2)])
def test_hermite_grid_has_the_moments_of_a_standard_normal(nodes: int, dimensions: int) -> None:
    x, grid, logw = hermite_grid(nodes, dimensions)
    weight = np.exp(logw - 0.5 * (grid**2).sum(axis=1))
    assert np.array_equal(x, -x[::-1])
    assert weight.sum() == pytest.approx(1, abs=1e-13)
    np.testing.assert_allclose(weight @ grid, 0, atol=1e-13)
    if nodes > 1:
        np.testing.assert_allclose(np.einsum("g,gi,gj->ij", weight, grid, grid), np.eye(dimensions), atol=1e-12)
