"""The lake's logs as DuckDB reads them: the days asked for only, on a disk or in object storage."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from feature_repo import schema as s
from feature_repo.tables import Table


def show_log(
    connection: duckdb.DuckDBPyConnection, name: str, root: str, table: Table, first: date, last: date
) -> int:
    """Make the rows of these days (both included) a view ``name`` with a column ``day``; return its files.

    Files of other days are not opened. A view without files is empty. On a disk DuckDB reads by itself; URLs
    such as ``s3://bucket/prefix`` go through pyarrow, as the lake's own readers do.
    """
    filesystem, base = _opened(root)
    files = _files(filesystem, f"{base}/{table.name}", f"day={first}", f"day={last}")
    if files and "://" not in root:
        _show_files(connection, name, files, table)
    else:
        connection.register(f"{name}_rows", _dataset(filesystem, files, table))
        connection.execute(f"create or replace temp view {name} as select * from {name}_rows")
    return len(files)


def newest_impression(root: str) -> datetime | None:
    """Return the instant of the newest impression of a lake, None where there are none."""
    filesystem, base = _opened(root)
    folders = filesystem.get_file_info(
        pafs.FileSelector(f"{base}/{s.IMPRESSIONS.name}", allow_not_found=True)
    )
    days = sorted((info.base_name for info in folders if info.base_name.startswith("day=")), reverse=True)
    with duckdb.connect() as connection:
        for day in days:
            found = date.fromisoformat(day.removeprefix("day="))
            show_log(connection, "newest", root, s.IMPRESSIONS, found, found)
            query = f"select epoch_us(max({s.EVENT_TIMESTAMP})) from newest"
            ((micros,),) = connection.execute(query).fetchall()
            if micros is not None:
                return datetime.fromtimestamp(micros / 1e6, UTC)
    return None


def _opened(root: str) -> tuple[pafs.FileSystem, str]:
    if "://" in root:
        filesystem, base = pafs.FileSystem.from_uri(root.rstrip("/"))
        return filesystem, base
    return pafs.LocalFileSystem(), str(Path(root).absolute())


def _show_files(connection: duckdb.DuckDBPyConnection, name: str, files: list[str], table: Table) -> None:
    """Columns that all of these files lack, as they are older, are null, as everywhere in the lake."""
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in files)
    query = (
        f"select * from read_parquet([{listed}], union_by_name = true, hive_partitioning = true, "
        "hive_types = {'day': date})"
    )
    columns = {row[0] for row in connection.execute(f"describe {query}").fetchall()}
    if not columns.issuperset(table.arrow_schema.names):
        connection.register(f"{name}_columns", table.arrow_schema.empty_table())
        query += f" union all by name select * from {name}_columns"
    connection.execute(f"create or replace temp view {name} as {query}")


def _files(filesystem: pafs.FileSystem, directory: str, first: str, last: str) -> list[str]:
    """ISO dates compare as text."""
    folders = filesystem.get_file_info(pafs.FileSelector(directory, allow_not_found=True))
    wanted = [info.path for info in folders if first <= info.base_name <= last]
    found = (filesystem.get_file_info(pafs.FileSelector(path)) for path in sorted(wanted))
    return sorted(
        info.path for infos in found for info in infos if info.is_file and info.path.endswith(".parquet")
    )


def _dataset(filesystem: pafs.FileSystem, files: list[str], table: Table) -> Any:
    partitions = pa.schema([("day", pa.date32())])
    schema = pa.schema([*table.arrow_schema, *partitions])
    if not files:
        return schema.empty_table()
    return ds.dataset(
        files, schema=schema, format="parquet", filesystem=filesystem,
        partitioning=ds.partitioning(partitions, flavor="hive"),
    )  # fmt: skip
