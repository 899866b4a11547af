"""Apache Kafka's jars: exactly the pinned ones, by hash, from a cache that needs the network once.

``kafka.lock`` names every jar by its Maven coordinate and its SHA-256; `make lock` writes it. jgo fetches what is
missing; a file that does not match is fetched once more and then refused. The cache belongs to the user, not to a
home, because the jars are the same for all homes.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from streamapp.embedded import StartError

__all__ = ["Jar", "default_cache", "fetch", "kafka_version", "pinned"]

AT_A_TIME = 4

Fetcher = Callable[["Jar", Path], Path]


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.artifact}-{self.version}.jar"


def pinned(text: str | None = None) -> tuple[Jar, ...]:
    """The jars of a lock (the shipped one by default), in class path order. Raises ValueError for a malformed line."""
    if text is None:
        text = resources.files("streamapp.embedded").joinpath("kafka.lock").read_text(encoding="utf-8")
    jars = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            coordinate, digest = line.split(" sha256:")
            group, artifact, version = coordinate.split(":")
            if len(bytes.fromhex(digest)) != 32:
                raise ValueError(f"not a SHA-256 in the lock: {line}")
            jars.append(Jar(group, artifact, version, digest))
    return tuple(jars)


def kafka_version(jars: Iterable[Jar]) -> str:
    """The version of Kafka in that lock."""
    return next(jar.version for jar in jars if jar.artifact == "kafka_2.13")


def default_cache() -> Path:
    """The user's cache folder for the jars (``XDG_CACHE_HOME``, else ``~/.cache``)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamapp" / "kafka"


def fetch(
    jars: Sequence[Jar],
    cache: Path,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    stop: threading.Event | None = None,
    fetcher: Fetcher | None = None,
) -> list[Path]:
    """The verified files, in the order of `jars`; `on_progress(done, total)` counts those that had to be fetched.

    Blocks. Raises `StartError` when one can't be fetched or is not the pinned one.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        good = list(pool.map(lambda jar: _matches(cache / jar.name, jar), jars))
        missing = [jar for jar, is_good in zip(jars, good, strict=True) if not is_good]
        if missing:
            _fetch_missing(pool, missing, cache, on_progress, stop or threading.Event(), fetcher or _by_jgo)
    return [cache / jar.name for jar in jars]


def _fetch_missing(
    pool: ThreadPoolExecutor,
    missing: Sequence[Jar],
    cache: Path,
    on_progress: Callable[[int, int], None],
    stop: threading.Event,
    fetcher: Fetcher,
) -> None:
    def one(jar: Jar) -> None:
        if not stop.is_set():
            _install(jar, fetcher(jar, Path(draft)), cache)

    with tempfile.TemporaryDirectory(dir=cache, prefix="draft-") as draft:
        on_progress(0, len(missing))
        try:
            for done, _ in enumerate(pool.map(one, missing), start=1):
                on_progress(done, len(missing))
        except BaseException:
            stop.set()  # the pool waits for what still runs; let it be short
            raise
    if stop.is_set():
        raise StartError("Fetching Kafka's jars was stopped before all were there.")


def _install(jar: Jar, file: Path, cache: Path) -> None:
    """Move a fetched file into the cache at once and whole, if it is the pinned one."""
    if not _matches(file, jar):
        raise StartError(
            f"{jar.name} was fetched but is not the file that streamapp pins by its SHA-256: it is not used; "
            "look for a proxy that changes downloads, or update streamapp."
        )
    os.replace(file, cache / jar.name)


def _matches(file: Path, jar: Jar) -> bool:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _by_jgo(jar: Jar, folder: Path) -> Path:
    """Fetch one jar with jgo into a Maven repository in `folder`."""
    import requests  # with jgo, half a second of import that a start with all jars in place does not pay
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=folder, local_repos=[])
    try:
        return Path(context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve())
    except (requests.ConnectionError, requests.Timeout) as error:
        raise StartError(
            f"Kafka's jars can't be fetched ({jar.name}: no connection): the first start needs a network, "
            "later ones don't; or set STREAMAPP_BROKER to a broker of your own."
        ) from error
    except (requests.RequestException, RuntimeError, OSError) as error:
        raise StartError(f"Kafka's jar {jar.name} can't be fetched: {type(error).__name__}.") from error
