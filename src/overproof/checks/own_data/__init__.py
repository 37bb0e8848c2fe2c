"""Check 1: are these the events that the model will meet?"""
