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
53:330, doi 10.2307/2533118, uses the same expectations in an EM algorithm).
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.joint_apart import apart_loglik
from alsmodel.kernels.joint_general import general_loglik
from alsmodel.kernels.joint_linear import linear_loglik
from alsmodel.kernels.records import Gradient
from alsmodel.kernels.smallmat import cholesky, inverse_from_cholesky


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def joint_loglik(path, shared, cuts, rule, weibull, gradient):
    r"""Log-likelihood of each participant, and the gradient of their sum.

    Parameters
    ----------
    path : Path
    shared : Shared
    cuts : Cuts
    rule : Rule
        Empty where nothing of the path reaches the hazard and q is 2: then there is a closed form.
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
    return weighted_loglik(path, shared, cuts, rule, weibull, gradient, np.ones(cuts.seg_ptr.size - 1))


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def weighted_loglik(path, shared, cuts, rule, weibull, gradient, weight):
    """Log-likelihood of each participant as `joint_loglik` gives it, and the gradient of their weighted sum.

    `weight`, of shape (N,), may differ from one where there is a closed form, that is, where the rule is empty.
    """
    people, segments = cuts.seg_ptr.size - 1, cuts.seg_ref.size
    random = shared.covariance.shape[0]
    loglik = np.full(people, -np.inf)
    out = Gradient(
        np.zeros(segments), np.zeros(segments), np.zeros(segments), np.zeros(segments), np.zeros(segments), np.zeros(segments),
        np.zeros(segments), np.zeros(shared.base.size), np.zeros(shared.alpha.shape), np.zeros(shared.bend.size + shared.sigma.size),
        np.zeros((random, random)),
    )  # fmt: skip
    chol, prior_precision, sum_bb = np.zeros((random, random)), np.zeros((random, random)), np.zeros((random, random))
    if not (shared.sigma.min() > 0.0 and cholesky(shared.covariance, random, chol)):
        return loglik, out
    inverse_from_cholesky(chol, random, prior_precision, np.zeros((random, random)))
    half_logdet = 0.0
    for k in range(random):
        half_logdet += math.log(chol[k, k])
    if rule.abscissae.size == 0:
        fine = apart_loglik(path, shared, cuts, weibull, gradient, weight, prior_precision, half_logdet, loglik, out, sum_bb)
    elif random == 2 and rule.abscissae.size == 3 and cuts.bend_knots.size == 0 and cuts.causes == 1:
        fine = linear_loglik(path, shared, cuts, weibull, gradient, prior_precision, half_logdet, loglik, out, sum_bb)
    else:
        fine = general_loglik(path, shared, cuts, rule, weibull, gradient, prior_precision, half_logdet, loglik, out, sum_bb)
    if not fine:
        loglik[:] = -np.inf
    # d/dD of the sum: (D^-1 E[bb'] D^-1 - D^-1) / 2 for each participant.
    out.covariance[:] = 0.5 * (prior_precision @ sum_bb @ prior_precision - weight.sum() * prior_precision)
    return loglik, out
