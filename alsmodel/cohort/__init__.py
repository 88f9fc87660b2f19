"""Cohort data: canonical tables, readers for each source, and the record of how rows were treated."""

from alsmodel.cohort.cohort import Cohort

__all__ = ["Cohort"]
