"""Starting an experiment: from then on it is about the bundles that its names stood for."""

from __future__ import annotations

from datetime import datetime

from experiments.bundle_alias import Aliases, version_behind
from experiments.definitions import Experiment, ExperimentDefinition, Status
from experiments.store import ExperimentStore


def start_experiment(
    store: ExperimentStore, aliases: Aliases, name: str, now: datetime, reason: str = ""
) -> Experiment:
    """Start a draft, or a paused experiment again, and return it.

    Where an arm of a draft names a bundle by its alias, the version behind it takes the alias' place, so that
    members see one bundle to the end, and that very one can be promoted. Raises as
    :meth:`ExperimentStore.change_status` does, and ``ExperimentError`` for an alias that was never set.
    """
    experiment = store.get(name)
    definition = experiment.definition
    if experiment.status is Status.DRAFT:
        definition = with_versions(definition, aliases)
    return store.change_status(name, Status.RUNNING, now, reason, definition)


def with_versions(definition: ExperimentDefinition, aliases: Aliases) -> ExperimentDefinition:
    """Return the definition with the version of each bundle in place of its alias."""
    arms = []
    for arm in definition.arms:
        bundle = arm.treatment.bundle
        if bundle is not None:
            treatment = arm.treatment.model_copy(update={"bundle": version_behind(aliases, bundle)})
            arms.append(arm.model_copy(update={"treatment": treatment}))
        else:
            arms.append(arm)
    return definition.model_copy(update={"arms": tuple(arms)})
