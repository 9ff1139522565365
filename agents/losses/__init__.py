"""Parts of losses: what a token or text is compared with, weighed by and charged."""
