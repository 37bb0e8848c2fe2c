"""Judge events with a bundle: the cascade, its engines, streams, sinks, the HTTP service and similarity search."""
