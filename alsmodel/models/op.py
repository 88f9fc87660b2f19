"""The integrated likelihood as one PyTensor Op: the kernel returns value and gradient together, and both are used."""

from typing import Any, final

import numpy as np
from numba import njit
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key
from pytensor.tensor import as_tensor_variable, cast, dmatrix, dscalar, dvector

from alsmodel.kernels.joint import joint_loglik
from alsmodel.kernels.joint_sigmoid import sigmoid_loglik
from alsmodel.kernels.records import Cuts, Path, Rule, Shared
from alsmodel.settings.digest import code_digest

#: Inputs that depend on parameters, in order; the rest of the inputs are data.
PARAMETERS = (
    "mean_level", "mean_rate", "own_level", "own_rate", "clock_level", "clock_rate",
    "offset", "base", "alpha", "scalars", "covariance",
)  # fmt: skip
DATA = (
    "seg_ptr", "seg_ref", "seg_alpha", "noise", "cross", "bend_knots", "node_ptr", "node_seg", "node_time", "node_logw", "node_piece",
    "event_seg", "event_time", "event_piece", "event", "node_gap", "origin", "visit_ptr", "visit_seg", "visit_time", "score",
    "abscissae", "grid", "grid_logw",
)  # fmt: skip
_FORMS = {"alpha": dmatrix, "covariance": dmatrix}
_WHOLE = (
    "seg_ptr", "seg_alpha", "noise", "node_ptr", "node_seg", "node_piece", "event_seg", "event_piece", "node_gap", "visit_ptr", "visit_seg",
)  # fmt: skip
#: PyTensor keeps constants as narrow as their values allow; to numba each width is another type, which would compile the kernel again.
TYPES = tuple("int64" if name in _WHOLE else "float64" for name in (*PARAMETERS, *DATA))


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _total(
    weibull, causes, top, mean_level, mean_rate, own_level, own_rate, clock_level, clock_rate, offset, base, alpha, scalars, covariance,
    seg_ptr, seg_ref, seg_alpha, noise, cross, bend_knots, node_ptr, node_seg, node_time, node_logw, node_piece,
    event_seg, event_time, event_piece, event, node_gap, origin, visit_ptr, visit_seg, visit_time, score, abscissae, grid, grid_logw,
):  # fmt: skip
    """Sum of the log-likelihoods and its gradient; `scalars` is (coefficients of bending terms, residual SDs).

    A `top` of None leaves sigmoid paths out before anything is compiled.
    """
    path = Path(mean_level, mean_rate, own_level, own_rate, clock_level, clock_rate, offset)
    terms = max(bend_knots.size - 2, 1)
    shared = Shared(base, alpha, scalars[:terms].copy(), scalars[terms:].copy(), covariance)
    rule, full = Rule(abscissae, grid, grid_logw), 0.0
    if top is not None:
        full = top
    cuts = Cuts(
        seg_ptr, node_ptr, seg_ref, seg_alpha, noise, cross, bend_knots, node_seg, node_time, node_logw, node_piece,
        event_seg, event_time, event_piece, event, node_gap, causes, full, origin, visit_ptr, visit_seg, visit_time, score,
    )  # fmt: skip
    if top is None:
        loglik, g = joint_loglik(path, shared, cuts, rule, weibull, True)
    else:
        loglik, g = sigmoid_loglik(path, shared, cuts, rule, weibull, True)
    total = np.zeros(())
    total[()] = loglik.sum()
    return (
        total, g.level, g.rate, g.own_level, g.own_rate, g.clock_level, g.clock_rate,
        g.offset, g.base, g.alpha, g.scalars, g.covariance,
    )  # fmt: skip


@final
class JointLogLikelihood(Op):
    """Sum over participants of the log-likelihood with random effects integrated out.

    Outputs the sum and its gradient with respect to each of `PARAMETERS`; only the sum can be differentiated.
    """

    __props__ = ("weibull", "causes", "top")

    def __init__(self, weibull: bool, causes: int = 1, top: float = 0.0) -> None:
        self.weibull = weibull
        self.causes = causes
        self.top = top

    def make_node(self, *inputs: Variable) -> Apply:
        """Take `PARAMETERS` then `DATA`."""
        tensors = [cast(as_tensor_variable(x), kind) for x, kind in zip(inputs, TYPES, strict=True)]
        outputs = [dscalar(), *(_FORMS.get(name, dvector)() for name in PARAMETERS)]
        return Apply(self, tensors, outputs)

    def perform(self, node: Apply, inputs: Any, outputs: Any) -> None:
        """Run the kernel."""
        # A read-only array is another type to numba, and would compile the kernel a second time.
        arrays = [np.require(x, requirements=["C", "W"]) for x in inputs]
        for place, value in zip(outputs, _total(self.weibull, self.causes, self.top or None, *arrays), strict=True):
            place[0] = value

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the sum is connected, and only to the parameters."""
        return [[k < len(PARAMETERS), *([False] * len(PARAMETERS))] for k in range(len(node.inputs))]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Scale the gradient that the kernel returned."""
        gradients = [cotangents[0] * gradient for gradient in outputs[1:]]
        return [*gradients, *(DisconnectedType()() for _ in DATA)]


@register_funcify_default_op_cache_key(JointLogLikelihood)
def _numba_joint(op: JointLogLikelihood, **_: Any) -> tuple[Any, int]:
    weibull, causes, top = op.weibull, op.causes, op.top or None

    @njit(fastmath=False, nogil=True, error_model="numpy")
    def joint(
        mean_level, mean_rate, own_level, own_rate, clock_level, clock_rate, offset, base, alpha, scalars, covariance,
        seg_ptr, seg_ref, seg_alpha, noise, cross, bend_knots, node_ptr, node_seg, node_time, node_logw, node_piece,
        event_seg, event_time, event_piece, event, node_gap, origin, visit_ptr, visit_seg, visit_time, score, abscissae, grid, grid_logw,
    ):  # fmt: skip
        return _total(
            weibull, causes, top, mean_level, mean_rate, own_level, own_rate, clock_level, clock_rate, offset, base, alpha, scalars,
            covariance, seg_ptr, seg_ref, seg_alpha, noise, cross, bend_knots, node_ptr, node_seg, node_time, node_logw, node_piece,
            event_seg, event_time, event_piece, event, node_gap, origin, visit_ptr, visit_seg, visit_time, score, abscissae, grid,
            grid_logw,
        )  # fmt: skip

    return joint, int(code_digest(["alsmodel.kernels"])[:12], 16)
