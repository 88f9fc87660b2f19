"""How arms are assigned. Strata and factors are named columns or conditions over baseline; a design knows no truth."""

from dataclasses import dataclass
from typing import Annotated, Literal, final

from pydantic import Field


@final
@dataclass(frozen=True, kw_only=True)
class Alternating:
    """Arms follow one fixed block as evenly as their ratio allows: exact balance, and no chance in it."""

    kind: Literal["alternating"] = "alternating"


@final
@dataclass(frozen=True, kw_only=True)
class PermutedBlocks:
    """Randomly permuted blocks within strata.

    Attributes
    ----------
    block : int
        Size of a block as a multiple of the allocation's sum: 2 under 1:1 gives blocks of 4.
    strata : tuple of str
        Columns of words (``"phenotype"``, ``"site"``) or conditions (``"delta_frs >= 0.5"``); blocks are kept apart
        in each combination.
    """

    block: int = 2
    strata: tuple[str, ...] = ()
    kind: Literal["permuted_blocks"] = "permuted_blocks"

    def __post_init__(self) -> None:
        if not 1 <= self.block <= 50:
            raise ValueError(f"block is how many times the allocation ratio fills a block, 1 to 50; got {self.block}.")


@final
@dataclass(frozen=True, kw_only=True)
class Minimisation:
    """Minimisation with a random element (Pocock and Simon 1975, doi 10.2307/2529712).

    Analyses should adjust for the factors: unadjusted tests are conservative.

    Attributes
    ----------
    factors : tuple of str
        Columns of words or conditions whose margins are balanced.
    probability : float
        Chance of taking the arm that balances best; 1 leaves only ties to chance. Under unequal allocation that of the smallest arm;
        larger arms have a higher one, so that the ratio is kept on average (`alsmodel.patients.allocation.minimise`).
    """

    factors: tuple[str, ...] = ()
    probability: float = 0.8
    kind: Literal["minimisation"] = "minimisation"

    def __post_init__(self) -> None:
        if not self.factors:
            raise ValueError("minimisation needs at least one factor, such as 'site' or 'delta_frs >= 0.5'.")
        if not 0.5 <= self.probability <= 1:
            raise ValueError(f"probability is the chance of the best arm, 0.5 to 1; got {self.probability}.")


type Randomisation = Annotated[Alternating | PermutedBlocks | Minimisation, Field(discriminator="kind")]


def factors_of(randomisation: Alternating | PermutedBlocks | Minimisation) -> tuple[str, ...]:
    """Columns and conditions that an assignment reads."""
    if isinstance(randomisation, PermutedBlocks):
        return randomisation.strata
    return randomisation.factors if isinstance(randomisation, Minimisation) else ()
