"""What pydantic says about a value that may have several forms, reduced to what the user should hear."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, final

from alsmodel.settings.toml import SettingPath

_UNKNOWN = frozenset({"unexpected_keyword_argument", "extra_forbidden"})


@final
@dataclass(frozen=True)
class Problem:
    """One finding of pydantic, with its path in the file.

    Attributes
    ----------
    kind : str
        pydantic's name of the error.
    loc : tuple
        pydantic's location, in which the tried members of a union appear among the names.
    path : tuple
        The same without them: what stands in the file.
    tags : tuple of int
        Positions in `loc` that are members of a union.
    value : object
        What the file says there.
    message : str
        pydantic's sentence.
    context : mapping
        pydantic's details.
    alternatives : tuple of Problem
        The same value judged as each other member of the union, where none fits.
    """

    kind: str
    loc: tuple[str | int, ...]
    path: SettingPath
    tags: tuple[int, ...]
    value: Any
    message: str
    context: Mapping[str, Any]
    alternatives: tuple["Problem", ...] = ()

    @classmethod
    def of(cls, entry: Mapping[str, Any], mapping: Mapping[str, Any]) -> Self:
        """Read one entry of ``ValidationError.errors()`` for the file content `mapping`."""
        loc = tuple(entry["loc"][1:])  # the first is the place in the tuple around the settings
        path: list[str | int] = []
        tags: list[int] = []
        here: Any = mapping
        for position, part in enumerate(loc):
            if _holds(here, part):
                here = here[part]
            elif not (entry["type"] == "missing" and position == len(loc) - 1):
                tags.append(position)
                continue
            path.append(part)
        context = entry.get("ctx", {})
        if entry["type"].startswith("union_tag"):
            discriminator = str(context.get("discriminator", "'kind'")).strip("'")
            here = here.get(discriminator) if isinstance(here, Mapping) else here
            path.append(discriminator)
        return cls(entry["type"], loc, tuple(path), tuple(tags), here, entry["msg"], context)

    @property
    def unknown_name(self) -> bool:
        """Whether it is about a name that the dataclass does not have."""
        return self.kind in _UNKNOWN

    @property
    def choices(self) -> list[str]:
        """The texts that would be right here, when they can be listed."""
        listed = str(self.context.get("expected_tags") or self.context.get("expected") or "")
        own = re.findall(r"'([^']*)'", listed)
        return own + [choice for other in self.alternatives for choice in other.choices]


def _holds(here: Any, part: str | int) -> bool:
    if isinstance(here, list | tuple):
        return isinstance(part, int) and part < len(here)
    return isinstance(here, Mapping) and part in here


def settle_unions(problems: list[Problem]) -> list[Problem]:
    """Keep, for each value that may have several forms, the findings about the form that the user meant."""
    depth = 0
    while any(len(problem.tags) > depth for problem in problems):
        groups: dict[tuple[str | int, ...], list[Problem]] = defaultdict(list)
        settled: list[Problem] = []
        for problem in problems:
            if len(problem.tags) > depth:
                groups[problem.loc[: problem.tags[depth]]].append(problem)
            else:
                settled.append(problem)
        for group in groups.values():
            settled += _meant(group, depth)
        problems, depth = settled, depth + 1
    return problems


def _meant(group: list[Problem], depth: int) -> list[Problem]:
    members: dict[str | int, list[Problem]] = defaultdict(list)
    for problem in group:
        members[problem.loc[problem.tags[depth]]].append(problem)
    if len(members) == 1:
        return group
    deep = {tag: found for tag, found in members.items() if not _ends_at_tag(found, depth)}
    if not deep:
        return [_joined([found[0] for found in members.values()])]
    named = {tag: found for tag, found in deep.items() if not _other_name(found, depth)}
    if not named:
        return [_joined([name for found in deep.values() if (name := _other_name(found, depth))])]
    return min(named.values(), key=lambda found: (_strange_names(found, depth), len(found)))


def _ends_at_tag(found: list[Problem], depth: int) -> bool:
    """The value has not even the right type for this member."""
    return all(len(problem.loc) == problem.tags[depth] + 1 and problem.kind != "value_error" for problem in found)


def _other_name(found: list[Problem], depth: int) -> Problem | None:
    """The finding that the field which tells the members apart names another member."""
    for problem in found:
        if problem.kind == "literal_error" and len(problem.loc) == problem.tags[depth] + 2:
            return problem
    return None


def _strange_names(found: list[Problem], depth: int) -> int:
    """How many of the names written are not those of this member: the form that knows them is the one that was meant."""
    return sum(problem.unknown_name and len(problem.loc) == problem.tags[depth] + 2 for problem in found)


def _joined(problems: list[Problem]) -> Problem:
    first, *others = problems
    return replace(first, alternatives=tuple(others))
