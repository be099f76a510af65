"""The candidate generators as stages of a page, each switched and limited by its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from serving import fallbacks
from serving.candidates.answer import Candidates
from serving.candidates.generators import GENERATORS, CandidateGenerator
from serving.candidates.query import Query
from serving.pipeline import Stage
from serving.settings import GeneratorSettings

GeneratorStage = Stage[Query, Sequence[Candidates]]


def generator_stages(settings: Mapping[str, GeneratorSettings]) -> tuple[GeneratorStage, ...]:
    """Return one stage per generator; raises ``KeyError`` where ``settings`` lacks one."""
    return tuple(_stage(generator, settings[generator.name]) for generator in GENERATORS)


def _stage(generator: CandidateGenerator, settings: GeneratorSettings) -> GeneratorStage:
    def propose(query: Query) -> Sequence[Candidates]:
        return generator.propose(query, settings.limit)

    def asked(query: Query) -> bool:
        return settings.enabled and (query.member.personal or not generator.personal)

    return Stage(
        generator.name, propose, fallbacks.no_candidates, generator.budget_ms, asked, costly=generator.costly
    )
