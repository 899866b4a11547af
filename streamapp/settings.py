"""The environment, read once. Every field says what changing it does; README.md has the same table."""

from __future__ import annotations

import difflib
import functools
import ipaddress
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict, SettingsError

from streamapp.errors import ConfigurationError
from streamapp.settings_broker import BrokerSettings

__all__ = ["Settings", "load_settings"]

MiB = 1024 * 1024
DAY_S = 24 * 3600.0
PREFIX = "STREAMAPP_"
ALIKE = 0.75  # of the letters, as difflib counts them


def _list(value: Any) -> Any:
    """A list as people write it: comma separated, or JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"it begins like a JSON list and is none: {error}") from error
    return [part.strip() for part in value.split(",") if part.strip()]


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_list)]


class Settings(BrokerSettings):
    """All settings; each is an environment variable: the field's name in capitals behind ``STREAMAPP_``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    home: Path = Field(Path("./var"), description="The folder for all state: store, documents, broker, mailbox, logs.")
    database_url: str = Field(
        "",
        description="sqlite:///path or postgresql://user:password@host/database. Empty: an SQLite file in the home.",
    )
    blob_url: str = Field(
        "", description="Where documents are kept: a file:// or s3:// URL. Empty: the folder `blobs` in the home."
    )
    smtp_url: str = Field(
        "",
        description="smtp://[user:password@]host:port, smtps:// for TLS from the start, ?starttls=require. "
        "Empty: the local mailbox of `streamapp up`.",
    )
    mail_from: str = Field(
        "streamapp <streamapp@localhost>", description="The From address; its domain is in each Message-ID."
    )
    mail_to: str = Field(
        "reader@localhost", description="The address used by the old intake's path when a body names none."
    )

    mail_domains: Names = Field(
        (),
        description="Domains that a job's e-mail may go to, comma separated; empty: all. STREAMAPP_MAIL_TO always may.",
    )
    mail_per_recipient: int = Field(
        0, ge=0, description="E-mails to one address that jobs of all tenants may ask for in an hour; 0: any number."
    )
    mail_per_tenant: int = Field(
        0, ge=0, description="E-mails that the jobs of one tenant may ask for in an hour; 0: any number."
    )

    web_host: str = Field("127.0.0.1", description="The address that the web views listen on.")
    web_port: int = Field(6066, ge=1, le=65535, description="Their port.")
    public_url: str = Field(
        "", description="How users reach the web views, for links in e-mails. Empty: http://host:port."
    )
    keys: Literal["auto", "required", "off", "off-and-anyone-may-use-this"] = Field(
        "auto",
        description="Whether API keys are asked for. auto: as soon as there is one, and always where others may "
        "reach STREAMAPP_WEB_HOST. required: always. off: never, on this machine alone; the longer words: anywhere.",
    )
    api_key: str = Field("", repr=False, description="The API key that the commands send.")
    cors_origins: Names = Field(
        (),
        description="Origins whose pages may call the API from a browser, comma separated, such as "
        "https://books.example.org; empty: none; *: any, but none where no key is asked for; cookies never go with it.",
    )
    event_streams: int = Field(
        2000, ge=1, description="Streams of events that a worker has open at most; it answers 503 to more."
    )
    max_body_bytes: int = Field(
        32 * MiB, ge=1024, description="The largest request body, after decompression, but for a document in it."
    )
    max_document_bytes: int = Field(
        1024 * MiB,
        ge=1024,
        le=2**31 - 1,
        description="The largest document in a form or by itself; a compressed one is bounded as other bodies are.",
    )
    uploads: int = Field(
        16, ge=1, le=1000, description="Documents of more than 2 MiB that are received at a time; more get 503."
    )
    upload_timeout_s: float = Field(
        3600.0, gt=0, le=24 * 3600, description="Seconds that a request's body may take; one must keep a pace too."
    )

    topic_prefix: str = Field(
        "streamapp.", pattern=r"^[a-zA-Z0-9._-]*$", description="What each topic's name begins with."
    )
    topic_partitions: int = Field(8, ge=1, le=1000, description="Partitions of each topic that is created.")
    topic_replicas: int = Field(1, ge=1, le=10, description="Replicas of each topic that is created.")
    topic_create: bool = Field(True, description="Create missing topics; false: name them and stop.")
    group: str = Field("streamapp", pattern=r"^[a-zA-Z0-9._-]+$", description="The consumer group of the jobs workers.")

    topic_days: float = Field(
        7.0,
        ge=1,
        le=30,
        description="Days that topics keep messages: the longest outage that is survived by itself. "
        "At half of it new work is refused.",
    )
    keep_jobs_days: float = Field(
        30.0, ge=0, description="Days that finished jobs are kept, with all that belongs to them; 0: for ever."
    )
    memory_mb: int = Field(
        256,
        ge=0,
        description="MiB of results that are remembered for each tenant, to answer the same work again; 0: none.",
    )
    memory_days: float = Field(7.0, gt=0, description="Days for which a result or a report is remembered.")
    min_free_mb: int = Field(
        256, ge=0, description="MiB free on the disk of the home below which new work is refused; 0: no such mark."
    )

    tasks: Names = Field((), description="More tasks, as module:Class, comma separated.")
    only_tasks: Names = Field((), description="The names of the tasks to offer, comma separated; empty: all.")
    default_task: str = Field("summarize", description="The task of a body on the old intake's path that names none.")
    model_workers: int = Field(1, ge=0, le=64, description="Model workers that a jobs worker supervises.")
    device: str = Field("auto", description="Where models run: auto, cpu, cuda or cuda:N.")
    torch_threads: int = Field(0, ge=0, le=256, description="Threads of torch in a model worker; 0: one per core.")
    chunk_items: int = Field(64, ge=1, le=4096, description="Items in a chunk at most.")
    chunk_bytes: int = Field(
        8192, ge=256, le=512 * 1024, description="JSON bytes of the items in a chunk at most, one item excepted."
    )

    document_timeout_s: float = Field(
        120.0,
        gt=0,
        le=240,
        description="Seconds of processor time that decoding an HTML, EPUB, PDF or DOCX file may take; "
        "by the clock, twice that.",
    )
    document_memory_mb: int = Field(
        1024, ge=256, description="MiB of memory (address space) that decoding one of them may take."
    )

    tenant_running: int = Field(
        0,
        ge=0,
        description="Jobs of a tenant that run at a time, 0: any number; the rest wait. "
        "`streamapp tenants set` says otherwise for one.",
    )
    job_timeout_s: float = Field(
        6 * 3600.0, gt=0, description="Seconds from running to final; then the job has failed."
    )
    stuck_s: float = Field(
        300.0,
        ge=0,
        description="Seconds without any progress after which a worker leaves, to be started again; 0: never. "
        "What may rightly take longer has longer.",
    )
    mail_concurrency: int = Field(
        8,
        ge=1,
        le=256,
        description="SMTP conversations at a time in a worker, and so connections; a domain has a quarter or half.",
    )
    mail_attempts: int = Field(12, ge=1, le=100, description="Attempts at an e-mail before it is given up.")
    mail_first_retry_s: float = Field(
        5.0, gt=0, le=3600, description="Seconds until an e-mail is tried again; each further time twice as long."
    )
    mail_timeout_s: float = Field(60.0, gt=0, le=600, description="Seconds that a whole SMTP conversation may take.")
    in_doubt: Literal["resend", "park"] = Field(
        "resend",
        description="What to do with an e-mail whose fate a crash left open: resend (same Message-ID) or park.",
    )
    webhook_http: bool = Field(False, description="Webhooks may go to http:// URLs too, unencrypted.")
    webhook_concurrency: int = Field(
        16, ge=1, le=256, description="Webhooks that a worker posts at a time; a host has a quarter or half."
    )
    webhook_attempts: int = Field(
        40, ge=1, le=100, description="Attempts at a webhook before it is given up; 40 take about a day."
    )
    webhook_first_retry_s: float = Field(
        5.0, gt=0, le=3600, description="Seconds until a webhook is tried again; each further time twice as long."
    )
    webhook_timeout_s: float = Field(
        20.0, gt=0, le=600, description="Seconds within which a webhook's receiver must have answered."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="debug, info, warning or error."
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("device")
    @classmethod
    def _device_of_torch(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|(cuda|xpu|mps)(:\d{1,3})?", value):
            raise ValueError(f"{value!r} is no device: say auto, cpu, cuda, or cuda:1 for the second one")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "*" in value and len(value) > 1:
            raise ValueError("* is any origin, so it stands alone")
        wrong = [origin for origin in value if origin != "*" and not _is_origin(origin)]
        if wrong:
            raise ValueError(
                f"{wrong[0]!r} is no origin as browsers send it: scheme://host, and :port unless it is the usual one, "
                "in small letters and with nothing behind, such as https://books.example.org"
            )
        return value

    @field_validator("mail_from", "mail_to")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if any(character in value for character in "\r\n\0"):
            raise ValueError("an address has no line breaks")
        return value

    @model_validator(mode="after")
    def _local_files_for_one_machine(self) -> Settings:
        if self.database_url and not self.database_url.startswith(
            ("sqlite:///", "postgresql://", "postgresql+psycopg://")
        ):
            raise ValueError("STREAMAPP_DATABASE_URL must begin with sqlite:/// or postgresql://")
        if self.database_url.startswith("postgresql") and self.broker and not self.blob_url:
            raise ValueError(
                "with PostgreSQL and a broker of its own, blob_url must say where every worker finds documents"
            )
        return self

    @model_validator(mode="after")
    def _open_to_this_machine_alone(self) -> Settings:
        if self.keys == "off" and not self.is_local:
            raise ValueError(
                f"STREAMAPP_KEYS=off is for this machine alone, and STREAMAPP_WEB_HOST is {self.web_host!r}; say "
                "STREAMAPP_KEYS=off-and-anyone-may-use-this if that is wanted"
            )
        return self

    @model_validator(mode="after")
    def _lifetimes_in_order(self) -> Settings:
        if 0 < self.keep_jobs_days < self.topic_days:
            raise ValueError(
                f"STREAMAPP_KEEP_JOBS_DAYS ({self.keep_jobs_days:g}) must not be less than STREAMAPP_TOPIC_DAYS "
                f"({self.topic_days:g}), "
                "or 0 for ever: a job must be known for as long as a message of it may come"
            )
        if self.job_timeout_s > self.topic_days * DAY_S / 2:
            raise ValueError(
                f"STREAMAPP_JOB_TIMEOUT_S ({self.job_timeout_s:.15g}) must not be more than half of "
                f"STREAMAPP_TOPIC_DAYS ({self.topic_days:g} days): the messages of a job must outlive it"
            )
        return self

    @property
    def chosen_default(self) -> str:
        """The default task, if somebody chose it; empty otherwise: who runs other tasks alone need not care."""
        return self.default_task if "default_task" in self.model_fields_set else ""

    @property
    def store_url(self) -> str:
        """The database that is used, with the default filled in."""
        if self.database_url.startswith("postgresql://"):
            return self.database_url.replace("postgresql://", "postgresql+psycopg://", 1)
        return self.database_url or f"sqlite:///{self.home / 'streamapp.db'}"

    @property
    def memory_s(self) -> float | None:
        """Seconds for which results are remembered; None: they are not."""
        return self.memory_days * DAY_S if self.memory_mb else None

    @property
    def blobs(self) -> str:
        """The blob store's URL, with the default filled in."""
        return self.blob_url or (self.home / "blobs").as_uri()

    @property
    def is_local(self) -> bool:
        """Whether the web views listen where this machine alone reaches them."""
        try:
            return ipaddress.ip_address(self.web_host).is_loopback
        except ValueError:
            return self.web_host == "localhost"

    @property
    def worker_log_level(self) -> str:
        """The log level as Faust's command line calls it."""
        return {"warning": "warn"}.get(self.log_level, self.log_level)

    @property
    def mailbox(self) -> Path:
        """The local mailbox, a Maildir."""
        return self.home / "mail"

    @property
    def link_base(self) -> str:
        """How users reach the web views, without a slash at the end."""
        return self.public_url.rstrip("/") or f"http://{self.web_host}:{self.web_port}"


@functools.cache
def load_settings() -> Settings:
    """Read the environment, once a process. Raises `ConfigurationError` that names each wrong variable."""
    if misspelt := _misspelt(os.environ):
        raise ConfigurationError("; ".join(f"there is no {name}: did you mean {near}?" for name, near in misspelt))
    try:
        return Settings()
    except SettingsError as error:
        raise ConfigurationError(str(error)) from error
    except ValidationError as error:
        lines = [_said(problem["loc"], problem["msg"], problem["input"]) for problem in error.errors()]
        raise ConfigurationError("; ".join(lines)) from error


def _misspelt(environ: Iterable[str]) -> list[tuple[str, str]]:
    """Variables that look like a setting's and are none, each with the one it is nearest to.

    Others are let be: what runs the service may have variables of its own, as Kubernetes has for one of that name.
    """
    known = [field.upper() for field in Settings.model_fields]
    ours = sorted(name.removeprefix(PREFIX) for name in environ if name.startswith(PREFIX))
    near = {name: difflib.get_close_matches(name, known, 1, ALIKE) for name in ours if name not in known}
    return [(f"{PREFIX}{name}", f"{PREFIX}{found[0]}") for name, found in near.items() if found]


def _is_origin(text: str) -> bool:
    """Whether it is an origin in its one spelling (Fetch, 3.2.1; HTML, "ASCII serialisation of an origin")."""
    found = re.fullmatch(r"(https?)://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([1-9]\d{0,4}))?", text)
    return found is not None and found[2] != {"http": "80", "https": "443"}[found[1]]


def _said(location: tuple[int | str, ...], message: str, value: Any) -> str:
    """One wrong variable in words; a problem without a place is one of the database and what goes with it."""
    words = message.removeprefix("Value error, ")
    return f"STREAMAPP_{str(location[0]).upper()}: {words} (it is {value!r})" if location else f"The settings: {words}"
