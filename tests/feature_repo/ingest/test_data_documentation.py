"""docs/data.md says what the code does."""

from __future__ import annotations

import re

import pytest

from feature_repo.ingest.movielens import WATCH_FRACTION_OF_STARS
from feature_repo.ingest.title_details import MATURITY_OF_CERTIFICATE
from feature_repo.schema import GENRES, RAW_TABLES, Column, Table
from feature_repo.settings import REPOSITORY_ROOT

DOCUMENT = (REPOSITORY_ROOT / "docs" / "data.md").read_text("utf-8")


def _row(column: Column) -> str:
    kind = {"timestamp[us, tz=UTC]": "timestamp", "list<item: string>": "list of string"}
    notes = [column.unit] if column.unit else []
    if column.minimum is not None or column.maximum is not None:
        bounds = ("" if b is None else f"{b:g}" for b in (column.minimum, column.maximum))
        notes.append("..".join(bounds))
    if column.allowed is not None:
        notes.append("one of GENRES" if column.allowed == GENRES else ", ".join(column.allowed))
    empty = "may be" if column.nullable else "no"
    type_name = kind.get(str(column.type), str(column.type))
    return f"| `{column.name}` | {type_name} | {empty} | {column.description} | {'; '.join(notes)} |"


@pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.name)
def test_each_raw_table_is_documented_column_by_column(table: Table) -> None:
    section = DOCUMENT.split(f"### {table.name}\n")[1].split("\n#")[0]
    assert table.description in section
    assert re.findall(r"^\| `.*$", section, re.MULTILINE) == [_row(column) for column in table.columns]


def test_the_genres_are_listed() -> None:
    assert f"GENRES: {', '.join(GENRES)}." in DOCUMENT


def test_the_mapping_of_stars_is_the_documented_one() -> None:
    stars, _, fractions = re.findall(
        r"^\| (?:stars|watch_fraction) \|.*|^\|(?:---\|){11}$", DOCUMENT, re.MULTILINE
    )
    documented = [[float(cell) for cell in line.split("|")[2:-1]] for line in (stars, fractions)]
    assert dict(zip(*documented, strict=True)) == WATCH_FRACTION_OF_STARS


def test_the_mapping_of_certificates_is_the_documented_one() -> None:
    text = DOCUMENT.split("youngest suitable age:")[1].split("all else")[0]
    documented = {
        name: int(age)
        for names, age in re.findall(r"([A-Z][\w\s,-]*?) (\d+);", text)
        for name in re.split(r",\s+", names)
    }
    assert documented == MATURITY_OF_CERTIFICATE
