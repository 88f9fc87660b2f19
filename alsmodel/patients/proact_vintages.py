"""Writing a virtual cohort as the four releases of PRO-ACT were given out: coded workbooks, plain, PROACT_ and F_PROACT_ files.

The tables are those of `alsmodel.patients.proact`; what differs is how files and columns are called, and in 2013 that columns are
codes which a dictionary beside each workbook explains. Which codes stand for which fields is invented here, apart from V_1213,
the code of the first item: the reader must take them from the dictionary.
"""

import csv
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

Vintage = Literal["2013", "2015-16", "2022-25", "2026"]

#: Tables that each release is known to have had.
TABLES_OF_2013 = [
    "ALSFRS",
    "ALSHISTORY",
    "DEMOGRAPHICS",
    "DEATHDATA",
    "FVC",
    "SVC",
    "VITALSIGNS",
    "LABS",
    "RILUZOLE",
    "TREATMENT",
    "FAMILYHISTORY",
]
TABLES_OF_2015 = (*TABLES_OF_2013, "CONMEDS", "ADVERSEEVENTS")
TABLES_OF_2022 = (*TABLES_OF_2015, "ELESCORIAL", "HANDGRIPSTRENGTH", "MUSCLESTRENGTH")
TABLES_OF_2026 = (*TABLES_OF_2022, "Neurofilament")

_PLAIN_NAMES = {
    "ALSFRS": "alsfrs",
    "ALSHISTORY": "AlsHistory",
    "DEMOGRAPHICS": "demographics",
    "DEATHDATA": "DeathData",
    "FVC": "Fvc",
    "SVC": "Svc",
    "VITALSIGNS": "VitalSigns",
    "LABS": "Labs",
    "RILUZOLE": "Riluzole",
    "TREATMENT": "Treatment",
    "FAMILYHISTORY": "FamilyHistory",
    "CONMEDS": "ConMeds",
    "ADVERSEEVENTS": "AdverseEvents",
}
_FORMS_OF_2013 = {
    "ALSFRS": "ALSFRS",
    "ALSHISTORY": "SUBJECT_ALS_HX",
    "DEMOGRAPHICS": "Demographics",
    "DEATHDATA": "DEATH",
    "FVC": "FVC",
    "SVC": "SVC",
    "VITALSIGNS": "VITALS",
    "LABS": "LABS",
    "RILUZOLE": "RILUZOLE",
    "TREATMENT": "TREATMENT",
    "FAMILYHISTORY": "FAMHX",
}
_FIRST_CODE = 1213
_COUNTED = ("DEATHDATA", "RILUZOLE")


def write_vintage(made: Path, vintage: Vintage, folder: Path, tables: Iterable[str] | None = None) -> Path:
    """Write the files of `alsmodel.patients.proact.write` again as another release would have them.

    Parameters
    ----------
    made : path
        Folder of ``F_PROACT_<TABLE>.csv``.
    vintage : {"2013", "2015-16", "2022-25", "2026"}
    folder : path
        Where the files go; made if missing.
    tables : names, optional
        Tables to write; all that the release had, where `made` has them.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    had = {"2013": TABLES_OF_2013, "2015-16": TABLES_OF_2015, "2022-25": TABLES_OF_2022, "2026": TABLES_OF_2026}[vintage]
    for number, table in enumerate(had if tables is None else tables):
        source = made / f"F_PROACT_{table}.csv"
        if not source.is_file():
            continue
        if vintage == "2013":
            _write_coded(source, table, number, folder)
        elif vintage == "2026":
            (folder / source.name).write_bytes(source.read_bytes())
        else:
            name = _PLAIN_NAMES[table] if vintage == "2015-16" else f"PROACT_{table}"
            (folder / f"{name}.csv").write_text(source.read_text(encoding="utf-8-sig"), encoding="utf-8")
    return folder


def _write_coded(source: Path, table: str, number: int, folder: Path) -> None:
    """Write a workbook and its dictionary; the laboratory table is a text file with the fields' own names."""
    with source.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = list(csv.reader(file))
    form = _FORMS_OF_2013[table]
    form_id = 140 + number
    names = [spoken(column) for column in header]
    codes = [_FIRST_CODE + 60 * number + i for i in range(len(header))]
    stem = folder / f"PROACT_2013_08_12_{form}"
    said = [f'{form_id}|"{form}"|{code}|{_quoted(name)}|' for code, name in zip(codes[1:], names[1:], strict=True)]
    lines = ["FormID|FormName|FieldID|Field_Name|Value", *said, *(line + "1" for line in said[:1])]
    Path(f"{stem}_Dictionary.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if table == "LABS":
        with Path(f"{stem}_Data.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["SubjectID", *names[1:]], *rows])
        return
    body = [[row[0], str(form_id), *row[1:]] for row in rows]
    if table in _COUNTED:
        body.append([f"({len(body)} row(s) affected)", *[""] * len(header)])
    write_xlsx(Path(f"{stem}_Data.xlsx"), [["SubjectID", "FormID", *(f"V_{code}" for code in codes[1:])], *body])


def spoken(column: str) -> str:
    """Return a column's name as a field had it before it became a column: blanks, hyphens and brackets."""
    if re.match(r"Q\d", column):
        number, _, name = column[1:].partition("_")
        return f"{number}. {name.replace('_', ' ')}"
    name = re.sub(r"__(\w+?)_$", r" (\1)", column)
    name = name.replace("___", " - ").replace("pct_of", "% of")
    return name.replace("_", " ").strip()


def _quoted(text: str) -> str:
    return f'"{text}"' if '"' not in text else text


def write_xlsx(path: Path, rows: list[list[str]]) -> None:
    """Write one sheet of a workbook: cells that are numbers as numbers, others as text in place, empty ones left out."""
    lines = []
    for i, row in enumerate(rows, start=1):
        cells = "".join(_cell(f"{_letters(j)}{i}", text) for j, text in enumerate(row) if text != "")
        lines.append(f'<row r="{i}">{cells}</row>')
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.'
        f'openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName='
        f'"/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="'
        f'{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Type="{relations}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/>'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Type="{relations}'
        '/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{"".join(lines)}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (2013, 8, 12, 0, 0, 0)), head + text)


def _cell(place: str, text: str) -> str:
    if re.fullmatch(r"-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?", text) and text != "-0":
        return f'<c r="{place}"><v>{text}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def _letters(column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
