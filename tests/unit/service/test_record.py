"""Receipts and warnings of inputs that are looked at in parts."""

from __future__ import annotations

from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice, Receipt
from sightline.service.ports import Loaded
from sightline.service.record import Record
from sightline.tasks.base import Look


def page(number: int, *notices: str) -> Loaded:
    receipt = Receipt(0, "document", "pdf", "0" * 64, 6, 64, 64, 32, 32, 10, pages=(number,), page_count=9, warnings=notices, ms=1.0)
    said = tuple(Notice(kind, Bilingual("模糊。", "It is blurred."), input=0, pages=(number,)) for kind in notices)
    return Loaded("document", (), receipt, said)


def test_pages_that_are_read_one_by_one_have_one_receipt_and_each_warning_once() -> None:
    record = Record()
    for loaded in (page(3, "blurry"), page(1), page(2, "blurry", "tiny_text"), page(2, "blurry")):
        record.note(loaded, Look(0, pages=loaded.receipt.pages))
    (receipt,) = record.receipts
    assert (receipt.pages, receipt.visual_tokens, receipt.ms) == ((1, 2, 3), 30, 4.0)
    assert receipt.warnings == ("blurry", "tiny_text")
    assert [notice.show("en").msg for notice in record.notices] == ["Page 2, 3: It is blurred.", "Page 2: It is blurred."]
    assert record.notices[0].show("zh").msg == "第 2, 3 页：模糊。"
