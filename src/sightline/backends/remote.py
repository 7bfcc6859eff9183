"""An engine that runs elsewhere (vLLM, SGLang, llama-server, a hosted service): found, watched, and spoken to by `openai.py`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncGenerator
from dataclasses import replace

from sightline.backends.asked import Features
from sightline.backends.defaults import QWEN_MOST_PIXELS, QWEN_VIEW, Recommended
from sightline.backends.dialects import GENERIC, Dialect
from sightline.backends.failures import brief
from sightline.backends.openai import OpenAIClient, Served
from sightline.prompt import Delta, Prompt, View
from sightline.protocol.errors import BackendUnavailable
from sightline.service.ports import ModelInfo

_MOST_NOTICE_S = 1.0
_MISSES = 2
"""Probes that fail in a row before generations without a token are given up."""
_log = logging.getLogger("sightline.backends")


class RemoteBackend:
    """A `Backend` at an address.

    It starts without its server and waits for it: `/v1/models` is asked every `probe_s`, which is also how the model's name (when
    none is given, the first one served) and context are found. `experts` and `active_experts` are what the operator says, since no
    server tells.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        dialect: Dialect = GENERIC,
        model: str | None = None,
        key: str | None = None,
        view: View | None = None,
        max_view_pixels: int = QWEN_MOST_PIXELS,
        experts: int | None = None,
        active_experts: int | None = None,
        recommended: Recommended | None = None,
        connections: int = 256,
        connect_s: float = 5.0,
        stall_s: float = 60.0,
        probe_s: float = 5.0,
        tls: ssl.SSLContext | None = None,
        at: str | None = None,
        features: Features | None = None,
    ) -> None:
        self.name = name
        self._wanted = model
        self._view = replace(view or QWEN_VIEW, encoding=dialect.encoding)
        self._max_view_pixels = max_view_pixels
        self._experts, self._active_experts = experts, active_experts
        self._probe_s, self._probe_limit_s = probe_s, max(connect_s, 2.0)
        self._client = OpenAIClient(
            url,
            dialect=dialect,
            model=model or "",
            key=key,
            recommended=recommended,
            connections=connections,
            connect_s=connect_s,
            stall_s=stall_s,
            tls=tls,
            at=at,
            features=features,
        )
        self._info: ModelInfo | None = None
        self._up = asyncio.Event()
        self._look = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._trouble: str | None = None
        self._noticing: asyncio.Task[None] | None = None
        self._missed = 0

    @property
    def info(self) -> ModelInfo | None:
        return self._info

    @property
    def trouble(self) -> str | None:
        """Why it is not ready, in a few words that may be shown: no address, nothing that the server said. None while it is."""
        return None if self._trouble is None else brief(self._trouble)

    async def start(self) -> None:
        """Looks for the server once, and goes on looking in the background."""
        if self._watch is None:
            await self._probe()
            self._watch = asyncio.create_task(self._keep_probing(), name=f"probe {self.name}")

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        self._up.clear()
        await self._client.close()

    def ready(self) -> bool:
        return self._up.is_set()

    async def wait_ready(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    def generate(self, prompt: Prompt, *, tenant: str) -> AsyncGenerator[Delta]:
        """See `Backend.generate`."""
        # Where it fails: is the server gone, or was it this one answer? Whoever acts on the failure should know.
        return self._client.generate(prompt, tenant=tenant, failed=self._notice)

    async def decoded_tokens(self) -> int:
        """See `OpenAIClient.decoded_tokens`."""
        return await self._client.decoded_tokens()

    async def under_way(self) -> int | None:
        """See `OpenAIClient.under_way`."""
        return await self._client.under_way()

    async def _notice(self) -> None:
        """Looks at the server now, once for all who ask at the same time."""
        if not self._up.is_set():
            return
        if self._noticing is None or self._noticing.done():
            self._noticing = asyncio.create_task(self._probe(), name=f"notice {self.name}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_MOST_NOTICE_S):
                await asyncio.shield(self._noticing)

    async def _keep_probing(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._probe_s):
                    await self._look.wait()
            self._look.clear()
            await self._probe()

    async def _probe(self) -> None:
        try:
            async with asyncio.timeout(self._probe_limit_s):
                served = await self._client.models()
        except (BackendUnavailable, TimeoutError) as error:
            self._away(error.cause or "away" if isinstance(error, BackendUnavailable) else "no answer in time")
            self._missed += 1
            if self._missed >= _MISSES:
                # It hangs: who has no token yet is better off elsewhere than waiting for the end of `stall_s`.
                self._client.cut_unanswered("the server stopped answering")
            return
        self._missed = 0
        found = next((entry for entry in served if self._wanted in (None, entry.id)), None)
        if found is None:
            names = ", ".join(entry.id for entry in served[:8]) or "no model"
            self._away(f"{self._wanted or 'a model'} is not served there; it serves {names}")
            return
        self._client.model = found.id
        context = found.context_tokens or await self._client.context_tokens()
        self._here(found, context)

    def _here(self, found: Served, context: int | None) -> None:
        self._info = ModelInfo(
            name=found.id,
            view=self._view,
            max_view_pixels=self._max_view_pixels,
            context_tokens=context,
            experts=self._experts,
            active_experts=self._active_experts,
        )
        if not self._up.is_set():
            _log.info("backend %s: ready with %s", self.name, found.id)
        self._trouble = None
        self._up.set()

    def _away(self, trouble: str) -> None:
        if self._trouble != trouble:
            _log.warning("backend %s: not available: %s", self.name, trouble)
        self._trouble = trouble
        self._up.clear()
        self._client.forget_pictures()
