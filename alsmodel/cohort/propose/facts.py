"""Facts of participants: baseline, onset, arm, death, drugs and other events."""

import re
from collections.abc import Callable, Sequence

from alsmodel.clinical.events import DEATH
from alsmodel.cohort.propose.columns import Column, Sheet
from alsmodel.cohort.propose.draft import Choice, Draft, DraftForm, Question, slug
from alsmodel.cohort.propose.times import is_origin
from alsmodel.cohort.propose.words import put_death, put_unit, put_words, put_yes_no
from alsmodel.cohort.schema_files import load_vocabulary
from alsmodel.cohort.tables import ONSET_SITES

_WHEN = r"at_?(?:baseline|entry|enrol\w*|screen\w*|inclusion|consent|random\w*|visit_?1?|first_?visit)"
_AGE = re.compile(rf"^age(?:_?(?:years?|yrs?|y|{_WHEN}))?$|^baseline_age$|^ageyrs?$")
_AGE_OTHER = re.compile(r"^age_?at_?(onset|diagnosis)$|^(onset|diagnosis)_?age$")
_BIRTH = re.compile(r"birth|^dob$|_dob$|^dob_|brthd")
_ARM = re.compile(
    r"^(?:arm|treatment|trt|trt01p|trt01a|treatment_arm|study_arm|treatment_group|study_group|allocation|actarm|regimen"
    r"|randomi[sz]ed_(?:to|arm|group))$"
)
_SITE = re.compile(r"^(?:site|centre|center|siteid|site_id|centre_id|center_id|hospital|redcap_data_access_group)$")
_PHENOTYPE = re.compile(r"phenotype|^diagnosis$|^(?:als|mnd)_(?:type|subtype)$|^diagnosis_type$|^dx$")
_FAMILY = re.compile(r"^(?:familial|(?:family_?(?:history|hx|als)|fam_?hx|fhx|fh)(?:_als)?|familial_als|als_family_history)$")
_TIME_OF = r"date|dt$|dtc$|_dat|dat$|day|delta|time|month|year|week"
_FLAG_OF_SITE = (
    ("limbandbulbar", "onset_limb_and_bulbar"),
    *((part, f"onset_{part}") for part in ("bulbar", "limb")),
    *(("spin", "onset_spine"), ("resp", "onset_respiratory"), ("other", "onset_other")),
)
_CHECKBOX = re.compile(r"^(.+?)___(.+)$")
_EVENTS = (
    (r"trach", "tracheostomy", "tracheostomy, date as recorded"),
    (r"peg|gastrost", "gastrostomy", "gastrostomy, date as recorded"),
    (r"niv|bipap|noninvasive", "niv", "start of non-invasive ventilation, date as recorded"),
)


def add_facts(draft: Draft, sheet: Sheet) -> None:
    """Add the forms of facts that a sheet holds."""
    _add_baseline(draft, sheet)
    _add_history(draft, sheet)
    _add_el_escorial(draft, sheet)
    _add_death(draft, sheet)
    _add_drugs(draft, sheet)
    _add_events(draft, sheet)


_Put = Callable[[Draft, DraftForm, Column], None]


def _add_baseline(draft: Draft, sheet: Sheet) -> None:
    """Put facts of baseline into as few forms as have one row per participant: facts of different rows would conflict."""
    forms: list[tuple[DraftForm, list[Column]]] = []
    for column in draft.free(sheet):
        put = _baseline_fact(draft, sheet, column)
        if put is None:
            continue
        if not sheet.is_fact(column):
            draft.leave(sheet, column, "it changes from row to row of a participant, so it is no fact of baseline")
            continue
        fitting = next((pair for pair in forms if sheet.is_fact(*pair[1], column)), None)
        if fitting is None:
            fitting = draft.form("participants", sheet), []
            forms.append(fitting)
        fitting[1].append(column)
        put(draft, fitting[0], column)


def _baseline_fact(draft: Draft, sheet: Sheet, column: Column) -> _Put | None:
    """Return how the column is put into a form of kind participants, None when it is no such fact."""
    taken = {target for form in draft.forms if form.sheet is sheet and form.kind == "participants" for target in form.targets()}

    def as_it_is(target: str, comment: str = "") -> _Put | None:
        return None if target in taken else lambda draft, form, column: form.put(column, target, comment)

    def yes_no(target: str) -> _Put | None:
        return None if target in taken else lambda draft, form, column: put_yes_no(draft, form, column, target)

    key, few = column.key, bool(column.levels)
    if column.words & {"sex", "gender"} and few and "sex" not in taken:
        return lambda draft, form, column: put_words(draft, form, column, "sex", "sex", ("female", "male"))
    if _AGE.search(key) and column.lies_within(10, 110):
        return as_it_is("age", "in years")
    other = _AGE_OTHER.search(key)
    if other and column.lies_within(5, 110):
        return as_it_is(f"covariate:age_at_{other[1] or other[2]}", "in years")
    if _BIRTH.search(key) and not re.search("weight|place|country", key) and (column.is_time):
        return as_it_is("birth_day", "it is used for the age, and not kept")
    if is_origin(column, sheet):
        return as_it_is("origin_day") or as_it_is("entry_day")
    if _ARM.search(key) and few:
        return as_it_is("arm")
    if _SITE.search(key):
        return as_it_is("site")
    if _PHENOTYPE.search(key) and few and not column.is_time:
        return as_it_is("phenotype", "kept in the words of the source")
    if _FAMILY.search(key) and few:
        return yes_no("family_history")
    if key in ("ftd", "has_ftd", "ftd_diagnosis") and few:
        return yes_no("ftd")
    if column.words & {"height", "ht"} and "unit" not in key and column.lies_within(40, 250):
        return None if "height" in taken else _put_height
    return None


def _put_height(draft: Draft, form: DraftForm, column: Column) -> None:
    form.put(column, "height")
    beside = next((c for c in draft.free(form.sheet) if re.search(r"^(?:height|ht).*unit", c.key)), None)
    named = "cm" if "cm" in column.words or column.lies_within(110, 250) else "in" if column.words & {"in", "inch", "inches"} else None
    put_unit(draft, form, "height", beside, named, {"cm": "centimetres", "in": "inches"})


def _add_history(draft: Draft, sheet: Sheet) -> None:
    form: DraftForm | None = None

    def the_form() -> DraftForm:
        nonlocal form
        form = form or draft.form("history", sheet)
        return form

    for column in draft.free(sheet):
        taken = form.targets() if form else set()
        of_time = bool(re.search(_TIME_OF, column.key)) and column.is_time
        target = None
        if re.search(r"onset|first_symptom|symptom_(?:date|start)", column.key) and of_time:
            target = "onset_day"
        elif re.search(r"diag|(?:^|_)dx(?:_|$)", column.key) and of_time:
            target = "diagnosis_day"
        if target and re.search(r"duration|since|interval|delay", column.key):
            draft.leave(sheet, column, "a duration, which says no day by itself: give the day, negative before day 0")
        elif target and not column.is_date and column.filled and float(column.numbers.median() or 0) > 0:  # type: ignore[arg-type]
            why = f"it counts forward, while {target} is negative before day 0: change its sign if it is days before day 0"
            draft.leave(sheet, column, why)
        elif target and target not in taken:
            the_form().put(column, target)
        elif "onset" in column.words or re.search(r"site_?of_?onset|onset_?site|onsetsite|onset_?region", column.key):
            _put_site(draft, sheet, column, the_form, taken)


def _put_site(draft: Draft, sheet: Sheet, column: Column, the_form: Callable[[], DraftForm], taken: set[str]) -> None:
    """Map the site of onset: words, or a mark in one of several columns whose meaning is asked for when the name hides it."""
    checkbox = _CHECKBOX.match(column.name)
    marks = set(column.levels) <= {"0", "1", "yes", "no", "y", "n", "true", "false", "x", "checked", "unchecked"}
    named = next((target for word, target in _FLAG_OF_SITE if word in column.flat), None)
    if marks and named and named not in taken:
        the_form().put(column, named)
    elif checkbox and marks and not named:
        _ask_checkbox(draft, sheet, column, the_form())
    elif column.levels and not marks and "onset_site" not in taken and not column.is_date:
        put_words(draft, the_form(), column, "onset_site", "onset_site", ONSET_SITES)
    elif column.filled and marks and checkbox is None and not named:
        draft.leave(sheet, column, "a mark of the site of onset that names no site")


def _ask_checkbox(draft: Draft, sheet: Sheet, column: Column, form: DraftForm) -> None:
    sites = {site: f"onset_{site.replace(' ', '_')}" for site in ONSET_SITES}
    ask = (f"{column.name} is a checkbox of REDCap, whose label is in the data dictionary. Which site of onset does it stand for?",)
    meanings = dict.fromkeys(sites, "") | {"none": "another question, or no site of onset"}
    question = draft.ask(Question(slug(column.name), ask, meanings))
    form.put(column, Choice(question, sites | {"none": ""}))


def _add_el_escorial(draft: Draft, sheet: Sheet) -> None:
    for column in draft.free(sheet):
        if re.search(r"escorial|airlie|^eec$|elescr", column.flat) and column.levels and not column.is_time:
            form = draft.form("el_escorial", sheet)
            categories = ("definite", "probable", "probable laboratory supported", "possible", "suspected")
            put_words(draft, form, column, "el_escorial", "el_escorial", categories)
            return


def _add_death(draft: Draft, sheet: Sheet) -> None:
    about = [c for c in draft.free(sheet) if re.search(r"death|died|deceas|^dth|dead|vital_?status|survival_?status|alive", c.key)]
    about = [column for column in about if not re.search(r"cause|comment|place|reason|autops", column.key)]
    days = [column for column in about if column.is_time and re.search(_TIME_OF, column.key) and not _is_marks(column)]
    flags = [column for column in about if column not in days and column.levels]
    if flags:
        form = draft.form("death", sheet)
        put_death(draft, form, flags[0])
        if days:
            form.put(days[0], "day")
    elif days:
        form = draft.form("event", sheet, "death")
        form.settings |= {"event": "death", "definition": DEATH.tag}
        form.put(days[0], "day")
        unknown = "a participant without a day is not known to be alive"
        draft.notes.append(f"{days[0].name} gives days of death and nothing says who was alive: {unknown}.")


def _is_marks(column: Column) -> bool:
    return bool(column.levels) and set(column.levels) <= {"0", "1", "2", "9"}


def _add_drugs(draft: Draft, sheet: Sheet) -> None:
    for drug, names in load_vocabulary()["drugs"].items():
        about = [column for column in draft.free(sheet) if any(name in column.flat for name in names)]
        taken = [column for column in about if column.levels and not column.is_date and not re.search(_TIME_OF + "|dose", column.key)]
        if not taken or not sheet.is_fact(taken[0]):
            continue
        form = draft.form("drug_use", sheet, slug(drug))
        form.settings["drug"] = drug
        put_yes_no(draft, form, taken[0], "taken")
        if "taken" not in form.targets():
            draft.forms.remove(form)
            continue
        starts = [
            column for column in about if column.is_time and re.search(_TIME_OF, column.key) and not re.search("stop|end", column.key)
        ]
        if starts:
            form.put(starts[0], "start_day")


def _add_events(draft: Draft, sheet: Sheet) -> None:
    for pattern, event, definition in _EVENTS:
        days: Sequence[Column] = [
            column
            for column in draft.free(sheet)
            if re.search(pattern, column.key) and column.is_date and not re.search("stop|end|remov|decid|discuss|refus", column.key)
        ]
        if days:
            form = draft.form("event", sheet, event)
            form.settings |= {"event": event, "definition": definition}
            form.put(days[0], "day")
