"""The bundle, what is deployed, and the evidence store beside it, written and opened with every hash checked."""
