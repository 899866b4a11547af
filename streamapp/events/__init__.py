"""Server-sent events: what changed, told to whoever follows, and told on from where they were."""
