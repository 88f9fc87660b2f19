"""What one visit pattern adds to the likelihood of the random-slope model and to its derivatives.

With ``X_i = Z_i A_i`` and ``Z_i = [1, t]`` every quantity is a 2 x 2 matrix per visit pattern: ``G = Z'Z``,
``K = (sigma2 I + G D)^-1``, ``M = Z' V^-1 Z = K G``, ``N = Z' V^-2 Z = K M``, ``O = Z' V^-3 Z = K N``. The formulas,
with their derivation, are in ``docs/methods/random_slope.md``.

Names in the code: ``theta = (d00, d01, d11, sigma2)``; ``row[a]`` is 0 when coefficient ``a`` belongs to the level
and 1 when it belongs to the slope. The tuple ``stats`` holds, per pattern: ``count`` (participants, visits each),
``gram`` (the 00, 01, 11 entries of G), and the sums ``cc``, ``ch``, ``hh``, ``yy`` over its participants of
``z z'``, ``z h'``, ``h h'``, ``y'y``, with ``z`` the baseline covariate of each coefficient and ``h = Z'y``.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def invert(matrix, unit, factor, out):  # type: ignore[no-untyped-def]
    """Inverse of a symmetric positive definite matrix; False when it is not one."""
    size = matrix.shape[0]
    for j in range(size):
        for i in range(size):
            unit[i] = 1.0 if i == j else 0.0
        if not solve(matrix, unit, factor, out[j]):
            return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def summarise(y, times, z, keep, row, shared, stats, table, masks):  # type: ignore[no-untyped-def]
    """Group participants by visit pattern and sum; returns (patterns, participants, observations, mean of y)."""
    count, gram, cc, ch, hh, yy = stats
    people, visits = y.shape
    p = row.shape[0]
    for j in range(table.shape[0]):
        table[j] = -1
    total, observations, used, patterns = 0.0, 0, 0, 0
    for i in range(people):
        for j in range(visits):
            if keep[i] and not np.isnan(y[i, j]):
                total += y[i, j]
                observations += 1
    # Centring y by its mean moves the intercept only and keeps the sums of squares small.
    centre = total / max(observations, 1)
    for i in range(people):
        mask, seen = np.uint64(0), 0
        g1, g2, h0, h1, square = 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(visits):
            if keep[i] and not np.isnan(y[i, j]):
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
            hh[g, 0], hh[g, 1], hh[g, 2], yy[g] = 0.0, 0.0, 0.0, 0.0
            for a in range(p):
                ch[g, a, 0], ch[g, a, 1] = 0.0, 0.0
                for b in range(p):
                    cc[g, a, b] = 0.0
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


@njit(cache=True, nogil=True, error_model="numpy")
def residual_sums(g, beta, row, stats, rs):  # type: ignore[no-untyped-def]
    """Sums over pattern `g` of s s' and r'r (r = y - X beta, s = Z'r) and, into `rs`, of z s'; (s00,s01,s11,rr)."""
    _, gram, cc, ch, hh, yy = stats
    p = row.shape[0]
    g0, g1, g2 = gram[g, 0], gram[g, 1], gram[g, 2]
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


@njit(cache=True, nogil=True, error_model="numpy")
def put(table, j, b00, b01, b11):  # type: ignore[no-untyped-def]
    """Row `j`: the entries of a symmetric 2 x 2 matrix."""
    table[j, 0] = b00
    table[j, 1] = b01
    table[j, 2] = b11


@njit(cache=True, nogil=True, error_model="numpy")
def add_forms(g, theta, row, stats, forms, xvy, traces, middle):  # type: ignore[no-untyped-def]
    """Add pattern `g` to `forms`, the 15 matrices A'BA: X'V^-1X, four S_k, ten Q_kl (upper triangle of k, l by rows).

    Also to X'V^-1y and to `traces`: log|V|, four tr(V^-1 V_k), ten tr(V^-1 V_k V^-1 V_l).
    """
    count, gram, cc, ch, _, _ = stats
    d00, d01, d11, s2 = theta[0], theta[1], theta[2], theta[3]
    people, seen = count[g, 0], count[g, 1]
    g0, g1, g2 = gram[g, 0], gram[g, 1], gram[g, 2]
    b00, b01 = s2 + g0 * d00 + g1 * d01, g0 * d01 + g1 * d11
    b10, b11 = g1 * d00 + g2 * d01, s2 + g1 * d01 + g2 * d11
    det = b00 * b11 - b01 * b10
    k00, k01, k10, k11 = b11 / det, -b01 / det, -b10 / det, b00 / det
    m00, m01, m11 = k00 * g0 + k01 * g1, k00 * g1 + k01 * g2, k10 * g1 + k11 * g2
    n00, n01, n11 = k00 * m00 + k01 * m01, k00 * m01 + k01 * m11, k10 * m01 + k11 * m11
    # Middle matrices B. With m0, m1 the columns of M: the S of d00, d01, d11 are m0 m0', m0 m1' + m1 m0', m1 m1'.
    put(middle, 0, m00, m01, m11)
    put(middle, 1, m00 * m00, m00 * m01, m01 * m01)
    put(middle, 2, 2 * m00 * m01, m00 * m11 + m01 * m01, 2 * m01 * m11)
    put(middle, 3, m01 * m01, m01 * m11, m11 * m11)
    put(middle, 4, n00, n01, n11)
    for j in range(3):
        s00, cross, s11 = middle[1, j], 0.5 * middle[2, j], middle[3, j]
        middle[5, j] = m00 * s00  # Q of d00, d00
        middle[6, j] = m01 * s00 + m00 * cross  # d00, d01
        middle[7, j] = m01 * cross  # d00, d11
        middle[9, j] = m11 * s00 + m00 * s11 + 2 * m01 * cross  # d01, d01
        middle[10, j] = m11 * cross + m01 * s11  # d01, d11
        middle[12, j] = m11 * s11  # d11, d11
    put(middle, 8, m00 * n00, 0.5 * (m00 * n01 + m01 * n00), m01 * n01)  # d00, sigma2
    put(middle, 11, m00 * n01 + m01 * n00, 0.5 * (m00 * n11 + m11 * n00) + m01 * n01, m01 * n11 + m11 * n01)
    put(middle, 13, m01 * n01, 0.5 * (m01 * n11 + m11 * n01), m11 * n11)  # d11, sigma2
    put(middle, 14, k00 * n00 + k01 * n01, k00 * n01 + k01 * n11, k10 * n01 + k11 * n11)  # sigma2, sigma2
    for a in range(row.shape[0]):
        left, right = (k00, k01) if row[a] == 0 else (k10, k11)
        xvy[a] += left * ch[g, a, 0] + right * ch[g, a, 1]
        for b in range(a + 1):
            weight, entry = cc[g, a, b], row[a] + row[b]
            for j in range(15):
                forms[j, a, b] += weight * middle[j, entry]
    q00, q01 = d00 * m00 + d01 * m01, d00 * m01 + d01 * m11  # D M
    q10, q11 = d01 * m00 + d11 * m01, d01 * m01 + d11 * m11
    traces[0] += people * ((seen - 2.0) * np.log(s2) + np.log(det))
    traces[1] += people * m00
    traces[2] += people * 2 * m01
    traces[3] += people * m11
    traces[4] += people * (seen - q00 - q11) / s2
    traces[5] += people * m00 * m00
    traces[6] += people * 2 * m00 * m01
    traces[7] += people * m01 * m01
    traces[8] += people * n00
    traces[9] += people * 2 * (m00 * m11 + m01 * m01)
    traces[10] += people * 2 * m01 * m11
    traces[11] += people * 2 * n01
    traces[12] += people * m11 * m11
    traces[13] += people * n11
    traces[14] += people * (seen - 2 * (q00 + q11) + q00 * q00 + 2 * q01 * q10 + q11 * q11) / (s2 * s2)


@njit(cache=True, nogil=True, error_model="numpy")
def add_quadratics(g, theta, beta, row, stats, rs, quad, curve, c):  # type: ignore[no-untyped-def]
    """Add pattern `g` to r'V^-1r (returned), r'V^-1 V_k V^-1 r, r'V^-1 V_k V^-1 V_l V^-1 r and X'V^-1 V_k V^-1 r."""
    _, gram, _, _, _, _ = stats
    d00, d01, d11, s2 = theta[0], theta[1], theta[2], theta[3]
    g0, g1, g2 = gram[g, 0], gram[g, 1], gram[g, 2]
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


@njit(cache=True, nogil=True, error_model="numpy")
def sum_towards(theta, patterns, row, stats, forms, xvy, c, traces, quad):  # type: ignore[no-untyped-def]
    """What scoring needs, in one pass: X'V^-1X and S_k into `forms`, X'V^-1y, c_k = X'V^-1 V_k V^-1 y, traces, quad.

    As `add_forms` and `add_quadratics`, with y in place of r, so that no beta is needed first; returns y'V^-1y.
    """
    count, gram, cc, ch, hh, yy = stats
    p = row.shape[0]
    for a in range(p):
        xvy[a] = 0.0
        for k in range(4):
            c[k, a] = 0.0
        for b in range(p):
            for j in range(5):
                forms[j, a, b] = 0.0
    d00, d01, d11, s2 = theta[0], theta[1], theta[2], theta[3]
    over, log_s2 = 1.0 / s2, np.log(s2)
    t0, t1, t2, t3, t4, t5, t6, t7, t8, t9 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    t10, t11, t12, t13, t14, q0, q1, q2, q3, yvy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for g in range(patterns):
        people, seen = count[g, 0], count[g, 1]
        g0, g1, g2 = gram[g, 0], gram[g, 1], gram[g, 2]
        b00, b01 = s2 + g0 * d00 + g1 * d01, g0 * d01 + g1 * d11
        b10, b11 = g1 * d00 + g2 * d01, s2 + g1 * d01 + g2 * d11
        det = b00 * b11 - b01 * b10
        part = 1.0 / det
        k00, k01, k10, k11 = b11 * part, -b01 * part, -b10 * part, b00 * part
        m00, m01, m11 = k00 * g0 + k01 * g1, k00 * g1 + k01 * g2, k10 * g1 + k11 * g2
        n00, n01, n11 = k00 * m00 + k01 * m01, k00 * m01 + k01 * m11, k10 * m01 + k11 * m11
        e00, e01, e11 = 2 * m00 * m01, m00 * m11 + m01 * m01, 2 * m01 * m11
        for a in range(p):
            h0, h1 = ch[g, a, 0], ch[g, a, 1]
            u0, u1 = k00 * h0 + k01 * h1, k10 * h0 + k11 * h1
            if row[a] == 0:
                xvy[a] += u0
                c[0, a] += m00 * u0
                c[1, a] += m00 * u1 + m01 * u0
                c[2, a] += m01 * u1
                c[3, a] += k00 * u0 + k01 * u1
            else:
                xvy[a] += u1
                c[0, a] += m01 * u0
                c[1, a] += m01 * u1 + m11 * u0
                c[2, a] += m11 * u1
                c[3, a] += k10 * u0 + k11 * u1
            for b in range(a + 1):
                weight, entry = cc[g, a, b], row[a] + row[b]
                if entry == 0:
                    f0, f1, f2, f3, f4 = m00, m00 * m00, e00, m01 * m01, n00
                elif entry == 1:
                    f0, f1, f2, f3, f4 = m01, m00 * m01, e01, m01 * m11, n01
                else:
                    f0, f1, f2, f3, f4 = m11, m01 * m01, e11, m11 * m11, n11
                forms[0, a, b] += weight * f0
                forms[1, a, b] += weight * f1
                forms[2, a, b] += weight * f2
                forms[3, a, b] += weight * f3
                forms[4, a, b] += weight * f4
        x00, x01, x10, x11 = d00 * m00 + d01 * m01, d00 * m01 + d01 * m11, d01 * m00 + d11 * m01, d01 * m01 + d11 * m11
        t0 += people * ((seen - 2.0) * log_s2 + np.log(det))
        t1 += people * m00
        t2 += people * 2 * m01
        t3 += people * m11
        t4 += people * (seen - x00 - x11) * over
        t5 += people * m00 * m00
        t6 += people * e00
        t7 += people * m01 * m01
        t8 += people * n00
        t9 += people * 2 * e01
        t10 += people * e11
        t11 += people * 2 * n01
        t12 += people * m11 * m11
        t13 += people * n11
        t14 += people * (seen - 2 * (x00 + x11) + x00 * x00 + 2 * x01 * x10 + x11 * x11) * over * over
        s00, s01, s11 = hh[g, 0], hh[g, 1], hh[g, 2]
        r00, r01, r10, r11 = k00 * s00 + k01 * s01, k00 * s01 + k01 * s11, k10 * s00 + k11 * s01, k10 * s01 + k11 * s11
        w00, w01, w11 = r00 * k00 + r01 * k01, r00 * k10 + r01 * k11, r10 * k10 + r11 * k11
        trace = d00 * r00 + d01 * (r10 + r01) + d11 * r11
        v00, v01, v10, v11 = d00 * w00 + d01 * w01, d00 * w01 + d01 * w11, d01 * w00 + d11 * w01, d01 * w01 + d11 * w11
        z00, z01, z11 = v00 * d00 + v01 * d01, v00 * d01 + v01 * d11, v10 * d01 + v11 * d11
        q0 += w00
        q1 += 2 * w01
        q2 += w11
        q3 += (yy[g] - 2 * trace + g0 * z00 + 2 * g1 * z01 + g2 * z11) * over * over
        yvy += (yy[g] - trace) * over
    traces[0], traces[1], traces[2], traces[3], traces[4] = t0, t1, t2, t3, t4
    traces[5], traces[6], traces[7], traces[8], traces[9] = t5, t6, t7, t8, t9
    traces[10], traces[11], traces[12], traces[13], traces[14] = t10, t11, t12, t13, t14
    quad[0], quad[1], quad[2], quad[3] = q0, q1, q2, q3
    return yvy
