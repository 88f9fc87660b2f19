"""From a fit of several outcomes to the content of a page."""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from alsmodel.reports.content import Array, StudyReport
from alsmodel.reports.tables import estimate_with_limits

if TYPE_CHECKING:
    from alsmodel.inference import DomainFit
    from alsmodel.models import Outcome

POINTS = 25
LEFT_OUT = (
    "Dynamic prediction for single participants is not shown: this report describes the population that was fitted. "
    "From Python: alsmodel.inference.domain_dynamic.predict_participants_domains.",
    "The share of impossible paths under the priors is not computed for several outcomes.",
)


def of_domain_fit(fit: "DomainFit", *, title: str, question: str = "", by: str | None = None, times: Array | None = None) -> StudyReport:
    """Everything that a fit of several outcomes alone can tell; curves and checks are computed here.

    Parameters
    ----------
    fit, title, question, by, times
        As in `alsmodel.reports.posterior`.
    """
    from alsmodel.inference import domain_predict as predict
    from alsmodel.inference.total_effect import total_effects

    base, spec = fit.data.base, fit.spec
    at = np.linspace(0.0, float(np.quantile(base.event_time, 0.9)), POINTS) if times is None else np.asarray(times, dtype=float)
    labels = base.groups.get(by, ()) if by else ()
    scores, ends, events = predict.predictive_checks(fit)
    called = {outcome.name: outcome_label(outcome) for outcome in spec.outcomes}
    return StudyReport(
        title=title,
        question=question,
        outcome=", ".join(called.values()),
        event=spec.event_words,
        time_unit=spec.time_unit,
        participants=base.people,
        visits=_visits(fit),
        events=int(base.event.sum()),
        summary=fit.summary,
        draws=fit.draws,
        checks=fit.checks,
        passed=fit.passed,
        route=fit.route,
        trajectories=panelled(fit, predict.trajectory(fit, at, by=by)),
        outcomes=outcome_tables(fit) | correlation_tables(fit),
        survival=predict.survival_curve(fit, at, by=by),
        total_effects=total_effects(fit, float(at.max())),
        group_sizes=dict(Counter(label for label in labels if label is not None)),
        grouped_by=(by or "everybody").replace("_", " "),
        score_check=scores.with_columns(pl.col("outcome").replace_strict(called)),
        end_check=ends.with_columns(pl.col("outcome").replace_strict(called)),
        event_check=events,
        prior_check=predict.prior_check(fit),
        left_out=LEFT_OUT,
        reproducibility={key: value if isinstance(value, str) else repr(value) for key, value in fit.provenance.items()},
    )


def outcome_label(outcome: "Outcome") -> str:
    """An outcome as people call it, with its unit where its name does not hold it."""
    from alsmodel.inference.domain_draws import outcome_unit
    from alsmodel.models.domain_words import outcome_words

    name, unit = outcome_words(outcome), outcome_unit(outcome)
    name = name[:1].upper() + name[1:]
    return f"{name} (points)" if unit == "points" else name


def _visits(fit: "DomainFit") -> int:
    """Days on which anything was measured, over all participants."""
    return int(np.unique(np.stack([fit.data.row_person.astype(float), fit.data.row_time]), axis=1).shape[1])


def panelled(fit: "DomainFit", frame: pl.DataFrame) -> pl.DataFrame:
    """Mean paths as the report draws them: domain scores share a figure with a panel each, every other outcome has its own."""
    from alsmodel.models.domain import DOMAINS

    together = [name for name in fit.spec.names if name in DOMAINS]
    called = {outcome.name: outcome_label(outcome) for outcome in fit.spec.outcomes}
    parts = []
    for name in fit.spec.names:
        mine = frame.filter(pl.col("outcome") == name)
        shared = name in together and len(together) > 1
        label = "Domain score (points)" if shared else called[name]
        panel = pl.lit(called[name].removesuffix(" (points)")) if shared else pl.col("group")
        parts.append(mine.with_columns(outcome=pl.lit(label), panel=panel))
    return pl.concat(parts).select("outcome", "panel", "group", "time", "mean", "lower", "upper", "p_alive")


def outcome_tables(fit: "DomainFit") -> dict[str, pl.DataFrame]:
    """The mean line of every outcome, and how participants and scores vary about it, printed."""
    from alsmodel.inference.domain_draws import outcome_unit

    rows = {row["parameter"]: row for row in fit.summary.iter_rows(named=True)}

    def shown(name: str) -> str:
        row = rows.get(name)
        return "by arm" if row is None else estimate_with_limits(row["mean"], row["q2_5"], row["q97_5"])

    t, means, spreads = fit.spec.time_unit, [], []
    for k, outcome in enumerate(fit.spec.outcomes):
        name, own = outcome.name, {"outcome": outcome_label(outcome).removesuffix(" (points)"), "unit": outcome_unit(outcome)}
        scores = {"Scores": f"{fit.data.values(k).size:,}"}
        means.append(own | scores | {"At time zero": shown(f"{name}.intercept"), f"Slope per {t}": shown(f"{name}.slope")})
        spreads.append(
            own
            | {"At time zero": shown(f"sd:{name}.intercept"), f"Slope per {t}": shown(f"sd:{name}.slope")}
            | {"Residuals": shown(f"sd:{name}.residual")}
        )
    return {
        "Mean line of every outcome, with covariates at their reference.": pl.DataFrame(means),
        "SD between participants, and of residuals.": pl.DataFrame(spreads),
    }


def correlation_tables(fit: "DomainFit") -> dict[str, pl.DataFrame]:
    """Correlations of slopes, of levels, and of levels (rows) with slopes (columns), as printed matrices."""
    rows = {row["parameter"]: row for row in fit.summary.iter_rows(named=True)}
    called = {outcome.name: outcome_label(outcome).removesuffix(" (points)") for outcome in fit.spec.outcomes}

    def shown(one: str, other: str) -> str:
        row = rows.get(f"corr:{one},{other}") or rows.get(f"corr:{other},{one}")
        return "1" if row is None else estimate_with_limits(row["mean"], row["q2_5"], row["q97_5"])

    def matrix(part: str, across: str) -> pl.DataFrame:
        return pl.DataFrame(
            [{"outcome": called[one]} | {called[other]: shown(f"{one}.{part}", f"{other}.{across}") for other in called} for one in called]
        )

    crossed = {"Correlations of levels at time zero (rows) with slopes (columns).": matrix("intercept", "slope")}
    if len(called) == 1:
        return crossed
    own = {"Correlations of slopes between outcomes.": matrix("slope", "slope")}
    return own | {"Correlations of levels at time zero between outcomes.": matrix("intercept", "intercept")} | crossed
