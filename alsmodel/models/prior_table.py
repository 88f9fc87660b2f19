"""Every prior of a model on a data set, as it is used, with the reason for it."""

from typing import Any

import polars as pl

from alsmodel.cohort.arrays import JointData
from alsmodel.models.parameters import parameters
from alsmodel.models.priors import data_scales
from alsmodel.models.processes import hazard_knots
from alsmodel.models.spec import JointModel


def prior_table(spec: JointModel, data: JointData) -> pl.DataFrame:
    """List the priors in force, the weak ones scaled by the data included.

    Parameters
    ----------
    spec : JointModel
    data : JointData
        From `alsmodel.cohort.arrays.joint_data` with ``spec.selection``.

    Returns
    -------
    polars.DataFrame
        parameters (one row for those that share a prior), prior, reason.
    """
    rows: list[dict[str, Any]] = []
    for block in parameters(spec, data, data_scales(data), hazard_knots(spec, data)):
        for text in dict.fromkeys(block.text(k) for k in range(block.size)):
            labels = [label for k, label in enumerate(block.labels) if block.text(k) == text]
            name = labels[0] if len(labels) == 1 else f"{labels[0]} to {labels[-1]}"
            rows.append({"parameters": name, "prior": text, "reason": block.reason})
    return pl.DataFrame(rows, schema={"parameters": pl.String, "prior": pl.String, "reason": pl.String})
