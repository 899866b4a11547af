"""Only the pinned jars are used, whatever the cache or the network hold."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from streamapp.embedded import StartError, jars
from streamapp.embedded.jars import Jar

GOOD = b"the real thing"
JAR = Jar("g", "a", "1", hashlib.sha256(GOOD).hexdigest())


class Source:
    """Stands for the network: gives the bytes it is told to, and counts."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked = 0

    def __call__(self, jar: Jar, folder: Path) -> Path:
        """Put the bytes where jgo would."""
        self.asked += 1
        file = folder / jar.name
        file.write_bytes(self.content)
        return file


def test_the_shipped_lock_is_complete() -> None:
    """I expect Kafka, its clients, and the binding without which it logs nothing; and no address."""
    found = {jar.artifact for jar in jars.pinned()}
    assert {"kafka_2.13", "kafka-clients", "log4j-core", "log4j-slf4j-impl"} <= found
    assert len({jar.name for jar in jars.pinned()}) == len(jars.pinned()) >= 40
    assert jars.kafka_version(jars.pinned()) >= "4.1"
    assert "://" not in (Path(jars.__file__).parent / "kafka.lock").read_text()


def test_fetched_once(tmp_path: Path) -> None:
    """I expect the second time to need no network."""
    source, counts = Source(GOOD), list[tuple[int, int]]()
    for _ in range(2):
        files = jars.fetch([JAR], tmp_path, fetcher=source, on_progress=lambda *count: counts.append(count))
    assert files == [tmp_path / "a-1.jar"]
    assert files[0].read_bytes() == GOOD
    assert (source.asked, counts) == (1, [(0, 1), (1, 1)])


def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    """I expect a sentence that names it, and nothing in the cache."""
    with pytest.raises(StartError, match=r"a-1\.jar was fetched but is not the file"):
        jars.fetch([JAR], tmp_path, fetcher=Source(b"something else"))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_in_the_cache_is_fetched_again(tmp_path: Path) -> None:
    """I expect a half-written or changed file never to be used."""
    (tmp_path / "a-1.jar").write_bytes(GOOD[:5])
    assert jars.fetch([JAR], tmp_path, fetcher=Source(GOOD))[0].read_bytes() == GOOD


@pytest.mark.parametrize("line", ["g:a:1", "g:a sha256:00", "g:a:1 sha256:zz", "g:a:1 sha256:00"])
def test_a_malformed_lock_is_no_lock(line: str) -> None:
    """I expect an error, not a jar that is checked against nothing."""
    with pytest.raises(ValueError, match=r".+"):
        jars.pinned(line)


def test_no_network_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect to be told that only the first start needs it."""
    import requests
    from jgo.util import http

    def refuse(*_: object, **__: object) -> None:
        raise requests.ConnectionError("https://somewhere/secret")

    monkeypatch.setattr(http, "get", refuse)
    with pytest.raises(StartError, match="the first start needs a network") as caught:
        jars.fetch([JAR], tmp_path)
    assert "somewhere" not in str(caught.value)
