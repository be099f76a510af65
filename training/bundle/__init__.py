"""Model bundles: immutable folders of arrays and a ranker, verified by checksum, named by aliases.

Training writes them, serving reads them; nothing here needs a training library.
"""

from __future__ import annotations

from training.bundle.aliases import ALIASES, CHALLENGER, CHAMPION, Alias, BundleAliases, PublishAs
from training.bundle.contents import BundleContents
from training.bundle.errors import BundleError, OtherSchemaError
from training.bundle.history import AliasChange
from training.bundle.manifest import (
    FORMAT_VERSION,
    DataWindow,
    FileRecord,
    Manifest,
    is_version,
    read_manifest,
)
from training.bundle.reading import Bundle, list_bundles, load_bundle
from training.bundle.writing import write_bundle

__all__ = [
    "ALIASES",
    "CHALLENGER",
    "CHAMPION",
    "FORMAT_VERSION",
    "Alias",
    "AliasChange",
    "Bundle",
    "BundleAliases",
    "BundleContents",
    "BundleError",
    "DataWindow",
    "FileRecord",
    "Manifest",
    "OtherSchemaError",
    "PublishAs",
    "is_version",
    "list_bundles",
    "load_bundle",
    "read_manifest",
    "write_bundle",
]
