"""The demo study gives what its `expected.json` says, in a quick version of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from alsmodel.settings import decode, dump_toml, encode, load_toml
from alsmodel.study import Outcome, Study, run
from alsmodel.study.synthetic import write_proact

FOLDER = Path(__file__).parents[2] / "studies" / "demo"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The demo on the demo's own data, with as many draws and fewer simulated trials."""
    folder = tmp_path_factory.mktemp("demo")
    write_proact(EXPECTED["participants"], EXPECTED["seed"], folder / "data")
    study = decode(Study, load_toml(FOLDER / "study.toml").values)
    assert study.trial is not None
    quick = replace(study, trial=replace(study.trial, replicates=EXPECTED["quick_replicates"]))
    (folder / "study.toml").write_text(dump_toml(encode(quick)), encoding="utf-8")
    return run(folder / "study.toml", folder / "run")


def test_the_demo_passes_its_checks_and_writes_its_report(outcome: Outcome) -> None:
    assert outcome.failed == ()
    assert outcome.report is not None
    page = outcome.report.read_text(encoding="utf-8")
    assert "Synthetic data" in page
    assert "provisional" not in page.lower().split("</head>")[-1][:20_000]


def test_every_row_of_the_demo_is_accounted_for(outcome: Outcome) -> None:
    assert outcome.cohort is not None
    flow = outcome.cohort.flow
    assert (flow["read"] == flow["kept"] + flow["repaired"] + flow["rejected"] + flow["set_aside"]).all()
    assert int(flow["read"].sum()) == EXPECTED["rows_read"]


@pytest.mark.parametrize("name", sorted(EXPECTED["estimates"]))
def test_an_estimate_of_the_demo_is_as_expected(outcome: Outcome, name: str) -> None:
    assert outcome.fit is not None
    expected = EXPECTED["estimates"][name]
    row = outcome.fit.summary.row(by_predicate=pl.col("parameter") == name, named=True)
    assert row["mean"] == pytest.approx(expected["value"], abs=expected["tolerance"])


@pytest.mark.parametrize("name", sorted(EXPECTED["power"]))
def test_a_power_of_the_demo_is_as_expected(outcome: Outcome, name: str) -> None:
    assert outcome.trial is not None
    expected = EXPECTED["power"][name]
    analysis, effect, size = name.split(" | ")
    table = outcome.trial.table
    cell = table.filter((table["analysis"] == analysis) & (table["effect"] == effect) & (table["n_per_arm"] == int(size)))
    assert cell["power"].item() == pytest.approx(expected["value"], abs=expected["tolerance"])
