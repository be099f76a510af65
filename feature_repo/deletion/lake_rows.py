"""A member's rows out of the lake: each file that holds some is written anew without them, by one rename."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from feature_repo import schema as s
from feature_repo.impression_log.joining import alone
from feature_repo.ingest.lake import Lake
from feature_repo.ingest.publishing import STAGING
from feature_repo.log_tables import LOG_TABLES

MEMBER_TABLES: Final = tuple(
    table
    for table in (*s.RAW_TABLES, *s.FEATURE_TABLES, *LOG_TABLES)
    if s.USER_ID in table.arrow_schema.names
)


def erase_member(lake: Lake, user_id: str) -> dict[str, int]:
    """Remove every row of a member; return how many of which table. Rows of others stay as they are.

    A file keeps its name, the order of its rows and its metadata; one that held nothing else goes, unless it
    is its table's last. A reader sees the old file or the new one. Joins of a local lake wait meanwhile; a
    table that is replaced meanwhile may have to be gone over again. Raises ``OSError`` where the lake cannot
    be written.
    """
    lake.publisher.finish_killed()  # it may hold rows of theirs, and would come in afterwards
    there = [table for table in MEMBER_TABLES if lake.exists(table)]
    if not there:
        return {}
    with alone(lake):
        removed = {table.name: _erase_from(lake, table, user_id) for table in there}
    return {name: rows for name, rows in removed.items() if rows}


def _erase_from(lake: Lake, table: s.Table, user_id: str) -> int:
    removed = 0
    for info in [file for files in lake.partitions(table).values() for file in files]:
        with suppress(FileNotFoundError):  # compacted, expired or replaced meanwhile
            removed += _erase_from_file(lake, table, info, user_id)
    return removed


def _erase_from_file(lake: Lake, table: s.Table, info: pafs.FileInfo, user_id: str) -> int:
    with lake.filesystem.open_input_file(info.path) as source:
        file = pq.ParquetFile(source)
        users = file.read(columns=[s.USER_ID])[s.USER_ID]
        rows = pc.sum(pc.equal(users, user_id)).as_py() or 0
        if not rows:
            return 0
        if rows == len(users) and len(lake.files(table)) > 1:
            lake.filesystem.delete_file(info.path)
            return int(rows)
        staging = f"{lake.folder(STAGING)}/{uuid4().hex}"
        lake.filesystem.create_dir(staging, recursive=True)
        try:
            staged = f"{staging}/{info.base_name}"
            _write_others(lake, file, staged, user_id)
            if _is_still(lake, info):
                lake.filesystem.move(staged, info.path)
                return int(rows)
        finally:
            lake.filesystem.delete_dir(staging)
    return 0


def _write_others(lake: Lake, file: Any, path: str, user_id: str) -> None:
    with pq.ParquetWriter(path, file.schema_arrow, filesystem=lake.filesystem, compression="zstd") as writer:
        for group in range(file.num_row_groups):
            rows: pa.Table = file.read_row_group(group)
            writer.write_table(rows.filter(pc.not_equal(rows[s.USER_ID], user_id)))


def _is_still(lake: Lake, info: pafs.FileInfo) -> bool:
    now = lake.filesystem.get_file_info(info.path)
    return bool(now.is_file and (now.size, now.mtime_ns) == (info.size, info.mtime_ns))
