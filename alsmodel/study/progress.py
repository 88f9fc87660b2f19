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


@final
class Silent:
    """Shows nothing: the default when a study is run from Python."""

    @contextmanager
    def stage(self, title: str) -> Iterator[Advance]:
        """Ignore the stage."""
        yield lambda done, total: None

    def say(self, text: str) -> None:
        """Ignore the sentence."""
