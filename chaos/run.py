"""One run from the first process to the verdict."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaos.attacks import Attacks
from chaos.evidence import chunks_again, gather, settle
from chaos.ground import PREFIX, ROOT, Ground
from chaos.hooks import FaultyHooks
from chaos.judge import Evidence, Verdict, judge
from chaos.load import OTHERS, Load
from chaos.points import points
from chaos.reference import FIELDS
from chaos.script import Scene, full, points_of, short
from chaos.smtp import FaultySmtp
from chaos.table import Result
from chaos.texts import Text, make_texts
from chaos.ties import Comparison
from chaos.waiting import until
from chaos.watch import Watch

__all__ = ["Order", "run"]

logger = logging.getLogger(__name__)

PREDICTORS = ("echo", "all-minilm-l6-v2")
LAST_POINTS_S = 180.0  # a round: only a point that nobody can come by takes as long
LIMIT_S = 1800.0
SAY_EVERY_S = 0.5
NOTE_EVERY_S = 15.0


@dataclass(frozen=True, slots=True)
class Order:
    """What to run: `rounds` 0 is the short one, `core` its directed part alone; `code` is the folder of the package."""

    seed: int
    rounds: int
    jobs: int
    folder: Path
    code: Path = ROOT
    core: bool = False
    still_s: float = 120.0

    @property
    def texts(self) -> dict[str, int]:
        """How many of what kind."""
        if self.core:
            return {"echoes": 12, "excerpts": 0, "whole": 0}
        return {"echoes": 40, "excerpts": 10, "whole": 2} if self.rounds else {"echoes": 12, "excerpts": 2, "whole": 0}

    @property
    def settings(self) -> dict[str, str]:
        """What the deployment needs no model for, it has none for, and so starts faster."""
        return {"STREAMAPP_ONLY_TASKS": "echo", "STREAMAPP_DEVICE": "cpu"} if self.core else {}


class _Run:
    def __init__(self, order: Order, say: Callable[[str], None], note: Callable[[str], None]) -> None:
        self.order = order
        self.say = say
        self.note = note
        self.began = time.time()
        self.noted = -NOTE_EVERY_S
        self.chance = random.Random(order.seed)
        self.texts = make_texts(self.chance, **order.texts)
        self.smtp = FaultySmtp()
        self.hooks = FaultyHooks(random.Random(order.seed + 2))
        order.folder.mkdir(parents=True)
        self.ground = Ground(order.folder, order.code, self.smtp.port, order.settings, self.ended)
        self.watch = Watch(self.ground)
        self.load = Load(self.ground.url, self.texts, random.Random(order.seed + 1), OTHERS if not order.core else {})
        self.attacks = Attacks(self.ground, self.smtp, self.load, self.watch, self.chance)
        self.aside: set[asyncio.Task[Any]] = set()

    def ended(self, name: str, code: int, at: float) -> None:
        """A process ended."""
        self.watch.ended(name, code, at)
        if code != 128 + 9:
            self.note(f"{name} left by itself with {code}")

    async def go(self) -> Result:
        await self.smtp.start()
        await self.hooks.start()
        self.load.webhook = self.hooks.url
        try:
            await self.ground.start(self.say)
            reference = await _references(self.order.folder, self.texts)
            tasks = [asyncio.create_task(work) for work in (self.watch.run(), self.load.run(), self.tell())]
            try:
                wanted = await self.act(tasks[1])
                await self.load.close()
                left = not await settle(
                    self.watch, len(self.attacks.poison), self.order.still_s, LIMIT_S, self.note_settling
                )
                if left:
                    self.note("something is left, and nothing moves any more")
                return await self.end(wanted, reference)
            finally:
                for task in tasks:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
        finally:
            await self.ground.stop()
            await self.smtp.stop()
            await self.hooks.stop()

    async def act(self, posting: asyncio.Task[None]) -> dict[str, int]:
        """Play the script; returns the points that it wanted hit, and how often."""
        everything = points(self.order.code / "streamapp", PREFIX, PREDICTORS)
        rounds = self.order.rounds
        script = full(self.chance, everything, rounds) if rounds else [short(self.chance, core=self.order.core)]
        for number, scenes in enumerate(script, start=1):
            self.note(f"round {number} of {len(script)}: {len(scenes)} attacks")
            for scene in scenes:
                await self.play(scene)
            await asyncio.gather(*self.aside)
        wanted = points_of(script)
        await self.hit_the_rest(wanted)
        if not await until(lambda: len(self.load.accepted) >= self.order.jobs, LIMIT_S):
            self.note(f"only {len(self.load.accepted)} of {self.order.jobs} jobs were accepted")
        posting.cancel()
        self.watch.disarm()
        return wanted

    async def hit_the_rest(self, wanted: dict[str, int]) -> None:
        """Lead workers to what was hit too rarely: a point that was still due when it came up again was hit once."""
        end = time.monotonic() + LAST_POINTS_S * max(1, self.order.rounds)
        while (left := Counter(wanted) - self.watch.hits) and time.monotonic() < end:
            self.note(f"{left.total()} more hits of {len(left)} points")
            for name in left:
                await self.attacks.point(name)

    async def play(self, scene: Scene) -> None:
        """One attack; after most of them a pause, sometimes none."""
        self.note(f"{scene.what} {scene.given}".rstrip())
        attack: Callable[..., Any] = getattr(self.attacks, scene.what)
        given: list[Any] = [float(scene.given) if scene.what in ("lock", "freeze") else scene.given] * bool(scene.given)
        if scene.aside:
            task = asyncio.create_task(attack(*given), name=str(scene))
            self.aside.add(task)
            task.add_done_callback(self.aside.discard)
        else:
            await attack(*given)
        if self.chance.random() > 0.2:
            await asyncio.sleep(self.chance.uniform(0.2, 1.5))

    async def end(self, wanted: dict[str, int], reference: asyncio.Task[dict[str, Any]]) -> Result:
        self.say("reading what is there")
        if not reference.done():
            self.note("waiting for the reports of the undisturbed run")
        fields = await gather(self.ground, self.watch, self.load.accepted, self.attacks.poison)
        taken: dict[str, Any] = {"mails": self.smtp.taken, "hooks": self.hooks.taken}
        evidence = Evidence(**fields, **taken, references=await reference, wrong=self.load.wrong)
        (self.order.folder / "evidence.json").write_text(json.dumps(asdict(evidence), default=str, indent=1))
        verdict: Verdict = await asyncio.to_thread(judge, evidence, Comparison(self.texts))
        chunks, again = await chunks_again(self.ground)
        return Result(
            seed=self.order.seed,
            rounds=self.order.rounds,
            seconds=time.time() - self.began,
            posted=len(self.load.accepted),
            states=dict(Counter(str(job["status"]) for job in evidence.jobs.values())),
            mails=len(self.smtp.taken),
            notifications=len(evidence.inbox),
            kills=dict(self.watch.kills),
            attacks=dict(self.attacks.did),
            left=dict(self.watch.left),
            hits=dict(self.watch.hits),
            wanted=wanted,
            chunks=chunks,
            again=again,
            longest=self.watch.longest,
            hooks=len({hook.id for hook in self.hooks.taken}),
            hook_repeats=len(self.hooks.taken) - len({hook.id for hook in self.hooks.taken}),
            verdict=verdict,
        )

    async def tell(self) -> None:
        """Say how far it is, and tell the load how much is open."""
        while True:
            moves = self.watch.moves
            self.load.backlog = moves.jobs - moves.final
            self.say(
                f"{len(self.load.accepted)} jobs accepted, {moves.final} final, {self.load.open} clients wait, "
                f"{len(self.smtp.taken)} mails, {sum(self.watch.kills.values())} kills, "
                f"{sum(self.watch.hits.values())} points hit, mail server {self.smtp.mode}"
            )
            await asyncio.sleep(SAY_EVERY_S)

    def note_settling(self, text: str) -> None:
        """What is waited for, also where nobody sees the line that is written over."""
        self.say(text)
        if time.monotonic() - self.noted > NOTE_EVERY_S:
            self.noted = time.monotonic()
            self.note(text)


async def _references(folder: Path, texts: list[Text]) -> asyncio.Task[dict[str, Any]]:
    """Begin the undisturbed run, in a process of its own, beside everything else."""
    wanted, reports = folder / "texts.json", folder / "references.json"
    wanted.write_text(json.dumps({text.id: asdict(text) for text in texts}), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chaos.reference", str(wanted), str(reports), cwd=ROOT
    )

    async def done() -> dict[str, Any]:
        if await process.wait() != 0:
            raise RuntimeError(f"the undisturbed run ended with {process.returncode}")
        found: dict[str, Any] = json.loads(reports.read_text(encoding="utf-8"))
        assert all(tuple(report) == FIELDS for report in found.values())
        return found

    return asyncio.create_task(done(), name="references")


async def run(order: Order, say: Callable[[str], None], note: Callable[[str], None]) -> Result:
    """Run it. `say` gets what is going on right now, `note` what has happened."""
    return await _Run(order, say, note).go()
