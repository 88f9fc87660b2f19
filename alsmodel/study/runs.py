"""The run folder: finished steps, each with the digest of everything that it was made from."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from alsmodel.errors import AlsmodelError, Fault, InvalidInput
from alsmodel.settings import digest_of

SETTINGS = "settings.toml"
_STEPS = "steps.json"


@final
@dataclass(frozen=True)
class RunFolder:
    """A folder that holds one study's results.

    Every step is written under a temporary name and renamed, and only then recorded with the digest of its inputs
    (settings, data, code). A step whose record still fits is read back instead of being run again.

    Attributes
    ----------
    path : Path
        The folder; made by `open`.
    """

    path: Path

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Make the folder, or take one that an earlier run made.

        Raises
        ------
        InvalidInput
            When something else is there.
        """
        if path.exists() and not path.is_dir():
            raise InvalidInput([Fault(str(path), "is a file; a run needs a folder.", "Choose another --out.")])
        if path.is_dir() and any(path.iterdir()) and not _is_run(path):
            raise InvalidInput([Fault(str(path), "holds files that no run of alsmodel made.", "Choose another --out.")])
        path.mkdir(parents=True, exist_ok=True)
        run = cls(path)
        if not (path / _STEPS).exists():
            run._write_steps({})
        return run

    @classmethod
    def existing(cls, path: Path) -> "RunFolder":
        """Take the folder of an earlier run.

        Raises
        ------
        InvalidInput
            When `path` is no run folder.
        """
        if not _is_run(path) or not (path / SETTINGS).is_file():
            remedy = "Give the folder that alsmodel run made, such as runs/demo."
            raise InvalidInput([Fault(str(path), "is not the folder of a run.", remedy)])
        return cls(path)

    def step[T](
        self,
        name: str,
        inputs: Mapping[str, Any],
        *,
        make: Callable[[], T],
        save: Callable[[T, Path], object],
        load: Callable[[Path], T],
        force: bool = False,
    ) -> tuple[T, bool]:
        """Read a step's result back if its inputs are unchanged, else make and save it.

        Parameters
        ----------
        name : str
            Name of the step and of its folder.
        inputs : mapping
            Everything that the result depends on, as plain values.
        make, save, load : callable
            How to make the result, write it to a folder that does not exist yet, and read it from there.
        force : bool
            Make it again whatever is there.

        Returns
        -------
        tuple of (result, bool)
            Whether it was read back.
        """
        digest, target = digest_of(inputs), self.path / name
        if not force and self.holds(name, digest):
            # A result that was damaged since is no loss: it is made again.
            with suppress(AlsmodelError, OSError, ValueError, KeyError, TypeError):
                return load(target), True
        self._record(name, None)
        made = make()
        self.replace(name, lambda partial: save(made, partial))
        self._record(name, digest)
        return made, False

    def holds(self, name: str, digest: str) -> bool:
        """Whether the result of a step is there and of the inputs with this digest."""
        return self.records().get(name) == digest and (self.path / name).exists()

    def replace(self, name: str, write: Callable[[Path], object]) -> Path:
        """Let `write` make a file or folder under a temporary name, and put it in place of `name`."""
        target, partial = self.path / name, self.path / f".{name}.partial"
        _remove(partial)
        write(partial)
        if target.is_dir():
            old = self.path / f".{name}.old"
            _remove(old)
            target.rename(old)
            partial.rename(target)
            _remove(old)
        else:
            os.replace(partial, target)
        return target

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file in one go, with the same bytes on every system."""
        return self.replace(name, lambda partial: partial.write_text(text, encoding="utf-8", newline="\n"))

    def write_json(self, name: str, values: Mapping[str, Any]) -> Path:
        """Write a JSON file in one go."""
        return self.write_text(name, json.dumps(values, indent=1, sort_keys=True) + "\n")

    def records(self) -> dict[str, str]:
        """Digest of the inputs of each finished step."""
        try:
            content = json.loads((self.path / _STEPS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(name): str(digest) for name, digest in content.items()} if isinstance(content, dict) else {}

    def _record(self, name: str, digest: str | None) -> None:
        steps = self.records()
        steps.pop(name, None)
        if digest is not None:
            steps[name] = digest
        self._write_steps(steps)

    def _write_steps(self, steps: Mapping[str, str]) -> None:
        self.write_json(_STEPS, steps)


def _is_run(path: Path) -> bool:
    return (path / _STEPS).is_file()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
