"""The density that PyMC declares, as a function of the one vector that the compiled program takes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pytensor.compile.mode import Mode

#: As it was declared: rewriting the graph takes longer than all else, and nothing need be compiled for one evaluation.
PLAIN = Mode(linker="py", optimizer=None)


def declared(model: pm.Model, outputs: Any) -> Callable[[NDArray[np.float64]], Any]:
    """Evaluate `outputs` of a model at a vector of its free parameters, in the order of the model."""
    inputs = [model.rvs_to_values[rv] for rv in model.free_RVs]
    start = model.initial_point()
    shapes = [np.shape(start[variable.name]) for variable in inputs]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    evaluate = model.compile_fn(outputs, inputs=inputs, mode=PLAIN, point_fn=False)

    def at(x: NDArray[np.float64]) -> Any:
        assert x.size == ends[-1]
        return evaluate(*(part.reshape(shape) for part, shape in zip(np.split(x, ends[:-1]), shapes, strict=True)))

    return at
