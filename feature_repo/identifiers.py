"""What the id of a member or title may be: it stands in paths and in lists with commas between."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

LONGEST: Final = 128
"""In characters."""
_NEVER: Final = r"/,\x00-\x1f\x7f-\x9f"
PATTERN: Final = rf"^[^{_NEVER}]*[^{_NEVER}.\s][^{_NEVER}]*$"
"""Of an id: no slash, comma or control character, and something besides blanks and dots."""
REMEDY: Final = (
    f"use 1 to {LONGEST} characters, none of them '/', ',' or a control character, "
    "and something besides blanks and dots"
)
# To Arrow's expressions \s is the blanks of ASCII, to all others those of Unicode.
_TO_ARROW: Final = PATTERN.replace(r"\s", r"\s\p{Z}")


def broken(ids: pa.Array) -> pa.Array:
    """Return bool (n,), which of ``ids`` (n,), strings, no member or title may bear; null stays null."""
    return pc.or_(
        pc.invert(pc.match_substring_regex(ids, _TO_ARROW)), pc.greater(pc.utf8_length(ids), LONGEST)
    )
