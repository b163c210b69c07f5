-- What statements are read from is written by sealing alone, with its owner's rights.
select tollgate.open_table('tollgate.sealed_postings', '{"tollgate_usage_worker": ["select"]}');
