"""The hidden truth: how likely a member plays a title they look at, in a context.

The simulation plays by :meth:`World.play_probability`, and a saved world answers the same later, so
that any page can be judged against the truth.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from feature_repo import schema as s
from feature_repo.simulation.vocabulary import COUNTRIES
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR, decay_factor

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

DAYPARTS: Final = ("night", "morning", "afternoon", "evening")
"""Six local hours each: from 0, 6, 12 and 18 o'clock."""
_FORMAT: Final = 1
_ARRAYS_FILE: Final = "world.npz"
_SCALARS_FILE: Final = "world.json"
_CHUNK: Final = 131_072
_OFFSETS_US: Final = np.array([c.utc_offset_hours * MICROSECONDS_PER_HOUR for c in COUNTRIES])


@dataclass(frozen=True)
class World:
    """T titles, M members and the numbers that connect them.

    The logit of a play is ``play_base`` plus :meth:`taste_logits` (genre taste drifting linearly from
    ``taste_start`` to ``taste_finish`` over the window, its shift by device and daypart, the taste
    that genres do not show, the title type by context), the title's appeal, the member's affinity to
    its language, and its freshness. Codes follow schema.DEVICES, schema.TITLE_TYPES and the
    simulation's COUNTRIES and LANGUAGES; device code ``len(DEVICES)`` stands for an unknown device.
    """

    title_ids: NDArray[np.str_]
    title_genres: NDArray[np.float32]
    title_residuals: NDArray[np.float32]
    title_appeal: NDArray[np.float32]
    title_quality: NDArray[np.float32]
    title_types: Codes
    title_languages: Codes
    title_maturity: Codes
    title_in_country: NDArray[np.bool_]
    title_available_us: Codes
    user_ids: NDArray[np.str_]
    taste_start: NDArray[np.float32]
    taste_finish: NDArray[np.float32]
    user_residuals: NDArray[np.float32]
    user_context_strength: NDArray[np.float32]
    """How much device and hour move this member, around 1."""
    user_languages: NDArray[np.float32]
    """(M, languages): logits per language of a title."""
    user_countries: Codes
    user_maturity_limits: Codes
    context_genres: NDArray[np.float32]
    """(devices + 1, dayparts, 30)."""
    context_types: NDArray[np.float32]
    """(devices + 1, dayparts, 3)."""
    start_us: int
    end_us: int
    play_base: float
    play_ceiling: float
    freshness_strength: float
    freshness_days: float

    def play_probability(
        self,
        user_ids: NDArray[np.str_],
        title_ids: NDArray[np.str_],
        request_timestamps: Floats,
        device_types: NDArray[np.str_],
    ) -> Floats:
        """Return the probability that a member who looks at a tile plays it; arguments broadcast.

        ``request_timestamps`` are microseconds since 1970 UTC, ``device_types`` one of schema.DEVICES
        or ``""`` where unknown. It is 0 where the title may not be shown: not yet available, not in
        the member's country, above their maturity limit. Whether the member has watched the title
        already plays no part. Raises ``KeyError`` for an unknown member, title or device.
        """
        return self.play_probability_of(
            rows_of(self.user_ids, user_ids, s.USER_ID),
            rows_of(self.title_ids, title_ids, s.TITLE_ID),
            np.asarray(request_timestamps, dtype=np.float64),
            device_codes(device_types),
        )

    def play_probability_of(
        self, users: Codes, titles: Codes, timestamps_us: Floats, devices: Codes
    ) -> Floats:
        """Do what :meth:`play_probability` does, for row numbers and device codes."""
        shape = np.broadcast_shapes(users.shape, titles.shape, timestamps_us.shape, devices.shape)
        user, title, device = (np.broadcast_to(side, shape).ravel() for side in (users, titles, devices))
        when = np.broadcast_to(timestamps_us, shape).ravel()
        probability = np.empty(when.size)
        for first in range(0, when.size, _CHUNK):
            chunk = slice(first, first + _CHUNK)
            probability[chunk] = self._play_chunk(user[chunk], title[chunk], when[chunk], device[chunk])
        return probability.reshape(shape)

    def _play_chunk(self, users: Codes, titles: Codes, timestamps_us: Floats, devices: Codes) -> Floats:
        age_us = timestamps_us - self.title_available_us[titles]
        logits = self.play_base + self.taste_logits(users, titles, timestamps_us, devices)
        logits += self.title_appeal[titles] + self.user_languages[users, self.title_languages[titles]]
        logits += self.freshness_strength * decay_factor(age_us, self.freshness_days)
        allowed = (age_us >= 0) & self.may_be_shown(users, titles)
        return np.where(allowed, self.play_ceiling * expit(logits), 0.0)

    def taste_logits(self, users: Codes, titles: Codes, timestamps_us: Floats, devices: Codes) -> Floats:
        """Return what taste and context add to the logit of a play; four arrays of one length."""
        share = (timestamps_us - self.start_us) / (self.end_us - self.start_us)
        drift = share.clip(0.0, 1.0).astype(np.float32)[:, None]
        daypart = self._dayparts(users, timestamps_us)
        habit = self.user_context_strength[users]
        taste = self.taste_start[users] * (1 - drift) + self.taste_finish[users] * drift
        taste += self.context_genres[devices, daypart] * habit[:, None]
        logits = np.einsum("ij,ij->i", taste, self.title_genres[titles])
        logits += np.einsum("ij,ij->i", self.user_residuals[users], self.title_residuals[titles])
        logits += self.context_types[devices, daypart, self.title_types[titles]] * habit
        return np.asarray(logits, dtype=np.float64)

    def may_be_shown(self, users: Codes, titles: Codes) -> NDArray[np.bool_]:
        """Return whether country and maturity allow a title to a member; row numbers broadcast."""
        mature = self.title_maturity[titles] <= self.user_maturity_limits[users]
        return np.asarray(mature & self.title_in_country[titles, self.user_countries[users]])

    def _dayparts(self, users: Codes, timestamps_us: Floats) -> Codes:
        local_us = timestamps_us + _OFFSETS_US[self.user_countries[users]]
        hours = np.mod(local_us, MICROSECONDS_PER_DAY) / MICROSECONDS_PER_HOUR
        return np.asarray(hours // 6, dtype=np.int64)

    def save(self, directory: Path) -> None:
        """Write ``world.npz`` and ``world.json`` into ``directory``, each replaced in one step."""
        directory.mkdir(parents=True, exist_ok=True)
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
        scalars = {name: value for name, value in values.items() if name not in arrays}
        staged = directory / f".{os.getpid()}.{_ARRAYS_FILE}"
        staged_scalars = directory / f".{os.getpid()}.{_SCALARS_FILE}"
        try:
            with staged.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            staged_scalars.write_text(json.dumps({"format": _FORMAT} | scalars, indent=2))
            staged.replace(directory / _ARRAYS_FILE)
            staged_scalars.replace(directory / _SCALARS_FILE)
        finally:
            staged.unlink(missing_ok=True)
            staged_scalars.unlink(missing_ok=True)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a saved world; raises ``FileNotFoundError`` or ``ValueError`` saying what to do."""
        if not (directory / _SCALARS_FILE).exists():
            raise FileNotFoundError(f"no simulated world in {directory}: run the simulate command first")
        scalars: dict[str, Any] = json.loads((directory / _SCALARS_FILE).read_text())
        if scalars.pop("format", None) != _FORMAT:
            raise ValueError(f"{directory / _SCALARS_FILE}: unknown format; run the simulate command again")
        with np.load(directory / _ARRAYS_FILE, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files}, **scalars)


def rows_of(ids: NDArray[np.str_], wanted: NDArray[np.str_], name: str) -> Codes:
    """Return the row of each wanted id among sorted ``ids``; raises ``KeyError`` naming one not there."""
    asked = np.asarray(wanted)
    rows = np.minimum(np.searchsorted(ids, asked), len(ids) - 1)
    unknown = np.asarray(ids[rows] != asked)
    if unknown.any():
        raise KeyError(f"{name} {asked[unknown].flat[0]!r} is not in the simulated world")
    return np.asarray(rows, dtype=np.int64)


def device_codes(device_types: NDArray[np.str_]) -> Codes:
    """Return places in schema.DEVICES, ``len(DEVICES)`` for ``""``; raises ``KeyError`` otherwise."""
    asked = np.asarray(device_types)
    codes = np.full(asked.shape, -1, dtype=np.int64)
    for code, device in enumerate((*s.DEVICES, "")):
        codes[asked == device] = code
    if (codes < 0).any():
        unknown = asked[codes < 0].flat[0]
        raise KeyError(f"{s.DEVICE_TYPE} {unknown!r} is none of {', '.join(s.DEVICES)}")
    return codes
