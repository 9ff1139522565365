"""The experiments, one a file, found by listing this folder; `benchmarks.suite` says what such a file has."""
