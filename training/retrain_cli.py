"""``retrain``: train again and again on what has happened since."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Never, get_args

import click
from rich.console import Console

from feature_repo.durations import Duration
from feature_repo.settings import Settings
from training.attempt import Request
from training.bundle import CHALLENGER, PublishAs
from training.config import TrainingConfig
from training.config_option import config_option, read_config
from training.interruption import ending_on_signals
from training.memory_plans import PLANS, MemoryPlan
from training.moved import Published
from training.retrain import reason_of
from training.retrain_metrics import RetrainMetrics
from training.retrain_run import run_turn
from training.retrain_state import (
    DamagedRecordError,
    RetrainRecord,
    RetrainRunningError,
    only_retrain,
    read_record,
    retrain_running,
)
from training.schedule import Agenda, Schedule, Turn, keep_doing
from training.supervision import Ended, Supervisor

HELD_BACK: Final = (
    "as challenger: the champion stays, `--publish-as champion` lets trainings decide again which one serves"
)
TRY_LATER: Final = 75
"""Exit status, EX_TEMPFAIL of sysexits.h: another retrain is at work."""
_MINUTE: Final = timedelta(minutes=1)
_WEEK: Final = 7.0


@click.command()
@click.option("--every", default="1h", show_default=True, type=Duration(_MINUTE), help="Time between runs.")
@click.option(
    "--window", type=Duration(timedelta(hours=1), or_none=True), metavar="DURATION",
    help="Rolling window of events to train on; 0: all.  [default: the configuration's, else 7d]",
)  # fmt: skip
@click.option(
    "--older-share", type=click.FloatRange(0, 1),
    help="Share of interactions older than a day that is kept; younger ones all are.",
)  # fmt: skip
@click.option(
    "--moved", type=click.FloatRange(0),
    help="Change, as a share of its length, from which a vector is published.",
)  # fmt: skip
@click.option(
    "--titles-every", default="10m", show_default=True, type=Duration(_MINUTE, or_none=True),
    help="Between runs, solve new titles this often; 0: only after runs.",
)  # fmt: skip
@click.option(
    "--time-limit", default="2h", show_default=True, type=Duration(_MINUTE, or_none=True),
    help="An attempt that takes longer is ended, and made again with less; 0: none.",
)  # fmt: skip
@click.option(
    "--publish-as", default="auto", show_default=True, type=click.Choice(get_args(PublishAs)),
    help="What a bundle is to be; auto: champion, but challenger where a rollback, an activation or a "
    "promotion chose the one that serves.",
)  # fmt: skip
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Serve Prometheus metrics on it.")
@click.option(
    "--metrics-file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write Prometheus metrics there after each run, for a node exporter's textfile collector.",
)  # fmt: skip
@click.option("--once", is_flag=True, help="Run once, now, and exit.")
@click.option("--status", is_flag=True, help="Print what became of the last run, and exit.")
@click.option("--json", "as_json", is_flag=True, help="With --status: as JSON.")
@config_option
@click.option("--dataset", default="", help="Name of the data, for the reports.")
@click.pass_context
def retrain(
    context: click.Context,
    every: timedelta,
    window: timedelta | None,
    older_share: float | None,
    moved: float | None,
    titles_every: timedelta,
    time_limit: timedelta,
    publish_as: PublishAs,
    metrics_port: int | None,
    metrics_file: Path | None,
    once: bool,
    status: bool,
    as_json: bool,
    config_file: Path | None,
    dataset: str,
) -> None:
    """Train on schedule: features, models from the last factors, the vectors that moved, new titles.

    \b
    Every hour on the last week of events, until Ctrl-C:
        python -m training retrain --every 1h --window 7d
    With a fifth of what is older than a day, publishing what moved by a fifth or more:
        python -m training retrain --every 6h --older-share 0.2 --moved 0.2
    One run, from cron or by hand; 0: published, 1: failed, 75: another is at work:
        python -m training retrain --once
    After a rollback or a promotion: let the trainings decide again which bundle serves:
        python -m training retrain --once --publish-as champion
    What became of the last run:
        python -m training retrain --status

    Runs begin on whole multiples of --every since 1970 UTC. Slots missed by a long run or a pause are made up
    for by one run. An attempt that fails, is killed or hangs is made again with less memory, twice at most;
    then the champion stays in service, and the next slot begins with everything again.
    """
    settings = Settings.from_environment()
    if status:
        print_status(settings.home, as_json=as_json)
        return
    if as_json:
        raise click.UsageError("--json goes with --status")
    config = retrain_config(read_config(config_file), window, older_share, moved)
    metrics = RetrainMetrics(settings.home)
    if metrics_port is not None:
        metrics.serve(metrics_port)
    work = Work(config, dataset, Supervisor(settings, time_limit or None), publish_as)
    retraining = Retraining(
        settings.home, work, every, Console(stderr=True, log_path=False), metrics, metrics_file
    )
    context.exit(retraining.run(titles_every, once=once))


def retrain_config(
    config: TrainingConfig, window: timedelta | None, older_share: float | None, moved: float | None
) -> TrainingConfig:
    """Return the configuration with what the command line says; a week's window where neither says any."""
    days = config.window_days or _WEEK if window is None else window / timedelta(days=1)
    asked = {"older_share": older_share, "moved": moved}
    told = {name: value for name, value in asked.items() if value is not None}
    return TrainingConfig.model_validate(config.model_dump() | told | {"window_days": days or None})


@dataclass(frozen=True, slots=True)
class Work:
    """What the command does, in processes of their own."""

    config: TrainingConfig
    dataset: str
    supervisor: Supervisor
    publish_as: PublishAs = "auto"

    def retrain(self, plan: MemoryPlan, lock: int) -> Ended:
        """Make one attempt at a retrain."""
        request = Request(
            job="retrain", plan=plan, config=self.config, dataset=self.dataset, publish_as=self.publish_as
        )
        return self.supervisor.attempt(request, lock)

    def solve_titles(self, lock: int) -> Ended:
        """Solve the titles that came since."""
        return self.supervisor.attempt(Request(job="new titles", plan=PLANS[0], config=self.config), lock)


class Retraining:
    """The command at work: runs that are told of on a console, and to Prometheus."""

    def __init__(
        self,
        home: Path,
        work: Work,
        every: timedelta,
        console: Console,
        metrics: RetrainMetrics,
        metrics_file: Path | None = None,
    ) -> None:
        self._home, self._work = home, work
        self._schedule = Schedule(every)
        self._console = console
        self._metrics, self._metrics_file = metrics, metrics_file

    def say(self, text: str) -> None:
        """Log a line."""
        self._console.log(text, markup=False, highlight=False)

    def run(self, titles_every: timedelta, *, once: bool) -> int:
        """Run once, or until interrupted; return the exit status: 128 and the signal's number for those."""
        with ending_on_signals() as stopped:
            try:
                return self.once() if once else self.keep_on(titles_every)
            except KeyboardInterrupt:
                self.say("stopped; the champion stays in service")
                return 128 + (stopped[0] if stopped else signal.SIGINT)

    def once(self) -> int:
        """Run now, whatever the schedule says; return the exit status."""
        now = _wall()
        last = self._last_turn()
        here = self._schedule.slot_at(now)
        turn = Turn(here if last is None else max(here, last.slot), now)
        try:
            record = self._run(turn, again=True)
        except RetrainRunningError as error:
            self.say(f"{error}; try later")
            return TRY_LATER
        except OSError as error:  # such as a disk that is full
            self.say(f"the run cannot be recorded ({error})")
            return 1
        return 0 if record is not None and record.outcome == "published" else 1

    def keep_on(self, titles_every: timedelta) -> Never:
        """Run on schedule until interrupted."""
        now = _wall()
        agenda = Agenda(self._schedule, self._last_turn(), now)

        def run(turn: Turn) -> None:
            try:
                if self._run(turn) is None:
                    self.say("this slot was run already, by another process")
            except RetrainRunningError as error:
                self.say(f"{error}; this slot is skipped")
            except OSError as error:  # such as a disk that is full
                self.say(f"the run cannot be recorded ({error}); this slot is skipped")
            ended = _wall()
            self.say(f"next run at {_clock(ended + agenda.remaining(ended))}")

        jobs = [(agenda, run)]
        if titles_every:
            schedule = Schedule(titles_every)
            jobs.append((Agenda(schedule, Turn(schedule.slot_at(now), now), now), self._solve))
        wait = agenda.remaining(now)
        self.say(f"every {self._schedule.every}, " + (f"first at {_clock(now + wait)}" if wait else "now"))
        keep_doing(jobs, _wall, time.sleep)

    def _last_turn(self) -> Turn | None:
        try:
            record = read_record(self._home)
        except DamagedRecordError as error:
            self.say(str(error))
            return None
        return None if record is None else record.turn(self._schedule.every.total_seconds())

    def _run(self, turn: Turn, *, again: bool = False) -> RetrainRecord | None:
        every = self._schedule.every
        record = run_turn(self._home, turn, every, self._attempt, time.monotonic, again=again)
        if record is not None:
            self.say(summary(record))
        if self._metrics_file is not None:
            self._metrics.write(self._metrics_file)
        return record

    def _attempt(self, plan: MemoryPlan, lock: int) -> Ended:
        if plan != PLANS[0]:
            self.say(f"trying again with less memory: plan {plan.name}")
        ended = self._work.retrain(plan, lock)
        if ended.failure is not None:
            self.say(f"plan {plan.name} failed ({ended.failure}): {ended.reason}")
        return ended

    def _solve(self, turn: Turn) -> None:
        try:
            with only_retrain(self._home, turn.began_at) as lock:
                ended = self._work.solve_titles(lock)
        except RetrainRunningError:
            return  # which solves them at its end
        except OSError as error:  # such as a disk that is full; the next look tries again
            ended = Ended(None, "error", reason_of(error))
        if ended.failure is not None:
            self.say(f"new titles: {ended.reason}")
        elif ended.answer is not None and ended.answer.solved:
            solved = ended.answer.solved
            self.say(f"{len(solved)} new titles solved: {', '.join(solved[:5])}")


def summary(record: RetrainRecord) -> str:
    """Return the line that tells of a run."""
    took = f"after {record.seconds or 0:.0f} s"
    if record.outcome != "published":
        return f"{record.outcome} {took}: {record.reason}; the champion stays, the next slot tries again"
    parts = [f"bundle {record.bundle} {took}", savings(record.published)]
    if record.attempts and record.attempts[-1].plan != PLANS[0].name:
        parts.insert(
            1, f"memory plan {record.attempts[-1].plan}, after {len(record.attempts) - 1} that failed"
        )
    if record.alias == CHALLENGER:
        parts.insert(1, HELD_BACK)
    parts.append(f"{record.solved_titles} new titles solved")
    if record.reason:
        parts.append(f"new titles wait: {record.reason}")
    return "; ".join(parts)


def savings(published: Mapping[str, Published]) -> str:
    """Say how many vectors were published, and how many the threshold saved."""
    if not published:
        return "all vectors published, of a new beginning"
    written = sum(vectors.written for vectors in published.values())
    unmoved = sum(vectors.unmoved for vectors in published.values())
    share = unmoved / max(1, written + unmoved)
    return f"{written:,} vectors published, {unmoved:,} saved that had not moved ({share:.0%})"


def print_status(home: Path, *, as_json: bool) -> None:
    """Print the last run's record; a click error where it is damaged."""
    try:
        record = read_record(home)
    except DamagedRecordError as error:
        raise click.ClickException(str(error)) from error
    killed = record is not None and record.outcome == "running" and not retrain_running(home)
    if as_json:
        shown = None if record is None else record.model_dump_json(indent=2)
        click.echo("null" if shown is None else shown)
    elif record is None:
        click.echo(f"no retrain yet in {home}")
    else:
        click.echo(f"began {_clock(record.began_at)}, process {record.pid}, slot {record.slot}")
        if killed:
            click.echo("ended without a word, as when its process is killed; the next slot tries again")
        else:
            click.echo("running" if record.outcome == "running" else summary(record))


def _wall() -> datetime:
    return datetime.now(UTC)


def _clock(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"
