"""How Kafka is reached: what goes together, what is shown to nobody, and that no client is made in another way."""

from __future__ import annotations

import ast
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.protocol.admin import SaslAuthenticateRequest

import streamapp
from streamapp import apps
from streamapp.errors import ConfigurationError
from streamapp.kafka.access import Kafka
from streamapp.settings import Settings, load_settings

ROOT = Path(streamapp.__file__).parent
CLIENTS = {"AIOKafkaAdminClient", "AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaClient", "create_conn"}
LOGIN = {"security": "SASL_SSL", "mechanism": "PLAIN", "username": "anna", "password": "pass-word-1"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """With a broker that is named."""
    monkeypatch.setenv("STREAMAPP_BROKER", "kafka.example:9093")
    return monkeypatch


def _given(environment: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        environment.setenv(f"STREAMAPP_BROKER_{name.upper()}", value)
    return load_settings.__wrapped__()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"security": "SASL_SSL"}, "needed too: STREAMAPP_BROKER_MECHANISM, STREAMAPP_BROKER_USERNAME"),
        ({**LOGIN, "mechanism": ""}, "needed too: STREAMAPP_BROKER_MECHANISM$"),
        ({**LOGIN, "password": ""}, "needed too: STREAMAPP_BROKER_PASSWORD"),
        ({**LOGIN, "security": "SSL"}, "knows no login: say SASL_SSL"),
        ({"password": "pass-word-1"}, "STREAMAPP_BROKER_PASSWORD .* knows no login"),
        ({**LOGIN, "password_file": "/x"}, "both set"),
        ({**LOGIN, "mechanism": "GSSAPI"}, "STREAMAPP_BROKER_MECHANISM: .*SCRAM-SHA-512"),
        ({"security": "TLS"}, "STREAMAPP_BROKER_SECURITY: .*SASL_SSL"),
        ({"ca_file": "/ca.pem"}, "STREAMAPP_BROKER_CA_FILE is set, .* uses no certificates"),
        ({**LOGIN, "security": "SASL_PLAINTEXT", "cert_file": "/c.pem"}, "STREAMAPP_BROKER_CERT_FILE is set"),
        ({"security": "SSL", "key_file": "/k.pem"}, "name it in STREAMAPP_BROKER_CERT_FILE"),
    ],
)
def test_what_does_not_go_together(environment: pytest.MonkeyPatch, values: dict[str, str], said: str) -> None:
    """I expect one sentence that names the variable, without the password."""
    with pytest.raises(ConfigurationError, match=said) as refused:
        _given(environment, **values)
    assert "pass-word-1" not in f"{refused.value} {refused.value.__cause__}"


def test_a_broker_of_its_own_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a refusal where the login would be shown to a broker that `up` starts."""
    with pytest.raises(ConfigurationError, match="needs STREAMAPP_BROKER:"):
        _given(monkeypatch, security="SSL")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({**LOGIN, "password": "", "password_file": "{folder}/none"}, "BROKER_PASSWORD_FILE: .* No such file"),
        ({**LOGIN, "password": "", "password_file": "{folder}/empty"}, "BROKER_PASSWORD_FILE: .* is empty"),
        ({**LOGIN, "ca_file": "{folder}/none"}, "BROKER_CA_FILE: .* No such file"),
        ({**LOGIN, "ca_file": "{folder}/noise"}, "BROKER_CA_FILE: .* can't be used"),
        ({"security": "SSL", "cert_file": "{folder}/noise"}, "BROKER_CERT_FILE and its key: .* can't be used"),
    ],
)
def test_files_that_cannot_be_used(
    environment: pytest.MonkeyPatch, tmp_path: Path, values: dict[str, str], said: str
) -> None:
    """I expect the variable and the file."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "noise").write_text("noise")
    settings = _given(environment, **{name: value.format(folder=tmp_path) for name, value in values.items()})
    with pytest.raises(ConfigurationError, match=said):
        Kafka.of(settings)


def test_a_password_from_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """I expect it without the line break at its end, and with all else."""
    (tmp_path / "password").write_text(" two words \r\n")
    settings = _given(environment, **{**LOGIN, "password": "", "password_file": str(tmp_path / "password")})
    assert Kafka.of(settings).options["sasl_plain_password"] == " two words "


def test_verification_is_always_on(environment: pytest.MonkeyPatch) -> None:
    """I expect a context that asks for a certificate, for the right name, whoever signs it."""
    context = Kafka.of(_given(environment, security="SSL")).options["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_password_is_shown_to_nobody(environment: pytest.MonkeyPatch) -> None:
    """I expect it in no repr and no dump of what has it."""
    settings = _given(environment, **LOGIN)
    kafka = Kafka.of(settings)
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {kafka!r} {kafka}"
    assert "anna" in shown
    assert "pass-word-1" not in shown
    assert "pass-word-1" not in repr(apps._credentials(kafka))


def test_a_login_is_not_logged(environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """I expect aiokafka's requests at level debug, but not that one."""
    login = Kafka.of(_given(environment, **LOGIN)).login
    request = SaslAuthenticateRequest(f"\0anna\0{login['sasl_plain_password']}".encode())
    logger = logging.getLogger("aiokafka.conn")
    with caplog.at_level(logging.DEBUG, "aiokafka.conn"):
        for each in (request.prepare({36: (0, 1)}), "another request"):
            logger.debug("Request to %s:%d %d: %s", "kafka.example", 9093, 1, each)
    assert [record.getMessage() for record in caplog.records] == ["Request to kafka.example:9093 1: another request"]


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ({}, {"security_protocol": "PLAINTEXT"}),
        ({"security": "SSL"}, {"security_protocol": "SSL"}),
        (
            {**LOGIN, "security": "SASL_PLAINTEXT"},
            {
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": "PLAIN",
                "sasl_plain_username": "anna",
                "sasl_plain_password": "pass-word-1",
            },
        ),
        (
            {**LOGIN, "mechanism": "SCRAM-SHA-256"},
            {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "SCRAM-SHA-256",
                "sasl_plain_username": "anna",
                "sasl_plain_password": "pass-word-1",
            },
        ),
    ],
)
def test_faust_shows_what_the_others_show(
    environment: pytest.MonkeyPatch, values: dict[str, str], options: dict[str, object]
) -> None:
    """I expect the same arguments from Faust's own clients as from ours."""
    from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

    kafka = Kafka.of(_given(environment, **values))
    ours = {name: value for name, value in kafka.login.items() if name != "ssl_context"}
    fausts = dict(credentials_to_aiokafka_auth(apps._credentials(kafka)))
    assert fausts.pop("ssl_context", None) is kafka.context
    assert ours == options
    assert fausts == options


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in CLIENTS:
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def test_no_client_is_made_in_another_way() -> None:
    """I expect each client, wherever it is made, to get its options from `Kafka`, and to name no server itself."""
    found = dict(_calls())
    assert len(found) >= 10
    for place, call in found.items():
        spread = [word.value for word in call.keywords if word.arg is None]
        assert any(isinstance(each, ast.Attribute) and each.attr in ("options", "login") for each in spread), place
        assert not [word for word in call.keywords if word.arg in ("bootstrap_servers", "security_protocol")], place


def test_nothing_else_names_the_servers_to_a_client() -> None:
    """I expect that argument to be made in one module."""
    named = [str(f.relative_to(ROOT)) for f in ROOT.rglob("*.py") if "bootstrap_servers" in f.read_text("utf-8")]
    assert named == ["kafka/access.py"]
