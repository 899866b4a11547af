"""A second worker at the port of a first one, with keys and without: a sentence with its address, and nothing begun."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from streamapp.testing.deployment import Deployment, until

SETTINGS = {"STREAMAPP_ONLY_TASKS": '["echo"]', "STREAMAPP_DEFAULT_TASK": "echo", "STREAMAPP_DEVICE": "cpu"}


def refused(deployment: Deployment, port: int) -> str:
    """What another worker says at that port, which must end by itself."""
    other = deployment.another({"STREAMAPP_WEB_PORT": str(port)})
    command = [sys.executable, "-m", "faust", "-A", "streamapp", "worker"]
    ended = subprocess.run(
        command, env=other.environment, cwd=other.code, capture_output=True, text=True, timeout=60, check=False
    )
    said = ended.stdout + ended.stderr
    assert (ended.returncode, "Traceback" in said, "model worker" in said) == (69, False, False), said
    [line] = [line for line in ended.stderr.splitlines() if line.startswith("streamapp: ")]
    return line


def test_a_port_that_another_worker_has(broker: str, tmp_path: Path) -> None:
    """I expect its address, also once keys are asked for; of a stranger the process; and the first to go on."""
    with Deployment(broker, tmp_path, SETTINGS) as deployment:
        expected = f"Port {deployment.port} is taken by a streamapp that already runs at {deployment.url}, "
        assert expected in refused(deployment, deployment.port)
        create = [sys.executable, "-m", "streamapp", "keys", "create", "someone"]
        subprocess.run(create, env=deployment.environment, cwd=deployment.code, capture_output=True, check=True)
        until(lambda: deployment.http.get("/openapi.json").status_code == 401, 30, "keys to be asked for")
        assert expected in refused(deployment, deployment.port)
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            port = server.getsockname()[1]
            assert f"Port {port} is taken by " in (said := refused(deployment, port))
            assert f"process {os.getpid()}" in said
        assert deployment.http.get("/healthz").status_code == 200
