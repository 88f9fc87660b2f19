"""The ALSFRS-R: items, domains, totals and delta-FRS, as polars expressions over the items' columns.

Twelve items scored 0 (none) to 4 (normal), four domains of three items, a total of 0 to 48 (Cedarbaum et
al. 1999, doi 10.1016/s0022-510x(99)00210-5). The original ALSFRS has ten items and a total of 0 to 40:
its item 10 (breathing) is a question of its own, replaced in the revision by dyspnoea, orthopnoea and
respiratory insufficiency, and never a substitute for one of them. A total needs all of its items, and a
total on 40 is never turned into one on 48. Prorating exists under names of its own (`prorated_domain`,
`prorated_total`) and is used nowhere unless asked for.
"""

from collections.abc import Sequence

import polars as pl

from alsmodel.clinical.units import DAYS_PER_MONTH

#: Number of the item -> its name; item 5 is asked as 5a or, with a gastrostomy, as 5b.
ITEMS: dict[int, str] = {
    1: "speech",
    2: "salivation",
    3: "swallowing",
    4: "handwriting",
    5: "cutting food and handling utensils",
    6: "dressing and hygiene",
    7: "turning in bed and adjusting bed clothes",
    8: "walking",
    9: "climbing stairs",
    10: "dyspnoea",
    11: "orthopnoea",
    12: "respiratory insufficiency",
}
ITEM_5A = "cutting food and handling utensils, without gastrostomy"
ITEM_5B = "handling fastenings and closures, with gastrostomy"
ITEM_10_ORIGINAL = "breathing"

#: Domain -> its three items.
DOMAINS: dict[str, tuple[int, int, int]] = {
    "bulbar": (1, 2, 3),
    "fine_motor": (4, 5, 6),
    "gross_motor": (7, 8, 9),
    "respiratory": (10, 11, 12),
}

MAX_ITEM = 4
MAX_DOMAIN = 12
MAX_TOTAL = 48
MAX_TOTAL_ORIGINAL = 40

ITEM_COLUMNS: tuple[str, ...] = tuple(f"item_{i}" for i in ITEMS)
ITEM_COLUMNS_ORIGINAL: tuple[str, ...] = (*ITEM_COLUMNS[:9], "item_10_original")


def sum_of(columns: Sequence[str]) -> pl.Expr:
    """Return the sum of `columns`, null when any of them is null."""
    # `sum_horizontal` would read a missing item as a score of 0.
    total = pl.col(columns[0]).cast(pl.Int16)
    for column in columns[1:]:
        total = total + pl.col(column).cast(pl.Int16)
    return total


def domain(name: str) -> pl.Expr:
    """Return the score of one domain, 0 to 12 points, null when an item is missing."""
    return sum_of([f"item_{i}" for i in DOMAINS[name]])


def total_48() -> pl.Expr:
    """Return the ALSFRS-R total, 0 to 48 points, null when an item is missing."""
    return sum_of(ITEM_COLUMNS)


def total_40() -> pl.Expr:
    """Return the total of the original ten-item ALSFRS, 0 to 40 points, null when an item is missing."""
    return sum_of(ITEM_COLUMNS_ORIGINAL)


def item_5(without: pl.Expr, with_gastrostomy: pl.Expr) -> pl.Expr:
    """Return item 5 from its two forms: the one that was answered; null when both were and they differ."""
    both_differ = without != with_gastrostomy
    return pl.when(both_differ.fill_null(value=False)).then(None).otherwise(pl.coalesce(with_gastrostomy, without))


def form_5b(without: pl.Expr, with_gastrostomy: pl.Expr) -> pl.Expr:
    """Return whether item 5 was asked in its form for people with a gastrostomy; null when that cannot be said."""
    differ = (without != with_gastrostomy).fill_null(value=False)
    return (
        pl.when(~differ & with_gastrostomy.is_not_null()).then(statement=True).when(~differ & without.is_not_null()).then(statement=False)
    )


def _missing_items(name: str) -> pl.Expr:
    return pl.sum_horizontal(pl.col(f"item_{i}").is_null() for i in DOMAINS[name])


def prorated_domain(name: str) -> pl.Expr:
    """Return the score of one domain, 0 to 12 points, with at most one missing item made up from the other two.

    .. math:: domain = 3 \\times mean(items \\; answered)

    Null when two or three items are missing. Not rounded: 4 and 3 with one item missing make 10.5. No source
    prorates the ALSFRS-R; the rule is a convention of this package, modelled on the common use of the mean of
    the answered items of the same subscale, which its reviewers call inappropriate where items differ in
    difficulty (Fayers, Curran and Machin, Stat Med 1998;17:679), as climbing stairs and walking do.
    """
    answered = pl.sum_horizontal(pl.col(f"item_{i}").cast(pl.Float64) for i in DOMAINS[name])
    missing = _missing_items(name)
    return pl.when(missing <= 1).then(answered * 3.0 / (3 - missing))


def prorated_total() -> pl.Expr:
    """Return the ALSFRS-R total, 0 to 48 points, as the sum of the four prorated domains; null when one of them is.

    Always to be kept beside `prorated_items`: a total with items made up is not a total that was scored.
    """
    total = prorated_domain("bulbar")
    for name in list(DOMAINS)[1:]:
        total = total + prorated_domain(name)
    return total


def prorated_items() -> pl.Expr:
    """Return how many of the twelve items `prorated_total` makes up, 0 to 4; null where it gives no total."""
    missing = pl.sum_horizontal(_missing_items(name) for name in DOMAINS)
    return pl.when(prorated_total().is_not_null()).then(missing.cast(pl.Int8))


def delta_frs(total: pl.Expr, days_since_onset: pl.Expr) -> pl.Expr:
    """Return points lost per month since onset.

    .. math:: \\Delta FRS = (48 - total) / months \\; since \\; onset

    A month is 365.25/12 days. Null unless the days are above zero. Source: HEALEY ALS platform trial,
    M-SAP v3.0 (2023), supplement 2 of Berry et al., JAMA 2025, doi 10.1001/jama.2024.27643.

    Parameters
    ----------
    total : polars.Expr
        ALSFRS-R total on 48. If the same score is also an outcome, the two are not independent.
    days_since_onset : polars.Expr
        Days from onset to the day of that total.
    """
    elapsed = days_since_onset / DAYS_PER_MONTH
    return pl.when(elapsed > 0).then((MAX_TOTAL - total) / elapsed)
