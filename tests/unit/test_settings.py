"""Settings: each wrong one is said in a sentence that names its variable."""

from __future__ import annotations

import pytest
from faust.cli.base import LOGLEVELS

from streamapp.errors import ConfigurationError
from streamapp.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are read once a process; here once a test."""
    monkeypatch.setattr("streamapp.settings.load_settings", load_settings.__wrapped__)


@pytest.mark.parametrize(
    ("value", "tasks"),
    [
        ("", ()),
        ("a:B", ("a:B",)),
        ("a:B, c:D", ("a:B", "c:D")),
        ('["a:B", "c:D"]', ("a:B", "c:D")),
    ],
)
def test_lists_are_comma_separated_or_json(monkeypatch: pytest.MonkeyPatch, value: str, tasks: tuple[str, ...]) -> None:
    """Both ways of writing one."""
    monkeypatch.setenv("STREAMAPP_TASKS", value)
    assert load_settings.__wrapped__().tasks == tasks


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_a_worker_understands_its_log_level(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    """I expect what Faust's command line takes, which calls one of them by another name."""
    monkeypatch.setenv("STREAMAPP_LOG_LEVEL", level)
    assert load_settings.__wrapped__().worker_log_level.upper() in LOGLEVELS


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("STREAMAPP_TASKS", "[a:B", "no JSON|is none"),
        ("STREAMAPP_WEB_PORT", "abc", "it must be a whole number, at least 1 and at most 65535"),
        ("STREAMAPP_MEMORY_DAYS", "0", "it must be a number, more than 0"),
        ("STREAMAPP_TOPIC_CREATE", "perhaps", "it must be true or false"),
        ("STREAMAPP_WEB_PORT", "70000", "65535"),
        ("STREAMAPP_BROKER", "nonsense", "'nonsense' is no host:port"),
        ("STREAMAPP_BROKER", "a:1,b", "'b' is no host:port"),
        ("STREAMAPP_BROKER", "kafka://a:1", "'kafka://a:1' is no host:port"),
        ("STREAMAPP_IN_DOUBT", "guess", "it must be 'resend' or 'park'"),
        *(
            ("STREAMAPP_BLOB_URL", url, "it must begin with file:/// and name a folder, or with s3:// and name")
            for url in ("ftp://x", "/srv/documents", "file://srv/documents", "memory://", "s3://", "s3:///a")
        ),
        *(
            ("STREAMAPP_PUBLIC_URL", url, "it must be an http:// or https:// URL with a host")
            for url in (
                "books.example",
                "books.example:80",
                "ftp://books.example",
                "https://",
                "https://:443",
                "https://books.example:x",
                "https://books.example/?a=b",
                "https://books.example/#a",
                "https://books example",
                "https://[::1",
            )
        ),
        *(
            ("STREAMAPP_MAIL_FROM", address, "it must be one e-mail address")
            for address in ("", "notmail", "@books.example", "books@", "a@b.example, c@d.example", "a@b..example")
        ),
        ("STREAMAPP_LOG_LEVEL", "loud", "warning"),
        ("STREAMAPP_MAIL_FROM", "a@b\r\nBcc: c@d", "no line breaks"),
        ("STREAMAPP_TOPIC_PREFIX", "a b", "pattern"),
        ("STREAMAPP_DEVICE", "gpu", "'gpu' is no device"),
        ("STREAMAPP_CORS_ORIGINS", "*, https://a.example", "stands alone"),
        *(
            ("STREAMAPP_CORS_ORIGINS", f"https://right.example, {origin}", "is no origin as browsers send it")
            for origin in (
                "https://a.example/",
                "a.example",
                "https://A.example",
                "https://a.example:443",
                "http://a.example:80",
                "https://*.a.example",
                "https://u@a.example",
                "null",
                "ftp://a.example",
            )
        ),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str) -> None:
    """The variable, and what would be right."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"{variable}: .*({said})"):
        load_settings.__wrapped__()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("STREAMAPP_BROKER", "localhost", "STREAMAPP_BROKER: 'localhost' is no host:port, such as localhost:9092"),
        (
            "STREAMAPP_WEB_PORT",
            "99999",
            "STREAMAPP_WEB_PORT: it must be a whole number, at least 1 and at most 65535 (it is '99999')",
        ),
    ],
)
def test_a_wrong_value_is_said_once(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str) -> None:
    """The whole sentence: what it is stands in it once, and what would be right."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings.__wrapped__()
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STREAMAPP_BLOB_URL", "file:///srv/documents"),
        ("STREAMAPP_BLOB_URL", "s3://books/documents"),
        ("STREAMAPP_PUBLIC_URL", "https://books.example.org"),
        ("STREAMAPP_PUBLIC_URL", "http://[::1]:6066/streamapp/"),
        ("STREAMAPP_MAIL_FROM", "streamapp@localhost"),
        ("STREAMAPP_MAIL_FROM", "Bücher <results@bücher.example>"),
        ("STREAMAPP_MAIL_FROM", '"Books, Inc." <results@books.local>'),
    ],
)
def test_a_right_value_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """Places of documents, of the pages, and senders with a name."""
    monkeypatch.setenv(variable, value)
    assert getattr(load_settings.__wrapped__(), variable.removeprefix("STREAMAPP_").lower()) == value


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"database_url": "mysql://x"}, "sqlite:/// or postgresql://"),
        ({"database_url": "postgresql://x/y", "broker": "k:9092"}, "STREAMAPP_BLOB_URL must say"),
    ],
)
def test_what_does_not_go_together_is_said(fields: dict[str, str], said: str) -> None:
    """The database and what it needs."""
    with pytest.raises(ValueError, match=said):
        Settings(**fields)  # type: ignore[arg-type]


def test_a_default_task_counts_once_it_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the usual one to bind nobody: who runs other tasks alone may not have it."""
    assert load_settings.__wrapped__().chosen_default == ""
    monkeypatch.setenv("STREAMAPP_DEFAULT_TASK", "echo")
    assert load_settings.__wrapped__().chosen_default == "echo"


def test_defaults_follow_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """All state is below it, as absolute paths."""
    monkeypatch.setenv("STREAMAPP_HOME", "relative")
    settings = load_settings.__wrapped__()
    assert settings.home.is_absolute()
    assert settings.store_url == f"sqlite:///{settings.home}/streamapp.db"
    assert settings.blobs == (settings.home / "blobs").as_uri()


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("STREAMAPP_STMP_URL", "STREAMAPP_SMTP_URL"),
        ("STREAMAPP_BROKERS", "STREAMAPP_BROKER"),
        ("STREAMAPP_WEBPORT", "STREAMAPP_WEB_PORT"),
        ("STREAMAPP_MODEL_WORKER", "STREAMAPP_MODEL_WORKERS"),
    ],
)
def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, meant: str) -> None:
    """With the one that was meant: ignored, it would show only in what the service does not do."""
    monkeypatch.setenv(variable, "x")
    with pytest.raises(ConfigurationError, match=f"there is no {variable}: did you mean {meant}"):
        load_settings.__wrapped__()


def test_the_variables_of_others_are_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own processes' and tests', and those that Kubernetes has for a service of this name."""
    ours = ("FAULTS", "LEASH", "READY", "UP_HOME", "TEST_BOOKS", "TEST_BROKER")
    kubernetes = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_6066_TCP", "PORT_6066_TCP_ADDR")
    for name in (*ours, *kubernetes):
        monkeypatch.setenv(f"STREAMAPP_{name}", "x")
    load_settings.__wrapped__()


@pytest.mark.parametrize(
    "origins", ["", "*", "http://localhost:3000", "https://a.example, https://b.example:8443", "http://[::1]:6066"]
)
def test_origins_as_browsers_send_them(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    """They are taken as they are."""
    monkeypatch.setenv("STREAMAPP_CORS_ORIGINS", origins)
    assert ", ".join(load_settings.__wrapped__().cors_origins) == origins
