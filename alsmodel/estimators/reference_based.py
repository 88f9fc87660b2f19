"""Reference-based imputation for the MMRM: what if those who left had gone on like the control arm?

The scores of participants of the active arm who left alive are imputed by a model in which their mean after leaving is that of
the control arm (jump to reference), was so all along (copy reference), or moves in parallel to it (copy increments); Carpenter,
Roger & Kenward, J Biopharm Stat 2013;23:1352 (doi:10.1080/10543406.2013.834911). Two variances, always named:

- ``"jackknife"``: conditional means are imputed, least squares compares the arms at the last visit, and everything is done anew
  without each participant (Wolbers et al., Pharm Stat 2022;21:1246, doi:10.1002/pst.2234). It is the variance over repeated trials.
- ``"rubin"``: many imputations at random from models of resampled participants, an MMRM of each, Rubin's rules. Under a
  reference strategy it exceeds the variance over repeated trials: information is lost as under missing at random (Cro, Carpenter
  & Kenward, J R Stat Soc A 2019;182:623, doi:10.1111/rssa.12423).

Nobody is imputed by reference, or at all, past death: scores after death stay missing and are what they are in the MMRM.

At an interim analysis nobody knows yet who will leave among those who have not come to the day of the last visit. Conditional means
take them as the MMRM does, missing at random, and find in those who have come to it by how much leaving changes the difference; random
imputations leave them out.
"""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

from alsmodel.estimators._imputation import STRATEGIES, Strategy, Visits, expected, fill, generator, imputed, left, parameters, rubin
from alsmodel.estimators._inputs import arms_of, scores_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Variance = Literal["jackknife", "rubin"]

OK, NO_MODEL, NOT_REFITTED, FEW_DUE = 0, 1, 2, 3
STATUS = {
    OK: "ok",
    NO_MODEL: "imputation model not fitted",
    NOT_REFITTED: "imputation model not fitted to resampled participants",
    FEW_DUE: "too few have come to the day of the last visit",
}
BLOCK = 50  # participants left out at a time, for memory


@final
@dataclass(frozen=True, kw_only=True)
class ReferenceBasedFits:
    """One analysis per replicate; arrays have shape (R,), NaN where it failed.

    Attributes
    ----------
    estimate, standard_error, df, statistic, p_value : array
        Active - control at the last visit (points), its standard error by the variance named, degrees of freedom (participants
        minus coefficients, or Barnard & Rubin's), estimate / SE, two-sided p value.
    by_reference : array of int
        Participants of the active arm who left alive, and whose last visit is due: whom the strategy changes.
    participants, status : array of int
        Status is a key into `STATUS`; anything but "ok" is a failure.
    strategy, variance : str
    """

    estimate: Floats
    standard_error: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    by_reference: Integers
    participants: Integers
    status: Integers
    strategy: Strategy
    variance: Variance

    @property
    def failed(self) -> Bools:
        """True where there is no result; counted, never dropped."""
        return np.asarray(self.status != OK)


def fit_reference_based(
    scores: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    baseline: npt.ArrayLike,
    alive: npt.ArrayLike | None = None,
    due: npt.ArrayLike | None = None,
    covariates: npt.ArrayLike | None = None,
    strategy: Strategy = "jump to reference",
    variance: Variance = "jackknife",
    imputations: int = 50,
    seed: int = 0,
) -> ReferenceBasedFits:
    """Compare the arms at the last visit after imputing the living who left.

    Parameters
    ----------
    scores : array, shape (R, n, V) or (n, V)
        Scores at the visits after baseline, points; NaN where not observed.
    arm : array of int, shape (n,) or (R, n)
        0 control (the reference), 1 active, -1 left out.
    baseline : array, shape (n,) or (R, n)
        Baseline score; who has none is left out.
    alive : array of bool, shape of `scores`, optional
        False from the death of a participant on; without it nobody died. Whoever has no score after some visit and is not dead
        is taken to have left, if the last visit is due.
    due : array of bool, shape (n,) or (R, n), optional
        Whose day of the last visit had come when the data were opened, dead and gone among them; by the calendar alone, so that
        nobody's own course decides. Without it everybody's.
    covariates : array, shape (n, c) or (R, n, c), optional
        Further baseline covariates, each with a coefficient per visit.
    strategy : "jump to reference", "copy reference", "copy increments" or "missing at random"
    variance : "jackknife" or "rubin"
    imputations : int
        Imputed data sets of "rubin".
    seed : int
        Of the imputations; the same data and seed give the same result wherever they stand in a batch.

    Returns
    -------
    ReferenceBasedFits

    Raises
    ------
    ValueError
        Shapes that do not fit together, missing covariates, or unknown options; all faults in one message.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([[38.0, 34], [39, 36], [37, 33], [40, 35], [40, 38], [38, 37], [41, np.nan], [39, 38]])
    >>> fit = fit_reference_based(y, [0, 0, 0, 0, 1, 1, 1, 1], baseline=[40.0, 42, 39, 41, 41, 39, 42, 40])
    >>> int(fit.by_reference[0]), fit.variance
    (1, 'jackknife')
    """
    y = scores_of(scores)
    replicates, people, visits = y.shape
    first = np.asarray(baseline, dtype=np.float64)
    living = np.ones((1, people, visits), dtype=bool) if alive is None else np.asarray(alive, dtype=bool)
    living = living[None] if living.ndim == 2 else living
    extra = np.zeros((1, people, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    extra = extra[None] if extra.ndim == 2 else extra
    ripe = np.ones((1, people), dtype=bool) if due is None else np.asarray(due, dtype=bool)
    _check(y.shape, first, living, ripe, extra, strategy, variance, imputations)
    codes, first = arms_of(arm, replicates, people), np.broadcast_to(first, (replicates, people))
    # Missing at random, who will leave makes no difference, and nothing hangs on the day of the last visit.
    ripe = np.broadcast_to(ripe | (strategy == "missing at random"), (replicates, people))
    if codes.max(initial=0) > 1:
        raise ValueError("arm must be 0 (the reference), 1 (active) or -1 (left out); compare one active arm at a time.")
    numbers, counts = np.full((replicates, 3), np.nan), np.zeros((replicates, 3), dtype=np.int64)
    for r in range(replicates):
        keep = (codes[r] >= 0) & ~np.isnan(first[r])
        if variance == "rubin":
            keep &= ripe[r]
        columns = [np.ones(keep.sum()), codes[r, keep].astype(np.float64), first[r, keep]]
        columns += list(extra[r if len(extra) > 1 else 0][keep].T)
        here = living[r if len(living) > 1 else 0][keep]
        data = Visits(scores=np.where(here, y[r, keep], np.nan), design=np.stack(columns, axis=1), alive=here)
        leavers = left(~np.isnan(data.scores), data.alive)[1]
        come = ripe[r, keep]
        counts[r, 1:] = keep.sum(), (leavers & come & (data.arm == 1)).sum()
        if not ripe[r].all() and any((come & (data.arm == a)).sum() < 2 for a in (0, 1)):
            counts[r, 0] = FEW_DUE
        elif variance == "jackknife":
            counts[r, 0], numbers[r] = _jackknife(data, strategy, come)
        else:
            counts[r, 0], numbers[r] = _multiple(data, strategy, imputations, generator(seed, data.scores, data.design))
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = numbers[:, 0] / numbers[:, 1]
    return ReferenceBasedFits(
        estimate=numbers[:, 0],
        standard_error=numbers[:, 1],
        df=numbers[:, 2],
        statistic=statistic,
        p_value=2.0 * stdtr(numbers[:, 2], -np.abs(statistic)),
        by_reference=counts[:, 2],
        participants=counts[:, 1],
        status=counts[:, 0],
        strategy=strategy,
        variance=variance,
    )


def _check(
    shape: tuple[int, ...], first: Floats, living: Bools, ripe: Bools, extra: Floats, strategy: str, variance: str, imputations: int
) -> None:  # fmt: skip
    """Raise one ValueError with everything that is wrong."""
    replicates, people, _ = shape
    faults = []
    if strategy not in STRATEGIES:
        faults.append(f"strategy is {strategy!r}; choose one of {', '.join(map(repr, STRATEGIES))}.")
    if variance not in ("jackknife", "rubin"):
        faults.append(f"variance is {variance!r}; choose 'jackknife' or 'rubin'.")
    if imputations < 2:
        faults.append(f"imputations is {imputations}; at least 2 are needed, and 50 or more wanted.")
    if first.shape not in ((people,), (1, people), (replicates, people)):
        faults.append(f"baseline has shape {first.shape}; expected ({people},) or {(replicates, people)}.")
    if living.shape not in ((1, *shape[1:]), shape):
        faults.append(f"alive has shape {living.shape}; expected that of the scores, {shape}.")
    if ripe.shape not in ((people,), (1, people), (replicates, people)):
        faults.append(f"due has shape {ripe.shape}; expected ({people},) or {(replicates, people)}, one for each participant.")
    if extra.ndim != 3 or extra.shape[:2] not in ((1, people), (replicates, people)):
        faults.append(f"covariates has shape {extra.shape}; expected {people} participants in 1 or {replicates} replicates.")
    elif not np.isfinite(extra).all():
        faults.append("covariates hold missing values. Impute first (pooled mean and an indicator under randomisation).")
    if faults:
        raise ValueError(" ".join(faults))


def _jackknife(data: Visits, strategy: Strategy, due: Bools) -> tuple[int, tuple[float, float, float]]:
    """Conditional means, least squares, and the same without each participant."""
    nothing = (np.nan, np.nan, np.nan)
    n, q = data.design.shape
    if not all((data.arm == a).any() for a in (0, 1)):
        return NO_MODEL, nothing
    estimates = np.empty(n + 1)
    whole = _without(data, strategy, due, np.array([-1]))
    if whole is None:
        return NO_MODEL, nothing
    estimates[0] = whole[0]
    for start in range(0, n, BLOCK):
        out = np.arange(start, min(start + BLOCK, n))
        found = _without(data, strategy, due, out)
        if found is None:
            return NOT_REFITTED, nothing
        estimates[out + 1] = found
    spread = estimates[1:] - estimates[1:].mean()
    error = np.sqrt((n - 1) / n * (spread**2).sum())
    return OK, (float(estimates[0]), float(error), float(n - q))


def _without(data: Visits, strategy: Strategy, due: Bools, out: Integers) -> Floats | None:
    """Estimates without participant `out` (-1: with all); None if a model is not fitted.

    Whose last visit is not due may still leave. The difference between the arms missing at random is that of everybody; what the strategy
    changes in it is that of those who are due.
    """
    size, (n, width) = out.size, data.scores.shape
    arm = np.tile(data.arm, (size, 1))
    dropped = out >= 0
    arm[np.flatnonzero(dropped), out[dropped]] = -1
    fit = data.fit(np.broadcast_to(data.scores, (size, n, width)), arm)
    if fit.failed.any():
        return None
    beta, sigma = parameters(fit, width)
    own, final = data.design @ beta, np.arange(width) == width - 1
    filled = fill(data.scores, expected(beta, data, strategy), sigma, data.alive)
    # Dead at the last visit: expected as the MMRM has it, given the scores until then.
    last = fill(filled, own, sigma, final)[:, :, -1]
    if due.all():
        return _difference(data.design, last, arm >= 0)
    at_random = fill(data.scores, own, sigma, final)[:, :, -1]
    everybody = _difference(data.design, at_random, arm >= 0)
    changed = _difference(data.design, last - at_random, (arm >= 0) & due)
    return None if everybody is None or changed is None else everybody + changed


def _difference(design: Floats, last: Floats, counted: Bools) -> Floats | None:
    """Least squares of the last visit (L, n) on the design in those who are counted (L, n): the active arm; None if there are too few."""
    weight = counted.astype(np.float64)
    gram = np.einsum("ln,na,nb->lab", weight, design, design, optimize=True)
    right = (weight * last) @ design
    if (np.linalg.matrix_rank(gram) < gram.shape[1]).any():
        return None
    return np.asarray(np.linalg.solve(gram, right[..., None])[:, 1, 0])


def _multiple(data: Visits, strategy: Strategy, size: int, rng: np.random.Generator) -> tuple[int, tuple[float, float, float]]:
    """Imputations at random, an MMRM of each, Rubin's rules."""
    nothing = (np.nan, np.nan, np.nan)
    if not all((data.arm == a).any() for a in (0, 1)) or data.fit(data.scores[None], data.arm[None]).failed[0]:
        return NO_MODEL, nothing
    sets = imputed(data, strategy, size, rng)
    if sets is None:
        return NOT_REFITTED, nothing
    fit = data.fit(sets, np.tile(data.arm, (size, 1)))
    if fit.failed.any():
        return NOT_REFITTED, nothing
    return OK, rubin(fit.estimate, fit.standard_error**2, float(fit.df.mean()))
