"""Words for what a setting should have been and what it was."""

from collections.abc import Mapping
from typing import Any

from alsmodel.settings.unions import Problem

_WORDS = {
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path as text",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a section",
    "mapping_type": "a section",
    "model_type": "a section",
    "dataclass_type": "a section",
    "model_attributes_type": "a section",
    "none_required": "nothing",
}

_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def expectation(problem: Problem) -> str:
    """Say what would have been right, all forms of the value included."""
    forms = (problem, *problem.alternatives)
    words = [_one(form) for form in forms if not _lists_choices(form)]
    choices = list(dict.fromkeys(repr(choice) for choice in problem.choices))
    if choices:
        words.append(choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}")
    return " or ".join(dict.fromkeys(words))


def got(value: Any) -> str:
    """Describe a setting's value in the words of a settings file."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the text "{value if len(value) <= 60 else value[:57] + "..."}"'
    if isinstance(value, int | float):
        text = f"{value:.12g}" if isinstance(value, float) or abs(value) < 10**18 else "a very large number"
        return str(value) if isinstance(value, int) and abs(value) < 10**18 else text
    if isinstance(value, Mapping):
        return "a section"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return f"a {type(value).__name__}"


def _lists_choices(problem: Problem) -> bool:
    return problem.kind == "literal_error" or problem.kind.startswith("union_tag")


def _one(problem: Problem) -> str:
    if problem.kind in _WORDS:
        return _WORDS[problem.kind]
    if problem.kind in _BOUNDS:
        key, word = _BOUNDS[problem.kind]
        return f"a number {word} {problem.context[key]:g}"
    if problem.kind == "too_long":
        return f"a list of at most {problem.context.get('max_length')}"
    if problem.kind == "too_short":
        return f"a list of at least {problem.context.get('min_length')}"
    sentence = problem.message.removeprefix("Input should be ").removeprefix("Value should be ")
    return sentence[:1].lower() + sentence[1:]
