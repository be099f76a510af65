"""How gunicorn runs the server: workers that share memory from before the fork, with threads.

``python -m serving run`` uses this file and sets the environment it reads. A worker starts its service
(connections, bundle, warm-up) before it takes its first request, and stops it on leaving.
"""

from __future__ import annotations

import gc
import os
from typing import Any

from prometheus_client import multiprocess

from serving.api.operations import SERVICE
from serving.metrics import MULTIPROCESS_DIRECTORY
from serving.workers import worker_count

wsgi_app = "serving.server:application()"
bind = os.environ.get("MARQUEE_BIND", "127.0.0.1:8080")
workers = worker_count(os.environ)
threads = int(os.environ.get("MARQUEE_THREADS") or 4)
worker_class = "gthread"
preload_app = True
timeout = 180  # a worker reads the catalogue and warms up before its first heartbeat
graceful_timeout = 10
keepalive = 15
loglevel = "warning"
# What a request may be before the application sees it; the application limits the body (serving/app.py).
limit_request_line = 4094  # bytes: method, path and query
limit_request_fields = 50
limit_request_field_size = 4094  # bytes of one header
control_socket_disable = True


def when_ready(server: Any) -> None:
    """Let the metrics of the process that only starts workers go out of the live ones.

    It has built the application, whose gauges are at 0 there for ever: the least of all workers would be 0.
    """
    if os.environ.get(MULTIPROCESS_DIRECTORY):
        multiprocess.mark_process_dead(server.pid)


def post_worker_init(worker: Any) -> None:
    """Open connections and put the champion in service, in the worker and not before."""
    service = worker.wsgi.extensions[SERVICE]
    service.load.watch(worker.tpool._work_queue.qsize)  # requests that wait for a thread
    service.start()
    # What is here now stays as long as the worker. A full collection would look at all of it again and again,
    # a third of a second each time, and every page would wait.
    gc.collect()
    gc.freeze()


def worker_exit(_: Any, worker: Any) -> None:
    """Stop the worker's background work."""
    if worker.wsgi is not None:
        worker.wsgi.extensions[SERVICE].stop()


def child_exit(_: Any, worker: Any) -> None:
    """Let the metrics of a worker that ended go out of the live sums."""
    if os.environ.get(MULTIPROCESS_DIRECTORY):
        multiprocess.mark_process_dead(worker.pid)
