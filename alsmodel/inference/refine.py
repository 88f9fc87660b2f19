"""Is the quadrature fine enough for these data? Judged where it matters: by how far it moves the posterior, in posterior SDs."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from alsmodel.cohort.arrays import JointData
from alsmodel.errors import FitFailed
from alsmodel.inference.checks import Check
from alsmodel.inference.class_starts import class_starts
from alsmodel.inference.mode import Mode, find_mode
from alsmodel.inference.modes import climb_all
from alsmodel.models.evaluation import AbstractProgram
from alsmodel.models.processes import with_nodes
from alsmodel.models.program import Program, program
from alsmodel.models.spec import JointModel

#: Posterior SDs. The SD over the posterior of the error in the log-likelihood is about as large.
MOST_SHIFT = 0.02
HERMITE = (3, 5, 7, 9)
FINEST_HERMITE, FINER_NODES = 11, 4
ENOUGH_OF_SIGMOID = 9  # nodes with which the mode of a sigmoid is sought again where fewer made the density too rough a way up
FINEST_OF_MANY = 7  # with four random effects or more: a product grid grows with their number
MOST_NODES = {"exponential": 30, "piecewise": 30, "m-spline": 30, "royston-parmar": 60, "weibull": 60}


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A model whose quadrature has been judged.

    Attributes
    ----------
    spec : JointModel
        With the number of nodes that was needed.
    program : Program
    mode : Mode
    check : Check
    further : tuple of Check
        Of what else was judged before any draw.
    """

    spec: JointModel
    program: Program
    mode: Mode
    check: Check
    further: tuple[Check, ...] = ()


def prepare(spec: JointModel, data: JointData) -> Prepared:
    """Find the mode, and use more quadrature nodes until a much finer rule would move it by less than 0.02 posterior SDs.

    Where the search for the mode does not settle, it is begun again with more nodes.

    The shift that a finer rule would cause is one Newton step on the difference of the two gradients. `spec.hermite` and the nodes
    of the baseline hazard are where the search starts.
    """
    mode: Mode | None = None
    further: tuple[Check, ...] = ()
    while True:
        made = program(spec, data)
        if mode is None and made.classes is not None:
            climbed = climb_all(made, class_starts(made))
            mode, further = climbed.mode, (climbed.check,)
        else:
            try:
                mode = find_mode(made.density, made.start if mode is None else mode.at)
            except FitFailed:
                # Few nodes may leave a density too rough to climb where the hazard bends the random effects far from a Gaussian.
                smoother = (ENOUGH_OF_SIGMOID,) if spec.decline.kind == "sigmoid" else HERMITE
                if not (larger := [q for q in smoother if q > spec.hermite]):
                    raise
                spec = replace(spec, hermite=larger[0])
                continue
        finest = FINEST_HERMITE if len(spec.effects) < 4 else FINEST_OF_MANY
        by_hermite = shift_of_mode(made, mode, made.with_hermite(finest))
        finer = with_nodes(spec, lambda survival: min(survival.nodes + FINER_NODES, MOST_NODES[survival.kind]))
        by_nodes = shift_of_mode(made, mode, program(finer, data))
        larger = [q for q in HERMITE if spec.hermite < q < finest]
        if by_hermite > MOST_SHIFT and larger:
            spec = replace(spec, hermite=larger[0])
        elif by_nodes > MOST_SHIFT and finer != spec:
            spec = finer
        else:
            check = quadrature_check(max(by_hermite, by_nodes))
            return Prepared(spec=spec, program=made, mode=mode, check=check, further=further)


def quadrature_check(shift: float, limit: float = MOST_SHIFT) -> Check:
    """Whether a much finer rule would leave the mode where it is."""
    return Check(
        name="quadrature, shift of the mode",
        passed=shift <= limit,
        value=shift,
        limit=limit,
        meaning="in posterior SDs; above the limit, the integration over random effects is too coarse for these data",
    )


def shift_of_mode(made: AbstractProgram, mode: Mode, finer: AbstractProgram) -> float:
    """Largest move of the mode, in posterior SDs of each parameter, that the finer rule would cause."""
    gap = finer.density(mode.at)[1] - made.density(mode.at)[1]
    covariance = mode.scale @ mode.scale.T
    return float(np.max(np.abs(covariance @ gap) / np.sqrt(np.diag(covariance))))
