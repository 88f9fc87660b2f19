"""Reports: numbers to one self-contained HTML page. Draws what it is given; fits and simulates nothing."""

from alsmodel.reports.assemble import of_fit, posterior, simulation
from alsmodel.reports.content import Effect, StudyReport
from alsmodel.reports.page import study_report, write
from alsmodel.reports.table_one import table_one

__all__ = ["Effect", "StudyReport", "of_fit", "posterior", "simulation", "study_report", "table_one", "write"]
