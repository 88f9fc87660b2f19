"""Which row of a questionnaire is which item of the ALSFRS-R: by the user's codes, else by the words of the test; never by order.

CDISC terminology has no codes for the ALSFRS-R (SDTM controlled terminology 2025-03-25 names neither the scale nor the disease), so that
every sponsor has codes of its own. The words are those of the scale: Cedarbaum 1999, doi 10.1016/s0022-510x(99)00210-5. A number in the
words (such as "ALSFRS-R05") is not read: sponsors number 5a and 5b, and the three respiratory items, in different ways.
"""

from collections.abc import Mapping
from functools import cache

import polars as pl

from alsmodel.cohort.schema_files import load_mapping

#: Category, or words of a test, that name the scale.
SCALE = r"(?i)als[\s_-]*frs|als functional rating|amyotrophic lateral sclerosis functional rating"
#: That name its revised form, of twelve items.
REVISED = r"(?i)frs[\s_-]*r(?:[^a-z]|$)|revised"
_OF_REVISED = ("item_10", "item_11", "item_12")
#: What stands before the words of the item: the scale's name with a number, then the number of the question.
_SCALE_NAME = r"^(?:revised\s+)?als[\s_-]*frs?(?:[\s_-]*r(?:evised)?)?[\s_-]*\d{0,4}[ab]?(?:\s*[-:.)_/]\s*|\s+|$)"
_NUMBER = r"^(?:(?:q(?:uestion)?|item|r)[\s_-]*)?\d{1,2}[ab]?(?:\s*[-:.)_]\s*|\s+)"
_MARKS = r"[^a-z0-9]+"
_SCORE = r"(?: (?:item )?score| result)$"


def words_of(tests: pl.Series) -> pl.Series:
    """Return the words of a test in lower case, without the scale's name, numbers of questions and marks.

    Examples
    --------
    >>> words_of(pl.Series(["ALSFRS-R05A-Cutting w/o Gastrostomy", "5a. Cutting (without gastrostomy)", "Speech Score"])).to_list()
    ['cutting w o gastrostomy', 'cutting without gastrostomy', 'speech']
    """
    text = tests.str.to_lowercase().str.strip_chars().str.replace(_SCALE_NAME, "").str.replace(_NUMBER, "")
    return text.str.replace_all(_MARKS, " ").str.strip_chars().str.replace(_SCORE, "")


@cache
def known_words() -> dict[str, str]:
    """Return words of a test -> item, as authored in `data_schemas/sources/sdtm.toml`; "aside" for what is no item."""
    return {word.lower(): str(item) for word, item in load_mapping("sdtm")["words"]["item_words"].items()}


def items(codes: pl.Series, tests: pl.Series, category: pl.Series, mapped: Mapping[str, str]) -> tuple[pl.Series, pl.Series]:
    """Find which rows belong to the scale, and their items.

    Parameters
    ----------
    codes, tests, category : polars.Series
        --TESTCD, --TEST and --CAT (PARAMCD, PARAM and PARCAT1 of ADaM), null where there is none.
    mapped : mapping
        The user's codes.

    Returns
    -------
    belongs : polars.Series of bool
        The user's codes, or a category or test that names the scale.
    item : polars.Series of str
        The item; "aside" for sums of some items; null where it is not known.
    """
    by_user = {code.upper(): item for code, item in mapped.items()}
    from_code = codes.str.to_uppercase().replace_strict(by_user, default=None, return_dtype=pl.String)
    named = category.str.contains(SCALE).fill_null(False) | tests.str.contains(SCALE).fill_null(False)
    item = words_of(tests).replace_strict(known_words(), default=None, return_dtype=pl.String)
    belongs = named | from_code.is_not_null()
    revised = category.str.contains(REVISED).fill_null(False) | tests.str.contains(REVISED).fill_null(False)
    frame = pl.DataFrame({"item": item, "revised": revised | (belongs & item.is_in(_OF_REVISED)), "code": from_code, "of": category})
    frame = frame.with_columns(pl.col("revised").fill_null(False).any().over("of"))
    told = frame.select(
        pl.coalesce(
            "code",
            pl.when(pl.col("item") == "total")
            .then(pl.when("revised").then(pl.lit("total_48")).otherwise(pl.lit("total_40")))
            # The tenth item of the ten-item scale has no place in the revised one.
            .when((pl.col("item") == "item_10_original") & pl.col("revised"))
            .then(None)
            .otherwise("item"),
        )
    ).to_series()
    return belongs, told.set(~belongs, None).rename("item")
