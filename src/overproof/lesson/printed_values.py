"""Hold what the tutorial starts from and what it prints, as data: nothing here is computed.

Printed figures are strings, since their digits say how far they are rounded.
"""

from __future__ import annotations

from dataclasses import dataclass

CLASSES = ("Normal", "Suspicious", "Malicious")


@dataclass(frozen=True)
class Packet:
    """A packet of part 1, step 1: the teacher's printed probabilities, in the order of CLASSES, and the hard label."""

    name: str
    text: str
    printed: tuple[str, ...]
    label: str

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The printed probabilities as numbers."""
        return tuple(map(float, self.printed))


PACKETS = (
    Packet("A", "HTTP GET /index.html", ("0.92", "0.06", "0.02"), "Normal"),
    Packet("B", "SSH to an unknown address", ("0.15", "0.70", "0.15"), "Suspicious"),
    Packet("C", "encoded PowerShell", ("0.02", "0.18", "0.80"), "Malicious"),
    Packet("D", "port scan", ("0.05", "0.45", "0.50"), "Malicious"),
)

# Part 1, step 2
HARD_BITS, ENTROPY_D = "1", "1.4"
# Part 1, step 3
TEMPERATURES = (2, 3)
# Part 1, step 4
SOFTENED = {1: ("0.05", "0.45", "0.50"), 2: ("0.15", "0.40", "0.45"), 4: ("0.22", "0.38", "0.40")}


@dataclass(frozen=True)
class Model:
    """A model as the tutorial draws it: parameters in millions, MB, ms a packet and accuracy, all as printed.

    `layers` and `hidden` are None where the tutorial does not say.
    """

    where: str
    name: str
    millions: str
    bits: int
    megabytes: str
    milliseconds: str
    percent: str
    layers: int | None = None
    hidden: int | None = None


# Part 1, step 5, and the comparison in part 2
MODELS = (
    Model("Part 1, step 5", "teacher", "100", 32, "400", "50", "94", 12, 768),
    Model("Part 1, step 5", "student", "5", 32, "20", "5", "89", 3, 256),
    Model("Comparison", "full", "100", 32, "400", "50", "94"),
    Model("Comparison", "distilled", "10", 32, "40", "8", "89"),
    Model("Comparison", "distilled + INT8", "10", 8, "10", "3", "87"),
)

# Part 2, the setup
MATRIX = (("0.127", "-0.891", "0.342"), ("0.505", "0.012", "-0.234"), ("-0.667", "0.789", "0.001"))
BITS_BEFORE, BYTES_BEFORE = "288", "36"
# Steps 1 and 2
LOW, HIGH, RANGE = "-0.891", "0.789", "1.680"
SIGNED, UNSIGNED = ("-128", "127"), ("0", "255")
SCALE, ZERO_POINT = "0.00659", "135"
# Step 3, row by row
QUANTIZED = (("154", "0", "187"), ("212", "137", "100"), ("34", "255", "135"))
BITS_AFTER, BYTES_AFTER = "72", "9"
SCALE_BYTES, TOTAL_BYTES, SMALLER = "8", "17", "53"
# Steps 4 and 5, row by row; relative errors in percent
STEPS_OF_0_127 = "19"
RECONSTRUCTED = ("0.125", "-0.890", "0.343", "0.507", "0.013", "-0.231", "-0.665", "0.791", "0.000")
ERRORS = ("0.002", "0.001", "0.001", "0.002", "0.001", "0.003", "0.002", "0.002", "0.001")
RELATIVE = ("1.6", "0.1", "0.3", "0.4", "8.3", "1.3", "0.3", "0.3", "100")
# The drawn grid
FLOAT_LABELS = ("-0.9", "-0.6", "-0.3", "0.0", "0.3", "0.6", "0.9")
GRID_LABELS = ("-0.891", "-0.56", "-0.23", "0.10", "0.43", "0.76", "0.789")
GRID_VALUES = "256"
# The table of the comparison
FEWER_PARAMETERS, SMALLER_FILE = ("10", "100"), ("2", "4")
CAPABILITY_LOST, LOST_AT_INT8 = ("5", "15"), "2"
