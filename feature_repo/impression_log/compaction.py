"""The many small files that servers write of a day become one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb
import pyarrow.fs as pafs

from feature_repo import schema as s
from feature_repo.impression_log.attribution import distinct_rows
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import LOG_TABLES

MANY_FILES: Final = 8
"""Files of a day from which on they become one."""


def compact(lake: Lake) -> int:
    """Make one file of each day of the LOG_TABLES that has many; return how many went.

    The new file is there before the old ones go: whoever reads in between, or after a crash in between, finds
    rows twice, and none missing. The next compaction of the day leaves one of each.
    """
    return sum(
        _compact_day(lake, table, files)
        for table in LOG_TABLES
        for files in lake.partitions(table).values()
        if len(files) >= MANY_FILES
    )


def _compact_day(lake: Lake, table: s.Table, files: Sequence[pafs.FileInfo]) -> int:
    paths = [info.path for info in files]
    with duckdb.connect() as connection:
        connection.register("several", lake.dataset(table, paths))
        rows = connection.execute(f"select * from {distinct_rows(connection, 'several', table)}")
        lake.append(table, rows.fetch_record_batch())
    for path in paths:
        lake.filesystem.delete_file(path)
    return len(paths)
