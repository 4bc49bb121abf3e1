"""A build without Prefect: what is known, what is to be made, the workers, and what is published."""
