"""Predictions in words."""

from archgauge.prediction_text import energy, interval


def test_intervals() -> None:
    assert interval({"value": 3.41, "lower": 3.22, "upper": 3.66}) == "3.410 (3.220 – 3.660)"
    assert interval({"value": 3.41, "lower": 3.41, "upper": None}) == "3.410 (3.410 – ?)"


def test_energy() -> None:
    estimate = {"value": 41.0, "lower": 9.994, "upper": 2093.7, "method": "tdp_guess"}
    assert energy(estimate) == "41 mJ (9.99 – 2,094), tdp_guess"
    assert energy(None) == "unknown"
