"""The gateway: the only code that talks to Feast.

It adds what Feast leaves to its callers: historical answers keep every entity row and its order, online
answers honour time-to-live, materialization is checked to have arrived, services are resolved once.
"""

from __future__ import annotations

import copy
import hashlib
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from feast import FeatureService, FeatureStore, FeatureView
from feast.errors import FeastObjectNotFoundException
from feast.utils import _convert_arrow_to_proto
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.materialization import (
    MaterializationError,
    materialize_views,
)
from feature_repo.online_answers import decode_answer
from feature_repo.online_store import MarqueeRedisOnlineStore, locate, overwriting
from feature_repo.point_in_time import ROWS_AT_ONCE, historical_features
from feature_repo.progress import Progress
from feature_repo.settings import Settings
from feature_repo.store_profile import load_profile
from feature_repo.transforms.encoding import Arrays
from feature_repo.transforms.ranking import RANKING_FEATURES_HASH
from feature_repo.view_freshness import forget_newest, newest_rows, note_materialized

__all__ = ["FeatureGateway", "MaterializationError", "NotAppliedError", "TitleSnapshot"]

HOMEPAGE_MEMBER: Final = "homepage_member"
HOMEPAGE_TITLES: Final = "homepage_titles"
TWO_TOWER_MEMBERS: Final = "two_tower_members"
TWO_TOWER_TITLES: Final = "two_tower_titles"
_MEMBER_TABLES: Final = (
    s.USER_SNAPSHOT, s.USER_SESSION, s.USER_PROFILE, s.USER_PICKS, s.USER_HISTORY, s.USER_HIDDEN,
    s.USER_ALS_EMBEDDING,
)  # fmt: skip
TITLE_TABLES: Final = (s.TITLE_METADATA, s.TITLE_STATISTICS, s.TITLE_ALS_EMBEDDING)
_CONTENT_TABLES: Final = (s.TITLE_METADATA, s.TITLE_CONTENT)
_SNAPSHOT_BATCH: Final = 1_000
_UNKNOWN: Final = "\x00unknown"


class NotAppliedError(FeastObjectNotFoundException):  # type: ignore[misc]
    """The registry does not know what the code defines: it was applied by an older one, or not at all."""


@dataclass(frozen=True, slots=True)
class TitleSnapshot:
    """The catalogue as columns; row i belongs to ``title_ids[i]``."""

    title_ids: NDArray[np.str_]
    row_of: dict[str, int]
    columns: Arrays
    taken_at: datetime

    @classmethod
    def of(cls, title_ids: Sequence[str], columns: Arrays, taken_at: datetime) -> TitleSnapshot:
        """Return the snapshot of distinct titles, given in the order of the columns' rows."""
        rows = {title_id: row for row, title_id in enumerate(title_ids)}
        return cls(np.array(title_ids, dtype=np.str_), rows, columns, taken_at)


class FeatureGateway:
    """Feast as Marquee uses it. Thread-safe once opened."""

    def __init__(
        self,
        store: FeatureStore,
        settings: Settings,
        url: str | None = None,
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> None:
        self._store = store
        self._url = url
        self._settings = settings
        self._rows_at_once = rows_at_once
        self._services: dict[str, FeatureService] = {}
        self._ttls: dict[tuple[str, ...], dict[str, float]] = {}
        self._views: dict[str, FeatureView] = {}

    @property
    def online_url(self) -> str:
        """Where the Redis is that keeps the stream's state, and the rows too where no profile says otherwise.

        Raises ``ValueError`` where that is left to Feast.
        """
        if self._url is None:
            raise ValueError("REDIS_URL is not set: name the Redis of the online store")
        return self._url

    @classmethod
    def open(
        cls,
        settings: Settings,
        redis_url: str | None = None,
        read_seconds: float | None = None,
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> FeatureGateway:
        """Open the store of ``settings``; ``redis_url`` overrides where its Redis is.

        ``read_seconds`` is how long reads of a few entities wait for it, such as those that a page waits for;
        ``rows_at_once`` is how many entities a historical question asks for in one go: fewer take less memory
        and longer. Raises ``ProfileError`` for a profile that cannot be used.
        """
        config = load_profile(settings.profile)
        settings.home.mkdir(parents=True, exist_ok=True)
        config.registry.path = str(settings.registry)
        url = redis_url or settings.redis_url
        locate(config.online_store, url, read_seconds)
        return cls(FeatureStore(config=config), settings, url, rows_at_once)

    def apply(self) -> int:
        """Register every definition, as ``feast apply`` does; return how many."""
        from feature_repo import definitions  # noqa: PLC0415  (reading it builds Feast objects)

        views = [self._in_own_lake(view) for view in definitions.VIEWS]
        objects = [
            *definitions.ENTITIES, *_sources(views), *views,
            *definitions.ON_DEMAND_VIEWS, *definitions.SERVICES,
        ]  # fmt: skip
        with warnings.catch_warnings():
            # Feast warns that on-demand views are slow offline; ours is for whoever asks Feast itself.
            warnings.filterwarnings("ignore", message="On demand feature view", category=RuntimeWarning)
            self._store.apply(objects)
        self._drop_resolved()
        return len(objects)

    def forget(self) -> None:
        """Remove every definition and every online value of this project: a fresh start for other data."""
        client = self._online_client()
        if client is not None:
            forget_newest(client)
        self._store.teardown()
        self._drop_resolved()

    def _drop_resolved(self) -> None:
        self._services.clear()
        self._ttls.clear()
        self._views.clear()

    def _in_own_lake(self, view: FeatureView) -> FeatureView:
        """A copy of the view that reads this gateway's lake, which need not be the environment's."""
        own = copy.deepcopy(view)
        own.batch_source.file_options.uri = f"{self._settings.lake.rstrip('/')}/{view.name}"
        if own.stream_source is not None:
            own.stream_source.batch_source = own.batch_source
        return own

    def service(self, name: str) -> FeatureService:
        """Return a registered feature service; looked up once, since a look-up costs milliseconds.

        Raises :class:`NotAppliedError` for one that the registry does not know.
        """
        if name not in self._services:
            try:
                self._services[name] = self._store.get_feature_service(name)
            except FeastObjectNotFoundException as error:
                raise NotAppliedError(
                    f"{error}; `python -m feature_repo apply` registers what this version defines"
                ) from error
        return self._services[name]

    def schema_hash(
        self, services: Sequence[str] = (HOMEPAGE_MEMBER, HOMEPAGE_TITLES, TWO_TOWER_TITLES)
    ) -> str:
        """Return a digest of the services' features with their types, and of the ranker's columns."""
        lines = [RANKING_FEATURES_HASH]
        for name in services:
            for projection in self.service(name).feature_view_projections:
                lines += [f"{name}:{projection.name}:{f.name}:{f.dtype}" for f in projection.features]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def historical(
        self,
        service: str,
        entities: pa.Table,
        *,
        known_by_then: bool = False,
        progress: Progress | None = None,
    ) -> pa.Table:
        """Return ``entities`` with the service's features as they stood at each row's event_timestamp.

        Rows and their order are kept, duplicates included. A feature row counts where its timestamp is
        at or before the entity's and within the view's time-to-live (inclusive); of several at one
        timestamp the one created last counts. ``known_by_then`` also asks that it had been created by
        then. Raises ``ValueError`` for a missing or null key, or a timestamp without a zone.
        """
        return historical_features(
            self._store, self.service(service), entities, known_by_then=known_by_then, progress=progress,
            rows_at_once=self._rows_at_once,
        )  # fmt: skip

    def materialize(
        self,
        start: datetime,
        end: datetime,
        progress: Progress | None = None,
        without: Sequence[s.Table] = (),
    ) -> dict[str, int]:
        """Bring each entity's newest row in [start, end] online; return how many entities per view.

        Tables of ``without`` are left as they are. Raises :class:`MaterializationError` where fewer arrived
        than the lake holds.
        """
        left_out = {table.name for table in without}
        views = [
            view
            for view in self._store.list_batch_feature_views()
            if view.online and view.name not in left_out
        ]
        arrived = materialize_views(self._store, views, start, end, progress)
        client = self._online_client()
        if client is not None:
            note_materialized(client, arrived)
        return arrived

    def newest_rows(self) -> Mapping[str, datetime]:
        """Return, by view, of when its newest rows are online; views that have none are left out.

        A view that seldom has anything new, such as the members' profiles, is as of the features that were
        materialized with it. Raises what the store's client does.
        """
        client = self._online_client()
        return {} if client is None else newest_rows(client)

    def _online_client(self) -> Any:
        """Return the client of our Redis; None where a profile puts the rows into another store."""
        store = self._store._get_provider().online_store
        return store.client(self._store.config) if isinstance(store, MarqueeRedisOnlineStore) else None

    def member_features(self, user_id: str, now: datetime) -> Arrays:
        """Return one member's features, each array with one row; all null-encoded for an unknown member."""
        return self._online(HOMEPAGE_MEMBER, {s.USER_ID: [user_id]}, _MEMBER_TABLES, now)

    def title_snapshot(self, title_ids: Sequence[str], now: datetime) -> TitleSnapshot:
        """Return the catalogue's columns for ``title_ids``, in their order."""
        columns = self._titles_online(HOMEPAGE_TITLES, title_ids, TITLE_TABLES, now)
        return TitleSnapshot.of(title_ids, columns, now)

    def title_contents(self, title_ids: Sequence[str], now: datetime) -> Arrays:
        """Return what the item tower reads of ``title_ids``, in their order."""
        return self._titles_online(TWO_TOWER_TITLES, title_ids, _CONTENT_TABLES, now)

    def online_column(self, table: s.Table, column: str, ids: Sequence[str]) -> NDArray[Any]:
        """Return one column of a table with a single key as the online store holds it, row i for ``ids[i]``.

        Null-encoded where there is no row; time-to-live does not matter.
        """
        (key,) = table.keys
        parts = []
        for begin in range(0, len(ids), _SNAPSHOT_BATCH):
            rows = {key: list(ids[begin : begin + _SNAPSHOT_BATCH])}
            answer = self._store.get_online_features([f"{table.name}:{column}"], rows)
            parts.append(decode_answer(answer, (table,), {}, datetime.now(UTC))[column])
        return np.concatenate(parts) if parts else np.empty(0)

    def write_online(self, table: s.Table, rows: pa.Table, *, overwrite: bool = False) -> None:
        """Bring rows of one view online now, for a moment's change; whole tables go by :meth:`materialize`.

        Per entity the row with the latest event timestamp stays, and of one instant the one written last;
        with ``overwrite`` the given one in any case.
        Rows go to Feast's store as its own conversion makes them, without its detour over pandas, which takes
        half the time.
        """
        if len(rows) == 0:
            return
        view = self._view(table.name)
        types = {f.name: f.dtype.to_value_type() for f in view.entity_columns}
        protobufs = _convert_arrow_to_proto(rows.select([c.name for c in table.columns]), view, types)
        with overwriting(self._store.config.online_store) if overwrite else nullcontext():
            self._store._get_provider().online_write_batch(self._store.config, view, protobufs, None)

    def forget_member(self, user_id: str) -> bool:
        """Remove all that the online store holds of a member; return whether there was anything.

        Raises ``NotImplementedError`` where a profile puts the rows into a store that cannot do so.
        """
        store = self._store._get_provider().online_store
        if not isinstance(store, MarqueeRedisOnlineStore):
            raise NotImplementedError(
                f"{type(store).__name__} cannot remove a member: remove their rows with the store's own tools"
            )
        return bool(store.forget_entity(self._store.config, s.USER_ID, user_id))

    def feast_push(self, table: s.Table, frame: Any) -> None:
        """Push a pandas frame online by Feast's own ``push``: the slow baseline of :meth:`write_online`."""
        self._store.push(f"{table.name}_push", frame)

    def countries(self, user_ids: Sequence[str]) -> list[str]:
        """Return the members' countries as they are online, ``""`` where unknown."""
        if not user_ids:
            return []
        features = [f"{s.USER_PROFILE.name}:{s.COUNTRY}"]
        answer = self._store.get_online_features(features, {s.USER_ID: list(user_ids)})
        return [country or "" for country in answer.to_dict()[s.COUNTRY]]

    def _view(self, name: str) -> FeatureView:
        if name not in self._views:
            self._views[name] = self._store.get_feature_view(name)
        return self._views[name]

    def naive_ranking_rows(
        self,
        user_id: str,
        title_ids: Sequence[str],
        context: dict[str, Any],
        per_title: dict[str, list[Any]],
    ) -> Any:
        """The whole ranker input by one Feast call with on-demand transformation: the slow baseline.

        ``context`` holds what the request brings for all titles, ``per_title`` what it brings for each.
        """
        rows = len(title_ids)
        entities: dict[str, list[Any]] = {s.USER_ID: [user_id] * rows, s.TITLE_ID: list(title_ids)}
        entities |= {name: [value] * rows for name, value in context.items()} | per_title
        return self._store.get_online_features(self.service("ranker"), entities)

    def healthy(self) -> bool:
        """Say whether the online store answers."""
        try:
            self.member_features(_UNKNOWN, datetime.now(UTC))
        except Exception:  # whatever the store's client raises means the same here
            return False
        return True

    def _titles_online(
        self, service: str, title_ids: Sequence[str], tables: tuple[s.Table, ...], now: datetime
    ) -> Arrays:
        parts = [
            self._online(service, {s.TITLE_ID: list(title_ids[i : i + _SNAPSHOT_BATCH])}, tables, now)
            for i in range(0, len(title_ids), _SNAPSHOT_BATCH)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}

    def _online(
        self, service: str, entity_rows: dict[str, list[Any]], tables: tuple[s.Table, ...], now: datetime
    ) -> Arrays:
        answer = self._store.get_online_features(self.service(service), entity_rows)
        return decode_answer(answer, tables, self._ttl_seconds(tables), now)

    def _ttl_seconds(self, tables: tuple[s.Table, ...]) -> dict[str, float]:
        """Return the time-to-live of the tables' views that have one; looked up once."""
        names = tuple(table.name for table in tables)
        if names not in self._ttls:
            ttls = {name: self._store.get_feature_view(name).ttl for name in names}
            self._ttls[names] = {name: ttl.total_seconds() for name, ttl in ttls.items() if ttl}
        return self._ttls[names]


def _sources(views: Sequence[FeatureView]) -> list[Any]:
    """Return what the views read: their tables, and the doors through which rows are pushed."""
    pushed = [view.stream_source for view in views if view.stream_source is not None]
    return [*(view.batch_source for view in views), *pushed]
