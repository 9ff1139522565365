"""What learners learn from that is not written by themselves: read, held out, in batches."""
