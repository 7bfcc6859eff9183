"""The SDK for ordinary code: `QwenVLClient`, and `AnswerStream` for an answer as it is made."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
from contextlib import closing
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

import httpx
from anyio.from_thread import start_blocking_portal

from sightline.client import _calls
from sightline.client._async import AsyncQwenVLClient
from sightline.client._body import OnProgress
from sightline.client._media import File, Image
from sightline.client._steps import Emit, Exchange, Read, Send, Step, Wait, Work
from sightline.client._transport import Setup, head_of, translate
from sightline.client.answers import Answer, Gathered, Readiness, StreamEvent, TaskInfo, TaskList
from sightline.client.many import Ask, Done
from sightline.protocol.events import Token
from sightline.protocol.language import Language
from sightline.protocol.uploads import Upload

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from sightline.client._options import CommonOptions, Turn

T = TypeVar("T")


class AnswerStream(Gathered):
    """An answer as it is made: iterate over it for pieces of text, or over `events()` for everything that is told.

        with client.ask("cat.jpg", "What is this?", stream=True) as stream:
            for text in stream:
                print(text, end="", flush=True)
        print(stream.final.confidence)

    Leaving early stops the model; `with` does so at once. Raises what a call raises, and `StreamCut` (with the text that
    had come as `partial`) where the connection ends before the answer does.
    """

    def __init__(self, events: Generator[StreamEvent]) -> None:
        super().__init__()
        self._events = events
        # Read to the first event, so that a refusal is raised where the question is asked.
        self._first: StreamEvent | None = self._note(next(events))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        while (event := self._pull()) is not None:
            if isinstance(event, Token):
                return event.token
        raise StopIteration

    def events(self) -> Iterator[StreamEvent]:
        """What is told: `Accepted`, `Progress`, `Token`, and the `Answer` last."""
        while (event := self._pull()) is not None:
            yield event

    def _pull(self) -> StreamEvent | None:
        if self._first is not None:
            event, self._first = self._first, None
            return event
        event = next(self._events, None)
        return event and self._note(event)

    def finish(self) -> Answer:
        """Reads what is left and gives the answer."""
        for _ in self.events():
            pass
        return self.final

    def close(self) -> None:
        """Leaves: the connection is closed and the model stops."""
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class QwenVLClient:
    """A Sightline service, asked from ordinary code. Safe to share between threads.

        with QwenVLClient(base_url="http://127.0.0.1:8000") as client:
            print(client.ask("cat.jpg", "What is this?"))

    `api_key` is the environment's SIGHTLINE_API_KEY where it is not given; `base_url` may carry a path prefix. `timeout`
    (seconds) is for a whole call; by default that of the task: 30 for questions about images, 120 for video, more with every
    page of a document. Errors that may pass are tried again up to `retries` times. At most `max_connections` calls run at
    once, others wait. `language` is that of messages and hints.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str = "http://127.0.0.1:8000",
        timeout: float | None = None,
        *,
        retries: int = 2,
        max_connections: int = 100,
        language: Language | None = None,
    ) -> None:
        self._setup = Setup(api_key, base_url, timeout, retries, max_connections, language)
        self._service = self._setup.service()
        self._http = httpx.Client(**self._setup.httpx_arguments())
        self._slots = threading.BoundedSemaphore(max_connections)

    @overload
    def ask(
        self,
        images: Image | Iterable[Image],
        question: str = "",
        task: str = "vqa",
        stream: Literal[False] = False,
        *,
        messages: Iterable[Turn] = (),
        timeout: float | None = None,
        on_upload: OnProgress | None = None,
        **options: Unpack[CommonOptions],
    ) -> Answer: ...

    @overload
    def ask(
        self,
        images: Image | Iterable[Image],
        question: str = "",
        task: str = "vqa",
        *,
        stream: Literal[True],
        messages: Iterable[Turn] = (),
        timeout: float | None = None,
        on_upload: OnProgress | None = None,
        **options: Unpack[CommonOptions],
    ) -> AnswerStream: ...

    @overload
    def ask(
        self,
        images: Image | Iterable[Image],
        question: str = "",
        task: str = "vqa",
        stream: bool = False,
        *,
        messages: Iterable[Turn] = (),
        timeout: float | None = None,
        on_upload: OnProgress | None = None,
        **options: Unpack[CommonOptions],
    ) -> Answer | AnswerStream: ...

    def ask(
        self,
        images: Image | Iterable[Image],
        question: str = "",
        task: str = "vqa",
        stream: bool = False,
        *,
        messages: Iterable[Turn] = (),
        timeout: float | None = None,
        on_upload: OnProgress | None = None,
        **options: Any,
    ) -> Answer | AnswerStream:
        """Asks about one or several images, a PDF or a video.

        An image is an address, a data URI, a path, bytes, an open file, a Pillow image or a `MediaObject`. `messages` are
        earlier turns, oldest first. `options` are those of every task (`max_tokens`, `temperature`, `model`, ...) and the
        task's own. `on_upload(sent, total)` is told how much of the request, in bytes, is on its way. With `stream=True` the
        answer comes as it is made, see `AnswerStream`.

        Raises the classes of `sightline.errors`; each has a `code`, `details` and, from the service, a `request_id`.
        """
        asked = _calls.Question(images, question, task, options, messages, timeout, on_upload)
        if stream:
            return AnswerStream(self._drive(_calls.stream(asked, self._service)))
        return self._one(_calls.ask(asked, self._service))

    def ask_many(self, asks: Iterable[Ask], *, concurrency: int = 8, progress: bool = False) -> Iterator[Done]:
        """Asks many questions, `concurrency` at once, and gives what came of each as it comes, not in order.

        `asks` is read as it is needed, so it may be endless. An error of one question is in its `Done`; the others go on.
        `progress` shows a bar on a terminal. Leaving early stops what is under way.
        """
        # One implementation: the asynchronous one, on an event loop in a thread of its own.
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(self._asynchronous()) as client:
            done = client.ask_many(asks, concurrency=concurrency, progress=progress)
            while (one := portal.call(_next, done)) is not None:
                try:
                    yield one
                except GeneratorExit:
                    portal.call(done.aclose)
                    raise

    def upload(self, file: File, *, on_progress: OnProgress | None = None) -> Upload:
        """Sends a file once, to be shown in many questions; the service forgets it after a while (`expires_at`).

        A file on disk is sent as it is read. `on_progress(sent, total)` counts bytes. Raises `TooLarge`, and what `ask` raises.
        """
        return self._one(_calls.upload(file, on_progress, self._service))

    def delete(self, upload: Upload | str) -> None:
        """Has the service forget an upload, or the one of that id. Raises `MalformedRequest` for one that is not there."""
        self._one(_calls.delete(upload if isinstance(upload, str) else upload.file_id, self._service))

    def tasks(self) -> list[TaskInfo]:
        """What the service can be asked to do, with the options of each task."""
        return (self._fetch("/tasks", TaskList)).tasks

    def ready(self) -> Readiness:
        """Whether the service can answer now, and its models."""
        return self._fetch("/ready", Readiness)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._setup.base_url!r})"

    def _asynchronous(self) -> AsyncQwenVLClient:
        setup = self._setup
        return AsyncQwenVLClient(
            setup.api_key,
            setup.base_url,
            setup.timeout,
            retries=setup.retries,
            max_connections=setup.max_connections,
            language=setup.language,
        )

    def _fetch(self, path: str, kind: type[T]) -> T:
        return self._one(_calls.fetch(path, kind, self._service))

    def _one(self, exchange: Exchange[T]) -> T:
        with closing(self._drive(exchange)) as emitted:
            return next(emitted)

    def _drive(self, exchange: Exchange[T]) -> Generator[T]:
        """Carries out the steps of a call and yields what it emits; closing the generator closes its connection."""
        reply: Any = None
        failure: Exception | None = None
        hands = _Hands(self._http, self._setup)
        with self._slots, closing(exchange), closing(hands):
            while True:
                try:
                    step = exchange.throw(failure) if failure else exchange.send(reply)
                except StopIteration:
                    return
                reply = failure = None
                if isinstance(step, Emit):
                    yield step.value
                    continue
                try:
                    reply = hands.do(step)
                except httpx.HTTPError as error:
                    failure = translate(error, self._service.address)


async def _next(done: AsyncGenerator[Done]) -> Done | None:
    return await anext(done, None)


class _Hands:
    """What carries out the steps of one call; holds its response."""

    def __init__(self, http: httpx.Client, setup: Setup) -> None:
        self._http = http
        self._setup = setup
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())

    def do(self, step: Step) -> Any:
        match step:
            case Send():
                self.close()
                request = self._http.build_request(**self._setup.request_arguments(step), content=step.body and iter(step.body))
                self._response = self._http.send(request, stream=True)
                self._chunks = self._response.iter_bytes()
                return head_of(self._response)
            case Read():
                return next(self._chunks, b"")
            case Wait():
                return time.sleep(step.seconds)
            case Work():
                return step.do()

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
