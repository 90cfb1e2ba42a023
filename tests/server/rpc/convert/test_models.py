from datetime import UTC, datetime

from glasstape._convert.models import model_from
from glasstape.skill import SkillVerdict
from glasstape_server.models import artifact
from glasstape_server.rpc.convert.models import LiveFigures, model_to
from glasstape_server.settings import BUNDLED_MODELS

FIGURES = {"log_loss_gain": 0.009, "flat_gain": 0.008, "direction_gain": 0.001, "moved_hit_rate": 0.51}


def test_a_model_carries_its_skill_on_validation_windows():
    model = artifact.load(BUNDLED_MODELS / "sample-conv1d" / "1")
    metrics = {
        f"validation/{name}{end}": value + shift
        for name, value in FIGURES.items()
        for end, shift in (("", 0.0), ("_low", -0.004), ("_high", 0.004))
    }
    model.manifest = model.manifest.model_copy(update={"metrics": metrics})
    skill = model_from(model_to(model, True, LiveFigures(lambda digest: None, lambda digest: None))).skill
    assert skill.verdict is SkillVerdict.FLAT
    assert (skill.flat.value, skill.flat.low, skill.flat.high) == (0.008, 0.004, 0.012)
    assert skill.moved_hit_rate.value == 0.51


def test_a_model_without_these_metrics_has_no_skill():
    model = artifact.load(BUNDLED_MODELS / "sample-conv1d" / "1")
    model.manifest = model.manifest.model_copy(update={"metrics": {}})
    assert (
        model_from(model_to(model, True, LiveFigures(lambda digest: None, lambda digest: None))).skill is None
    )


def test_the_training_data_states_when_the_model_expires():
    model = artifact.load(BUNDLED_MODELS / "sample-conv1d" / "1")
    none = LiveFigures(lambda digest: None, lambda digest: None)
    assert "expires" not in model_from(model_to(model, True, none)).training_data
    expires = datetime(2026, 12, 1, 21, tzinfo=UTC)
    model.manifest = model.manifest.model_copy(update={"expires": expires})
    assert model_from(model_to(model, True, none)).training_data.endswith("; expires 2026-12-01 21:00 UTC")
