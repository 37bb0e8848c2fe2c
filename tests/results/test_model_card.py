"""The card for the Hugging Face Hub: read by the Hub's own library, and no figure in it that was not measured."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from typer.testing import CliRunner

import overproof
from overproof.bundle.manifest import Bundle, open_bundle, seal, write_bundle
from overproof.cli import app
from overproof.errors import InputError, TamperedBundle
from overproof.results.comparison import Comparison
from overproof.results.ml_bom.metrics import metrics
from overproof.results.model_card import model_card

ODD = ("benign", '"x: [', "a\x1b[31m\n---", "é\U0001f600\x85\ufeff")


@pytest.fixture
def old(root: Path) -> Bundle:
    """A bundle that version 0.1.0 compressed, with all that compress stores."""
    return open_bundle(root / "tests" / "compat" / "format1" / "bundle")


def test_the_hub_reads_every_figure(old: Bundle) -> None:
    card = ModelCard(model_card(old))
    found = {(one.dataset_name, one.metric_name): one.metric_value for one in card.data.eval_results}
    measured = metrics(Comparison.of(old))
    assert found == {(one.get("slice", "test events"), one["type"]): float(one["value"]) for one in measured}
    assert len(found) == len(measured) > 10
    assert (card.data.library_name, card.data.pipeline_tag) == ("overproof", "text-classification")
    assert card.data.license is None and "simulated" in card.text and "not checked on your own events" in card.text
    for name in old.manifest.classes:
        assert f"`{name}`" in card.text


def test_what_was_not_measured_is_not_there(small_bundle: Path) -> None:
    card = ModelCard(model_card(open_bundle(small_bundle)))
    assert card.data.eval_results is None and "Not measured" in card.text


def test_names_of_others_stay_names(small_bundle: Path) -> None:
    bundle = open_bundle(small_bundle)
    network = {**bundle.manifest.network, "preset": ODD[3] + ODD[1] + ODD[2]}
    odd = replace(bundle, manifest=replace(bundle.manifest, network=network, benign=ODD[:1], classes=ODD))
    text = model_card(odd)
    assert ModelCard(text).data.library_name == "overproof" and text.count("\n---\n") == 1 and "\x1b" not in text


def test_inspect_writes_it(old: Bundle, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["inspect", str(old.path), "--card", str(tmp_path / "README.md")])
    assert done.exit_code == 0 and (tmp_path / "README.md").read_text() == model_card(old)


def test_a_saved_bundle_is_the_same_with_a_card(small_bundle: Path, tmp_path: Path) -> None:
    opened = overproof.open(small_bundle)
    opened.save_pretrained(tmp_path / "hub")
    again = overproof.open(tmp_path / "hub")
    assert again.manifest == opened.manifest
    assert (tmp_path / "hub" / "README.md").read_text() == model_card(open_bundle(small_bundle))
    names = {path.name for path in small_bundle.iterdir()} | {"README.md"}
    assert {path.name for path in (tmp_path / "hub").iterdir()} == names
    for name in names - {"README.md"}:
        assert (tmp_path / "hub" / name).read_bytes() == (small_bundle / name).read_bytes()
    again.save_pretrained(tmp_path / "hub")  # over itself


def test_what_is_saved_is_what_was_opened(small_bundle: Path, tmp_path: Path) -> None:
    opened = overproof.open(shutil.copytree(small_bundle, tmp_path / "bundle"))
    bundle = open_bundle(tmp_path / "bundle")
    write_bundle(tmp_path / "bundle", replace(bundle.manifest, seed=bundle.manifest.seed + 1), bundle.files)
    with pytest.raises(TamperedBundle, match="another bundle than the one that was opened"):
        opened.save_pretrained(tmp_path / "hub")
    assert not (tmp_path / "hub").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("a")
    with pytest.raises(InputError, match="exists and is not a bundle"):
        overproof.open(small_bundle).save_pretrained(tmp_path / "mine")
    assert (tmp_path / "mine" / "a.txt").read_text() == "a"


@pytest.mark.parametrize("name", ["README.md", ".gitattributes", "readme.md", "model.py"])
def test_only_what_is_for_people_may_lie_beside(small_bundle: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(small_bundle, tmp_path / "bundle")
    (folder / name).write_text("anything")
    if name in ("README.md", ".gitattributes"):
        assert seal(open_bundle(folder).manifest) == seal(open_bundle(small_bundle).manifest)
    else:
        with pytest.raises(TamperedBundle, match=f"{name}: not listed in the manifest"):
            open_bundle(folder)
