"""What deploys the gateway: the Dockerfile linted, the manifests against the schemas of Kubernetes, and their variables and
probes against the built server. No image is built and no cluster is needed."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest

import jsonschema
import kubernetes_validate
import yaml

from server import BINARY, ROOT

KUBERNETES_VERSIONS = ("1.30.0", "1.33.0", "1.37.0")
START_SECONDS = 20
CHART = ROOT / "charts/tidings"
MANIFEST = ROOT / "charts/phase5/websocket-service.yaml"
COMPOSE = ROOT / "deploy/compose.yaml"
DAPR = ROOT / "dapr-components"
IMAGE_BINARY = "/usr/local/bin/tidings"


def documents(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def tidings(*args, environment=None):
    return subprocess.run([BINARY, *args], env={**os.environ, **(environment or {})}, capture_output=True, text=True, timeout=30, check=False)


def printed_scopes():
    """The scopes that the task document prints."""
    page = (ROOT / "tests/documents/seeds/task-updates.md").read_text()
    block = re.search(r"```yaml\n(scopes:\n.*?)```", page, re.DOTALL).group(1)
    return yaml.safe_load(block)["scopes"]


class Dockerfile(unittest.TestCase):
    text = (ROOT / "Dockerfile").read_text()

    def test_hadolint_finds_nothing(self):
        hadolint = pathlib.Path(sys.executable).parent / "hadolint"
        done = subprocess.run([hadolint, "--no-color", "--failure-threshold", "style", ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_it_lies_where_the_document_builds(self):
        self.assertTrue((ROOT / "services/websocket-service/Dockerfile").samefile(ROOT / "Dockerfile"))

    def test_what_it_copies_is_there_is_sent_and_is_the_whole_workspace(self):
        copied = [source for line in re.findall(r"^COPY (?!--from)(.+)$", self.text, re.MULTILINE) for source in line.split()[:-1]]
        sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
        for source in copied:
            self.assertTrue((ROOT / source).exists(), source)
            self.assertIn(source, sent)
        for member in tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["members"]:
            self.assertIn(member.split("/")[0], copied)

    def test_features_and_toolchain_are_those_of_the_workspace(self):
        features = tomllib.loads((ROOT / "crates/tidings/Cargo.toml").read_text())["features"]
        for feature in re.search(r"--features (\S+)", self.text).group(1).split(","):
            self.assertIn(feature, features)
        version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
        self.assertIn(f"FROM rust:{version}-", self.text)

    def test_it_runs_as_nobody_and_asks_the_gateway(self):
        final = self.text[self.text.rindex("\nFROM ") :]
        self.assertRegex(final, r"FROM gcr\.io/distroless/\S+:nonroot\n")
        self.assertRegex(final, r"\nUSER 65532:65532\n")
        self.assertIn(f'CMD ["{IMAGE_BINARY}", "healthcheck"]', final)


class PlainManifest(unittest.TestCase):
    resources = {document["kind"]: document for document in documents(MANIFEST)}

    @property
    def container(self):
        return self.resources["Deployment"]["spec"]["template"]["spec"]["containers"][0]

    def test_kubernetes_takes_it(self):
        for version in KUBERNETES_VERSIONS:
            for resource in self.resources.values():
                kubernetes_validate.validate(resource, version, strict=True)

    def test_the_schemas_find_what_is_wrong(self):
        broken = json.loads(json.dumps(self.resources["Deployment"]))
        broken["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(broken, KUBERNETES_VERSIONS[0], strict=True)

    def test_the_names_are_those_of_the_document(self):
        deployment, service = self.resources["Deployment"], self.resources["Service"]
        template = deployment["spec"]["template"]
        self.assertEqual([deployment["metadata"]["name"], service["metadata"]["name"], self.container["name"]], ["websocket-service"] * 3)
        labels = {"app": "websocket-service"}
        self.assertEqual([template["metadata"]["labels"], deployment["spec"]["selector"]["matchLabels"], service["spec"]["selector"]], [labels] * 3)
        self.assertEqual(self.container["image"], "websocket-service:latest")
        annotations = template["metadata"]["annotations"]
        self.assertEqual([annotations["dapr.io/app-id"], annotations["dapr.io/app-port"]], ["websocket-service", "8004"])
        self.assertEqual([port["port"] for port in service["spec"]["ports"]], [8004])

    def test_its_variables_and_probes_do_on_the_built_server(self):
        data_dir = tempfile.mkdtemp(prefix="tidings-")
        environment = {variable["name"]: variable["value"] for variable in self.container["env"]}
        with open(f"{data_dir}/server.log", "wb") as log:
            server = subprocess.Popen([BINARY, "--data-dir", data_dir], env={**os.environ, **environment}, stdout=log, stderr=log)
        try:
            probes = [self.container[f"{name}Probe"]["exec"]["command"] for name in ("startup", "liveness", "readiness")]
            self.assertEqual({command[0] for command in probes}, {IMAGE_BINARY})
            wait_for(lambda: tidings(*probes[0][1:]).returncode == 0 or server.poll() is not None, "the startup probe's success")
            for command in probes:
                done = tidings(*command[1:])
                self.assertEqual(done.returncode, 0, f"{command}: {done.stderr}{pathlib.Path(data_dir, 'server.log').read_text()}")
            server.terminate()
            self.assertEqual(server.wait(15), 0)
            self.assertEqual([tidings(*command[1:]).returncode for command in probes], [1, 1, 1])
        finally:
            server.kill()
            server.wait()
            shutil.rmtree(data_dir)


class DaprComponents(unittest.TestCase):
    def test_the_component_has_the_scopes_that_the_document_prints(self):
        [component] = documents(DAPR / "pubsub-kafka.yaml")
        self.assertEqual(component["scopes"], printed_scopes())

    def test_they_are_about_what_the_gateway_subscribes_to(self):
        [component] = documents(DAPR / "pubsub-kafka.yaml")
        [subscription] = documents(DAPR / "subscription-task-updates.yaml")
        [resiliency] = documents(DAPR / "resiliency.yaml")
        effective = tidings("check-config", "--print-effective").stdout
        for key, value in {
            "pubsub_name": component["metadata"]["name"],
            "topic": subscription["spec"]["topic"],
            "route": subscription["spec"]["routes"]["default"],
        }.items():
            self.assertRegex(effective, rf'(?m)^{key} = "{re.escape(value)}"')
        self.assertEqual(subscription["spec"]["pubsubname"], component["metadata"]["name"])
        self.assertIn(component["metadata"]["name"], resiliency["spec"]["targets"]["components"])
        self.assertEqual([subscription["scopes"], resiliency["scopes"]], [["websocket-service"]] * 2)


class Compose(unittest.TestCase):
    services = yaml.safe_load(COMPOSE.read_text())["services"]

    def test_it_publishes_on_the_loopback_alone(self):
        for name, service in self.services.items():
            for port in service.get("ports", []):
                self.assertTrue(port.startswith("127.0.0.1:"), f"{name}: {port}")

    def test_the_door_leads_to_the_gateways_listeners(self):
        gateway = self.services["gateway"]
        door = yaml.safe_load(COMPOSE.read_text())["configs"]["door"]["content"]
        inside = dict(re.findall(r"listen (\d+); proxy_pass 127\.0\.0\.1:(\d+);", door))
        outside = dict(port.split(":")[1:] for port in gateway["ports"])
        listens = [value.split(":")[1] for key, value in gateway["environment"].items() if key.endswith("__LISTEN")]
        self.assertEqual(len(listens), 4)
        for port in listens:
            self.assertEqual(inside[outside[port]], port)

    def test_the_gateway_takes_its_variables(self):
        environment = {key: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for key, value in self.services["gateway"]["environment"].items()}
        done = tidings("check-config", environment=environment)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_it_mounts_is_there(self):
        for service in self.services.values():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue((COMPOSE.parent / source).exists(), source)


class Chart(unittest.TestCase):
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def test_the_values_fit_their_schema(self):
        jsonschema.Draft7Validator.check_schema(self.schema)
        jsonschema.validate(self.values, self.schema, jsonschema.Draft7Validator)

    def test_the_schema_refuses(self):
        for path, value in {
            "mode": "test",
            "replicaCount": 2,
            "gateways.tasks.port": "8004",
            "gateways.chat": {"enabled": True},
            "origins.allowed": ["https://app.example.com/path"],
            "auth.jwt.audience": "tidings",
            "auth.jwt.secretName": "x",
            "podDisruptionBudget.maxUnavailable": 0,
        }.items():
            values = json.loads(json.dumps(self.values))
            *parents, key = path.split(".")
            place = values
            for parent in parents:
                place = place[parent]
            place[key] = value
            with self.assertRaises(jsonschema.ValidationError, msg=path):
                jsonschema.validate(values, self.schema, jsonschema.Draft7Validator)

    def test_it_is_of_the_version_of_the_workspace(self):
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
        self.assertEqual(chart["appVersion"], workspace["version"])


def wait_for(probe, what):
    deadline = time.monotonic() + START_SECONDS
    while not probe():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {START_SECONDS} s")
        time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
