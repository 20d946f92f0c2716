"""A running server on free ports, with a data directory of its own."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("TIDINGS_BIN", ROOT / "target/release/tidings"))
GATEWAYS = ("flow", "tasks", "workflows", "operators")
START_SECONDS = 20


class Server:
    def __init__(self, environment=None):
        if not BINARY.exists():
            raise RuntimeError(f"no server at {BINARY}: run `cargo build --release` or set TIDINGS_BIN")
        self.data_dir = pathlib.Path(tempfile.mkdtemp(prefix="tidings-"))
        listens = {f"TIDINGS__{name.upper()}__LISTEN": "127.0.0.1:0" for name in GATEWAYS}
        self._log = (self.data_dir / "server.log").open("wb")
        self._environment = {**os.environ, **(environment or {})}
        self._process = subprocess.Popen(
            [BINARY, "--data-dir", self.data_dir],
            env={**listens, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._wait_until_ready()
        except Exception as error:
            log = (self.data_dir / "server.log").read_text(errors="replace")
            self.stop()
            raise RuntimeError(f"the server did not start: {error}\n--- its log ---\n{log}") from error

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                listeners = json.loads((self.data_dir / "listeners.json").read_text())
                self.addresses = {name: _first(listeners[name]) for name in GATEWAYS}
                for name in GATEWAYS:
                    self.request(name, "/health")
                return
            except (OSError, KeyError, ValueError, urllib.error.URLError) as error:
                if self._process.poll() is not None:
                    raise RuntimeError(f"it ended with {self._process.returncode}") from error
                if time.monotonic() > deadline:
                    raise RuntimeError(f"not ready within {START_SECONDS} s: {error!r}") from error
                time.sleep(0.05)

    def http(self, gateway):
        return f"http://{self.addresses[gateway]}"

    def ws(self, gateway):
        return f"ws://{self.addresses[gateway]}"

    def command(self, *args):
        done = subprocess.run([BINARY, "--data-dir", self.data_dir, *args], env=self._environment, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"tidings {args[0]} ended with {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def token(self, *args):
        return self.command("token", "create", *args, "--quiet")

    def request(self, gateway, path, body=None, method=None, token=None, content_type="application/json"):
        headers = {"content-type": content_type} if body is not None else {}
        if token:
            headers["authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.http(gateway) + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.loads(response.read() or b"null")

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            self._log.close()
            shutil.rmtree(self.data_dir, ignore_errors=True)


def _first(address):
    return address[0] if isinstance(address, list) else address
