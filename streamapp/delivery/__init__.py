"""Delivery: e-mails and notifications, each effectively once."""
