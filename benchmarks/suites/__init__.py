"""The experiments, one a file: its settings, its runs, its report."""
