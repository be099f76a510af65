"""What is installed is what was chosen. Whether it has known vulnerabilities is for `make audit` to say."""

from __future__ import annotations

import configparser
import re
from importlib.metadata import distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from feature_repo.settings import REPOSITORY_ROOT

INSTALLERS = {"pip", "setuptools", "wheel", "marquee"}


def pinned() -> dict[str, str]:
    lines = (REPOSITORY_ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pin) == 2 for pin in pins), "every line of constraints.txt is name==version"
    return {canonicalize_name(name): version for name, version in pins}


def test_every_installed_distribution_is_pinned_in_its_version() -> None:
    # A build for one kind of machine says so after a plus: 2.13.0+cpu is a 2.13.0.
    installed = {canonicalize_name(d.metadata["Name"]): d.version.partition("+")[0] for d in distributions()}
    strays = {
        name: f"{version} is installed, {pinned().get(name)} is pinned"
        for name, version in installed.items()
        if name not in INSTALLERS and pinned().get(name) != version
    }
    assert strays == {}


def test_what_the_project_asks_for_is_pinned() -> None:
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY_ROOT / "setup.cfg", "utf-8")
    asked = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    names = {
        canonicalize_name(Requirement(line).name) for text in asked for line in text.splitlines() if line
    }
    assert names <= set(pinned())


def test_the_list_is_in_order_and_names_nothing_twice() -> None:
    lines = (REPOSITORY_ROOT / "constraints.txt").read_text("utf-8").splitlines()
    names = [re.split("==", line)[0].casefold() for line in lines if line and not line.startswith("#")]
    assert len(set(names)) == len(names)
