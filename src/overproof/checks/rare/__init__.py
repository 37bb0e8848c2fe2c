"""Check 3: what happens to rare families and edge cases?"""
