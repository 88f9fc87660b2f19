"""Rules that nobody can meet, whatever the data: told from the ranges of the columns before anything is drawn.

A column whose range is known, such as a probability, is narrowed rule by rule; a rule that leaves nothing admits nobody. Columns are taken
one by one, so that what is impossible only through their dependence is not seen here; it is when candidates are drawn.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from alsmodel.trials.conditions import All, AnyOf, Comparison, Condition, Flag, Member, Name, Not, Side, Value, names_of, parse

#: Least and largest value of a column, both included.
type Range = tuple[float, float]

EVERYTHING: Range = (-np.inf, np.inf)
PROBABILITY: Range = (0.0, 1.0)
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def empty_rules(rules: Sequence[str], ranges: Mapping[str, Range]) -> list[str]:
    """Which rules admit nobody, by themselves or together with those before them, one sentence each.

    Parameters
    ----------
    rules : sequence of str
        Conditions that all must hold, in a grammar that was checked.
    ranges : mapping of str to (float, float)
        Least and largest value of the columns that have them.
    """
    faults, left = [], dict(ranges)
    for text in rules:
        condition = parse(text)
        told = [f"{name} lies between {ranges[name][0]:g} and {ranges[name][1]:g}" for name in names_of(condition) if name in ranges]
        because = f": {' and '.join(dict.fromkeys(told))}" if told else ""
        narrowed = narrow(condition, left)
        if narrowed is not None:
            left = narrowed
        elif narrow(condition, ranges) is None:
            faults.append(f"{text!r} admits nobody{because}.")
        else:
            faults.append(f"{text!r} admits nobody together with the rules before it.")
    return faults


def narrow(condition: Condition, ranges: Mapping[str, Range]) -> dict[str, Range] | None:
    """Ranges of those for whom a condition holds; None where it cannot."""
    match condition:
        case Comparison(sides=sides, signs=signs):
            found: dict[str, Range] | None = dict(ranges)
            for left, sign, right in zip(sides, signs, sides[1:], strict=False):
                found = None if found is None else _compared(left, sign, right, found)
            return found
        case Member(name=name, values=values):
            return _hull([_compared(name, "==", value, dict(ranges)) for value in values])
        case Flag(name=name):
            return _compared(name, "==", Value(1.0), dict(ranges))
        case All(parts=parts):
            found = dict(ranges)
            for part in parts:
                found = None if found is None else narrow(part, found)
            return found
        case AnyOf(parts=parts):
            return _hull([narrow(part, ranges) for part in parts])
        case Not():
            return dict(ranges)  # a missing value fails every comparison, and so meets its opposite


def _range(side: Side, ranges: Mapping[str, Range]) -> Range:
    if isinstance(side, Name):
        return ranges.get(side.name, EVERYTHING)
    return EVERYTHING if isinstance(side.value, str) else (side.value, side.value)


def _compared(left: Side, sign: str, right: Side, ranges: dict[str, Range]) -> dict[str, Range] | None:
    """Narrow both sides of one link."""
    a, b = _range(left, ranges), _range(right, ranges)
    for side, own, other, mark in ((left, a, b, sign), (right, b, a, _FLIPPED[sign])):
        low, high = _within(own, mark, other)
        if low > high:
            return None
        if isinstance(side, Name):
            ranges[side.name] = (low, high)
    return ranges


def _within(own: Range, sign: str, other: Range) -> Range:
    """What of a range lies in this relation to something of another."""
    low, high = own
    match sign:
        case "<":
            return low, min(high, float(np.nextafter(other[1], -np.inf)))
        case "<=":
            return low, min(high, other[1])
        case ">":
            return max(low, float(np.nextafter(other[0], np.inf))), high
        case ">=":
            return max(low, other[0]), high
        case "==":
            return max(low, other[0]), min(high, other[1])
        case _:
            return (np.inf, -np.inf) if low == high == other[0] == other[1] else own


def _hull(parts: list[dict[str, Range] | None]) -> dict[str, Range] | None:
    """The smallest ranges that hold all parts that can be."""
    kept = [part for part in parts if part is not None]
    if not kept:
        return None
    # A column that one part does not narrow is not narrowed.
    names = set(kept[0]).intersection(*kept)
    return {name: (min(part[name][0] for part in kept), max(part[name][1] for part in kept)) for name in names}
