"""A site like those that have been there before: a page of its own, and the blueprint."""

from __future__ import annotations

from flask import Flask

from streamapp.intake.flask import blueprint

__all__ = ["app"]

app = Flask(__name__)
app.register_blueprint(blueprint())


@app.get("/")
def home() -> str:
    """The site's own page."""
    return "A site."
