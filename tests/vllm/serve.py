"""`vllm serve` on a machine without a GPU: `python serve.py MODEL [options]`, in the environment of `make test-vllm`.

torchvision's wheel on PyPI is built for CUDA and cannot load its own operators without it. Two of them have to be declared before it is
imported; none is ever called here.
"""

from __future__ import annotations

import sys

import torch


def declare_operators() -> list[torch.library.Library]:
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return [library]


def main() -> None:
    kept = declare_operators()
    from vllm.entrypoints.cli.main import main as serve

    sys.argv = ["vllm", "serve", *sys.argv[1:]]
    serve()
    del kept


if __name__ == "__main__":
    main()
