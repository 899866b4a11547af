"""The environment, read once. Every field says what changing it does; README.md has the same table.

Three groups of fields stand in modules of their own: the broker's, the intake's, and those of deliveries.
"""

from __future__ import annotations

import difflib
import functools
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import SettingsConfigDict, SettingsError

from streamapp.errors import ConfigurationError
from streamapp.refused_settings import refused
from streamapp.settings_broker import BrokerSettings
from streamapp.settings_delivery import DeliverySettings
from streamapp.settings_intake import IntakeSettings
from streamapp.settings_values import Names

__all__ = ["Settings", "load_settings"]

DAY_S = 24 * 3600.0
PREFIX = "STREAMAPP_"
ALIKE = 0.75  # of the letters, as difflib counts them


class Settings(BrokerSettings, IntakeSettings, DeliverySettings):
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
    chunk_items: int = Field(
        4096, ge=1, le=4096, description="Items in a chunk at most, where a predictor lets as many travel together."
    )
    chunk_bytes: int = Field(
        32 * 1024, ge=256, le=512 * 1024, description="JSON bytes of the items in a chunk at most, one item excepted."
    )

    document_timeout_s: float = Field(
        120.0,
        gt=0,
        le=240,
        description="Seconds of processor time that decoding a Markdown, HTML, EPUB, PDF or DOCX file may take; "
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

    @field_validator("blob_url")
    @classmethod
    def _place_of_documents(cls, value: str) -> str:
        # the scheme in small letters, because a folder is known by it; a host behind file:// would not be looked at
        if value and not re.match(r"file:///|s3://[^/?#\s]", value):
            raise ValueError("it must begin with file:/// and name a folder, or with s3:// and name a bucket")
        return value

    @model_validator(mode="after")
    def _local_files_for_one_machine(self) -> Settings:
        if self.database_url and not self.database_url.startswith(
            ("sqlite:///", "postgresql://", "postgresql+psycopg://")
        ):
            raise ValueError("STREAMAPP_DATABASE_URL must begin with sqlite:/// or postgresql://")
        if self.database_url.startswith("postgresql") and self.broker and not self.blob_url:
            raise ValueError(
                "with PostgreSQL and a broker of your own, STREAMAPP_BLOB_URL must say where every worker finds "
                "documents"
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
    def worker_log_level(self) -> str:
        """The log level as Faust's command line calls it."""
        return {"warning": "warn"}.get(self.log_level, self.log_level)

    @property
    def mailbox(self) -> Path:
        """The local mailbox, a Maildir."""
        return self.home / "mail"


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
        raise ConfigurationError("; ".join(refused(problem, Settings, PREFIX) for problem in error.errors())) from error


def _misspelt(environ: Iterable[str]) -> list[tuple[str, str]]:
    """Variables that look like a setting's and are none, each with the one it is nearest to.

    Others are let be: what runs the service may have variables of its own, as Kubernetes has for one of that name.
    """
    known = [field.upper() for field in Settings.model_fields]
    ours = sorted(name.removeprefix(PREFIX) for name in environ if name.startswith(PREFIX))
    near = {name: difflib.get_close_matches(name, known, 1, ALIKE) for name in ours if name not in known}
    return [(f"{PREFIX}{name}", f"{PREFIX}{found[0]}") for name, found in near.items() if found]
