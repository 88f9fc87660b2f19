"""The evidence page claims what the committed ranks show, and the ranks can be had again."""

import ast
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import special

from tests.calibration import literal, literal_domains
from tests.calibration.controls import NAMES
from tests.calibration.render import PAGE, render, standing
from tests.calibration.rows import DOMAIN_KERNELS, DOMAIN_ROUTE, KERNELS, ROOT, read_models, read_rows
from tests.calibration.run import load, path_of
from tests.calibration.sbc import judge, p_values, within

RULE = read_models()["rule"]
ROWS = read_rows()
PROVEN = [name for name, row in ROWS.items() if row.sbc == "proven"]


@pytest.mark.parametrize("name", ROWS)
def test_claims_are_what_the_ranks_show(name: str) -> None:
    claimed, shown = (ROWS[name].recovery, ROWS[name].sbc), standing(ROWS[name], RULE)
    # What was rejected, or is only claimed to be stale, may go stale without failing; what is called proven may not.
    assert claimed == shown or (shown == ("stale", "stale") and "proven" not in claimed)


@pytest.mark.parametrize("name", PROVEN)
def test_what_is_called_proven_is_of_the_present_code(name: str) -> None:
    assert load(name)["digests"] == ROWS[name].digests, f"run again: python -m tests.calibration.run --row {name}"


def test_the_page_is_made_of_the_files() -> None:
    def masked(page: str) -> str:
        return re.sub(r"\b(current, carried|current|stale) \|", "~ |", page)  # staleness has a test of its own

    assert masked(PAGE.read_text(encoding="utf-8")) == masked(render())


@pytest.mark.parametrize("name", [name for name in NAMES if path_of(name).is_file()])
def test_the_rule_rejects_the_broken_models_and_only_those(name: str) -> None:
    assert judge(load(name)["ranks"], RULE).passed == (name == "control_few_data")


@pytest.mark.skipif(not PROVEN, reason="no row has been proven yet")
def test_two_simulations_of_one_row_give_the_ranks_on_file() -> None:
    today = date.today().toordinal()  # another row each day, so that some weeks of runs have been through all of them
    row = PROVEN[today % len(PROVEN)]
    numbers = [str((2 * today + k) % RULE["simulations"]) for k in range(2)]
    command = [sys.executable, "-m", "tests.calibration.run", "--row", row, "--check", *numbers]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_literal_generator_imports_nothing_of_the_package() -> None:
    assert imported_by(literal.__file__) == {"collections.abc", "dataclasses", "typing", "numpy", "numpy.typing"}
    assert imported_by(literal_domains.__file__) == {"typing", "numpy", "numpy.typing", "tests.unit"}
    assert imported_by(literal_domains.hand.__file__) == {"typing", "numpy", "numpy.typing", "scipy"}


def imported_by(file: str | None) -> set[str]:
    """Modules named in the imports of a file."""
    tree = ast.parse(Path(str(file)).read_text(encoding="utf-8"))
    named = {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return named | {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}


def test_uniform_ranks_pass_and_a_shift_or_a_wrong_spread_is_found() -> None:
    rng = np.random.default_rng(1)
    kept, bins = RULE["kept_draws"], RULE["bins"]
    draws, z = rng.normal(size=(2000, kept)), rng.normal(size=2000)
    p = {
        name: min(p_values((draws < truth[:, None]).sum(axis=1), kept, bins).values())
        for name, truth in {"right": z, "shifted": z + 0.3, "narrow": 0.8 * z}.items()
    }
    assert p["right"] > 0.001
    assert p["shifted"] < 1e-12
    assert p["narrow"] < 1e-6


def test_correlations_are_drawn_from_the_stated_density() -> None:
    rng = np.random.default_rng(2)
    drawn = np.array([literal.draw_correlation(2, 2.0, rng)[0, 1] for _ in range(4000)])
    # Density proportional to 1 - r^2: variance 1/5, fourth moment 3/35.
    assert abs(drawn.mean()) < 4 * np.sqrt(0.2 / 4000)
    assert drawn.var() == pytest.approx(0.2, abs=4 * np.sqrt((3 / 35 - 0.04) / 4000))


def test_the_digest_of_a_row_covers_every_kernel_that_the_fit_loads() -> None:
    asked = "import sys, alsmodel.models.program; print(*(m for m in sys.modules if m.startswith('alsmodel.kernels.')))"
    loaded = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {name.removeprefix("alsmodel.kernels.") for name in loaded} <= set(KERNELS)


def test_the_digest_of_several_outcomes_covers_every_kernel_that_their_density_reaches() -> None:
    waiting, seen = {"alsmodel.models.domain_program"}, set[str]()
    while waiting:
        module = waiting.pop()
        seen.add(module)
        if module != "alsmodel.kernels.posterior":  # of which only the priors are taken, that stand there by themselves
            named = imported_by(str(ROOT / f"{module.replace('.', '/')}.py"))
            waiting |= {name for name in named if name.startswith("alsmodel.kernels.")} - seen
    reached = {module.removeprefix("alsmodel.kernels.") for module in seen if module.startswith("alsmodel.kernels.")}
    assert reached - {"bends"} <= set(DOMAIN_KERNELS)  # lines do not bend
    assert {"alsmodel.models.domain_program", "alsmodel.inference.domain_fit"} < set(DOMAIN_ROUTE)


def test_correlations_of_many_effects_are_drawn_from_the_stated_density() -> None:
    rng = np.random.default_rng(3)
    drawn = np.array([literal_domains.draw_correlation(8, 2.0, rng) for _ in range(4000)])
    # Each correlation is 2 Beta(b, b) - 1 with b = 2 + (8 - 2) / 2: variance 1 / (2 b + 1), whatever its place.
    variance = 1 / 11
    below = np.tril_indices(8, -1)
    found = drawn[:, below[0], below[1]]
    kurtosis = 3 - 6 / (2 * 5 + 3)
    assert np.abs(found.mean(axis=0)).max() < 4.5 * np.sqrt(variance / 4000)
    assert np.abs(found.var(axis=0) - variance).max() < 4.5 * variance * np.sqrt((kurtosis - 1) / 4000)
    # Log determinant: a sum of independent log Betas, one for every effect after the first.
    b = 2 + np.arange(6, -1, -1) / 2
    a = np.arange(1, 8) / 2
    expected = (special.digamma(b) - special.digamma(a + b)).sum()
    spread = (special.polygamma(1, b) - special.polygamma(1, a + b)).sum()
    assert np.linalg.slogdet(drawn)[1].mean() == pytest.approx(expected, abs=4 * np.sqrt(spread / 4000))


def test_cut_priors_keep_the_draws_above_the_cut() -> None:
    row = ROWS["domains"]
    made = SimpleNamespace(labels=("bulbar.slope", "sd:bulbar.slope", "sd:bulbar.residual", "sd:respiratory.residual"))
    x = np.log(np.array([[[1.0, 0.1, 0.5, 0.5], [1.0, 0.1, 0.2, 0.5], [1.0, 0.1, 0.5, 0.29], [1.0, 0.1, 0.31, 0.31]]]))
    np.testing.assert_array_equal(within(row, made, x)[0], x[0, [0, 3]])
    np.testing.assert_array_equal(within(ROWS["base"], made, x), x)
