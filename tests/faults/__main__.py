"""Write the table of docs/faults.md: ``python -m tests.faults``."""

from tests.faults.declarations import DOCUMENT, written

DOCUMENT.write_text(written(DOCUMENT.read_text()))
