"""How a worker reads all titles: at once before it serves anybody, afterwards beside the pages it makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

import numpy as np
import structlog

from feature_repo.store import TitleSnapshot
from feature_repo.title_process import Sleep, TitleProcessError
from serving.background_pace import Pace
from serving.members import FeatureReader

TITLES_A_STEP: Final = 100
"""Some 50 ms of reading."""

_log = structlog.get_logger(__name__)


class ReadsBeside(Protocol):
    """Reads titles outside this process; :class:`feature_repo.title_process.TitleProcess` is one."""

    def read(self, title_ids: Sequence[str], now: datetime, sleep: Sleep) -> TitleSnapshot:
        """Return the titles' snapshot; raises ``TitleProcessError``."""

    def stop(self) -> None:
        """End a reading under way."""


class TitleReading:
    """Reads many titles, ``beside`` this process where that is given and works, else in steps with rests."""

    def __init__(self, reader: FeatureReader, beside: ReadsBeside | None = None) -> None:
        self._reader, self._beside = reader, beside

    def read(self, title_ids: Sequence[str], now: datetime, pace: Pace) -> TitleSnapshot:
        """Return the snapshot of the titles, row i for ``title_ids[i]``; raises what the store does."""
        if not pace.rest or len(title_ids) <= TITLES_A_STEP:
            return self._reader.title_snapshot(title_ids, now)
        if self._beside is not None:
            try:
                return self._beside.read(title_ids, now, pace.sleep)
            except TitleProcessError as error:
                _log.warning("titles are read in this process instead", reason=str(error))
        return self._in_steps(title_ids, now, pace)

    def stop(self) -> None:
        """End a reading beside."""
        if self._beside is not None:
            self._beside.stop()

    def _in_steps(self, title_ids: Sequence[str], now: datetime, pace: Pace) -> TitleSnapshot:
        begins = range(0, len(title_ids), TITLES_A_STEP)
        parts = [
            self._reader.title_snapshot(title_ids[n : n + TITLES_A_STEP], now) for n in pace.steps(begins)
        ]
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
        return TitleSnapshot.of(title_ids, columns, now)
