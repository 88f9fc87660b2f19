"""Diseases that look like ALS: reasons for exclusion, never phenotypes to model.

The words end in ``participants.exclusion``. A participant with such a diagnosis is recorded, counted in the flow and not analysed.
"""

import re
from dataclasses import dataclass
from typing import final

import polars as pl


@final
@dataclass(frozen=True)
class Mimic:
    """One disease to exclude.

    Attributes
    ----------
    name : str
        As stored in ``participants.exclusion``.
    reason : str
        Why it is not ALS.
    words : str
        Regular expression over the lower-case text of a recorded diagnosis.
    """

    name: str
    reason: str
    words: str


MIMICS: tuple[Mimic, ...] = (
    Mimic(
        "spinal muscular atrophy",
        "loss of SMN1: a lower motor neuron disease of another cause",
        r"\bspinal muscular atroph(y|ies)\b|\bsma\b|\bsmn1\b",
    ),
    Mimic(
        "Kennedy disease",
        "CAG repeat in the androgen receptor gene: spinal and bulbar muscular atrophy",
        r"\bkennedy|\bspinal and bulbar muscular atrophy\b|\bspinobulbar muscular atrophy\b|\bsbma\b|\bandrogen receptor\b",
    ),
    Mimic(
        "post-polio syndrome",
        "late weakness after poliomyelitis",
        r"\bpost[- ]?polio|\bpoliomyelitis\b|\bpolio\b",
    ),
    Mimic(
        "multifocal motor neuropathy",
        "immune neuropathy with conduction block, treatable",
        r"\bmultifocal (motor )?neuropath|\bmmn(cb)?\b",
    ),
    Mimic(
        "length-dependent neuropathy",
        "peripheral neuropathy that begins in the longest nerves",
        r"\blength[- ]dependent\b.*neuropath|neuropath\w*\b.*\blength[- ]dependent\b",
    ),
)

# Kennedy disease is also called spinal and bulbar muscular atrophy: the longer name is looked for first.
_ORDER = ("Kennedy disease", "spinal muscular atrophy", "post-polio syndrome", "multifocal motor neuropathy", "length-dependent neuropathy")
_BY_NAME = {mimic.name: mimic for mimic in MIMICS}
_RULED_OUT = re.compile(r"\b(no|not|without|excluded?|ruled out|negative for|exclusion of|family history of)\b")


def mimic_of(text: str | None) -> Mimic | None:
    """Return the disease that a recorded diagnosis names, or None.

    A text that rules a disease out ("Kennedy excluded") names none.

    >>> mimic_of("SBMA (Kennedy's disease)").name
    'Kennedy disease'
    """
    low = (text or "").lower()
    if _RULED_OUT.search(low):
        return None
    return next((_BY_NAME[name] for name in _ORDER if re.search(_BY_NAME[name].words, low)), None)


def rules_out(text: str) -> bool:
    """Say whether a recorded text names a mimic in order to deny it.

    >>> rules_out("Kennedy disease excluded"), rules_out("consent withdrawn")
    (True, False)
    """
    low = text.lower()
    return bool(_RULED_OUT.search(low)) and any(re.search(mimic.words, low) for mimic in MIMICS)


def exclusion(text: str | None) -> str | None:
    """Return the words for ``participants.exclusion``: the mimic and why it is one, or None."""
    mimic = mimic_of(text)
    return f"{mimic.name}: {mimic.reason}" if mimic else None


def exclusions(diagnoses: pl.DataFrame) -> pl.DataFrame:
    """Return participant_id and ``exclusion`` of everyone with a diagnosis that excludes.

    Parameters
    ----------
    diagnoses : polars.DataFrame
        participant_id and text of each recorded diagnosis or motor neuron disease category; the first that excludes is given.
    """
    told = diagnoses.with_columns(exclusion=pl.col("text").map_elements(exclusion, return_dtype=pl.String))
    named = told.filter(pl.col("exclusion").is_not_null())
    return named.group_by("participant_id", maintain_order=True).agg(pl.col("exclusion").first())
