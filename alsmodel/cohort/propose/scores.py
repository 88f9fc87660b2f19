"""Finds the columns of ALSFRS-R items and totals, whatever they are called."""

import re
from collections.abc import Mapping, Sequence

import polars as pl

from alsmodel.cohort.cells import finite_series
from alsmodel.cohort.propose.columns import MOSTLY, Column, Sheet
from alsmodel.cohort.propose.draft import Choice, Draft, DraftForm, Question

#: Part of a name without separators -> item. The first that fits counts.
_ENGLISH = (
    (r"orthopn|^ortho(?:ftorres|qsorres)?$", "item_11"),
    (r"insuff|respins", "item_12"),
    (r"dyspn", "item_10"),
    (r"handwrit|hndwrit|writing", "item_4"),
    (r"utenw?o?g?|cutting|cutfood|cut(?:with|wo)|utensil", "item_5"),
    (r"saliv|drool", "item_2"),
    (r"swallow", "item_3"),
    (r"speech|speaking", "item_1"),
    (r"dress|hygien", "item_6"),
    (r"turn(?:ing)?(?:in)?bed|bedcloth|^turning|turning$", "item_7"),
    (r"walk", "item_8"),
    (r"climb|stair", "item_9"),
    (r"respirat|breath", "item_10_original"),
)
_NUMBERED = re.compile(
    r"^(?:.*_)?(alsfrs_?r?|frs_?r?|als_?r?|q|item|question|i|r)(?:_?(?:q|item|question|r))?_?(\d{1,2})_?([abc])?(?:_score)?$"
)
_REVISED = {1: "item_10", 2: "item_11", 3: "item_12"}
_TOTAL = re.compile(r"tot|sum|alsfrst$|^alsfrsr?$|^alsfrsr?score$")
_SCALE = re.compile(r"alsf|frs|^fttotal$|^alstotal$")
#: Fewer recognised items than these are no scale: one "speech" may be anything.
_FEWEST_ITEMS = 4
_MOST_48, _MOST_40 = 48, 40

_TUBE = r"gastros|^peg$|feedingtube|^gastro(?:ftorres|qsorres)?$"


def add_scores(draft: Draft, sheet: Sheet) -> DraftForm | None:
    """Add the form of assessments of a sheet, when it has one; its day is still to be found."""
    items = _items(draft, sheet)
    totals = _totals(sheet, items)
    if len(items) < _FEWEST_ITEMS:
        items = {}
    if not items and not totals:
        return None
    form = draft.form("assessments", sheet)
    fives = [column for target, column in items.items() if target.startswith("item_5")]
    for target, column in items.items():
        if not target.startswith("item_5"):
            form.put(column, target)
    _put_item_5(draft, form, fives)
    _put_totals(draft, form, items, fives, totals)
    _put_manner(draft, form)
    return form


def _items(draft: Draft, sheet: Sheet) -> dict[str, Column]:
    """Return item -> column; both columns of item 5 are told apart by "item_5" and a number that means nothing."""
    named = [column for column in sheet.columns if column is not sheet.participant and column.is_score]
    numbered = _by_number(named)
    found: dict[str, Column] = {}
    for column in named:
        target = _by_english(column) or numbered.get(column.name)
        if target is None:
            continue
        if target == "item_5":
            found[f"item_5/{sum(1 for name in found if name.startswith('item_5'))}"] = column
        elif target in found:
            draft.leave(sheet, column, f"another column is {target} already: {found[target].name}")
        else:
            found[target] = column
    if "item_10_original" in found and "item_10" not in found and {"item_11", "item_12"} <= set(found):
        found["item_10"] = found.pop("item_10_original")
    return found


def _by_english(column: Column) -> str | None:
    if re.search(r"therap|device|aid|date|comment|support|complete", column.key):
        return None
    return next((item for pattern, item in _ENGLISH if re.search(pattern, column.flat)), None)


def _by_number(columns: Sequence[Column]) -> dict[str, str]:
    """Return column -> item for names that end in the item's number, understood family by family."""
    families: dict[str, dict[tuple[int, str], Column]] = {}
    for column in columns:
        match = _NUMBERED.match(column.key)
        if match and 1 <= int(match[2]) <= 12:
            families.setdefault(match[1].replace("_", ""), {})[int(match[2]), match[3] or ""] = column
    result: dict[str, str] = {}
    whole = any(len({number for number, _ in family}) >= 7 for family in families.values())
    for family in families.values():
        numbers = {number for number, _ in family}
        respiratory = whole and numbers <= {1, 2, 3}
        for (number, letter), column in family.items():
            # 5a and 5b are named so by their numbers even where the other items have words.
            if len(numbers) < 7 and not respiratory and not (number == 5 and letter in ("a", "b")):
                continue
            target = _REVISED[number] if respiratory else _numbered_item(number, letter, numbers)
            if target is not None:
                result[column.name] = target
    return result


def _numbered_item(number: int, letter: str, numbers: set[int]) -> str | None:
    if number == 10:
        if letter:
            return _REVISED["abc".index(letter) + 1]
        return "item_10" if {11, 12} <= numbers else "item_10_original"
    if number == 5:
        return "item_5"
    return None if letter else f"item_{number}"


def _put_item_5(draft: Draft, form: DraftForm, fives: Sequence[Column]) -> None:
    """Map item 5: a single column makes no claim about a gastrostomy, two are asked about and never guessed."""
    plain = [column for column in fives if not re.search(r"5_?[ab]|with|wog|wg|gastr|peg", column.flat)]
    told = [column for column in fives if column not in plain]
    if len(fives) == 1:
        form.put(fives[0], "item_5", "one column for item 5, with or without gastrostomy")
        return
    if len(told) != 2:
        if len(fives) == 2:
            told, plain = list(fives), []
        else:
            for column in fives:
                draft.leave(form.sheet, column, "one of several columns for item 5, which could not be told apart: map them by hand")
            return
    first, second = (column.name for column in told)
    counts = " and ".join(f"{column.name} in {_count(column.filled)}" for column in told)
    ask = (
        "Two columns hold item 5, cutting food and handling utensils: 5a for people without a gastrostomy, 5b for people with one.",
        "Names alone do not settle which is which: public files disagree. Which column is 5a, WITHOUT gastrostomy?",
        f"(Filled: {counts} rows. Far more rows without gastrostomy are usual.)",
    )
    name = "item_5a" if "item_5a" not in draft.questions else f"{form.name}_item_5a"
    question = draft.ask(Question(name, ask, {first: f"{second} is then 5b", second: f"{first} is then 5b"}))
    form.put(told[0], Choice(question, {first: "item_5a", second: "item_5b"}))
    form.put(told[1], Choice(question, {first: "item_5b", second: "item_5a"}))
    for column in plain[:1]:
        form.put(column, "item_5", "used where neither 5a nor 5b is filled")


def _count(number: int) -> str:
    return f"{number:,}" if number >= 5 or number == 0 else "fewer than 5"


def _totals(sheet: Sheet, items: Mapping[str, Column]) -> list[Column]:
    taken = {column.name for column in items.values()}
    return [
        column
        for column in sheet.columns
        if column.name not in taken and column.lies_within(0, _MOST_48) and column.numbers.max() is not None
        and float(column.numbers.max()) > 4  # type: ignore[arg-type]
        and _SCALE.search(column.flat) and _TOTAL.search(column.flat)
        and not re.search(r"base|change|slope|delta|date|day|predicted", column.key)
    ]  # fmt: skip


def _put_totals(draft: Draft, form: DraftForm, items: Mapping[str, Column], fives: Sequence[Column], totals: Sequence[Column]) -> None:
    sums = {"total_48": _added(items, fives, revised=True), "total_40": _added(items, fives, revised=False)}
    for column in totals:
        target = _which_total(column, sums)
        free = {"total_48", "total_40"} - form.targets()
        if target is None and len(free) == 2 and len(totals) == 1:
            ask = (f"Is {column.name} the ALSFRS-R total of twelve items (0 to 48), or the ALSFRS total of ten items (0 to 40)?",)
            meanings = {"total_48": "twelve items", "total_40": "ten items"}
            question = draft.ask(Question("total", ask, meanings))
            form.put(column, Choice(question, {"total_48": "total_48", "total_40": "total_40"}))
        elif target in free:
            form.put(column, target)
        else:
            draft.leave(form.sheet, column, "a total that could not be told from another")


def _which_total(column: Column, sums: Mapping[str, pl.Series | None]) -> str | None:
    """Return which total a column is: by its range, then by the sum of the items, then by its name."""
    if float(column.numbers.max()) > _MOST_40:  # type: ignore[arg-type]
        return "total_48"
    stored = finite_series(column.text)
    fits = {}
    for target, added in sums.items():
        if added is not None:
            both = added.is_not_null() & stored.is_not_null()
            fits[target] = int((added == stored).sum()) / both.sum() if both.sum() >= 5 else 0.0
    good = [target for target, fit in fits.items() if fit >= MOSTLY]
    if len(good) == 1:
        return good[0]
    return "total_48" if re.search(r"alsfrs_?r(?:_|$|t)|frs_r|revised", column.key) else None


def _added(items: Mapping[str, Column], fives: Sequence[Column], *, revised: bool) -> pl.Series | None:
    """Return the sum of the items of each row where all are there, None when the items are not."""
    names = [f"item_{i}" for i in range(1, 10) if i != 5]
    names += ["item_10", "item_11", "item_12"] if revised else ["item_10_original"]
    if not fives or not all(name in items for name in names):
        return None
    scores = pl.DataFrame([finite_series(items[name].text).alias(name) for name in names])
    five = pl.DataFrame([finite_series(column.text).alias(f"{i}") for i, column in enumerate(fives)])
    return scores.select(pl.sum_horizontal(pl.all(), ignore_nulls=False)).to_series() + five.select(pl.coalesce(pl.all())).to_series()


def _put_manner(draft: Draft, form: DraftForm) -> None:
    """Map who answered, how, and whether there was a gastrostomy."""
    from alsmodel.cohort.propose.words import put_yes_no

    for column in draft.free(form.sheet):
        if re.search(r"mode_of_adm|admin_mode|^ftadmin$|^alsfrsmd$", column.key) and "mode" not in form.targets():
            form.put(column, "mode")
        elif re.search(r"responded|respondent|^ftresp$|^alsfrsrp$", column.key) and "respondent" not in form.targets():
            form.put(column, "respondent")
        elif re.search(_TUBE, column.flat) and not column.is_date and "gastrostomy" not in form.targets():
            put_yes_no(draft, form, column, "gastrostomy")
