"""URLs as they are compared and stored."""

from __future__ import annotations

import ipaddress
import re
from functools import cache, lru_cache
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

import idna
import tldextract

MAX_LENGTH = 2_000

# What only says where a reader came from. Names that some site uses to choose the page (`ref`, `cid`, `source`, `id`)
# are left alone: two rows for one article are better than one row for two.
TRACKING_PREFIXES = ("utm_", "hsa_", "_hs", "pk_", "mtm_", "matomo_", "piwik_", "at_custom", "at_link", "at_ptr")
# fmt: off
TRACKING = frozenset(
    {
        "__twitter_impression", "_ga", "_gl", "_openstat", "at_campaign", "at_campaign_type", "at_format",
        "at_medium", "cmp", "cmpid", "dclid", "epik", "fb_action_ids", "fb_action_types", "fb_ref",
        "fb_source", "fbclid", "ftag", "gbraid", "gclid", "gclsrc", "gs_l", "guccounter", "guce_referrer",
        "guce_referrer_sig", "icid", "igsh", "igshid", "ito", "li_fat_id", "mbid", "mc_cid", "mc_eid",
        "mkt_tok", "msclkid", "ncid", "ns_campaign", "ns_fee", "ns_linkname", "ns_mchannel", "ns_source",
        "ocid", "rb_clickid", "ref_src", "ref_url", "s_cid", "s_kwcid", "smid", "smtyp", "soc_src", "soc_trk",
        "spm", "sr_share", "srsltid", "taid", "traffic_source", "trk", "ttclid", "twclid", "vero_conv",
        "vero_id", "wbraid", "wprss", "wt.mc_id", "wt_mc", "xtor", "yclid", "ysclid",
    }
)
# fmt: on

_ABSOLUTE = ("http://", "https://")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})|%")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SAFE_IN_PATH = "%/:@!$&'()*+,;=~"
_SAFE_IN_QUERY = _SAFE_IN_PATH + "?"
_EDGES = "".join(map(chr, range(0x21))) + "\u00a0\u200b\ufeff"

# Other dresses of one page: for phones, for a printer, for one reader's session.
_WWW = re.compile(r"(?:www\d?|m|mobile|mobil|amp|touch|wap)\.")
_DRESS_SEGMENTS = frozenset({"amp", "amphtml", "print"})
_DRESS_ENDINGS = re.compile(r"(?:\.amp|[.-]amp(?=\.html?$)|[._-]print(?=\.html?$))", re.IGNORECASE)
_DRESS_FLAGS = re.compile(r"(?:(?:is)?amp|mobile|print|printable|printer)(?:=(?:1|true|yes|on|)?)?")
_DRESS_CHOICES = re.compile(
    r"(?:view|outputtype|output|displaymode|amp|layout)=(?:amp|amphtml|print|printable|printer|mobile)"
)
_SESSION = re.compile(  # a value that is no short number: `sid=1234` may well be a story
    r"(?:phpsessid|jsessionid|aspsessionid\w*|cftoken|session_?id|sessid|sid|zenid)=(?=[^=]*\d)[0-9a-z._-]{16,}"
)
_SESSION_SEGMENT = re.compile(r";jsessionid=[^/;?]*|/\(S\([0-9a-z]{20,}\)\)", re.IGNORECASE)
_INDEX = re.compile(r"/(?:index|default)\.(?:html?|php|aspx?|jsp)$", re.IGNORECASE)


def canonical_url(url: str | None, base: str | None = None, *, tracking: bool = False) -> str | None:
    """The absolute http(s) URL under which an address is known, or None if it is none; idempotent.

    Fragment, credentials, default port and tracking parameters go; the order of the query stays, and so do a trailing
    slash and `www.`, since only the server knows what they mean. `tracking`: its parameters stay, too.
    """
    parts = _split(url, base)
    if parts is None:
        return None
    netloc = _netloc(parts)
    if netloc is None:
        return None
    path = _without_dots(_escaped(parts.path, _SAFE_IN_PATH)) or "/"
    query = _escaped(parts.query, _SAFE_IN_QUERY)
    query = query if tracking else _without_tracking(query)
    result = urlunsplit((parts.scheme, netloc, path, query, ""))
    return result if len(result) <= MAX_LENGTH else None


def url_key(url: str) -> str | None:
    """The identity of a page: the same for all addresses that differ only in what does not choose a page; idempotent.

    Scheme, `www.` and a phone's host, trailing slash, `index.html`, AMP, print and mobile marks, session ids, the order
    of the query and what `canonical_url` takes away do not count. None for what is no http(s) URL. It is no address:
    what is fetched is the URL that was found.
    """
    canonical = canonical_url(url if "://" in url else f"http://{url}")
    if canonical is None:
        return None
    parts = urlsplit(canonical)
    query = sorted(pair for pair in parts.query.split("&") if pair and not _is_dress(pair) and not _is_session(pair))
    path, before = parts.path, ""
    while path != before:  # what is taken away may uncover another mark
        before, path = path, _without_marks(_SESSION_SEGMENT.sub("", path))
        path = (path if query else _INDEX.sub("/", path)).rstrip("/")
    return _bare_host(parts.netloc) + (path or "/") + ("?" + "&".join(query) if query else "")


def is_variant(url: str) -> bool:
    """Whether an address is marked as the AMP, print or phone version of a page, which has a better one."""
    parts = urlsplit(url)
    host = parts.netloc.lower()
    marked = not host.startswith("www") and _bare_host(host) != host
    return (
        marked
        or _without_marks(parts.path) != parts.path
        or any(_is_dress(pair) for pair in parts.query.split("&") if pair)
    )


def origin_of(url: str) -> str:
    """`https://herald.example`: scheme, host and port, as RFC 9309 assigns a robots.txt."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def host_of(url: str) -> str:
    """The lower-case host without port; empty if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def same_site(url: str, other: str) -> bool:
    """Whether both belong to one registrable domain (`news.herald.example` and `www.herald.example` do)."""
    site = _site(host_of(url))
    return bool(site) and site == _site(host_of(other))


def labels_of(url: str) -> tuple[str, str]:
    """The name that a site registered, and the suffix below which it did: ("herald", "co.uk"); unknown ones are ""."""
    host = host_of(url)
    found = _suffixes()(host)
    if not found.suffix and not host.replace(".", "").isdigit():
        return host.rpartition(".")[0].rpartition(".")[2] or host, ""
    return found.domain, found.suffix


def _split(url: str | None, base: str | None) -> SplitResult | None:
    # Three times the limit leaves room for tracking parameters and escapes.
    if not url or len(url) > 3 * MAX_LENGTH:
        return None
    url = re.sub("[\t\r\n]", "", url.strip(_EDGES))
    try:
        parts = urlsplit(url if base is None or url.startswith(_ABSOLUTE) else urljoin(base, url))
    except ValueError:  # a bracket that opens no IPv6 address, a host that NFKC would change
        return None
    return parts if url and parts.scheme in _DEFAULT_PORTS else None


def _netloc(parts: SplitResult) -> str | None:
    try:
        host, port = _ascii_host(parts.hostname or ""), parts.port
    except ValueError:
        return None
    if not host:
        return None
    return host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"


@lru_cache(maxsize=4_096)
def _ascii_host(host: str) -> str | None:
    """Raises ValueError for an IPv6 address that is none."""
    if "%" in host:  # an escape, or the zone of a link-local address
        return None
    if ":" in host:
        return f"[{ipaddress.IPv6Address(host)}]"
    try:
        host = host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError:  # idna's own errors are a kind of it
        return None
    host = host.lower().removesuffix(".")
    return host if len(host) <= 253 and _HOST.fullmatch(host) else None


def _escaped(text: str, safe: str) -> str:
    """Percent-encoding in one form: unreserved characters plain, the rest in upper-case hex, `%` alone as %25."""
    if "%" in text:
        text = _ESCAPE.sub(_escape, text)
    return quote(text, safe=safe, errors="replace")


def _escape(match: re.Match[str]) -> str:
    if match[1] is None:
        return "%25"
    char = chr(int(match[1], 16))
    return char if char in _UNRESERVED else match[0].upper()


def _without_dots(path: str) -> str:
    if "." not in path:
        return path
    segments: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            segments.append(segment)
    if path.endswith(("/.", "/..")):
        segments.append("")
    return "/" + "/".join(segments)


def _without_tracking(query: str) -> str:
    return "&".join(pair for pair in query.split("&") if pair and not _is_tracking(pair))


def _is_tracking(pair: str) -> bool:
    name = unquote(pair.partition("=")[0]).lower()
    return name in TRACKING or name.startswith(TRACKING_PREFIXES)


@lru_cache(maxsize=4_096)
def _bare_host(netloc: str) -> str:
    """Without `www.` and its like, as long as a domain is left."""
    while (match := _WWW.match(netloc)) and _is_domain(netloc[match.end() :]):
        netloc = netloc[match.end() :]
    return netloc.removesuffix(":443").removesuffix(":80")


def _is_domain(netloc: str) -> bool:
    host = netloc.partition(":")[0]
    return "." in host and _suffixes()(host).suffix != host


def _without_marks(path: str) -> str:
    """Without an AMP or print mark as the first or the last segment or in the file's name; the rest must be a page."""
    segments = path.split("/")
    named = [segment for segment in segments if segment]
    if len(named) > 1 and named[0].lower() in _DRESS_SEGMENTS:
        segments.remove(named[0])
        named = named[1:]
    if len(named) > 1 and named[-1].lower() in _DRESS_SEGMENTS:
        del segments[len(segments) - 1 - segments[::-1].index(named[-1])]
    segments[-1] = _DRESS_ENDINGS.sub("", segments[-1]) or segments[-1]
    return "/".join(segments)


def _is_dress(pair: str) -> bool:
    plain = unquote(pair).lower()
    return bool(_DRESS_FLAGS.fullmatch(plain) or _DRESS_CHOICES.fullmatch(plain))


def _is_session(pair: str) -> bool:
    return bool(_SESSION.fullmatch(unquote(pair).lower()))


@lru_cache(maxsize=4_096)
def _site(host: str) -> str:
    """An address or a name without a public suffix (localhost) is a site of its own."""
    found = _suffixes()(host)
    return found.top_domain_under_public_suffix or host


@cache
def _suffixes() -> tldextract.TLDExtract:
    # The list that comes with the package: nothing is fetched and nothing is written.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)
