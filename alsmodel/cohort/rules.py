"""Every rule by which a reader treats a row, in one table: identity, severity, action, meaning.

Severity says who has to look: an ``error`` loses or contradicts information, a ``warning`` has one
obvious reading, a ``note`` is for the record. ``strict`` reading refuses data with an error.
Action says what becomes of the **row**: ``kept``, ``repaired`` (used, after a change that is stated),
``rejected`` (not used), ``set aside`` (the canonical tables have no place for it).
"""

from dataclasses import dataclass
from typing import Literal, final

import polars as pl

Severity = Literal["error", "warning", "note"]
Action = Literal["kept", "repaired", "rejected", "set aside"]


@final
@dataclass(frozen=True)
class Rule:
    """One named rule.

    Attributes
    ----------
    id : str
        As in the ``rule`` column of the issue table.
    severity : {"error", "warning", "note"}
    action : {"kept", "repaired", "rejected", "set aside"}
    meaning : str
        What was met and what was done about it; the default detail of an issue.
    """

    id: str
    severity: Severity
    action: Action
    meaning: str


_ANY_TABLE = (
    Rule("encoding_cp1252", "note", "repaired", "the file is cp1252, not UTF-8; it was read as cp1252"),
    Rule("file_absent", "note", "kept", "the folder has no such table; nothing is known from it"),
    Rule("file_unknown", "note", "set aside", "no table of this source has this name; the file was not read"),
    Rule("column_unknown", "note", "set aside", "the column is not known for this table"),
    Rule("column_set_aside", "note", "set aside", "the canonical tables have no place for this column"),
    Rule("row_set_aside", "note", "set aside", "rows for which the canonical tables have no place"),
    Rule("blank_row", "note", "rejected", "the line is blank in every column that is read"),
    Rule("row_shape", "error", "rejected", "the row has more or fewer cells than the header"),
    Rule("participant_missing", "error", "rejected", "the row names no participant"),
    Rule("day_missing", "error", "rejected", "the row has no day"),
    Rule("day_not_a_number", "error", "rejected", "text where a day is expected"),
    Rule("day_out_of_range", "error", "rejected", "the day is more than 100 years from the time origin"),
    Rule("duplicate_row", "warning", "rejected", "a copy of an earlier row in every column that is read"),
    Rule(
        "conflicting_row",
        "error",
        "rejected",
        "another row of this participant and day differs; the fuller one, then the first, was used",
    ),
    Rule("nothing_recorded", "warning", "rejected", "no usable value in the row"),
    Rule("not_a_number", "error", "repaired", "text where a number is expected; the cell counts as missing"),
    Rule("value_implausible", "error", "repaired", "outside the plausible range; the cell counts as missing"),
    Rule("unknown_word", "error", "repaired", "not one of the known words; the cell counts as missing"),
)

_SCORES = (
    Rule("score_text", "error", "repaired", "text where a score is expected; item and total count as missing"),
    Rule("score_out_of_range", "error", "repaired", "score outside 0 to 4; item and total count as missing"),
    Rule("score_not_integer", "error", "repaired", "score is no whole number; item and total count as missing"),
    Rule("item_5_both_equal", "note", "repaired", "5a and 5b both filled and equal; read as 5b, gastrostomy"),
    Rule("item_5_both_differ", "error", "repaired", "5a and 5b both filled and different; item 5 counts as missing"),
    Rule("total_out_of_range", "error", "repaired", "stored total impossible; the sum of the items is used, if any"),
    Rule("total_differs", "warning", "repaired", "stored total is not the sum of the items; the sum is used"),
    Rule("implausible_jump", "warning", "kept", "a change since the assessment before that is hardly the disease; kept as scored"),
    Rule("ten_item_scale", "note", "kept", "rows of the ten-item ALSFRS: total on 40, never rescaled"),
)

_PARTICIPANTS = (
    Rule("onset_after_baseline", "error", "repaired", "onset lies after the baseline; the day counts as unknown"),
    Rule("onset_after_diagnosis", "error", "kept", "onset lies after diagnosis; both days kept as recorded"),
    Rule("history_conflict", "error", "rejected", "rows of one participant differ; the earliest onset was used"),
    Rule("onset_site_conflict", "warning", "repaired", "text and flags of the onset site differ; the text was used"),
    Rule("age_from_birth", "note", "repaired", "age computed from the birth day, in years of 365.25 days"),
    Rule("participant_without_assessments", "warning", "kept", "participant has no assessment"),
    Rule("participant_not_in_demographics", "warning", "kept", "participant is not in the demographics table"),
    Rule("participant_without_follow_up", "error", "kept", "participant has measurements but no follow-up row"),
)

_EVENTS = (
    Rule("death_day_missing", "warning", "kept", "died on an unknown day; never read as alive"),
    Rule("death_before_last_visit", "error", "repaired", "day of death before the last visit; it counts as unknown"),
    Rule("death_conflict", "error", "rejected", "death rows differ; death over none, then the first day, was used"),
    Rule("event_missing", "error", "repaired", "not said whether the event happened; it counts as unknown"),
    Rule("event_time_missing", "error", "repaired", "no follow-up time; it counts as unknown"),
    Rule("event_time_not_a_number", "error", "repaired", "text as follow-up time; it counts as unknown"),
    Rule("event_time_not_positive", "error", "repaired", "follow-up time not above zero; it counts as unknown"),
    Rule("survival_conflict", "error", "kept", "survival columns differ between rows; the first row was used"),
    Rule("measurement_after_event", "warning", "kept", "measured after the follow-up time; kept as recorded"),
    Rule(
        "free_until_not_a_number", "error", "repaired", "text as the last time known free of the event; only time zero counts as free of it"
    ),
    Rule("free_until_before_entry", "error", "repaired", "last known free of the event before time zero; time zero counts as free of it"),
    Rule(
        "free_until_after_event",
        "error",
        "repaired",
        "last known free of the event after it had happened; only time zero counts as free of it",
    ),
    Rule("free_until_without_event", "warning", "repaired", "a last time known free of an event that did not happen; not used"),
    Rule("measurement_before_event_known", "warning", "kept", "measured between the two days of the event; kept as recorded"),
)

_EXPOSURES = (
    Rule("exposure_conflict", "error", "rejected", "rows of one participant and drug differ; the first was used"),
    Rule("exposure_contradiction", "warning", "kept", "recorded as not taken and as taken; both kept"),
    Rule("stop_sentinel", "note", "repaired", "the stop day is a placeholder; it counts as not stopped or unknown"),
    Rule("exposure_reversed", "error", "repaired", "stop before start; the stop day counts as unknown"),
)

_MEASUREMENTS = (
    Rule("unit_converted", "note", "repaired", "converted to the canonical unit"),
    Rule("unit_unknown", "error", "repaired", "the unit is missing or unknown; the cell counts as missing"),
    Rule("value_from_fallback", "note", "repaired", "taken from the baseline or end-point column of the row"),
    Rule("percent_recomputed", "note", "repaired", "percent of predicted computed from litres and normal litres"),
    Rule("lab_number_repaired", "note", "repaired", "a number with thousands separators"),
    Rule("lab_limit", "warning", "rejected", "the result is a limit (below or above), not a number"),
    Rule("lab_text", "warning", "rejected", "the result is text, not a number"),
    Rule("nfl_not_positive", "error", "rejected", "neurofilament not above zero"),
    Rule("matrix_unknown", "error", "rejected", "specimen unknown; specimens are never pooled"),
)

_FORMS = (
    Rule(
        "cell_error", "warning", "repaired", "the spreadsheet shows an error, such as #N/A, in place of a value; the cell counts as missing"
    ),
    Rule("date_unreadable", "error", "repaired", "no date of a known format; the cell counts as missing"),
    Rule("date_incomplete", "note", "repaired", "a date without day or month; the 15th of the month, or 1 July, was used"),
    Rule("origin_missing", "error", "repaired", "the participant has no time origin; the day counts as missing"),
    Rule("day_unusable", "error", "rejected", "the row has no usable day"),
    Rule("gastrostomy_differs", "warning", "kept", "the gastrostomy and the form of item 5 disagree; the form of the item was used"),
    Rule("item_unknown", "error", "rejected", "the row names no known item of the scale"),
    Rule("capacity_unknown", "error", "rejected", "not said whether forced or slow vital capacity"),
    Rule("sign_incomplete", "error", "rejected", "region, neuron, sign or state is missing"),
    Rule("event_repeated", "note", "kept", "another row of this participant and event; the first day was used"),
    Rule("event_day_missing", "warning", "kept", "happened on an unknown day; never read as not happened"),
    Rule("duration_differs", "warning", "kept", "the stated duration of disease fits the day of onset in no unit; both kept as recorded"),
    Rule("gene_conflict", "warning", "repaired", "results of one gene disagree; the result counts as uncertain"),
    Rule("criteria_disagree", "warning", "kept", "the recorded category is not the one that the signs give; both are kept"),
    Rule("row_count_line", "note", "set aside", "a line in which the source's database counted the rows; it is no row of the table"),
    Rule("feature_missing", "error", "rejected", "the row names no feature"),
    Rule("feature_unknown", "note", "set aside", "rows of a feature that the mapping does not know"),
    Rule("participant_in_two_files", "error", "rejected", "an earlier file of the same kind has this participant; that one was used"),
    Rule("fact_conflict", "warning", "kept", "two forms say different things of the participant; the first form of the mapping was used"),
    Rule("day_differs", "warning", "kept", "study day and date disagree; the study day was used"),
    Rule(
        "study_day_zero", "error", "repaired", "there is no study day 0; the cell counts as missing, and the date is used if there is one"
    ),
    Rule(
        "death_sources_differ", "warning", "kept", "two data sets differ about the death; the participants' data set was used for its day"
    ),
    Rule("repeated_elsewhere", "warning", "rejected", "another data set of the folder has this participant and day; the first was used"),
)

#: Rule id -> rule, in the order in which the documentation lists them.
RULES: dict[str, Rule] = {rule.id: rule for rule in (*_ANY_TABLE, *_SCORES, *_PARTICIPANTS, *_EVENTS, *_EXPOSURES, *_MEASUREMENTS, *_FORMS)}

#: Rule id -> what its reader can do about it, where more can be said than by severity and action.
_TO_DO = {
    "encoding_cp1252": "Save the file as UTF-8 if letters with accents look wrong.",
    "file_absent": "Nothing, if the table was not collected; otherwise put it into the folder.",
    "file_unknown": "Nothing, if it is no table of this source; otherwise give it the name that the source uses.",
    "column_unknown": "Nothing, if the column is not needed; otherwise look for a misspelt name.",
    "column_set_aside": "Nothing: the column was understood, and is not needed.",
    "row_set_aside": "Nothing: the rows were understood, and are not needed.",
    "blank_row": "Nothing.",
    "row_shape": "Look for a delimiter or a quotation mark within a cell of that line.",
    "participant_missing": "Fill in the participant, or remove the row.",
    "day_missing": "Fill in the day; a row without one has no place in time.",
    "day_out_of_range": "Look for a placeholder date, such as 9999-12-30, or a date where a day is expected.",
    "duplicate_row": "Nothing, if the rows were entered twice; otherwise look which column would tell them apart.",
    "conflicting_row": "Find out which of the rows is right, and remove the other.",
    "score_out_of_range": "Correct the score, or leave it empty if it was not asked.",
    "item_5_both_differ": "Keep 5a for participants without gastrostomy and 5b for those with it; empty the other.",
    "total_differs": "Find out whether an item or the total is wrong; the items were used.",
    "onset_after_baseline": "Look at the sign of the day and at the date format.",
    "onset_after_diagnosis": "Find out which of the two days is right.",
    "participant_without_assessments": "Nothing, if none was made; the participant informs no course of the scores.",
    "death_day_missing": "Fill in the day if it is known: without it the death cannot enter a survival model.",
    "death_before_last_visit": "Find out which of the two days is right.",
    "measurement_before_event_known": "If the participant was free of the event then, give that day as the last one known free of it: "
    "as it is, models leave such scores out.",
    "stop_sentinel": "Nothing, if the placeholder means that the drug was not stopped.",
    "unit_unknown": "Fill in the unit, or tell the mapping of the source which one is meant.",
    "date_unreadable": "Write the date as year-month-day, or name its format in the mapping of the source.",
    "date_incomplete": "Fill in the date if it is known exactly.",
    "origin_missing": "Fill in the date that days are counted from; without it no date of the participant has a place in time.",
    "gastrostomy_differs": "Find out whether the participant had a gastrostomy on that day.",
    "item_unknown": "Name the item in the mapping of the source, or leave the row out if it belongs to another scale.",
    "unknown_word": "Correct the word, or tell the mapping of the source what it means.",
}
#: Severity and action -> what to do about any other rule.
_TO_DO_OTHERWISE = {
    ("error", "rejected"): "Correct the row in the source and read it again; until then it is not used.",
    ("error", "repaired"): "Correct the cell in the source and read it again; until then the reading stated above holds.",
    ("error", "kept"): "Find out which of the entries is right and correct the other; both are used as recorded.",
    ("warning", "rejected"): "Look whether these rows may be left out.",
    ("warning", "repaired"): "Look whether the reading stated above is the right one.",
    ("warning", "kept"): "Look whether this is as it should be.",
}


def what_to_do(rule: Rule) -> str:
    """Return one sentence on what the holder of the data can do about issues of `rule`."""
    return _TO_DO.get(rule.id) or _TO_DO_OTHERWISE.get((rule.severity, rule.action), "Nothing; it is for the record.")


def rules_table() -> pl.DataFrame:
    """Return the registry as a table (rule, severity, action, meaning), for documentation and reports."""
    return pl.DataFrame(
        [(r.id, r.severity, r.action, r.meaning) for r in RULES.values()],
        schema=["rule", "severity", "action", "meaning"],
        orient="row",
    )
