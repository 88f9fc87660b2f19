"""The page about a reading: its numbers are those of the tables, it stays small, loads nothing and shows nobody."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import polars as pl
import pytest

from alsmodel import plots
from alsmodel.cohort import Cohort
from alsmodel.cohort.rules import RULES
from alsmodel.reports.validation import MOST_PLACES, validation_page

PERSON, CELL = "SECRETPERSON", "<script>SECRETCELL</script>"
VOID = {"meta", "link", "br", "path", "use", "rect"}


class Reader(HTMLParser):
    """Checks that tags close in order; keeps ids, links, what would be loaded, and the text of table cells."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID or self.get_starttag_text().endswith("/>"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        found = dict(attrs)
        if "id" in found:
            self.ids.append(str(found["id"]))
        if "href" in found:
            (self.links if tag == "a" else self.sources).append(str(found["href"]))
        self.sources += [str(found[name]) for name in ("src", "srcset", "data", "action") if name in found]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID and (not self.open or self.open[-1] != tag):
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def issue(rule: str, **more: object) -> dict[str, object]:
    spec = RULES[rule]
    base = {"severity": spec.severity, "rule": rule, "file": "a.csv", "action": spec.action, "detail": spec.meaning}
    return {**base, "row": None, "column": None, "participant_id": None, "value": None, **more}


def cohort_of(issues: list[dict[str, object]]) -> Cohort:
    people = pl.DataFrame({"participant_id": [f"{PERSON}{i}" for i in range(4)], "exclusion": [None, "Kennedy disease", None, None]})
    scored = pl.DataFrame({"participant_id": people["participant_id"][:3], "day": 0.0, "name": "a", "value": 1.0})
    flow = [
        {"file": "a.csv", "read": 20000, "kept": 19990, "repaired": 7, "rejected": 2, "set_aside": 1},
        {"file": "b<i>.csv", "read": 0, "kept": 0, "repaired": 0, "rejected": 0, "set_aside": 0},
    ]
    schema = {"row": pl.Int64, "column": pl.String, "participant_id": pl.String, "value": pl.String}
    found = {"issues": pl.DataFrame(issues, schema_overrides=schema)} if issues else {}
    provenance = {"format": "made by hand", "files": [{"name": "a.csv", "sha256": "ab" * 32}], "alsmodel": "0"}
    return Cohort.of(participants=people, measurements=scored, flow=pl.DataFrame(flow), provenance=provenance, **found)


ISSUES = [
    issue("not_a_number", row=7, column="x", participant_id=f"{PERSON}0", value=CELL),
    issue("not_a_number", row=5, column="x", participant_id=f"{PERSON}1", value="SECRETCELL2"),
    issue("participant_missing", row=9, column="id"),
    issue("total_differs", row=5, column="total", participant_id=f"{PERSON}0"),
    issue("column_unknown", column="=cmd()"),
    issue("file_unknown", file="b<i>.csv"),
]


def page_of(cohort: Cohort, **options: bool) -> str:
    return validation_page(cohort, source="folder & <b>", layout="proact", key_words="Words on the key.", **options)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(cohort_of(ISSUES))


def test_page_parses_with_unique_ids_and_links_within_or_to_its_files(page: str) -> None:
    reader = read(page)
    assert len(set(reader.ids)) == len(reader.ids)
    inside = {link.removeprefix("#") for link in reader.links if link.startswith("#")}
    assert inside <= set(reader.ids)
    assert {link for link in reader.links if not link.startswith("#")} == {"issues.csv", "issues.parquet", "flow.csv"}


def test_page_loads_nothing(page: str) -> None:
    assert "default-src 'none'" in page
    assert all(source.startswith(("#", "data:,")) for source in read(page).sources)
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", page)


def test_page_shows_no_participant_and_no_cell(page: str) -> None:
    assert PERSON not in page
    assert "SECRETCELL" not in page
    assert "holds no participant" in page


def test_cells_are_shown_on_request_as_text_and_the_page_says_so() -> None:
    page = page_of(cohort_of(ISSUES), with_values=True)
    assert "&lt;script&gt;SECRETCELL&lt;/script&gt; · SECRETCELL2" in page
    assert "<script>SECRET" not in page
    assert PERSON not in page
    assert "Shows cells of participants." in page
    assert "holds no participant" not in page


def test_numbers_of_the_page_are_those_of_the_tables(page: str) -> None:
    rows = read(page).rows
    assert ["a.csv", "20,000", "19,990", "7", "2", "1"] in rows
    assert ["all files", "20,000", "19,990", "7", "2", "1"] in rows
    assert ["a.csv", ">99%", "<1%", "<1%", "<1%"] in rows
    assert ["b<i>.csv", "–", "–", "–", "–"] in rows
    assert ["a.csv", "x", "5, 7", "2", "2"] in rows
    assert ["named in the source", "–", "4", "0", "2"] in rows
    assert ["not set apart by the source", "Kennedy disease", "3", "1", "1"] in rows
    assert ["can be analysed", "no assessment and no measurement", "2", "1", "1"] in rows
    assert "2 of the 4 participants named in the source can be analysed, 1 of them with a repaired row." in page
    assert "19,990 were kept as they are, 7 repaired, 2 rejected and 1 set aside." in page


def test_errors_stand_first_and_change_the_top(page: str) -> None:
    assert [f"{rule}" in page for rule in ("not_a_number", "total_differs", "column_unknown")] == [True] * 3
    assert page.index("</span> not_a_number") < page.index("</span> participant_missing") < page.index("</span> total_differs")
    assert page.index("</span> total_differs") < page.index("<summary>Notes") < page.index("</span> column_unknown")
    top = page[page.index("<main>") : page.index('<div class="answer">')]
    assert "2 kinds of error need a look" in top
    good = page_of(cohort_of(ISSUES[3:]))
    assert "no errors" in good[: good.index('<div class="answer">')]
    assert "None was met." in page_of(cohort_of([]))


def test_a_hundred_thousand_issues_stay_one_small_page() -> None:
    rows = [issue("not_a_number", row=i, column=f"c{i % 300}", participant_id=f"{PERSON}{i % 4}") for i in range(2, 100_002)]
    page = page_of(cohort_of(rows))
    assert "100,000 issues" in page
    assert f"And {300 - MOST_PLACES} more places, in issues.csv." in page
    assert len(page) < 150_000


def test_page_is_the_same_again(page: str) -> None:
    assert page_of(cohort_of(ISSUES)) == page


def test_a_rule_of_another_version_is_shown_with_what_is_known_of_it() -> None:
    page = page_of(cohort_of([{**issue("not_a_number"), "rule": "rule_of_the_future", "detail": "what it met"}]))
    assert "rule_of_the_future" in page
    assert "What it met." in page


def test_nothing_read_is_a_page_too() -> None:
    page = page_of(Cohort.of())
    read(page)
    assert "Every one of the 0 rows read" in page
    assert "No file was read." in page


FLOW = pl.DataFrame(
    [
        ("read", 12_345, 0, None, 20),
        ("sound", 12_000, 300, "first reason", 19),
        ("sound", 12_000, 45, "second", 18),
        ("end", 12_000, 0, None, 0),
    ],
    ["step", "n", "excluded", "reason", "repaired"],
    orient="row",
)


def test_flow_diagram_has_one_box_per_step_and_every_reason() -> None:
    svg = plots.participant_flow(FLOW)
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert [text for text in texts if text.startswith("n = ")] == ["n = 12,345", "n = 12,000", "n = 12,000"]
    assert "300 left out: first reason" in texts
    assert "45 left out: second" in texts
    assert "18 of them with a repaired row" in texts
    assert sum("repaired" in text for text in texts) == 2
    described = re.search(r"<desc[^>]*>(.*?)</desc>", svg)
    assert described is not None
    assert "Sound: 12,000 participants (18 of them with a repaired row); 300 left out: first reason; 45 left out" in described[1]


def test_flow_diagram_needs_no_count_of_repaired_rows() -> None:
    assert "repaired" not in plots.participant_flow(FLOW.drop("repaired"))


def test_bars_of_rows_fill_their_file() -> None:
    flow = pl.DataFrame({"file": ["a", "b"], "read": [10, 0], "kept": [4, 0], "repaired": [3, 0], "rejected": [2, 0], "set_aside": [1, 0]})
    svg = plots.row_fates(flow)
    assert "10 rows · 4 kept · 3 repaired · 2 rejected · 1 set aside" in svg
    paths = re.findall(r'<path d="([^"]+)"[^>]*style="fill: var\(--c\d\)', svg)
    assert paths
    root = ET.fromstring(svg)
    assert root.attrib["role"] == "img"
    # Each bar is drawn as M left,bottom L right,bottom L right,top ...: the parts follow each other without gap.
    spans = []
    for path in paths:
        xs = [float(number) for number in re.findall(r"[ML] ?(-?[\d.]+) ", path)]
        spans.append((min(xs), max(xs)))
    bars = [span for span in spans if span[1] - span[0] > 12]
    widths = [round(right - left, 1) for left, right in bars[:4]]
    assert [round(width / sum(widths), 2) for width in widths] == [0.4, 0.3, 0.2, 0.1]
    assert all(abs(bars[i][1] - bars[i + 1][0]) < 0.05 for i in range(3))
