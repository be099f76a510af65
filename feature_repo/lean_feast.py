"""Feast without what nobody here uses of it: a process is up 5 s of CPU earlier, and 180 MB smaller.

Left alone, Feast imports torch, for features as tensors, and has typeguard compile its classes anew at every
start, to check the types of calls. Its own commands still do: `feast apply` checks the definitions.

The package imports this before any of its modules can import Feast.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any, Final

import typeguard

_typechecked: Final[Any] = typeguard.typechecked


def _checked_unless_feast(target: Any = None, **options: Any) -> Any:
    """Stand for ``typeguard.typechecked``, which checks everybody else's functions as ever."""
    module = sys._getframe(1).f_globals.get("__name__", "")
    if target is not None and module.partition(".")[0] == "feast":
        return target
    return _typechecked(target, **options)


def _torch() -> ModuleType:
    return importlib.import_module("torch")


typeguard.typechecked = _checked_unless_feast
_wrapper = ModuleType("feast.torch_wrapper", "Imports torch when it is asked for, not before.")
_wrapper.__dict__["get_torch"] = _torch
sys.modules.setdefault(_wrapper.__name__, _wrapper)
