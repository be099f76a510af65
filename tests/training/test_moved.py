from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from feature_repo import schema as s
from feature_repo.store import FeatureGateway
from training.embeddings import embedding_rows
from training.moved import Published, moved, publish_moved

END = datetime(2026, 3, 1, tzinfo=UTC)
NOTHING = [np.nan, np.nan]


def test_three_vectors_worked_by_hand() -> None:
    published = np.array([[3, 4], [3, 4], NOTHING], np.float32)  # of length 5
    # By 0.4, which is 8 %; by 0.6, which is 12 %; new.
    vectors = np.array([[3.4, 4], [3, 4.6], [0.1, 0]], np.float32)
    assert moved(vectors, published, 0.1).tolist() == [False, True, True]
    assert moved(vectors, published, 0.05).tolist() == [True, True, True]
    assert moved(vectors, published, 10.0).tolist() == [False, False, True]


def test_with_a_threshold_of_nothing_only_the_unchanged_stay() -> None:
    published = np.array([[3, 4], [3, 4], [0, 0], [0, 0]], np.float32)
    vectors = np.array([[3, 4], [3, 4.0001], [0, 0], [0, 1e-6]], np.float32)
    assert moved(vectors, published, 0).tolist() == [False, True, False, True]


def rows_of(lengths: dict[str, float], version: str) -> pa.Table:
    """Members whose vectors point along the first axis."""
    factors = np.zeros((len(lengths), s.ALS_DIMENSIONS), np.float32)
    factors[:, 0] = list(lengths.values())
    return embedding_rows(
        s.USER_ALS_EMBEDDING, np.array(list(lengths)), factors, np.ones(len(lengths), np.int64),
        trained_at=END, created_at=END, model_version=version,
    )  # fmt: skip


def online(gateway: FeatureGateway, *user_ids: str) -> list[tuple[float, str]]:
    table = s.USER_ALS_EMBEDDING
    vectors = gateway.online_column(table, s.USER_EMBEDDING, user_ids)[:, 0]
    versions = gateway.online_column(table, s.MODEL_VERSION, user_ids)
    return [(round(float(v), 3), str(m)) for v, m in zip(vectors, versions, strict=True)]


def test_only_what_moved_is_written_with_the_version_that_wrote_it(gateway: FeatureGateway) -> None:
    table = s.USER_ALS_EMBEDDING
    assert publish_moved(gateway, table, rows_of({"ann": 1, "bob": 1}, "v1"), 0.1) == Published(2, 0)
    found = publish_moved(gateway, table, rows_of({"ann": 1.05, "bob": 1.2, "cyd": 3}, "v2"), 0.1)
    assert found == Published(2, 1)
    assert online(gateway, "ann", "bob", "cyd") == [(1, "v1"), (1.2, "v2"), (3, "v2")]


def test_small_steps_do_not_add_up_unseen(gateway: FeatureGateway) -> None:
    """Each step is 6 %; measured from the last training none would ever count. Bob always moves."""
    seen = []
    for step in range(5):
        lengths = {"ann": 1.06**step, "bob": 2.0**step}
        publish_moved(gateway, s.USER_ALS_EMBEDDING, rows_of(lengths, f"v{step}"), 0.1)
        seen.append(online(gateway, "ann")[0])
    assert seen == [(1, "v0"), (1, "v0"), (1.124, "v2"), (1.124, "v2"), (1.262, "v4")]


def test_the_one_that_moved_most_is_written_where_none_moved_enough(gateway: FeatureGateway) -> None:
    publish_moved(gateway, s.USER_ALS_EMBEDDING, rows_of({"ann": 1, "bob": 1}, "v1"), 0.1)
    found = publish_moved(gateway, s.USER_ALS_EMBEDDING, rows_of({"ann": 1.01, "bob": 1.02}, "v2"), 0.1)
    assert found == Published(1, 1)
    assert online(gateway, "ann", "bob") == [(1, "v1"), (1.02, "v2")]


def test_a_row_that_claims_to_be_younger_is_replaced(gateway: FeatureGateway) -> None:
    """A title solved since by its viewers stands at that instant, and may lie after the data's end."""
    later = rows_of({"ann": 1}, "solved").set_column(
        1, s.EVENT_TIMESTAMP, pa.array([END + timedelta(hours=5)], pa.timestamp("us", tz="UTC"))
    )
    gateway.write_online(s.USER_ALS_EMBEDDING, later)
    publish_moved(gateway, s.USER_ALS_EMBEDDING, rows_of({"ann": 2}, "v1"), 0.1)
    assert online(gateway, "ann") == [(2, "v1")]


def test_nothing_to_publish_is_no_error(gateway: FeatureGateway) -> None:
    nothing = rows_of({"ann": 1}, "v1").slice(0, 0)
    assert publish_moved(gateway, s.USER_ALS_EMBEDDING, nothing, 0.1) == Published(0, 0)
