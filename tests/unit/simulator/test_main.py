"""The simulator as a process: one line on stdout, a real socket, and a quick and quiet end."""

import json
import subprocess
import sys
import time

import httpx
import pytest


def test_it_says_where_it_listens_serves_drops_and_ends_quietly() -> None:
    command = [sys.executable, "-m", "simulator", "--port", "0", "--devices", "300", "--client-secret", "s3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        started = json.loads(process.stdout.readline())
        try:
            _talk(started)
        finally:
            began = time.monotonic()
            process.terminate()
            output, errors = process.communicate(timeout=10)
    assert time.monotonic() - began < 8, "it waits for no connection to end"
    assert (process.returncode, output, errors) == (0, "", "")


def _talk(started: dict[str, str]) -> None:
    assert started["client_id"].startswith("0e30")
    assert started["client_secret"] == "s3"
    with httpx.Client(base_url=started["url"], timeout=5) as client:
        body = {name: started[name] for name in ("client_id", "client_secret")}
        token = client.post("/v1/token", json={**body, "grant_type": "client_credentials"}).json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        path = "/api/platform/v1/device/endpoints"
        assert len(client.get(path).json()["endpoints"]) == 300
        for action in ({"drop": "before"}, {"drop": "after"}, {"truncate": "connection"}):
            client.post("/_sim/faults", json={"match": {"times": 1}, "action": action})
            with pytest.raises(httpx.RemoteProtocolError):
                client.get("/api/platform/v1/company/companies")
        assert client.get("/api/platform/v1/company/companies").status_code == 200
        assert client.get(started["portal_url"]).status_code == 200
