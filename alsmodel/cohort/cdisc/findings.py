"""QS, FT, RS, RE, LB and VS prepared: one result, one unit and one date per row."""

from collections.abc import Sequence

import polars as pl

from alsmodel.cohort.cdisc import scale
from alsmodel.cohort.cdisc.domain import PARTICIPANT, Domain
from alsmodel.cohort.cdisc.mapping import CdiscMapping
from alsmodel.cohort.cdisc.timing import Origins, day_numbers, put_dates
from alsmodel.cohort.cells import finite_series

_LITRES = {"L": 1.0, "LITER": 1.0, "LITERS": 1.0, "LITRES": 1.0, "ML": 0.001, "DL": 0.1}
_BLOOD = ("SERUM", "PLASMA", "BLOOD", "SERUM OR PLASMA", "SERUM/PLASMA")
_NFL = ("NFLP", "NFL")
#: VSTESTCD -> vital sign, with or without a position.
_VITALS = {
    "WEIGHT": "weight",
    "HEIGHT": "height",
    "TEMP": "temperature",
    "RESP": "respiratory_rate",
    "SYSBP": "systolic_bp",
    "DIABP": "diastolic_bp",
    "PULSE": "pulse",
    "HR": "pulse",
}
_POSITIONED = ("systolic_bp", "diastolic_bp", "pulse")


def put_results(domain: Domain, *, numbers_first: bool = True) -> tuple[pl.Series, pl.Series]:
    """Return the result of each row and its unit: as standardised, else as collected. Rows not done are set aside.

    Parameters
    ----------
    domain : Domain
    numbers_first : bool
        A number as collected counts before a standardised result in words, such as "4" before "Normal".
    """
    domain.set_aside((domain.upper("--STAT") == "NOT DONE").fill_null(False), "not done (--STAT)")
    names = ("--STRESN", "--STRESC", "--ORRES")
    cells = pl.DataFrame(
        {name: domain.get(name) for name in names} | {"standard": domain.get("--STRESU"), "collected": domain.get("--ORRESU")}
    )
    numbers = cells.with_columns(
        pl.when(pl.lit(finite_series(cells[name]).is_not_null())).then(pl.col(name)).alias(f"{name} number") for name in names
    )
    order = [f"{name} number" for name in names] if numbers_first else []
    order += list(names)
    standard = pl.coalesce(pl.when(pl.col(name).is_not_null()).then(pl.lit("--ORRES" not in name)) for name in order)
    return (
        numbers.select(pl.coalesce(order)).to_series(),
        numbers.select(pl.when(standard.fill_null(True)).then("standard").otherwise("collected")).to_series(),
    )


def prepare_scores(domain: Domain, origins: Origins, mapping: CdiscMapping, before: Sequence[pl.DataFrame]) -> pl.DataFrame | None:
    """Prepare a data set of questionnaires; return its keys, or None when it holds no ALSFRS-R.

    Parameters
    ----------
    domain : Domain
    origins : Origins
    mapping : CdiscMapping
    before : sequence of polars.DataFrame
        Keys of data sets prepared before: participant, date and item. Rows with the same are rejected.
    """
    tests = domain.get("--TEST")
    belongs, item = scale.items(domain.get("--TESTCD"), tests, domain.first("--CAT", "--SCAT"), mapping.items)
    domain.set_aside(~belongs, "rows of other questionnaires")
    if not belongs.any():
        return None
    domain.set_aside((item == "aside").fill_null(False), "sums of some items; they are computed from the items")
    result, _ = put_results(domain)
    shown = "--TEST" if domain.has("--TEST") else "--TESTCD"
    # A test that is not known stands as it is written, and the form says so.
    unknown = domain.first("--TEST", "--TESTCD")
    domain.put("--TEST", item.zip_with(item.is_not_null(), "test: " + unknown), seen_as=shown)
    domain.put("--STRESN", result, seen_as=_shown_result(domain))
    put_dates(domain, "--DTC", "--DY", origins)
    for name in (PARTICIPANT, "--METHOD", "--EVAL"):
        domain.put(name, domain.get(name))
    return _reject_repeated(domain, before)


def _reject_repeated(domain: Domain, before: Sequence[pl.DataFrame]) -> pl.DataFrame:
    keys = pl.DataFrame({PARTICIPANT: domain.made[PARTICIPANT], "day": day_numbers(domain.made[domain.shown("--DTC")])})
    if before:
        earlier = pl.concat(before).unique().with_columns(again=pl.lit(True))
        again = keys.join(earlier, on=keys.columns, how="left", maintain_order="left")["again"].fill_null(False)
        domain.flag("repeated_elsewhere", again)
    return keys.filter(~domain.aside).drop_nulls()


def prepare_capacity(domain: Domain, origins: Origins) -> bool:
    """Prepare RE: forced and slow vital capacity in litres and in percent of predicted, the best of the tries of a day."""
    code = domain.upper("--TESTCD")
    percent, litres = code.is_in(["FVCPP", "SVCPP"]).fill_null(False), code.is_in(["FVC", "SVC"]).fill_null(False)
    domain.set_aside(~(percent | litres), "respiratory tests other than vital capacity")
    result, unit = put_results(domain)
    value = finite_series(result)
    factor = unit.str.to_uppercase().replace_strict(_LITRES, default=None, return_dtype=pl.Float64)
    unclear = litres & factor.is_null() & result.is_not_null()
    domain.flag("unit_unknown", unclear, column="--STRESU" if domain.has("--STRESU") else "--STRESN")
    domain.flag("unit_converted", litres & (factor != 1.0) & value.is_not_null(), column="--STRESU")
    volume = (value * factor).cast(pl.String)
    volume = volume.zip_with(value.is_not_null(), result).set(unclear, None)
    put_dates(domain, "--DTC", "--DY", origins)
    domain.put(PARTICIPANT, domain.get(PARTICIPANT))
    domain.put("--TESTCD", code)
    domain.put("--STRESN", volume.set(~litres, None), seen_as=_shown_result(domain))
    domain.put("--STRESN (percent)", result.set(~percent, None))
    keys = {
        PARTICIPANT: domain.get(PARTICIPANT),
        "date": domain.made[domain.shown("--DTC")],
        "code": code,
        "value": value * factor.fill_null(1.0),
    }
    told = pl.DataFrame(keys).with_columns(row=pl.int_range(pl.len()), aside=domain.aside | value.is_null())
    best = told.filter(~pl.col("aside")).sort("value", descending=True, maintain_order=True)
    best = best.unique([PARTICIPANT, "date", "code"], keep="first", maintain_order=True)
    kept = told["row"].is_in(best["row"].implode()) | told["aside"] | told["date"].is_null()
    domain.set_aside(~kept, "another try of the same test and day was better")
    return bool((~domain.aside).any())


def prepare_labs(domain: Domain, origins: Origins) -> None:
    """Prepare LB: neurofilament light (NFLP) by specimen, other tests by name; specimens other than blood are named."""
    result, unit = put_results(domain, numbers_first=False)
    code, specimen = domain.upper("--TESTCD"), domain.get("--SPEC")
    light = code.is_in(_NFL).fill_null(False)
    test = domain.first("--TEST", "--TESTCD")
    other = specimen.is_not_null() & (~specimen.str.to_uppercase().is_in(_BLOOD) | code.str.starts_with("NFH").fill_null(False))
    name = pl.DataFrame({"test": test, "specimen": specimen, "light": light, "other": other}).select(
        pl.when("light")
        .then(pl.lit("neurofilament light"))
        .when(pl.col("other") & pl.col("test").is_not_null())
        .then(pl.format("{}, {}", "test", "specimen"))
        .otherwise("test")
    )
    domain.set_aside(result.is_null(), "rows without a result")
    domain.put(PARTICIPANT, domain.get(PARTICIPANT))
    domain.put("--TEST", name.to_series(), seen_as="--TEST" if domain.has("--TEST") else "--TESTCD")
    domain.put("--STRESN", result, seen_as=_shown_result(domain))
    domain.put("--STRESU", unit)
    domain.put("--SPEC", specimen)
    put_dates(domain, "--DTC", "--DY", origins)


def prepare_vitals(domain: Domain, origins: Origins) -> bool:
    """Prepare VS: each row fills the column of its test, with the position standing or supine where that is said."""
    code, position = domain.upper("--TESTCD"), domain.get("--POS").str.to_lowercase()
    sign = code.replace_strict(_VITALS, default=None, return_dtype=pl.String)
    placed = sign.is_in(_POSITIONED).fill_null(False) & position.is_in(["standing", "supine"]).fill_null(False)
    sign = sign.zip_with(~placed, position + "_" + sign)
    domain.set_aside(sign.is_null(), "vital signs for which the canonical tables have no place")
    result, unit = put_results(domain)
    domain.put(PARTICIPANT, domain.get(PARTICIPANT))
    put_dates(domain, "--DTC", "--DY", origins)
    for name in dict.fromkeys(sign.drop_nulls()):
        mine = (sign == name).fill_null(False)
        domain.put(f"--STRESN ({name})", result.set(~mine, None))
        if name in ("weight", "height", "temperature"):
            domain.put(f"--STRESU ({name})", unit.set(~mine, None))
    return bool((~domain.aside).any())


def _shown_result(domain: Domain) -> str:
    return next((name for name in ("--STRESN", "--STRESC", "--ORRES") if domain.has(name)), "--STRESN")
