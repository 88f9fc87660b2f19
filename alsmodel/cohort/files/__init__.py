"""Files of any known kind to frames of text: delimited text, Excel, Parquet, SAS transport, Dataset-JSON."""

from alsmodel.cohort.files.table import FrameTable, TextTable, open_table

__all__ = ["FrameTable", "TextTable", "open_table"]
