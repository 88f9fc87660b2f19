"""Cohort data: canonical tables, readers for each source, and the record of how rows were treated."""

from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.reader import read

__all__ = ["Cohort", "read"]
