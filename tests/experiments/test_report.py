"""An experiment's page: what it shows, and how it is written."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from experiments.analysis.results import (
    Adjusted,
    Analysis,
    ArmTotals,
    Comparison,
    Corrected,
    DailyRate,
    Effect,
    Guardrail,
    Interaction,
    Look,
    Naive,
    Novelty,
    SampleRatio,
)
from experiments.decision import decide
from experiments.definitions import Experiment, ExperimentDefinition
from experiments.report import render_html, write_report

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=30)
EXPERIMENT = Experiment(
    definition=ExperimentDefinition.model_validate(
        {
            "name": "trial", "layer": "ranker", "traffic": 100, "hypothesis": "<b>newer</b> is better",
            "arms": [{"name": "control", "share": 600},
                     {"name": "new", "share": 400, "treatment": {"bundle": "challenger"}}],
        }
    ),
    first_bucket=0, created_at=START, started_at=START,
)  # fmt: skip
EFFECT = Effect(
    metric="play_rate", control=0.1, treatment=0.104, difference=0.004, difference_low=0.001,
    difference_high=0.007, lift=0.04, lift_low=0.011, lift_high=0.0722, z=2.5, p=0.0124, design_effect=6.4,
)  # fmt: skip
KNOWN = Guardrail(
    matured=(4_000, 3_000), retained=(2_400, 1_815), needed=(3_000, 2_250), known=True,
    known_from=START, change=0.0083, low=-0.021, high=0.0391, p=0.6, margin=0.01, breached=False,
)  # fmt: skip
UNKNOWN = Guardrail(
    matured=(0, 0),
    retained=(0, 0),
    needed=(100, 100),
    known=False,
    known_from=None,
    margin=0.01,
    breached=False,
)


def arm(name: str, share: int, members: int, plays: int) -> ArmTotals:
    return ArmTotals(
        name=name, share=share, members=members, impressions=100_000, plays=plays, completions=2_500,
        play_rate=plays / 100_000, completion_rate=2_500 / plays,
    )  # fmt: skip


def comparison(**changed: object) -> Comparison:
    looks = tuple(
        Look(day=date(2026, 3, 1 + n), lift=0.04, low=0.03 - 0.3 / (n + 1), high=0.05 + 0.3 / (n + 1), p=0.5)
        for n in range(20)
    )
    fields: dict[str, object] = {
        "naive": Naive(z=5.0, p=6e-7), "effect": EFFECT, "secondary": None, "looks": looks,
        "corrected": Corrected(level=0.025, low=0.012, high=0.069, p=0.0333),
        "adjusted": Adjusted(lift=0.041, low=0.017, high=0.0651, variance_ratio=0.72, members_known=0.9),
        "novelty": Novelty(slope=-0.0012, p=0.31, days=20), "guardrail": KNOWN,
    }  # fmt: skip
    return Comparison.model_validate({"arm": "new", **fields, **changed})


FULL = Analysis(
    experiment="trial", layer="ranker", metric="play_rate", alpha=0.05, as_of=NOW, started_at=START,
    ended_at=NOW,
    arms=(arm("control", 600, 6_011, 10_000), arm("new", 400, 3_989, 10_400)), contaminated=17,
    sample_ratio=SampleRatio(chi_square=0.05, p=0.822, broken=False), comparisons=(comparison(),),
    interactions=(
        Interaction(arm="new", other="tiles/large", change=-0.013, z=-2.6, p=0.0093, corrected_p=0.0186),
    ),
    concurrent=("tiles",),
    daily=tuple(
        DailyRate(day=date(2026, 3, 1 + n), arm=name, members=9, impressions=100, plays=10, rate=0.1)
        for n in range(20) for name in ("control", "new")
    ),
)  # fmt: skip
BARE = FULL.model_copy(
    update={
        "daily": (), "interactions": (), "concurrent": (),
        "comparisons": (
            comparison(
                effect=None, naive=None, looks=(), corrected=None, adjusted=None, novelty=None,
                guardrail=UNKNOWN,
            ),
        ),
    }
)  # fmt: skip


def rendered(analysis: Analysis) -> str:
    return render_html(EXPERIMENT, analysis, decide(analysis, EXPERIMENT.definition.rule, NOW))


@pytest.fixture(scope="module")
def page() -> str:
    return rendered(FULL)


@pytest.mark.parametrize(
    "shown",
    [
        "Promote: new", "6,011", "200,000", "10.400%", "+4.00%", "+1.10% to +7.22%", "0.0124", "6.4",
        "+1.20% to +6.90%", "0.0333", "+4.10% (+1.70% to +6.51%)", "72 %", "-0.12% (p = 0.31)",
        "60.000%, 60.500%", "+0.83%", "p = 6e-07", "tiles/large", "-1.30%", "0.0186",
        "17 members were seen in two arms",
        "chi-square 0.05, p = 0.822", "2026-03-31 00:00 UTC",
    ],
)  # fmt: skip
def test_the_page_shows_what_was_found(page: str, shown: str) -> None:
    assert shown in page


def test_it_holds_a_plot_of_each_kind_and_loads_nothing(page: str) -> None:
    for title in ("Lift over time", "Sample ratio", "Retention guardrail", "Day by day"):
        assert f'aria-label="{title}"' in page
    assert page.count("<svg") == 4
    assert not re.search(r'(src|href)="(?!analysis\.json|#)', page.replace("xlink:href", ""))
    assert "#0a0b0" not in page


def test_what_people_wrote_is_escaped(page: str) -> None:
    assert "&lt;b&gt;newer&lt;/b&gt; is better" in page


def test_without_anything_to_say_the_page_stands() -> None:
    bare = rendered(BARE)
    assert bare.count("<svg") == 1  # the members are there
    assert "too few members" in bare
    assert "Hold" in bare
    assert "None" not in bare


def test_alert_is_marked() -> None:
    broken = FULL.model_copy(update={"sample_ratio": SampleRatio(chi_square=40.0, p=1e-9, broken=True)})
    assert 'class="verdict hold alert"' in rendered(broken)
    assert 'class="verdict hold alert"' not in rendered(BARE)


def test_written_again_it_replaces_itself_and_leaves_nothing_beside(tmp_path: Path) -> None:
    verdict = decide(FULL, EXPERIMENT.definition.rule, NOW)
    for _ in range(2):
        folder = write_report(tmp_path, EXPERIMENT, FULL, verdict)
    assert folder == tmp_path / "experiments" / "reports" / "trial"
    assert sorted(file.name for file in folder.iterdir()) == ["analysis.json", "index.html"]
    assert Analysis.model_validate_json((folder / "analysis.json").read_text()) == FULL
    assert (folder / "index.html").read_text() == rendered(FULL)
