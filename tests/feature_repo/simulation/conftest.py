from __future__ import annotations

from datetime import UTC, datetime

import pytest

from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.simulate import SimulatedService, simulate

END = datetime(2026, 3, 2, 5, 30, tzinfo=UTC)
SMALL = SimulationConfig(
    titles=300, members=120, days=10, sessions_per_day=1.5, arriving_title_share=0.1, joining_member_share=0.2
)


@pytest.fixture(scope="session")
def config() -> SimulationConfig:
    return SMALL


@pytest.fixture(scope="session")
def end() -> datetime:
    return END


@pytest.fixture(scope="session")
def service() -> SimulatedService:
    return simulate(SMALL, 11, END)
