"""A member and a title they watched, at the end of each hour in which they did."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from feature_repo import schema as s
from feature_repo.transforms.arrow_columns import record_batch, words
from feature_repo.transforms.calendar import hour_end
from feature_repo.transforms.viewings import Viewings


def interactions(viewed: Viewings, created_at: datetime) -> pa.RecordBatch:
    """Return INTERACTIONS rows, ordered by (member, title, time).

    A row at the full hour T holds exactly the pair's events before T: the highest fraction of any
    viewing (0 where none was reported), the viewings started, the latest event.
    """
    log, by_pair = viewed.log, pd.Series(viewed.pairs)
    highest = pd.Series(log.reached()).groupby(by_pair).cummax().to_numpy()
    started = pd.Series(viewed.starts.astype(np.int64)).groupby(by_pair).cumsum().to_numpy()
    hours = hour_end(log.timestamps)
    last = np.ones(len(log), dtype=np.bool_)
    last[:-1] = (np.diff(viewed.pairs) != 0) | (np.diff(hours) != 0)
    columns = {
        s.USER_ID: words(log.user_codes[last], log.users),
        s.TITLE_ID: words(log.title_codes[last], log.titles),
        s.EVENT_TIMESTAMP: hours[last],
        s.WATCH_FRACTION: highest[last],
        s.WATCH_COUNT: started[last],
        s.LAST_WATCHED_AT: log.timestamps[last],
    }
    return record_batch(s.INTERACTIONS, columns, created_at)
