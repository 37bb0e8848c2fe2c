"""Check 6: does escalating the doubtful events to the full model work?"""
