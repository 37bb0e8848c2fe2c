"""Check 5: false positives and misses against the full model, and families that were held out of training."""
