"""A job on its way: from the request to the mailbox and the inbox, over the real broker."""

from __future__ import annotations

from streamapp.testing.deployment import Deployment, until


def test_an_echo_reaches_mailbox_and_inbox(deployment: Deployment) -> None:
    """A job that is posted ends in one e-mail and one notification."""
    job = deployment.submit({"task": "echo", "text": "A first line.", "email": "first@localhost"})

    assert deployment.finished(job)["status"] == "succeeded"
    until(lambda: [mail for mail in deployment.mails(1) if mail["To"] == "first@localhost"], 30, "its e-mail")
    assert len([mail for mail in deployment.mails(1) if mail["To"] == "first@localhost"]) == 1
    lines = deployment.http.get("/v1/notifications").json()["items"]
    assert [line["event"] for line in lines if line["job_id"] == job] == ["succeeded"]
