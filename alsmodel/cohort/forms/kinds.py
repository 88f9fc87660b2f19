"""The kinds of form that a source may hold, and the names of what each can carry.

A mapping gives each of its forms a kind and says which of the file's columns is which of these names.
"""

from dataclasses import dataclass
from typing import Literal, final

Kind = Literal[
    "participants",
    "history",
    "arm",
    "el_escorial",
    "family",
    "genes",
    "assessments",
    "assessments_long",
    "capacity",
    "vitals",
    "labs",
    "neurofilament",
    "strength",
    "measurements",
    "signs",
    "death",
    "event",
    "drug_use",
    "medications",
    "adverse_events",
    "exposures",
    "contacts",
    "covariates",
    "none",
]


@final
@dataclass(frozen=True)
class KindOfForm:
    """What a form of one kind carries.

    Attributes
    ----------
    needs : tuple of str
        Names without which it says nothing.
    knows : tuple of str
        Names that it may have.
    prefixes : tuple of str
        Beginnings of open names, such as "value:" in "value:nfl_serum".
    meaning : str
        What such a form is, in words.
    """

    needs: tuple[str, ...]
    knows: tuple[str, ...]
    meaning: str
    prefixes: tuple[str, ...] = ()


#: Beginnings of names by which a form of any kind may carry columns without a canonical place as covariates:
#: "covariate:NAME" the participant's first cell; "list:NAME" the distinct cells of all of the participant's rows;
#: "number:NAME" the first number; "flag:NAME:WORD" a column whose set flags add WORD to the list NAME.
COVARIATE_PREFIXES = ("covariate:", "list:", "number:", "flag:")

_ITEMS = tuple(f"item_{i}" for i in (*range(1, 5), "5a", "5b", 5, *range(6, 13)))
_SITES = ("onset_bulbar", "onset_limb", "onset_limb_and_bulbar", "onset_spine", "onset_respiratory", "onset_other")
_PRESSURES = tuple(f"{position}{name}" for position in ("", "standing_", "supine_") for name in ("systolic_bp", "diastolic_bp", "pulse"))
#: Vital signs that some trials repeat in columns of their own for the baseline and the end point.
REPEATED = ("weight", *(name for name in _PRESSURES if "_" in name and name.split("_")[0] in ("standing", "supine")))

KINDS: dict[str, KindOfForm] = {
    "participants": KindOfForm(
        ("participant_id",),
        (
            *(
                "sex",
                "age",
                "birth_day",
                "site",
                "arm",
                "phenotype",
                "phenotype_day",
                "ftd",
                "exclusion",
                "entry_day",
                "origin_day",
                "family_history",
            ),
            *("height", "height_unit", "gene", "source"),
        ),
        "one row per participant: sex, age, arm and other facts of baseline",
        ("covariate:",),
    ),
    "history": KindOfForm(
        ("participant_id",),
        (
            *("onset_day", "diagnosis_day", "onset_site", *_SITES, "family_history", "duration"),
            *("symptom", "symptom_other", "symptom_location", "symptom_location_other"),
        ),
        "onset and diagnosis of the disease",
        ("covariate:",),
    ),
    "arm": KindOfForm(("participant_id", "arm"), ("day",), "assigned arm, and the day on which its treatment started"),
    "el_escorial": KindOfForm(("participant_id", "el_escorial"), ("form_day",), "recorded category of the El Escorial criteria"),
    "family": KindOfForm(
        ("participant_id",),
        ("mutation", "mutation_other", "disease", "disease_other", "neuro_disease", "neuro_disease_other", "relative_other"),
        "family history in PRO-ACT's form",
    ),
    "genes": KindOfForm(("participant_id",), ("gene", "result", "variant"), "results of genetic tests", ("gene:", "variant:")),
    "assessments": KindOfForm(
        ("participant_id", "day"),
        (*_ITEMS, "item_10_original", "gastrostomy", "total_48", "total_40", "mode", "respondent"),
        "ALSFRS-R or ALSFRS, a row per assessment",
    ),
    "assessments_long": KindOfForm(
        ("participant_id", "day", "item", "score"), ("mode", "respondent"), "ALSFRS-R or ALSFRS, a row per item"
    ),
    "capacity": KindOfForm(
        ("participant_id", "day"),
        ("litres_1", "litres_2", "litres_3", "percent_1", "percent_2", "percent_3", "normal_litres", "test"),
        "vital capacity",
    ),
    "vitals": KindOfForm(
        ("participant_id", "day"),
        (
            *("weight", "weight_unit", "height", "height_unit", *(f"{name}_{at}" for name in REPEATED for at in ("baseline", "endpoint"))),
            *("temperature", "temperature_unit", "respiratory_rate", *_PRESSURES),
        ),
        "weight, height, blood pressure, pulse, temperature",
    ),
    "labs": KindOfForm(("participant_id", "day", "name", "result"), ("unit", "matrix"), "laboratory results, a row per result"),
    "neurofilament": KindOfForm(("participant_id", "day", "result"), ("analyte", "matrix", "unit"), "neurofilament light"),
    "strength": KindOfForm(("participant_id", "day", "result"), ("test", "location", "side", "unit"), "muscle strength, a row per test"),
    "measurements": KindOfForm(("participant_id", "day"), (), "any measured numbers, a column each", ("value:",)),
    "signs": KindOfForm(
        ("participant_id", "day"),
        ("region", "side", "neuron", "sign", "state"),
        "motor neuron signs: a row per sign, or a column each",
        ("sign:",),
    ),
    "death": KindOfForm(("participant_id",), ("died", "day", "free_until_day"), "whether and when a participant died"),
    "event": KindOfForm(
        ("participant_id",), ("happened", "day", "free_until_day"), "an event other than death, named by `event` and `definition`"
    ),
    "drug_use": KindOfForm(("participant_id", "taken"), ("start_day",), "whether one drug, named by `drug`, was taken"),
    "medications": KindOfForm(
        ("participant_id", "drugs"),
        ("start_day", "stop_day", "dose", "dose_unit", "frequency", "route"),
        "medication list in which ALS drugs are looked for",
    ),
    "adverse_events": KindOfForm(("participant_id",), ("start_day", "stop_day"), "adverse events, of which only the days are used"),
    "exposures": KindOfForm(
        ("participant_id",), ("drug", "start_day", "stop_day", "dose", "dose_unit"), "doses of the study's own drug, a row per interval"
    ),
    "covariates": KindOfForm(("participant_id",), (), "columns that become covariates, and nothing else", COVARIATE_PREFIXES),
    "contacts": KindOfForm(("participant_id", "day"), (), "days on which a participant was seen"),
    "none": KindOfForm(("participant_id",), (), "a form for which the canonical tables have no place"),
}


def is_known(kind: str, target: str) -> bool:
    """Say whether a form of `kind` can carry `target`."""
    spec = KINDS[kind]
    open_names = any(target.startswith(p) and len(target) > len(p) for p in (*spec.prefixes, *COVARIATE_PREFIXES))
    if target.startswith("flag:") and not all(target.removeprefix("flag:").partition(":")[::2]):
        return False
    return target in spec.needs or target in spec.knows or open_names
