"""``python -m serving``."""

from __future__ import annotations

from serving.cli import serving

serving()
