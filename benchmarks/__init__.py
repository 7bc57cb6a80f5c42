"""This registry beside its peers, in one run: `python -m benchmarks --help`.

__main__.py      the command line
plan.py          how long and how much: the full run and the quick one
contenders.py    this registry and its peers, started or given; ceilings.py what cannot be beaten
access.py        how a contender lets the client in
content.py       blobs and manifests; script.py the requests that carry them
load.py          the load generator (hload.c), compiled when needed
stand.py         one contender with all that a row needs to measure it
rows.py          a row, and the table of all; rows_*.py the rows, by subject
measure.py       rounds, in rotating order; process_cost.py what the server's processes used
targets.py       what is to be reached; report.py Markdown and JSON
"""
