"""What the environment says, and whether it can be meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from experiments.opening import STORE_VARIABLE, store_url
from feature_repo.stream.event_log import PARTITIONS
from serving.api.access import ADMIN_TOKEN
from serving.api_keys import KEYS_VARIABLE, ApiClients, KeysError
from serving.doctor.findings import Finding, Patient, Setting, bad, ok, warn
from serving.server import (
    CLOCK_VARIABLE,
    EVENT_LOG_VARIABLE,
    PARTITIONS_VARIABLE,
    SETTINGS_VARIABLE,
    UNKNOWN_RATE_VARIABLE,
    clock_mode,
    event_partitions,
    requests_per_second,
)
from serving.settings import ServingSettings
from serving.workers import worker_count

_USER_AND_PASSWORD: Final = re.compile(r"://[^/]*@")
_SECRET: Final = "(set, not shown)"
_READABLE_BY_OTHERS: Final = 0o077


def settings_of(patient: Patient) -> list[Setting]:
    """Return every setting with its source; of URLs without user and password."""
    settings = patient.settings
    defaults = {
        "MARQUEE_HOME": str(settings.home),
        "MARQUEE_LAKE": without_secret(settings.lake),
        "REDIS_URL": "(none: an embedded Redis in the home)",
        CLOCK_VARIABLE: "auto",
        SETTINGS_VARIABLE: "(none)",
        EVENT_LOG_VARIABLE: "(the Redis of the features)",
        PARTITIONS_VARIABLE: str(PARTITIONS),
        STORE_VARIABLE: without_secret(store_url(settings, patient.environment)),
        KEYS_VARIABLE: "(none: no key is needed for pages and events)",
        ADMIN_TOKEN: "(none: admin calls need a key)",
        UNKNOWN_RATE_VARIABLE: "(any)",
        "MARQUEE_WORKERS": str(worker_count({})),
    }
    return [_setting(name, patient.environment.get(name), default) for name, default in defaults.items()]


def _setting(name: str, given: str | None, default: str) -> Setting:
    if not given:
        return Setting(name=name, value=default, source="default")
    shown = _SECRET if name == ADMIN_TOKEN else without_secret(given)
    return Setting(name=name, value=shown, source="environment")


def without_secret(text: str) -> str:
    """Return a URL without its user, password and query; anything else as it is."""
    if "://" not in text:
        return text
    return _USER_AND_PASSWORD.sub("://…@", text).partition("?")[0]


def environment(patient: Patient) -> Iterator[Finding]:
    """Look whether each variable can be read as what it is to be."""
    env, wrong = patient.environment, []
    readers = {
        CLOCK_VARIABLE: clock_mode,
        PARTITIONS_VARIABLE: event_partitions,
        UNKNOWN_RATE_VARIABLE: requests_per_second,
        SETTINGS_VARIABLE: lambda file: ServingSettings.load(Path(file)),
        "MARQUEE_WORKERS": _workers,
    }
    for name, read in readers.items():
        if not env.get(name):
            continue
        try:
            read(env[name])
        except ValueError as error:
            said = " ".join(str(error).split())
            wrong.append(
                bad(
                    "environment",
                    said if name in said else f"{name}={env[name]!r}: {said}",
                    f"export {name}=… with such a value, or unset {name}",
                )
            )
    yield from wrong or [ok("environment", "every variable that is set can be read")]


def _workers(value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise ValueError("use a whole number of processes, 1 or more")
    return int(value)


def keys(patient: Patient) -> Iterator[Finding]:
    """Look who may call the server."""
    file = patient.environment.get(KEYS_VARIABLE)
    if not file:
        if patient.environment.get(ADMIN_TOKEN):
            yield ok(
                "keys", "an admin token is set; pages and events are open to everybody who reaches the server"
            )
        else:
            yield warn(
                "keys",
                "no admin token and no key file: admin calls, /operations among them, are refused",
                f"export {ADMIN_TOKEN}=… before `python -m serving run`",
            )
        return
    try:
        clients = ApiClients.load(Path(file)).clients
    except KeysError as error:
        yield bad("keys", str(error), "python -m serving keys add NAME --scope homepage, with another file")
        return
    if Path(file).stat().st_mode & _READABLE_BY_OTHERS:
        yield warn("keys", f"{file} can be read by other users of this machine", f"chmod 600 {file}")
    else:
        yield ok("keys", f"{len(clients)} clients in {file}")
