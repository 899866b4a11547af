"""Dead letters over HTTP and by the command: listed, redriven, discarded."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from click.testing import CliRunner

from streamapp.cli import cli
from streamapp.testing.deployment import Deployment, until


def _put(deployment: Deployment, value: bytes, topic: str = "inference", partition: int = 1) -> None:
    async def send() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=deployment.environment["STREAMAPP_BROKER"])
        await producer.start()
        try:
            await producer.send_and_wait(f"{deployment.prefix}{topic}", value, partition=partition)
        finally:
            await producer.stop()

    asyncio.run(send())


def _letters(deployment: Deployment, **query: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = deployment.http.get("/v1/dead-letters", params=query).json()["items"]
    return items


def test_poison_is_listed_redriven_and_discarded(deployment: Deployment) -> None:
    """A redrive puts the same bytes back: they fail once more, as the same dead letter; then it is discarded."""
    _put(deployment, b"{redrive me")
    (letter,) = until(lambda: _letters(deployment, reason="json"), 20, "the dead letter")
    assert f"<strong>{len(_letters(deployment))} dead letter" in deployment.http.get("/agents").text
    assert (letter["topic"], letter["partition"], letter["attempts"]) == (f"{deployment.prefix}inference", 1, 1)

    answer = deployment.http.post(f"/v1/dead-letters/{letter['id']}/redrive")

    assert answer.status_code == 200
    again = until(
        lambda: next((each for each in _letters(deployment, reason="json") if each["attempts"] == 2), None),
        20,
        "the second failure",
    )
    assert again["id"] == letter["id"]
    assert again["offset"] > letter["offset"]
    run = CliRunner().invoke(cli, ["dead-letters", "list", "--url", deployment.url])
    assert "2 attempts" in run.output
    run = CliRunner().invoke(cli, ["dead-letters", "show", str(letter["id"]), "--url", deployment.url])
    assert "{redrive me" in run.output
    run = CliRunner().invoke(cli, ["dead-letters", "discard", "--reason", "json", "--url", deployment.url])
    assert '"discarded": 1' in run.output
    assert _letters(deployment) == []
    assert "dead-letters list" not in deployment.http.get("/agents").text
    assert deployment.http.post(f"/v1/dead-letters/{letter['id']}/redrive").status_code == 409


def test_poison_among_the_dead_letters_is_one_itself(deployment: Deployment) -> None:
    """It is buried once, and not for ever again."""
    _put(deployment, b"{no letter", "dead-letter", 0)

    (letter,) = until(lambda: _letters(deployment, topic=f"{deployment.prefix}dead-letter"), 20, "the dead letter")

    assert letter["attempts"] == 1
    assert deployment.http.post(f"/v1/dead-letters/{letter['id']}/discard").json()["state"] == "discarded"
    assert deployment.http.post(f"/v1/dead-letters/{letter['id']}/discard").status_code == 409


def test_what_is_not_there_or_not_right_is_refused(deployment: Deployment) -> None:
    """An unknown dead letter, filter or delivery is a 4xx; nothing is parked."""
    assert deployment.http.get("/v1/dead-letters/999999").status_code == 404
    assert deployment.http.get("/v1/dead-letters", params={"colour": "red"}).status_code == 422
    assert deployment.http.get("/v1/deliveries/parked").json() == {"items": []}
    assert deployment.http.post("/v1/deliveries/none/sent").status_code == 404
    assert deployment.http.post("/v1/dead-letters/discard", json={}).status_code == 422
    assert deployment.http.post("/v1/deliveries/none/lost").status_code == 404
