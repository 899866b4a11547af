"""All partitions of a group are read, also when its leader shared out nothing at first."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamapp.models import Delivery
from streamapp.testing.deployment import until
from tests.integration.observer import faust_worker, held_done, held_environment, publish

pytestmark = pytest.mark.timeout(300)

NOTHING = "Resuming streams with empty assignment"


def test_a_leader_that_saw_no_topic_shares_out_again(broker: str, tmp_path: Path) -> None:
    """I expect both partitions to be read, although no metadata that is fetched later shows anything new."""
    environment, log = held_environment(broker, tmp_path), tmp_path / "log"
    (tmp_path / "blind").touch()
    with faust_worker("blind_app", environment, log):
        until(lambda: NOTHING in log.read_text(), 90, "a worker without partitions")
        (tmp_path / "blind").unlink()
        _assert_both_are_read(broker, environment, tmp_path)


def test_who_is_given_nothing_again_has_it_shared_out(broker: str, tmp_path: Path) -> None:
    """The leader is killed and comes back as the same member, which Kafka gives what it had, and does not let lead."""
    environment, log = held_environment(broker, tmp_path), tmp_path / "log"
    (tmp_path / "blind").touch()
    with faust_worker("blind_app", environment, tmp_path / "killed.log"):
        until(lambda: NOTHING in (tmp_path / "killed.log").read_text(), 90, "a worker without partitions")
    with faust_worker("held_app", environment, log):
        _assert_both_are_read(broker, environment, tmp_path)
    said = log.read_text()
    assert NOTHING in said, "Kafka gave it partitions: what this test is about has not happened"
    assert said.index(NOTHING) < said.index("Elected group leader")


def _assert_both_are_read(broker: str, environment: dict[str, str], folder: Path) -> None:
    for partition in (0, 1):
        publish(broker, f"{environment['STREAMAPP_TOPIC_PREFIX']}held", [Delivery(f"p{partition}").dumps()], partition)
    until(lambda: {*held_done(folder)} >= {"p0", "p1"}, 60, "the messages on both partitions")
