"""The page: complete, repeatable, closed to the outside, and silent about single people."""

import os
import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from alsmodel import reports
from alsmodel.reports import Effect, StudyReport, study_report
from alsmodel.reports.page import write

FAKE = Path(__file__).with_name("fake_study.py")
fake = SimpleNamespace(**runpy.run_path(str(FAKE)))
EFFECT = Effect(
    drug="active treatment", mean=0.13, lower=0.03, upper=0.23, p_any=0.993, p_meaningful=0.09, meaningful=0.2
)  # fmt: skip
SECTIONS = [
    *("summary", "question", "who", "progression", "effects", "survival", "model", "computation"),
    *("model-fit", "trial", "limits", "reproduce", "checklist"),
]
VOID = {"meta", "link", "br", "path", "use", "rect"}


class Reader(HTMLParser):
    """Checks that tags close in order; keeps ids, links and headings."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID or self.get_starttag_text().endswith("/>"):
            self.open.append(tag)
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name == "href" and tag == "a":
                self.links.append(str(value))
            if name in ("src", "srcset", "data", "action") or (name == "href" and tag != "a"):
                self.sources.append(str(value))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID and (not self.open or self.open[-1] != tag):
            return
        assert self.open.pop() == tag


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def page() -> str:
    return study_report(StudyReport(**fake.content(), effects=(EFFECT,)))


def test_page_parses_with_unique_ids_and_working_links(page: str) -> None:
    reader = read(page)
    assert len(set(reader.ids)) == len(reader.ids)
    assert {link.removeprefix("#") for link in reader.links} <= set(reader.ids)
    assert reader.headings.count("h1") == 1


def test_all_sections_are_present_and_in_the_contents(page: str) -> None:
    reader = read(page)
    assert [each for each in reader.ids if each in SECTIONS] == SECTIONS
    nav = page[page.index("<nav") : page.index("</nav>")]
    assert re.findall(r'href="#([^"]+)"', nav) == SECTIONS


def test_page_loads_nothing_and_says_so(page: str) -> None:
    assert "default-src 'none'" in page
    # Within-page references and the empty icon only; names of XML spaces are not requests.
    assert all(source.startswith(("#", "data:,")) for source in read(page).sources)
    assert not re.search(r"(?:src|href|action)\s*=\s*[\"']?\s*(?:https?:)?//", page)
    assert not re.search(r"url\((?!#)|@import", page)


def test_page_is_the_same_bytes_again_in_another_process(page: str, tmp_path: Path) -> None:
    script = (
        "import runpy, sys; from alsmodel.reports import *; f = runpy.run_path(sys.argv[1]);"
        "e = Effect(drug='active treatment', mean=0.13, lower=0.03, upper=0.23, p_any=0.993, p_meaningful=0.09, meaningful=0.2);"
        "from pathlib import Path; write(study_report(StudyReport(**f['content'](), effects=(e,))), Path(sys.argv[2]))"
    )
    target = tmp_path / "report.html"
    other = os.environ | {"PYTHONHASHSEED": "77"}
    subprocess.run([sys.executable, "-c", script, str(FAKE), str(target)], check=True, env=other)
    assert target.read_bytes() == page.encode()


def test_no_participant_is_named(page: str) -> None:
    cohort = fake.cohort()
    assert cohort.participants["participant_id"][0] == "SECRET-ID-0001"
    assert not any(each in page for each in cohort.participants["participant_id"].to_list())


def test_every_figure_has_the_numbers_behind_it(page: str) -> None:
    figures = page.count("<figure ")
    assert figures >= 9
    assert len(re.findall(r"<summary>Numbers behind figure \d+</summary>", page)) == figures


def test_failed_check_changes_the_top(page: str) -> None:
    failed = study_report(StudyReport(**fake.content(bad=True), effects=(EFFECT,)))
    top, good_top = (text[text.index("<main>") : text.index('<div class="answer">')] for text in (failed, page))
    assert "✗ provisional" in top
    assert "1.043 for R-hat, limit 1.01" in top
    assert "provisional" not in good_top
    assert "✗ needs attention" in failed
    assert "✓ all checks pass" in page


def test_every_parameter_has_its_diagnostics(page: str) -> None:
    section = page[page.index('<section id="computation"') : page.index('<section id="model-fit"')]
    for label in fake.summary()["label"]:
        assert f'<th scope="row">{label}</th>' in section


def test_uninformed_parameters_are_named_as_such(page: str) -> None:
    row = page[page.index("Riluzole, log slope ratio</th>") :]
    assert "not informed by these data" in row[: row.index("</tr>")]
    assert ">association<" in page


def test_what_was_not_run_is_said_and_left_out() -> None:
    bare = study_report(StudyReport(title="Power only", question="How many?", operating_characteristics=fake.power_table()))
    ids = read(bare).ids
    assert "trial" in ids
    assert "survival" not in ids
    missing = bare[bare.index('<section id="not-run"') :]
    for text in ("No Bayesian model was fitted.", "Nothing was sampled", "No cohort was described", "were not run."):
        assert text in missing
    assert "nothing sampled" in bare


def test_an_empty_study_still_gives_a_page() -> None:
    read(study_report(StudyReport(title="Nothing", question="")))


def test_texts_are_escaped() -> None:
    html = study_report(StudyReport(title="<script>alert(1)</script>", question="a & b", findings=("x < y",)))
    assert "<script>alert" not in html
    assert "a &amp; b" in html
    read(html)


def test_synthetic_data_are_announced_first(page: str) -> None:
    assert page.index("Synthetic data.") < page.index("<h1")
    assert "Synthetic data." not in study_report(StudyReport(title="Real", question=""))


def test_checklist_links_only_to_what_is_there() -> None:
    html = study_report(StudyReport(title="t", question="q", limits=("one",)))
    checklist = html[html.index('<section id="checklist"') :]
    assert 'href="#limits"' in checklist
    assert "not in this report" in checklist
    assert 'href="#survival"' not in checklist


def test_write_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "run" / "report.html"
    write("<p>one</p>", target)
    write("<p>two é</p>", target)
    assert target.read_text(encoding="utf-8") == "<p>two é</p>"
    assert [each.name for each in target.parent.iterdir()] == ["report.html"]


def test_kaplan_meier_is_that_of_the_same_grouping() -> None:
    from alsmodel.reports.sections import _same_groups

    observed = pl.DataFrame({"by": ["all", "onset_site", "phenotype"], "group": ["all", "bulbar", "bulbar"], "at_risk": [3, 1, 2]})
    posterior = pl.DataFrame({"group": ["bulbar", "limb"]})
    chosen = _same_groups(StudyReport(title="", question="", grouped_by="onset site"), posterior, observed)
    assert chosen["at_risk"].to_list() == [1]
    everybody = _same_groups(StudyReport(title="", question="", grouped_by="everybody"), pl.DataFrame({"group": ["everybody"]}), observed)
    assert everybody.rows() == [("all", "everybody", 3)]


def test_simulation_report_needs_only_the_operating_characteristics() -> None:
    happened = {"scenario": "slower", "event": "rescue", "strategy": "hypothetical", "arm": [0, 1], "mean_number": [12.34, 6.0]}
    happened |= {"share": [0.1234, 0.06], "share_mcse": [0.004, 0.003]}
    more = {"family": pl.DataFrame(), "by_look": None, "intercurrent": pl.DataFrame(happened), "provenance": {"seed": 7}}
    html = reports.simulation(SimpleNamespace(table=fake.power_table(), **more), title="Power", trial_words=("Two arms.",))
    assert "Two arms." in html
    assert "Operating characteristics." in html
    table = html[html.index("Intercurrent events.") :]
    assert all(text in table for text in ("rescue", "hypothetical", "Control", "Arm 1", "12.3% (0.4)", ">6.0<"))


def test_undefined_diagnostics_are_dashes_and_never_the_worst() -> None:
    fields = fake.content()
    summary = fields["summary"]
    gone = pl.col("parameter") == "slope"
    fields["summary"] = summary.with_columns(
        r_hat=pl.when(gone).then(float("nan")).otherwise("r_hat"), ess_bulk=pl.when(gone).then(None).otherwise("ess_bulk")
    )
    html = study_report(StudyReport(**fields))
    row = html[html.index('<section id="computation"') :]
    row = row[row.index('<th scope="row">Mean slope</th>') :]
    assert row[: row.index("</tr>")].count(">–<") == 2
    assert ">nan<" not in html
