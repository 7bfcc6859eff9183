"""A simulated engine, for unit tests and load measurements only: it stands where a model would and says so wherever it answers.

It has what a load measurement needs of an engine (slots, a prefill speed, a decode speed, a queue, cancellation that stops
the decoding) and nothing of a model: its answer is a pure function of the prompt, the same in every process.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, cast

from sightline.prompt import Delta, Frame, Prompt, TokenLogprob, Usage, View
from sightline.protocol.errors import BackendUnavailable
from sightline.service.ports import ModelInfo

FAKE_INFO = ModelInfo(
    name="fake",
    view=View(min_pixels=64 * 64, max_pixels=256 * 1024),
    max_view_pixels=1024 * 1024,
    context_tokens=8192,
    experts=None,
    active_experts=None,
    fake=True,
)
_WORDS = re.findall(r"\S+", "a red circle stands left of the blue square and above 7 small bars 图 中 有 红色 圆形 在 蓝色 方块 左边")


class FakeBackend:
    """A `Backend` without a model.

    `prefill_tokens_per_s` and `decode_tokens_per_s` are per slot; infinity means no waiting. `answer_tokens` fixes the length of
    free answers, else it follows from the prompt (8 to 40 words). A prompt with a schema gets an instance of that schema.
    """

    def __init__(
        self,
        name: str = "fake",
        info: ModelInfo = FAKE_INFO,
        *,
        prefill_tokens_per_s: float = 5000.0,
        decode_tokens_per_s: float = 200.0,
        slots: int = 4,
        answer_tokens: int | None = None,
    ) -> None:
        self.name = name
        self._info = replace(info, fake=True)
        self._prefill = prefill_tokens_per_s
        self._decode = decode_tokens_per_s
        self._slots = asyncio.Semaphore(slots)
        self._answer_tokens = answer_tokens
        self._up = asyncio.Event()
        self._up.set()
        self._decoded = 0

    @property
    def info(self) -> ModelInfo | None:
        return self._info

    async def start(self) -> None:
        """Nothing to start: it is there at once."""

    async def close(self) -> None:
        """Nothing to close."""

    def ready(self) -> bool:
        return self._up.is_set()

    async def wait_ready(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    def set_up(self, up: bool) -> None:
        """Takes the engine away, or brings it back; generations under way break off at their next token."""
        if up:
            self._up.set()
        else:
            self._up.clear()

    async def decoded_tokens(self) -> int:
        """Tokens decoded since the start, cancelled generations included."""
        return self._decoded

    async def generate(self, prompt: Prompt, *, tenant: str) -> AsyncGenerator[Delta]:
        """See `Backend.generate`. The tenant changes nothing: there is no prefix cache to separate."""
        self._check_up()
        answer = _instance_text(prompt.schema) if prompt.schema is not None else _prose(prompt, self._answer_tokens)
        for stop in prompt.sampling.stop:
            answer = answer.split(stop, 1)[0]
        tokens = _tokens(answer)
        finish = "length" if len(tokens) > prompt.sampling.max_tokens else "stop"
        tokens = tokens[: prompt.sampling.max_tokens]
        usage = Usage(prompt_tokens(prompt), len(tokens))
        async with self._slots:
            await asyncio.sleep(usage.input_tokens / self._prefill)
            clock = asyncio.get_running_loop()
            start, sent = clock.time(), 0
            while sent < len(tokens):
                self._check_up()
                # Tokens that are due by now leave together, as they do from an engine whose reader was busy.
                due = min(len(tokens), _whole((clock.time() - start) * self._decode, len(tokens)))
                if due == sent:
                    await asyncio.sleep(start + (sent + 1) / self._decode - clock.time())
                    continue
                piece = tokens[sent:due]
                self._decoded += len(piece)
                sent = due
                yield Delta(text="".join(piece), logprobs=tuple(TokenLogprob(token, _logprob(token)) for token in piece))
                await asyncio.sleep(0)
        yield Delta(finish=finish, usage=usage)

    def _check_up(self) -> None:
        if not self._up.is_set():
            raise BackendUnavailable(cause="the fake engine was taken away")


def prompt_tokens(prompt: Prompt) -> int:
    """Input tokens of a prompt as this engine counts them: visual tokens, and one for every four characters."""
    characters = sum(len(part) for message in prompt.messages for part in message.parts if isinstance(part, str))
    return prompt.visual_tokens + math.ceil(characters / 4) + 4 * len(prompt.messages)


def _whole(value: float, most: int) -> int:
    return most if value >= most or math.isnan(value) else int(value)


def _digest(prompt: Prompt) -> bytes:
    """Everything of the prompt that may change an answer."""
    hasher = hashlib.sha256()
    for message in prompt.messages:
        for part in message.parts:
            said = part.digest if isinstance(part, Frame) else part
            hasher.update(f"{message.role}\0{said}\0".encode())
    hasher.update(str(prompt.sampling.seed).encode())
    return hasher.digest()


def _prose(prompt: Prompt, count: int | None) -> str:
    seed = _digest(prompt)
    count = 8 + seed[0] % 33 if count is None else count
    words = [_WORDS[seed[index % 31 + 1] % len(_WORDS)] for index in range(max(0, count - 1))]
    return " ".join(["Simulated:", *words])


def _tokens(text: str) -> list[str]:
    """One token a word, blanks in front, so that the pieces joined are the text."""
    words = text.split(" ")
    return [words[0]] * bool(text) + [" " + word for word in words[1:]]


def _logprob(token: str) -> float:
    """Between -0.05 and -0.5, by the token alone."""
    return -0.05 - 0.45 * hashlib.sha256(token.encode()).digest()[0] / 255


def _instance_text(schema: dict[str, Any]) -> str:
    return json.dumps(_instance(schema, schema), ensure_ascii=False, separators=(", ", ": "))


def _instance(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """The plainest value of a JSON Schema: first alternatives, least counts."""
    if "$ref" in schema:
        target: Any = root
        for step in cast("str", schema["$ref"]).removeprefix("#/").split("/"):
            target = target[step]
        return _instance(target, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for combination in ("anyOf", "oneOf", "allOf"):
        if combination in schema:
            return _instance(schema[combination][0], root)
    kind: Any = schema.get("type", "object" if "properties" in schema else "string")
    match cast("list[str]", kind)[0] if isinstance(kind, list) else kind:
        case "object":
            properties = cast("dict[str, Any]", schema.get("properties", {}))
            return {name: _instance(inner, root) for name, inner in properties.items()}
        case "array":
            return [_instance(schema.get("items", {}), root)] * max(1, schema.get("minItems", 1))
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return "simulated".ljust(schema.get("minLength", 0), ".")
