"""One thread for each test process: the models are tiny, and the tests run side by side."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
