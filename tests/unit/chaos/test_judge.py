"""What the judge calls lost, in doubt, repeated and different."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chaos.hooks import Posted
from chaos.judge import Evidence, LedgerRow, Verdict, judge
from chaos.load import Accepted
from chaos.smtp import Taken
from chaos.watch import Disturbance

REPORT = {"subject": "Echo", "text": "Hello."}
PLACE = ("chaos.results", 0, 7)


def _accepted(kind: str = "plain", email: str | None = "reader@localhost", **rest: Any) -> Accepted:
    return Accepted(id="j", key="order-1", kind=kind, text="echo-1", email=email, posts=1, **rest)


def _job(status: str = "succeeded", report: Mapping[str, Any] | None = REPORT) -> dict[str, Any]:
    return {"status": status, "report": report, "error": None, "progress": {"done": 1, "total": 1}}


def _mail(began: float = 10.0, ended: float = 10.1, *, answered: bool = True) -> Taken:
    return Taken("<d@localhost>", "reader@localhost", began, began, answered, ended)


def _row(in_doubt: int = 0, event: str = "succeeded", state: str = "sent") -> LedgerRow:
    return LedgerRow("d", "j", event, "email", "reader@localhost", state, in_doubt)


def verdict_on(**changes: Any) -> Verdict:
    """The verdict on one job that went well, but for `changes`."""
    good: dict[str, Any] = {
        "accepted": [_accepted()],
        "jobs": {"j": _job()},
        "mails": [_mail()],
        "ledger": [_row()],
        "inbox": [("j", "succeeded")],
        "letters": [PLACE],
        "poison": [PLACE],
        "references": {"echo-1": REPORT},
        "disturbances": [],
        "wrong": [],
        "mail_timeout_s": 4.0,
    }
    return judge(Evidence(**(good | changes)), lambda wanted, got, _: "" if wanted == got else None)


HOOK = LedgerRow("h", "j", "succeeded", "webhook", "http://127.0.0.1:1/", "sent", 0)


def test_a_webhook_may_come_twice() -> None:
    """Under its id, for that is what the id is for."""
    twice = [Posted("h", "j", "job.succeeded")] * 2
    verdict = verdict_on(accepted=[_accepted(hook=True)], ledger=[_row(), HOOK], hooks=twice)
    assert verdict == Verdict()


def test_a_webhook_that_does_not_come() -> None:
    """Is lost, whatever the ledger says."""
    verdict = verdict_on(accepted=[_accepted(hook=True)], ledger=[_row(), HOOK])
    assert len(verdict.lost) == 1


@pytest.mark.parametrize(
    "told", [("h", "j", "job.failed"), ("other", "j", "job.succeeded"), ("h", "k", "job.succeeded")]
)
def test_a_webhook_of_what_did_not_happen(told: tuple[str, str, str]) -> None:
    """Is wrong."""
    hooks = [Posted("h", "j", "job.succeeded"), Posted(*told)]
    verdict = verdict_on(accepted=[_accepted(hook=True)], ledger=[_row(), HOOK], hooks=hooks)
    assert len(verdict.wrong) == 1


def test_all_is_well() -> None:
    """One job, its report, its mail, its notification, and a dead letter for what was spoilt: nothing to say."""
    verdict = verdict_on()

    assert verdict == Verdict()
    assert verdict.good


LOST = {
    "the job is gone": {"jobs": {}},
    "it waits for ever": {"jobs": {"j": _job("queued")}},
    "it runs for ever": {"jobs": {"j": _job("running")}},
    "no mail": {"mails": []},
    "no mail, whatever the ledger says": {"mails": [], "ledger": [_row(state="sent")]},
    "no delivery": {"mails": [], "ledger": []},
    "no mail about the failure": {
        "accepted": [_accepted("failing")],
        "jobs": {"j": _job("failed")},
        "mails": [],
        "ledger": [_row(event="failed")],
        "inbox": [("j", "failed")],
    },
    "no notification": {"inbox": []},
    "an unreadable message is nowhere": {"letters": []},
}


@pytest.mark.parametrize("changes", LOST.values(), ids=LOST.keys())
def test_what_is_lost(changes: dict[str, Any]) -> None:
    """What was promised and is not there is lost."""
    verdict = verdict_on(**changes)

    assert len(verdict.lost) == 1
    assert not verdict.good


REPEATED = {
    "the ledger was in no doubt": {"mails": [_mail(10), _mail(12)], "disturbances": [Disturbance("worker", 11, 11)]},
    "three copies, one doubt": {
        "mails": [_mail(10, answered=False), _mail(20, answered=False), _mail(30)],
        "ledger": [_row(in_doubt=1)],
    },
    "in doubt for nothing": {"mails": [_mail(10), _mail(10.5)], "ledger": [_row(in_doubt=1)]},
    "in doubt for something long before": {
        "mails": [_mail(10), _mail(10.5)],
        "ledger": [_row(in_doubt=1)],
        "disturbances": [Disturbance("worker", 5, 9)],
    },
    "the notification": {"inbox": [("j", "succeeded"), ("j", "succeeded")]},
    "the job": {"accepted": [_accepted(other_ids={"k"})]},
    "the dead letter": {"letters": [PLACE, PLACE]},
}


@pytest.mark.parametrize("changes", REPEATED.values(), ids=REPEATED.keys())
def test_what_is_repeated(changes: dict[str, Any]) -> None:
    """What is there twice, without a doubt that something explains, is repeated."""
    verdict = verdict_on(**changes)

    assert len(verdict.repeated) == 1
    assert not verdict.in_doubt
    assert not verdict.good


IN_DOUBT = {
    "no answer": {"mails": [_mail(10, answered=False), _mail(20)]},
    "a worker died between": {"mails": [_mail(10), _mail(50)], "disturbances": [Disturbance("worker", 11, 11)]},
    "a worker stood still": {"mails": [_mail(10), _mail(50)], "disturbances": [Disturbance("frozen", 9, 22)]},
    "an answer that came too late": {"mails": [_mail(10, 13.9), _mail(20)]},
}


@pytest.mark.parametrize("changes", IN_DOUBT.values(), ids=IN_DOUBT.keys())
def test_what_was_in_doubt(changes: dict[str, Any]) -> None:
    """A second copy is in doubt when its row says so and something kept the end of the first from being seen."""
    verdict = verdict_on(ledger=[_row(in_doubt=1)], **changes)

    assert len(verdict.in_doubt) == 1
    assert verdict.good


WRONG = {
    "it failed": {
        "jobs": {"j": _job("failed")},
        "inbox": [("j", "failed")],
        "ledger": [_row(event="failed")],
    },
    "a cancelled job went on": {"accepted": [_accepted("cancelled", cancelled=True)]},
    "a mail about nothing": {"mails": [_mail(), Taken("<x@localhost>", "reader@localhost", 1, 1, True, 1)]},
    "a notification of what did not happen": {"inbox": [("j", "succeeded"), ("j", "failed")]},
    "the client was refused": {"wrong": ["order-2 was refused with 422"]},
    "a delivery is never settled": {"ledger": [_row(state="sending")]},
    "to somebody else": {"mails": [Taken("<d@localhost>", "other@localhost", 1, 1, True, 1)]},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
def test_what_is_otherwise_wrong(changes: dict[str, Any]) -> None:
    """What should not have happened at all."""
    verdict = verdict_on(**changes)

    assert len(verdict.wrong) == 1
    assert not verdict.good


def test_a_refused_recipient_gets_no_mail() -> None:
    """Nobody waits for a mail to somebody whom the server refuses."""
    gone: dict[str, Any] = {"mails": [], "ledger": [_row(state="dead")]}

    assert verdict_on(accepted=[_accepted("refused")], **gone).good


def test_a_cancelled_job_tells_nobody() -> None:
    """No mail and no notification is due for it."""
    quiet: dict[str, Any] = {"mails": [], "ledger": [], "inbox": []}

    assert verdict_on(
        accepted=[_accepted("cancelled", cancelled=True)], jobs={"j": _job("cancelled", None)}, **quiet
    ).good


def test_a_report_that_differs() -> None:
    """A report that is not that of the undisturbed run is found."""
    verdict = verdict_on(jobs={"j": _job(report={"subject": "Echo", "text": "Hell."})})

    assert len(verdict.differ) == 1
    assert not verdict.good
