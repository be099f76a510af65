"""What promoted experiments have changed, for a server's settings file to take over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.definitions import Status, Treatment
from experiments.store import ExperimentStore


def promoted_treatments(store: ExperimentStore) -> dict[str, Treatment]:
    """Return the treatment of each promoted experiment whose arm is on record, the first to end first."""
    ended = store.with_status(Status.PROMOTED)
    treatments = {}
    for experiment in sorted(ended, key=lambda e: (e.ended_at or e.created_at, e.name)):
        arms = [r.arm for r in store.decisions(experiment.name) if r.action == "promote" and r.arm]
        if arms:
            treatments[experiment.name] = experiment.definition.arm(arms[-1]).treatment
    return treatments


def promoted_settings(treatments: Mapping[str, Treatment], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a server's settings with the treatments merged in, of two that set the same the later one.

    ``settings`` as in ``python -m serving defaults``. Bundles are no part of it, a promotion has moved the
    champion; nor are variants, which the client shows.
    """
    generators = {name: dict(values) for name, values in settings.get("generators", {}).items()}
    page = dict(settings.get("page", {}))
    for treatment in treatments.values():
        for generator, change in treatment.generators.items():
            generators.setdefault(generator, {}).update(change.model_dump(exclude_none=True))
        page |= treatment.page
    merged = {"generators": generators, "page": page}
    return dict(settings) | {section: values for section, values in merged.items() if values}
