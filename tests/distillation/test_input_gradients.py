"""What a search by gradients follows is the derivative of what is deployed, at the window that decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from overproof.bundle.readers import make_reader
from overproof.bundle.runtime import Labels, WindowScorer
from overproof.bundle.tokenizer import Windowing, train_bpe
from overproof.distillation.input_gradients import DifferentiableOdds
from overproof.distillation.network_graph import from_onnx, to_onnx
from overproof.distillation.students.encoder import Encoder, new_encoder
from overproof.distillation.students.ngrams import NgramNetwork, new_ngram_network
from overproof.distillation.students.presets import EncoderConfig, NetworkConfig, NgramConfig, NgramSizes
from overproof.redteam.victim import victim

SIZES = NgramSizes(rows=1 << 10, width=8, hidden=16)
ENCODER = EncoderConfig(2, 32, 2, 64, vocabulary=300, positions=16)
KINDS: dict[str, NetworkConfig] = {
    "n-grams": NgramConfig(SIZES, positions=17),
    "encoder": ENCODER,
    "hybrid": replace(ENCODER, ngrams=SIZES),
}
BENIGN = (True, False, False)
TEXTS = ["id=1' or 1=1 --", "<script>alert(1)</script>", "page=3&sort=asc and some more, too long for a window"]


def made(config: NetworkConfig) -> tuple[DifferentiableOdds, WindowScorer]:
    """A network whose logits are spread out, read back from the file that it was written to; and that file's scorer."""
    tokenizer = None
    network: Encoder | NgramNetwork
    if isinstance(config, EncoderConfig):
        tokenizer = train_bpe([*TEXTS, "select * from users"] * 4, vocabulary=300)
        config = replace(config, vocabulary=tokenizer.get_vocab_size())
        network = new_encoder(config, 3, seed=0)
        network.tokens.weight.data.mul_(30)
        network.positions.data.mul_(10)
    else:
        network = new_ngram_network(config, 3, seed=0)
        network.ngrams.table.data.mul_(20)
    table = None if network.ngrams is None else network.ngrams.stored()
    reader = make_reader(tokenizer, table, Windowing(size=16, overlap=4, limit=5))
    file = to_onnx(network.eval())
    scorer = WindowScorer(file.SerializeToString(), reader, Labels(("benign", "sqli", "xss"), ("benign",)))
    return DifferentiableOdds(from_onnx(file, config), reader, BENIGN), scorer


@pytest.fixture(scope="module", params=KINDS)
def both(request: pytest.FixtureRequest) -> tuple[DifferentiableOdds, WindowScorer]:
    return made(KINDS[request.param])


Both = tuple[DifferentiableOdds, WindowScorer]


def test_the_network_that_is_read_back_says_what_its_file_says(both: Both) -> None:
    odds, scorer = both
    assert odds.exact(TEXTS) == pytest.approx(victim(scorer, BENIGN)(TEXTS).odds, rel=1e-4, abs=1e-4)
    assert scorer.windows(TEXTS).per_event.max() > 1, "else the window that decides is not seen to"


@pytest.mark.parametrize("text", TEXTS)
def test_it_is_the_finite_difference_of_the_window_that_decides(both: Both, text: str) -> None:
    odds, _ = both
    found, network = odds.around(text), odds.network
    if found.ngrams is not None:

        def sums(step: float) -> float:
            stands_in = network.ngrams.register_forward_pre_hook(lambda _, read: (read[0] + step, read[1]))  # type: ignore[union-attr]
            [value] = odds.exact([text])
            stands_in.remove()
            return value

        assert found.ngrams.sum() == pytest.approx(slope(sums), rel=0.05, abs=0.02)
    if isinstance(network, Encoder):
        assert found.tokens is not None
        for token in (5, 40, 200):
            embedding = network.tokens.weight[token]

            def tokens(step: float, by: Tensor = embedding) -> float:
                hook = network.tokens.register_forward_hook(
                    lambda _, read, x: torch.cat([x[:, :1], x[:, 1:] + step * by], dim=1)
                )
                [value] = odds.exact([text])
                hook.remove()
                return value

            assert found.tokens[token] == pytest.approx(slope(tokens), rel=0.05, abs=0.02)


def slope(moved: Callable[[float], float], step: float = 2e-3) -> float:
    return (moved(step) - moved(-step)) / (2 * step)


def test_an_estimate_is_of_the_most_attack_like_window_and_hangs_on_no_other_text(both: Both) -> None:
    odds, _ = both
    for text in TEXTS:
        edited = [text, f"{text} garden", f"x{text}", ""]
        together = odds.estimate(text, edited)
        assert together[0] >= odds.exact([text])[0] - 1e-4, "nothing was edited: the deciding window is as it was"
        assert together == pytest.approx([odds.estimate(text, [some])[0] for some in edited], abs=1e-4)


def test_small_edits_are_ranked_as_the_network_ranks_them(both: Both) -> None:
    odds, _ = both
    correlations = []
    for text in ("id=1 or 2", "<b>alert", "a b c d"):
        edited = [f"{text} {word}" for word in ("garden", "select", "or", "<i>", "1", "users", "'", "--", "script")]
        correlations.append(np.corrcoef(odds.estimate(text, edited), odds.exact(edited))[0, 1])
    assert np.mean(correlations) > 0.3
