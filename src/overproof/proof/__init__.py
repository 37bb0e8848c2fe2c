"""The second job: `check` proves what a compression cost, on the user's own events.

`job.py` is that job from top to bottom; the checks themselves lie in `checklist/` and see nothing but scores.
"""
