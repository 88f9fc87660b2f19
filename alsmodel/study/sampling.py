"""How a study samples: the settings of the sampler."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Chains and draws."""

    chains: int = 4
    draws: int = 1000
    tune: int = 1000
