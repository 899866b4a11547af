"""Documents: what was posted, by reference, and read as tasks want it."""
