"""The intake: what may be posted, how it is accepted, and how it is refused."""
