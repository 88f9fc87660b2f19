r"""Priors borrowed from earlier cohorts and trials: meta-analytic predictive, robust, power and commensurate.

With estimates :math:`y_j` of one parameter from J sources and their standard errors :math:`s_j`,

.. math:: y_j \sim N(\theta_j, s_j^2), \quad \theta_j \sim N(\mu, \tau^2), \quad \theta_{\text{new}} \sim N(\mu, \tau^2), \quad
          \mu \sim N(m, v^2), \quad \tau \sim \text{half-normal}(t),

the meta-analytic predictive (MAP) prior is :math:`p(\theta_{\text{new}} \mid y)` (Neuenschwander et al. 2010, doi
10.1177/1740774509356002); a robust one gives part of its weight to a wide normal (Schmidli et al. 2014, doi 10.1111/biom.12242). A
commensurate prior centres the new parameter on one source with an SD of its own (Hobbs et al. 2011, doi
10.1111/j.1541-0420.2011.01564.x); a power prior discounts sources by a fixed power (Ibrahim & Chen 2000, doi 10.1214/ss/1009212673). Given
tau everything is normal, so that quadrature over tau alone gives the predictive density; a few normals are then fitted to it, since that is
what a model's prior takes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.summary import INFORMED, label_of
from alsmodel.kernels.published_priors import PublishedPrior
from alsmodel.models.parameters import Block, parameters
from alsmodel.models.priors import Mixture, Normal, Priors, data_scales, mixture_text
from alsmodel.models.spec import JointModel

if TYPE_CHECKING:
    from alsmodel.inference.fit import Fit

Floats = NDArray[np.float64]
Components = tuple[tuple[float, float, float], ...]

NODES = 400  # of the quadrature over tau, and then of densities
REACH = 9.0  # tau up to so many scales of its half-normal prior; densities so many SDs to each side
ENOUGH = 200  # effective draws, below which weights that take a prior off tell nothing
BESIDE = {
    "parameter": pl.String, "label": pl.String, "prior": pl.String, "reason": pl.String, "estimate": pl.Float64, "se": pl.Float64,
    "worth": pl.Float64, "conflict": pl.Float64, "weights": pl.String,
}  # fmt: skip
CLOSE = 1e-3  # a fit of normals is good enough at this Kullback-Leibler divergence


@final
@dataclass(frozen=True, kw_only=True)
class Source:
    """An estimate from elsewhere.

    Attributes
    ----------
    name : str
        Of the trial or cohort.
    estimate, se : float
        On the parameter's own scale, from that source's data alone.
    n : int or None
        Participants behind it.
    """

    name: str
    estimate: float
    se: float
    n: int | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.estimate) or not 0 < self.se < np.inf:
            raise ValueError(f"{self.name}: estimate must be finite and se above 0; got {self.estimate} and {self.se}.")


@final
@dataclass(frozen=True, kw_only=True)
class Borrowed:
    """A prior with the sources that it rests on.

    Attributes
    ----------
    kind : str
        How it was made.
    components : tuple of (weight, mean, SD)
    sources : tuple of Source
    unit_sd : float or None
        SD of an estimate from one participant: the root of the mean of n se^2 over the sources that give n.
    tau : tuple of float or None
        Posterior median and 95% limits of the SD between sources.
    divergence : float
        Kullback-Leibler divergence of the fitted normals from the exact predictive density.
    """

    kind: str
    components: Components
    sources: tuple[Source, ...]
    unit_sd: float | None = None
    tau: tuple[float, float, float] | None = None
    divergence: float = 0.0

    @property
    def mean(self) -> float:
        """Mean of the prior."""
        return sum(w * m for w, m, _ in self.components)

    @property
    def sd(self) -> float:
        """SD of the prior."""
        return math.sqrt(sum(w * (s * s + m * m) for w, m, s in self.components) - self.mean**2)

    @property
    def prior(self) -> Normal | Mixture:
        """As `alsmodel.models.Priors` takes it, the sources in its reason."""
        names = ", ".join(source.name for source in self.sources)
        reason = f"{self.kind} prior from {names}{'' if (told := self._size()) is None else f', worth {told:.0f} participants (ELIR)'}"
        if len(self.components) == 1:
            return Normal(mean=self.components[0][1], sd=self.components[0][2], reason=reason)
        weights, means, sds = zip(*self.components, strict=True)
        return Mixture(weights=weights, means=means, sds=sds, reason=reason)

    def logpdf(self, x: Floats | float) -> Floats:
        """Log density at `x`, any shape."""
        return _log_mixture(np.asarray(x, dtype=float), self.components)

    def _size(self) -> float | None:
        return None if self.unit_sd is None else self.effective_sample_size()

    def effective_sample_size(self, unit_sd: float | None = None, *, method: str = "elir") -> float:
        r"""Participants whose data would tell as much as the prior.

        Parameters
        ----------
        unit_sd : float, optional
            SD of an estimate from one participant; that of the sources without it.
        method : {"elir", "moment"}
            "elir", the expected local-information-ratio :math:`E[-(\log \pi)''] \sigma_1^2` (Neuenschwander et al. 2020,
            doi 10.1111/biom.13252), which predicts consistently; or "moment", :math:`\sigma_1^2 / sd^2`.

        Raises
        ------
        ValueError
            For another method, or without a `unit_sd` where no source gives n.
        """
        unit = self.unit_sd if unit_sd is None else unit_sd
        if unit is None or method not in ("elir", "moment"):
            raise ValueError('effective_sample_size needs unit_sd, since no source gives n, and method "elir" or "moment".')
        if method == "moment":
            return unit**2 / self.sd**2
        x = _grid(self.components)
        parts = np.stack([np.log(w) + _log_normal(x, m, s) for w, m, s in self.components])
        log_density = np.logaddexp.reduce(parts)
        score = sum(np.exp(part - log_density) * (m - x) / s**2 for part, (_, m, s) in zip(parts, self.components, strict=True))
        # E[-(log pi)''] equals E[((log pi)')^2] for a density that vanishes at both ends.
        return float(np.trapezoid(np.exp(log_density) * score**2, x)) * unit**2

    def conflict(self, estimate: float, se: float) -> float:
        """Box's p value of a new estimate: the probability of one whose predictive density is no higher (doi 10.2307/2982063)."""
        wide = tuple((w, m, math.hypot(s, se)) for w, m, s in self.components)
        y = _grid(wide)
        log_density, seen = _log_mixture(y, wide), float(_log_mixture(np.asarray(float(estimate)), wide))
        return float(min(1.0, np.trapezoid(np.where(log_density <= seen, np.exp(log_density), 0.0), y)))

    def updated(self, estimate: float, se: float) -> "Borrowed":
        """The posterior after a new normal estimate; its last weight says how much of a robust prior's wide component is left."""
        logs, parts = [], []
        for w, m, s in self.components:
            spread = s**2 * se**2 / (s**2 + se**2)
            logs.append(math.log(w) + float(_log_normal(np.asarray(estimate), m, math.hypot(s, se))))
            parts.append((spread * (m / s**2 + estimate / se**2), math.sqrt(spread)))
        weight = np.exp(np.array(logs) - np.logaddexp.reduce(logs))
        found = tuple((float(w), m, s) for w, (m, s) in zip(weight, parts, strict=True))
        return replace(self, kind=f"posterior from {self.kind}", components=found)

    def robust(self, weight: float, sd: float, mean: float | None = None) -> "Borrowed":
        """Give `weight` to a wide normal, around the prior's own mean where none is given.

        Parameters
        ----------
        weight : float
            Strictly between 0 and 1.
        sd : float
            Larger than that of the prior.
        mean : float, optional
        """
        if not 0 < weight < 1 or not sd > self.sd:
            raise ValueError(f"weight must lie between 0 and 1 and sd above {self.sd:g}, that of the prior; got {weight} and {sd}.")
        wide = (weight, self.mean if mean is None else mean, sd)
        return replace(self, kind=f"robust {self.kind}", components=(*((w * (1 - weight), m, s) for w, m, s in self.components), wide))

    def __str__(self) -> str:
        """The prior in a line."""
        size = self._size()
        worth = "" if size is None else f"; worth {size:.0f} participants (ELIR)"
        spread = "" if self.tau is None else f"; SD between sources {self.tau[0]:.3g} ({self.tau[1]:.3g} to {self.tau[2]:.3g})"
        return f"{self.kind}: {mixture_text(self.components)}{worth}{spread}; {', '.join(source.name for source in self.sources)}"


def source_of(prior: PublishedPrior) -> Source:
    """The published estimate behind a prior, before its discount."""
    return Source(name=" and ".join(prior.trials), estimate=prior.mean, se=prior.se, n=prior.n)


def sources_of(priors: Sequence[PublishedPrior]) -> tuple[Source, ...]:
    """Published estimates of one parameter of one drug as sources.

    Raises
    ------
    InvalidInput
        When parameters or drugs differ, or a trial is behind more than one of them (it would count twice).
    """
    faults = []
    if len({(p.parameter, p.drug) for p in priors}) > 1:
        faults.append(Fault("prior", "The priors are of different parameters or drugs.", "Borrow for one parameter of one drug."))
    trials = [trial for p in priors for trial in p.trials]
    if twice := sorted({trial for trial in trials if trials.count(trial) > 1}):
        faults.append(Fault("prior", f"{', '.join(twice)} would count twice.", "Keep one of the effects that rest on it."))
    if faults:
        raise InvalidInput(faults)
    return tuple(source_of(p) for p in priors)


def cohort_source(fit: "Fit", parameter: str, name: str) -> Source:
    """What a fitted cohort says of a parameter without the prior that it was fitted with: precisions subtract.

    Parameters
    ----------
    fit : Fit
    parameter : str
        With a normal prior, such as ``slope`` or ``theta:riluzole``.
    name : str
        Of the cohort.

    Raises
    ------
    InvalidInput
        When the parameter has no normal prior, or the cohort says little beyond it.
    """
    block = next((b for b in fit.program.blocks if parameter in b.labels), None)
    if block is None or block.kind != "normal" or block.mixture:
        raise InvalidInput([Fault("parameter", f"{parameter!r} is no parameter with a normal prior.")])
    k = block.labels.index(parameter)
    row = fit.summary.row(by_predicate=pl.col("parameter") == parameter, named=True)
    if row["sd"] > INFORMED * block.b[k]:
        raise InvalidInput([Fault("parameter", f"{name} says little of {parameter} beyond the prior.", "Leave it out as a source.")])
    estimate, se = _less(row["mean"], row["sd"], float(block.a[k]), float(block.b[k]))
    return Source(name=name, estimate=estimate, se=se, n=fit.data.people)


def _less(mean: float, sd: float, centre: float, width: float) -> tuple[float, float]:
    """Estimate and standard error left of a posterior that is taken as normal when a normal prior is taken off: precisions subtract."""
    precision = sd**-2 - width**-2
    return (mean * sd**-2 - centre * width**-2) / precision, precision**-0.5


def beside_data(fit: "Fit") -> pl.DataFrame:
    """How much the priors say that were set for the mean slope and for effects of drugs, and whether the data agree with them.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    polars.DataFrame
        One row per such parameter: parameter, label, prior, reason; estimate, se (of the data without the prior); worth (participants of
        these data who would tell as much as the prior, by the expected local-information-ratio); conflict (Box's p value); weights (of the
        prior's components before and after the data; empty for a normal). Null where the data say little beyond the prior.

    Notes
    -----
    The data alone are what is left of the posterior without the prior: precisions subtract where it is normal (as in `cohort_source`),
    draws are weighted by one over the prior where it is a mixture. The likelihood of the parameter is then taken as normal.
    """
    rows = []
    for block in parameters(fit.spec, fit.data, data_scales(fit.data), np.array(fit.provenance["knots"])):
        for k, label in enumerate(block.labels):
            if block.kind == "normal" and _was_set(fit.spec, label):
                rows.append(_beside(fit, block, k, label))
    return pl.DataFrame(rows, schema=BESIDE)


def _was_set(spec: JointModel, label: str) -> bool:
    """Whether a parameter is one that takes a borrowed prior, and has another than the usual."""
    part, _, rest = label.partition(":")
    drugs = {drug.name for drug in spec.treatments}
    if label == "slope":
        kind = "slope"
    elif rest.partition("[")[0] in drugs and part in ("theta", "hazard", "slope"):
        kind = {"theta": "theta", "hazard": "direct", "slope": "additive"}[part]
    else:
        return False
    return getattr(spec.priors, kind) not in (None, getattr(Priors(), kind))


def _beside(fit: "Fit", block: Block, k: int, label: str) -> dict[str, object]:
    own = Borrowed(kind="set", components=block.mixture or ((1.0, float(block.a[k]), float(block.b[k])),), sources=())
    row: dict[str, object] = {"parameter": label, "label": label_of(label, fit.spec), "prior": block.text(k), "reason": block.reason}
    alone = _without(fit, own, label)
    if alone is None:
        return row | dict.fromkeys(("estimate", "se", "worth", "conflict")) | {"weights": ""}
    estimate, se = alone
    worth = own.effective_sample_size(se * math.sqrt(fit.data.people))
    pairs = zip(own.components, own.updated(estimate, se).components, strict=True)
    weights = ", ".join(f"{before[0]:.2f} to {after[0]:.2f}" for before, after in pairs) if block.mixture else ""
    return row | {"estimate": estimate, "se": se, "worth": worth, "conflict": own.conflict(estimate, se), "weights": weights}


def _without(fit: "Fit", prior: Borrowed, label: str) -> tuple[float, float] | None:
    """Estimate and standard error of the data alone; None where they say little beyond the prior."""
    draws = fit.draws[label].ravel()
    if len(prior.components) == 1:
        mean, sd, (_, centre, width) = float(draws.mean()), float(draws.std(ddof=1)), prior.components[0]
        return None if sd > INFORMED * width else _less(mean, sd, centre, width)
    log_weight = -prior.logpdf(draws)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    if 1.0 / float(weight @ weight) < ENOUGH:
        return None
    mean = float(weight @ draws)
    return mean, float(np.sqrt(weight @ np.square(draws - mean)))


def map_prior(sources: Sequence[Source], *, tau_scale: float, mean: float = 0.0, sd: float = 10.0, most: int = 4) -> Borrowed:
    """The meta-analytic predictive prior of a new trial's parameter.

    Parameters
    ----------
    sources : sequence of Source
    tau_scale : float
        Of the half-normal prior of the SD between sources. There is no default: how far trials differ is a judgement, and with few
        sources the prior of tau is most of what is known of it.
    mean, sd : float
        Of the normal prior of the mean over sources.
    most : int
        Largest number of normals that stand for the predictive density.

    Raises
    ------
    InvalidInput
        Without sources, or when two have the same name.
    ValueError
        When a scale is not above 0.
    """
    _require(sources)
    if not tau_scale > 0 or not sd > 0 or most < 1:
        raise ValueError(f"tau_scale and sd must be above 0 and most at least 1; got {tau_scale}, {sd} and {most}.")
    y, s = np.array([one.estimate for one in sources]), np.array([one.se for one in sources])
    tau, weight = _half_normal_nodes(tau_scale)
    variance = s**2 + tau[:, None] ** 2
    precision = (1 / variance).sum(axis=1) + sd**-2
    centre = ((y / variance).sum(axis=1) + mean / sd**2) / precision
    # log p(y | tau) with mu integrated out, by p(y | mu) p(mu) / p(mu | y) at mu = centre.
    log_like = _log_normal(y, centre[:, None], np.sqrt(variance)).sum(axis=1)
    log_like += _log_normal(centre, mean, sd) + 0.5 * np.log(2 * np.pi / precision)
    posterior = weight * np.exp(log_like - log_like.max())
    posterior /= posterior.sum()
    components, divergence = _compress(posterior, centre, np.sqrt(1 / precision + tau**2), most)
    return Borrowed(
        kind="MAP", components=components, sources=tuple(sources), unit_sd=_unit_sd(sources), tau=_limits(tau, posterior),
        divergence=divergence,
    )  # fmt: skip


def commensurate_prior(source: Source, *, tau_scale: float, most: int = 4) -> Borrowed:
    """A prior centred on one source, whose departure from it has a half-normal SD of scale `tau_scale`."""
    if not tau_scale > 0:
        raise ValueError(f"tau_scale must be above 0; got {tau_scale}.")
    tau, weight = _half_normal_nodes(tau_scale)
    components, divergence = _compress(weight, np.full(tau.size, source.estimate), np.hypot(source.se, tau), most)
    return Borrowed(kind="commensurate", components=components, sources=(source,), unit_sd=_unit_sd([source]), divergence=divergence)


def power_prior(sources: Sequence[Source], powers: Sequence[float]) -> Borrowed:
    """Sources pooled with fixed powers between 0 and 1: each has the precision power / se^2.

    Raises
    ------
    InvalidInput
        Without sources, or when two have the same name.
    ValueError
        When a power is not above 0 and at most 1, or there is not one for each source.
    """
    _require(sources)
    if len(powers) != len(sources) or not all(0 < a <= 1 for a in powers):
        raise ValueError(f"powers must be above 0 and at most 1, one for each of {len(sources)} sources; got {tuple(powers)}.")
    precision = np.array([a / one.se**2 for a, one in zip(powers, sources, strict=True)])
    mean = float(precision @ np.array([one.estimate for one in sources]) / precision.sum())
    components = ((1.0, mean, float(precision.sum() ** -0.5)),)
    return Borrowed(kind="power", components=components, sources=tuple(sources), unit_sd=_unit_sd(sources))


def _require(sources: Sequence[Source]) -> None:
    names = [one.name for one in sources]
    faults = [] if sources else [Fault("sources", "There is no source to borrow from.")]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        faults.append(Fault("sources", f"{', '.join(twice)} would count twice.", "Keep one estimate of each."))
    if faults:
        raise InvalidInput(faults)


def _unit_sd(sources: Sequence[Source]) -> float | None:
    known = [one.se**2 * one.n for one in sources if one.n is not None]
    return float(np.sqrt(np.mean(known))) if known else None


def _half_normal_nodes(scale: float) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes of tau and their weights under a half-normal; denser near zero, where the density of a parameter is sharp."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    u = (x + 1) / 2
    tau = REACH * scale * u**2
    weight = w * u * np.exp(-0.5 * (tau / scale) ** 2)
    return tau, weight / weight.sum()


def _limits(tau: Floats, weight: Floats) -> tuple[float, float, float]:
    reached = np.cumsum(weight) - weight / 2
    middle, low, high = np.interp([0.5, 0.025, 0.975], reached, tau)
    return float(middle), float(low), float(high)


def _compress(weight: Floats, mean: Floats, sd: Floats, most: int) -> tuple[Components, float]:
    """As few normals as stand for a continuous mixture of them, by expectation-maximisation on its density; and the divergence left."""
    kept = weight > 1e-12 * weight.max()
    weight, mean, sd = weight[kept] / weight[kept].sum(), mean[kept], sd[kept]
    whole = float(weight @ mean)
    spread = float(np.sqrt(weight @ (sd**2 + mean**2) - whole**2))
    x = np.unique(np.concatenate([whole + s * np.linspace(-REACH, REACH, 4 * NODES) for s in (spread, float(sd.min()))]))
    log_density = np.logaddexp.reduce(np.log(weight)[:, None] + _log_normal(x, mean[:, None], sd[:, None]))
    mass = np.exp(log_density) * np.gradient(x)
    mass /= mass.sum()
    best: Components = ((1.0, whole, spread),)
    divergence = _divergence(mass, log_density, x, best)
    for k in range(2, most + 1):
        if divergence < CLOSE:
            break
        start = tuple((1 / k, whole, spread * scale) for scale in np.geomspace(0.4, 1.8, k))
        found = _maximised(x, mass, start)
        left = _divergence(mass, log_density, x, found)
        if left < divergence:
            best, divergence = found, left
    return best, max(divergence, 0.0)


def _divergence(mass: Floats, log_density: Floats, x: Floats, components: Components) -> float:
    return float(mass @ (log_density - _log_mixture(x, components)))


def _maximised(x: Floats, mass: Floats, components: Components, steps: int = 500) -> Components:
    weight, mean, sd = (np.array(part) for part in zip(*components, strict=True))
    for _ in range(steps):
        parts = np.log(weight)[:, None] + _log_normal(x, mean[:, None], sd[:, None])
        share = np.exp(parts - np.logaddexp.reduce(parts)) * mass
        weight = share.sum(axis=1)
        mean = share @ x / weight
        sd = np.sqrt((share * np.square(x - mean[:, None])).sum(axis=1) / weight)
    order = np.argsort(sd)
    return tuple((float(w), float(m), float(s)) for w, m, s in zip(weight[order], mean[order], sd[order], strict=True))


def _log_normal(x: Floats, mean: Floats | float, sd: Floats | float) -> Floats:
    return np.asarray(-0.5 * np.square((x - mean) / sd) - np.log(sd) - 0.5 * math.log(2 * math.pi))


def _log_mixture(x: Floats, components: Components) -> Floats:
    return np.asarray(np.logaddexp.reduce(np.stack([math.log(w) + _log_normal(x, m, s) for w, m, s in components]), axis=0))


def _grid(components: Components) -> Floats:
    """Points dense around every component and reaching past its tails."""
    steps = np.linspace(-REACH, REACH, 2 * NODES + 1)
    return np.unique(np.concatenate([m + s * steps for _, m, s in components]))
