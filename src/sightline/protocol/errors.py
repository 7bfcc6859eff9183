"""The error table: every failure that a caller can meet, told once.

A class here is the only source of truth for its code, HTTP status, retryability, exit status and sentences. The HTTP
handler, the `error` event, the SDK, the CLI and the table in the docs derive from it. An `Error` never carries a result;
what went less well than asked but still has a result is a `Advice` among its warnings (see `receipts`).

    Error
      MalformedRequest 1000   UnsupportedMedia 1001   VideoTooLong 1002      MediaUnreachable 1003
      TooLarge 1004           DamagedMedia 1005       UnknownTask 1006
      Overloaded 2001         DeadlineExceeded 2002
      SensitiveContent 3001
      Unauthenticated 4001    NotAllowed 4002         RateLimited 4003       QuotaExceeded 4004
      Internal 5000           BackendUnavailable 5001
"""

from __future__ import annotations

from typing import Any, ClassVar, Self, cast

import msgspec

from sightline.protocol.language import Bilingual, Language


class ErrorDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a program needs to act on an error: its name, what to do, and the numbers behind it."""

    type: str
    hint: str
    retryable: bool = False
    retry_after_ms: int | None = None
    details: dict[str, Any] = {}


class ErrorBody(msgspec.Struct, frozen=True):
    """An error on the wire: the body of a refused call, and the data of an `error` event."""

    request_id: str
    code: int
    msg: str
    error: ErrorDetail


class Error(Exception):
    """Base of every error that a caller can meet.

    Keyword arguments fill the gaps of the class's sentences and are sent as `error.details`; a `Bilingual` argument is
    sent in the reader's language. `cause` is for the log alone and never leaves the service.

    In a client, `received` is the error as the service told it: then `str`, `say` and `advise` are the service's own words.
    """

    code: ClassVar[int]
    status: int
    retryable: ClassVar[bool] = False
    exit_status: ClassVar[int] = 70
    """What the command line ends with; the numbers are those of sysexits.h."""
    message: ClassVar[Bilingual]
    hint: ClassVar[Bilingual]
    received: ErrorBody | None = None

    def __init__(self, *, retry_after_ms: int | None = None, cause: str | None = None, **details: Any) -> None:
        self.details = details
        self.retry_after_ms = retry_after_ms
        self.cause = cause
        super().__init__(self.say("en"))

    @classmethod
    def receive(cls, body: ErrorBody) -> Self:
        """The error that a service told of, to be raised on the caller's side."""
        error = cls.__new__(cls)
        error.details = body.error.details
        error.retry_after_ms = body.error.retry_after_ms
        error.cause = None
        error.received = body
        error.args = (f"{body.msg} {body.error.hint} (code {body.code}, request {body.request_id})",)
        return error

    @property
    def request_id(self) -> str | None:
        """Names the request in the service's log; None for an error that was not received from a service."""
        return self.received.request_id if self.received else None

    def say(self, language: Language) -> str:
        """The sentence for a reader."""
        return self.received.msg if self.received else self.message.fill(**self.details).pick(language)

    def advise(self, language: Language) -> str:
        """What the reader can do about it."""
        return self.received.error.hint if self.received else self._advice(language)

    def _advice(self, language: Language) -> str:
        return self.hint.fill(**self.details).pick(language)

    def __reduce__(self) -> Any:
        # Constructors differ from class to class, so that pickle (a pool of processes) is told how to copy one.
        return _copy, (type(self), self.args, self.__dict__)

    def body(self, request_id: str, language: Language) -> ErrorBody:
        """The error as it goes over the wire."""
        shown = {name: value.pick(language) if isinstance(value, Bilingual) else value for name, value in self.details.items()}
        return ErrorBody(
            request_id=request_id,
            code=self.code,
            msg=self.say(language),
            error=ErrorDetail(
                type=snake(type(self).__name__),
                hint=self.advise(language),
                retryable=self.retryable,
                retry_after_ms=self.retry_after_ms,
                details={name: value for name, value in shown.items() if value is not None},
            ),
        )


def _copy(kind: type[Error], args: tuple[Any, ...], state: dict[str, Any]) -> Error:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


def snake(name: str) -> str:
    """`DeadlineExceeded` -> `deadline_exceeded`: the error's name on the wire."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


class MalformedRequest(Error):
    """A request that cannot be understood: `field` (its path), `reason`, and `allowed` where a list or range can be named."""

    code, status, exit_status = 1000, 400, 65
    message = Bilingual("请求有误：{field}：{reason}。", "The request is not valid: {field}: {reason}.")
    hint = Bilingual("允许的值：{allowed}", "Allowed: {allowed}")

    def __init__(self, field: str, reason: Bilingual, allowed: Bilingual | list[Any] | str | None = None) -> None:
        super().__init__(field=field, reason=reason, allowed=allowed)

    def _advice(self, language: Language) -> str:
        allowed = self.details["allowed"]
        if allowed is None:
            return Bilingual("请更正该字段后重试。", "Correct this field and send it again.").pick(language)
        if isinstance(allowed, list):
            values = cast("list[Any]", allowed)
            return self.hint.fill(allowed=", ".join(str(value) for value in values)).pick(language)
        return super()._advice(language)


class NoSuchPath(MalformedRequest):
    """A path that is not served, or not with this method; the same code, told apart by its HTTP status."""

    status = 404

    def __init__(self, path: str, allowed: list[str] | None = None) -> None:
        if allowed is None:
            super().__init__("path", Bilingual(f"没有 {path[:200]} 这个地址", f"there is nothing at {path[:200]}"), None)
        else:
            self.status = 405
            super().__init__("method", Bilingual("该地址不支持此方法", "this path does not take that method"), list[Any](allowed))


class SlowRequest(MalformedRequest):
    """A body that did not arrive in time."""

    status = 408

    def __init__(self, seconds: float) -> None:
        reason = Bilingual(f"{seconds:g} 秒内未收到数据", f"nothing arrived for {seconds:g} s")
        super().__init__("body", reason, None)


class UnsupportedMedia(Error):
    """An input whose content is none of the formats that are read here: `input` (its index), `found`, `accepted`."""

    code, status, exit_status = 1001, 415, 65
    message = Bilingual("不支持 images[{input}] 的格式：{found}。", "images[{input}] has an unsupported format: {found}.")
    hint = Bilingual("请转换为 JPG 或 PNG 后重试。可接受：{accepted}。", "Convert it to JPG or PNG. Accepted: {accepted}.")

    def __init__(self, input: int, found: str | Bilingual, accepted: str) -> None:
        super().__init__(input=input, found=found, accepted=accepted)


class VideoTooLong(Error):
    """A video over the limit, refused because the caller asked for that: `input`, `seconds`, `limit_seconds`."""

    code, status, exit_status = 1002, 422, 65
    message = Bilingual(
        "images[{input}] 是 {seconds} 秒的视频，上限为 {limit_seconds} 秒。",
        "images[{input}] is a video of {seconds} s; the limit is {limit_seconds} s.",
    )
    hint = Bilingual(
        "请剪短视频，或去掉 on_long_video=reject 以使用开头部分。",
        "Cut the video, or leave out on_long_video=reject to have its first part used.",
    )

    def __init__(self, input: int, seconds: float, limit_seconds: float) -> None:
        super().__init__(input=input, seconds=seconds, limit_seconds=limit_seconds)


class MediaUnreachable(Error):
    """An address that cannot or may not be fetched: `input` and a `reason` class, never internals."""

    code, status, exit_status = 1003, 422, 65
    message = Bilingual("无法获取 images[{input}]：{reason}。", "images[{input}] could not be fetched: {reason}.")
    hint = Bilingual(
        "请检查地址能否公开访问，或改为直接上传内容。", "Check that the address is public and answers, or send the content itself."
    )

    def __init__(self, input: int, reason: Bilingual, reason_class: str, *, cause: str | None = None) -> None:
        super().__init__(input=input, reason=reason, reason_class=reason_class, cause=cause)


class TooLarge(Error):
    """Something over a bound: `what`, the `actual` number and the `limit`, both in `unit`."""

    code, status, exit_status = 1004, 413, 65
    message = Bilingual(
        "{what}过大：{actual} {unit}，上限 {limit} {unit}。", "{what} is too large: {actual} {unit}, the limit is {limit} {unit}."
    )
    hint = Bilingual("请缩小或拆分后重试。", "Send less, or split it.")

    def __init__(
        self,
        what: Bilingual,
        actual: float,
        limit: float,
        unit: str | Bilingual,
        *,
        input: int | None = None,
        advice: Bilingual | None = None,
    ) -> None:
        self.advice = advice
        super().__init__(what=what, actual=actual, limit=limit, unit=unit, input=input)

    def _advice(self, language: Language) -> str:
        return self.advice.pick(language) if self.advice else super()._advice(language)


class DamagedMedia(Error):
    """An input that is of a known format but cannot be decoded: `input`, `kind`, and a `reason` class of ours."""

    code, status, exit_status = 1005, 422, 65
    message = Bilingual("images[{input}]（{kind}）无法读取：{reason}。", "images[{input}] ({kind}) cannot be read: {reason}.")
    hint = Bilingual("请重新导出或重新保存该文件后再发送。", "Export or save the file again and resend it.")

    def __init__(self, input: int, kind: str, reason: Bilingual, *, cause: str | None = None) -> None:
        super().__init__(input=input, kind=kind, reason=reason, cause=cause)


class UnknownTask(Error):
    """A task that does not exist: `task` as asked, `tasks` that there are."""

    code, status, exit_status = 1006, 400, 65
    message = Bilingual("没有名为“{task}”的任务。", "There is no task named '{task}'.")
    hint = Bilingual("可用任务：{tasks}", "The tasks are: {tasks}")

    def __init__(self, task: str, tasks: list[str]) -> None:
        super().__init__(task=task[:64], tasks=tasks)

    def _advice(self, language: Language) -> str:
        return self.hint.fill(tasks=", ".join(self.details["tasks"])).pick(language)


class Overloaded(Error):
    """The lane is full and no lighter model may or can answer: `lane`; `retry_after_ms` says when to come back."""

    code, status, retryable, exit_status = 2001, 503, True, 75
    message = Bilingual("模型正忙，暂时无法接受新的请求。", "The model is busy and cannot take another request now.")
    hint = Bilingual("请按 Retry-After 稍后重试。", "Try again after the time in Retry-After.")

    def __init__(self, lane: str, *, retry_after_ms: int) -> None:
        super().__init__(lane=lane, retry_after_ms=retry_after_ms)


class DeadlineExceeded(Error):
    """The caller's time ran out, or cannot be met: `timeout_ms`, `stage`, and `predicted_wait_ms` where it was refused at once."""

    code, status, retryable, exit_status = 2002, 504, True, 75
    message = Bilingual("未能在 {timeout_ms} 毫秒内完成。", "The answer was not ready within {timeout_ms} ms.")
    hint = Bilingual("请增大 options.timeout_ms，或减少输入后重试。", "Allow more in options.timeout_ms, or send less.")

    def __init__(self, timeout_ms: int, stage: str, predicted_wait_ms: int | None = None) -> None:
        super().__init__(timeout_ms=timeout_ms, stage=stage, predicted_wait_ms=predicted_wait_ms)


class SensitiveContent(Error):
    """Content that is refused: `category` and `audit_id`; what was refused is never repeated."""

    code, status, exit_status = 3001, 403, 77
    message = Bilingual("内容涉及敏感信息，已拒绝处理。", "The content is sensitive and was refused.")
    hint = Bilingual("如认为有误，请提供审计编号 {audit_id}。", "If this is a mistake, quote the audit id {audit_id}.")

    care: ClassVar[Bilingual] = Bilingual(
        "如果你正在承受痛苦，请现在就找人谈谈：中国心理援助热线 12356，紧急时拨打 120 或 110；其他地区请拨打当地急救电话。",
        "If you are in pain, please talk to someone now: 988 (US, Canada), 116 123 (UK, Ireland), findahelpline.com elsewhere, "
        "or your local emergency number.",
    )
    """Said first where the category is `self_harm`: whoever asks may need help, and not a number to quote."""

    def __init__(self, category: str, audit_id: str) -> None:
        super().__init__(category=category, audit_id=audit_id)

    def _advice(self, language: Language) -> str:
        advice = super()._advice(language)
        if self.details["category"] != "self_harm":
            return advice
        return f"{self.care.pick(language)}{'' if language == 'zh' else ' '}{advice}"


class Unauthenticated(Error):
    """No key, or one that is not known."""

    code, status, exit_status = 4001, 401, 77
    message = Bilingual("缺少有效的密钥。", "A valid key is missing.")
    hint = Bilingual("请在请求头中加入 Authorization: Bearer <key>。", "Send the header Authorization: Bearer <key>.")

    def __init__(self) -> None:
        super().__init__()


class NotAllowed(Error):
    """The caller is known or local, but may not do this: `reason`."""

    code, status, exit_status = 4002, 403, 77
    message = Bilingual("不允许此操作：{reason}。", "This is not allowed: {reason}.")
    hint = Bilingual("请联系服务的运营者。", "Ask the operator of this service.")

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason=reason)


class RateLimited(Error):
    """Too many requests or tokens in the last minute: `limit` names which bound."""

    code, status, retryable, exit_status = 4003, 429, True, 75
    message = Bilingual("请求过于频繁：{limit}。", "Too many requests: {limit}.")
    hint = Bilingual("请按 Retry-After 稍后重试。", "Try again after the time in Retry-After.")

    def __init__(self, limit: Bilingual, *, retry_after_ms: int) -> None:
        super().__init__(limit=limit, retry_after_ms=retry_after_ms)


class QuotaExceeded(Error):
    """The key's quota for the period is used up: `resets_at`, an ISO 8601 time."""

    code, status, exit_status = 4004, 429, 75
    message = Bilingual("额度已用完。", "The quota is used up.")
    hint = Bilingual("额度将于 {resets_at} 重置。", "It resets at {resets_at}.")

    def __init__(self, resets_at: str) -> None:
        super().__init__(resets_at=resets_at)


class Internal(Error):
    """A mistake of ours; the log has the rest under the same request id."""

    code, status, exit_status = 5000, 500, 70
    message = Bilingual("服务内部错误。", "The service made a mistake.")
    hint = Bilingual("请附上 request_id 报告此问题。", "Report it with the request_id.")

    def __init__(self, *, cause: str | None = None) -> None:
        super().__init__(cause=cause)


class BackendUnavailable(Error):
    """The model's engine is away, stalled, or broke off in the middle of an answer."""

    retried = False
    """Set where another engine of the same kind was already asked in vain."""
    fatal = False
    """Set where this request alone was at work on an engine that died, and on another one before."""

    code, status, retryable, exit_status = 5001, 503, True, 69
    message = Bilingual("模型引擎暂时不可用。", "The model's engine is not available.")
    hint = Bilingual("请稍后重试；若持续出现，请附上 request_id 报告。", "Try again; if it goes on, report it with the request_id.")

    def __init__(self, *, cause: str | None = None, retry_after_ms: int | None = 1000) -> None:
        super().__init__(cause=cause, retry_after_ms=retry_after_ms)


TABLE: dict[int, type[Error]] = {kind.code: kind for kind in sorted(Error.__subclasses__(), key=lambda kind: kind.code)}
"""Every error by its code, in order: what the docs, the OpenAPI document and the tests walk over."""
