"""Attempts at a retrain in processes of their own: started, waited for, ended, and tried again with less.

An attempt may raise, be killed for its memory, crash, or hang. The one after it takes on less
(:mod:`training.memory_plans`); when none is left, the bundle in service stays.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Final

from pydantic import ValidationError

from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from training.attempt import STOP_SECONDS, Answer, Request
from training.bundle import ALIASES, BundleAliases, list_bundles
from training.retrain import Retrained, alias_of, reason_of
from training.retrain_state import FailureKind

_LONGEST_REASON: Final = 2_000
_OUT_OF_MEMORY: Final = "as the system does where memory runs out"


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended: with an ``answer``, or by a failure."""

    answer: Answer | None
    failure: FailureKind | None = None
    reason: str | None = None

    @property
    def worth_another(self) -> bool:
        """Whether a smaller attempt may do better."""
        return self.answer is None or not self.answer.hopeless


class Supervisor:
    """Runs attempts of one home, each for at most ``longest`` (None: without limit)."""

    def __init__(self, settings: Settings, longest: timedelta | None) -> None:
        self._settings, self._longest = settings, longest

    def attempt(self, request: Request, lock: int) -> Ended:
        """Run one attempt and wait for it. Never raises but ``KeyboardInterrupt``, after having ended it.

        ``lock`` is the descriptor of the home's lock, which the attempt holds, too, so that nobody begins
        another while it lives, whatever becomes of this process.
        """
        known = set(list_bundles(self._settings.bundles))
        try:
            ended = self._run(request, lock)
        except Exception as error:  # no Redis, no memory for a process: the reason is recorded
            ended = Ended(None, "error", reason_of(error)[:_LONGEST_REASON])
        return self._unless_published(ended, known) if request.job == "retrain" else ended

    def _run(self, request: Request, lock: int) -> Ended:
        # Redis is this process's, so that it outlives the attempt, whose end may be sudden.
        with running_redis(self._settings) as url, tempfile.TemporaryFile() as answers:
            child = subprocess.Popen(
                [sys.executable, "-m", "training.attempt"], stdin=subprocess.PIPE, stdout=answers,
                env=os.environ | self._environment(url), pass_fds=(lock,),
                start_new_session=True,  # the terminal's Ctrl-C is for this process, which passes it on
            )  # fmt: skip
            try:
                _tell(child, request)
                status = child.wait(None if self._longest is None else self._longest.total_seconds())
            except subprocess.TimeoutExpired:
                _kill(child)
                return Ended(None, "time limit", f"it took longer than {self._longest}")
            except BaseException:
                _stop(child)
                raise
            return _ended(status, answers)

    def _environment(self, url: str) -> dict[str, str]:
        return {
            "MARQUEE_HOME": str(self._settings.home),
            "MARQUEE_LAKE": self._settings.lake,
            "REDIS_URL": url,
        }

    def _unless_published(self, ended: Ended, known: set[str]) -> Ended:
        """Take an attempt that failed after its bundle had got its alias for one that published."""
        if ended.failure is None:
            return ended
        aliases = BundleAliases(self._settings.bundles)
        version = next(
            (one for one in map(aliases.get, ALIASES) if one is not None and one not in known), None
        )
        if version is None:
            return ended
        reason = f"after publishing, {ended.reason}"
        retrained = Retrained(version, {}, [], reason, alias_of(self._settings, version))
        peak = 0.0 if ended.answer is None else ended.answer.peak_mib
        return Ended(Answer(retrained=retrained, peak_mib=peak))


def _tell(child: subprocess.Popen[bytes], request: Request) -> None:
    """Send the request; the pipe stays open, and its end tells the child that this process is gone."""
    assert child.stdin is not None
    with suppress(BrokenPipeError):  # it ended at once: its exit status says more
        child.stdin.write(request.model_dump_json().encode() + b"\n")
        child.stdin.flush()


def _ended(status: int, answers: IO[bytes]) -> Ended:
    answers.seek(0)
    try:
        answer = Answer.model_validate_json(answers.read())
    except ValidationError:
        answer = None
    if answer is not None and answer.error is None:
        return Ended(answer)
    if answer is not None:
        return Ended(answer, "error", (answer.error or "")[:_LONGEST_REASON])
    if status < 0:
        name = signal.Signals(-status).name
        hint = f", {_OUT_OF_MEMORY}" if -status == signal.SIGKILL else ""
        return Ended(None, "killed", f"its process was ended by {name}{hint}")
    return Ended(None, "error", f"its process ended with exit status {status}; its log says why")


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Let it put its things away; end it where that takes too long, or at a second interruption."""
    try:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        child.wait(STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        pass
    finally:
        _kill(child)


def _kill(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
