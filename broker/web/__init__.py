"""Flask lives here and in `broker.app`, nowhere else."""
