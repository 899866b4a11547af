"""How fast streamapp is, as ratios: against the bare model, and against the pipeline that it replaces."""
