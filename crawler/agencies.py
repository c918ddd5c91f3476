"""Whose text an article is when it says so: the news agency of its byline, dateline or last line.

Pure. Names are taken only where credits stand, for many of them are words and other bodies' initials too: as an author,
after a place or a date before the dash of a dateline, alone on the last line or after its full stop. "(PTI)" within a
sentence is a party, and so it is where its letters are the initials of what stands before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

# Name -> how it signs, as written, and the hosts that are its own.
_AGENCIES = {
    "AAP": ("AAP|Australian Associated Press", "aap.com.au aapnews.com.au"),
    "Adnkronos": ("Adnkronos", "adnkronos.com"),
    "AFP": ("AFP|Agence France-Presse|Agence France Presse|法新社|ا ف ب|أ ف ب", "afp.com"),
    "Agência Brasil": ("Agência Brasil", "agenciabrasil.ebc.com.br"),
    "Agerpres": ("Agerpres|AGERPRES", "agerpres.ro"),
    "Anadolu": ("Anadolu|Anadolu Agency|Anadolu Ajansı|AA", "aa.com.tr"),
    "ANI": ("ANI", "aninews.in"),
    "ANP": ("ANP", "anp.nl"),
    "ANSA": ("ANSA", "ansa.it"),
    "AP": ("AP|Associated Press|The Associated Press|美联社", "apnews.com ap.org"),
    "APA": ("APA", "apa.at"),
    "Belga": ("Belga|BELGA", "belga.be belganewsagency.eu"),
    "Bernama": ("Bernama|BERNAMA", "bernama.com"),
    "Bloomberg": ("Bloomberg", "bloomberg.com"),
    "BTA": ("BTA|БТА", "bta.bg"),
    "Business Wire": ("BUSINESS WIRE|Business Wire", "businesswire.com"),
    "Canadian Press": ("The Canadian Press|Canadian Press|La Presse Canadienne", "thecanadianpress.com"),
    "ČTK": ("ČTK|CTK", "ctk.cz ceskenoviny.cz"),
    "dpa": ("dpa|DPA|Deutsche Presse-Agentur|dpa-AFX", "dpa.com"),
    "EFE": ("EFE|Agencia EFE", "efe.com"),
    "epd": ("epd", "epd.de"),
    "Europa Press": ("Europa Press|EUROPA PRESS", "europapress.es"),
    "GlobeNewswire": ("GLOBE NEWSWIRE|GlobeNewswire", "globenewswire.com"),
    "HINA": ("HINA|Hina", "hina.hr"),
    "IANS": ("IANS", "ians.in"),
    "Interfax": ("Interfax|INTERFAX|Интерфакс|ИНТЕРФАКС", "interfax.ru interfax.com"),
    "Jiji": ("Jiji Press|時事|時事通信|時事通信社", "jiji.com"),
    "KNA": ("KNA", "kna.de"),
    "Kyodo": ("Kyodo|Kyodo News|共同|共同通信|共同通信社|共同社", "kyodonews.net kyodonews.jp nordot.app"),
    "LaPresse": ("LaPresse", "lapresse.it"),
    "Lusa": ("Lusa|LUSA", "lusa.pt"),
    "MTI": ("MTI", "mti.hu"),
    "NTB": ("NTB", "ntb.no"),
    "PA Media": ("PA Media|Press Association|PA", "pa.media"),
    "PAP": ("PAP", "pap.pl"),
    "PR Newswire": ("PRNewswire|PR Newswire", "prnewswire.com"),
    "PTI": ("PTI|Press Trust of India", "ptinews.com"),
    "Reuters": ("Reuters|REUTERS|Thomson Reuters|ロイター|路透社|Рейтер", "reuters.com"),
    "RIA": ("РИА Новости|RIA Novosti", "ria.ru"),
    "Ritzau": ("Ritzau|RITZAU", "ritzau.dk"),
    "SDA": ("sda|SDA|Keystone-SDA|Keystone-ATS|ats|ATS", "keystone-sda.ch"),
    "SID": ("SID|sid", "sid.de"),
    "STT": ("STT", "stt.fi"),
    "TASR": ("TASR", "tasr.sk teraz.sk"),
    "TASS": ("TASS|ТАСС", "tass.ru tass.com"),
    "TT": ("TT|TT Nyhetsbyrån", "tt.se"),
    "Ukrinform": ("Ukrinform|Укрінформ|Укринформ", "ukrinform.ua ukrinform.net"),
    "UPI": ("UPI", "upi.com"),
    "VNA": ("TTXVN|VNA", "vietnamplus.vn"),
    "Xinhua": ("Xinhua|新华社|新华网|新華社", "xinhuanet.com news.cn"),
    "Yonhap": ("Yonhap|연합뉴스|聯合通訊", "yna.co.kr"),
}
_NAMES = {sign: name for name, (signs, _) in _AGENCIES.items() for sign in signs.split("|")}
_HOSTS = {host: name for name, (_, hosts) in _AGENCIES.items() for host in hosts.split()}

_DATELINE = 120  # letters at a body's start in which it stands
_LAST_LINE = 60  # letters of a line that is nothing but a credit
_BRACKETED = re.compile(
    r"[(\[]([^()\[\]]{2,50})[)\]]\s*(?:[.:]?\s*[-–—―=]|$)|\(([^()\s]{1,20}=[^()\s]{2,20})\)|/([^/\s]{2,20})/"
    r"|[【［（]([^】］）]{2,50})[】］）]",
    re.M,
)
_BEFORE_DASH = re.compile(r"^([^\n!?]{2,60}), ?([^\W\d_][\w-]{1,20}(?: [^\W\d_][\w-]{1,20}){0,2})\s*[-–—]\s")
_DAY = re.compile(r"\d+\.?(?: (?:de )?[^\W\d_]+\.?(?: de)?(?: \d{4})?)?")
_PARTICLE = 3  # letters that a word of a place's name may have without a capital
_MOST_WORDS = 7  # of a place and a date
_CLOSING = re.compile(r"(?:^|[.!?…。।\"”»’])\s*\(([^()\n]{2,30})\)\.?$")
_OPENING = re.compile(r"^(新华社|新華社|共同社|中新社)")
_CREDIT_WORDS = re.compile(
    r"©|\(c\)|\d{4}|\b(?:copyright|source|sources|quelle|quellen|fuente|fuentes|fonte|via|by|from|mit|und|and|et|y|e|"
    r"con|avec|von|par|staff|news|news agency|agencies|agency|agencias|agenturen|источник)\b:?",
    re.I,
)
_REUTERS = re.compile(r"\(?Reporting by .{3,120}[;.] ?(?:Writing|Editing) by ", re.I)
_PARTS = re.compile(r"[/,;|&()=\[\]・]| - ")
_SPACED_PARTS = re.compile(r"[/,;|&()=\[\]・\s]+")


def credited(authors: Iterable[str], body: str) -> str | None:
    """The agency that an article names as its own, or None."""
    for author in authors:
        if found := _named(_PARTS.split(_CREDIT_WORDS.sub("|", author))):
            return found
    return _dateline(body[:_DATELINE]) or _signature(body)


def agency_of(address: str) -> str | None:
    """Whose site an address is, if an agency's."""
    host = (urlsplit(address).hostname or "").removeprefix("www.")
    while host:
        if host in _HOSTS:
            return _HOSTS[host]
        host = host.partition(".")[2]
    return None


def _named(parts: Iterable[str]) -> str | None:
    return next((_NAMES[name] for part in parts if (name := part.strip(" .:-–—*")) in _NAMES), None)


def _dateline(start: str) -> str | None:
    for match in _BRACKETED.finditer(start):
        inside = match[match.lastindex or 0]
        if match.lastindex == 1 and not _is_place(start[: match.start()].rpartition("\n")[2], inside):
            continue
        if found := _named([inside]) or _named(_PARTS.split(inside)) or _named(_SPACED_PARTS.split(inside)):
            return found
        if found := _named(inside[at:] for at in range(1, len(inside)) if not inside[at].isascii()):  # 東京共同
            return found
    if opening := _OPENING.match(start):
        return _NAMES.get(opening[1])
    before = _BEFORE_DASH.match(start)
    return _named([before[2]]) if before and _is_place(before[1], before[2]) else None


def _is_place(before: str, name: str) -> bool:
    """Whether a place and a date stand before a name, or nothing, and not what the name is short for."""
    words = re.findall(r"[^\W\d_]+", before)
    initials = "".join(word[0] for word in words if word[0].isupper())
    rest = re.findall(r"[^\W\d_][^\s,]*", _DAY.sub("", before))
    return (
        len(words) <= _MOST_WORDS
        and ":" not in before
        and not (words and initials.endswith(name))
        and all(len(word) <= _PARTICLE or not word[0].islower() for word in rest)
    )


def _signature(body: str) -> str | None:
    last = body.rstrip()[-400:].rpartition("\n")[2]
    if len(last) <= _LAST_LINE:
        rest = [part.strip(" .:-–—*") for part in _PARTS.split(_CREDIT_WORDS.sub("|", last))]
        named = [part for part in rest if part]
        if named and all(part in _NAMES for part in named):
            return _NAMES[named[0]]
    closing = _CLOSING.search(last)
    if closing and (found := _named(_PARTS.split(closing[1]))):
        return found
    return "Reuters" if _REUTERS.search(last) else None
