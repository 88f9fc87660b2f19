"""What goes into the integrated likelihood and what comes out, as named tuples of arrays that compiled code can read."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Path(NamedTuple):
    """What moves with the parameters on each segment.

    Attributes
    ----------
    level, rate : array, shape (S,)
        :math:`A_e, R_e`: mean path at the segment's reference time, and its slope.
    own_level, own_rate : array, shape (S,)
        :math:`P_e, Q_e`: the participant's own clock.
    clock_level, clock_rate : array, shape (S,)
        Time on the hazard's clock at the reference time, and its rate; read by the Weibull baseline only.
    offset : array, shape (S,)
        :math:`g_e`: covariates and treatment on the log hazard.
    """

    level: Floats
    rate: Floats
    own_level: Floats
    own_rate: Floats
    clock_level: Floats
    clock_rate: Floats
    offset: Floats


class Shared(NamedTuple):
    """Parameters common to all participants.

    Attributes
    ----------
    base : array
        Log hazard of each piece; or (log scale, log shape) of the Weibull.
    alpha : array, shape (A, 2) or (A, 3 + q)
        Association through the current value and the current slope, and where anything else reaches the hazard through the mean since time
        zero and each random effect (`alsmodel.kernels.joint_reach`); one row for each that differs.
    bend : array, shape (K,)
        Coefficients of the terms that bend the mean path: of the square of time (K = 1), or of a natural spline's.
    sigma : array, shape (R,)
        Residual SD; one for each group of participants between which it differs.
    covariance : array, shape (q, q)
        :math:`D`; q is 2, or 2 + K where every participant's own path bends.
    """

    base: Floats
    alpha: Floats
    bend: Floats
    sigma: Floats
    covariance: Floats


class Cuts(NamedTuple):
    """The data of one model structure as flat arrays; from `alsmodel.kernels.layout`.

    Attributes
    ----------
    seg_ptr, node_ptr : int array, shape (N + 1,)
        Where each participant's segments and nodes begin.
    seg_ref : array, shape (S,)
        Reference time of each segment.
    seg_alpha : int array, shape (S,)
        Row of the association that holds on each segment.
    noise : int array, shape (N,)
        Which residual SD is a participant's.
    cross : array, shape (S, (3 + K)(4 + K) / 2)
        Cross-products over the segment's visits: the upper triangle, row after row, of those of the columns 1, d and the K bending terms;
        then of each column with y; then of y with itself.
    bend_knots : array
        Knots of the natural spline, boundaries included; empty where the one bending term is the square of time.
    node_seg, node_time, node_logw, node_piece : array, shape (M,)
        Segment, time, log weight and piece of each node of the cumulative hazard.
    event_seg, event_time, event_piece, event : array, shape (N,)
        End of follow-up, and whether it was the event (1.0) or censoring (0.0).
    node_gap : int array, shape (N,)
        First of a participant's nodes on the stretch within which the event is known to have happened, its time not; where the time is
        known or nothing happened, the end of the participant's nodes.
    causes : int
        Causes of the event. With several, a participant's segments stand once for each, and the association differs between them.
    top : float
        Full score, where paths are sigmoid from there to zero; 0 where they are not.
    origin : array, shape (N,)
        Time from onset to time zero. This and the visits one by one are read for sigmoid paths only, and empty for others.
    visit_ptr, visit_seg, visit_time, score : array
        Where each participant's visits begin, and segment, time and score of each.
    """

    seg_ptr: Ints
    node_ptr: Ints
    seg_ref: Floats
    seg_alpha: Ints
    noise: Ints
    cross: Floats
    bend_knots: Floats
    node_seg: Ints
    node_time: Floats
    node_logw: Floats
    node_piece: Ints
    event_seg: Ints
    event_time: Floats
    event_piece: Ints
    event: Floats
    node_gap: Ints
    causes: int
    top: float
    origin: Floats
    visit_ptr: Ints
    visit_seg: Ints
    visit_time: Floats
    score: Floats


class Rule(NamedTuple):
    """Gauss-Hermite rule of the standard normal; empty where no quadrature is needed.

    Attributes
    ----------
    abscissae : array, shape (Q,)
        Symmetric about zero, increasing. Of sigmoid paths: Gauss-Legendre nodes on (0, 1), then their weights.
    grid : array, shape (q, Q**q)
        Product grid, last dimension running fastest.
    log_weight : array, shape (Q**q,)
        Log weights plus half the squared norm of the point.
    """

    abscissae: Floats
    grid: Floats
    log_weight: Floats


class Gradient(NamedTuple):
    """Gradient of the summed log-likelihood, in the shapes of `Path` and `Shared`; `scalars` is (bend[0], ..., sigma[0], ...)."""

    level: Floats
    rate: Floats
    own_level: Floats
    own_rate: Floats
    clock_level: Floats
    clock_rate: Floats
    offset: Floats
    base: Floats
    alpha: Floats
    scalars: Floats
    covariance: Floats
