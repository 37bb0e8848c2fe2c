"""Check 2: do probabilities mean what they say?"""
