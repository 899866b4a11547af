"""What the rows share: deployments of both pipelines, the mail sink, texts, and load."""
