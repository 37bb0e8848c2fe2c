"""One file a job, each read top to bottom; `compress.py` first."""
