"""Brokers with TLS and an account of few permissions, as in deploy/cluster."""

from pathlib import Path

import nkeys
import pytest
import trustme
from brokers import NatsServer, requires_broker
from glasstape_server.app import App
from glasstape_server.domain.bars import Bar
from glasstape_server.market.draft import Batch
from glasstape_server.settings import Settings
from glasstape_server.startup import StartError
from journals import A, make_batch
from tls_files import certificate

ACCOUNTS = Path(__file__).parents[3] / "deploy/cluster/accounts.conf"
pytestmark = requires_broker


@pytest.fixture
def secure(tmp_path):
    """A broker with TLS and the account of the servers; settings of one of them."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    key, chain = certificate(authority, tmp_path)
    pair = nkeys.from_seed(nkeys.encode_seed(b"\7" * 32, nkeys.PREFIX_BYTE_USER))
    seed = tmp_path / "user.nk"
    seed.write_bytes(bytes(pair.seed))
    seed.chmod(0o600)
    accounts = ACCOUNTS.read_text().replace("$GLASSTAPE_NKEY", pair.public_key.decode())
    tls = f'tls {{ cert_file: "{chain}", key_file: "{key}" }}\n'
    server = NatsServer(tmp_path / "broker", config=tls + accounts).start()

    def settings(**changes):
        given = {
            "cluster": server.url.replace("nats://127.0.0.1", "tls://localhost"),
            "cluster_replicas": 1,
            "cluster_credentials": seed,
            "cluster_authorities": tmp_path / "ca.pem",
            "wire": "grpcio",
        }
        return Settings(data_dir=tmp_path / "data", port=0, **given | changes)

    yield settings
    server.stop()


async def test_the_account_of_deploy_has_every_permission_that_a_server_needs(secure, caplog):
    app = App(secure())
    await app.start()
    try:
        member = app.stores.member
        assert (
            await app.ingest.publish(Batch([Bar("A", "1d", 86_400_000_000, 1.0, 1.0, 1.0, 1.0, 1.0)]))
        ).stored == 1
        await app.journal.append(make_batch(A), 0)
        await member.catch_up()
        assert member.broker_error == ""
    finally:
        await app.stop()
    again = App(secure())
    await again.start()
    await again.stop()
    assert "permissions violation" not in caplog.text.lower()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"cluster_authorities": None}, "certificate verify failed"),
        ({"cluster_credentials": None}, "authorization violation"),
        ({"cluster_name": "other"}, "permissions violation for publish to"),
    ],
)
async def test_what_the_brokers_do_not_accept_is_said_in_one_sentence(secure, changes, text):
    with pytest.raises(StartError) as error:
        App(secure(**changes))
    assert text in str(error.value).lower()
    assert "\n" not in str(error.value)


async def test_credentials_that_others_may_read_are_refused(secure):
    settings = secure()
    settings.cluster_credentials.chmod(0o644)
    with pytest.raises(StartError, match=r"cluster_credentials: .* has mode 0644, others may read it"):
        App(settings)
