"""What the URLs of a source look like, and which of these shapes its articles have."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from crawler.discovery.segments import CLASS, Path, Segment, path_of
from crawler.discovery.vocabulary import words

LISTED = 1  # what an entry of a feed or news sitemap counts: nearly all of them are articles
FETCHED = 5  # what a page counts whose type is known
PRIOR = 2.0  # how many observations a coarser shape is worth
OWN_ARTICLES = 3  # on a host that is the source's
OWN_SHARE = 0.2
MAX_SHAPE = 300  # characters
_LITERALS = 3  # in one shape
_TELLING = (
    "account",
    "indexes",
    "lists",
    "archives",
    "videos",
    "pictures",
    "leisure",
)  # words that stay when sections are left out


def shape_of(url: str) -> str:
    """`herald.example/world/{year}/{month}/{day}/{slug}.html?id`: what a URL has in common with others of its kind.

    Host without www; short names of sections as they are, other segments by class, the extension, names of parameters
    in order. The same for a shape with a scheme in front.
    """
    path = path_of(url)
    return _joined(path.host, _labels(path.segments), path)


@dataclass(frozen=True, slots=True)
class Shapes:
    """How many pages of each shape turned out to be articles, and how many others: what it has taught."""

    rows: tuple[tuple[str, float, float], ...] = ()  # shape, articles, others
    _levels: tuple[dict[str, tuple[float, float]], ...] = field(init=False, repr=False, compare=False)
    _hosts: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        levels: tuple[dict[str, tuple[float, float]], ...] = ({}, {}, {})
        for shape, articles, others in self.rows:
            for level, name in zip(levels, _coarser(path_of(f"https://{shape}")), strict=True):
                had = level.get(name, (0.0, 0.0))
                level[name] = (had[0] + articles, had[1] + others)
        object.__setattr__(self, "_levels", levels)
        hosts: dict[str, float] = defaultdict(float)
        for shape, articles, _ in self.rows:
            hosts[shape.partition("/")[0]] += articles
        enough = max(OWN_ARTICLES, OWN_SHARE * self.articles)
        object.__setattr__(self, "_hosts", frozenset(host for host, number in hosts.items() if number >= enough))

    @classmethod
    def of(cls, articles: Iterable[str] = (), others: Iterable[str] = (), weight: float = LISTED) -> Shapes:
        """The shapes of some URLs."""
        seen = Counter(map(shape_of, articles)), Counter(map(shape_of, others))
        shapes = dict.fromkeys([*seen[0], *seen[1]])
        return cls(tuple((shape, weight * seen[0][shape], weight * seen[1][shape]) for shape in shapes))

    def __add__(self, other: Shapes) -> Shapes:
        return Shapes(self.rows + other.rows)

    @property
    def articles(self) -> float:
        return sum(articles for _, articles, _ in self.rows)

    @property
    def hosts(self) -> frozenset[str]:
        """Where a good part of the source's articles are, without www: not always on the home page's site."""
        return self._hosts

    def chance(self, url: str) -> float:
        """How likely a page of this shape is an article, 0 to 1; 0.5 if the source has taught nothing of the kind.

        The share of articles among pages of the shape, smoothed by that of the same shape without its sections, which
        is smoothed by that of its last segment's class.
        """
        share = 0.5
        for level, name in zip(reversed(self._levels), reversed(_coarser(path_of(url))), strict=True):
            articles, others = level.get(name, (0.0, 0.0))
            share = (articles + PRIOR * share) / (articles + others + PRIOR)
        return share

    def knows(self, url: str) -> bool:
        """Whether any page of the shape, however coarse, was seen."""
        return any(name in level for level, name in zip(self._levels, _coarser(path_of(url)), strict=True))


def _labels(segments: tuple[Segment, ...]) -> list[str]:
    labels: list[str] = []
    last, literals = len(segments) - 1, 0
    for at, segment in enumerate(segments):
        label = segment.name if at < last and segment.is_short else segment.label
        if not CLASS.fullmatch(label):
            literals += 1
            # Names at the end are as many as there are sections, people and topics.
            if literals > _LITERALS or (at == last and at > 0):
                label = "{words}" if "-" in label else "{word}"
        labels.append(label)
    return labels


def _coarser(path: Path) -> tuple[str, str, str]:
    """The shape, the same without host and sections, and its last segment alone."""
    labels = _labels(path.segments)
    bare = [label if CLASS.fullmatch(label) or _is_telling(label) else "{word}" for label in labels]
    return (
        _joined(path.host, labels, path),
        _joined("", bare, path),
        _joined("", [*["…"][: len(bare) - 1], *bare[-1:]], path),
    )


def _is_telling(label: str) -> bool:
    return any(label in words(name) for name in _TELLING)


def _joined(host: str, labels: list[str], path: Path) -> str:
    extension = f".{path.extension}" if path.extension else ""
    names = sorted({name for name, _ in path.parameters if name})
    query = "?" + "&".join(names) if names else ""
    return f"{host}/{'/'.join(labels)}{extension}{query}"[:MAX_SHAPE]
