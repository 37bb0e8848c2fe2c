"""Name the reasons for which several checks measure nothing."""

from __future__ import annotations

NO_EVENTS = "there are no events"
NO_ATTACKS, NO_BENIGN = "no event is labelled an attack", "no event is labelled benign"
NO_TRAINING = "the training events are not at hand: give the evidence folder that `overproof compress --evidence` wrote"
