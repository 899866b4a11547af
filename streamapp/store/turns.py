"""When a newcomer has its first credit: what gets credits before it, by the rules of `streamapp.store.credits`."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

from streamapp.store.credits import weight_of
from streamapp.store.sql import AnyRow

__all__ = ["Key", "before", "key_of", "turns_s"]

Key = tuple[str, str, int]


def key_of(row: AnyRow) -> Key:
    """Of a job's row."""
    return (row.tenant, row.id, row.run)


def turns_s(waiting: Sequence[AnyRow], flying: Collection[Key], credit_s: float) -> dict[Key, float]:
    """Seconds of others' work before the first credit of each newcomer among the `waiting`, which are by age.

    A credit is for `credit_s` seconds of work. A tenant's go to the smallest newcomer, the oldest and the rest, and
    every other one to those that are not new.
    """
    owners = {row.tenant: row for row in waiting}
    weights = sum(owner.weight for owner in owners.values())
    turns: dict[Key, float] = {}
    for tenant, owner in owners.items():
        mine = [row for row in waiting if row.tenant == tenant]
        new = [row for row in mine if not row.done and key_of(row) not in flying]
        mixed = len(new) < len(mine)
        by_size = {key_of(row): at for at, row in enumerate(sorted(new, key=lambda row: (row.size, row.created_at)))}
        for at, row in enumerate(new):
            place = (at + by_size[key_of(row)]) / 2
            own = 2 * place + bool(owner.turn) if mixed else place
            turns[key_of(row)] = credit_s * (_before(owner, owners.values()) + own * weights / owner.weight)
    return turns


def before(active: Iterable[AnyRow]) -> dict[Key, float]:
    """How many full chunks of its own each running job would be served until its next credit, at its share.

    All others of its tenant whose pass is less, or the same and who are older, get one each before it.
    """
    lines: dict[str, list[AnyRow]] = {}
    for row in sorted(active, key=lambda row: (row.served, row.started_at or 0.0, row.id)):
        if row.status == "running" and row.waiting:
            lines.setdefault(row.tenant, []).append(row)
    found: dict[Key, float] = {}
    for line in lines.values():
        weights = sum(weight_of(row.priority) for row in line)
        found |= {key_of(row): place * weight_of(row.priority) / weights for place, row in enumerate(line)}
    return found


def _before(owner: AnyRow, owners: Collection[AnyRow]) -> int:
    """Credits that other tenants get before this one's next, by their passes."""
    level = min(each.tenant_served for each in owners)
    mine = _pass(owner, level)
    ahead = ((mine - _pass(each, level)) * each.weight for each in owners if each.tenant != owner.tenant)
    return sum(math.ceil(max(0.0, credits)) for credits in ahead)


def _pass(owner: AnyRow, level: float) -> float:
    """A tenant's, as it counts when credits are given."""
    return float(min(owner.tenant_served, level + 1 / owner.weight))
