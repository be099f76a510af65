"""What is written of a title and needed by people alone: its synopsis and its cast, as the lake has them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.compute as pc

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake


@dataclass(frozen=True, slots=True)
class TitleText:
    """Synopsis (None where there is none) and the cast in billed order."""

    synopsis: str | None
    cast: tuple[str, ...]


def read_title_text(lake: Lake, title_id: str) -> TitleText | None:
    """Return the text of a title's latest version, None for a title that the lake does not hold.

    Pages do not wait for it: it reads files.
    """
    titles = lake.dataset(s.TITLES, lake.files(s.TITLES))
    columns = [s.EVENT_TIMESTAMP, s.SYNOPSIS, s.CAST]
    versions = titles.to_table(columns=columns, filter=pc.field(s.TITLE_ID) == title_id).to_pylist()
    if not versions:
        return None
    latest = max(versions, key=lambda version: version[s.EVENT_TIMESTAMP])
    return TitleText(latest[s.SYNOPSIS], tuple(latest[s.CAST] or ()))
