"""The few exceptions that a user may meet, each with a place, what was expected and what to do."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Fault:
    """One thing wrong with what the user gave.

    Attributes
    ----------
    place : str
        Where: ``file:row:column`` for data, ``study.toml:5: model.outcome`` for a setting.
    message : str
        What was expected and what came. For participant data only the kind of value, never the value.
    remedy : str
        What to do about it; empty when the message already says so.
    """

    place: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.place}: error: {self.message}" if self.place else f"error: {self.message}"
        return f"{text} {self.remedy}".rstrip()


class AlsmodelError(Exception):
    """Base of every error that this package raises on purpose."""


@final
class InvalidInput(AlsmodelError):
    """The input cannot be used; carries every fault found, not only the first.

    Parameters
    ----------
    faults : sequence of Fault
        At least one.
    """

    def __init__(self, faults: "list[Fault] | tuple[Fault, ...]") -> None:
        self.faults = tuple(faults)
        if not self.faults:
            raise ValueError("InvalidInput needs at least one fault.")
        super().__init__("\n".join(str(fault) for fault in self.faults))


@final
class FitFailed(AlsmodelError):
    """The sampler or the search for the mode gave no usable answer."""
