"""The random numbers of one virtual cohort, addressed by purpose."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from alsmodel.patients.streams import normals, uniforms

Floats = NDArray[np.float64]


class Purpose(IntEnum):
    """What a random number is for; the drugs of a cohort count on from the last."""

    PHENOTYPE = 0
    SITE = 1
    GENE = 2
    SEX = 3
    AGE = 4
    ARM = 5
    INTERCEPT = 6
    SLOPE = 7
    RESIDUAL = 8
    SCREENING = 9
    EVENT = 10
    DROPOUT = 11
    MISSED = 12
    JITTER = 13
    ORDER = 14
    TUBE = 15
    ONSET = 16
    DELAY = 17
    CRITERIA = 18
    FAMILY = 19
    EXAMINED = 20
    UMN = 21
    LMN = 22
    CAPACITY = 23
    CAPACITY_NOISE = 24
    NFL = 25
    NFL_NOISE = 26
    HEIGHT = 27
    WEIGHT = 28
    WEIGHT_NOISE = 29
    SCREENING_RESIDUAL = 30
    DRUG = 31


@dataclass(frozen=True)
class Draws:
    """The random numbers of one cohort: a stream key, n people, and a column or table for each purpose."""

    key: np.uint64
    n: int

    def uniform(self, purpose: int) -> Floats:
        """Uniform numbers on (0, 1), one per person; shape (n,)."""
        column: Floats = uniforms(self.key, self.n, int(purpose), 1)[:, 0]
        return column

    def normal(self, purpose: int) -> Floats:
        """Standard normal numbers, one per person; shape (n,)."""
        column: Floats = normals(self.key, self.n, int(purpose), 1)[:, 0]
        return column

    def uniform_table(self, purpose: int, width: int) -> Floats:
        """Uniform numbers per person and visit; shape (n, width)."""
        table: Floats = uniforms(self.key, self.n, int(purpose), width)
        return table

    def normal_table(self, purpose: int, width: int) -> Floats:
        """Standard normal numbers per person and visit; shape (n, width)."""
        table: Floats = normals(self.key, self.n, int(purpose), width)
        return table
