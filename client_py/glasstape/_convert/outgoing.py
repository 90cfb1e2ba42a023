"""Values for the wire in the server's direction: what `glasstape.testing` answers with."""

from glasstape._convert.common import enum_to, time_to
from glasstape._convert.market import bar_to
from glasstape.types.inference import Confidence, Model, ModelRef
from glasstape.types.signals import BuyEvent, ConfidenceEvent, Event, OutcomeEvent, Signal
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as pb


def ref_to(ref: ModelRef) -> ipb.ModelRef:
    """A model's identity."""
    return ipb.ModelRef(
        name=ref.name, version=ref.version, digest=ref.digest, feature_spec_hash=ref.feature_spec_hash
    )


def confidence_to(confidence: Confidence) -> ipb.Confidence:
    """Confidences."""
    return ipb.Confidence(
        direction=ipb.Direction.ValueType(confidence.direction + 1),
        class_index=int(confidence.direction),
        down=confidence.down,
        flat=confidence.flat,
        up=confidence.up,
        abstained=confidence.abstained,
        novelty=confidence.novelty,
    )


def model_to(model: Model) -> ipb.Model:
    """A model's description."""
    return ipb.Model(
        ref=ref_to(model.ref),
        state=enum_to(ipb.ModelState, "MODEL_STATE_", model.state),
        refusal=model.refusal,
        architecture=model.architecture,
        time_steps=model.time_steps,
        features=[
            ipb.Feature(
                name=f.name, description=f.description, mean=f.mean, standard_deviation=f.standard_deviation
            )
            for f in model.features
        ],
        min_bars=model.min_bars,
        interval=model.interval,
        horizon_bars=model.horizon_bars,
        entry=enum_to(ipb.Entry, "ENTRY_", model.entry),
        label_rule=model.label_rule,
        temperature=model.temperature,
        abstain_threshold=model.abstain_threshold,
        buy_ramp_low=model.buy_ramp_low,
        buy_ramp_high=model.buy_ramp_high,
        alert_threshold=model.alert_threshold,
        methods=[enum_to(ipb.Method, "METHOD_", method) for method in model.methods],
        metrics=[ipb.Metric(name=name, value=value) for name, value in model.metrics.items()],
        training_data=model.training_data,
        seen_until=time_to(model.seen_until, "seen_until") if model.seen_until else None,
        checks=[
            ipb.Check(name=c.name, value=c.value, limit=c.limit, passed=c.passed, text=c.text)
            for c in model.checks
        ],
    )


def event_to(event: Event, sequence: int) -> pb.Event:
    """An event under a sequence of its own."""
    message = pb.Event(
        sequence=sequence,
        symbol=event.symbol,
        interval=event.interval,
        bar_close_time=time_to(event.bar_close_time, "bar_close_time"),
        publish_time=time_to(event.publish_time, "publish_time"),
        model=ref_to(event.model),
    )
    match event:
        case BuyEvent():
            message.buy.confidence_sequence = event.confidence_sequence
            message.buy.signal.CopyFrom(_signal_to(event.signal))
        case ConfidenceEvent():
            message.confidence.CopyFrom(_signal_to(event.signal))
        case OutcomeEvent():
            message.outcome.CopyFrom(_outcome_to(event))
    return message


def _signal_to(signal: Signal) -> pb.Signal:
    return pb.Signal(
        confidence=confidence_to(signal.confidence),
        bar=bar_to(signal.bar),
        reference_close=signal.reference_close,
        previous_session_close=signal.previous_session_close,
        horizon_bars=signal.horizon_bars,
        entry=enum_to(ipb.Entry, "ENTRY_", signal.entry),
        expire_time=time_to(signal.expire_time, "expire_time"),
        data_state=enum_to(mpb.DataState, "DATA_STATE_", signal.data_state),
        flat_threshold=signal.flat_threshold,
        label_kind=enum_to(pb.LabelKind, "LABEL_KIND_", signal.label_kind),
    )


def _outcome_to(event: OutcomeEvent) -> pb.Outcome:
    return pb.Outcome(
        confidence_sequence=event.confidence_sequence,
        signal_bar_close_time=time_to(event.signal_bar_close_time, "signal_bar_close_time"),
        predicted=ipb.Direction.ValueType(event.predicted + 1),
        realised=ipb.Direction.ValueType(event.realised + 1),
        realised_return=event.realised_return,
        hit=event.hit,
        abstained=event.abstained,
        confidence=confidence_to(event.confidence),
    )
