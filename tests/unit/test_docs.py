"""What the documentation shows can be copied and works."""

import ast
import importlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alsmodel.cli.main import app
from alsmodel.models import Exponential, JointModel
from alsmodel.settings import decode
from alsmodel.settings.toml import parse_toml
from alsmodel.study import Study
from alsmodel.study.alternatives import models_of

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "studies").glob("*/*.md")),
]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_study_of_the_start_page_is_valid() -> None:
    first, tables, _ = blocks(ROOT / "docs" / "start.md", "toml")
    whole: dict[str, Any] = parse_toml(first).values
    study = decode(Study, whole, where="start.md")
    assert study.model.association == ("value",)
    assert decode(Study, {**whole, **parse_toml(tables).values, "report": {}}).model.time_unit == "year"


@pytest.mark.parametrize(("page", "place"), [("start.md", 2), ("methods/prediction.md", 0)])
def test_the_models_that_the_pages_compare_are_models(page: str, place: int) -> None:
    first, *_ = blocks(ROOT / "docs" / "start.md", "toml")
    study = decode(Study, {**parse_toml(first).values, **parse_toml(blocks(ROOT / "docs" / page, "toml")[place]).values}, where=page)
    assert isinstance(study.model, JointModel)
    assert study.compare is not None
    made = models_of(study.model, study.compare)
    assert made["constant hazard"].survival == Exponential(covariates=study.model.hazard)
    assert len(made) == len(study.compare.alternatives) + 1


def test_the_misspelling_of_the_start_page_gets_the_answer_printed_there(tmp_path: Path) -> None:
    text, *_ = blocks(ROOT / "docs" / "start.md", "toml")
    (tmp_path / "cohort").mkdir()
    (tmp_path / "study.toml").write_text(text.replace("association", "assocation"))
    told = CliRunner().invoke(app, ["check", str(tmp_path / "study.toml")])
    page = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
    assert told.exit_code == 3
    assert f"```\n{told.stderr}```" in page


def test_the_python_example_is_short_and_names_only_what_is_there() -> None:
    (example,) = blocks(ROOT / "README.md", "python")
    assert len(example.strip().splitlines()) <= 22
    for node in ast.walk(ast.parse(example)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                module = importlib.import_module(node.module)
                assert hasattr(module, name.name) or importlib.import_module(f"{node.module}.{name.name}")


def test_every_command_named_in_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`alsmodel ([a-z]+)", text))
    present = {entry.name for entry in (*app.registered_commands, *app.registered_groups)}
    assert named == present


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if not link.startswith(("http", "mailto")) and not (page.parent / link).exists()]
    assert broken == []


def test_the_help_of_make_lists_every_target() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None
    assert all(f"make {target} " in told for target in phony[1].split())


def test_the_example_of_the_page_on_real_trials_prints_what_stands_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs" / "analyse.md"
    (script,), (study,), (printed,) = blocks(page, "python"), blocks(page, "toml"), blocks(page, "text")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    exec(compile(script, str(page), "exec"), {})
    (tmp_path / "study.toml").write_text(study)
    told = CliRunner().invoke(app, ["analyse", "study.toml", "--out", "run"])
    assert told.exit_code == 0
    lines = [line.rstrip() for line in told.stdout.splitlines()]
    assert [line for line in printed.splitlines() if line not in lines] == []
