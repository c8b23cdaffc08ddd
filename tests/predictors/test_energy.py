"""Energy guesses: positive, wide, and absent where nothing can be guessed."""

from dataclasses import replace

import pytest

from lookup_tables import DeviceFingerprint, Target
from predictors.energy import PowerGuess

XEON = Target(DeviceFingerprint("Intel(R) Xeon(R) Processor", cores=8), runtime_version="1.31.1")


def test_more_threads_need_more_power() -> None:
    one, four, many = (PowerGuess.of(replace(XEON, threads=n)) for n in (1, 4, 100))
    assert one is not None and four is not None and many is not None
    assert four.busy_w == 4 * one.busy_w
    assert many.busy_w == 8 * one.busy_w  # no more than there are cores


def test_computing_takes_more_than_waiting_and_both_more_than_idling() -> None:
    power = PowerGuess.of(XEON)
    assert power is not None
    assert power.kernel_mj(2.0, 1.0) > power.kernel_mj(2.0, 0.0) > 0
    assert power.kernel_mj(4.0, 0.5) == pytest.approx(2 * power.kernel_mj(2.0, 0.5))


def test_the_interval_says_that_it_is_a_guess() -> None:
    power = PowerGuess.of(XEON)
    assert power is not None
    guess = power.whole(100.0, 10.0, 0.05, 0.9)
    assert guess.lower == pytest.approx(40, rel=0.02) and guess.upper == pytest.approx(250, rel=0.02)
    assert guess.gross > guess.value and guess.method == "tdp_guess"
    assert power.whole(100.0, 10.0, 0.05, 0.99).upper > guess.upper


@pytest.mark.parametrize(
    ("device", "watts"),
    [
        (DeviceFingerprint("AMD Ryzen 9 7950X", cores=16), 6.5), (DeviceFingerprint("Apple M2", cores=8), 4.5),
        (DeviceFingerprint("Neoverse-N1", architecture="aarch64", cores=4), 2.5),
        (DeviceFingerprint("BCM2711 Raspberry Pi 4", architecture="aarch64", cores=4), 1.5),
        (DeviceFingerprint("unknown", architecture="aarch64", cores=4), 2.0),
        (DeviceFingerprint("unknown", vendor="GenuineIntel", architecture="x86_64", cores=4), 5.5),
    ],
)  # fmt: skip
def test_processors(device: DeviceFingerprint, watts: float) -> None:
    power = PowerGuess.of(Target(device, runtime_version="1"))
    assert power is not None and power.busy_w == watts


def test_where_not_even_a_guess_is_possible() -> None:
    assert PowerGuess.of(replace(XEON, provider="CUDAExecutionProvider")) is None
    assert PowerGuess.of(replace(XEON, emulated=True)) is None
    assert PowerGuess.of(Target(DeviceFingerprint("mystery", architecture="riscv64"))) is None
