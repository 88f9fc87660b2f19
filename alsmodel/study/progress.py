"""How a long step tells somebody how far it is, without knowing who listens."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, final

#: Takes the work done so far and the work in all, in any unit.
Advance = Callable[[float, float], None]


class Progress(Protocol):
    """Somebody who shows progress."""

    def stage(self, title: str) -> AbstractContextManager[Advance]:
        """Announce a stage; the callable may be called while it lasts."""
        ...

    def say(self, text: str) -> None:
        """Pass on a sentence."""
        ...

    def note(self, text: str) -> None:
        """Pass on at once why nothing is there yet, apart from the results."""
        ...


@final
class Silent:
    """Shows nothing: the default when a study is run from Python."""

    @contextmanager
    def stage(self, title: str) -> Iterator[Advance]:
        """Ignore the stage."""
        yield lambda done, total: None

    def say(self, text: str) -> None:
        """Ignore the sentence."""

    def note(self, text: str) -> None:
        """Ignore the note."""


#: What is said when a function has to be compiled before anything can be shown.
COMPILING = "Compiling, which takes a minute or two once per version; `alsmodel warmup` does it ahead."


@contextmanager
def working(progress: Progress, title: str) -> Iterator[Advance]:
    """A stage that runs compiled code: where something has to be compiled first, that is told once.

    Parameters
    ----------
    progress : Progress
    title : str
        Of the stage.
    """
    from numba.core import event

    told: list[str] = []

    class Compilation(event.Listener):
        def on_start(self, happened: object) -> None:
            if not told:
                told.append(COMPILING)
                progress.note(COMPILING)

        def on_end(self, happened: object) -> None:
            """Nothing to tell."""

    with event.install_listener("numba:compile", Compilation()), progress.stage(title) as advance:
        yield advance
