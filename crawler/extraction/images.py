"""The pictures of an article, with caption and credit apart."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml.etree import _Element as Element

from crawler.items import Image
from crawler.text import one_line
from crawler.urls import canonical_url

MAX_IMAGES = 50
CREDIT_WORDS = 8
_CREDIT_CLASS = re.compile(r"credit|source|copyright|photographer|attribution|agency|quelle|urheber", re.IGNORECASE)
_CREDIT_WORD = (
    r"(?:photo(?:graph)?(?:s|er)?|picture|image|foto|bild|crédit(?: photo)?|credit|quelle|source|fotograf(?:ie|ia)?"
    r"|fot\.|zdjęcie|fotoğraf|kuva|фото(?:графия)?|תצלום|צילום|تصوير|사진|写真|撮影|摄影|图片?来源)"
)
# "Photo by" needs a sentence's end before it, or "a photo by the sea" would be one; "Photo:" and "©" do not.
_CREDIT_TAIL = re.compile(
    rf"(?:(?:^|(?<=[.!?»”\")\s]))\s*(?:{_CREDIT_WORD}\s*[:/©]|©|\(c\))|(?:^|(?<=[.!?»”\")]))\s*{_CREDIT_WORD}\s+(?:by|von|de)\s)"
    r"\s*(?P<credit>\S.{1,118})$",
    re.IGNORECASE,
)
_LABEL = re.compile(rf"^{_CREDIT_WORD}s?\s*(?:[:：/]|by\s)\s*", re.IGNORECASE)


def images(tree: Element, url: str | None, first: tuple[str, ...] = ()) -> tuple[Image, ...]:
    """Pictures in `<figure>` elements, then those that only the page's metadata names (`first`), each URL once."""
    found: dict[str, Image] = {}
    for figure in tree.iter("figure"):
        image = _figure(figure, url)
        if image and (image.url not in found) and not _outside(figure):
            found[image.url] = image
    names = {_name(image_url) for image_url in found}
    for image_url in first:
        if _name(image_url) not in names:
            found.setdefault(image_url, Image(url=image_url))
    return tuple(found.values())[:MAX_IMAGES]


def _outside(figure: Element) -> bool:
    """Teasers have figures too: one inside a link or in page furniture is not this article's."""
    for parent in figure.iterancestors():
        if parent.tag in ("nav", "footer", "aside", "a", "li"):
            return True
        if parent.tag == "article":
            return False
    return False


def _name(image_url: str) -> str:
    """The file's name without size variants: the same picture is offered in many."""
    return re.sub(r"[-_]?\d{2,4}x\d{2,4}", "", image_url.partition("?")[0].rpartition("/")[2])


def _figure(figure: Element, base: str | None) -> Image | None:
    picture = next(figure.iter("img"), None)
    if picture is None:
        return None
    url = next((u for raw in _addresses(picture) if (u := canonical_url(raw, base=base))), None)
    if url is None:
        return None
    caption, credit = _caption(figure)
    return Image(url=url, caption=caption, credit=credit, alt=one_line(picture.get("alt")))


def _addresses(picture: Element) -> Iterator[str]:
    for name in ("data-src", "data-original", "data-lazy-src", "src", "data-srcset", "srcset"):
        value = (picture.get(name) or "").strip()
        if value and not value.startswith("data:"):
            yield value.split(",")[0].split()[0] if name.endswith("srcset") else value


def _caption(figure: Element) -> tuple[str | None, str | None]:
    box = next(figure.iter("figcaption"), None)
    if box is None:
        return None, None
    credits = [
        e for e in box.iterdescendants() if isinstance(e.tag, str) and _CREDIT_CLASS.search(e.get("class") or "")
    ]
    credit = one_line(" ".join(map(str, credits[-1].itertext()))) if credits else None
    whole = one_line(" ".join(map(str, box.itertext())))
    if credit and whole:
        caption = one_line(whole.replace(credit, " ", 1))
        return caption, _LABEL.sub("", credit)
    return split_credit(whole) if (apart := _apart(box, whole)) is None else apart


def _apart(box: Element, whole: str | None) -> tuple[str, str] | None:
    """Of two elements with class names that say nothing, the second is the credit if it is short and no sentence."""
    parts = [text for e in box if isinstance(e.tag, str) and (text := one_line("".join(map(str, e.itertext()))))]
    if len(parts) != 2 or " ".join(parts) != whole:
        return None
    caption, credit = parts
    if len(credit.split()) > CREDIT_WORDS or credit.endswith((".", "!", "?", "…")) or len(credit) >= len(caption):
        return None
    return caption, _LABEL.sub("", credit)


def split_credit(text: str | None) -> tuple[str | None, str | None]:
    """Caption and credit of one string: "The harbour at dawn. Photo: A. Person" is both."""
    match = _CREDIT_TAIL.search(text) if text else None
    if not text or not match:
        return text, None
    return one_line(text[: match.start()]), match["credit"].strip(" .")
