"""Ensembles of trained networks."""

from collections.abc import Sequence

from glasstape_server.models.manifest import Architecture
from glasstape_server.models.networks.architectures import ENSEMBLE
from glasstape_server.models.networks.ensemble import Ensemble
from glasstape_server.training.rank_head import RankHead
from glasstape_server.training.train import TrainedNetwork, TrainingPlan


def make_ensemble(members: Sequence[TrainedNetwork], plan: TrainingPlan) -> TrainedNetwork:
    """Return the ensemble of networks that were trained on the same data."""
    network = Ensemble([member.network for member in members])
    configs = [member.architecture.model_dump() for member in members]
    names = tuple(
        {
            "name": member.plan.name,
            "version": member.plan.version,
            "network": member.architecture.name,
            "seed": member.plan.fit.seed,
        }
        for member in members
    )
    architecture = Architecture(name=ENSEMBLE, config={"members": configs})
    heads = [member.rank_head for member in members if member.rank_head is not None]
    head = None
    if len(heads) == len(members):
        described = {"members": [each.architecture.model_dump() for each in heads]}
        averaged = Ensemble([each.network for each in heads]).eval()
        head = RankHead(Architecture(name=ENSEMBLE, config=described), averaged)
    return TrainedNetwork(plan, architecture, network.eval(), names, head)
