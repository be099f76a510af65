from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from feature_repo.redis_server import RedisUnavailableError, announced_url, running_redis
from feature_repo.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return Settings(tmp_path, str(tmp_path / "lake"), None)


def test_what_was_written_is_there_after_a_restart(home: Settings) -> None:
    with running_redis(home) as url, redis.Redis.from_url(url) as client:
        client.set("title", "kept")
    with running_redis(home) as url, redis.Redis.from_url(url) as client:
        assert client.get("title") == b"kept"


def test_it_listens_on_loopback_only(home: Settings) -> None:
    with running_redis(home) as url, redis.Redis.from_url(url) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_a_second_owner_joins_the_running_server_and_leaves_it_running(home: Settings) -> None:
    with running_redis(home) as first:
        with running_redis(home) as second:
            assert second == first
        assert announced_url(home) == first
    assert announced_url(home) is None


def test_a_stale_announcement_is_not_believed(home: Settings) -> None:
    home.redis_directory.mkdir(parents=True)
    (home.redis_directory / "redis.url").write_text("redis://127.0.0.1:1/0\n")
    with running_redis(home) as url:
        assert url != "redis://127.0.0.1:1/0"


def test_a_configured_redis_is_used_and_not_stopped(redis_url: str, tmp_path: Path) -> None:
    configured = Settings(tmp_path, str(tmp_path), redis_url)
    with running_redis(configured) as url:
        assert url == redis_url
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()


def test_a_configured_redis_that_is_silent_is_named_with_the_remedy(tmp_path: Path) -> None:
    silent = Settings(tmp_path, str(tmp_path), "redis://127.0.0.1:1/0")
    with pytest.raises(RedisUnavailableError, match=r"REDIS_URL='redis://127.0.0.1:1/0'.*unset REDIS_URL"):
        next(running_redis(silent).gen)


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the kernel's parent-death signal is Linux's"
)
def test_the_server_dies_with_an_owner_that_is_killed(home: Settings) -> None:
    program = (
        "import sys, time; from pathlib import Path; from feature_repo.settings import Settings;"
        "from feature_repo.redis_server import running_redis\n"
        "with running_redis(Settings(Path(sys.argv[1]), sys.argv[1], None)) as url:\n"
        "    import redis; print(redis.Redis.from_url(url).info()['process_id'], flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(home.home)], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        server = int(owner.stdout.readline())
        watch = os.pidfd_open(server)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    import select  # noqa: PLC0415

    assert select.select([watch], [], [], 20)[0], "the server still runs"


def test_what_was_acknowledged_survives_a_kill_of_the_server(home: Settings) -> None:
    with running_redis(home) as url, redis.Redis.from_url(url) as client:
        client.xadd("log", {"event": "kept"})
        os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
    with running_redis(home) as url, redis.Redis.from_url(url) as client:
        assert [fields for _, fields in client.xrange("log")] == [{b"event": b"kept"}]


def test_a_snapshot_of_a_server_without_an_append_only_file_is_read(home: Settings) -> None:
    with running_redis(home) as url, redis.Redis.from_url(url) as client:
        client.set("title", "kept")
        client.save()
        client.config_set("appendonly", "no")
    for file in home.redis_directory.glob("appendonly*"):
        file.unlink()
    with running_redis(home) as url, redis.Redis.from_url(url) as client:
        assert client.get("title") == b"kept"
    with running_redis(home) as url, redis.Redis.from_url(url) as client:
        assert client.get("title") == b"kept"
