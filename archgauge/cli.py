"""The `archgauge` command."""


def main() -> None:
    """Run the command line."""
