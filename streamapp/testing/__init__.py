"""Fakes and fixtures that users may use in their own tests."""
