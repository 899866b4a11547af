"""A `held_app` that, leading its group, sees no topic while the folder HELD has a file `blind`.

So it is when a leader's metadata comes from a broker that is starting.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from aiokafka.cluster import ClusterMetadata
from faust.assignor import PartitionAssignor

from tests.integration.held_app import FOLDER, app

__all__ = ["app"]


class Blind(PartitionAssignor):
    """Shares out what it sees."""

    def assign(self, cluster: ClusterMetadata, member_metadata: MutableMapping[str, Any]) -> Any:
        """As Faust's, of nothing while it is blind."""
        return super().assign(ClusterMetadata() if (FOLDER / "blind").exists() else cluster, member_metadata)


app.conf.PartitionAssignor = Blind  # type: ignore[assignment]  # Faust types it as the path of one
