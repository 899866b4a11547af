"""The store: the truth about every job, in SQL."""
