"""A server that joins a cluster: what it refuses at start, and what it reports while the brokers are away."""

import asyncio
import itertools
import json
from base64 import b64decode

import pytest
from brokers import NatsServer, broker_of
from glasstape.cli import main
from glasstape_server.app import App
from glasstape_server.settings import Settings
from glasstape_server.startup import StartError

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr("glasstape_server.broker.connection.CONNECT_TIMEOUT_S", 0.5)


@pytest.fixture
def settings(tmp_path, nats_server):
    """Settings of a server of a cluster of its own."""
    name = f"member-{next(_numbers)}"

    def make(folder="a", **changes):
        given = {
            "cluster": nats_server.url,
            "cluster_name": name,
            "cluster_replicas": 1,
            "wire": "grpcio",
        } | changes
        return Settings(data_dir=tmp_path / folder, port=0, **given)

    return make


async def refusal(settings):
    """The sentence with which a server does not start."""
    with pytest.raises(StartError) as error:
        App(settings)
    text = str(error.value)
    assert "\n" not in text
    return text


async def started(settings):
    app = App(settings)
    await app.start()
    return app


async def test_no_broker_answers(settings):
    text = await refusal(settings(cluster="nats://127.0.0.1:1"))
    assert text.startswith("cluster: no broker at nats://127.0.0.1:1: ")


async def test_a_replay(settings):
    assert "cluster: cannot be set with replay" in await refusal(settings(replay="sample"))


async def test_a_stream_with_other_settings(settings, nats_server):
    name = settings().cluster_name
    await (await started(settings("a"))).stop()
    broker = await broker_of(nats_server)
    config = (await broker.api(f"STREAM.INFO.{name}-events"))["config"]
    await broker.api(f"STREAM.UPDATE.{name}-events", config | {"max_age": 3_600_000_000_000})
    await broker.close()
    text = await refusal(settings("b"))
    assert f"cluster: stream {name}-events: max_age is 3600000000000, expected 0" in text
    assert not (settings("b").data_dir / "cluster" / "journal.sqlite").exists(), "nothing is half-written"


async def test_streams_without_the_identity_of_their_cluster(settings, nats_server):
    name = settings().cluster_name
    broker = await broker_of(nats_server)
    await broker.api(f"STREAM.CREATE.{name}-bars", {"name": f"{name}-bars", "subjects": [f"other.{name}"]})
    text = await refusal(settings())
    assert f"stream {name}-bars exists, but bucket {name}-cluster has no identity" in text
    keys = (await broker.api(f"STREAM.INFO.KV_{name}-cluster", {"subjects_filter": ">"}))["state"]["messages"]
    await broker.close()
    assert keys == 0, "nothing is half-written"


async def test_brokers_of_another_cluster(settings):
    await (await started(settings())).stop()
    text = await refusal(settings(cluster_name="another"))
    assert "the brokers hold no cluster another, but this server belongs to" in text
    await (await started(settings("b", cluster_name="another2"))).stop()
    text = await refusal(settings(cluster_name="another2"))
    assert "belongs to cluster" in text


async def test_another_interval_and_a_newer_format(settings, nats_server):
    await (await started(settings("a"))).stop()
    assert "interval is 1m, the cluster publishes signals for 1d" in await refusal(
        settings("b", interval="1m")
    )
    broker = await broker_of(nats_server)
    subject = f"$KV.{settings().cluster_name}-cluster.identity"
    answer = await broker.api(
        f"STREAM.MSG.GET.KV_{settings().cluster_name}-cluster", {"last_by_subj": subject}
    )
    fields = json.loads(b64decode(answer["message"]["data"])) | {"format": 2}
    await broker.store(subject, json.dumps(fields).encode(), {})
    await broker.close()
    assert "the cluster has format 2, this version supports up to 1" in await refusal(settings("b"))


async def test_a_user_without_a_permission(settings, tmp_path):
    user = '{user: u, password: p, permissions: {publish: ["$JS.API.INFO"]}}'
    rules = f"no_auth_user: u, authorization {{ users = [{user}] }}"
    server = NatsServer(tmp_path / "broker", config=rules).start()
    try:
        text = await refusal(settings(cluster=server.url))
        assert "permissions violation for publish to" in text.lower()
        assert "$js.api.stream.info.kv_" in text.lower()
    finally:
        server.stop()


async def test_without_brokers_a_member_serves_and_says_that_it_takes_no_bars(settings, tmp_path):
    server = NatsServer(tmp_path / "broker").start()
    app = await started(settings(cluster=server.url))
    await app.stop()
    server.stop()
    app = await started(settings(cluster=server.url))
    try:
        await app.health_monitor.check()
        member = app.stores.member
        assert member.broker_error == "no broker is connected"
        assert not member.leads
        reasons = [reason.text for reason in app.health_monitor._reasons]
        assert "the cluster takes no bars: no broker is connected" in reasons
    finally:
        await app.stop()


async def test_the_state_of_a_cluster(settings, capsys, nats_server):
    first, second = await started(settings("a")), await started(settings("b"))
    try:
        await until(lambda: first.stores.member.leads)
        members = [app.stores.member for app in (first, second)]
        name = settings().cluster_name

        def status():
            return main(["cluster", "status", "--cluster", nats_server.url, "--cluster-name", name, "--json"])

        for _ in range(100):
            assert await asyncio.to_thread(status) == 0
            printed = json.loads(capsys.readouterr().out)
            if len(printed["members"]) == 2:
                break
        assert printed["cluster_id"] == members[0].identity.cluster_id
        assert printed["leader"] == members[0].member_id
        assert sorted(each["member_id"] for each in printed["members"]) == sorted(
            m.member_id for m in members
        )
        assert {each["address"] for each in printed["members"]} == {m.address for m in members}
        assert printed["findings"] == [
            {"finding": "ok", "text": f"cluster {printed['cluster_id']}: 2 members online"}
        ]
    finally:
        await second.stop()
        await first.stop()
    assert await asyncio.to_thread(status) == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["members"] == [], "both have left"
    assert "nothing is signaled" in printed["findings"][1]["text"]


async def test_leadership_is_handed_over(settings):
    first, second = await started(settings("a")), await started(settings("b"))
    try:
        await until(lambda: first.stores.member.leads)
        assert not second.stores.member.leads
        await first.pipeline.stop(1.0)
        await until(lambda: second.stores.member.leads)
        assert not first.stores.member.leads
    finally:
        await first.stop()
        await second.stop()


async def until(condition):
    """Wait for a condition."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true")
