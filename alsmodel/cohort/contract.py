"""The canonical contract as files that a data manager reads, generated from the code.

``python -m alsmodel.cohort.contract`` writes `data_schemas/canonical/`: one JSON file per table, one for the rules
by which rows are treated and one for the kinds of form that a mapping may name. A test fails when the files and the code differ.
"""

import inspect
import json
import sys
from pathlib import Path
from typing import Any

from alsmodel.cohort.forms.kinds import KINDS
from alsmodel.cohort.rules import RULES
from alsmodel.cohort.schema_files import schema_folder
from alsmodel.cohort.tables import SCHEMAS


def contract() -> dict[str, str]:
    """Return file name -> content of every generated file."""
    documents = {f"{name}.json": _table(name) for name in SCHEMAS}
    documents["rules.json"] = [{"rule": r.id, "severity": r.severity, "action": r.action, "meaning": r.meaning} for r in RULES.values()]
    documents["forms.json"] = [
        {"kind": kind, "meaning": form.meaning, "needs": list(form.needs), "knows": list(form.knows), "open": list(form.prefixes)}
        for kind, form in KINDS.items()
    ]
    return {name: json.dumps(document, indent=1, ensure_ascii=False) + "\n" for name, document in documents.items()}


def _table(name: str) -> Any:
    schema = SCHEMAS[name]
    columns = []
    for column, spec in schema.columns().items():
        entry: dict[str, Any] = {"name": column, "type": str(spec.dtype), "nullable": bool(spec.nullable)}
        if spec.primary_key:
            entry["key"] = True
        for bound in ("min", "max"):
            limit = getattr(spec, bound, None)
            if limit is not None:
                entry[bound] = limit
        columns.append(entry | dict(spec.metadata or {}))
    return {"table": name, "description": inspect.getdoc(schema), "columns": columns}


def write(folder: Path) -> None:
    """Write every generated file into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contract().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(str(schema_folder())) / "canonical")
