"""Counter-based random numbers."""

import numpy as np
from scipy import stats

from alsmodel.patients.streams import normal, normals, stream_key, uniform, uniforms

N = 20_000


def test_a_number_depends_on_its_address_only() -> None:
    key = stream_key(3, 1)
    table = uniforms(key, 5, 2, 7)
    assert table[4, 6] == uniform(key, 4, 2, 6)
    assert np.array_equal(uniforms(key, 3, 2, 7), table[:3])
    assert np.array_equal(uniforms(key, 5, 2, 4), table[:, :4])
    assert normals(key, 5, 2, 7)[4, 6] == normal(key, 4, 2, 6)


def test_keys_differ_by_seed_and_by_address() -> None:
    keys = {int(stream_key(*address)) for address in ((1,), (2,), (1, 0), (1, 1), (1, 0, 1))}
    assert len(keys) == 5


def test_uniform_numbers_are_uniform_and_inside_the_interval() -> None:
    table = uniforms(stream_key(1), N, 0, 2)
    assert 0 < table.min() <= table.max() < 1
    # One false alarm in 1,000 seeds per column.
    assert all(stats.kstest(column, "uniform").pvalue > 0.001 for column in table.T)


def test_normal_numbers_are_standard_normal() -> None:
    z = normals(stream_key(2), N, 0, 1)[:, 0]
    assert stats.kstest(z, "norm").pvalue > 0.001


def test_neighbours_in_every_counter_are_uncorrelated() -> None:
    key = stream_key(5)
    base = normals(key, N, 0, 2)
    other = normals(key, N, 1, 1)[:, 0]
    pairs = ((base[:, 0], base[:, 1]), (base[:, 0], other), (base[:-1, 0], base[1:, 0]))
    # The SE of a null correlation is 1 / sqrt(N) = 0.007; four of them.
    assert all(abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(N) for a, b in pairs)
