"""Ordinary least squares of many replicates at once, with missing participants and robust covariances.

White, Econometrica 1980;48:817 (HC0); MacKinnon & White, J Econom 1985;29:305 (HC2, HC3).
"""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Robust = Literal["none", "HC0", "HC2", "HC3"]

ROBUST = ("none", "HC0", "HC2", "HC3")
_SINGULAR = 1e-10  # smallest eigenvalue of the scaled cross products: below it the columns are as good as dependent


@final
@dataclass(frozen=True, kw_only=True)
class LeastSquares:
    """Fits of R replicates.

    Attributes
    ----------
    beta : array, shape (R, p)
    covariance : array, shape (R, p, p)
    df : array, shape (R,)
        Participants minus coefficients.
    used : array of int, shape (R,)
    estimable : array of bool, shape (R,)
        Where False everything else is NaN.
    """

    beta: Floats
    covariance: Floats
    df: Floats
    used: npt.NDArray[np.int64]
    estimable: Booleans


def least_squares(y: Floats, x: Floats, keep: Booleans, robust: Robust, optional: int = 0) -> LeastSquares:
    """Fit y (R, n) on x (R, n, p) over the participants of `keep` (R, n).

    The last `optional` columns may be all zero in a replicate, as the indicator of a stratum without anybody; they count as absent.
    """
    replicates, p = y.shape[0], x.shape[2]
    columns = np.where(keep[..., None], x, 0.0)
    outcome = np.where(keep, y, 0.0)
    gram = np.swapaxes(columns, 1, 2) @ columns
    used = keep.sum(axis=1)
    absent = (np.einsum("raa->ra", gram) == 0.0) & (np.arange(p) >= p - optional)
    gram[:, np.arange(p), np.arange(p)] += absent
    rank = p - absent.sum(axis=1)
    scale = np.sqrt(np.einsum("raa->ra", gram))
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = gram / (scale[:, :, None] * scale[:, None, :])
    whole = np.isfinite(scaled).all(axis=(1, 2)) & (used > rank)
    scaled[~whole] = np.eye(p)
    estimable = whole & (np.linalg.eigvalsh(scaled)[:, 0] > _SINGULAR)
    scaled[~estimable] = np.eye(p)
    safe = np.where(estimable[:, None], scale, 1.0)
    inverse = np.linalg.inv(scaled) / (safe[:, :, None] * safe[:, None, :])
    beta = np.einsum("rab,rb->ra", inverse, np.einsum("rna,rn->ra", columns, outcome))
    residual = outcome - np.einsum("rna,ra->rn", columns, beta)
    df = (used - rank).astype(np.float64)
    if robust == "none":
        variance = (residual**2).sum(axis=1) / np.maximum(df, 1.0)
        covariance = inverse * variance[:, None, None]
    else:
        leverage = np.einsum("rna,rab,rnb->rn", columns, inverse, columns)
        power = {"HC0": 0.0, "HC2": 0.5, "HC3": 1.0}[robust]
        # A participant alone in a stratum has leverage 1 and residual 0 and tells nothing of the variance.
        room = np.maximum(1.0 - leverage, 1e-12)
        weighted = columns * np.where(leverage < 1.0 - 1e-9, residual / room**power, 0.0)[..., None]
        covariance = inverse @ (np.swapaxes(weighted, 1, 2) @ weighted) @ inverse
    bad = ~estimable
    beta[bad], covariance[bad], df[bad] = np.nan, np.nan, np.nan
    assert beta.shape == (replicates, p)
    return LeastSquares(beta=beta, covariance=covariance, df=df, used=used, estimable=estimable)
