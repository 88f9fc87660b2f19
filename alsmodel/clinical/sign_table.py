"""The table of signs: which neuron each one speaks for, by what examination, and where it can be found."""

from dataclasses import dataclass
from typing import Literal, final

from alsmodel.clinical.regions import LIMBS, REGIONS

type Neuron = Literal["UMN", "LMN"]
type Evidence = Literal["clinical", "EMG", "conduction", "TMS"]

_OPM = "Meyer 2025, table 2 (signs of the Gold Coast criteria by region), doi 10.1186/s42466-025-00389-w"
_TURNER = "Turner 2022, box 1 (Gold Coast criteria), doi 10.1136/practneurol-2021-003256"
_WIJESEKERA = "Wijesekera and Leigh 2009, table 1 (after Brooks 2000), doi 10.1186/1750-1172-4-3"
_AWAJI = "de Carvalho 2008, doi 10.1016/j.clinph.2007.09.143"
_NEUROBANK = "NeuroBANK diagnosis form (Answer ALS, AALSDXFX)"
_GENERAL = "general neurology; listed by none of the criteria"

_ARM, _TRUNK, _LEG = "cervical", "thoracic", "lumbosacral"
_LIMB_REGIONS = tuple(LIMBS)


@final
@dataclass(frozen=True)
class Sign:
    """One thing that an examiner records as present, absent or not examined.

    Attributes
    ----------
    name : str
        As stored in the ``signs`` table.
    neuron : {"UMN", "LMN"}
        The motor neuron whose loss it shows.
    evidence : {"clinical", "EMG", "conduction", "TMS"}
        How it is found. Only clinical signs and needle EMG enter the diagnostic criteria.
    regions : tuple of str
        Regions in which it can be examined.
    sided : bool
        Whether it is looked for on the left and on the right.
    meaning : str
        What is seen.
    source : str
        Where it is listed.
    """

    name: str
    neuron: Neuron
    evidence: Evidence
    regions: tuple[str, ...]
    sided: bool
    meaning: str
    source: str


_TABLE: tuple[Sign, ...] = (
    # Fields of a form that asks once per region, whatever was seen there.
    Sign("clinical_umn", "UMN", "clinical", REGIONS, True, "any clinical upper motor neuron sign", _NEUROBANK),
    Sign("clinical_lmn", "LMN", "clinical", REGIONS, True, "any clinical lower motor neuron sign", _NEUROBANK),
    Sign("emg_lmn", "LMN", "EMG", REGIONS, True, "EMG evidence of lower motor neuron loss, as the laboratory judged it", _NEUROBANK),
    # Upper motor neuron, head.
    Sign("slowed_tongue_movement", "UMN", "clinical", ("bulbar",), False, "slowed, poorly coordinated movement of the tongue", _OPM),
    Sign("brisk_jaw_jerk", "UMN", "clinical", ("bulbar",), False, "brisk mandibular reflex", _OPM),
    Sign("palatal_spasticity", "UMN", "clinical", ("bulbar",), False, "excessive or uncoordinated movement of the palate", _OPM),
    Sign("snout_reflex", "UMN", "clinical", ("bulbar",), False, "pathological snout reflex", _OPM),
    Sign("spastic_dysarthria", "UMN", "clinical", ("bulbar",), False, "slow, strained speech", _GENERAL),
    Sign("pseudobulbar_affect", "UMN", "clinical", ("bulbar",), False, "laughing or crying that does not fit the mood", _GENERAL),
    # Upper motor neuron, trunk and limbs.
    Sign("spasticity", "UMN", "clinical", _LIMB_REGIONS, True, "tone that rises with velocity", _OPM),
    Sign("slowed_movement", "UMN", "clinical", (_ARM, _TRUNK, _LEG), True, "slowed, poorly coordinated voluntary movement", _OPM),
    Sign("hyperreflexia", "UMN", "clinical", _LIMB_REGIONS, True, "increased tendon reflex", _OPM),
    Sign("preserved_reflex_in_weak_limb", "UMN", "clinical", _LIMB_REGIONS, True, "reflex kept in weak or wasted muscles", _OPM),
    Sign("reflex_spread", "UMN", "clinical", _LIMB_REGIONS, True, "reflex spreading to adjacent muscles", _OPM),
    Sign("clonus", "UMN", "clinical", _LIMB_REGIONS, True, "clonus", _WIJESEKERA),
    Sign("hoffmann", "UMN", "clinical", (_ARM,), True, "Hoffmann's sign", _OPM),
    Sign("babinski", "UMN", "clinical", (_LEG,), True, "Babinski's sign", _OPM),
    Sign("crossed_adductor", "UMN", "clinical", (_LEG,), True, "crossed adductor reflex", _OPM),
    Sign("pathological_trunk_reflex", "UMN", "clinical", (_TRUNK,), True, "pathological paraspinal or abdominal reflex", _OPM),
    Sign("absent_abdominal_reflex", "UMN", "clinical", (_TRUNK,), True, "abdominal skin reflex gone", _WIJESEKERA),
    # Lower motor neuron.
    Sign("tongue_wasting", "LMN", "clinical", ("bulbar",), False, "wasted tongue", _OPM),
    Sign("palatal_weakness", "LMN", "clinical", ("bulbar",), False, "weak palate", _OPM),
    Sign("flaccid_dysarthria", "LMN", "clinical", ("bulbar",), False, "breathy, nasal speech", _GENERAL),
    Sign("absent_jaw_jerk", "LMN", "clinical", ("bulbar",), False, "mandibular reflex gone", _GENERAL),
    Sign("weakness", "LMN", "clinical", REGIONS, True, "flaccid weakness", _OPM),
    Sign("atrophy", "LMN", "clinical", REGIONS, True, "neurogenic muscle wasting", _OPM),
    Sign("areflexia", "LMN", "clinical", _LIMB_REGIONS, True, "tendon reflex gone", _OPM),
    Sign("hyporeflexia", "LMN", "clinical", _LIMB_REGIONS, True, "reduced tendon reflex", _GENERAL),
    Sign("fasciculations", "LMN", "clinical", REGIONS, True, "visible fasciculations", _WIJESEKERA),
    Sign("cramps", "LMN", "clinical", (_ARM, _TRUNK, _LEG), True, "muscle cramps", _GENERAL),
    # Needle EMG.
    Sign("fibrillations_or_sharp_waves", "LMN", "EMG", REGIONS, True, "fibrillation potentials or positive sharp waves", _AWAJI),
    Sign("fasciculation_potentials", "LMN", "EMG", REGIONS, True, "fasciculation potentials", _AWAJI),
    Sign("chronic_neurogenic_change", "LMN", "EMG", REGIONS, True, "long, high motor unit potentials", f"{_AWAJI}; {_TURNER}"),
    Sign("reduced_recruitment", "LMN", "EMG", REGIONS, True, "few motor units firing fast", _AWAJI),
    # Conduction and stimulation.
    Sign("low_cmap", "LMN", "conduction", REGIONS, True, "compound muscle action potential below the laboratory's limit", _GENERAL),
    Sign("prolonged_cmct", "UMN", "TMS", REGIONS, True, "central motor conduction time above the laboratory's limit", _GENERAL),
)

#: Name -> sign.
SIGNS: dict[str, Sign] = {sign.name: sign for sign in _TABLE}
