"""Columns of time: which one dates a form, in what unit time is counted, how dates are written, and from which day on."""

import re
from collections.abc import Sequence

from alsmodel.cohort.propose.columns import Column, Sheet
from alsmodel.cohort.propose.draft import Choice, Draft, DraftForm, Question, Value

_UNITS = (
    ("day", r"(?:^|_)(?:days?|dy|d)(?:_|$)|day$|days$|dy$"),
    ("week", r"(?:^|_)(?:weeks?|wk|wks)(?:_|$)|weeks?$"),
    ("month", r"(?:^|_)(?:months?|mo|mon|mos|mth|mths)(?:_|$)|months?$"),
    ("year", r"(?:^|_)(?:years?|yrs?)(?:_|$)|years?$"),
)
_WHEN = re.compile(
    r"(?:^|_)(?:visit|vis|assess\w*|exam\w*|date\w*|days?|dt|dat|dtc|dy|delta|time|weeks?|wk|months?|mo|years?|yrs?|when|fu|followup)(?:_|$)"
    r"|date$|dt$|dat$|dtc$|delta$|days?$|months?$|weeks?$|dy$"
)
#: What else a time may be of; such a column dates no visit.
_OTHER = re.compile(
    r"birth|dob|brth|onset|symptom|diag|dx|death|died|dead|deceas|dth|start|stop|begin|end_|_end|enddt|random|enrol|consent|inclus|baseline"
    r"|screen|withdr|last_|lastcontact|trach|niv|bipap|peg|gastros|riluz|edarav|tofers|duration|since|age|timestamp|entry|complete|surgery|census|censor"
)
#: Domain -> what in a name says that a time belongs to it.
DOMAINS = {
    "assessments": r"alsfr|frs|^ft",
    "capacity": r"fvc|svc|vc|pft|spiro|^re|lung|resp",
    "vitals": r"^vs|vital|weight|wt|bp",
    "neurofilament": r"nfl|neurof|blood|sample|collect|lab|draw|serum|csf|biom",
}
_ORIGIN = re.compile(r"random|enrol|inclus|baseline|consent|entry|screen")


def put_day(draft: Draft, form: DraftForm) -> bool:
    """Map the day of a dated form; say whether there is one. Two that fit are a question."""
    sheet = form.sheet
    candidates = [column for column in sheet.columns if dates_a_visit(column, sheet)]
    tiers = [[c for c in candidates if _domain(c) == form.kind], [c for c in candidates if _domain(c) is None]]
    tier = next((tier for tier in tiers if tier), [])
    # The same time as a date and as a number: the dates say which day it was.
    dated = [column for column in tier if column.is_date]
    best = dated or tier
    if len(best) == 1:
        form.put(best[0], "day")
        for column in tier:
            if column is not best[0]:
                draft.leave(sheet, column, f"a time beside {best[0].name}, which dates the rows")
        return True
    if best:
        ask = (f"Which column says when the {_WORDS.get(form.kind, form.kind)} of {sheet.name} took place?",)
        question = draft.ask(Question(f"day_of_{form.name}", ask, {column.name: "" for column in best}))
        for column in best:
            form.put(column, Choice(question, {one.name: "day" if one is column else "" for one in best}))
        return True
    entries = [column for column in sheet.columns if is_origin(column, sheet)]
    if not sheet.rows_repeat and entries:
        # One row each: it may have been scored when the participant entered, and only the author knows.
        ask = (f"No column dates the {_WORDS.get(form.kind, form.kind)} of {sheet.name}. On which of these days did they take place?",)
        question = draft.ask(Question(f"day_of_{form.name}", ask, {column.name: "" for column in entries}))
        for column in entries:
            form.put(column, Choice(question, {one.name: "day" if one is column else "" for one in entries}))
        return True
    if not sheet.rows_repeat:
        form.constants["day"] = "0"
        what = _WORDS.get(form.kind, form.kind)
        draft.notes.append(f"{sheet.name} has no column of time and one row per participant: its {what} count as day 0.")
        return True
    return False


_WORDS = {"assessments": "assessments", "capacity": "vital capacity", "vitals": "vital signs", "neurofilament": "neurofilament"}


def dates_a_visit(column: Column, sheet: Sheet) -> bool:
    """Say whether the column may date rows."""
    if column is sheet.participant or not column.is_time or column.is_year or not _WHEN.search(column.key) or _OTHER.search(column.key):
        return False
    return column.is_date or float(column.numbers.abs().max()) < 40_000  # type: ignore[arg-type]


def _domain(column: Column) -> str | None:
    return next((kind for kind, pattern in DOMAINS.items() if re.search(pattern, column.flat)), None)


def settle_time(draft: Draft) -> None:
    """Write [time]: unit, formats and origin, from the columns that the forms use as times; others of another kind are taken out."""
    used = [(form, column) for form in draft.forms for column in form.sheet.columns if _is_time_target(form.columns.get(column.name))]
    if not used:
        return
    days = [column for form, column in used if "day" in _targets(form.columns[column.name])] or [column for _, column in used]
    undated = any("day" in form.constants for form in draft.forms)
    dated = not undated and sum(column.is_date for column in days) * 2 >= len(days)
    for form, column in used:
        if column.is_date and undated:
            _take_out(draft, form, column, "a date, while no date says when the scores or measurements were taken")
        elif column.is_date != dated and not (dated and column.is_year):
            other = "a number, while times of this source are dates" if dated else "a date, while times of this source are numbers"
            _take_out(draft, form, column, f"{other}: one mapping counts time in one way")
    if dated:
        _settle_dates(draft, [(form, column) for form, column in used if column.name in form.columns])
    else:
        _settle_numbers(draft, [(form, column) for form, column in used if column.name in form.columns], days)


def _settle_numbers(draft: Draft, used: Sequence[tuple[DraftForm, Column]], days: Sequence[Column]) -> None:
    """Find the unit of time in the names of the columns that date rows, or ask; a column that names another unit is taken out."""
    counted = [column for column in days if any(one is column for _, one in used)]
    if not counted:
        return
    units = {_named_unit(column) for column in counted}
    unit = units.pop() if len(units) == 1 else None
    if unit is not None:
        draft.time["unit"] = unit
        draft.time_comment = "By the names of the columns. Day 0 is the source's own."
    else:
        names = ", ".join(sorted({column.name for column in counted}))
        ask = (f"In which unit is time counted in {names}?", "One unit serves all columns of time; time before day 0 is negative.")
        offers = {unit: unit for unit, _ in _UNITS}
        question = draft.ask(Question("time_unit", ask, dict.fromkeys(offers, "")))
        draft.time["unit"] = Choice(question, offers)
    for form, column in used:
        other = _named_unit(column)
        if unit is not None and other not in (None, unit):
            _take_out(draft, form, column, f"in {other}s by its name, while times of this source are {unit}s")


def _named_unit(column: Column) -> str | None:
    return next((unit for unit, pattern in _UNITS if re.search(pattern, column.key)), None)


def _settle_dates(draft: Draft, used: Sequence[tuple[DraftForm, Column]]) -> None:
    draft.time["unit"] = "date"
    _settle_formats(draft, used)
    origins = {column.name: (form, column) for form, column in used if form.columns.get(column.name) == "origin_day"}
    scored = any(form.kind == "assessments" and "day" in form.targets() for form in draft.forms)
    if not scored and not origins:
        for form, column in used:
            _take_out(draft, form, column, "a date, and neither an assessment nor a date of entry says from which day to count")
        draft.time.clear()
        return
    if not scored:
        draft.time["origin"] = "column"
        return
    if not origins:
        draft.time["origin"] = "first assessment"
        draft.time_comment = (
            'Dates become days from the first assessment. For another day 0: origin = "column", and a date mapped to origin_day.'
        )
        return
    offers = {"first assessment": "first assessment"} | dict.fromkeys(origins, "column")
    ask = ("From which day is time counted? Dates become days before and after it.",)
    meanings = {"first assessment": "each participant's first ALSFRS-R"}
    question = draft.ask(Question("time_origin", ask, meanings | dict.fromkeys(origins, "the date in this column")))
    draft.time["origin"] = Choice(question, offers)
    for name, (form, _) in origins.items():
        form.columns[name] = Choice(question, {answer: "origin_day" if answer == name else "" for answer in offers})


def _settle_formats(draft: Draft, used: Sequence[tuple[DraftForm, Column]]) -> None:
    """Write the formats of dates: a column that tells day and month apart settles it for those that do not; else it is asked."""
    clear: dict[str, list[Column]] = {}
    unclear: dict[tuple[str, ...], list[tuple[DraftForm, Column]]] = {}
    for form, column in used:
        dates = column.dates
        if dates is not None and dates.is_ambiguous:
            unclear.setdefault(dates.formats, []).append((form, column))
        elif dates is not None and dates.formats:
            clear.setdefault(dates.formats[0], []).append(column)
    formats: list[Value] = list(clear)
    for pair in {pair for pair in _pairs() if set(pair) <= set(clear)}:
        # Both orders in one source: a cell that fits both could be read in two ways.
        rare = min(pair, key=lambda written: len(clear[written]))
        formats.remove(rare)
        for form, column in used:
            if column in clear[rare]:
                _take_out(draft, form, column, f"its dates are written as {rare}, others of this source the other way round")
    for orders, columns in sorted(unclear.items()):
        known = [written for written in orders if written in formats]
        if known:
            order = "day" if known[0].startswith("%d") else "month"
            draft.notes.append(f"Dates in {_names(columns)} fit both orders; other columns have the {order} first, so they are read so.")
            continue
        ask = (
            f"The dates in {_names(columns)} can be read with the day first and with the month first: no day is above 12.",
            "Which comes first?",
        )
        meanings = {"day first": "as in 31/12/2024", "month first": "as in 12/31/2024"}
        question = draft.ask(Question("date_order", ask, meanings))
        formats.append(Choice(question, {"day first": orders[0], "month first": orders[1]}))
    if formats:
        draft.time["formats"] = formats


def _pairs() -> tuple[tuple[str, str], ...]:
    return tuple((f"%d{mark}%m{mark}%Y", f"%m{mark}%d{mark}%Y") for mark in "/-.")


def _names(columns: Sequence[tuple[DraftForm, Column]]) -> str:
    return ", ".join(dict.fromkeys(column.name for _, column in columns))


def _take_out(draft: Draft, form: DraftForm, column: Column, why: str) -> None:
    form.columns.pop(column.name, None)
    draft.leave(form.sheet, column, why)


def _targets(value: Value) -> set[str]:
    return set(value.offers.values()) if isinstance(value, Choice) else {value}


def _is_time_target(value: Value | None) -> bool:
    return value is not None and any(target == "day" or target.endswith("_day") for target in _targets(value))


def is_origin(column: Column, sheet: Sheet) -> bool:
    """Say whether a date may be the day that time is counted from."""
    return column.is_date and bool(_ORIGIN.search(column.key)) and sheet.is_fact(column)
