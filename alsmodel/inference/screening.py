"""What a fit needs to predict the survival of somebody new from what is known at screening, as plain arrays.

With straight lines, b ~ N(mu, V) given the scores known, and

    S(t) = E exp{-H(t | b)},   H(t | b) = sum over j of w_j h0(s_j) exp(x'beta + a_value m(s_j | b) + a_slope m'(b))

on Gauss-Legendre nodes s_j between the knots of the hazard: the prediction of `alsmodel.inference.dynamic` at a landmark of 0 for whoever
enters there (Rizopoulos 2011, doi 10.1111/j.1541-0420.2010.01546.x), with E over b by quadrature in place of draws.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alsmodel.clinical.units import DAYS_PER_UNIT
from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.paths import Draw, draw_of
from alsmodel.inference.sampling import evenly
from alsmodel.models.association import kinds
from alsmodel.models.baseline import cuts_of, log_baseline
from alsmodel.models.effects import exposed
from alsmodel.models.reach import is_wide
from alsmodel.models.spec import JointModel

if TYPE_CHECKING:
    from alsmodel.inference.fit import Fit

Floats = NDArray[np.float64]
WHERE = "trial.population.prognosis"
#: Nodes of each piece of the hazard; one without knots is cut into so many pieces.
NODES, SMOOTH_PIECES = 6, 6


def at_screening(fit: "Fit", months: float, draws: int) -> dict[str, Any]:
    """Parameters of the prediction of a new participant's survival, months as the unit of time.

    Parameters
    ----------
    fit : Fit
    months : float
        Time from baseline up to which survival is predicted.
    draws : int
        Posterior draws, D, taken evenly, as `alsmodel.inference.dynamic.futures` takes them.

    Returns
    -------
    dict
        intercept, slope, residual_sd, association_value, association_slope: shape (D,); random_covariance (D, 2, 2); intercept_by,
        slope_by, hazard_by (D, C), coefficients of the design columns named in ``columns``; log_ratio, own, added, log_hazard_ratio
        (D, G), effects of the drugs named in ``drugs``; node (T,) months and log_mass (D, T), log of weight times baseline hazard.
        ``numbers`` says how a covariate enters its column, (centre, scale); ``words`` which levels a covariate has.

    Raises
    ------
    InvalidInput
        When the model is of a shape for which this prediction is not made.
    """
    spec, data = fit.spec, fit.data
    if refused := refusals(spec):
        raise InvalidInput([Fault(WHERE, fault, remedy) for fault, remedy in refused])
    per_month = DAYS_PER_UNIT["month"] / DAYS_PER_UNIT[spec.time_unit]
    terms = tuple(dict.fromkeys((*spec.intercept, *spec.slope, *spec.hazard)))
    columns = tuple(column for term in terms for column in data.terms[term])
    acting = tuple(one for one in exposed(spec, data).acting if one.drug in background(fit))
    places = evenly(next(iter(fit.draws.values())).size, draws)
    chosen = [draw_of(fit.draws, int(place)) for place in places]
    node, weight = _nodes(fit, months * per_month)
    knots = np.array(fit.provenance["knots"])

    def each(name: str) -> Floats:
        return np.array([draw.get(name) for draw in chosen])

    def by(part: str, used: tuple[str, ...]) -> Floats:
        known = {column for term in used for column in data.terms[term]}
        names = [f"{part}:{column}" if column in known else "" for column in columns]
        return np.array([[draw.get(name) for name in names] for draw in chosen]).reshape(len(chosen), len(columns))

    def drugs(part: str) -> Floats:
        return np.array([[draw.get(getattr(one, part)) for one in acting] for draw in chosen]).reshape(len(chosen), len(acting))

    unit = np.outer([1.0, per_month], [1.0, per_month])
    return {
        "months": months,
        "columns": columns,
        "numbers": {t: (c.centre, c.scale) for t in terms if (c := spec.selection.covariates[t]) and data.terms[t][:1] == (t,)},
        "words": {t: _levels(fit, t) for t in terms if data.terms[t][:1] != (t,)},
        "drugs": tuple(one.drug for one in acting),
        "intercept": each("intercept"),
        "slope": each("slope") * per_month,
        "intercept_by": by("intercept", spec.intercept),
        "slope_by": by("slope", spec.slope) * per_month,
        "hazard_by": by("hazard", spec.hazard),
        "log_ratio": drugs("theta"),
        "own": drugs("psi"),
        "added": drugs("additive") * per_month,
        "log_hazard_ratio": drugs("ratio"),
        "random_covariance": np.array([draw.covariance(("intercept", "slope")) * unit for draw in chosen]),
        "residual_sd": each("sd:residual"),
        "association_value": each("association:value"),
        "association_slope": each("association:slope") / per_month,
        "node": node / per_month,
        "log_mass": np.array([_log_mass(fit, draw, knots, node, weight) for draw in chosen]),
    }


def background(fit: "Fit") -> tuple[str, ...]:
    """Drugs of the model that are taken, not assigned."""
    return tuple(drug.name for drug in fit.spec.treatments if drug.source == "exposure")


def taken_at_entry(fit: "Fit") -> dict[str, Floats]:
    """Whether each participant fitted took each background drug at entry, 0 or 1, shape (N,)."""
    data = fit.data
    acting = exposed(fit.spec, data)
    there = (acting.start <= data.entry_time[acting.person]) & (acting.stop > data.entry_time[acting.person])
    found = {name: np.zeros(data.people) for name in background(fit)}
    for person, which in zip(acting.person[there], acting.which[there], strict=True):
        drug = acting.acting[which].drug
        if drug in found:
            found[drug][person] = 1.0
    return found


def _levels(fit: "Fit", term: str) -> tuple[str, ...]:
    return tuple(sorted({level for level in fit.data.groups.get(term, ()) if level is not None}))


def _nodes(fit: "Fit", end: float) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights from baseline to `end`, in the fit's time unit, cut where the hazard has a kink."""
    cuts = cuts_of(fit.spec, np.array(fit.provenance["knots"]))
    inner = cuts[(cuts > 0) & (cuts < end)]
    # A smooth hazard may rise from nothing, as a Weibull's does: finer near the baseline.
    smooth = end * (np.arange(1, SMOOTH_PIECES) / SMOOTH_PIECES) ** 2
    edges = np.unique(np.concatenate([[0.0], inner, [] if fit.spec.survival.kind in ("exponential", "piecewise") else smooth, [end]]))
    x, w = np.polynomial.legendre.leggauss(NODES)
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    return (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * w).ravel()


def _log_mass(fit: "Fit", draw: Draw, knots: Floats, node: Floats, weight: Floats) -> Floats:
    return np.asarray(np.log(weight) + log_baseline(fit.spec, knots, draw.get, node))


def refusals(spec: JointModel) -> list[tuple[str, str]]:
    """Why a fit of this model makes no prediction at screening: fault and remedy of each reason."""
    faults: list[tuple[str, str]] = []

    def refuse(what: str, remedy: str) -> None:
        faults.append((f"Survival is predicted at screening from straight lines and one hazard; {what}.", remedy))

    if spec.decline.kind != "linear" or spec.random_effects != "linear" or spec.fixed_quadratic:
        refuse("the paths of this fit bend", "Fit a linear decline.")
    if spec.transform != "identity":
        refuse(f"this fit is of the {spec.transform} of the score", "Fit the score itself.")
    if spec.population != "enrolled":
        refuse("this fit describes people from onset", 'Use population = "enrolled".')
    if spec.causes or spec.classes is not None:
        refuse("this fit has several causes or latent classes", "Fit one without.")
    if is_wide(spec):
        refuse("the hazard of this fit depends on the area or on random effects", 'Fit one with association = ["value"].')
    if spec.survival.strata is not None or spec.hierarchy or spec.decline.residual_by is not None or any(kinds(spec.association).values()):
        refuse("parts of this fit differ by group (strata, hierarchy, residual_by, an association's by)", "Fit one without.")
    taken = [drug for drug in spec.treatments if drug.source == "exposure"]
    bent = sorted(drug.name for drug in taken if drug.by is not None or drug.hazard_periods or drug.hazard == "clock")
    if bent:
        refuse(f"{', '.join(bent)} acts by group, by period or on the hazard's clock", "Give the drug one constant effect.")
    return faults
