"""Check 4: what happens to verdicts near the boundary?"""
