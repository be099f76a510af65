"""``python -m training``."""

from __future__ import annotations

from feature_repo.command_line import Loaded, run_program


def _load() -> Loaded:
    from feature_repo.ingest.lake import LakeError  # noqa: PLC0415  (see run_program)
    from feature_repo.redis_server import RedisUnavailableError  # noqa: PLC0415
    from feature_repo.stream.event_log import EventLogError  # noqa: PLC0415
    from training.bundle import BundleError  # noqa: PLC0415
    from training.cli import main  # noqa: PLC0415

    return main, (LakeError, RedisUnavailableError, EventLogError, BundleError)


if __name__ == "__main__":
    run_program("python -m training", _load)
