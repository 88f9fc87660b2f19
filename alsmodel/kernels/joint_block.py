"""Scratch of the general integrated likelihood: numbers of one block of participants, held between its steps."""

from typing import NamedTuple

import numpy as np
from numba import njit

from alsmodel.kernels.records import Floats, Ints

BLOCK = 32


class Block(NamedTuple):
    """M nodes of the block, B participants, q random effects, K bending terms, Q nodes per random effect, G = Q**q grid points."""

    bend: Floats  # (K, M) bending terms
    turn: Floats  # (K, M) their derivatives
    log_clock: Floats  # (M,)
    constant: Floats  # (M,) log of weight times hazard at b = 0
    zeta: Floats  # (q, M) association vector; later the expectation of hazard times z
    eta: Floats  # (M,) scratch; later the expected hazard
    hazard: Floats  # (M,)
    power: Floats  # (q * Q, M) exp of the scaled association vector at each abscissa
    product: Floats  # (M,)
    prefix: Floats  # (G / Q, M) hazard times the powers of all random effects but the last
    buffer: Floats
    bits: Ints
    leads: Ints  # (B,) 1 where the association with the first random effect does not move within the participant
    mu: Floats  # (B, q)
    mode: Floats  # (B, q)
    precision: Floats  # (B, q, q)
    zz: Floats  # (B, q, q)
    zr: Floats  # (B, q)
    scale: Floats  # (B, q, q)
    sums: Floats  # (B, 4): visits, residual sum of squares, log-likelihood so far, log determinant of scale
    mean_b: Floats  # (B, q)
    mean_bb: Floats  # (B, q, q)
    weight: Floats  # (G,)
    raw: Floats  # (G,)
    cumulative: Floats  # (G,)
    inner: Floats  # (3, G) weights summed over the first random effect: plain, times its power's abscissa, times the last abscissa
    factor: Floats  # (Q,) powers of the first random effect
    area: Floats  # (S,) of all segments, or empty: integral of the mean path from time zero to the reference time
    own_area: Floats  # (S,) the same of the participant's own clock
    pull_area: Floats  # (S,) gradients in both
    pull_own_area: Floats


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def scratch(cuts, random, terms, per, segments):
    """Room for the largest block, and for the areas of as many segments."""
    people = cuts.seg_ptr.size - 1
    most = 1
    for first in range(0, people, BLOCK):
        last = min(first + BLOCK, people)
        most = max(most, cuts.node_ptr[last] - cuts.node_ptr[first])
    points = per**random
    buffer = np.empty(max(most, points))
    return Block(
        np.empty((terms, most)), np.empty((terms, most)), np.empty(most), np.empty(most), np.empty((random, most)), np.empty(most),
        np.empty(most), np.ones((random * per, most)), np.empty(most), np.empty((points // per, most)), buffer, buffer.view(np.int64),
        np.empty(BLOCK, np.int64), np.empty((BLOCK, random)), np.empty((BLOCK, random)), np.empty((BLOCK, random, random)),
        np.empty((BLOCK, random, random)), np.empty((BLOCK, random)), np.empty((BLOCK, random, random)), np.empty((BLOCK, 4)),
        np.empty((BLOCK, random)), np.empty((BLOCK, random, random)), np.empty(points), np.empty(points), np.empty(points),
        np.empty((3, points)), np.empty(per),
        np.zeros(segments), np.zeros(segments), np.zeros(segments), np.zeros(segments),
    )  # fmt: skip
