"""Work goes on in bounded time when a worker is gone. The bounds follow from the design; tools/recovery.py measures."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from streamapp.models import Delivery
from streamapp.testing.deployment import Deployment, until
from tests.integration.observer import faust_worker, held_begun, held_done, held_environment, publish
from tools.recovery import SETTINGS, restart, takeover

pytestmark = pytest.mark.timeout(400)

START_S = 60.0  # a busy machine's; a quiet one's is 5
TAKEOVER_S = 45.0  # the session timeout, 10 s, and much room; Faust's defaults would take a minute and more


def test_after_a_kill_the_same_worker_goes_on(broker: str, tmp_path: Path) -> None:
    """I expect a worker that starts again to be given its partitions at once: no session has to run out first."""
    with Deployment(broker, tmp_path, SETTINGS) as deployment:
        figures = restart(deployment)
    assert figures["intake answers"] < START_S
    assert figures["results flow"] < 2 * START_S
    assert figures["results flow"] - figures["intake answers"] < TAKEOVER_S


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_another_worker_takes_over(number: signal.Signals, broker: str, tmp_path: Path) -> None:
    """I expect jobs on every partition to end on the other when one is gone for good."""
    with Deployment(broker, tmp_path, SETTINGS) as stays:
        gone = stays.spawn_another()
        until(gone.ready, 120, "the second worker")
        [took] = takeover(gone, stays, number).values()
    assert took < TAKEOVER_S


def test_work_that_hangs_does_not_hold_up_who_takes_over(broker: str, tmp_path: Path) -> None:
    """A member joins while another has a message in work: I expect both to get partitions long before that ends."""
    environment = held_environment(broker, tmp_path)
    topic = f"{environment['STREAMAPP_TOPIC_PREFIX']}held"
    with faust_worker("held_app", environment, tmp_path / "first.log"):
        until(lambda: "Worker ready" in (tmp_path / "first.log").read_text(), 90, "the first")
        (tmp_path / "hold-m0").touch()
        publish(broker, topic, [Delivery("m0").dumps()], partition=0)
        until(lambda: "m0" in held_begun(tmp_path), 30, "the message to be in work")
        other = {**environment, "STREAMAPP_HOME": str(tmp_path / "other")}
        with faust_worker("held_app", other, tmp_path / "second.log"):
            until(lambda: "(Re-)joining" in (tmp_path / "second.log").read_text(), 90, "the second to join")
            for partition in (0, 1):
                publish(broker, topic, [Delivery(f"p{partition}").dumps()], partition=partition)
            until(lambda: {*held_done(tmp_path)} >= {"p0", "p1"}, TAKEOVER_S, "the messages on both partitions")
            assert "m0" not in held_done(tmp_path)
            (tmp_path / "hold-m0").unlink()
            until(lambda: "m0" in held_done(tmp_path), 30, "the message in work to end")
