"""Codes of NeuroBANK's forms that are kept as words or mean unknown, and the columns made of several.

Answer ALS: the data owner's conversion to OMOP, github.com/Answer-ALS-Data/standardized-omop-data-etl, release 1.0 of
2025-11-21. ALL ALS: the dictionaries of github.com/amp-als/data-model, 2026-07-22. Codes whose meaning is an entry of the
vocabulary (yes and no, sex, units, states of signs) stand in the mappings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from alsmodel.cohort.neurobank.table import (
    Made,
    any_set,
    coded_result,
    elsewhere,
    first_of,
    mutation_of_relative,
    named_in_free_text,
    relative_with_als,
    told,
)

type Codes = Mapping[str, Mapping[str, str | None]]


@final
@dataclass(frozen=True)
class Reading:
    """What the mapping of a source cannot say.

    Attributes
    ----------
    codes : mapping
        Column -> (code -> word, None for unknown).
    made : mapping
        Form -> (name -> made column).
    """

    codes: Codes
    made: Mapping[str, Mapping[str, Made]]


def _numbered(words: str) -> dict[str, str | None]:
    """Return "1" -> first word, "2" -> second, of words separated by commas."""
    return {str(number): word.strip() for number, word in enumerate(words.split(","), start=1)}


#: Group of Answer ALS -> why its participants are not to be analysed with those who have ALS.
GROUPS: dict[str, str | None] = {
    "ALS": None,
    "healthy control": "healthy control",
    "asymptomatic ALS gene carrier": "asymptomatic carrier of an ALS gene",
    "non-ALS motor neuron disease": "motor neuron disease other than ALS",
}
UNKNOWN_GROUP = "group not known"

_YES_NO: dict[str, str | None] = {"1": "yes", "2": "no", "90": None}
_UNKNOWN: dict[str, str | None] = {"90": None}
_RELATIVES = _numbered(
    "mother, father, sister, brother, half-sister, half-brother, daughter, son, grandmother, grandfather, aunt, uncle, cousin"
)

_ANSWER_ALS_CODES: Codes = {
    "subject_group_id": dict(zip(("1", "5", "11", "17"), GROUPS, strict=True)),
    "ethnic": _numbered("hispanic or latino, not hispanic or latino"),
    "alsdx1": _YES_NO,
    "alsdx2": _YES_NO,
    "alsdx3": _YES_NO,
    "pavyn": _UNKNOWN,
    "medu": _numbered("ug, mg, g, tablet, capsule, drop, meq, IU, U") | {"99": "other"},
    "medfreq": _numbered("daily, twice daily, three times daily, four times daily, at bedtime, continuous, as needed") | {"99": "other"},
    "medrte": _numbered("oral, intravenous, subcutaneous, topical, inhalation, transdermal, rectal, intramuscular, sublingual, gastrostomy")
    | {"99": "other"},
    "famrel": _RELATIVES,
}

_LIMB = ("hxli", "hxliu", "hxliul", "hxliur", "hxliuarm", "hxliuhnd", "hxlil", "hxlill", "hxlilr", "hxlilleg", "hxlilft")
_PLACEMENT = ("ftpadmdt", "ftpdchdt")
_NOT_DONE = {
    "ang": "angnd",
    "c9orf72": "c9orfnd",
    "fus": "fusnd",
    "progran": "prgrnnd",
    "setx": "setxnd",
    "sod1": "sod1nd",
    "tau": "taund",
    "tdp43": "tdp43nd",
    "vapb": "vapbnd",
    "vcp": "vcpnd",
}
ANSWER_ALS = Reading(
    _ANSWER_ALS_CODES,
    {
        "AALSHXFX": {
            "onset elsewhere": Made(("hxax", "hxaxnk", "hxaxtr", "hxaxtrrp", "hxgen", "hxot"), elsewhere),
            "hxblb": Made(("hxblb", "hxblbsch", "hxblbsw"), any_set),
            "hxli": Made(
                ("hxli", "hxliu", "hxliul", "hxliur", "hxliuarm", "hxliuhnd", "hxlil", "hxlill", "hxlilr", "hxlilleg", "hxlilft"), any_set
            ),
        },
        "ALS_Gene_Mutations-other": {"other mutation": Made(("mutot",), named_in_free_text)},
        "ALS_Gene_Mutations": {gene: Made((gene, not_done), coded_result(("1", "2"))) for gene, not_done in _NOT_DONE.items()},
        "Tracheostomy": {"tracheostomy done": Made(("trchdt", "admsndt", "dschgdt"), told)},
        "NIV_Log": {"NIV used": Made(("nivstrdt", "nivstpdt", "nivusdur", "nivusg", "nivcont"), told)},
        "Feeding_Tube_Placement": {
            "feeding tube placed": Made(_PLACEMENT, told),
            "day of placement": Made(_PLACEMENT, first_of),
        },
        "Family_History_Log": {
            "relative with ALS": Made(("fhals",), relative_with_als),
            "mutation of a relative with ALS": Made(
                ("fhals", "fhgnc9", "fhgnfus", "fhgnsod1", "fhgntdp"), mutation_of_relative(("C9orf72", "FUS", "SOD1", "TARDBP"))
            ),
        },
    },
)

#: Gene codes of ALL ALS with a name in the vocabulary, and the others by their own.
_GENES = _numbered(
    "C9orf72, SOD1, ANG, ANXA11, ARHGEF28, ATXN2, CFAP410, CHCHD10, CHMP2B, DAO, DCTN1, ERBB4, FIG4, FUS, HNRNPA1, HNRNPA2B1, KIF5A, "
    "MATR3, MOBP, NEFH, NEK1, OPTN, PFN1, SETX, SQSTM1, TAF15, TARDBP, TBK1, TUBA4A, UBQLN2, UNC13A, VAPB, "
    "VCP, ALS2, ELP3, EPHA4, EWSR1, KIFAP3, PRPH, SPG4, SPG11"
) | {"99": "other"}
_FAMILY = {
    "relative with ALS": Made(("fhals",), relative_with_als),
    "mutation of a relative with ALS": Made(
        ("fhals", "fhgnc9", "fhgnfus", "fhgnsod1", "fhgntardbp", "fhgnatxn2"),
        mutation_of_relative(("C9orf72", "FUS", "SOD1", "TARDBP", "ATXN2")),
    ),
}
_CLASSIFIED = {"lbclass": Made(("lbclass",), coded_result(("1", "2", "3", "4", "5", "6", "99")))}
ALL_ALS = Reading(
    {
        "sex": {"90": None, "95": None},
        "mhoccur": _UNKNOWN,
        "ft": _UNKNOWN,
        "niv": _UNKNOWN,
        "trach": _UNKNOWN,
        "ftadmin": _numbered("in person, video call") | {"99": "other"},
        "ftresp": _numbered("self-administered, caregiver-assisted"),
        "gene_name": _GENES,
        "famrel": _RELATIVES,
        "cmdosu": _numbered(
            "mg, ug, ml, g, IU, tablet, capsule, puff, drop, application, teaspoon, %, ounce, gummy, syringe, spray, U, lozenge, drop, meq"
        )
        | {"90": None, "99": "other"},
        "cmdosfrq": {
            **_numbered("daily, twice daily, three times daily, four times daily, every other day, weekly, monthly, as needed"),
            "10": "once",
            "12": "continuous",
            "90": None,
            "99": "other",
        },
        "cmroute": _numbered(
            "oral, topical, subcutaneous, transdermal, intraocular, intramuscular, inhalation, intralesional, intraperitoneal, "
            "intravenous, nasal, vaginal, rectal, gastrostomy, sublingual, intrauterine, intra-articular"
        )
        | {"90": None, "99": "other"},
    },
    {
        "AS_ASSEALSHIST": {"onset elsewhere": Made(("axia_mhloc", "gen_mhloc"), any_set)},
        "AS_ASSEFAMHIST": _FAMILY,
        "PR_PREVFAMHIST": _FAMILY,
        "AS_ASSEPRALSGENTST": _CLASSIFIED,
        "PR_PREVPRALSGENTST": _CLASSIFIED,
    },
)
