"""NeuroBANK exports to a cohort: Answer ALS, and the two arms of ALL ALS.

What each file and column means stands in the mappings (`data_schemas/sources/answer_als.toml`, `all_als.toml`). Here is what a
mapping cannot say: columns made of several, codes that need no word of the vocabulary, who is no participant with ALS, and
what day 0 is in a source that has dates and participants without an assessment.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from alsmodel.cohort.cells import DAY_RANGE
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.forms.clock import Clock
from alsmodel.cohort.forms.form import Folder, Opened, match_columns, open_folder
from alsmodel.cohort.forms.mapping import SourceMap, TimeMap, authored_map
from alsmodel.cohort.forms.origin import origins
from alsmodel.cohort.forms.read import read_opened
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.neurobank_cells import (
    CodedTable,
    Made,
    any_set,
    elsewhere,
    mutation_of_relative,
    relative_with_als,
    tested,
    told,
)
from alsmodel.cohort.raw import collapsed
from alsmodel.cohort.tables import conform
from alsmodel.errors import Fault, InvalidInput

_Codes = Mapping[str, Mapping[str, str | None]]

#: Answer ALS: codes of the data owner's conversion to OMOP (release 1.0, 2025) that are kept as words, or mean unknown (90).
_DONE: dict[str, str | None] = {"1": "yes", "2": "no", "90": None}
ANSWER_ALS_CODES: _Codes = {
    "subject_group_id": {"1": "ALS", "5": "healthy control", "11": "asymptomatic ALS gene carrier", "17": "non-ALS motor neuron disease"},
    "ethnic": {"1": "hispanic or latino", "2": "not hispanic or latino"},
    **dict.fromkeys(("alsdx1", "alsdx2", "alsdx3"), _DONE),
    "pavyn": {"90": None},
    "medu": dict(enumerate_codes := {"1": "ug", "2": "mg", "3": "g", "4": "tablet", "5": "capsule", "6": "drop", "7": "meq", "8": "IU", "9": "U", "99": "other"}),
}
