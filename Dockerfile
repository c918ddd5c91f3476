FROM python:3.13-slim

RUN useradd --create-home --uid 10001 crawler
WORKDIR /app

COPY requirements.lock requirements-metrics.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary=:all: \
    --requirement requirements.lock --requirement requirements-metrics.lock

COPY scrapy.cfg ./
COPY crawler ./crawler
COPY seeds ./seeds
# Only the embedded PostgreSQL of a run without DATABASE_URL is written here; /app itself stays root's, and may be
# mounted read-only.
RUN python -m compileall -q crawler && install --directory --owner=crawler --mode=0700 .data

USER crawler
ENTRYPOINT ["scrapy"]
CMD ["crawl", "news"]
