"""Columns without a canonical place, kept as covariates: single cells, lists of the cells of several rows, lists of set flags."""

import polars as pl

from alsmodel.cohort.cells import finite
from alsmodel.cohort.forms.form import Form
from alsmodel.cohort.forms.kinds import COVARIATE_PREFIXES
from alsmodel.cohort.ledger import LINE, POSITION
from alsmodel.cohort.tables import conform, empty

#: What stands between the parts of a list.
JOINED = "; "


def is_said(form: Form) -> pl.Expr:
    """Say of each row whether any column that becomes a covariate has something in it, set flags included."""
    set_ = _set(form)
    said = [pl.col(name).is_not_null() for prefix in COVARIATE_PREFIXES[:3] for name in form.open_names(prefix)]
    said += [pl.col(name).str.to_lowercase().is_in(set_) for name in form.open_names("flag:")]
    return pl.any_horizontal(said).fill_null(False) if said else pl.lit(False)


def read_covariates(form: Form) -> pl.DataFrame:
    """Return the covariates of a form that has been read: those of its usable rows, in the order of the file.

    A single cell becomes a number when every cell of its column is one, else text; lists are text in lower case. A cell that
    should be a number and is none is flagged.
    """
    if not any(form.open_names(prefix) for prefix in COVARIATE_PREFIXES):
        return empty("covariates")
    frame = form.ledger.usable(form.frame.drop_nulls("participant_id"))
    for column in form.open_names("flag:"):
        unknown = pl.col(column).is_not_null() & ~pl.col(column).str.to_lowercase().is_in(list(form.words("flag")))
        form.ledger.flag("unknown_word", frame, unknown, column=form.written[column])
    parts = [empty("covariates")]
    for column in form.open_names("covariate:"):
        parts.append(number_or_text(frame.select("participant_id", text=column), column.removeprefix("covariate:")))
    for column in form.open_names("number:"):
        numbers = form.numbers(frame.select("participant_id", POSITION, LINE, column), {column: None}).drop_nulls(column)
        numbers = numbers.unique("participant_id", keep="first", maintain_order=True)
        named = numbers.select("participant_id", pl.lit(column.removeprefix("number:")).alias("name"), pl.col(column).alias("number"))
        parts.append(conform("covariates", named))
    for column in form.open_names("list:"):
        parts.append(listed(frame.select("participant_id", POSITION, text=column), column.removeprefix("list:")))
    words: dict[str, list[pl.DataFrame]] = {}
    for column in form.open_names("flag:"):
        name, word = column.removeprefix("flag:").split(":", 1)
        marked = frame.filter(pl.col(column).str.to_lowercase().is_in(_set(form)))
        words.setdefault(name, []).append(marked.select("participant_id", POSITION, pl.lit(word).alias("text")))
    parts += [listed(pl.concat(marked), name) for name, marked in words.items()]
    return pl.concat(parts)


def number_or_text(cells: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the first cell of each participant (participant_id, text) as the covariate `name`."""
    text = cells.drop_nulls("text").with_columns(finite(pl.col("text")).alias("number"), pl.lit(name).alias("name"))
    spare = "text" if text["number"].null_count() == 0 else "number"
    text = text.with_columns(pl.lit(None, dtype=text.schema[spare]).alias(spare))
    return conform("covariates", text.unique("participant_id", keep="first", maintain_order=True))


def listed(cells: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the distinct cells of each participant (participant_id, `_position`, text), joined in the order of the file."""
    words = cells.drop_nulls("text").with_columns(pl.col("text").str.strip_chars().str.to_lowercase())
    words = words.sort(POSITION, maintain_order=True).unique(["participant_id", "text"], keep="first", maintain_order=True)
    joined = words.group_by("participant_id", maintain_order=True).agg(pl.col("text").str.join(JOINED))
    return conform("covariates", joined.with_columns(pl.lit(name).alias("name")))


def marked_words(form: Form, name: str) -> pl.Expr:
    """Return for each row the words of the set flags "flag:`name`:WORD", joined by a comma; null where none is set."""
    prefix = f"flag:{name}:"
    set_ = _set(form)
    words = [
        pl.when(pl.col(column).str.to_lowercase().is_in(set_)).then(pl.lit(column.removeprefix(prefix)))
        for column in form.open_names(prefix)
    ]
    joined = pl.concat_str(words, separator=", ", ignore_nulls=True) if words else pl.lit("")
    return pl.when(joined != "").then(joined)


def _set(form: Form) -> list[str]:
    return [word for word, meaning in form.words("flag").items() if meaning == "set"]
