"""Conduction measurements as signs, by the laboratory's own limits, and names for neurofilament light.

No limit is built in. Normal values of compound muscle action potentials and of central motor conduction time depend on
the laboratory, the muscle, and for the leg on height (Muscle Nerve 1990;13:1125, doi 10.1002/mus.880131207), so each
measurement is judged by the limit that its laboratory states, with the source of that limit.

Neurofilament light (NfL) is a different number in each fluid: serum and plasma differ in proportion and offset (Rübsamen
et al. 2022, doi 10.3389/fneur.2022.894119) and CSF is higher by far, so each fluid has a name of its own and two are never
one variable. Assays differ too (Sheth et al. 2025, doi 10.1101/2025.05.05.652212): an analysis across assays needs the
assay as a covariate.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, final

import polars as pl

from alsmodel.clinical.regions import REGIONS, SIDES
from alsmodel.errors import Fault, InvalidInput

type Quantity = Literal["CMAP amplitude", "CMCT"]

#: Quantity -> (sign, neuron, unit); the sign is present below the limit of an amplitude, above that of a time.
_SIGN: dict[str, tuple[str, str, str]] = {
    "CMAP amplitude": ("low_cmap", "LMN", "mV"),
    "CMCT": ("prolonged_cmct", "UMN", "ms"),
}


@final
@dataclass(frozen=True)
class Limit:
    """The limit of normal of one measurement, as its laboratory states it.

    Attributes
    ----------
    measurement : str
        Name in the ``measurements`` table, such as "cmap_ulnar_left".
    quantity : {"CMAP amplitude", "CMCT"}
        An amplitude in mV is abnormal below the limit, a conduction time in ms above it.
    region : str
        Region whose motor neurons the muscle belongs to.
    side : {"left", "right"} or None
        Side of the muscle.
    limit : float
        Lower (amplitude) or upper (time) limit of normal, mV or ms; a value on the limit is normal.
    source : str
        Laboratory, or the publication of the limit.
    """

    measurement: str
    quantity: Quantity
    region: str
    side: Literal["left", "right"] | None
    limit: float
    source: str


def _check_limits(limits: Sequence[Limit]) -> list[Fault]:
    faults = []
    seen: set[str] = set()
    for i, one in enumerate(limits):
        place = f"limits[{i}]"
        if one.quantity not in _SIGN:
            faults.append(Fault(f"{place}.quantity", "this quantity is not known.", f"Known: {', '.join(_SIGN)}."))
        if one.region not in REGIONS:
            faults.append(Fault(f"{place}.region", "this region is not known.", f"Known: {', '.join(REGIONS)}."))
        if one.side is not None and one.side not in SIDES:
            faults.append(Fault(f"{place}.side", "a side is left or right.", "Leave it out where the muscle has no side."))
        if not one.limit > 0:
            faults.append(Fault(f"{place}.limit", "a limit of normal is above 0."))
        if not one.source.strip():
            faults.append(Fault(f"{place}.source", "a limit needs the laboratory or publication that states it."))
        if one.measurement in seen:
            faults.append(Fault(f"{place}.measurement", f"{one.measurement} has a limit already.", "Keep one limit per measurement."))
        seen.add(one.measurement)
    return faults


def conduction_signs(measurements: pl.DataFrame, limits: Sequence[Limit]) -> pl.DataFrame:
    """Return CMAP amplitudes and central motor conduction times as rows of the canonical ``signs`` table.

    Parameters
    ----------
    measurements : polars.DataFrame
        The canonical ``measurements`` table; names without a limit are left alone.
    limits : sequence of Limit
        One per measurement.

    Returns
    -------
    polars.DataFrame
        participant_id, day, region, side, neuron, sign ("low_cmap", "prolonged_cmct"), state.

    Raises
    ------
    InvalidInput
        When a limit cannot be used, or a measurement stands in another unit than mV (amplitude) or ms (time).
    """
    faults = _check_limits(limits)
    if faults:
        raise InvalidInput(faults)
    rows = [(one.measurement, one.region, one.side, *_SIGN[one.quantity], one.limit) for one in limits]
    schema = dict.fromkeys(("name", "region", "side", "sign", "neuron", "unit_expected"), pl.String)
    table = pl.DataFrame(rows, schema={**schema, "limit": pl.Float64}, orient="row")
    joined = measurements.join(table, on="name", maintain_order="left")
    wrong = joined.filter(~pl.col("unit").eq_missing(pl.col("unit_expected"))).select("name", "unit_expected").unique(maintain_order=True)
    if wrong.height:
        raise InvalidInput(
            [Fault(f"measurements: {name}:unit", f"expected {unit}.", "Convert it when reading.") for name, unit in wrong.iter_rows()]
        )
    low = pl.col("sign") == _SIGN["CMAP amplitude"][0]
    abnormal = pl.when(low).then(pl.col("value") < pl.col("limit")).otherwise(pl.col("value") > pl.col("limit"))
    state = pl.when(abnormal).then(pl.lit("present")).otherwise(pl.lit("absent"))
    return joined.select("participant_id", "day", "region", "side", "neuron", "sign", state=state)


#: Fluid -> name in the ``measurements`` table; all in pg/mL.
NFL_NAMES: dict[str, str] = {"serum": "nfl_serum", "plasma": "nfl_plasma", "csf": "nfl_csf"}
NFL_UNIT = "pg/mL"

#: Unit -> pg/mL.
NFL_FACTORS: dict[str, float] = {"pg/ml": 1.0, "ng/l": 1.0, "ng/ml": 1000.0, "ug/l": 1000.0, "\u00b5g/l": 1000.0, "\u03bcg/l": 1000.0}


def nfl_name(fluid: pl.Expr) -> pl.Expr:
    """Return the name of NfL in `fluid` ("Serum", "plasma", "CSF", in any case); null for another or an unknown fluid."""
    return fluid.str.strip_chars().str.to_lowercase().replace_strict(NFL_NAMES, default=None, return_dtype=pl.String)


def nfl_value(value: pl.Expr, unit: pl.Expr) -> pl.Expr:
    """Return a concentration in pg/mL; null where the unit is not known or the value is not above zero."""
    factor = unit.str.strip_chars().str.to_lowercase().replace_strict(NFL_FACTORS, default=None, return_dtype=pl.Float64)
    return pl.when(value > 0).then(value * factor)


def require_one_fluid(names: Iterable[str], *, place: str = "measurements") -> None:
    """Refuse to take NfL of two fluids as one variable.

    Raises
    ------
    InvalidInput
        When `names` hold NfL of more than one fluid.
    """
    found = sorted(set(names) & set(NFL_NAMES.values()))
    if len(found) > 1:
        raise InvalidInput([Fault(place, f"{' and '.join(found)} are different quantities.", "Choose one fluid, or use each as its own.")])
