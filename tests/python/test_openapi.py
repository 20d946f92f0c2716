"""The flow gateway against the OpenAPI document that it serves, by schemathesis.

schemathesis makes well-formed and malformed requests of each operation, follows the links between them, and says where
an answer is none that the document has. `schemathesis.toml` says what it checks and what it leaves out.
`MAX_EXAMPLES` and `SEED` are for longer runs by hand.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

import database
from server import Server

CONFIG = pathlib.Path(__file__).with_name("schemathesis.toml")
SCHEMATHESIS = pathlib.Path(sys.executable).with_name("schemathesis")
KEY = "demo-tenant-key-1"
MAX_EXAMPLES = os.environ.get("MAX_EXAMPLES", "10")
RUN_SECONDS = 60 + 20 * int(MAX_EXAMPLES)
# It must meet more than 429.
RATE = {
    "TIDINGS__LIMITS__COMMANDS_PER_TENANT_PER_SECOND": "100000",
    "TIDINGS__LIMITS__COMMANDS_PER_TENANT_BURST": "100000",
}


class OpenApi(unittest.TestCase):
    def serve(self, environment):
        server = Server({**RATE, **environment})
        self.addCleanup(server.stop)
        return server

    def conforms(self, environment):
        server = self.serve(environment)
        # One after the other: in one run schemathesis takes some of its malformed requests for well-formed ones.
        for mode in ("positive", "negative"):
            with self.subTest(mode):
                self.conforms_to(server, mode)

    def conforms_to(self, server, mode):
        command = [SCHEMATHESIS, "--config-file", CONFIG, "run", f"{server.http('flow')}/openapi.json"]
        options = ["--mode", mode, "--max-examples", MAX_EXAMPLES, "--no-color"]
        if "SEED" in os.environ:
            options += ["--seed", os.environ["SEED"]]
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [*command, *options],
                cwd=folder,
                env={**os.environ, "TENANT_KEY": KEY},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=RUN_SECONDS,
                check=False,
            )
        if "MAX_EXAMPLES" in os.environ:
            print(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_sqlite(self):
        self.conforms(database.sqlite())

    def test_postgres(self):
        self.conforms(database.postgres())

    def test_what_is_served_is_what_the_command_prints(self):
        server = self.serve({})
        status, served = server.request("flow", "/openapi.json")
        self.assertEqual((status, served), (200, json.loads(server.command("openapi"))))

    def test_a_path_has_the_methods_of_the_document_and_no_others(self):
        server = self.serve({})
        _, document = server.request("flow", "/openapi.json")
        for path, operations in document["paths"].items():
            methods = {method.upper() for method in operations if method != "parameters"}
            with self.assertRaises(urllib.error.HTTPError, msg=path) as refused:
                request = urllib.request.Request(server.http("flow") + path.replace("{id}", "x"), method="PROPFIND")
                urllib.request.urlopen(request, timeout=10)
            answer = refused.exception
            self.assertEqual((answer.code, json.load(answer)["code"]), (405, "method_not_allowed"), path)
            allowed = set(answer.headers["allow"].split(","))
            self.assertEqual(allowed, methods | ({"HEAD"} if "GET" in methods else set()), path)


if __name__ == "__main__":
    unittest.main()
