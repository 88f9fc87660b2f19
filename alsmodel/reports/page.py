"""The page: content to one self-contained HTML file, the same bytes for the same content."""

import base64
import hashlib
import os
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from alsmodel.reports.blocks import Figure, Paragraph, Section
from alsmodel.reports.checklist import checklist
from alsmodel.reports.content import StudyReport
from alsmodel.reports.sections import sections
from alsmodel.reports.words import answer, compared, figures_strip, further_findings, headline


def study_report(content: StudyReport) -> str:
    """One HTML page with everything in `content`, figures and styles included.

    Parameters
    ----------
    content : StudyReport
        Parts that are None or empty become a sentence on what was not run.

    Returns
    -------
    str
        A whole HTML document. It loads nothing: its content security policy forbids every request.
    """
    parts = sections(content)
    numbered = list(enumerate((part for part in parts if part.shown), start=2))
    not_run = [block.text for part in parts if not part.shown for block in part.blocks if isinstance(block, Paragraph)]
    not_run += content.left_out
    places = {"summary": "1 · Summary"} | {part.id: f"{i} · {part.title}" for i, part in numbered}
    script = template("report.js")
    failed = [check for check in content.checks if not check.passed]
    strong, rest = headline(content)
    return environment().get_template("report.html.j2").render(
        content=content,
        sections=numbered,
        last=len(numbered) + 2 + bool(not_run),
        not_run=not_run,
        figure_numbers=figure_numbers([part for _, part in numbered]),
        strong=strong,
        rest=rest,
        answer=answer(content),
        findings=further_findings(content),
        strip=figures_strip(content),
        failed=failed,
        checklist=checklist(content, places),
        computation=next((i for i, part in numbered if part.id == "computation"), 0),
        css=Markup(template("report.css")),
        script=Markup(script),
        script_hash=script_hash(script),
        svg=Markup,
        compared=compared,
    )  # fmt: skip


def write(html: str, path: Path) -> None:
    """Write `html` to `path` under a temporary name, then rename: a reader never sees half a page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(html.encode())
        # mkstemp makes files private; a report is as readable as any file its user makes.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def figure_numbers(parts: list[Section]) -> dict[int, int]:
    """Return the number of each figure in order, by identity."""
    figures = [block for part in parts for block in part.blocks if isinstance(block, Figure)]
    return {id(block): i for i, block in enumerate(figures, start=1)}


@cache
def environment() -> Environment:
    """Return what turns templates into pages: everything is escaped, and a name that is not given is an error."""
    made = Environment(loader=FunctionLoader(template), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    made.globals["identity"] = id
    return made


@cache
def template(name: str) -> str:
    """Return the text of a file of the page."""
    return (files("alsmodel.reports") / "templates" / name).read_text(encoding="utf-8")


def script_hash(script: str) -> str:
    """Return the hash by which the content security policy lets `script` run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
