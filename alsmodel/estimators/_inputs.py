"""Shapes that the analyses of one score per participant share: arms, covariates and strata over replicates."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def arms_of(arm: npt.ArrayLike, replicates: int, people: int) -> Integers:
    """Arm codes as (R, n): -1 left out, 0 control, 1, 2, ... active.

    Raises
    ------
    ValueError
        Codes that are not whole numbers from -1 on, or a shape that does not fit.
    """
    given = np.atleast_2d(np.asarray(arm))
    codes = given.astype(np.int64)
    if given.shape not in ((1, people), (replicates, people)):
        raise ValueError(f"arm has shape {given.shape}; expected ({people},) or {(replicates, people)}.")
    if not np.array_equal(codes, given) or codes.min(initial=0) < -1:
        raise ValueError("arm must be 0 (control), 1, 2, ... (active), or -1 to leave a participant out.")
    return np.broadcast_to(codes, (replicates, people))


def scores_of(scores: npt.ArrayLike) -> Floats:
    """Scores as (R, n, V)."""
    given = np.asarray(scores, dtype=np.float64)
    if given.ndim not in (2, 3):
        raise ValueError(f"scores has shape {given.shape}; expected (R, n, V) or (n, V).")
    return given if given.ndim == 3 else given[None]


def design(
    codes: Integers, keep: npt.NDArray[np.bool_], covariates: npt.ArrayLike | None, strata: npt.ArrayLike | None, *more: Floats
) -> tuple[Floats, int, int]:
    """Columns (R, n, p): one, an indicator per active arm, `more`, covariates, an indicator per stratum.

    In every replicate the first stratum with anybody of `keep` in it is the reference: its column is zero.

    Returns
    -------
    x, active, layers : array, int, int
        The columns, the number of active arms, whose columns are 1 to `active`, and that of the last columns, for strata.

    Raises
    ------
    ValueError
        Shapes that do not fit or missing covariates.
    """
    replicates, people = codes.shape
    active = max(int(codes.max(initial=0)), 1)
    columns = [np.ones((replicates, people)), *((codes == a).astype(np.float64) for a in range(1, active + 1)), *more]
    if covariates is not None:
        extra = np.asarray(covariates, dtype=np.float64)
        extra = extra[None] if extra.ndim == 2 else extra
        if extra.ndim != 3 or extra.shape[1] != people or extra.shape[0] not in (1, replicates):
            raise ValueError(f"covariates has shape {np.shape(covariates)}; expected ({people}, p) or ({replicates}, {people}, p).")
        if not np.isfinite(extra).all():
            raise ValueError("covariates hold missing values. Impute first (pooled mean and an indicator under randomisation).")
        columns += [np.broadcast_to(extra[..., j], (replicates, people)) for j in range(extra.shape[2])]
    if strata is None:
        return np.stack(columns, axis=2), active, 0
    given = np.atleast_2d(np.asarray(strata, dtype=np.int64))
    if given.shape not in ((1, people), (replicates, people)) or given.min(initial=0) < 0:
        raise ValueError(f"strata has shape {given.shape}; expected ({people},) or {(replicates, people)}, counted from 0.")
    levels, taken = np.unique(given), np.zeros((replicates, 1), dtype=bool)
    for level in levels:
        member = (given == level) & keep
        anybody = member.any(axis=1, keepdims=True)
        columns.append(np.where(taken, member, False).astype(np.float64))
        taken |= anybody
    return np.stack(columns, axis=2), active, levels.size
