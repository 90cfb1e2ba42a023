"""Files of deploy/: the unit, the container and the alerts refer to existing flags and metrics. Nothing is built."""

import argparse
import configparser
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from glasstape import Client
from glasstape.cli import follow
from glasstape_server.cli import retrain
from glasstape_server.operations.probes import LIVE_TIMEOUT_S
from glasstape_server.settings import Settings, load
from made_up import daily
from prometheus_client.parser import text_string_to_metric_families

DEPLOY = Path(__file__).parents[1] / "deploy"


UNITS = (
    "glasstape.service",
    "glasstape-follow.service",
    "glasstape-retrain.service",
    "glasstape-retrain.timer",
)


def _unit(name):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(DEPLOY / name)
    return unit


def _service(name="glasstape.service"):
    return _unit(name)["Service"]


def _flags(words):
    return {word.removeprefix("--").replace("-", "_") for word in words if word.startswith("--")}


def test_the_unit_starts_the_server_with_existing_flags():
    words = _service()["ExecStart"].split()
    assert words[1] == "serve"
    assert _flags(words) - {"config"} <= set(Settings.model_fields)
    assert int(_service()["TimeoutStopSec"].rstrip("s")) > Settings.model_fields["drain_seconds"].default


def test_the_container_starts_the_server_with_existing_flags():
    entry = next(line for line in (DEPLOY / "Containerfile").read_text().splitlines() if "ENTRYPOINT" in line)
    words = entry.removeprefix("ENTRYPOINT ").strip("[]").replace('"', "").split(", ")
    assert words[:2] == ["glasstape", "serve"]
    assert _flags(words) <= set(Settings.model_fields)


def _documents(name):
    """Documents of a YAML file; a key that stands twice is an error."""
    return [document for document in yaml.load_all((DEPLOY / name).read_text(), _UniqueKeys) if document]


class _UniqueKeys(yaml.SafeLoader):
    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"line {node.start_mark.line + 1}: a key stands twice"
        return super().construct_mapping(node, deep)


def _settings_of(arguments):
    """Settings that these arguments set, as the server reads them."""
    return {
        words[0].removeprefix("--").replace("-", "_"): words[-1]
        for words in (a.split("=") for a in arguments)
    }


def test_the_manifests_are_valid_and_fit_together():
    service, workload = _documents("kubernetes.yaml")
    for document in (service, workload):
        kubernetes_validate.validate(document, "1.32", strict=True)
    pod = workload["spec"]["template"]
    assert (
        service["spec"]["selector"]
        == workload["spec"]["selector"]["matchLabels"]
        == pod["metadata"]["labels"]
    )
    assert workload["spec"]["serviceName"] == service["metadata"]["name"]
    assert workload["spec"]["replicas"] == 1
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(ports["metrics"])
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    claims = {claim["metadata"]["name"] for claim in workload["spec"]["volumeClaimTemplates"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes | claims


def test_the_pod_starts_the_server_with_valid_settings_and_probes():
    _, workload = _documents("kubernetes.yaml")
    pod = workload["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    settings = load(_settings_of(container["args"]))
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert (settings.port, settings.metrics_port) == (ports["grpc"], ports["metrics"])
    assert pod["enableServiceLinks"] is False
    assert pod["terminationGracePeriodSeconds"] > settings.drain_seconds
    probes = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
    assert probes == {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/livez"}
    assert container["livenessProbe"]["timeoutSeconds"] > LIVE_TIMEOUT_S
    secrets = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert all(secret["defaultMode"] == 0o440 for secret in secrets)
    mounted = [mount["mountPath"] for mount in container["volumeMounts"]]
    for path in (settings.tls_certificate, settings.tls_key, settings.tokens):
        assert str(path.parent) in mounted
    image = (DEPLOY / "Containerfile").read_text()
    assert f"USER {pod['securityContext']['runAsUser']}\n" in image
    data = next(line for line in image.splitlines() if line.startswith("ENTRYPOINT")).split('"')[-2]
    assert any(Path(data).is_relative_to(path) for path in mounted)


def test_compose_starts_the_server_with_valid_settings():
    (compose,) = _documents("compose.yaml")
    service = compose["services"]["glasstape"]
    settings = load(_settings_of(service["command"]))
    assert service["ports"] == [f"{settings.port}:{settings.port}"]
    assert f":{settings.metrics_port}/readyz" in service["healthcheck"]["test"][-1]
    assert int(service["stop_grace_period"].rstrip("s")) > settings.drain_seconds
    assert {volume.split(":")[0] for volume in service["volumes"]} - {"./secrets"} == set(compose["volumes"])
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_the_follow_unit_starts_a_follower_with_existing_options():
    example = re.search(r'#   FOLLOW="(.*)"', (DEPLOY / "glasstape-follow.service").read_text())[1]
    service = _service("glasstape-follow.service")
    words = service["ExecStart"].replace("$FOLLOW", example).split()
    parser = argparse.ArgumentParser()
    follow.add_arguments(parser)
    options = parser.parse_args(words[2:])
    assert (options.source, options.symbols, options.exchange) == (
        "ccxt",
        ["BTC/USDT", "ETH/USDT"],
        "binance",
    )
    assert service["RestartPreventExitStatus"] == str(follow.REFUSED)


def test_the_retrain_unit_runs_once_with_existing_options_and_its_timer_starts_it():
    text = (DEPLOY / "glasstape-retrain.service").read_text()
    example = re.search(r'#   RETRAIN="(.*)"', text)[1]
    service = _service("glasstape-retrain.service")
    words = service["ExecStart"].replace("$RETRAIN", example).split()
    assert words[1] == "retrain"
    parser = argparse.ArgumentParser()
    retrain.add_arguments(parser)
    options = parser.parse_args(words[2:])
    assert (options.once, options.model, options.close) == (True, "mine", "16:00")
    named = re.search(r'models_dir = "(.*)" and (shadow) = "mine"', text)
    assert str(options.models) == named[1]
    assert {"models_dir", named[2]} <= set(Settings.model_fields)
    assert named[1].startswith(f"/var/lib/{service['StateDirectory']}/")
    assert service["User"] == _service()["User"]
    assert _unit("glasstape-retrain.timer")["Timer"]["Persistent"] == "true"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_verifies_the_unit(tmp_path, name):
    for other in UNITS:  # a timer refers to its service
        text = (DEPLOY / other).read_text()
        (tmp_path / other).write_text(
            text.replace("/opt/glasstape/bin/glasstape", "/bin/true")
        )  # which exists
    unit = tmp_path / name
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_alerts_refer_to_existing_metrics(tmp_path, spawn):
    server = spawn(tmp_path, "--metrics-port", "0")
    where = server.process.stdout.readline().removeprefix("metrics on ").strip()
    with Client(server.address) as client:
        client.publish_bars(daily("AAA", 60))
        assert client.predict(symbols=["AAA"])
    with urllib.request.urlopen(f"http://{where}/metrics") as response:
        families = list(text_string_to_metric_families(response.read().decode()))
    suffixes = {"counter": ["_total"], "histogram": ["_bucket"], "gauge": [""]}
    existing = {family.name + suffix for family in families for suffix in suffixes.get(family.type, ())}
    existing.add("glasstape_tls_certificate_expiry_timestamp_seconds")  # absent without TLS
    groups = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert rules
    samples = [sample for family in families for sample in family.samples]
    for rule in rules:
        names = set(re.findall(r"\b(?:glasstape|grpc_server)_\w+", rule["expr"]))
        assert names or rule["alert"] == "GlasstapeDown"
        assert names <= existing, rule
        for name, selector in re.findall(r"\b((?:glasstape|grpc_server)_\w+)\{([^}]*)\}", rule["expr"]):
            matchers = [m for m in re.findall(r'(\w+)=~?"([^"]*)"', selector) if m[0] != "job"]
            assert matchers
            assert any(
                sample.name == name
                and all(re.fullmatch(value, sample.labels.get(label, "")) for label, value in matchers)
                for sample in samples
            ), rule
        assert rule["annotations"]["summary"], rule
