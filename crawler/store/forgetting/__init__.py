"""What a publisher wants removed is removed, everywhere, and a tombstone keeps it away (../tombstones.py).

A page is gathered with all its addresses (finding.py) and goes with its article and whatever was made of it
(removing.py); a source goes in batches (sources.py). acts.py knows what was forgotten, and allows it again.
"""
