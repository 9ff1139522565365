"""TextGym's experiments and command line: they train the agents on the environments and measure what came of it."""
