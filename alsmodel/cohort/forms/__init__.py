"""Reader of PRO-ACT's own CSV files, driven by the authored mapping in `data_schemas/sources/proact.toml`."""
