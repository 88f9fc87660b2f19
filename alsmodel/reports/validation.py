"""The page about a reading: what became of every row and every participant, and what to look at, in order of weight."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, final

import polars as pl
from markupsafe import Markup

from alsmodel import plots
from alsmodel.cohort import Cohort
from alsmodel.cohort.accounts import issue_groups, participants_through
from alsmodel.cohort.keys import DIGITS
from alsmodel.cohort.rules import RULES, what_to_do
from alsmodel.cohort.tables import SEVERITIES
from alsmodel.reports import tables
from alsmodel.reports.blocks import Figure, Pairs, Paragraph, Section, Table
from alsmodel.reports.page import environment, figure_numbers, script_hash, template
from alsmodel.reports.words import number, percent, plural

#: Places (file and column) that the page lists per rule; the CSV file has all of them.
MOST_PLACES = 20
_FATES = ("kept", "repaired", "rejected", "set_aside")
_BADGE = {"error": "bad", "warning": "warn", "note": "none"}
_HEADING = {"error": "Errors", "warning": "Warnings", "note": "Notes"}
_REMARK = {
    "error": "Information was lost or contradicts itself.",
    "warning": "One reading was obvious, and was taken.",
    "note": "for the record.",
}
_WORDS = [
    ("kept", "The row is used as it stands."),
    ("repaired", "The row is used after a change that the rule states; often one cell that now counts as missing."),
    ("rejected", "The row is not used."),
    ("set aside", "The row was understood, and the canonical tables have no place for it."),
]
_COLUMNS = "severity, rule, file, row (line in the file, the header being line 1), column, participant_key, action, detail"


@final
@dataclass(frozen=True)
class _Kind:
    """All issues of one rule."""

    id: str
    severity: str
    badge: str
    action: str
    meaning: str
    to_do: str
    counted: str
    places: Table


def validation_page(cohort: Cohort, *, source: str, layout: str, key_words: str, with_values: bool = False) -> str:
    """One HTML page on how `cohort` was read.

    Parameters
    ----------
    cohort : Cohort
    source : str
        Name of what was read, for the title.
    layout : str
        Its format.
    key_words : str
        Sentence on where the key of the participant keys is.
    with_values : bool
        Show the first cells of each kind of issue. Without it the page holds no cell and no identifier.

    Returns
    -------
    str
        A whole HTML document, the same for the same input, that loads nothing from elsewhere.
    """
    groups = issue_groups(cohort.issues, with_values=with_values)
    account = participants_through(cohort.tables)
    kinds = _kinds(groups)
    sections = [_rows(cohort.flow), _participants(account), _issues(kinds), Section("files", "Files", [])]
    script = template("report.js")
    total = cohort.flow.select(pl.col("read", *_FATES).sum()).row(0, named=True)
    return environment().get_template("validation.html.j2").render(
        title=f"Validation of {source}",
        byline=f"{layout} · alsmodel {cohort.provenance.get('alsmodel', '')} · data digest {cohort.digest[:12]}",
        with_values=with_values,
        alert=_alert(kinds["error"]),
        strong=f"Every one of the {number(total['read'])} rows read is accounted for.",
        rest="",
        answer=_answer(total, account),
        strip=_strip(total, account),
        sections=sections,
        kinds=[(_HEADING[s], _said(s, kinds[s]), kinds[s], s == "note") for s in SEVERITIES if kinds[s]],
        written=_written(with_values, key_words),
        sources=_sources(cohort),
        figure_numbers=figure_numbers(sections),
        css=Markup(template("report.css") + template("validation.css")),
        script=Markup(script),
        script_hash=script_hash(script),
        svg=Markup,
    )  # fmt: skip


def _kinds(groups: pl.DataFrame) -> dict[str, list[_Kind]]:
    found: dict[str, list[_Kind]] = {severity: [] for severity in SEVERITIES}
    for (severity, rule), rows in groupby(groups.iter_rows(named=True), key=lambda row: (row["severity"], row["rule"])):
        found[severity].append(_kind(severity, rule, list(rows)))
    return found


def _kind(severity: str, rule: str, rows: Sequence[dict[str, Any]]) -> _Kind:
    known = RULES.get(rule)
    meaning = known.meaning if known else rows[0]["detail"]
    shown: list[tuple[str, list[str]]] = [("File", [row["file"] for row in rows])]
    if any(row["column"] for row in rows):
        shown.append(("Column", [row["column"] or "–" for row in rows]))
    if any(row["rows"] for row in rows):
        shown.append(("First lines", [_lines(row) for row in rows]))
    if any(row["detail"] != meaning for row in rows):
        shown.append(("What", [_detail(row) for row in rows]))
    if any(row.get("cells") for row in rows):
        shown.append(("First cells", [" · ".join(row["cells"]) or "–" for row in rows]))
    words = len(shown)
    shown.append(("Issues", [number(row["issues"]) for row in rows]))
    if any(row["participants"] for row in rows):
        shown.append(("Participants", [number(row["participants"]) for row in rows]))
    cells = list(zip(*(column[:MOST_PLACES] for _, column in shown), strict=True))
    more = len(rows) - len(cells)
    note = f"And {plural(more, 'more place')}, in issues.csv." if more else ""
    action = rows[0]["action"]
    counted = plural(sum(row["issues"] for row in rows), "issue")
    places = Table([head for head, _ in shown], cells, "", note, text_columns=words)
    to_do = what_to_do(known) if known else "The rule is unknown to this version."
    return _Kind(rule, severity, _BADGE[severity], action, _sentence(meaning), to_do, counted, places)


def _lines(row: dict[str, Any]) -> str:
    more = " …" if row["issues"] > len(row["rows"]) > 0 else ""
    return ", ".join(str(line) for line in row["rows"]) + more or "–"


def _detail(row: dict[str, Any]) -> str:
    others = row["details"] - 1
    return str(row["detail"]) + (f" (and {plural(others, 'other kind')})" if others else "")


def _alert(errors: Sequence[_Kind]) -> list[str]:
    """Say what weighs most; nothing where there is no error."""
    if not errors:
        return []
    need = "kinds of error need" if len(errors) > 1 else "kind of error needs"
    lead = f"{len(errors)} {need} a look{'; the most frequent' if len(errors) > 3 else ''}:"
    return [lead, *(f"{kind.counted} · {kind.meaning}" for kind in errors[:3])]


def _answer(total: dict[str, int], account: pl.DataFrame) -> Iterator[str]:
    kept, repaired, rejected, aside = (number(total[fate]) for fate in _FATES)
    yield f"{kept} were kept as they are, {repaired} repaired, {rejected} rejected and {aside} set aside."
    first, last = account.row(0, named=True), account.row(-1, named=True)
    yield (
        f"{number(last['n'])} of the {plural(first['n'], 'participant')} named in the source can be analysed"
        f"{f', {number(last["repaired"])} of them with a repaired row' if last['repaired'] else ''}."
    )


def _strip(total: dict[str, int], account: pl.DataFrame) -> list[tuple[str, str, str]]:
    shown = [("Rows read", number(total["read"]), "in all files")]
    for fate in _FATES:
        shown.append((fate.replace("_", " ").capitalize(), number(total[fate]), f"{_share(total[fate], total['read'])} of rows"))
    return [*shown, ("Participants", number(account["n"][-1]), f"can be analysed, of {number(account['n'][0])}")]


def _rows(flow: pl.DataFrame) -> Section:
    title = "Rows by file"
    if flow.height == 0:
        return Section("rows", title, [Paragraph("No file was read.", tone="quiet")])
    shares = [[row["file"], *(_share(row[fate], row["read"]) for fate in _FATES)] for row in flow.to_dicts()]
    behind = Table(["File", "Kept", "Repaired", "Rejected", "Set aside"], shares)
    legend = "Each bar is all rows of a file; every row ends in exactly one of the four."
    figure = Figure(plots.row_fates(flow, name="rows"), "What became of the rows.", legend, behind)
    whole = flow.select(pl.lit("all files").alias("file"), pl.col("read", *_FATES).sum())
    counts = pl.concat([flow, whole.select(flow.columns)]) if flow.height > 1 else flow
    return Section("rows", title, [figure, tables.file_flow(counts), Pairs(_WORDS)])


def _participants(account: pl.DataFrame) -> Section:
    rows = [[r["step"], r["reason"] or "–", number(r["n"]), number(r["excluded"]), number(r["repaired"])] for r in account.to_dicts()]
    head = ["Step", "Reason", "Left", "Left out", "With a repaired row"]
    note = "Left = left at the step above, less those left out."
    legend = "How many were left after each step, and why the others were left out."
    svg = plots.participant_flow(account, name="flow")
    return Section("participants", "Participants", [Figure(svg, "Flow of participants.", legend, Table(head, rows, "", note, 2))])


def _issues(kinds: dict[str, list[_Kind]]) -> Section:
    if not any(kinds.values()):
        return Section("issues", "Issues", [Paragraph("None was met.")])
    words = "By rule, the weightiest first. Every single issue is a row of issues.csv, whose column rule has the names below."
    return Section("issues", "Issues", [Paragraph(words)])


def _written(with_values: bool, key_words: str) -> list[tuple[str, str]]:
    values = ", value (the cell as it was)" if with_values else "; no cell and no identifier"
    key = f"A participant_key is p and {DIGITS} hexadecimal digits, made from the identifier and a random key. {key_words}"
    return [
        ("issues.csv", f"One row per issue: {_COLUMNS}{values}. {key}"),
        ("issues.parquet", "The same table with its types, for programs."),
        ("flow.csv", "Rows read, kept, repaired, rejected and set aside, by file."),
    ]


def _sources(cohort: Cohort) -> Table:
    files = [[file["name"], file["sha256"][:16] + "…"] for file in cohort.provenance.get("files", [])]
    return Table(["File read", "SHA-256"], files, "What was read.", "The whole digests are in the manifest of the saved cohort.", 2)


def _said(severity: str, kinds: Sequence[_Kind]) -> str:
    if severity == "note":
        return f"{plural(len(kinds), 'kind')}, {_REMARK[severity]}"
    return _REMARK[severity]


def _share(n: int, of: int) -> str:
    """A share that is 0 or 100% only when it is exactly that."""
    if of == 0:
        return "–"
    return "<1%" if 0 < n < 0.01 * of else ">99%" if 0.99 * of < n < of else percent(n / of)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
