"""Page types by their signs: an article hardly ever becomes anything else, and what is none is not one."""

from __future__ import annotations

import pytest

from crawler.extraction import extract
from crawler.extraction.pagetype import TYPES
from crawler.extraction.signs import weights, words_of
from crawler.items import Extraction
from tests.extraction.pages import PARAGRAPHS, URL, page

SITE = "https://post.example"


def read(body: str, head: str = "", url: str = f"{SITE}/x") -> Extraction:
    return extract(f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode(), url)


def paragraphs(number: int = 6) -> str:
    return "".join(f"<p>{text}</p>" for text in PARAGRAPHS[:number])


def teasers(number: int) -> str:
    return "".join(
        f"<article><h2><a href='/2026/03/{n}/story-{n}'>Council number {n} votes on its harbour once more</a></h2>"
        f"<p>The vote was closer than expected, and the mayor wants to have it repeated in the week {n}.</p></article>"
        for n in range(number)
    )


def test_an_article_is_sure_to_be_one() -> None:
    found = extract(page(PARAGRAPHS), URL)
    assert found.page_type == "article"
    assert found.page_type_confidence is not None
    assert found.page_type_confidence > 0.9
    assert "declared" in found.evidence["page_type"]


@pytest.mark.parametrize("words", ["Access denied", "Page not found", "Cookies", "404", "Just a moment", "Live"])
def test_an_article_with_a_tell_tale_headline_is_an_article(words: str) -> None:
    body = f"<article><h1>{words}</h1><time datetime='2026-03-05T10:00Z'></time>{paragraphs()}</article>"
    assert read(body, f"<title>{words}</title>").page_type == "article"


def test_an_article_about_consent_is_an_article() -> None:
    text = (
        "<p>Publishers and their partners ask for your consent to process personal data, and the regulator says that a"
        " cookie policy which hides the legitimate interest behind four clicks is against the law.</p>"
        "<p>A button that says accept all cookies has to have a twin that rejects them, the court in Karst decided.</p>"
        "<p>The association of advertisers said that it would appeal. Its members live on personalised advertising.</p>"
    )
    head = "<script type='application/ld+json'>{'@type':'NewsArticle'}</script>".replace("'", '"')
    head += '<meta property="og:type" content="article"><meta property="article:published_time" content="2026-03-05">'
    assert read(f"<article><h1>Cookies</h1>{text}</article>", head).page_type == "article"


def test_an_article_of_one_paragraph_with_many_links_around_it_is_an_article() -> None:
    head = '<meta property="og:type" content="article"><meta property="article:published_time" content="2026-03-05">'
    body = f"<article><h1>Tunnel to open</h1>{paragraphs(1)}</article><aside>{teasers(12)}</aside>"
    assert read(body, head, f"{SITE}/world/tunnel-to-open-soon-1").page_type == "article"


@pytest.mark.parametrize(
    "url", [f"{SITE}/", SITE, f"{SITE}/en", f"{SITE}/tag/harbours", f"{SITE}/world", f"{SITE}/a/b?page=2"]
)
@pytest.mark.parametrize("number", [2, 12])
def test_a_list_of_teasers_is_a_listing(url: str, number: int) -> None:
    assert read(f"<main><h1>News</h1>{teasers(number)}</main>", "<title>News</title>", url).page_type == "listing"


def test_a_listing_that_calls_itself_an_article_is_a_listing() -> None:
    head = '<meta property="og:type" content="article">'
    assert read(f"<main>{teasers(20)}</main>", head, f"{SITE}/tag/harbours").page_type == "listing"


@pytest.mark.parametrize("title", words_of("soft_404", "titles"))
def test_not_found_in_every_language(title: str) -> None:
    body = f"<nav><a href='/'>A</a></nav><h1>{title}</h1><p><a href='/'>Home</a></p>"
    assert read(body, f"<title>{title} | The Example Post</title>").page_type == "soft_404"


def test_not_found_with_teasers_below() -> None:
    body = f"<h1>Page not found</h1><p>The page you are looking for no longer exists.</p>{teasers(5)}"
    assert read(body, "<title>Page not found - Example</title>").page_type == "soft_404"


CHALLENGES = [
    ("Just a moment...", "<noscript><p>Enable JavaScript and cookies to continue</p></noscript>", "cf-challenge.js"),
    ("post.example", "<p>Please complete the captcha so that we know that you are not a robot.</p>", "/captcha.js"),
    ("Access Denied", "<h1>Access Denied</h1><p>You don't have permission to access it. Reference #18.2</p>", ""),
    ("Un instant", "<h1>Vérification de sécurité</h1><p>Confirmez que vous n'êtes pas un robot.</p>", ""),
    ("Einen Moment", "<p>Bitte bestätigen Sie, dass Sie kein Roboter sind.</p>", "https://x.example/h-captcha.js"),
    ("Проверка браузера", "<p>Подтвердите, что вы не робот</p>", ""),
    ("请稍候", "<p>请验证您是真人，验证您是人类后继续。</p>", ""),
    ("Robot or human?", "<p>Press and hold the button.</p><div id='px-captcha'></div>", ""),
]  # fmt: skip


@pytest.mark.parametrize(("title", "body", "script"), CHALLENGES)
def test_bot_challenges(title: str, body: str, script: str) -> None:
    found = read(f"{body}<script src='{script}'></script>", f"<title>{title}</title>", URL)
    assert found.page_type == "bot_challenge"


WALLS = [
    ("Your privacy", "We and our partners store and/or access personal data on your device. You consent to this by"
     " clicking below; our privacy policy says how to withdraw consent.", "Accept all", "Manage preferences"),
    ("Datenschutz", "Wir und unsere Partner verwenden Cookies und verarbeiten personenbezogene Daten. Mit Ihrer"
     " Zustimmung sehen Sie mehr. Ihre Einwilligung können Sie in der Datenschutzerklärung widerrufen.",
     "Alle akzeptieren", "Einstellungen"),
    ("Vos choix", "Avec nos partenaires, nous utilisons des cookies et des données personnelles. Votre consentement"
     " peut être retiré ; voyez notre politique de confidentialité.", "Tout accepter", "Continuer sans accepter"),
    ("Privacidad", "Nosotros y nuestros socios utilizamos cookies y datos personales. Tu consentimiento se puede"
     " retirar en la política de privacidad.", "Aceptar todo", "Configurar"),
    ("Privacy", "Wij en onze partners gebruiken cookies en verwerken persoonsgegevens. Uw toestemming kunt u intrekken"
     " in ons privacybeleid.", "Alles accepteren", "Instellen"),
    ("Prywatność", "My i nasi partnerzy używamy plików cookie. Twoja zgoda dotyczy danych osobowych; polityka"
     " prywatności mówi, jak ją wycofać.", "Akceptuję", "Odrzuć wszystkie"),
]  # fmt: skip


@pytest.mark.parametrize(("title", "text", "accept", "other"), WALLS)
def test_consent_walls(title: str, text: str, accept: str, other: str) -> None:
    body = (
        f"<div class='wall'><h1>{title}</h1><p>{text}</p><button>{accept}</button> <p>{other}</p><p>{accept}</p></div>"
    )
    assert read(body, f"<title>{title}</title>", URL).page_type == "consent_wall"


def test_a_video_page_and_an_article_with_a_video() -> None:
    clip = '<script type="application/ld+json">{"@type": "VideoObject", "name": "Tunnel opens"}</script>'
    body = (
        "<h1>Tunnel opens</h1><video src='x.mp4'></video><p>The last metres of the tunnel, seen from the air today.</p>"
    )
    assert read(body, clip, f"{SITE}/video/tunnel-opens-1").page_type == "video"
    article = page(PARAGRAPHS).replace(b"</head>", clip.encode() + b"</head>")
    assert extract(article, URL).page_type == "article"


def test_a_gallery() -> None:
    head = '<script type="application/ld+json">{"@type": "ImageGallery", "name": "The tunnel in pictures"}</script>'
    figures = "".join(
        f"<figure><img src='/{n}.jpg'><figcaption>Workers at portal number {n} of the tunnel.</figcaption></figure>"
        for n in range(12)
    )
    body = f"<h1>The tunnel in pictures</h1><p>Twelve views of the longest tunnel of the region.</p>{figures}"
    assert read(body, head, f"{SITE}/gallery/tunnel-in-pictures").page_type == "gallery"


@pytest.mark.parametrize("body", ["", "<div id='root'></div>", "<nav><a href='/'>News</a></nav>"])
def test_no_content(body: str) -> None:
    assert read(body, "<title>Post</title>", f"{SITE}/2026/03/05/a-b-c-d").page_type in ("no_content", "listing")


def test_confidence_is_a_share_and_every_type_has_weights() -> None:
    assert set(weights()) == set(TYPES)
    for html in (b"", b"<p>x", page(PARAGRAPHS)):
        confidence = extract(html, URL).page_type_confidence
        assert confidence is None or 0 < confidence <= 1


@pytest.mark.parametrize("kind", ["soft_404", "bot_challenge", "consent_wall"])
def test_phrases_are_folded_and_long_enough(kind: str) -> None:
    assert all(len(phrase) >= 2 and phrase == phrase.strip() for phrase in words_of(kind, "titles"))
    assert all(len(phrase) >= 4 or not phrase.isascii() for phrase in words_of(kind, "texts"))
