"""``python -m feature_repo``."""

from __future__ import annotations

from feature_repo.cli import main

if __name__ == "__main__":
    main(prog_name="python -m feature_repo")
