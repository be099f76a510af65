"""``python -m serving run``: gunicorn, and a Redis where none is configured."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, Final, get_args

import click

from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.signals import on_stop_signals
from serving.bundles_cli import bundles_command
from serving.clock import ClockMode
from serving.doctor.cli import doctor_command
from serving.keys_cli import keys
from serving.rehearsal.cli import rehearse_command
from serving.settings import ServingSettings
from serving.shadow_cli import shadow_report_command
from training.bundle import CHAMPION, BundleAliases, BundleError, load_bundle

_CONFIGURATION: Final = Path(__file__).with_name("gunicorn_conf.py")
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_POLL_SECONDS: Final = 0.2
_STOP_SECONDS: Final = 20.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def serving() -> None:
    """Make homepages.

    \b
    Examples:
        python -m serving run --port 8080
        python -m serving doctor
        python -m serving bundles list
        python -m serving keys add tv-app --scope homepage
    """


@serving.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, help="Port to listen on.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one per core, at most 4]")
@click.option("--threads", default=4, show_default=True, type=click.IntRange(min=1), help="Threads in each.")
@click.option(
    "--clock", type=click.Choice(get_args(ClockMode)), default="auto", show_default=True,
    help="What a page takes for now: the wall clock, or the end of the data, ticking on.",
)  # fmt: skip
@click.option(
    "--settings", "settings_file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON that switches candidate generators and limits them; `python -m serving defaults` prints it.",
)  # fmt: skip
@click.option(
    "--stream/--no-stream", "streams", default=True, show_default=True,
    help="Whether to start a stream processor beside the server; several may be started by hand.",
)  # fmt: skip
def run(
    host: str,
    port: int,
    workers: int | None,
    threads: int,
    clock: str,
    settings_file: Path | None,
    streams: bool,
) -> None:
    """Serve the champion bundle until Ctrl-C, and keep features fresh from the events that come in.

    Admin calls, such as PUT /v1/titles/{title_id}, need `Authorization: Bearer` with the token in the
    environment variable MARQUEE_ADMIN_TOKEN; without one they are refused.

    With MARQUEE_API_KEYS, a file that `python -m serving keys` makes, every call of a page or with events
    needs a key. MARQUEE_UNKNOWN_RATE limits the requests a second of an address without a known key.

    Events go to the log that MARQUEE_EVENT_LOG names, redis://host:port/0 or kafka://host:port/topic; without
    it to the Redis of the features. MARQUEE_EVENT_PARTITIONS (8) is how many partitions a new log gets.

    Experiments are those of the store that MARQUEE_EXPERIMENTS names, postgresql://… or sqlite:///file;
    without it of experiments.db in the home. Changes there are served within two seconds.

    Ctrl-C is how it ends: what members were shown until then is written, and the exit status is 0.

    \b
    Examples:
        python -m serving run
        MARQUEE_ADMIN_TOKEN=secret python -m serving run --port 8081 --workers 2 --settings settings.json
    """
    if settings_file is not None:
        try:
            ServingSettings.load(settings_file)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    settings = Settings.from_environment()
    require_profile(settings)
    example = example_member(settings)
    with (
        on_stop_signals(_interrupt),
        running_redis(settings) as redis_url,
        TemporaryDirectory(prefix="marquee-metrics-") as metrics,
    ):
        environment = server_environment(
            os.environ, redis_url=redis_url, metrics=metrics, bind=f"{host}:{port}",
            workers=workers, threads=threads, clock=clock, settings_file=settings_file,
        )  # fmt: skip
        # A process of its own: its environment is set before numpy, XGBoost and the metrics are imported,
        # and a worker that ends cannot run this process's clean-up.
        command = [sys.executable, "-m", "gunicorn", "--config", str(_CONFIGURATION)]
        server = subprocess.Popen(command, env=environment, process_group=0)
        stream = _start_stream(redis_url) if streams else None
        try:
            _announce(server, f"http://{host}:{port}", example)
            status = server.wait()
        except KeyboardInterrupt:
            click.echo("\nstopping")
            status = 0
        finally:
            _stop(server)
            if stream is not None:
                _stop(stream)
    sys.exit(status)


def require_profile(settings: Settings) -> None:
    """Raise a click error where ``MARQUEE_PROFILE`` names what Feast cannot use: workers would fail by it."""
    if settings.profile is None:
        return
    profiles: Any = import_module("feature_repo.store_profile")  # brings Feast along
    try:
        profiles.load_profile(settings.profile)
    except profiles.ProfileError as error:
        raise click.ClickException(str(error)) from error


serving.add_command(rehearse_command)
serving.add_command(bundles_command)
serving.add_command(shadow_report_command)
serving.add_command(keys)
serving.add_command(doctor_command)


@serving.command()
def defaults() -> None:
    """Print the settings of a server as JSON, to change and pass with --settings.

    \b
    Examples:
        python -m serving defaults > settings.json
        python -m serving run --settings settings.json
    """
    click.echo(ServingSettings().model_dump_json(indent=2))


def example_member(settings: Settings) -> str:
    """Return a member of the champion bundle; raises ``ClickException`` where none can be served."""
    try:
        version = BundleAliases(settings.bundles).get(CHAMPION)
        if version is None:
            raise click.ClickException(f"no champion in {settings.bundles}; run `make pipeline` first")
        user_ids = load_bundle(settings.bundles / version).contents.user_ids
    except BundleError as error:
        raise click.ClickException(str(error)) from error
    return str(user_ids[0]) if len(user_ids) else "newcomer"


def server_environment(
    base: Mapping[str, str],
    *,
    redis_url: str,
    metrics: str,
    bind: str,
    workers: int | None,
    threads: int,
    clock: str,
    settings_file: Path | None = None,
) -> dict[str, str]:
    """Return the environment that gunicorn's configuration and the application read."""
    return {
        **base,
        **dict.fromkeys(_ONE_THREAD, "1"),
        "REDIS_URL": redis_url,
        "PROMETHEUS_MULTIPROC_DIR": metrics,
        "MARQUEE_BIND": bind,
        "MARQUEE_WORKERS": "" if workers is None else str(workers),
        "MARQUEE_THREADS": str(threads),
        "MARQUEE_CLOCK": clock,
        "MARQUEE_SERVING": "" if settings_file is None else str(settings_file.absolute()),
    }


def _start_stream(redis_url: str) -> subprocess.Popen[bytes]:
    """Start a stream processor that works for the server's feature store and lives as long as the server."""
    environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), "REDIS_URL": redis_url}
    command = [sys.executable, "-m", "feature_repo", "stream"]
    return subprocess.Popen(command, env=environment, process_group=0)


def _announce(server: subprocess.Popen[bytes], address: str, user_id: str) -> None:
    """Wait for the first page that can be made, and say how to ask for one."""
    while not _ready(address):
        if server.poll() is not None:
            raise click.ClickException(f"the server ended with status {server.returncode}; see its log above")
        time.sleep(_POLL_SECONDS)
    click.echo(f"Marquee serves on {address}")
    click.echo(f"  curl '{address}/v1/members/{user_id}/homepage?device=tv'")


def _ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
