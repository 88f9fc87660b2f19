"""The pages in a real browser: no console message, no sideways scrolling on a telephone, a working light and dark switch."""

import html
import json
import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest

from alsmodel.cohort import Cohort
from alsmodel.cohort.rules import RULES
from alsmodel.reports import Effect, StudyReport, study_report
from alsmodel.reports.validation import validation_page

FAKE = Path(__file__).parents[1] / "unit" / "fake_study.py"
BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=4000",
]

# A window cannot be made narrower than about 500 px, a frame can. The frame shares the wrapper's origin and keeps its own policy.
WRAPPER = """<!DOCTYPE html><meta charset="utf-8"><iframe id="page" width="{width}" height="800" srcdoc="{page}"></iframe>
<script>
window.addEventListener("load", function () {{
  var page = document.getElementById("page").contentDocument;
  var root = page.documentElement;
  function ground() {{ return page.defaultView.getComputedStyle(page.body).backgroundColor; }}
  var found = {{ client: root.clientWidth, scroll: root.scrollWidth, before: ground() }};
  var button = page.getElementById("theme");
  found.hidden = button.hidden;
  button.click();
  found.theme = root.getAttribute("data-theme");
  found.after = ground();
  button.click();
  found.again = ground();
  found.current = page.querySelectorAll("nav a[aria-current]").length;
  document.title = JSON.stringify(found);
}});
</script>"""


def report() -> str:
    """The report of a study."""
    fake = runpy.run_path(str(FAKE))
    effect = Effect(drug="active treatment", mean=0.13, lower=0.03, upper=0.23, p_any=0.993)
    return study_report(StudyReport(**fake["content"](), effects=(effect,)))


def validation() -> str:
    """The page about a reading, with long names and every rule there is."""
    names = [f"{'LONG_FILE_NAME_' * 3}{i}.csv" for i in range(12)]
    read = [{"file": name, "read": 10, "kept": 4, "repaired": 3, "rejected": 2, "set_aside": 1} for name in names]
    issues = [
        {
            "severity": rule.severity,
            "rule": rule.id,
            "file": names[i % 12],
            "row": 12_345_678 + i,
            "column": "a_column_name" * 4,
            "participant_id": "1",
            "action": rule.action,
            "detail": "another detail " * 6,
            "value": "a-cell-without-a-break" * 8,
        }
        for i, rule in enumerate(RULES.values())
    ]
    people = pl.DataFrame({"participant_id": ["1", "2"], "exclusion": [None, "a reason of many words " * 8]})
    cohort = Cohort.of(participants=people, flow=pl.DataFrame(read), issues=pl.DataFrame(issues))
    return validation_page(cohort, source="a_source_of_a_long_name" * 3, layout="proact", key_words="Words.", with_values=True)


@pytest.fixture(scope="module", params=[report, validation], ids=["report", "validation"])
def page(request: pytest.FixtureRequest) -> str:
    return str(request.param())


def visit(page: str, folder: Path, *, width: int) -> tuple[dict[str, object], str]:
    """What the wrapper found, and what the browser logged from pages."""
    if BROWSER is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no chromium on this machine, and CI = true asks for one")
        pytest.skip("no chromium on this machine")
    file = folder / "wrapper.html"
    file.write_text(WRAPPER.format(width=width, page=html.escape(page)), encoding="utf-8")
    command = [BROWSER, *FLAGS, "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    done = subprocess.run([*command, file.as_uri()], capture_output=True, text=True, timeout=90, check=False)
    title = re.search(r"<title>(.*?)</title>", done.stdout, flags=re.DOTALL)
    assert title is not None, done.stderr[-2000:]
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return json.loads(html.unescape(title[1])), console


@pytest.mark.parametrize("width", [390, 1280])
def test_page_fits_its_window_and_switches_colours(page: str, tmp_path: Path, width: int) -> None:
    found, console = visit(page, tmp_path, width=width)
    assert console == ""
    assert found["scroll"] <= found["client"]
    assert found["hidden"] is False
    assert found["theme"] in ("dark", "light")
    assert found["after"] != found["before"]
    assert found["again"] == found["before"]
    assert found["current"] == 1
