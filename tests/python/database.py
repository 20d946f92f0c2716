"""Both databases that the store runs on: the environment of a server with a database of its own."""

import pathlib
import subprocess
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
POSTGRES = ROOT / "target/services/postgres.url"


def sqlite():
    return {}


def postgres():
    if not POSTGRES.exists():
        raise RuntimeError("no PostgreSQL: run `scripts/services start postgres`")
    url = POSTGRES.read_text()
    schema = f"test_{uuid.uuid4().hex}"
    subprocess.run(["psql", url, "--quiet", "--command", f"CREATE SCHEMA {schema}"], check=True)
    return {"TIDINGS__STORE__URL": f"{url}?options=-csearch_path%3D{schema}", "TIDINGS__STORE__MIGRATE": "true"}
