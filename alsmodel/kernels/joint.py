r"""Likelihood of decline and survival with each participant's random effects integrated out, and its gradient.

Participant :math:`i` has random effects :math:`b \sim N(0, D)` of dimension :math:`q`: intercept, slope and, where everybody's own path
bends, K further ones. Time is cut into *segments*, within which everything that treatment does is linear in :math:`d = t - s_e`:

.. math::
    m(t) = A_e + R_e d + \sum_k \kappa_k B_k(t) + Z(t)^\top b, \qquad Z(t) = (1,\; P_e + Q_e d,\; B_1(t), \dots, B_K(t))

with :math:`B_1 = t^2`, or the bending terms of a natural spline (`alsmodel.kernels.bends`);
with :math:`y_j \sim N(m(t_j), \sigma^2)` and hazard
:math:`h(t) = \exp\{g_e + \log h_0 + \alpha_1 m(t) + \alpha_2 m'(t)\}`.

Given the scores, :math:`b` is Gaussian with precision :math:`\Lambda = D^{-1} + Z^\top Z / \sigma^2`; the event's own term is linear
in :math:`b`, so it only shifts that Gaussian. What remains is :math:`E[\exp\{-H(b)\}]`, taken by Gauss-Hermite quadrature recentred
and rescaled at the mode (Liu & Pierce 1994, Biometrika 81:624, doi 10.1093/biomet/81.3.624). The gradient follows from Fisher's
identity: the expectation of the complete-data score under the participant's own posterior (Wulfsohn & Tsiatis 1997, Biometrics
53:330, doi 10.2307/2533118, uses the same expectations in an EM algorithm). Sigmoid paths are not linear in b; theirs is
`alsmodel.kernels.joint_sigmoid`, which is compiled for those who fit one.

An event that is known only to lie between L and R adds :math:`S(L \mid b) - S(R \mid b)`: see `alsmodel.kernels.joint_gap`.
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.joint_apart import apart_loglik
from alsmodel.kernels.joint_gap import has_gaps
from alsmodel.kernels.joint_general import general_loglik
from alsmodel.kernels.joint_linear import linear_loglik
from alsmodel.kernels.joint_reach import reaches_further
from alsmodel.kernels.records import Gradient
from alsmodel.kernels.smallmat import cholesky, inverse_from_cholesky


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy", inline="always")
def joint_loglik(path, shared, cuts, rule, weibull, gradient):
    r"""Log-likelihood of each participant, and the gradient of their sum.

    Parameters
    ----------
    path : Path
    shared : Shared
    cuts : Cuts
    rule : Rule
        Empty where nothing of the path reaches the hazard, q is 2 and every event has a time: then there is a closed form.
    weibull : bool
        Whether ``shared.base`` is (log scale, log shape).
    gradient : bool
        Whether the gradient is wanted; without it, it means nothing.

    Returns
    -------
    loglik : array, shape (N,)
        -inf where undefined, and then the gradient means nothing.
    gradient : Gradient
    """
    people, random = cuts.seg_ptr.size - 1, shared.covariance.shape[0]
    loglik, out, sum_bb = np.full(people, -np.inf), nothing(shared, cuts), np.zeros((random, random))
    defined, prior_precision, half_logdet = prior_of(shared)
    if defined:
        if rule.abscissae.size == 0:
            fine = apart_loglik(path, shared, cuts, weibull, gradient, None, prior_precision, half_logdet, loglik, out, sum_bb)
        elif rule.abscissae.size == 3 and only_lines(shared, cuts):
            fine = linear_loglik(path, shared, cuts, weibull, gradient, prior_precision, half_logdet, loglik, out, sum_bb)
        else:
            fine = general_loglik(path, shared, cuts, rule, weibull, gradient, prior_precision, half_logdet, loglik, out, sum_bb)
        if not fine:
            loglik[:] = -np.inf
        out.covariance[:] = covariance_score(prior_precision, sum_bb, people)
    return loglik, out


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def only_lines(shared, cuts):
    """Whether paths are lines of which value and slope alone reach the hazard of one cause, and every event has a time."""
    line = shared.covariance.shape[0] == 2 and cuts.bend_knots.size == 0
    return line and cuts.causes == 1 and not has_gaps(cuts) and not reaches_further(shared)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def closed_loglik(path, shared, cuts, weibull, gradient, weight):
    """`joint_loglik` with an empty rule, in whose gradient the participants count as often as `weight`, of shape (N,), says."""
    people, random = cuts.seg_ptr.size - 1, shared.covariance.shape[0]
    loglik, out, sum_bb = np.full(people, -np.inf), nothing(shared, cuts), np.zeros((random, random))
    defined, prior_precision, half_logdet = prior_of(shared)
    if defined:
        if not apart_loglik(path, shared, cuts, weibull, gradient, weight, prior_precision, half_logdet, loglik, out, sum_bb):
            loglik[:] = -np.inf
        out.covariance[:] = covariance_score(prior_precision, sum_bb, weight.sum())
    return loglik, out


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def nothing(shared, cuts):
    """A gradient of zeros."""
    segments, random = cuts.seg_ref.size, shared.covariance.shape[0]
    return Gradient(
        np.zeros(segments), np.zeros(segments), np.zeros(segments), np.zeros(segments), np.zeros(segments), np.zeros(segments),
        np.zeros(segments), np.zeros(shared.base.size), np.zeros(shared.alpha.shape), np.zeros(shared.bend.size + shared.sigma.size),
        np.zeros((random, random)),
    )  # fmt: skip


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def prior_of(shared):
    """Whether SDs and covariance of the random effects can be, the inverse of D, and half the log of its determinant."""
    random = shared.covariance.shape[0]
    chol, precision, half_logdet = np.zeros((random, random)), np.zeros((random, random)), 0.0
    if not (shared.sigma.min() > 0.0 and cholesky(shared.covariance, random, chol)):
        return False, precision, half_logdet
    inverse_from_cholesky(chol, random, precision, np.zeros((random, random)))
    for k in range(random):
        half_logdet += math.log(chol[k, k])
    return True, precision, half_logdet


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def covariance_score(prior_precision, sum_bb, people):
    """d/dD of the sum: (D^-1 E[bb'] D^-1 - D^-1) / 2 for each participant."""
    return 0.5 * (prior_precision @ sum_bb @ prior_precision - people * prior_precision)
