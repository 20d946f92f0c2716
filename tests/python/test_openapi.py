"""The gateways against the OpenAPI documents that they serve, by schemathesis.

schemathesis makes well-formed and malformed requests of each operation, follows the links between them, and says where
an answer is none that the document has. `schemathesis-<gateway>.toml` says what it checks and what it leaves out.
`MAX_EXAMPLES` and `SEED` are for longer runs by hand.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

import database
from server import Server

FOLDER = pathlib.Path(__file__).parent
SCHEMATHESIS = pathlib.Path(sys.executable).with_name("schemathesis")
KEY = "demo-tenant-key-1"
MAX_EXAMPLES = os.environ.get("MAX_EXAMPLES", "10")
RUN_SECONDS = 60 + 20 * int(MAX_EXAMPLES)
ENVIRONMENT = {
    # It must meet more than 429.
    "TIDINGS__LIMITS__COMMANDS_PER_TENANT_PER_SECOND": "100000",
    "TIDINGS__LIMITS__COMMANDS_PER_TENANT_BURST": "100000",
    # It would wait for the end of a stream that it opens; without a user's token it opens none.
    "TIDINGS__TASKS__TOKEN_REQUIRED": "true",
}
# A value of each parameter in a path.
PATH = re.compile(r"\{[a-z_]+\}")


class OpenApi(unittest.TestCase):
    def serve(self, environment):
        server = Server({**ENVIRONMENT, **environment})
        self.addCleanup(server.stop)
        return server

    def conforms(self, gateway, environment):
        server = self.serve(environment)
        # An operator may all that a service may.
        credentials = {"TENANT_KEY": KEY, "BEARER_TOKEN": server.token("--operator")}
        # One after the other: in one run schemathesis takes some of its malformed requests for well-formed ones.
        for mode in ("positive", "negative"):
            with self.subTest(mode):
                self.conforms_to(gateway, server.http(gateway), mode, credentials)

    def conforms_to(self, gateway, url, mode, credentials):
        config = FOLDER / f"schemathesis-{gateway}.toml"
        command = [SCHEMATHESIS, "--config-file", config, "run", f"{url}/openapi.json"]
        options = ["--mode", mode, "--max-examples", MAX_EXAMPLES, "--no-color"]
        if "SEED" in os.environ:
            options += ["--seed", os.environ["SEED"]]
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [*command, *options],
                cwd=folder,
                env={**os.environ, **credentials},
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

    def test_flow_on_sqlite(self):
        self.conforms("flow", database.sqlite())

    def test_flow_on_postgres(self):
        self.conforms("flow", database.postgres())

    def test_tasks(self):
        self.conforms("tasks", database.sqlite())

    def test_workflows_on_sqlite(self):
        self.conforms("workflows", database.sqlite())

    def test_workflows_on_postgres(self):
        self.conforms("workflows", database.postgres())

    def test_what_is_served_is_what_the_command_prints(self):
        server = self.serve({})
        for kind in ("openapi", "asyncapi"):
            for gateway in ("flow", "tasks", "workflows"):
                status, served = server.request(gateway, f"/{kind}.json")
                self.assertEqual((status, served), (200, json.loads(server.command(kind, gateway))), gateway)
            with self.assertRaises(urllib.error.HTTPError) as refused:
                server.request("operators", f"/{kind}.json")
            self.assertEqual(refused.exception.code, 404)

    def test_a_listener_that_gateways_share_has_one_document_of_all(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % free.getsockname()[1]
        server = self.serve({f"TIDINGS__{name}__LISTEN": address for name in ("FLOW", "TASKS", "WORKFLOWS")})
        for kind in ("openapi", "asyncapi"):
            for gateway in ("flow", "tasks", "workflows"):
                _, served = server.request(gateway, f"/{kind}.json")
                self.assertEqual(served, json.loads(server.command(kind)), gateway)

    def test_dapr_has_a_document_where_it_listens(self):
        server = self.serve({"TIDINGS__TASKS__INGEST_LISTEN": "127.0.0.1:0", "TIDINGS__TASKS__DAPR__ROUTE": "/deliveries"})
        listeners = json.loads((server.data_dir / "listeners.json").read_text())
        with urllib.request.urlopen(f"http://{listeners['ingest'][0]}/openapi.json", timeout=10) as answer:
            self.assertIn("/deliveries", json.load(answer)["paths"])
        _, tasks = server.request("tasks", "/openapi.json")
        self.assertEqual([path for path in tasks["paths"] if "dapr" in path or "deliver" in path], [])

    def test_a_path_has_the_methods_of_the_document_and_no_others(self):
        server = self.serve({})
        for gateway in ("flow", "tasks", "workflows"):
            _, document = server.request(gateway, "/openapi.json")
            for path, operations in document["paths"].items():
                methods = {method.upper() for method in operations if method != "parameters"}
                with self.assertRaises(urllib.error.HTTPError, msg=path) as refused:
                    url = server.http(gateway) + PATH.sub("x", path)
                    urllib.request.urlopen(urllib.request.Request(url, method="PROPFIND"), timeout=10)
                answer = refused.exception
                self.assertEqual((answer.code, json.load(answer)["code"]), (405, "method_not_allowed"), path)
                allowed = set(answer.headers["allow"].split(","))
                beside = {"HEAD"} if "GET" in methods else set()
                # Preflights, which no document lists.
                beside |= {"OPTIONS"} if path.endswith("/sse") else set()
                self.assertEqual(allowed, methods | beside, path)

    def test_a_stream_is_answered_as_documented(self):
        server = self.serve({"TIDINGS__TASKS__TOKEN_REQUIRED": "true"})
        token = server.token("--user", "ann")
        for gateway, path, requests in (
            ("tasks", "/sse", [("", 400, "missing_user_id"), ("?user_id=ann", 401, "missing_token"), ("?token=x", 401, "invalid_token"), (f"?token={token}", 200, None)]),
            ("workflows", "/api/v1/sse", [
                ("", 401, "missing_token"), ("?token=x", 401, "invalid_token"), (f"?token={token}", 200, None),
                (f"?token={token}&room=execution:1", 403, "forbidden"), (f"?token={token}" + "&room=user:ann" * 129, 400, "invalid_parameter"),
            ]),
        ):
            _, document = server.request(gateway, "/openapi.json")
            responses = document["paths"][path]["get"]["responses"]
            for query, status, code in requests:
                with self.subTest(gateway=gateway, query=query[:12], status=status):
                    try:
                        # Closed without reading to its end, which there is not.
                        answer = urllib.request.urlopen(server.http(gateway) + path + query, timeout=10)
                    except urllib.error.HTTPError as refusal:
                        answer = refusal
                    with answer:
                        self.assertEqual(answer.status, status)
                        response = responses[str(status)]
                        if "$ref" in response:
                            response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
                        ((media_type, content),) = response["content"].items()
                        self.assertEqual(answer.headers.get_content_type(), media_type)
                        if code:
                            self.assertEqual(json.load(answer)["code"], code)
                            self.assertIn(code, content["schema"]["allOf"][1]["properties"]["code"]["enum"])
                        for name, header in response.get("headers", {}).items():
                            self.assertTrue(answer.headers[name] or not header.get("required"), name)


if __name__ == "__main__":
    unittest.main()
