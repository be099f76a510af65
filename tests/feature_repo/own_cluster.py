"""A Redis Cluster of three servers on this machine, for tests to fill and freeze."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from feature_repo.redis_server import redis_executable

_SLOTS: Final = 16_384
_BUS: Final = 10_000
"""Servers of a cluster talk to each other on the port that is so much higher."""
_PORTS: Final = 65_536


@dataclass(frozen=True, slots=True)
class OwnCluster:
    """Three primaries without replicas; server i holds the i-th third of the slots."""

    ports: tuple[int, ...]
    servers: tuple[subprocess.Popen[bytes], ...]

    @property
    def addresses(self) -> str:
        """As ``MARQUEE_REDIS_CLUSTER`` names them."""
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def clients(self) -> list[Any]:
        """A client of each server by itself."""
        patient = Retry(ConstantBackoff(0.05), retries=400)
        return [redis.Redis(port=port, retry=patient) for port in self.ports]


@contextmanager
def running_cluster(folder: Path) -> Iterator[OwnCluster]:
    """Start the servers, make them a cluster, and wait until each says that it is one."""
    ports = _free_ports(3)
    servers = tuple(_start(port, folder / str(port)) for port in ports)
    cluster = OwnCluster(ports, servers)
    try:
        _join(cluster)
        yield cluster
    finally:
        for server in servers:
            server.kill()
            server.wait()


def _start(port: int, folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir()
    command = [
        redis_executable(), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", "",
        "--logfile", str(folder / "redis.log"), "--cluster-enabled", "yes",
        "--cluster-node-timeout", "600000",  # a server that a test freezes stays a part of the cluster
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def _join(cluster: OwnCluster) -> None:
    clients = cluster.clients()
    thirds = [_SLOTS * i // len(clients) + (i > 0) for i in range(len(clients))] + [_SLOTS]
    for i, client in enumerate(clients):
        client.cluster("addslots", *range(thirds[i], thirds[i + 1]))
        client.cluster("set-config-epoch", i + 1)
    for port in cluster.ports[1:]:
        clients[0].cluster("meet", "127.0.0.1", port)
    while not all(_complete(client, len(clients)) for client in clients):
        time.sleep(0.05)


def _complete(client: Any, nodes: int) -> bool:
    state = client.cluster("info")
    return bool(state["cluster_state"] == "ok" and int(state["cluster_known_nodes"]) == nodes)


def _free_ports(count: int) -> tuple[int, ...]:
    """Return ports that are free, and with them those of the bus."""
    found: set[int] = set()
    while len(found) < count:
        with socket.socket() as probe, socket.socket() as bus:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            if port + _BUS >= _PORTS:
                continue
            try:
                bus.bind(("127.0.0.1", port + _BUS))
            except OSError:
                continue
            found.add(port)
    return tuple(found)
