"""This registry beside its peers, in one run: `python -m benchmarks --help`.

- `__main__.py`: the command line; `plan.py`: how long and how much
- `contenders.py`: this registry, or a peer that is given; `peers.py`: those that are started; `npm.py`: npm
  and verdaccio; `ceilings.py`: what cannot be beaten
- `access.py`: how a contender lets the client in; `closed.py`: accounts and keys for it
- `content.py`: blobs and manifests; `script.py`: the requests that carry them
- `load.py`: the load generator, which is `hload.c`
- `stand.py`: one contender, with all that a row needs to measure it
- `rows.py`: what a row is; `rows_*.py`: the rows, by subject; `table.py`: all of them
- `growth.py`: synthetic rows and query plans; `database.py`: the embedded database
- `measure.py`: rounds in rotating order; `process_cost.py`: what the processes of a server use
- `targets.py`: what is to be reached; `report.py`: Markdown and JSON; `short.py`: the table for documents
"""
