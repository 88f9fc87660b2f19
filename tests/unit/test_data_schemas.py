"""The data contracts are found beside the package in a checkout, and inside it in a wheel."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from alsmodel.cohort.schema_files import schema_folder, source_names

ROOT = Path(__file__).parents[2]
ASK = """
import sys
sys.path.insert(0, sys.argv[1])
import alsmodel
from alsmodel.cohort.schema_files import load_mapping, load_vocabulary, schema_folder, source_names
assert alsmodel.__file__.startswith(sys.argv[1]), alsmodel.__file__
assert len(load_mapping("proact")["tables"]) == 17
assert all(load_mapping(source) for source in source_names()) and load_vocabulary()["words"]
print(",".join(source_names()), len(list((schema_folder() / "canonical").iterdir())))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files as the wheel lays them out, by the build settings."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    site = tmp_path_factory.mktemp("site")
    for package in wheel["packages"]:
        shutil.copytree(ROOT / package, site / package, ignore=shutil.ignore_patterns("__pycache__"))
    for source, target in wheel["force-include"].items():
        shutil.copytree(ROOT / source, site / target)
    return site


def ask(where: Path) -> str:
    return subprocess.run([sys.executable, "-c", ASK, str(where)], check=True, capture_output=True, text=True).stdout.strip()


def test_the_wheel_layout_holds_the_same_contracts(installed: Path) -> None:
    expected = f"{','.join(source_names())} {len(list((schema_folder() / 'canonical').iterdir()))}"
    assert ask(installed) == expected


def test_the_contracts_are_read_from_a_zip(installed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "alsmodel.zip", "w") as archive:
        for path in sorted(installed.rglob("*")):
            archive.write(path, path.relative_to(installed))
    assert "proact" in ask(tmp_path / "alsmodel.zip").split(" ")[0].split(",")
