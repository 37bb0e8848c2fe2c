"""Open what `--search gradient` follows: the gradients of the models that are attacked, by their own weights.

Whoever holds a bundle holds its weights, rounded as they are: that is what the bundle is attacked with, the student
before quantization with its own, and so on. No gradient is a query: queries go to what is deployed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from overproof.bundle import evidence_store as folder
from overproof.bundle.evidence_store import EvidenceStore
from overproof.bundle.manifest import MODEL, Bundle, open_bundle
from overproof.bundle.model_names import BASELINE, CONTROL, DISTILLED, QUANTIZED
from overproof.bundle.readers import reader_of
from overproof.errors import InputError, MissingExtra
from overproof.redteam.search.interface import Guide
from overproof.redteam.victim import Victim

OPTION = "--search gradient"


def guides(bundle: Bundle, store: EvidenceStore | None, victims: Mapping[str, Victim]) -> dict[str, Guide]:
    """Return for each model what its weights tell of its log-odds.

    The linear baseline's is what it says itself: it is its own first order.

    Raises
    ------
    InputError
        A bundle whose network is not one of ours, or that holds two students.
    MissingExtra
        No torch.
    """
    found = {QUANTIZED: guide(bundle)}
    if store is not None:
        for name, place in ((DISTILLED, folder.DISTILLED), (CONTROL, folder.CONTROL)):
            found[name] = guide(open_bundle(store.path / place))
        found[BASELINE] = _asking(victims[BASELINE])
    return found


def guide(bundle: Bundle) -> Guide:
    """Return what the weights in a bundle's own file tell of its log-odds."""
    if bundle.manifest.first is not None:
        raise InputError(f"{OPTION}: {bundle.path} holds two students; expected a bundle of one, or another search")
    try:
        import onnx

        from overproof.distillation.input_gradients import DifferentiableOdds
        from overproof.distillation.network_graph import from_onnx
        from overproof.distillation.students.presets import config_from_json
        from overproof.quantization.float_weights import float_weights
    except ModuleNotFoundError as missing:
        raise MissingExtra(f"{OPTION} needs the package {missing.name}: pip install 'overproof[compress]'") from missing
    manifest = bundle.manifest
    try:
        config = config_from_json(manifest.network)
        network = from_onnx(float_weights(onnx.load_from_string(bundle.files[MODEL])), config)
    except (InputError, KeyError, TypeError) as error:
        raise InputError(
            f"{OPTION}: the network of {bundle.path} cannot be differentiated ({error}); expected a student that "
            "`overproof compress` made, or another search"
        ) from None
    reader = reader_of(bundle.files, manifest.windowing, str(bundle.path))
    odds = DifferentiableOdds(network, reader, [name in manifest.benign for name in manifest.classes])
    return Guide(odds.estimate, odds.exact)


def _asking(model: Victim) -> Guide:
    def exact(texts: Sequence[str]) -> list[float]:
        return model(texts).odds.tolist()  # type: ignore[no-any-return]

    return Guide(lambda text, edited: exact(edited), exact)
