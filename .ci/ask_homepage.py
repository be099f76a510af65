"""Wait for a server, ask it for homepages, and fail unless they are what the README promises."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any

WAIT_SECONDS = 120
KNOWN_MEMBER, STRANGER = "1", "somebody-new"


def get(url: str) -> Any:
    """Return the JSON at an address."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def wait_until_ready(address: str) -> None:
    """Return once a page can be made; raise ``TimeoutError`` after WAIT_SECONDS."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{address}/readyz", timeout=5).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
        else:
            return
    raise TimeoutError(f"{address} was not ready within {WAIT_SECONDS} s")


def check_page(page: Any, personal: bool) -> str:
    """Check one page and describe it."""
    tiles = [tile["title_id"] for row in page["rows"] for tile in row["tiles"]]
    row_types = [row["row_type"] for row in page["rows"]]
    assert page["degraded"] == [], page["degraded"]
    assert 40 <= len(tiles) <= 80, f"{len(tiles)} tiles"
    assert len(set(tiles)) == len(tiles), "a title stands twice"
    assert {"trending_now", "new_releases"} <= set(row_types), row_types
    assert not personal or "because_you_watched" in row_types, row_types
    return f"{page['user_id']}: {len(tiles)} tiles in {', '.join(row_types)}"


if __name__ == "__main__":
    address = sys.argv[1]
    wait_until_ready(address)
    for user_id, personal in ((KNOWN_MEMBER, True), (STRANGER, False)):
        page = get(f"{address}/v1/members/{user_id}/homepage?device=tv")
        sys.stdout.write(check_page(page, personal) + "\n")
