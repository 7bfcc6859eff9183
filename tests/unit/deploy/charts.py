"""The chart as an operator would install it, rendered by helm, and the schemas that its objects are checked against."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "sightline"
SCHEMAS = Path(__file__).parent / "schemas"
KUBERNETES = ("1.30.0", "1.34.0", "1.37.0")
"""The oldest that the chart allows, and newer ones."""

Object = dict[str, Any]


@functools.cache
def helm() -> str:
    """The program; skips where there is none."""
    beside = Path(sys.executable).parent / "helm"
    found = str(beside) if beside.exists() else shutil.which("helm")
    if not found:
        pytest.skip("helm is not installed here: python deploy/fetch_helm.py")
    return found


def run_helm(*settings: str, values: str = "") -> subprocess.CompletedProcess[str]:
    """`helm template`; `settings` are as --set takes them, `values` is a file's text."""
    chosen = [argument for setting in settings for argument in ("--set", setting)]
    command = [helm(), "template", "demo", str(CHART), "--namespace", "eyes", "--kube-version", KUBERNETES[0], *chosen]
    if values:
        command += ["--values", "-"]
    return subprocess.run(command, input=values, capture_output=True, text=True, check=False, timeout=60)


@functools.cache
def render(*settings: str, values: str = "") -> tuple[Object, ...]:
    """Every object of the chart."""
    ran = run_helm(*settings, values=values)
    assert ran.returncode == 0, ran.stderr
    return tuple(each for each in yaml.safe_load_all(ran.stdout) if each)


def of_kind(objects: tuple[Object, ...], kind: str) -> dict[str, Object]:
    """The objects of a kind by their names."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


@functools.cache
def _kubernetes(version: str) -> Any:
    from importlib.resources import files

    from referencing import Registry, Resource

    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}-local-strict"
    definitions = Resource.from_contents(json.loads((folder / "_definitions.json").read_text()))
    return folder, definitions @ Registry()


@functools.cache
def _validator(api: str, kind: str, version: str) -> Any:
    import jsonschema

    custom = SCHEMAS / f"{kind.lower()}.json"
    if custom.exists():
        return jsonschema.Draft202012Validator(json.loads(custom.read_text()))
    folder, registry = _kubernetes(version)
    # rbac.authorization.k8s.io/v1 -> rbac-v1
    name = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api)
    schema = json.loads((folder / f"{kind.lower()}-{name}.json").read_text())
    return jsonschema.Draft202012Validator(schema, registry=registry)


def problems(thing: Object, version: str) -> list[str]:
    """What Kubernetes `version`, or the CRD, would find wrong with an object."""
    pytest.importorskip("kubernetes_validate", reason="the schemas of Kubernetes are not installed: pip install kubernetes-validate")
    found = _validator(thing["apiVersion"], thing["kind"], version).iter_errors(thing)
    return [f"{'.'.join(map(str, error.path))}: {error.message}" for error in found]
