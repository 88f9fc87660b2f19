"""Where compiled code lives: one folder per digest of the code, chosen before numba is first imported."""

import os
import sys
from pathlib import Path

from alsmodel.settings.digest import code_digest

#: The rooms that hold jitted functions. A change in any of them starts an empty cache.
COMPILED_ROOMS = ("alsmodel.kernels", "alsmodel.estimators", "alsmodel.patients")


def cache_root() -> Path:
    """Folder for compiled code: ``ALSMODEL_CACHE``, or ``alsmodel`` in the user's cache folder.

    The user's cache folder is ``XDG_CACHE_HOME``, else ``LOCALAPPDATA`` on Windows, else ``~/.cache``.
    """
    if chosen := os.environ.get("ALSMODEL_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if os.name == "nt" else None)
    return (Path(base) if base else Path("~/.cache").expanduser()).absolute() / "alsmodel"


def use_code_cache() -> Path:
    """Point numba and PyTensor at the cache folder of the present code, and return numba's.

    A ``NUMBA_CACHE_DIR`` or a ``base_compiledir`` set by the user is kept as the parent: only the digest is added,
    since without it an edited kernel may run in its old compiled form.
    """
    digest = code_digest(COMPILED_ROOMS)
    given = os.environ.get("NUMBA_CACHE_DIR")
    parent = Path(given) if given else cache_root() / "numba"
    folder = parent if parent.name == digest else parent / digest
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:  # its own settings were read at import; later decorators look here
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    if "base_compiledir" not in flags:
        added = f"base_compiledir={cache_root() / 'pytensor'}"
        os.environ["PYTENSOR_FLAGS"] = f"{flags},{added}" if flags else added
    return folder


def forget_old_code(keep: int = 4) -> list[Path]:
    """Delete all but the `keep` folders of compiled code that were used last, below the cache root only.

    Returns
    -------
    list of Path
        What was deleted.
    """
    import shutil

    parent = cache_root() / "numba"
    present = Path(os.environ.get("NUMBA_CACHE_DIR", ""))
    folders = [path for path in parent.iterdir() if path.is_dir() and path != present] if parent.is_dir() else []
    old = sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)[max(keep - 1, 0) :]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return old
