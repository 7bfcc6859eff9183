"""The moderator: rules first, then the classifier, then models where there are some; every refusal is audited before it is told.

Implements `ports.Moderator`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NoReturn

from sightline.moderation.audit import AuditLog, Refusal
from sightline.moderation.chain import AuditFault
from sightline.moderation.classifier import Classifier, Watch
from sightline.moderation.evidence import Content
from sightline.moderation.model import Guard
from sightline.moderation.rules import Match, Rules
from sightline.moderation.screen import Held, Screen
from sightline.prompt import Delta
from sightline.protocol.errors import SensitiveContent
from sightline.service.ports import Caller, Loaded

_log = logging.getLogger(__name__)

UNRECORDED = "unrecorded"
"""The audit id of a refusal that could not be written down: it is a refusal all the same."""

_LONG = 4000
"""Characters from which a text is searched in a thread: it may hold the event loop for a millisecond or more."""
_EVIDENCE = 4000
"""Characters of an answer, up to where it was refused, that a reviewer is shown."""


class Moderation:
    """Rules, and optionally a classifier, a guard model for text and one for pictures; without the latter pictures pass unseen."""

    def __init__(
        self,
        rules: Rules,
        audit: AuditLog,
        *,
        classifier: Classifier | None = None,
        classify_answers: bool = False,
        text_guard: Guard | None = None,
        image_guard: Guard | None = None,
    ) -> None:
        """The classifier weighs what callers write; with `classify_answers` also what models answer."""
        self._rules = rules
        self._audit = audit
        self._classifier = classifier
        self._watched = classifier if classify_answers else None
        self._text_guard = text_guard
        self._image_guard = image_guard
        guards = [f"{use}={guard.version}" for use, guard in (("text", text_guard), ("image", image_guard)) if guard]
        classified = [f"classifier={classifier.version}{'+' if classify_answers else ''}"] if classifier else []
        self.version = "/".join((rules.version, *classified, *guards))

    @property
    def looks(self) -> bool:
        """Whether pictures are checked, so that a service can say when they are not."""
        return self._image_guard is not None

    @property
    def unrecorded(self) -> bool:
        """Whether the last refusal could not be audited; readiness and metrics show it."""
        return self._audit.failing

    async def check(self, text: str, caller: Caller) -> None:
        """See `ports.Moderator`."""
        match = await asyncio.to_thread(self._find, text) if len(text) > _LONG else self._find(text)
        if match:
            await self._refuse("input", match.category, match.rule, Content(text=text), caller, span=(match.start, match.end))
        if self._text_guard and (category := await self._text_guard.judge(text, caller.tenant)):
            await self._refuse("input", category, f"model:{self._text_guard.version}", Content(text=text), caller)

    def _find(self, text: str) -> Match | None:
        return self._rules.find(text) or (self._classifier.find(text) if self._classifier else None)

    async def look(self, loaded: Loaded, caller: Caller) -> None:
        """See `ports.Moderator`."""
        if self._image_guard is None:
            return
        if category := await self._image_guard.judge_pictures(loaded.frames, caller.language, caller.tenant):
            pictures = tuple((frame.mime, frame.data) for frame in loaded.frames)
            await self._refuse("image", category, f"model:{self._image_guard.version}", Content(pictures=pictures), caller)

    async def screen(self, deltas: AsyncGenerator[Delta], caller: Caller) -> AsyncGenerator[Delta]:
        """See `ports.Moderator`. With a guard model, text is shown a judged window at a time."""
        screen, held, guard = Screen(self._rules), Held(), self._text_guard
        watch = Watch(self._watched) if self._watched else None
        recent, said, judged = "", 0, 0
        async with aclosing(deltas):
            async for delta in deltas:
                held.add(delta)
                said += len(delta.text)
                # What the guard has not judged yet is never let go.
                kept = max(_EVIDENCE, said - judged + guard.overlap) if guard else _EVIDENCE
                recent = (recent + delta.text)[-kept:]
                if delta.text and (match := screen.feed(delta.text) or (watch.feed(delta.text) if watch else None)):
                    await self._refuse("output", match.category, match.rule, Content(text=recent), caller, span=(match.start, match.end))
                if guard and said - judged >= guard.window:
                    await self._judge(guard, recent, said - judged, caller)
                    judged = said
                clear = min(screen.clear, judged if guard else said, watch.clear if watch else said)
                for shown in held.release(clear):
                    yield shown
        if match := screen.feed("", final=True) or (watch.feed("", final=True) if watch else None):
            await self._refuse("output", match.category, match.rule, Content(text=recent), caller, span=(match.start, match.end))
        if guard and said > judged:
            await self._judge(guard, recent, said - judged, caller)
        for shown in held.release(said):
            yield shown

    async def _judge(self, guard: Guard, recent: str, fresh: int, caller: Caller) -> None:
        """Asks the guard about what is new, with a little of what came before it."""
        if category := await guard.judge(recent[-(fresh + guard.overlap) :], caller.tenant):
            await self._refuse("output", category, f"model:{guard.version}", Content(text=recent), caller)

    async def _refuse(
        self, where: str, category: str, rule: str, content: Content, caller: Caller, *, span: tuple[int, int] | None = None
    ) -> NoReturn:
        try:
            audit_id = await self._audit.record(
                Refusal(where=where, category=category, rule=rule, content=content, tenant=caller.tenant, key_id=caller.key_id, span=span)
            )
        except AuditFault as fault:
            _log.error("a refusal (%s, %s) could not be audited: %s", where, category, fault)
            audit_id = UNRECORDED
        raise SensitiveContent(category, audit_id)
