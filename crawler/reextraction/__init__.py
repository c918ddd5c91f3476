"""Re-extraction: today's rules over stored pages, in slices that any number of processes share, then applied by source.

Whoever works on a run, the person's `scrapy reextract` or a worker's job, comes this way. What is found and how far it
has come is in the database (store/reextractions.py, slices.py, reapplying.py): killed, it goes on from there.

    question.py     what a run is asked, with the seeds it is begun with
    looking.py      a slice's pages, read and judged
    applying.py     a source's changes, applied
    queued.py       a run as jobs of the queue
"""
