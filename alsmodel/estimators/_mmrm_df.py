"""Exact information on the covariance of the visits, and from it standard errors and degrees of freedom of contrasts."""

from typing import NamedTuple

import numpy as np

from alsmodel.estimators._mmrm_algebra import (
    add_trace,
    copy,
    cross_sum,
    factorise,
    fill,
    gram,
    inner,
    invert_factor,
    pack,
    product,
    solve_factor,
)
from alsmodel.estimators._mmrm_likelihood import fitted_spread, residual_squares, sandwich, weighted_rows
from alsmodel.estimators._mmrm_search import pack_score, reduce_information, subtract_second
from alsmodel.estimators._mmrm_structure import AR1, UNSTRUCTURED, jacobian, second_derivative
from alsmodel.estimators._mmrm_sums import Floats


class Exact(NamedTuple):
    """Scratch of the last, exact step."""

    other: Floats  # (n, K) packed matrices per pattern
    tilted: Floats  # (n, q * T) P_g sum of r c'
    tilted_rows: Floats  # (n, q, T) the same memory
    by_cc: Floats  # (q (q + 1) / 2, K, K) sum over patterns of (c c')_uv vech(P) vech(P)'
    halves: Floats  # (p (p + 1) / 2, K) root S_k root' in columns, an off-diagonal entry times sqrt 2
    vectors: Floats  # (K, q * T)
    rooted: Floats  # (p, K) root c_k in columns
    stack: Floats  # (p, p, K) S_k, upper triangle
    lines: Floats  # (p, K)
    form: Floats  # (p, K) c_k in columns
    sums: Floats  # (K, K) inner products of columns
    weight: Floats  # (p (p + 1) / 2,) ones
    inverse: Floats  # (K, K) of packed Sigma
    small: Floats  # (m, m)
    small_inverse: Floats  # (m, m)
    spare: Floats  # (m, K)
    curve: Floats  # (T, T) sum over k, l of W_kl times the second derivative of Sigma
    gradient: Floats  # (K,)
    reduced: Floats  # (m,)
    slope: Floats  # (m,)
    toward: Floats  # (p,) phi contrast
    reach: Floats  # (q, T) phi contrast at its places


@inner
def per_pattern(patterns, observed, sums, fit, work, exact):  # type: ignore[no-untyped-def]
    """exact.other: what stands beside P_g in the traces; exact.tilted when `observed`."""
    visits = fit.whole.shape[0]
    q = fit.by_visit.shape[0]
    flat, here = work.flat, work.square
    for g in range(patterns):
        precision = fit.square[g]
        fitted_spread(g, sums, fit, flat)
        sandwich(precision, visits, here, work.a, work.b)
        target = exact.other[g]
        pack(work.b, visits, target)
        # Expected: 1/2 n P - PAP beside P. Observed adds P R P and subtracts the expected.
        sign = -1.0 if observed else 1.0
        for k in range(target.shape[0]):
            target[k] = sign * (0.5 * sums.count[g] * fit.packed[g, k] - target[k])
        if observed:
            fill(here, 0.0)
            residual_squares(g, sums, fit, work, flat)
            sandwich(precision, visits, here, work.a, work.b)
            k = 0
            for i in range(visits):
                for j in range(i, visits):
                    target[k] += work.b[i, j]
                    k += 1
            weighted_rows(sums.cc[g], fit.by_visit, sums.cy[g], 1.0, work.rows)
            product(work.rows, precision, q, visits, visits, exact.tilted_rows[g])


@inner
def sum_by_covariates(patterns, sums, fit, work, exact):  # type: ignore[no-untyped-def]
    """exact.by_cc, both triangles. The square of an arm's indicator is itself, and two arms have no product."""
    blocks, packed, arms = sums.cc.shape[1], fit.packed.shape[1], sums.arms.shape[1]
    q = sums.design.shape[1]
    u, v = 0, -1
    for k in range(blocks):
        v += 1
        if v == q:
            u += 1
            v = u
        if u > 0 and v < arms:
            if u == v:
                copy(exact.by_cc[u], exact.by_cc[k])
            else:
                fill(exact.by_cc[k], 0.0)
            continue
        for g in range(patterns):
            work.weight[g] = sums.cc[g, k]
        out = exact.by_cc[k]
        cross_sum(fit.packed, fit.packed, work.weight, patterns, packed, packed, True, out)
        for x in range(packed):
            for y in range(x):
                out[x, y] = out[y, x]


@inner
def derivative_entries(effect, place, exact):  # type: ignore[no-untyped-def]
    """exact.stack[a, b] = entry (a, b), a <= b, of S_k = X'V^-1 E_k V^-1 X for all k."""
    visits, q = effect.shape
    p = exact.stack.shape[0]
    for a in range(p):
        for b in range(a, p):
            target = exact.stack[a, b]
            for k in range(target.shape[0]):
                target[k] = 0.0
    block = 0
    for u in range(q):
        for v in range(u, q):
            cross = exact.by_cc[block]
            for t in range(visits):
                for s in range(visits):
                    a, b = effect[t, u], effect[s, v]
                    if a < 0 or b < 0:
                        continue
                    # (t, s) stands for (s, t) too: of a coefficient with itself by u == v, of two covariates by symmetry.
                    if u == v and b < a:
                        continue
                    twice = 2.0 if u != v and a == b else 1.0
                    target, places, others = exact.stack[min(a, b), max(a, b)], place[s], place[t]
                    k = 0
                    for i in range(visits):
                        first, other = cross[others[i]], places[i]
                        target[k] += twice * first[other]
                        k += 1
                        for j in range(i + 1, visits):
                            target[k] += twice * (first[places[j]] + cross[others[j], other])
                            k += 1
            block += 1


@inner
def derivative_forms(effect, place, fit, exact):  # type: ignore[no-untyped-def]
    """exact.halves: root S_k root', so that their inner products are tr(phi S_k phi S_l). Vectors run over k."""
    p = fit.beta.shape[0]
    derivative_entries(effect, place, exact)
    x = 0
    for a in range(p):
        for b in range(a + 1):
            combine(fit.root[a], exact.stack, b, a + 1, exact.lines[b])
        for b in range(a + 1):
            target = exact.halves[x]
            for k in range(target.shape[0]):
                target[k] = 0.0
            for c in range(b + 1):
                factor, row = fit.root[b, c] * (1.0 if a == b else 1.4142135623730951), exact.lines[c]
                for k in range(target.shape[0]):
                    target[k] += factor * row[k]
            x += 1


@inner
def combine(factors, stack, column, size, out):  # type: ignore[no-untyped-def]
    """out = sum over c < size of factors[c] times entry (c, column) of the symmetric `stack`."""
    for k in range(out.shape[0]):
        out[k] = 0.0
    c = 0
    while c + 2 <= size:
        f0, f1 = factors[c], factors[c + 1]
        r0, r1 = stack[min(c, column), max(c, column)], stack[min(c + 1, column), max(c + 1, column)]
        for k in range(out.shape[0]):
            out[k] += f0 * r0[k] + f1 * r1[k]
        c += 2
    if c < size:
        f0, r0 = factors[c], stack[min(c, column), max(c, column)]
        for k in range(out.shape[0]):
            out[k] += f0 * r0[k]


@inner
def root_vectors(patterns, tilted, effect, place, sums, fit, work, exact):  # type: ignore[no-untyped-def]
    """exact.rooted[k] = root * sum over g of (P_g E_k U_g) at its coefficients, U_g (T, q) given as `tilted`."""
    visits, q = effect.shape
    p, packed = fit.beta.shape[0], fit.packed.shape[1]
    for g in range(patterns):
        work.weight[g] = 1.0
    cross_sum(fit.packed, tilted, work.weight, patterns, packed, q * visits, False, exact.vectors)
    fill(exact.form, 0.0)
    number = 0
    for i in range(visits):
        for j in range(i, visits):
            scale = 0.5 if i == j else 1.0
            for t in range(visits):
                first, second = exact.vectors[place[t, i]], exact.vectors[place[t, j]]
                for u in range(q):
                    if effect[t, u] >= 0:
                        exact.form[effect[t, u], number] += scale * (first[u * visits + j] + second[u * visits + i])
            number += 1
    product(fit.root, exact.form, p, p, packed, exact.rooted)


@inner
def add_inner_products(columns, rows, sign, exact, out):  # type: ignore[no-untyped-def]
    """Upper triangle of `out` += sign * columns' columns."""
    size = columns.shape[1]
    cross_sum(columns, columns, exact.weight, rows, size, size, True, exact.sums)
    for k in range(size):
        target, row = out[k], exact.sums[k]
        for j in range(k, size):
            target[j] += sign * row[j]


@inner
def exact_information(patterns, observed, effect, place, sums, fit, work, exact, out):  # type: ignore[no-untyped-def]
    """Observed or expected information on the packed Sigma, upper triangle of `out`."""
    visits = effect.shape[0]
    p, packed = fit.beta.shape[0], fit.packed.shape[1]
    per_pattern(patterns, observed, sums, fit, work, exact)
    for g in range(patterns):
        work.weight[g] = 1.0
    cross_sum(fit.packed, exact.other, work.weight, patterns, packed, packed, False, work.cross)
    fill(out, 0.0)
    add_trace(work.cross, False, place, visits, 1.0, out)
    sum_by_covariates(patterns, sums, fit, work, exact)
    derivative_forms(effect, place, fit, exact)
    add_inner_products(exact.halves, p * (p + 1) // 2, -0.5 if observed else 0.5, exact, out)
    if observed:
        root_vectors(patterns, exact.tilted, effect, place, sums, fit, work, exact)
        add_inner_products(exact.rooted, p, -1.0, exact, out)


@inner
def invert_information(structure, observed, invert, information, fit, search, exact):  # type: ignore[no-untyped-def]
    """Factor of the information on theta in search.reduced; with `invert` also its inverse for packed Sigma.

    False when the information is not positive definite.
    """
    visits, m = search.sigma.shape[0], search.theta.shape[0]
    reduce_information(structure, information, search.theta, visits, exact.spare, search.jacobian, search.reduced)
    if observed and structure == AR1:
        pack_score(fit.gradient, search.score)
        subtract_second(visits, search)
    if np.isnan(factorise(search.reduced, m, 1e-10)):
        return False
    if not invert:
        return True
    # Scratch of the right size: `small` for the root, then the inverse.
    invert_factor(search.reduced, m, exact.small)
    if structure == UNSTRUCTURED:
        gram(exact.small, m, exact.inverse)
        return True
    inverse = exact.small_inverse
    gram(exact.small, m, inverse)
    jacobian(structure, search.theta, visits, search.jacobian)
    product(inverse, search.jacobian, m, m, search.score.shape[0], exact.spare)
    for k in range(search.score.shape[0]):
        for n in range(search.score.shape[0]):
            total = 0.0
            for a in range(m):
                total += search.jacobian[a, k] * exact.spare[a, n]
            exact.inverse[k, n] = total
    fill(exact.curve, 0.0)
    if structure == AR1:
        for i in range(visits):
            for j in range(visits):
                for a in range(m):
                    for b in range(m):
                        exact.curve[i, j] += inverse[a, b] * second_derivative(search.theta, a, b, abs(i - j))
    return True


@inner
def contrast_numbers(structure, patterns, adjust, contrast, effect, place, sums, fit, work, search, exact, out):  # type: ignore[no-untyped-def]
    """out = (estimate, model-based variance, Kenward-Roger variance, degrees of freedom) of contrast'beta."""
    visits, q = effect.shape
    p, packed, m = fit.beta.shape[0], fit.packed.shape[1], search.theta.shape[0]
    estimate, variance = 0.0, 0.0
    reach = exact.toward
    for a in range(p):
        reach[a] = 0.0
    for a in range(p):
        if contrast[a] != 0.0:
            estimate += contrast[a] * fit.beta[a]
            for b in range(p):
                reach[b] += contrast[a] * fit.phi[a, b]
    for a in range(p):
        variance += reach[a] * contrast[a]
    for u in range(q):
        for t in range(visits):
            exact.reach[u, t] = reach[effect[t, u]] if effect[t, u] >= 0 else 0.0
    # Per pattern: U = P sum of (X reach) c', and B = P sum of (X reach)(X reach)' P = U' (reach P).
    total = work.d
    fill(total, 0.0)
    fill(work.more, 0.0)
    for g in range(patterns):
        precision = fit.square[g]
        weighted_rows(sums.cc[g], exact.reach, work.more, -1.0, work.rows)
        tilted = exact.tilted_rows[g]
        product(work.rows, precision, q, visits, visits, tilted)
        product(exact.reach, precision, q, visits, visits, work.rows)
        fill(work.a, 0.0)
        for u in range(q):
            left, right = tilted[u], work.rows[u]
            for t in range(visits):
                factor, row = left[t], work.a[t]
                for s in range(visits):
                    row[s] += factor * right[s]
        for t in range(visits):
            for s in range(visits):
                total[t, s] += work.a[t, s]
        if adjust:
            pack(work.a, visits, exact.other[g])
    pack_score(total, exact.gradient)
    for a in range(m):
        exact.reduced[a] = exact.gradient[a]
        if structure != UNSTRUCTURED:
            exact.reduced[a] = 0.0
            for k in range(packed):
                exact.reduced[a] += search.jacobian[a, k] * exact.gradient[k]
    # g' I^-1 g, twice the squared variance over it.
    slope = exact.slope
    for a in range(m):
        slope[a] = exact.reduced[a]
    solve_factor(search.reduced, m, exact.reduced)
    spread = 0.0
    for a in range(m):
        spread += slope[a] * exact.reduced[a]
    adjusted = variance
    if adjust:
        adjusted = variance + 2.0 * kenward_roger_shift(structure, patterns, total, effect, place, sums, fit, work, exact)
    out[0], out[1], out[2], out[3] = estimate, variance, adjusted, 2.0 * variance * variance / spread


@inner
def kenward_roger_shift(structure, patterns, total, effect, place, sums, fit, work, exact):  # type: ignore[no-untyped-def]
    """Sum over k, l of W_kl l'Phi (Q_kl - S_k Phi S_l - R_kl / 4) Phi l, by the arrays that `contrast_numbers` left."""
    visits = effect.shape[0]
    p, packed = fit.beta.shape[0], fit.packed.shape[1]
    root_vectors(patterns, exact.tilted, effect, place, sums, fit, work, exact)
    for g in range(patterns):
        work.weight[g] = 1.0
    cross_sum(fit.packed, exact.other, work.weight, patterns, packed, packed, False, work.cross)
    forms = exact.by_cc[0]
    fill(forms, 0.0)
    add_trace(work.cross, False, place, visits, 1.0, forms)
    add_inner_products(exact.rooted, p, -1.0, exact, forms)
    shift = 0.0
    for k in range(packed):
        shift += exact.inverse[k, k] * forms[k, k]
        for n in range(k + 1, packed):
            shift += 2.0 * exact.inverse[k, n] * forms[k, n]
    if structure == AR1:
        for i in range(visits):
            for j in range(visits):
                shift -= 0.25 * exact.curve[i, j] * total[i, j]
    return shift
