"""How right predictions are: ``python -m benchmarks.accuracy run DIR`` measures, ``report DIR…`` writes it down.

A run has stages, each a JSON file in its folder, so that a run that was stopped goes on where it was, and every figure
stands beside the machine, the time and the predictor that it belongs to.
"""
