"""Model bundles: immutable folders of arrays and a ranker, verified by checksum, named by aliases.

Training writes them, serving reads them; nothing here needs a training library.
"""

from __future__ import annotations

from training.bundle.aliases import ALIASES, CHAMPION, BundleAliases
from training.bundle.contents import BundleContents
from training.bundle.errors import BundleError
from training.bundle.manifest import FORMAT_VERSION, DataWindow, FileRecord, Manifest
from training.bundle.reading import Bundle, list_bundles, load_bundle
from training.bundle.writing import write_bundle

__all__ = [
    "ALIASES",
    "CHAMPION",
    "FORMAT_VERSION",
    "Bundle",
    "BundleAliases",
    "BundleContents",
    "BundleError",
    "DataWindow",
    "FileRecord",
    "Manifest",
    "list_bundles",
    "load_bundle",
    "write_bundle",
]
