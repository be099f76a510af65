"""A redis-server for one test to kill, freeze, slow down and fill."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from feature_repo.redis_server import redis_executable


class OwnRedis:
    """One server on one port; its data is a snapshot's at every start, or none."""

    def __init__(self, folder: Path, snapshot: Path) -> None:
        self._folder, self._snapshot = folder, snapshot
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, empty: bool = False) -> None:
        """Start it, and wait until it answers."""
        file = self._folder / "features.rdb"
        file.unlink(missing_ok=True)
        if not empty:
            shutil.copy(self._snapshot, file)
        command = [
            redis_executable(), "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
            "--dir", str(self._folder), "--dbfilename", file.name,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        patient = Retry(ConstantBackoff(0.05), retries=400)
        loading: list[type[Exception]] = [redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError]
        with redis.Redis.from_url(self.url, retry=patient, retry_on_error=loading) as client:
            client.ping()

    def snapshot(self) -> None:
        """Let the next start begin with what it holds now."""
        with self.client() as client:
            client.save()
        shutil.copy(self._folder / "features.rdb", self._snapshot)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def client(self) -> Iterator[Any]:
        with redis.Redis.from_url(self.url) as client:
            yield client


class SlowRoad:
    """A TCP proxy to a port, which keeps each answer back for ``delay`` seconds."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._door.getsockname()[1]}/0"
        self.delay = 0.0
        self._closing = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        self._door.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._to))
                except OSError:  # nobody is there
                    near.close()
                    continue
                threading.Thread(target=self._carry, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, True), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket, delayed: bool) -> None:
        with suppress(OSError):
            while chunk := one.recv(1 << 16):
                if delayed and self.delay:
                    self._closing.wait(self.delay)
                other.sendall(chunk)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
