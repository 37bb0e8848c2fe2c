"""Read ModSecurity's audit logs, by their requests: `serial.py` takes sections apart, `log.py` JSON, `records.py` both.

What the firewall said of a request is not judged. A body that is longer than what was logged of it sets `overflow`.
"""
