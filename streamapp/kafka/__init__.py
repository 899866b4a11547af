"""How Kafka is reached: by every client in the same way, and in words where it is not."""
