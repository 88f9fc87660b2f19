"""The MMRM fitted to every replicate of a batch."""

import numpy as np
from numba import njit

from alsmodel.estimators._mmrm_algebra import copy, inner
from alsmodel.estimators._mmrm_df import Exact, contrast_numbers, exact_information, invert_information
from alsmodel.estimators._mmrm_likelihood import Fit, Work
from alsmodel.estimators._mmrm_search import NO_SCORES, NOT_CONVERGED, NOT_ESTIMABLE, OK, TOO_FEW, Search, maximise
from alsmodel.estimators._mmrm_structure import UNSTRUCTURED, parameters
from alsmodel.estimators._mmrm_sums import Integers, Sums, centre_once, standardise, summarise


def workspace(people: int, effect: Integers, arms: int, terms: int, structure: int) -> tuple[Sums, Fit, Work, Search, Exact, Integers]:
    """All arrays that a fit needs, allocated once for a batch, and the table of places of packed entries."""
    visits, q = effect.shape
    packed, pairs, m = visits * (visits + 1) // 2, q * (q + 1) // 2, parameters.py_func(structure, visits)  # type: ignore[no-untyped-call]
    slots = 4
    while slots < 2 * people:
        slots *= 2
    z = np.zeros
    square = (visits, visits)
    sums = Sums(
        count=z(people), missing=z((people, visits), np.int64), n_missing=z(people, np.int64), cc=z((people, pairs)),
        cy=z((people, q, visits)), yy=z((people, visits**2)), row=z(visits), table=z(slots, np.int64), masks=z(people, np.uint64),
        design=z((people, q)), centre=z(visits + q), scale=np.ones(q), seen=z(square), arms=z((visits, arms)),
    )  # fmt: skip
    precision, flat, tilted = z((people, visits**2)), z(visits**2), z((people, q * visits))
    fit = Fit(
        precision=precision, square=precision.reshape(people, *square),
        packed=z((people, packed)), sweeps=z((people, visits, visits)), whole=z(square),
        factor=z((terms, terms)), root=z((terms, terms)), phi=z((terms, terms)), beta=z(terms), by_visit=z((q, visits)),
        spread=z((pairs, visits**2)), gradient=z(square),
    )  # fmt: skip
    work = Work(
        a=z(square), b=z(square), c=z(square), d=z(square), e=z(square), f=z(square), flat=flat, square=flat.reshape(square),
        blocks=z((pairs, visits**2)), rows=z((q, visits)), more=z((q, visits)), vector=z(terms), weight=z(people),
        cross=z((packed, packed)),
    )  # fmt: skip
    search = Search(
        theta=z(m), ahead=z(m), step=z(m), score=z(packed), slope=z(m), sigma=z(square), gradient=z(square), trial=z(square),
        information=z((packed, packed)), reduced=z((m, m)), jacobian=z((m, packed)),
    )  # fmt: skip
    exact = Exact(
        other=z((people, packed)), tilted=tilted, tilted_rows=tilted.reshape(people, q, visits), by_cc=z((pairs, packed, packed)),
        halves=z((terms * (terms + 1) // 2, packed)), vectors=z((packed, q * visits)), rooted=z((terms, packed)),
        stack=z((terms, terms, packed)), lines=z((terms, packed)), form=z((terms, packed)), sums=z((packed, packed)),
        weight=np.ones(terms * (terms + 1) // 2),
        inverse=z((packed, packed)), small=z((m, m)),
        small_inverse=z((m, m)), spare=z((m, packed)),
        curve=z(square), gradient=z(packed), reduced=z(m), slope=z(m), toward=z(terms), reach=z((q, visits)),
    )  # fmt: skip
    place = z(square, np.int64)
    place[np.triu_indices(visits)] = np.arange(packed)
    place = np.maximum(place, place.T)
    return sums, fit, work, search, exact, place


@inner
def screen(structure, used, observations, effect, terms, sums):  # type: ignore[no-untyped-def]
    """Status of a replicate before anything is fitted: what can be seen to be impossible from counts."""
    visits, arms = sums.arms.shape
    for t in range(visits):
        compared = False
        for a in range(1, arms):
            compared = compared or effect[t, a] >= 0
            if effect[t, a] >= 0 and sums.arms[t, a] == 0.0:
                return NO_SCORES
        if sums.seen[t, t] == 0.0 or (compared and sums.arms[t, 0] == 0.0):
            return NO_SCORES
    m = parameters(structure, visits)
    if observations <= terms + m or (structure == UNSTRUCTURED and used < sums.design.shape[1] + visits):
        return TOO_FEW
    if structure == UNSTRUCTURED:
        for t in range(visits):
            for s in range(t):
                if sums.seen[t, s] == 0.0:
                    return NOT_ESTIMABLE
    return OK


@njit(cache=True, nogil=True, error_model="numpy")
def fit_batch(y, arm, extra, effect, place, contrasts, structure, observed, adjust, em_first, space, out):  # type: ignore[no-untyped-def]
    """Fit every replicate of `y` (R, n, T).

    `space` is what `workspace` made; `out` holds beta (R, p), phi (R, p, p), sigma (R, T, T), numbers (R, contrasts, 4),
    centre (R, T + q), scale (R, q), log likelihood (R,), all NaN on entry, and counts (R, 4): status, evaluations,
    participants, observations.
    """
    sums, fit, work, search, exact = space
    beta, phi, sigma, numbers, centre, scale, likelihood, counts = out
    p = fit.beta.shape[0]
    arms = sums.arms.shape[1]
    for r in range(y.shape[0]):
        groups, others = arm[r if arm.shape[0] > 1 else 0], extra[r if extra.shape[0] > 1 else 0]
        used, observations = standardise(y[r], groups, others, arms, sums)
        if effect.shape[0] > 1 and effect[0, 0] == effect[1, 0]:
            centre_once(effect.shape[0], observations, sums)
        patterns = summarise(y[r], sums)
        counts[r, 0], counts[r, 1], counts[r, 2], counts[r, 3] = OK, 0, used, observations
        counts[r, 0] = screen(structure, used, observations, effect, p, sums)
        if counts[r, 0] != OK:
            continue
        value, evaluations, status = maximise(structure, patterns, used, effect, sums, fit, place, work, search, exact, em_first)
        counts[r, 0], counts[r, 1] = status, evaluations
        if status != OK:
            continue
        exact_information(patterns, observed, effect, place, sums, fit, work, exact, search.information)
        if not invert_information(structure, observed, adjust, search.information, fit, search, exact):
            # No peak there, though the gradient vanishes.
            counts[r, 0] = NOT_CONVERGED if observed else NOT_ESTIMABLE
            continue
        for k in range(contrasts.shape[0]):
            contrast_numbers(structure, patterns, adjust, contrasts[k], effect, place, sums, fit, work, search, exact, numbers[r, k])
        # Element by element: assigning whole arrays would compile numba's messages on shapes, a quarter of the total.
        for a in range(p):
            beta[r, a] = fit.beta[a]
        for a in range(sums.centre.shape[0]):
            centre[r, a] = sums.centre[a]
        for a in range(sums.scale.shape[0]):
            scale[r, a] = sums.scale[a]
        copy(fit.phi, phi[r])
        copy(search.sigma, sigma[r])
        likelihood[r] = value - 0.5 * (observations - p) * np.log(2.0 * np.pi)
