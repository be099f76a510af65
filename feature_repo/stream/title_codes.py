"""Whole numbers for title ids, the same in every processor and for good."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

CODES: Final = "marquee:stream:title_codes"
_ASSIGN: Final = """
local codes = {}
for place, title in ipairs(ARGV) do
  local code = redis.call('HGET', KEYS[1], title)
  if not code then
    code = redis.call('HLEN', KEYS[1])
    redis.call('HSET', KEYS[1], title, code)
  end
  codes[place] = tonumber(code)
end
return codes
"""
_AT_ONCE: Final = 5_000


class TitleCodes:
    """A hash in Redis with a copy here; a title gets the next number when it is first met."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._assign = client.register_script(_ASSIGN)
        self._codes: dict[str, int] = {}
        self._vocabulary: pa.StringArray = pa.array([], pa.string())
        self._learn({title.decode(): int(code) for title, code in client.hgetall(CODES).items()})

    @property
    def vocabulary(self) -> pa.StringArray:
        """The titles in the order of their codes."""
        return self._vocabulary

    def of(self, titles: pa.Array) -> NDArray[np.int32]:
        """Return the code of each title of a string array without nulls."""
        encoded = titles.dictionary_encode()
        distinct = encoded.dictionary.to_pylist()
        strangers = [title for title in distinct if title not in self._codes]
        for begin in range(0, len(strangers), _AT_ONCE):
            part = strangers[begin : begin + _AT_ONCE]
            self._learn(dict(zip(part, self._assign(keys=[CODES], args=part), strict=True)))
        codes = np.array([self._codes[title] for title in distinct], dtype=np.int32)
        return codes[encoded.indices.to_numpy()] if len(codes) else codes

    def _learn(self, codes: dict[str, int]) -> None:
        self._codes |= codes
        if codes and max(codes.values()) >= len(self._codes):
            # Another processor has numbered titles in between.
            everything = self._client.hgetall(CODES).items()
            self._codes = {title.decode(): int(code) for title, code in everything}
        self._vocabulary = pa.array(sorted(self._codes, key=self._codes.__getitem__), pa.string())
