"""Variables that Kubernetes sets for a Service named glasstape are no settings; mistyped ones are named."""

import pytest
from glasstape_server.environment import is_service_link
from glasstape_server.settings import environment_warnings, load

LINKS = {
    "GLASSTAPE_SERVICE_HOST": "10.0.0.1",
    "GLASSTAPE_SERVICE_PORT": "50551",
    "GLASSTAPE_SERVICE_PORT_GRPC": "50551",
    "GLASSTAPE_PORT": "tcp://10.0.0.1:50551",
    "GLASSTAPE_PORT_50551_TCP": "tcp://10.0.0.1:50551",
    "GLASSTAPE_PORT_50551_TCP_PROTO": "tcp",
    "GLASSTAPE_PORT_50551_TCP_PORT": "50551",
    "GLASSTAPE_PORT_50551_TCP_ADDR": "10.0.0.1",
    "GLASSTAPE_METRICS_PORT": "tcp://10.0.0.2:9551",
    "GLASSTAPE_METRICS_SERVICE_PORT_HTTP": "9551",
    "GLASSTAPE_METRICS_PORT_9551_TCP_ADDR": "10.0.0.2",
}


def test_service_links_are_ignored_with_one_warning(monkeypatch):
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)
    settings = load({})
    assert (settings.port, settings.metrics_port) == (50551, None)
    (warning,) = environment_warnings()
    assert all(name in warning for name in LINKS)
    assert "enableServiceLinks: false" in warning


@pytest.mark.parametrize(
    ("name", "value"),
    [("GLASSTAPE_PORT", "50552"), ("GLASSTAPE_METRICS_PORT", "0"), ("OTHER_PORT", "tcp://10.0.0.1:1"),
     ("GLASSTAPE_METRICS_HOST", "0.0.0.0"), ("GLASSTAPE_SERVER", "host:1")],
)  # fmt: skip
def test_other_variables_are_no_service_links(name, value):
    assert not is_service_link(name, value)


def test_a_set_port_counts_beside_service_links(monkeypatch):
    monkeypatch.setenv("GLASSTAPE_SERVICE_PORT", "50551")
    monkeypatch.setenv("GLASSTAPE_PORT", "50552")
    assert load({}).port == 50552


def test_a_variable_that_is_no_setting_is_named_with_the_nearest_one(monkeypatch):
    monkeypatch.setenv("GLASSTAPE_PROT", "50552")
    monkeypatch.setenv("GLASSTAPE_SOMETHING_ELSE", "1")
    monkeypatch.setenv("GLASSTAPE_TOKEN_FILE", "x")
    assert environment_warnings() == [
        "environment: GLASSTAPE_PROT is not a setting and is ignored; did you mean GLASSTAPE_PORT?",
        "environment: GLASSTAPE_SOMETHING_ELSE is not a setting and is ignored",
    ]


def test_an_invalid_value_names_its_variable(monkeypatch):
    monkeypatch.setenv("GLASSTAPE_PORT", "many")
    with pytest.raises(ValueError, match=r"port: .* \(value: 'many', from GLASSTAPE_PORT\)$"):
        load({})
    with pytest.raises(ValueError, match=r"port: .* \(value: 'none'\)$"):
        load({"port": "none"})
