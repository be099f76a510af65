"""Feast's Spark store over the same definitions: Spark reads the lake's Parquet tables in place of DuckDB.

Feast has a kind of source for each kind of offline store. Our definitions name Parquet folders, which Spark
reads as well; each is handed to it as a source of its own kind.
"""

from __future__ import annotations

import copy
from typing import Any, Literal

from feast import FileSource
from feast.infra.offline_stores.contrib.spark_offline_store.spark import (
    SparkOfflineStore,
    SparkOfflineStoreConfig,
    SparkRetrievalJob,
)
from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource


class MarqueeSparkOfflineStoreConfig(SparkOfflineStoreConfig):  # type: ignore[misc]
    """Options of Feast's own Spark store."""

    type: Literal["feature_repo.spark_offline_store.MarqueeSparkOfflineStore"] = (
        "feature_repo.spark_offline_store.MarqueeSparkOfflineStore"
    )


class MarqueeSparkOfflineStore(SparkOfflineStore):  # type: ignore[misc]
    """Spark over the folders that the definitions name."""

    @staticmethod
    def get_historical_features(config: Any, feature_views: list[Any], *others: Any, **options: Any) -> Any:
        """As Feast's; the views' folders are read by Spark."""
        views = [_through_spark(view) for view in feature_views]
        return _typed(SparkOfflineStore.get_historical_features(config, views, *others, **options))

    @staticmethod
    def pull_latest_from_table_or_query(config: Any, data_source: Any, *others: Any, **options: Any) -> Any:
        """As Feast's; the folder is read by Spark."""
        source = spark_source(data_source)
        return _typed(SparkOfflineStore.pull_latest_from_table_or_query(config, source, *others, **options))

    @staticmethod
    def pull_all_from_table_or_query(config: Any, data_source: Any, *others: Any, **options: Any) -> Any:
        """As Feast's; the folder is read by Spark."""
        source = spark_source(data_source)
        return _typed(SparkOfflineStore.pull_all_from_table_or_query(config, source, *others, **options))


class _TypedRetrievalJob(SparkRetrievalJob):  # type: ignore[misc]
    """Feast's, with Spark's own types: over pandas, integers that hold nulls would come back as floats."""

    def _to_arrow_internal(self, timeout: int | None = None) -> Any:
        if self._should_use_staging_for_arrow():
            return super()._to_arrow_internal(timeout)
        return self.to_spark_df().toArrow()


def spark_source(source: Any) -> Any:
    """Return Spark's source of a Parquet folder; a source of another kind as it is."""
    if not isinstance(source, FileSource):
        return source
    return SparkSource(
        name=source.name, path=source.path, file_format="parquet", timestamp_field=source.timestamp_field,
        created_timestamp_column=source.created_timestamp_column, field_mapping=source.field_mapping,
    )  # fmt: skip


def _through_spark(view: Any) -> Any:
    own = copy.copy(view)
    own.batch_source = spark_source(view.batch_source)
    return own


def _typed(job: Any) -> Any:
    return _TypedRetrievalJob(
        job.spark_session, job.query, job.full_feature_names, job._config, job.on_demand_feature_views,
        job.metadata,
    )  # fmt: skip
