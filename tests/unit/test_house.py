"""Facts about the house that no import contract states."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import alsmodel

PACKAGE = Path(alsmodel.__file__).parent
HEAVY = ("pymc", "pytensor", "arviz", "nutpie", "lifelines", "pandas", "matplotlib", "numba", "polars", "scipy")


def loaded_after(statement: str) -> set[str]:
    """The heavy libraries that a fresh interpreter holds after `statement`."""
    program = f"import sys\n{statement}\nprint(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stderr.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import alsmodel; alsmodel.__all__; alsmodel.InvalidInput") == set()


def test_help_loads_nothing_heavy() -> None:
    statement = (
        "from typer.testing import CliRunner\nfrom alsmodel.cli.main import app\nassert CliRunner().invoke(app, ['--help']).exit_code == 0"
    )
    assert loaded_after(statement) == set()


def test_checking_a_study_loads_no_sampler() -> None:
    assert not loaded_after("import alsmodel.study.loading") & {"pymc", "pytensor", "arviz", "nutpie", "lifelines", "matplotlib"}


def test_a_trial_worker_loads_no_sampler() -> None:
    assert not loaded_after("import alsmodel.trials.run") & {"pymc", "pytensor", "arviz", "nutpie", "lifelines", "matplotlib"}


def test_every_public_name_is_there() -> None:
    for name in alsmodel.__all__:
        assert getattr(alsmodel, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nowhere"):
        alsmodel.nowhere  # noqa: B018


def test_every_room_has_a_sentence_that_says_what_it_holds() -> None:
    for room in PACKAGE.iterdir():
        if (room / "__init__.py").is_file():
            first = (room / "__init__.py").read_text(encoding="utf-8").lstrip()
            assert first.startswith('"""'), f"{room.name}/__init__.py has no docstring"


def test_no_module_is_too_long_to_read() -> None:
    long = {
        str(path.relative_to(PACKAGE)): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 750
    }
    assert long == {}


def test_nothing_unfinished_is_left_in_the_package() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")
    found = [
        f"{path.relative_to(PACKAGE)}: {mark}"
        for path in PACKAGE.rglob("*.py")
        for mark in marks
        if mark in path.read_text(encoding="utf-8")
    ]
    assert found == []


def test_the_makefile_names_only_files_that_exist() -> None:
    root = PACKAGE.parent
    if not (root / "Makefile").is_file():
        pytest.skip("installed without the checkout")
    words = (root / "Makefile").read_text(encoding="utf-8").split()
    for script in (word for word in words if word.startswith("benchmarks/")):
        assert (root / script).is_file(), script
    assert os.access(root / ".ci" / "run", os.X_OK)
