"""CDISC: SDTM domains and ADaM data sets to a cohort, and a cohort to ADaM data sets."""

from alsmodel.cohort.cdisc.adam import read_adam
from alsmodel.cohort.cdisc.mapping import CdiscMapping
from alsmodel.cohort.cdisc.sdtm import read_sdtm
from alsmodel.cohort.cdisc.write import write_adam

__all__ = ["CdiscMapping", "read_adam", "read_sdtm", "write_adam"]
