"""The intake: any JSON body goes to Kafka, and the request waits for the flush."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request
from flask_cors import CORS

from benchmarks.origin import INFERENCE
from benchmarks.origin.config import producer

__all__ = ["app"]

app = Flask(__name__)
CORS(app)
_producer = producer()


@app.post("/kafka/pushToConsumers")
def push_to_consumers() -> Response:
    """Send the body on."""
    request.get_json(force=True)
    _producer.send(INFERENCE, request.get_data())
    _producer.flush()
    return jsonify({"message": "You will receive an email in a short while with the plot", "status": "Pass"})
