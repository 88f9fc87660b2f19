"""Forms of repeated measurements: vital capacity, vital signs, laboratory, neurofilament, strength.

Each reader returns measurements and contacts. A contact is a participant and a day on which something
was done, whether or not its result can be used; it bounds follow-up from below.
"""

import polars as pl

from alsmodel.clinical.units import celsius_from_fahrenheit, centimetres_from_inches, kilograms_from_pounds
from alsmodel.cohort.cells import as_numbers, finite, finite_series, flag_copies, reject_copies, within
from alsmodel.cohort.forms.form import Form
from alsmodel.cohort.forms.kinds import REPEATED
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.tables import empty, measured

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


def read_capacity(form: Form) -> _Read:
    """Return the best of the trials in litres and in percent of predicted, under the table's own name.

    Percent missing from a row is 100 x best litres / normal litres, where both are there.
    """
    form = form.with_days()
    ledger, written, ranges = form.ledger, form.written, form.source.ranges
    contacts = _contacts(form.frame)
    frame = reject_copies(form.frame, ledger)
    limits = dict.fromkeys(_LITRES, ranges["litres"]) | dict.fromkeys(_PERCENTS, ranges["percent"])
    limits["normal_litres"] = ranges["normal_litres"]
    frame = within(as_numbers(frame, tuple(limits), ledger, written), limits, ledger, written)
    frame = frame.with_columns(pl.max_horizontal(_LITRES).alias("litres"), pl.max_horizontal(_PERCENTS).alias("percent"))
    computed = 100 * pl.col("litres") / pl.col("normal_litres")
    lacking = pl.col("percent").is_null() & computed.is_between(*ranges["percent"])
    ledger.flag("percent_recomputed", frame, lacking, column=written["percent_1"])
    frame = frame.with_columns(pl.when(lacking).then(computed).otherwise("percent").alias("percent"))
    frame = _some_value(frame, ledger, ("litres", "percent"))
    frame = _which_capacity(frame, form)
    long = _long(frame, {"litres": "L", "percent": "%"}, keep=("_test",))
    return long.select("participant_id", "day", pl.concat_str("_test", "name", separator="_").alias("name"), "value", "unit"), contacts


def _which_capacity(frame: pl.DataFrame, form: Form) -> pl.DataFrame:
    """Say of each row whether it is forced ("fvc") or slow ("svc") vital capacity; rows of neither are rejected."""
    if "test" not in form.map.spelled:
        return frame.with_columns(pl.lit(form.map.measure).alias("_test"))
    frame = form.known(frame, "test", "capacity_test")
    if form.ledger.flag("capacity_unknown", frame, pl.col("test").is_null(), column=form.written["test"]):
        frame = form.ledger.usable(frame)
    return frame.with_columns(pl.col("test").alias("_test"))


def read_vitals(form: Form) -> _Read:
    """Return weight (kg), height (cm), temperature (C), blood pressures and rates."""
    form = form.with_days()
    ledger, written, mapping = form.ledger, form.written, form.source
    contacts = _contacts(form.frame)
    frame = reject_copies(form.frame, ledger)
    spares = {name: (f"{name}_baseline", f"{name}_endpoint") for name in REPEATED}
    numbers = (*_VITALS, "weight", *(spare for both in spares.values() for spare in both), "height", "temperature")
    frame = as_numbers(frame, numbers, ledger, written)
    for name, both in spares.items():
        lacking = pl.col(name).is_null() & pl.any_horizontal(pl.col(both).is_not_null())
        ledger.flag("value_from_fallback", frame, lacking, column=written[name])
    frame = frame.with_columns(pl.coalesce(name, *both).alias(name) for name, both in spares.items())
    for name, canonical in (("weight", "kg"), ("height", "cm"), ("temperature", "C")):
        frame = in_unit(frame, name, canonical, form)
    units = {name: mapping.units[_kind(name)] for name in (*_VITALS, "weight", "height", "temperature")}
    frame = within(frame, {name: mapping.ranges[_kind(name)] for name in units}, ledger, written)
    frame = _some_value(frame, ledger, tuple(units))
    return _long(frame, units), contacts


def read_labs(form: Form) -> _Read:
    """Return laboratory results as numbers named "lab:" and the test's name in lower case, units as recorded."""
    form = form.with_days()
    ledger, written = form.ledger, form.written
    contacts = _contacts(form.frame)
    # Two million rows: each filter copies the table, so that rows are flagged first and filtered once.
    flag_copies(form.frame, ledger)
    frame = _results(form.frame, ledger, written)
    frame = ledger.usable(frame)
    names = frame.select("name").unique().with_columns(_name="lab:" + pl.col("name").str.strip_chars().str.to_lowercase())
    name = pl.col("name").replace_strict(names["name"], names["_name"], return_dtype=pl.String)
    if "matrix" in form.map.spelled:
        nfl = pl.col("name").str.strip_chars().str.to_lowercase().is_in(list(form.words("analyte")))
        frame = frame.with_columns(pl.when(nfl).then(_specimen(form)).alias("_in"), nfl.alias("_nfl"))
        ledger.flag("matrix_unknown", frame, pl.col("_nfl") & pl.col("_in").is_null(), column=written["matrix"])
        ledger.flag("nfl_not_positive", frame, pl.col("_nfl") & (pl.col("value") <= 0), column=written["result"])
        frame = ledger.usable(frame)
        name = pl.when("_nfl").then(pl.format("nfl_{}", "_in")).otherwise(name)
    return frame.select("participant_id", "day", name.alias("name"), "value", "unit"), contacts


def _specimen(form: Form) -> pl.Expr:
    matrix = pl.col("matrix").str.strip_chars().str.to_lowercase()
    return matrix.replace_strict(form.words("matrix"), default=None, return_dtype=pl.String)


def read_measurements(form: Form) -> _Read:
    """Return the columns mapped to "value:NAME" as measurements of that name; units and ranges come from the mapping."""
    form = form.with_days()
    contacts = _contacts(form.frame)
    names = {column: column.removeprefix("value:") for column in form.open_names("value:")}
    frame = reject_copies(form.frame, form.ledger)
    frame = form.numbers(frame, {column: form.source.ranges.get(name) for column, name in names.items()})
    frame = _some_value(frame, form.ledger, tuple(names))
    long = frame.rename(names).unpivot(list(names.values()), index=["participant_id", "day"], variable_name="name", value_name="value")
    units = form.source.units | form.map.units
    unit = pl.col("name").replace_strict({name: units.get(name) for name in names.values()}, return_dtype=pl.String)
    return long.drop_nulls("value").with_columns(unit.alias("unit")), contacts


def read_contacts(form: Form) -> _Read:
    """Return days on which a participant was seen, and no measurement."""
    form = form.with_days()
    return empty("measurements"), _contacts(form.frame)


def read_neurofilament(form: Form) -> _Read:
    """Return neurofilament light as nfl_serum, nfl_csf or nfl_plasma; specimens are never pooled."""
    form = form.with_days()
    ledger, written = form.ledger, form.written
    contacts = _contacts(form.frame)
    frame = reject_copies(form.frame, ledger)
    named = pl.col("analyte").str.strip_chars().str.to_lowercase().is_in(list(form.words("analyte")))
    # The column may be absent: the table then holds nothing but neurofilament light.
    ledger.flag("row_set_aside", frame, ~named, detail="an analyte other than neurofilament light")
    frame = ledger.usable(frame).with_columns(finite(pl.col("result")).alias("value"))
    frame = frame.with_columns(_specimen(form).alias("_in"))
    ledger.flag("nothing_recorded", frame, pl.col("result").is_null(), column=written["result"])
    unread = pl.col("result").is_not_null() & pl.col("value").is_null()
    ledger.flag("lab_limit", frame, unread & pl.col("result").str.contains(_LIMIT), column=written["result"])
    ledger.flag("lab_text", frame, unread & ~pl.col("result").str.contains(_LIMIT), column=written["result"])
    ledger.flag("nfl_not_positive", frame, pl.col("value") <= 0, column=written["result"])
    ledger.flag("matrix_unknown", frame, pl.col("_in").is_null(), column=written["matrix"])
    frame = ledger.usable(frame).with_columns(pl.format("nfl_{}", "_in").alias("name"))
    return frame.select("participant_id", "day", "name", "value", "unit"), contacts


def read_strength(form: Form) -> _Read:
    """Return strength by test and side, each trial a row, units as recorded: "strength:grip:left"."""
    form = form.with_days()
    contacts = _contacts(form.frame)
    form.written["value"] = form.written["result"]
    frame = form.numbers(form.frame.with_columns(value="result"), {"value": form.source.ranges["strength"]})
    frame = _some_value(frame, form.ledger, ("value",))
    frame = form.known(form.known(frame, "side"), "unit", "strength_unit")
    if form.map.measure:
        test = pl.lit(form.map.measure)
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


def in_unit(frame: pl.DataFrame, name: str, canonical: str, form: Form) -> pl.DataFrame:
    """Convert a number to its canonical unit by the unit column beside it."""
    ledger, written, words = form.ledger, form.written, form.words(f"{name}_unit")
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


def _long(frame: pl.DataFrame, units: dict[str, str], keep: tuple[str, ...] = ()) -> pl.DataFrame:
    return pl.concat([measured(frame, pl.col(name), name, unit, keep) for name, unit in units.items()])
