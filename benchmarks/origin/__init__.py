"""The pipeline that streamapp replaces, as an ordinary team would build it: the baseline of the benchmark.

Flask under gunicorn, kafka-python with a flush in each request, one process for each consumer, one message at a time,
no consumer group, topics with one partition. Each module is a process of its own. What it computes is the same as
streamapp's task `summarize` (the same split, reduce and plot), so that only the pipeline differs.
"""

from __future__ import annotations

__all__ = ["EMAIL", "INFERENCE", "NOTIFICATION"]

INFERENCE, NOTIFICATION, EMAIL = "INFERENCE", "NOTIFICATION", "EMAIL"
