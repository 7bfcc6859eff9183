"""The SDK for asynchronous code: `AsyncQwenVLClient`, and `AsyncAnswerStream` for an answer as it is made."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sized
from contextlib import aclosing, closing
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

import anyio
import anyio.to_thread
import httpx

from sightline.client import _calls
from sightline.client._body import Body, OnProgress
from sightline.client._media import File, Image
from sightline.client._steps import Emit, Exchange, Read, Send, Step, Wait, Work
from sightline.client._transport import Setup, head_of, translate
from sightline.client.answers import Answer, Gathered, Readiness, StreamEvent, TaskInfo, TaskList
from sightline.client.many import Ask, Bar, Done, at_once
from sightline.protocol.errors import Error
from sightline.protocol.events import Token
from sightline.protocol.language import Language
from sightline.protocol.uploads import Upload

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from sightline.client._options import CommonOptions, Turn

T = TypeVar("T")


class AsyncAnswerStream(Gathered):
    """An answer as it is made: iterate over it for pieces of text, or over `events()` for everything that is told.

        async with await client.ask("cat.jpg", "What is this?", stream=True) as stream:
            async for text in stream:
                print(text, end="", flush=True)
        print(stream.final.confidence)

    Leaving early stops the model; `async with` does so at once. Raises what a call raises, and `StreamCut` (with the text
    that had come as `partial`) where the connection ends before the answer does.
    """

    def __init__(self, first: StreamEvent, events: AsyncGenerator[StreamEvent]) -> None:
        """`first` has been read already, so that a refusal is raised where the question is asked."""
        super().__init__()
        self._events = events
        self._first: StreamEvent | None = self._note(first)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while (event := await self._pull()) is not None:
            if isinstance(event, Token):
                return event.token
        raise StopAsyncIteration

    async def events(self) -> AsyncIterator[StreamEvent]:
        """What is told: `Accepted`, `Progress`, `Token`, and the `Answer` last."""
        while (event := await self._pull()) is not None:
            yield event

    async def _pull(self) -> StreamEvent | None:
        if self._first is not None:
            event, self._first = self._first, None
            return event
        event = await anext(self._events, None)
        return event and self._note(event)

    async def finish(self) -> Answer:
        """Reads what is left and gives the answer."""
        async for _ in self.events():
            pass
        return self.final

    async def close(self) -> None:
        """Leaves: the connection is closed and the model stops."""
        await self._events.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


class AsyncQwenVLClient:
    """A Sightline service, asked from asynchronous code. Share one client between tasks.

        async with AsyncQwenVLClient(base_url="http://127.0.0.1:8000") as client:
            print(await client.ask("cat.jpg", "What is this?"))

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
        self._http = httpx.AsyncClient(**self._setup.httpx_arguments())
        self._slots = anyio.Semaphore(max_connections)

    @overload
    async def ask(
        self,
        images: Image | Iterable[Image],
        question: str = "",
        task: str = "vqa",
        stream: Literal[False] = False,
        *,
        messages: Iterable[Turn] = (),
        timeout: float | None = None,  # noqa: ASYNC109 - the service is told it; no scope is opened here
        on_upload: OnProgress | None = None,
        **options: Unpack[CommonOptions],
    ) -> Answer: ...

    @overload
    async def ask(
        self,
        images: Image | Iterable[Image],
        question: str = "",
        task: str = "vqa",
        *,
        stream: Literal[True],
        messages: Iterable[Turn] = (),
        timeout: float | None = None,  # noqa: ASYNC109 - the service is told it; no scope is opened here
        on_upload: OnProgress | None = None,
        **options: Unpack[CommonOptions],
    ) -> AsyncAnswerStream: ...

    @overload
    async def ask(
        self,
        images: Image | Iterable[Image],
        question: str = "",
        task: str = "vqa",
        stream: bool = False,
        *,
        messages: Iterable[Turn] = (),
        timeout: float | None = None,  # noqa: ASYNC109 - the service is told it; no scope is opened here
        on_upload: OnProgress | None = None,
        **options: Unpack[CommonOptions],
    ) -> Answer | AsyncAnswerStream: ...

    async def ask(
        self,
        images: Image | Iterable[Image],
        question: str = "",
        task: str = "vqa",
        stream: bool = False,
        *,
        messages: Iterable[Turn] = (),
        timeout: float | None = None,  # noqa: ASYNC109 - the service is told it; no scope is opened here
        on_upload: OnProgress | None = None,
        **options: Any,
    ) -> Answer | AsyncAnswerStream:
        """Asks about one or several images, a PDF or a video.

        An image is an address, a data URI, a path, bytes, an open file, a Pillow image or a `MediaObject`. `messages` are
        earlier turns, oldest first. `options` are those of every task (`max_tokens`, `temperature`, `model`, ...) and the
        task's own. `on_upload(sent, total)` is told how much of the request, in bytes, is on its way. With `stream=True` the
        answer comes as it is made, see `AsyncAnswerStream`.

        Raises the classes of `sightline.errors`; each has a `code`, `details` and, from the service, a `request_id`.
        """
        asked = _calls.Question(images, question, task, options, messages, timeout, on_upload)
        if stream:
            events = self._drive(_calls.stream(asked, self._service))
            return AsyncAnswerStream(await anext(events), events)
        return await self._one(_calls.ask(asked, self._service))

    async def ask_many(self, asks: Iterable[Ask], *, concurrency: int = 8, progress: bool = False) -> AsyncGenerator[Done]:
        """Asks many questions, `concurrency` at once, and gives what came of each as it comes, not in order (asyncio only).

        `asks` is read as it is needed, so it may be endless. An error of one question is in its `Done`; the others go on.
        `progress` shows a bar on a terminal. Leaving early stops what is under way.
        """
        with Bar(len(asks) if isinstance(asks, Sized) else None, shown=progress) as bar:
            async with aclosing(at_once(enumerate(asks), self._ask_one, concurrency)) as finished:
                async for done in finished:
                    bar.add(failed=done.error is not None)
                    yield done

    async def _ask_one(self, numbered: tuple[int, Ask]) -> Done:
        index, asked = numbered
        question = _calls.Question(asked.images, asked.question, asked.task, asked.options, asked.messages, asked.timeout)
        try:
            return Done(index, asked, await self._one(_calls.ask(question, self._service)))
        except Error as error:
            return Done(index, asked, None, error)

    async def upload(self, file: File, *, on_progress: OnProgress | None = None) -> Upload:
        """Sends a file once, to be shown in many questions; the service forgets it after a while (`expires_at`).

        A file on disk is sent as it is read. `on_progress(sent, total)` counts bytes. Raises `TooLarge`, and what `ask` raises.
        """
        return await self._one(_calls.upload(file, on_progress, self._service))

    async def delete(self, upload: Upload | str) -> None:
        """Has the service forget an upload, or the one of that id. Raises `MalformedRequest` for one that is not there."""
        await self._one(_calls.delete(upload if isinstance(upload, str) else upload.file_id, self._service))

    async def tasks(self) -> list[TaskInfo]:
        """What the service can be asked to do, with the options of each task."""
        return (await self._fetch("/tasks", TaskList)).tasks

    async def ready(self) -> Readiness:
        """Whether the service can answer now, and its models."""
        return await self._fetch("/ready", Readiness)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._setup.base_url!r})"

    async def _fetch(self, path: str, kind: type[T]) -> T:
        return await self._one(_calls.fetch(path, kind, self._service))

    async def _one(self, exchange: Exchange[T]) -> T:
        async with aclosing(self._drive(exchange)) as emitted:
            return await anext(emitted)

    async def _drive(self, exchange: Exchange[T]) -> AsyncGenerator[T]:
        """Carries out the steps of a call and yields what it emits; closing the generator closes its connection."""
        reply: Any = None
        failure: Exception | None = None
        hands = _Hands(self._http, self._setup)
        async with self._slots:
            with closing(exchange):
                try:
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
                            reply = await hands.do(step)
                        except httpx.HTTPError as error:
                            failure = translate(error, self._service.address)
                finally:
                    await hands.close()


class _Hands:
    """What carries out the steps of one call; holds its response."""

    def __init__(self, http: httpx.AsyncClient, setup: Setup) -> None:
        self._http = http
        self._setup = setup
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None

    async def do(self, step: Step) -> Any:
        match step:
            case Send():
                await self.close()
                request = self._http.build_request(**self._setup.request_arguments(step), content=step.body and _sent(step.body))
                self._response = await self._http.send(request, stream=True)
                self._chunks = self._response.aiter_bytes()
                return head_of(self._response)
            case Read():
                return await anext(self._chunks, b"") if self._chunks else b""
            case Wait():
                return await anyio.sleep(step.seconds)
            case Work():
                return await anyio.to_thread.run_sync(step.do)

    async def close(self) -> None:
        if self._response is not None:
            await self._response.aclose()


async def _sent(body: Body) -> AsyncIterator[bytes]:
    for piece in body:
        yield piece
