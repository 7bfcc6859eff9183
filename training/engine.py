"""Answers from three sources behind one call: a PyTorch checkpoint, GGUF files in llama.cpp, a running service."""

from __future__ import annotations

import base64
import io
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor

from training.chat import Chat
from training.data import TOKEN, look_mask, to_patches
from training.export import load_model
from training.films import Frames, encode
from training.scenes.boxes import LOCATE
from training.scenes.document_listings import schema_of
from training.scenes.preambles import SYSTEM, Mode, picture_labels
from training.scenes.qa import NOT_ON_PAGE, QA, Task
from training.scoring import Said

Picture = NDArray[np.uint8]


Answer = Callable[[Sequence[Picture], QA], Said]


def data_uri(picture: Picture) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def video_uri(frames: Frames) -> str:
    return "data:video/mp4;base64," + base64.b64encode(encode(frames.film)).decode()


def in_thousandths(boxes: Sequence[dict[str, Any]], pictures: Sequence[Picture]) -> str:
    """The service's boxes in pixels, as a model writes them."""
    told: list[dict[str, Any]] = []
    for box in boxes:
        height, width, _ = pictures[box["image_index"]].shape
        told.append({"bbox_2d": [1000 * p / side for p, side in zip(box["box"], (width, height) * 2, strict=True)], "label": box["label"]})
    return json.dumps(told, ensure_ascii=False)


def system_of(qa: QA) -> str | None:
    """The system message that the service renders for the question's task."""
    modes: dict[Task, Mode] = {"vqa": "vqa", "doc_analyze": "doc", "video_qa": "clip"}
    return SYSTEM[qa.language, modes[qa.task]] if qa.task in modes and qa.skill != "fields" else None


def labels_of(pictures: Sequence[Picture], qa: QA) -> list[str]:
    """What stands before each picture."""
    return picture_labels(qa.language, len(pictures), pictures.times if isinstance(pictures, Frames) else ())


def from_checkpoint(checkpoint: Path, tokenizer: Path, loads: list[Tensor], longest: int = 400) -> Answer:
    """Greedy decoding in float32 without a cache: slow, and beyond doubt. The share of the tokens that every expert gets, [layers,
    experts], is appended to `loads` at every answer."""
    model = load_model(checkpoint)
    chat = Chat(Tokenizer.from_file(str(tokenizer)))

    @torch.no_grad()
    def answer(pictures: Sequence[Picture], qa: QA) -> Said:
        grids = [(p.shape[0] // TOKEN, p.shape[1] // TOKEN) for p in pictures]
        if len(set(grids)) > 1:
            raise ValueError("pictures of one question must be of one size here")
        patches = to_patches(torch.from_numpy(np.stack(pictures)))
        said: list[int] = []
        logprobs: list[float] = []
        while len(said) < longest:
            row = chat.row(system_of(qa), grids, [qa], labels_of(pictures, qa))
            asked = len(row.ids) - len(chat.encode(qa.answer))
            ids = np.concatenate([row.ids[:asked], np.array(said, np.int64)])
            tail = row.positions[0, asked - 1] + 1 + np.arange(len(said))
            positions = np.concatenate([row.positions[:, :asked], np.repeat(tail[None], 3, 0)], 1)
            segment = torch.zeros(1, len(ids), dtype=torch.long)
            logits = model(
                torch.from_numpy(ids)[None],
                torch.from_numpy(positions)[:, None],
                look_mask(segment),
                torch.arange(len(ids)),
                patches,
                (pictures[0].shape[0] // 16, pictures[0].shape[1] // 16),
                torch.from_numpy(np.flatnonzero(ids == chat.image)),
                torch.tensor([len(ids) - 1]),
            )[0][0]
            best = int(logits.argmax())
            logprobs.append(float(logits.log_softmax(-1)[best]))
            if best == chat.end:
                break
            said.append(best)
        loads.append(torch.stack([block.load for block in model.moe_blocks()]))
        return Said(chat.tokenizer.decode(said), tuple(logprobs))

    return answer


def messages(pictures: Sequence[Picture], qa: QA) -> list[dict[str, Any]]:
    """The chat request that the service's tasks send to the engine."""
    content: list[dict[str, Any]] = []
    for label, picture in zip(labels_of(pictures, qa), pictures, strict=True):
        if label:
            content.append({"type": "text", "text": label})
        content.append({"type": "image_url", "image_url": {"url": data_uri(picture)}})
    content.append({"type": "text", "text": qa.text})
    user = {"role": "user", "content": content}
    system = system_of(qa)
    return [user] if system is None else [{"role": "system", "content": system}, user]


def from_gguf(stem: Path, threads: int = 2, longest: int = 400) -> Answer:
    """llama.cpp in this process over `stem`.gguf and `stem`-mmproj.gguf."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(stem.with_name(stem.name + ".gguf"))
    params.mmproj.path = str(stem.with_name(stem.name + "-mmproj.gguf"))
    params.n_ctx, params.n_parallel = 4096, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    params.image_min_tokens, params.image_max_tokens = 4, 64
    params.warmup = False
    params.use_jinja = True
    server = xllamacpp.Server(params)

    def answer(pictures: Sequence[Picture], qa: QA) -> Said:
        request = {"messages": messages(pictures, qa), "temperature": 0, "max_tokens": longest, "logprobs": True, "top_logprobs": 1}
        reply = server.handle_chat_completions(request)
        reply = json.loads(reply) if isinstance(reply, str) else reply
        choice = reply["choices"][0]
        tokens = choice["logprobs"]["content"]
        return Said(choice["message"]["content"], tuple(token["logprob"] for token in tokens))

    return answer


def from_service(base: str) -> Answer:
    """A running service, through its public HTTP API."""

    def answer(pictures: Sequence[Picture], qa: QA) -> Said:
        body: dict[str, Any] = {
            "task": qa.task,
            "images": [video_uri(pictures)] if isinstance(pictures, Frames) else [data_uri(p) for p in pictures],
            "text": qa.text,
            "options": {"temperature": 0, "language": qa.language},
        }
        if qa.task in ("captioning", "ocr", "chart_parse"):  # their tasks ask by themselves; what is said on top is a further wish
            body.pop("text")
        if qa.skill == "fields":
            body.pop("text")
            body["options"] |= {"output": "fields", "schema": schema_of(qa.text)}
        if qa.task == "grounding":  # the text is what is to be found
            before, after = LOCATE[qa.language].split("{x}")
            body["text"] = qa.text.removeprefix(before).removesuffix(after)
        if qa.task == "captioning":
            body["options"] |= {"style": qa.skill.removeprefix("caption_")}
        if not base.startswith(("http://", "https://")):
            raise ValueError("the base address must be http or https")
        request = urllib.request.Request(  # noqa: S310
            base.rstrip("/") + "/infer", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
                result = json.load(reply)["result"]
        except urllib.error.HTTPError as error:  # a refusal is a wrong answer, and worth a look
            told = json.load(error)
            print(f"refused: {qa.skill} {qa.text!r}: {told['code']} {told['msg']}", flush=True)
            return Said("")
        sure = result["confidence"]
        if qa.task == "grounding":
            return Said(in_thousandths(result["structured"]["boxes"], pictures), confidence=sure)
        silent = qa.task == "doc_analyze" and (result.get("structured") or {}).get("found") is False
        return Said(NOT_ON_PAGE[qa.language] if silent else result["answer"], confidence=sure)

    return answer
