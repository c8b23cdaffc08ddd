"""Runs on the emulated machine: has its onnxruntime load every model of a folder and write what it made of it.

    python optimise.py FOLDER

Reads ``*.onnx``, writes ``<name>/optimised.onnx``, or ``<name>/refused.txt``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnxruntime as ort


def optimise(file: Path) -> None:
    folder = file.with_suffix("")
    folder.mkdir()
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights.bin")
    options.add_session_config_entry("session.disable_prepacking", "1")  # takes long there, and changes no graph
    try:
        ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the binding's exceptions have no common base but this
        (folder / "refused.txt").write_text(str(error))


def main(folder: Path) -> None:
    for file in sorted(folder.glob("*.onnx")):
        optimise(file)
        print(file.stem, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
