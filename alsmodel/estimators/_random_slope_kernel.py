"""REML for the random-intercept-and-slope model, from sums over visit patterns.

With ``X_i = Z_i A_i`` and ``Z_i = [1, t]`` every quantity of the likelihood is a 2 x 2 matrix per visit pattern:
``G = Z'Z``, ``K = (sigma2 I + G D)^-1``, ``M = Z' V^-1 Z = K G``, ``N = Z' V^-2 Z = K M``, ``O = Z' V^-3 Z = K N``.
The formulas, with their derivation, are in ``docs/methods/random_slope.md``.

Names in the code: ``theta = (d00, d01, d11, sigma2)``; ``row[a]`` is 0 when coefficient ``a`` belongs to the level
and 1 when it belongs to the slope; ``cc``, ``ch``, ``hh``, ``yy`` are the sums over the participants of one pattern of
``z z'``, ``z h'``, ``h h'``, ``y'y`` with ``z`` the baseline covariates of each coefficient and ``h = Z'y``.
"""

import numpy as np
from numba import njit

OK, AT_BOUNDARY, NOT_CONVERGED, NOT_ESTIMABLE = 0, 1, 2, 3
MAX_ITERATIONS = 60
TOLERANCE = 1e-12  # of the scoring decrement s' I^-1 s: squared distance to the maximum, in standard errors
BOUNDARY_SHARE = 1e-7  # scoring stays where 1 - correlation^2 of the random effects exceeds this


@njit(cache=True, nogil=True)
def solve(matrix, vector, factor, out):  # type: ignore[no-untyped-def]
    """Cholesky solve; False when `matrix` is not numerically positive definite."""
    size = vector.shape[0]
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                if not total > 1e-11 * matrix[i, i]:
                    return False
                factor[i, i] = np.sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    for i in range(size):
        total = vector[i]
        for k in range(i):
            total -= factor[i, k] * out[k]
        out[i] = total / factor[i, i]
    for i in range(size - 1, -1, -1):
        total = out[i]
        for k in range(i + 1, size):
            total -= factor[k, i] * out[k]
        out[i] = total / factor[i, i]
    return True


@njit(cache=True, nogil=True)
def invert(matrix, factor, out):  # type: ignore[no-untyped-def]
    """Inverse of a symmetric positive definite matrix; False when it is not one."""
    size = matrix.shape[0]
    unit = np.zeros(size)
    for j in range(size):
        unit[:] = 0.0
        unit[j] = 1.0
        if not solve(matrix, unit, factor, out[j]):
            return False
    return True


@njit(cache=True, nogil=True)
def summarise(y, times, z, row, shared, stats):  # type: ignore[no-untyped-def]
    """Group participants by visit pattern and sum; returns (patterns, participants, observations, mean of y)."""
    count, gram, cc, ch, hh, yy = stats
    people, visits = y.shape
    p = row.shape[0]
    table = np.full(1 << int(np.ceil(np.log2(2.0 * people + 2.0))), -1, np.int64)
    masks = np.empty(people, np.uint64)
    total, observations, used, patterns = 0.0, 0, 0, 0
    for i in range(people):
        for j in range(visits):
            if not np.isnan(y[i, j]):
                total += y[i, j]
                observations += 1
    # Centring y by its mean moves the intercept only and keeps the sums of squares small.
    centre = total / max(observations, 1)
    for i in range(people):
        mask, seen = np.uint64(0), 0
        g1, g2, h0, h1, square = 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(visits):
            if not np.isnan(y[i, j]):
                t, value = times[i if times.shape[0] > 1 else 0, j], y[i, j] - centre
                mask |= np.uint64(1) << np.uint64(j)
                seen += 1
                g1 += t
                g2 += t * t
                h0 += value
                h1 += t * value
                square += value * value
        if seen == 0:
            continue
        used += 1
        g = patterns
        if shared:
            slot = np.int64((mask * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & (table.shape[0] - 1)
            while table[slot] >= 0 and masks[table[slot]] != mask:
                slot = (slot + 1) & (table.shape[0] - 1)
            if table[slot] < 0:
                table[slot] = patterns
            g = table[slot]
        if g == patterns:
            patterns += 1
            masks[g] = mask
            count[g, 0], count[g, 1] = 0.0, seen
            gram[g, 0], gram[g, 1], gram[g, 2] = seen, g1, g2
            cc[g], ch[g], hh[g], yy[g] = 0.0, 0.0, 0.0, 0.0
        count[g, 0] += 1.0
        hh[g, 0] += h0 * h0
        hh[g, 1] += h0 * h1
        hh[g, 2] += h1 * h1
        yy[g] += square
        for a in range(p):
            ch[g, a, 0] += z[i, a] * h0
            ch[g, a, 1] += z[i, a] * h1
            for b in range(a + 1):
                cc[g, a, b] += z[i, a] * z[i, b]
    for g in range(patterns):
        for a in range(p):
            for b in range(a):
                cc[g, b, a] = cc[g, a, b]
    return patterns, used, observations, centre


@njit(cache=True, nogil=True)
def residual_sums(g, beta, row, stats, rs):  # type: ignore[no-untyped-def]
    """Sums over pattern `g` of s s' and r'r (r = y - X beta, s = Z'r) and, into `rs`, of z s'; (s00,s01,s11,rr)."""
    _, gram, cc, ch, hh, yy = stats
    p = row.shape[0]
    g0, g1, g2 = gram[g]
    a00, a01, a11 = 0.0, 0.0, 0.0  # sum of a a' with a = A beta
    x00, x01, x10, x11 = 0.0, 0.0, 0.0, 0.0  # sum of a h'
    for a in range(p):
        f0, f1 = 0.0, 0.0  # sum of z_a a'
        for b in range(p):
            if row[b] == 0:
                f0 += beta[b] * cc[g, a, b]
            else:
                f1 += beta[b] * cc[g, a, b]
        rs[a, 0] = ch[g, a, 0] - (f0 * g0 + f1 * g1)
        rs[a, 1] = ch[g, a, 1] - (f0 * g1 + f1 * g2)
        if row[a] == 0:
            a00 += beta[a] * f0
            a01 += beta[a] * f1
            x00 += beta[a] * ch[g, a, 0]
            x01 += beta[a] * ch[g, a, 1]
        else:
            a11 += beta[a] * f1
            x10 += beta[a] * ch[g, a, 0]
            x11 += beta[a] * ch[g, a, 1]
    # G a h' and G a a' G
    u00, u01 = g0 * x00 + g1 * x10, g0 * x01 + g1 * x11
    u10, u11 = g1 * x00 + g2 * x10, g1 * x01 + g2 * x11
    v00, v01, v10, v11 = g0 * a00 + g1 * a01, g0 * a01 + g1 * a11, g1 * a00 + g2 * a01, g1 * a01 + g2 * a11
    s00 = hh[g, 0] - 2.0 * u00 + v00 * g0 + v01 * g1
    s01 = hh[g, 1] - u01 - u10 + v00 * g1 + v01 * g2
    s11 = hh[g, 2] - 2.0 * u11 + v10 * g1 + v11 * g2
    rr = yy[g] - 2.0 * (x00 + x11) + g0 * a00 + 2.0 * g1 * a01 + g2 * a11
    return s00, s01, s11, rr


@njit(cache=True, nogil=True)
def add_forms(g, theta, row, stats, forms, xvy):  # type: ignore[no-untyped-def]
    """Add pattern `g` to the 15 matrices A'BA (X'V^-1X, four S_k, ten Q_kl), X'V^-1y and tr(V^-1 V_k V^-1 V_l).

    Returns log|V|, the four tr(V^-1 V_k) and the ten traces as one flat tuple.
    """
    count, gram, cc, ch, _, _ = stats
    d00, d01, d11, s2 = theta
    people, seen = count[g]
    g0, g1, g2 = gram[g]
    b00, b01 = s2 + g0 * d00 + g1 * d01, g0 * d01 + g1 * d11
    b10, b11 = g1 * d00 + g2 * d01, s2 + g1 * d01 + g2 * d11
    det = b00 * b11 - b01 * b10
    k00, k01, k10, k11 = b11 / det, -b01 / det, -b10 / det, b00 / det
    m00, m01, m11 = k00 * g0 + k01 * g1, k00 * g1 + k01 * g2, k10 * g1 + k11 * g2
    n00, n01, n11 = k00 * m00 + k01 * m01, k00 * m01 + k01 * m11, k10 * m01 + k11 * m11
    o00, o01, o11 = k00 * n00 + k01 * n01, k00 * n01 + k01 * n11, k10 * n01 + k11 * n11
    # Rows: index in `forms`; columns: the 00, 01, 11 entries of the symmetric middle matrix B.
    middle = np.array((
        (m00, m01, m11),  # X' V^-1 X
        (m00 * m00, m00 * m01, m01 * m01),  # S for d00: M e0 e0' M
        (2 * m00 * m01, m00 * m11 + m01 * m01, 2 * m01 * m11),  # S for d01
        (m01 * m01, m01 * m11, m11 * m11),  # S for d11
        (n00, n01, n11),  # S for sigma2
        (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0),
        (m00 * n00, 0.5 * (m00 * n01 + m01 * n00), m01 * n01),  # Q d00, sigma2
        (0.0, 0.0, 0.0), (0.0, 0.0, 0.0),
        (m00 * n01 + m01 * n00, 0.5 * (m00 * n11 + m11 * n00) + m01 * n01, m01 * n11 + m11 * n01),  # d01, sigma2
        (0.0, 0.0, 0.0),
        (m01 * n01, 0.5 * (m01 * n11 + m11 * n01), m11 * n11),  # d11, sigma2
        (o00, o01, o11),  # sigma2, sigma2
    ))
    for j in range(3):
        e00, cross, e11 = middle[1, j], 0.5 * middle[2, j], middle[3, j]
        middle[5, j] = m00 * e00  # d00, d00
        middle[6, j] = m01 * e00 + m00 * cross  # d00, d01
        middle[7, j] = m01 * cross  # d00, d11
        middle[9, j] = m11 * e00 + m00 * e11 + 2 * m01 * cross  # d01, d01
        middle[10, j] = m11 * cross + m01 * e11  # d01, d11
        middle[12, j] = m11 * e11  # d11, d11
    p = row.shape[0]
    for a in range(p):
        ra = row[a]
        xvy[a] += (k00 * ch[g, a, 0] + k01 * ch[g, a, 1]) if ra == 0 else (k10 * ch[g, a, 0] + k11 * ch[g, a, 1])
        for b in range(a + 1):
            weight, entry = cc[g, a, b], ra + row[b]
            for j in range(15):
                forms[j, a, b] += weight * middle[j, entry]
    dm = d00 * m00 + 2 * d01 * m01 + d11 * m11
    q00, q01 = d00 * m00 + d01 * m01, d00 * m01 + d01 * m11
    q10, q11 = d01 * m00 + d11 * m01, d01 * m01 + d11 * m11
    dmdm = q00 * q00 + 2 * q01 * q10 + q11 * q11
    return (
        people * ((seen - 2.0) * np.log(s2) + np.log(det)),
        people * m00, people * 2 * m01, people * m11, people * (seen - dm) / s2,
        people * m00 * m00, people * 2 * m00 * m01, people * m01 * m01, people * n00,
        people * 2 * (m00 * m11 + m01 * m01), people * 2 * m01 * m11, people * 2 * n01,
        people * m11 * m11, people * n11, people * (seen - 2 * dm + dmdm) / (s2 * s2),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def add_quadratics(g, theta, beta, row, stats, rs, quad, curve, c):  # type: ignore[no-untyped-def]
    """Add pattern `g` to r'V^-1r (returned), r'V^-1 V_k V^-1 r, r'V^-1 V_k V^-1 V_l V^-1 r and X'V^-1 V_k V^-1 r."""
    _, gram, _, _, _, _ = stats
    d00, d01, d11, s2 = theta
    g0, g1, g2 = gram[g]
    b00, b01 = s2 + g0 * d00 + g1 * d01, g0 * d01 + g1 * d11
    b10, b11 = g1 * d00 + g2 * d01, s2 + g1 * d01 + g2 * d11
    det = b00 * b11 - b01 * b10
    k00, k01, k10, k11 = b11 / det, -b01 / det, -b10 / det, b00 / det
    m00, m01, m11 = k00 * g0 + k01 * g1, k00 * g1 + k01 * g2, k10 * g1 + k11 * g2
    s00, s01, s11, rr = residual_sums(g, beta, row, stats, rs)
    t00, t01, t10, t11 = k00 * s00 + k01 * s01, k00 * s01 + k01 * s11, k10 * s00 + k11 * s01, k10 * s01 + k11 * s11
    w00, w01, w11 = t00 * k00 + t01 * k01, t00 * k10 + t01 * k11, t10 * k10 + t11 * k11  # W = K S K'
    # D K S = D t, and G D W D
    trace_dks = d00 * t00 + d01 * t10 + d01 * t01 + d11 * t11
    f00, f01, f10, f11 = d00 * w00 + d01 * w01, d00 * w01 + d01 * w11, d01 * w00 + d11 * w01, d01 * w01 + d11 * w11
    e00, e01, e11 = f00 * d00 + f01 * d01, f00 * d01 + f01 * d11, f10 * d01 + f11 * d11
    twice = (rr - 2 * trace_dks + g0 * e00 + 2 * g1 * e01 + g2 * e11) / (s2 * s2)  # r' V^-2 r
    y00, y01, y10, y11 = k00 * w00 + k01 * w01, k00 * w01 + k01 * w11, k10 * w00 + k11 * w01, k10 * w01 + k11 * w11
    quad[0] += w00
    quad[1] += 2 * w01
    quad[2] += w11
    quad[3] += twice
    curve[0] += m00 * w00
    curve[1] += m00 * w01 + m01 * w00
    curve[2] += m01 * w01
    curve[3] += y00
    curve[4] += m11 * w00 + 2 * m01 * w01 + m00 * w11
    curve[5] += m11 * w01 + m01 * w11
    curve[6] += y01 + y10
    curve[7] += m11 * w11
    curve[8] += y11
    curve[9] += (twice - (d00 * y00 + d01 * (y01 + y10) + d11 * y11)) / s2
    for a in range(row.shape[0]):
        u0, u1 = k00 * rs[a, 0] + k01 * rs[a, 1], k10 * rs[a, 0] + k11 * rs[a, 1]
        near, far = (m00, m01) if row[a] == 0 else (m01, m11)
        c[0, a] += near * u0
        c[1, a] += near * u1 + far * u0
        c[2, a] += far * u1
        c[3, a] += (k00 * u0 + k01 * u1) if row[a] == 0 else (k10 * u0 + k11 * u1)
    return (rr - trace_dks) / s2


@njit(cache=True, nogil=True)
def evaluate(theta, patterns, row, stats, forms, phi, beta, score, expected, observed, work):  # type: ignore[no-untyped-def]
    """Restricted log likelihood without its 2 pi constant; fills all the arrays. NaN when theta or X is singular."""
    p = row.shape[0]
    factor, rs, xvy, c = work
    forms[:] = 0.0
    xvy[:] = 0.0
    c[:] = 0.0
    traces, quad, curve = np.zeros(15), np.zeros(4), np.zeros(10)
    for g in range(patterns):
        parts = add_forms(g, theta, row, stats, forms, xvy)
        for j in range(15):
            traces[j] += parts[j]
    for j in range(15):
        for a in range(p):
            for b in range(a):
                forms[j, b, a] = forms[j, a, b]
    if not invert(forms[0], factor, phi):
        return np.nan
    log_det = 0.0
    for a in range(p):
        log_det += 2.0 * np.log(factor[a, a])
        beta[a] = 0.0
        for b in range(p):
            beta[a] += phi[a, b] * xvy[b]
    rvr = 0.0
    for g in range(patterns):
        rvr += add_quadratics(g, theta, beta, row, stats, rs, quad, curve, c)
    phis = np.empty((4, p, p))
    for k in range(4):
        phis[k] = phi @ forms[1 + k]
        score[k] = -0.5 * (traces[1 + k] - np.trace(phis[k]) - quad[k])
    j = 0
    for k in range(4):
        for m in range(k, 4):
            both, lost, cross = 0.0, 0.0, 0.0
            for a in range(p):
                for b in range(p):
                    both += phis[k, a, b] * phis[m, b, a]
                    lost += phi[a, b] * forms[5 + j, a, b]
                    cross += c[k, a] * phi[a, b] * c[m, b]
            expected[k, m] = expected[m, k] = 0.5 * (traces[5 + j] - 2.0 * lost + both)
            observed[k, m] = observed[m, k] = curve[j] - cross - expected[k, m]
            j += 1
    return -0.5 * (traces[0] + log_det + rvr)


@njit(cache=True, nogil=True)
def start_values(patterns, row, stats, work):  # type: ignore[no-untyped-def]
    """Moments of the per-participant least-squares lines, pulled inside the parameter space."""
    count, gram, cc, ch, hh, yy = stats
    factor, rs, xvy, _ = work
    p = row.shape[0]
    xx, beta = np.zeros((p, p)), np.zeros(p)
    xvy[:] = 0.0
    for g in range(patterns):
        for a in range(p):
            xvy[a] += ch[g, a, row[a]]
            for b in range(p):
                xx[a, b] += cc[g, a, b] * gram[g, row[a] + row[b]]
    theta = np.array((1.0, 0.0, 1.0, 1.0))
    if not solve(xx, xvy, factor, beta):
        return theta, False
    within, freedom, lines = 0.0, 0.0, 0.0
    raw, noise = np.zeros(3), np.zeros(3)
    spread, seen = 0.0, 0.0
    for g in range(patterns):
        s00, s01, s11, rr = residual_sums(g, beta, row, stats, rs)
        spread += rr
        seen += count[g, 0] * count[g, 1]
        g0, g1, g2 = gram[g]
        det = g0 * g2 - g1 * g1
        if count[g, 1] < 3 or det <= 1e-10 * g0 * g2:
            continue
        i00, i01, i11 = g2 / det, -g1 / det, g0 / det
        within += rr - (i00 * s00 + 2 * i01 * s01 + i11 * s11)
        freedom += count[g, 0] * (count[g, 1] - 2.0)
        lines += count[g, 0]
        raw[0] += i00 * i00 * s00 + 2 * i00 * i01 * s01 + i01 * i01 * s11
        raw[1] += i00 * i01 * s00 + (i00 * i11 + i01 * i01) * s01 + i01 * i11 * s11
        raw[2] += i01 * i01 * s00 + 2 * i01 * i11 * s01 + i11 * i11 * s11
        noise += count[g, 0] * np.array((i00, i01, i11))
    if freedom <= 0.0 or within <= 0.0 or lines <= p:
        scale = max(spread / max(seen, 1.0), 1e-8)
        times2 = 0.0
        for g in range(patterns):
            times2 += count[g, 0] * gram[g, 2]
        return np.array((0.5 * scale, 0.0, 0.1 * scale / max(times2 / max(seen, 1.0), 1e-12), 0.5 * scale)), True
    s2 = within / freedom
    d00 = max((raw[0] - s2 * noise[0]) / lines, 0.05 * raw[0] / lines)
    d11 = max((raw[2] - s2 * noise[2]) / lines, 0.05 * raw[2] / lines)
    limit = 0.9 * np.sqrt(d00 * d11)
    d01 = min(max((raw[1] - s2 * noise[1]) / lines, -limit), limit)
    return np.array((d00, d01, d11, s2)), True


@njit(cache=True, nogil=True)
def correlation_room(theta):  # type: ignore[no-untyped-def]
    """1 - correlation^2 of the random effects, or 0 when a variance is not positive."""
    if theta[0] <= 0.0 or theta[2] <= 0.0 or theta[3] <= 0.0:
        return 0.0
    return 1.0 - theta[1] * theta[1] / (theta[0] * theta[2])


@njit(cache=True, nogil=True)
def from_cholesky(x):  # type: ignore[no-untyped-def]
    """theta of x = (log l00, l10, log l11, log sigma2) where D = L L'."""
    l00, l11 = np.exp(x[0]), np.exp(x[2])
    return np.array((l00 * l00, l00 * x[1], x[1] * x[1] + l11 * l11, np.exp(x[3])))


@njit(cache=True, nogil=True)
def cholesky_jacobian(x):  # type: ignore[no-untyped-def]
    """d theta / d x of `from_cholesky`, shape (4, 4)."""
    l00, l11 = np.exp(x[0]), np.exp(x[2])
    out = np.zeros((4, 4))
    out[0, 0] = 2.0 * l00 * l00
    out[1, 0] = l00 * x[1]
    out[1, 1] = l00
    out[2, 1] = 2.0 * x[1]
    out[2, 2] = 2.0 * l11 * l11
    out[3, 3] = np.exp(x[3])
    return out


@njit(cache=True, nogil=True)
def climb(theta, patterns, row, stats, forms, phi, beta, score, expected, observed, work):  # type: ignore[no-untyped-def]
    """Levenberg-Marquardt on the log-Cholesky scale; returns (theta, log likelihood, iterations, converged)."""
    room = max(correlation_room(theta), 1e-4)
    d00, d11, s2 = max(theta[0], 1e-10), max(theta[2], 1e-10), max(theta[3], 1e-10)
    x = np.array((0.5 * np.log(d00), theta[1] / np.sqrt(d00), 0.5 * np.log(d11 * room), np.log(s2)))
    floor = np.array((x[0] - 18.0, -np.inf, x[2] - 14.0, -np.inf))
    step, factor = np.zeros(4), np.zeros((4, 4))
    theta = from_cholesky(x)
    value = evaluate(theta, patterns, row, stats, forms, phi, beta, score, expected, observed, work)
    damping, small = 1e-3, 0
    for iteration in range(8 * MAX_ITERATIONS):
        jacobian = cholesky_jacobian(x)
        slope = jacobian.T @ score
        hessian = jacobian.T @ expected @ jacobian
        gained = -1.0
        while damping < 1e12:
            damped = hessian.copy()
            for k in range(4):
                damped[k, k] += damping * hessian[k, k] + 1e-12
            if solve(damped, slope, factor, step):
                # A variance going to zero never arrives on the log scale: bounded steps and a floor end the walk.
                trial = np.maximum(x + np.minimum(np.maximum(step, -3.0), 3.0), floor)
                theta = from_cholesky(trial)
                new = evaluate(theta, patterns, row, stats, forms, phi, beta, score, expected, observed, work)
                if new >= value:
                    gained, x, value = new - value, trial, new
                    damping = max(damping * 0.1, 1e-12)
                    break
            damping *= 10.0
        if gained < 0.0:
            theta = from_cholesky(x)
            value = evaluate(theta, patterns, row, stats, forms, phi, beta, score, expected, observed, work)
            return theta, value, iteration + 1, np.max(np.abs(slope)) < 1e-3
        small = small + 1 if gained < 1e-11 * (1.0 + abs(value)) else 0
        if small >= 3:
            return theta, value, iteration + 1, True
    return theta, value, 8 * MAX_ITERATIONS, False


@njit(cache=True, nogil=True)
def scoring(theta, patterns, row, stats, forms, phi, beta, score, expected, observed, work):  # type: ignore[no-untyped-def]
    """Fisher scoring on theta itself; (theta, log likelihood, iterations, converged). Stops where a step would leave."""
    factor, step = np.zeros((4, 4)), np.zeros(4)
    value = evaluate(theta, patterns, row, stats, forms, phi, beta, score, expected, observed, work)
    for iteration in range(MAX_ITERATIONS):
        if not np.isfinite(value) or not solve(expected, score, factor, step):
            return theta, value, iteration, False
        decrement = np.sum(step * score)
        size, accepted = 1.0, False
        while size > 0.1 and not accepted:
            ahead = theta + size * step
            if correlation_room(ahead) > BOUNDARY_SHARE:
                new = evaluate(ahead, patterns, row, stats, forms, phi, beta, score, expected, observed, work)
                accepted = new >= value - 1e-9 * (1.0 + abs(value))
            if accepted:
                theta, value = ahead, new
            size *= 0.5
        if not accepted:
            return theta, value, iteration + 1, False
        if decrement < TOLERANCE:
            return theta, value, iteration + 1, True
    return theta, value, MAX_ITERATIONS, False


@njit(cache=True, nogil=True)
def maximise(patterns, row, stats, forms, phi, beta, score, expected, observed, work, climb_first):  # type: ignore[no-untyped-def]
    """Scoring, `climb` when it would leave the space, and scoring again from there; (theta, value, iterations, status)."""
    theta, full_rank = start_values(patterns, row, stats, work)
    if not full_rank:
        return theta, np.nan, 0, NOT_ESTIMABLE
    used = 0
    if not climb_first:
        theta, value, used, done = scoring(
            theta, patterns, row, stats, forms, phi, beta, score, expected, observed, work
        )
        if done:
            return theta, value, used, OK
        if not np.isfinite(value):
            return theta, value, used, NOT_ESTIMABLE
    theta, value, more, done = climb(theta, patterns, row, stats, forms, phi, beta, score, expected, observed, work)
    used += more
    factor, step = np.zeros((4, 4)), np.zeros(4)
    if not np.isfinite(value) or not solve(expected, score, factor, step):
        return theta, value, used, NOT_ESTIMABLE
    # The gradient vanishes at a maximum inside the space and not at one on its edge.
    if np.sum(step * score) < 1e-3 and correlation_room(theta) > BOUNDARY_SHARE:
        polished, better, more, inside = scoring(
            theta, patterns, row, stats, forms, phi, beta, score, expected, observed, work
        )
        if inside:
            return polished, better, used + more, OK
        value = evaluate(theta, patterns, row, stats, forms, phi, beta, score, expected, observed, work)
    return theta, value, used, AT_BOUNDARY if done else NOT_CONVERGED


@njit(cache=True, nogil=True)
def satterthwaite(contrast, phi, forms, information):  # type: ignore[no-untyped-def]
    """Variance of contrast'beta and 2 variance^2 / (g' information^-1 g), g = its gradient in theta; NaN df if it fails."""
    p = contrast.shape[0]
    reach, gradient, out, factor = np.zeros(p), np.zeros(4), np.zeros(4), np.zeros((4, 4))
    variance = 0.0
    for a in range(p):
        for b in range(p):
            reach[a] += phi[a, b] * contrast[b]
        variance += reach[a] * contrast[a]
    for k in range(4):
        for a in range(p):
            for b in range(p):
                gradient[k] += reach[a] * forms[1 + k, a, b] * reach[b]
    if not solve(information, gradient, factor, out):
        return variance, np.nan
    return variance, 2.0 * variance * variance / np.sum(gradient * out)


@njit(cache=True, nogil=True)
def fit_batch(y, times, z, row, contrast, shared, use_observed, climb_first, coefficients, covariance, numbers, counts):  # type: ignore[no-untyped-def]
    """Fit every replicate of `y` (R, n, V); fills coefficients (R, p), covariance (R, p, p), numbers (R, 8), counts (R, 4).

    numbers: estimate, standard error, df, d00, d01, d11, sigma2, log likelihood. counts: status, iterations,
    participants, observations.
    """
    replicates, people, _ = y.shape
    p = row.shape[0]
    stats = (
        np.empty((people, 2)), np.empty((people, 3)), np.empty((people, p, p)),
        np.empty((people, p, 2)), np.empty((people, 3)), np.empty(people),
    )  # fmt: skip
    forms, phi, beta = np.zeros((15, p, p)), np.zeros((p, p)), np.zeros(p)
    score, expected, observed = np.zeros(4), np.zeros((4, 4)), np.zeros((4, 4))
    work = (np.zeros((p, p)), np.zeros((p, 2)), np.zeros(p), np.zeros((4, p)))
    for r in range(replicates):
        coefficients[r], covariance[r], numbers[r] = np.nan, np.nan, np.nan
        patterns, used, observations, centre = summarise(
            y[r], times[r if times.shape[0] > 1 else 0], z[r if z.shape[0] > 1 else 0], row, shared, stats
        )
        counts[r, 0], counts[r, 1], counts[r, 2], counts[r, 3] = NOT_ESTIMABLE, 0, used, observations
        if observations <= p + 4:
            continue
        theta, value, iterations, status = maximise(
            patterns, row, stats, forms, phi, beta, score, expected, observed, work, climb_first
        )
        counts[r, 0], counts[r, 1] = status, iterations
        if status == NOT_ESTIMABLE:
            continue
        information = observed if use_observed and status == OK else expected
        variance, freedom = satterthwaite(contrast, phi, forms, information)
        beta[0] += centre
        coefficients[r], covariance[r] = beta, phi
        numbers[r, 0], numbers[r, 1], numbers[r, 2] = np.sum(contrast * beta), np.sqrt(variance), freedom
        numbers[r, 3:7] = theta
        numbers[r, 7] = value - 0.5 * (observations - p) * np.log(2.0 * np.pi)
