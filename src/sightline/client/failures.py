"""What can go wrong on the caller's side of the wire; everything that the service itself refuses is in `protocol.errors`.

These are `Error`s too, so that one `except sightline.errors.Error` holds for all. Their code is -1: they never were on a wire.
"""

from __future__ import annotations

from sightline.protocol.errors import TABLE, Error, ErrorBody
from sightline.protocol.language import Bilingual


class CallerError(Error):
    """Base of what goes wrong on the caller's side."""

    code, status = -1, 0

    def __str__(self) -> str:
        return f"{self.say('en')} {self.advise('en')}"


class ConnectionFailed(CallerError):
    """The service could not be reached, or went away before it had begun to answer: `address`, `reason`."""

    retryable, exit_status = True, 69
    message = Bilingual("无法连接 {address}：{reason}。", "{address} could not be reached: {reason}.")
    hint = Bilingual(
        "请检查地址，并确认服务已启动（sightline serve 可启动一个）。",
        "Check the address, and that the service is running (`sightline serve` starts one).",
    )

    def __init__(self, address: str, reason: Bilingual, *, retry_after_ms: int | None = None) -> None:
        super().__init__(address=address, reason=reason, retry_after_ms=retry_after_ms)


class StreamCut(CallerError):
    """A streamed answer that broke off before its end; `partial` is the text that had come until then."""

    retryable, exit_status = True, 69
    message = Bilingual("回答在结束前中断。", "The answer broke off before its end.")
    hint = Bilingual("请重新提问；已收到的部分保留在 partial 中。", "Ask again; what had come is kept as `partial`.")

    def __init__(self, partial: str) -> None:
        self.partial = partial
        super().__init__(characters=len(partial))


class UnexpectedAnswer(CallerError):
    """Something answered that does not speak as a Sightline service does: `address`, HTTP `http_status`."""

    exit_status = 76
    message = Bilingual(
        "{address} 的回答（HTTP {http_status}）不是 Sightline 服务的格式。",
        "{address} gave an answer (HTTP {http_status}) that is not one of a Sightline service.",
    )
    hint = Bilingual("请检查 base_url、其路径前缀，以及中间的代理。", "Check base_url, its path prefix, and any proxy on the way.")

    def __init__(self, address: str, http_status: int) -> None:
        super().__init__(address=address, http_status=http_status)


class InputUnreadable(CallerError):
    """A local file or object that cannot be read: `input` (such as `images[0]`), `reason`."""

    exit_status = 66
    message = Bilingual("无法读取 {input}：{reason}。", "{input} cannot be read: {reason}.")
    hint = Bilingual(
        "请给出已有的文件、以 http:// 或 https:// 开头的地址，或内容本身。",
        "Give a file that exists, an address that starts with http:// or https://, or the content itself.",
    )

    def __init__(self, input: str, reason: Bilingual) -> None:
        super().__init__(input=input, reason=reason)


def received(body: ErrorBody, address: str, http_status: int) -> Error:
    """The exception for an error that came over the wire; a code that is newer than this library is an `UnexpectedAnswer`."""
    kind = TABLE.get(body.code)
    return kind.receive(body) if kind else UnexpectedAnswer(address, http_status)
