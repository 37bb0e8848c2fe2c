"""Attack a bundle: small edits that keep what an event does, searched for those that change what is said of it.

`mutate/` holds the edits, a file a domain; `search/` tries them within a budget of queries; `oracle/` proves, apart
from both, that an edited event still does what it did. Attacks only propose; `referee.py` decides. Bundles are
attacked, never servers: nothing here opens a connection.
"""
