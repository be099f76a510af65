"""What the experiment store refuses. Each message names the experiment, what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Self


class ExperimentError(ValueError):
    """Something about experiments cannot be done; the base of the others."""


class StoreUnavailableError(ExperimentError):
    """The database behind the store cannot be reached or used."""


class ExperimentConflictError(ExperimentError):
    """Buckets are asked for that others own, or more than there are."""


class ExperimentExistsError(ExperimentError):
    """A name was used before; names are unique for ever, as they salt the draw of the arms."""


class TransitionError(ExperimentError):
    """An experiment cannot go from where it stands to where it is sent."""


class HoldoutError(ExperimentError):
    """The holdout cannot be that size, or not now."""


class RuleRefusedError(ExperimentError):
    """A decision rule that could never decide: ``field`` of the rule, its value and the remedy."""

    def __init__(self, field: str, value: object, remedy: str) -> None:
        super().__init__(f"rule.{field} = {value}: {remedy}")
        self.field, self.value, self.remedy = f"rule.{field}", value, remedy


class WrongClockError(ExperimentError):
    """The instant taken for now is far from the impressions."""


class UnknownExperimentError(ExperimentError):
    """There is no experiment of that name."""

    @classmethod
    def of(cls, name: str, known: Iterable[str]) -> Self:
        """Return the error that names the experiments whose names come close."""
        names = sorted(known)
        close = get_close_matches(name, names, n=3, cutoff=0.5)
        remedy = f"did you mean {' or '.join(map(repr, close))}?" if close else (
            "`python -m experiments list` shows those there are"
        )  # fmt: skip
        return cls(f"no experiment {name!r}: {remedy}")


class DamagedExperimentError(ExperimentError):
    """A row of the store is no valid experiment (any more)."""

    def __init__(self, name: str, found: str) -> None:
        self.name = name
        super().__init__(
            f"experiment {name!r} in the store is not valid: {found}; correct its row in the table "
            "`experiments`, or put the version of Marquee back that wrote it"
        )
