"""Hold the version on its own, so that every module can name it without importing the package's public names."""

__version__ = "0.2.0"
