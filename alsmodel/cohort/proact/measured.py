"""PRO-ACT tables of repeated measurements: vital capacity, vital signs, laboratory, neurofilament, strength.

Each reader returns measurements and contacts. A contact is a participant and a day on which something
was done, whether or not its result can be used; it bounds follow-up from below.
"""

import polars as pl

from alsmodel.clinical.units import celsius_from_fahrenheit, centimetres_from_inches, kilograms_from_pounds
from alsmodel.cohort.cells import as_numbers, finite, finite_series, flag_copies, known_word, reject_copies, within
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.proact.folder import Loaded

_THOUSANDS = r"^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?$"
_LIMIT = r"^[<>≤≥]|^(?i:less|more|greater|below|above)\b"
_LITRES = ("litres_1", "litres_2", "litres_3")
_PERCENTS = ("percent_1", "percent_2", "percent_3")
_VITALS = (
    "systolic_bp",
    "diastolic_bp",
    "pulse",
    "respiratory_rate",
    "standing_systolic_bp",
    "standing_diastolic_bp",
    "supine_systolic_bp",
    "supine_diastolic_bp",
    "standing_pulse",
    "supine_pulse",
)
_CONVERT = {
    ("weight", "lb"): kilograms_from_pounds,
    ("height", "in"): centimetres_from_inches,
    ("temperature", "F"): celsius_from_fahrenheit,
}

_Read = tuple[pl.DataFrame, pl.DataFrame]


def read_capacity(loaded: Loaded) -> _Read:
    """Return the best of the trials in litres and in percent of predicted, under the table's own name.

    Percent missing from a row is 100 x best litres / normal litres, where both are there.
    """
    loaded = loaded.with_days()
    ledger, written, ranges = loaded.ledger, loaded.written, loaded.mapping.ranges
    contacts = _contacts(loaded.frame)
    frame = reject_copies(loaded.frame, ledger)
    limits = dict.fromkeys(_LITRES, ranges["litres"]) | dict.fromkeys(_PERCENTS, ranges["percent"])
    limits["normal_litres"] = ranges["normal_litres"]
    frame = within(as_numbers(frame, tuple(limits), ledger, written), limits, ledger, written)
    frame = frame.with_columns(pl.max_horizontal(_LITRES).alias("litres"), pl.max_horizontal(_PERCENTS).alias("percent"))
    computed = 100 * pl.col("litres") / pl.col("normal_litres")
    lacking = pl.col("percent").is_null() & computed.is_between(*ranges["percent"])
    ledger.flag("percent_recomputed", frame, lacking, column=written["percent_1"])
    frame = frame.with_columns(pl.when(lacking).then(computed).otherwise("percent").alias("percent"))
    frame = _some_value(frame, ledger, ("litres", "percent"))
    named = {"litres": f"{loaded.table.measure}_litres", "percent": f"{loaded.table.measure}_percent"}
    units = {named["litres"]: "L", named["percent"]: "%"}
    return _long(frame.rename(named), units), contacts


def read_vitals(loaded: Loaded) -> _Read:
    """Return weight (kg), height (cm), temperature (C), blood pressures and rates."""
    loaded = loaded.with_days()
    ledger, written, mapping = loaded.ledger, loaded.written, loaded.mapping
    contacts = _contacts(loaded.frame)
    frame = reject_copies(loaded.frame, ledger)
    numbers = (*_VITALS, "weight", "weight_baseline", "weight_endpoint", "height", "temperature")
    frame = as_numbers(frame, numbers, ledger, written)
    spare = pl.coalesce("weight_baseline", "weight_endpoint")
    lacking = pl.col("weight").is_null() & spare.is_not_null()
    ledger.flag("value_from_fallback", frame, lacking, column=written["weight"])
    frame = frame.with_columns(pl.coalesce("weight", spare).alias("weight"))
    for name, canonical in (("weight", "kg"), ("height", "cm"), ("temperature", "C")):
        frame = _in_unit(frame, name, canonical, loaded)
    units = {name: mapping.units[_kind(name)] for name in (*_VITALS, "weight", "height", "temperature")}
    frame = within(frame, {name: mapping.ranges[_kind(name)] for name in units}, ledger, written)
    frame = _some_value(frame, ledger, tuple(units))
    return _long(frame, units), contacts


def read_labs(loaded: Loaded) -> _Read:
    """Return laboratory results as numbers named "lab:" and the test's name in lower case, units as recorded."""
    loaded = loaded.with_days()
    ledger, written = loaded.ledger, loaded.written
    contacts = _contacts(loaded.frame)
    # Two million rows: each filter copies the table, so that rows are flagged first and filtered once.
    flag_copies(loaded.frame, ledger)
    frame = _results(loaded.frame, ledger, written)
    frame = ledger.usable(frame)
    names = frame.select("name").unique().with_columns(_name="lab:" + pl.col("name").str.strip_chars().str.to_lowercase())
    translated = pl.col("name").replace_strict(names["name"], names["_name"], return_dtype=pl.String)
    return frame.select("participant_id", "day", translated.alias("name"), "value", "unit"), contacts


def read_neurofilament(loaded: Loaded) -> _Read:
    """Return neurofilament light as nfl_serum, nfl_csf or nfl_plasma; specimens are never pooled."""
    loaded = loaded.with_days()
    ledger, written, words = loaded.ledger, loaded.written, loaded.mapping.words
    contacts = _contacts(loaded.frame)
    frame = reject_copies(loaded.frame, ledger)
    named = pl.col("analyte").str.strip_chars().str.to_lowercase().is_in(list(words["analyte"]))
    # The column may be absent: the table then holds nothing but neurofilament light.
    ledger.flag("row_set_aside", frame, ~named, detail="an analyte other than neurofilament light")
    frame = ledger.usable(frame).with_columns(finite(pl.col("result")).alias("value"))
    matrix = pl.col("matrix").str.strip_chars().str.to_lowercase()
    frame = frame.with_columns(matrix.replace_strict(dict(words["matrix"]), default=None, return_dtype=pl.String).alias("_in"))
    ledger.flag("nothing_recorded", frame, pl.col("result").is_null(), column=written["result"])
    unread = pl.col("result").is_not_null() & pl.col("value").is_null()
    ledger.flag("lab_limit", frame, unread & pl.col("result").str.contains(_LIMIT), column=written["result"])
    ledger.flag("lab_text", frame, unread & ~pl.col("result").str.contains(_LIMIT), column=written["result"])
    ledger.flag("nfl_not_positive", frame, pl.col("value") <= 0, column=written["result"])
    ledger.flag("matrix_unknown", frame, pl.col("_in").is_null(), column=written["matrix"])
    frame = ledger.usable(frame).with_columns(pl.format("nfl_{}", "_in").alias("name"))
    return frame.select("participant_id", "day", "name", "value", "unit"), contacts


def read_strength(loaded: Loaded) -> _Read:
    """Return strength by test and side, each trial a row, units as recorded: "strength:grip:left"."""
    loaded = loaded.with_days()
    ledger, written, mapping = loaded.ledger, loaded.written, loaded.mapping
    contacts = _contacts(loaded.frame)
    written["value"] = written["result"]
    frame = as_numbers(loaded.frame.with_columns(value="result"), ("value",), ledger, written)
    frame = within(frame, {"value": mapping.ranges["strength"]}, ledger, written)
    frame = _some_value(frame, ledger, ("value",))
    frame = known_word(frame, "side", mapping.words["side"], ledger, written["side"])
    frame = known_word(frame, "unit", mapping.words["strength_unit"], ledger, written["unit"])
    if loaded.table.measure:
        test = pl.lit(loaded.table.measure)
    else:
        # Everything after the prefix that all of these tests share.
        tested = pl.col("test").str.to_lowercase().str.replace(r"^isometric muscle strength,?\s*", "").str.strip_chars()
        test = pl.coalesce(tested, pl.col("location").str.to_lowercase(), pl.lit("unknown"))
    name = pl.concat_str(pl.lit("strength"), test, "side", separator=":", ignore_nulls=True)
    return frame.select("participant_id", "day", name.alias("name"), "value", "unit"), contacts


def _contacts(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.group_by("participant_id").agg(pl.col("day").max())


def _kind(name: str) -> str:
    return name.removeprefix("standing_").removeprefix("supine_")


def _in_unit(frame: pl.DataFrame, name: str, canonical: str, loaded: Loaded) -> pl.DataFrame:
    """Convert a number to its canonical unit by the unit column beside it."""
    ledger, written, words = loaded.ledger, loaded.written, loaded.mapping.words[f"{name}_unit"]
    unit = pl.col(f"{name}_unit").str.strip_chars().str.to_lowercase()
    unit = unit.replace_strict(dict(words), default=None, return_dtype=pl.String)
    frame = frame.with_columns(unit.alias("_unit"))
    there = pl.col(name).is_not_null()
    ledger.flag("unit_unknown", frame, there & pl.col("_unit").is_null(), column=written[f"{name}_unit"])
    values = [pl.when(pl.col("_unit") == canonical).then(pl.col(name))]
    for (quantity, foreign), convert in _CONVERT.items():
        if quantity == name:
            ledger.flag("unit_converted", frame, there & (pl.col("_unit") == foreign), column=written[name])
            values.append(pl.when(pl.col("_unit") == foreign).then(convert(pl.col(name))))
    return frame.with_columns(pl.coalesce(values).alias(name))


def _results(frame: pl.DataFrame, ledger: Ledger, written: dict[str, str]) -> pl.DataFrame:
    """Add `value`: plain numbers, and numbers with thousands separators; limits, words and nothing are rejected."""
    value = finite_series(frame["result"]).alias("value")
    at = value.is_null().arg_true()
    odd = frame[at]
    text = pl.col("result").str.strip_chars()
    repaired = odd.select(pl.when(text.str.contains(_THOUSANDS)).then(finite(text.str.replace_all(",", "", literal=True))))
    odd = ledger.usable(odd.with_columns(repaired.to_series().alias("_repaired")))
    grouped, limit = pl.col("_repaired").is_not_null(), text.str.contains(_LIMIT)
    ledger.flag("nothing_recorded", odd, pl.col("result").is_null(), column=written["result"])
    ledger.flag("lab_number_repaired", odd, grouped, column=written["result"])
    ledger.flag("lab_limit", odd, ~grouped & limit, column=written["result"])
    ledger.flag("lab_text", odd, ~grouped & ~limit, column=written["result"])
    if frame["name"].null_count():
        ledger.flag("nothing_recorded", ledger.usable(frame.filter(pl.col("name").is_null())), column=written["name"])
    return frame.with_columns(value.scatter(at, repaired.to_series()))


def _some_value(frame: pl.DataFrame, ledger: Ledger, names: tuple[str, ...]) -> pl.DataFrame:
    nothing = pl.all_horizontal(pl.col(names).is_null())
    return ledger.usable(frame) if ledger.flag("nothing_recorded", frame, nothing) else frame


def _long(frame: pl.DataFrame, units: dict[str, str]) -> pl.DataFrame:
    long = frame.unpivot(list(units), index=["participant_id", "day"], variable_name="name", value_name="value")
    unit = pl.col("name").replace_strict(units, return_dtype=pl.String)
    return long.drop_nulls("value").with_columns(unit.alias("unit"))
