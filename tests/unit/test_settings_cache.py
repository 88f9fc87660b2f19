"""Compiled code is filed under a digest of the code, so that an edit is never answered by an old result."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import alsmodel
from alsmodel.settings import code_digest, digest_of
from alsmodel.settings.cache import cache_root, forget_old_code, use_code_cache

PACKAGE = Path(alsmodel.__file__).parent


def test_an_edit_in_a_copied_kernel_changes_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(PACKAGE / "kernels", tmp_path / "copied_kernels")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = code_digest(["copied_kernels"])
    assert before == code_digest(["copied_kernels"])
    deep = tmp_path / "copied_kernels" / "deep"
    deep.mkdir()
    (deep / "added.py").write_text("x = 1\n")
    added = code_digest(["copied_kernels"])
    (deep / "added.py").write_text("x = 2\n")
    assert len({before, added, code_digest(["copied_kernels"])}) == 3


def test_an_edited_kernel_gives_its_new_result_through_the_cache(tmp_path: Path) -> None:
    # The trap: `outer` is cached by numba together with the `inner` that it calls from another file.
    package = tmp_path / "toy"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "outer.py").write_text(
        "import numba\nfrom toy.inner import inner\n\n@numba.njit(cache=True)\ndef outer():\n    return inner() + 1\n"
    )
    program = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from alsmodel.settings import code_digest\n"
        "os.environ['NUMBA_CACHE_DIR'] = os.path.join(sys.argv[1], 'cache', code_digest(['toy']))\n"
        "from toy.outer import outer\nprint(outer())\n"
    )
    results = []
    for value in ("1", "10"):
        (package / "inner.py").write_text(f"import numba\n\n@numba.njit(cache=True)\ndef inner():\n    return {value}\n")
        done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120)
        results.append(done.stdout.strip())
    assert results == ["2", "11"]


def test_the_digest_imports_nothing_heavy() -> None:
    program = (
        "import sys; from alsmodel.settings import code_digest; code_digest(['alsmodel.models', 'alsmodel.inference']);"
        "print([m for m in ('numba', 'pymc', 'polars', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_an_unknown_module_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="alsmodel_nowhere"):
        code_digest(["alsmodel_nowhere"])


def test_the_cache_folder_is_named_by_the_digest_and_stays_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NUMBA_CACHE_DIR", "PYTENSOR_FLAGS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("ALSMODEL_CACHE", str(tmp_path))
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    first = use_code_cache()
    assert first.parent == tmp_path / "numba"
    assert use_code_cache() == first == Path(os.environ["NUMBA_CACHE_DIR"])
    assert os.environ["PYTENSOR_FLAGS"] == f"base_compiledir={tmp_path / 'pytensor'}"


def test_a_folder_chosen_by_the_user_stays_the_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "mine"))
    monkeypatch.setenv("PYTENSOR_FLAGS", "floatX=float64,base_compiledir=/elsewhere")
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    assert use_code_cache().parent == tmp_path / "mine"
    assert os.environ["PYTENSOR_FLAGS"] == "floatX=float64,base_compiledir=/elsewhere"


def test_the_cache_root_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALSMODEL_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "alsmodel"


def test_a_digest_of_values_does_not_depend_on_their_order() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1}) != digest_of({"a": 1, "b": [2, 1]})


def test_old_compiled_code_is_forgotten_and_the_present_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALSMODEL_CACHE", str(tmp_path))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    present = use_code_cache()
    for age, folder in enumerate([present, *(tmp_path / "numba" / f"old{n}" for n in range(5))]):
        folder.mkdir(parents=True)
        os.utime(folder, (1e9 - age, 1e9 - age))
    os.utime(present, (1, 1))
    assert [folder.name for folder in forget_old_code(keep=3)] == ["old2", "old3", "old4"]
    assert present.is_dir()
