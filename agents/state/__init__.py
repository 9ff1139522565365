"""What a run holds, as files: for checkpoints."""
