"""What is said of a picture that was looked over: the words for every type of warning that `quality` finds."""

from __future__ import annotations

from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice

_NOTICES = {
    "blurry": (
        Bilingual("图像模糊", "The picture is blurred"),
        Bilingual("请对焦并持稳后重新拍摄。", "Focus, hold still and take it again."),
    ),
    "noisy": (
        Bilingual("图像噪点较多", "The picture is very noisy"),
        Bilingual("请在更亮的光线下重新拍摄。", "Take it again in more light."),
    ),
    "underexposed": (Bilingual("图像过暗", "The picture is too dark"), Bilingual("请补光后重新拍摄。", "Add light and take it again.")),
    "overexposed": (
        Bilingual("图像过曝", "The picture is overexposed"),
        Bilingual("请降低曝光后重新拍摄。", "Lower the exposure and take it again."),
    ),
    "low_contrast": (
        Bilingual("图像对比度低", "The picture has little contrast"),
        Bilingual(
            "请擦净镜头，避免逆光与雾气，或提高扫描对比度。", "Clean the lens, avoid backlight and haze, or scan with more contrast."
        ),
    ),
    "glare": (
        Bilingual("图像中有反光", "There is glare in the picture"),
        Bilingual("请换个角度，避开光源反射。", "Change the angle so that no lamp is reflected."),
    ),
    "tiny_text": (
        Bilingual("文字在模型看到的尺寸下过小", "The text is tiny at the size that the model sees"),
        Bilingual("请使用 options.detail=high，或只发送需要的部分。", "Use options.detail=high, or send only the part that matters."),
    ),
    "near_blank": (
        Bilingual("几乎是空白的", "It is nearly blank"),
        Bilingual("请确认发送的是正确的图像或页面。", "Check that it is the picture or page you meant to send."),
    ),
}

_SENTENCE = Bilingual("{what}。", "{what}.")


def notices(index: int, found: dict[str, list[int | None]]) -> list[Notice]:
    """Warnings for people: for each type, the pages (1-based) that it was found on, or None for a picture that is no page."""
    said: list[Notice] = []
    for kind, pages in found.items():
        what, advice = _NOTICES[kind]
        numbers = tuple(page for page in pages if page is not None)
        said.append(Notice(kind, _SENTENCE.fill(what=what), advice, input=index, pages=numbers))
    return said
