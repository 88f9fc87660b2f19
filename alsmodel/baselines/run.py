"""Kaplan-Meier, Cox and Weibull AFT by lifelines, from arrays to plain frames.

Cox uses Efron's approximation for ties (lifelines offers no other); the Breslow estimator plays no part,
since only hazard ratios are reported. All limits are 95%.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from lifelines import CoxPHFitter, KaplanMeierFitter, WeibullAFTFitter
from lifelines.exceptions import ConvergenceError, StatisticalWarning
from lifelines.exceptions import ConvergenceWarning as LifelinesConvergenceWarning

from alsmodel.baselines.inputs import (
    Array,
    Missing,
    Times,
    checked_columns,
    checked_times,
    design_columns,
    is_missing,
    missing_rows,
    refuse_missing,
)
from alsmodel.baselines.result import COX, KAPLAN_MEIER, MISSING, WEIBULL_AFT, Baselines


def run(
    data: Any,
    *,
    time_unit: str = "month",
    missing: Missing = "refuse",
    reference: Mapping[str, str] | None = None,
) -> Baselines:
    """Baselines of the arrays that the Bayesian fit took.

    Parameters
    ----------
    data : object
        With ``event_time`` and ``event``, and optionally ``covariates`` (name -> array), ``groups``
        (name -> labels), ``entry_time`` and ``free_until``.
    time_unit, missing, reference
        As in `fit`.
    """
    return fit(
        data.event_time,
        data.event,
        getattr(data, "covariates", None) or {},
        getattr(data, "groups", None),
        time_unit,
        entry_time=getattr(data, "entry_time", None),
        free_until=getattr(data, "free_until", None),
        missing=missing,
        reference=reference,
    )


def fit(
    event_time: Array,
    event: Array,
    covariates: Mapping[str, Array] | None = None,
    groups: Mapping[str, Array] | None = None,
    time_unit: str = "month",
    *,
    entry_time: Array | None = None,
    free_until: Array | None = None,
    missing: Missing = "refuse",
    reference: Mapping[str, str] | None = None,
) -> Baselines:
    """Kaplan-Meier for everybody and by group, Cox and Weibull AFT on the covariates.

    Parameters
    ----------
    event_time : array, shape (n,)
        Time of event or of last contact from the time origin, in `time_unit`.
    event : array, shape (n,)
        1 when the event happened, 0 when censored.
    covariates : mapping of str to array, optional
        Numbers enter as they are; labels become 0/1 columns ``name[level]`` against a reference.
    groups : mapping of str to array, optional
        Labels by which Kaplan-Meier is repeated.
    time_unit : str
        Only printed; no time is converted.
    entry_time : array, shape (n,), optional
        Delayed entry (left truncation): a participant is at risk after it only.
    free_until : array, shape (n,), optional
        Where it lies before the `event_time` of somebody with the event, the event happened somewhere between the two. Weibull AFT takes
        that as it is; Kaplan-Meier and Cox take the middle of the two, with a note.
    missing : {"refuse", "complete-case"}
        Missing covariates stop the run, or leave those participants out of Cox and AFT, with a note.
    reference : mapping of str to str, optional
        Reference level per label covariate; the most frequent level without it.

    Raises
    ------
    InvalidInput
        Times or shapes that cannot be used; missing covariates under "refuse". All faults at once.

    Notes
    -----
    Kaplan-Meier limits are on the log(-log) scale.
    AFT: :math:`S(t) = \\exp\\{-(t/\\lambda_i)^{\\rho}\\}` with :math:`\\log\\lambda_i = a + x_i'b`, by maximum
    likelihood; a time ratio :math:`e^b` above 1 means longer survival.
    Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data, 2nd ed., ch. 2-4.
    """
    times = checked_times(event_time, event, entry_time, free_until)
    n = times.end.size
    columns = checked_columns(covariates or {}, n, "covariates")
    labels = checked_columns(groups or {}, n, "groups")
    absent, counts = missing_rows(columns, n)
    if missing == "refuse":
        refuse_missing(counts, n)

    notes: list[str] = []
    if (apart := int(times.between.sum())) > 0:
        told = f"{apart} of {int(times.event.sum())} events are known only to lie between two times"
        notes.append(f"{told}: Weibull AFT takes them so; Kaplan-Meier and Cox take the middle of the two.")
    curves = _kaplan_meiers(times.middle, labels, notes)
    usable = ~absent & (times.end > 0)
    _note_exclusions(absent, times.end <= 0, n, counts, notes)
    kept = times.keep(usable)
    design = design_columns({name: values[usable] for name, values in columns.items()}, reference or {})
    cox, aft = _regressions(kept, design, notes)
    return Baselines(
        kaplan_meier=curves,
        cox=cox,
        weibull_aft=aft,
        missing=pl.DataFrame({"covariate": list(counts), "missing": list(counts.values())}, schema=MISSING),
        n=n,
        events=int(times.event.sum()),
        n_regression=kept.end.size,
        events_regression=int(kept.event.sum()),
        time_unit=time_unit,
        notes=tuple(notes),
    )


def _note_exclusions(absent: Array, instant: Array, n: int, counts: Mapping[str, int], notes: list[str]) -> None:
    if absent.any():
        which = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
        notes.append(f"Cox and AFT are complete-case: {int(absent.sum())} of {n} participants left out (missing: {which}).")
    if (extra := int((instant & ~absent).sum())) > 0:
        notes.append(f"Cox and AFT leave out {extra} of {n} participants whose follow-up ends at time zero.")


def _kaplan_meiers(times: Times, groups: Mapping[str, Array], notes: list[str]) -> pl.DataFrame:
    frames = [_kaplan_meier(times, "all", "all", notes)]
    for name, labels in groups.items():
        gap = is_missing(labels)
        if gap.any():
            notes.append(f"Kaplan-Meier by {name} leaves out {int(gap.sum())} participants without a value.")
        text = np.array(["" if unknown else str(label) for label, unknown in zip(labels, gap)])
        for level in sorted(set(text[~gap].tolist())):
            frames.append(_kaplan_meier(times.keep((text == level) & ~gap), name, level, notes))
    return pl.concat(frames)


def _kaplan_meier(times: Times, by: str, group: str, notes: list[str]) -> pl.DataFrame:
    fitter = KaplanMeierFitter()
    with _noting(f"Kaplan-Meier ({group})", notes):
        fitter.fit(times.end, times.event, entry=times.entry)
    curve = fitter.survival_function_.iloc[:, 0]
    limits = fitter.confidence_interval_survival_function_
    time = curve.index.to_numpy(dtype=float)
    entry = np.zeros_like(times.end) if times.entry is None else times.entry
    at_risk = [((entry < t) if t > 0 else (entry <= 0)) & (times.end >= t) for t in time]
    events = [times.event & (times.end == t) for t in time]
    # Before the first death and after the last, log(-log) limits do not exist: the estimate is its own limit.
    lower, upper = (limits.iloc[:, i].fillna(curve).to_numpy(dtype=float) for i in (0, 1))
    return pl.DataFrame(
        {
            "by": [by] * time.size,
            "group": [group] * time.size,
            "time": time,
            "survival": curve.to_numpy(dtype=float),
            "lower": lower,
            "upper": upper,
            "at_risk": [int(rows.sum()) for rows in at_risk],
            "events": [int(rows.sum()) for rows in events],
        },
        schema=KAPLAN_MEIER,
    )


def _regressions(times: Times, design: Mapping[str, Array], notes: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    cox, aft = pl.DataFrame(schema=COX), pl.DataFrame(schema=WEIBULL_AFT)
    constant = [name for name, values in design.items() if np.ptp(values) == 0] if times.end.size else []
    if constant:
        notes.append(f"Cox and AFT leave out columns that do not vary: {', '.join(constant)}.")
    varying = {name: values for name, values in design.items() if name not in constant}
    if not times.event.any():
        notes.append("Cox and AFT were not run: no event among the participants that they could use.")
        return cox, aft
    # Positions as names: a term called "event" must not meet the column of that name.
    frame = pd.DataFrame({f"x{i}": values for i, values in enumerate(varying.values())})
    frame["end"], frame["event"] = times.middle.end, times.event
    if times.between.any():
        frame["low"], frame["high"] = np.where(times.event, times.free, times.end), np.where(times.event, times.end, np.inf)
    if times.entry is not None:
        frame["entry"] = times.entry
    terms = list(varying)
    if terms:
        cox = _guarded("Cox", terms, lambda: _cox(frame, terms), cox, notes)
    else:
        notes.append("Cox was not run: there are no covariates.")
    return cox, _guarded("Weibull AFT", terms, lambda: _weibull_aft(frame, terms), aft, notes)


def _cox(frame: pd.DataFrame, terms: Sequence[str]) -> pl.DataFrame:
    fitter = CoxPHFitter()
    plain = frame.drop(columns=["low", "high"], errors="ignore")
    fitter.fit(plain, "end", "event", entry_col="entry" if "entry" in frame else None)
    return _wald(fitter.summary, terms, {"term": "term", "coef": "log_hr", "ratio": "hr"}).select(list(COX))


def _weibull_aft(frame: pd.DataFrame, terms: Sequence[str]) -> pl.DataFrame:
    fitter = WeibullAFTFitter()
    formula = " + ".join(f"x{i}" for i in range(len(terms))) or "1"
    late = "entry" if "entry" in frame else None
    if "low" in frame:
        fitter.fit_interval_censoring(frame.drop(columns=["end", "event"]), "low", "high", entry_col=late, formula=formula)
    else:
        fitter.fit(frame, "end", "event", entry_col=late, formula=formula)
    rows = [("lambda_", f"x{i}") for i in range(len(terms))] + [
        ("lambda_", "Intercept"),
        ("rho_", "Intercept"),
    ]
    table = _wald(
        fitter.summary.loc[rows],
        [*terms, "(scale)", "(shape)"],
        {"term": "term", "coef": "log_time_ratio", "ratio": "time_ratio"},
    )
    shape = float(fitter.params_["rho_", "Intercept"])
    own = pl.col("term").is_in(["(scale)", "(shape)"])
    return table.with_columns(
        pl.when(~own).then((-np.exp(shape) * pl.col("log_time_ratio")).exp()).alias("hr"),
        # A test of scale or shape against 1 answers nobody's question.
        pl.when(~own).then(pl.col("p")).alias("p"),
    ).select(list(WEIBULL_AFT))


def _wald(summary: pd.DataFrame, terms: Sequence[str], names: Mapping[str, str]) -> pl.DataFrame:
    values = {
        "term": list(terms),
        "coef": summary["coef"].to_numpy(dtype=float),
        "se": summary["se(coef)"].to_numpy(dtype=float),
        "ratio": summary["exp(coef)"].to_numpy(dtype=float),
        "lower": summary["exp(coef) lower 95%"].to_numpy(dtype=float),
        "upper": summary["exp(coef) upper 95%"].to_numpy(dtype=float),
        "p": summary["p"].to_numpy(dtype=float),
    }
    return pl.DataFrame({names.get(key, key): column for key, column in values.items()})


def _guarded(
    name: str,
    terms: Sequence[str],
    estimate: Callable[[], pl.DataFrame],
    empty: pl.DataFrame,
    notes: list[str],
) -> pl.DataFrame:
    try:
        with _noting(name, notes, terms):
            return estimate()
    except (ConvergenceError, np.linalg.LinAlgError) as error:
        notes.append(f"{name} did not converge: {_first_sentence(str(error), terms)}")
        return empty


@contextmanager
def _noting(name: str, notes: list[str], terms: Sequence[str] = ()) -> Iterator[None]:
    """Turn the library's statistical warnings into notes; its housekeeping warnings are dropped."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    kinds = (LifelinesConvergenceWarning, StatisticalWarning, RuntimeWarning)
    for message in dict.fromkeys(str(each.message) for each in caught if issubclass(each.category, kinds)):
        notes.append(f"{name}: {_first_sentence(message, terms)}")


def _first_sentence(message: str, terms: Sequence[str]) -> str:
    text = " ".join(message.split()).split(". ")[0].rstrip(".")
    # The library saw positions: give the columns their names back.
    named = re.sub(r"\bx(\d+)\b", lambda hit: terms[int(hit[1])] if int(hit[1]) < len(terms) else hit[0], text)
    return f"{named}."
