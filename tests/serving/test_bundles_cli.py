from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from serving.cli import serving
from training.bundle import BundleAliases, BundleContents

ContentsOf = Callable[[int], BundleContents]
Command = Callable[..., Result]


@pytest.fixture
def bundles(small: Any, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("MARQUEE_HOME", str(small.bundles.parent))
    return lambda *arguments: CliRunner().invoke(serving, ["bundles", *arguments])


def test_a_bundle_is_activated_listed_and_rolled_back(
    small: Any, bundles: Command, contents_of: ContentsOf
) -> None:
    first = small.service.state.models.version
    second = small.publish(contents_of(2), champion=False)
    assert bundles("activate", second).output == f"champion: {second} (before: {first})\n"
    assert bundles("activate", first, "--alias", "challenger").exit_code == 0
    listed = {
        one["version"]: one["aliases"] for one in json.loads(bundles("list", "--json").output)["bundles"]
    }
    assert listed == {second: ["champion"], first: ["challenger"]}
    back = json.loads(bundles("rollback", "--json").output)
    assert (back["before"], back["version"]) == (second, first)
    assert BundleAliases(small.bundles).get("champion") == first


def test_the_list_tells_why_a_bundle_was_refused(
    small: Any, bundles: Command, contents_of: ContentsOf
) -> None:
    good = contents_of(2)
    small.publish(replace(good, title_factors=good.title_factors * 50))
    small.service.keeper.check()
    output = bundles("list").output
    assert "(norms): als/title_factors.npy: vectors are" in output
    assert "2026-02-22..2026-03-01" in output


def test_what_cannot_be_done_is_said_in_a_line(small: Any, bundles: Command, contents_of: ContentsOf) -> None:
    damaged = small.publish(contents_of(2), champion=False)
    (small.bundles / damaged / "ranker.ubj").write_bytes(b"{")
    for arguments, reason in (
        (("activate", damaged), "ranker.ubj"),
        (("activate", "20200101T000000Z-00000000"), "no bundle 20200101T000000Z-00000000"),
        (("activate", "../outside"), "no bundle ../outside"),
        (("rollback",), "no champion before"),
    ):
        result = bundles(*arguments)
        assert (result.exit_code, reason in result.output) == (1, True), result.output
        assert result.output.count("\n") == 1
    assert bundles("activate", damaged, "--alias", "best").exit_code == 2
