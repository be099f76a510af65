"""A server starts without what nobody uses of Feast; what asks for it later gets it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import typeguard
from feast import FeatureView
from feast.torch_wrapper import get_torch

import feature_repo.store  # noqa: F401  (imports Feast as every process of ours does)


def test_a_server_does_not_import_torch() -> None:
    program = "import sys, serving.server; assert 'feast' in sys.modules; assert 'torch' not in sys.modules"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_who_asks_feast_for_torch_gets_it() -> None:
    assert get_torch() is torch


def test_feast_is_not_compiled_anew_to_check_types() -> None:
    assert "typeguard._functions" not in FeatureView.__init__.__code__.co_names


@typeguard.typechecked
def doubled(number: int) -> int:
    return 2 * number


def test_typeguard_checks_the_code_of_others_as_ever() -> None:
    assert doubled(2) == 4
    with pytest.raises(typeguard.TypeCheckError):
        doubled("two")  # type: ignore[arg-type]
