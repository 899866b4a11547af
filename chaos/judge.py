"""The verdict: what was lost, what came twice and whether that may be, and which reports are not what they should be.

It reads what is at the far ends, as a user would, and the ledger. It knows nothing of how the deployment works, but for
RFC 1047: when a conversation's end was not seen, a mail may come twice, and then its row says that it was in doubt. A
row may not say so for nothing: between the two copies a process must have died or stood still, or the mail server must
have kept its answer to itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from chaos.hooks import Posted
from chaos.load import Accepted
from chaos.smtp import Taken
from chaos.watch import Disturbance

__all__ = ["Evidence", "LedgerRow", "Same", "Verdict", "judge"]

EVENTS = {"succeeded": "succeeded", "failed": "failed", "expired": "failed"}
SLOW = 0.75  # of the time that a client waits for a conversation: a longer one may have ended for it before its answer
EXPECTED = {
    "plain": ("succeeded",),
    "refused": ("succeeded",),
    "failing": ("failed",),
    "late": ("succeeded", "expired"),
}

#: Whether two reports are the same: "" for yes, a sentence when they differ only by a near-tie, None for no.
Same = Callable[[Mapping[str, Any], Mapping[str, Any], str], str | None]


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A delivery as the store has it."""

    id: str
    job: str
    event: str
    kind: str
    recipient: str
    state: str
    in_doubt: int


@dataclass(slots=True)
class Evidence:
    """What is left when everything has settled. `jobs` and `references` are as the API shows a job and a report."""

    accepted: Sequence[Accepted]
    jobs: Mapping[str, Mapping[str, Any]]
    mails: Sequence[Taken]
    ledger: Sequence[LedgerRow]
    inbox: Sequence[tuple[str, str]]  # job, event
    letters: Sequence[tuple[str, int, int]]  # topic, partition, offset
    poison: Sequence[tuple[str, int, int]]
    references: Mapping[str, Mapping[str, Any]]
    disturbances: Sequence[Disturbance]
    wrong: Sequence[str]
    mail_timeout_s: float
    hooks: Sequence[Posted] = ()


@dataclass(slots=True)
class Verdict:
    """Sentences, one for each finding. All but `in_doubt` and `near_ties` mean that a promise was broken."""

    lost: list[str] = field(default_factory=list)
    in_doubt: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    differ: list[str] = field(default_factory=list)
    near_ties: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every promise held."""
        return not (self.lost or self.repeated or self.differ or self.wrong)


def judge(evidence: Evidence, same: Same) -> Verdict:
    """Decide."""
    verdict = Verdict(wrong=list(evidence.wrong))
    by_job: defaultdict[str, list[LedgerRow]] = defaultdict(list)
    for row in evidence.ledger:
        by_job[row.job].append(row)
    inbox = Counter(evidence.inbox)
    copies: defaultdict[str, list[Taken]] = defaultdict(list)
    for mail in sorted(evidence.mails, key=lambda mail: mail.began):
        copies[mail.message_id.strip("<>").partition("@")[0]].append(mail)
    for accepted in evidence.accepted:
        _of_job(verdict, evidence, accepted, by_job[accepted.id], inbox, copies, same)
    for row in evidence.ledger:
        if row.state in ("pending", "sending"):
            verdict.wrong.append(f"{row.kind} {row.id} of job {row.job} is still {row.state}")
    _in_mailbox(verdict, evidence, copies)
    _in_inbox(verdict, evidence, inbox)
    _of_hooks(verdict, evidence)
    _of_poison(verdict, evidence)
    return verdict


def _of_job(
    verdict: Verdict,
    evidence: Evidence,
    accepted: Accepted,
    rows: Sequence[LedgerRow],
    inbox: Mapping[tuple[str, str], int],
    copies: Mapping[str, Sequence[Taken]],
    same: Same,
) -> None:
    job = evidence.jobs.get(accepted.id)
    name = f"{accepted.key} ({accepted.id})"
    if job is None:
        verdict.lost.append(f"job {name} was accepted and is not there")
        return
    status = str(job["status"])
    if status in ("queued", "running"):
        verdict.lost.append(f"job {name} is still {status} at {job['progress']}")
        return
    if accepted.other_ids:
        verdict.repeated.append(f"job {name} was made again as {sorted(accepted.other_ids)}")
    allowed = ("cancelled",) if accepted.cancelled else EXPECTED.get(accepted.kind, ("succeeded", "cancelled"))
    if status not in allowed:
        verdict.wrong.append(f"job {name} has {status}: {job['error']}")
    elif status == "succeeded":
        _compare(verdict, evidence, accepted, job["report"], same)
    event = EVENTS.get(status)
    if event is None:
        return
    if not inbox.get((accepted.id, event)):
        verdict.lost.append(f"job {name} has no notification that it has {event}")
    if accepted.email and accepted.kind != "refused":
        mine = [row for row in rows if row.kind == "email" and row.event == event]
        if not any(copies.get(row.id) for row in mine):
            states = [row.state for row in mine] or "no delivery at all"
            verdict.lost.append(f"job {name} has {status}, and its e-mail is not in the mailbox; its ledger: {states}")


def _compare(verdict: Verdict, evidence: Evidence, accepted: Accepted, report: Any, same: Same) -> None:
    told = same(evidence.references[accepted.text], report or {}, accepted.text)
    if told is None:
        verdict.differ.append(f"the report of job {accepted.key} ({accepted.id}) on {accepted.text} differs")
    elif told:
        verdict.near_ties.append(f"job {accepted.key} on {accepted.text}: {told}")


def _in_mailbox(verdict: Verdict, evidence: Evidence, copies: Mapping[str, Sequence[Taken]]) -> None:
    rows = {row.id: row for row in evidence.ledger if row.kind == "email"}
    for identity, mails in copies.items():
        row = rows.get(identity)
        job = evidence.jobs.get(row.job) if row else None
        if row is None or (job is not None and EVENTS.get(str(job["status"])) != row.event):
            verdict.wrong.append(f"a mail {identity} to {mails[0].recipient} belongs to nothing that has happened")
            continue
        if any(mail.recipient != row.recipient for mail in mails):
            verdict.wrong.append(f"mail {identity} went to {[mail.recipient for mail in mails]}, not {row.recipient}")
        if len(mails) > 1:
            _twice(verdict, evidence, row, mails)


def _twice(verdict: Verdict, evidence: Evidence, row: LedgerRow, mails: Sequence[Taken]) -> None:
    unexplained = [pair for pair in pairwise(mails) if not _explained(*pair, evidence)]
    told = f"mail {row.id} of job {row.job} came {len(mails)} times, in doubt {row.in_doubt}"
    if row.in_doubt < len(mails) - 1:
        verdict.repeated.append(f"{told}: the ledger does not say why")
    elif unexplained:
        first, second = unexplained[0]
        gap_s = second.began - first.began
        verdict.repeated.append(f"{told}: nothing happened in the {gap_s:.1f} s between two of them")
    else:
        verdict.in_doubt.append(told)


def _explained(first: Taken, second: Taken, evidence: Evidence) -> bool:
    slow = first.ended - first.began > SLOW * evidence.mail_timeout_s
    return slow or not first.answered or any(_between(evidence.disturbances, first.began, second.began))


def _between(disturbances: Iterable[Disturbance], start: float, end: float) -> Iterator[bool]:
    return (each.start <= end and each.end >= start for each in disturbances)


def _in_inbox(verdict: Verdict, evidence: Evidence, inbox: Mapping[tuple[str, str], int]) -> None:
    for (job, event), count in inbox.items():
        if count > 1:
            verdict.repeated.append(f"the notification that job {job} has {event} is there {count} times")
        known = evidence.jobs.get(job)
        if known is not None and EVENTS.get(str(known["status"])) != event:
            verdict.wrong.append(f"the inbox says that job {job} has {event}, and it has {known['status']}")


def _of_hooks(verdict: Verdict, evidence: Evidence) -> None:
    """Webhooks come at least once: a repeat under its id is as it should be, one of another end is not."""
    rows = {row.id: row for row in evidence.ledger if row.kind == "webhook"}
    told = {(hook.job, hook.event) for hook in evidence.hooks}
    for accepted in evidence.accepted:
        status = str(evidence.jobs.get(accepted.id, {}).get("status"))
        if accepted.hook and status not in ("None", "queued", "running") and (accepted.id, f"job.{status}") not in told:
            verdict.lost.append(f"job {accepted.key} ({accepted.id}) has {status}, and its webhook did not come")
    for hook in evidence.hooks:
        row = rows.get(hook.id)
        status = str(evidence.jobs.get(hook.job, {}).get("status"))
        if row is None or row.job != hook.job or hook.event != f"job.{row.event}" or row.event != status:
            verdict.wrong.append(f"a webhook {hook.id} says {hook.event} of job {hook.job}, which has {status}")


def _of_poison(verdict: Verdict, evidence: Evidence) -> None:
    there = Counter(evidence.letters)
    for place in evidence.poison:
        if not there[place]:
            verdict.lost.append(f"the unreadable message at {place} is no dead letter")
        elif there[place] > 1:
            verdict.repeated.append(f"the unreadable message at {place} is {there[place]} dead letters")
