"""What a study of several outcomes found, in the words and frames that its report shows."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.models.domain import DOMAINS, Outcome
from alsmodel.models.domain_words import outcome_words, projection_words
from alsmodel.reports import Effect
from alsmodel.settings.names import nearest
from alsmodel.study.narrative import CLEAR, Row, differences, estimate, informed, reference_level, survival_words
from alsmodel.study.spec import Study

if TYPE_CHECKING:
    from alsmodel.inference import DomainFit

Floats = NDArray[np.float64]
_PARTS = {"intercept": "Mean at time zero", "slope": "Mean slope"}


def effects(study: Study, fit: "DomainFit") -> list[Effect]:
    """How much slower the mean decline is in the active arm, positive is benefit: of all outcomes, then of each where they differ."""
    drug = fit.spec.treatment
    if drug is None:
        return []
    found = []
    if drug.across != "separate":
        overall = "slowed decline on average over outcomes" if drug.across == "pooled" else "slowed functional decline"
        noun = "slowing of decline, average" if drug.across == "pooled" else "slowing of decline"
        found.append(_effect(study, fit, f"slope ratio:{drug.name}", overall, noun, informed(fit, f"theta:{drug.name}")))
    if drug.across != "common":
        for outcome in fit.spec.outcomes:
            name, called = f"slope ratio:{drug.name},{outcome.name}", outcome_words(outcome)
            known = drug.across == "pooled" or informed(fit, f"theta:{drug.name},{outcome.name}")
            found.append(_effect(study, fit, name, f"slowed decline of {called}", f"slowing of decline, {called}", known))
    return found


def _effect(study: Study, fit: "DomainFit", ratio: str, verb: str, noun: str, known: bool) -> Effect:
    gain, threshold = 1 - np.ravel(fit.draws[ratio]), study.report.meaningful
    lower, upper = np.quantile(gain, [0.025, 0.975])
    assert fit.spec.treatment is not None
    return Effect(
        drug=fit.spec.treatment.name,
        mean=float(gain.mean()),
        lower=float(lower),
        upper=float(upper),
        p_any=float((gain > 0).mean()),
        p_meaningful=None if threshold is None else float((gain > threshold).mean()),
        meaningful=threshold,
        verb=verb,
        noun=noun,
        informed=known,
        success_rule=study.report.success,
    )


def findings(study: Study, fit: "DomainFit", survival: pl.DataFrame | None) -> list[str]:
    """Plain sentences on decline, its correlations and survival; the first answers the question when the study names a parameter."""
    rows = {row["parameter"]: row for row in fit.summary.iter_rows(named=True)}
    sentences, asked = [], study.report.parameter
    if asked is not None:
        sentences.append(_answer(study, fit, rows[asked]) if asked in rows else _no_answer(asked, list(rows)))
    sentences += _slopes(study, fit, rows)
    sentences += _fastest(fit)
    sentences += _together(fit, rows)
    for kind, words in (("value", "is one unit higher"), ("slope", "has a slope one unit higher")):
        row = rows.get(f"association:{kind}")
        if row is not None:
            mean, low, high = (float(np.exp(row[name])) for name in ("mean", "q2_5", "q97_5"))
            sentences.append(
                f"Where the current true value of {projection_words(fit.spec)} {words}, the hazard is multiplied by {mean:.3f} "
                f"(95% credible interval {low:.3f} to {high:.3f})."
            )
    if survival is not None and survival.height:
        sentences.append(survival_words(study, fit.data.base, survival))
    return sentences


def _no_answer(asked: str, known: list[str]) -> str:
    return f"The study asks for {asked!r}, which is no parameter of its model. {nearest(asked, known, otherwise='')}".strip()


def _answer(study: Study, fit: "DomainFit", row: Row) -> str:
    part, _, term = row["parameter"].partition(":")
    covariate, _, level = term.partition("[")
    outcome = next((o for o in fit.spec.outcomes if part == f"{o.name}.slope"), None)
    reference = reference_level(study, fit.data.base, covariate)
    sure = max(share := float((np.ravel(fit.draws[row["parameter"]]) < 0).mean()), 1 - share)
    interval = f"95% credible interval {row['q2_5']:.3g} to {row['q97_5']:.3g}, probability of this direction {sure:.2f}"
    if outcome is None or not level or reference is None:
        return f"{row['label']}: {row['mean']:.3g} {row['unit']} ({interval})."
    name, called = covariate.replace("_", " "), outcome_words(outcome)
    one, other = f"{name} {level.removesuffix(']')}", f"{name} {reference}"
    differ = f"the slopes differ by {row['mean']:.3g} {row['unit']} ({interval})."
    if sure < CLEAR:
        return f"These data do not tell whether mean decline of {called} differs between {one} and {other}: {differ}"
    return f"Mean decline of {called} is {'steeper' if row['mean'] < 0 else 'less steep'} with {one} than with {other}: {differ}"


def _slopes(study: Study, fit: "DomainFit", rows: dict[str, Row]) -> list[str]:
    told = [f"{outcome_words(o)} {estimate(rows[f'{o.name}.slope'])}" for o in fit.spec.outcomes]
    at = _reference_words(study, fit)
    return [f"Mean slope{at}: {'; '.join(told)}."]


def _reference_words(study: Study, fit: "DomainFit") -> str:
    """Levels and values at which the mean slopes stand, where every outcome has the same covariates."""
    chosen = {outcome.slope for outcome in fit.spec.outcomes}
    if len(chosen) > 1:
        return "s, each with its covariates at their reference"
    parts = []
    for name in next(iter(chosen)):
        reference = reference_level(study, fit.data.base, name)
        if reference is not None:
            parts.append(f"{name.replace('_', ' ')} {reference}")
        elif name in fit.spec.covariates:
            parts.append(f"{name.replace('_', ' ')} {fit.spec.covariates[name].centre:g}")
    plural = "s" if len(fit.spec.outcomes) > 1 else ""
    return f"{plural} at {', '.join(parts)}" if parts else plural


def _fastest(fit: "DomainFit") -> list[str]:
    """Which domain falls fastest; only scores on the same scale can be compared."""
    same = [o for o in fit.spec.outcomes if o.name in DOMAINS]
    if len(same) < 2:
        return []
    slopes = np.stack([np.ravel(fit.draws[f"{o.name}.slope"]) for o in same])
    chance = np.bincount(slopes.argmin(axis=0), minlength=len(same)) / slopes.shape[1]
    best = int(chance.argmax())
    if chance[best] < CLEAR:
        return [f"These data do not tell which domain falls fastest: {outcome_words(same[best])} with probability {chance[best]:.2f}."]
    return [f"Of the domain scores, {outcome_words(same[best])} falls fastest (probability {chance[best]:.2f})."]


def _together(fit: "DomainFit", rows: dict[str, Row]) -> list[str]:
    """Which outcomes fall together, by the correlation of their slopes."""
    outcomes = fit.spec.outcomes
    pairs = [(rows[f"corr:{a.name}.slope,{b.name}.slope"], a, b) for k, b in enumerate(outcomes) for a in outcomes[:k]]
    if not pairs:
        return []
    ranked = sorted(pairs, key=lambda pair: float(pair[0]["mean"]))
    (low, *least), (high, *most) = ranked[0], ranked[-1]
    told = f"The slopes of {_pair(most)} are correlated by {_correlation(high)}"
    return [f"{told}, those of {_pair(least)} by {_correlation(low)}." if len(pairs) > 1 else f"{told}."]


def _pair(two: list[Outcome]) -> str:
    return " and ".join(outcome_words(outcome) for outcome in two)


def _correlation(row: Row) -> str:
    return f"{row['mean']:.2f} (95% credible interval {row['q2_5']:.2f} to {row['q97_5']:.2f})"


def group_effects(study: Study, fit: "DomainFit") -> pl.DataFrame | None:
    """Differences between the levels of the report's grouping covariate, as the report draws them."""
    by = study.report.by
    if by is None:
        return None
    panels = {f"{o.name}.{part}": f"{title} of {outcome_words(o)}" for part, title in _PARTS.items() for o in fit.spec.outcomes}
    return differences(study, fit.data.base, fit.summary, by, panels | {"hazard": "Log hazard beside the outcomes"})


def identification(fit: "DomainFit") -> pl.DataFrame | None:
    """Who informs the treatment: everybody in its arm was assigned it."""
    drug = fit.spec.treatment
    if drug is None:
        return None
    names = [f"theta:{drug.name}"] if drug.across != "separate" else [f"theta:{drug.name},{name}" for name in fit.spec.names]
    rows = [
        {
            "drug": count.name,
            "randomised": count.randomised,
            "within_person": count.starts_or_stops,
            "prevalent": count.prevalent,
            "label": "effect",
            "informed": any(informed(fit, name) for name in names),
        }
        for count in fit.data.base.exposures
    ]
    return pl.DataFrame(rows) if rows else None
