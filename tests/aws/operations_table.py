"""The table of operations in docs/differences.md, as the tests read it."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "differences.md"
ROW = re.compile(r"^\| ([A-Z][A-Za-z]+) \| (yes|refused|unknown) \|(.*)\|$", re.M)


def table():
    """{operation: (answer, note)}"""
    rows = ROW.findall(PAGE.read_text())
    found = {name: (answer, note.strip()) for name, answer, note in rows}
    assert len(found) == len(rows), "an operation stands twice in the table"
    return found
