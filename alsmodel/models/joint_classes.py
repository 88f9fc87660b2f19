"""The mixture over latent classes as a PyTensor graph: written out from the normal and the exponential, beside the compiled density."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.special import logsumexp

from alsmodel.cohort.arrays import JointData
from alsmodel.kernels.layout import Layout
from alsmodel.models.classes import class_design, class_labels, class_odds
from alsmodel.models.spec import JointModel

if TYPE_CHECKING:
    from alsmodel.models.joint import _Parts


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Along:
    """Tensors of shape (S,), one value for each segment.

    Attributes
    ----------
    level, rate : tensor
        Mean path at the reference time, and its slope there.
    gain, speed : tensor
        Reading and rate of the clock of the mean path.
    own_gain, own_rate, clock_gain, clock_rate : tensor
        The same of the participant's own clock and of the hazard's.
    offset : tensor
        Log hazard ratio.
    """

    level: Any
    rate: Any
    gain: Any
    speed: Any
    own_gain: Any
    own_rate: Any
    clock_gain: Any
    clock_rate: Any
    offset: Any


def mixed_loglik(spec: JointModel, data: JointData, values: dict[str, Any], layout: Layout, part: "_Parts", along: Along) -> Any:
    """Log-likelihood of each participant, classes added up, shape (N,)."""
    assert spec.classes is not None
    odds, design = [pt.zeros(data.people)], class_design(spec, data)[1]
    for names in class_odds(spec, data):
        odds.append(values[names[0]] + sum((values[name] * design[:, c] for c, name in enumerate(names[1:])), start=pt.zeros(data.people)))
    steeper: Any = pt.as_tensor(0.0)
    each = [_of_class(data, layout, part, along, 0.0, steeper, 0.0)]
    steps, levels = class_labels(spec, "log_step"), class_labels(spec, "intercept")
    for step, level, hazard in zip(steps, levels, class_labels(spec, "hazard"), strict=True):
        steeper = steeper + pt.exp(values[step])
        each.append(_of_class(data, layout, part, along, values[level], steeper, values.get(hazard, 0.0)))
    logs = pt.stack(odds)
    return logsumexp(pt.stack(each) + logs - logsumexp(logs, axis=0, keepdims=True), axis=0)


def _of_class(data: JointData, layout: Layout, part: "_Parts", along: Along, level: Any, steeper: Any, hazard: Any) -> Any:
    """Log-likelihood of each participant in a class whose level, slope and log hazard lie so far from the first's."""
    scores = _scores(data, layout, part, along, along.level + level + steeper * along.gain, along.rate + steeper * along.speed)
    return scores + _follow_up(data, layout, part, along.offset + hazard)


def _scores(data: JointData, layout: Layout, part: "_Parts", along: Along, level: Any, rate: Any) -> Any:
    """Log density of each participant's scores under the marginal normal."""
    n, d, dd, y, dy, yy = (pt.as_tensor(layout.cross[:, k]) for k in (0, 1, 3, 6, 7, 9))
    p, q = along.own_gain, along.own_rate
    res, res_d = y - level * n - rate * d, dy - level * d - rate * dd
    squares = yy - 2.0 * (level * y + rate * dy) + level**2 * n + 2.0 * level * rate * d + rate**2 * dd
    columns = [n, p * n + q * d, p * p * n + 2.0 * p * q * d + q * q * dd, res, p * res + q * res_d, squares]
    owner = np.eye(data.people)[:, layout.seg_person]
    z00, z01, z11, r0, r1, ss = (pt.dot(owner, column) for column in columns)
    variance = pt.stack(part.sigmas)[layout.noise] ** 2
    prior = part.covariance
    det_d = prior[0, 0] * prior[1, 1] - prior[0, 1] ** 2
    m00, m01, m11 = prior[1, 1] / det_d + z00 / variance, -prior[0, 1] / det_d + z01 / variance, prior[0, 0] / det_d + z11 / variance
    det, f0, f1 = m00 * m11 - m01**2, r0 / variance, r1 / variance
    explained = (m11 * f0**2 - 2.0 * m01 * f0 * f1 + m00 * f1**2) / det
    return -0.5 * (z00 * pt.log(2.0 * np.pi * variance) + pt.log(det_d) + pt.log(det) + ss / variance - explained)


def _follow_up(data: JointData, layout: Layout, part: "_Parts", offset: Any) -> Any:
    """Log density of each participant's end of follow-up."""
    base = part.base(layout)
    owner = np.eye(data.people)[:, layout.seg_person[layout.node_seg]]
    mass = pt.dot(owner, pt.exp(layout.node_logw + offset[layout.node_seg] + base[layout.node_piece]))
    return layout.event * (offset[layout.event_seg] + base[layout.event_piece]) - mass
