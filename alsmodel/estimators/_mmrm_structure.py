"""The covariance of the visits as a function of few parameters: Sigma(theta), its Jacobian, its second derivatives.

| structure | theta | Sigma_ij |
| --- | --- | --- |
| unstructured | Sigma_11, Sigma_12, ... | theta_ij: linear |
| Toeplitz | s_0 ... s_{T-1} | s_|i-j|: linear |
| compound symmetry | variance, covariance | linear |
| AR(1) | variance, correlation r | variance r^|i-j| : the only one with second derivatives |
"""

from alsmodel.estimators._mmrm_algebra import fill, inner

UNSTRUCTURED, AR1, COMPOUND_SYMMETRY, TOEPLITZ = 0, 1, 2, 3


@inner
def parameters(structure, visits):  # type: ignore[no-untyped-def]
    """Number of parameters."""
    if structure == UNSTRUCTURED:
        return visits * (visits + 1) // 2
    if structure == TOEPLITZ:
        return visits
    return 2 if visits > 1 else 1


@inner
def expand(structure, theta, visits, sigma):  # type: ignore[no-untyped-def]
    """Sigma(theta)."""
    k = 0
    for i in range(visits):
        for j in range(i, visits):
            if structure == UNSTRUCTURED:
                value = theta[k]
            elif structure == TOEPLITZ:
                value = theta[j - i]
            elif structure == COMPOUND_SYMMETRY:
                value = theta[0 if i == j else 1]
            else:
                value = theta[0] * (theta[1] ** (j - i) if j > i else 1.0)
            sigma[i, j] = value
            sigma[j, i] = value
            k += 1


@inner
def jacobian(structure, theta, visits, out):  # type: ignore[no-untyped-def]
    """out[a, k] = derivative of the k-th packed entry of Sigma by theta_a (not for unstructured: the identity)."""
    fill(out, 0.0)
    k = 0
    for i in range(visits):
        for j in range(i, visits):
            lag = j - i
            if structure == TOEPLITZ:
                out[lag, k] = 1.0
            elif structure == COMPOUND_SYMMETRY:
                out[0 if lag == 0 else 1, k] = 1.0
            elif lag == 0:
                out[0, k] = 1.0
            else:
                out[0, k] = theta[1] ** lag
                out[1, k] = theta[0] * lag * theta[1] ** (lag - 1)
            k += 1


@inner
def second_derivative(theta, a, b, lag):  # type: ignore[no-untyped-def]
    """Second derivative by theta_a and theta_b of the AR(1) covariance at `lag`; the other structures have none."""
    if a + b == 0 or lag == 0:
        return 0.0
    if a + b == 1:
        return lag * theta[1] ** (lag - 1)
    return theta[0] * lag * (lag - 1) * theta[1] ** (lag - 2) if lag > 1 else 0.0


@inner
def collapse(structure, sigma, visits, theta):  # type: ignore[no-untyped-def]
    """Starting values of theta from an unstructured covariance: means along the diagonals."""
    if structure == UNSTRUCTURED:
        k = 0
        for i in range(visits):
            for j in range(i, visits):
                theta[k] = sigma[i, j]
                k += 1
        return
    size = parameters(structure, visits)
    for lag in range(size):
        theta[lag] = 0.0
        for i in range(visits - lag):
            theta[lag] += sigma[i, i + lag] / (visits - lag)
    if structure == COMPOUND_SYMMETRY and visits > 1:
        theta[1] = 0.0
        for i in range(visits):
            for j in range(i):
                theta[1] += 2.0 * sigma[i, j] / (visits * (visits - 1.0))
    elif structure == AR1 and visits > 1:
        theta[1] = min(max(theta[1] / theta[0], -0.9), 0.95)
