"""Counter-based random numbers: every number is a hash of who it belongs to and what it is for.

A number is ``hash(key, person, purpose, visit)``. Nothing has a state, so a person's numbers do not move when
another person, another visit or another purpose is added: the first m of n participants are the same people for
any n, and two scenarios with one key share their participants. `stream_key` makes the 64-bit key from a seed by
`numpy.random.SeedSequence`.

The hash chains the finaliser of SplitMix64 (Steele, Lea and Flood 2014, doi 10.1145/2660193.2660195) over the four
counters, with a different odd increment for each.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_STEP_KEY = np.uint64(0x9E3779B97F4A7C15)
_STEP_PURPOSE = np.uint64(0xD1B54A32D192ED03)
_STEP_VISIT = np.uint64(0x8CB92BA72F3D8DD7)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_SHIFT_A, _SHIFT_B, _SHIFT_C = np.uint64(30), np.uint64(27), np.uint64(31)
_TO_52_BITS = np.uint64(12)
_ONE = np.uint64(1)
_SECOND_DRAW = np.uint64(0xA0761D6478BD642F)
_UNIT_52 = 2.0**-52
_TWO_PI = 2.0 * np.pi


def stream_key(seed: int, *spawn_key: int) -> np.uint64:
    """Make the 64-bit key of one stream.

    Parameters
    ----------
    seed : int
        The user's seed, >= 0.
    *spawn_key : int
        Address of the stream under the seed (non-negative integers below 2**32), e.g. ``(stream, replicate)``.

    Returns
    -------
    numpy.uint64
        The key to hand to `uniform`, `normal` and the generators.
    """
    words = np.random.SeedSequence(seed, spawn_key=spawn_key).generate_state(1, np.uint64)
    return np.uint64(words[0])


@njit(cache=True, fastmath=False)
def _mix(z: np.uint64) -> np.uint64:
    """Scramble 64 bits: the finaliser of SplitMix64."""
    z = (z ^ (z >> _SHIFT_A)) * _MIX_A
    z = (z ^ (z >> _SHIFT_B)) * _MIX_B
    return z ^ (z >> _SHIFT_C)


@njit(cache=True, fastmath=False)
def _hash(key: np.uint64, person: int, purpose: int, visit: int) -> np.uint64:
    """Hash the address of one random number to 64 bits."""
    state = _mix(np.uint64(key) + _STEP_KEY * (np.uint64(person) + _ONE))
    state = _mix(state + _STEP_PURPOSE * (np.uint64(purpose) + _ONE))
    return _mix(state + _STEP_VISIT * (np.uint64(visit) + _ONE))


@njit(cache=True, fastmath=False)
def _unit(bits: np.uint64) -> float:
    """Map 64 bits into the open interval (0, 1); 52 bits are kept so that neither end can be reached."""
    return (np.float64(bits >> _TO_52_BITS) + 0.5) * _UNIT_52


@njit(cache=True, fastmath=False)
def uniform(key: np.uint64, person: int, purpose: int, visit: int) -> float:
    """Draw the uniform number on (0, 1) that belongs to this person, purpose and visit.

    Parameters
    ----------
    key : numpy.uint64
        The stream's key, from `stream_key`.
    person, purpose, visit : int
        Non-negative counters: which participant, what the number is for, which visit (0 if it is not per visit).

    Returns
    -------
    float
        A number strictly between 0 and 1.
    """
    return _unit(_hash(key, person, purpose, visit))


@njit(cache=True, fastmath=False)
def normal(key: np.uint64, person: int, purpose: int, visit: int) -> float:
    """Draw the standard normal number that belongs to this person, purpose and visit.

    Box and Muller (1958, doi 10.1214/aoms/1177706645): sqrt(-2 log u) cos(2 pi v), where v is a second scrambling
    of the same address, so that one address gives one number and no neighbour is used up.

    Parameters
    ----------
    key, person, purpose, visit
        As in `uniform`.

    Returns
    -------
    float
        A standard normal deviate.
    """
    bits = _hash(key, person, purpose, visit)
    radius = np.sqrt(-2.0 * np.log(_unit(bits)))
    return float(radius * np.cos(_TWO_PI * _unit(_mix(bits + _SECOND_DRAW))))


@njit(cache=True, fastmath=False)
def uniforms(key: np.uint64, n: int, purpose: int, width: int) -> NDArray[np.float64]:
    """Fill a table of `uniform` numbers: row i, column v is ``uniform(key, i, purpose, v)``; shape (n, width)."""
    table = np.empty((n, width))
    for person in range(n):
        for visit in range(width):
            table[person, visit] = uniform(key, person, purpose, visit)
    return table


@njit(cache=True, fastmath=False)
def normals(key: np.uint64, n: int, purpose: int, width: int) -> NDArray[np.float64]:
    """Fill a table of `normal` numbers: row i, column v is ``normal(key, i, purpose, v)``; shape (n, width)."""
    table = np.empty((n, width))
    for person in range(n):
        for visit in range(width):
            table[person, visit] = normal(key, person, purpose, visit)
    return table
