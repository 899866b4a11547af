"""Jobs: planning them, collecting their results, and finding what a crash left undone."""
