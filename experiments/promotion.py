"""Carrying out a decision: the bundle's alias, the experiment's status, and a record of both.

    the record's file, written in one step ─► the alias `champion` ─► row and status, in one transaction

A decision counts from the moment its file is there. One that is interrupted later is finished by the next
decision about the experiment, or by :func:`finish_interrupted`; so no experiment is ever promoted, and no
bundle put into service, without a record. One decision at a time is carried out: the store is held meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from experiments.bundle_alias import CHAMPION, Aliases, tested_version
from experiments.definitions import Arm, Experiment, Status
from experiments.errors import ExperimentError, TransitionError
from experiments.records import Action, DecidedBy, DecisionRecord, apart
from experiments.store import ExperimentStore
from feature_repo.replacing import replace_file

_FROM: Final[Mapping[Action, tuple[Status, ...]]] = {
    "promote": (Status.RUNNING, Status.PAUSED),
    "hold": (Status.RUNNING, Status.PAUSED),
    "roll_back": (Status.DRAFT, Status.RUNNING, Status.PAUSED, Status.PROMOTED),
}
"""Of which experiments a decision may be taken."""
_TO: Final[Mapping[Action, Status | None]] = {
    "promote": Status.PROMOTED,
    "hold": None,
    "roll_back": Status.ROLLED_BACK,
}
_INSTANT: Final = "%Y%m%dT%H%M%S.%fZ"


def carry_out(
    store: ExperimentStore,
    aliases: Aliases,
    decisions_folder: Path,
    name: str,
    action: Action,
    arm: str | None,
    reason: str,
    evidence: Mapping[str, Any],
    now: datetime,
    decided_by: DecidedBy,
) -> DecisionRecord:
    """Carry out a decision about an experiment and return its record.

    ``promote`` ends it for an arm; in the layer ``ranker`` the arm's bundle becomes champion. ``roll_back``
    ends it for control; a promotion is taken back, and the champion before it serves again unless another
    bundle has become champion since. ``hold`` leaves all as it is. A promotion or a rollback that was carried
    out already is not repeated: its record is returned.

    Raises :class:`TransitionError` where the experiment's status does not allow it, ``ExperimentError`` for
    an arm that cannot be promoted, ``BundleError`` for a bundle that is not there; then nothing has changed.
    """
    finish_interrupted(store, aliases, decisions_folder, name)
    with store.deciding(name) as deciding:
        experiment, earlier = deciding.experiment, deciding.decisions
        repeated = _repeated(experiment, earlier, action, arm)
        if repeated is not None:
            return repeated
        _check(experiment, action)
        before, after = _champions(experiment, earlier, action, arm, aliases)
        record = DecisionRecord(
            experiment=name, decided_at=now.astimezone(UTC), action=action, arm=arm, reason=reason,
            evidence=dict(evidence), champion_before=before, champion_after=after, decided_by=decided_by,
        )  # fmt: skip
        record = apart(record, earlier)
        if record in earlier:
            return record
        file = _write(decisions_folder, record)
        try:
            _move_champion(aliases, record)
        except Exception:
            file.unlink()
            raise
        deciding.settle(record, _TO[action])
        return record


def finish_interrupted(
    store: ExperimentStore, aliases: Aliases, decisions_folder: Path, name: str
) -> list[DecisionRecord]:
    """Finish the decisions about an experiment whose file is there and whose row is not; return them.

    So decisions are found again, too, that a backup of the store did not hold. Files that were lost are
    written again.
    """
    known = store.decisions(name)
    for record in known:
        if not (decisions_folder / _file_name(record)).exists():
            _write(decisions_folder, record)
    finished = []
    for file, record in _files(decisions_folder, name):
        if record in known:
            continue
        with store.deciding(name) as deciding:
            # Whoever held the store before may have kept it or, where it failed, removed its file.
            done = record in deciding.decisions or not file.exists()
            experiment = deciding.experiment
            of_a_namesake = record.decided_at < experiment.created_at
            if done or of_a_namesake or experiment.status not in _FROM[record.action]:
                continue
            _move_champion(aliases, record)
            deciding.settle(record, _TO[record.action])
            finished.append(record)
    return finished


def _repeated(
    experiment: Experiment, earlier: Sequence[DecisionRecord], action: Action, arm: str | None
) -> DecisionRecord | None:
    """Return the record of the same decision where it is what brought the experiment to its end."""
    if experiment.status is not _TO[action]:
        return None
    same = [kept for kept in earlier if kept.action == action and (action != "promote" or kept.arm == arm)]
    return same[-1] if same else None


def _check(experiment: Experiment, action: Action) -> None:
    if experiment.status not in _FROM[action]:
        raise TransitionError(
            f"experiment {experiment.name!r} is {experiment.status}: "
            f"to {action.replace('_', ' ')} it, it must be {' or '.join(_FROM[action])}"
        )


def _champions(
    experiment: Experiment,
    earlier: Sequence[DecisionRecord],
    action: Action,
    arm: str | None,
    aliases: Aliases,
) -> tuple[str | None, str | None]:
    """Return the bundle in service before and after a decision; None where it does not touch the alias."""
    if action == "promote":
        bundle = _promoted_arm(experiment, arm).treatment.bundle
        return (None, None) if bundle is None else (aliases.get(CHAMPION), tested_version(bundle))
    if action == "roll_back" and experiment.status is Status.PROMOTED:
        promoted = next((r for r in reversed(earlier) if r.action == "promote"), None)
        if promoted is not None and promoted.moved_champion and promoted.champion_before is not None:
            current = aliases.get(CHAMPION)
            if current == promoted.champion_after:
                return current, promoted.champion_before
    return None, None


def _promoted_arm(experiment: Experiment, name: str | None) -> Arm:
    others = ", ".join(a.name for a in experiment.definition.arms if a.treatment.layers)
    if name is None:
        raise ExperimentError(f"{experiment.name!r}: which arm is to be promoted? Choose from {others}")
    try:
        arm = experiment.definition.arm(name)
    except KeyError as error:
        raise ExperimentError(str(error.args[0])) from error
    if not arm.treatment.layers:
        raise ExperimentError(
            f"arm {name!r} of {experiment.name!r} changes nothing: roll the experiment back, "
            f"or promote one of {others}"
        )
    return arm


def _move_champion(aliases: Aliases, record: DecisionRecord) -> None:
    """Put the decision's bundle into service, unless it is or another was put there since."""
    after = record.champion_after
    if record.moved_champion and after is not None and aliases.get(CHAMPION) == record.champion_before:
        aliases.set(CHAMPION, after, rollback=record.action == "roll_back")


def _file_name(record: DecisionRecord) -> str:
    return f"{record.experiment}-{record.decided_at.astimezone(UTC).strftime(_INSTANT)}.json"


def _files(folder: Path, name: str) -> Iterator[tuple[Path, DecisionRecord]]:
    """Yield the files of an experiment's decisions, the first first, passing over what is none."""
    pattern = re.compile(re.escape(name) + r"-\d{8}T\d{6}\.\d{6}Z\.json")
    for file in sorted(folder.glob(f"{name}-*.json")):
        if pattern.fullmatch(file.name):
            try:
                record = DecisionRecord.model_validate_json(file.read_bytes())
            except (ValidationError, FileNotFoundError):
                continue  # no reason to refuse a rollback
            yield file, record


def _write(folder: Path, record: DecisionRecord) -> Path:
    """Write the record's file in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / _file_name(record)
    replace_file(file, record.model_dump_json(indent=2).encode() + b"\n")
    return file
