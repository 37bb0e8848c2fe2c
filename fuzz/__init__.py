"""Fuzz whatever overproof reads: seeded inputs, mutated by their structure; a finding is replayed by its number.

`python -m fuzz` runs it, `make fuzz` for an hour; `target.Target` says what is asked of every input.
"""
