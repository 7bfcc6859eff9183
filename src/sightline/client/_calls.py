"""Every call of the SDK, written once and without I/O.

A call is a generator of steps (see `_steps`). What does the I/O (`_sync`, `_async`) carries them out and sends back what
came of them, or throws in what went wrong; it hands what is in `Emit` to the caller. So order, time limits, retries and
errors are the same for both clients.

Time: a call has `timeout` seconds of waiting for the service, retries included; what the caller takes between two tokens
does not count. What is left goes along as `options.timeout_ms`, and the service ends the call by itself; this side gives up
`GRACE` later, in case the service is silent. Where nobody says a time, it is the task's (see `_times`).
Retries: only for what the table of errors calls retryable, never after the first token, and never past the time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from sightline.client import _replies
from sightline.client._body import AskedTurn, Body, FileBody, OnProgress, Watched, compose
from sightline.client._media import File, Image, Source, open_file, read
from sightline.client._steps import Emit, Exchange, Head, Inner, Read, Send, Service, Step, Wait, Work
from sightline.client._times import IMAGE_SECONDS, Time, by_default
from sightline.client.answers import Answer, StreamEvent
from sightline.client.failures import ConnectionFailed, StreamCut, UnexpectedAnswer
from sightline.protocol.errors import DeadlineExceeded, Error
from sightline.protocol.events import Token
from sightline.protocol.language import Bilingual
from sightline.protocol.sse import Parser, TooLong
from sightline.protocol.uploads import Deleted, Upload, Uploaded

if TYPE_CHECKING:
    from sightline.client._options import Turn

T = TypeVar("T")
R = TypeVar("R")

GRACE = 1.0
"""Seconds for the service's own word about a deadline to arrive."""
UPLOAD_SECONDS = 600.0
_LONGEST_BODY = 64 * 2**20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0


@dataclass(frozen=True, slots=True)
class Question:
    """One ask, as the caller said it; `timeout` in seconds."""

    images: Image | Iterable[Image]
    text: str
    task: str
    options: Mapping[str, Any]
    messages: Iterable[Turn] = ()
    timeout: float | None = None
    on_upload: OnProgress | None = None


def ask(question: Question, service: Service) -> Exchange[Answer]:
    """`/infer`: emits one `Answer`."""
    prepared: _Prepared = yield Work(lambda: _prepare(question))
    time = prepared.time(service)
    call = _Call(service, time.seconds)

    def attempt() -> Exchange[Answer]:
        head, data = yield from call.fetch(Send("POST", "/infer", call.patience(), body=prepared.body(call.left() if time.told else None)))
        yield Emit(_replies.answer(head, data, service.address))

    yield from call.retried(attempt)


def stream(question: Question, service: Service) -> Exchange[StreamEvent]:
    """`/infer_stream`: emits the events as they come, an `Answer` last."""
    prepared: _Prepared = yield Work(lambda: _prepare(question))
    time = prepared.time(service)
    call = _Call(service, time.seconds)

    def attempt() -> Exchange[StreamEvent]:
        body = prepared.body(call.left() if time.told else None)
        return call.listen(Send("POST", "/infer_stream", call.patience(), "text/event-stream", body))

    yield from call.retried(attempt)


def upload(file: File, on_progress: OnProgress | None, service: Service) -> Exchange[Upload]:
    """`/files`: emits what was kept."""
    content, size = yield Work(lambda: open_file(file))
    body = _watched(FileBody(content, size), on_progress)
    return (yield from _document("POST", "/files", Uploaded, service, service.timeout or UPLOAD_SECONDS, body, lambda told: told.result))


def delete(file_id: str, service: Service) -> Exchange[str]:
    """Has an upload forgotten: emits its id."""
    path = f"/files/{quote(file_id, safe='')}"
    return _document("DELETE", path, Deleted, service, service.timeout or IMAGE_SECONDS, None, lambda told: told.result.file_id)


def fetch(path: str, kind: type[T], service: Service) -> Exchange[T]:
    """A GET of something small: emits it. A service that is not ready says so in a body of its own, with status 503."""
    return _document("GET", path, kind, service, service.timeout or IMAGE_SECONDS, None, lambda told: told)


def _document(
    method: str, path: str, kind: type[T], service: Service, seconds: float, body: Body | None, choose: Callable[[T], R]
) -> Exchange[R]:
    """A request that is answered by one document; emits what `choose` takes of it."""
    call = _Call(service, seconds)

    def attempt() -> Exchange[R]:
        head, data = yield from call.fetch(Send(method, path, call.patience(), body=body))
        yield Emit(choose(_replies.document(head, data, kind, service.address)))

    return call.retried(attempt)


def _watched(body: Body, on_progress: OnProgress | None) -> Body:
    return Watched(body, on_progress) if on_progress else body


def encode_request(images: Image | Iterable[Image], text: str, task: str, options: Mapping[str, Any]) -> bytes:
    """The body that an ask sends, for who carries it elsewhere than over HTTP. Raises `InputUnreadable`."""
    return b"".join(compose(task, read(images), text, options, ()))


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A question with everything local read."""

    question: Question
    sources: tuple[Source, ...]
    turns: tuple[AskedTurn, ...]

    def time(self, service: Service) -> Time:
        """The time this call may take: said for it, said for the client, or by its task and what is shown."""
        asked = self.question.options.get("timeout_ms")
        if self.question.timeout is not None:
            return Time(self.question.timeout)
        if isinstance(asked, int):
            return Time(asked / 1000)
        if service.timeout is not None:
            return Time(service.timeout)
        return by_default(self.question.task, [*self.sources, *(source for turn in self.turns for source in turn.sources)])

    def body(self, seconds_left: float | None) -> Body:
        """What is sent; without `seconds_left` the service chooses the time."""
        options = {name: value for name, value in self.question.options.items() if value is not None}
        if seconds_left is not None:
            options["timeout_ms"] = max(1, round(seconds_left * 1000))
        body = compose(self.question.task, self.sources, self.question.text, options, self.turns)
        return _watched(body, self.question.on_upload)


def _prepare(question: Question) -> _Prepared:
    turns = tuple(
        # A role that is missing or wrong is named by the service, like every other field.
        AskedTurn(turn.get("role", ""), turn.get("text", ""), read(turn.get("images", ()), f"messages[{index}].images"))
        for index, turn in enumerate(question.messages)
    )
    return _Prepared(question, read(question.images), turns)


class _Call:
    """One call's time, and what has been told to the caller, over all its attempts."""

    def __init__(self, service: Service, seconds: float) -> None:
        self._service = service
        self._seconds = seconds
        self._spent = 0.0
        self._begun = False
        self._text: list[str] = []

    def left(self) -> float:
        return max(0.0, self._seconds - self._spent)

    def patience(self) -> float:
        """The longest wait for the peer."""
        return self.left() + GRACE

    def retried(self, attempt: Callable[[], Exchange[T]]) -> Exchange[T]:
        """Attempts until one succeeds, or until another would not help."""
        for number in itertools.count():
            try:
                return (yield from attempt())
            except TimeoutError:
                raise self._too_late() from None
            except Error as error:
                pause = self._pause_after(error, number)
                if pause is None:
                    if self._begun and isinstance(error, ConnectionFailed):
                        raise StreamCut("".join(self._text)) from error
                    raise
            yield from self._take(Wait(pause))

    def fetch(self, request: Send) -> Inner[tuple[Head, bytes]]:
        """A response, read whole."""
        head: Head = yield from self._take(request)
        return head, (yield from self._rest())

    def listen(self, request: Send) -> Exchange[StreamEvent]:
        """A response, event by event, to its `Answer`."""
        address = self._service.address
        head: Head = yield from self._take(request)
        if head.status != 200 or not head.headers.get("content-type", "").startswith("text/event-stream"):
            raise _replies.refusal(head, (yield from self._rest()), address)
        parser = Parser()
        while chunk := (yield from self._take(Read())):
            try:
                messages = list(parser.feed(chunk))
            except TooLong:
                raise UnexpectedAnswer(address, head.status) from None
            for message in messages:
                event = _replies.event(message, address)
                if event is None:
                    continue
                self._begun = True
                if isinstance(event, Token):
                    self._text.append(event.token)
                yield Emit(event)
                if isinstance(event, Answer):
                    return
        raise ConnectionFailed(address, Bilingual("连接在回答结束前断开", "the connection ended before the answer did"))

    def _rest(self) -> Inner[bytes]:
        data = bytearray()
        while chunk := (yield from self._take(Read())):
            data += chunk
            if len(data) > _LONGEST_BODY:
                raise UnexpectedAnswer(self._service.address, 200)
        return bytes(data)

    def _take(self, step: Step) -> Generator[Step, Any, Any]:
        """One step, on this call's time."""
        before = self._service.now()
        try:
            reply = yield step
        finally:
            self._spent += self._service.now() - before
        if self._spent > self._seconds + GRACE:
            raise self._too_late()
        return reply

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(timeout_ms=round(self._seconds * 1000), stage="client")

    def _pause_after(self, error: Error, number: int) -> float | None:
        """Seconds to wait before another attempt; None where there should be none."""
        retryable = error.received.error.retryable if error.received else error.retryable
        if self._text or not retryable or number >= self._service.retries:
            return None
        if error.retry_after_ms is not None:
            pause = error.retry_after_ms / 1000 * (1 + self._service.random() / 4)
        else:
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**number) * (1 + self._service.random()) / 2
        return pause if pause < self.left() else None
