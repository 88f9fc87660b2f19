"""The four body regions of the diagnostic criteria, from rostral to caudal, and the limbs in them.

Four regions of the neuraxis: bulbar, cervical, thoracic, lumbosacral (Brooks et al., El Escorial revisited, 2000,
doi 10.1080/146608200300079536). Upper motor neuron signs "rostral to" lower motor neuron signs lie in a region
above them in this order.
"""

from collections.abc import Iterable

#: From rostral to caudal.
REGIONS: tuple[str, ...] = ("bulbar", "cervical", "thoracic", "lumbosacral")
SPINAL_REGIONS: tuple[str, ...] = REGIONS[1:]
SIDES: tuple[str, ...] = ("left", "right")

#: Region -> the limb of each side that it innervates.
LIMBS: dict[str, str] = {"cervical": "arm", "lumbosacral": "leg"}

#: Region -> its place from the top, 0 to 3.
LEVEL: dict[str, int] = {region: level for level, region in enumerate(REGIONS)}


def any_rostral(upper: Iterable[str], lower: Iterable[str]) -> bool:
    """Return whether some region of `upper` lies above some region of `lower`; False when either is empty."""
    above, below = [LEVEL[r] for r in upper], [LEVEL[r] for r in lower]
    return bool(above) and bool(below) and min(above) < max(below)
