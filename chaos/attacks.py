"""What is done to the deployment: kills, crashes at points, locks, doubled and spoilt messages, a bad mail server."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress

import psutil

from chaos import messages
from chaos.ground import PREFIX, Ground
from chaos.load import Load
from chaos.smtp import SLOW_S, FaultySmtp
from chaos.waiting import until
from chaos.watch import Watch

__all__ = ["Attacks"]

logger = logging.getLogger(__name__)

REACH_S = 40.0
AGAIN_S = 4.0
MEET_S = 40.0  # at most, until a mail met what the server is
RECOVERY_S = 240.0  # only reached on a machine that does much else, or by a bug
DOUBLED = 4  # messages at least
PATIENCE, IMPATIENT_S = 0.6, 4.0
AT_WORK = 3  # chunks at least
FLYING = "SELECT count(*) FROM chunks WHERE state = 'flying' AND published_at IS NOT NULL"
POISONED = ("inference", "results", "email", "notification", "webhook", "chunks.echo")


class Attacks:
    """Each public method is one attack; `did` counts them by name, `poison` is where unreadable messages were put."""

    def __init__(self, ground: Ground, smtp: FaultySmtp, load: Load, watch: Watch, chance: random.Random) -> None:
        self.did: Counter[str] = Counter()
        self.poison: list[tuple[str, int, int]] = []
        self._ground = ground
        self._smtp = smtp
        self._load = load
        self._watch = watch
        self._chance = chance
        self._mailing = asyncio.Lock()
        self._locking = asyncio.Lock()

    async def point(self, name: str) -> None:
        """Make a crash due, bring somebody there, and wait for the recovery; one that nobody reaches stays due."""
        self._watch.arm(name)
        end = time.monotonic() + REACH_S
        while name in self._watch.armed and time.monotonic() < end:
            await self.lead_to(name)
            await self._watch.struck(name, AGAIN_S)
        if name not in self._watch.armed:
            await self._go_on()

    async def kill(self, who: str) -> None:
        """kill -9."""
        if not await until(lambda: self._ground.kill(who), MEET_S):
            raise TimeoutError(f"there is no {who} to kill")
        self._watch.killed(who)
        await self._go_on()

    async def _go_on(self) -> None:
        """Mostly wait for the recovery; else the next attack comes in the middle of it."""
        if self._chance.random() < PATIENCE:
            await self._watch.recovered(RECOVERY_S)
        else:
            await asyncio.sleep(self._chance.uniform(0, IMPATIENT_S))

    async def mail(self, mode: str, seconds: float = 5.0) -> None:
        """Let the mail server be like that for a while, with mail on its way."""
        async with self._mailing:
            self.did[f"mail server {mode}"] += 1
            await self._smtp.be(mode)
            self._load.post("plain", "echo")
            await asyncio.sleep(seconds)
            if mode != "away":  # nobody can see who knocks at a closed port
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._smtp.met.wait(), MEET_S)
            await self._smtp.be("normal")

    async def lock(self, seconds: float, at_work: int = 0) -> bool:
        """Hold the store's write lock from another connection. False, at once, with fewer chunks on their way."""
        async with self._locking:
            start = time.time()
            try:
                held = await asyncio.to_thread(_hold, self._ground, seconds, at_work)
            except sqlite3.Error as error:
                logger.warning("the store could not be locked: %s", error)
                held = not at_work
            if held:
                self.did["store locked"] += 1
                self._watch.stood("store locked", start)
            return held

    async def lock_and_kill(self) -> None:
        """Kill the worker while everything in work waits for the store: whatever was acknowledged too early is lost.

        Raises TimeoutError when no chunks were on their way in the moment of the lock: that would show nothing.
        """
        end, more = time.monotonic() + MEET_S, 0.0
        while True:
            if time.monotonic() > more:
                more = time.monotonic() + 1.0
                for _ in range(6):
                    self._load.post("plain", "echo-0")
            lock = asyncio.create_task(self.lock(9.0, AT_WORK))
            if not (await asyncio.wait({lock}, timeout=8.0))[0]:
                break
            if not lock.result() and time.monotonic() > end:
                raise TimeoutError("no chunks were on their way when the store was locked")
            await asyncio.sleep(0.05)
        await self.kill_now("worker")
        await lock
        self._watch.time_from_now("worker")
        await self._watch.recovered(RECOVERY_S)

    async def kill_now(self, who: str) -> None:
        """kill -9 without waiting for a recovery."""
        if self._ground.kill(who):
            self._watch.killed(who)

    async def freeze(self, seconds: float) -> None:
        """Stop the worker for longer than its group waits, so that it is taken for dead, and let it go on."""
        process = self._ground.worker.process if self._ground.worker else None
        if process is None:
            return
        self.did["worker frozen"] += 1
        start = time.time()
        with suppress(psutil.Error):
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            process.send_signal(signal.SIGCONT)
        self._watch.stood("worker frozen", start)
        await asyncio.sleep(3.0)

    async def double(self, topic: str, seconds: float = 6.0) -> None:
        """Let what comes on a topic come twice; mails meanwhile take their time."""
        begun = time.monotonic()

        def more(doubled: int) -> bool:
            passed = time.monotonic() - begun
            return passed < seconds or (doubled < DOUBLED and passed < MEET_S)

        async with self._mailing:
            await self._smtp.be("slow")
            for _ in range(DOUBLED):
                self._load.post("plain", "echo")
            self.did["messages doubled"] += await messages.double(self._ground.address, f"{PREFIX}{topic}", more)
            await asyncio.sleep(SLOW_S)
            await self._smtp.be("normal")

    async def spoil(self) -> None:
        """Put bytes that nobody can read on a topic: they belong to the dead letters, each once."""
        place = await messages.spoil(self._ground.address, f"{PREFIX}{self._chance.choice(POISONED)}")
        if place is not None:
            self.did["unreadable messages"] += 1
            self.poison.append(place)

    async def lead_to(self, point: str) -> None:
        """Do what brings a worker by that point."""
        name = point.removeprefix("store.before.").removeprefix("store.after.")
        if name == "note" or point.endswith(".dead-letter"):
            await self.spoil()
        elif name == "later" and not self._mailing.locked():
            await self.mail("421-mail", 2.0)
        elif name == "postpone" and not self._mailing.locked():
            for _ in range(BURST):
                self._load.post("burst", "echo")
            await self.mail("slow", 4.0)
        elif name == "begin_step":  # by itself only beside others: credits are just being given
            for _ in range(BURST):
                self._load.post("burst", "echo")
        elif name == "put_back":
            for _ in range(CROWD):
                self._load.post("plain", "excerpt")
        elif name == "_answer":
            self._load.post("plain", ALREADY_READ, fresh=False)
        elif name in KINDS:
            self._load.post(KINDS[name])
        elif point.endswith("l6-v2"):
            self._load.post("plain", "excerpt")
        else:
            self._load.post("plain", "echo-0" if point.startswith("blob") else "echo")


KINDS = {"give_up": "refused", "_end_at": "failing", "_end": "late", "_cancel": "cancelled"}
BURST = 12
CROWD = 40  # twice as many as run at a time
ALREADY_READ = "excerpt-0"  # the second time at the latest; an echo is never remembered


def _hold(ground: Ground, seconds: float, at_work: int) -> bool:
    """Hold it, unless fewer chunks are on their way: their results come while the store is locked."""
    with closing(sqlite3.connect(ground.database, timeout=5.0, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        held = not at_work or int(connection.execute(FLYING).fetchone()[0]) >= at_work
        if held:
            time.sleep(seconds)
        connection.execute("ROLLBACK")
        return held
