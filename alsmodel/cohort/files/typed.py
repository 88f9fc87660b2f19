"""Typed columns to text that reads back as the same value, spelled as the same cells would be in a text file."""

import polars as pl

#: Whole numbers up to here are written without a fraction; beyond it a float no longer tells neighbours apart.
_EXACT = 2.0**53
_DAY_IN_MICROSECONDS = 86_400_000_000


def as_text(column: pl.Series) -> pl.Series:
    """Return any column as text; missing cells and floats that are no number are null.

    Floats are written by their shortest text that reads back as the same float, whole ones without ".0". Dates are ISO 8601; so
    are date-times, without the time of day where that is midnight and without their zone. Booleans are TRUE and FALSE,
    durations are days, lists and structures are JSON, bytes are UTF-8 text, or hexadecimal digits where some cell is none.
    """
    dtype = column.dtype
    name = column.name
    if dtype.is_float():
        return number_text(column)
    if dtype == pl.Boolean:
        column = _select(column, pl.when(pl.col(name)).then(pl.lit("TRUE")).when(~pl.col(name)).then(pl.lit("FALSE")))
    elif isinstance(dtype, pl.Datetime):
        column = date_text(column.dt.replace_time_zone(None).cast(pl.Datetime("us")).dt.to_string("%Y-%m-%d %H:%M:%S%.f"))
    elif dtype == pl.Duration:
        return number_text(column.dt.total_microseconds() / _DAY_IN_MICROSECONDS)
    elif dtype == pl.Binary:
        column = _bytes(column)
    elif isinstance(dtype, pl.List | pl.Array):
        boxed = pl.struct(pl.col(name).alias("v")).struct.json_encode().str.strip_prefix('{"v":').str.strip_suffix("}")
        column = _select(column, pl.when(pl.col(name).is_not_null()).then(boxed))
    elif isinstance(dtype, pl.Struct):
        column = _select(column, pl.when(pl.col(name).is_not_null()).then(pl.col(name).struct.json_encode()))
    return column.cast(pl.String).alias(name)


def _bytes(column: pl.Series) -> pl.Series:
    try:
        return column.cast(pl.String)
    except pl.exceptions.ComputeError:
        return column.bin.encode("hex")


def number_text(numbers: pl.Series) -> pl.Series:
    """Return floats as their shortest text, whole ones without a fraction; what is no finite number is null."""
    finite = pl.when(pl.col("x").is_finite()).then(pl.col("x"))
    whole = (finite == finite.round(0)) & (finite.abs() <= _EXACT)
    frame = numbers.alias("x").to_frame()
    text = pl.when(whole).then(finite.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(finite.cast(pl.String))
    return frame.select(text.alias(numbers.name)).to_series()


def date_text(text: pl.Series) -> pl.Series:
    """Return date-times without a time of day that is midnight; other text as it is."""
    return text.str.replace(r"^(\d{4}-\d{2}-\d{2})[ T]00:00:00(?:\.0+)?$", "${1}")


def _select(column: pl.Series, text: pl.Expr) -> pl.Series:
    return column.to_frame().select(text.alias(column.name)).to_series()
