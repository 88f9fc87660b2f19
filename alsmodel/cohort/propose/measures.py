"""Columns of measured numbers: vital capacity, weight and other vital signs, neurofilament light."""

import re

from alsmodel.cohort.propose.columns import Column, Sheet
from alsmodel.cohort.propose.draft import Choice, Draft, DraftForm, Question
from alsmodel.cohort.propose.times import put_day
from alsmodel.cohort.propose.words import put_unit

_CAPACITY = re.compile(r"fvc|svc|vital_?cap|(?:^|_)vc(?:_|$)|vc(?:l|p)?\d?$|vcpp")
_NO_CAPACITY = re.compile(r"date|day|dt$|unit|fev|ratio|change|slope|posit|normal|time")
_PERCENT = re.compile(r"pct|percent|perc|pred|%|vcp\d?$|pp(?:_|$)")
_LITRES = re.compile(r"(?:^|_)(?:l|lit\w*)(?:_|\d?$)|vcl\d?$|liter|litre")
#: Medians that only one of the two can have: nobody breathes 15 litres, and few 10 per cent of predicted.
_MOST_LITRES, _LEAST_PERCENT = 10.0, 15.0
_VITALS = (
    (r"(?:^|_)(?:systolic|sbp|sysbp)", "systolic_bp", (50, 260)),
    (r"(?:^|_)(?:diastolic|dbp|diabp)", "diastolic_bp", (20, 160)),
    (r"(?:^|_)(?:pulse|heart_?rate|hr)(?:_|$)", "pulse", (25, 220)),
)
_NFL = re.compile(r"(?:^|_)nf_?l(?:_|$)|nfl|neurofilament_?light|neurofilament(?!_?heavy)")


def add_measures(draft: Draft, sheet: Sheet) -> None:
    """Add the forms of measured numbers that a sheet holds."""
    _add_capacity(draft, sheet)
    _add_vitals(draft, sheet)
    _add_neurofilament(draft, sheet)


def _keep_dated(draft: Draft, form: DraftForm) -> None:
    """Map the form's day; without one the form is taken out and its columns are left."""
    if put_day(draft, form):
        return
    draft.forms.remove(form)
    for column in form.sheet.columns:
        if column.name in form.columns and column is not form.sheet.participant:
            draft.leave(form.sheet, column, "no column says when it was measured")


def _add_capacity(draft: Draft, sheet: Sheet) -> None:
    found: dict[str, list[tuple[Column, str]]] = {}
    for column in draft.free(sheet):
        key = column.key
        if (
            not _CAPACITY.search(key)
            or not column.is_number
            or re.search(r"date|day|dt$|unit|fev|ratio|change|slope|posit|normal|time", key)
        ):
            continue
        test = "fvc" if "fvc" in key else "svc" if "svc" in key else ""
        kind = _capacity_kind(column)
        if kind is None:
            draft.leave(sheet, column, "vital capacity that could not be told to be litres or percent of predicted")
        else:
            found.setdefault(test, []).append((column, kind))
    for test, columns in found.items():
        form = draft.form("capacity", sheet, test or "capacity")
        if test:
            form.settings["measure"] = test
        else:
            ask = (f"Is {columns[0][0].name} forced (FVC) or slow (SVC) vital capacity?",)
            question = draft.ask(Question("capacity", ask, {"fvc": "forced", "svc": "slow"}))
            form.settings["measure"] = Choice(question, {"fvc": "fvc", "svc": "svc"})
        for column, kind in columns:
            free = next((f"{kind}_{i}" for i in (1, 2, 3) if f"{kind}_{i}" not in form.targets()), None)
            if free is None:
                draft.leave(sheet, column, "a fourth trial of vital capacity")
            else:
                form.put(column, free)
        _keep_dated(draft, form)


def _capacity_kind(column: Column) -> str | None:
    """Return "litres" or "percent" where name and numbers do not contradict each other."""
    median = float(column.numbers.median() or 0.0)  # type: ignore[arg-type]
    by_size = "litres" if median < _MOST_LITRES else "percent" if median > _LEAST_PERCENT else None
    by_name = "percent" if _PERCENT.search(column.key) else "litres" if _LITRES.search(column.key) else None
    if by_name is None or by_size is None:
        return by_name or by_size
    return by_name if by_name == by_size else None


def _add_vitals(draft: Draft, sheet: Sheet) -> None:
    free = draft.free(sheet)
    weight = [c for c in free if _is_weight(c)]
    others = [(c, target) for c in free for pattern, target, limits in _VITALS if re.search(pattern, c.key) and c.lies_within(*limits)]
    if not weight and not others:
        return
    form = draft.form("vitals", sheet)
    if weight:
        column = weight[0]
        form.put(column, "weight")
        beside = next((c for c in free if re.search(r"^(?:weight|wt|bw).*unit|weight_vsorresu", c.key)), None)
        named = "kg" if re.search(r"kg|kilo", column.flat) else "lb" if column.words & {"lb", "lbs", "pounds"} else None
        put_unit(draft, form, "weight", beside, named, {"kg": "kilograms", "lb": "pounds"})
    for column, target in others:
        if target not in form.targets():
            form.put(column, target)
    _keep_dated(draft, form)


def _is_weight(column: Column) -> bool:
    named = column.words & {"weight", "wt", "bodyweight"} or re.match(r"^(?:weight|bodyweight)", column.flat)
    other = re.search(r"unit|loss|change|birth|premorbid|usual|onset|date|day|pct|percent|bmi|ideal", column.key)
    return bool(named) and not other and column.lies_within(20, 500)


def _add_neurofilament(draft: Draft, sheet: Sheet) -> None:
    for column in draft.free(sheet):
        if not _NFL.search(column.key) or re.search(r"unit|date|day|dt$|matrix|specimen|z_?score|log|lot|batch", column.key):
            continue
        if not column.is_number:
            continue
        matrix = next((name for name in ("serum", "plasma", "csf") if name in column.flat), None)
        form = draft.form("neurofilament", sheet, f"nfl_{matrix}" if matrix else "nfl")
        form.put(column, "result")
        if matrix is None:
            ask = (f"In what was the neurofilament light of {column.name} measured? Specimens are never pooled.",)
            question = draft.ask(Question(f"{form.name}_specimen", ask, {"serum": "", "plasma": "", "csf": "cerebrospinal fluid"}))
            form.constants["matrix"] = Choice(question, {name: name for name in ("serum", "plasma", "csf")})
        else:
            form.constants["matrix"] = matrix
        if re.search(r"pg_?m?l", column.key):
            form.constants["unit"] = "pg/mL"
        _keep_dated(draft, form)
