"""The command that compares the arms of a real trial."""

from typing import TYPE_CHECKING, Any

from alsmodel.cli.guard import Exit
from alsmodel.cli.options import Json, Quiet, RunOut, StudyFile
from alsmodel.cli.output import Output, plain

if TYPE_CHECKING:
    from alsmodel.trials.compared import Compared

#: Table -> title and the columns that the console shows, with their heads; the files have all of them.
_SHOWN: dict[str, tuple[str, dict[str, str]]] = {
    "steps": ("Participants", {"step": "step", "participants": "participants", "scores": "scores", "reason": "reason"}),
    "arms": (
        "Arms",
        {
            "arm": "arm", "randomised": "randomised", "with_baseline": "baseline", "events": "events", "deaths": "deaths",
            "person_months": "person-months",
        },
    ),
    "visits": (
        "Scores by arm and visit",
        {
            "arm": "arm", "month": "month", "randomised": "randomised", "observed": "observed", "event_before": "event before",
            "follow_up_ended": "ended", "missed": "missed", "deaths_so_far": "deaths so far",
        },
    ),
    "covariates": (
        "Missing baseline values",
        {"column": "column", "arm": "arm", "missing": "missing", "transform": "transform", "missing_becomes": "missing becomes"},
    ),
    "means": ("Means by arm and visit (MMRM)", {"arm": "arm", "month": "month", "estimate": "mean", "interval": "interval"}),
    "differences": (
        "Differences from control (MMRM)",
        {
            "arm": "arm", "month": "month", "estimate": "difference", "interval": "interval",
            "standard_error": "SE", "df": "df", "p_value": "p",
        },
    ),
    "survival": (
        "Without the event (Kaplan-Meier)",
        {
            "arm": "arm", "month": "month", "at_risk": "at risk", "events_so_far": "events so far", "event_free": "share",
            "interval": "interval",
        },
    ),
    "responders": (
        "Responders",
        {
            "active": "active", "fewer_points_lost_than": "fewer points lost than", "month": "month", "responders_active": "active",
            "analysed_active": "of", "responders_control": "control", "analysed_control": "of", "difference": "difference",
            "interval": "interval", "p_value": "p",
        },
    ),
    "subgroups": (
        "Subgroups",
        {
            "subgroup": "subgroup", "level": "level", "analysis": "analysis", "control": "control", "active": "active",
            "estimate": "estimate", "interval": "interval", "p_same_effect": "p same effect", "status": "status",
        },
    ),
    "analyses": (
        "Analyses",
        {
            "analysis": "analysis", "active": "active", "measure": "measure", "estimate": "estimate", "interval": "interval",
            "standard_error": "SE", "df": "df", "p_value": "p", "ratio": "ratio", "status": "status",
        },
    ),
}  # fmt: skip


def analyse(study: StudyFile, out: RunOut = None, as_json: Json = False, quiet: Quiet = False) -> Exit:
    """Compare the arms of a real trial by the analyses that the study's section "analyse" names; save the tables."""
    output = Output(as_json=as_json, quiet=quiet)
    from alsmodel.study import analyse as analyse_study

    done = analyse_study(study, out, progress=output)
    manifest, results = done.manifest, done.results
    estimand = manifest["estimand"]
    output.say(f"{manifest['title']}")
    output.say(f"Population: {estimand['population']}. Variable: {estimand['variable']}. Summary: {estimand['summary']}.")
    for each in estimand["intercurrent_events"]:
        output.say(f"{each['event']}: {each['strategy']}")
    for name in _SHOWN:
        _show(name, results, output)
    for name, words in manifest["at_death"].items():
        output.say(f"At death, {name}: {words}.")
    for sentence in results.failed:
        output.say(f"no result: {sentence}")
    if not results.small_cells:
        output.say("Counts of 1 to 4 people are shown as <5; report.small_cells = true shows them.")
    output.say(f"Tables: {done.folder}")
    tables = {name: [plain(row) for row in frame.iter_rows(named=True)] for name, frame in results.tables.items()}
    output.result(folder=str(done.folder), manifest=plain(manifest), **tables)
    return Exit.CHECK_FAILED if results.failed else Exit.DONE


def _show(name: str, results: "Compared", output: Output) -> None:
    title, heads = _SHOWN[name]
    frame = results.shown(name)
    if frame.height:
        rows = [[_value(row, column) for column in heads] for row in frame.iter_rows(named=True)]
        output.table(title, list(heads.values()), rows)


def _value(row: dict[str, Any], column: str) -> object:
    if column == "interval":
        low, high = row["lower"], row["upper"]
        return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    if column == "p_value" and row["p_value"] is not None and row["p_value"] < 0.001:
        return "<0.001"
    if column == "df" and row["df"] == float("inf"):
        return "normal"
    return row[column]
