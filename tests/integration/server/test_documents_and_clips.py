"""Documents and clips through the whole service: the lane, the receipt, and the clip that is too long."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image

from tests.harness import FAKE, Running, lanes, serving
from tests.pictures import data_uri


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("service"), FAKE + lanes()) as running:
        yield running


def pdf(pages: int) -> bytes:
    first, *others = [Image.new("RGB", (200, 280), (255 - 5 * number, 250, 240)) for number in range(pages)]
    out = io.BytesIO()
    first.save(out, "PDF", save_all=True, append_images=others)
    return out.getvalue()


def clip(seconds: int) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(seconds * 4):
            picture = np.full((64, 64, 3), 255, np.uint8)
            picture[:, number % 64 :][:, :8] = (200, 0, 0)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def ask(service: Running, task: str, content: bytes, **options: Any) -> httpx.Response:
    body = {"task": task, "images": [data_uri(content, "application/octet-stream")], "text": "What is it?", "options": options}
    return httpx.post(f"{service.url}/infer", json=body, timeout=50, trust_env=False)


def test_a_document_is_read_page_by_page_in_lane_b(service: Running) -> None:
    told = ask(service, "doc_analyze", pdf(3)).json()["result"]["metadata"]
    (receipt,) = told["receipts"]
    assert told["lane"] == "B"
    assert (receipt["kind"], receipt["format"], receipt["pages"], receipt["page_count"]) == ("document", "pdf", [1, 2, 3], 3)


def test_a_clip_is_seen_by_its_times_in_lane_c(service: Running) -> None:
    told = ask(service, "video_qa", clip(3)).json()["result"]["metadata"]
    (receipt,) = told["receipts"]
    assert (told["lane"], receipt["kind"], receipt["format"]) == ("C", "video", "mp4")
    assert receipt["timestamps"] == sorted(receipt["timestamps"])
    assert receipt["seconds"] == pytest.approx(3, abs=0.3)


def test_of_a_long_clip_the_first_thirty_seconds_are_used_and_said(service: Running) -> None:
    result = ask(service, "video_qa", clip(33)).json()
    assert result["code"] == 0
    assert max(result["result"]["metadata"]["receipts"][0]["timestamps"]) < 30
    assert [warning["code"] for warning in result["result"]["warnings"] if warning["type"] == "video_clipped"] == [1002]


def test_or_the_long_clip_is_refused_if_the_caller_asks(service: Running) -> None:
    refused = ask(service, "video_qa", clip(33), on_long_video="reject")
    assert (refused.status_code, refused.json()["code"]) == (422, 1002)


def test_a_document_over_the_context_is_refused_with_the_numbers(service: Running) -> None:
    refused = ask(service, "doc_analyze", pdf(60), detail="high", max_tokens=8000).json()
    assert refused["code"] == 1000
    assert "8192" in refused["msg"]


def test_a_task_takes_only_its_own_kinds(service: Running) -> None:
    assert ask(service, "vqa", clip(1)).json()["error"]["details"]["allowed"] == ["image"]
    assert ask(service, "video_qa", pdf(1)).json()["code"] == 1000


def keep(service: Running, content: bytes) -> str:
    answer = httpx.post(f"{service.url}/files", content=content, timeout=20, trust_env=False)
    return answer.json()["result"]["file_id"]


def test_the_pages_of_an_upload_can_be_looked_at(service: Running) -> None:
    """A person leafs through a document beside its answer: small pictures, one a page."""

    def get(path: str) -> httpx.Response:
        return httpx.get(f"{service.url}/files/{path}", timeout=20, trust_env=False)

    document = keep(service, pdf(3))
    assert get(f"{document}/pages").json() == {"pages": 3}
    page = get(f"{document}/pages/2.jpg")
    assert page.headers["content-type"] == "image/jpeg"
    assert page.headers["cache-control"] == "private, no-store"
    with Image.open(io.BytesIO(page.content)) as picture:
        assert picture.height > picture.width
        assert picture.width * picture.height <= 900 * 900
    for wrong in ("0", "4"):
        assert get(f"{document}/pages/{wrong}.jpg").json()["error"]["details"] == {
            "field": "page",
            "reason": "there is no such page",
            "allowed": "1..3",
        }
    for path in ("x.jpg", "-1.jpg", "2.png", "2"):
        assert get(f"{document}/pages/{path}").status_code == 404
    assert get("file_" + 32 * "0" + "/pages/1.jpg").json()["code"] == 1000
    assert get(f"{keep(service, clip(1))}/pages").json()["code"] == 1000
    assert get(f"{keep(service, pdf(1)[:-200])}/pages/1.jpg").status_code in (200, 422)
