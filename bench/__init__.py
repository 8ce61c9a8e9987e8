"""Measures Posthouse beside other relays on one machine: `python -m bench`, or `make bench`.

`relays` starts them, `measure` and `sessions` put a load on them, each part of `parts` is one table of
`docs/performance.md`, which `report` and `chart` make of the `results`. `guard` is the short one, for CI.
"""
