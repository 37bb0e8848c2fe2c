"""Define the networks that a bundle can hold, and their presets."""
