"""The SDK: a caller's side of the wire.

_async, _sync   the two clients: they only do the I/O
_calls          every call, written once, as a generator of steps without I/O: time, retries, order
_replies        bytes that came back -> answers, events, errors
_media, _body   what a person hands over -> the bytes that are sent
_transport      how httpx is set up, and what its failures mean
answers         what a caller gets
failures        what goes wrong on this side; `sightline.errors` has these and the service's
"""

from __future__ import annotations

from sightline.client._async import AsyncAnswerStream, AsyncQwenVLClient
from sightline.client._calls import encode_request
from sightline.client._media import Image
from sightline.client._sync import AnswerStream, QwenVLClient
from sightline.client.answers import Answer, ModelState, Readiness, StreamEvent, TaskInfo, TaskMedia
from sightline.client.many import Ask, Bar, Done, at_once
from sightline.protocol.events import Accepted, Progress, Token
from sightline.protocol.requests import MediaObject
from sightline.protocol.uploads import Upload

__all__ = [
    "Accepted",
    "Answer",
    "AnswerStream",
    "Ask",
    "AsyncAnswerStream",
    "AsyncQwenVLClient",
    "Bar",
    "Done",
    "Image",
    "MediaObject",
    "ModelState",
    "Progress",
    "QwenVLClient",
    "Readiness",
    "StreamEvent",
    "TaskInfo",
    "TaskMedia",
    "Token",
    "Upload",
    "at_once",
    "encode_request",
]
