from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.ingest import sources
from feature_repo.ingest.sources import DataFileError, data_files, header, read_csv, read_rows

Write = Callable[..., Path]


def test_csv_cells_are_text_and_empty_ones_null(write: Write) -> None:
    [batch] = read_rows(write("a.csv", 'id,name\n007,"Zoë, the first"\n8,\n'))
    assert batch.rows.to_pydict() == {"id": ["007", "8"], "name": ["Zoë, the first", None]}
    assert batch.numbers.tolist() == [1, 2]


def test_a_line_with_the_wrong_number_of_cells_is_set_aside_with_its_number(write: Write) -> None:
    [batch] = read_rows(write("a.csv", "id,name\n1,a\n2\n3,c\n4,d,e\n5,f\n"))
    assert batch.rows["id"].to_pylist() == ["1", "3", "5"]
    assert batch.numbers.tolist() == [1, 3, 5]
    assert [(m.number, m.text) for m in batch.malformed] == [(2, "2"), (4, "4,d,e")]
    assert batch.malformed[0].reason == "line: has 1 cells instead of 2"


def test_row_numbers_run_on_across_blocks(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "BLOCK_BYTES", 64)
    lines = [f"{i},name-{i}" for i in range(1, 101)]
    lines[41] = "42"
    batches = list(read_rows(write("a.csv", "\n".join(["id,name", *lines]))))
    assert len(batches) > 5
    numbers = [number for batch in batches for number in batch.numbers.tolist()]
    ids = [int(value) for batch in batches for value in batch.rows["id"].to_pylist()]
    assert numbers == ids == [i for i in range(1, 101) if i != 42]
    assert [m.number for batch in batches for m in batch.malformed] == [42]


def test_a_byte_order_mark_is_not_part_of_the_first_name(write: Write) -> None:
    path = write("a.csv", "id,name\n1,a\n", "utf-8-sig")
    assert header(path) == ["id", "name"]
    [batch] = read_rows(path)
    assert batch.rows["id"].to_pylist() == ["1"]


def test_compressed_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"id\n1\n"))
    [batch] = read_rows(path)
    assert batch.rows.to_pydict() == {"id": ["1"]}


def test_parquet_keeps_its_types_and_is_read_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "BATCH_ROWS", 2)
    pq.write_table(pa.table({"id": [1, 2, 3]}), tmp_path / "a.parquet")
    batches = list(read_rows(tmp_path / "a.parquet"))
    assert [batch.rows["id"].to_pylist() for batch in batches] == [[1, 2], [3]]
    assert [batch.numbers.tolist() for batch in batches] == [[1, 2], [3]]


def test_double_colons_are_read_as_single_ones_with_empty_cells_between(write: Write) -> None:
    path = write("a.dat", "1::2\n3::4\n5\n")
    [batch] = read_csv(
        path, ["a", "_", "b"], has_header=False, delimiter=":", quoted=False, columns=["a", "b"]
    )
    assert batch.rows.to_pydict() == {"a": ["1", "3"], "b": ["2", "4"]}
    assert [m.number for m in batch.malformed] == [3]


@pytest.mark.parametrize("name", ["a.parquet", "a.csv.gz"])
def test_a_file_that_is_not_what_its_name_says_is_refused(write: Write, name: str) -> None:
    with pytest.raises(DataFileError, match=rf"{name}: cannot be read .*Write the file anew"):
        header(write(name, "garbage"))


def test_a_csv_file_in_another_encoding_is_refused_with_its_row(write: Write) -> None:
    with pytest.raises(DataFileError, match=r"row 1: not readable as CSV .*UTF-8 text"):
        list(read_csv(write("a.csv", "id\nZoë\n", "latin-1"), ["id"]))


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": list(range(1000))}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataFileError, match="not readable as Parquet"):
        list(read_rows(path))


def test_a_directory_stands_for_its_data_files_in_order(write: Write, tmp_path: Path) -> None:
    for name in ("in/2.csv", "in/1.parquet", "in/README.md"):
        write(name, "")
    assert [path.name for path in data_files(tmp_path / "in")] == ["1.parquet", "2.csv"]


def test_paths_that_are_no_data_say_what_to_name_instead(write: Write, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path, problem in [
        (tmp_path / "empty", r"no \.parquet or \.csv file"),
        (tmp_path / "absent.csv", "no such file"),
        (write("a.xlsx", ""), r"unknown kind of file\. Name it \.parquet"),
    ]:
        with pytest.raises(DataFileError, match=problem):
            data_files(path)
