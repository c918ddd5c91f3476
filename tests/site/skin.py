"""Class names: every paper's templates have their own, one of them hashed as build tools leave them."""

from __future__ import annotations

import zlib

HERALD = {
    "page": "page page--story",
    "head": "story__head",
    "byline": "story__byline",
    "picture": "story__lead-picture",
    "caption": "story__picture-caption",
    "credit": "story__picture-credit",
    "text": "story__text",
    "chunk": "story__chunk story__chunk--html",
    "see-also": "story__see-also",
    "letter": "giving-banner",
    "teaser": "giving-teaser",
    "banner": "giving-strip",
    "newsletter": "mail-box",
    "paywall": "gate",
    "share": "share-row",
    "consent": "cookie-bar",
    "legal": "story__small-print",
    "bio": "story__about-author",
    "river": "river",
    "button": "btn btn--primary",
}
COURRIER = {
    "page": "gabarit-article",
    "head": "entete",
    "byline": "signature",
    "picture": "illustration",
    "caption": "illustration-texte",
    "credit": "illustration-auteur",
    "text": "corps",
    "chunk": "corps-bloc",
    "see-also": "renvoi",
    "letter": "encart-soutien",
    "teaser": "lien-soutien",
    "banner": "bandeau",
    "newsletter": "encart-lettre",
    "paywall": "mur",
    "share": "partage",
    "consent": "fenetre-temoins",
    "legal": "mentions",
    "bio": "auteur-notice",
    "river": "fil",
    "button": "bouton",
}


def css(publication: str, role: str) -> str:
    """The class attribute's value for `role` in a publication's templates."""
    names = {"herald": HERALD, "faults": HERALD, "courrier": COURRIER}.get(publication)
    return names[role] if names else f"k{zlib.crc32(role.encode()):08x}"
