"""Digests of code and of settings: what a cached result, a compiled kernel and a provenance block are named by."""

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: Packages whose version changes compiled numbers.
COMPILERS = ("numba", "numpy")


def code_digest(modules: Sequence[str], *, packages: Sequence[str] = COMPILERS) -> str:
    """Name the source of `modules` and the versions that compile it.

    numba does not notice a change in a jitted function that was imported from another file, so everything compiled or
    computed is filed under this digest. No module named here is imported (only its parent packages are).

    Parameters
    ----------
    modules : sequence of str
        Importable names. A package stands for every ``.py`` file below it.
    packages : sequence of str
        Installed distributions whose version is part of the digest.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    ModuleNotFoundError
        When one of `modules` does not exist.
    """
    total = hashlib.sha256()
    for name in sorted(set(modules)):
        for label, path in _sources(name):
            content = path.read_bytes()
            total.update(f"{label}\0{len(content)}\0".encode())
            total.update(content)
    for package in sorted(set(packages)):
        total.update(f"{package}=={installed_version(package)}\0".encode())
    return total.hexdigest()[:16]


def digest_of(value: Any) -> str:
    """Digest a JSON-like value, whatever the order of its keys; 16 hexadecimal digits."""
    import json

    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sources(module: str) -> Iterator[tuple[str, Path]]:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {module!r} to digest.")
    if spec.submodule_search_locations is None:
        yield module, Path(spec.origin)
        return
    root = Path(spec.origin).parent
    for path in sorted(root.rglob("*.py")):
        yield f"{module}/{path.relative_to(root).as_posix()}", path


def installed_version(package: str) -> str:
    """Version of an installed distribution, "absent" when it is not installed."""
    # Reading folder names takes 1 ms; importing importlib.metadata takes 70 ms, at every start of the package.
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in sorted(names):
            if name.startswith(f"{package}-") and name.endswith(".dist-info"):
                return name.removeprefix(f"{package}-").removesuffix(".dist-info")
    return "absent"
