-- Marks are set by broadcast_changes alone, with its owner's rights.
select tollgate.open_table('tollgate.live_marks', '{}');
