"""Draw results: HTML from templates, SVG, Markdown, SARIF and text, for whatever is to be shown."""
