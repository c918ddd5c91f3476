"""Every knob, flat: Scrapy reads this module. The only reader of the environment.

Any setting can be given by `-s NAME=VALUE`; those read from `os.environ` here also as an environment variable.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import quote
from urllib.request import getproxies

from crawler import __version__


def _whole(name: str, default: int) -> int:
    """A whole number of the environment."""
    given = os.environ.get(name) or str(default)
    if not given.isascii() or not given.isdigit():
        sys.exit(f"{name}={given}: it has to be a whole number")
    return int(given)


def _commands() -> str:
    """Of COMMANDS_MODULE, Scrapy imports all to run one, and with it what any of them needs: name the one it runs."""
    program, *words = sys.argv
    asked = next((word for word in words if not word.startswith("-")), None)  # as Scrapy finds it
    if asked is None or Path(program).stem not in ("scrapy", "__main__"):
        return "crawler.commands"
    name = asked.replace("-", "_")
    ours = {path.stem for path in Path(__file__).with_name("commands").glob("[a-z]*.py")}
    return f"crawler.commands.{name}" if name in ours else ""


def _read(name: str, path: str) -> str:
    """The first line of a file."""
    try:
        return Path(path).read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{name}={path}: {getattr(error, 'strerror', None) or error}")


def _secret(name: str) -> str:
    """NAME of the environment, or what stands in the file that NAME_FILE names: only its owner need read that."""
    given, path = os.environ.get(name, ""), os.environ.get(f"{name}_FILE", "")
    return given or (_read(f"{name}_FILE", path) if path else "")


def _database_url() -> str:
    """With the password of DATABASE_PASSWORD_FILE in its place, escaped."""
    url, path = _secret("DATABASE_URL"), os.environ.get("DATABASE_PASSWORD_FILE", "")
    start, separator, rest = url.partition("://")
    if not path or not separator:
        return url
    user, at, place = rest.rpartition("@")
    password = quote(_read("DATABASE_PASSWORD_FILE", path), safe="")
    return f"{start}://{user.partition(':')[0]}:{password}@{place}" if at else f"{start}://:{password}@{rest}"


def _is_yes(name: str) -> bool:
    given = os.environ.get(name, "").lower()
    if given not in ("", "0", "1", "false", "true", "no", "yes", "off", "on"):
        sys.exit(f"{name}={given}: it has to be 1 or 0")
    return given in ("1", "true", "yes", "on")


PROJECT_DIR = Path(__file__).resolve().parent.parent
ON_TERMINAL = sys.stderr.isatty()

# -- ours ---------------------------------------------------------------------------------------------------------
ALERT_COMMAND = _secret("ALERT_COMMAND")  # a program and its arguments; the alert is JSON on its standard input
ALERT_EMAIL = _secret("ALERT_EMAIL")  # addresses, with commas; needs SMTP_URL
ALERT_PAUSE = 600  # seconds after an alert in which no other is sent: what comes then is one message
ALERT_WEBHOOK = _secret("ALERT_WEBHOOK")  # an address to which alerts are POSTed as JSON
ALLOW_PRIVATE_NETWORKS = _is_yes("ALLOW_PRIVATE_NETWORKS")  # fetch from private and loopback addresses too
CHROMIUM = os.environ.get("CHROMIUM", "")  # path or name; empty: chromium, chromium-browser or google-chrome
CRAWLER_CONTACT = os.environ.get("CRAWLER_CONTACT", "")  # a URL or e-mail address, told to every publisher
CRAWLER_DATA_DIR = os.environ.get("CRAWLER_DATA_DIR", str(PROJECT_DIR / ".data"))  # home of the embedded PostgreSQL
CRAWL_TIME_MAX = 3600  # seconds that a queued crawl may take; what it leaves stays queued, for the source's next
CRAWL_WAIT_MAX = 180  # seconds in which nothing comes, after which a queued crawl gives its place back; 0: never
CRAWL_DELAY_MAX = 30  # seconds; a longer Crawl-delay of a robots.txt counts as this
DATABASE_PATIENCE = 120  # seconds that a crawl waits for a database that went away
DATABASE_URL = _database_url()  # postgresql://...; empty: the embedded server
DISABLED_CHECK = 1.0  # seconds between a crawl's looks at which of its sources a person has disabled
EXTRACTION_MEMORY_MB = 2048  # address space of a worker
EXTRACTION_TIMEOUT = 30  # seconds a page may take
EXTRACTION_WORKERS = _whole("EXTRACTION_WORKERS", os.cpu_count() or 1)
HOST_CRAWLS = 500  # jobs after which a crawl host is replaced by a fresh one
HOST_MEMORY_MB = 1024  # so, of a host that has grown beyond this
HOST_SILENCE = 120  # seconds without a sign of life after which a crawl host is ended
LOG_JSON = _is_yes("LOG_JSON")  # each line of the log is a JSON object, for who collects logs
LOST_GRACE = 15  # seconds in which a worker that has lost its session may come back before its jobs are another's
METRICS_HOST = os.environ.get("METRICS_HOST", "127.0.0.1")  # the address that Prometheus scrapes
METRICS_PORT = _whole("METRICS_PORT", 0)  # of workers and schedulers; 0: no metrics
METRICS_SOURCES = _whole("METRICS_SOURCES", 500)  # a worker that has crawled more tells no numbers of single sources
OVERLOAD_DELAY_MAX = 60.0  # seconds between requests to a host that keeps answering 429 or 503
PAGES_KEEP_MONTHS = _whole("PAGES_KEEP_MONTHS", 0)  # months before this one whose raw pages are kept; 0: all
QUIET_HOURS = os.environ.get("QUIET_HOURS", "")  # 23:00-06:00 Europe/Berlin: no crawl is due then; a seed may say else
RECHECK_STEPS = [3_600, 21_600, 86_400, 604_800]  # ages, in seconds, at which a stored article is looked at again
REEXTRACTION_SLICE = 2_000  # pages of a re-extraction that are one process's at a time: about a minute of a core
RENDER_MEMORY_MB = 1024  # a page of the browser that takes more is closed
RENDER_PAGES = 2  # of sources with `render: true` that the browser has open at once
RENDER_TIMEOUT = 30  # seconds; then a page is taken as it is
RETRY_AFTER_MAX = 600  # seconds; a host that wants a longer pause is left for this run
RETRY_BACKOFF_BASE = 1.0  # seconds before the first retry, doubled with each, with jitter
RETRY_BACKOFF_MAX = 60.0
SCHEDULE = os.environ.get("SCHEDULE") or "auto"  # of seeds that name none: auto, never, 30m, 2h, 1d, five cron fields
SEEDS_DIR = os.environ.get("SEEDS_DIR", str(PROJECT_DIR / "seeds"))
SMTP_PASSWORD = _secret("SMTP_PASSWORD")  # instead of one in SMTP_URL
SMTP_URL = _secret("SMTP_URL")  # smtp://user@host:587 (STARTTLS) or smtps://user@host:465
TICK = 5.0  # seconds between two looks of the scheduler at what is due, and at the seeds
WORKER_BEAT = 5  # seconds between a worker's looks at the database: does it live there, is it to stop
WORKER_CRAWLS = _whole("WORKER_CRAWLS", 0)  # jobs that a worker does at once; 0: 4 for each of its processes
WORKER_GRACE = _whole("WORKER_GRACE", 60)  # seconds in which a worker that is told to stop ends what is in flight
WORKER_PROCESSES = _whole("WORKER_PROCESSES", 0)  # crawl hosts of a worker; 0: one for each core
WORKER_RETRIES = [60, 300, 1800]  # seconds after a job's first, second and third failure until it is tried again
# The user's own proxy may be private. Without its credentials: settings are logged.
TRUSTED_PROXIES = [url.rpartition("@")[2] for scheme, url in getproxies().items() if scheme != "no"]

# -- Scrapy's -----------------------------------------------------------------------------------------------------
ADDONS = {"crawler.extensions.log_format.JsonLog": 0}  # does nothing without LOG_JSON
AUTOTHROTTLE_ENABLED = True
AUTOTHROTTLE_START_DELAY = 1.0
AUTOTHROTTLE_TARGET_CONCURRENCY = 1.0
BOT_NAME = "news-crawler"
COMMANDS_MODULE = _commands()
CONCURRENT_ITEMS = 1  # a response gives one item, and Scrapy starts this many tasks for each response
CONCURRENT_REQUESTS = 32
CONCURRENT_REQUESTS_PER_DOMAIN = 2
COOKIES_ENABLED = False
DEFAULT_REQUEST_HEADERS = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.5"}
DNS_TIMEOUT = 15  # seconds; less than DOWNLOAD_TIMEOUT, so that it is known what failed
DOWNLOADER = "crawler.downloader.slots.PoliteDownloader"
DOWNLOADER_MIDDLEWARES = {
    "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware": None,
    "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
    "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
    "crawler.downloader.decoding.DecodingMiddleware": 590,
    "crawler.downloader.browser.RenderMiddleware": 90,
    "crawler.downloader.guard.AddressGuard": 760,
    "crawler.downloader.robots.RobotsMiddleware": 100,
    "crawler.downloader.retry.BackoffRetryMiddleware": 550,
}
DOWNLOAD_DELAY = 1.0
DOWNLOAD_DELAY_JITTER = 0.1  # of the delay, on top of it: it is never shorter
DOWNLOAD_HANDLERS = {
    "data": None,
    "file": None,
    "ftp": None,
    "http": "crawler.downloader.handler.HttpHandler",
    "https": "crawler.downloader.handler.HttpHandler",
    "s3": None,
}
DOWNLOAD_MAXSIZE = 10 * 1024 * 1024
DOWNLOAD_TIMEOUT = 30
DOWNLOAD_WARNSIZE = 0
DOWNLOAD_VERIFY_CERTIFICATES = True  # for whatever does not go through our handler, which does
EXTENSIONS = {
    "scrapy.extensions.logstats.LogStats": None,  # ours counts articles
    "crawler.extensions.crawl_log.CrawlLog": 100,
    "crawler.extensions.progress.Progress": 200,
    "crawler.extensions.switch.SourceSwitch": 300,
    "crawler.extensions.waiting.OnlyWaits": 400,
}
ITEM_PIPELINES = {
    "crawler.pipelines.extract.ExtractPipeline": 100,
    "crawler.pipelines.normalise.NormalisePipeline": 200,
    "crawler.pipelines.validate.ValidatePipeline": 300,
    "crawler.pipelines.store.StorePipeline": 400,
}
LOG_FORMATTER = "crawler.extensions.log_format.ShortLogFormatter"
LOG_LEVEL = "WARNING" if ON_TERMINAL and not LOG_JSON else "INFO"  # a terminal shows the progress display instead
METAREFRESH_ENABLED = False  # news pages reload themselves; that is no redirect
REDIRECT_MAX_TIMES = 5
REFERRER_POLICY = "no-referrer"
REMOTE_CONTROL_ENABLED = False
RETRY_GIVE_UP_LOG_LEVEL = "DEBUG"  # the spider tells it, in its own words
RETRY_TIMES = 2
ROBOTSTXT_OBEY = True
SPIDER_LOADER_CLASS = "crawler.spiders.loader.SeedSpiderLoader"
SPIDER_MODULES: list[str] = []
STATS_DUMP = False  # they are kept in `crawls.stats`
TELNETCONSOLE_ENABLED = False
TWISTED_DNS_RESOLVER = "crawler.downloader.resolver.PublicResolver"
USER_AGENT = f"news-crawler/{__version__}" + (f" (+{CRAWLER_CONTACT})" if CRAWLER_CONTACT else "")
