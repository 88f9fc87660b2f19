"""The rules of the diagnostic criteria of ALS, for regions that are fully examined.

In the words of this package (U, L, E: regions with upper motor neuron signs, with clinical lower motor neuron signs,
with EMG evidence; sources: Brooks 2000, doi 10.1080/146608200300079536, as summarised by Wijesekera and Leigh 2009,
table 1, doi 10.1186/1750-1172-4-3, and in full by the consensus text at medicalcriteria.com; de Carvalho 2008,
doi 10.1016/j.clinph.2007.09.143; Shefner 2020, Clin Neurophysiol 131:1975):

============  ==========================================================================================
definite      U and L together in at least 3 regions
probable      U in 2 regions and L in 2, the regions may differ, and some U rostral to some L
lab-support.  U in at least 1 region, and E in at least 2 limbs (El Escorial only)
possible      U and L together in 1 region; or U in 2 regions; or some L rostral to some U
suspected     L or E somewhere and no U at all (the name from before the revision; El Escorial only)
============  ==========================================================================================

Awaji uses the same rules with "L or E" for L; its "bulbar and two spinal regions, or three spinal regions" are any
three of the four. Gold Coast: progressive impairment, *and* U with (L or E) in one region or (L or E) in two
regions, *and* other disease excluded.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Literal, final

import numpy as np
import numpy.typing as npt

from alsmodel.clinical.regions import LIMBS, REGIONS, SIDES, any_rostral
from alsmodel.clinical.signs import STATUS_COLUMNS, Scheme

#: Scheme -> its categories, from the lowest to the highest.
CATEGORIES: dict[Scheme, tuple[str, ...]] = {
    "El Escorial revised": ("not met", "suspected", "possible", "probable, laboratory-supported", "probable", "definite"),
    "Awaji": ("not met", "possible", "probable", "definite"),
    "Gold Coast": ("not met", "ALS"),
}


@final
@dataclass(frozen=True)
class Reading:
    """How to read the two clauses that the published texts leave open.

    Attributes
    ----------
    laboratory_support : {"two limbs", "two regions"}
        EMG evidence that "probable, laboratory-supported" asks for: the consensus text says two limbs, a widely read
        summary (Wijesekera and Leigh 2009, table 1) two regions.
    pairing : {"regions may differ", "same regions"}
        Whether the two regions of "probable" need both neurons each. If they do, the upper region's UMN sign is
        always rostral to the lower region's LMN sign and the clause on rostral signs says nothing.
    """

    laboratory_support: Literal["two limbs", "two regions"] = "two limbs"
    pairing: Literal["regions may differ", "same regions"] = "regions may differ"


@final
@dataclass(frozen=True)
class Findings:
    """Where each kind of evidence is present.

    Attributes
    ----------
    umn, lmn, emg : frozenset of str
        Regions.
    emg_limbs : int
        Limbs, of four, with EMG evidence.
    """

    umn: frozenset[str]
    lmn: frozenset[str]
    emg: frozenset[str]
    emg_limbs: int


def _probable(umn: frozenset[str], lmn: frozenset[str], reading: Reading) -> bool:
    if reading.pairing == "same regions":
        return len(umn & lmn) >= 2
    return len(umn) >= 2 and len(lmn) >= 2 and any_rostral(umn, lmn)


def _possible(umn: frozenset[str], lmn: frozenset[str]) -> bool:
    return bool(umn & lmn) or len(umn) >= 2 or any_rostral(lmn, umn)


def el_escorial(found: Findings, reading: Reading | None = None) -> str:
    """Return the revised El Escorial category of fully examined regions."""
    how = reading or Reading()
    support = found.emg_limbs if how.laboratory_support == "two limbs" else len(found.emg)
    if len(found.umn & found.lmn) >= 3:
        return "definite"
    if _probable(found.umn, found.lmn, how):
        return "probable"
    if found.umn and support >= 2:
        return "probable, laboratory-supported"
    if _possible(found.umn, found.lmn):
        return "possible"
    return "suspected" if (found.lmn | found.emg) and not found.umn else "not met"


def awaji(found: Findings, reading: Reading | None = None) -> str:
    """Return the Awaji category of fully examined regions: EMG evidence counts as clinical evidence."""
    lmn = found.lmn | found.emg
    if len(found.umn & lmn) >= 3:
        return "definite"
    if _probable(found.umn, lmn, reading or Reading()):
        return "probable"
    return "possible" if _possible(found.umn, lmn) else "not met"


def gold_coast_signs(found: Findings, reading: Reading | None = None) -> str:
    """Return "ALS" when fully examined regions meet the second condition of the Gold Coast criteria."""
    lmn = found.lmn | found.emg
    return "ALS" if found.umn & lmn or len(lmn) >= 2 else "not met"


_CATEGORY_OF = {"El Escorial revised": el_escorial, "Awaji": awaji, "Gold Coast": gold_coast_signs}

# One bit per thing that can be present: UMN and LMN by region, EMG by region and, where the region has a limb, by side.
_EMG_CELLS: tuple[tuple[str, str | None], ...] = tuple((r, s) for r in REGIONS for s in (SIDES if r in LIMBS else (None,)))
ATOMS: tuple[tuple[str, str, str | None], ...] = (
    *(("umn", region, None) for region in REGIONS),
    *(("lmn_clinical", region, None) for region in REGIONS),
    *(("lmn_emg", region, side) for region, side in _EMG_CELLS),
)
BIT: dict[tuple[str, str, str | None], int] = {atom: 1 << i for i, atom in enumerate(ATOMS)}


def findings(present: Iterable[tuple[str, str, str | None]]) -> Findings:
    """Return the findings of a set of atoms (kind of evidence, region, side)."""
    atoms = set(present)
    where = {kind: frozenset(r for k, r, _ in atoms if k == kind) for kind in STATUS_COLUMNS}
    limbs = sum(kind == "lmn_emg" and side is not None for kind, _, side in atoms)
    return Findings(where["umn"], where["lmn_clinical"], where["lmn_emg"], limbs)


@cache
def category_table(scheme: Scheme, reading: Reading) -> npt.NDArray[np.int8]:
    """Return the rank of the category of each of the 2^14 patterns of present atoms; bit i of the index is atom i."""
    rank = {category: i for i, category in enumerate(CATEGORIES[scheme])}
    rule = _CATEGORY_OF[scheme]
    table = np.empty(1 << len(ATOMS), dtype=np.int8)
    # The rules read sets of regions, so that the sixteen patterns of each kind are made once.
    sets = [frozenset(r for i, r in enumerate(REGIONS) if code >> i & 1) for code in range(16)]
    emg = []
    for code in range(1 << len(_EMG_CELLS)):
        cells = [cell for i, cell in enumerate(_EMG_CELLS) if code >> i & 1]
        emg.append((frozenset(region for region, _ in cells), sum(side is not None for _, side in cells)))
    for u, c, e in product(range(16), range(16), range(len(emg))):
        table[u | c << 4 | e << 8] = rank[rule(Findings(sets[u], sets[c], *emg[e]), reading)]
    return table
