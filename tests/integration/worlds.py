"""Worlds to ask about: the shop of the question cases, and others made from it by giving everything another name.

A question that is answered right in one and wrong in the other was answered by the name, not by understanding.
"""
import importlib.util
import json
from pathlib import Path

import harness


def _renames(name):
    pairs = []
    for line in (harness.ROOT / "tests" / "data" / (name + "_names.tsv")).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pairs.append(tuple(line.split("\t")))
    return sorted(pairs, key=lambda p: -len(p[0]))          # the longest first: /api/payments before /api


def _rename(text, pairs):
    for i, (old, _) in enumerate(pairs):
        text = text.replace(old, "\x00%d\x00" % i)
    for i, (_, new) in enumerate(pairs):
        text = text.replace("\x00%d\x00" % i, new)
    return text


def make(name, directory):
    """(path of the world for dataset.py or None for its own, path of the questions)."""
    questions = harness.CASES / "questions.tsv"
    if name == "shop":
        return None, questions
    if name == "clinic":                                    # one of its own, with questions of its own
        data = harness.ROOT / "tests" / "data"
        return data / "clinic_world.json", data / "questions_clinic.tsv"
    spec = importlib.util.spec_from_file_location("dataset", harness.CASES / "dataset.py")
    dataset = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dataset)
    pairs = _renames(name)
    world = json.loads(_rename(json.dumps(dataset.SHOP, ensure_ascii=False), pairs))
    world.update(name=name, sessions="r-%d", users=dict(world["users"], format="m%d"))
    world_path, questions_path = Path(directory) / (name + ".json"), Path(directory) / (name + ".tsv")
    world_path.write_text(json.dumps(world, ensure_ascii=False), encoding="utf-8")
    questions_path.write_text(_rename(questions.read_text(encoding="utf-8"), pairs), encoding="utf-8")
    return world_path, questions_path
