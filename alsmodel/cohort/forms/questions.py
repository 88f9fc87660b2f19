"""Questions that a mapping asks of its author: what cannot be known from the data, and is never guessed.

``[questions]`` holds the answers, "?" where there is none yet. A value of the mapping that depends on an answer is written as a
choice: a table whose entry "?" names the question, and whose other entries say what to put for each answer::

    [questions]
    item_5a = "?"

    [tables.visits.columns]
    cutting_with = { "?" = "item_5a", cutting_with = "item_5a", cutting_without = "item_5b" }

An empty text as what to put leaves the setting out.
"""

from collections.abc import Iterator, Mapping
from typing import Any, final

from alsmodel.errors import Fault

#: The answer that has not been given, and the entry of a choice that names its question.
OPEN = "?"
_GONE = object()

Path = tuple[str | int, ...]


def answered(values: Mapping[str, Any], *, where: str, lines: Mapping[Any, int] | None = None) -> tuple[dict[str, Any], list[Fault]]:
    """Return a mapping's values with every choice replaced by what its answer says, and what is wrong with the answers.

    The choices of a question that is open are settled by the first answer that they offer, so that whatever else is wrong in
    the mapping can be found in the same go.

    Parameters
    ----------
    values : mapping
        As read from the file.
    where, lines
        Name of the file and line of each setting, for messages.
    """
    from alsmodel.settings.toml import line_of

    given = values.get("questions", {})
    if not isinstance(given, Mapping):
        return dict(values), []
    answers = {str(name): _text(answer) for name, answer in given.items()}
    asked = Asked(answers)
    result = {name: asked.settled(value, (name,)) for name, value in values.items() if name != "questions"}
    faults = []
    for path, name, message in asked.wrong():
        line = line_of(lines, path)
        faults.append(Fault(where if line is None else f"{where}:{line}", message, "" if name is None else asked.remedy(name)))
    return result | ({"questions": answers} if answers else {}), faults


@final
class Asked:
    """The questions that the choices of a mapping ask.

    Parameters
    ----------
    answers : mapping
        Question -> answer.
    """

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = answers
        self.offers: dict[str, dict[str, None]] = {}
        self.places: dict[str, Path] = {}

    def settled(self, value: Any, path: Path) -> Any:
        """Return `value` with its choices replaced; `_GONE` for a setting that the answer leaves out."""
        if isinstance(value, Mapping):
            if OPEN in value:
                return self._choice(value, path)
            settled = {key: self.settled(entry, (*path, key)) for key, entry in value.items()}
            return {key: entry for key, entry in settled.items() if entry is not _GONE}
        if isinstance(value, list):
            entries = [self.settled(entry, (*path, place)) for place, entry in enumerate(value)]
            return [entry for entry in entries if entry is not _GONE]
        return value

    def _choice(self, value: Mapping[str, Any], path: Path) -> Any:
        name = str(value[OPEN])
        offered = {answer: entry for answer, entry in value.items() if answer != OPEN}
        self.offers.setdefault(name, {}).update(dict.fromkeys(offered))
        self.places.setdefault(name, path)
        answer = self.answers.get(name, OPEN)
        chosen = offered.get(answer, next(iter(offered.values()), "") if answer == OPEN else "")
        return _GONE if chosen == "" else chosen

    def wrong(self) -> Iterator[tuple[Path, str | None, str]]:
        """Yield place, question (None where nothing is offered) and message of everything that is not answered."""
        for name, answer in self.answers.items():
            path: Path = ("questions", name)
            if answer == OPEN and name in self.offers:
                yield path, name, f"questions.{name} has no answer yet."
            elif answer == OPEN:
                yield path, None, f"questions.{name} has no answer, and nothing in the mapping depends on it: take the line out."
            elif name in self.offers and answer not in self.offers[name]:
                yield path, name, f"questions.{name} is answered by something that it does not offer."
        for name, place in self.places.items():
            if name not in self.answers:
                yield place, name, f"the question {name} is asked here, and [questions] has no answer to it."

    def remedy(self, name: str) -> str:
        """Return what the question can be answered with."""
        return f"Answer {' or '.join(f'"{answer}"' for answer in self.offers[name])}; the comment above the question says what each means."


def _text(answer: Any) -> str:
    """Return an answer as text: a code may be written as a number."""
    return answer if isinstance(answer, str) else str(answer).lower() if isinstance(answer, bool) else str(answer)
