"""``python -m cloudmarker_simulators`` is the command ``cloudmarker-simulate``."""

from cloudmarker_simulators.cli import main

main(prog_name="cloudmarker-simulate")
