"""The same work again, through the real broker: no chunk on its topic, the same report, and it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamapp.testing.deployment import Deployment
from tests.integration.observer import messages

SETTINGS = {
    "STREAMAPP_ONLY_TASKS": '["remembered"]',
    "STREAMAPP_DEFAULT_TASK": "remembered",
    "STREAMAPP_TASKS": "tests.integration.remembering_task:Remembered",
    "STREAMAPP_CHUNK_ITEMS": "2",
    "STREAMAPP_DEVICE": "cpu",
}
TEXT = "".join(f"{number:04} " for number in range(100))  # items of 50 characters: 10, so 5 chunks


def test_the_same_again(broker: str, tmp_path: Path) -> None:
    """I expect a job, the same again, a longer text, one with `fresh`; each with its e-mail and its plot."""
    with Deployment(broker, tmp_path, SETTINGS) as deployment:
        topic = f"{deployment.prefix}chunks.remembered"
        flown: list[int] = []

        def finished(text: str = TEXT, **fields: Any) -> dict[str, Any]:
            body = {"task": "remembered", "text": text, "params": {"chunk": 50}, "email": "reader@localhost", **fields}
            job = deployment.finished(deployment.submit(body))
            flown.append(len(messages(broker, topic)))
            assert job["status"] == "succeeded"
            assert job["report"]["text"] == text.upper()
            assert deployment.http.get(job["report"]["plot"]["href"]).content.startswith(b"\x89PNG")
            assert f"{job['remembered']} of" in (page := deployment.http.get(f"/jobs/{job['id']}").text) or (
                job["remembered"] in (0, job["progress"]["total"])
            )
            assert ("from memory of" in page) is (job["remembered"] > 0)
            return job

        first, again, longer, fresh = finished(), finished(), finished(TEXT + "x" * 60), finished(fresh=True)

        assert flown == [5, 5, 6, 11]
        assert [job["remembered"] for job in (first, again, longer, fresh)] == [0, 10, 10, 0]
        assert again["remembered_at"] == first["finished_at"]
        assert [job["progress"]["total"] for job in (first, again, longer, fresh)] == [10, 10, 12, 10]
        bodies = [mail.get_body(("plain",)) for mail in deployment.mails(4)]
        assert sum("from memory of" in body.get_content() for body in bodies if body is not None) == 2
