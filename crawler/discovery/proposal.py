"""A survey as a seed: what would be written, what speaks for it, and why it is not written if it is not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from crawler.discovery import samples as sampling
from crawler.discovery.front import Front
from crawler.discovery.identity import Heard, Identity, identity
from crawler.discovery.measures import measures
from crawler.discovery.samples import Leak, Sample
from crawler.discovery.survey import Finding, Missing, Offer, Site, Use, judge, needs_age_limit

USES: tuple[Use, ...] = ("feeds", "sitemaps", "archives", "listings")


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """`problem`: a typed word and a sentence that say why there is nothing to write."""

    identity: Identity
    findings: tuple[Finding, ...]
    missing: tuple[Missing, ...]
    samples: tuple[Sample, ...]
    leaks: tuple[Leak, ...]
    allow: str | None = None
    problem: tuple[str, str] | None = None

    @property
    def score(self) -> float:
        """0 to 1: the best list's score with the samples'."""
        best = max((one.score for one in self.findings if one.use), default=0.0)
        return round((best + 2 * sampling.score(self.samples)) / 3, 2)

    def urls(self, use: Use) -> list[str]:
        """The addresses that go to one key of the seed, the best first."""
        return [one.listed.url for one in self.findings if one.use == use]

    @property
    def max_age_days(self) -> int | None:
        return measures().judging.max_age_days if needs_age_limit(self.findings) else None


def propose(
    site: Site,
    fronts: Sequence[Front],
    offers: Sequence[Offer],
    missing: Sequence[Missing],
    samples: Sequence[Sample],
    front_type: str | None,
) -> Proposal:
    """`front_type`: the page type of the home page, if it was read."""
    lists = [one.listed for one in judge(offers, site) if one.use]
    named = identity(site.homepage, fronts, lists, heard(samples))
    findings = judge(offers, Site(homepage=site.homepage, language=named.language, now=site.now))
    return Proposal(
        identity=named,
        findings=tuple(findings),
        missing=tuple(missing),
        samples=tuple(samples),
        leaks=tuple(sampling.leaks(samples)),
        allow=shared_shape(findings),
        problem=_problem(findings, samples, missing, front_type),
    )


def heard(samples: Sequence[Sample]) -> Heard:
    """What the samples tell of their publication."""
    good = [one for one in samples if one.is_article]
    return Heard(
        site_names=[one.site_name for one in good if one.site_name],
        languages=[one.language for one in good if one.language],
        text_languages=[one.text_language for one in good if one.text_language],
        dates=[one.published_at for one in good if one.published_at],
    )


def shared_shape(findings: Sequence[Finding]) -> str | None:
    """A regular expression that nearly all entries of the feeds match, where the sitemaps list other pages as well."""
    rules = measures()
    used = [one for one in findings if one.use]
    told = {entry.url for one in used if one.listed.kind in ("feed", "news sitemap") for entry in one.listed.entries}
    mixed = {entry.url for one in used if one.listed.kind == "sitemap" for entry in one.listed.entries}
    if len(told) < rules.shape_entries or not mixed:
        return None
    for shape in rules.shapes:
        found = re.compile(shape).search
        if sum(map(bool, map(found, told))) >= rules.shape_share * len(told):
            return shape if sum(not found(url) for url in mixed) >= (1 - rules.shape_share) * len(mixed) else None
    return None


def _problem(
    findings: Sequence[Finding], samples: Sequence[Sample], missing: Sequence[Missing], front_type: str | None
) -> tuple[str, str] | None:
    good = sum(one.is_article for one in samples)
    if good and good >= measures().sampling.good * len(samples):
        return None
    if front_type in ("bot_challenge", "consent_wall"):
        return front_type, f"its home page is a {front_type.replace('_', ' ')}"
    if samples:
        word, number = sampling.reasons(samples).most_common(1)[0]
        example = next(one for one in samples if one.verdict == word)
        told = f": {example.detail}" if example.detail else ""
        return word, f"{number} of {len(samples)} sample articles are {word}, such as {example.url}{told}"
    if missing:
        return missing[0].outcome, f"{missing[0].url}, {missing[0].origin}: {missing[0].detail or missing[0].outcome}"
    if findings:
        return "no_articles", f"what it lists is of no use: {findings[0].listed.url} {findings[0].why}"
    return "no_articles", "no feed, no sitemap and no article was found"
