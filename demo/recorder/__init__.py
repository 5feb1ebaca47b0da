"""The parts of the recorded incident. `record.py` puts them together."""
