"""Write and open the bundle, what is deployed, and the evidence store beside it, with every hash checked."""
